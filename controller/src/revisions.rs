//! All branches and tags of a repo at once: each a run of its own, and each blob moved once.
//!
//! [`wanted`] says where each goes, [`look`] plans it, [`way`] carries it out, [`names`] makes its branches and tags, [`summary`] tells what came of all. The blobs of all
//! revisions move first, by the same workers; then one revision after the other is written, since a hub takes one commit of
//! a repo at a time. A branch or tag that is not there yet is built on a branch apart and gets its name when it has been verified:
//! nobody sees half of one, and a killed run leaves no wrong one.

pub mod look;
pub mod names;
pub mod summary;
pub mod wanted;
pub mod way;

use std::sync::Arc;
use std::time::Instant;

use futures_util::future::join_all;
use futures_util::{StreamExt, stream};
use hf2ms_hub::{Hub, Kind, References, Refs, RepoAt, Revision, open_references, refs_by_git};
use hf2ms_worker::plan::shared::{Arrived, Spoken};
use hf2ms_worker::plan::{Known, Plan};

use self::look::{Found, Looked, Looking};
use self::names::{Names, head_of};
use self::summary::{Row, Standing, Summary};
use self::wanted::{Defaults, Named, Place, Target, Wanted};
use self::way::{Shared, Way};
use crate::copying::{Copying, Task, Trial, may_go_on};
use crate::estimate::Estimate;
use crate::explain::{Doing, Failure, Outcome};
use crate::known;
use crate::migration::stays_hidden;
use crate::planning::{Purpose, find};
use crate::report::Report;
use crate::route::Route;
use crate::screen::Screen;
use crate::survey::{Here, There, said};

/// Revisions that are looked at at a time.
const AHEAD: usize = 4;

/// All revisions of a repo.
pub struct Revisions<'a> {
    /// What is asked.
    pub task: &'a Task<'a>,
    /// Where words go.
    pub screen: &'a Screen,
    /// When it began.
    pub began: Instant,
}

/// What the destination has of branches and tags, and how it is asked.
struct Theirs {
    references: Arc<dyn References>,
    refs: Refs,
}

