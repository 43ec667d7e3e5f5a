//! How many blobs move at a time: a limit that grows while the rate grows with it, and falls when a hub is too busy. It decides by
//! what it is told, the time included; [`super::gate`] lets as many through. The ranges of one file that are read at a time are
//! such streams, too (`reader`).

use std::time::Duration;

use crate::protocol::StreamsReason;

/// Streams that a worker has at most.
pub const MOST: usize = 64;
/// The memory of a worker for each stream that it may have: a reading and a sending connection hold some 3 MiB, however small the
/// stream's share of the budget is (docs/benchmarks.md).
const MEMORY_A_STREAM: u64 = 4 << 20;

/// A connection that takes so many bytes a second needs no others beside the first ones, so far as the start can tell.
const FAST_CONNECTION: f64 = 32e6;
/// Until so many streams a worker of slower connections grows at once, before it can know what more streams are worth: buffers of the
/// system take the first bytes of each, however slow the line is behind them.
const QUICK: usize = 32;
/// It grows each time that it has measured for so long.
const QUICK_MEASURE: Duration = Duration::from_millis(150);
/// New streams connect and fill buffers for so long: their rate says nothing yet.
const SETTLE: Duration = Duration::from_millis(1000);
/// A rate is measured until each stream has stored two blobs, but for so long at least and at most.
const LEAST_MEASURE: Duration = Duration::from_millis(3000);
const MOST_MEASURE: Duration = Duration::from_millis(12_000);
/// More streams are kept where the rate has grown by this part of what is expected. Expected is that each new stream brings as
/// much as the others.
const WORTH: f64 = 0.4;
/// Fewer streams are kept where the rate is this part of what it was.
const AS_FAST: f64 = 0.97;
/// A rate that has grown by itself by this factor is that of a better line.
const BETTER_LINE: f64 = 1.25;
/// Pauses after more and fewer streams were tried in vain: the first, and the longest.
const PATIENCE: Duration = Duration::from_secs(5);
const MOST_PATIENCE: Duration = Duration::from_secs(40);
/// Refusals so soon after another belong to the same streams.
const ONE_REFUSAL: Duration = Duration::from_secs(1);
/// What a hub has refused is not tried again for so long, which doubles with each refusal.
const REFUSED: Duration = Duration::from_secs(60);
const MOST_REFUSED: Duration = Duration::from_secs(960);

/// What has happened since the worker began.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sample {
    /// Bytes sent.
    pub bytes: u64,
    /// Blobs that are stored.
    pub blobs: u64,
    /// How often a hub said that it is too busy: 429 and 5xx.
    pub busy: u64,
    /// How often nothing moved until a timeout.
    pub stalls: u64,
    /// Streams in use now: more than there may be, until those have ended that are taken back.
    pub in_use: usize,
}

/// A new number of streams.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StreamChange {
    /// The streams from now on.
    pub streams: usize,
    /// Why.
    pub reason: StreamsReason,
    /// The rate that was measured last, in bytes a second.
    pub rate: f64,
}

/// The number of streams, from one to a ceiling. Times are those since the worker began.
#[derive(Debug, Clone)]
pub struct StreamLimit {
    streams: usize,
    first: usize,
    most: usize,
    seen: Sample,
    measure: Measure,
    stage: Stage,
    /// The rate that was measured last.
    rate: f64,
    next_try: Duration,
    patience: Duration,
    refusal: Option<Refusal>,
}

#[derive(Debug, Clone, Copy)]
enum Measure {
    /// Nothing is measured before this moment.
    From(Duration),
    /// Measured since this moment, when so many bytes had been sent and blobs stored.
    Since(Duration, Sample),
}

/// What is found out now.
#[derive(Debug, Clone, Copy)]
enum Stage {
    /// Whether connections are slow.
    Start,
    /// Whether another number of streams is better than the one before.
    Comparison(Before),
    /// The rate of this number; then the next is tried.
    Steady(Next),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    More,
    Fewer,
}

