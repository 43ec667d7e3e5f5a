//! The copy of all branches and tags of a repo: a run for each commit, and each blob moved once.
//!
//! [`survey`] lists the branches and tags of both sides and plans them, [`plan`] says what is to be done about one commit. `execute` carries
//! the plans out: [`write`] commits one, [`publish`] makes its branches and tags. On Modal [`cloud`] leaves both to a call, and [`attach`] waits for it. [`rows`] and
//! [`summary`] are the table of all, and [`state`] keeps whether they all succeeded. [`verify`] compares what was copied.
//!
//! All blobs move first, by the same workers. Then one revision after the other is committed, since a hub takes one commit of a
//! repo at a time. A branch or tag that is absent is built on a temporary branch, and gets its name after the verification. So
//! nobody sees half of one, and a killed run leaves no wrong name.

pub mod attach;
pub mod cloud;
mod execute;
pub mod plan;
pub mod publish;
pub mod rows;
pub mod state;
pub mod summary;
pub mod survey;
pub mod verify;
pub mod write;

use std::time::Instant;

use hf2ms_worker::plan::Plan;
use hf2ms_worker::protocol::{Exit, PlanSummary};
use tokio::sync::OwnedSemaphorePermit;

use self::execute::Copied;
use self::plan::{RevisionAction, RevisionPlan};
use self::summary::RevisionsSummary;
use self::survey::{Survey, SurveyResult};
use crate::args::route::Route;
use crate::copy::backup;
use crate::copy::deletions;
use crate::copy::options::{CopyOptions, IfExists};
use crate::copy::plan::Purpose;
use crate::copy::stored::StoredBlobs;
use crate::copy::{CopyResult, RepoCopy};
use crate::engine::remote::DetachMode;
use crate::estimate::Estimate;
use crate::estimate::containers::chunking;
use crate::runs::REVISIONS_JOB;
use crate::ui::errors::CliResult;
use crate::ui::screen::Screen;

/// How the copy of a repo ended, if no error ended it.
pub enum RepoResult {
    /// One revision was copied.
    One(CopyResult),
    /// All revisions were copied, and a table of them has been shown.
    All(Box<RevisionsSummary>),
}

impl RepoResult {
    /// The exit code of this repo alone.
    pub fn exit(&self) -> Exit {
        match self {
            Self::One(result) => result.exit(),
            Self::All(summary) => summary.exit(),
        }
    }
}

/// The copy of all revisions of a repo.
pub struct RevisionsCopy<'a> {
    /// What the command asks of each repo.
    pub options: &'a CopyOptions<'a>,
    /// Where lines about this repo are printed.
    pub screen: &'a Screen,
    /// When the copy of this repo began.
    pub began: Instant,
}

/// The plans of all revisions of a repo.
pub struct RevisionsPlan {
    /// The revisions as they were found.
    pub survey: Survey,
    /// The estimate of all plans together; `None` if there is nothing to do.
    pub estimate: Option<Estimate>,
}

impl<'a> RevisionsCopy<'a> {
    /// The copy of all revisions with the options of a copy of one.
    pub fn of(copy: RepoCopy<'a>) -> Self {
        let RepoCopy {
            options,
            screen,
            began,
            ..
        } = copy;
        Self {
            options,
            screen,
            began,
        }
    }
}

