//! A run in the cloud: what it submits, and the call that ends it. Calls outlive this process; whoever has the run's journal can
//! attend them, from anywhere. Each kind of run says by an
//! [`RemoteJob`] what it submits.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::stream::FuturesUnordered;
use futures_util::{StreamExt, stream};
use hf2ms_worker::protocol::{Event, Exit, Receipt};
use serde_json::{Value, json};

use crate::args::workers::EngineKind;
use crate::engine::modal::bridge::BridgeError;
use crate::engine::modal::{CallState, CancelMode, Follow, Function, Modal, explain};
use crate::runs::{JournalEntry, RunDir, RunRecord};
use crate::stop::Stop;
use crate::ui::errors::{CliError, CliResult};
use crate::ui::progress::Progress;
use crate::ui::screen::Screen;

/// Requests to Modal at a time.
pub const AT_ONCE: usize = 16;
/// Last calls of a run that may fail before it is said.
const LAST_CALLS: u32 = 3;
/// Between two tries to reach Modal.
const PATIENCE: Duration = Duration::from_secs(10);

/// One run in the cloud, and who watches it from here.
pub struct RemoteRun<'a> {
    /// Modal, reached.
    pub modal: &'a Modal,
    /// The app that does the work.
    pub app: &'a str,
    /// Containers that it may have at a time.
    pub containers: u64,
    /// The run's folder.
    pub run: &'a RunDir,
    /// Where words go.
    pub screen: &'a Screen,
    /// When to stop.
    pub stop: &'a Stop,
}

/// What a run has done in the cloud.
pub trait RemoteJob {
    /// Chunks whose calls are made before the last one; none, unless it is said.
    fn chunks(&self) -> u32 {
        0
    }

    /// The job of one of them.
    fn chunk(&self, _number: u32) -> Value {
        Value::Null
    }

    /// The call that ends the run, once those are made.
    fn last(&self, calls: &SubmittedCalls) -> (Function, Value);

    /// What that call is to people.
    fn who(&self) -> &'static str;

    /// Shows how far it is.
    fn progress(&self, screen: &Screen) -> Progress;

    /// Hears a line of the last call's log.
    fn hear(&self, _progress: &Progress, _line: &Value) {}
}

/// What was submitted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SubmittedCalls {
    /// A call a chunk.
    pub chunks: BTreeMap<u32, String>,
    /// The call that ends the run.
    pub last: Option<String>,
}

impl SubmittedCalls {
    /// Those of a journal; a later word wins.
    pub fn of(journal: &[JournalEntry]) -> Self {
        let mut calls = Self::default();
        for entry in journal {
            match entry {
                JournalEntry::Call {
                    chunk: Some(chunk),
                    call,
                } => drop(calls.chunks.insert(*chunk, call.clone())),
                JournalEntry::Call { chunk: None, call } => calls.last = Some(call.clone()),
                _ => (),
            }
        }
        calls
    }

    /// All of them, the last one first: cancelled, it waits for nobody any more.
    pub fn all(&self) -> impl Iterator<Item = &String> {
        self.last.iter().chain(self.chunks.values())
    }
}