/// How things stood before the last change.
#[derive(Debug, Clone, Copy)]
struct Before {
    streams: usize,
    rate: f64,
}

#[derive(Debug, Clone, Copy)]
struct Refusal {
    at: Duration,
    /// So many streams were too many.
    streams: usize,
    /// For so long they are not tried again.
    valid: Duration,
}

/// Streams that a worker with this memory has at most.
pub fn ceiling(memory: u64) -> usize {
    usize::try_from(memory / MEMORY_A_STREAM)
        .unwrap_or(MOST)
        .clamp(1, MOST)
}

impl StreamLimit {
    /// A limit that begins with `first` streams, and has at most `most`.
    pub fn new(first: usize, most: usize) -> Self {
        let most = most.max(1);
        let first = first.clamp(1, most);
        Self {
            streams: first,
            first,
            most,
            seen: Sample::default(),
            measure: Measure::From(Duration::ZERO),
            stage: Stage::Start,
            rate: 0.0,
            next_try: Duration::ZERO,
            patience: PATIENCE,
            refusal: None,
        }
    }

    /// The streams of now.
    pub fn streams(&self) -> usize {
        self.streams
    }

    /// Takes what has happened until `now`; the new number of streams, if it changes.
    pub fn tick(&mut self, now: Duration, sample: Sample) -> Option<StreamChange> {
        let before = std::mem::replace(&mut self.seen, sample);
        if sample.busy > before.busy {
            return self.refused(now);
        }
        if sample.stalls > before.stalls {
            return self.take_back(now, self.streams - 1, StreamsReason::Stall);
        }
        if sample.in_use != self.streams {
            // It is not this number that makes the rate.
            self.measure = Measure::From(now + SETTLE);
            return None;
        }
        let rate = self.measured(now)?;
        if rate >= self.rate * BETTER_LINE && matches!(self.stage, Stage::Steady(_)) {
            self.next_try = now;
            self.patience = PATIENCE;
        }
        self.rate = rate;
        match self.stage {
            Stage::Start => self.start(now),
            Stage::Comparison(before) => self.compare(now, before),
            Stage::Steady(next) => self.steady(now, next),
        }
    }

    /// The rate, once it has been measured for long enough.
    fn measured(&mut self, now: Duration) -> Option<f64> {
        match self.measure {
            Measure::From(moment) if now < moment => None,
            Measure::From(_) => {
                self.measure = Measure::Since(now, self.seen);
                None
            }
            // Nothing has moved yet: requests are on their way.
            Measure::Since(_, first) if first.bytes == self.seen.bytes => {
                self.measure = Measure::Since(now, self.seen);
                None
            }
            Measure::Since(since, first) => {
                let span = now.saturating_sub(since);
                let blobs = self.seen.blobs.saturating_sub(first.blobs);
                self.is_enough(span, blobs).then(|| {
                    self.measure = Measure::Since(now, self.seen);
                    let bytes = self.seen.bytes.saturating_sub(first.bytes);
                    bytes as f64 / span.as_secs_f64()
                })
            }
        }
    }

    fn is_enough(&self, span: Duration, blobs: u64) -> bool {
        match self.stage {
            Stage::Start => span >= QUICK_MEASURE,
            _ => {
                let is_told = blobs >= 2 * self.streams as u64;
                span >= MOST_MEASURE || (is_told && span >= LEAST_MEASURE)
            }
        }
    }

    /// Grows at once where connections are slow.
    fn start(&mut self, now: Duration) -> Option<StreamChange> {
        let target = (self.streams * 2).min(QUICK).min(self.most_now(now));
        if self.rate / self.streams as f64 >= FAST_CONNECTION || target <= self.streams {
            self.measure = Measure::From(now + SETTLE);
            self.stage = Stage::Steady(Next::More);
            return None;
        }
        let change = self.change(now, target, StreamsReason::Growth);
        self.measure = Measure::Since(now, self.seen);
        change
    }

