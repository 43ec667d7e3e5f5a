//! The events of a worker, one JSON line each, and the receipt that they add up to. Their texts for people pass the redactor.

use std::collections::HashSet;
use std::io::Write;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::StreamExt;
use hf2ms_hub::http::HttpOptions;
use hf2ms_hub::{
    BlobTransport, ByteStream, Error, File, GitSha1, Kind, Redactor, RepoPath, Sha256,
};

use crate::protocol::{
    Event, Exit, FailedFile, HostWait, How, Receipt, Stored, StreamsReason, TransportReason,
};

/// The worker's output and its receipt so far, shared by all its tasks.
pub struct Events {
    out: Arc<Mutex<Box<dyn Write + Send>>>,
    redactor: Redactor,
    receipt: Mutex<Receipt>,
    /// Failures after the first so many are in the receipt, and not told yet.
    held: Mutex<Option<usize>>,
    /// Bytes sent, repeats included.
    sent: AtomicU64,
    /// Bytes of the files that are done.
    done_bytes: AtomicU64,
    /// Bytes of the uploads that are under way.
    in_flight: AtomicU64,
    done: AtomicU64,
    retries: AtomicU64,
    /// Retries after a hub said that it is too busy, and after nothing had moved.
    busy: AtomicU64,
    stalls: AtomicU64,
    /// The most blobs that were let through at a time.
    streams: AtomicU64,
    commits: AtomicU64,
    began: Instant,
}

/// One try of an upload, or of the reading of a file that is hashed. Its bytes count as progress while it lives: dropped, it takes them back, and the file that it stored
/// counts as a whole.
pub struct UploadAttempt {
    events: Arc<Events>,
    size: u64,
    counted: Arc<AtomicU64>,
    /// Bytes that went out, repeats included.
    went: Arc<AtomicU64>,
    body_failed: Arc<AtomicBool>,
}

impl UploadAttempt {
    /// The bytes that went out so far.
    pub fn counter(&self) -> Arc<AtomicU64> {
        self.went.clone()
    }

    /// Whether the body itself has failed.
    pub fn body_failed(&self) -> bool {
        self.body_failed.load(Ordering::Relaxed)
    }

    /// `body`, its bytes counted as sent and, up to the file's size, as progress: a part may go twice.
    pub fn count(&self, body: ByteStream) -> ByteStream {
        let (events, counted, size) = (self.events.clone(), self.counted.clone(), self.size);
        let (went, failed) = (self.went.clone(), self.body_failed.clone());
        body.inspect(move |frame| {
            failed.fetch_or(frame.is_err(), Ordering::Relaxed);
            let length = frame.as_ref().map_or(0, Bytes::len) as u64;
            events.sent.fetch_add(length, Ordering::Relaxed);
            went.fetch_add(length, Ordering::Relaxed);
            let before = counted.fetch_add(length, Ordering::Relaxed).min(size);
            let more = (before + length).min(size) - before;
            events.in_flight.fetch_add(more, Ordering::Relaxed);
        })
        .boxed()
    }
}

impl Drop for UploadAttempt {
    fn drop(&mut self) {
        // What the body counts from now on does not reach the progress any more.
        let counted = self.counted.swap(self.size, Ordering::Relaxed);
        self.events
            .in_flight
            .fetch_sub(counted.min(self.size), Ordering::Relaxed);
    }
}

impl Events {
    /// Events that go to `out`, for a chunk of a run.
    pub fn new(out: impl Write + Send + 'static, redactor: Redactor) -> Arc<Self> {
        Self::to(Arc::new(Mutex::new(Box::new(out))), redactor)
    }

    /// Events that go to the same output, with a receipt of their own.
    pub fn beside(&self) -> Arc<Self> {
        Self::to(self.out.clone(), self.redactor.clone())
    }

    fn to(out: Arc<Mutex<Box<dyn Write + Send>>>, redactor: Redactor) -> Arc<Self> {
        Arc::new(Self {
            out,
            redactor,
            receipt: Mutex::default(),
            held: Mutex::default(),
            sent: AtomicU64::new(0),
            done_bytes: AtomicU64::new(0),
            in_flight: AtomicU64::new(0),
            done: AtomicU64::new(0),
            retries: AtomicU64::new(0),
            busy: AtomicU64::new(0),
            stalls: AtomicU64::new(0),
            streams: AtomicU64::new(0),
            commits: AtomicU64::new(0),
            began: Instant::now(),
        })
    }

    /// Writes one event.
    pub fn say(&self, event: &Event) {
        if matches!(event, Event::Committed { .. }) {
            self.commits.fetch_add(1, Ordering::Relaxed);
        }
        let mut event = event.clone();
        event.redact(&self.redactor);
        let Ok(line) = serde_json::to_string(&event) else {
            return;
        };
        let mut out = self.out.lock().unwrap_or_else(PoisonError::into_inner);
        // A reader that has gone is noticed elsewhere; what was moved stays moved.
        let _ = writeln!(out, "{line}").and_then(|()| out.flush());
    }

