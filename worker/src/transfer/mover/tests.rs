//! Chunks moved between two hubs in memory, with faults on demand.

use hf2ms_hub::Digest;

use super::*;
use crate::protocol::{Exit, Receipt};
use crate::testing::{FakeDestination, FakeSource, ReadFault, content, context};

/// Long enough for what does not wait.
const PAUSE: std::time::Duration = std::time::Duration::from_millis(50);

async fn moved(
    source: FakeSource,
    destination: FakeDestination,
    files: &[File],
) -> (Receipt, std::sync::Arc<FakeDestination>, Exit) {
    let (context, _, destination) = context(source, destination, 1 << 20);
    move_blobs(&context.transfer, files).await;
    (
        context.events.receipt_so_far(),
        destination,
        context.events.exit(),
    )
}

#[tokio::test]
async fn blobs_known_small_and_large_arrive_whole() {
    let mut source = FakeSource::default();
    let files = [
        source.lfs("a.bin", content(400_000, 1)),
        source.git("small.bin", content(5_000, 2)),
        source.git("large.bin", content(600_000, 3)),
        source.lfs("b.bin", content(1, 4)),
    ];
    let (receipt, destination, exit) = moved(source, FakeDestination::default(), &files).await;
    assert_eq!(
        (receipt.files.len(), receipt.failed.len(), exit),
        (4, 0, Exit::Done)
    );
    let blobs = destination.blobs.lock().unwrap();
    for (size, seed) in [(400_000, 1), (5_000, 2), (600_000, 3), (1, 4)] {
        assert_eq!(
            blobs[&Sha256::of(&content(size, seed))],
            content(size, seed)
        );
    }
    assert_eq!(receipt.sent, 1_005_001);
}

#[tokio::test]
async fn what_is_stored_already_is_not_sent() {
    let mut source = FakeSource::default();
    let files = [
        source.lfs("a.bin", content(9_000, 1)),
        source.git("b.bin", content(9_000, 1)),
    ];
    let destination = FakeDestination::default();
    destination
        .blobs
        .lock()
        .unwrap()
        .insert(Sha256::of(&content(9_000, 1)), content(9_000, 1));
    let (receipt, _, _) = moved(source, destination, &files).await;
    assert_eq!(receipt.sent, 0);
    assert!(receipt.files.iter().all(|file| file.how == How::Reused) && receipt.files.len() == 2);
}

#[tokio::test]
async fn a_corrupted_byte_on_the_way_is_caught_and_the_blob_sent_again() {
    let mut source = FakeSource::default();
    let file = source.lfs("a.bin", content(50_000, 1));
    source.faults.lock().unwrap().push_back(ReadFault::Corrupt);
    let (receipt, destination, exit) = moved(source, FakeDestination::default(), &[file]).await;
    assert_eq!((exit, receipt.retries), (Exit::Done, 1));
    assert_eq!(
        destination.blobs.lock().unwrap()[&Sha256::of(&content(50_000, 1))],
        content(50_000, 1)
    );
}

