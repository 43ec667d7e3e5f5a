//! Planned revisions are carried out: all blobs move, then one revision after the other is written, here or in the cloud.

use futures_util::future::join_all;
use hf2ms_worker::plan::Plan;
use hf2ms_worker::plan::shared::BlobResults;
use hf2ms_worker::protocol::{MadeRef, PlanSummary};
use hf2ms_worker::revisions::targets::WriteTo;
use hf2ms_worker::revisions::temporary;
use tokio::sync::OwnedSemaphorePermit;

use super::RevisionsCopy;
use super::cloud::{CloudResult, CloudResults, CloudRevisions, ModalRevisions};
use super::plan::{RevisionAction, RevisionPlan, plan_named};
use super::publish::RefPublisher;
use super::rows::{EndedRevision, RowMaker};
use super::state::RevisionsState;
use super::summary::RevisionsSummary;
use super::survey::Survey;
use super::write::{RevisionRun, WriteContext};
use crate::args::workers::EngineKind;
use crate::copy::RepoCopy;
use crate::copy::inspect::DestinationRepo;
use crate::copy::permission::check_plan;
use crate::engine::open::Runner;
use crate::engine::remote::Completion;
use crate::engine::remote::app::DeployedApp;
use crate::engine::remote::calls::SubmittedCalls;
use crate::runs::report::Report;
use crate::runs::{REVISIONS_JOB, RunDir};
use crate::ui::errors::{CliError, CliResult};

/// The revisions of a repo after they were written.
struct WrittenRevisions {
    /// How each ended.
    revisions: Vec<EndedRevision>,
    /// The branches and tags that were asked for.
    made: Vec<MadeRef>,
    /// The error that ended all after one of them.
    over: Option<CliError>,
}

/// What a command has done about all revisions.
pub(super) enum Copied {
    /// They have ended.
    All(RevisionsSummary),
    /// They go on in the cloud: the id of the first run, and their files and bytes.
    Detached(String, PlanSummary),
}

