//! The branches and tags of both sides and a plan for each, before anything is written.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Instant;

use futures_util::{StreamExt, stream};
use hf2ms_worker::pipeline::creation::readers_of_copy;

use hf2ms_hub::{Error, Kind, RefStore, Refs, RepoAt, Revision, Side, open_ref_store, refs_by_git};
use hf2ms_worker::plan::DigestCache;
use hf2ms_worker::plan::shared::ClaimedBlobs;
use hf2ms_worker::revisions::targets::{
    DefaultBranches, RefMapping, RevisionTarget, RevisionTargets,
};

use super::plan::{RevisionAction, RevisionPlan, RevisionPlanner};
use super::state;
use super::summary::{RevisionRow, RevisionsSummary};
use crate::args::route::Route;
use crate::copy::decide::EXISTS;
use crate::copy::inspect::{DestinationRepo, SourceRepo};
use crate::copy::options::{CopyOptions, IfExists};
use crate::copy::plan::{FoundSides, Purpose, find};
use crate::estimate::containers::chunking;
use crate::runs::digests;
use crate::settings::Settings;
use crate::settings::hub_errors::{AccessMode, hub_error};
use crate::ui::errors::{CliError, CliResult};
use crate::ui::nouns::{counted, grouped};
use crate::ui::screen::Screen;

/// Revisions that are planned at a time.
const AHEAD: usize = 4;

/// All revisions of a repo, planned.
pub struct Survey {
    /// The revisions that can be copied: the default branch first, tags that are only compared last.
    pub plans: Vec<RevisionPlan>,
    /// The branches and tags that can't be copied, and why.
    pub failed: Vec<RevisionRow>,
    /// The destination, at its default branch.
    pub destination: DestinationRepo,
    /// The client for the destination's branches and tags.
    pub references: Arc<dyn RefStore>,
    /// Digests that earlier runs have learned.
    pub known: DigestCache,
}

/// The result of a survey.
pub enum SurveyResult<T> {
    /// The revisions were found.
    Found(Box<T>),
    /// The repo is skipped for this reason.
    Skip(String),
}

/// Surveys one repo.
struct Surveyor<'a> {
    options: &'a CopyOptions<'a>,
    screen: &'a Screen,
    source: SourceRepo,
    destination: DestinationRepo,
}

impl Survey {
    /// Lists the branches and tags of both sides and plans each.
    ///
    /// # Errors
    /// One of the sides can't be read; the destination is public and the source is not.
    pub async fn of(
        options: &CopyOptions<'_>,
        route: &Route,
        purpose: Purpose,
        screen: &Screen,
    ) -> CliResult<SurveyResult<Self>> {
        check_names_no_revision(route)?;
        let stop = options.stop;
        route.announce(screen);
        let found = stop.unless(find(route, purpose, options.settings));
        let (source, destination) = match found.await? {
            FoundSides::Both(both) => *both,
            FoundSides::Skip(reason) => return Ok(SurveyResult::Skip(reason)),
        };
        if purpose == Purpose::Write {
            options.check_free(&destination.at)?;
        }
        let readers = readers_of_copy(&source.repo.info, options.visibility);
        destination.check_not_exposed(readers)?;
        Surveyor {
            options,
            screen,
            source,
            destination,
        }
        .survey(route)
        .await
    }

    /// The table of a dry run.
    pub fn summary(self, began: Instant) -> RevisionsSummary {
        let mut summary = RevisionsSummary::new(self.destination.at.web_url());
        self.plans
            .iter()
            .for_each(|one| summary.add(one.planned(), one.size()));
        summary.rows.extend(self.failed);
        summary.conclude(None, began);
        summary
    }
}

