//! ModelScope as a destination. Facts: modelscope-hub 0.5.1.

use async_trait::async_trait;

use crate::http::HttpOptions;
use crate::{
    Account, Blob, ByteStream, Commit, CommitLimits, Destination, Error, Kind, Listing, Missing, Placement, RepoInfo, RepoPath, Result,
    Side, Visibility,
};

/// A repo on ModelScope.
pub struct Repo {}

impl Repo {
    /// Opens it; sends nothing yet.
    pub fn open(_side: &Side, _http: HttpOptions) -> Result<Self> {
        Ok(Self {})
    }
}

#[async_trait]
impl Destination for Repo {
    async fn account(&self) -> Result<Account> {
        Err(Error::new(Kind::Invalid, "not written yet"))
    }
    async fn describe(&self) -> Result<Option<RepoInfo>> {
        Err(Error::new(Kind::Invalid, "not written yet"))
    }
    async fn create(&self, _visibility: Visibility) -> Result<()> {
        Err(Error::new(Kind::Invalid, "not written yet"))
    }
    async fn list(&self) -> Result<Listing> {
        Err(Error::new(Kind::Invalid, "not written yet"))
    }
    fn placement(&self, _path: &RepoPath, _size: u64) -> Placement {
        Placement::Blob
    }
    fn limits(&self) -> CommitLimits {
        CommitLimits { blobs_a_check: 64, max_actions: 2000, batch_actions: 256, body_bytes: 8 << 20 }
    }
    async fn missing(&self, _blobs: &[Blob]) -> Result<Missing> {
        Err(Error::new(Kind::Invalid, "not written yet"))
    }
    async fn put(&self, _blob: Blob, _body: ByteStream) -> Result<()> {
        Err(Error::new(Kind::Invalid, "not written yet"))
    }
    async fn commit(&self, _commit: &Commit) -> Result<Option<String>> {
        Err(Error::new(Kind::Invalid, "not written yet"))
    }
}
