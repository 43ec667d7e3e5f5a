//! The slots of one worker's streams: so many blobs move at a time as [`super::streams`] decides, and the others wait. A slot may
//! be shared by several small blobs, whose time is that of their requests and not of their bytes.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hf2ms_hub::Result;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::streams::{Sample, StreamLimit};
use crate::events::Events;

/// So many slots, whose number may change.
#[derive(Debug)]
pub struct StreamGate {
    /// Parts of slots.
    free: Arc<Semaphore>,
    /// Parts that are taken back as soon as those who have them leave.
    owed: Arc<AtomicUsize>,
    streams: Mutex<usize>,
    /// Small blobs that share a slot.
    parts: usize,
}

/// How much of a slot a blob takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SlotShare {
    /// All of it.
    Whole,
    /// The part of a small blob.
    Part,
}

/// A slot or a part of one, until dropped.
#[derive(Debug)]
pub struct StreamSlot {
    permit: Option<OwnedSemaphorePermit>,
    share: SlotShare,
    owed: Arc<AtomicUsize>,
}

impl StreamGate {
    /// A gate of so many slots, each for one blob or for so many small ones.
    pub fn new(streams: usize, small_a_slot: usize) -> Self {
        let parts = small_a_slot.max(1);
        Self {
            free: Arc::new(Semaphore::new(streams * parts)),
            owed: Arc::default(),
            streams: Mutex::new(streams),
            parts,
        }
    }

    /// Waits for a slot, or for a part of one.
    pub async fn enter(&self, share: SlotShare) -> StreamSlot {
        let parts = match share {
            SlotShare::Whole => u32::try_from(self.parts).unwrap_or(u32::MAX),
            SlotShare::Part => 1,
        };
        StreamSlot {
            // The semaphore is never closed.
            permit: self.free.clone().acquire_many_owned(parts).await.ok(),
            share,
            owed: self.owed.clone(),
        }
    }

    /// Leaves the slot to another during `pause`, and waits for one again.
    ///
    /// # Errors
    /// Those of `pause`, after which there is no slot.
    pub async fn leave_during(
        &self,
        slot: &mut StreamSlot,
        pause: impl Future<Output = Result<()>>,
    ) -> Result<()> {
        slot.leave();
        pause.await?;
        *slot = self.enter(slot.share).await;
        Ok(())
    }

    /// The slots that there are.
    pub fn streams(&self) -> usize {
        *self.streams.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Slots that are taken now, in whole or in part.
    pub fn in_use(&self) -> usize {
        let all = self.streams() * self.parts + self.owed.load(Ordering::Relaxed);
        let taken = all.saturating_sub(self.free.available_permits());
        taken.div_ceil(self.parts)
    }

    /// Has as many slots from now on as `limit` decides by what has happened until `now`.
    pub fn adjust(&self, limit: &mut StreamLimit, now: Duration, events: &Events) {
        let [bytes, blobs, busy, stalls] = events.flow();
        let sample = Sample {
            bytes,
            blobs,
            busy,
            stalls,
            in_use: self.in_use(),
        };
        if let Some(change) = limit.tick(now, sample) {
            self.resize(change.streams);
            events.streams_change(change.streams, change.reason, change.rate);
        }
    }

    /// Has this many slots from now on. Who has one too many keeps it.
    pub fn resize(&self, streams: usize) {
        let mut now = self.streams.lock().unwrap_or_else(PoisonError::into_inner);
        if streams > *now {
            let more = (streams - *now) * self.parts;
            let owed = |owed: usize| Some(owed.saturating_sub(more));
            let before = self
                .owed
                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, owed);
            self.free
                .add_permits(more.saturating_sub(before.unwrap_or(0)));
        } else {
            let fewer = (*now - streams) * self.parts;
            let taken = fewer - self.free.forget_permits(fewer);
            self.owed.fetch_add(taken, Ordering::Relaxed);
        }
        *now = streams;
    }
}

impl StreamSlot {
    fn leave(&mut self) {
        let Some(mut permit) = self.permit.take() else {
            return;
        };
        let parts = permit.num_permits();
        let left = |owed: usize| Some(owed.saturating_sub(parts));
        let owed = self
            .owed
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, left)
            .unwrap_or(0);
        if let Some(taken_back) = permit.split(owed.min(parts)) {
            taken_back.forget();
        }
    }
}

impl Drop for StreamSlot {
    fn drop(&mut self) {
        self.leave();
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    use super::SlotShare::{Part, Whole};

    #[tokio::test]
    async fn as_many_enter_as_there_are_places_now() {
        let gate = StreamGate::new(1, 1);
        let enters = || gate.enter(Whole).now_or_never();
        let first = enters().unwrap();
        assert!(gate.in_use() == 1 && enters().is_none());
        gate.resize(3);
        let more = [enters().unwrap(), enters().unwrap()];
        assert!(enters().is_none());
        gate.resize(1);
        drop(more);
        assert!(gate.in_use() == 1 && enters().is_none());
        gate.resize(2);
        let second = enters().unwrap();
        gate.resize(1);
        gate.resize(2);
        assert!(enters().is_none());
        drop((first, second));
        assert!(enters().is_some() && gate.in_use() == 0);
    }

    #[tokio::test]
    async fn small_blobs_share_a_slot_and_leave_it_whole() {
        let gate = StreamGate::new(2, 3);
        let enters = |share| gate.enter(share).now_or_never();
        let small: Vec<_> = (0..3).map(|_| enters(Part).unwrap()).collect();
        assert_eq!(gate.in_use(), 1);
        let large = enters(Whole).unwrap();
        assert!(gate.in_use() == 2 && enters(Part).is_none());
        gate.resize(1);
        drop(large);
        assert!(gate.in_use() == 1 && enters(Part).is_none());
        drop(small);
        assert!(enters(Whole).is_some() && gate.in_use() == 0);
    }

    #[tokio::test]
    async fn a_slot_of_which_a_part_is_taken_back_gives_the_others_free() {
        let gate = StreamGate::new(2, 2);
        let enters = |share| gate.enter(share).now_or_never();
        let (small, large) = (enters(Part).unwrap(), enters(Whole).unwrap());
        gate.resize(1);
        drop(large);
        assert!(gate.in_use() == 1 && enters(Part).is_some());
        drop(small);
        assert!(enters(Whole).is_some() && gate.in_use() == 0);
    }

    #[tokio::test]
    async fn a_pause_leaves_the_place_to_another() {
        let gate = StreamGate::new(1, 1);
        let mut slot = gate.enter(Whole).await;
        let another = async {
            assert!(gate.enter(Whole).now_or_never().is_some());
            Ok(())
        };
        gate.leave_during(&mut slot, another).await.unwrap();
        assert_eq!(gate.in_use(), 1);
    }
}
