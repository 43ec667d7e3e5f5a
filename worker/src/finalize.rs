//! `finalize`: what follows when all chunks have ended: commit what the receipts say is stored, then compare every
//! file. It can be done twice: what stands there already needs no action.

use hf2ms_hub::{Error, Result};
use serde::{Deserialize, Serialize};

use crate::commit::{self, Change, Deletion};
use crate::plan::Plan;
use crate::protocol::{Event, Exit, FailedFile, Receipt, Verification};
use crate::verify::{compare, exit_of};
use crate::work::Work;

/// Commits that end incomplete for reasons that may pass are tried again this often.
const TRIES: u32 = 2;

/// What one `finalize` is given: the whole plan, and what its chunks left behind. Who gives it may lend both: they are as large as the repo.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FinalizeJob<P = Plan, R = Vec<Receipt>> {
    /// [`crate::protocol::VERSION`].
    pub version: u32,
    /// The run's id.
    pub run: String,
    /// What the run does.
    pub plan: P,
    /// A receipt a chunk; a chunk without one has stored nothing.
    #[serde(default)]
    pub receipts: R,
    /// Whether someone may have written to the destination since it was planned: an earlier finalizer, say. Then it is
    /// listed before anything is committed.
    #[serde(default)]
    pub look: bool,
    /// When files are deleted.
    #[serde(default)]
    pub deletion: Deletion,
}

/// Commits and verifies.
pub async fn finalize(work: &Work, job: FinalizeJob) -> Exit {
    let summary = job.plan.summary();
    work.events.start("finalize", &job.run, 0, summary.files, summary.bytes);
    match carry_out(work, job).await {
        Ok(exit) => exit,
        Err(error) => {
            work.events.gave_up(&error);
            Exit::of(error.kind())
        }
    }
}

async fn carry_out(work: &Work, mut job: FinalizeJob) -> Result<Exit> {
    if let Some(error) = fatal(job.receipts.iter().flat_map(|receipt| &receipt.failed)) {
        return Err(error);
    }
    if job.look {
        job.plan.meet(&work.destination.list().await?);
    }
    settle(work, &mut job.plan, &job.run, job.receipts, job.deletion).await
}

/// Commits what the receipts say is stored and compares every file that has not failed; both are said.
///
/// # Errors
/// The destination can't be listed, or a hub ended the commit for good.
pub async fn settle(work: &Work, plan: &mut Plan, run: &str, mut receipts: Vec<Receipt>, deletion: Deletion) -> Result<Exit> {
    let unsent = plan.unsent(&receipts);
    write(work, plan, &receipts, &unsent, deletion).await?;
    let committed = work.events.receipt_so_far();
    let failed: Vec<FailedFile> = unsent.iter().chain(&committed.failed).cloned().collect();
    receipts.push(committed);
    let found = compare(work, &plan.verify_job(run, &receipts, &failed).files).await?;
    let exit = exit(plan, &failed, &found);
    work.events.say(&Event::Verified(found));
    Ok(exit)
}

fn exit(plan: &Plan, failed: &[FailedFile], found: &Verification) -> Exit {
    let refused = if plan.refused.is_empty() { Exit::Done } else { Exit::Incomplete };
    exit_of(found).worse(Exit::of_failed(failed)).worse(refused)
}

async fn write(work: &Work, plan: &mut Plan, receipts: &[Receipt], unsent: &[FailedFile], deletion: Deletion) -> Result<()> {
    let before = work.events.receipt_so_far().failed.len();
    for attempt in 1..=TRIES {
        let mut change = Change { deletion, ..plan.change(receipts) };
        if !unsent.is_empty() && deletion == Deletion::WhenWhole {
            change.delete.clear();
        }
        if change.files.is_empty() && change.delete.is_empty() {
            return Ok(());
        }
        commit::write_all(work, &change).await;
        let failed = work.events.receipt_so_far().failed.split_off(before);
        if let Some(error) = fatal(&failed) {
            return Err(error);
        }
        if attempt == TRIES || !failed.iter().any(FailedFile::may_pass) {
            return Ok(());
        }
        work.events.forgive(before);
        plan.meet(&work.destination.list().await?);
    }
    Ok(())
}

