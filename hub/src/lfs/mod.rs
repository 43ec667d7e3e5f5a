//! A repo's LFS server: where its blobs are, which it lacks, and how they get there. The same for every Git host with LFS, Hugging
//! Face among them, and for uploads to ModelScope. Facts: Git LFS specification, `batch.md` and `basic-transfers.md`.
//!
//! [`batch`] asks and checks the answer object by object; [`download`] opens blobs ([`addresses`] keeps where they are, [`expiry`] says
//! until when); [`missing`] finds what is missing, [`upload`] and [`multipart`] store it. [`protocol`] is what
//! hubs differ in when a blob is stored. [`wire`] holds the JSON.

mod addresses;
mod batch;
mod download;
mod expiry;
mod missing;
mod multipart;
mod protocol;
mod upload;
mod wire;

use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use reqwest::Url;

use crate::http::{Http, Response};
use crate::{Blob, Body, Error, File, Missing, Result, Sha256};

pub(crate) use batch::wanted;
pub(crate) use missing::{UploadAddress, UploadAnswer};
pub(crate) use protocol::UploadProtocol;
pub(crate) use upload::WholeUpload;
pub(crate) use wire::Wanted;

#[cfg(feature = "xet")]
pub(crate) use batch::{date_of, safe};
#[cfg(feature = "xet")]
pub(crate) use expiry::remaining;

/// One repo's LFS server. It keeps the addresses of blobs, where they are and where they go.
pub(crate) struct Lfs {
    pub(crate) http: Http,
    /// The address of the batch API.
    pub(crate) batch: Url,
    /// Large uploads may go in parts, as Hugging Face has them; other servers do not take the offer.
    in_parts: bool,
    /// The ref that blobs belong to, as the server is told.
    reference: Option<String>,
    protocol: Box<dyn UploadProtocol>,
    addresses: addresses::Addresses,
    targets: missing::UploadAddresses,
    /// There is no batch API at `batch`.
    absent: AtomicBool,
}

impl Lfs {
    /// The server whose batch API is at `batch`.
    pub(crate) fn new(http: Http, batch: Url) -> Self {
        let (addresses, targets) = (
            addresses::Addresses::default(),
            missing::UploadAddresses::default(),
        );
        Self {
            http,
            batch,
            in_parts: false,
            reference: None,
            protocol: Box::new(protocol::GitLfs),
            addresses,
            targets,
            absent: AtomicBool::new(false),
        }
    }

    /// The same, which may want large uploads in parts.
    pub(crate) fn in_parts(self) -> Self {
        Self {
            in_parts: true,
            ..self
        }
    }

    /// The same, told which ref the blobs belong to: in full at Git hosts, the branch alone at Hugging Face.
    pub(crate) fn of_ref(self, name: String) -> Self {
        Self {
            reference: Some(name),
            ..self
        }
    }

    /// The same, which stores blobs by this protocol.
    pub(crate) fn storing_by(self, protocol: impl UploadProtocol + 'static) -> Self {
        Self {
            protocol: Box::new(protocol),
            ..self
        }
    }

    fn reference(&self) -> Option<wire::Ref<'_>> {
        self.reference.as_deref().map(|name| wire::Ref { name })
    }

    /// The ref to read from: Hugging Face is told none, since its official client tells none.
    fn full_reference(&self) -> Option<wire::Ref<'_>> {
        self.reference()
            .filter(|told| told.name.starts_with("refs/"))
    }

    /// See [`crate::Source::locate`].
    pub(crate) async fn locate(&self, blobs: &[Blob]) -> Result<Vec<(Sha256, Error)>> {
        batch::locate(self, blobs)
            .await
            .map_err(|error| self.noted(error))
    }

    /// Whether it turned out that there is no batch API here, as at mirrors that serve files only.
    pub(crate) fn is_absent(&self) -> bool {
        self.absent.load(Ordering::Relaxed)
    }

    /// What the batch API fails with: a page that is not there is no batch API.
    fn noted(&self, error: Error) -> Error {
        if matches!(error.status(), Some(404 | 405 | 501)) {
            self.absent.store(true, Ordering::Relaxed);
        }
        error
    }

    /// Opens `range` of a blob; the answer is not looked at yet.
    pub(crate) async fn open(
        &self,
        file: &File,
        blob: Blob,
        range: &Range<u64>,
    ) -> Result<Response> {
        download::open(self, file, blob, range).await
    }

    /// See [`crate::Destination::missing`].
    pub(crate) async fn missing(&self, blobs: &[Blob]) -> Result<Missing> {
        missing::missing(self, blobs).await
    }

    /// See [`crate::Destination::put`].
    pub(crate) async fn put(&self, blob: Blob, body: Body) -> Result<()> {
        upload::put(self, blob, body).await
    }

    /// The transfers that are offered for uploads.
    fn transfers(&self) -> &'static [&'static str] {
        if self.in_parts {
            &["basic", "multipart"]
        } else {
            &["basic"]
        }
    }

    fn now(&self) -> Instant {
        self.http.options().clock.now()
    }
}
