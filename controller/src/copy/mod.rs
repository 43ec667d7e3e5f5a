//! The copy of one repo at one revision: inspect both sides, plan, create, transfer, commit, verify.
//!
//! [`RepoCopy::run`] is that sentence. [`inspect`] finds both sides, [`plan`] compares them, [`decide`] says what is to be done and
//! [`permission`] what must not be. [`run`] carries a plan out with workers, [`cloud`] leaves it to Modal. [`outcome`] collects the
//! result of a run, [`deletions`] asks before anything is deleted, [`backup`] settles the tag that keeps it, [`transfer_limit`] leaves what is too much, [`sync_state`] keeps what a verified run proves, [`request`] what was asked for, [`preview`] is a plan for a person.
//! [`verify`] compares a copy that is there, [`exposure`] its readers.

pub mod backup;
pub mod cloud;
pub mod decide;
pub mod deletions;
pub mod exposure;
pub mod inspect;
pub mod options;
pub mod outcome;
pub mod permission;
pub mod plan;
pub mod preview;
pub mod proofs;
pub mod request;
pub mod run;
pub mod stored;
pub mod sync_state;
pub mod transfer_limit;
pub mod verify;

use std::time::Instant;

use hf2ms_worker::plan::Plan;
use hf2ms_worker::protocol::{Exit, PlanSummary};
use tokio::sync::OwnedSemaphorePermit;

use self::decide::{Decision, decide};
use self::inspect::DestinationRepo;
use self::options::{CopyOptions, IfExists};
use self::permission::check_plan;
use self::preview::announce;
use self::run::CopyRun;
use self::stored::StoredBlobs;
use self::sync_state::SyncState;
use crate::args::route::Route;
use crate::args::workers::EngineKind;
use crate::engine::open::{CallMode, Runner, RunnerSpec};
use crate::runs::report::Report;
use crate::runs::{NewRun, RunDir, RunRecord, RunVerb};
use crate::ui::errors::CliResult;
use crate::ui::screen::Screen;

/// The copy of one repo.
pub struct RepoCopy<'a> {
    /// What the command asks of each repo.
    pub options: &'a CopyOptions<'a>,
    /// Where lines about this repo are printed.
    pub screen: &'a Screen,
    /// When the copy of this repo began.
    pub began: Instant,
    /// The bytes of memory for files that the last call in the cloud needs, where it ends more plans than one.
    pub files_memory: Option<u64>,
}

/// How the copy of a repo ended, if no error ended it.
pub enum CopyResult {
    /// With a report, which has been shown.
    Reported(Box<Report>),
    /// The run with this id goes on in the cloud, as `--detach` asks.
    Detached(String, PlanSummary),
    /// A dry run has shown the plan.
    Planned(PlanSummary),
    /// The repo is skipped for this reason.
    Skipped(String),
}

impl CopyResult {
    /// The exit code of this repo alone.
    pub fn exit(&self) -> Exit {
        match self {
            Self::Reported(report) => report.exit(),
            Self::Detached(..) | Self::Planned(_) | Self::Skipped(_) => Exit::Done,
        }
    }
}