impl Surveyor<'_> {
    async fn survey(self, route: &Route) -> CliResult<SurveyResult<Survey>> {
        let Self {
            options,
            screen,
            ref source,
            ref destination,
        } = self;
        let (source_refs, references, destination_refs) = options
            .stop
            .unless(list_refs(source, destination, options.settings))
            .await?;
        let targets = RevisionTargets::of(&source_refs, &destination_refs, &self.defaults());
        let known = digests::load(options.runs, &source.repo.at, &destination.at);
        let planner = RevisionPlanner::new(
            options,
            route,
            (source, destination),
            &destination_refs,
            known.clone(),
        );
        if options.if_exists == IfExists::Skip
            && destination.info.is_some()
            && !state::is_unfinished(options.runs, &destination.at)
            && !planner.are_up_to_date(&targets)
        {
            return Ok(SurveyResult::Skip(EXISTS.to_owned()));
        }
        let keeps_gate = readers_of_copy(&source.repo.info, options.visibility)
            .gate
            .is_some();
        let of_gate = source.repo.gate_warning.iter().filter(|_| !keeps_gate);
        let warnings = source.repo.warnings.iter().chain(of_gate);
        warnings.for_each(|warning| screen.warn(warning));
        self.announce(&source_refs, &targets);
        self.warn_of_leftovers(&targets, &destination_refs);
        let mut failed: Vec<RevisionRow> =
            targets.refused.iter().map(RevisionRow::refused).collect();
        let mut plans = options
            .stop
            .unless(self.plan_all(targets.targets, &planner, &mut failed))
            .await?;
        drop(planner);
        self.share(&mut plans);
        Ok(SurveyResult::Found(Box::new(Survey {
            plans,
            failed,
            destination: self.destination,
            references,
            known,
        })))
    }

    fn defaults(&self) -> DefaultBranches {
        DefaultBranches::of(self.source.repo.at.hub, self.destination.at.hub)
    }

    fn announce(&self, source_refs: &Refs, targets: &RevisionTargets) {
        let (branches, tags, defaults) = (
            source_refs.branches.len(),
            source_refs.tags.len(),
            self.defaults(),
        );
        let renamed = if defaults.source == defaults.destination {
            format!("{} is the default branch on both sides", defaults.source)
        } else {
            format!(
                "{} goes to {}, the default branch there",
                defaults.source, defaults.destination
            )
        };
        let targeted = targets.targets.iter();
        let commits: HashSet<&Revision> = targeted.map(|target| &target.commit).collect();
        let commits = counted(commits.len() as u64, "commit");
        let branches = match branches {
            1 => "1 branch".to_owned(),
            count => format!("{} branches", grouped(count as u64)),
        };
        let tags = counted(tags as u64, "tag");
        self.screen.status(format!(
            "{branches} and {tags} at {commits}: {renamed}, the others keep their names"
        ));
        if let Some(pattern) = self.source.repo.at.hub.profile().abilities.pull_requests {
            let conversions = if source_refs.others > 0 {
                format!(" and {}", counted(source_refs.others as u64, "conversion"))
            } else {
                String::new()
            };
            self.screen.status(format!(
                "pull requests ({pattern}){conversions} are the hub's own and are not copied"
            ));
        }
        if targets.left_over > 0 {
            self.screen.warn(format!(
                "{} branches hf2ms-copy-.. at the source are left over from an earlier run and are not copied",
                targets.left_over
            ));
        }
    }

    /// Warns of temporary branches that no revision uses: their commits are gone from the source's refs.
    fn warn_of_leftovers(&self, targets: &RevisionTargets, destination_refs: &Refs) {
        for branch in targets.left_over_in(destination_refs) {
            let id = &self.destination.at.id;
            self.screen.warn(format!(
                "the branch {branch} of {id} is left over from a run that was killed: delete it, unless one is under way elsewhere"
            ));
        }
    }

    /// Plans each target; one that can't be planned fails alone.
    async fn plan_all(
        &self,
        targets: Vec<RevisionTarget>,
        planner: &RevisionPlanner<'_>,
        failed: &mut Vec<RevisionRow>,
    ) -> CliResult<Vec<RevisionPlan>> {
        let plan = |target: RevisionTarget| async move {
            let screen = self.screen.of_revision(&target.name());
            let names: Vec<RefMapping> = target.refs().cloned().collect();
            planner
                .plan(target, screen.clone())
                .await
                .map_err(|failure| (names, screen, failure))
        };
        let mut plans = Vec::new();
        let mut all = stream::iter(targets).map(plan).buffered(AHEAD);
        while let Some(one) = all.next().await {
            match one {
                Ok(one) => plans.push(one),
                Err((_, _, failure)) if failure.ends_all() => return Err(failure),
                Err((names, screen, failure)) => {
                    screen.fail(&failure);
                    failed.extend(
                        names
                            .iter()
                            .map(|named| RevisionRow::failure(named, &failure)),
                    );
                }
            }
        }
        Ok(plans)
    }

    /// Gives each blob to the first revision that has it, and cuts the rest of each plan into chunks.
    fn share(&self, plans: &mut [RevisionPlan]) {
        let mut claimed = ClaimedBlobs::default();
        for one in plans {
            let RevisionAction::Copy(plan) = &mut one.action else {
                continue;
            };
            if !one.target.moves() {
                plan.chunks.clear();
                continue;
            }
            plan.claim_blobs(&mut claimed);
            let rates = self.options.rates(&plan.source, &plan.destination);
            let sizes = plan.blob_sizes();
            plan.rechunk(chunking(&self.options.worker_args, &sizes, &rates));
            plan.warnings
                .iter()
                .for_each(|warning| one.screen.warn(warning));
        }
    }
}

/// The source's refs, the client for the destination's refs, and the destination's refs.
///
/// # Errors
/// One of the hubs can't be asked.
pub async fn list_refs(
    source: &SourceRepo,
    destination: &DestinationRepo,
    settings: &Settings,
) -> CliResult<(Refs, Arc<dyn RefStore>, Refs)> {
    let open = |side: Result<Side, Error>, at: &RepoAt, doing| {
        side.and_then(|side| open_ref_store(&side, settings.http()))
            .map_err(|error| hub_error(&error, at, settings, doing))
    };
    let source_refs = match open(
        settings.source(&source.repo.at),
        &source.repo.at,
        AccessMode::Read,
    )?
    .refs()
    .await
    {
        Err(error) if error.kind() == Kind::Locked => match settings.source(&source.repo.at) {
            Ok(side) => refs_by_git(&side, settings.http()).await,
            Err(error) => Err(error),
        },
        listed => listed,
    };
    let source_refs = source_refs
        .map_err(|error| hub_error(&error, &source.repo.at, settings, AccessMode::Read))?
        .named();
    let references = open(
        settings.destination(&destination.at),
        &destination.at,
        AccessMode::ReadDestination,
    )?;
    let destination_refs = match &destination.info {
        Some(_) => references.refs().await.map_err(|error| {
            hub_error(
                &error,
                &destination.at,
                settings,
                AccessMode::ReadDestination,
            )
        })?,
        None => Refs::default(),
    };
    Ok((source_refs, references, destination_refs))
}

/// Refuses a source that names a revision.
///
/// # Errors
/// SOURCE names a revision.
pub fn check_names_no_revision(route: &Route) -> CliResult<()> {
    if *route.asked() == Revision::main_of(route.from()) {
        return Ok(());
    }
    Err(CliError::usage(
        "SOURCE names a revision, and --all-revisions is about all: leave one of them out",
    ))
}
