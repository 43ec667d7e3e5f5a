//! `finalize`: what follows when all chunks have ended: commit what the receipts say is stored, then compare every
//! file. It can be done twice: what stands there already needs no action.

use std::collections::HashSet;

use hf2ms_hub::{Error, Kind, RepoPath, Result};
use serde::{Deserialize, Serialize};

use crate::commit;
use crate::context::Context;
use crate::plan::{Changeset, Plan, WithheldDeletions};
use crate::protocol::{Deletion, Event, Exit, FailedFile, Receipt, Verification};
use crate::verbs::verify::{compare, exit_of};

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
pub async fn finalize(context: &Context, job: FinalizeJob) -> Exit {
    let summary = job.plan.summary();
    context
        .events
        .start("finalize", &job.run, 0, summary.files, summary.bytes);
    match finalize_plan(context, job).await {
        Ok(exit) => exit,
        Err(error) => {
            context.events.verb_failed(&error);
            Exit::of(error.kind())
        }
    }
}

async fn finalize_plan(context: &Context, mut job: FinalizeJob) -> Result<Exit> {
    if let Some(error) = fatal(job.receipts.iter().flat_map(|receipt| &receipt.failed)) {
        return Err(error);
    }
    if job.look {
        rebase_on_destination(context, &mut job.plan).await?;
    }
    commit_and_verify(context, &mut job.plan, &job.run, job.receipts, job.deletion).await
}

/// Commits what the receipts say is stored and compares every file that has not failed; both are said.
///
/// # Errors
/// The destination can't be listed, or a hub ended the commit for good.
pub async fn commit_and_verify(
    context: &Context,
    plan: &mut Plan,
    run: &str,
    mut receipts: Vec<Receipt>,
    deletion: Deletion,
) -> Result<Exit> {
    let unsent = plan.unsent(&receipts);
    commit_files(context, plan, &receipts, &unsent, deletion).await?;
    let committed = context.events.receipt_so_far();
    let failed: Vec<FailedFile> = unsent.iter().chain(&committed.failed).cloned().collect();
    receipts.push(committed);
    let found = compare(context, &plan.verify_job(run, &receipts, &failed).files).await?;
    let failed = if plan.is_pinned() {
        failed
    } else {
        compare_with_source(context, plan, failed).await?
    };
    let exit = exit(plan, &failed, &found);
    context.events.say(&Event::Verified(found));
    Ok(exit)
}

/// The failures, once a source that tells no commit was listed again. What it has changed meanwhile has failed by that; no
/// content is called wrong then.
async fn compare_with_source(
    context: &Context,
    plan: &Plan,
    mut failed: Vec<FailedFile>,
) -> Result<Vec<FailedFile>> {
    let moved = plan.source_changes(&context.source.list().await?);
    if moved.is_empty() {
        return Ok(failed);
    }
    let before = context.events.receipt_so_far().failed.len();
    let say = |path: &RepoPath, what: String| {
        context.events.failed(
            path,
            &Error::new(
                Kind::Conflict,
                format!("{what}: run the same command again"),
            ),
        )
    };
    for (path, word) in &moved {
        say(
            path,
            format!(
                "the source has {word} it since it was listed, and tells no commit to read it at"
            ),
        );
    }
    let corrupt: HashSet<&str> = failed
        .iter()
        .filter(|failed| failed.kind == Kind::Corrupt)
        .map(|failed| failed.path.as_str())
        .collect();
    let others = plan
        .files
        .iter()
        .map(|planned| &planned.file.path)
        .filter(|path| corrupt.contains(path.to_string().as_str()));
    for path in others.filter(|path| !moved.iter().any(|(moved, _)| moved == *path)) {
        say(
            path,
            "the source has changed since it was listed".to_owned(),
        );
    }
    let told = context.events.receipt_so_far().failed.split_off(before);
    let paths: HashSet<&str> = told.iter().map(|failed| failed.path.as_str()).collect();
    failed.retain(|failed| !paths.contains(failed.path.as_str()));
    drop(paths);
    failed.extend(told);
    Ok(failed)
}