impl RemoteRun<'_> {
    /// Submits what `calls` lacks and sees the run through, unless nobody here should wait. What was submitted is cancelled
    /// if the rest can't be, and when it is stopped.
    ///
    /// # Errors
    /// Modal refuses, the journal can't be written, or it was stopped: nothing works on.
    pub async fn work(
        &self,
        job: &dyn RemoteJob,
        mut calls: SubmittedCalls,
        watch: DetachMode,
    ) -> CliResult<Completion<CallResult>> {
        let known = calls.all().count();
        if let Err(failure) = self.submit(job, &mut calls).await {
            return self.give_up(&calls, failure).await;
        }
        if calls.all().count() > known {
            self.say_submitted(job, &calls);
        }
        match watch {
            DetachMode::Detached => Ok(Completion::Away(None)),
            DetachMode::Attached => self.see_through(job, &mut calls).await,
        }
    }

    fn say_submitted(&self, job: &dyn RemoteJob, calls: &SubmittedCalls) {
        self.screen.json(&json!({"event": "submitted", "run": self.run.id(), "app": self.app, "calls": calls.all().count()}));
        let (run, who) = (self.run.id(), job.who());
        self.screen.status(match calls.chunks.len() {
            0 => format!("run {run}: the {who} is submitted to Modal"),
            chunks => format!("run {run}: {chunks} chunks and their {who} are submitted to Modal"),
        });
    }

    /// Cancels everything, because of `failure`.
    async fn give_up<T>(
        &self,
        calls: &SubmittedCalls,
        failure: CliError,
    ) -> CliResult<Completion<T>> {
        match cancel(self.modal, calls).await {
            Ok(()) => Err(failure),
            Err(why) => {
                let line = format!(
                    "{failure}; what was submitted works on, because it can't be cancelled now: hf2ms stop {} ({why})",
                    self.run.id()
                );
                Ok(Completion::Away(Some(CliError::new(failure.exit(), line))))
            }
        }
    }

    /// Every chunk that has no call, then the last call. Each is in the journal as soon as it is known.
    async fn submit(&self, job: &dyn RemoteJob, calls: &mut SubmittedCalls) -> CliResult<()> {
        let missing: Vec<u32> = (0..job.chunks())
            .filter(|number| !calls.chunks.contains_key(number))
            .collect();
        for group in missing.chunks(AT_ONCE) {
            if self.stop.is_asked() {
                return Err(CliError::interrupted());
            }
            let mut submitting: FuturesUnordered<_> = group
                .iter()
                .map(|number| self.submit_chunk(job, *number))
                .collect();
            let mut noted = Ok(());
            // Each is heard out, whatever comes of the others: a call that was made must not be forgotten.
            while let Some((number, call)) = submitting.next().await {
                noted = noted.and(self.note(calls, Some(number), call));
            }
            noted?;
        }
        if calls.last.is_none() {
            self.submit_last(job, calls).await
        } else {
            Ok(())
        }
    }

    async fn submit_chunk(
        &self,
        job: &dyn RemoteJob,
        number: u32,
    ) -> (u32, Result<String, BridgeError>) {
        (
            number,
            self.modal
                .submit(self.app, Function::RunChunk, job.chunk(number))
                .await,
        )
    }

    async fn submit_last(&self, job: &dyn RemoteJob, calls: &mut SubmittedCalls) -> CliResult<()> {
        let (function, job) = job.last(calls);
        let call = self.modal.submit(self.app, function, job).await;
        self.note(calls, None, call)
    }

    fn note(
        &self,
        calls: &mut SubmittedCalls,
        chunk: Option<u32>,
        call: Result<String, BridgeError>,
    ) -> CliResult<()> {
        let call = call.map_err(|trouble| explain(&trouble))?;
        match chunk {
            Some(number) => drop(calls.chunks.insert(number, call.clone())),
            None => calls.last = Some(call.clone()),
        }
        self.run.note(&JournalEntry::Call { chunk, call })
    }

    /// Watches until the last call has ended.
    async fn see_through(
        &self,
        job: &dyn RemoteJob,
        calls: &mut SubmittedCalls,
    ) -> CliResult<Completion<CallResult>> {
        let progress = job.progress(self.screen);
        let came = tokio::select! {
            biased;
            () = self.stop.asked() => None,
            came = self.wait_for_last(job, calls) => Some(came),
            () = self.watch(job, &progress) => None,
        };
        progress.finish();
        match came {
            Some(came) => came,
            None => self.give_up(calls, CliError::interrupted()).await,
        }
    }

    /// What the last call gives. One that failed is followed by another: what is done stays done.
    async fn wait_for_last(
        &self,
        job: &dyn RemoteJob,
        calls: &mut SubmittedCalls,
    ) -> CliResult<Completion<CallResult>> {
        let (mut failed, mut away, who) = (0, 0, job.who());
        loop {
            let Some(call) = calls.last.clone() else {
                return Err(CliError::usage(format!("this run has no {who}")));
            };
            match self.modal.wait(&call).await {
                Ok(CallState::Pending) => away = 0,
                Ok(CallState::Done { result }) => {
                    return Ok(Completion::Home(CallResult::Result(result)));
                }
                Ok(CallState::Expired) => return Ok(Completion::Home(CallResult::Expired)),
                Ok(CallState::Cancelled) => {
                    return Err(CliError::new(
                        Exit::Interrupted,
                        "its calls were cancelled: run the same command again to go on",
                    ));
                }
                Ok(CallState::Failed { error }) => {
                    failed += 1;
                    self.run.note(&JournalEntry::Crashed {
                        chunk: 0,
                        attempt: failed,
                        why: error.clone(),
                    })?;
                    if failed == LAST_CALLS {
                        return Err(CliError::new(
                            Exit::Incomplete,
                            format!("the {who} died {LAST_CALLS} times: {error}"),
                        ));
                    }
                    self.submit_last(job, calls).await?;
                }
                Err(trouble) if trouble.may_pass() => {
                    self.wait_for_modal(&trouble, away).await;
                    away += 1;
                }
                Err(trouble) => return Ok(Completion::Away(Some(explain(&trouble)))),
            }
        }
    }

    /// Waits before Modal is asked again; says so the first time.
    async fn wait_for_modal(&self, trouble: &BridgeError, times: u32) {
        if times == 0 {
            self.screen.status(format!("Modal does not answer; the work goes on there, and it is asked again and again: {}", trouble.message));
        }
        tokio::time::sleep(PATIENCE).await;
    }

    /// Shows what the containers print, for as long as someone looks. Logs are a comfort: nothing depends on them.
    async fn watch(&self, job: &dyn RemoteJob, progress: &Progress) {
        loop {
            let output = |line: Value| {
                if line["chunk"].is_null() {
                    job.hear(progress, &line)
                } else {
                    hear(progress, &line)
                }
            };
            if let Err(trouble) = self
                .modal
                .logs(self.app, self.run.id(), Follow::Yes, output)
                .await
            {
                tracing::warn!("Modal's logs: {}", trouble.message);
            }
            tokio::time::sleep(PATIENCE).await;
        }
    }

    /// Seconds that the chunks of these receipts took together, with as many containers at a time as there may be.
    pub fn seconds(&self, receipts: &[Receipt]) -> f64 {
        let at_once = self.containers.min(receipts.len() as u64).max(1);
        receipts.iter().map(|receipt| receipt.seconds).sum::<f64>() / at_once as f64
    }
}

