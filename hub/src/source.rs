//! What every hub can do as a source.

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream::BoxStream;
use std::ops::Range;

use crate::destination::Account;
use crate::error::Result;
use crate::file::{Blob, File, Listing};
use crate::repo::RepoInfo;
use crate::{Error, Sha256};

/// A file's bytes as they arrive. An error ends it; the caller may ask for the rest by range.
pub type ByteStream = BoxStream<'static, Result<Bytes>>;

/// A repo that is read. Bound to one repo at one revision.
#[async_trait]
pub trait Source: Send + Sync {
    /// Whose token this is; an error of [`crate::Kind::Unauthorized`] when there is none or it is refused.
    async fn account(&self) -> Result<Account>;

    /// Looks the repo up and resolves its revision to a commit.
    async fn describe(&self) -> Result<RepoInfo>;

    /// Lists every file at the revision.
    async fn list(&self) -> Result<Listing>;

    /// Asks where these blobs can be read, in as few requests as the hub allows. Those that it does
    /// not have are returned with the reason; asking again for known ones costs nothing.
    async fn locate(&self, blobs: &[Blob]) -> Result<Vec<(Sha256, Error)>>;

    /// Opens `range` of a file. The stream ends after exactly that many bytes or with an error:
    /// [`crate::Kind::Transient`] when it broke (ask for the rest), [`crate::Kind::Expired`] when the address was
    /// too old (ask again: it is renewed), [`crate::Kind::RangeIgnored`] when the server only gives the whole
    /// file (ask for all of it), [`crate::Kind::Corrupt`] when it is longer than declared.
    async fn read(&self, file: &File, range: Range<u64>) -> Result<ByteStream>;
}
