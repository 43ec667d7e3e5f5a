//! A copy in the cloud: a call for each chunk, and the call of a finalizer, which waits for them, commits and verifies.

use hf2ms_worker::plan::Plan;
use hf2ms_worker::protocol::{Deletion, Receipt, VERSION, VerifyLevel};
use hf2ms_worker::verbs::finalize::FinalizeJob;
use serde_json::{Value, json};

use crate::binaries::{WORKER, find};
use crate::copy::outcome::RunResult;
use crate::copy::sync_state::{StandsAt, save_proof};
use crate::engine::job;
use crate::engine::local::Local;
use crate::engine::modal::{Finalized, Function, RESULTS_KEPT};
use crate::engine::remote::attach::{Attachment, incomplete};
use crate::engine::remote::calls::SubmittedCalls;
use crate::engine::remote::{CallResult, Completion, DetachMode, RemoteJob, RemoteRun};
use crate::runs::report::Report;
use crate::runs::{RunRecord, Runs, State};
use crate::settings::Settings;
use crate::stop::Stop;
use crate::ui::errors::CliResult;
use crate::ui::progress::{Amount, Progress};
use crate::ui::screen::Screen;

/// The copy of one repo on Modal.
pub struct ModalCopy<'a> {
    /// The run in the cloud.
    pub cloud: RemoteRun<'a>,
    /// What it copies.
    pub plan: &'a Plan,
    /// Endpoints, tokens and the HTTP client.
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

    fn name(&self) -> &'static str {
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
    /// Submits the calls that `calls` lacks, and waits for the result unless `watch` says otherwise.
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
            Completion::Finished(CallResult::Result(given)) => self.gather(given, work)?,
            Completion::Finished(CallResult::Expired) => self.compare_from_here(work).await?,
            Completion::Detached(why) => return Ok(Completion::Detached(why)),
        }
        Ok(Completion::Finished(()))
    }

    /// Compares both sides from here, because the finalizer's result has expired.
    async fn compare_from_here(&self, work: &mut RunResult) -> CliResult<()> {
        let RemoteRun {
            run, screen, stop, ..
        } = self.cloud;
        let days = RESULTS_KEPT.as_secs() / 86_400;
        screen.warn(format!("Modal keeps results for about {days} days, and this run's are gone: both sides are compared from here"));
        let (binary, logs) = (find(WORKER)?, Some(run.path().join("logs")));
        let (source, destination) = (self.plan.source.hub, self.plan.destination.hub);
        let engine = Local {
            binary,
            workers: 1,
            logs,
            settings: self.settings.of_job(source, destination),
            stop: stop.clone(),
        };
        let mut job = self.plan.verify_job(run.id(), &[], &[]);
        job.options.verify = VerifyLevel::Listing;
        work.verification = Some(job::verify(&engine, &job, screen, run).await?);
        Ok(())
    }

    fn gather(&self, given: Value, work: &mut RunResult) -> CliResult<()> {
        let run = self.cloud.run;
        let given: Finalized = self.cloud.read(self, given)?;
        let carried = self.cloud.gather(self.plan, &given.chunks, &[])?;
        work.seconds = carried.seconds;
        work.failed = self.plan.unsent(&carried.receipts);
        (work.receipts, work.lost) = (carried.receipts, carried.lost);
        work.finalized(run, given.own.output())?;
        work.ended_by = work.ended_by.take().or(carried.ended_by);
        work.check(self.plan, self.settings)
    }
}

/// Waits for a detached run until it has ended, and prints its report; `None` if it works on without this process.
///
/// # Errors
/// Modal refuses or can't be reached: the run works on, unless a stop was asked for.
pub async fn attach(
    record: &RunRecord,
    runs: &Runs,
    settings: &Settings,
    screen: &Screen,
    stop: &Stop,
) -> CliResult<Option<Report>> {
    let plan: Plan = runs
        .read(&record.id, "plan.json")
        .ok_or_else(|| incomplete(record, "its plan"))?;
    let mut attachment = Attachment::of(record, runs)?;
    let mut work = RunResult::default();
    let completion = attachment
        .work(settings, screen, stop, async |cloud, calls| {
            let copy = ModalCopy {
                cloud,
                plan: &plan,
                settings,
            };
            copy.work(calls, DetachMode::Attached, &mut work).await
        })
        .await;
    let done = match completion {
        Ok(Completion::Finished(())) => Ok(()),
        Ok(Completion::Detached(why)) => {
            return attachment.run.detach().and(why.map_or(Ok(None), Err));
        }
        Err(failure) => Err(failure),
    };
    if done.is_ok() {
        let (run, verified) = ((&plan, &attachment.run), work.verification.as_ref());
        save_proof(run, verified, StandsAt::Asked, settings, runs).await?;
    }
    let state = State::of(&done);
    let Attachment {
        containers,
        seconds,
        ..
    } = attachment;
    if let Err(failure) = &done {
        attachment.run.because(&failure.to_string(), screen);
    }
    let run = &mut attachment.run;
    let report = work.conclude(&plan, run, state, containers, seconds, screen)?;
    done?;
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
