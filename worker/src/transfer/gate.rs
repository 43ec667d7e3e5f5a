//! The slots of one worker's streams: so many blobs move at a time as [`super::streams`] decides, and the others wait.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use hf2ms_hub::Result;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// So many slots, whose number may change.
#[derive(Debug)]
pub struct StreamGate {
    free: Arc<Semaphore>,
    /// Slots that are taken back as soon as those who have them leave.
    owed: Arc<AtomicUsize>,
    streams: Mutex<usize>,
}

/// A slot, until dropped.
#[derive(Debug)]
pub struct StreamSlot {
    permit: Option<OwnedSemaphorePermit>,
    owed: Arc<AtomicUsize>,
}

impl StreamGate {
    /// A gate of so many slots.
    pub fn new(streams: usize) -> Self {
        Self {
            free: Arc::new(Semaphore::new(streams)),
            owed: Arc::default(),
            streams: Mutex::new(streams),
        }
    }

    /// Waits for a slot.
    pub async fn enter(&self) -> StreamSlot {
        StreamSlot {
            // The semaphore is never closed.
            permit: self.free.clone().acquire_owned().await.ok(),
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
        *slot = self.enter().await;
        Ok(())
    }

    /// The slots that there are.
    pub fn streams(&self) -> usize {
        *self.streams.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Slots that are taken now.
    pub fn in_use(&self) -> usize {
        let all = self.streams() + self.owed.load(Ordering::Relaxed);
        all.saturating_sub(self.free.available_permits())
    }

    /// Has this many slots from now on. Who has one too many keeps it.
    pub fn resize(&self, streams: usize) {
        let mut now = self.streams.lock().unwrap_or_else(PoisonError::into_inner);
        if streams > *now {
            let more = streams - *now;
            let owed = |owed: usize| Some(owed.saturating_sub(more));
            let before = self
                .owed
                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, owed);
            self.free
                .add_permits(more.saturating_sub(before.unwrap_or(0)));
        } else {
            let fewer = *now - streams;
            let taken = fewer - self.free.forget_permits(fewer);
            self.owed.fetch_add(taken, Ordering::Relaxed);
        }
        *now = streams;
    }
}

impl StreamSlot {
    fn leave(&mut self) {
        let Some(permit) = self.permit.take() else {
            return;
        };
        let owed = |owed: usize| owed.checked_sub(1);
        if self
            .owed
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, owed)
            .is_ok()
        {
            permit.forget();
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

    #[tokio::test]
    async fn as_many_enter_as_there_are_places_now() {
        let gate = StreamGate::new(1);
        let enters = || gate.enter().now_or_never();
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
    async fn a_pause_leaves_the_place_to_another() {
        let gate = StreamGate::new(1);
        let mut slot = gate.enter().await;
        let another = async {
            assert!(gate.enter().now_or_never().is_some());
            Ok(())
        };
        gate.leave_during(&mut slot, another).await.unwrap();
        assert_eq!(gate.in_use(), 1);
    }
}
