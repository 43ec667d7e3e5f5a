//! One revision, looked at on both sides and planned. A commit that several branches stand at is listed once.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use hf2ms_hub::{Listing, RefKind, Refs, Revision};
use hf2ms_worker::plan::{DigestCache, GitFiles, Plan};
use hf2ms_worker::protocol::Transport;
use serde::Serialize;

use super::summary::{RevisionRow, RevisionStatus};
use super::targets::{RefMapping, RevisionTarget, WriteTo};
use crate::args::route::Route;
use crate::copy::CopyOptions;
use crate::copy::inspect::{DestinationRepo, SourceRepo};
use crate::copy::plan::{PlanOptions, RepoPair};
use crate::copy::sync_state::{SyncState, SyncStates};
use crate::runs::report::Report;
use crate::ui::errors::{CliError, CliResult};
use crate::ui::screen::Screen;

/// A revision as it was found.
pub struct RevisionPlan {
    /// Where it goes.
    pub target: RevisionTarget,
    /// What stands there.
    pub destination: DestinationRepo,
    /// Where words about it go.
    pub screen: Screen,
    /// What is to be done.
    pub found: RevisionAction,
}

/// A plan, and the branches and tags that it is for.
#[derive(Serialize)]
pub struct PrintedPlan<'a> {
    revisions: Vec<&'a RefMapping>,
    #[serde(flatten)]
    plan: Plan,
}

impl<'a> PrintedPlan<'a> {
    /// Of a revision about which something is to be done.
    pub fn new(one: &'a RevisionPlan) -> Option<Self> {
        Some(Self {
            revisions: one.target.names().collect(),
            plan: plan_named(one.plan()?, &one.target),
        })
    }
}

/// The plan, whose run goes by the name that the revision is to have.
pub fn plan_named(plan: &Plan, target: &RevisionTarget) -> Plan {
    let mut plan = plan.clone();
    if let Some(named) = target.first() {
        plan.destination.revision = named.destination.clone();
    }
    plan
}

impl RevisionPlan {
    /// What is to be done, if anything is.
    pub fn plan(&self) -> Option<&Plan> {
        if let RevisionAction::Copy(plan) = &self.found {
            Some(plan)
        } else {
            None
        }
    }

    /// A row a name: what would come of it.
    pub fn planned(&self) -> Vec<RevisionRow> {
        let row = |named: &RefMapping| match &self.found {
            RevisionAction::Copy(plan) => RevisionRow::planned(named, &plan.summary()),
            RevisionAction::UpToDate(report) => RevisionRow::reported(
                named,
                report,
                RevisionStatus::Unchanged,
                self.destination.head.clone(),
            ),
        };
        self.target.names().map(row).collect()
    }

    /// Its files and their bytes.
    pub fn extent(&self) -> (u64, u64) {
        match &self.found {
            RevisionAction::Copy(plan) => (plan.summary().files, plan.summary().bytes),
            RevisionAction::UpToDate(report) => (report.tally.files, report.tally.bytes),
        }
    }
}

/// What is to be done about a revision.
pub enum RevisionAction {
    /// Nothing: an earlier run proves that it is there.
    UpToDate(Box<Report>),
    /// This.
    Copy(Box<Plan>),
}

/// What all revisions of a repo are looked at with.
pub struct RevisionPlanner<'a> {
    options: &'a CopyOptions<'a>,
    route: &'a Route,
    source: &'a SourceRepo,
    destination: &'a DestinationRepo,
    theirs: &'a Refs,
    known: DigestCache,
    proofs: SyncStates,
    listings: Mutex<HashMap<Revision, Arc<tokio::sync::Mutex<Option<CachedListing>>>>>,
}

/// A commit that was listed.
struct CachedListing {
    listing: Listing,
    transport: Transport,
    outside: GitFiles,
}

impl<'a> RevisionPlanner<'a> {
    /// Of these sides; `theirs` is what the destination has, and `known` what earlier runs have learned.
    pub fn new(
        options: &'a CopyOptions<'a>,
        route: &'a Route,
        sides: (&'a SourceRepo, &'a DestinationRepo),
        theirs: &'a Refs,
        known: DigestCache,
    ) -> Self {
        let proofs = SyncStates::of(options.runs, &sides.1.at);
        Self {
            options,
            route,
            source: sides.0,
            destination: sides.1,
            theirs,
            known,
            proofs,
            listings: Mutex::default(),
        }
    }

