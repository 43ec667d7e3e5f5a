//! All branches and tags of a repo at once: each a run of its own, and each blob moved once.
//!
//! [`survey`] looks at both sides and plans: [`wanted`] says where each goes, [`look`] what is to be done about it. [`run`] carries it out, [`names`] makes its
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

use self::plan::{RevisionAction, RevisionPlan, plan_named};
use self::publish::{RefPublisher, head_of};
use self::state::RevisionsState;
use self::summary::RevisionsSummary;
use self::survey::{Survey, SurveyResult};
use self::targets::WriteTo;
use self::write::{RevisionRun, WriteContext};
use crate::args::route::Route;
use crate::copy::inspect::DestinationRepo;
use crate::copy::plan::Purpose;
use crate::copy::{CopyOptions, CopyResult, RepoCopy, Trial, may_go_on};
use crate::engine::remote::DetachMode;
use crate::estimate::Estimate;
use crate::runs::report::Report;
use crate::ui::errors::{CliError, CliResult};
use crate::ui::screen::Screen;

/// All revisions of a repo.
pub struct RevisionsCopy<'a> {
    /// What is asked.
    pub options: &'a CopyOptions<'a>,
    /// Where words go.
    pub screen: &'a Screen,
    /// When it began.
    pub began: Instant,
}

/// What is to be done about all revisions of a repo.
pub struct RevisionsPlan {
    /// As they were found.
    pub survey: Survey,
    /// What all will take; nothing where nothing is to be done.
    pub estimate: Option<Estimate>,
}

