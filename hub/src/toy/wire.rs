//! The JSON of the toy hub's API.

use serde::{Deserialize, Serialize};

use crate::RepoPath;

#[derive(Debug, Deserialize)]
pub(super) struct User {
    pub(super) name: String,
}

/// A repo at one revision.
#[derive(Debug, Deserialize)]
pub(super) struct RepoAnswer {
    pub(super) commit: String,
    pub(super) private: bool,
    pub(super) files: Vec<Entry>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Entry {
    pub(super) path: RepoPath,
    pub(super) size: u64,
    pub(super) sha256: String,
    /// The file is stored as a blob, not inline.
    pub(super) lfs: bool,
}

#[derive(Debug, Serialize)]
pub(super) struct Creation {
    pub(super) private: bool,
}

/// A question which of these blobs, by digest, are not stored; and its answer.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Digests {
    pub(super) sha256: Vec<String>,
}

#[derive(Debug, Serialize)]
pub(super) struct CommitQuestion<'a> {
    pub(super) message: &'a str,
    pub(super) parent: Option<&'a str>,
    pub(super) actions: Vec<Change<'a>>,
}

#[derive(Debug, Serialize)]
#[serde(tag = "do", rename_all = "lowercase")]
pub(super) enum Change<'a> {
    Stored {
        path: &'a str,
        sha256: String,
    },
    /// `content` is base64.
    Inline {
        path: &'a str,
        content: String,
    },
    Delete {
        path: &'a str,
    },
}

#[derive(Debug, Deserialize)]
pub(super) struct CommitAnswer {
    pub(super) commit: String,
}