impl RevisionsCopy<'_> {
    /// Transfers all blobs, then writes one revision after the other: here, or in the cloud.
    pub(super) async fn copy(
        &self,
        survey: Survey,
        ahead: Option<OwnedSemaphorePermit>,
    ) -> CliResult<Copied> {
        let plans = survey.plans.iter().filter_map(RevisionPlan::plan);
        let memory: u64 = plans.map(Plan::files_memory).sum();
        let copies = survey.plans.iter();
        let copies = copies.map(|one| self.copy_of(one, memory));
        let copies: Vec<RepoCopy<'_>> = copies.collect();
        let destination = &survey.destination;
        let runs = self.start_all(&survey.plans, &copies, destination).await?;
        let state = RevisionsState::of(&runs, self.options.runs, &destination.at);
        state.note(None)?;
        let written = match app_of(&runs) {
            None => self.write_all(&survey, runs, ahead).await?,
            Some(app) => {
                drop(ahead);
                match self.write_in_cloud(&survey, runs, &app).await? {
                    Completion::Finished(written) => written,
                    Completion::Detached(Some(why)) => return Err(why),
                    Completion::Detached(None) => return Ok(self.detached(&survey, state)),
                }
            }
        };
        let rows = RowMaker {
            made: &written.made,
            destination: &destination.at,
            settings: self.options.settings,
        };
        let mut summary = RevisionsSummary::new(destination.at.web_url());
        for (one, ended) in survey.plans.iter().zip(&written.revisions) {
            summary.add(rows.rows(&one.target, ended), one.size());
        }
        summary.rows.extend(survey.failed);
        summary.conclude(written.over, self.began);
        state.note(Some(&summary))?;
        Ok(Copied::All(summary))
    }

    /// Transfers all blobs by the workers of this process, then writes one revision after the other.
    async fn write_all(
        &self,
        survey: &Survey,
        mut runs: Vec<Option<RevisionRun<'_>>>,
        ahead: Option<OwnedSemaphorePermit>,
    ) -> CliResult<WrittenRevisions> {
        transfer_all(&mut runs, ahead).await;
        let _finishing = self.options.slots.finishing().await;
        let (references, destination) = (&*survey.references, &survey.destination);
        let mut context = WriteContext {
            references,
            base: None,
            blobs: blob_results(&runs),
            known: survey.known.clone(),
        };
        let mut publisher = RefPublisher::new(references, self.options.stop);
        let (mut revisions, mut over) = (Vec::new(), None);
        for (one, run) in survey.plans.iter().zip(runs) {
            if context.base.is_none() && one.target.write_to == WriteTo::TemporaryBranch {
                let (branch, hub) = (&destination.at.revision, &*destination.hub);
                context.base = temporary::head_of(branch, hub, references).await;
            }
            let ended = self.write(one, run, &mut context, &mut over).await;
            let head = publisher.publish(one, &ended).await;
            revisions.push(EndedRevision {
                ended,
                head,
                had_plan: one.plan().is_some(),
            });
        }
        Ok(WrittenRevisions {
            revisions,
            made: publisher.verified().await,
            over,
        })
    }

    /// Submits all calls to the cloud, and waits for the last one unless the command detaches.
    async fn write_in_cloud(
        &self,
        survey: &Survey,
        runs: Vec<Option<RevisionRun<'_>>>,
        app: &DeployedApp,
    ) -> CliResult<Completion<WrittenRevisions>> {
        let completion = self.work_in_cloud(survey, &runs, app).await;
        let results = match completion {
            Ok(Completion::Finished(results)) => results,
            Ok(Completion::Detached(why)) => {
                let mut runs = runs.into_iter().flatten();
                runs.try_for_each(|run| run.copy.dir.detach())?;
                return Ok(Completion::Detached(why));
            }
            Err(failure) => {
                let mut runs = runs;
                end_all(&mut runs, &failure).await?;
                return Err(failure);
            }
        };
        let mut revisions = Vec::new();
        for ((one, run), result) in survey.plans.iter().zip(runs).zip(results.revisions) {
            revisions.push(cloud_end(one, run, result).await?);
        }
        Ok(Completion::Finished(WrittenRevisions {
            revisions,
            made: results.made,
            over: None,
        }))
    }

    async fn work_in_cloud(
        &self,
        survey: &Survey,
        runs: &[Option<RevisionRun<'_>>],
        app: &DeployedApp,
    ) -> CliResult<Completion<CloudResults>> {
        let options = self.options;
        let dirs = runs.iter().map(|run| run.as_ref().map(|run| &run.copy.dir));
        let dirs: Vec<Option<&RunDir>> = dirs.collect();
        let first = dirs.iter().flatten().next();
        let first = first.ok_or_else(CliError::interrupted)?;
        let of_destination = (&survey.destination.at, &survey.known);
        let job = CloudRevisions::of(&survey.plans, runs, &survey.failed, of_destination);
        first.write(REVISIONS_JOB, &job)?;
        let plans = job.plans(options.runs)?;
        let modal = ModalRevisions {
            cloud: app.begin(first, self.screen, options.stop)?,
            job: &job,
            plans: &plans,
            settings: options.settings,
        };
        let calls = SubmittedCalls::default();
        modal.work(calls, options.watch, &dirs).await
    }

    /// The result of a command whose revisions go on in the cloud.
    fn detached(&self, survey: &Survey, first: RevisionsState) -> Copied {
        let sizes = survey.plans.iter().map(RevisionPlan::size);
        let of = sizes.fold(PlanSummary::default(), |of, (files, bytes)| PlanSummary {
            files: of.files + files,
            bytes: of.bytes + bytes,
            ..of
        });
        Copied::Detached(first.run().unwrap_or_default(), of)
    }

    /// The copy of one revision. On Modal one call ends all, and has `memory` for the files of all.
    fn copy_of<'a>(&'a self, one: &'a RevisionPlan, memory: u64) -> RepoCopy<'a> {
        let is_remote = self.options.worker_args.on == EngineKind::Modal;
        RepoCopy {
            options: self.options,
            screen: &one.screen,
            began: self.began,
            files_memory: is_remote.then_some(memory),
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

/// The app in the cloud that the runs were opened for, if they were.
fn app_of(runs: &[Option<RevisionRun<'_>>]) -> Option<DeployedApp> {
    runs.iter()
        .flatten()
        .find_map(|run| match &run.copy.runner {
            Some(Runner::Remote(app, _)) => Some(app.clone()),
            _ => None,
        })
}

/// The end of a revision by what the cloud has done; its report is written.
async fn cloud_end(
    one: &RevisionPlan,
    run: Option<RevisionRun<'_>>,
    result: Option<CloudResult>,
) -> CliResult<EndedRevision> {
    if let RevisionAction::UpToDate(report) = &one.action {
        return Ok(EndedRevision {
            ended: Ok((**report).clone()),
            head: one.destination.head.clone(),
            had_plan: false,
        });
    }
    let (Some(mut run), Some(CloudResult { work, done, head })) = (run, result) else {
        return Ok(EndedRevision {
            ended: Err(CliError::interrupted()),
            head: None,
            had_plan: true,
        });
    };
    let report = match one.target.write_to {
        WriteTo::TemporaryBranch => {
            // That branch is gone, and no commit changes.
            run.copy.plan.creation.exists = true;
            let verified = work.verification.as_ref();
            let verified = verified.and_then(|found| found.head.clone());
            let proven =
                verified.filter(|verified| done.is_ok() && head.as_ref() == Some(verified));
            run.copy.conclude_at(proven, work, &done)?
        }
        _ => run.copy.conclude(work, &done).await?,
    };
    match &done {
        Ok(()) => report.print(&one.screen),
        Err(failure) => one.screen.fail(failure),
    }
    Ok(EndedRevision {
        ended: done.map(|()| report),
        head,
        had_plan: true,
    })
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
