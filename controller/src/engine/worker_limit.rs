//! How many workers pay: a limit that doubles while the sum of their rates grows with it, and goes back when it does not. It
//! decides by what it is told, the time included; [`super::slots`] lets as many work. How many files each of them moves at a
//! time is a decision of the worker (`hf2ms_worker::transfer::streams`).

use std::time::Duration;

use crate::ui::worker_events::WorkersEvent;

/// So many workers begin at once.
const FIRST: usize = 4;
/// Workers that were added start, connect and find their own number of streams for so long: their rate says nothing yet.
const SETTLE: Duration = Duration::from_secs(3);
/// The rate is measured for so long.
const MEASURE: Duration = Duration::from_secs(4);
/// More workers are kept where the sum of their rates is so many times what it was.
const WORTH: f64 = 1.1;
/// After workers were added in vain it is tried again so much later, which doubles each time: the line may be a better one by then.
const PATIENCE: Duration = Duration::from_secs(120);

/// The number of workers, from a few to the number that was asked for. Times are those since the first worker began.
#[derive(Debug, Clone)]
pub struct WorkerLimit {
    workers: usize,
    most: usize,
    /// The rate and the number before the last growth, while it is not known whether that was worth it.
    before: Option<(usize, f64)>,
    measure: Option<Measure>,
    next_try: Duration,
    patience: Duration,
}

#[derive(Debug, Clone, Copy)]
enum Measure {
    /// Workers settle until this moment.
    From(Duration),
    /// Measured since this moment, when so many bytes had moved.
    Since(Duration, u64),
}

impl WorkerLimit {
    /// At most so many.
    pub fn new(most: usize) -> Self {
        let most = most.max(1);
        Self {
            workers: FIRST.min(most),
            most,
            before: None,
            measure: None,
            next_try: Duration::ZERO,
            patience: PATIENCE,
        }
    }

    /// Raises the number that there may be at most.
    pub fn raise(&mut self, most: usize) {
        self.most = self.most.max(most);
        self.workers = self.workers.max(FIRST.min(self.most));
    }

    /// The workers of now.
    pub fn workers(&self) -> usize {
        self.workers
    }

    /// The workers that there may be at most.
    pub fn most(&self) -> usize {
        self.most
    }

    /// Takes the bytes that all have moved until `now`, and how many work and wait for a slot; the new number, if it changes.
    pub fn tick(
        &mut self,
        now: Duration,
        bytes: u64,
        working: usize,
        waiting: usize,
    ) -> Option<WorkersEvent> {
        if working != self.workers || waiting == 0 {
            // It is not this limit that makes the rate.
            self.measure = None;
            return None;
        }
        match *self.measure.get_or_insert(Measure::From(now + SETTLE)) {
            Measure::From(moment) if now < moment => None,
            Measure::From(_) => {
                self.measure = Some(Measure::Since(now, bytes));
                None
            }
            Measure::Since(since, _) if now - since < MEASURE => None,
            Measure::Since(since, first) => {
                self.measure = Some(Measure::Since(now, bytes));
                self.decide(now, (bytes - first) as f64 / (now - since).as_secs_f64())
            }
        }
    }

    fn decide(&mut self, now: Duration, rate: f64) -> Option<WorkersEvent> {
        if let Some((workers, before)) = self.before.take() {
            if rate < before * WORTH {
                self.next_try = now + self.patience;
                self.patience *= 2;
                return Some(self.change(workers, before, true));
            }
            self.patience = PATIENCE;
        }
        let more = (self.workers * 2).min(self.most);
        if more == self.workers || now < self.next_try || rate <= 0.0 {
            return None;
        }
        self.before = Some((self.workers, rate));
        Some(self.change(more, rate, false))
    }

    fn change(&mut self, workers: usize, rate: f64, enough: bool) -> WorkersEvent {
        self.workers = workers;
        self.measure = None;
        WorkersEvent {
            workers,
            most: self.most,
            enough,
            bytes_per_second: rate as u64,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Ticks each second of so many; each worker moves `each` bytes a second, and all together `line` at most.
    fn after(
        limit: &mut WorkerLimit,
        seconds: std::ops::Range<u64>,
        bytes: &mut u64,
        (each, line): (u64, u64),
    ) -> Vec<WorkersEvent> {
        let mut changes = Vec::new();
        for second in seconds {
            let working = limit.workers();
            *bytes += (each * working as u64).min(line);
            changes.extend(limit.tick(Duration::from_secs(second), *bytes, working, 1));
        }
        changes
    }

    #[test]
    fn the_number_doubles_while_the_sum_grows() {
        let mut limit = WorkerLimit::new(100);
        let changes = after(&mut limit, 0..100, &mut 0, (10, u64::MAX));
        let workers: Vec<_> = changes.iter().map(|change| change.workers).collect();
        assert_eq!(workers, [8, 16, 32, 64, 100]);
        assert!(changes.iter().all(|change| !change.enough));
        assert_eq!(changes[1].bytes_per_second, 80);
    }

    #[test]
    fn workers_that_bring_nothing_are_not_kept_and_it_is_said() {
        let (mut limit, mut bytes) = (WorkerLimit::new(100), 0);
        let changes = after(&mut limit, 0..100, &mut bytes, (10, 100));
        let workers: Vec<_> = changes.iter().map(|change| change.workers).collect();
        // 8 bring 80, 16 bring 100; 32 bring no more than those.
        assert_eq!(workers, [8, 16, 32, 16]);
        let enough = changes[3];
        assert_eq!(
            (enough.enough, enough.bytes_per_second, enough.most),
            (true, 100, 100)
        );
        let later = after(&mut limit, 100..400, &mut bytes, (10, 1000));
        assert_eq!(limit.workers(), 100, "a better line: {later:?}");
    }

    #[test]
    fn few_begin_at_once_and_more_may_be_asked_for_later() {
        assert_eq!(WorkerLimit::new(3).workers(), 3);
        let mut limit = WorkerLimit::new(1);
        limit.raise(8);
        assert_eq!((limit.workers(), limit.most()), (4, 8));
        limit.raise(2);
        assert_eq!((limit.workers(), limit.most()), (4, 8));
    }

    #[test]
    fn a_rate_that_others_limit_says_nothing() {
        let mut limit = WorkerLimit::new(100);
        for second in 0..100 {
            let (working, waiting) = if second % 2 == 0 { (3, 9) } else { (4, 0) };
            let now = Duration::from_secs(second);
            assert_eq!(limit.tick(now, second * 40, working, waiting), None);
        }
    }

    proptest! {
        #[test]
        fn the_number_keeps_its_bounds(most in 1..120_usize, each in 0..50_u64, line in 1..5000_u64) {
            let (mut limit, mut bytes) = (WorkerLimit::new(most), 0);
            for change in after(&mut limit, 0..1000, &mut bytes, (each, line)) {
                prop_assert!((1..=most).contains(&change.workers));
            }
        }
    }
}
