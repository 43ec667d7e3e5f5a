//! A repo's revisions before anything is written: the branches and tags of both sides, where each goes, and what is to be done
//! about each.

use std::sync::Arc;
use std::time::Instant;

use futures_util::{StreamExt, stream};
use hf2ms_hub::{Hub, Kind, References, Refs, RepoAt, Revision, open_references, refs_by_git};
use hf2ms_worker::plan::DigestCache;
use hf2ms_worker::plan::shared::ClaimedBlobs;

use super::plan::{Found, Looked, Looking};
use super::state;
use super::summary::{Row, Summary};
use super::targets::{Defaults, Named, Target, Wanted};
use crate::args::route::Route;
use crate::copy::Task;
use crate::copy::decide::{EXISTS, Existing, SPACE};
use crate::copy::inspect::{Here, There, said};
use crate::copy::plan::{Purpose, find};
use crate::copy::run::stays_hidden;
use crate::runs::digests;
use crate::settings::hub_errors::Doing;
use crate::ui::errors::{Failure, Outcome};
use crate::ui::screen::Screen;

/// Revisions that are looked at at a time.
const AHEAD: usize = 4;

/// All revisions of a repo, as they were found.
pub struct Survey {
    /// Those that can be copied: the default branch first, what is only compared last.
    pub looked: Vec<Looked>,
    /// Those that can't, and why.
    pub lost: Vec<Row>,
    /// The destination, at its default branch.
    pub there: There,
    /// Its branches and tags.
    pub references: Arc<dyn References>,
    /// Digests that earlier runs have learned.
    pub known: DigestCache,
}

/// What came of looking.
pub enum Surveyed<T> {
    /// This is to be done.
    Found(Box<T>),
    /// Nothing, for this reason.
    Skip(&'static str),
}

/// One look at both sides.
struct Look<'a> {
    task: &'a Task<'a>,
    screen: &'a Screen,
    here: Here,
    there: There,
}

impl Survey {
    /// Looks at both sides.
    ///
    /// # Errors
    /// One of them can't be read, or shows what is to be hidden.
    pub async fn of(
        task: &Task<'_>,
        route: &Route,
        purpose: Purpose,
        screen: &Screen,
    ) -> Outcome<Surveyed<Self>> {
        is_about_all(route)?;
        let stop = task.stop;
        let Some((here, there)) = stop
            .unless(find(route, purpose, task.settings, screen))
            .await?
        else {
            return Ok(Surveyed::Skip(SPACE));
        };
        let wanted = task.visibility.unwrap_or(here.info.visibility);
        there
            .info
            .iter()
            .try_for_each(|info| stays_hidden(wanted, info.visibility, &there.at.id.to_string()))?;
        Look {
            task,
            screen,
            here,
            there,
        }
        .survey(route)
        .await
    }

    /// What would come of all.
    pub fn summary(self, began: Instant) -> Summary {
        let mut summary = Summary::new(self.there.at.web_url());
        self.looked
            .iter()
            .for_each(|one| summary.add(one.planned(), one.extent()));
        summary.rows.extend(self.lost);
        summary.conclude(None, began);
        summary
    }
}

