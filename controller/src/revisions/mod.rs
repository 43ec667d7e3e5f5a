//! All branches and tags of a repo at once: each a run of its own, and each blob moved once.
//!
//! [`survey`] looks at both sides and plans: [`wanted`] says where each goes, [`look`] what is to be done about it. [`way`] carries it out, [`names`] makes its
//! branches and tags, [`summary`] tells what came of all. The blobs of all
//! revisions move first, by the same workers; then one revision after the other is written, since a hub takes one commit of
//! a repo at a time. A branch or tag that is not there yet is built on a branch apart and gets its name when it has been verified:
//! nobody sees half of one, and a killed run leaves no wrong one.

pub mod plan;
pub mod publish;
pub mod state;
pub mod summary;
pub mod survey;
pub mod targets;
pub mod write;

use std::time::Instant;

use futures_util::future::join_all;
use hf2ms_worker::plan::Plan;
use hf2ms_worker::plan::shared::BlobResults;
use tokio::sync::OwnedSemaphorePermit;

use self::plan::{Found, Looked, plan_named};
use self::publish::{Names, head_of};
use self::state::Leader;
use self::summary::Summary;
use self::survey::{Survey, Surveyed};
use self::targets::Place;
use self::write::{Shared, Way};
use crate::args::route::Route;
use crate::copy::inspect::There;
use crate::copy::plan::Purpose;
use crate::copy::{Copying, End, Task, Trial, may_go_on};
use crate::engine::remote::Watch;
use crate::estimate::Estimate;
use crate::runs::report::Report;
use crate::ui::errors::{Failure, Outcome};
use crate::ui::screen::Screen;

/// All revisions of a repo.
pub struct Revisions<'a> {
    /// What is asked.
    pub task: &'a Task<'a>,
    /// Where words go.
    pub screen: &'a Screen,
    /// When it began.
    pub began: Instant,
}

/// What is to be done about all revisions of a repo.
pub struct Planned {
    /// As they were found.
    pub survey: Survey,
    /// What all will take; nothing where nothing is to be done.
    pub estimate: Option<Estimate>,
}

