//! A changeset written to a destination in memory, with faults on demand.

mod looks;
mod order;
mod others;

use std::sync::Arc;

use hf2ms_hub::{Blob, Digest, File, RepoPath, Sha256};

use super::*;
use crate::plan::{CommitFile, DeletedFile};
use crate::protocol::{ExistingFile, Exit, How};
use crate::testing::{CommitFault, FakeDestination, FakeSource, ReadFault, content, context};

fn inline(file: File) -> CommitFile {
    CommitFile {
        file,
        stored: None,
        current: None,
        edit: None,
    }
}

const NOTHING: &[u8] = b"";

/// What an empty file is, by a listing.
fn empty() -> ExistingFile {
    ExistingFile {
        digest: Digest::Sha256(Sha256::of(NOTHING)),
        size: 0,
    }
}

fn change(files: &[CommitFile], delete: &[RepoPath], deletion: Deletion) -> Changeset {
    let deleted = |path: &RepoPath| DeletedFile {
        path: path.clone(),
        current: Some(empty()),
    };
    Changeset {
        files: files.to_vec(),
        delete: delete.iter().map(deleted).collect(),
        deletion,
        message: "Add files".to_owned(),
        parent: None,
        hold_back: false,
        overwrite: false,
    }
}

/// Puts files into the destination, as someone else would.
fn hold(destination: &FakeDestination, files: &[(&str, &[u8])]) {
    for (path, content) in files {
        let blob = Blob {
            sha256: Sha256::of(content),
            size: content.len() as u64,
        };
        let mut held = destination.files.lock().unwrap();
        held.insert(path.parse().unwrap(), blob);
    }
}

fn texts(source: &mut FakeSource, count: u8) -> Vec<CommitFile> {
    (0..count)
        .map(|n| inline(source.git(&format!("{n:02}.txt"), content(100, n))))
        .collect()
}

async fn committed(
    source: FakeSource,
    destination: FakeDestination,
    files: &[CommitFile],
    delete: &[RepoPath],
) -> (Context, Arc<FakeDestination>) {
    delete
        .iter()
        .for_each(|path| hold(&destination, &[(path.as_str(), NOTHING)]));
    let (context, _, destination) = context(source, destination, 1 << 20);
    write_changeset(&context, &change(files, delete, Deletion::WhenWhole))
        .await
        .unwrap();
    (context, destination)
}

#[tokio::test]
async fn a_change_that_fits_is_one_commit() {
    let mut source = FakeSource::default();
    let mut files = texts(&mut source, 6);
    let blob = source.lfs("w.bin", content(9_000, 9));
    files.push(CommitFile {
        stored: blob.digest.sha256(),
        file: blob,
        current: None,
        edit: None,
    });
    let (context, destination) = committed(
        source,
        FakeDestination::default(),
        &files,
        &["old".parse().unwrap()],
    )
    .await;
    assert_eq!(destination.commits.lock().unwrap().len(), 1);
    assert_eq!(
        (
            destination.files.lock().unwrap().len(),
            context.events.exit()
        ),
        (7, Exit::Done)
    );
}

#[tokio::test]
async fn a_larger_change_ends_with_what_makes_it_look_finished_and_then_the_deletions() {
    let mut source = FakeSource::default();
    let mut files = vec![inline(source.git("README.md", "hello"))];
    files.extend(texts(&mut source, 9));
    let (_, destination) = committed(
        source,
        FakeDestination::default(),
        &files,
        &["old".parse().unwrap()],
    )
    .await;
    let commits = destination.commits.lock().unwrap().clone();
    assert!(
        commits[commits.len() - 2].contains(&"README.md".to_owned()),
        "{commits:?}"
    );
    assert_eq!(commits.last().unwrap(), &["-old"]);
}

#[tokio::test]
async fn a_path_that_the_hub_refuses_costs_only_itself() {
    let mut source = FakeSource::default();
    let files = texts(&mut source, 7);
    let destination = FakeDestination {
        bad_path: Some("04.txt"),
        ..FakeDestination::default()
    };
    let (context, destination) = committed(source, destination, &files, &[]).await;
    assert_eq!(
        (
            destination.files.lock().unwrap().len(),
            context.events.exit()
        ),
        (6, Exit::Incomplete)
    );
    assert_eq!(context.events.receipt_so_far().failed[0].path, "04.txt");
}

#[tokio::test]
async fn a_commit_that_is_denied_fails_every_file_once() {
    let mut source = FakeSource::default();
    let files = texts(&mut source, 30);
    let destination = FakeDestination::default();
    destination
        .faults
        .lock()
        .unwrap()
        .extend([CommitFault::Fail(Kind::Denied); 99]);
    let (context, destination) = committed(source, destination, &files, &[]).await;
    let receipt = context.events.receipt_so_far();
    assert_eq!((receipt.failed.len(), receipt.files.len()), (30, 0));
    assert_eq!(
        destination.faults.lock().unwrap().len(),
        98,
        "one try, then it stops"
    );
}

