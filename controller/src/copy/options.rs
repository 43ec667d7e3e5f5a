//! What one command asks of every repo that it copies, and what those repos share.

use hf2ms_hub::RepoAt;
use hf2ms_worker::pipeline::creation::VisibilityRequest;
use hf2ms_worker::plan::{MaxDelete, Plan, PruneRequest};

use crate::args::revisions::RevisionScope;
use crate::args::terms::{RunTerms, TermArgs};
use crate::args::workers::{ContainerArgs, WorkerArgs};
use crate::copy::stored::StoredBlobs;
use crate::copy::transfer_limit::TransferLimit;
use crate::engine::open::RunnerCache;
use crate::engine::remote::DetachMode;
use crate::engine::slots::WorkerSlots;
use crate::estimate::CostArgs;
use crate::estimate::budget::CostBudget;
use crate::estimate::containers::chunking;
use crate::estimate::rates::Rates;
use crate::runs::Runs;
use crate::settings::Settings;
use crate::stop::Stop;
use crate::ui::errors::CliResult;

/// What a command asks of every repo, and what the repos share.
pub struct CopyOptions<'a> {
    /// Endpoints, tokens and the HTTP client.
    pub settings: &'a Settings,
    /// The folder of all runs.
    pub runs: &'a Runs,
    /// Set when the user stops the command.
    pub stop: &'a Stop,
    /// The engine, its workers and the size of chunks.
    pub worker_args: WorkerArgs,
    /// The image and network of Docker's containers.
    pub containers: &'a ContainerArgs,
    /// Who may read a repo that is created.
    pub visibility: VisibilityRequest,
    /// Whether files that only the destination has are deleted; `None` keeps them.
    pub prune: Option<PruneRequest>,
    /// Whether nobody is asked about deletions, those of a plan from a file among them.
    pub yes: bool,
    /// Whether files are written that someone else has changed at the destination meanwhile.
    pub overwrite: bool,
    /// What happens to a destination that exists already.
    pub if_exists: IfExists,
    /// Whether this process waits for a run in the cloud.
    pub watch: DetachMode,
    /// Shows what would be done and creates nothing.
    pub dry_run: bool,
    /// What is kept of the destinations, and the limits.
    pub terms: RunTerms,
    /// The bytes that may be moved, shared by all repos.
    pub transfer: TransferLimit,
    /// The cost limit, the confirmation and the rates, shared by all repos.
    pub budget: CostBudget,
    /// The workers' slots, shared by all repos.
    pub slots: WorkerSlots,
    /// Engines that an earlier repo of the command has opened.
    pub shared: RunnerCache,
}

/// What happens to a destination that exists already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IfExists {
    /// Files that differ are sent.
    Update,
    /// The repo is skipped, unless an unfinished run of this machine created the destination.
    Skip,
}

impl<'a> CopyOptions<'a> {
    /// The most files to delete of those that only the destination has; `None` keeps them.
    pub fn max_delete(&self) -> Option<MaxDelete> {
        self.prune.map(|prune| prune.max)
    }

    /// The options of a command that updates one revision of each repo and waits for the end.
    pub fn new(
        settings: &'a Settings,
        runs: &'a Runs,
        stop: &'a Stop,
        workers: (WorkerArgs, &'a ContainerArgs),
        budget: CostBudget,
    ) -> Self {
        let (worker_args, containers) = workers;
        Self {
            settings,
            runs,
            stop,
            worker_args,
            containers,
            visibility: VisibilityRequest::default(),
            prune: None,
            yes: false,
            overwrite: false,
            if_exists: IfExists::Update,
            watch: DetachMode::Attached,
            dry_run: false,
            terms: RunTerms::default(),
            transfer: TransferLimit::default(),
            budget,
            slots: WorkerSlots::new(1),
            shared: RunnerCache::default(),
        }
    }

    /// Leaves what `--max-transfer` does not allow to the next run; where the command has no limit, that of a plan from a file.
    ///
    /// # Errors
    /// Nothing fits any more.
    pub fn keep_to_limit(&self, plan: &mut Plan, stored: &StoredBlobs) -> CliResult<()> {
        let rates = self.rates(&plan.source, &plan.destination);
        let cut = |sizes: &[u64]| chunking(&self.worker_args, sizes, &rates);
        match (self.terms.limits.max_transfer, plan.limits.max_transfer) {
            (None, of_plan @ Some(_)) => TransferLimit::new(of_plan).cut(plan, stored, cut),
            _ => self.transfer.cut(plan, stored, cut),
        }
    }

    /// How fast workers are between these two.
    pub fn rates(&self, source: &RepoAt, destination: &RepoAt) -> Rates {
        let on = self.worker_args.on;
        self.budget.rates(self.runs, on, source, destination)
    }

    /// Fails while another run writes to the destination, unless nothing is to be written.
    ///
    /// # Errors
    /// Another run does.
    pub fn check_free(&self, destination: &RepoAt) -> CliResult<()> {
        match self.dry_run {
            true => Ok(()),
            false => self.runs.check_free(destination),
        }
    }
}

/// The arguments that `migrate` and `batch` share.
#[derive(Debug, clap::Args)]
pub struct CopyArgs {
    /// Show what would be done, and create nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Write files although someone else has changed them at the destination during the run; nothing that was rewritten is deleted
    #[arg(long)]
    overwrite: bool,
    /// Return as soon as all is submitted; only on modal, where the work goes on by itself
    #[arg(long)]
    detach: bool,
    /// Do not ask: at a terminal, more than 100 GB in all are moved, and files deleted by --prune, only after a yes
    #[arg(long, short)]
    pub(crate) yes: bool,
    /// The engine, its workers and the size of chunks.
    #[command(flatten)]
    pub worker_args: WorkerArgs,
    #[command(flatten)]
    terms: TermArgs,
    #[command(flatten)]
    cost: CostArgs,
    /// The image and network of Docker's containers.
    #[command(flatten)]
    pub containers: ContainerArgs,
}

impl CopyArgs {
    /// Whether this process waits for a run in the cloud.
    ///
    /// # Errors
    /// An argument does not fit the engine.
    pub fn watch(&self) -> CliResult<DetachMode> {
        self.containers.fit(self.worker_args.on)?;
        DetachMode::of(self.detach, self.worker_args.on)
    }

    /// The options that these arguments ask for. The workers take chunks of several repos, or of several revisions, if `shared`.
    ///
    /// # Errors
    /// The terms contradict the revisions.
    pub fn options<'a>(
        &'a self,
        settings: &'a Settings,
        runs: &'a Runs,
        stop: &'a Stop,
        shared: bool,
        revisions: RevisionScope,
    ) -> CliResult<CopyOptions<'a>> {
        let worker_args = self.worker_args.clone();
        let worker_args = if shared {
            worker_args.among_others()
        } else {
            worker_args
        };
        let budget = CostBudget::new(self.cost.clone(), self.yes || self.dry_run);
        let terms = self.terms.terms(revisions)?;
        Ok(CopyOptions {
            dry_run: self.dry_run,
            yes: self.yes,
            overwrite: self.overwrite,
            transfer: TransferLimit::new(terms.limits.max_transfer),
            terms,
            ..CopyOptions::new(
                settings,
                runs,
                stop,
                (worker_args, &self.containers),
                budget,
            )
        })
    }
}
