//! What every hub can do as a destination.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

use crate::body::Body;
use crate::digest::Sha256;
use crate::error::{Error, Result};
use crate::file::{Blob, File, Listing};
use crate::path::RepoPath;
use crate::repo::{RepoInfo, Revision, Visibility};
use crate::source::ByteStream;

/// A repo that is written. Bound to one repo and branch.
#[async_trait]
pub trait Destination: Send + Sync {
    /// Whose token this is.
    async fn account(&self) -> Result<Account>;

    /// The same; `None` where the hub does not say it now, and what it refuses later will show it too.
    async fn account_if_told(&self) -> Result<Option<Account>> {
        self.account().await.map(Some)
    }

    /// Looks the repo up; `None` when it does not exist (or may not be seen).
    async fn describe(&self) -> Result<Option<RepoInfo>>;

    /// Creates the repo. An existing one answers [`crate::Kind::Conflict`].
    async fn create(&self, visibility: Visibility) -> Result<()>;

    /// Lists every file on the branch, at one commit where the hub can pin it.
    async fn list(&self) -> Result<Listing>;

    /// The commit that the branch stands at, where the hub tells it in one request: equal heads are equal content.
    async fn head(&self) -> Result<Option<Revision>>;

    /// Whether the hub reads repos' cards, and may refuse one.
    fn reads_cards(&self) -> bool {
        false
    }

    /// What the hub would refuse in a repo's card (README.md), in its words; `None` when it takes it.
    async fn refuses_card(&self, _card: &str) -> Result<Option<String>> {
        Ok(None)
    }

    /// Whether a file of this path and size is stored as a blob or inline in the commit. A hub that decides by
    /// content may store as a blob what came inline.
    fn placement(&self, path: &RepoPath, size: u64) -> Placement;

    /// How much the hub takes at once.
    fn limits(&self) -> Limits;

    /// Asks which of these blobs the hub lacks. A failed call is an error, never "has it".
    async fn missing(&self, blobs: &[Blob]) -> Result<Missing>;

    /// Stores one blob that [`Destination::missing`] named. `body` yields exactly its bytes, or fails
    /// before the last of them, which leaves nothing stored.
    async fn put(&self, blob: Blob, body: Body) -> Result<()>;

    /// Stores a blob that nobody has named by its SHA-256 yet, in one pass, and returns that; `None`, the body unread, where the hub
    /// must have it before. What has not the file's own digest leaves nothing stored.
    async fn put_unnamed(&self, _file: &File, _body: ByteStream) -> Result<Option<Sha256>> {
        Ok(None)
    }

    /// Whether the hub looks for the blobs that a commit names; where it takes any, whoever commits asks for them before.
    fn checks_commits(&self) -> bool {
        true
    }

    /// Writes one commit and returns its id where the hub tells it; [`crate::Kind::Conflict`] when the branch does
    /// not stand at the parent. Not retried here when the answer is lost: the caller looks first.
    async fn commit(&self, commit: &Commit) -> Result<Option<String>>;
}

/// The account a token belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// The login name.
    pub name: String,
    /// The organisations it is known to be in; empty where the hub does not tell.
    pub organisations: Vec<String>,
    /// Whether the token may write, where the hub tells.
    pub can_write: Option<bool>,
}

/// How a destination keeps a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Placement {
    /// In object storage, named by its SHA-256 in the commit.
    Blob,
    /// Its bytes inside the commit.
    Inline,
}

/// What one request may carry, and what a listing may show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Blobs a check.
    pub blobs_a_check: usize,
    /// Actions the server takes in one commit.
    pub max_actions: usize,
    /// Actions a commit when a change needs several.
    pub batch_actions: usize,
    /// Bytes of a commit's body.
    pub body_bytes: usize,
    /// Whether large blobs go in several requests side by side, which takes memory of its own.
    pub in_parts: bool,
    /// How long a commit should take where the hub gives up on long ones: batches grow and shrink towards it.
    pub commit_time: Option<Duration>,
    /// Direct entries with which a folder can still be listed whole; `None` where there is no such end.
    pub folder_entries: Option<usize>,
}

/// The answer to a blob check.
#[derive(Debug, Default)]
pub struct Missing {
    /// Blobs to be put, now possible.
    pub wanted: Vec<Blob>,
    /// Blobs the hub refuses, with the reason.
    pub refused: Vec<(Sha256, Error)>,
}

/// One commit.
#[derive(Debug, Clone)]
pub struct Commit {
    /// Its message; the first line is the summary.
    pub message: String,
    /// What it changes.
    pub actions: Vec<Action>,
    /// Where the branch must stand for it to be made; anywhere, where the hub tells no commits.
    pub parent: Option<Revision>,
}

/// One change of a commit.
#[derive(Debug, Clone)]
pub enum Action {
    /// A file is written.
    Put {
        /// Where.
        path: RepoPath,
        /// Whether the path exists already.
        exists: bool,
        /// What.
        content: Content,
    },
    /// A file is deleted.
    Delete {
        /// Which.
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
