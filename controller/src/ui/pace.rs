//! The rate of a transfer, over the last seconds: what was fast an hour ago does not tell when it ends.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// The rate is that of this span.
const WINDOW: Duration = Duration::from_secs(20);
/// Between two moments that are remembered.
const STEP: Duration = Duration::from_millis(500);

/// The bytes at some moments of the last seconds.
#[derive(Debug, Default)]
pub struct Pace(VecDeque<(Instant, u64)>);

impl Pace {
    /// Remembers the bytes of now.
    pub fn note(&mut self, now: Instant, bytes: u64) {
        let is_new = |(last, _): &(Instant, u64)| now.duration_since(*last) >= STEP;
        if self.0.back().is_none_or(is_new) {
            self.0.push_back((now, bytes));
        }
        // One moment before the window stays, so that the rate covers all of it.
        while self
            .0
            .get(1)
            .is_some_and(|(then, _)| now.duration_since(*then) >= WINDOW)
        {
            self.0.pop_front();
        }
    }

    /// Bytes a second up to now; 0 where there is none, or where an upload that failed took more back than was sent.
    pub fn rate(&self, now: Instant, bytes: u64) -> f64 {
        let Some((then, before)) = self.0.front() else {
            return 0.0;
        };
        let seconds = now.duration_since(*then).as_secs_f64();
        if seconds < 0.2 {
            return 0.0;
        }
        bytes.saturating_sub(*before) as f64 / seconds
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_is_that_of_the_last_seconds() {
        let (start, mut pace) = (Instant::now(), Pace::default());
        let at = |seconds: u64| start + Duration::from_secs(seconds);
        (0..=100).for_each(|second| pace.note(at(second), 1000 * second));
        assert_eq!(pace.rate(at(100), 100_000).round(), 1000.0);
        (101..=130).for_each(|second| pace.note(at(second), 100_000));
        assert_eq!(pace.rate(at(130), 100_000), 0.0, "nothing has moved since");
        assert_eq!(pace.rate(at(130), 90_000), 0.0, "bytes were taken back");
    }
}
