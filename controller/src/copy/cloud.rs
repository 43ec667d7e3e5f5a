//! A migration in the cloud: every chunk a call, and one finalizer that waits for them all, commits and verifies.

use hf2ms_worker::plan::Plan;
use hf2ms_worker::protocol::Deletion;
use hf2ms_worker::protocol::{Exit, Receipt, VERSION};
use hf2ms_worker::verbs::finalize::FinalizeJob;
use serde_json::{Value, json};

use crate::binaries::{WORKER, find};
use crate::copy::outcome::RunResult;
use crate::copy::run::in_words;
use crate::engine::job::{self, Ended};
use crate::engine::local::Local;
use crate::engine::modal::{Finalized, Function, Modal, RESULTS_LAST};
use crate::engine::queue::ChunkResults;
use crate::engine::remote::{
    CallResult, Completion, DetachMode, RemoteJob, RemoteRun, SubmittedCalls, deployed, lost,
};
use crate::runs::report::Report;
use crate::runs::{JournalEntry, RunRecord, Runs, State, now};
use crate::settings::{Settings, environment, state_dir};
use crate::stop::Stop;
use crate::ui::errors::{CliError, CliResult};
use crate::ui::progress::{Amount, Progress};
use crate::ui::screen::Screen;

/// One migration in the cloud.
pub struct ModalCopy<'a> {
    /// Where it is done.
    pub cloud: RemoteRun<'a>,
    /// What is done.
    pub plan: &'a Plan,
    /// How the hubs are reached.
    pub settings: &'a Settings,
}

impl RemoteJob for ModalCopy<'_> {
    fn chunks(&self) -> u32 {
        u32::try_from(self.plan.chunks.len()).unwrap_or(u32::MAX)
    }

    fn chunk(&self, number: u32) -> Value {
        serde_json::to_value(self.plan.chunk(self.cloud.run.id(), number)).unwrap_or_default()
    }

    fn last(&self, calls: &SubmittedCalls) -> (Function, Value) {
        let (run, plan, receipts): (_, _, &[Receipt]) =
            (self.cloud.run.id().to_owned(), self.plan, &[]);
        // A finalizer that was preempted begins again: it has to look at what the first one wrote.
        let job = FinalizeJob {
            version: VERSION,
            run,
            plan,
            receipts,
            relist: true,
            deletion: Deletion::default(),
        };
        (
            Function::Finalize,
            json!({"calls": calls.chunks, "job": job}),
        )
    }

    fn who(&self) -> &'static str {
        "finalizer"
    }

    fn progress(&self, screen: &Screen) -> Progress {
        let summary = self.plan.summary();
        Progress::new(
            screen,
            "copying",
            Amount {
                files: summary.blobs,
                bytes: summary.blob_bytes,
            },
        )
    }
}

