//! A repo's revisions before anything is written: the branches and tags of both sides, where each goes, and what is to be done
//! about each.

use std::sync::Arc;
use std::time::Instant;

use futures_util::{StreamExt, stream};
use hf2ms_hub::{Kind, RefStore, Refs, RepoAt, Revision, open_ref_store, refs_by_git};
use hf2ms_worker::plan::DigestCache;
use hf2ms_worker::plan::shared::ClaimedBlobs;

use super::plan::{RevisionAction, RevisionPlan, RevisionPlanner};
use super::state;
use super::summary::{RevisionRow, RevisionsSummary};
use super::targets::{DefaultBranches, RefMapping, RevisionTarget, Targets};
use crate::args::route::Route;
use crate::copy::CopyOptions;
use crate::copy::decide::{EXISTS, IfExists, SPACE};
use crate::copy::inspect::{DestinationRepo, SourceRepo, said};
use crate::copy::plan::{Purpose, find};
use crate::runs::digests;
use crate::settings::hub_errors::AccessMode;
use crate::ui::errors::{CliError, CliResult};
use crate::ui::screen::Screen;

/// Revisions that are looked at at a time.
const AHEAD: usize = 4;

/// All revisions of a repo, as they were found.
pub struct Survey {
    /// Those that can be copied: the default branch first, what is only compared last.
    pub looked: Vec<RevisionPlan>,
    /// Those that can't, and why.
    pub lost: Vec<RevisionRow>,
    /// The destination, at its default branch.
    pub destination: DestinationRepo,
    /// Its branches and tags.
    pub references: Arc<dyn RefStore>,
    /// Digests that earlier runs have learned.
    pub known: DigestCache,
}

/// What came of looking.
pub enum SurveyResult<T> {
    /// This is to be done.
    Found(Box<T>),
    /// Nothing, for this reason.
    Skip(&'static str),
}

/// One look at both sides.
struct Look<'a> {
    options: &'a CopyOptions<'a>,
    screen: &'a Screen,
    source: SourceRepo,
    destination: DestinationRepo,
}

impl Survey {
    /// Looks at both sides.
    ///
    /// # Errors
    /// One of them can't be read, or shows what is to be hidden.
    pub async fn of(
        options: &CopyOptions<'_>,
        route: &Route,
        purpose: Purpose,
        screen: &Screen,
    ) -> CliResult<SurveyResult<Self>> {
        is_about_all(route)?;
        let stop = options.stop;
        let Some((source, destination)) = stop
            .unless(find(route, purpose, options.settings, screen))
            .await?
        else {
            return Ok(SurveyResult::Skip(SPACE));
        };
        let wanted = options.visibility.unwrap_or(source.repo.info.visibility);
        destination.stays_hidden(wanted)?;
        Look {
            options,
            screen,
            source,
            destination,
        }
        .survey(route)
        .await
    }

    /// What would come of all.
    pub fn summary(self, began: Instant) -> RevisionsSummary {
        let mut summary = RevisionsSummary::new(self.destination.at.web_url());
        self.looked
            .iter()
            .for_each(|one| summary.add(one.planned(), one.extent()));
        summary.rows.extend(self.lost);
        summary.conclude(None, began);
        summary
    }
}

