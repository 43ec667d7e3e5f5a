//! A migration in the cloud: every chunk a call, and one finalizer that waits for them all, commits and verifies. Calls outlive
//! this process; whoever has the run's journal can attend them, from anywhere.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::stream::FuturesUnordered;
use futures_util::{StreamExt, stream};
use hf2ms_worker::finalize::FinalizeJob;
use hf2ms_worker::plan::Plan;
use hf2ms_worker::protocol::{Event, Exit, VERSION};
use serde_json::{Value, json};

use crate::binaries::{WORKER, find};
use crate::engine::Ended;
use crate::engine::local::Local;
use crate::engine::modal::bridge::Trouble;
use crate::engine::modal::{Finalized, Follow, Function, Modal, RESULTS_LAST, Standing, explain};
use crate::engine::queue::Carried;
use crate::explain::{Failure, Outcome};
use crate::migration::{in_words, verify_with};
use crate::progress::{Done, Progress};
use crate::run_dir::{Entry, RunDir};
use crate::screen::Screen;
use crate::settings::Settings;
use crate::stop::Stop;
use crate::work::Work;

/// Requests to Modal at a time.
pub const AT_ONCE: usize = 16;
/// Finalizers that may fail before it is said.
const FINALIZERS: u32 = 3;
/// Between two tries to reach Modal.
const PATIENCE: Duration = Duration::from_secs(10);

/// One run in the cloud, and who watches it from here.
pub struct Cloud<'a> {
    /// Modal, reached.
    pub modal: &'a Modal,
    /// The app that does the work.
    pub app: &'a str,
    /// Containers that it may have at a time.
    pub containers: u64,
    /// What is done.
    pub plan: &'a Plan,
    /// Its folder.
    pub run: &'a RunDir,
    /// How the hubs are reached.
    pub settings: &'a Settings,
    /// Where words go.
    pub screen: &'a Screen,
    /// When to stop.
    pub stop: &'a Stop,
}

/// What was submitted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Calls {
    /// A call a chunk.
    pub chunks: BTreeMap<u32, String>,
    /// The finalizer's.
    pub finalizer: Option<String>,
}

impl Calls {
    /// Those of a journal; a later word wins.
    pub fn of(journal: &[Entry]) -> Self {
        let mut calls = Self::default();
        for entry in journal {
            match entry {
                Entry::Call { chunk: Some(chunk), call } => drop(calls.chunks.insert(*chunk, call.clone())),
                Entry::Call { chunk: None, call } => calls.finalizer = Some(call.clone()),
                _ => (),
            }
        }
        calls
    }

    /// All of them, the finalizer first: cancelled, it waits for nobody any more.
    pub fn all(&self) -> impl Iterator<Item = &String> {
        self.finalizer.iter().chain(self.chunks.values())
    }
}

