//! The blobs of a chunk, moved from source to destination. Each is checked, streamed, and verified on its way; a file that fails
//! costs only itself. [`groups`] says which are checked together, and [`ahead`] has the next ones checked while others move.
//! [`unnamed`] has files of which no SHA-256 is known. What the hub copies by itself is in [`server_side`], and the choice between two
//! transports in [`transports`]. What happens when all files fail is in [`outage`].

mod ahead;
mod deadline;
mod groups;
mod outage;
mod server_side;
#[cfg(test)]
mod tests;
mod transports;
mod unnamed;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hf2ms_hub::{Blob, Body, Error, File, Kind, Missing, Result, Sha256};

use self::groups::Group;
use self::outage::Outage;
use self::server_side::ServerSide;
use self::transports::Transports;
use super::budget::{Reserved, held_by_source};
use super::gate::{SlotShare, StreamGate, StreamSlot};
use super::streams::StreamLimit;
use crate::context::TransferContext;
use crate::events::UploadAttempt;
use crate::protocol::{How, WorkerOptions};

/// A blob of so many bytes at most is a small one: its time is that of its requests, however slow the line.
pub(super) const SMALL: u64 = 256 << 10;
/// Small blobs that move in the place of one other where the worker decides how many do.
const SMALL_A_STREAM: usize = 2;
/// The number of streams and the transport are thought over this often.
pub(super) const TICK: Duration = Duration::from_millis(50);
/// A blob whose digest is wrong is read again this often: the fault may lie in the transfer.
const CORRUPT_RETRIES: u32 = 1;
/// A check of many blobs that a hub refuses as a whole is repeated this often: the fault may lie in the request.
const CHECK_RETRIES: usize = 2;

/// Moves the blobs of `files`, several at a time within one memory budget. An outage is waited for.
pub async fn move_blobs(context: &TransferContext, files: &[File]) {
    let (most, may_change) = context.streams_for(files.len());
    let limit = may_change.then(|| StreamLimit::new(WorkerOptions::FIRST_STREAMS, most));
    let transports = Transports::of(context, files).await;
    // While both transports are measured, each takes memory of its own.
    let first = match (&limit, &transports) {
        (None, None) => most,
        _ => most.min(WorkerOptions::FIRST_STREAMS),
    };
    let small_a_stream = if may_change { SMALL_A_STREAM } else { 1 };
    let gate = StreamGate::new(first, small_a_stream);
    let mover = Mover {
        transports,
        ..Mover::new(context, context.share(most), gate, first)
    };
    let most = most * small_a_stream;
    let moved = async {
        let mut left: Vec<&File> = files.iter().collect();
        while !left.is_empty() {
            mover.pass(&left, most).await;
            left = mover.after_outage().await;
        }
    };
    let follows = limit.is_some() || mover.transports.is_some();
    tokio::select! {
        () = moved => (),
        () = mover.follow(limit, most), if follows => (),
        () = deadline::cut_off(context) => deadline::leave_rest(context, files),
    }
}

/// Stores one blob for code that holds memory already: a smaller window is taken where no more is free. An upload that fails
/// starts again as the retry policy says.
///
/// # Errors
/// What either hub fails with.
pub async fn store(context: &TransferContext, file: &File, blob: Blob) -> Result<()> {
    let share = context.share(context.options.readers());
    let mover = Mover::new(context, share, StreamGate::new(1, 1), 1);
    let memory = context.budget.try_reserve(share);
    let mut slot = mover.gate.enter(SlotShare::Whole).await;
    mover.put_within(file, blob, &memory, &mut slot).await
}

struct Mover<'a> {
    context: &'a TransferContext,
    share: u64,
    /// Where blobs wait until fewer move.
    gate: StreamGate,
    /// The error that ended one of the hubs: nothing more is tried.
    halted: Mutex<Option<(Kind, String)>>,
    /// Whether all files fail.
    outage: Outage<'a>,
    server_side: ServerSide<'a>,
    /// The destination's transports, where there is a choice.
    transports: Option<Transports<'a>>,
}