impl RepoCopy<'_> {
    /// Inspects both sides and plans; then creates the destination, transfers the blobs, commits and verifies. A run of the same
    /// repos that is in the cloud is waited for first. `ahead` is dropped when the first chunk starts.
    ///
    /// # Errors
    /// What ended the copy of the whole repo; failures of single files are in the report.
    pub async fn run(
        &self,
        route: &Route,
        mut ahead: Option<OwnedSemaphorePermit>,
    ) -> CliResult<CopyResult> {
        let stop = self.options.stop;
        loop {
            route.announce(self.screen);
            match stop.unless(decide(route, self.options)).await? {
                Decision::Attach(record) => {
                    drop(ahead.take());
                    if let Some(result) = self.attach(&record).await? {
                        return Ok(result);
                    }
                }
                decision => return self.execute(decision, ahead).await,
            }
        }
    }

    /// Waits for a run that is in the cloud; `None` if both sides are to be inspected again after it.
    async fn attach(&self, record: &RunRecord) -> CliResult<Option<CopyResult>> {
        self.screen.status(format!(
            "run {} of these repos is in the cloud already: waiting for it first",
            record.id
        ));
        let CopyOptions {
            runs,
            settings,
            stop,
            ..
        } = *self.options;
        let report = cloud::attach(record, runs, settings, self.screen, stop).await?;
        Ok(match report {
            None => Some(CopyResult::Detached(
                record.id.clone(),
                PlanSummary::default(),
            )),
            Some(report)
                if report.exit() == Exit::Done && self.options.if_exists == IfExists::Update =>
            {
                None
            }
            Some(report) => Some(CopyResult::Reported(Box::new(report))),
        })
    }

    /// Carries out a decision.
    ///
    /// # Errors
    /// As [`Self::run`].
    pub async fn execute(
        &self,
        decision: Decision,
        ahead: Option<OwnedSemaphorePermit>,
    ) -> CliResult<CopyResult> {
        match decision {
            Decision::Copy(plan, destination) => self.copy(*plan, &destination, ahead).await,
            Decision::UpToDate(state, earlier) => self.report_again(&state, *earlier),
            Decision::Skip(reason) => Ok(CopyResult::Skipped(reason)),
            Decision::Attach(record) => Ok(CopyResult::Detached(record.id, PlanSummary::default())),
        }
    }

    /// Reports what an earlier run verified, as a run of its own.
    fn report_again(&self, state: &SyncState, earlier: Report) -> CliResult<CopyResult> {
        let (id, hub) = (&earlier.destination.id, earlier.destination.hub);
        self.screen.status(format!(
            "{id} on {hub} has everything already: both sides stand where run {} verified them",
            earlier.run
        ));
        if self.options.dry_run {
            let (files, bytes) = (earlier.tally.files, earlier.tally.bytes);
            return Ok(CopyResult::Planned(PlanSummary {
                files,
                bytes,
                unchanged: files,
                ..PlanSummary::default()
            }));
        }
        let report = sync_state::repeat(state, earlier, self.options.runs, self.began)?;
        report.print(self.screen);
        Ok(CopyResult::Reported(Box::new(report)))
    }

    /// Carries a plan out, if it may be and costs no more than allowed.
    async fn copy(
        &self,
        mut plan: Plan,
        destination: &DestinationRepo,
        ahead: Option<OwnedSemaphorePermit>,
    ) -> CliResult<CopyResult> {
        let (options, screen) = (self.options, self.screen);
        let stop = options.stop;
        let checked = check_plan(&plan, destination, options.settings);
        let asked = async { Ok(StoredBlobs::of(&[&plan], &*destination.hub).await) };
        let both = async { futures_util::try_join!(checked, asked) };
        let ((), stored) = stop.unless(both).await?;
        let settled = backup::settle(&mut plan, destination, options.runs, options.settings);
        let older_tag = stop.unless(settled).await?;
        older_tag.iter().for_each(|line| screen.warn(line));
        options.keep_to_limit(&mut plan, &stored)?;
        let summary = plan.summary();
        announce(&plan, screen);
        deletions::list(&plan, screen);
        if !options.dry_run {
            let plans = [&plan];
            stop.unless(deletions::confirm(&plans, options, screen))
                .await?;
        }
        let rates = options.rates(&plan.source, &plan.destination);
        let estimate = stored.estimate_of_rest(&plan, &options.worker_args, rates);
        if options.dry_run {
            screen.json(&estimate.event());
            screen.print(preview::table(&plan, &estimate));
            options.budget.admit(&estimate, screen).await?;
            return Ok(CopyResult::Planned(summary));
        }
        estimate.print(screen);
        let bytes_of_all = stop.unless(options.budget.admit(&estimate, screen)).await?;
        let workers = options.worker_args.workers(bytes_of_all);
        options
            .slots
            .raise(match options.worker_args.is_among_others() {
                true => workers,
                false => workers.min(estimate.workers),
            });
        let mut run = self.start(plan, destination, None).await?;
        run.ahead = ahead;
        let id = run.dir.id().to_owned();
        let Some(report) = run.execute().await? else {
            return Ok(CopyResult::Detached(id, summary));
        };
        report.print(screen);
        Ok(CopyResult::Reported(Box::new(report)))
    }

    /// Makes the run's folder and opens its engine. `beside` is a run of the same destination that shares its lock.
    ///
    /// # Errors
    /// Another run writes to the destination; the engine can't be opened.
    pub async fn start<'b>(
        &'b self,
        plan: Plan,
        destination: &'b DestinationRepo,
        beside: Option<&RunDir>,
    ) -> CliResult<CopyRun<'b>> {
        let options = self.options;
        let summary = plan.summary();
        let new = NewRun {
            verb: RunVerb::Migrate,
            on: options.worker_args.on,
            source: &plan.source,
            destination: &plan.destination,
            plan: &summary,
        };
        let mut dir = match beside {
            None => options.runs.begin(new)?,
            Some(other) => options.runs.begin_beside(new, other)?,
        };
        self.screen.enter_run(dir.path());
        let runner = match self.open_engine(&plan, &dir).await {
            Ok(runner) => runner,
            Err(failure) => return dir.fail(&failure, self.screen).and(Err(failure)),
        };
        Ok(CopyRun {
            plan,
            destination,
            options,
            dir,
            runner,
            ahead: None,
            screen: self.screen,
            began: self.began,
        })
    }

    /// Opens the engine; `None` if the plan has nothing to do.
    async fn open_engine(&self, plan: &Plan, run: &RunDir) -> CliResult<Option<Runner>> {
        if plan.is_done() && !plan.reads_contents() {
            return Ok(None);
        }
        let options = self.options;
        let workers = match options.worker_args.on {
            // All repos of a command share one app, and their number of bytes is known only later.
            EngineKind::Modal if options.worker_args.is_among_others() => {
                options.worker_args.workers(u64::MAX)
            }
            _ => options.slots.workers().min(plan.chunks.len()).max(1),
        };
        let opening = RunnerSpec {
            worker_args: &options.worker_args,
            workers,
            calls: CallMode::AllAtOnce,
            shared: &options.shared,
            containers: options.containers,
            plan,
            files_memory: self.files_memory.unwrap_or_else(|| plan.files_memory()),
            run,
            settings: options.settings,
            screen: self.screen,
            stop: options.stop,
        };
        Runner::open(opening, options.watch).await.map(Some)
    }
}