impl Cloud<'_> {
    /// Submits what `calls` lacks and sees the run through, unless nobody here should wait. What was submitted is cancelled
    /// if the rest can't be, and when it is stopped.
    ///
    /// # Errors
    /// Modal refuses, the journal can't be written, or it was stopped: nothing works on.
    pub async fn work(&self, mut calls: Calls, watch: Watch, work: &mut Work) -> Outcome<Came> {
        let known = calls.all().count();
        if let Err(failure) = self.submit(&mut calls).await {
            return self.give_up(&calls, failure).await;
        }
        if calls.all().count() > known {
            self.say_submitted(&calls);
        }
        match watch {
            Watch::Detached => Ok(Came::Away(None)),
            Watch::Attached => self.see_through(&mut calls, work).await,
        }
    }

    fn say_submitted(&self, calls: &Calls) {
        self.screen.tell(&json!({"event": "submitted", "run": self.run.id(), "app": self.app, "calls": calls.all().count()}));
        self.screen.say(format!("run {}: {} chunks and their finalizer are submitted to Modal", self.run.id(), calls.chunks.len()));
    }

    /// Cancels everything, because of `failure`.
    async fn give_up(&self, calls: &Calls, failure: Failure) -> Outcome<Came> {
        match cancel(self.modal, calls).await {
            Ok(()) => Err(failure),
            Err(why) => {
                let line = format!(
                    "{failure}; what was submitted works on, because it can't be cancelled now: hf2ms stop {} ({why})",
                    self.run.id()
                );
                Ok(Came::Away(Some(Failure::new(failure.exit(), line))))
            }
        }
    }

    /// Every chunk that has no call, then the finalizer. Each call is in the journal as soon as it is known.
    async fn submit(&self, calls: &mut Calls) -> Outcome<()> {
        let numbers = 0..u32::try_from(self.plan.chunks.len()).unwrap_or(u32::MAX);
        let missing: Vec<u32> = numbers.filter(|number| !calls.chunks.contains_key(number)).collect();
        for group in missing.chunks(AT_ONCE) {
            if self.stop.is_asked() {
                return Err(Failure::interrupted());
            }
            let mut submitting: FuturesUnordered<_> = group.iter().map(|number| self.submit_chunk(*number)).collect();
            let mut noted = Ok(());
            // Each is heard out, whatever comes of the others: a call that was made must not be forgotten.
            while let Some((number, call)) = submitting.next().await {
                noted = noted.and(self.note(calls, Some(number), call));
            }
            noted?;
        }
        if calls.finalizer.is_none() { self.submit_finalizer(calls).await } else { Ok(()) }
    }

    async fn submit_chunk(&self, number: u32) -> (u32, Result<String, Trouble>) {
        let job = serde_json::to_value(self.plan.chunk(self.run.id(), number)).unwrap_or_default();
        (number, self.modal.submit(self.app, Function::RunChunk, job).await)
    }

    async fn submit_finalizer(&self, calls: &mut Calls) -> Outcome<()> {
        let (run, plan) = (self.run.id().to_owned(), self.plan.clone());
        // A finalizer that was preempted begins again: it has to look at what the first one wrote.
        let job = FinalizeJob { version: VERSION, run, plan, receipts: Vec::new(), look: true };
        let call = self.modal.submit(self.app, Function::Finalize, json!({"calls": calls.chunks, "job": job})).await;
        self.note(calls, None, call)
    }

    fn note(&self, calls: &mut Calls, chunk: Option<u32>, call: Result<String, Trouble>) -> Outcome<()> {
        let call = call.map_err(|trouble| explain(&trouble))?;
        match chunk {
            Some(number) => drop(calls.chunks.insert(number, call.clone())),
            None => calls.finalizer = Some(call.clone()),
        }
        self.run.note(&Entry::Call { chunk, call })
    }

    /// Attends, and takes what the finalizer gives; compares both sides from here if that is gone.
    async fn see_through(&self, calls: &mut Calls, work: &mut Work) -> Outcome<Came> {
        match self.attend(calls).await? {
            Given::Result(given) => self.gather(given, work)?,
            Given::Expired => self.compare_from_here(work).await?,
            Given::Stopped => return self.give_up(calls, Failure::interrupted()).await,
            Given::OutOfReach(failure) => return Ok(Came::Away(Some(failure))),
        }
        Ok(Came::Home)
    }

    async fn compare_from_here(&self, work: &mut Work) -> Outcome<()> {
        let days = RESULTS_LAST.as_secs() / 86_400;
        self.screen.warn(format!("Modal keeps results for about {days} days, and this run's are gone: both sides are compared from here"));
        let (binary, logs) = (find(WORKER)?, Some(self.run.path().join("logs")));
        let engine = Local { binary, workers: 1, logs, settings: self.settings.clone(), stop: self.stop.clone() };
        let job = self.plan.verify_job(self.run.id(), &[], &[]);
        work.verification = Some(verify_with(&engine, &job, self.screen, self.run).await?);
        Ok(())
    }

    /// Watches until the finalizer has ended.
    async fn attend(&self, calls: &mut Calls) -> Outcome<Given> {
        let summary = self.plan.summary();
        let progress = Progress::new(self.screen, "copying", Done { files: summary.blobs, bytes: summary.blob_bytes });
        let given = tokio::select! {
            biased;
            () = self.stop.asked() => Ok(Given::Stopped),
            given = self.finalizer(calls) => given,
            () = self.watch(&progress) => Ok(Given::Stopped),
        };
        progress.finish();
        given
    }

    /// What the finalizer gives. One that failed is followed by another: what is done stays done.
    async fn finalizer(&self, calls: &mut Calls) -> Outcome<Given> {
        let (mut failed, mut away) = (0, 0);
        loop {
            let Some(call) = calls.finalizer.clone() else { return Err(Failure::usage("this run has no finalizer")) };
            match self.modal.wait(&call).await {
                Ok(Standing::Pending) => away = 0,
                Ok(Standing::Done { result }) => return Ok(Given::Result(result)),
                Ok(Standing::Expired) => return Ok(Given::Expired),
                Ok(Standing::Cancelled) => {
                    return Err(Failure::new(Exit::Interrupted, "its calls were cancelled: run the same command again to go on"));
                }
                Ok(Standing::Failed { error }) => {
                    failed += 1;
                    self.run.note(&Entry::Lost { chunk: 0, attempt: failed, why: error.clone() })?;
                    if failed == FINALIZERS {
                        return Err(Failure::new(Exit::Incomplete, format!("the finalizer died {FINALIZERS} times: {error}")));
                    }
                    self.submit_finalizer(calls).await?;
                }
                Err(trouble) if trouble.may_pass() => {
                    self.wait_for_modal(&trouble, away).await;
                    away += 1;
                    continue;
                }
                Err(trouble) => return Ok(Given::OutOfReach(explain(&trouble))),
            }
        }
    }

    /// Waits before Modal is asked again; says so the first time.
    async fn wait_for_modal(&self, trouble: &Trouble, times: u32) {
        if times == 0 {
            self.screen.say(format!("Modal does not answer; the work goes on there, and it is asked again and again: {}", trouble.message));
        }
        tokio::time::sleep(PATIENCE).await;
    }

    /// Shows what the containers print, for as long as someone looks. Logs are a comfort: nothing depends on them.
    async fn watch(&self, progress: &Progress) {
        loop {
            let heard = |line: Value| hear(progress, &line);
            if let Err(trouble) = self.modal.logs(self.app, self.run.id(), Follow::Yes, heard).await {
                tracing::warn!("Modal's logs: {}", trouble.message);
            }
            tokio::time::sleep(PATIENCE).await;
        }
    }

    fn gather(&self, given: Value, work: &mut Work) -> Outcome<()> {
        let bad = |error: serde_json::Error| Failure::new(Exit::Incomplete, format!("the finalizer says what nobody expects: {error}"));
        let given: Finalized = serde_json::from_value(given).map_err(bad)?;
        let mut carried = Carried::default();
        for (number, part) in &given.chunks {
            let ended = part.ended();
            carried.lost += u64::from(matches!(ended, Ended::Lost(..)));
            let receipt = carried.take(self.plan, *number, ended);
            self.run.note(&Entry::Chunk(receipt.clone()))?;
            carried.receipts.push(receipt);
        }
        let at_once = self.containers.min(carried.receipts.len() as u64).max(1);
        work.seconds = carried.receipts.iter().map(|receipt| receipt.seconds).sum::<f64>() / at_once as f64;
        work.failed = self.plan.unsent(&carried.receipts);
        (work.receipts, work.lost) = (carried.receipts, carried.lost);
        let heard = given.own.heard();
        let (failure, verification) = (heard.failure.clone(), heard.verification.clone());
        work.committed(self.run, heard, false)?;
        work.verification = verification;
        match failure.or_else(|| carried.ended_by.clone()) {
            Some((kind, error)) => Err(in_words(self.plan, self.settings, kind, &error)),
            None => Ok(()),
        }
    }
}