fn exit(plan: &Plan, failed: &[FailedFile], found: &Verification) -> Exit {
    let left_out = if plan.leaves_out() {
        Exit::Incomplete
    } else {
        Exit::Done
    };
    exit_of(found)
        .worse(Exit::of_failed(failed))
        .worse(left_out)
}

async fn commit_files(
    context: &Context,
    plan: &mut Plan,
    receipts: &[Receipt],
    unsent: &[FailedFile],
    deletion: Deletion,
) -> Result<()> {
    let before = context.events.receipt_so_far().failed.len();
    for attempt in 1..=TRIES {
        let mut change = Changeset {
            deletion,
            ..plan.change(receipts)
        };
        if !unsent.is_empty() && deletion == Deletion::WhenWhole {
            change.delete.clear();
        }
        if change.files.is_empty() && change.delete.is_empty() {
            return Ok(());
        }
        commit::write_changeset(context, &change).await?;
        let failed = context.events.receipt_so_far().failed.split_off(before);
        if attempt == TRIES || !failed.iter().any(FailedFile::may_pass) {
            return Ok(());
        }
        context.events.forget_failures_after(before);
        rebase_on_destination(context, plan).await?;
    }
    Ok(())
}

/// Takes note of what stands at the destination now. A file that is not deleted because someone rewrote it has failed: whoever
/// gave the plan does not know that yet.
async fn rebase_on_destination(context: &Context, plan: &mut Plan) -> Result<()> {
    let known = plan.withheld.len();
    plan.rebase_on(&context.destination.list_branch().await?);
    for WithheldDeletions { reason, paths } in &plan.withheld[known..] {
        paths.iter().for_each(|path| {
            context
                .events
                .failed(path, &Error::new(Kind::Conflict, reason.clone()))
        });
    }
    Ok(())
}

/// The failure after which the hub will answer everything else the same way.
pub(crate) fn fatal<'a>(failed: impl IntoIterator<Item = &'a FailedFile>) -> Option<Error> {
    FailedFile::fatal(failed).map(|failed| Error::new(failed.kind, failed.error.clone()))
}

#[cfg(test)]
mod tests {
    use hf2ms_hub::{File, Listed, Listing, Placement};

    use super::*;
    use crate::plan::DigestCache;
    use crate::plan::tests::{by_suffix, order};
    use crate::protocol::{How, Stored};
    use crate::testing::{CommitFault, FakeDestination, FakeSource, content, context};

    /// A blob and a small file; the plan of both, and the receipt of a worker that stored the blob.
    fn two_files() -> (FakeSource, FinalizeJob) {
        let mut source = FakeSource::default();
        let (blob, text) = (
            source.lfs("w.bin", content(5_000, 1)),
            source.git("note.txt", "hello"),
        );
        let listed = |file: &File, lfs| Listed {
            file: file.clone(),
            lfs,
        };
        let listing = Listing {
            files: vec![listed(&blob, true), listed(&text, false)],
            ..Listing::default()
        };
        let place = |path: &_, size| {
            if size > 0 {
                by_suffix(path, size)
            } else {
                Placement::Inline
            }
        };
        let plan = Plan::make(
            order(None),
            listing,
            &Listing::default(),
            place,
            &DigestCache::new(),
        );
        let stored = Stored {
            path: blob.path,
            sha256: blob.digest.sha256().unwrap(),
            git_sha1: None,
            size: blob.size,
            how: How::Streamed,
        };
        let receipts = vec![Receipt {
            files: vec![stored],
            ..Receipt::default()
        }];
        (
            source,
            FinalizeJob {
                version: 1,
                run: "r".into(),
                plan,
                receipts,
                look: true,
                deletion: Deletion::default(),
            },
        )
    }