impl Revisions<'_> {
    /// Copies them all. `ahead` is let go once their own work has begun.
    ///
    /// # Errors
    /// One of the sides can't be read, or nothing may be written; what fails for one revision is in its row.
    pub async fn go(&self, route: &Route, ahead: Option<OwnedSemaphorePermit>) -> Outcome<End> {
        if self.task.watch == Watch::Detached {
            return Err(Failure::usage(
                "--detach is not for --all-revisions: revisions are written one after the other, from here",
            ));
        }
        let Planned { survey, estimate } = match self.plan(route, Purpose::Write).await? {
            Surveyed::Found(planned) => *planned,
            Surveyed::Skip(why) => return Ok(End::Skipped(why)),
        };
        let Task {
            ref cutting,
            ref ledger,
            stop,
            ref turns,
            trial,
            ..
        } = *self.task;
        let mut bytes = 0;
        if let Some(estimate) = &estimate {
            bytes = stop.unless(ledger.admit(estimate, self.screen)).await?;
        }
        let summary = if trial == Trial::DryRun {
            survey.summary(self.began)
        } else {
            turns.raise(cutting.workers(bytes));
            self.copy(survey, ahead).await?
        };
        summary.show(self.screen);
        Ok(End::Revisions(Box::new(summary)))
    }

    /// Looks at them all, and says what they will take.
    ///
    /// # Errors
    /// One of the sides can't be read.
    pub async fn plan(&self, route: &Route, purpose: Purpose) -> Outcome<Surveyed<Planned>> {
        let survey = match Survey::of(self.task, route, purpose, self.screen).await? {
            Surveyed::Found(survey) => *survey,
            Surveyed::Skip(why) => return Ok(Surveyed::Skip(why)),
        };
        let estimate = self.estimate(&survey.looked);
        estimate
            .iter()
            .for_each(|estimate| estimate.say(self.screen));
        Ok(Surveyed::Found(Box::new(Planned { survey, estimate })))
    }

    fn estimate(&self, looked: &[Looked]) -> Option<Estimate> {
        let Task {
            runs,
            ref cutting,
            ref ledger,
            ..
        } = *self.task;
        let plans = looked.iter().filter_map(Looked::plan);
        let estimates =
            plans.map(|plan| Estimate::of(plan, cutting, ledger.rates(runs, cutting.on, plan)));
        estimates.reduce(|sum, next| sum.and(&next))
    }

    /// Carries all blobs, then writes one revision after the other.
    async fn copy(&self, survey: Survey, ahead: Option<OwnedSemaphorePermit>) -> Outcome<Summary> {
        let Survey {
            looked,
            lost,
            there,
            references,
            known,
        } = survey;
        let references = references.as_ref();
        let copying: Vec<Copying<'_>> = looked
            .iter()
            .map(|one| Copying {
                task: self.task,
                screen: &one.screen,
                began: self.began,
            })
            .collect();
        let mut ways = self.set_out(&looked, &copying, &there).await?;
        let leader = Leader::of(&ways, self.task.runs, &there.at);
        leader.note(None)?;
        carry_all(&mut ways, ahead).await;
        let _finishing = self.task.turns.finishing().await;
        let mut shared = Shared {
            references,
            base: None,
            arrived: BlobResults::default(),
            known,
        };
        for way in ways.iter().flatten().filter(|way| way.target.moves()) {
            shared.arrived.add(&way.migration.plan, &way.work.receipts);
        }
        let mut names = Names {
            references,
            settings: self.task.settings,
            stop: self.task.stop,
            made: Vec::new(),
        };
        let (mut summary, mut over) = (Summary::new(there.at.web_url()), None);
        for (one, way) in looked.iter().zip(ways) {
            if shared.base.is_none() && one.target.place == Place::Apart {
                shared.base = head_of(&there, references).await;
            }
            let ended = self.finish(one, way, &mut shared, &mut over).await;
            summary.add(names.give(one, ended).await, one.extent());
        }
        names.check(&mut summary.rows).await;
        summary.rows.extend(lost);
        summary.conclude(over, self.began);
        leader.note(Some(&summary))?;
        Ok(summary)
    }

    /// Begins a run for each that is not proven. When one can't be begun, none goes on.
    async fn set_out<'a>(
        &self,
        looked: &'a [Looked],
        copying: &'a [Copying<'a>],
        there: &There,
    ) -> Outcome<Vec<Option<Way<'a>>>> {
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
            self.task
                .stop
                .unless(may_go_on(plan, &one.there, self.task.settings))
                .await?;
        }
        let mut migration = copying
            .set_out(plan_named(plan, &one.target), &one.there, beside)
            .await?;
        migration.begin()?;
        if one.target.place == Place::Apart {
            // Blobs are asked about for a branch that is there.
            migration.plan.destination.revision = there.at.revision.clone();
        } else if let Err(failure) = self.task.stop.unless(migration.create()).await {
            migration
                .settle(Default::default(), &Err(failure.clone()))
                .await?;
            return Err(failure);
        }
        migration.plan.creation.exists = one.target.place != Place::Apart;
        Ok(Way {
            target: &one.target,
            migration,
            work: Default::default(),
            stopped: None,
        })
    }

    async fn finish(
        &self,
        one: &Looked,
        way: Option<Way<'_>>,
        shared: &mut Shared<'_>,
        over: &mut Option<Failure>,
    ) -> Outcome<Report> {
        let (Some(mut way), Found::Planned(_)) = (way, &one.found) else {
            let Found::Proven(report) = &one.found else {
                return Err(Failure::interrupted());
            };
            return Ok((**report).clone());
        };
        if let Some(failure) = over {
            way.stopped.get_or_insert_with(|| {
                Failure::new(failure.exit(), format!("not tried: {failure}"))
            });
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
        way.migration
            .settle(std::mem::take(&mut way.work), &Err(failure.clone()))
            .await?;
    }
    Ok(())
}

/// Has all blobs carried. `ahead` is let go when the first chunk has its turn, or there is none.
async fn carry_all(ways: &mut [Option<Way<'_>>], ahead: Option<OwnedSemaphorePermit>) {
    if let Some(first) = ways
        .iter_mut()
        .flatten()
        .find(|way| !way.migration.plan.chunks.is_empty())
    {
        first.migration.ahead = ahead;
    }
    join_all(ways.iter_mut().flatten().map(Way::carry)).await;
}
