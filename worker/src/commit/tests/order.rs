//! The order of a change's commits: their titles, their distance, their size after slow answers, and what ends them.

use std::time::Duration;

use hf2ms_hub::http::HttpOptions;

use super::*;
use crate::protocol::Event;
use crate::testing::{EventLog, SteppedClock, observed};

type Observed = (Context, Arc<FakeDestination>, Arc<SteppedClock>, EventLog);

/// The result of a change of `count` small files and these deletions.
async fn written(
    count: u8,
    delete: &[&str],
    faults: &[CommitFault],
    destination: FakeDestination,
) -> Observed {
    let mut source = FakeSource::default();
    let files = texts(&mut source, count);
    let delete: Vec<RepoPath> = delete.iter().map(|path| path.parse().unwrap()).collect();
    destination.faults.lock().unwrap().extend(faults);
    let observed = observed(source, destination);
    let change = change(&files, &delete, Deletion::WhenWhole);
    write_changeset(&observed.0, &change).await.unwrap();
    observed
}

/// A destination that has these files, all empty, and tells its commit.
fn holding(paths: &[&str]) -> FakeDestination {
    let destination = FakeDestination {
        tip: Some(0).into(),
        ..FakeDestination::default()
    };
    for path in paths {
        hold(&destination, &[(path, NOTHING)]);
    }
    destination
}

/// The destination of a hub that gives up on commits which take long.
fn adaptive() -> FakeDestination {
    FakeDestination {
        adaptive: Some((50, Duration::from_secs(40))),
        ..FakeDestination::default()
    }
}

fn sizes(destination: &FakeDestination) -> Vec<usize> {
    let commits = destination.commits.lock().unwrap();
    commits.iter().map(Vec::len).collect()
}

/// The actions of each commit that was said to be there, and whether its hub named it.
fn committed_events(log: &EventLog) -> Vec<(u64, bool)> {
    let committed = |event| match event {
        Event::Committed { commit, actions } => Some((actions, commit.is_some())),
        _ => None,
    };
    log.events().into_iter().filter_map(committed).collect()
}

#[tokio::test]
async fn commits_are_numbered_where_there_are_several() {
    for (count, wanted) in [
        (3, vec!["Add files"]),
        (
            9,
            vec![
                "Add files (part 1)",
                "Add files (part 2)",
                "Add files (part 3)",
            ],
        ),
    ] {
        let (_, destination, ..) = written(count, &[], &[], FakeDestination::default()).await;
        assert_eq!(*destination.messages.lock().unwrap(), wanted);
    }
}

#[tokio::test]
async fn commits_keep_their_distance_once_one_came_too_soon() {
    let faults = [CommitFault::Fail(Kind::Policy)];
    let (_, destination, clock, log) = written(12, &[], &faults, FakeDestination::default()).await;
    assert_eq!(sizes(&destination), [4, 4, 4]);
    let apart = 2 * HttpOptions::default().retry.base;
    assert_eq!(*clock.slept.lock().unwrap(), [apart; 3]);
    let waits = log.events().into_iter().filter_map(|event| match event {
        Event::Retry { wait, .. } => Some(wait),
        _ => None,
    });
    assert_eq!(waits.collect::<Vec<_>>(), [apart.as_secs_f64()]);
}

#[tokio::test]
async fn a_commit_that_is_not_made_in_time_is_made_in_pieces() {
    let slow = [CommitFault::Fail(Kind::Transient)];
    let (_, destination, ..) = written(45, &[], &slow, adaptive()).await;
    assert_eq!(sizes(&destination), [20, 25], "more after a quick one");
    let moved = [CommitFault::BranchMoved];
    let (_, destination, ..) = written(45, &[], &moved, adaptive()).await;
    assert_eq!(sizes(&destination), [45], "another commit came first");
    let (_, destination, ..) = written(45, &[], &slow, FakeDestination::default()).await;
    assert_eq!(
        sizes(&destination)[0],
        4,
        "one size where the time says nothing"
    );
}