/// The failure after which the hub will answer everything else the same way.
pub(crate) fn fatal<'a>(failed: impl IntoIterator<Item = &'a FailedFile>) -> Option<Error> {
    FailedFile::fatal(failed).map(|failed| Error::new(failed.kind, failed.error.clone()))
}

#[cfg(test)]
mod tests {
    use hf2ms_hub::{File, Kind, Listed, Listing, Placement};

    use super::*;
    use crate::plan::tests::{by_suffix, order};
    use crate::plan::{Extra, Known};
    use crate::protocol::{How, Stored};
    use crate::testing::{CommitFault, FakeDestination, FakeSource, content, work};

    /// A blob and a small file; the plan of both, and the receipt of a worker that stored the blob.
    fn two_files() -> (FakeSource, FinalizeJob) {
        let mut source = FakeSource::default();
        let (blob, text) = (source.lfs("w.bin", content(5_000, 1)), source.git("note.txt", "hello"));
        let listed = |file: &File, lfs| Listed { file: file.clone(), lfs };
        let listing = Listing { files: vec![listed(&blob, true), listed(&text, false)], ..Listing::default() };
        let place = |path: &_, size| if size > 0 { by_suffix(path, size) } else { Placement::Inline };
        let plan = Plan::make(order(Extra::Keep), listing, &Listing::default(), place, &Known::new());
        let stored = Stored { path: blob.path, sha256: blob.digest.sha256().unwrap(), git_sha1: None, size: blob.size, how: How::Streamed };
        let receipts = vec![Receipt { files: vec![stored], ..Receipt::default() }];
        (source, FinalizeJob { version: 1, run: "r".into(), plan, receipts, look: true, deletion: Deletion::default() })
    }

    async fn finalized(source: FakeSource, destination: FakeDestination, job: FinalizeJob) -> (Exit, std::sync::Arc<FakeDestination>) {
        let (work, _, destination) = work(source, destination, 1 << 20);
        (finalize(&work, job).await, destination)
    }

    #[tokio::test]
    async fn what_the_receipts_say_is_committed_and_compared() {
        let (source, job) = two_files();
        let (exit, destination) = finalized(source, FakeDestination::default(), job).await;
        assert_eq!((exit, destination.files.lock().unwrap().len()), (Exit::Done, 2));
    }

    #[tokio::test]
    async fn a_second_finalizer_finds_it_done() {
        let (source, job) = two_files();
        let (work, _, destination) = work(source, FakeDestination::default(), 1 << 20);
        for _ in 0..2 {
            assert_eq!(finalize(&work, job.clone()).await, Exit::Done);
        }
        assert_eq!(destination.commits.lock().unwrap().len(), 1);
    }

    #[tokio::test]
    async fn a_chunk_without_a_receipt_costs_only_its_files() {
        let (source, mut job) = two_files();
        job.receipts.clear();
        let (exit, destination) = finalized(source, FakeDestination::default(), job).await;
        assert_eq!((exit, destination.files.lock().unwrap().len()), (Exit::Incomplete, 1));
    }

    #[tokio::test]
    async fn a_hub_that_refused_a_chunk_for_good_gets_no_commit() {
        let (source, mut job) = two_files();
        job.receipts[0].failed.push(FailedFile { path: "w.bin".into(), error: "revoked".into(), kind: Kind::Unauthorized });
        let (exit, destination) = finalized(source, FakeDestination::default(), job).await;
        assert_eq!((exit, destination.commits.lock().unwrap().len()), (Exit::Refused, 0));
    }

    #[tokio::test]
    async fn a_commit_that_failed_for_now_is_tried_again() {
        let (source, job) = two_files();
        let destination = FakeDestination::default();
        let patience = crate::testing::work(FakeSource::default(), FakeDestination::default(), 1).0.http.retry.pauses().count();
        destination.faults.lock().unwrap().extend(vec![CommitFault::BranchMoved; patience + 1]);
        let (exit, destination) = finalized(source, destination, job).await;
        assert_eq!((exit, destination.commits.lock().unwrap().len()), (Exit::Done, 1));
    }
}
