//! The copy of all branches and tags of a repo: a run for each commit, and each blob moved once.
//!
//! [`survey`] lists the branches and tags of both sides and plans them: [`targets`] decides where each goes, [`plan`] what is to be done
//! about one commit. [`write`] commits one, [`publish`] makes its branches and tags, [`summary`] is the table of all, and [`state`] keeps
//! whether they all succeeded. [`verify`] compares what was copied.
//!
//! All blobs move first, by the same workers. Then one revision after the other is committed, since a hub takes one commit of a
//! repo at a time. A branch or tag that is absent is built on a temporary branch, and gets its name after the verification. So
//! nobody sees half of one, and a killed run leaves no wrong name.

pub mod plan;
pub mod publish;
pub mod state;
pub mod summary;
pub mod survey;
pub mod targets;
pub mod verify;
pub mod write;

use std::time::Instant;

use futures_util::future::join_all;
use hf2ms_worker::plan::Plan;
use hf2ms_worker::plan::shared::BlobResults;
use hf2ms_worker::protocol::Exit;
use tokio::sync::OwnedSemaphorePermit;

use self::plan::{RevisionAction, RevisionPlan, plan_named};
use self::publish::{RefPublisher, head_of};
use self::state::RevisionsState;
use self::summary::RevisionsSummary;
use self::survey::{Survey, SurveyResult};
use self::targets::WriteTo;
use self::write::{RevisionRun, WriteContext};
use crate::args::route::Route;
use crate::copy::backup;
use crate::copy::deletions;
use crate::copy::inspect::DestinationRepo;
use crate::copy::options::CopyOptions;
use crate::copy::permission::check_plan;
use crate::copy::plan::Purpose;
use crate::copy::stored::StoredBlobs;
use crate::copy::{CopyResult, RepoCopy};
use crate::engine::remote::DetachMode;
use crate::estimate::Estimate;
use crate::estimate::containers::chunking;
use crate::runs::report::Report;
use crate::ui::errors::{CliError, CliResult};
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
        if options.watch == DetachMode::Detached {
            return Err(CliError::usage(
                "--all-revisions writes one revision after the other from this machine: leave --detach out",
            ));
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
            self.copy(survey, ahead).await?
        };
        summary.print(self.screen);
        Ok(RepoResult::All(Box::new(summary)))
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

    /// Transfers all blobs, then writes one revision after the other.
    async fn copy(
        &self,
        survey: Survey,
        ahead: Option<OwnedSemaphorePermit>,
    ) -> CliResult<RevisionsSummary> {
        let Survey {
            plans,
            failed,
            destination,
            references,
            known,
        } = survey;
        let references = references.as_ref();
        let copies: Vec<RepoCopy<'_>> = plans.iter().map(|one| self.copy_of(one)).collect();
        let mut runs = self.start_all(&plans, &copies, &destination).await?;
        let state = RevisionsState::of(&runs, self.options.runs, &destination.at);
        state.note(None)?;
        transfer_all(&mut runs, ahead).await;
        let _finishing = self.options.slots.finishing().await;
        let mut context = WriteContext {
            references,
            base: None,
            blobs: blob_results(&runs),
            known,
        };
        let mut publisher = RefPublisher {
            references,
            settings: self.options.settings,
            stop: self.options.stop,
            made: Vec::new(),
        };
        let (mut summary, mut over) = (RevisionsSummary::new(destination.at.web_url()), None);
        for (one, run) in plans.iter().zip(runs) {
            if context.base.is_none() && one.target.write_to == WriteTo::TemporaryBranch {
                context.base = head_of(&destination, references).await;
            }
            let ended = self.write(one, run, &mut context, &mut over).await;
            summary.add(publisher.publish(one, ended).await, one.size());
        }
        publisher.verify(&mut summary.rows).await;
        summary.rows.extend(failed);
        summary.conclude(over, self.began);
        state.note(Some(&summary))?;
        Ok(summary)
    }

    fn copy_of<'a>(&'a self, one: &'a RevisionPlan) -> RepoCopy<'a> {
        RepoCopy {
            options: self.options,
            screen: &one.screen,
            began: self.began,
        }
    }

    /// Starts a run for each revision that has a plan. If one can't be started, all are ended.
    async fn start_all<'a>(
        &self,
        plans: &'a [RevisionPlan],
        copies: &'a [RepoCopy<'a>],
        destination: &DestinationRepo,
    ) -> CliResult<Vec<Option<RevisionRun<'a>>>> {
        let mut runs: Vec<Option<RevisionRun<'a>>> = Vec::new();
        for (one, copy) in plans.iter().zip(copies) {
            let RevisionAction::Copy(plan) = &one.action else {
                runs.push(None);
                continue;
            };
            match self.start(plan, one, copy, &runs, destination).await {
                Ok(run) => runs.push(Some(run)),
                Err(failure) => {
                    end_all(&mut runs, &failure).await?;
                    return Err(failure);
                }
            }
        }
        Ok(runs)
    }

    /// Starts a run; the first one creates the repo.
    async fn start<'a>(
        &self,
        plan: &Plan,
        one: &'a RevisionPlan,
        copy: &'a RepoCopy<'a>,
        others: &[Option<RevisionRun<'a>>],
        destination: &DestinationRepo,
    ) -> CliResult<RevisionRun<'a>> {
        let (stop, settings) = (self.options.stop, self.options.settings);
        let beside = others.iter().flatten().next().map(|run| &run.copy.dir);
        if beside.is_none() {
            stop.unless(check_plan(plan, &one.destination, settings))
                .await?;
        }
        let is_temporary = one.target.write_to == WriteTo::TemporaryBranch;
        let named = plan_named(plan, &one.target);
        let mut run = copy.start(named, &one.destination, beside).await?;
        run.record_plan()?;
        if is_temporary {
            // The hub is asked about missing blobs by a branch that exists.
            run.plan.destination.revision = destination.at.revision.clone();
        } else if let Err(failure) = stop.unless(run.create()).await {
            run.conclude(Default::default(), &Err(failure.clone()))
                .await?;
            return Err(failure);
        }
        run.plan.creation.exists = !is_temporary;
        Ok(RevisionRun {
            target: &one.target,
            copy: run,
            result: Default::default(),
            stopped: None,
        })
    }

    /// Writes one revision, unless an error of an earlier one ended all.
    async fn write(
        &self,
        one: &RevisionPlan,
        run: Option<RevisionRun<'_>>,
        context: &mut WriteContext<'_>,
        over: &mut Option<CliError>,
    ) -> CliResult<Report> {
        let mut run = match (run, &one.action) {
            (_, RevisionAction::UpToDate(report)) => return Ok((**report).clone()),
            (None, RevisionAction::Copy(_)) => return Err(CliError::interrupted()),
            (Some(run), RevisionAction::Copy(_)) => run,
        };
        if let Some(failure) = over {
            run.stopped.get_or_insert_with(|| {
                CliError::new(failure.exit(), format!("not tried: {failure}"))
            });
        }
        if self.options.stop.is_asked() {
            run.stopped.get_or_insert_with(CliError::interrupted);
        }
        let is_said = over.is_some();
        let ended = run.finish(context).await;
        match &ended {
            Ok(report) => report.print(&one.screen),
            // What ended an earlier revision, and has been said of it.
            Err(_) if is_said => (),
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

/// Ends the runs that were started, with the failure of one that could not be.
async fn end_all(runs: &mut [Option<RevisionRun<'_>>], failure: &CliError) -> CliResult<()> {
    for run in runs.iter_mut().flatten() {
        let result = std::mem::take(&mut run.result);
        run.copy.conclude(result, &Err(failure.clone())).await?;
    }
    Ok(())
}

/// Transfers the blobs of all runs. `ahead` is dropped when the first chunk starts, or at once if there is none.
async fn transfer_all(runs: &mut [Option<RevisionRun<'_>>], ahead: Option<OwnedSemaphorePermit>) {
    let has_chunks = |run: &&mut RevisionRun<'_>| !run.copy.plan.chunks.is_empty();
    if let Some(first) = runs.iter_mut().flatten().find(has_chunks) {
        first.copy.ahead = ahead;
    }
    join_all(runs.iter_mut().flatten().map(RevisionRun::transfer)).await;
}

/// The receipts of all blobs, for the revisions that share them.
fn blob_results(runs: &[Option<RevisionRun<'_>>]) -> BlobResults {
    let mut blobs = BlobResults::default();
    for run in runs.iter().flatten().filter(|run| run.target.moves()) {
        blobs.add(&run.copy.plan, &run.result.receipts);
    }
    blobs
}