    /// Whether the last change was a good one. What was is tried further; what was not is taken back.
    fn compare(&mut self, now: Duration, before: Before) -> Option<StreamChange> {
        let grown = self.rate / before.rate;
        if self.streams > before.streams {
            let most = self.streams as f64 / before.streams as f64;
            if grown - 1.0 >= WORTH * (most - 1.0) {
                self.patience = PATIENCE;
                return self.more(now);
            }
            self.rate = before.rate;
            self.stage = Stage::Steady(Next::Fewer);
            return self.change(now, before.streams, StreamsReason::Plateau);
        }
        if grown >= AS_FAST {
            return self.fewer(now);
        }
        self.rate = before.rate;
        self.rest(now);
        self.change(now, before.streams, StreamsReason::Growth)
    }

    /// Measures on, and tries another number when it is time.
    fn steady(&mut self, now: Duration, next: Next) -> Option<StreamChange> {
        match next {
            Next::Fewer => self.fewer(now),
            Next::More if now >= self.next_try => self.more(now),
            Next::More => None,
        }
    }

    fn more(&mut self, now: Duration) -> Option<StreamChange> {
        let target = (self.streams + self.streams.div_ceil(4)).min(self.most_now(now));
        if target <= self.streams {
            return self.fewer(now);
        }
        self.attempt(now, target, StreamsReason::Growth)
    }

    fn fewer(&mut self, now: Duration) -> Option<StreamChange> {
        let least = self.first.min(self.streams);
        let target = (self.streams - self.streams / 4).max(least);
        if target >= self.streams {
            self.rest(now);
            return None;
        }
        self.attempt(now, target, StreamsReason::Plateau)
    }

    fn attempt(
        &mut self,
        now: Duration,
        streams: usize,
        reason: StreamsReason,
    ) -> Option<StreamChange> {
        self.stage = Stage::Comparison(Before {
            streams: self.streams,
            rate: self.rate,
        });
        self.change(now, streams, reason)
    }

    /// Nothing is tried for a while.
    fn rest(&mut self, now: Duration) {
        self.stage = Stage::Steady(Next::More);
        self.next_try = now + self.patience;
        self.patience = (self.patience * 2).min(MOST_PATIENCE);
    }

    fn most_now(&self, now: Duration) -> usize {
        match self.refusal {
            Some(refusal) if now < refusal.at + refusal.valid => {
                self.most.min(refusal.streams.saturating_sub(1)).max(1)
            }
            _ => self.most,
        }
    }

    /// A hub is too busy: half of the streams are taken back, or those of a growth that is not compared yet.
    fn refused(&mut self, now: Duration) -> Option<StreamChange> {
        if self.streams == 1 {
            // It is not for the number of streams.
            self.next_try = now + PATIENCE;
            return None;
        }
        let last = self.refusal;
        if last.is_some_and(|last| now.saturating_sub(last.at) < ONE_REFUSAL) {
            return None;
        }
        let valid = last.map_or(REFUSED, |last| (last.valid * 2).min(MOST_REFUSED));
        self.refusal = Some(Refusal {
            at: now,
            streams: self.streams,
            valid,
        });
        let fewer = match self.stage {
            Stage::Comparison(before) => before.streams.min(self.streams - 1),
            _ => self.streams / 2,
        };
        self.take_back(now, fewer, StreamsReason::Busy)
    }

    fn take_back(
        &mut self,
        now: Duration,
        streams: usize,
        reason: StreamsReason,
    ) -> Option<StreamChange> {
        self.stage = Stage::Steady(Next::More);
        self.next_try = now + PATIENCE;
        self.change(now, streams.max(1), reason)
    }

    fn change(
        &mut self,
        now: Duration,
        streams: usize,
        reason: StreamsReason,
    ) -> Option<StreamChange> {
        self.measure = Measure::From(now + SETTLE);
        let changed = streams != self.streams;
        self.streams = streams;
        changed.then_some(StreamChange {
            streams,
            reason,
            rate: self.rate,
        })
    }
}

#[cfg(test)]
mod tests;
