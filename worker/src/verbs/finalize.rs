//! `finalize`: commits what the chunks have stored and compares every file. A second run finds the first one's work done.

use hf2ms_hub::Result;
use serde::{Deserialize, Serialize};

use crate::commit::Precedence;
use crate::context::Context;
use crate::pipeline::finish::{commit_and_verify, rebase_on_destination};
use crate::plan::Plan;
use crate::protocol::{Deletion, Exit, FailedFile, Receipt};

/// The job of one `finalize`: the plan and the receipts of its chunks. A sender may borrow both, since they are as large as the repo.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FinalizeJob<P = Plan, R = Vec<Receipt>> {
    /// [`crate::protocol::VERSION`].
    pub version: u32,
    /// The run's id.
    pub run: String,
    /// What the run does.
    pub plan: P,
    /// One receipt per chunk; a chunk without a receipt has stored nothing.
    #[serde(default)]
    pub receipts: R,
    /// Lists the destination before anything is committed. Needed where another writer, an earlier finalizer for one, may
    /// have written since the plan was made.
    #[serde(default, rename = "look")]
    pub relist: bool,
    /// When files are deleted.
    #[serde(default)]
    pub deletion: Deletion,
}

/// Commits the files of the plan and compares every one of them.
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
    let failed = job.receipts.iter().flat_map(|receipt| &receipt.failed);
    if let Some(fatal) = FailedFile::fatal(failed) {
        return Err(fatal.to_error());
    }
    if job.relist {
        rebase_on_destination(context, &mut job.plan).await?;
    }
    let precedence = match job.relist {
        true => Precedence::Later,
        false => Precedence::First,
    };
    let FinalizeJob {
        mut plan,
        run,
        receipts,
        deletion,
        ..
    } = job;
    let ended = commit_and_verify(context, &mut plan, &run, receipts, deletion, precedence);
    Ok(ended.await?.exit)
}

#[cfg(test)]
mod tests {
    use hf2ms_hub::http::HttpOptions;
    use hf2ms_hub::{Blob, File, Kind, Listed, Listing, Placement, Refused, Sha256, Visibility};

