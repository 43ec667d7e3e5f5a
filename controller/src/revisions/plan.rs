//! The plan of one revision. A commit of several branches is listed once.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use hf2ms_hub::{Listing, RefKind, Refs, Revision};
use hf2ms_worker::pipeline::planning::Trust;
use hf2ms_worker::plan::{DigestCache, GitFiles, Plan};
use hf2ms_worker::protocol::Transport;
use hf2ms_worker::revisions::targets::{RefMapping, RevisionTarget, RevisionTargets, WriteTo};
use serde::Serialize;

use super::summary::{RevisionRow, RevisionStatus};
use crate::args::filter::LeftOut;
use crate::args::route::Route;
use crate::copy::inspect::{DestinationRepo, SourceRepo};
use crate::copy::options::CopyOptions;
use crate::copy::permission::check_folders;
use crate::copy::plan::{PlanOptions, RepoPair};
use crate::copy::sync_state::{SyncState, SyncStates, trust_in};
use crate::runs::report::Report;
use crate::ui::errors::{CliError, CliResult};
use crate::ui::screen::Screen;

/// A revision and what is to be done about it.
pub struct RevisionPlan {
    /// The commit, and where its files go.
    pub target: RevisionTarget,
    /// The destination at the branch or tag of the target.
    pub destination: DestinationRepo,
    /// Where lines about this revision are printed.
    pub screen: Screen,
    /// What is to be done.
    pub action: RevisionAction,
}

/// A plan as `hf2ms plan` prints it, with the branches and tags that it is for.
#[derive(Serialize)]
pub struct PrintedPlan<'a> {
    revisions: Vec<&'a RefMapping>,
    #[serde(flatten)]
    plan: Plan,
}

impl<'a> PrintedPlan<'a> {
    /// The printed plan; `None` if the revision is up to date.
    pub fn new(one: &'a RevisionPlan) -> Option<Self> {
        Some(Self {
            revisions: one.target.refs().collect(),
            plan: plan_named(one.plan()?, &one.target),
        })
    }
}

/// The plan with the first branch or tag of the target as its destination, by which its run is known.
pub fn plan_named(plan: &Plan, target: &RevisionTarget) -> Plan {
    let mut plan = plan.clone();
    if let Some(named) = target.first() {
        plan.destination.revision = named.destination.clone();
    }
    plan
}

impl RevisionPlan {
    /// The plan; `None` if the revision is up to date.
    pub fn plan(&self) -> Option<&Plan> {
        if let RevisionAction::Copy(plan) = &self.action {
            Some(plan)
        } else {
            None
        }
    }

    /// The rows of a dry run, one for each branch or tag.
    pub fn planned(&self) -> Vec<RevisionRow> {
        let row = |named: &RefMapping| match &self.action {
            RevisionAction::Copy(plan) => RevisionRow::planned(named, &plan.summary()),
            RevisionAction::UpToDate(report) => RevisionRow::reported(
                named,
                report,
                RevisionStatus::Unchanged,
                self.destination.head.clone(),
            ),
        };
        self.target.refs().map(row).collect()
    }

    /// The number of files, and their bytes.
    pub fn size(&self) -> (u64, u64) {
        match &self.action {
            RevisionAction::Copy(plan) => (plan.summary().files, plan.summary().bytes),
            RevisionAction::UpToDate(report) => (report.tally.files, report.tally.bytes),
        }
    }
}

/// What is to be done about a revision.
pub enum RevisionAction {
    /// Nothing: an earlier run verified both commits as equal.
    UpToDate(Box<Report>),
    /// Carry out this plan.
    Copy(Box<Plan>),
}

/// Plans the revisions of one repo.
pub struct RevisionPlanner<'a> {
    options: &'a CopyOptions<'a>,
    route: &'a Route,
    source: &'a SourceRepo,
    destination: &'a DestinationRepo,
    destination_refs: &'a Refs,
    known: DigestCache,
    states: SyncStates,
    listings: Mutex<HashMap<Revision, Arc<tokio::sync::Mutex<Option<CachedListing>>>>>,
}

/// The listing of a commit, and how it was read.
struct CachedListing {
    listing: Listing,
    transport: Transport,
    outside: GitFiles,
    left_out: LeftOut,
}

impl<'a> RevisionPlanner<'a> {
    /// A planner for these two repos. `known` holds the digests that earlier runs have learned.
    pub fn new(
        options: &'a CopyOptions<'a>,
        route: &'a Route,
        sides: (&'a SourceRepo, &'a DestinationRepo),
        destination_refs: &'a Refs,
        known: DigestCache,
    ) -> Self {
        let states = SyncStates::of(options.runs, &sides.1.at);
        Self {
            options,
            route,
            source: sides.0,
            destination: sides.1,
            destination_refs,
            known,
            states,
            listings: Mutex::default(),
        }
    }

