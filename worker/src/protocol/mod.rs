//! The worker protocol, version 1: jobs in JSON, events in NDJSON, and notices of the controller meanwhile, in NDJSON too. Tokens come from the environment and are in no job and no event.

mod events;
mod existing_file;
mod exit;
mod limits;
mod memory;
mod mirror;
mod notice;
mod purpose;
mod receipt;
mod results;
mod revisions;
mod sample;
mod verify_level;

use hf2ms_hub::{Digest, File, GateMode, RepoAt, Sdk, Visibility};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use events::{Event, StreamsReason, TransportReason};
pub use existing_file::{Edit, ExistingFile};
pub use exit::Exit;
pub use limits::{Bandwidth, BandwidthChange, Deadline, RunLimits};
pub use memory::{BadMemory, Memory};
pub use mirror::{
    CONFLICT, Force, LfsPolicy, MirrorPolicy, PushJob, PushReport, RefAt, RefOutcome, RefScope,
    RefState, RefUpdate, Safeguard, Safeguards, Scan, ScanJob, ScanOutput, ScratchFolder, is_plain,
};
pub use notice::{HostWait, Notice};
pub use purpose::ChunkPurpose;
pub use receipt::{FailedFile, How, Receipt, Stored, is_left_by_limit};
pub use results::{
    BackupResult, ContentsRead, EndpointCheck, PlanSummary, SourceRead, Verification,
};
pub use revisions::{MadeRef, RefRefusal, RevisionResult};
pub use sample::{BadSampleSize, SampleChoice, SampleSize};
pub use verify_level::VerifyLevel;

/// The version of everything in this module.
pub const VERSION: u32 = 1;

/// The job of one `run`: the files whose blobs it moves, or hashes. A chunk is self-contained and safe to run twice.
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
    /// The source, at a pinned commit.
    pub source: RepoAt,
    /// The destination.
    pub destination: RepoAt,
    /// One file for each distinct blob.
    pub files: Vec<File>,
    /// What is done with them.
    #[serde(default, skip_serializing_if = "ChunkPurpose::is_copy")]
    pub purpose: ChunkPurpose,
    /// Streams, memory and transport.
    #[serde(default)]
    pub options: WorkerOptions,
}

/// The job of one `verify`: the files that the destination must hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VerifyJob {
    /// [`VERSION`].
    pub version: u32,
    /// The run's id.
    pub run: String,
    /// The source, from which files of unknown SHA-256 are read.
    pub source: RepoAt,
    /// The destination that is checked.
    pub destination: RepoAt,
    /// The files that it must hold.
    pub files: Vec<VerifyFile>,
    /// Which files a sample reads.
    #[serde(default, skip_serializing_if = "SampleChoice::is_usual")]
    pub sample: SampleChoice,
    /// Streams, memory and transport.
    #[serde(default)]
    pub options: WorkerOptions,
}

/// One file of a [`VerifyJob`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VerifyFile {
    /// The file at the destination, by one of its digests.
    #[serde(flatten)]
    pub file: File,
    /// The digest of the other kind, where it is known: a hub lists one or the other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub also: Option<Digest>,
    /// Whether the run has stored it as a blob.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub sent: bool,
}

/// Streams, memory and transport of a worker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct WorkerOptions {
    /// Blobs that move at a time; as many as make the worker faster where this is absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub streams: Option<usize>,
    /// The memory of the worker. Contents take a quarter of it.
    pub memory: Memory,
    /// How contents are read and stored.
    pub transport: Transport,
    /// Chunks of more bytes than these measure both transports of a destination that has two [default: 1 GB].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub measured_above: Option<Memory>,
    /// Bytes that a temporary folder may hold; none is needed where this is absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scratch: Option<Memory>,
    /// Workers that ask the hubs at a time, this one included: they share the quotas of the hubs, and come back one after the other after
    /// a wait that a hub asks of all.
    #[serde(skip_serializing_if = "is_alone")]
    pub workers: u32,
    /// How the destination is verified.
    #[serde(skip_serializing_if = "VerifyLevel::is_usual")]
    pub verify: VerifyLevel,
    /// When no further file is begun.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deadline: Option<Deadline>,
    /// The bytes a second that all workers send together.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bandwidth: Option<Bandwidth>,
}

