//! In place of Xet where this is built without: what is served no other way is refused, and says so.

use std::ops::Range;

use crate::http::Http;
use crate::{Blob, BlobTransport, ByteStream, Error, File, Kind, Result};

use super::HuggingFaceRepo;

/// No way at all.
pub(super) struct Xet;

impl Xet {
    pub(super) fn new(_: &Http, _: [reqwest::Url; 2]) -> Self {
        Self
    }

    /// Refuses to go by Xet.
    ///
    /// # Errors
    /// [`Kind::Usage`] where that is asked for.
    pub(super) fn set(&mut self, transport: BlobTransport) -> Result<()> {
        match transport {
            BlobTransport::Xet => Err(Error::new(
                Kind::Usage,
                "this was built without Xet: use another --transport, or build it with the feature xet",
            )),
            BlobTransport::Auto | BlobTransport::Http => Ok(()),
        }
    }

    pub(super) fn reads(&self, _: Blob) -> bool {
        false
    }

    pub(super) fn is_open(&self) -> bool {
        false
    }

    pub(super) async fn is_offered(&self) -> bool {
        false
    }

    pub(super) fn sends(&self, _: Blob) -> bool {
        false
    }

    pub(super) async fn read(
        &self,
        _: &HuggingFaceRepo,
        _: &File,
        _: Blob,
        _: Range<u64>,
    ) -> Result<Option<ByteStream>> {
        Ok(None)
    }

    pub(super) async fn take_over(
        &self,
        _: &HuggingFaceRepo,
        _: &File,
        _: Blob,
        _: Range<u64>,
        refusal: Error,
    ) -> Result<ByteStream> {
        Err(refusal.about("Hugging Face refuses the plain download, as it does above 50 GB: this was built without Xet"))
    }

    pub(super) async fn put(&self, _: Blob, _: ByteStream) -> Result<()> {
        Err(Error::new(Kind::Usage, "this was built without Xet"))
    }
}