#[tokio::test]
async fn commits_that_are_too_large_are_made_in_pieces_and_later_ones_are_smaller() {
    let large = || FakeDestination {
        adaptive: Some((50, Duration::MAX)),
        ..FakeDestination::default()
    };
    let late = [CommitFault::Status(Kind::Transient, 504)];
    let (context, destination, ..) = written(45, &[], &late, large()).await;
    assert_eq!(sizes(&destination), [20, 25]);
    assert_eq!(context.events.exit(), Exit::Done);
    let refused = [CommitFault::Status(Kind::Invalid, 413)];
    let (_, destination, ..) = written(120, &[], &refused, large()).await;
    assert_eq!(sizes(&destination)[..3], [25, 25, 20], "the later ones too");
    let too_soon = [CommitFault::Fail(Kind::Policy); 2];
    let (_, destination, ..) = written(120, &[], &too_soon, large()).await;
    assert_eq!(
        sizes(&destination),
        [25, 25, 50, 20],
        "the size was no reason"
    );
    let one_bad = [CommitFault::Naming(Kind::Invalid, "03.txt")];
    let (_, destination, ..) = written(120, &[], &one_bad, large()).await;
    assert_eq!(sizes(&destination), [49, 50, 20], "the size was no reason");
}

#[tokio::test]
async fn a_hub_that_never_answers_in_time_is_given_up() {
    let (context, destination, ..) = written(
        20,
        &[],
        &[CommitFault::Fail(Kind::Transient); 99],
        adaptive(),
    )
    .await;
    let tries = 99 - destination.faults.lock().unwrap().len();
    assert_eq!(tries, context.http.retry.pauses().count() + 1);
    assert_eq!(context.events.receipt_so_far().failed.len(), 20);
}

#[tokio::test]
async fn what_another_commit_has_done_is_said_and_not_done_again() {
    let lost = [CommitFault::LostAnswer];
    let (.., log) = written(3, &[], &lost, FakeDestination::default()).await;
    assert_eq!(committed_events(&log), [(3, false)]);
    let moved = [CommitFault::BranchMoved];
    let (.., log) = written(3, &[], &moved, holding(&[])).await;
    assert_eq!(committed_events(&log), [(3, true)]);
}

#[tokio::test]
async fn a_deletion_that_someone_made_first_is_no_reason_to_split_a_commit() {
    let gone = [CommitFault::Gone("gone")];
    let there = holding(&["gone", "old", "older"]);
    let (context, destination, ..) = written(0, &["gone", "old", "older"], &gone, there).await;
    assert_eq!(*destination.commits.lock().unwrap(), [["-old", "-older"]]);
    assert_eq!(context.events.exit(), Exit::Done);
    let refused = [CommitFault::Fail(Kind::Invalid)];
    let (_, destination, ..) = written(0, &["a", "b"], &refused, holding(&["a", "b"])).await;
    assert_eq!(*destination.commits.lock().unwrap(), [["-a"], ["-b"]]);
}

#[tokio::test]
async fn a_source_that_refuses_the_token_is_read_no_further_and_nothing_is_written() {
    let mut source = FakeSource::default();
    let files = texts(&mut source, 30);
    let fault = ReadFault::Fail(Kind::Unauthorized);
    source.faults.lock().unwrap().push_back(fault);
    let (context, source, destination) = context(source, FakeDestination::default(), 1 << 20);
    let change = change(&files, &[], Deletion::WhenWhole);
    let error = write_changeset(&context, &change).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Unauthorized);
    assert!(destination.commits.lock().unwrap().is_empty());
    assert!(source.reads.lock().unwrap().len() <= 4, "one batch");
}

#[tokio::test]
async fn a_hub_that_takes_any_commit_is_asked_until_it_has_the_blobs_or_is_found_out() {
    for (has, forgets, checks, exit) in [
        (true, false, 1, Exit::Done),
        (false, false, 3, Exit::Done),
        (false, true, 3, Exit::Incomplete),
    ] {
        let mut source = FakeSource::default();
        let blob = source.lfs("w.bin", content(9_000, 9));
        let sha256 = blob.digest.sha256().unwrap();
        let destination = FakeDestination {
            blind: true,
            forgets,
            ..FakeDestination::default()
        };
        if has {
            let mut blobs = destination.blobs.lock().unwrap();
            blobs.insert(sha256, content(9_000, 9));
        }
        let file = CommitFile {
            stored: Some(sha256),
            ..inline(blob)
        };
        let (context, destination) = committed(source, destination, &[file], &[]).await;
        assert_eq!(destination.checks.lock().unwrap().len(), checks);
        assert_eq!(context.events.exit(), exit);
        let files = destination.files.lock().unwrap();
        assert_eq!(files.len(), usize::from(!forgets));
    }
}
