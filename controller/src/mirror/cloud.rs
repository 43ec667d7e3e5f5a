//! A mirror run in the cloud: one call scans, makes the calls that copy the LFS objects, and pushes. It goes on without this process;
//! its result becomes the report of the process that waits for it.

use std::sync::atomic::{AtomicBool, Ordering};

use hf2ms_worker::protocol::{Event, PlanSummary, ScanJob};
use serde_json::Value;

use super::report::MirrorReport;
use super::scan_report::{ScanSummary, follow};
use super::work::{MirrorRunResult, settle};
use crate::engine::modal::{Function, Mirrored};
use crate::engine::remote::attach::{Attachment, incomplete};
use crate::engine::remote::calls::SubmittedCalls;
use crate::engine::remote::{Completion, DetachMode, RemoteJob, RemoteRun};
use crate::runs::{RunRecord, Runs};
use crate::settings::Settings;
use crate::settings::remedies::remedy_of_mirror;
use crate::stop::Stop;
use crate::ui::errors::CliResult;
use crate::ui::progress::{Amount, Progress};
use crate::ui::screen::Screen;

/// The file of a run's folder that holds its job.
pub const JOB: &str = "mirror.json";

/// A mirror run on Modal.
pub struct ModalMirror<'a> {
    cloud: RemoteRun<'a>,
    job: &'a ScanJob,
    /// Whether the scan's numbers were printed.
    told: AtomicBool,
}

impl RemoteJob for ModalMirror<'_> {
    /// The only call of the controller: it scans, and makes the calls of the chunks itself.
    fn last(&self, _calls: &SubmittedCalls) -> (Function, Value) {
        (
            Function::Mirror,
            serde_json::to_value(self.job).unwrap_or_default(),
        )
    }

    fn name(&self) -> &'static str {
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
            Ok(
                event @ (Event::Retry { .. }
                | Event::Paused { .. }
                | Event::PauseEnded { .. }
                | Event::Failed { .. }),
            ) => progress.hear(0, &event),
            _ => (),
        }
    }
}

impl<'a> ModalMirror<'a> {
    /// A mirror run with this job.
    pub fn new(cloud: RemoteRun<'a>, job: &'a ScanJob) -> Self {
        Self {
            cloud,
            job,
            told: AtomicBool::new(false),
        }
    }

    /// Submits the call unless `calls` has it, and waits for the result unless `watch` says otherwise.
    ///
    /// # Errors
    /// As [`RemoteRun::work`]; or what ended it there.
    pub async fn work(
        &self,
        calls: SubmittedCalls,
        watch: DetachMode,
    ) -> CliResult<Completion<MirrorRunResult>> {
        match self.cloud.work(self, calls, watch).await? {
            Completion::Finished(result) => self.gather(result.value()?).map(Completion::Finished),
            Completion::Detached(why) => Ok(Completion::Detached(why)),
        }
    }

    /// Prints the scan's numbers, once.
    fn tell(&self, found: ScanSummary) {
        if !self.told.swap(true, Ordering::Relaxed) {
            found.print(self.cloud.screen);
        }
    }

    fn gather(&self, given: Value) -> CliResult<MirrorRunResult> {
        let given: Mirrored = self.cloud.read(self, given)?;
        let output = given.own.output();
        let (Some(scan), landed) = (output.scan, output.landed) else {
            return Err(given.own.ended().into_error("mirror", remedy_of_mirror));
        };
        scan.warnings
            .iter()
            .for_each(|warning| self.cloud.screen.warn(warning));
        self.tell(ScanSummary::of(&scan));
        let steps = follow(self.job, &scan, self.cloud.screen)?;
        let carried = self
            .cloud
            .gather(&steps.plan, &given.chunks, &given.before)?;
        let mut work = MirrorRunResult::new(scan);
        work.carried(&steps.plan, carried)?;
        if steps.push.is_some() && landed.is_none() {
            return Err(given.own.ended().into_error("mirror", remedy_of_mirror));
        }
        Ok(MirrorRunResult { landed, ..work })
    }
}

/// Waits for a detached mirror run until it has ended; `None` if it works on without this process.
///
/// # Errors
/// Modal refuses or can't be reached: the run works on, unless a stop was asked for.
pub async fn attach(
    record: &RunRecord,
    runs: &Runs,
    settings: &Settings,
    screen: &Screen,
    stop: &Stop,
) -> CliResult<Option<MirrorReport>> {
    let job: ScanJob = runs
        .read(&record.id, JOB)
        .ok_or_else(|| incomplete(record, "its job"))?;
    let attachment = Attachment::of(record, runs)?;
    let completion = attachment
        .work(settings, screen, stop, async |run, calls| {
            ModalMirror::new(run, &job)
                .work(calls, DetachMode::Attached)
                .await
        })
        .await;
    settle(attachment.run, &job, completion, attachment.seconds, screen)
}
