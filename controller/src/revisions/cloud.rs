//! All revisions in the cloud: a call for each chunk of any of them, and a last call that waits for them. It writes one revision after the
//! other, makes the branches and tags, and goes on without this process.

use std::collections::BTreeMap;

use hf2ms_hub::{RepoAt, Revision};
use hf2ms_worker::plan::shared::BlobResults;
use hf2ms_worker::plan::{DigestCache, Plan};
use hf2ms_worker::protocol::{Chunk, Event, Exit, MadeRef, VERSION};
use hf2ms_worker::revisions::targets::{RevisionTarget, WriteTo};
use hf2ms_worker::verbs::revisions::{RevisionJob, RevisionWork, RevisionsJob};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::plan::{RevisionAction, RevisionPlan};
use super::summary::RevisionRow;
use super::write::RevisionRun;
use crate::copy::outcome::RunResult;
use crate::engine::chunk_results::ChunkResults;
use crate::engine::job::WorkerOutput;
use crate::engine::modal::{ChunkEnd, Finalized, Function};
use crate::engine::remote::calls::SubmittedCalls;
use crate::engine::remote::{Completion, DetachMode, RemoteJob, RemoteRun};
use crate::runs::report::Report;
use crate::runs::{RunDir, Runs};
use crate::settings::Settings;
use crate::settings::remedies::remedy;
use crate::ui::errors::{CliError, CliResult};
use crate::ui::progress::{Amount, Progress};
use crate::ui::screen::Screen;

/// The revisions of a repo in the cloud, as the folder of their first run keeps them. The plans are in the folders of their runs.
#[derive(Debug, Serialize, Deserialize)]
pub struct CloudRevisions {
    /// The destination, at its default branch.
    pub destination: RepoAt,
    /// The revisions, in the order in which they are written.
    pub revisions: Vec<CloudRevision>,
    /// The rows of branches and tags that can't be copied, and whether another time may bring them.
    failed: Vec<(RevisionRow, bool)>,
    known: DigestCache,
}

/// One revision in the cloud.
#[derive(Debug, Serialize, Deserialize)]
pub struct CloudRevision {
    /// The commit, where its files go, and the branches and tags to make.
    pub target: RevisionTarget,
    /// What is done there.
    pub work: CloudWork,
}

/// What is done about a revision in the cloud.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CloudWork {
    /// Only its branches and tags are made of this commit, which an earlier run verified.
    UpToDate {
        /// That run's report.
        report: Box<Report>,
        /// The destination's commit.
        head: Option<Revision>,
    },
    /// The plan of the run with this id.
    Run(String),
}

impl CloudRevisions {
    /// The revisions with these plans and their runs.
    pub fn of(
        plans: &[RevisionPlan],
        runs: &[Option<RevisionRun<'_>>],
        failed: &[RevisionRow],
        (destination, known): (&RepoAt, &DigestCache),
    ) -> Self {
        let revisions = plans.iter().zip(runs).filter_map(|(one, run)| {
            let work = match (&one.action, run) {
                (RevisionAction::UpToDate(report), _) => CloudWork::UpToDate {
                    report: report.clone(),
                    head: one.destination.head.clone(),
                },
                (RevisionAction::Copy(_), run) => {
                    CloudWork::Run(run.as_ref()?.copy.dir.id().to_owned())
                }
            };
            let target = one.target.clone();
            Some(CloudRevision { target, work })
        });
        Self {
            destination: destination.clone(),
            revisions: revisions.collect(),
            failed: failed.iter().map(RevisionRow::kept).collect(),
            known: known.clone(),
        }
    }

    /// The rows of branches and tags that can't be copied.
    pub fn failed(&self) -> impl Iterator<Item = RevisionRow> {
        let failed = self.failed.iter().cloned();
        failed.map(|(row, may_pass)| row.read_again(may_pass))
    }

    /// The plan of each revision from the folder of its run; `None` for one that is up to date.
    ///
    /// # Errors
    /// A plan is not there any more.
    pub fn plans(&self, runs: &Runs) -> CliResult<Vec<Option<Plan>>> {
        let plan = |one: &CloudRevision| match &one.work {
            CloudWork::UpToDate { .. } => Ok(None),
            CloudWork::Run(run) => {
                let plan = runs.read(run, "plan.json").map(Some);
                plan.ok_or_else(|| without_plan(run))
            }
        };
        self.revisions.iter().map(plan).collect()
    }
}

fn without_plan(run: &str) -> CliError {
    let line = format!(
        "run {run} has lost its plan: run the same command again; what is there is not sent again"
    );
    CliError::new(Exit::Incomplete, line)
}

/// All revisions of a repo on Modal.
pub struct ModalRevisions<'a> {
    /// The run in the cloud.
    pub cloud: RemoteRun<'a>,
    /// What is done there.
    pub job: &'a CloudRevisions,
    /// The plan of each revision that is not up to date.
    pub plans: &'a [Option<Plan>],
    /// Endpoints, tokens and the HTTP client.
    pub settings: &'a Settings,
}

