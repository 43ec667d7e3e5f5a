//! The result of a run while it works, and the report it becomes. Who works, and where, is not known here.

use std::collections::HashSet;
use std::time::Duration;

use hf2ms_hub::{GateMode, Kind, RepoPath, Visibility};
use hf2ms_worker::amounts::Span;
use hf2ms_worker::plan::{DigestCache, Plan};
use hf2ms_worker::protocol::{BackupResult, Exit, FailedFile, Receipt, Verification};

use super::inspect::DestinationRepo;
use crate::engine::job::WorkerOutput;
use crate::runs::digests;
use crate::runs::failures::merged;
use crate::runs::report::{Report, Tally};
use crate::runs::{JournalEntry, RunDir, State};
use crate::settings::Settings;
use crate::settings::hub_errors::{AccessMode, hub_error};
use crate::settings::remedies::remedy;
use crate::ui::errors::{CliError, CliResult};
use crate::ui::screen::{Screen, size};

/// The result of a run so far.
#[derive(Debug, Default)]
pub struct RunResult {
    /// One receipt a chunk, and one of each commit.
    pub receipts: Vec<Receipt>,
    /// Files that failed, and why.
    pub failed: Vec<FailedFile>,
    /// The tag of what stood at the destination before the first commit.
    pub backup: Option<BackupResult>,
    /// Commits written.
    pub commits: u64,
    /// Workers that died.
    pub lost: u64,
    /// Seconds from the first chunk's start to the last one's end.
    pub seconds: f64,
    /// The error that ended the run for all files.
    pub ended_by: Option<(Kind, String)>,
    /// The result of the verification, once there is one.
    pub verification: Option<Verification>,
    /// Who may see the destination.
    pub visibility: Option<Visibility>,
    /// How its gate lets readers in, if it has one.
    pub gate: Option<GateMode>,
    /// Digests that other revisions of the repo have learned.
    pub known: DigestCache,
}

/// Writes a report into its run's folder, and ends the run.
fn keep(report: &Report, run: &mut RunDir) -> CliResult<()> {
    run.write("report.json", report)?;
    report
        .verification
        .iter()
        .try_for_each(|found| run.note(&JournalEntry::Verified(found.clone())))?;
    run.end(report.state)
}

impl RunResult {
    /// Takes in a finalizer's output: its commits, its verification, and the error that ended it.
    ///
    /// # Errors
    /// The journal can't be written.
    pub fn finalized(&mut self, run: &RunDir, output: WorkerOutput) -> CliResult<()> {
        let receipt = output.receipt.unwrap_or_default();
        self.commits += output.commits.len() as u64;
        self.backup = output.backup.or(self.backup.take());
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

    /// Refuses to go on after an error that ended the run for all files.
    ///
    /// # Errors
    /// That error, for a person.
    pub fn check(&self, plan: &Plan, settings: &Settings) -> CliResult<()> {
        match &self.ended_by {
            Some((kind, error)) => Err(explain_worker_error(
                plan,
                settings,
                AccessMode::Write,
                (*kind, error),
            )),
            None => Ok(()),
        }
    }

    /// Ends the run in this state and writes its report. `seconds`: since the copy of the repo began. A report that can't be written is
    /// printed: nothing else tells what stands at the destination.
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
        screen: &Screen,
    ) -> CliResult<Report> {
        let digests = digests::save(run, plan, &self.receipts, &self.known);
        let mut report = self.report(plan, run.id(), state, workers, seconds);
        report.last_error = screen.log().last_error();
        if let (State::Incomplete, Some(reason)) = (report.state, report.first_failure()) {
            run.because(&reason, screen);
        }
        match digests.and_then(|()| keep(&report, run)) {
            Ok(()) => Ok(report),
            Err(failure) => {
                report.print(screen);
                Err(failure)
            }
        }
    }

    fn report(self, plan: &Plan, run: &str, state: State, workers: u64, seconds: f64) -> Report {
        let tally = self.tally(plan, workers);
        let deleted = self.receipts.iter().flat_map(|receipt| &receipt.deleted);
        let deleted_files: Vec<RepoPath> = deleted.cloned().collect();
        let mut report = Report {
            run: run.to_owned(),
            state,
            source: plan.source.clone(),
            destination: plan.destination.clone(),
            url: plan.destination.web_url(),
            visibility: self.visibility,
            gate: self.gate,
            bytes_per_second: if self.seconds > 0.0 {
                tally.sent as f64 / self.seconds
            } else {
                0.0
            },
            tally,
            seconds,
            verification: self.verification,
            stopped_at: stopped_at(plan, &self.failed),
            failed: self.failed,
            refused: plan.refused.clone(),
            deleted_files,
            backup: self.backup,
            withheld: plan.withheld.clone(),
            warnings: plan.warnings.clone(),
            last_error: None,
        };
        if state == State::Done && report.exit() != Exit::Done {
            report.state = State::Incomplete;
        }
        report
    }

    fn tally(&self, plan: &Plan, workers: u64) -> Tally {
        let mut tally = Tally::of_plan(plan);
        self.receipts.iter().for_each(|receipt| tally.add(receipt));
        Tally {
            commits: self.commits,
            lost_workers: self.lost,
            workers,
            ..tally
        }
    }
}

/// The limit that left files to the next run, as the command line has it.
fn stopped_at(plan: &Plan, failed: &[FailedFile]) -> Option<String> {
    let left_by = |why: &str| failed.iter().any(|failed| failed.error.ends_with(why));
    let transfer = || {
        format!(
            "--max-transfer {}",
            size(plan.limits.max_transfer.unwrap_or(0))
        )
    };
    let duration = || {
        let seconds = plan.limits.max_duration.unwrap_or(0);
        format!("--max-duration {}", Span(Duration::from_secs(seconds)))
    };
    match (
        left_by(FailedFile::LEFT_BY_DURATION),
        left_by(FailedFile::LEFT_BY_TRANSFER),
    ) {
        (true, _) => Some(duration()),
        (_, true) => Some(transfer()),
        _ => None,
    }
}

/// A worker's error for a person. The address in it tells which hub it is about; `at_destination` says what workers do there.
pub fn explain_worker_error(
    plan: &Plan,
    settings: &Settings,
    at_destination: AccessMode,
    (kind, error): (Kind, &str),
) -> CliError {
    let error_of = hf2ms_hub::Error::new(kind, error);
    let of_source = plan.destination.endpoint == plan.source.endpoint
        && !error.contains(plan.destination.id.as_str());
    if error.contains(&plan.destination.endpoint) && !of_source {
        return hub_error(&error_of, &plan.destination, settings, at_destination);
    }
    if error.contains(&plan.source.endpoint) {
        return hub_error(&error_of, &plan.source, settings, AccessMode::Read);
    }
    CliError::new(
        Exit::of(kind),
        format!("the workers were stopped: {error}; {}", remedy(kind)),
    )
}

/// The verification of a plan with nothing to do: both listings, which were just compared, are equal.
pub fn verification_of_listing(plan: &Plan, destination: &DestinationRepo) -> Verification {
    let count = plan.files.len() as u64;
    let planned: HashSet<_> = plan
        .files
        .iter()
        .map(|planned| &planned.file.path)
        .collect();
    let listed = destination.listing.files.iter();
    let extra = listed
        .map(|listed| &listed.file.path)
        .filter(|path| !planned.contains(path))
        .cloned()
        .collect();
    Verification {
        checked: count,
        equal: count,
        extra,
        head: destination.head.clone(),
        ..Verification::default()
    }
}