impl RevisionsCopy<'_> {
    /// Surveys and plans all revisions, transfers their blobs, and writes one after the other. `ahead` is dropped when the first
    /// chunk starts.
    ///
    /// # Errors
    /// One of the sides can't be read, or nothing may be written; the failure of one revision is in its row.
    pub async fn run(
        &self,
        route: &Route,
        ahead: Option<OwnedSemaphorePermit>,
    ) -> CliResult<RepoResult> {
        let options = self.options;
        if let Some(result) = self.wait_for_earlier(route).await? {
            return Ok(result);
        }
        let RevisionsPlan { survey, estimate } = match self.plan(route, Purpose::Write).await? {
            SurveyResult::Found(planned) => *planned,
            SurveyResult::Skip(reason) => return Ok(RepoResult::One(CopyResult::Skipped(reason))),
        };
        let plans: Vec<&Plan> = survey.plans.iter().filter_map(RevisionPlan::plan).collect();
        if !options.dry_run {
            let agreed = deletions::confirm(&plans, options, self.screen);
            options.stop.unless(agreed).await?;
        }
        let mut bytes = 0;
        if let Some(estimate) = &estimate {
            let admitted = options.budget.admit(estimate, self.screen);
            bytes = options.stop.unless(admitted).await?;
        }
        let summary = if options.dry_run {
            survey.summary(self.began)
        } else {
            options.slots.raise(options.worker_args.workers(bytes));
            match self.copy(survey, ahead).await? {
                Copied::All(summary) => summary,
                Copied::Detached(run, of) => {
                    return Ok(RepoResult::One(CopyResult::Detached(run, of)));
                }
            }
        };
        summary.print(self.screen);
        Ok(RepoResult::All(Box::new(summary)))
    }

    /// Waits for the run of all revisions of these repos that is in the cloud, if there is one; `None` if both sides are to be surveyed.
    async fn wait_for_earlier(&self, route: &Route) -> CliResult<Option<RepoResult>> {
        let CopyOptions {
            runs,
            settings,
            stop,
            ..
        } = *self.options;
        if self.options.dry_run || self.options.watch == DetachMode::Detached {
            return Ok(None);
        }
        let earlier = route.kinds().iter().find_map(|kind| {
            let source = route.source_at(settings, *kind, route.asked());
            let run = runs.detached(&route.destination_at(settings, *kind))?;
            let is_it = run.source.is_same_repo(&source) && runs.has(&run.id, REVISIONS_JOB);
            is_it.then_some(run)
        });
        let Some(run) = earlier else {
            return Ok(None);
        };
        self.screen.status(format!(
            "run {} of these repos is in the cloud already: waiting for it first",
            run.id
        ));
        let summary = attach::attach(&run, runs, settings, self.screen, stop).await?;
        Ok(match summary {
            None => {
                let of = PlanSummary::default();
                Some(RepoResult::One(CopyResult::Detached(run.id, of)))
            }
            Some(summary)
                if summary.exit() == Exit::Done && self.options.if_exists == IfExists::Update =>
            {
                None
            }
            Some(summary) => Some(RepoResult::All(Box::new(summary))),
        })
    }

    /// Surveys and plans all revisions, and prints the estimate.
    ///
    /// # Errors
    /// One of the sides can't be read.
    pub async fn plan(
        &self,
        route: &Route,
        purpose: Purpose,
    ) -> CliResult<SurveyResult<RevisionsPlan>> {
        let mut survey = match Survey::of(self.options, route, purpose, self.screen).await? {
            SurveyResult::Found(survey) => *survey,
            SurveyResult::Skip(reason) => return Ok(SurveyResult::Skip(reason)),
        };
        for one in &survey.plans {
            one.plan()
                .iter()
                .for_each(|plan| deletions::list(plan, &one.screen));
        }
        let stored = async { CliResult::Ok(Self::stored(&survey, purpose).await) };
        let stored = self.options.stop.unless(stored).await?;
        self.keep_to_terms(&mut survey.plans, &stored, purpose)
            .await?;
        let estimate = self.estimate(&survey.plans, &stored);
        estimate
            .iter()
            .for_each(|estimate| estimate.print(self.screen));
        Ok(SurveyResult::Found(Box::new(RevisionsPlan {
            survey,
            estimate,
        })))
    }

    /// Leaves what a limit does not allow to the next run, and settles the backup tags.
    async fn keep_to_terms(
        &self,
        plans: &mut [RevisionPlan],
        stored: &StoredBlobs,
        purpose: Purpose,
    ) -> CliResult<()> {
        let options = self.options;
        for one in plans {
            let RevisionAction::Copy(plan) = &mut one.action else {
                continue;
            };
            if one.target.moves() {
                let rates = options.rates(&plan.source, &plan.destination);
                let cut = |sizes: &[u64]| chunking(&options.worker_args, sizes, &rates);
                options.transfer.take(plan, stored, cut);
            }
            if purpose == Purpose::Write {
                let settled =
                    backup::settle(plan, &one.destination, options.runs, options.settings);
                let older_tag = options.stop.unless(settled).await?;
                older_tag.iter().for_each(|line| self.screen.warn(line));
            }
        }
        Ok(())
    }

    /// The blobs that the destination holds already. One that is only read is asked about none.
    async fn stored(survey: &Survey, purpose: Purpose) -> StoredBlobs {
        let plans: Vec<&Plan> = survey.plans.iter().filter_map(RevisionPlan::plan).collect();
        match purpose {
            Purpose::Write => StoredBlobs::of(&plans, &*survey.destination.hub).await,
            Purpose::Read => StoredBlobs::not_asked(&plans),
        }
    }

    fn estimate(&self, plans: &[RevisionPlan], stored: &StoredBlobs) -> Option<Estimate> {
        let options = self.options;
        let plans = plans.iter().filter_map(RevisionPlan::plan);
        let estimates = plans.map(|plan| {
            let rates = options.rates(&plan.source, &plan.destination);
            stored.estimate_of_rest(plan, &options.worker_args, rates)
        });
        estimates.reduce(|sum, next| sum.and(&next))
    }
}