/// What the cloud has done.
pub struct CloudResults {
    /// The result of each revision that has a plan.
    pub revisions: Vec<Option<CloudResult>>,
    /// The branches and tags that were asked for.
    pub made: Vec<MadeRef>,
}

/// The result of one revision in the cloud.
pub struct CloudResult {
    /// The result of its run.
    pub work: RunResult,
    /// The error that ended it.
    pub done: CliResult<()>,
    /// The destination's commit, if its hub tells.
    pub head: Option<Revision>,
}

/// What the last call printed of one revision.
type Printed = (WorkerOutput, Option<Revision>);

impl RemoteJob for ModalRevisions<'_> {
    fn chunks(&self) -> u32 {
        self.plans.iter().flatten().map(count).sum()
    }

    fn chunk(&self, number: u32) -> Value {
        serde_json::to_value(self.chunk_of_all(number)).unwrap_or_default()
    }

    fn last(&self, calls: &SubmittedCalls) -> (Function, Value) {
        let job = RevisionsJob {
            version: VERSION,
            run: self.cloud.run.id().to_owned(),
            destination: self.job.destination.clone(),
            revisions: self.jobs(),
            known: self.job.known.clone(),
            receipts: Vec::new(),
        };
        let input = json!({"calls": calls.chunks, "verb": "revisions", "job": job});
        (Function::Finalize, input)
    }

    fn name(&self) -> &'static str {
        "finalizer"
    }

    fn progress(&self, screen: &Screen) -> Progress {
        let summaries = self.plans.iter().flatten().map(Plan::summary);
        let of = summaries.fold(Amount::default(), |of, summary| Amount {
            files: of.files + summary.blobs,
            bytes: of.bytes + summary.blob_bytes,
        });
        Progress::new(screen, "copying", of)
    }
}

impl ModalRevisions<'_> {
    /// Submits the calls that `calls` lacks, and waits for the result unless `watch` says otherwise. `dirs` are the folders of the runs.
    ///
    /// # Errors
    /// As [`RemoteRun::work`]; or what ended it there.
    pub async fn work(
        &self,
        calls: SubmittedCalls,
        watch: DetachMode,
        dirs: &[Option<&RunDir>],
    ) -> CliResult<Completion<CloudResults>> {
        match self.cloud.work(self, calls, watch).await? {
            Completion::Finished(result) => {
                self.gather(result.value()?, dirs).map(Completion::Finished)
            }
            Completion::Detached(why) => Ok(Completion::Detached(why)),
        }
    }

    /// The revisions with the numbers of their first chunks.
    fn numbered(&self) -> impl Iterator<Item = (&CloudRevision, Option<&Plan>, u32)> {
        let mut next = 0;
        let both = self.job.revisions.iter().zip(self.plans);
        both.map(move |(one, plan)| {
            let first = next;
            next += plan.as_ref().map_or(0, count);
            (one, plan.as_ref(), first)
        })
    }

    /// The chunk with this number among those of all revisions. The hub is asked about missing blobs by a branch that exists.
    fn chunk_of_all(&self, number: u32) -> Option<Chunk> {
        let mut all = self.numbered();
        let (one, plan, first) = all.find(|(_, plan, first)| {
            plan.is_some_and(|plan| (*first..first + count(plan)).contains(&number))
        })?;
        let mut chunk = plan?.chunk(self.cloud.run.id(), number - first)?;
        (chunk.chunk, chunk.chunks) = (number, self.chunks());
        if one.target.write_to == WriteTo::TemporaryBranch {
            chunk.destination.revision = self.job.destination.revision.clone();
        }
        Some(chunk)
    }

    fn jobs(&self) -> Vec<RevisionJob> {
        let job = |(one, plan, first_chunk): (&CloudRevision, Option<&Plan>, u32)| {
            let target = one.target.clone();
            let (run, work) = match (&one.work, plan) {
                (CloudWork::UpToDate { head, .. }, _) => {
                    (String::new(), RevisionWork::UpToDate(head.clone()))
                }
                (CloudWork::Run(run), plan) => {
                    let mut plan = Box::new(plan?.clone());
                    if let Some(branch) = branch_of_new(&target) {
                        plan.destination.revision = branch;
                    }
                    (run.clone(), RevisionWork::Copy { plan, first_chunk })
                }
            };
            Some(RevisionJob { run, target, work })
        };
        self.numbered().filter_map(job).collect()
    }

    fn gather(&self, given: Value, dirs: &[Option<&RunDir>]) -> CliResult<CloudResults> {
        let given: Finalized = self.cloud.read(self, given)?;
        let (mut printed, made) = by_revision(given.own.events());
        let Some(made) = made else {
            return Err(given.own.ended().into_error("finalizer", remedy));
        };
        let (carried, blobs) = self.carried(given.chunks)?;
        let each = self.job.revisions.iter().zip(self.plans);
        let mut revisions = Vec::new();
        for (((one, plan), dir), carried) in each.zip(dirs).zip(carried) {
            let (CloudWork::Run(run), Some(plan), Some(dir), Some(carried)) =
                (&one.work, plan, dir, carried)
            else {
                revisions.push(None);
                continue;
            };
            let printed = printed.remove(run).unwrap_or_default();
            let result = self.result(plan, dir, (carried, &blobs), printed)?;
            revisions.push(Some(result));
        }
        Ok(CloudResults { revisions, made })
    }

    /// The results of the chunks of each revision, and of the blobs that several share.
    fn carried(
        &self,
        mut chunks: BTreeMap<u32, ChunkEnd>,
    ) -> CliResult<(Vec<Option<ChunkResults>>, BlobResults)> {
        let (mut carried, mut blobs) = (Vec::new(), BlobResults::default());
        for (one, plan, first) in self.numbered() {
            let Some(plan) = plan else {
                carried.push(None);
                continue;
            };
            let later = chunks.split_off(&(first + count(plan)));
            let own = std::mem::replace(&mut chunks, later).into_iter();
            let own = own.map(|(number, end)| (number - first, end)).collect();
            let results = self.cloud.gather(plan, &own, &[])?;
            if one.target.moves() {
                blobs.add(plan, &results.receipts);
            }
            carried.push(Some(results));
        }
        Ok((carried, blobs))
    }

    fn result(
        &self,
        plan: &Plan,
        dir: &RunDir,
        (carried, blobs): (ChunkResults, &BlobResults),
        (output, head): Printed,
    ) -> CliResult<CloudResult> {
        let mut work = RunResult {
            seconds: carried.seconds,
            lost: carried.lost,
            receipts: carried.receipts,
            ..RunResult::default()
        };
        work.receipts.push(blobs.receipt(plan));
        work.failed = plan.unsent(&work.receipts);
        work.finalized(dir, output)?;
        work.ended_by = work.ended_by.take().or(carried.ended_by);
        let done = work.check(plan, self.settings);
        Ok(CloudResult { work, done, head })
    }
}