    /// Begins the receipt of this run and chunk, with an event.
    pub fn start(&self, verb: &str, run: &str, chunk: u32, files: u64, bytes: u64) {
        {
            let mut receipt = self.receipt();
            receipt.run = run.to_owned();
            receipt.chunk = chunk;
        }
        let version = env!("CARGO_PKG_VERSION").to_owned();
        self.say(&Event::Started {
            verb: verb.to_owned(),
            run: run.to_owned(),
            chunk,
            files,
            bytes,
            version,
        });
    }

    /// Reports a file whose blob is stored, or that is unchanged.
    pub fn file(&self, path: &RepoPath, size: u64, sha256: Sha256, how: How) {
        self.noted(Stored {
            path: path.clone(),
            sha256,
            git_sha1: None,
            size,
            how,
        });
    }

    /// Reports a file whose content was read and hashed.
    pub fn hashed(&self, path: &RepoPath, size: u64, sha256: Sha256, git_sha1: Option<GitSha1>) {
        self.noted(Stored {
            path: path.clone(),
            sha256,
            git_sha1,
            size,
            how: How::Hashed,
        });
    }

    /// Reports a file whose content is inside a commit, or was there before.
    pub fn small(&self, path: &RepoPath, content: &[u8], how: How) {
        let (sha256, git_sha1) = (Sha256::of(content), Some(GitSha1::of(content)));
        self.noted(Stored {
            path: path.clone(),
            sha256,
            git_sha1,
            size: content.len() as u64,
            how,
        });
    }

    fn noted(&self, stored: Stored) {
        self.done.fetch_add(1, Ordering::Relaxed);
        self.done_bytes.fetch_add(stored.size, Ordering::Relaxed);
        self.receipt().files.push(stored.clone());
        let Stored {
            path,
            sha256,
            git_sha1,
            size,
            how,
        } = stored;
        self.say(&Event::File {
            path,
            bytes: size,
            sha256,
            git_sha1,
            how,
        });
    }

    /// Reports a file that was deleted at the destination.
    pub fn deleted(&self, path: &RepoPath) {
        self.receipt().deleted.push(path.clone());
        self.say(&Event::Deleted { path: path.clone() });
    }

    /// Reports a file that failed; later on while failures are held.
    pub fn failed(&self, path: &RepoPath, error: &Error) {
        let failed = FailedFile {
            path: path.to_string(),
            error: self.redactor.clean(&error.to_string()),
            kind: error.kind(),
            whole_request: error.is_of_whole_request(),
        };
        if self.held().is_none() {
            self.say_failed(&failed);
        }
        self.receipt().failed.push(failed);
    }

    fn say_failed(&self, failed: &FailedFile) {
        self.say(&Event::Failed {
            path: Some(failed.path.clone()),
            error: failed.error.clone(),
            kind: failed.kind,
        });
    }

    /// Holds the events of failures back: the files may be tried again, and a file fails once.
    pub fn hold_failures(&self) {
        let told = self.receipt().failed.len();
        self.held().get_or_insert(told);
    }

    /// The failures since they are held.
    pub fn held_failures(&self) -> Vec<FailedFile> {
        let told = *self.held();
        told.map_or_else(Vec::new, |told| self.receipt().failed[told..].to_vec())
    }

    /// Tells the failures that were held, and forgets those of the files that are tried again.
    pub fn release_failures(&self, again: &HashSet<String>) {
        let Some(told) = self.held().take() else {
            return;
        };
        let held = self.receipt().failed.split_off(told);
        let stay = |failed: &FailedFile| !again.contains(&failed.path);
        for failed in held.into_iter().filter(stay) {
            self.say_failed(&failed);
            self.receipt().failed.push(failed);
        }
    }

    /// How many files have failed.
    pub fn failures(&self) -> usize {
        self.receipt().failed.len()
    }

    /// How many commits were written.
    pub fn commits(&self) -> u64 {
        self.commits.load(Ordering::Relaxed)
    }

    /// Whether any file has failed that this is true of.
    pub fn any_failed(&self, is: impl Fn(&FailedFile) -> bool) -> bool {
        self.receipt().failed.iter().any(is)
    }

    /// Reports that the verb as a whole failed.
    pub fn verb_failed(&self, error: &Error) {
        self.say(&Event::Failed {
            path: None,
            error: error.to_string(),
            kind: error.kind(),
        });
    }

    /// Reports another try after `wait`.
    pub fn retry(&self, error: &Error, wait: Duration) {
        self.retries.fetch_add(1, Ordering::Relaxed);
        if is_of_busy_server(error) {
            self.busy.fetch_add(1, Ordering::Relaxed);
        } else if error.is_stall() {
            self.stalls.fetch_add(1, Ordering::Relaxed);
        }
        self.say(&Event::Retry {
            error: error.to_string(),
            kind: error.kind(),
            wait: wait.as_secs_f64(),
        });
    }

    /// Reports that a host asks for a wait.
    fn rate_limited(&self, host: &str, wait: Duration) {
        self.say(&Event::RateLimited(HostWait::new(host, wait)));
    }

