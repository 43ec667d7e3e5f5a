//! The results of `revisions`: of each commit, and of the branches and tags that are made.

use hf2ms_hub::{Kind, RefKind, Revision};
use serde::{Deserialize, Serialize};

use super::Receipt;

/// The result of one revision, after the events of its commit and its verification.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RevisionResult {
    /// The id of its run.
    pub run: String,
    /// The destination's commit that was verified, if its hub tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub head: Option<Revision>,
    /// The files of its commits, and those that failed.
    pub receipt: Receipt,
}

/// A branch or tag that was asked for at a verified commit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MadeRef {
    /// Branch or tag.
    pub kind: RefKind,
    /// Its name at the destination.
    pub name: Revision,
    /// The verified commit.
    pub commit: Revision,
    /// Why it does not stand there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<RefRefusal>,
}

/// Why a branch or tag does not stand at its commit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefRefusal {
    /// The hub refused to make it.
    Hub {
        /// The kind of error.
        kind: Kind,
        /// The error.
        error: String,
    },
    /// It stands elsewhere, is absent, or can't be listed: why, and what to do.
    Elsewhere(String),
}
