//! The results that events carry: of a check, of a verification, and a plan in numbers.

use hf2ms_hub::{Refused, RepoPath, Revision};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Whether an endpoint answers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EndpointCheck {
    /// Its address.
    pub endpoint: String,
    /// Whether anything answered there.
    pub ok: bool,
    /// Milliseconds until the answer.
    pub ms: u64,
    /// What went wrong, when nothing answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// The result of a verification.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Verification {
    /// Files compared.
    pub checked: u64,
    /// Files equal in size and digest.
    pub equal: u64,
    /// Paths that are not there.
    pub missing: Vec<RepoPath>,
    /// Paths whose content differs.
    pub different: Vec<RepoPath>,
    /// Paths that could not be compared, and why.
    pub unread: Vec<Refused>,
    /// Paths there that the source does not have; not an error.
    pub extra: Vec<RepoPath>,
    /// Where the destination stood just before it was listed, if its hub tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub head: Option<Revision>,
}

impl Verification {
    /// Whether every file was compared and found equal.
    pub fn is_good(&self) -> bool {
        self.equal == self.checked
            && self.missing.is_empty()
            && self.different.is_empty()
            && self.unread.is_empty()
    }
}

/// A plan in numbers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PlanSummary {
    /// Files of the source that are to stand at the destination.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Blobs that have to move.
    pub blobs: u64,
    /// Their bytes.
    pub blob_bytes: u64,
    /// Files that share a blob with another.
    pub duplicates: u64,
    /// Files that go into commits.
    pub inline: u64,
    /// Files that stand there already.
    pub unchanged: u64,
    /// Files to be deleted there.
    pub deletes: u64,
    /// Entries that can't be moved.
    pub refused: u64,
    /// Chunks of work.
    pub chunks: u64,
}