#[tokio::test]
async fn a_full_repo_is_said_once_and_nothing_is_split() {
    let mut source = FakeSource::default();
    let files = texts(&mut source, 30);
    let (context, _, destination) = context(source, FakeDestination::default(), 1 << 20);
    destination
        .faults
        .lock()
        .unwrap()
        .extend([CommitFault::Fail(Kind::Full); 99]);
    let error = write_changeset(&context, &change(&files, &[], Deletion::WhenWhole))
        .await
        .unwrap_err();
    assert_eq!(
        (error.kind(), context.events.receipt_so_far().failed.len()),
        (Kind::Full, 0)
    );
    assert_eq!(
        destination.faults.lock().unwrap().len(),
        98,
        "one try, then it stops"
    );
}

#[tokio::test]
async fn a_path_that_policy_rejects_costs_only_itself_after_another_try() {
    let mut source = FakeSource::default();
    let files = texts(&mut source, 7);
    let destination = FakeDestination {
        rejected: Some("04.txt"),
        ..FakeDestination::default()
    };
    let (context, destination) = committed(source, destination, &files, &[]).await;
    let receipt = context.events.receipt_so_far();
    assert_eq!(
        (
            destination.files.lock().unwrap().len(),
            receipt.failed.len(),
            receipt.retries
        ),
        (6, 1, 1)
    );
    assert_eq!(
        (receipt.failed[0].path.as_str(), receipt.failed[0].kind),
        ("04.txt", Kind::Policy)
    );
}

#[tokio::test]
async fn a_commit_that_came_too_soon_is_made_a_little_later_as_it_is() {
    let mut source = FakeSource::default();
    let files = texts(&mut source, 7);
    let destination = FakeDestination::default();
    destination
        .faults
        .lock()
        .unwrap()
        .push_back(CommitFault::Fail(Kind::Policy));
    let (context, destination) = committed(source, destination, &files, &[]).await;
    assert_eq!(
        (
            destination.commits.lock().unwrap().len(),
            context.events.exit()
        ),
        (1, Exit::Done)
    );
}

#[tokio::test]
async fn of_a_batch_only_the_files_that_the_hub_names_fail() {
    let mut source = FakeSource::default();
    let files = texts(&mut source, 7);
    let destination = FakeDestination::default();
    destination
        .faults
        .lock()
        .unwrap()
        .push_back(CommitFault::Naming(Kind::Invalid, "04.txt"));
    let (context, destination) = committed(source, destination, &files, &[]).await;
    assert_eq!(
        (
            destination.commits.lock().unwrap().len(),
            destination.files.lock().unwrap().len()
        ),
        (1, 6)
    );
    assert_eq!(context.events.receipt_so_far().failed[0].path, "04.txt");
}

#[tokio::test]
async fn a_blob_that_is_missing_is_stored_again_once() {
    for (times, committed_files, exit) in [(1, 3, Exit::Done), (2, 2, Exit::Incomplete)] {
        let mut source = FakeSource::default();
        let mut files = texts(&mut source, 2);
        let blob = source.lfs("w.bin", content(9_000, 9));
        files.push(CommitFile {
            stored: blob.digest.sha256(),
            file: blob,
            current: None,
            edit: None,
        });
        let destination = FakeDestination::default();
        destination.faults.lock().unwrap().extend(vec![
            CommitFault::Naming(
                Kind::BlobMissing,
                "w.bin"
            );
            times
        ]);
        let (context, destination) = committed(source, destination, &files, &[]).await;
        assert_eq!(
            (
                destination.files.lock().unwrap().len(),
                context.events.exit()
            ),
            (committed_files, exit)
        );
        assert_eq!(
            destination.blobs.lock().unwrap().len(),
            1,
            "stored by whoever commits"
        );
    }
}

#[tokio::test]
async fn a_hub_that_takes_any_commit_gets_none_with_blobs_that_it_lacks() {
    for lost in [false, true] {
        let mut source = FakeSource::default();
        let mut files = texts(&mut source, 2);
        let blob = source.lfs("w.bin", content(9_000, 9));
        files.push(CommitFile {
            stored: blob.digest.sha256(),
            file: blob,
            current: None,
            edit: None,
        });
        let destination = FakeDestination {
            blind: true,
            ..FakeDestination::default()
        };
        destination
            .put_faults
            .lock()
            .unwrap()
            .extend(vec![Kind::Denied; usize::from(lost)]);
        let (context, destination) = committed(source, destination, &files, &[]).await;
        let exit = if lost { Exit::Incomplete } else { Exit::Done };
        assert_eq!(
            (
                destination.files.lock().unwrap().len(),
                context.events.exit()
            ),
            (3 - usize::from(lost), exit)
        );
        assert_eq!(
            destination.blobs.lock().unwrap().len(),
            1 - usize::from(lost)
        );
    }
}

