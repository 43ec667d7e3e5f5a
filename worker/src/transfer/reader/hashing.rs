//! The digests of a content as it arrives. Each content is hashed by a task of its own, so that several are on several cores.

use futures_util::TryStreamExt;
use hf2ms_hub::{ByteStream, Digest, Error, File, GitSha1, Kind, Result, Sha256};
use sha2::Digest as _;
use tokio::task::JoinSet;

use crate::protocol::ChunkPurpose;

/// The digests of a content that was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReadDigests {
    /// By which storage names it.
    pub sha256: Sha256,
    /// By which Git names it: of files that a hub may list so.
    pub git_sha1: Option<GitSha1>,
}

impl ReadDigests {
    /// Whether this is one of them.
    pub fn contains(self, digest: Digest) -> bool {
        match digest {
            Digest::Sha256(sha256) => sha256 == self.sha256,
            Digest::GitSha1(git_sha1) => Some(git_sha1) == self.git_sha1,
        }
    }
}

/// The digests of the content that arrives.
///
/// # Errors
/// What reading fails with.
pub async fn read_digests(file: &File, frames: ByteStream) -> Result<ReadDigests> {
    let is_named_by_git = matches!(file.digest, Digest::GitSha1(_));
    let both = is_named_by_git || file.size <= ChunkPurpose::BOTH_KINDS;
    let git = both.then(|| GitSha1::hasher(file.size));
    // A set ends its task when it is dropped.
    let mut task = JoinSet::new();
    task.spawn(hash(frames, git));
    let ended = task.join_next().await;
    ended.and_then(std::result::Result::ok).unwrap_or_else(|| {
        let message = format!("{}: its hashing was cut off", file.path);
        Err(Error::new(Kind::Transient, message))
    })
}

async fn hash(
    mut frames: ByteStream,
    mut git: Option<impl sha2::Digest + Into<GitSha1>>,
) -> Result<ReadDigests> {
    let mut sha256 = sha2::Sha256::new();
    while let Some(frame) = frames.try_next().await? {
        sha256.update(&frame);
        git.iter_mut().for_each(|git| git.update(&frame));
    }
    Ok(ReadDigests {
        sha256: sha256.into(),
        git_sha1: git.map(Into::into),
    })
}
