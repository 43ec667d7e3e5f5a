//! A file's bytes in order, read by several ranges at once into a bounded window.
//!
//! At most `ranges` pieces are requested at a time. The first is handed on as it arrives, while the others fill their channels. A
//! piece that breaks goes on where it stopped, and the consumer of the stream does not notice. Where the consumer waits for slow
//! connections, more and smaller pieces are requested at a time, and fewer where the source is too busy ([`pace`]).

mod busy;
mod hashing;
mod pace;

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::{FutureExt, StreamExt, stream};
use hf2ms_hub::http::{HttpOptions, exactly};
use hf2ms_hub::{BlobSource, ByteStream, Digest, Error, File, GitSha1, Kind, Result, Sha256};
use tokio::sync::mpsc;
use tokio::task::AbortHandle;

pub use self::busy::BusyCount;
pub use self::hashing::{ReadDigests, read_digests};
use self::pace::RangePace;
use super::budget::Reserved;

const MOST_RANGES: u64 = 8;
/// Each piece costs a request at both ends of it: smaller ones cost more than their parallelism gains.
const SMALLEST_PIECE: u64 = 4 << 20;
/// A frame is rarely smaller; a piece must fit into its channel.
const SMALLEST_FRAME: u64 = 4 << 10;
/// Frames of a file that is read in one go which may wait: each has some hundred KiB at most. The kernel reads ahead; what waits
/// here leaves the processor's caches before it is hashed.
const FRAMES_AHEAD: u64 = 2;
/// The memory for each of them, with what connections hold of the same file.
const LARGEST_FRAMES: u64 = 1 << 20;

/// How a file is read: so many pieces at once, each of so many bytes, within so many bytes of memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Window {
    ranges: u64,
    piece: u64,
    share: u64,
}

impl Window {
    /// The window that fits into `share` bytes of memory.
    fn within(share: u64) -> Self {
        match (share / SMALLEST_PIECE).min(MOST_RANGES) {
            0 | 1 => Self {
                share,
                ..Self::WHOLE
            },
            ranges => Self {
                ranges,
                piece: share / ranges,
                share,
            },
        }
    }

    /// The whole file in one request, only as far ahead as a few frames.
    const WHOLE: Self = Self {
        ranges: 1,
        piece: u64::MAX,
        share: u64::MAX,
    };

    /// The same memory for another number of pieces.
    fn of_ranges(self, ranges: u64) -> Self {
        Self {
            ranges,
            piece: self.share / ranges.max(1),
            ..self
        }
    }

    /// Frames of one piece that may wait to be handed on.
    fn capacity(&self) -> u64 {
        if self.ranges == 1 {
            (self.share / LARGEST_FRAMES).clamp(1, FRAMES_AHEAD)
        } else {
            (self.piece / SMALLEST_FRAME).max(16)
        }
    }
}

/// The digests of one content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ContentDigests {
    /// By which storage names it.
    pub sha256: Sha256,
    /// By which Git names it.
    pub git_sha1: GitSha1,
}

impl ContentDigests {
    /// Whether this is one of them.
    fn contains(self, digest: Digest) -> bool {
        match digest {
            Digest::Sha256(sha256) => sha256 == self.sha256,
            Digest::GitSha1(git_sha1) => git_sha1 == self.git_sha1,
        }
    }

    /// The digest of the other kind than this one.
    pub fn beside(self, digest: Digest) -> Digest {
        match digest {
            Digest::Sha256(_) => Digest::GitSha1(self.git_sha1),
            Digest::GitSha1(_) => Digest::Sha256(self.sha256),
        }
    }
}

/// Reads files from one source.
#[derive(Clone)]
pub struct Reader {
    source: Arc<dyn BlobSource>,
    http: HttpOptions,
    busy: BusyCount,
}

impl Reader {
    /// A reader of `source` with the retry policy of `http`.
    pub fn new(source: Arc<dyn BlobSource>, http: HttpOptions) -> Self {
        let busy = BusyCount::default();
        Self { source, http, busy }
    }

    /// The same, which reads fewer ranges at a time when the source is too busy, as is counted here.
    pub fn heeding(self, busy: BusyCount) -> Self {
        Self { busy, ..self }
    }

    /// The whole file, in order, read as far ahead as `memory` allows. The stream ends after the file's size in bytes, or
    /// with an error. The caller keeps the memory reserved until then.
    pub fn stream(&self, file: &File, memory: &Reserved) -> ByteStream {
        self.windowed(file, Window::within(memory.bytes()))
    }

    fn windowed(&self, file: &File, window: Window) -> ByteStream {
        Ordered::new(self.clone(), file.clone(), window).frames()
    }

