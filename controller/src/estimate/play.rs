//! The simulation of a plan by discrete events. Two kinds of things happen: some at a time (a container is
//! ready, a file is prepared, a container dies), and files end when enough bytes have moved, whenever that is.
//!
//! The line that all share slows all down by the same factor, so one meter serves all: it counts seconds, slowed down like
//! the containers. An end is expected at a reading of the meter, and no other's coming or going changes that.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::fmt;

use fastrand::Rng;
use serde::Serialize;

use super::container::{Container, Key, Load};
use super::model::Model;
use crate::engine::job::ATTEMPTS;

/// A simulation in which more containers die than this does not end.
const MOST_LOST: u64 = 100_000;

/// The result of a simulation.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct PlayResult {
    /// Seconds from the start to the end of the last file.
    pub seconds: f64,
    /// Seconds that containers ran, added up.
    pub container_seconds: f64,
    /// Containers that died.
    pub lost: u64,
    /// Bytes that were lost, because their container died.
    pub vain: f64,
    /// Chunks on which as many containers died as a run allows: a second run would move them.
    pub given_up: u64,
}

/// Containers die so fast that no file gets through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Endless;

impl fmt::Display for Endless {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{MOST_LOST} containers died and the work was not done: give them a longer life"
        )
    }
}

/// Plays chunks of files (sizes, in the order in which they are taken) on the model's containers.
///
/// # Errors
/// It would not end.
pub fn play(chunks: &[Vec<u64>], model: &Model) -> Result<PlayResult, Endless> {
    let mut world = World::new(chunks, model);
    while world.step() {
        if world.played.lost > MOST_LOST {
            return Err(Endless);
        }
    }
    Ok(world.played)
}

/// The kind of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum What {
    Ready,
    Prepared,
    Died,
}

/// What is expected at a time: of which place, and of which container there. The number keeps the order of equal times.
type Expected = Reverse<(Key, u64, usize, u32, What)>;

struct World<'a> {
    model: &'a Model,
    queue: VecDeque<Load>,
    containers: Vec<Container>,
    now: f64,
    meter: f64,
    /// Bytes a second that the containers would move if no line limited them.
    wanted: f64,
    clock: BinaryHeap<Expected>,
    ends: BinaryHeap<Reverse<(Key, usize, u32)>>,
    count: u64,
    played: PlayResult,
}

impl<'a> World<'a> {
    fn new(chunks: &[Vec<u64>], model: &'a Model) -> Self {
        let queue: VecDeque<Load> = chunks
            .iter()
            .map(|files| Load {
                files: files.iter().copied().collect(),
                deaths: 0,
            })
            .collect();
        let places = model.containers.min(queue.len());
        // Each place has random numbers of its own, so that two plans meet the same ones.
        let mut chances = Rng::with_seed(model.seed);
        let containers = (0..places)
            .map(|_| Container::new(model, chances.fork()))
            .collect();
        let (clock, ends) = (BinaryHeap::new(), BinaryHeap::new());
        let mut world = Self {
            model,
            queue,
            containers,
            now: 0.0,
            meter: 0.0,
            wanted: 0.0,
            clock,
            ends,
            count: 0,
            played: PlayResult::default(),
        };
        (0..places).for_each(|place| world.ask_for(place));
        world
    }

    /// Lets the next thing happen; false when nothing is expected any more.
    fn step(&mut self) -> bool {
        self.forget_what_will_not_happen();
        let event = self.clock.peek().map(|Reverse((Key(at), ..))| *at);
        let end = self
            .ends
            .peek()
            .map(|Reverse((Key(end), ..))| self.now + (end - self.meter).max(0.0) / self.pace());
        match (event, end) {
            (None, None) => return false,
            (_, Some(end)) if event.is_none_or(|event| end <= event) => self.end_file(end),
            (_, _) => self.happen(),
        }
        true
    }

    /// The part of its own rate that each container has now.
    fn pace(&self) -> f64 {
        if self.wanted > self.model.total_rate {
            self.model.total_rate / self.wanted
        } else {
            1.0
        }
    }