    use super::*;
    use crate::plan::tests::{by_suffix, order};
    use crate::plan::{DeletedFile, DigestCache};
    use crate::protocol::{Event, How, Stored};
    use crate::testing::{
        CommitFault, FakeDestination, FakeSource, ReadFault, content, context, observed,
    };

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
                relist: true,
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
        job.receipts[0]
            .failed
            .push(FailedFile::new("w.bin", "revoked", Kind::Unauthorized));
        let (exit, destination) = finalized(source, FakeDestination::default(), job).await;
        assert_eq!(
            (exit, destination.commits.lock().unwrap().len()),
            (Exit::Refused, 0)
        );
    }

    #[tokio::test]
    async fn a_destination_that_became_public_since_the_plan_gets_no_commit() {
        for (now, code, commits) in [
            (Visibility::Public, Exit::Refused, 0),
            (Visibility::Private, Exit::Done, 1),
        ] {
            let (source, mut job) = two_files();
            job.plan.creation.visibility = Visibility::Private;
            let destination = FakeDestination {
                visibility: Some(now).into(),
                ..FakeDestination::default()
            };
            let (exit, destination) = finalized(source, destination, job).await;
            let written = destination.commits.lock().unwrap().len();
            assert_eq!((exit, written), (code, commits), "{now}");
        }
    }

    #[tokio::test]
    async fn a_commit_that_failed_for_now_is_tried_again_and_a_file_is_said_to_have_failed_once() {
        let tries = 1 + HttpOptions::default().retry.pauses().count();
        for (faults, code, commits) in [(tries, Exit::Done, 1), (2 * tries, Exit::Incomplete, 0)] {
            let (source, job) = two_files();
            let destination = FakeDestination::default();
            let moved = vec![CommitFault::BranchMoved; faults];
            destination.faults.lock().unwrap().extend(moved);
            let (context, destination, _, log) = observed(source, destination);
            assert_eq!(finalize(&context, job).await, code);
            assert_eq!(destination.commits.lock().unwrap().len(), commits);
            let failed = |event: &Event| matches!(event, Event::Failed { .. });
            let said = log.events().iter().filter(|event| failed(event)).count();
            let in_receipt = context.events.receipt_so_far().failed.len();
            assert_eq!((said, in_receipt), (2 - 2 * commits, 2 - 2 * commits));
        }
    }

    /// A destination that has a file besides, and the same job with its deletion.
    fn with_deletion(job: FinalizeJob, content: &[u8]) -> (FakeDestination, FinalizeJob) {
        let (destination, mut job) = (FakeDestination::default(), job);
        let old = crate::plan::tests::there("old", content, false);
        job.plan.delete = vec![DeletedFile::of(&old)];
        let blob = Blob {
            sha256: Sha256::of(b"old"),
            size: 3,
        };
        let mut files = destination.files.lock().unwrap();
        files.insert(old.file.path, blob);
        drop(files);
        (destination, job)
    }

    fn has(destination: &FakeDestination, path: &str) -> bool {
        let files = destination.files.lock().unwrap();
        files.contains_key(&path.parse().unwrap())
    }

    #[tokio::test]
    async fn nothing_is_deleted_while_a_blob_is_missing_unless_it_goes_in_any_case() {
        for (arrived, deletion, stays) in [
            (true, Deletion::WhenWhole, false),
            (false, Deletion::WhenWhole, true),
            (false, Deletion::Always, false),
        ] {
            let (source, job) = two_files();
            let (destination, mut job) = with_deletion(job, b"old");
            job.deletion = deletion;
            if !arrived {
                job.receipts.clear();
            }
            let (exit, destination) = finalized(source, destination, job).await;
            assert_eq!(has(&destination, "old"), stays, "{arrived} {deletion:?}");
            assert_eq!(exit == Exit::Done, arrived);
        }
    }

    #[tokio::test]
    async fn nothing_is_deleted_when_a_commit_lacks_a_file_unless_it_goes_in_any_case() {
        for (deletion, stays) in [(Deletion::WhenWhole, true), (Deletion::Always, false)] {
            let (source, job) = two_files();
            let fault = ReadFault::Fail(Kind::NotFound);
            source.faults.lock().unwrap().push_back(fault);
            let (destination, mut job) = with_deletion(job, b"old");
            job.deletion = deletion;
            let (exit, destination) = finalized(source, destination, job).await;
            let stayed = has(&destination, "old");
            assert_eq!((exit, stayed), (Exit::Incomplete, stays), "{deletion:?}");
        }
    }

    #[tokio::test]
    async fn a_file_that_was_rewritten_since_the_plan_stays_and_is_named() {
        let (source, job) = two_files();
        let (destination, job) = with_deletion(job, b"older");
        let (context, _, destination) = context(source, destination, 1 << 20);
        assert_eq!(finalize(&context, job).await, Exit::Incomplete);
        let failed = context.events.receipt_so_far().failed;
        assert!(has(&destination, "old") && has(&destination, "w.bin"));
        assert_eq!(
            (failed[0].path.as_str(), failed[0].kind),
            ("old", Kind::Conflict)
        );
    }

    #[tokio::test]
    async fn what_the_plan_leaves_out_makes_a_whole_copy_incomplete() {
        let (source, mut job) = two_files();
        job.plan.refused.push(Refused {
            path: "link".into(),
            reason: "a symbolic link".into(),
        });
        let (exit, destination) = finalized(source, FakeDestination::default(), job).await;
        let copied = destination.files.lock().unwrap().len();
        assert_eq!((exit, copied), (Exit::Incomplete, 2));
    }

    #[tokio::test]
    async fn a_commit_that_is_refused_is_not_tried_again() {
        let (source, job) = two_files();
        let destination = FakeDestination::default();
        let fault = CommitFault::Fail(Kind::Denied);
        destination.faults.lock().unwrap().push_back(fault);
        let (exit, destination) = finalized(source, destination, job).await;
        assert_ne!(exit, Exit::Done);
        assert!(destination.commits.lock().unwrap().is_empty());
    }
}
