//! How many actions a commit takes, where the hub gives up on commits that take long: more after a quick one, fewer after a slow or failed one.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use hf2ms_hub::CommitLimits;

/// The sizes to choose from (huggingface_hub 2.4.0, `_upload_pipeline.py`, `COMMIT_SIZE_SCALE`).
const SIZES: [usize; 10] = [20, 50, 75, 100, 125, 200, 250, 400, 600, 1000];

/// The size of the next batch.
#[derive(Debug)]
pub struct BatchSize {
    /// How long a commit should take; `None` where all are of one size.
    towards: Option<Duration>,
    size: AtomicUsize,
}

impl BatchSize {
    /// The pace at which commits begin.
    pub fn new(limits: &CommitLimits) -> Self {
        Self {
            towards: limits.commit_time,
            size: AtomicUsize::new(limits.batch_actions),
        }
    }

    /// Actions in the next batch.
    pub fn size(&self) -> usize {
        self.size.load(Ordering::Relaxed)
    }

    /// Whether it changes at all.
    pub fn is_adaptive(&self) -> bool {
        self.towards.is_some()
    }

    /// A commit of `count` actions took so long.
    pub fn wrote(&self, count: usize, took: Duration) {
        match self.towards {
            Some(towards) if took > towards => self.failed(),
            Some(_) if count >= self.size() => {
                self.become_next(SIZES.iter().find(|size| **size > self.size()))
            }
            _ => {}
        }
    }

    /// A commit was not made in time.
    pub fn failed(&self) {
        if self.is_adaptive() {
            self.become_next(SIZES.iter().rev().find(|size| **size < self.size()));
        }
    }

    fn become_next(&self, size: Option<&usize>) {
        if let Some(size) = size {
            self.size.store(*size, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch_size(towards: Option<u64>) -> BatchSize {
        let commit_time = towards.map(Duration::from_secs);
        BatchSize::new(&CommitLimits {
            max_actions: 1000,
            batch_actions: 250,
            body_bytes: 1,
            commit_time,
            folder_entries: None,
            checks_blobs: true,
            checks_parent: true,
        })
    }

    #[test]
    fn batches_grow_after_full_quick_commits_and_shrink_after_slow_or_failed_ones() {
        let batch_size = batch_size(Some(40));
        batch_size.wrote(250, Duration::from_secs(5));
        assert_eq!(batch_size.size(), 400);
        batch_size.wrote(30, Duration::from_secs(1));
        assert_eq!(
            batch_size.size(),
            400,
            "a small commit says nothing about a full one"
        );
        batch_size.wrote(400, Duration::from_secs(50));
        assert_eq!(batch_size.size(), 250);
        batch_size.wrote(250, Duration::from_secs(40));
        assert_eq!(batch_size.size(), 400, "in time is quick");
        (0..20).for_each(|_| batch_size.failed());
        assert_eq!(batch_size.size(), 20);
    }

    #[test]
    fn a_hub_that_takes_its_time_gets_batches_of_one_size() {
        let batch_size = batch_size(None);
        batch_size.wrote(250, Duration::from_secs(500));
        batch_size.failed();
        assert_eq!(batch_size.size(), 250);
        assert!(!batch_size.is_adaptive());
    }
}
