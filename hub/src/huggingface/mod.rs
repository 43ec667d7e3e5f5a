//! Hugging Face as a source. Facts: huggingface_hub 2.4.0.

use std::ops::Range;

use async_trait::async_trait;

use crate::http::HttpOptions;
use crate::{Account, Blob, ByteStream, Error, File, Kind, Listing, RepoInfo, Result, Sha256, Side, Source};

/// A repo on Hugging Face.
pub struct Repo {}

impl Repo {
    /// Opens it; sends nothing yet.
    pub fn open(_side: &Side, _http: HttpOptions) -> Result<Self> {
        Ok(Self {})
    }
}

#[async_trait]
impl Source for Repo {
    async fn account(&self) -> Result<Account> {
        Err(Error::new(Kind::Invalid, "not written yet"))
    }
    async fn describe(&self) -> Result<RepoInfo> {
        Err(Error::new(Kind::Invalid, "not written yet"))
    }
    async fn list(&self) -> Result<Listing> {
        Err(Error::new(Kind::Invalid, "not written yet"))
    }
    async fn locate(&self, _blobs: &[Blob]) -> Result<Vec<(Sha256, Error)>> {
        Err(Error::new(Kind::Invalid, "not written yet"))
    }
    async fn read(&self, _file: &File, _range: Range<u64>) -> Result<ByteStream> {
        Err(Error::new(Kind::Invalid, "not written yet"))
    }
}
