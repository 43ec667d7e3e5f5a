//! The worker protocol, version 1: what a worker is given and what it says. JSON in, NDJSON out; tokens
//! come from the environment and never appear here.

use std::fmt;
use std::str::FromStr;

use hf2ms_hub::{Blob, File, Kind, Refused, RepoAt, RepoPath, Revision, Sha256, Visibility};
use serde::{Deserialize, Serialize};

/// The version of everything in this module.
pub const VERSION: u32 = 1;

/// What one `run` is given: the files whose blobs it moves. Self-contained and safe to run twice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chunk {
    /// [`VERSION`].
    pub version: u32,
    /// The run's id.
    pub run: String,
    /// This chunk's number, from 0.
    pub chunk: u32,
    /// How many chunks the run has.
    pub chunks: u32,
    /// Where from, at a pinned commit.
    pub source: RepoAt,
    /// Where to.
    pub destination: RepoAt,
    /// One file a distinct blob.
    pub files: Vec<File>,
    /// How to work.
    #[serde(default)]
    pub options: WorkerOptions,
}

/// What one `commit` is given: every file that must change, with its blob where one was stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommitJob {
    /// [`VERSION`].
    pub version: u32,
    /// The run's id.
    pub run: String,
    /// Where inline files are read from.
    pub source: RepoAt,
    /// Where the commits go.
    pub destination: RepoAt,
    /// What to write.
    pub files: Vec<CommitFile>,
    /// What to delete, after everything is written.
    #[serde(default)]
    pub delete: Vec<RepoPath>,
    /// The commit message's first line.
    pub message: String,
    /// How to work.
    #[serde(default)]
    pub options: WorkerOptions,
}

/// One file of a [`CommitJob`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommitFile {
    /// The source's file.
    #[serde(flatten)]
    pub file: File,
    /// The blob that holds it, from a receipt (or from its own sha256); absent for inline files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stored: Option<Sha256>,
    /// What stands at the path now, when something does: equal content needs no action.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub current: Option<Blob>,
}

/// What one `verify` is given: the files that must be there, byte for byte.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VerifyJob {
    /// [`VERSION`].
    pub version: u32,
    /// The run's id.
    pub run: String,
    /// Where files of unknown SHA-256 are read from.
    pub source: RepoAt,
    /// What is checked.
    pub destination: RepoAt,
    /// What must be there.
    pub files: Vec<File>,
    /// How to work.
    #[serde(default)]
    pub options: WorkerOptions,
}

/// How a worker works.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct WorkerOptions {
    /// Blobs in flight at a time.
    pub streams: usize,
    /// The memory its buffers may take in all.
    pub memory: Memory,
    /// How bytes travel.
    pub transport: Transport,
}

impl Default for WorkerOptions {
    fn default() -> Self {
        Self { streams: 8, memory: Memory(128 << 20), transport: Transport::Auto }
    }
}

/// How bytes travel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Transport {
    /// The worker chooses.
    Auto,
    /// HTTP ranges.
    Http,
}

/// An amount of memory in bytes, written as `128MiB`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Memory(pub u64);

/// A text that is no amount of memory.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is not an amount of memory: expected a number with KiB, MiB or GiB, as 128MiB")]
pub struct BadMemory(String);

const UNITS: [(&str, u64); 3] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];

impl FromStr for Memory {
    type Err = BadMemory;

    fn from_str(text: &str) -> Result<Self, BadMemory> {
        let parse = |number: &str, unit: u64| number.trim().parse::<u64>().ok()?.checked_mul(unit).map(Self);
        UNITS
            .iter()
            .find_map(|(name, unit)| parse(text.strip_suffix(name)?, *unit))
            .or_else(|| parse(text, 1))
            .ok_or_else(|| BadMemory(text.to_owned()))
    }
}

impl fmt::Display for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match UNITS.iter().find(|(_, unit)| self.0 >= *unit && self.0.is_multiple_of(*unit)) {
            Some((name, unit)) => write!(f, "{}{name}", self.0 / unit),
            None => write!(f, "{}", self.0),
        }
    }
}

impl TryFrom<String> for Memory {
    type Error = BadMemory;

    fn try_from(text: String) -> Result<Self, BadMemory> {
        text.parse()
    }
}

impl From<Memory> for String {
    fn from(memory: Memory) -> String {
        memory.to_string()
    }
}

