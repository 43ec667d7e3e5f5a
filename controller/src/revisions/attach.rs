//! Waiting for all revisions in the cloud from any process that has their runs' folders.

use std::path::Path;

use hf2ms_hub::Revision;
use hf2ms_worker::plan::Plan;
use hf2ms_worker::revisions::targets::WriteTo;

use super::cloud::{
    CloudResult, CloudResults, CloudRevision, CloudRevisions, CloudWork, ModalRevisions,
};
use super::rows::{EndedRevision, RowMaker};
use super::state::RevisionsState;
use super::summary::RevisionsSummary;
use crate::copy::outcome::RunResult;
use crate::copy::sync_state::{StandsAt, save_proof};
use crate::engine::remote::attach::{Attachment, incomplete};
use crate::engine::remote::{Completion, DetachMode};
use crate::runs::{REVISIONS_JOB, RunDir, RunRecord, Runs, State};
use crate::settings::Settings;
use crate::stop::Stop;
use crate::ui::errors::CliResult;
use crate::ui::screen::Screen;

/// Waits for the revisions whose first run this is, and prints their reports and their table; `None` if they go on without this process.
///
/// # Errors
/// Modal refuses or can't be reached: the runs work on, unless a stop was asked for.
pub async fn attach(
    first: &RunRecord,
    runs: &Runs,
    settings: &Settings,
    screen: &Screen,
    stop: &Stop,
) -> CliResult<Option<RevisionsSummary>> {
    let job: CloudRevisions = runs
        .read(&first.id, REVISIONS_JOB)
        .ok_or_else(|| incomplete(first, "its job"))?;
    let plans = job.plans(runs)?;
    let attachment = Attachment::of(first, runs)?;
    let mut dirs = others(&job, first, runs, &attachment.run)?;
    let own = |one: &CloudRevision| matches!(&one.work, CloudWork::Run(run) if *run == first.id);
    let at = job.revisions.iter().position(own);
    let at = at.ok_or_else(|| incomplete(first, "itself in its job"))?;
    let each = dirs.iter().enumerate();
    let each = each.map(|(number, dir)| match number == at {
        true => Some(&attachment.run),
        false => dir.as_ref(),
    });
    let borrowed: Vec<Option<&RunDir>> = each.collect();
    let completion = attachment
        .work(settings, screen, stop, async |cloud, calls| {
            let modal = ModalRevisions {
                cloud,
                job: &job,
                plans: &plans,
                settings,
            };
            modal.work(calls, DetachMode::Attached, &borrowed).await
        })
        .await;
    let ending = Ending {
        job: &job,
        plans: &plans,
        settings,
        runs,
        screen,
        containers: attachment.containers,
        seconds: attachment.seconds,
    };
    dirs[at] = Some(attachment.run);
    ending.settle(completion, dirs, &runs.path(&first.id)).await
}

/// The folders of the runs beside the first one, at their places among all revisions.
fn others(
    job: &CloudRevisions,
    first: &RunRecord,
    runs: &Runs,
    dir: &RunDir,
) -> CliResult<Vec<Option<RunDir>>> {
    let records = runs.beside(first);
    let folder = |one: &CloudRevision| match &one.work {
        CloudWork::Run(run) if *run != first.id => {
            let record = records.iter().find(|record| record.id == *run);
            let record = record.ok_or_else(|| incomplete(first, "a run of another revision"))?;
            runs.resume_beside(record, dir).map(Some)
        }
        CloudWork::Run(_) | CloudWork::UpToDate { .. } => Ok(None),
    };
    job.revisions.iter().map(folder).collect()
}

/// The end of all runs, from what the cloud has done.
struct Ending<'a> {
    job: &'a CloudRevisions,
    plans: &'a [Option<Plan>],
    settings: &'a Settings,
    runs: &'a Runs,
    screen: &'a Screen,
    containers: u64,
    seconds: f64,
}

