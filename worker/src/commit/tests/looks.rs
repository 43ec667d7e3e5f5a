//! When the branch is looked at before a commit: it is listed, asked for its head, or neither. And what a commit reports and holds back.

use std::time::Duration;

use hf2ms_hub::Revision;

use super::*;
use crate::protocol::FailedFile;
use crate::testing::observed;

/// How often the branch was listed, and its head asked for.
fn looks(destination: &FakeDestination) -> (usize, usize) {
    let listings = *destination.listings.lock().unwrap();
    (listings, *destination.heads.lock().unwrap())
}

#[tokio::test]
async fn a_commit_on_the_plans_parent_needs_no_listing_where_the_hub_checks_the_parent() {
    let known: Option<Revision> = "c".repeat(40).parse().ok();
    for (parent, checks_parent, listings) in
        [(known.clone(), true, 0), (known, false, 1), (None, true, 1)]
    {
        let mut source = FakeSource::default();
        let files = texts(&mut source, 3);
        let destination = FakeDestination {
            checks_parent,
            ..FakeDestination::default()
        };
        let (context, _, destination) = context(source, destination, 1 << 20);
        let change = Changeset {
            parent: parent.clone(),
            ..change(&files, &[], Deletion::WhenWhole)
        };
        write_changeset(&context, &change).await.unwrap();
        assert_eq!(looks(&destination), (listings, 0), "{parent:?}");
        let sent = parent.filter(|_| checks_parent);
        assert_eq!(*destination.parents.lock().unwrap(), [sent]);
    }
}

#[tokio::test]
async fn a_branch_is_listed_again_after_half_a_minute_without_a_commit() {
    for (seconds, listings) in [(29, 1), (30, 2), (31, 2)] {
        let mut source = FakeSource::default();
        let files = texts(&mut source, 3);
        let pause = Duration::from_secs(seconds);
        let destination = FakeDestination::default();
        let fault = CommitFault::Wait(pause);
        destination.faults.lock().unwrap().push_back(fault);
        let (mut context, destination, clock, _) = observed(source, destination);
        // The pauses are as long as the hub says, to the second.
        context.transfer.http.retry.workers = 0;
        let change = change(&files, &[], Deletion::WhenWhole);
        write_changeset(&context, &change).await.unwrap();
        assert_eq!(*clock.slept.lock().unwrap(), [pause]);
        assert_eq!(looks(&destination), (listings, 0), "{pause:?}");
        assert_eq!(destination.files.lock().unwrap().len(), 3);
    }
}

#[tokio::test]
async fn a_listing_that_is_denied_is_asked_for_twice_more_and_any_other_failure_ends_it() {
    for (faults, listings, is_written) in [
        (vec![Kind::Denied; 2], 3, true),
        (vec![Kind::Denied; 3], 3, false),
        (vec![Kind::NotFound], 1, false),
    ] {
        let mut source = FakeSource::default();
        let files = texts(&mut source, 3);
        let destination = FakeDestination {
            listing_faults: Mutex::new(faults.into()),
            ..FakeDestination::default()
        };
        let (context, destination) = committed(source, destination, &files, &[]).await;
        assert_eq!(looks(&destination).0, listings);
        let failed = context.events.receipt_so_far().failed;
        assert_eq!(failed.is_empty(), is_written, "{failed:?}");
        let commits = destination.commits.lock().unwrap().len();
        assert_eq!(commits, usize::from(is_written));
    }
}

#[tokio::test]
async fn after_a_commit_without_an_id_the_head_is_asked_for_if_more_commits_follow() {
    for (count, tells_no_id, asked) in [(3, true, (1, 0)), (12, false, (1, 2)), (12, true, (1, 5))]
    {
        let mut source = FakeSource::default();
        let files = texts(&mut source, count);
        let destination = FakeDestination {
            tip: Some(7).into(),
            tells_no_id,
            ..FakeDestination::default()
        };
        let (_, destination) = committed(source, destination, &files, &[]).await;
        assert_eq!(looks(&destination), asked, "{count} {tells_no_id}");
    }
}

#[tokio::test]
async fn of_a_stored_blob_only_one_that_stood_there_already_is_reported() {
    for stands in [false, true] {
        let mut source = FakeSource::default();
        let blob = source.lfs("w.bin", content(9_000, 9));
        let destination = FakeDestination::default();
        if stands {
            hold(&destination, &[("w.bin", &content(9_000, 9))]);
        }
        let file = CommitFile {
            stored: blob.digest.sha256(),
            ..inline(blob)
        };
        let (context, destination) = committed(source, destination, &[file], &[]).await;
        let reported = context.events.receipt_so_far().files;
        let how: Vec<How> = reported.iter().map(|stored| stored.how).collect();
        assert_eq!(how, vec![How::Unchanged; usize::from(stands)]);
        let commits = destination.commits.lock().unwrap().len();
        assert_eq!(commits, usize::from(!stands));
    }
}

#[test]
fn an_ordinary_file_that_failed_for_now_holds_others_back() {
    for (path, kind, holds) in [
        ("w.bin", Kind::Transient, true),
        ("w.bin", Kind::NotFound, false),
        ("README.md", Kind::Transient, false),
    ] {
        let failed = FailedFile::new(path, "no", kind);
        assert_eq!(holds_back(&failed), holds, "{path} {kind:?}");
    }
}