/// One line of a worker's stdout.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// The worker has begun.
    Started {
        /// Its verb: run, commit, verify, migrate, check.
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
    /// Each second: what was sent so far.
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
        /// What was done.
        how: How,
    },
    /// Something is tried again.
    Retry {
        /// What failed.
        error: String,
        /// Its meaning.
        kind: Kind,
        /// Seconds until the next try.
        wait: f64,
    },
    /// One file could not be done.
    Failed {
        /// Its path; absent when the whole verb failed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        path: Option<String>,
        /// Why.
        error: String,
        /// Its meaning.
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
    /// What a verification found.
    Verified(Verification),
    /// What stands where, for `migrate`: the repo's plan in numbers.
    Planned(PlanSummary),
    /// What `check` found.
    Checked {
        /// The worker's version.
        version: String,
        /// The endpoints it was asked to reach.
        endpoints: Vec<EndpointCheck>,
    },
    /// The last line: what is stored now.
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

/// What a worker leaves behind: what is stored now, and what is not.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Receipt {
    /// The run's id.
    pub run: String,
    /// The chunk's number; 0 for other verbs.
    #[serde(default)]
    pub chunk: u32,
    /// What is stored.
    pub files: Vec<Stored>,
    /// What is not.
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
    /// Why.
    pub error: String,
    /// Its meaning.
    pub kind: Kind,
}

/// What a verification found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verification {
    /// Files compared.
    pub checked: u64,
    /// Files equal in size and SHA-256.
    pub equal: u64,
    /// Paths that are not there.
    pub missing: Vec<RepoPath>,
    /// Paths whose content differs.
    pub different: Vec<RepoPath>,
    /// Paths that could not be compared, and why.
    pub unread: Vec<Refused>,
    /// Paths there that the source does not have; not an error.
    pub extra: Vec<RepoPath>,
}

impl Verification {
    /// Whether every file was compared and found equal.
    pub fn is_good(&self) -> bool {
        self.equal == self.checked && self.missing.is_empty() && self.different.is_empty() && self.unread.is_empty()
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

/// Who may see a repo that has to be created, and whether it has to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Creation {
    /// The visibility it gets.
    pub visibility: Visibility,
    /// It exists already: nothing is created or changed.
    pub exists: bool,
}

/// The source as it was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pinned {
    /// What the user asked for.
    pub asked: Revision,
    /// The commit it stood at.
    pub commit: Revision,
}

/// Exit codes of both binaries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Exit {
    /// Everything is done and verified.
    Done = 0,
    /// Some files failed: run again.
    Incomplete = 1,
    /// The command line or an input file is wrong.
    Usage = 2,
    /// A token, a permission or a name was refused.
    Refused = 3,
    /// Content is not what it should be.
    Integrity = 4,
    /// Stopped by a signal.
    Interrupted = 130,
}

impl Exit {
    /// The code for an error of this meaning.
    pub fn of(kind: Kind) -> Self {
        match kind {
            Kind::NotFound | Kind::Unauthorized | Kind::Denied | Kind::Gated | Kind::Disabled | Kind::Locked => Self::Refused,
            Kind::Corrupt => Self::Integrity,
            Kind::Invalid => Self::Usage,
            _ => Self::Incomplete,
        }
    }

    /// The worse of two: integrity before refusal before incompleteness.
    pub fn worse(self, other: Self) -> Self {
        self.max(other)
    }
}

impl From<Exit> for std::process::ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_chunk_of_the_design_is_read() {
        let json = r#"{"version":1,"run":"01K","chunk":3,"chunks":41,
            "source":{"hub":"huggingface","endpoint":"https://huggingface.co","kind":"dataset","id":"org/name","revision":"abc"},
            "destination":{"hub":"modelscope","endpoint":"https://modelscope.cn","kind":"dataset","id":"org/name","revision":"master"},
            "files":[{"path":"data/0001.parquet","size":4800000000,"sha256":"5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03"},
                     {"path":"notes.txt","size":612,"git_sha1":"ce013625030ba8dba906f756967f9e9ca394464a"}],
            "options":{"streams":8,"memory":"128MiB","transport":"auto"}}"#;
        let chunk: Chunk = serde_json::from_str(json).unwrap();
        assert_eq!(chunk.options, WorkerOptions::default());
        let again: Chunk = serde_json::from_str(&serde_json::to_string(&chunk).unwrap()).unwrap();
        assert_eq!(again, chunk);
    }

    #[test]
    fn a_chunk_with_an_unlawful_path_is_refused() {
        let json = r#"{"path":"../x","size":1,"git_sha1":"ce013625030ba8dba906f756967f9e9ca394464a"}"#;
        assert!(serde_json::from_str::<File>(json).unwrap_err().to_string().contains("refused"));
    }

    #[test]
    fn memory_is_written_as_people_write_it() {
        for (text, bytes) in [("128MiB", 128 << 20), ("1GiB", 1 << 30), ("1536KiB", 1536 << 10), ("1000", 1000)] {
            assert_eq!((text.parse::<Memory>().unwrap(), Memory(bytes).to_string().as_str()), (Memory(bytes), text));
        }
        assert!("lots".parse::<Memory>().is_err() && "".parse::<Memory>().is_err());
    }

    #[test]
    fn events_are_flat_lines() {
        let line = serde_json::to_string(&Event::Progress { bytes: 1, files: 2 }).unwrap();
        assert_eq!(line, r#"{"event":"progress","bytes":1,"files":2}"#);
        let line = serde_json::to_string(&Event::Receipt(Receipt::default())).unwrap();
        assert!(line.starts_with(r#"{"event":"receipt","run":"#), "{line}");
    }
}
