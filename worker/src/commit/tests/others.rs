//! What others write on the same branch, before a commit and beside it.

use super::*;
use crate::plan::BackupRequest;

#[tokio::test]
async fn a_branch_that_moved_is_compared_and_tried_again() {
    let mut source = FakeSource::default();
    let files = texts(&mut source, 3);
    let destination = FakeDestination::default();
    destination
        .faults
        .lock()
        .unwrap()
        .extend([CommitFault::BranchMoved, CommitFault::BranchMoved]);
    let (context, destination) = committed(source, destination, &files, &[]).await;
    assert_eq!(
        (
            destination.files.lock().unwrap().len(),
            context.events.exit()
        ),
        (3, Exit::Done)
    );
}

#[tokio::test]
async fn a_lost_answer_is_looked_up_and_not_repeated() {
    let mut source = FakeSource::default();
    let files = texts(&mut source, 3);
    let destination = FakeDestination::default();
    destination
        .faults
        .lock()
        .unwrap()
        .push_back(CommitFault::LostAnswer);
    let (context, destination) = committed(source, destination, &files, &[]).await;
    assert_eq!(
        (
            destination.commits.lock().unwrap().len(),
            context.events.exit()
        ),
        (1, Exit::Done)
    );
    assert_eq!(context.events.receipt_so_far().files.len(), 3);
}

/// The paths of failures, each with its error's kind.
fn failures(context: &Context) -> Vec<(String, Kind)> {
    let failed = context.events.receipt_so_far().failed;
    failed
        .into_iter()
        .map(|failed| (failed.path, failed.kind))
        .collect()
}

fn content_of(destination: &FakeDestination, path: &str) -> Option<Sha256> {
    let files = destination.files.lock().unwrap();
    Some(files.get(&path.parse().unwrap())?.sha256)
}

#[tokio::test]
async fn what_someone_else_wrote_is_left_alone_unless_overwrite_says_so() {
    for overwrite in [false, true] {
        let mut source = FakeSource::default();
        let files = texts(&mut source, 3);
        let destination = FakeDestination::default();
        hold(&destination, &[("01.txt", b"theirs"), ("old", b"theirs")]);
        let (context, _, destination) = context(source, destination, 1 << 20);
        let change = Changeset {
            overwrite,
            ..change(&files, &["old".parse().unwrap()], Deletion::Always)
        };
        let left = write_changeset(&context, &change).await.unwrap();
        let mut expected = vec![
            ("01.txt".to_owned(), Kind::Conflict),
            ("old".to_owned(), Kind::Conflict),
        ];
        expected.drain(..usize::from(overwrite));
        assert_eq!(failures(&context), expected);
        assert_eq!(left.conflicts.len(), expected.len());
        let theirs = content_of(&destination, "01.txt") == Some(Sha256::of(b"theirs"));
        assert_eq!(theirs, !overwrite);
        assert!(
            content_of(&destination, "old").is_some(),
            "what was rewritten is never deleted"
        );
        assert!(content_of(&destination, "02.txt").is_some());
    }
}

#[tokio::test]
async fn what_someone_else_wrote_is_overwritten_only_after_it_has_a_tag() {
    for (theirs, tags) in [(&[][..], 0), (&[("01.txt", &b"theirs"[..])], 1)] {
        let mut source = FakeSource::default();
        let files = texts(&mut source, 3);
        let destination = FakeDestination {
            tip: Some(7).into(),
            ..FakeDestination::default()
        };
        destination.tags.open([]);
        hold(&destination, theirs);
        let (context, _, destination) = context(source, destination, 1 << 20);
        let change = Changeset {
            overwrite: true,
            ..change(&files, &[], Deletion::WhenWhole)
        };
        let mut plan = crate::plan::tests::plan(Vec::new(), Vec::new(), None);
        plan.backup = BackupRequest::Usual.tag(true);
        let backup = Backup::of(&context, &plan, "01K", Precedence::First);
        let permission = std::future::ready(Ok(()));
        let written = write_permitted(&context, &change, Some(&backup), permission);
        written.await.unwrap();
        assert_eq!(destination.tags.standing().len(), tags);
        if let Some((_, at)) = destination.tags.standing().first() {
            let before: hf2ms_hub::Revision = format!("{:040}", 7).parse().unwrap();
            assert_eq!(*at, before, "the head before the commit");
        }
    }
}

#[tokio::test]
async fn what_the_plan_saw_is_replaced_and_what_is_wanted_needs_no_commit() {
    let mut source = FakeSource::default();
    let mut files = texts(&mut source, 3);
    let destination = FakeDestination::default();
    hold(
        &destination,
        &[("00.txt", b"old"), ("01.txt", &content(100, 1))],
    );
    files[0].current = Some(ExistingFile {
        digest: Digest::Sha256(Sha256::of(b"old")),
        size: 3,
    });
    let (context, destination) = committed(source, destination, &files, &[]).await;
    assert_eq!(*destination.commits.lock().unwrap(), [["00.txt", "02.txt"]]);
    assert_eq!(context.events.exit(), Exit::Done);
}

#[tokio::test]
async fn the_branch_is_listed_once_while_its_head_is_known_and_before_each_commit_otherwise() {
    for (tip, listings) in [(Some(7), 1), (None, 3)] {
        let mut source = FakeSource::default();
        let files = texts(&mut source, 12);
        let destination = FakeDestination {
            tip: tip.into(),
            ..FakeDestination::default()
        };
        let (_, destination) = committed(source, destination, &files, &[]).await;
        assert_eq!(destination.commits.lock().unwrap().len(), 3);
        assert_eq!(*destination.listings.lock().unwrap(), listings, "{tip:?}");
    }
}

#[tokio::test]
async fn nothing_looks_complete_while_another_file_is_missing_for_now() {
    let mut source = FakeSource::default();
    let mut files = texts(&mut source, 2);
    files.push(inline(source.git("README.md", "hello")));
    let destination = FakeDestination::default();
    let (context, _, destination) = context(source, destination, 1 << 20);
    let change = Changeset {
        hold_back: true,
        ..change(&files, &[], Deletion::WhenWhole)
    };
    let left = write_changeset(&context, &change).await.unwrap();
    assert_eq!(
        failures(&context),
        [("README.md".to_owned(), Kind::Transient)]
    );
    assert!(left.waiting.contains("README.md"));
    assert_eq!(destination.files.lock().unwrap().len(), 2);
}
