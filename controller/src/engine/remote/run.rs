//! How the calls of a run are submitted, waited for and gathered.

use std::collections::BTreeMap;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use hf2ms_worker::plan::Plan;
use hf2ms_worker::protocol::{Event, Exit};
use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::calls::{AT_ONCE, SubmittedCalls, cancel};
use super::{CallResult, Completion, DetachMode, RemoteJob};
use crate::engine::chunk_results::ChunkResults;
use crate::engine::job::{ATTEMPTS, Ended};
use crate::engine::modal::bridge::BridgeError;
use crate::engine::modal::{CallEnd, ChunkEnd, Follow, Function, Modal, UNAVAILABLE, explain};
use crate::runs::{JournalEntry, RunDir};
use crate::stop::Stop;
use crate::ui::errors::{CliError, CliResult};
use crate::ui::nouns::counted;
use crate::ui::progress::Progress;
use crate::ui::screen::Screen;

/// A run in the cloud, as this process submits and waits for it.
pub struct RemoteRun<'a> {
    /// Modal, reached.
    pub modal: &'a Modal,
    /// The app that does the work.
    pub app: &'a str,
    /// Containers that it may have at a time.
    pub containers: u64,
    /// The run's folder.
    pub run: &'a RunDir,
    /// Where messages go.
    pub screen: &'a Screen,
    /// When to stop.
    pub stop: &'a Stop,
}

/// The calls of a run are submitted to Modal.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(tag = "event", rename = "submitted")]
pub struct SubmittedEvent<'a> {
    /// The run's id.
    run: &'a str,
    /// The app that works.
    app: &'a str,
    /// The number of calls: one a chunk, and the last one.
    calls: usize,
}

impl RemoteRun<'_> {
    /// Submits the calls that `calls` lacks, and waits for the last one unless the run is to be detached. All calls are
    /// cancelled when one can't be submitted, and when a stop is asked for.
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
            DetachMode::Detached => Ok(Completion::Detached(None)),
            DetachMode::Attached => self.wait(job, &mut calls).await,
        }
    }

    fn say_submitted(&self, job: &dyn RemoteJob, calls: &SubmittedCalls) {
        self.screen.json(&SubmittedEvent {
            run: self.run.id(),
            app: self.app,
            calls: calls.all().count(),
        });
        let (run, name) = (self.run.id(), job.name());
        self.screen.status(match calls.chunks.len() {
            0 => format!("run {run}: the {name} is submitted to Modal"),
            chunks => {
                let chunks = counted(chunks as u64, "chunk");
                format!("run {run}: {chunks} and the {name} are submitted to Modal")
            }
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
                Ok(Completion::Detached(Some(CliError::new(
                    failure.exit(),
                    line,
                ))))
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
            // Each reply is read, also after an error: a call that was submitted must be in the journal.
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
        let call = call.map_err(|error| explain(&error))?;
        match chunk {
            Some(number) => drop(calls.chunks.insert(number, call.clone())),
            None => calls.last = Some(call.clone()),
        }
        self.run.note(&JournalEntry::Call { chunk, call })
    }

    /// Waits until the last call has ended, and shows the progress.
    async fn wait(
        &self,
        job: &dyn RemoteJob,
        calls: &mut SubmittedCalls,
    ) -> CliResult<Completion<CallResult>> {
        let progress = job.progress(self.screen);
        let completion = tokio::select! {
            biased;
            () = self.stop.asked() => None,
            completion = self.wait_for_last(job, calls) => Some(completion),
            () = self.follow_logs(job, &progress) => None,
        };
        progress.finish();
        match completion {
            Some(completion) => completion,
            None => self.give_up(calls, CliError::interrupted()).await,
        }
    }

    /// The result of the last call. One that failed is submitted again: finished chunks stay finished.
    async fn wait_for_last(
        &self,
        job: &dyn RemoteJob,
        calls: &mut SubmittedCalls,
    ) -> CliResult<Completion<CallResult>> {
        let (mut failed, name) = (0, job.name());
        loop {
            let Some(call) = calls.last.clone() else {
                return Err(CliError::usage(format!(
                    "this run has no call of {name}: run the same command again"
                )));
            };
            match self
                .modal
                .poll_until_ended(&call, |error| self.unavailable(error))
                .await
            {
                Ok(CallEnd::Done(result)) => {
                    return Ok(Completion::Finished(CallResult::Result(result)));
                }
                Ok(CallEnd::Expired) => return Ok(Completion::Finished(CallResult::Expired)),
                Ok(CallEnd::Cancelled) => {
                    return Err(CliError::new(
                        Exit::Interrupted,
                        "its calls were cancelled: run the same command again to go on",
                    ));
                }
                Ok(CallEnd::Failed(error)) => {
                    failed += 1;
                    self.run.note_crash(failed, &error)?;
                    if failed == ATTEMPTS {
                        return Err(CliError::new(
                            Exit::Incomplete,
                            format!(
                                "the {name} died {ATTEMPTS} times: {error}; see hf2ms logs last, then run the same command again"
                            ),
                        ));
                    }
                    self.submit_last(job, calls).await?;
                }
                Err(error) => return Ok(Completion::Detached(Some(explain(&error)))),
            }
        }
    }

    fn unavailable(&self, error: &BridgeError) {
        self.screen.status(format!(
            "Modal does not answer; the work goes on there, and it is asked again and again: {}",
            error.message
        ));
    }

    /// Shows the progress that the containers log, until it is dropped. The result does not depend on the logs.
    async fn follow_logs(&self, job: &dyn RemoteJob, progress: &Progress) {
        loop {
            let on_line = |line: Value| {
                if line["chunk"].is_null() {
                    job.hear(progress, &line)
                } else {
                    hear(progress, &line)
                }
            };
            if let Err(error) = self
                .modal
                .logs(self.app, self.run.id(), Follow::Yes, on_line)
                .await
            {
                tracing::warn!("Modal's logs: {}", error.message);
            }
            tokio::time::sleep(UNAVAILABLE).await;
        }
    }

    /// The value of the last call as its own type.
    ///
    /// # Errors
    /// It is of another form.
    pub fn read<T: DeserializeOwned>(&self, job: &dyn RemoteJob, value: Value) -> CliResult<T> {
        serde_json::from_value(value).map_err(|error| {
            let line = format!(
                "the result of {} can't be read: {error}; run the same command again",
                job.name()
            );
            CliError::new(Exit::Incomplete, line)
        })
    }

    /// The results of the chunks, and those of `earlier` attempts of the last call. Each receipt is noted in the journal.
    ///
    /// # Errors
    /// The journal can't be written.
    pub fn gather(
        &self,
        plan: &Plan,
        chunks: &BTreeMap<u32, ChunkEnd>,
        earlier: &[ChunkEnd],
    ) -> CliResult<ChunkResults> {
        let mut results = ChunkResults::default();
        for (number, chunk) in chunks {
            let ended = chunk.ended();
            results.lost += u64::from(matches!(ended, Ended::Crashed(..)));
            let receipt = results.take(plan, *number, ended);
            results.receipts.push(receipt);
        }
        let earlier = earlier.iter().filter_map(ChunkEnd::receipt);
        results.receipts.extend(earlier);
        let receipts = results.receipts.iter();
        receipts
            .clone()
            .try_for_each(|receipt| self.run.note(&JournalEntry::Chunk(receipt.clone())))?;
        // As many containers at a time as there may be.
        let at_once = self.containers.min(receipts.len() as u64).max(1);
        results.seconds = receipts.map(|receipt| receipt.seconds).sum::<f64>() / at_once as f64;
        Ok(results)
    }
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
