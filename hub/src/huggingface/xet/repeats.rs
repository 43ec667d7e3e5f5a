//! Chunks that a segment of a file has more than once: kept, as far as there is room, from the first use to the last. Without this
//! each use would be a request of its own, and a file full of zeros would be nothing but requests.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// A part of a xorb, by its place in the answer, and a chunk in it.
pub(super) type Place = (usize, u32);

/// What is kept of a segment.
pub(super) struct Repeats {
    /// Uses that are still to come, of chunks with more than one.
    uses: HashMap<Place, u32>,
    kept: HashMap<Place, (Bytes, OwnedSemaphorePermit)>,
    /// KiB that all readings together may keep.
    room: Arc<Semaphore>,
}

impl Repeats {
    /// Nothing yet, of a segment whose chunks are used in this order.
    pub(super) fn of(chunks: impl Iterator<Item = Place>, room: Arc<Semaphore>) -> Self {
        let mut uses: HashMap<Place, u32> = HashMap::new();
        chunks.for_each(|place| *uses.entry(place).or_default() += 1);
        uses.retain(|_, uses| *uses > 1);
        Self {
            uses,
            kept: HashMap::new(),
            room,
        }
    }

    /// A chunk that is here, for one of its uses.
    pub(super) fn get(&mut self, place: Place) -> Option<Bytes> {
        let chunk = self.kept.get(&place)?.0.clone();
        self.count(place);
        Some(chunk)
    }

    /// Notes that a chunk was read for one of its uses.
    pub(super) fn used(&mut self, place: Place, chunk: &Bytes) {
        self.count(place);
        if !self.uses.contains_key(&place) || self.kept.contains_key(&place) {
            return;
        }
        let kib = u32::try_from(chunk.len().div_ceil(1 << 10)).unwrap_or(u32::MAX);
        if let Ok(permit) = self.room.clone().try_acquire_many_owned(kib) {
            // A copy: the chunk may be a small part of what was received.
            self.kept
                .insert(place, (Bytes::copy_from_slice(chunk), permit));
        }
    }

    fn count(&mut self, place: Place) {
        let Some(uses) = self.uses.get_mut(&place) else {
            return;
        };
        *uses -= 1;
        if *uses == 0 {
            self.uses.remove(&place);
            self.kept.remove(&place);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chunk_is_kept_from_its_first_use_to_its_last() {
        let room = Arc::new(Semaphore::new(3));
        let mut repeats = Repeats::of([(0, 1), (0, 2), (0, 1), (0, 1)].into_iter(), room.clone());
        let chunk = Bytes::from(vec![1; 2000]);
        assert!(repeats.get((0, 1)).is_none());
        repeats.used((0, 1), &chunk);
        repeats.used((0, 2), &chunk);
        assert_eq!(
            (room.available_permits(), repeats.get((0, 2))),
            (1, None),
            "used once"
        );
        assert_eq!(repeats.get((0, 1)), Some(chunk.clone()));
        assert_eq!(
            (repeats.get((0, 1)), room.available_permits()),
            (Some(chunk), 3)
        );
    }

    #[test]
    fn what_there_is_no_room_for_is_not_kept() {
        let mut repeats = Repeats::of([(0, 1), (0, 1)].into_iter(), Arc::new(Semaphore::new(1)));
        repeats.used((0, 1), &Bytes::from(vec![1; 2000]));
        assert!(repeats.get((0, 1)).is_none());
    }
}