impl Revisions<'_> {
    /// Copies them all; `None` for what is skipped, which has been said.
    ///
    /// # Errors
    /// One of the sides can't be read, or nothing may be written; what fails for one revision is in its row.
    pub async fn go(&self, route: &Route) -> Outcome<Option<Summary>> {
        let Task { settings, stop, visibility, .. } = *self.task;
        let Some((here, there)) = stop.unless(find(route, Purpose::Write, settings, self.screen)).await? else { return Ok(None) };
        let wanted = visibility.unwrap_or(here.info.visibility);
        there.info.iter().try_for_each(|info| stays_hidden(wanted, info.visibility, &there.at.id.to_string()))?;
        here.warnings.iter().for_each(|warning| self.screen.warn(warning));
        let (ours, theirs) = stop.unless(self.both(&here, &there)).await?;
        let wanted = Wanted::of(&ours, &theirs.refs, &defaults(&here, &there));
        self.announce(&ours, &wanted, &here, &there);
        self.name_left_over(&wanted, &theirs.refs, &there);
        let mut rows: Vec<Row> = wanted.refused.iter().map(Row::refused).collect();
        let known = known::load(self.task.runs, &here.at, &there.at);
        let looking = Looking::new(self.task, route, (&here, &there), &theirs.refs, known.clone());
        let mut looked = stop.unless(self.look(wanted.targets, &looking, &mut rows)).await?;
        drop(looking);
        self.share(&mut looked);
        let estimate = self.estimate(&looked).await?;
        if self.task.trial == Trial::DryRun {
            rows.splice(0..0, looked.iter().flat_map(planned));
        } else {
            self.task.turns.raise(self.task.cutting.workers(estimate));
            rows.splice(0..0, self.copy(&looked, &there, theirs.references.as_ref(), known).await?);
        }
        Ok(Some(Summary { rows, url: there.at.web_url(), seconds: self.began.elapsed().as_secs_f64() }))
    }

    /// The branches and tags of both sides.
    async fn both(&self, here: &Here, there: &There) -> Outcome<(Refs, Theirs)> {
        let settings = self.task.settings;
        let open = |side, at: &RepoAt, doing| open_references(&side, settings.http()).map_err(|error| said(&error, at, settings, doing));
        let ours = match open(settings.source(&here.at), &here.at, Doing::Reading)?.refs().await {
            Err(error) if error.kind() == Kind::Locked => refs_by_git(&settings.source(&here.at), settings.http()).await,
            told => told,
        };
        let ours = ours.map_err(|error| said(&error, &here.at, settings, Doing::Reading))?;
        let references = open(settings.destination(&there.at), &there.at, Doing::Writing)?;
        let refs = match &there.info {
            Some(_) => references.refs().await.map_err(|error| said(&error, &there.at, settings, Doing::Writing))?,
            None => Refs::default(),
        };
        Ok((ours, Theirs { references, refs }))
    }

    fn announce(&self, ours: &Refs, wanted: &Wanted, here: &Here, there: &There) {
        let (branches, tags) = (ours.branches.len(), ours.tags.len());
        let defaults = defaults(here, there);
        let renamed = if defaults.source == defaults.destination {
            format!("{} is the default branch on both sides", defaults.source)
        } else {
            format!("{} goes to {}, the default branch there", defaults.source, defaults.destination)
        };
        self.screen.say(format!(
            "{branches} branches and {tags} tags at {} commits: {renamed}, the others keep their names",
            wanted.targets.len()
        ));
        if here.at.hub == Hub::HuggingFace {
            let conversions = if ours.others > 0 { format!(" and {} conversions", ours.others) } else { String::new() };
            self.screen.say(format!("pull requests (refs/pr/*){conversions} are the hub's own and are not copied"));
        }
        if wanted.left_over > 0 {
            self.screen.warn(format!(
                "{} branches hf2ms-copy-.. at the source are left over from an earlier run and are not copied",
                wanted.left_over
            ));
        }
    }

    /// Branches apart that no revision of now takes up: their commits are gone from the source's refs.
    fn name_left_over(&self, wanted: &Wanted, theirs: &Refs, there: &There) {
        for branch in wanted.left_over_in(theirs) {
            let id = &there.at.id;
            self.screen.warn(format!(
                "the branch {branch} of {id} is left over from a run that was killed: delete it, unless one is under way elsewhere"
            ));
        }
    }

    /// Looks at each; what can't be looked at has failed alone.
    async fn look(&self, targets: Vec<Target>, looking: &Looking<'_>, rows: &mut Vec<Row>) -> Outcome<Vec<Looked>> {
        let look = |target: Target| async move {
            let screen = self.screen.of_revision(&name_of(&target));
            let names: Vec<Named> = target.names().cloned().collect();
            looking.look(target, screen.clone()).await.map_err(|failure| (names, screen, failure))
        };
        let mut looked = Vec::new();
        let mut all = stream::iter(targets).map(look).buffered(AHEAD);
        while let Some(one) = all.next().await {
            match one {
                Ok(one) => looked.push(one),
                Err((_, _, failure)) if failure.ends_all() => return Err(failure),
                Err((names, screen, failure)) => {
                    screen.fail(&failure);
                    rows.extend(names.iter().map(|named| Row::failure(named, &failure)));
                }
            }
        }
        Ok(looked)
    }

    /// Gives each blob to the first revision that has it, and cuts what is left of each.
    fn share(&self, looked: &mut [Looked]) {
        let mut spoken = Spoken::default();
        for one in looked {
            let Found::Planned(plan) = &mut one.found else { continue };
            if !one.target.moves() {
                plan.chunks.clear();
                continue;
            }
            plan.share(&mut spoken);
            let bytes = plan.summary().blob_bytes;
            plan.recut(self.task.cutting.chunking(bytes));
            plan.warnings.iter().for_each(|warning| one.screen.warn(warning));
        }
    }

    /// What all will take, if that is allowed: the bytes.
    async fn estimate(&self, looked: &[Looked]) -> Outcome<u64> {
        let Task { runs, ref cutting, ref ledger, stop, .. } = *self.task;
        let plans = looked.iter().filter_map(|one| if let Found::Planned(plan) = &one.found { Some(plan) } else { None });
        let estimates = plans.map(|plan| Estimate::of(plan, cutting, ledger.rates(runs, cutting.on, plan)));
        let Some(estimate) = estimates.reduce(|sum, next| sum.and(&next)) else { return Ok(0) };
        estimate.say(self.screen);
        stop.unless(ledger.admit(&estimate, self.screen)).await
    }

    /// Carries all blobs, then writes one revision after the other.
    async fn copy(&self, looked: &[Looked], there: &There, references: &dyn References, known: Known) -> Outcome<Vec<Row>> {
        let copying: Vec<Copying<'_>> =
            looked.iter().map(|one| Copying { task: self.task, screen: &one.screen, began: self.began }).collect();
        let mut ways = self.set_out(looked, &copying, there).await?;
        join_all(ways.iter_mut().flatten().map(Way::carry)).await;
        let mut shared = Shared { references, base: None, arrived: Arrived::default(), known };
        for way in ways.iter().flatten().filter(|way| way.target.moves()) {
            shared.arrived.add(&way.migration.plan, &way.work.receipts);
        }
        let mut names = Names { references, settings: self.task.settings, stop: self.task.stop, made: Vec::new() };
        let (mut rows, mut over) = (Vec::new(), None);
        for (one, way) in looked.iter().zip(ways) {
            if shared.base.is_none() && one.target.place == Place::Apart {
                shared.base = head_of(there, references).await;
            }
            let ended = self.finish(one, way, &mut shared, &mut over).await;
            rows.extend(names.give(one, ended).await);
        }
        names.check(&mut rows).await;
        Ok(rows)
    }

    /// Begins a run for each that is not proven. When one can't be begun, none goes on.
    async fn set_out<'a>(&self, looked: &'a [Looked], copying: &'a [Copying<'a>], there: &There) -> Outcome<Vec<Option<Way<'a>>>> {
        let mut ways: Vec<Option<Way<'a>>> = Vec::new();
        for (one, copying) in looked.iter().zip(copying) {
            let Found::Planned(plan) = &one.found else {
                ways.push(None);
                continue;
            };
            match self.begin(plan, one, copying, &ways, there).await {
                Ok(way) => ways.push(Some(way)),
                Err(failure) => {
                    conclude(&mut ways, &failure).await?;
                    return Err(failure);
                }
            }
        }
        Ok(ways)
    }

    /// Begins a run; the first one creates the repo.
    async fn begin<'a>(
        &self,
        plan: &Plan,
        one: &'a Looked,
        copying: &'a Copying<'a>,
        others: &[Option<Way<'a>>],
        there: &There,
    ) -> Outcome<Way<'a>> {
        let beside = others.iter().flatten().next().map(|way| &way.migration.run);
        if beside.is_none() {
            self.task.stop.unless(may_go_on(plan, &one.there, self.task.settings)).await?;
        }
        let mut migration = copying.set_out(plan_named(plan, &one.target), &one.there, beside).await?;
        migration.begin()?;
        if one.target.place == Place::Apart {
            // Blobs are asked about for a branch that is there.
            migration.plan.destination.revision = there.at.revision.clone();
        } else if let Err(failure) = self.task.stop.unless(migration.create()).await {
            migration.settle(Default::default(), &Err(failure.clone())).await?;
            return Err(failure);
        }
        migration.plan.creation.exists = one.target.place != Place::Apart;
        Ok(Way { target: &one.target, migration, work: Default::default(), stopped: None })
    }

    async fn finish(&self, one: &Looked, way: Option<Way<'_>>, shared: &mut Shared<'_>, over: &mut Option<Failure>) -> Outcome<Report> {
        let (Some(mut way), Found::Planned(_)) = (way, &one.found) else {
            let Found::Proven(report) = &one.found else { return Err(Failure::interrupted()) };
            return Ok((**report).clone());
        };
        if let Some(failure) = over {
            way.stopped.get_or_insert_with(|| Failure::new(failure.exit(), format!("not tried: {failure}")));
        }
        if self.task.stop.is_asked() {
            way.stopped.get_or_insert_with(Failure::interrupted);
        }
        let ended = way.finish(shared).await;
        match &ended {
            Ok(report) => report.show(&one.screen),
            Err(failure) => {
                one.screen.fail(failure);
                if failure.ends_all() {
                    over.get_or_insert_with(|| failure.clone());
                }
            }
        }
        ended
    }
}

