//! A worker's own events for programs, with the worker's number.

use hf2ms_hub::{BlobTransport, GitSha1, Kind, RepoPath, Sha256};
use hf2ms_worker::protocol::{BackupResult, Event, HostWait, How, StreamsReason, TransportReason};
use schemars::JsonSchema;
use serde::Serialize;

use crate::ui::log::Level;
use crate::ui::screen::{Screen, size};
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
    /// Blobs that they move at a time, where two small ones count as one; absent until one of them tells that it has changed the number.
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

/// A host asks for a wait, which all workers and this process keep: its quota of requests is used up.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(tag = "event", rename = "rate_limited")]
pub struct RateLimitedEvent {
    /// The host, with its port if that is not the usual one.
    pub host: String,
    /// Seconds from now.
    pub seconds: f64,
    /// The number of the worker that was asked; absent where it was this process itself, as while it plans.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub worker: Option<u32>,
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
    /// Blobs at a time; two small ones count as one.
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

/// From now on more workers work at a time, or fewer.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, JsonSchema)]
#[serde(tag = "event", rename = "workers")]
pub struct WorkersEvent {
    /// Workers at a time. More than that may work until they have ended.
    pub workers: usize,
    /// Workers that there may be.
    pub most: usize,
    /// Whether more were tried, and made it no faster.
    pub enough: bool,
    /// The rate of all workers that was measured last, in bytes a second.
    pub bytes_per_second: u64,
}

/// The line that a person gets of another number of workers.
pub(super) fn workers_line(change: WorkersEvent) -> String {
    let (workers, rate) = (change.workers, size(change.bytes_per_second));
    match change.enough {
        true => format!(
            "{workers} of {} workers are enough: more were no faster than these, with {rate}/s",
            change.most
        ),
        false => format!("{workers} workers at a time: more are faster, or may be"),
    }
}

/// A worker has measured both transports of the destination, or one of them does not work: from now on its blobs go by this one.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(tag = "event", rename = "transport")]
pub struct TransportEvent {
    /// `http` or `xet`.
    transport: BlobTransport,
    /// Why.
    reason: TransportReason,
    /// Bytes a second of a stream by HTTP; 0 before anything was measured.
    http_bytes_per_second: u64,
    /// Bytes a second of a stream by Xet; 0 before anything was measured.
    xet_bytes_per_second: u64,
    /// The number of the worker.
    worker: u32,
}

/// Shows a person the transport; with `-v` only, where blobs go on as before.
pub(super) fn show_transport(event: &Event, screen: &Screen) {
    let Event::Transport {
        transport,
        reason,
        http_bytes_per_second: http,
        xet_bytes_per_second: xet,
    } = event
    else {
        return;
    };
    let (name, other, times) = match transport {
        BlobTransport::Xet => ("Xet", "HTTP", *xet as f64 / (*http as f64).max(1.0)),
        _ => ("HTTP", "Xet", 0.0),
    };
    let why = match reason {
        TransportReason::Stall => format!("{other} stood still"),
        TransportReason::Failure => format!("{other} failed"),
        TransportReason::Faster if name == "HTTP" => {
            let line = "by HTTP as before: Xet is not clearly faster here";
            return screen.detail(Level::Info, line);
        }
        TransportReason::Faster if *http == 0 => "nothing moves by HTTP here".to_owned(),
        TransportReason::Faster => format!("{times:.1} times faster than HTTP here"),
    };
    screen.status(format!("by {name} from now on: {why}"));
}

/// Shows a person the tag of what stood at the destination.
pub(super) fn show_backup(result: &BackupResult, screen: &Screen) {
    let words = backup_words(result);
    match result.refused.is_some() {
        true => screen.warn(words),
        false => screen.status(words),
    }
}

/// What keeps what stood at the destination, in half a sentence.
pub fn backup_words(backup: &BackupResult) -> String {
    let BackupResult {
        tag,
        commit,
        refused,
    } = backup;
    match (refused, commit) {
        (None, Some(commit)) => format!("what stood there is kept by the tag {tag}, at {commit}"),
        (None, None) => format!("what stood there is kept by the tag {tag}"),
        (Some(why), Some(commit)) => {
            format!("what stood there is commit {commit}; no tag was made: {why}")
        }
        (Some(why), None) => format!("what stood there has no tag: {why}"),
    }
}

/// How a file got where it is, for the line that a person gets of it with `-v`.
pub(super) fn how_text(how: How) -> &'static str {
    match how {
        How::Streamed => "streamed",
        How::Reused => "reused",
        How::CopiedByHub => "copied by the hub",
        How::Duplicate => "duplicate",
        How::Inline => "inline",
        How::Unchanged => "unchanged",
        How::Hashed => "hashed",
    }
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

/// What stood at the destination was given a tag before the first commit; or was not, for the reason in `refused`.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(tag = "event", rename = "backup_tag")]
pub struct BackupTagEvent {
    #[serde(flatten)]
    result: BackupResult,
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
        Event::RateLimited(HostWait { host, seconds }) => screen.json(&RateLimitedEvent {
            host: screen.shown(&host),
            seconds,
            worker: Some(worker),
        }),
        Event::Paused { error } => screen.json(&PausedEvent { error, worker }),
        Event::PauseEnded { answers } => screen.json(&PauseEndedEvent { answers, worker }),
        Event::Failed { path, error, kind } => screen.json(&FailedEvent {
            path,
            error,
            kind,
            worker,
        }),
        Event::BackupTag(result) => screen.json(&BackupTagEvent { result, worker }),
        Event::Committed { commit, actions } => screen.json(&CommittedEvent {
            commit,
            actions,
            worker,
        }),
        other => pass_on_change(worker, other, screen),
    }
}

/// The same of what a worker does otherwise from now on.
fn pass_on_change(worker: u32, event: Event, screen: &Screen) {
    match event {
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
        Event::Transport {
            transport,
            reason,
            http_bytes_per_second,
            xet_bytes_per_second,
        } => screen.json(&TransportEvent {
            transport,
            reason,
            http_bytes_per_second,
            xet_bytes_per_second,
            worker,
        }),
        _ => (),
    }
}