/// What became of the finalizer.
enum Given {
    /// It gave this.
    Result(Value),
    /// It has ended, and what it gave is gone.
    Expired,
    /// It works, and should not any more.
    Stopped,
    /// It works on, out of reach.
    OutOfReach(Failure),
}

/// Whether someone here waits for the cloud.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Watch {
    /// Until all is done.
    Attached,
    /// Not after all is submitted.
    Detached,
}

/// How a run in the cloud came out, as seen from here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Came {
    /// It has ended.
    Home,
    /// It works on without anyone here; and why, if nobody asked for that.
    Away(Option<Failure>),
}

/// Cancels every call. What can't be cancelled has ended, or is said.
///
/// # Errors
/// Modal refuses or can't be reached.
pub async fn cancel(modal: &Modal, calls: &Calls) -> Outcome<()> {
    let cancelled: Vec<Result<(), Trouble>> = stream::iter(calls.all()).map(|call| modal.cancel(call)).buffered(AT_ONCE).collect().await;
    cancelled.into_iter().collect::<Result<(), Trouble>>().map_err(|trouble| explain(&trouble))
}

/// A container's line: an event of a chunk's worker, or its log.
fn hear(progress: &Progress, line: &Value) {
    let Some(chunk) = line["chunk"].as_u64().and_then(|chunk| u32::try_from(chunk).ok()) else { return };
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
        let call = |chunk, call: &str| Entry::Call { chunk, call: call.to_owned() };
        let journal = [call(Some(0), "fc-a"), call(Some(1), "fc-b"), call(None, "fc-f"), call(Some(1), "fc-c"), call(None, "fc-g")];
        let calls = Calls::of(&journal);
        assert_eq!(calls.all().collect::<Vec<_>>(), ["fc-g", "fc-a", "fc-c"]);
    }
}
