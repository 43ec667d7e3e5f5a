//! How many ranges of a file are read at a time: more only where the consumer waits for them, and connections are slow; fewer where
//! the source is too busy.

use std::time::{Duration, Instant};

use super::Window;
use crate::transfer::streams::{MOST, Sample, StreamLimit};

/// Whether the consumer waits is asked this often.
const TICK: Duration = Duration::from_millis(100);
/// Pieces are not made smaller than this: with a round trip each, smaller ones are not faster.
const LEAST_PIECE: u64 = 1 << 20;

/// The reading of one file.
pub(super) struct RangePace {
    limit: StreamLimit,
    begun: Instant,
    /// The last tick.
    last: Instant,
    /// How long the consumer has waited since.
    waited: Duration,
    /// How often the source had been too busy before.
    busy_before: u64,
}

impl RangePace {
    /// A reading that begins now with this window, when the source has been too busy so often.
    pub(super) fn new(now: Instant, window: Window, busy_before: u64) -> Self {
        let ranges = |number| usize::try_from(number).unwrap_or(1).min(MOST);
        Self {
            limit: StreamLimit::new(ranges(window.ranges), ranges(window.share / LEAST_PIECE)),
            begun: now,
            last: now,
            waited: Duration::ZERO,
            busy_before,
        }
    }

    /// Notes that the consumer has waited.
    pub(super) fn waited(&mut self, span: Duration) {
        self.waited += span;
    }

    /// Takes how far the reading is, and how often the source has been too busy; the new number of ranges, if it changes.
    pub(super) fn ranges(&mut self, now: Instant, delivered: u64, busy: u64) -> Option<u64> {
        let span = now - self.last;
        if span < TICK {
            return None;
        }
        // A consumer that is slower than its ranges says nothing of their number.
        let is_starved = self.waited * 2 >= span;
        (self.last, self.waited) = (now, Duration::ZERO);
        let sample = Sample {
            bytes: delivered,
            busy: busy.saturating_sub(self.busy_before),
            in_use: if is_starved { self.limit.streams() } else { 0 },
            ..Sample::default()
        };
        let change = self.limit.tick(now - self.begun, sample)?;
        Some(change.streams as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The ranges after a minute at so many bytes a second each, while the consumer takes at most so many.
    fn ranges_at(each: u64, consumer: u64) -> u64 {
        let (mut now, mut delivered, mut ranges) = (Instant::now(), 0, 8);
        let mut pace = RangePace::new(now, Window::within(32 << 20), 0);
        for _ in 0..600 {
            now += TICK;
            delivered += (ranges * each).min(consumer) / 10;
            if ranges * each < consumer {
                pace.waited(TICK);
            }
            ranges = pace.ranges(now, delivered, 0).unwrap_or(ranges);
        }
        ranges
    }

    #[test]
    fn more_ranges_are_read_only_where_connections_are_slower_than_the_consumer() {
        let found = [(4_000_000, 1 << 40), (25_000_000, 4_000_000)]
            .map(|(each, consumer)| ranges_at(each, consumer));
        assert_eq!(found, [32, 8]);
    }

    #[test]
    fn a_busy_source_is_asked_for_fewer_ranges_and_an_earlier_refusal_is_none_of_this_file() {
        let mut now = Instant::now();
        let mut pace = RangePace::new(now, Window::within(32 << 20), 7);
        let mut ranges = |busy| {
            now += Duration::from_secs(2);
            pace.ranges(now, 0, busy)
        };
        let found = [7, 8, 8, 9].map(&mut ranges);
        assert_eq!(found, [None, Some(4), None, Some(2)]);
    }
}
