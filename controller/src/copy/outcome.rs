//! What came of a run's work so far, and the report that it ends in. Who works, and where, is elsewhere.

use hf2ms_hub::Kind;
use hf2ms_worker::plan::{DigestCache, Plan};
use hf2ms_worker::protocol::{Exit, FailedFile, Receipt, Verification};

use crate::engine::job::WorkerOutput;
use crate::runs::digests;
use crate::runs::report::{Report, Tally, merged};
use crate::runs::{JournalEntry, RunDir, State};
use crate::ui::errors::CliResult;

/// What came of the work so far.
#[derive(Debug, Default)]
pub struct RunResult {
    /// What workers left behind.
    pub receipts: Vec<Receipt>,
    /// Files that are not there, and why.
    pub failed: Vec<FailedFile>,
    /// Commits written.
    pub commits: u64,
    /// Workers that died.
    pub lost: u64,
    /// Seconds that the chunks took.
    pub seconds: f64,
    /// Why the rest was not tried.
    pub ended_by: Option<(Kind, String)>,
    /// What the verification found.
    pub verification: Option<Verification>,
    /// Digests that revisions before this one have learned.
    pub known: DigestCache,
}

impl RunResult {
    /// Takes note of what a finalizer said: what it wrote, what it found, and what ended it.
    ///
    /// # Errors
    /// The journal can't be written.
    pub fn finalized(&mut self, run: &RunDir, output: WorkerOutput) -> CliResult<()> {
        let receipt = output.receipt.unwrap_or_default();
        self.commits += output.commits.len() as u64;
        run.note(&JournalEntry::Committed(receipt.clone()))?;
        self.failed = merged(self.failed.drain(..).chain(receipt.failed.iter().cloned()));
        let fatal = FailedFile::fatal(&receipt.failed);
        self.ended_by = fatal
            .map(|failed| (failed.kind, failed.error.clone()))
            .or(output.failure);
        self.verification = output.verification;
        self.receipts.push(receipt);
        Ok(())
    }

    /// Ends the run in this state and leaves its report. `seconds`: since the first look.
    ///
    /// # Errors
    /// The disk's.
    pub fn conclude(
        self,
        plan: &Plan,
        run: &mut RunDir,
        state: State,
        workers: u64,
        seconds: f64,
    ) -> CliResult<Report> {
        digests::save(run, plan, &self.receipts, &self.known)?;
        let report = self.report(plan, run.id(), state, workers, seconds);
        run.write("report.json", &report)?;
        report
            .verification
            .iter()
            .try_for_each(|found| run.note(&JournalEntry::Verified(found.clone())))?;
        run.end(report.state)?;
        Ok(report)
    }

    fn report(self, plan: &Plan, run: &str, state: State, workers: u64, seconds: f64) -> Report {
        let tally = self.tally(plan, workers);
        let mut report = Report {
            run: run.to_owned(),
            state,
            source: plan.source.clone(),
            destination: plan.destination.clone(),
            url: plan.destination.web_url(),
            bytes_per_second: if self.seconds > 0.0 {
                tally.sent as f64 / self.seconds
            } else {
                0.0
            },
            tally,
            seconds,
            verification: self.verification,
            failed: self.failed,
            refused: plan.refused.clone(),
            withheld: plan.withheld.clone(),
            warnings: plan.warnings.clone(),
        };
        if state == State::Done && report.exit() != Exit::Done {
            report.state = State::Incomplete;
        }
        report
    }

    fn tally(&self, plan: &Plan, workers: u64) -> Tally {
        let mut tally = Tally::of_plan(plan);
        self.receipts.iter().for_each(|receipt| tally.add(receipt));
        tally.deleted = if self.failed.is_empty() && self.commits > 0 {
            plan.delete.len() as u64
        } else {
            0
        };
        Tally {
            commits: self.commits,
            lost_workers: self.lost,
            workers,
            ..tally
        }
    }
}