    /// A part of the file in one go, not checked against anything but its length.
    pub fn part(&self, file: &File, range: Range<u64>) -> ByteStream {
        let length = range.end - range.start;
        let mut state = Ordered {
            next: file.size,
            delivered: range.start,
            ..Ordered::new(self.clone(), file.clone(), Window::WHOLE)
        };
        state.pieces.push_back(state.spawn(range, 0, FRAMES_AHEAD));
        exactly(beginning(state.frames(), length), length)
    }

    /// Both digests of a file's content, which is read in order within `memory` and checked against the listed digest. The caller
    /// keeps the memory reserved meanwhile.
    ///
    /// # Errors
    /// As [`Self::whole`].
    pub async fn digests(&self, file: &File, memory: &Reserved) -> Result<ContentDigests> {
        for _ in 0..2 {
            let found = self.hash(file, memory).await?;
            if found.contains(file.digest) {
                return Ok(found);
            }
        }
        Err(unlisted(file))
    }

    async fn hash(&self, file: &File, memory: &Reserved) -> Result<ContentDigests> {
        use sha2::Digest as _;
        let (mut git, mut sha256) = (GitSha1::hasher(file.size), sha2::Sha256::new());
        let mut frames = self.stream(file, memory);
        while let Some(frame) = frames.next().await {
            let frame = frame?;
            git.update(&frame);
            sha256.update(&frame);
        }
        Ok(ContentDigests {
            sha256: sha256.into(),
            git_sha1: git.into(),
        })
    }

    /// A file's bytes, checked against its digest. The caller keeps the memory reserved while it has them.
    ///
    /// # Errors
    /// [`Kind::Corrupt`] when they are not what the source's listing says, even when read again.
    pub async fn whole(&self, file: &File, _memory: &Reserved) -> Result<Bytes> {
        for _ in 0..2 {
            let content = self.collect(file).await?;
            if file.digest.matches(&content) {
                return Ok(content);
            }
        }
        Err(unlisted(file))
    }

    async fn collect(&self, file: &File) -> Result<Bytes> {
        let mut frames = self.windowed(file, Window::WHOLE);
        let mut content = Vec::with_capacity(usize::try_from(file.size).unwrap_or(0).min(64 << 20));
        while let Some(frame) = frames.next().await {
            content.extend_from_slice(&frame?);
        }
        Ok(content.into())
    }

    /// Sends `range` of the file into `frames`, going on where it broke; leaves out the first `skip` bytes.
    async fn send_range(
        &self,
        file: &File,
        mut range: Range<u64>,
        mut skip: u64,
        frames: &mpsc::Sender<Result<Bytes>>,
    ) {
        let mut attempts = self.http.attempts();
        loop {
            let before = (range.start, skip);
            let Err(error) = self.read_on(file, &mut range, &mut skip, frames).await else {
                return;
            };
            if (range.start, skip) != before {
                attempts = self.http.attempts();
            }
            if let Err(error) = attempts.wait_after(error).await {
                let _ = frames.send(Err(final_error(error))).await;
                return;
            }
        }
    }

    async fn read_on(
        &self,
        file: &File,
        range: &mut Range<u64>,
        skip: &mut u64,
        frames: &mpsc::Sender<Result<Bytes>>,
    ) -> Result<()> {
        if range.is_empty() {
            return Ok(());
        }
        let mut body = self.source.read(file, range.clone()).await?;
        // Room comes first: a frame that waits for it would be one more in memory.
        while let Ok(room) = frames.reserve().await {
            let Some(frame) = body.next().await else {
                return is_whole(file, range);
            };
            let mut frame = frame?;
            range.start += frame.len() as u64;
            let skipped = (*skip).min(frame.len() as u64);
            *skip -= skipped;
            let _ = frame.split_to(usize::try_from(skipped).unwrap_or(frame.len()));
            if !frame.is_empty() {
                room.send(Ok(frame));
            }
        }
        Ok(())
    }
}

/// Whether nothing is left of the range when its body has ended.
fn is_whole(file: &File, left: &Range<u64>) -> Result<()> {
    if left.is_empty() {
        return Ok(());
    }
    let message = format!("{}: the body ended early", file.path);
    Err(Error::new(Kind::Transient, message))
}

/// The first `length` bytes: a server without ranges gives what follows a part, too.
fn beginning(frames: ByteStream, length: u64) -> ByteStream {
    stream::unfold((frames, length), |(mut frames, left)| async move {
        if left == 0 {
            return None;
        }
        let frame = frames.next().await?.map(|mut frame| {
            frame.truncate(usize::try_from(left).unwrap_or(usize::MAX));
            frame
        });
        let left = left - frame.as_ref().map_or(0, |frame| frame.len() as u64);
        Some((frame, (frames, left)))
    })
    .boxed()
}

/// The error of a content that is another than the listed one.
fn unlisted(file: &File) -> Error {
    let path = &file.path;
    let message = format!("{path}: its content is not what the source's listing says");
    Error::new(Kind::Corrupt, message)
}

fn may_pass(error: &Error) -> bool {
    error.is_transient() || error.kind() == Kind::Expired
}

