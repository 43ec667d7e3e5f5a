//! The progress of several workers, added up.

use hf2ms_worker::protocol::HostWait;

use super::*;
use crate::ui::screen::Mode;
use crate::ui::snapshot::Snapshot;

fn progress() -> Progress {
    let (files, bytes) = (9, 90);
    Progress::new(&Screen::of(Mode::Json), "copying", Amount { files, bytes })
}

fn done(files: u64, bytes: u64, failed: u64) -> Done {
    let done = Amount { files, bytes };
    Done { done, failed }
}

fn now(progress: &Progress) -> Snapshot {
    progress.0.snapshot(&mut progress.0.state())
}

#[test]
fn a_lost_worker_takes_its_progress_with_it() {
    let progress = progress();
    progress.begin(0);
    progress.begin(1);
    for (worker, bytes, files) in [(0, 50, 5), (1, 10, 1)] {
        progress.hear(worker, &Event::Progress { bytes, files });
    }
    assert_eq!(progress.0.state().sum(), done(6, 60, 0));
    progress.end(0, Done::default());
    progress.end(1, done(2, 20, 1));
    assert_eq!(progress.0.state().sum(), done(2, 20, 1));
}

#[test]
fn a_failed_file_is_counted_apart_and_a_wait_ends_with_the_next_bytes() {
    let progress = progress();
    progress.begin(0);
    let (error, kind) = ("https://h: 429".to_owned(), Kind::RateLimited);
    progress.hear(
        0,
        &Event::Failed {
            path: Some("a".into()),
            error: error.clone(),
            kind,
        },
    );
    let wait = 55.0;
    progress.hear(0, &Event::Retry { error, kind, wait });
    let seen = now(&progress);
    assert_eq!((seen.files, seen.failed, seen.waits.len()), (0, 1, 1));
    assert!(seen.seconds_left.is_none() && seen.line().contains("waiting 55"));
    let (bytes, files) = (30, 2);
    progress.hear(0, &Event::Progress { bytes, files });
    assert!(now(&progress).waits.is_empty());
}

#[test]
fn a_wait_that_a_host_asks_of_one_worker_is_one_of_all() {
    let progress = progress();
    (0..2).for_each(|worker| progress.begin(worker));
    let wait = HostWait::new("h", Duration::from_secs(55));
    progress.hear(0, &Event::RateLimited(wait));
    let seen = now(&progress);
    assert_eq!((seen.waits.len(), seen.seconds_left), (2, None));
    assert!(
        seen.waits[1].error.contains("h asks to wait 55"),
        "{seen:?}"
    );
    let (bytes, files) = (30, 2);
    progress.hear(1, &Event::Progress { bytes, files });
    assert_eq!(now(&progress).waits.len(), 1);
}

#[tokio::test]
async fn the_folder_of_the_run_keeps_the_last_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let screen = Screen::of(Mode::Json);
    screen.enter_run(folder.path());
    let progress = Progress::new(&screen, "copying", Amount::default());
    progress.begin(0);
    progress.0.show();
    let kept = std::fs::read(folder.path().join(FILE)).unwrap();
    let kept: Snapshot = serde_json::from_slice(&kept).unwrap();
    assert_eq!((kept.verb.as_str(), kept.workers), ("copying", 1));
}
