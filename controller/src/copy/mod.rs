//! One repo on its way, from the first look to its report: what `migrate` does for one, and `batch` for each of many.

pub mod cloud;
pub mod decide;
pub mod inspect;
pub mod outcome;
pub mod plan;
pub mod run;
pub mod sync_state;

use std::time::Instant;

use hf2ms_hub::{Kind, Visibility};
use hf2ms_worker::plan::{MaxDelete, Plan};
use hf2ms_worker::protocol::{Exit, PlanSummary, Transport};
use serde_json::json;
use tokio::sync::OwnedSemaphorePermit;

use crate::args::revisions::RevisionScope;
use crate::args::route::Route;
use crate::args::workers::{ContainerArgs, EngineKind, WorkerArgs};
use crate::copy::decide::{Decision, IfExists, compare};
use crate::copy::inspect::{DestinationRepo, said};
use crate::copy::run::{CopyRun, asked_about};
use crate::copy::sync_state::SyncState;
use crate::engine::open::{Runner, RunnerCache, RunnerSpec};
use crate::engine::remote::DetachMode;
use crate::engine::slots::WorkerSlots;
use crate::estimate::budget::CostBudget;
use crate::estimate::{CostArgs, Estimate};
use crate::revisions::RevisionsCopy;
use crate::revisions::summary::RevisionsSummary;
use crate::runs::report::Report;
use crate::runs::{NewRun, RunDir, RunRecord, RunVerb, Runs, State};
use crate::settings::Settings;
use crate::settings::hub_errors::AccessMode;
use crate::stop::Stop;
use crate::ui::errors::{CliError, CliResult};
use crate::ui::screen::Screen;
use crate::verbs::attach;
use crate::verbs::plan::in_words;

/// What is asked of every repo of one command, and what they share.
pub struct CopyOptions<'a> {
    /// How the hubs are reached.
    pub settings: &'a Settings,
    /// Where runs are kept.
    pub runs: &'a Runs,
    /// When to stop.
    pub stop: &'a Stop,
    /// Where the work is done, and how it is cut.
    pub worker_args: WorkerArgs,
    /// What containers of Docker are made of.
    pub containers: &'a ContainerArgs,
    /// Who may see a repo that has to be created; else as the source.
    pub visibility: Option<Visibility>,
    /// How many of the files that only the destination has are deleted at most; they stay without it.
    pub prune: Option<MaxDelete>,
    /// What becomes of a destination that is there already.
    pub existing: IfExists,
    /// Whether someone waits for the cloud.
    pub watch: DetachMode,
    /// Whether anything is done at all.
    pub trial: Trial,
    /// How much of each is copied.
    pub revisions: RevisionScope,
    /// What all may take.
    pub budget: CostBudget,
    /// Who may work.
    pub slots: WorkerSlots,
    /// What one of them has opened for all.
    pub shared: RunnerCache,
}

/// How the work of one command is done, be it about one repo or many.
#[derive(Debug, clap::Args)]
pub struct CopyArgs {
    /// Show what would be done, and create nothing
    #[arg(long)]
    dry_run: bool,
    /// Return as soon as all is submitted; only on modal, where the work goes on by itself
    #[arg(long)]
    detach: bool,
    /// Do not ask: at a terminal, more than 100 GB in all are moved only after a yes
    #[arg(long, short)]
    yes: bool,
    /// Where the work is done, and how it is cut.
    #[command(flatten)]
    pub worker_args: WorkerArgs,
    #[command(flatten)]
    cost: CostArgs,
    /// What containers of Docker are made of.
    #[command(flatten)]
    pub containers: ContainerArgs,
}

impl CopyArgs {
    /// Whether someone waits for the cloud, if all that was asked fits the engine.
    ///
    /// # Errors
    /// It does not.
    pub fn watch(&self) -> CliResult<DetachMode> {
        self.containers.fit(self.worker_args.on)?;
        DetachMode::of(self.detach, self.worker_args.on)
    }

    /// Whether anything is done at all.
    pub fn trial(&self) -> Trial {
        if self.dry_run {
            Trial::DryRun
        } else {
            Trial::ForReal
        }
    }

    /// What all may take.
    pub fn budget(&self) -> CostBudget {
        CostBudget::new(self.cost.clone(), self.yes || self.dry_run)
    }
}

/// Whether anything is done at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trial {
    /// It is.
    ForReal,
    /// What would be done is shown, and nothing is created.
    DryRun,
}