    /// `http`, whose retries and waits become events.
    pub fn with_retry_events(self: &Arc<Self>, http: HttpOptions) -> HttpOptions {
        let (retries, waits) = (self.clone(), self.clone());
        HttpOptions {
            on_retry: Arc::new(move |error, wait| retries.retry(error, wait)),
            on_wait: Arc::new(move |host, wait| waits.rate_limited(host, wait)),
            ..http
        }
    }

    /// Begins one try of the upload of `size` bytes.
    pub fn upload_attempt(self: &Arc<Self>, size: u64) -> UploadAttempt {
        UploadAttempt {
            events: self.clone(),
            size,
            counted: Arc::default(),
            went: Arc::default(),
            body_failed: Arc::default(),
        }
    }

    /// Bytes of the files that are done, and of uploads under way; those of an upload that failed are not among them.
    fn moved(&self) -> u64 {
        self.done_bytes.load(Ordering::Relaxed) + self.in_flight.load(Ordering::Relaxed)
    }

    /// Bytes sent, repeats included; files done; how often a hub was too busy; how often nothing moved until a timeout.
    pub fn flow(&self) -> [u64; 4] {
        [&self.sent, &self.done, &self.busy, &self.stalls]
            .map(|count| count.load(Ordering::Relaxed))
    }

    /// Notes that so many blobs move at a time.
    pub fn streams_are(&self, streams: usize) {
        self.streams.fetch_max(streams as u64, Ordering::Relaxed);
    }

    /// Reports that from now on another number of blobs moves at a time, at the rate of now.
    pub fn streams_change(&self, streams: usize, reason: StreamsReason, rate: f64) {
        self.streams_are(streams);
        self.say(&Event::Streams {
            streams: streams as u64,
            reason,
            bytes_per_second: rate as u64,
        });
    }

    /// Reports the transport by which blobs go from now on, and the bytes a second of a stream by HTTP and by Xet.
    pub fn transport_changes(
        &self,
        transport: BlobTransport,
        reason: TransportReason,
        [http, xet]: [f64; 2],
    ) {
        self.say(&Event::Transport {
            transport,
            reason,
            http_bytes_per_second: http as u64,
            xet_bytes_per_second: xet as u64,
        });
    }

    /// Reports the progress each second, until dropped.
    pub async fn tick(self: Arc<Self>) {
        let mut last = None;
        loop {
            tokio::time::sleep(Duration::from_secs(1)).await;
            let now = (self.moved(), self.done.load(Ordering::Relaxed));
            if last.replace(now) != Some(now) {
                self.say(&Event::Progress {
                    bytes: now.0,
                    files: now.1,
                });
            }
        }
    }

    /// The receipt so far.
    pub fn receipt_so_far(&self) -> Receipt {
        let mut receipt = self.receipt().clone();
        receipt.sent = self.sent.load(Ordering::Relaxed);
        receipt.retries = self.retries.load(Ordering::Relaxed);
        receipt.streams = self.streams.load(Ordering::Relaxed);
        receipt.seconds = self.began.elapsed().as_secs_f64();
        receipt
    }

    /// The exit code that the failed files call for.
    pub fn exit(&self) -> Exit {
        Exit::of_failed(&self.receipt().failed)
    }

    fn receipt(&self) -> std::sync::MutexGuard<'_, Receipt> {
        self.receipt.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn held(&self) -> std::sync::MutexGuard<'_, Option<usize>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether a server answered that it is too busy. Another fault of a server may be about one file.
pub(crate) fn is_of_busy_server(error: &Error) -> bool {
    error.kind() == Kind::RateLimited || matches!(error.status(), Some(429 | 503))
}

/// Bytes of a set of files.
pub fn total(files: &[File]) -> u64 {
    files.iter().map(|file| file.size).sum()
}

#[cfg(test)]
mod tests {
    use futures_util::stream;

    use super::*;

    fn body(frames: &[&'static [u8]]) -> ByteStream {
        let frames: Vec<_> = frames
            .iter()
            .map(|frame| Ok(Bytes::from_static(frame)))
            .collect();
        stream::iter(frames).boxed()
    }

    #[tokio::test]
    async fn a_failed_upload_takes_its_bytes_back_and_no_part_counts_twice() {
        let events = Events::new(std::io::sink(), Redactor::default());
        let first = events.upload_attempt(10);
        first.count(body(&[b"abcd"])).count().await;
        assert_eq!(events.moved(), 4);
        drop(first);
        assert_eq!(events.moved(), 0, "the try failed");
        let second = events.upload_attempt(10);
        second.count(body(&[b"abcdefgh"])).count().await;
        second.count(body(&[b"efghij"])).count().await;
        assert_eq!(events.moved(), 10, "a part went twice");
        drop(second);
        let path: RepoPath = "a.bin".parse().unwrap();
        events.file(&path, 10, Sha256::of(b"abcdefghij"), How::Streamed);
        assert_eq!((events.moved(), events.receipt_so_far().sent), (10, 18));
    }
}