impl Look<'_> {
    async fn survey(self, route: &Route) -> CliResult<SurveyResult<Survey>> {
        let Self {
            options,
            screen,
            ref source,
            ref destination,
        } = self;
        let (ours, references, theirs) = options.stop.unless(self.both()).await?;
        let wanted = Targets::of(&ours, &theirs, &self.defaults());
        let known = digests::load(options.runs, &source.repo.at, &destination.at);
        let looking = RevisionPlanner::new(
            options,
            route,
            (source, destination),
            &theirs,
            known.clone(),
        );
        if options.existing == IfExists::LeftAlone
            && destination.info.is_some()
            && !state::is_left_by_us(options.runs, &destination.at)
        {
            let proven = wanted
                .targets
                .iter()
                .all(|target| target.new.is_empty() && looking.is_proven(target));
            if !proven {
                return Ok(SurveyResult::Skip(EXISTS));
            }
        }
        source
            .repo
            .warnings
            .iter()
            .for_each(|warning| screen.warn(warning));
        self.announce(&ours, &wanted);
        self.name_left_over(&wanted, &theirs);
        let mut lost: Vec<RevisionRow> = wanted.refused.iter().map(RevisionRow::refused).collect();
        let mut looked = options
            .stop
            .unless(self.look(wanted.targets, &looking, &mut lost))
            .await?;
        drop(looking);
        self.share(&mut looked);
        Ok(SurveyResult::Found(Box::new(Survey {
            looked,
            lost,
            destination: self.destination,
            references,
            known,
        })))
    }

    /// The branches and tags of both sides, and how the destination's are asked for.
    async fn both(&self) -> CliResult<(Refs, Arc<dyn RefStore>, Refs)> {
        let (
            Self {
                source,
                destination,
                ..
            },
            settings,
        ) = (self, self.options.settings);
        let open = |side, at: &RepoAt, doing| {
            open_ref_store(&side, settings.http())
                .map_err(|error| said(&error, at, settings, doing))
        };
        let ours = match open(
            settings.source(&source.repo.at),
            &source.repo.at,
            AccessMode::Reading,
        )?
        .refs()
        .await
        {
            Err(error) if error.kind() == Kind::Locked => {
                refs_by_git(&settings.source(&source.repo.at), settings.http()).await
            }
            told => told,
        };
        let ours = ours
            .map_err(|error| said(&error, &source.repo.at, settings, AccessMode::Reading))?
            .named();
        let references = open(
            settings.destination(&destination.at),
            &destination.at,
            AccessMode::Writing,
        )?;
        let theirs = match &destination.info {
            Some(_) => references
                .refs()
                .await
                .map_err(|error| said(&error, &destination.at, settings, AccessMode::Writing))?,
            None => Refs::default(),
        };
        Ok((ours, references, theirs))
    }

    fn defaults(&self) -> DefaultBranches {
        DefaultBranches {
            source: Revision::main_of(self.source.repo.at.hub),
            destination: Revision::main_of(self.destination.at.hub),
        }
    }

    fn announce(&self, ours: &Refs, wanted: &Targets) {
        let (branches, tags, defaults) = (ours.branches.len(), ours.tags.len(), self.defaults());
        let renamed = if defaults.source == defaults.destination {
            format!("{} is the default branch on both sides", defaults.source)
        } else {
            format!(
                "{} goes to {}, the default branch there",
                defaults.source, defaults.destination
            )
        };
        self.screen.status(format!(
            "{branches} branches and {tags} tags at {} commits: {renamed}, the others keep their names",
            wanted.targets.len()
        ));
        if let Some(pattern) = self.source.repo.at.hub.profile().abilities.pull_requests {
            let conversions = if ours.others > 0 {
                format!(" and {} conversions", ours.others)
            } else {
                String::new()
            };
            self.screen.status(format!(
                "pull requests ({pattern}){conversions} are the hub's own and are not copied"
            ));
        }
        if wanted.left_over > 0 {
            self.screen.warn(format!(
                "{} branches hf2ms-copy-.. at the source are left over from an earlier run and are not copied",
                wanted.left_over
            ));
        }
    }

    /// Branches apart that no revision of now takes up: their commits are gone from the source's refs.
    fn name_left_over(&self, wanted: &Targets, theirs: &Refs) {
        for branch in wanted.left_over_in(theirs) {
            let id = &self.destination.at.id;
            self.screen.warn(format!(
                "the branch {branch} of {id} is left over from a run that was killed: delete it, unless one is under way elsewhere"
            ));
        }
    }

    /// Looks at each; what can't be looked at has failed alone.
    async fn look(
        &self,
        targets: Vec<RevisionTarget>,
        looking: &RevisionPlanner<'_>,
        lost: &mut Vec<RevisionRow>,
    ) -> CliResult<Vec<RevisionPlan>> {
        let look = |target: RevisionTarget| async move {
            let screen = self.screen.of_revision(&target.name());
            let names: Vec<RefMapping> = target.names().cloned().collect();
            looking
                .look(target, screen.clone())
                .await
                .map_err(|failure| (names, screen, failure))
        };
        let mut looked = Vec::new();
        let mut all = stream::iter(targets).map(look).buffered(AHEAD);
        while let Some(one) = all.next().await {
            match one {
                Ok(one) => looked.push(one),
                Err((_, _, failure)) if failure.ends_all() => return Err(failure),
                Err((names, screen, failure)) => {
                    screen.fail(&failure);
                    lost.extend(
                        names
                            .iter()
                            .map(|named| RevisionRow::failure(named, &failure)),
                    );
                }
            }
        }
        Ok(looked)
    }

    /// Gives each blob to the first revision that has it, and cuts what is left of each.
    fn share(&self, looked: &mut [RevisionPlan]) {
        let mut spoken = ClaimedBlobs::default();
        for one in looked {
            let RevisionAction::Copy(plan) = &mut one.found else {
                continue;
            };
            if !one.target.moves() {
                plan.chunks.clear();
                continue;
            }
            plan.claim_blobs(&mut spoken);
            let bytes = plan.summary().blob_bytes;
            plan.rechunk(self.options.worker_args.chunking(bytes));
            plan.warnings
                .iter()
                .for_each(|warning| one.screen.warn(warning));
        }
    }
}

/// That the source was named without a revision.
///
/// # Errors
/// It names one.
pub fn is_about_all(route: &Route) -> CliResult<()> {
    if *route.asked() == Revision::main_of(route.from()) {
        return Ok(());
    }
    Err(CliError::usage(
        "SOURCE names a revision, and --all-revisions is about all: leave one of them out",
    ))
}
