//! Blobs: where their bytes are read, and where they are stored. What a Git LFS server can do, and nothing more.

use std::ops::Range;

use async_trait::async_trait;

use crate::file::{Blob, File};
use crate::http::ByteStream;
use crate::stream::body::Body;
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

    /// Stores one blob that [`BlobStore::missing`] named. `body` yields exactly the blob's bytes, or fails before the last
    /// of them, which leaves nothing stored.
    async fn put(&self, blob: Blob, body: Body) -> Result<()>;
}

/// The answer to a blob check.
#[derive(Debug, Default)]
pub struct Missing {
    /// Blobs that the store lacks and now takes.
    pub wanted: Vec<Blob>,
    /// Blobs that the store refuses, with the reason.
    pub refused: Vec<(Sha256, Error)>,
}