/// What the last call printed of each run, and the branches and tags that it made.
fn by_revision(
    events: impl Iterator<Item = Event>,
) -> (BTreeMap<String, Printed>, Option<Vec<MadeRef>>) {
    let (mut all, mut made) = (BTreeMap::new(), None);
    let mut output = WorkerOutput::default();
    for event in events {
        match event {
            Event::Revision(result) => {
                let mut own = std::mem::take(&mut output);
                own.receipt = Some(result.receipt);
                all.insert(result.run, (own, result.head));
            }
            Event::MadeRefs { refs } => made = Some(refs),
            event => output.note(event),
        }
    }
    (all, made)
}

/// The number of chunks of a plan.
fn count(plan: &Plan) -> u32 {
    u32::try_from(plan.chunks.len()).unwrap_or(u32::MAX)
}

/// The branch on which a new revision is built.
pub fn branch_of_new(target: &RevisionTarget) -> Option<Revision> {
    let is_new = target.write_to == WriteTo::TemporaryBranch;
    target.temporary_branch().filter(|_| is_new)
}

#[cfg(test)]
mod tests {
    use hf2ms_hub::Kind;
    use hf2ms_worker::protocol::{Receipt, RevisionResult};

    use super::*;

    #[test]
    fn the_events_before_its_end_are_those_of_a_revision() {
        let end = |run: &str, head: Option<char>| {
            let commit = head.map(|digit| digit.to_string().repeat(40).parse().unwrap());
            Event::Revision(Box::new(RevisionResult {
                run: run.to_owned(),
                head: commit,
                receipt: Receipt::default(),
            }))
        };
        let committed = |commit: &str| Event::Committed {
            commit: Some(commit.to_owned()),
            actions: 1,
        };
        let failed = Event::Failed {
            path: None,
            error: "no".to_owned(),
            kind: Kind::Denied,
        };
        let refs = Vec::new();
        let events = [
            committed("1"),
            committed("2"),
            end("a", Some('c')),
            failed,
            end("b", None),
            Event::MadeRefs { refs },
        ];
        let (printed, made) = by_revision(events.into_iter());
        let (first, second) = (&printed["a"], &printed["b"]);
        assert_eq!(
            (first.0.commits.len(), first.0.failure.is_none()),
            (2, true)
        );
        assert!(first.1.is_some() && first.0.receipt.is_some());
        assert_eq!(second.0.failure, Some((Kind::Denied, "no".to_owned())));
        assert_eq!(made, Some(Vec::new()));
        assert_eq!(by_revision(std::iter::empty()).1, None);
    }
}
