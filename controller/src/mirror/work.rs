//! What came of a mirroring's steps, wherever they were done, and how the run ends with it.

use hf2ms_worker::plan::Plan;
use hf2ms_worker::protocol::{Exit, FailedFile, How, LfsPolicy, PushReport, Scan, ScanJob};

use super::refs::{outcomes, stand};
use super::report::{MirrorReport, MirrorTally};
use crate::engine::chunk_results::ChunkResults;
use crate::engine::remote::Completion;
use crate::runs::{RunDir, State};
use crate::ui::errors::{CliError, CliResult};

/// What came of the steps.
pub struct MirrorRunResult {
    /// What was found first.
    pub scan: Scan,
    /// What became of the LFS objects that were to move.
    pub carried: ChunkResults,
    /// LFS objects that are not at the target, and why.
    pub failed: Vec<FailedFile>,
    /// What came of the push; there was none if no ref was to change.
    pub landed: Option<PushReport>,
}

impl MirrorRunResult {
    /// Before anything moves.
    pub fn new(scan: Scan) -> Self {
        Self {
            carried: ChunkResults::default(),
            failed: scan.refused.clone(),
            landed: None,
            scan,
        }
    }

    /// Takes note of what became of the chunks of this plan.
    ///
    /// # Errors
    /// A host ended it for all of them.
    pub fn carried(&mut self, plan: &Plan, carried: ChunkResults) -> CliResult<()> {
        self.failed.extend(plan.unsent(&carried.receipts));
        self.carried = carried;
        match &self.carried.ended_by {
            Some((kind, error)) => Err(CliError::new(
                Exit::of(*kind),
                format!("the workers were stopped: {error}"),
            )),
            None => Ok(()),
        }
    }

    /// The report. `seconds`: since the first look.
    pub fn report(self, job: &ScanJob, seconds: f64) -> MirrorReport {
        let tally = self.tally(job);
        let PushReport { refs, there } = self.landed.unwrap_or_else(|| PushReport {
            refs: Vec::new(),
            there: self.scan.there,
        });
        let mut report = MirrorReport {
            run: job.run.clone(),
            state: State::Done,
            source: job.source.clone(),
            destination: job.destination.clone(),
            scope: job.scope,
            tally,
            refs: outcomes(&self.scan.refs, refs),
            failed: self.failed,
            source_stood: stand(&self.scan.refs),
            target_stands: stand(&there),
            seconds,
            warnings: self.scan.warnings,
        };
        if report.exit() != Exit::Done {
            report.state = State::Incomplete;
        }
        report
    }

    fn tally(&self, job: &ScanJob) -> MirrorTally {
        let Self {
            scan,
            carried,
            failed,
            ..
        } = self;
        let stored = || carried.receipts.iter().flat_map(|receipt| &receipt.files);
        let moved = || stored().filter(|stored| stored.how == How::Streamed);
        let sent: u64 = carried.receipts.iter().map(|receipt| receipt.sent).sum();
        MirrorTally {
            objects: scan.objects,
            git_bytes: scan.git_bytes,
            pointers: scan.pointers,
            pointer_bytes: scan.pointer_bytes,
            moved: moved().count() as u64,
            moved_bytes: moved().map(|stored| stored.size).sum(),
            reused: stored().filter(|stored| stored.how == How::Reused).count() as u64,
            lacking: if job.policy.lfs == LfsPolicy::Moved {
                failed.len()
            } else {
                scan.missing.len()
            } as u64,
            retries: carried.receipts.iter().map(|receipt| receipt.retries).sum(),
            lost_workers: carried.lost,
            bytes_per_second: if carried.seconds > 0.0 {
                sent as f64 / carried.seconds
            } else {
                0.0
            },
        }
    }
}

/// Ends the run as it came out; without a report where the cloud goes on.
///
/// # Errors
/// What stopped it; the run's record says so too.
pub fn settle(
    mut run: RunDir,
    job: &ScanJob,
    came: CliResult<Completion<MirrorRunResult>>,
    seconds: f64,
) -> CliResult<Option<MirrorReport>> {
    let work = match came {
        Ok(Completion::Finished(work)) => work,
        Ok(Completion::Detached(why)) => return run.detach().and(why.map_or(Ok(None), Err)),
        Err(failure) => {
            run.end(if failure.exit() == Exit::Interrupted {
                State::Interrupted
            } else {
                State::Failed
            })?;
            return Err(failure);
        }
    };
    run.extent(work.scan.pointers, work.scan.pointer_bytes)?;
    let report = work.report(job, seconds);
    run.write("report.json", &report)?;
    run.end(report.state)?;
    Ok(Some(report))
}