    /// Plans one revision.
    ///
    /// # Errors
    /// One of the sides can't be read, or the destination's hub can't hold the files.
    pub async fn plan(&self, target: RevisionTarget, screen: Screen) -> CliResult<RevisionPlan> {
        let settings = self.options.settings;
        let (mut source, mut destination) = self.sides(&target)?;
        if let Some(report) = self.verified(&source, &destination) {
            return Ok(RevisionPlan {
                target,
                destination,
                screen,
                action: RevisionAction::UpToDate(Box::new(report)),
            });
        }
        if target.write_to != WriteTo::TemporaryBranch {
            destination.listing = destination.current(settings).await?;
        }
        let listing = self.listing(&mut source).await?;
        let is_temporary = target.write_to == WriteTo::TemporaryBranch;
        let options = PlanOptions {
            worker_args: self.options.worker_args.clone(),
            rates: self.options.rates(&source.repo.at, &destination.at),
            visibility: self.options.visibility,
            prune: self.options.max_delete().filter(|_| !is_temporary),
            card: self.route.card(),
            overwrite: self.options.overwrite,
            trust: match is_temporary {
                true => Trust::Listing,
                false => trust_in(self.options.runs, &destination, self.route.filter()),
            },
            terms: self.options.terms.clone(),
        };
        let (mut plan, destination) = RepoPair::of(source, destination, listing)
            .plan(&options, &self.known, settings)
            .await?;
        check_folders(&plan, &destination)?;
        if is_temporary {
            plan.creation.exists = false;
            plan.backup = None;
        }
        Ok(RevisionPlan {
            target,
            destination,
            screen,
            action: RevisionAction::Copy(Box::new(plan)),
        })
    }

    /// Whether all branches and tags exist, and earlier runs verified them at the source's commits.
    pub fn are_up_to_date(&self, targets: &RevisionTargets) -> bool {
        let mut targets = targets.targets.iter();
        targets.all(|target| target.new_refs.is_empty() && self.is_up_to_date(target))
    }

    fn is_up_to_date(&self, target: &RevisionTarget) -> bool {
        self.sides(target)
            .is_ok_and(|(source, destination)| self.verified(&source, &destination).is_some())
    }

    fn sides(&self, target: &RevisionTarget) -> CliResult<(SourceRepo, DestinationRepo)> {
        let first = target
            .first()
            .ok_or_else(|| CliError::usage("a revision has no name: name it with --revision"))?;
        Ok((
            self.source
                .at_commit(&target.commit, &first.source, self.options.settings)?,
            self.destination_of(target)?,
        ))
    }

    /// The destination at the branch or tag of the target.
    fn destination_of(&self, target: &RevisionTarget) -> CliResult<DestinationRepo> {
        let at = |kind, named: &RefMapping| {
            let head = self
                .destination_refs
                .find(kind, &named.destination)
                .cloned();
            self.destination
                .at_branch(&named.destination, head, self.options.settings)
        };
        match &target.write_to {
            WriteTo::Branch(named) => at(RefKind::Branch, named),
            WriteTo::ExistingTag(named) => at(RefKind::Tag, named),
            WriteTo::TemporaryBranch => {
                let branch = target.temporary_branch().ok_or_else(|| {
                    CliError::usage("a revision has no commit: name it with --revision")
                })?;
                self.destination
                    .at_branch(&branch, None, self.options.settings)
            }
        }
    }

    /// The report of the run that verified these commits as equal.
    fn verified(&self, source: &SourceRepo, destination: &DestinationRepo) -> Option<Report> {
        let state = SyncState::new(
            &source.repo.at,
            &destination.at,
            destination.head.clone()?,
            self.route.filter(),
            self.options.max_delete(),
        );
        self.states
            .find(&state.with_card(self.route.card()), self.options.runs)
    }

    /// The files of the source's commit, listed once; and `source` is read as they were.
    async fn listing(&self, source: &mut SourceRepo) -> CliResult<Listing> {
        let cell = {
            let mut listings = self.listings.lock().unwrap_or_else(PoisonError::into_inner);
            listings
                .entry(source.repo.at.revision.clone())
                .or_default()
                .clone()
        };
        let mut cached = cell.lock().await;
        if let Some(cached) = &*cached {
            let left_out = cached.left_out.clone();
            source.take_over(
                cached.transport,
                cached.outside,
                left_out,
                self.options.settings,
            )?;
            return Ok(cached.listing.clone());
        }
        let listing = source.list(self.options.settings).await?;
        *cached = Some(CachedListing {
            listing: listing.clone(),
            transport: source.repo.transport,
            outside: source.repo.git_files,
            left_out: source.left_out().clone(),
        });
        Ok(listing)
    }
}