/// What the last call gave.
#[derive(Debug)]
pub enum CallResult {
    /// This.
    Result(Value),
    /// It has ended, and what it gave is gone.
    Expired,
}

/// How a run in the cloud came out, as seen from here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Completion<T = ()> {
    /// It has ended.
    Home(T),
    /// It works on without anyone here; and why, if nobody asked for that.
    Away(Option<CliError>),
}

/// Whether someone here waits for the cloud.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DetachMode {
    /// Until all is done.
    Attached,
    /// Not after all is submitted.
    Detached,
}

impl DetachMode {
    /// What `--detach` asks for on this engine.
    ///
    /// # Errors
    /// The work would end with this process.
    pub fn of(detach: bool, on: EngineKind) -> CliResult<Self> {
        match (detach, on) {
            (true, EngineKind::Modal) => Ok(Self::Detached),
            (true, _) => Err(CliError::usage(
                "--detach needs --on modal: elsewhere the work ends with this process",
            )),
            (false, _) => Ok(Self::Attached),
        }
    }
}

/// Cancels every call. What can't be cancelled has ended, or is said.
///
/// # Errors
/// Modal refuses or can't be reached.
pub async fn cancel(modal: &Modal, calls: &SubmittedCalls) -> CliResult<()> {
    let (mut told, mut made) = (Ok(()), Vec::new());
    if let Some(last) = &calls.last {
        // Told, it cancels the calls that it made itself; those of an earlier try only Modal knows of.
        told = modal.cancel(last, CancelMode::Graceful).await;
        made = modal.made_by(last).await.unwrap_or_default();
    }
    let made: Vec<String> = made.into_iter().map(|made| made.call).collect();
    let others = cancel_all(modal, made.iter().chain(calls.chunks.values())).await;
    told.and(others).map_err(|trouble| explain(&trouble))
}

async fn cancel_all(
    modal: &Modal,
    calls: impl IntoIterator<Item = &String>,
) -> Result<(), BridgeError> {
    let cancelled = stream::iter(calls)
        .map(|call| modal.cancel(call, CancelMode::Immediate))
        .buffered(AT_ONCE);
    cancelled.collect::<Vec<_>>().await.into_iter().collect()
}

/// The app of a run in the cloud, and how many containers it may have.
pub fn deployed(journal: &[JournalEntry]) -> Option<(String, u64)> {
    journal.iter().rev().find_map(|entry| match entry {
        JournalEntry::Deployed { app, containers } => Some((app.clone(), *containers)),
        _ => None,
    })
}

/// That something is gone by which a run in the cloud could be attended.
pub fn lost(record: &RunRecord, what: &str) -> CliError {
    let line = format!(
        "run {} has lost {what}: run the same command again; what is there is not sent again",
        record.id
    );
    CliError::new(Exit::Incomplete, line)
}

/// A container's line: an event of a chunk's worker, or its log.
fn hear(progress: &Progress, line: &Value) {
    let Some(chunk) = line["chunk"]
        .as_u64()
        .and_then(|chunk| u32::try_from(chunk).ok())
    else {
        return;
    };
    if line["event"] == "ended" {
        progress.rest(chunk);
    } else if let Ok(event) = serde_json::from_value::<Event>(line.clone()) {
        progress.hear(chunk, &event);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_those_of_the_journal_and_a_later_word_wins() {
        let call = |chunk, call: &str| JournalEntry::Call {
            chunk,
            call: call.to_owned(),
        };
        let journal = [
            call(Some(0), "fc-a"),
            call(Some(1), "fc-b"),
            call(None, "fc-f"),
            call(Some(1), "fc-c"),
            call(None, "fc-g"),
        ];
        let calls = SubmittedCalls::of(&journal);
        assert_eq!(calls.all().collect::<Vec<_>>(), ["fc-g", "fc-a", "fc-c"]);
    }
}
