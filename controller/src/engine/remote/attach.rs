//! Attaching to a run in the cloud from its journal: the same for copies and mirrors.

use hf2ms_worker::protocol::Exit;

use super::app::noted_app;
use super::calls::SubmittedCalls;
use super::{Completion, RemoteRun};
use crate::engine::modal::Modal;
use crate::runs::{RunDir, RunRecord, Runs, now};
use crate::settings::{Settings, environment, state_dir};
use crate::stop::Stop;
use crate::ui::errors::{CliError, CliResult};
use crate::ui::screen::Screen;

/// A run to attach to. While it exists, no other process can attach to the same run.
pub struct Attachment {
    /// The folder of the run.
    pub run: RunDir,
    /// Containers at a time.
    pub containers: u64,
    /// Seconds since the run began.
    pub seconds: f64,
    app: String,
    calls: SubmittedCalls,
}

impl Attachment {
    /// Locks the run, and reads its app and its calls from the journal.
    ///
    /// # Errors
    /// Another process holds the run; its journal names no app.
    pub fn of(record: &RunRecord, runs: &Runs) -> CliResult<Self> {
        let journal = runs.journal(&record.id);
        let (app, containers) =
            noted_app(&journal).ok_or_else(|| incomplete(record, "the name of its app"))?;
        Ok(Self {
            run: runs.resume(record)?,
            containers,
            seconds: now().saturating_sub(record.started) as f64,
            app,
            calls: SubmittedCalls::of(&journal),
        })
    }

    /// Connects to Modal and does `work` with the run and its submitted calls.
    ///
    /// # Errors
    /// Modal can't be reached; the error of `work`.
    pub async fn work<T>(
        &self,
        settings: &Settings,
        screen: &Screen,
        stop: &Stop,
        work: impl AsyncFnOnce(RemoteRun<'_>, SubmittedCalls) -> CliResult<Completion<T>>,
    ) -> CliResult<Completion<T>> {
        screen.enter_run(self.run.path());
        let (home, log) = (state_dir(&environment)?, self.run.log("bridge"));
        let modal = stop.unless(Modal::open(&home, &log, settings)).await?;
        let run = RemoteRun {
            modal: &modal,
            app: &self.app,
            containers: self.containers,
            run: &self.run,
            screen,
            stop,
        };
        work(run, self.calls.clone()).await
    }
}

/// The error for a run in the cloud whose folder lacks `what`.
pub fn incomplete(record: &RunRecord, what: &str) -> CliError {
    let line = format!(
        "run {} has lost {what}: run the same command again; what is there is not sent again",
        record.id
    );
    CliError::new(Exit::Incomplete, line)
}
