//! A worker's own events for programs, with the worker's number.

use hf2ms_hub::{GitSha1, Kind, RepoPath, Sha256};
use hf2ms_worker::protocol::{Event, How, StreamsReason};
use schemars::JsonSchema;
use serde::Serialize;

use crate::ui::screen::Screen;
use crate::ui::snapshot::{Wait, count, is_untold};

/// How far the verb's work is, each second.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(tag = "event", rename = "progress")]
pub struct ProgressEvent {
    /// The step: `copying`, `finishing`, `verifying` or `mirroring`.
    pub step: &'static str,
    /// What is done of `total`: blobs while copying, files else.
    pub done: u64,
    /// What there is to do.
    pub total: u64,
    /// Files that failed.
    pub failed_files: u64,
    /// The bytes that are done; less after an upload has failed.
    pub done_bytes: u64,
    /// The bytes that there are.
    pub total_bytes: u64,
    /// Workers at work now.
    pub workers: u64,
    /// Blobs that they move at a time, where four small ones count as one; absent until one of them tells that it has changed the number.
    #[serde(skip_serializing_if = "is_untold")]
    pub streams: u64,
    /// Seconds since the step began.
    pub seconds: f64,
    /// Bytes a second in the last seconds.
    pub bytes_per_second: f64,
    /// Seconds that the rest takes at this rate; absent where nobody can know.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seconds_left: Option<f64>,
    /// Workers that wait before another try.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub waits: Vec<Wait>,
}

/// One file is done.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(tag = "event", rename = "file")]
pub struct FileEvent {
    path: RepoPath,
    /// Its size in bytes.
    size: u64,
    sha256: Sha256,
    /// Git's id of it, of a file inside a commit.
    #[serde(skip_serializing_if = "Option::is_none")]
    git_sha1: Option<GitSha1>,
    /// How it got there.
    how: How,
    /// The number of the worker.
    worker: u32,
}

/// One file was deleted at the destination.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(tag = "event", rename = "deleted")]
pub struct DeletedEvent {
    path: RepoPath,
    /// The number of the worker.
    worker: u32,
}

/// A request or an upload is tried again.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(tag = "event", rename = "retry")]
pub struct RetryEvent {
    /// The error in words.
    error: String,
    /// The kind of error.
    kind: Kind,
    /// Seconds until the next try.
    wait: f64,
    /// The number of the worker; absent where this process itself tries again, as while it plans.
    #[serde(skip_serializing_if = "Option::is_none")]
    worker: Option<u32>,
}

impl RetryEvent {
    /// A try of this process itself.
    pub fn own(error: String, kind: Kind, wait: f64) -> Self {
        let worker = None;
        Self {
            error,
            kind,
            wait,
            worker,
        }
    }
}

/// Several files failed one after the other, as in an outage: the worker tries one at a time until one is stored.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(tag = "event", rename = "paused")]
pub struct PausedEvent {
    /// How many files, and the last error in words.
    error: String,
    /// The number of the worker.
    worker: u32,
}

/// A worker's pause has ended.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(tag = "event", rename = "pause_ended")]
pub struct PauseEndedEvent {
    /// Whether a file was stored, so that all go on; else the rest is given up.
    answers: bool,
    /// The number of the worker.
    worker: u32,
}

/// From now on a worker moves more blobs at a time, or fewer.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(tag = "event", rename = "streams")]
pub struct StreamsEvent {
    /// Blobs at a time; four small ones count as one.
    streams: u64,
    /// Why.
    reason: StreamsReason,
    /// The rate that the worker measured last, in bytes a second; 0 before the first.
    bytes_per_second: u64,
    /// The number of the worker.
    worker: u32,
}

/// The line that a person gets with `-v` of another number of streams.
pub(super) fn streams_line(streams: u64, reason: StreamsReason) -> String {
    let why = match reason {
        StreamsReason::Growth => "more are faster, or may be",
        StreamsReason::Plateau => "fewer are as fast, or may be",
        StreamsReason::Busy => "a hub is too busy",
        StreamsReason::Stall => "one of them stood still",
    };
    format!("{} at a time: {why}", count(streams, "blob"))
}

/// One file could not be done, or a worker's whole verb.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(tag = "event", rename = "failed")]
pub struct FailedEvent {
    /// The file's path; absent when the whole verb failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<String>,
    /// The error in words.
    error: String,
    /// The kind of error.
    kind: Kind,
    /// The number of the worker.
    worker: u32,
}

/// A commit was written.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(tag = "event", rename = "committed")]
pub struct CommittedEvent {
    /// Its id, where the hub tells it.
    #[serde(skip_serializing_if = "Option::is_none")]
    commit: Option<String>,
    /// The number of changes in it.
    actions: u64,
    /// The number of the worker.
    worker: u32,
}

/// The line that a person gets at the end of a pause.
pub(super) fn pause_ended(answers: bool) -> &'static str {
    match answers {
        true => "the pause is over: files are stored again",
        false => "the pause is over: nothing was stored meanwhile, the rest is given up",
    }
}

/// Prints those events of a worker that a program is to see.
pub(super) fn pass_on(worker: u32, event: &Event, screen: &Screen) {
    match event.clone() {
        Event::File {
            path,
            bytes: size,
            sha256,
            git_sha1,
            how,
        } => screen.json(&FileEvent {
            path,
            size,
            sha256,
            git_sha1,
            how,
            worker,
        }),
        Event::Deleted { path } => screen.json(&DeletedEvent { path, worker }),
        Event::Retry { error, kind, wait } => screen.json(&RetryEvent {
            worker: Some(worker),
            ..RetryEvent::own(error, kind, wait)
        }),
        Event::Paused { error } => screen.json(&PausedEvent { error, worker }),
        Event::Streams {
            streams,
            reason,
            bytes_per_second,
        } => screen.json(&StreamsEvent {
            streams,
            reason,
            bytes_per_second,
            worker,
        }),
        Event::PauseEnded { answers } => screen.json(&PauseEndedEvent { answers, worker }),
        Event::Failed { path, error, kind } => screen.json(&FailedEvent {
            path,
            error,
            kind,
            worker,
        }),
        Event::Committed { commit, actions } => screen.json(&CommittedEvent {
            commit,
            actions,
            worker,
        }),
        _ => (),
    }
}