impl Look<'_> {
    async fn survey(self, route: &Route) -> Outcome<Surveyed<Survey>> {
        let Self {
            task,
            screen,
            ref here,
            ref there,
        } = self;
        let (ours, references, theirs) = task.stop.unless(self.both()).await?;
        let wanted = Wanted::of(&ours, &theirs, &self.defaults());
        let known = digests::load(task.runs, &here.at, &there.at);
        let looking = Looking::new(task, route, (here, there), &theirs, known.clone());
        if task.existing == Existing::LeftAlone
            && there.info.is_some()
            && !state::is_left_by_us(task.runs, &there.at)
        {
            let proven = wanted
                .targets
                .iter()
                .all(|target| target.new.is_empty() && looking.is_proven(target));
            if !proven {
                return Ok(Surveyed::Skip(EXISTS));
            }
        }
        here.warnings
            .iter()
            .for_each(|warning| screen.warn(warning));
        self.announce(&ours, &wanted);
        self.name_left_over(&wanted, &theirs);
        let mut lost: Vec<Row> = wanted.refused.iter().map(Row::refused).collect();
        let mut looked = task
            .stop
            .unless(self.look(wanted.targets, &looking, &mut lost))
            .await?;
        drop(looking);
        self.share(&mut looked);
        Ok(Surveyed::Found(Box::new(Survey {
            looked,
            lost,
            there: self.there,
            references,
            known,
        })))
    }

    /// The branches and tags of both sides, and how the destination's are asked for.
    async fn both(&self) -> Outcome<(Refs, Arc<dyn References>, Refs)> {
        let (Self { here, there, .. }, settings) = (self, self.task.settings);
        let open = |side, at: &RepoAt, doing| {
            open_references(&side, settings.http())
                .map_err(|error| said(&error, at, settings, doing))
        };
        let ours = match open(settings.source(&here.at), &here.at, Doing::Reading)?
            .refs()
            .await
        {
            Err(error) if error.kind() == Kind::Locked => {
                refs_by_git(&settings.source(&here.at), settings.http()).await
            }
            told => told,
        };
        let ours = ours
            .map_err(|error| said(&error, &here.at, settings, Doing::Reading))?
            .named();
        let references = open(settings.destination(&there.at), &there.at, Doing::Writing)?;
        let theirs = match &there.info {
            Some(_) => references
                .refs()
                .await
                .map_err(|error| said(&error, &there.at, settings, Doing::Writing))?,
            None => Refs::default(),
        };
        Ok((ours, references, theirs))
    }

    fn defaults(&self) -> Defaults {
        Defaults {
            source: Revision::main_of(self.here.at.hub),
            destination: Revision::main_of(self.there.at.hub),
        }
    }

    fn announce(&self, ours: &Refs, wanted: &Wanted) {
        let (branches, tags, defaults) = (ours.branches.len(), ours.tags.len(), self.defaults());
        let renamed = if defaults.source == defaults.destination {
            format!("{} is the default branch on both sides", defaults.source)
        } else {
            format!(
                "{} goes to {}, the default branch there",
                defaults.source, defaults.destination
            )
        };
        self.screen.say(format!(
            "{branches} branches and {tags} tags at {} commits: {renamed}, the others keep their names",
            wanted.targets.len()
        ));
        if self.here.at.hub == Hub::HuggingFace {
            let conversions = if ours.others > 0 {
                format!(" and {} conversions", ours.others)
            } else {
                String::new()
            };
            self.screen.say(format!(
                "pull requests (refs/pr/*){conversions} are the hub's own and are not copied"
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
    fn name_left_over(&self, wanted: &Wanted, theirs: &Refs) {
        for branch in wanted.left_over_in(theirs) {
            let id = &self.there.at.id;
            self.screen.warn(format!(
                "the branch {branch} of {id} is left over from a run that was killed: delete it, unless one is under way elsewhere"
            ));
        }
    }

    /// Looks at each; what can't be looked at has failed alone.
    async fn look(
        &self,
        targets: Vec<Target>,
        looking: &Looking<'_>,
        lost: &mut Vec<Row>,
    ) -> Outcome<Vec<Looked>> {
        let look = |target: Target| async move {
            let screen = self.screen.of_revision(&target.name());
            let names: Vec<Named> = target.names().cloned().collect();
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
                    lost.extend(names.iter().map(|named| Row::failure(named, &failure)));
                }
            }
        }
        Ok(looked)
    }

    /// Gives each blob to the first revision that has it, and cuts what is left of each.
    fn share(&self, looked: &mut [Looked]) {
        let mut spoken = ClaimedBlobs::default();
        for one in looked {
            let Found::Planned(plan) = &mut one.found else {
                continue;
            };
            if !one.target.moves() {
                plan.chunks.clear();
                continue;
            }
            plan.claim_blobs(&mut spoken);
            let bytes = plan.summary().blob_bytes;
            plan.rechunk(self.task.cutting.chunking(bytes));
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
pub fn is_about_all(route: &Route) -> Outcome<()> {
    if *route.asked() == Revision::main_of(route.from()) {
        return Ok(());
    }
    Err(Failure::usage(
        "SOURCE names a revision, and --all-revisions is about all: leave one of them out",
    ))
}