    async fn finalized(
        source: FakeSource,
        destination: FakeDestination,
        job: FinalizeJob,
    ) -> (Exit, std::sync::Arc<FakeDestination>) {
        let (context, _, destination) = context(source, destination, 1 << 20);
        (finalize(&context, job).await, destination)
    }

    #[tokio::test]
    async fn what_the_receipts_say_is_committed_and_compared() {
        let (source, job) = two_files();
        let (exit, destination) = finalized(source, FakeDestination::default(), job).await;
        assert_eq!(
            (exit, destination.files.lock().unwrap().len()),
            (Exit::Done, 2)
        );
    }

    #[tokio::test]
    async fn a_source_that_was_read_by_name_and_moved_on_is_said_to_have() {
        for (moves, corrupt, code) in [
            (false, false, Exit::Done),
            (true, false, Exit::Incomplete),
            (true, true, Exit::Incomplete),
        ] {
            let (mut source, mut job) = two_files();
            job.plan.source.revision = "master".parse().unwrap();
            let text = source.git("note.txt", "hello");
            let now = if moves {
                source.git("note.txt", "changed")
            } else {
                text
            };
            let path = now.path.clone();
            let files = job
                .plan
                .files
                .iter()
                .filter(|planned| planned.file.path != path)
                .map(|planned| planned.file.clone());
            source.listing.files = files
                .chain([now])
                .map(|file| Listed { file, lfs: false })
                .collect();
            if !corrupt {
                source.git("note.txt", "hello");
            }
            let (context, _, destination) = context(source, FakeDestination::default(), 1 << 20);
            assert_eq!(finalize(&context, job).await, code);
            let failed = context.events.receipt_so_far().failed;
            assert!(
                destination.files.lock().unwrap().len() == if corrupt { 1 } else { 2 }
                    && failed.len() == usize::from(moves) + usize::from(corrupt)
            );
            assert!(
                failed.last().is_none_or(
                    |last| last.kind == Kind::Conflict && last.error.contains("has changed it")
                ),
                "{failed:?}"
            );
        }
    }

    #[tokio::test]
    async fn a_second_finalizer_finds_it_done() {
        let (source, job) = two_files();
        let (context, _, destination) = context(source, FakeDestination::default(), 1 << 20);
        for _ in 0..2 {
            assert_eq!(finalize(&context, job.clone()).await, Exit::Done);
        }
        assert_eq!(destination.commits.lock().unwrap().len(), 1);
    }

    #[tokio::test]
    async fn a_chunk_without_a_receipt_costs_only_its_files() {
        let (source, mut job) = two_files();
        job.receipts.clear();
        let (exit, destination) = finalized(source, FakeDestination::default(), job).await;
        assert_eq!(
            (exit, destination.files.lock().unwrap().len()),
            (Exit::Incomplete, 1)
        );
    }

    #[tokio::test]
    async fn a_hub_that_refused_a_chunk_for_good_gets_no_commit() {
        let (source, mut job) = two_files();
        job.receipts[0].failed.push(FailedFile {
            path: "w.bin".into(),
            error: "revoked".into(),
            kind: Kind::Unauthorized,
        });
        let (exit, destination) = finalized(source, FakeDestination::default(), job).await;
        assert_eq!(
            (exit, destination.commits.lock().unwrap().len()),
            (Exit::Refused, 0)
        );
    }

    #[tokio::test]
    async fn a_commit_that_failed_for_now_is_tried_again() {
        let (source, job) = two_files();
        let destination = FakeDestination::default();
        let patience =
            crate::testing::context(FakeSource::default(), FakeDestination::default(), 1)
                .0
                .http
                .retry
                .pauses()
                .count();
        destination
            .faults
            .lock()
            .unwrap()
            .extend(vec![CommitFault::BranchMoved; patience + 1]);
        let (exit, destination) = finalized(source, destination, job).await;
        assert_eq!(
            (exit, destination.commits.lock().unwrap().len()),
            (Exit::Done, 1)
        );
    }
}