/// One stream's worth of work.
enum Task<'a> {
    Put(&'a File, Blob),
    Small(Vec<&'a File>),
    Unknown(&'a File),
}

impl Task<'_> {
    fn slot_share(&self) -> SlotShare {
        match self {
            Self::Put(file, _) if is_small(file) => SlotShare::Part,
            _ => SlotShare::Whole,
        }
    }
}

impl<'a> Mover<'a> {
    fn new(context: &'a TransferContext, share: u64, gate: StreamGate, streams: usize) -> Self {
        context.events.streams_are(streams);
        Self {
            context,
            share,
            gate,
            halted: Mutex::default(),
            outage: Outage::default(),
            server_side: ServerSide::of(context),
            transports: None,
        }
    }

    /// Lets as many blobs through as `limit` decides, else `most`, for ever. The number is the first one until it is known which
    /// transport is faster.
    async fn follow(&self, mut limit: Option<StreamLimit>, most: usize) {
        let clock = &self.context.http.clock;
        let begun = clock.now();
        loop {
            clock.sleep(TICK).await;
            let transports = self.transports.as_ref();
            match &mut limit {
                _ if transports.is_some_and(|transports| !transports.decide()) => (),
                Some(limit) => {
                    let events = &self.context.events;
                    self.gate.adjust(limit, clock.now() - begun, events);
                }
                None => {
                    self.gate.resize(most);
                    self.context.events.streams_are(most);
                }
            }
        }
    }

    /// Asks both hubs about a group. A blob that is stored already is done, and one that is refused has failed.
    async fn check(&self, group: Group<'a>) -> Vec<Task<'a>> {
        match group {
            Group::Known(files) | Group::Small(files) if self.is_over() => {
                self.leave(files);
                Vec::new()
            }
            Group::Known(files) | Group::Small(files) if self.outage.is_on() => {
                self.outage.skip(files);
                Vec::new()
            }
            Group::Known(files) => self.check_known(files).await,
            Group::Small(files) => vec![Task::Small(files)],
            Group::Unknown(file) => vec![Task::Unknown(file)],
        }
    }

    async fn check_known(&self, files: Vec<&'a File>) -> Vec<Task<'a>> {
        let blobs = files
            .into_iter()
            .filter_map(|file| Some((file, blob_of(file)?)));
        let mut by_blob: Vec<_> = blobs.collect();
        let wanted = match self.missing_blobs(&mut by_blob).await {
            Ok(wanted) => wanted,
            Err(error) => {
                self.fail_all(by_blob.into_iter().map(|(file, _)| file), &error);
                return Vec::new();
            }
        };
        by_blob
            .into_iter()
            .filter_map(|(file, blob)| self.task_of(file, blob, &wanted))
            .collect()
    }

    /// What a check of blobs says, which is repeated where a hub refuses it as a whole.
    async fn checked<T>(&self, mut check: impl AsyncFnMut() -> Result<T>) -> Result<T> {
        let mut attempts = self.context.http.attempts().at_most(CHECK_RETRIES);
        loop {
            let error = match check().await {
                Err(error) if is_of_request(&error) => error,
                done => return done,
            };
            attempts.wait_after_if(true, error).await?;
        }
    }

    fn task_of(&self, file: &'a File, blob: Blob, wanted: &Wanted) -> Option<Task<'a>> {
        match wanted.get(&blob.sha256) {
            Some(Ok(())) => Some(Task::Put(file, blob)),
            Some(Err((kind, reason))) => {
                self.fail(file, Error::new(*kind, reason));
                None
            }
            None => {
                self.context
                    .events
                    .file(&file.path, file.size, blob.sha256, How::Reused);
                None
            }
        }
    }

    /// The blobs that the destination lacks, and those that one of the hubs refuses. The others are stored already. Files whose blobs
    /// the hub copies by itself are done then, and no more among `files`.
    async fn missing_blobs(&self, files: &mut Vec<(&'a File, Blob)>) -> Result<Wanted> {
        let check = self.checked(async || self.ask_store(files).await);
        let mut missing = check.await?;
        self.copy_server_side(files, &mut missing).await;
        let look = self.checked(async || self.context.source.locate(&missing.wanted).await);
        let lost = look.await?;
        let mut wanted = self.verdicts(missing);
        let lost = lost.iter();
        wanted.extend(lost.map(|(sha256, error)| (*sha256, self.verdict(error))));
        Ok(wanted)
    }

    async fn ask_store(&self, files: &[(&File, Blob)]) -> Result<Missing> {
        self.halted()?;
        let blobs: Vec<_> = files.iter().map(|(_, blob)| *blob).collect();
        self.context.store.missing(&blobs).await
    }

    fn verdicts(&self, missing: Missing) -> Wanted {
        let wanted = missing.wanted.iter().map(|blob| (blob.sha256, Ok(())));
        let refused = missing.refused.iter();
        let refused = refused.map(|(sha256, error)| (*sha256, self.verdict(error)));
        wanted.chain(refused).collect()
    }

    /// A blob that is refused only for now is wanted: its upload asks again.
    fn verdict(&self, error: &Error) -> Verdict {
        if self.context.http.retry.covers(error) {
            Ok(())
        } else {
            Err((error.kind(), error.to_string()))
        }
    }

    async fn transfer(&self, task: Task<'a>) {
        // Memory comes first everywhere: a try that waits for a slot again keeps its memory.
        let memory = &self.memory_for(&task).await;
        let slot = &mut self.gate.enter(task.slot_share()).await;
        match task {
            Task::Put(file, _) | Task::Unknown(file) if self.is_over() => self.leave([file]),
            Task::Small(files) if self.is_over() => self.leave(files),
            Task::Put(file, _) | Task::Unknown(file) if self.outage.is_on() => {
                self.outage.skip([file]);
            }
            Task::Small(files) if self.outage.is_on() => self.outage.skip(files),
            Task::Put(file, blob) => {
                let result = self.put_within(file, blob, memory, slot).await;
                self.record(file, result.map(|()| (blob.sha256, How::Streamed)));
            }
            Task::Small(files) => self.transfer_small(&files, memory, slot).await,
            Task::Unknown(file) => {
                let result = self.transfer_large(file, memory, slot).await;
                self.record(file, result);
            }
        }
    }

    fn record(&self, file: &'a File, result: Result<(Sha256, How)>) {
        match result {
            Ok((sha256, how)) => {
                self.context.events.file(&file.path, file.size, sha256, how);
                // What is there already shows nothing of what moves.
                if how == How::Streamed {
                    self.report(&self.outage.stored());
                }
            }
            Err(error) => self.fail(file, error),
        }
    }

    /// Reports a file as failed; one that failed in passing is kept until it is known whether all do.
    fn fail(&self, file: &'a File, error: Error) {
        if error.kind() == Kind::Transient {
            return self.outage.failed(file, error);
        }
        if error.ends_the_hub() {
            let mut halted = self.halted.lock().unwrap_or_else(PoisonError::into_inner);
            halted.get_or_insert_with(|| (error.kind(), error.to_string()));
        }
        self.context.events.failed(&file.path, &error);
    }

    fn fail_all(&self, files: impl IntoIterator<Item = &'a File>, error: &Error) {
        for file in files {
            let error = Error::new(error.kind(), error.to_string());
            self.fail(file, error.of_whole_request());
        }
    }

    fn halted(&self) -> Result<()> {
        match &*self.halted.lock().unwrap_or_else(PoisonError::into_inner) {
            Some((kind, reason)) => Err(Error::new(*kind, reason.clone())),
            None => Ok(()),
        }
    }

    /// The memory in which a task's content is read.
    async fn memory_for(&self, task: &Task<'a>) -> Reserved {
        let bytes = match task {
            Task::Put(file, _) if is_small(file) => self.share.min(file.size),
            Task::Put(file, _) | Task::Unknown(file) => {
                self.share.max(held_by_source(file, &self.context.options))
            }
            Task::Small(files) => files.iter().map(|file| file.size).sum(),
        };
        self.context.budget.reserve(bytes).await
    }

    /// Streams one blob from source to destination; a failed upload starts that blob again.
    async fn put_within(
        &self,
        file: &File,
        blob: Blob,
        memory: &Reserved,
        slot: &mut StreamSlot,
    ) -> Result<()> {
        let events = &self.context.events;
        self.retry_upload(slot, || {
            let attempt = Arc::new(events.upload_attempt(file.size));
            let limit = self.context.bandwidth.clone();
            let read = limit.slow(self.context.reader().stream(file, memory));
            let body = Body::from(attempt.count(read));
            let (reader, again, parts) = (self.context.reader(), file.clone(), attempt.clone());
            let body =
                body.reopened_by(move |range| parts.count(limit.slow(reader.part(&again, range))));
            async move { self.upload(blob, body, &attempt).await }
        })
        .await
    }

    /// Sends a body that `attempt` counts.
    async fn upload(&self, blob: Blob, body: Body, attempt: &UploadAttempt) -> Result<()> {
        self.halted()?;
        match &self.transports {
            Some(transports) => transports.put(blob, body, attempt).await,
            None => self.context.store.put(blob, body).await,
        }
    }

    /// Tries an upload again as the retry policy says: the body is made anew each time. Another blob has the slot meanwhile.
    async fn retry_upload<F: Future<Output = Result<()>>>(
        &self,
        slot: &mut StreamSlot,
        mut upload: impl FnMut() -> F,
    ) -> Result<()> {
        let mut attempts = self.context.http.attempts();
        let mut corrupt = 0;
        loop {
            let Err(error) = upload().await else {
                return Ok(());
            };
            corrupt += u32::from(error.kind() == Kind::Corrupt);
            let may_pass = match error.kind() {
                Kind::Corrupt => corrupt <= CORRUPT_RETRIES,
                // An address of the source, which its reader has renewed already.
                Kind::Expired if error.was_retried() => false,
                _ => attempts.covers(&error),
            };
            let pause = attempts.wait_after_if(may_pass, error);
            self.gate.leave_during(slot, pause).await?;
        }
    }
}

/// By digest: wanted, or refused and why. What is not here is stored already.
type Wanted = HashMap<Sha256, Verdict>;

type Verdict = std::result::Result<(), (Kind, String)>;

/// Whether a refusal is of one request and says nothing of the next. What may pass has been tried again already.
fn is_of_request(error: &Error) -> bool {
    matches!(
        error.kind(),
        Kind::NotFound | Kind::Denied | Kind::Invalid | Kind::Refused
    )
}

fn is_small(file: &File) -> bool {
    file.size <= SMALL
}

fn blob_of(file: &File) -> Option<Blob> {
    Some(Blob {
        sha256: file.digest.sha256()?,
        size: file.size,
    })
}