    /// Looks at one.
    ///
    /// # Errors
    /// It can't be read, or not be compared.
    pub async fn look(&self, target: RevisionTarget, screen: Screen) -> CliResult<RevisionPlan> {
        let settings = self.options.settings;
        let (mut source, mut destination) = self.sides(&target)?;
        if let Some(report) = self.proven(&source, &destination) {
            return Ok(RevisionPlan {
                target,
                destination,
                screen,
                found: RevisionAction::UpToDate(Box::new(report)),
            });
        }
        if target.place != WriteTo::TemporaryBranch {
            destination.listing = destination.current(settings).await?;
        }
        let listing = self.listing(&mut source).await?;
        let prune = if target.place == WriteTo::TemporaryBranch {
            None
        } else {
            self.options.prune
        };
        let (worker_args, visibility, card) = (
            self.options.worker_args.clone(),
            self.options.visibility,
            self.route.card(),
        );
        let options = PlanOptions {
            worker_args,
            visibility,
            prune,
            card,
        };
        let (mut plan, destination) = RepoPair::of(source, destination, listing)
            .plan(&options, &self.known, settings)
            .await?;
        plan.check_folder_limit(destination.hub.limits().folder_entries)
            .map_err(|error| CliError::refused(error.message()))?;
        if target.place == WriteTo::TemporaryBranch {
            plan.creation.exists = false;
        }
        Ok(RevisionPlan {
            target,
            destination,
            screen,
            found: RevisionAction::Copy(Box::new(plan)),
        })
    }

    /// Whether an earlier run proves that it is there.
    pub fn is_proven(&self, target: &RevisionTarget) -> bool {
        self.sides(target)
            .is_ok_and(|(source, destination)| self.proven(&source, &destination).is_some())
    }

    fn sides(&self, target: &RevisionTarget) -> CliResult<(SourceRepo, DestinationRepo)> {
        let first = target
            .first()
            .ok_or_else(|| CliError::usage("a revision without a name"))?;
        Ok((
            self.source
                .at_commit(&target.commit, &first.source, self.options.settings)?,
            self.place(target)?,
        ))
    }

    /// The destination, where this goes.
    fn place(&self, target: &RevisionTarget) -> CliResult<DestinationRepo> {
        let at = |kind, named: &RefMapping| {
            let head = self.theirs.find(kind, &named.destination).cloned();
            self.destination
                .at_branch(&named.destination, head, self.options.settings)
        };
        match &target.place {
            WriteTo::Branch(named) => at(RefKind::Branch, named),
            WriteTo::ExistingTag(named) => at(RefKind::Tag, named),
            WriteTo::TemporaryBranch => {
                let branch = target
                    .branch_apart()
                    .ok_or_else(|| CliError::usage("a commit that is none"))?;
                self.destination
                    .at_branch(&branch, None, self.options.settings)
            }
        }
    }

    fn proven(&self, source: &SourceRepo, destination: &DestinationRepo) -> Option<Report> {
        let proof = SyncState::new(
            &source.repo.at,
            &destination.at,
            destination.head.clone()?,
            self.route.filter(),
            self.options.prune,
        );
        self.proofs
            .find(&proof.with_card(self.route.card()), self.options.runs)
    }

    /// The files at a commit. Who looks at it after another takes over how it was read, too.
    async fn listing(&self, source: &mut SourceRepo) -> CliResult<Listing> {
        let cell = {
            let mut listings = self.listings.lock().unwrap_or_else(PoisonError::into_inner);
            listings
                .entry(source.repo.at.revision.clone())
                .or_default()
                .clone()
        };
        let mut seen = cell.lock().await;
        if let Some(seen) = &*seen {
            source.take_over(seen.transport, seen.outside, self.options.settings)?;
            return Ok(seen.listing.clone());
        }
        let listing = source.list(self.options.settings).await?;
        *seen = Some(CachedListing {
            listing: listing.clone(),
            transport: source.repo.transport,
            outside: source.repo.git_files,
        });
        Ok(listing)
    }
}
