//! Slots for workers: as many chunks at a time as workers pay ([`super::worker_limit`]), over all repos of one command. The
//! heaviest waiting chunk gets the next slot. So no worker idles while a repo has work, and no large chunk is left for the end.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tokio::sync::{Semaphore, SemaphorePermit, oneshot, watch};

use super::lifeline::WorkersAtWork;
use super::worker_limit::WorkerLimit;
use crate::ui::worker_events::WorkersEvent;

/// Repos that are committed or verified at a time, beside the chunks: these workers wait for the hubs more than they work.
const FINISHING: usize = 4;

/// The weight of a chunk that was begun before: it goes first.
pub const FIRST: u64 = u64::MAX;

/// The slots of one command.
#[derive(Debug)]
pub struct WorkerSlots {
    line: Arc<Line>,
    finishing: Semaphore,
}

/// The right of one worker to run. Dropping it frees the slot.
#[derive(Debug)]
pub struct Slot(Arc<Line>);

#[derive(Debug)]
struct Line(Mutex<State>);

#[derive(Debug)]
struct State {
    limit: WorkerLimit,
    /// When the first worker moved something.
    since: Option<Instant>,
    /// Bytes that workers have moved.
    moved: u64,
    taken: usize,
    /// The same number, for whoever waits for a change.
    at_work: watch::Sender<u32>,
    asked: u64,
    waiting: BinaryHeap<Waiting>,
}

#[derive(Debug)]
struct Waiting {
    rank: (u64, Reverse<u64>),
    tell: oneshot::Sender<Slot>,
}

impl WorkerSlots {
    /// Slots for so many workers at a time, or for fewer where those are as fast.
    pub fn new(workers: usize) -> Self {
        let state = State {
            limit: WorkerLimit::new(workers),
            since: None,
            moved: 0,
            taken: 0,
            at_work: watch::Sender::new(0),
            asked: 0,
            waiting: BinaryHeap::new(),
        };
        Self {
            line: Arc::new(Line(Mutex::new(state))),
            finishing: Semaphore::new(FINISHING),
        }
    }

    /// Raises the number of workers that there may be to at least so many.
    pub fn raise(&self, workers: usize) {
        self.line.state().limit.raise(workers);
        self.line.give();
    }

    /// The number of workers that there may be.
    pub fn workers(&self) -> usize {
        self.line.state().limit.most()
    }

    /// The number of workers that have a slot now.
    pub fn at_work(&self) -> WorkersAtWork {
        self.line.state().at_work.subscribe()
    }

    /// Takes so many bytes that workers have moved; the new number of slots, if it changes.
    pub fn moved(&self, bytes: u64) -> Option<WorkersEvent> {
        let change = self.line.state().moved(bytes);
        self.line.give();
        change
    }

    /// Waits for a slot for a chunk of this weight. Of chunks of equal weight the first to ask is first.
    pub async fn slot(&self, weight: u64) -> Slot {
        let (tell, given) = oneshot::channel();
        self.line.queue_up(weight, tell);
        match given.await {
            Ok(slot) => slot,
            // A waiting request is in the line, which lives as long as these slots: it always gets a slot.
            Err(_) => std::future::pending().await,
        }
    }

    /// Waits until a repo may be committed and verified.
    pub async fn finishing(&self) -> Option<SemaphorePermit<'_>> {
        // Nobody closes it.
        self.finishing.acquire().await.ok()
    }
}

impl Line {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn queue_up(self: &Arc<Self>, weight: u64, tell: oneshot::Sender<Slot>) {
        let mut state = self.state();
        let rank = (weight, Reverse(state.asked));
        state.asked += 1;
        state.waiting.push(Waiting { rank, tell });
        drop(state);
        self.give();
    }

    /// Gives free slots to waiting requests. A slot whose request is gone is dropped, and so is free again.
    fn give(self: &Arc<Self>) {
        loop {
            let next = self.state().next();
            let Some(next) = next else { return };
            let _ = next.tell.send(Slot(self.clone()));
        }
    }
}

