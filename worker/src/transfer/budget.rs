//! The memory that contents of files may take: one semaphore of bytes for all that a worker reads at a time.
//!
//! Code that reads a content reserves its bytes first: the reader takes a [`Reserved`] and nothing else. A pack of Git is on
//! disk, and the buffers of connections are outside the budget.

use std::sync::Arc;

use hf2ms_hub::{Digest, File};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::protocol::{Transport, WorkerOptions};

/// Contents take this part of the worker's memory: one in so many. The rest is for code, connections and the allocator.
const PART: u64 = 4;
/// A file of a pack is unpacked whole from this size on, before any of it is read (`hub/src/git/source.rs`).
const UNPACKED_WHOLE: u64 = 4 << 20;
/// The semaphore's unit, in bytes.
const UNIT: u64 = 1 << 10;

/// The bytes that contents may take together.
#[derive(Debug, Clone)]
pub struct MemoryBudget {
    units: Arc<Semaphore>,
    total: u32,
}

/// Bytes that one content may take, until dropped.
#[derive(Debug)]
pub struct Reserved {
    bytes: u64,
    _permit: Option<OwnedSemaphorePermit>,
}

impl MemoryBudget {
    /// The budget of a worker with these options.
    pub fn new(options: &WorkerOptions) -> Self {
        let total = u32::try_from(options.memory.0 / PART / UNIT).unwrap_or(u32::MAX);
        Self {
            units: Arc::new(Semaphore::new(total as usize)),
            total,
        }
    }

    /// The bytes that one of `streams` contents may take, when all take as much.
    pub fn share(&self, streams: usize) -> u64 {
        u64::from(self.total) / streams.max(1) as u64 * UNIT
    }

    /// The bytes of the largest file that is read whole though it could be streamed: two of them fit.
    pub fn largest_whole(&self) -> u64 {
        self.share(2)
    }

    /// Waits until `bytes` are free. A larger content than the whole budget gets all of it, and is alone in memory.
    pub async fn reserve(&self, bytes: u64) -> Reserved {
        let permit = self.units.clone().acquire_many_owned(self.units_of(bytes));
        Reserved {
            bytes,
            // The semaphore is never closed.
            _permit: permit.await.ok(),
        }
    }

    /// Waits until what reading `files` takes is free: their contents, and what the source itself holds of them.
    pub async fn reserve_contents<'a>(
        &self,
        files: impl Iterator<Item = &'a File>,
        options: &WorkerOptions,
    ) -> Reserved {
        let bytes = files.map(|file| file.size + held_by_source(file, options));
        self.reserve(bytes.sum()).await
    }

    /// Reserves `bytes` if they are free, else none: for code that holds a reservation already, and must not wait for another.
    pub fn try_reserve(&self, bytes: u64) -> Reserved {
        let permit = self
            .units
            .clone()
            .try_acquire_many_owned(self.units_of(bytes))
            .ok();
        Reserved {
            bytes: if permit.is_some() { bytes } else { 0 },
            _permit: permit,
        }
    }

    fn units_of(&self, bytes: u64) -> u32 {
        u32::try_from(bytes.div_ceil(UNIT))
            .unwrap_or(u32::MAX)
            .min(self.total)
    }
}

/// The bytes of memory that reading this file takes at the source itself.
pub fn held_by_source(file: &File, options: &WorkerOptions) -> u64 {
    let is_in_pack =
        options.transport == Transport::Git && matches!(file.digest, Digest::GitSha1(_));
    if is_in_pack && file.size > UNPACKED_WHOLE {
        file.size
    } else {
        0
    }
}

impl Reserved {
    /// The bytes that were asked for; 0 where they were not free.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use hf2ms_hub::{GitSha1, Sha256};

    use super::*;
    use crate::protocol::Memory;

    fn budget(memory: u64) -> MemoryBudget {
        MemoryBudget::new(&WorkerOptions {
            memory: Memory(memory),
            ..WorkerOptions::default()
        })
    }

    #[tokio::test]
    async fn contents_that_do_not_fit_wait_for_others_to_go() {
        let budget = budget(4 << 20);
        let first = budget.reserve(700 << 10).await;
        assert!(budget.reserve(700 << 10).now_or_never().is_none());
        drop(first);
        assert!(budget.reserve(700 << 10).now_or_never().is_some());
    }

    #[tokio::test]
    async fn a_content_larger_than_the_budget_is_alone() {
        let budget = budget(4 << 20);
        let large = budget.reserve(1 << 40).await;
        assert!(budget.reserve(1).now_or_never().is_none());
        assert_eq!((large.bytes(), budget.try_reserve(1).bytes()), (1 << 40, 0));
    }

    #[tokio::test]
    async fn what_a_pack_unpacks_to_counts_beside_the_content() {
        let file = |size, digest| File {
            path: "a".parse().unwrap(),
            size,
            digest,
        };
        let (git, sha256) = (GitSha1::of(b""), Sha256::of(b""));
        let files = [
            file(UNPACKED_WHOLE, Digest::GitSha1(git)),
            file(UNPACKED_WHOLE + 1, Digest::GitSha1(git)),
            file(UNPACKED_WHOLE + 1, Digest::Sha256(sha256)),
        ];
        let reserved = async |transport| {
            let options = WorkerOptions {
                transport,
                ..WorkerOptions::default()
            };
            let budget = budget(1 << 30);
            let reserved = budget.reserve_contents(files.iter(), &options).await;
            reserved.bytes()
        };
        let contents = 3 * UNPACKED_WHOLE + 2;
        assert_eq!(reserved(Transport::Http).await, contents);
        assert_eq!(
            reserved(Transport::Git).await,
            contents + UNPACKED_WHOLE + 1
        );
    }

    #[tokio::test]
    async fn as_many_shares_as_there_are_streams_fit() {
        let budget = budget(128 << 20);
        assert_eq!(budget.share(8), 4 << 20);
        for streams in 1..=64 {
            let share = budget.share(streams);
            let reserved: Vec<_> = (0..streams).map(|_| budget.try_reserve(share)).collect();
            assert!(reserved.iter().all(|one| one.bytes() == share), "{streams}");
        }
    }
}
