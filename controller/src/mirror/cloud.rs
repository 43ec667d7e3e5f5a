//! A mirroring in the cloud: one call that scans, has the LFS objects copied by others, and pushes. Nobody here is needed for it;
//! what it gives becomes the report of whoever attends it.

use std::sync::atomic::{AtomicBool, Ordering};

use hf2ms_worker::plan::Plan;
use hf2ms_worker::protocol::{Event, Exit, PlanSummary, ScanJob};
use serde_json::Value;

use super::report::MirrorReport;
use super::scan_report::{ScanSummary, follow};
use super::work::{MirrorRunResult, settle};
use crate::engine::job::Ended;
use crate::engine::modal::{Function, Mirrored, Modal, Part, RESULTS_LAST};
use crate::engine::queue::ChunkResults;
use crate::engine::remote::{
    CallResult, Completion, DetachMode, RemoteJob, RemoteRun, SubmittedCalls, deployed, lost,
};
use crate::runs::{JournalEntry, RunRecord, Runs, now};
use crate::settings::{Settings, environment, state_dir};
use crate::stop::Stop;
use crate::ui::errors::{CliError, CliResult};
use crate::ui::progress::{Amount, Progress};
use crate::ui::screen::Screen;

/// The file of a run that holds its job.
pub const JOB: &str = "mirror.json";

/// One mirroring in the cloud.
pub struct ModalMirror<'a> {
    cloud: RemoteRun<'a>,
    job: &'a ScanJob,
    /// Whether it was said what the scan found.
    told: AtomicBool,
}

impl RemoteJob for ModalMirror<'_> {
    /// The only call: which chunks there are it finds out, and it makes theirs itself.
    fn last(&self, _calls: &SubmittedCalls) -> (Function, Value) {
        (
            Function::Mirror,
            serde_json::to_value(self.job).unwrap_or_default(),
        )
    }

    fn who(&self) -> &'static str {
        "mirror"
    }

    fn progress(&self, screen: &Screen) -> Progress {
        Progress::new(screen, "mirroring", Amount::default())
    }

    fn hear(&self, progress: &Progress, line: &Value) {
        if let ("scanned", Ok(found)) = (
            line["event"].as_str().unwrap_or_default(),
            serde_json::from_value::<ScanSummary>(line.clone()),
        ) {
            self.tell(found);
        }
        match serde_json::from_value::<Event>(line.clone()) {
            Ok(Event::Planned(PlanSummary {
                blobs, blob_bytes, ..
            })) => progress.aim(Amount {
                files: blobs,
                bytes: blob_bytes,
            }),
            Ok(event @ (Event::Retry { .. } | Event::Failed { .. })) => progress.hear(0, &event),
            _ => (),
        }
    }
}

impl<'a> ModalMirror<'a> {
    /// A mirroring that is done there.
    pub fn new(cloud: RemoteRun<'a>, job: &'a ScanJob) -> Self {
        Self {
            cloud,
            job,
            told: AtomicBool::new(false),
        }
    }

    /// Submits it unless `calls` has it, and sees it through, unless nobody here should wait.
    ///
    /// # Errors
    /// As [`RemoteRun::work`]; or what ended it there.
    pub async fn work(
        &self,
        calls: SubmittedCalls,
        watch: DetachMode,
    ) -> CliResult<Completion<MirrorRunResult>> {
        match self.cloud.work(self, calls, watch).await? {
            Completion::Home(CallResult::Result(given)) => self.gather(given).map(Completion::Home),
            Completion::Home(CallResult::Expired) => {
                let days = RESULTS_LAST.as_secs() / 86_400;
                let line = format!(
                    "Modal keeps results for about {days} days, and this run's are gone: run the same command again"
                );
                Err(CliError::new(Exit::Incomplete, line))
            }
            Completion::Away(why) => Ok(Completion::Away(why)),
        }
    }

    /// Says what the scan found, once.
    fn tell(&self, found: ScanSummary) {
        if !self.told.swap(true, Ordering::Relaxed) {
            found.print(self.cloud.screen);
        }
    }

    fn gather(&self, given: Value) -> CliResult<MirrorRunResult> {
        let bad = |error: serde_json::Error| {
            CliError::new(
                Exit::Incomplete,
                format!("the mirror says what nobody expects: {error}"),
            )
        };
        let given: Mirrored = serde_json::from_value(given).map_err(bad)?;
        let output = given.own.output();
        let (Some(scan), landed) = (output.scan, output.landed) else {
            return Err(given.own.ended().into_error("mirror"));
        };
        scan.warnings
            .iter()
            .for_each(|warning| self.cloud.screen.warn(warning));
        self.tell(ScanSummary::of(&scan));
        let steps = follow(self.job, &scan, self.cloud.screen)?;
        let carried = self.carried(&steps.plan, &given)?;
        let mut work = MirrorRunResult::new(scan);
        work.carried(&steps.plan, carried)?;
        if steps.push.is_some() && landed.is_none() {
            return Err(given.own.ended().into_error("mirror"));
        }
        Ok(MirrorRunResult { landed, ..work })
    }

    /// What became of the chunks, those of an earlier try with them.
    fn carried(&self, plan: &Plan, given: &Mirrored) -> CliResult<ChunkResults> {
        let mut carried = ChunkResults::default();
        for (number, part) in &given.chunks {
            let ended = part.ended();
            carried.lost += u64::from(matches!(ended, Ended::Crashed(..)));
            let receipt = carried.take(plan, *number, ended);
            carried.receipts.push(receipt);
        }
        carried
            .receipts
            .extend(given.before.iter().filter_map(Part::receipt));
        carried
            .receipts
            .iter()
            .try_for_each(|receipt| self.cloud.run.note(&JournalEntry::Chunk(receipt.clone())))?;
        carried.seconds = self.cloud.seconds(&carried.receipts);
        Ok(carried)
    }
}

/// Watches a detached mirroring until it has ended; `None` if it goes on without anyone here.
///
/// # Errors
/// Modal refuses or can't be reached: it works on, unless it was stopped.
pub async fn attach(
    record: &RunRecord,
    runs: &Runs,
    settings: &Settings,
    screen: &Screen,
    stop: &Stop,
) -> CliResult<Option<MirrorReport>> {
    let job: ScanJob = runs
        .read(&record.id, JOB)
        .ok_or_else(|| lost(record, "its job"))?;
    let journal = runs.journal(&record.id);
    let (app, containers) =
        deployed(&journal).ok_or_else(|| lost(record, "the name of its app"))?;
    let run = runs.resume(record)?;
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
        ModalMirror::new(cloud, &job)
            .work(SubmittedCalls::of(&journal), DetachMode::Attached)
            .await
    };
    let came = came.await;
    settle(run, &job, came, now().saturating_sub(record.started) as f64)
}