#[tokio::test]
async fn a_source_that_keeps_sending_other_bytes_stores_nothing() {
    let mut source = FakeSource::default();
    let bad = source.lfs("a.bin", content(50_000, 1));
    source
        .faults
        .lock()
        .unwrap()
        .extend([ReadFault::Corrupt; 9]);
    let (receipt, destination, exit) = moved(source, FakeDestination::default(), &[bad]).await;
    assert_eq!(
        (receipt.failed[0].kind, exit),
        (Kind::Corrupt, Exit::Integrity)
    );
    assert!(destination.blobs.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_failed_upload_starts_its_blob_again() {
    let mut source = FakeSource::default();
    let file = source.lfs("a.bin", content(300_000, 1));
    let destination = FakeDestination::default();
    destination
        .put_faults
        .lock()
        .unwrap()
        .extend([Kind::Transient, Kind::Expired]);
    let (receipt, _, exit) = moved(source, destination, &[file]).await;
    assert_eq!((exit, receipt.retries), (Exit::Done, 2));
}

#[tokio::test]
async fn an_upload_whose_new_addresses_are_refused_ends() {
    let mut source = FakeSource::default();
    let file = source.lfs("a.bin", content(300_000, 1));
    let destination = FakeDestination::default();
    destination
        .put_faults
        .lock()
        .unwrap()
        .extend([Kind::Expired; 9]);
    let (receipt, destination, exit) = moved(source, destination, &[file]).await;
    assert_eq!(
        (exit, receipt.retries, receipt.failed[0].kind),
        (Exit::Incomplete, 2, Kind::Expired)
    );
    assert_eq!(destination.put_faults.lock().unwrap().len(), 6, "3 uploads");
}

#[tokio::test]
async fn a_file_that_the_source_lost_costs_only_itself() {
    let mut source = FakeSource::default();
    let good = source.lfs("a.bin", content(9_000, 1));
    let lost = File {
        path: "lost.bin".parse().unwrap(),
        size: 5,
        digest: Digest::Sha256(Sha256::of(b"12345")),
    };
    let (receipt, _, exit) = moved(source, FakeDestination::default(), &[lost, good]).await;
    assert_eq!(
        (receipt.files.len(), receipt.failed.len(), exit),
        (1, 1, Exit::Incomplete)
    );
}

#[tokio::test]
async fn a_revoked_token_stops_the_rest_without_asking() {
    let mut source = FakeSource::default();
    let files: Vec<_> = (0..40)
        .map(|n| source.git(&format!("{n}.bin"), content(700_000, n)))
        .collect();
    source
        .faults
        .lock()
        .unwrap()
        .extend([ReadFault::Fail(Kind::Unauthorized); 40]);
    let (context, source, _) = context(source, FakeDestination::default(), 1 << 20);
    move_blobs(&context.transfer, &files).await;
    assert_eq!(
        (
            context.events.receipt_so_far().failed.len(),
            context.events.exit()
        ),
        (40, Exit::Refused)
    );
    assert!(
        source.reads.lock().unwrap().len() <= 12,
        "one window at most was under way"
    );
}

#[tokio::test]
async fn checks_are_made_in_groups() {
    let mut source = FakeSource::default();
    let files: Vec<_> = (0..130)
        .map(|n| source.lfs(&format!("{n}.bin"), content(100 + usize::from(n), n)))
        .collect();
    let (_, destination, _) = moved(source, FakeDestination::default(), &files).await;
    assert_eq!(*destination.checks.lock().unwrap(), [100, 30]);
}

#[tokio::test]
async fn a_file_without_a_sha256_is_read_once_if_two_such_fit_into_memory_and_else_twice() {
    // Of a MiB of memory contents take a quarter: 256 KiB.
    for (size, reads) in [(131_072, 1), (131_073, 2)] {
        let mut source = FakeSource::default();
        let file = source.git("a.bin", content(size, 1));
        let (context, source, destination) = context(source, FakeDestination::default(), 1 << 20);
        move_blobs(&context.transfer, &[file]).await;
        assert_eq!(context.events.exit(), Exit::Done);
        assert_eq!(destination.blobs.lock().unwrap().len(), 1);
        assert_eq!(source.reads.lock().unwrap().len(), reads, "{size}");
    }
}

#[tokio::test]
async fn small_files_are_read_as_many_at_a_time_as_there_are_streams() {
    for (streams, expected) in [(1, 1), (3, 3)] {
        let mut source = FakeSource::default();
        let files: Vec<_> = (0..20)
            .map(|n| source.git(&format!("{n}.txt"), content(500, n)))
            .collect();
        let (mut context, source, _) = context(source, FakeDestination::default(), 16 << 20);
        context.transfer.options.streams = Some(streams);
        move_blobs(&context.transfer, &files).await;
        assert_eq!(context.events.receipt_so_far().files.len(), 20);
        assert_eq!(source.at_once.most(), expected, "{streams}");
    }
}

#[tokio::test]
async fn no_file_is_read_before_the_budget_has_room_for_it() {
    for is_named in [true, false] {
        let mut source = FakeSource::default();
        let file = match is_named {
            true => source.lfs("a.bin", content(9_000, 1)),
            false => source.git("a.bin", content(9_000, 1)),
        };
        let (context, source, _) = context(source, FakeDestination::default(), 1 << 20);
        let all = context.budget.reserve(1 << 20).await;
        let files = [file];
        let moving = move_blobs(&context.transfer, &files);
        tokio::pin!(moving);
        assert!(tokio::time::timeout(PAUSE, &mut moving).await.is_err());
        assert_eq!(source.reads.lock().unwrap().len(), 0);
        drop(all);
        moving.await;
        assert_eq!(context.events.exit(), Exit::Done);
    }
}

/// A clock that moves only by sleeping on it.
struct ManualClock {
    begun: std::time::Instant,
    slept: Mutex<Vec<std::time::Duration>>,
}

impl ManualClock {
    fn new() -> std::sync::Arc<Self> {
        std::sync::Arc::new(Self {
            begun: std::time::Instant::now(),
            slept: Mutex::default(),
        })
    }

    fn total(&self) -> std::time::Duration {
        self.slept.lock().unwrap().iter().sum()
    }
}

impl hf2ms_hub::clock::Clock for ManualClock {
    fn now(&self) -> std::time::Instant {
        self.begun + self.total()
    }

    fn date(&self) -> std::time::SystemTime {
        std::time::SystemTime::UNIX_EPOCH + self.total()
    }

    fn sleep(&self, span: std::time::Duration) -> hf2ms_hub::clock::Pause {
        self.slept.lock().unwrap().push(span);
        Box::pin(std::future::ready(()))
    }
}

/// Moves 12 blobs to a destination whose first uploads fail like this. Returns the receipt, the pauses, and the events by name.
async fn moved_through(
    faults: impl IntoIterator<Item = Kind>,
) -> (Receipt, Vec<std::time::Duration>, Vec<String>) {
    chunk_moved_through(12, faults).await
}

/// The same of a chunk of so many blobs.
async fn chunk_moved_through(
    blobs: u8,
    faults: impl IntoIterator<Item = Kind>,
) -> (Receipt, Vec<std::time::Duration>, Vec<String>) {
    let mut source = FakeSource::default();
    let files: Vec<_> = (0..blobs)
        .map(|n| source.lfs(&format!("{n}.bin"), content(9_000, n)))
        .collect();
    let destination = FakeDestination::default();
    destination.put_faults.lock().unwrap().extend(faults);
    let (context, _, _) = context(source, destination, 1 << 20);
    let (mut transfer, clock, said) = (context.transfer, ManualClock::new(), Said::default());
    transfer.events = crate::events::Events::new(said.clone(), hf2ms_hub::Redactor::default());
    transfer.http = hf2ms_hub::http::HttpOptions {
        clock: clock.clone(),
        ..hf2ms_hub::http::HttpOptions::default()
    };
    move_blobs(&transfer, &files).await;
    let pauses = clock.slept.lock().unwrap().clone();
    (transfer.events.receipt_so_far(), pauses, said.names())
}

/// What a worker prints.
#[derive(Clone, Default)]
struct Said(std::sync::Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Said {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Said {
    fn names(&self) -> Vec<String> {
        let text = String::from_utf8(self.0.lock().unwrap().clone()).unwrap();
        let name = |line: &str| {
            let event: serde_json::Value = serde_json::from_str(line).unwrap();
            let answers = event["answers"]
                .as_bool()
                .map(|answers| format!(" {answers}"));
            format!(
                "{}{}",
                event["event"].as_str().unwrap(),
                answers.unwrap_or_default()
            )
        };
        text.lines().map(name).collect()
    }
}

/// Uploads of one file: the first and its 6 retries.
const TRIES: usize = 7;

#[tokio::test]
async fn an_outage_pauses_the_queue_and_costs_no_file() {
    // Three streams: six files fail before the fourth is known of; then two that are tried alone.
    let (receipt, pauses, said) = moved_through(vec![Kind::Transient; 8 * TRIES]).await;
    assert_eq!((receipt.files.len(), receipt.failed.len()), (12, 0));
    let paused: Vec<_> = said.iter().filter(|name| name.contains("pause")).collect();
    assert_eq!(paused, ["paused", "pause_ended true"]);
    assert!(
        pauses.iter().all(|pause| pause.as_secs() <= 60),
        "{pauses:?}"
    );
}

#[tokio::test]
async fn an_outage_that_does_not_end_is_given_up_after_the_longest_wait() {
    let (receipt, pauses, said) = moved_through(vec![Kind::Transient; 9_999]).await;
    assert_eq!((receipt.files.len(), receipt.failed.len()), (0, 12));
    assert!(
        receipt
            .failed
            .iter()
            .all(|failed| failed.kind == Kind::Transient)
    );
    let paused: Vec<_> = said.iter().filter(|name| name.contains("pause")).collect();
    assert_eq!(paused, ["paused", "pause_ended false"]);
    let waited: std::time::Duration = pauses.iter().sum();
    assert!((1800..2700).contains(&waited.as_secs()), "{waited:?}");
}

#[tokio::test]
async fn fewer_failures_in_a_row_and_those_of_another_kind_are_the_files_own() {
    let (receipt, _, said) = moved_through(vec![Kind::Transient; 3 * TRIES]).await;
    // The tries of three streams mix.
    assert!((1..=3).contains(&receipt.failed.len()));
    assert_eq!(receipt.files.len() + receipt.failed.len(), 12);
    assert!(!said.contains(&"paused".to_owned()));
    let (receipt, _, said) = moved_through(vec![Kind::Denied; 6]).await;
    assert_eq!((receipt.files.len(), receipt.failed.len()), (6, 6));
    assert!(!said.contains(&"paused".to_owned()));
}

#[tokio::test]
async fn a_chunk_of_few_files_waits_too_while_nothing_of_it_can_be_stored() {
    for blobs in 1..=3_u8 {
        let tries = usize::from(blobs) * TRIES;
        let (receipt, _, said) =
            chunk_moved_through(blobs, vec![Kind::Transient; tries + TRIES]).await;
        let stored = (receipt.files.len(), receipt.failed.len());
        assert_eq!(stored, (usize::from(blobs), 0));
        let paused: Vec<_> = said.iter().filter(|name| name.contains("pause")).collect();
        assert_eq!(paused, ["paused", "pause_ended true"], "{blobs}");

        let (receipt, pauses, said) =
            chunk_moved_through(blobs, vec![Kind::Transient; 9_999]).await;
        assert_eq!(receipt.failed.len(), usize::from(blobs));
        assert!(said.contains(&"pause_ended false".to_owned()));
        // Half an hour for four, and the tries of one file besides.
        let waited: std::time::Duration = pauses.iter().sum();
        let share = 450 * u64::from(blobs);
        let span = share..share + 120 * (u64::from(blobs) + 8);
        assert!(span.contains(&waited.as_secs()), "{blobs}: {waited:?}");
    }
}

#[tokio::test]
async fn of_a_chunk_of_few_files_one_that_is_stored_leaves_the_others_to_themselves() {
    let (receipt, _, said) = chunk_moved_through(1, vec![Kind::Denied]).await;
    assert_eq!(receipt.failed.len(), 1);
    assert!(!said.contains(&"paused".to_owned()));
    // Either of the two uses all its tries; the other one is stored with its last.
    let faults = vec![Kind::Transient; 2 * TRIES - 1];
    let (receipt, _, said) = chunk_moved_through(2, faults).await;
    assert_eq!((receipt.files.len(), receipt.failed.len()), (1, 1));
    assert!(!said.contains(&"paused".to_owned()));
}

#[tokio::test]
async fn tries_that_wait_for_a_stream_and_files_that_wait_for_memory_dont_wait_for_each_other() {
    let mut source = FakeSource::default();
    let files: Vec<File> = (0..16)
        .map(|n| source.git(&format!("{n}.bin"), vec![n; 5 << 20]))
        .collect();
    let destination = FakeDestination::default();
    let busy = [Kind::RateLimited; 6];
    destination.put_faults.lock().unwrap().extend(busy);
    let (mut context, _, destination) = context(source, destination, 128 << 20);
    context.transfer.options.streams = None;
    let moved = move_blobs(&context.transfer, &files);
    let limit = std::time::Duration::from_secs(60);
    tokio::time::timeout(limit, moved).await.unwrap();
    assert_eq!(destination.blobs.lock().unwrap().len(), 16);
}