    fn forget_what_will_not_happen(&mut self) {
        while self
            .clock
            .peek()
            .is_some_and(|Reverse((_, _, place, life, _))| self.containers[*place].life != *life)
        {
            self.clock.pop();
        }
        while self
            .ends
            .peek()
            .is_some_and(|Reverse((_, place, version))| self.containers[*place].version != *version)
        {
            self.ends.pop();
        }
    }

    fn end_file(&mut self, at: f64) {
        let Some(Reverse((Key(meter), place, _))) = self.ends.pop() else {
            return;
        };
        self.now = at;
        self.meter = self.meter.max(meter);
        self.played.seconds = at;
        self.change(place, |container, meter| container.end_file(meter));
        self.refill(place);
    }

    fn happen(&mut self) {
        let Some(Reverse((Key(at), _, place, _, what))) = self.clock.pop() else {
            return;
        };
        self.meter += (at - self.now) * self.pace();
        self.now = at;
        match what {
            What::Ready => self.refill(place),
            What::Prepared => {
                self.change(place, |container, meter| container.start_file(meter));
                self.expect_end(place);
            }
            What::Died => self.die(place),
        }
    }

    /// Changes which of a container's files move, and so what all want of the line.
    fn change<T>(&mut self, place: usize, change: impl FnOnce(&mut Container, f64) -> T) -> T {
        let container = &mut self.containers[place];
        let before = container.rate();
        let changed = change(container, self.meter);
        self.wanted = (self.wanted + container.rate() - before).max(0.0);
        changed
    }

    /// Gives every free stream a file, of the next chunk if this one is done; a container that finds none ends.
    fn refill(&mut self, place: usize) {
        loop {
            while self.containers[place].prepare() {
                self.expect(self.now + self.model.file_seconds, place, What::Prepared);
            }
            if !self.containers[place].is_idle() {
                return self.expect_end(place);
            }
            match self.queue.pop_front() {
                Some(load) => self.containers[place].take(load),
                None => return self.leave(place),
            }
        }
    }

    fn ask_for(&mut self, place: usize) {
        let container = &mut self.containers[place];
        container.begun = self.now;
        container.life += 1;
        // The inverse of the exponential distribution; `f64()` is below 1.
        let life = -self.model.lifetime * (1.0 - container.luck.f64()).ln();
        self.expect(self.now + self.model.startup, place, What::Ready);
        if self.model.lifetime.is_finite() {
            self.expect(self.now + life, place, What::Died);
        }
    }

    fn die(&mut self, place: usize) {
        let (load, vain) = self.change(place, |container, meter| container.die(meter));
        self.leave(place);
        self.played.lost += 1;
        self.played.vain += vain;
        self.played.given_up += u64::from(load.deaths == ATTEMPTS && !load.files.is_empty());
        if !load.files.is_empty() {
            self.queue.push_front(load);
        }
        self.ask_for(place);
    }

    /// The container is there no more.
    fn leave(&mut self, place: usize) {
        let container = &mut self.containers[place];
        container.life += 1;
        container.version += 1;
        self.played.container_seconds += self.now - container.begun;
    }

    fn expect(&mut self, at: f64, place: usize, what: What) {
        self.count += 1;
        self.clock.push(Reverse((
            Key(at),
            self.count,
            place,
            self.containers[place].life,
            what,
        )));
    }