impl Ending<'_> {
    /// Ends the runs and prints their table; `None` if they go on.
    async fn settle(
        &self,
        completion: CliResult<Completion<CloudResults>>,
        dirs: Vec<Option<RunDir>>,
        first: &Path,
    ) -> CliResult<Option<RevisionsSummary>> {
        let results = match completion {
            Ok(Completion::Finished(results)) => results,
            Ok(Completion::Detached(why)) => {
                let mut dirs = dirs.into_iter().flatten();
                let detached = dirs.try_for_each(RunDir::detach);
                return detached.and(why.map_or(Ok(None), Err));
            }
            Err(failure) => {
                let mut dirs = dirs.into_iter().flatten();
                dirs.try_for_each(|mut dir| dir.fail(&failure, self.screen))?;
                return Err(failure);
            }
        };
        let summary = self.conclude(results, dirs).await?;
        RevisionsState::in_folder(first).note(Some(&summary))?;
        summary.print(self.screen);
        Ok(Some(summary))
    }

    /// Writes the report of each run and makes the table of all.
    async fn conclude(
        &self,
        results: CloudResults,
        dirs: Vec<Option<RunDir>>,
    ) -> CliResult<RevisionsSummary> {
        let destination = &self.job.destination;
        let rows = RowMaker {
            made: &results.made,
            destination,
            settings: self.settings,
        };
        let mut summary = RevisionsSummary::new(destination.web_url());
        let each = self.job.revisions.iter().zip(self.plans);
        for (((one, plan), dir), result) in each.zip(dirs).zip(results.revisions) {
            let run = plan.as_ref().zip(dir).zip(result);
            let Some(ended) = self.ended(one, run).await? else {
                continue;
            };
            let size = match (&one.work, plan) {
                (CloudWork::UpToDate { report, .. }, _) => (report.tally.files, report.tally.bytes),
                (CloudWork::Run(_), plan) => {
                    let summary = plan.as_ref().map(Plan::summary).unwrap_or_default();
                    (summary.files, summary.bytes)
                }
            };
            summary.add(rows.rows(&one.target, &ended), size);
        }
        summary.rows.extend(self.job.failed());
        summary.seconds = self.seconds;
        Ok(summary)
    }

    /// The end of one revision; `None` if nothing is known of its run.
    async fn ended(
        &self,
        one: &CloudRevision,
        run: Option<((&Plan, RunDir), CloudResult)>,
    ) -> CliResult<Option<EndedRevision>> {
        if let CloudWork::UpToDate { report, head } = &one.work {
            return Ok(Some(EndedRevision {
                ended: Ok((**report).clone()),
                head: head.clone(),
                had_plan: false,
            }));
        }
        let Some(((plan, mut dir), CloudResult { work, done, head })) = run else {
            return Ok(None);
        };
        let screen = self.screen.of_revision(&one.target.name());
        match &done {
            Ok(()) => {
                self.save_proof(one, (plan, &dir), &work, head.clone())
                    .await?
            }
            Err(failure) => dir.because(&failure.to_string(), &screen),
        }
        let (workers, seconds, state) = (self.containers, self.seconds, State::of(&done));
        let report = work.conclude(plan, &mut dir, state, workers, seconds, &screen)?;
        match &done {
            Ok(()) => report.print(&screen),
            Err(failure) => screen.fail(failure),
        }
        Ok(Some(EndedRevision {
            ended: done.map(|()| report),
            head,
            had_plan: true,
        }))
    }

    /// Saves what the run of a revision proves. The branch on which a new one was built is gone, and no commit changes.
    async fn save_proof(
        &self,
        one: &CloudRevision,
        run: (&Plan, &RunDir),
        work: &RunResult,
        head: Option<Revision>,
    ) -> CliResult<()> {
        let stands = match (&one.target.write_to, head) {
            (WriteTo::TemporaryBranch, None) => return Ok(()),
            (WriteTo::TemporaryBranch, Some(head)) => StandsAt::Commit(head),
            (WriteTo::Branch(_) | WriteTo::ExistingTag(_), _) => StandsAt::Asked,
        };
        let verified = work.verification.as_ref();
        save_proof(run, verified, stands, self.settings, self.runs).await
    }
}