/// How a repo's way ended, when nothing stopped it.
pub enum CopyResult {
    /// With a report, which has been shown.
    Reported(Box<Report>),
    /// The run goes on in the cloud, as asked.
    Detached(String, PlanSummary),
    /// What would be done has been shown.
    Planned(PlanSummary),
    /// Nothing was to be done, for this reason.
    Skipped(&'static str),
    /// All revisions came to an end of their own, and a table of them has been shown.
    RevisionsCopy(Box<RevisionsSummary>),
}

impl CopyResult {
    /// The exit code that this alone calls for.
    pub fn exit(&self) -> Exit {
        match self {
            Self::Reported(report) => report.exit(),
            Self::RevisionsCopy(summary) => summary.exit(),
            Self::Detached(..) | Self::Planned(_) | Self::Skipped(_) => Exit::Done,
        }
    }
}

/// One repo on its way.
pub struct RepoCopy<'a> {
    /// What is asked.
    pub options: &'a CopyOptions<'a>,
    /// Where words go.
    pub screen: &'a Screen,
    /// When it began.
    pub began: Instant,
}

impl RepoCopy<'_> {
    /// Goes the whole way. An earlier run of these repos that works in the cloud is seen through first; then both sides are
    /// looked at again, unless what is there by then is to be left alone. `ahead` is let go once its own work has begun.
    ///
    /// # Errors
    /// Whatever stops it; what fails for single files is in the report.
    pub async fn go(
        &self,
        route: &Route,
        mut ahead: Option<OwnedSemaphorePermit>,
    ) -> CliResult<CopyResult> {
        if self.options.revisions == RevisionScope::All {
            let Self {
                options,
                screen,
                began,
            } = *self;
            return RevisionsCopy {
                options,
                screen,
                began,
            }
            .go(route, ahead)
            .await;
        }
        loop {
            match self
                .options
                .stop
                .unless(compare(route, self.options, self.screen))
                .await?
            {
                Decision::Attach(record) => {
                    drop(ahead.take());
                    match self.see_through(&record).await? {
                        Some(report)
                            if report.exit() == Exit::Done
                                && self.options.existing == IfExists::Met =>
                        {
                            ()
                        }
                        Some(report) => return Ok(CopyResult::Reported(Box::new(report))),
                        None => return Ok(CopyResult::Detached(record.id, PlanSummary::default())),
                    }
                }
                decision => return self.carry_out(decision, ahead).await,
            }
        }
    }

    async fn see_through(&self, record: &RunRecord) -> CliResult<Option<Report>> {
        let CopyOptions {
            runs,
            settings,
            stop,
            ..
        } = self.options;
        self.screen.status(format!(
            "run {} of these repos is in the cloud already: waiting for it first",
            record.id
        ));
        attach::see_through(record, runs, settings, self.screen, stop).await
    }

    /// Does what was decided.
    ///
    /// # Errors
    /// Whatever stops it.
    pub async fn carry_out(
        &self,
        decision: Decision,
        ahead: Option<OwnedSemaphorePermit>,
    ) -> CliResult<CopyResult> {
        match decision {
            Decision::CarryOut(plan, destination) => self.migrate(*plan, &destination, ahead).await,
            Decision::Proven(proof, earlier) => self.has_everything(&proof, *earlier),
            Decision::Skip(why) => Ok(CopyResult::Skipped(why)),
            Decision::Attach(record) => Ok(CopyResult::Detached(record.id, PlanSummary::default())),
        }
    }

    /// Says so, and leaves a run that says so too.
    fn has_everything(&self, proof: &SyncState, earlier: Report) -> CliResult<CopyResult> {
        let (id, hub) = (&earlier.destination.id, earlier.destination.hub);
        self.screen.status(format!(
            "{id} on {hub} has everything already: both sides stand where run {} verified them",
            earlier.run
        ));
        if self.options.trial == Trial::DryRun {
            let (files, bytes) = (earlier.tally.files, earlier.tally.bytes);
            return Ok(CopyResult::Planned(PlanSummary {
                files,
                bytes,
                unchanged: files,
                ..PlanSummary::default()
            }));
        }
        let report = sync_state::repeat(proof, earlier, self.options.runs, self.began)?;
        report.print(self.screen);
        Ok(CopyResult::Reported(Box::new(report)))
    }

    async fn migrate(
        &self,
        plan: Plan,
        destination: &DestinationRepo,
        ahead: Option<OwnedSemaphorePermit>,
    ) -> CliResult<CopyResult> {
        let Self {
            options, screen, ..
        } = *self;
        let CopyOptions {
            settings,
            runs,
            stop,
            ref worker_args,
            ..
        } = *options;
        stop.unless(may_go_on(&plan, destination, settings)).await?;
        announce(&plan, screen);
        let estimate = Estimate::of(
            &plan,
            worker_args,
            options.budget.rates(runs, worker_args.on, &plan),
        );
        let summary = plan.summary();
        if options.trial == Trial::DryRun {
            screen.json(&estimate.json());
            screen.print(in_words(&plan, &estimate));
            return options
                .budget
                .admit(&estimate, screen)
                .await
                .map(|_| CopyResult::Planned(summary));
        }
        estimate.print(screen);
        let in_all = stop.unless(options.budget.admit(&estimate, screen)).await?;
        options.slots.raise(worker_args.workers(in_all));
        let mut migration = self.set_out(plan, destination, None).await?;
        migration.ahead = ahead;
        let id = migration.run.id().to_owned();
        let report = migration.carry_out().await?;
        report.iter().for_each(|report| report.print(screen));
        Ok(report.map_or(CopyResult::Detached(id, summary), |report| {
            CopyResult::Reported(Box::new(report))
        }))
    }

    /// Begins a run, beside another of the same destination if there is one, and opens the engine for it.
    ///
    /// # Errors
    /// Another run writes to the destination; the engine can't be opened.
    pub async fn set_out<'b>(
        &'b self,
        plan: Plan,
        destination: &'b DestinationRepo,
        beside: Option<&RunDir>,
    ) -> CliResult<CopyRun<'b>> {
        let Self {
            options,
            screen,
            began,
        } = *self;
        let CopyOptions {
            settings,
            runs,
            stop,
            ref worker_args,
            ref slots,
            prune,
            ..
        } = *options;
        let summary = plan.summary();
        let new = NewRun {
            verb: RunVerb::Migrate,
            on: worker_args.on,
            source: &plan.source,
            destination: &plan.destination,
            plan: &summary,
        };
        let mut run = match beside {
            None => runs.begin(new)?,
            Some(other) => runs.begin_beside(new, other)?,
        };
        let runner = match self.runner(&plan, &run).await {
            Ok(runner) => runner,
            Err(failure) => return run.end(State::Failed).and(Err(failure)),
        };
        Ok(CopyRun {
            plan,
            destination,
            prune,
            run,
            runner,
            slots,
            ahead: None,
            settings,
            screen,
            stop,
            began,
        })
    }

    /// Opens the engine; nobody is needed when nothing differs.
    async fn runner(&self, plan: &Plan, run: &RunDir) -> CliResult<Option<Runner>> {
        if plan.is_done() {
            return Ok(None);
        }
        let CopyOptions {
            worker_args,
            containers,
            settings,
            stop,
            watch,
            revisions,
            shared,
            slots,
            ..
        } = self.options;
        let workers = match worker_args.on {
            // One app for all: how much there is in all shows only later.
            EngineKind::Modal if worker_args.is_among_others() => worker_args.workers(u64::MAX),
            _ => slots.workers().min(plan.chunks.len()).max(1),
        };
        let opening = RunnerSpec {
            worker_args,
            workers,
            revisions: *revisions,
            shared,
            containers,
            plan,
            run,
            settings,
            screen: self.screen,
            stop,
        };
        Runner::open(opening, *watch).await.map(Some)
    }
}

