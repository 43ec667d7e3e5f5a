//! The limit on lines that are played: blobs go by streams, each with a rate and a buffer of its own, over a line that all share.

use proptest::prelude::*;

use super::*;

const TICK: Duration = Duration::from_millis(100);
const MB: f64 = 1e6;

/// A blob on its way: bytes that the system has taken of it, and bytes that the hub has.
#[derive(Clone, Copy, Default)]
struct Upload {
    taken: f64,
    stored: f64,
}

/// A line and a limit on it.
struct Played {
    limit: StreamLimit,
    sample: Sample,
    now: Duration,
    changes: Vec<(Duration, StreamChange)>,
    uploads: Vec<Upload>,
    sent: f64,
    stored: f64,
    /// Bytes a second of a stream, and of all.
    each: f64,
    line: f64,
    /// Bytes of a blob.
    blob: f64,
    /// Bytes that the system takes of a blob before the hub has them.
    buffer: f64,
    /// More streams than this are refused.
    at_once: usize,
    /// There is work for so many.
    most_used: usize,
}

impl Played {
    fn new(each: f64, line: f64, blob: f64) -> Self {
        Self {
            limit: StreamLimit::new(8, MOST),
            sample: Sample::default(),
            now: Duration::ZERO,
            changes: Vec::new(),
            uploads: Vec::new(),
            sent: 0.0,
            stored: 0.0,
            each,
            line,
            blob,
            buffer: 4.0 * MB,
            at_once: usize::MAX,
            most_used: usize::MAX,
        }
    }

    /// Plays so many seconds; a rate is off by up to `noise` of itself, as `random` says. Returns the rate that the hub saw.
    fn play(&mut self, seconds: u64, noise: f64, mut random: impl FnMut() -> f64) -> f64 {
        let before = self.stored;
        for _ in 0..seconds * 10 {
            self.now += TICK;
            self.flow(noise, &mut random);
            self.sample.bytes = self.sent as u64;
            self.sample.in_use = self
                .uploads
                .len()
                .max(self.limit.streams())
                .min(self.most_used);
            self.sample.busy += u64::from(self.limit.streams() > self.at_once);
            if let Some(change) = self.limit.tick(self.now, self.sample) {
                assert_eq!(change.streams, self.limit.streams());
                self.changes.push((self.now, change));
            }
        }
        (self.stored - before) / seconds as f64
    }

    fn flow(&mut self, noise: f64, random: &mut impl FnMut() -> f64) {
        let streams = self.limit.streams();
        while self.uploads.len() < streams {
            self.uploads.push(Upload::default());
        }
        let moving = self.uploads.len().min(self.at_once) as f64;
        let each = self.each.min(self.line / moving) * TICK.as_secs_f64();
        for upload in self.uploads.iter_mut().take(self.at_once) {
            let stored = each * (1.0 + noise * (2.0 * random() - 1.0));
            upload.stored = (upload.stored + stored).min(self.blob);
            self.stored += stored;
            let taken = (upload.stored + self.buffer).min(self.blob);
            self.sent += taken - upload.taken;
            upload.taken = taken;
        }
        let before = self.uploads.len();
        self.uploads.retain(|upload| upload.stored < self.blob);
        self.sample.blobs += (before - self.uploads.len()) as u64;
    }

    fn quietly(&mut self, seconds: u64) -> f64 {
        let mut random = fastrand::Rng::with_seed(1);
        self.play(seconds, 0.02, || random.f64())
    }

    /// What the line could carry.
    fn most(&self) -> f64 {
        (MOST as f64 * self.each).min(self.line)
    }

    fn numbers(&self) -> Vec<usize> {
        let numbers = self.changes.iter().map(|(_, change)| change.streams);
        numbers.collect()
    }
}

#[test]
fn slow_connections_get_company_at_once_and_as_much_as_makes_the_worker_faster() {
    let mut played = Played::new(4.0 * MB, f64::INFINITY, 16.0 * MB);
    played.quietly(2);
    assert_eq!(played.numbers(), [16, 32]);
    played.quietly(60);
    assert!(played.numbers().contains(&MOST) && played.limit.streams() >= 48);
}

#[test]
fn a_fast_connection_gets_none_where_the_first_ones_fill_the_line() {
    let mut played = Played::new(1000.0 * MB, 1000.0 * MB, 1000.0 * MB);
    played.quietly(300);
    assert!((8..=10).contains(&played.limit.streams()));
    assert!(played.changes.len() < 30, "{:?}", played.numbers());
}

#[test]
fn streams_that_a_full_line_does_not_need_are_taken_back() {
    let mut played = Played::new(100.0 * MB, 100.0 * MB, 8.0 * MB);
    let rate = played.quietly(120);
    assert!(rate > 0.95 * played.line);
    assert!(played.limit.streams() <= 12, "{:?}", played.numbers());
}

