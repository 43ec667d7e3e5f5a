//! The output of a worker: NDJSON events on stdout, the last of which is the receipt.

use hf2ms_hub::{Error, GitSha1, Kind, Refused, RepoPath, Revision, Sha256};
use serde::{Deserialize, Serialize};

use super::{Chunk, PushJob, PushReport, Scan};

/// One line of a worker's stdout.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// The worker has begun.
    Started {
        /// Its verb: run, commit, verify, scan, push, migrate, check.
        verb: String,
        /// The run's id.
        run: String,
        /// The chunk's number; 0 for other verbs.
        #[serde(default)]
        chunk: u32,
        /// The files it was given.
        files: u64,
        /// Their bytes.
        bytes: u64,
        /// The worker's version.
        version: String,
    },
    /// The counts so far, each second.
    Progress {
        /// Bytes received by the destination so far.
        bytes: u64,
        /// Files done so far.
        files: u64,
    },
    /// One file is done.
    File {
        /// Its path.
        path: RepoPath,
        /// Its size in bytes.
        bytes: u64,
        /// Its content's digest.
        sha256: Sha256,
        /// Git's id of it, of a file inside a commit.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        git_sha1: Option<GitSha1>,
        /// How it got there.
        how: How,
    },
    /// A request or an upload is tried again.
    Retry {
        /// The error.
        error: String,
        /// The kind of error.
        kind: Kind,
        /// Seconds until the next try.
        wait: f64,
    },
    /// One file could not be done.
    Failed {
        /// Its path; absent when the whole verb failed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        path: Option<String>,
        /// The error.
        error: String,
        /// The kind of error.
        kind: Kind,
    },
    /// A commit was written.
    Committed {
        /// Its id, where the hub tells.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        commit: Option<String>,
        /// How many changes it holds.
        actions: u64,
    },
    /// The result of a verification.
    Verified(Verification),
    /// The result of a `scan`.
    Scanned(Box<Scan>),
    /// The jobs that follow a `scan`, where the scan's job asks for them.
    Steps {
        /// The LFS objects that move.
        chunks: Vec<Chunk>,
        /// The push that comes after them, once it has their receipts; absent if no ref changes.
        push: Option<Box<PushJob>>,
    },
    /// The result of a `push`, ref by ref.
    Pushed(PushReport),
    /// The plan in numbers, of `migrate` or of a mirror.
    Planned(PlanSummary),
    /// The result of a `check`.
    Checked {
        /// The worker's version.
        version: String,
        /// The endpoints it was asked to reach.
        endpoints: Vec<EndpointCheck>,
    },
    /// The last line: the files that are stored now.
    Receipt(Receipt),
}

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

/// How a file got where it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum How {
    /// Its bytes were sent.
    Streamed,
    /// The hub had its blob already.
    Reused,
    /// Another file of the same content was sent.
    Duplicate,
    /// Its bytes went into a commit.
    Inline,
    /// It stood there already with the same content.
    Unchanged,
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
    /// Bytes sent, repeats included.
    pub sent: u64,
    /// Tries after a failure.
    pub retries: u64,
    /// Seconds it took.
    pub seconds: f64,
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
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailedFile {
    /// Its path, escaped.
    pub path: String,
    /// The error.
    pub error: String,
    /// The kind of error.
    pub kind: Kind,
}

impl FailedFile {
    /// The failure as an error of the same meaning.
    pub fn to_error(&self) -> Error {
        Error::new(self.kind, self.error.clone())
    }

    /// Whether another try may succeed.
    pub fn may_pass(&self) -> bool {
        matches!(self.kind, Kind::Transient | Kind::Conflict)
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

/// The result of a verification.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
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
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_failures_that_end_a_hub_the_one_that_names_it_counts() {
        let failed = |error: &str, kind| FailedFile {
            path: "a".into(),
            error: error.into(),
            kind,
        };
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

    #[test]
    fn events_are_flat_lines() {
        let line = serde_json::to_string(&Event::Progress { bytes: 1, files: 2 }).unwrap();
        assert_eq!(line, r#"{"event":"progress","bytes":1,"files":2}"#);
        let line = serde_json::to_string(&Event::Receipt(Receipt::default())).unwrap();
        assert!(line.starts_with(r#"{"event":"receipt","run":"#), "{line}");
    }
}
