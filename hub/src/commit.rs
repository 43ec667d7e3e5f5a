//! A commit as a hub's API takes it: what it changes, and how much one request may carry.

use std::time::Duration;

use bytes::Bytes;

use crate::file::Blob;
use crate::path::RepoPath;
use crate::repo::Revision;

/// How a hub keeps a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Placement {
    /// In object storage, named by its SHA-256 in the commit.
    Blob,
    /// Its bytes inside the commit.
    Inline,
}

/// What a hub takes in one commit, and what a listing may show afterwards.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CommitLimits {
    /// Actions that the server takes in one commit.
    pub max_actions: usize,
    /// Actions of the first commit when a change needs several; later ones are smaller after one that was too large.
    pub batch_actions: usize,
    /// Bytes of a commit's body.
    pub body_bytes: usize,
    /// How long a commit should take where the hub gives up on long ones: batches grow and shrink towards it.
    pub commit_time: Option<Duration>,
    /// Direct entries with which a folder can still be listed whole; `None` where the hub has no such limit.
    pub folder_entries: Option<usize>,
    /// Whether the hub refuses a commit that names a blob which is not stored. Elsewhere the caller asks for the blobs first.
    pub checks_blobs: bool,
    /// Whether the hub refuses a commit whose parent is not where the branch stands. Elsewhere the caller looks at the branch first.
    pub checks_parent: bool,
}

/// One commit.
#[derive(Debug, Clone)]
pub struct Commit {
    /// Its message; the first line is the summary.
    pub message: String,
    /// What it changes.
    pub actions: Vec<Action>,
    /// The commit at which the branch must stand; `None` where the hub tells no commits.
    pub parent: Option<Revision>,
}

/// One change of a commit.
#[derive(Debug, Clone)]
pub enum Action {
    /// A file is written.
    Put {
        /// The file's path.
        path: RepoPath,
        /// Whether the path exists already.
        exists: bool,
        /// The file's content.
        content: Content,
    },
    /// A file is deleted.
    Delete {
        /// The file's path.
        path: RepoPath,
    },
}

/// What a commit writes at a path.
#[derive(Debug, Clone)]
pub enum Content {
    /// A stored blob.
    Stored(Blob),
    /// These bytes.
    Inline(Bytes),
}
