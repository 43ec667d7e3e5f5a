//! The receipt of a worker: the files that are stored, and those that failed.

use hf2ms_hub::{Error, GitSha1, Kind, RepoPath, Sha256};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How a file got where it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum How {
    /// Its bytes were sent.
    Streamed,
    /// The hub had its blob already.
    Reused,
    /// The hub copied its blob from the source's repo by itself.
    CopiedByHub,
    /// Another file of the same content was sent.
    Duplicate,
    /// Its bytes went into a commit.
    Inline,
    /// It stood there already with the same content.
    Unchanged,
    /// Every byte of it was read and hashed, and nothing was written.
    Hashed,
}

/// The result of a worker: the files that are stored now, and those that failed.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Receipt {
    /// The run's id.
    pub run: String,
    /// The chunk's number; 0 for other verbs.
    #[serde(default)]
    pub chunk: u32,
    /// The stored files.
    pub files: Vec<Stored>,
    /// The failed files.
    #[serde(default)]
    pub failed: Vec<FailedFile>,
    /// The files that a commit of it has deleted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub deleted: Vec<RepoPath>,
    /// Bytes sent, or read where files are hashed; repeats included.
    pub sent: u64,
    /// Tries after a failure.
    pub retries: u64,
    /// Seconds it took.
    pub seconds: f64,
    /// The most blobs that moved at a time; 0 where none did.
    #[serde(default, skip_serializing_if = "is_none")]
    pub streams: u64,
}

fn is_none(streams: &u64) -> bool {
    *streams == 0
}

/// One stored file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stored {
    /// Its path.
    pub path: RepoPath,
    /// The digest that was computed, or that the source gave and the hub confirmed.
    pub sha256: Sha256,
    /// Git's id of it, of a file inside a commit: what Hugging Face lists of such a file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub git_sha1: Option<GitSha1>,
    /// Its size in bytes.
    pub size: u64,
    /// How it got there.
    pub how: How,
}

/// One file that is not stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FailedFile {
    /// Its path, escaped.
    pub path: String,
    /// The error.
    pub error: String,
    /// The kind of error.
    pub kind: Kind,
    /// Whether a request about several files failed as a whole: the error says nothing of this one.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub whole_request: bool,
}

impl FailedFile {
    /// A file of this path, escaped, that failed by itself.
    pub fn new(path: impl Into<String>, error: impl Into<String>, kind: Kind) -> Self {
        Self {
            path: path.into(),
            error: error.into(),
            kind,
            whole_request: false,
        }
    }

    /// Why a deletion is not made.
    pub const NOT_DELETED: &str = "not deleted, because other files failed";
    /// Why a file by which a repo looks complete is not written.
    pub const HELD_BACK: &str = "held back until the other files are there, since the repo would look complete without them";

    /// Why a file is left to the next run, of one with a limit of bytes.
    pub const LEFT_BY_TRANSFER: &str =
        "left to the next run, since it does not fit into --max-transfer";
    /// Why a file is left to the next run, of one with a limit of time.
    pub const LEFT_BY_DURATION: &str = "left to the next run, since --max-duration is over";

    /// Whether a limit of the run leaves the file to the next one.
    pub fn is_left(&self) -> bool {
        is_left_by_limit(&self.error)
    }

    /// Whether nothing is wrong with the file itself: it waits for others that failed.
    pub fn waits_for_others(&self) -> bool {
        [Self::NOT_DELETED, Self::HELD_BACK].contains(&self.error.as_str())
    }

    /// The failure as an error of the same meaning.
    pub fn to_error(&self) -> Error {
        Error::new(self.kind, self.error.clone())
    }

    /// Whether another try may succeed.
    pub fn may_pass(&self) -> bool {
        matches!(self.kind, Kind::Transient | Kind::Conflict)
    }

    /// Whether the same command may succeed though the error's kind does not say so: the hub refused a whole request, no
    /// permission is missing, and it was not asked for what it does not have.
    pub fn may_pass_as_whole(&self) -> bool {
        self.whole_request && !matches!(self.kind, Kind::Denied | Kind::NotFound)
    }

    /// Whether the file may be whole another time, and is missing until then.
    pub fn fails_for_now(&self) -> bool {
        self.whole_request
            || matches!(
                self.kind,
                Kind::Transient | Kind::RateLimited | Kind::Expired | Kind::BlobMissing
            )
    }

    /// The failure after which a hub answers everything else the same way, if there is one among these: where any does, one that names its
    /// request, and so its hub.
    pub fn fatal<'a>(failed: impl IntoIterator<Item = &'a Self>) -> Option<&'a Self> {
        let mut fatal = failed
            .into_iter()
            .filter(|failed| failed.kind.ends_the_hub());
        let first = fatal.next()?;
        let names_its_request = |failed: &&Self| failed.error.contains("://");
        Some(first)
            .filter(names_its_request)
            .or_else(|| fatal.find(names_its_request))
            .or(Some(first))
    }
}

/// Whether an error says that a limit of the run leaves a file to the next one. A file of the same content says so first.
pub fn is_left_by_limit(error: &str) -> bool {
    [FailedFile::LEFT_BY_TRANSFER, FailedFile::LEFT_BY_DURATION]
        .iter()
        .any(|why| error.ends_with(why))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_failures_that_end_a_hub_the_one_that_names_it_counts() {
        let failed = |error: &str, kind| FailedFile::new("a", error, kind);
        let (lost, cut_off) = (
            failed("gone", Kind::NotFound),
            failed("nothing more was sent", Kind::Unauthorized),
        );
        let refused = failed("GET https://hub/x: 401", Kind::Unauthorized);
        assert_eq!(
            FailedFile::fatal([&lost, &cut_off, &refused]),
            Some(&refused)
        );
        assert_eq!(FailedFile::fatal([&lost, &cut_off]), Some(&cut_off));
        assert_eq!(FailedFile::fatal([&lost]), None);
    }
}