/// What a piece ends with. A server that denies again and again that the range exists may still give the whole file.
fn final_error(error: Error) -> Error {
    match error.status() {
        Some(416) => error.with_kind(Kind::RangeIgnored),
        _ if may_pass(&error) => error.after_retries(),
        _ => error,
    }
}

/// The reorder window of one file.
struct Ordered {
    reader: Reader,
    file: File,
    window: Window,
    /// Whether more ranges would be faster; absent where the file is read in one go.
    pace: Option<RangePace>,
    pieces: VecDeque<Piece>,
    /// Where the next piece starts.
    next: u64,
    /// Where the next byte to be handed on stands in the file.
    delivered: u64,
    /// How often the file was begun again because the server gives no ranges.
    restarts: u32,
}

struct Piece {
    frames: mpsc::Receiver<Result<Bytes>>,
    task: AbortHandle,
}

impl Drop for Piece {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Ordered {
    fn new(reader: Reader, file: File, window: Window) -> Self {
        let pace = (window.ranges > 1)
            .then(|| RangePace::new(reader.http.clock.now(), window, reader.busy.so_far()));
        Self {
            reader,
            file,
            window,
            pace,
            pieces: VecDeque::new(),
            next: 0,
            delivered: 0,
            restarts: 0,
        }
    }

    /// What is handed on, until its end or an error.
    fn frames(self) -> ByteStream {
        stream::unfold(Some(self), |state| async move {
            let mut state = state?;
            match state.next().await {
                Some(Ok(frame)) => Some((Ok(frame), Some(state))),
                Some(Err(error)) => Some((Err(error), None)),
                None => None,
            }
        })
        .boxed()
    }

    async fn next(&mut self) -> Option<Result<Bytes>> {
        loop {
            self.fill();
            match self.receive().await? {
                Some(Ok(frame)) => {
                    self.delivered += frame.len() as u64;
                    self.follow_pace();
                    return Some(Ok(frame));
                }
                Some(Err(error))
                    if error.kind() == Kind::RangeIgnored
                        && self.restarts <= self.reader.http.retry.retries =>
                {
                    self.start_over()
                }
                Some(Err(error)) => return Some(Err(error)),
                None if self.head_died() => {
                    return Some(Err(Error::new(Kind::Transient, "a reading task died")));
                }
                None => drop(self.pieces.pop_front()),
            }
        }
    }

    /// What comes next of the head, if there is one: `None` at its end.
    async fn receive(&mut self) -> Option<Option<Result<Bytes>>> {
        let head = self.pieces.front_mut()?;
        let Some(pace) = &mut self.pace else {
            return Some(head.frames.recv().await);
        };
        let ready = head.frames.recv().now_or_never();
        if let Some(received) = ready {
            return Some(received);
        }
        let clock = &self.reader.http.clock;
        let begun = clock.now();
        let received = head.frames.recv().await;
        pace.waited(clock.now() - begun);
        Some(received)
    }

    /// Reads the rest by more ranges, or by fewer, where that is faster.
    fn follow_pace(&mut self) {
        let (now, busy) = (self.reader.http.clock.now(), self.reader.busy.so_far());
        let pace = self.pace.as_mut();
        if let Some(ranges) = pace.and_then(|pace| pace.ranges(now, self.delivered, busy)) {
            self.window = self.window.of_ranges(ranges);
        }
    }

    /// The head's channel closed although bytes are missing: its task panicked.
    fn head_died(&self) -> bool {
        let rest = self.pieces.len() as u64 - 1;
        rest == 0 && self.next >= self.file.size && self.delivered < self.file.size
    }

    fn fill(&mut self) {
        while self.next < self.file.size && (self.pieces.len() as u64) < self.window.ranges {
            let end = self
                .next
                .saturating_add(self.window.piece)
                .min(self.file.size);
            // Pieces of another size may be under way.
            if !self.pieces.is_empty() && end - self.delivered > self.window.share {
                return;
            }
            let piece = self.spawn(self.next..end, 0, self.window.capacity());
            self.pieces.push_back(piece);
            self.next = end;
        }
    }

    /// The server gives only the whole file: read it from its start in one go, leaving out what was handed on.
    fn start_over(&mut self) {
        self.restarts += 1;
        self.pieces.clear();
        let piece = self.spawn(0..self.file.size, self.delivered, FRAMES_AHEAD);
        self.pieces.push_back(piece);
        self.next = self.file.size;
    }

    fn spawn(&self, range: Range<u64>, skip: u64, capacity: u64) -> Piece {
        let (sender, frames) = mpsc::channel(usize::try_from(capacity).unwrap_or(16));
        let (reader, file) = (self.reader.clone(), self.file.clone());
        let task =
            tokio::spawn(async move { reader.send_range(&file, range, skip, &sender).await });
        Piece {
            frames,
            task: task.abort_handle(),
        }
    }
}

#[cfg(test)]
mod tests;
