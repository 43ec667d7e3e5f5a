//! Files read from a hub in memory, with faults on demand.

use super::*;
use crate::testing::{FakeDestination, FakeSource, ReadFault, content, context};

const SIZE: usize = 500_000;

/// Reads a file through a window of several small pieces; returns what came, and the ranges asked for.
async fn read(faults: &[ReadFault]) -> (Result<Vec<u8>>, Vec<Range<u64>>) {
    let mut source = FakeSource::default();
    let file = source.lfs("a.bin", content(SIZE, 1));
    source.faults.lock().unwrap().extend(faults);
    let (context, source, _) = context(source, FakeDestination::default(), 1 << 20);
    let mut frames = context.reader().windowed(
        &file,
        Window {
            ranges: 3,
            piece: 100_000,
            share: 300_000,
        },
    );
    let mut all = Vec::new();
    let mut result = Ok(());
    while let Some(frame) = frames.next().await {
        match frame {
            Ok(frame) => all.extend_from_slice(&frame),
            Err(error) => result = Err(error),
        }
    }
    let reads = source.reads.lock().unwrap().clone();
    (result.map(|()| all), reads)
}

#[tokio::test]
async fn pieces_come_in_order_whatever_order_they_arrive_in() {
    let (all, reads) = read(&[]).await;
    assert_eq!(all.unwrap(), content(SIZE, 1));
    assert_eq!(reads.len(), 5);
}

#[tokio::test]
async fn a_cut_piece_goes_on_where_it_stopped() {
    let (all, reads) = read(&[ReadFault::Cut(7), ReadFault::Cut(0), ReadFault::Cut(3)]).await;
    assert_eq!(all.unwrap(), content(SIZE, 1));
    assert!(reads.contains(&(7_000..100_000)), "{reads:?}");
}

#[tokio::test]
async fn an_expired_address_is_asked_for_again() {
    assert_eq!(
        read(&[ReadFault::Expired, ReadFault::Expired])
            .await
            .0
            .unwrap(),
        content(SIZE, 1)
    );
}

#[tokio::test]
async fn always_expired_fails() {
    let (all, reads) = read(&[ReadFault::Expired; 99]).await;
    assert_eq!(all.unwrap_err().kind(), Kind::Expired);
    assert_eq!(
        reads.iter().filter(|range| **range == reads[0]).count(),
        3,
        "two new addresses: {reads:?}"
    );
}

#[tokio::test]
async fn a_server_without_ranges_is_read_from_the_start_and_never_appended() {
    let (all, reads) = read(&[
        ReadFault::Cut(5),
        ReadFault::IgnoreRange,
        ReadFault::IgnoreRange,
        ReadFault::IgnoreRange,
    ])
    .await;
    assert_eq!(all.unwrap(), content(SIZE, 1));
    assert!(reads.contains(&(0..SIZE as u64)), "{reads:?}");
}

#[tokio::test]
async fn a_part_is_read_from_the_start_of_the_file_where_there_are_no_ranges_and_ends_where_it_should()
 {
    for faults in [
        vec![],
        vec![ReadFault::Cut(5), ReadFault::IgnoreRange],
        vec![ReadFault::IgnoreRange, ReadFault::Cut(150)],
    ] {
        let mut source = FakeSource::default();
        let file = source.lfs("a.bin", content(SIZE, 1));
        source.faults.lock().unwrap().extend(faults);
        let (context, ..) = context(source, FakeDestination::default(), 1 << 20);
        let part: Vec<_> = context
            .reader()
            .part(&file, 100_500..200_700)
            .collect()
            .await;
        let part = part
            .into_iter()
            .map(Result::unwrap)
            .collect::<Vec<_>>()
            .concat();
        assert!(
            part == content(SIZE, 1)[100_500..200_700],
            "{} bytes",
            part.len()
        );
    }
}

#[tokio::test]
async fn what_cannot_pass_ends_the_stream() {
    assert_eq!(
        read(&[ReadFault::Fail(Kind::NotFound)])
            .await
            .0
            .unwrap_err()
            .kind(),
        Kind::NotFound
    );
}

#[tokio::test]
async fn small_files_are_checked_against_the_listing_and_read_again_once() {
    let mut source = FakeSource::default();
    let file = source.git("notes.txt", content(3000, 2));
    source.faults.lock().unwrap().extend([ReadFault::Corrupt]);
    let (context, ..) = context(source, FakeDestination::default(), 1 << 20);
    assert_eq!(
        context
            .reader()
            .whole(&file, &context.budget.try_reserve(0))
            .await
            .unwrap(),
        content(3000, 2)
    );
    let mut source = FakeSource::default();
    let file = source.git("notes.txt", content(3000, 2));
    source
        .faults
        .lock()
        .unwrap()
        .extend([ReadFault::Corrupt, ReadFault::Corrupt]);
    let (context, ..) = crate::testing::context(source, FakeDestination::default(), 1 << 20);
    assert_eq!(
        context
            .reader()
            .whole(&file, &context.budget.try_reserve(0))
            .await
            .unwrap_err()
            .kind(),
        Kind::Corrupt
    );
}

#[test]
fn a_window_fits_its_share() {
    for share in [8 << 20, 11 << 20, 64 << 20, 1 << 40] {
        let window = Window::within(share);
        assert!(
            window.ranges * window.piece <= share && (2..=MOST_RANGES).contains(&window.ranges),
            "{window:?}"
        );
    }
    let share = 5 << 20;
    let whole = Window {
        share,
        ..Window::WHOLE
    };
    assert_eq!(Window::within(share), whole, "too small for pieces");
}
