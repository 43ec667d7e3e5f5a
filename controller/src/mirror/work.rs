//! The result of a mirror run while it works, here or in the cloud, and the end of the run.

use hf2ms_worker::plan::Plan;
use hf2ms_worker::protocol::{Exit, FailedFile, How, LfsPolicy, PushReport, Scan, ScanJob};

use super::refs::{digest, outcomes};
use super::report::{MirrorReport, MirrorTally};
use crate::engine::chunk_results::ChunkResults;
use crate::engine::remote::Completion;
use crate::runs::{RunDir, State};
use crate::settings::remedies::remedy_of_mirror;
use crate::ui::errors::{CliError, CliResult};
use crate::ui::screen::Screen;

/// The result of a mirror run so far.
pub struct MirrorRunResult {
    /// The scan.
    pub scan: Scan,
    /// The results of the chunks of LFS objects.
    pub carried: ChunkResults,
    /// The LFS objects that the target lacks, and why.
    pub failed: Vec<FailedFile>,
    /// The result of the push; `None` if no ref had to change.
    pub landed: Option<PushReport>,
}

impl MirrorRunResult {
    /// The result before anything moves.
    pub fn new(scan: Scan) -> Self {
        Self {
            carried: ChunkResults::default(),
            failed: scan.refused.clone(),
            landed: None,
            scan,
        }
    }

    /// Takes in the results of the chunks of this plan.
    ///
    /// # Errors
    /// An error of a host that ended all chunks.
    pub fn carried(&mut self, plan: &Plan, carried: ChunkResults) -> CliResult<()> {
        self.failed.extend(plan.unsent(&carried.receipts));
        self.carried = carried;
        match &self.carried.ended_by {
            Some((kind, error)) => Err(CliError::new(
                Exit::of(*kind),
                format!(
                    "the workers were stopped: {error}; {}",
                    remedy_of_mirror(*kind)
                ),
            )),
            None => Ok(()),
        }
    }

    /// The report. `seconds`: since the run began.
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
            source_stood: digest(&self.scan.refs),
            target_stands: digest(&there),
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

/// Ends the run and writes its report; `None` if the run goes on in the cloud.
///
/// # Errors
/// The error that ended the run; its record says so too.
pub fn settle(
    mut run: RunDir,
    job: &ScanJob,
    came: CliResult<Completion<MirrorRunResult>>,
    seconds: f64,
    screen: &Screen,
) -> CliResult<Option<MirrorReport>> {
    let work = match came {
        Ok(Completion::Finished(work)) => work,
        Ok(Completion::Detached(why)) => return run.detach().and(why.map_or(Ok(None), Err)),
        Err(failure) => {
            run.fail(&failure, screen)?;
            return Err(failure);
        }
    };
    run.extent(work.scan.pointers, work.scan.pointer_bytes)?;
    let report = work.report(job, seconds);
    run.write("report.json", &report)?;
    run.end(report.state)?;
    Ok(Some(report))
}