#[test]
fn a_busy_hub_takes_half_and_is_not_asked_for_as_many_again_soon() {
    let mut played = Played::new(4.0 * MB, f64::INFINITY, 16.0 * MB);
    played.at_once = 4;
    played.quietly(1);
    assert_eq!(played.numbers(), [4]);
    assert_eq!(played.changes[0].1.reason, StreamsReason::Busy);
    played.quietly(600);
    let refused = |change: &&(Duration, StreamChange)| change.1.reason == StreamsReason::Busy;
    let refusals = played.changes.iter().filter(refused).count();
    assert!(refusals <= 7, "{:?}", played.changes);
    assert!((2..=5).contains(&played.limit.streams()));
}

#[test]
fn a_stream_that_stalls_costs_only_its_own_slot() {
    let mut played = Played::new(4.0 * MB, f64::INFINITY, 16.0 * MB);
    played.quietly(2);
    played.sample.stalls += 1;
    played.quietly(1);
    let last = played.changes.last().unwrap().1;
    assert_eq!((last.streams, last.reason), (31, StreamsReason::Stall));
    played.quietly(60);
    assert!(played.numbers().contains(&MOST), "more are tried again");
}

#[test]
fn streams_that_are_not_used_do_not_grow() {
    let mut played = Played::new(4.0 * MB, f64::INFINITY, 16.0 * MB);
    played.most_used = 7;
    played.quietly(60);
    assert!(played.changes.is_empty());
}

#[test]
fn a_line_that_halves_and_comes_back_is_full_again() {
    let mut played = Played::new(4.0 * MB, 100.0 * MB, 16.0 * MB);
    assert!(played.quietly(30) > 0.85 * played.most());
    for line in [50.0, 100.0, 50.0, 200.0] {
        played.line = line * MB;
        played.quietly(90);
        let rate = played.quietly(30);
        assert!(rate > 0.85 * played.most(), "{line}: {:?}", played.changes);
    }
}

#[test]
fn a_worker_of_little_memory_has_few_streams() {
    let ceilings = [1, 8 << 20, 128 << 20, 1 << 40].map(ceiling);
    assert_eq!(ceilings, [1, 2, 32, 64]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_number_stays_within_its_bounds(most in 1..200_usize, ticks in prop::collection::vec((0..50_000_000_u64, 0..20_u8), 1..400)) {
        let mut limit = StreamLimit::new(8, most);
        let (mut sample, mut now) = (Sample::default(), Duration::ZERO);
        for (bytes, what) in ticks {
            now += TICK;
            sample.bytes += bytes;
            sample.blobs += bytes / 10_000_000;
            sample.busy += u64::from(what == 0);
            sample.stalls += u64::from(what == 1);
            let before = limit.streams();
            sample.in_use = before - usize::from(what == 2);
            let change = limit.tick(now, sample);
            prop_assert!((1..=most).contains(&limit.streams()));
            prop_assert_eq!(change.is_some(), before != limit.streams());
            if what < 2 {
                prop_assert!(limit.streams() <= before);
            }
        }
    }

    #[test]
    fn a_refusal_takes_streams_back(seconds in 0..60_u64, each in 0.1..100.0, line in 1.0..1000.0) {
        let mut played = Played::new(each * MB, line * MB, 16.0 * MB);
        played.quietly(seconds);
        let before = played.limit.streams();
        played.sample.busy += 1;
        played.limit.tick(played.now + TICK, played.sample);
        prop_assert!(played.limit.streams() < before);
    }

    #[test]
    fn a_steady_line_is_filled_and_the_number_rests(each in 1.0..50.0, wide in 1.0..100.0, blob in 4.0..200.0, seed in any::<u64>()) {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut played = Played::new(each * MB, each * wide * MB, blob * MB);
        played.play(120, 0.03, || random.f64());
        let settled = played.changes.len();
        let rate = played.play(300, 0.03, || random.f64());
        prop_assert!(rate >= 0.8 * played.most(), "{rate} {:?}", played.numbers());
        // More and fewer are tried each 40 s.
        prop_assert!(played.changes.len() - settled <= 60, "{:?}", played.numbers());
    }

    #[test]
    fn what_a_hub_takes_is_found(at_once in 1..80_usize, each in 1.0..30.0) {
        let mut played = Played::new(each * MB, f64::INFINITY, 16.0 * MB);
        played.at_once = at_once;
        played.quietly(240);
        let streams = played.limit.streams();
        prop_assert!(streams * 2 >= at_once.min(MOST) && streams <= at_once + at_once.div_ceil(4), "{streams} of {at_once}: {:?}", played.numbers());
    }
}