#[tokio::test]
async fn nothing_is_deleted_when_a_file_failed() {
    let mut source = FakeSource::default();
    let files = texts(&mut source, 9);
    source
        .faults
        .lock()
        .unwrap()
        .push_back(ReadFault::Fail(Kind::NotFound));
    let destination = FakeDestination::default();
    destination.files.lock().unwrap().insert(
        "old".parse().unwrap(),
        Blob {
            sha256: Sha256::of(b""),
            size: 0,
        },
    );
    let (_, destination) = committed(source, destination, &files, &["old".parse().unwrap()]).await;
    assert!(
        destination
            .files
            .lock()
            .unwrap()
            .contains_key(&"old".parse().unwrap())
    );
    assert_eq!(
        destination.files.lock().unwrap().len(),
        9,
        "the other eight are there"
    );
}

#[tokio::test]
async fn of_a_branch_that_nobody_has_seen_what_is_to_go_goes_though_a_file_failed() {
    let mut source = FakeSource::default();
    let files = texts(&mut source, 9);
    source
        .faults
        .lock()
        .unwrap()
        .push_back(ReadFault::Fail(Kind::NotFound));
    let (destination, old) = (
        FakeDestination::default(),
        "old".parse::<RepoPath>().unwrap(),
    );
    destination.files.lock().unwrap().insert(
        old.clone(),
        Blob {
            sha256: Sha256::of(b""),
            size: 0,
        },
    );
    let (context, _, destination) = context(source, destination, 1 << 20);
    write_changeset(
        &context,
        &change(&files, std::slice::from_ref(&old), Deletion::Always),
    )
    .await
    .unwrap();
    assert!(!destination.files.lock().unwrap().contains_key(&old));
    assert_eq!(
        (
            destination.files.lock().unwrap().len(),
            context.events.exit()
        ),
        (8, Exit::Incomplete)
    );
}

#[tokio::test]
async fn content_that_is_there_already_needs_no_action() {
    let mut source = FakeSource::default();
    let mut files = texts(&mut source, 2);
    files[0].current = Some(ExistingFile {
        digest: Digest::Sha256(Sha256::of(&content(100, 0))),
        size: 100,
    });
    let (context, destination) = committed(source, FakeDestination::default(), &files, &[]).await;
    assert_eq!(*destination.commits.lock().unwrap(), [["01.txt"]]);
    assert_eq!(context.events.receipt_so_far().files[0].how, How::Unchanged);
}

#[tokio::test]
async fn contents_larger_than_the_memory_budget_are_committed_batch_by_batch() {
    let mut source = FakeSource::default();
    let mut files = texts(&mut source, 30);
    let blob = source.lfs("w.bin", content(9_000, 9));
    files.push(CommitFile {
        stored: blob.digest.sha256(),
        ..inline(blob)
    });
    let destination = FakeDestination {
        blind: true,
        ..FakeDestination::default()
    };
    let (context, _, destination) = context(source, destination, 4 << 10);
    let change = change(&files, &[], Deletion::WhenWhole);
    write_changeset(&context, &change).await.unwrap();
    assert_eq!(destination.files.lock().unwrap().len(), 31);
    assert_eq!(destination.blobs.lock().unwrap().len(), 1, "stored again");
}

#[tokio::test]
async fn a_file_too_large_to_be_inside_a_commit_is_not_read_and_costs_only_itself() {
    let mut source = FakeSource::default();
    let largest = inline(source.git("01.txt", vec![0; 10 << 20]));
    let mut files = vec![inline(source.git("00.txt", "more")), largest];
    files[0].file.size = (10 << 20) + 1;
    let (context, source, destination) = context(source, FakeDestination::default(), 1 << 20);
    let change = change(&files, &[], Deletion::WhenWhole);
    write_changeset(&context, &change).await.unwrap();
    let failed = context.events.receipt_so_far().failed;
    assert!(
        failed[0].path == "00.txt"
            && failed[0].error.contains("it has 10 MiB")
            && failed[0].error.contains("--exclude"),
        "{failed:?}"
    );
    assert_eq!(*destination.commits.lock().unwrap(), [["01.txt"]]);
    assert_eq!(source.reads.lock().unwrap().len(), 1);
}