impl State {
    fn moved(&mut self, bytes: u64) -> Option<WorkersEvent> {
        self.moved += bytes;
        let now = self.since.get_or_insert_with(Instant::now).elapsed();
        let waiting = self.waiting.len();
        self.limit.tick(now, self.moved, self.taken, waiting)
    }

    fn take(&mut self, slots: usize) {
        self.taken = slots;
        let workers = u32::try_from(slots).unwrap_or(u32::MAX);
        self.at_work.send_replace(workers);
    }

    fn next(&mut self) -> Option<Waiting> {
        while self.taken < self.limit.workers() {
            let next = self.waiting.pop()?;
            if !next.tell.is_closed() {
                self.take(self.taken + 1);
                return Some(next);
            }
        }
        None
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut state = self.0.state();
        let taken = state.taken - 1;
        state.take(taken);
        drop(state);
        self.0.give();
    }
}

impl PartialEq for Waiting {
    fn eq(&self, other: &Self) -> bool {
        self.rank == other.rank
    }
}

impl Eq for Waiting {}

impl PartialOrd for Waiting {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Waiting {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.rank.cmp(&other.rank)
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use futures_util::future::BoxFuture;

    use super::*;

    /// Asks for slots for these weights, in this order; none is given while `slots` is full.
    fn asked(slots: &WorkerSlots, weights: [u64; 4]) -> Vec<(u64, BoxFuture<'_, Slot>)> {
        let asked = weights.map(|weight| {
            let mut turn = slots.slot(weight).boxed();
            assert!((&mut turn).now_or_never().is_none());
            (weight, turn)
        });
        asked.into_iter().collect()
    }

    /// The requests that have a slot now.
    fn given(asked: &mut Vec<(u64, BoxFuture<'_, Slot>)>) -> Vec<(u64, Slot)> {
        let mut given = Vec::new();
        asked.retain_mut(|(weight, turn)| match turn.now_or_never() {
            Some(turn) => {
                given.push((*weight, turn));
                false
            }
            None => true,
        });
        given
    }

    #[test]
    fn the_heaviest_is_next_and_only_as_many_as_there_are_workers() {
        let slots = WorkerSlots::new(1);
        let mut first = slots.slot(1).now_or_never();
        let mut asked = asked(&slots, [5, 9, FIRST, 7]);
        let mut order = Vec::new();
        for _ in 0..4 {
            drop(first.take());
            let mut now = given(&mut asked);
            assert_eq!(now.len(), 1);
            let (weight, turn) = now.remove(0);
            order.push(weight);
            first = Some(turn);
        }
        assert_eq!(order, [FIRST, 9, 7, 5]);
    }

    #[test]
    fn who_asks_hears_how_many_have_a_slot() {
        let slots = WorkerSlots::new(2);
        let at_work = slots.at_work();
        let first = slots.slot(1).now_or_never();
        let second = slots.slot(1).now_or_never();
        assert_eq!(*at_work.borrow(), 2);
        drop((first, second));
        assert_eq!(*at_work.borrow(), 0);
    }

    #[test]
    fn who_gave_up_holds_no_place() {
        let slots = WorkerSlots::new(1);
        let first = slots.slot(1).now_or_never();
        let mut asked = asked(&slots, [5, 9, 8, 7]);
        drop(asked.remove(1));
        drop(first);
        // Told, but dropped before it looked.
        drop(asked.remove(1));
        assert_eq!(
            given(&mut asked)
                .iter()
                .map(|(weight, _)| *weight)
                .collect::<Vec<_>>(),
            [7]
        );
    }

    #[test]
    fn more_workers_make_more_places_and_fewer_none_less() {
        let slots = WorkerSlots::new(1);
        let _first = slots.slot(1).now_or_never();
        let mut asked = asked(&slots, [4, 3, 2, 1]);
        slots.raise(3);
        let two = given(&mut asked);
        assert_eq!(
            two.iter().map(|(weight, _)| *weight).collect::<Vec<_>>(),
            [4, 3]
        );
        slots.raise(1);
        assert_eq!((slots.workers(), given(&mut asked).len()), (3, 0));
    }
}