impl WorkerOptions {
    /// Blobs that move at a time until it is known whether more are faster.
    pub const FIRST_STREAMS: usize = 8;

    /// Contents that are read at a time where nothing tells whether more would be faster.
    pub fn readers(&self) -> usize {
        self.streams.unwrap_or(Self::FIRST_STREAMS).max(1)
    }
}

fn is_alone(workers: &u32) -> bool {
    *workers <= 1
}

impl Default for WorkerOptions {
    fn default() -> Self {
        Self {
            streams: None,
            memory: Memory(128 << 20),
            transport: Transport::Auto,
            measured_above: None,
            scratch: None,
            workers: 1,
            verify: VerifyLevel::USUAL,
            deadline: None,
            bandwidth: None,
        }
    }
}

/// How contents are read from the source and stored at the destination.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Transport {
    /// HTTP, and Xet for what Hugging Face serves no other way, or takes faster by it.
    #[default]
    Auto,
    /// HTTP ranges.
    Http,
    /// Files outside LFS come in one pack, by Git; others as ever.
    Git,
    /// Blobs go by Xet from and to Hugging Face, where it has a file there.
    Xet,
}

impl Transport {
    /// Reads what a command line asks for.
    ///
    /// # Errors
    /// Names the ways that there are; Git is none of them, since it is not one of blobs.
    pub fn asked(text: &str) -> Result<Self, String> {
        match text {
            "auto" => Ok(Self::Auto),
            "http" => Ok(Self::Http),
            "xet" => Ok(Self::Xet),
            _ => Err("expected auto, http or xet".to_owned()),
        }
    }

    /// How blobs travel, where a hub knows several ways.
    pub fn of_blobs(self) -> hf2ms_hub::BlobTransport {
        match self {
            Self::Auto | Self::Git => hf2ms_hub::BlobTransport::Auto,
            Self::Http => hf2ms_hub::BlobTransport::Http,
            Self::Xet => hf2ms_hub::BlobTransport::Xet,
        }
    }
}

/// How work is cut into chunks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Chunking {
    /// So that this many workers, each taking the largest chunk left, end together.
    Even {
        /// The workers.
        containers: usize,
    },
    /// As [`Chunking::Even`], with a worker for each so many bytes.
    Shared {
        /// Bytes a worker.
        bytes: u64,
        /// Workers at most.
        at_most: usize,
    },
    /// So that a chunk holds this many bytes; a larger file stands alone.
    Sized {
        /// Bytes a chunk.
        bytes: u64,
        /// Chunks grow until no more than this many are needed.
        at_most: usize,
    },
}

/// When files are deleted at the destination.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Deletion {
    /// Once all other files are committed.
    #[default]
    WhenWhole,
    /// Also while files are missing: the branch is new and has no readers yet.
    Always,
}

/// Who may see a repo that has to be created, and whether it has to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Creation {
    /// The visibility it gets.
    pub visibility: Visibility,
    /// The gate it gets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gate: Option<GateMode>,
    /// It exists already: nothing is created or changed.
    pub exists: bool,
    /// What runs the app, if it is a Space or studio.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sdk: Option<Sdk>,
}

impl Creation {
    /// Takes a repo that turned out to exist with this visibility. One that shows more than was asked for stays as it was planned.
    pub fn take(&mut self, found: Visibility) {
        if !found.shows_more_than(self.visibility) {
            self.visibility = found;
            self.exists = true;
        }
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
        let of_eight = WorkerOptions {
            streams: Some(8),
            ..WorkerOptions::default()
        };
        assert_eq!(chunk.options, of_eight);
        let again: Chunk = serde_json::from_str(&serde_json::to_string(&chunk).unwrap()).unwrap();
        assert_eq!(again, chunk);
        let options = WorkerOptions {
            workers: 12,
            ..WorkerOptions::default()
        };
        let text = serde_json::to_string(&options).unwrap();
        assert_eq!(
            serde_json::from_str::<WorkerOptions>(&text).unwrap(),
            options
        );
    }

    #[test]
    fn a_chunk_with_an_unlawful_path_is_refused() {
        let json =
            r#"{"path":"../x","size":1,"git_sha1":"ce013625030ba8dba906f756967f9e9ca394464a"}"#;
        assert!(
            serde_json::from_str::<File>(json)
                .unwrap_err()
                .to_string()
                .contains("refused")
        );
    }
}