/// Refuses what must not be: showing what was hidden, and moving bytes to where we may not write.
///
/// # Errors
/// That it would be.
pub async fn may_go_on(
    plan: &Plan,
    destination: &DestinationRepo,
    settings: &Settings,
) -> CliResult<()> {
    plan.check_folder_limit(destination.hub.limits().folder_entries)
        .map_err(|error| CliError::refused(error.message()))?;
    destination.stays_hidden(plan.creation.visibility)?;
    if destination.info.is_none() || plan.is_done() || destination.is_ours() {
        return Ok(());
    }
    match destination.hub.missing(&[asked_about(plan)]).await {
        Err(error)
            if matches!(
                error.kind(),
                Kind::Denied | Kind::Unauthorized | Kind::NotFound
            ) =>
        {
            Err(said(
                &error.with_kind(Kind::Denied),
                &destination.at,
                settings,
                AccessMode::Writing,
            ))
        }
        // Anything else is the workers' to meet: they ask again, with patience.
        _ => Ok(()),
    }
}

fn announce(plan: &Plan, screen: &Screen) {
    plan.warnings
        .iter()
        .for_each(|warning| screen.warn(warning));
    plan.withheld
        .iter()
        .for_each(|withheld| screen.warn(format!("nothing is deleted: {}", withheld.reason)));
    let summary = plan.summary();
    if plan.options.transport == Transport::Git && !plan.is_done() {
        screen.status(format!(
            "{} is read by Git: what is not in LFS comes in one pack",
            plan.source.id
        ));
    }
    let (id, hub) = (&plan.destination.id, plan.destination.hub);
    let differ = summary.files - summary.unchanged;
    match (plan.creation.exists, plan.is_done()) {
        (true, true) => screen.status(format!("{id} on {hub} has everything already")),
        (true, false) => screen.warn(format!(
            "{id} exists on {hub}: only what differs is sent, {differ} of {} files",
            summary.files
        )),
        (false, _) => (),
    }
    screen.json(&json!({
        "event": "planned", "source": plan.source, "destination": plan.destination, "creation": plan.creation, "summary": summary,
    }));
}
