//! Blobs: where their bytes are read, and where they are stored. What a Git LFS server can do, and nothing more.

use std::collections::HashSet;
use std::ops::Range;

use async_trait::async_trait;

use crate::file::{Blob, File};
use crate::http::ByteStream;
use crate::stream::body::Body;
use crate::transport::BlobTransport;
use crate::{Error, Result, Sha256};

/// Reads the files of one repo at one revision.
#[async_trait]
pub trait BlobSource: Send + Sync {
    /// Asks where these blobs can be read, in as few requests as the hub allows. Returns the blobs that the hub does not
    /// have, each with the reason. A blob that was located before costs no request.
    async fn locate(&self, blobs: &[Blob]) -> Result<Vec<(Sha256, Error)>>;

    /// Opens `range` of a file. The stream ends after exactly that many bytes or with an error.
    ///
    /// # Errors
    /// [`crate::Kind::Transient`] when the stream broke (ask for the rest); [`crate::Kind::Expired`] when the address was too
    /// old (ask again: the address is renewed); [`crate::Kind::RangeIgnored`] when the server gives the whole file only (ask
    /// for all of it); [`crate::Kind::Corrupt`] when the content is longer than declared.
    async fn read(&self, file: &File, range: Range<u64>) -> Result<ByteStream>;
}

/// Stores blobs for one repo. A stored blob is invisible until a commit names it.
#[async_trait]
pub trait BlobStore: Send + Sync {
    /// Whether a large blob goes in several requests side by side, whose buffers take memory of their own.
    fn sends_in_parts(&self) -> bool;

    /// Blobs that one request asks about; Git LFS servers are asked about a hundred.
    fn blobs_a_check(&self) -> usize {
        100
    }

    /// Asks which of these blobs the store lacks. A failed request is an error, never "has it".
    async fn missing(&self, blobs: &[Blob]) -> Result<Missing>;

    /// The same store by a protocol that the caller chooses; `None` where there is one only, or one was asked for.
    fn several_transports(&self) -> Option<&dyn SeveralTransports> {
        None
    }

    /// Stores one blob that [`BlobStore::missing`] named. `body` yields exactly the blob's bytes, or fails before the last
    /// of them, which leaves nothing stored.
    async fn put(&self, blob: Blob, body: Body) -> Result<()>;
}

/// A store that takes blobs by HTTP and by Xet.
#[async_trait]
pub trait SeveralTransports: Send + Sync {
    /// Whether the hub takes blobs by Xet, from whoever this store's token belongs to.
    async fn offers_xet(&self) -> bool;

    /// As [`BlobStore::put`], by this protocol. A failure says nothing about the other one.
    async fn put_by(&self, transport: BlobTransport, blob: Blob, body: Body) -> Result<()>;
}

/// A hub that copies blobs from one of its repos to another by itself: none of their bytes pass through here. A copied blob is
/// invisible until a commit names it.
#[async_trait]
pub trait ServerSideCopy: Send + Sync {
    /// The most files that one call takes.
    fn files_a_call(&self) -> usize;

    /// Copies the blobs of these files of the source, at its revision.
    ///
    /// # Errors
    /// The hub's, where it copies none.
    async fn copy(&self, files: &[&File]) -> Result<CopiedBlobs>;
}

/// The answer to a request for copies. Blobs that it does not name were not copied.
#[derive(Debug, Default)]
pub struct CopiedBlobs {
    /// Blobs that the hub says it has copied.
    pub copied: HashSet<Sha256>,
    /// Why others were not, where the hub says so.
    pub refused: Vec<String>,
}

/// The answer to a blob check.
#[derive(Debug, Default)]
pub struct Missing {
    /// Blobs that the store lacks and now takes.
    pub wanted: Vec<Blob>,
    /// Blobs that the store refuses, with the reason.
    pub refused: Vec<(Sha256, Error)>,
}