impl ModalCopy<'_> {
    /// Submits what `calls` lacks and sees it through, unless nobody here should wait.
    ///
    /// # Errors
    /// As [`RemoteRun::work`]; or what ended it there.
    pub async fn work(
        &self,
        calls: SubmittedCalls,
        watch: DetachMode,
        work: &mut RunResult,
    ) -> CliResult<Completion> {
        match self.cloud.work(self, calls, watch).await? {
            Completion::Home(CallResult::Result(given)) => self.gather(given, work)?,
            Completion::Home(CallResult::Expired) => self.compare_from_here(work).await?,
            Completion::Away(why) => return Ok(Completion::Away(why)),
        }
        Ok(Completion::Home(()))
    }

    /// Compares both sides, because what the finalizer gave is gone.
    async fn compare_from_here(&self, work: &mut RunResult) -> CliResult<()> {
        let RemoteRun {
            run, screen, stop, ..
        } = self.cloud;
        let days = RESULTS_LAST.as_secs() / 86_400;
        screen.warn(format!("Modal keeps results for about {days} days, and this run's are gone: both sides are compared from here"));
        let (binary, logs) = (find(WORKER)?, Some(run.path().join("logs")));
        let engine = Local {
            binary,
            workers: 1,
            logs,
            settings: self.settings.clone(),
            stop: stop.clone(),
        };
        let job = self.plan.verify_job(run.id(), &[], &[]);
        work.verification = Some(job::verify(&engine, &job, screen, run).await?);
        Ok(())
    }

    fn gather(&self, given: Value, work: &mut RunResult) -> CliResult<()> {
        let run = self.cloud.run;
        let bad = |error: serde_json::Error| {
            CliError::new(
                Exit::Incomplete,
                format!("the finalizer says what nobody expects: {error}"),
            )
        };
        let given: Finalized = serde_json::from_value(given).map_err(bad)?;
        let mut carried = ChunkResults::default();
        for (number, part) in &given.chunks {
            let ended = part.ended();
            carried.lost += u64::from(matches!(ended, Ended::Crashed(..)));
            let receipt = carried.take(self.plan, *number, ended);
            run.note(&JournalEntry::Chunk(receipt.clone()))?;
            carried.receipts.push(receipt);
        }
        work.seconds = self.cloud.seconds(&carried.receipts);
        work.failed = self.plan.unsent(&carried.receipts);
        (work.receipts, work.lost) = (carried.receipts, carried.lost);
        work.finalized(run, given.own.output())?;
        match work.ended_by.clone().or(carried.ended_by) {
            Some((kind, error)) => Err(in_words(self.plan, self.settings, kind, &error)),
            None => Ok(()),
        }
    }
}

/// Waits for a detached run and shows its report; `None` if the run goes on in the cloud.
///
/// # Errors
/// Modal refuses or can't be reached: the run goes on there, unless it was stopped.
pub async fn attach(
    record: &RunRecord,
    runs: &Runs,
    settings: &Settings,
    screen: &Screen,
    stop: &Stop,
) -> CliResult<Option<Report>> {
    let plan: Plan = runs
        .read(&record.id, "plan.json")
        .ok_or_else(|| lost(record, "its plan"))?;
    let journal = runs.journal(&record.id);
    let (app, containers) =
        deployed(&journal).ok_or_else(|| lost(record, "the name of its app"))?;
    let mut run = runs.resume(record)?;
    let mut result = RunResult::default();
    let came = async {
        let modal = stop
            .unless(Modal::open(
                &state_dir(&environment)?,
                &run.log("bridge"),
                settings,
            ))
            .await?;
        let cloud = RemoteRun {
            modal: &modal,
            app: &app,
            containers,
            run: &run,
            screen,
            stop,
        };
        ModalCopy {
            cloud,
            plan: &plan,
            settings,
        }
        .work(
            SubmittedCalls::of(&journal),
            DetachMode::Attached,
            &mut result,
        )
        .await
    };
    let state = match came.await {
        Ok(Completion::Home(())) => Ok(State::Done),
        Ok(Completion::Away(why)) => return run.detach().and(why.map_or(Ok(None), Err)),
        Err(failure) => Err(failure),
    };
    let ended = match &state {
        Ok(state) => *state,
        Err(failure) if failure.exit() == Exit::Interrupted => State::Interrupted,
        Err(_) => State::Failed,
    };
    let seconds = now().saturating_sub(record.started) as f64;
    let report = result.conclude(&plan, &mut run, ended, containers, seconds)?;
    state?;
    report.print(screen);
    Ok(Some(report))
}

/// Prints the verbs that can be used on a run that goes on in the cloud.
pub fn show_verbs_of_run(run: &str, screen: &Screen) {
    let verbs = [
        ("status", "how far it is"),
        ("attach", "wait for it, and its report"),
        ("logs", "what its containers say"),
        ("stop", "end it"),
    ];
    screen.print("the cloud goes on by itself; from here, or another terminal, at any time:");
    verbs
        .iter()
        .for_each(|(verb, does)| screen.print(format!("  hf2ms {verb:<6} {run}   {does}")));
}