/// Ends the runs that were begun, when none can go on.
async fn conclude(ways: &mut [Option<Way<'_>>], failure: &Failure) -> Outcome<()> {
    for way in ways.iter_mut().flatten() {
        way.migration.settle(std::mem::take(&mut way.work), &Err(failure.clone())).await?;
    }
    Ok(())
}

fn defaults(here: &Here, there: &There) -> Defaults {
    Defaults { source: Revision::main_of(here.at.hub), destination: Revision::main_of(there.at.hub) }
}

/// `branch dev`, or `tag v1 and 3 more`.
fn name_of(target: &Target) -> String {
    let more = match target.names().count() {
        0 | 1 => String::new(),
        count => format!(" and {} more", count - 1),
    };
    target.first().map_or_else(String::new, |named| format!("{} {}{more}", named.kind.name(), named.source))
}

/// The plan, whose run goes by the name that the revision is to have.
fn plan_named(plan: &Plan, target: &Target) -> Plan {
    let mut plan = plan.clone();
    if let Some(named) = target.first() {
        plan.destination.revision = named.destination.clone();
    }
    plan
}

fn planned(one: &Looked) -> Vec<Row> {
    let row = |named: &Named| match &one.found {
        Found::Planned(plan) => Row::planned(named, &plan.summary()),
        Found::Proven(report) => Row::reported(named, report, Standing::Unchanged, one.there.head.clone()),
    };
    one.target.names().map(row).collect()
}