impl RevisionsCopy<'_> {
    /// Copies them all. `ahead` is let go once their own work has begun.
    ///
    /// # Errors
    /// One of the sides can't be read, or nothing may be written; what fails for one revision is in its row.
    pub async fn go(
        &self,
        route: &Route,
        ahead: Option<OwnedSemaphorePermit>,
    ) -> CliResult<CopyResult> {
        if self.options.watch == DetachMode::Detached {
            return Err(CliError::usage(
                "--detach is not for --all-revisions: revisions are written one after the other, from here",
            ));
        }
        let RevisionsPlan { survey, estimate } = match self.plan(route, Purpose::Write).await? {
            SurveyResult::Found(planned) => *planned,
            SurveyResult::Skip(why) => return Ok(CopyResult::Skipped(why)),
        };
        let CopyOptions {
            ref worker_args,
            ref budget,
            stop,
            ref slots,
            trial,
            ..
        } = *self.options;
        let mut bytes = 0;
        if let Some(estimate) = &estimate {
            bytes = stop.unless(budget.admit(estimate, self.screen)).await?;
        }
        let summary = if trial == Trial::DryRun {
            survey.summary(self.began)
        } else {
            slots.raise(worker_args.workers(bytes));
            self.copy(survey, ahead).await?
        };
        summary.print(self.screen);
        Ok(CopyResult::RevisionsCopy(Box::new(summary)))
    }

    /// Looks at them all, and says what they will take.
    ///
    /// # Errors
    /// One of the sides can't be read.
    pub async fn plan(
        &self,
        route: &Route,
        purpose: Purpose,
    ) -> CliResult<SurveyResult<RevisionsPlan>> {
        let survey = match Survey::of(self.options, route, purpose, self.screen).await? {
            SurveyResult::Found(survey) => *survey,
            SurveyResult::Skip(why) => return Ok(SurveyResult::Skip(why)),
        };
        let estimate = self.estimate(&survey.looked);
        estimate
            .iter()
            .for_each(|estimate| estimate.print(self.screen));
        Ok(SurveyResult::Found(Box::new(RevisionsPlan {
            survey,
            estimate,
        })))
    }

    fn estimate(&self, looked: &[RevisionPlan]) -> Option<Estimate> {
        let CopyOptions {
            runs,
            ref worker_args,
            ref budget,
            ..
        } = *self.options;
        let plans = looked.iter().filter_map(RevisionPlan::plan);
        let estimates = plans
            .map(|plan| Estimate::of(plan, worker_args, budget.rates(runs, worker_args.on, plan)));
        estimates.reduce(|sum, next| sum.and(&next))
    }

    /// Carries all blobs, then writes one revision after the other.
    async fn copy(
        &self,
        survey: Survey,
        ahead: Option<OwnedSemaphorePermit>,
    ) -> CliResult<RevisionsSummary> {
        let Survey {
            looked,
            lost,
            destination,
            references,
            known,
        } = survey;
        let references = references.as_ref();
        let copy: Vec<RepoCopy<'_>> = looked
            .iter()
            .map(|one| RepoCopy {
                options: self.options,
                screen: &one.screen,
                began: self.began,
            })
            .collect();
        let mut runs = self.set_out(&looked, &copy, &destination).await?;
        let leader = RevisionsState::of(&runs, self.options.runs, &destination.at);
        leader.note(None)?;
        carry_all(&mut runs, ahead).await;
        let _finishing = self.options.slots.finishing().await;
        let mut context = WriteContext {
            references,
            base: None,
            arrived: BlobResults::default(),
            known,
        };
        for run in runs.iter().flatten().filter(|run| run.target.moves()) {
            context.arrived.add(&run.migration.plan, &run.work.receipts);
        }
        let mut names = RefPublisher {
            references,
            settings: self.options.settings,
            stop: self.options.stop,
            made: Vec::new(),
        };
        let (mut summary, mut over) = (RevisionsSummary::new(destination.at.web_url()), None);
        for (one, run) in looked.iter().zip(runs) {
            if context.base.is_none() && one.target.place == WriteTo::TemporaryBranch {
                context.base = head_of(&destination, references).await;
            }
            let ended = self.finish(one, run, &mut context, &mut over).await;
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
        looked: &'a [RevisionPlan],
        copy: &'a [RepoCopy<'a>],
        destination: &DestinationRepo,
    ) -> CliResult<Vec<Option<RevisionRun<'a>>>> {
        let mut runs: Vec<Option<RevisionRun<'a>>> = Vec::new();
        for (one, copy) in looked.iter().zip(copy) {
            let RevisionAction::Copy(plan) = &one.found else {
                runs.push(None);
                continue;
            };
            match self.begin(plan, one, copy, &runs, destination).await {
                Ok(run) => runs.push(Some(run)),
                Err(failure) => {
                    conclude(&mut runs, &failure).await?;
                    return Err(failure);
                }
            }
        }
        Ok(runs)
    }

    /// Begins a run; the first one creates the repo.
    async fn begin<'a>(
        &self,
        plan: &Plan,
        one: &'a RevisionPlan,
        copy: &'a RepoCopy<'a>,
        others: &[Option<RevisionRun<'a>>],
        destination: &DestinationRepo,
    ) -> CliResult<RevisionRun<'a>> {
        let beside = others.iter().flatten().next().map(|run| &run.migration.run);
        if beside.is_none() {
            self.options
                .stop
                .unless(may_go_on(plan, &one.destination, self.options.settings))
                .await?;
        }
        let mut migration = copy
            .set_out(plan_named(plan, &one.target), &one.destination, beside)
            .await?;
        migration.begin()?;
        if one.target.place == WriteTo::TemporaryBranch {
            // Blobs are asked about for a branch that is there.
            migration.plan.destination.revision = destination.at.revision.clone();
        } else if let Err(failure) = self.options.stop.unless(migration.create()).await {
            migration
                .settle(Default::default(), &Err(failure.clone()))
                .await?;
            return Err(failure);
        }
        migration.plan.creation.exists = one.target.place != WriteTo::TemporaryBranch;
        Ok(RevisionRun {
            target: &one.target,
            migration,
            work: Default::default(),
            stopped: None,
        })
    }

    async fn finish(
        &self,
        one: &RevisionPlan,
        run: Option<RevisionRun<'_>>,
        context: &mut WriteContext<'_>,
        over: &mut Option<CliError>,
    ) -> CliResult<Report> {
        let (Some(mut run), RevisionAction::Copy(_)) = (run, &one.found) else {
            let RevisionAction::UpToDate(report) = &one.found else {
                return Err(CliError::interrupted());
            };
            return Ok((**report).clone());
        };
        if let Some(failure) = over {
            run.stopped.get_or_insert_with(|| {
                CliError::new(failure.exit(), format!("not tried: {failure}"))
            });
        }
        if self.options.stop.is_asked() {
            run.stopped.get_or_insert_with(CliError::interrupted);
        }
        let ended = run.finish(context).await;
        match &ended {
            Ok(report) => report.print(&one.screen),
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
async fn conclude(runs: &mut [Option<RevisionRun<'_>>], failure: &CliError) -> CliResult<()> {
    for run in runs.iter_mut().flatten() {
        run.migration
            .settle(std::mem::take(&mut run.work), &Err(failure.clone()))
            .await?;
    }
    Ok(())
}

/// Has all blobs carried. `ahead` is let go when the first chunk has its turn, or there is none.
async fn carry_all(runs: &mut [Option<RevisionRun<'_>>], ahead: Option<OwnedSemaphorePermit>) {
    if let Some(first) = runs
        .iter_mut()
        .flatten()
        .find(|run| !run.migration.plan.chunks.is_empty())
    {
        first.migration.ahead = ahead;
    }
    join_all(runs.iter_mut().flatten().map(RevisionRun::carry)).await;
}
