//! One container of the simulation: which files of its chunk wait, are prepared, and move.
//!
//! Its files share its rate evenly, so each has moved as much as any other since both began. `mark` counts that, and a
//! file ends at the mark where it began plus its size: no file is touched until it ends, however the rate changes. The meter
//! counts seconds, slowed down as much as the line that all share slows the container down.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use fastrand::Rng;

use super::model::Model;

/// A number that can be a key: no NaN gets in here.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Key(pub f64);

impl Eq for Key {}

impl Ord for Key {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.total_cmp(&other.0)
    }
}

impl PartialOrd for Key {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

/// A chunk, or what is left of it.
#[derive(Debug, Clone, Default)]
pub struct Load {
    /// The files' sizes, in their order.
    pub files: VecDeque<u64>,
    /// Containers that died of it.
    pub deaths: u32,
}

/// One place for a container; when one dies, the next takes it.
#[derive(Debug)]
pub struct Container {
    /// When the one that is here was asked for.
    pub begun: f64,
    /// Which one is here: what was expected of an earlier one does not happen.
    pub life: u32,
    /// Which of the ends expected of it is the last word.
    pub version: u32,
    /// Its chances.
    pub luck: Rng,
    model: Model,
    load: Load,
    prepared: VecDeque<u64>,
    moving: BinaryHeap<Reverse<(Key, u64)>>,
    mark: f64,
    meter: f64,
}

impl Container {
    /// A place with nothing in it.
    pub fn new(model: &Model, luck: Rng) -> Self {
        Self {
            begun: 0.0,
            life: 0,
            version: 0,
            luck,
            model: *model,
            load: Load::default(),
            prepared: VecDeque::new(),
            moving: BinaryHeap::new(),
            mark: 0.0,
            meter: 0.0,
        }
    }

    /// It is given a chunk.
    pub fn take(&mut self, load: Load) {
        self.load = load;
    }

    /// Whether it has nothing left to do.
    pub fn is_idle(&self) -> bool {
        self.load.files.is_empty() && self.prepared.is_empty() && self.moving.is_empty()
    }

    /// Bytes a second that it moves where nothing but itself limits it.
    pub fn rate(&self) -> f64 {
        match self.moving.len() {
            0 => 0.0,
            files => self.model.rate_of(files),
        }
    }

    /// Begins another file if one waits and a stream is free; says whether it did.
    pub fn prepare(&mut self) -> bool {
        if self.prepared.len() + self.moving.len() >= self.model.streams.max(1) {
            return false;
        }
        let next = self.load.files.pop_front();
        self.prepared.extend(next);
        next.is_some()
    }

    /// The file that was prepared first moves from now on.
    pub fn start_file(&mut self, meter: f64) {
        self.catch_up(meter);
        if let Some(size) = self.prepared.pop_front() {
            self.moving
                .push(Reverse((Key(self.mark + size as f64), size)));
        }
    }

    /// The file that ends first has ended.
    pub fn end_file(&mut self, meter: f64) {
        self.catch_up(meter);
        self.moving.pop();
    }

    /// Where the meter stands when its next file ends, if its files stay as they are.
    pub fn next_end(&self) -> Option<f64> {
        let Reverse((Key(end), _)) = self.moving.peek()?;
        Some(self.meter + (end - self.mark).max(0.0) / self.rate_of_file())
    }

    /// It dies: what is left of its chunk, the largest first again, and the bytes that moved in vain.
    pub fn die(&mut self, meter: f64) -> (Load, f64) {
        self.catch_up(meter);
        let mut load = std::mem::take(&mut self.load);
        let mut vain = 0.0;
        for Reverse((Key(end), size)) in self.moving.drain() {
            vain += size as f64 - (end - self.mark).max(0.0);
            load.files.push_back(size);
        }
        load.files.extend(self.prepared.drain(..));
        load.files
            .make_contiguous()
            .sort_unstable_by_key(|size| Reverse(*size));
        load.deaths += 1;
        (load, vain)
    }

    fn rate_of_file(&self) -> f64 {
        self.rate() / self.moving.len() as f64
    }

    fn catch_up(&mut self, meter: f64) {
        if !self.moving.is_empty() {
            self.mark += (meter - self.meter) * self.rate_of_file();
        }
        self.meter = meter;
    }
}