    fn expect_end(&mut self, place: usize) {
        let container = &mut self.containers[place];
        container.version += 1;
        if let Some(meter) = container.next_end() {
            self.ends
                .push(Reverse((Key(meter), place, container.version)));
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::model::tests::plain;
    use super::*;

    fn seconds(chunks: &[Vec<u64>], model: Model) -> f64 {
        let seconds = play(chunks, &model).unwrap().seconds;
        (seconds * 1e6).round() / 1e6
    }

    #[test]
    fn each_container_takes_the_next_chunk_when_it_is_free() {
        assert_eq!(seconds(&[vec![60], vec![50], vec![20, 10]], plain()), 8.0);
        assert_eq!(seconds(&[vec![60, 60], vec![10], vec![10]], plain()), 12.0);
        assert_eq!(seconds(&[], plain()), 0.0);
    }

    #[test]
    fn files_at_once_share_their_container_and_containers_share_the_line() {
        let wide = Model {
            streams: 8,
            ..plain()
        };
        assert_eq!(seconds(&[vec![60, 30, 10]], wide), 10.0);
        let narrow = Model {
            total_rate: 12.0,
            ..plain()
        };
        // Both at 6 a second for 10 s; then the longer one alone, at 10.
        assert_eq!(seconds(&[vec![100], vec![60]], narrow), 14.0);
    }

    #[test]
    fn a_file_is_no_faster_than_its_stream() {
        let slow = Model {
            stream_rate: 2.0,
            streams: 8,
            ..plain()
        };
        assert_eq!(seconds(&[vec![20, 20, 20]], slow), 10.0, "6 a second");
        // Eight files share the 10 of the container. The two that wait for a stream move at 2 a second each.
        assert_eq!(seconds(&[vec![10; 10]], slow), 13.0);
        let narrow = Model {
            total_rate: 6.0,
            ..slow
        };
        // The line halves what both want: 8 and 4 a second.
        assert_eq!(seconds(&[vec![20; 4], vec![20; 2]], narrow), 20.0);
    }

    #[test]
    fn starting_and_asking_take_their_time() {
        assert_eq!(
            seconds(
                &[vec![10, 10]],
                Model {
                    startup: 3.0,
                    file_seconds: 2.0,
                    ..plain()
                }
            ),
            9.0
        );
        // With two streams the second file's requests overlap the first: both move from 2 s on.
        assert_eq!(
            seconds(
                &[vec![10, 10]],
                Model {
                    file_seconds: 2.0,
                    streams: 2,
                    ..plain()
                }
            ),
            4.0
        );
        let played = play(
            &[vec![10], vec![30]],
            &Model {
                startup: 1.0,
                ..plain()
            },
        )
        .unwrap();
        assert_eq!(
            (played.seconds, played.container_seconds),
            (4.0, 6.0),
            "one ends after 2 s, the other after 4"
        );
    }

    #[test]
    fn a_dead_containers_chunk_is_redone_without_what_was_stored() {
        let mortal = Model {
            lifetime: 200.0,
            ..plain()
        };
        let chunks = vec![vec![100; 20]; 8];
        let played = play(&chunks, &mortal).unwrap();
        assert!(played.lost > 0 && played.vain > 0.0);
        // Nothing is stored twice, so at most one file moves in vain for each container that died.
        assert!(played.vain <= 100.0 * played.lost as f64, "{played:?}");
        let alone = play(&chunks, &plain()).unwrap();
        let more = played.container_seconds - alone.container_seconds;
        assert!(
            (more - played.vain / 10.0).abs() < 1e-6,
            "only what moved in vain takes longer: {played:?}"
        );
    }

    #[test]
    fn the_same_seed_gives_the_same_game() {
        let game = |seed| {
            play(
                &vec![vec![100; 20]; 8],
                &Model {
                    lifetime: 200.0,
                    seed,
                    ..plain()
                },
            )
            .unwrap()
        };
        assert_eq!(game(7), game(7));
        assert_ne!(game(7), game(8));
    }

    #[test]
    fn a_game_without_end_is_given_up() {
        assert_eq!(
            play(
                &[vec![1_000_000]],
                &Model {
                    lifetime: 1.0,
                    ..plain()
                }
            ),
            Err(Endless)
        );
    }

    proptest! {
        #[test]
        fn no_game_beats_the_bound_and_no_container_idles(chunks in proptest::collection::vec(proptest::collection::vec(1..1000_u64, 1..20), 1..20),
                containers in 1..9_usize, streams in 1..9_usize, total in prop_oneof![Just(f64::INFINITY), 5.0..50.0]) {
            let model = Model { containers, streams, total_rate: total, startup: 1.0, file_seconds: 0.5, ..plain() };
            let sizes: Vec<u64> = chunks.iter().flatten().copied().collect();
            let played = play(&chunks, &model).unwrap();
            prop_assert!(played.seconds >= model.lower_bound(&sizes) - 1e-6, "{played:?}");
            // List scheduling: a chunk waits for a container only while all work.
            let bytes: f64 = sizes.iter().sum::<u64>() as f64;
            let alone = bytes / model.capacity(1).min(total / containers as f64) + 0.5 * sizes.len() as f64;
            prop_assert!(played.seconds <= 1.0 + alone + 1e-6, "{played:?}");
        }
    }
}
