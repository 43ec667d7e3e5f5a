//! How many actions a commit takes: fewer after one that was too large for the hub. Where the hub gives up on commits that take
//! long, also more after a quick one and fewer after a slow one.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use hf2ms_hub::{CommitLimits, Error, Kind};

/// The sizes to choose from (huggingface_hub 2.4.0, `_upload_pipeline.py`, `COMMIT_SIZE_SCALE`), up to what any hub takes.
const SIZES: [usize; 11] = [20, 50, 75, 100, 125, 200, 250, 400, 600, 1000, 2000];

/// The size of the next batch.
#[derive(Debug)]
pub struct BatchSize {
    /// How long a commit should take; `None` where the time says nothing.
    towards: Option<Duration>,
    /// The largest that the hub takes.
    most: usize,
    size: AtomicUsize,
}

impl BatchSize {
    /// The size at which commits begin.
    pub fn new(limits: &CommitLimits) -> Self {
        Self {
            towards: limits.commit_time,
            most: limits.max_actions,
            size: AtomicUsize::new(limits.batch_actions),
        }
    }

    /// Actions in the next batch.
    pub fn size(&self) -> usize {
        self.size.load(Ordering::Relaxed)
    }

    /// A commit of `count` actions took so long.
    pub fn wrote(&self, count: usize, took: Duration) {
        match self.towards {
            Some(towards) if took > towards => self.shrink(),
            Some(_) if count >= self.size() => {
                self.become_next(SIZES.iter().find(|size| **size > self.size()))
            }
            _ => {}
        }
    }

    /// A commit of `count` actions failed like this. Returns whether the hub took too long for it; then later ones are smaller.
    pub fn failed(&self, error: &Error, count: usize) -> bool {
        let took_too_long = error.status() == Some(504)
            || (error.kind() == Kind::Transient && (self.towards.is_some() || error.is_stall()));
        if took_too_long {
            self.was_too_large(count);
        }
        took_too_long
    }

    /// The hub did not take a batch of `count` actions, and fewer may help. A batch that was small says nothing about full ones.
    pub fn was_too_large(&self, count: usize) {
        if count * 2 >= self.size() {
            self.shrink();
        }
    }

    fn shrink(&self) {
        self.become_next(SIZES.iter().rev().find(|size| **size < self.size()));
    }

    fn become_next(&self, size: Option<&usize>) {
        if let Some(size) = size {
            self.size.store(self.most.min(*size), Ordering::Relaxed);
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

    fn error(kind: Kind, status: Option<u16>) -> Error {
        let error = Error::new(kind, "no");
        match status {
            Some(status) => error.with_status(status),
            None => error,
        }
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
        for _ in 0..20 {
            batch_size.failed(&error(Kind::Transient, None), 250);
        }
        assert_eq!(batch_size.size(), 20);
    }

    #[test]
    fn batches_never_grow_beyond_what_the_hub_takes() {
        let batch_size = batch_size(Some(40));
        for _ in 0..9 {
            batch_size.wrote(batch_size.size(), Duration::from_secs(1));
        }
        assert_eq!(batch_size.size(), 1000);
    }

    #[test]
    fn where_time_says_nothing_a_full_commit_that_was_too_large_makes_later_ones_smaller() {
        let batch_size = batch_size(None);
        batch_size.wrote(250, Duration::from_secs(500));
        for (kind, status) in [
            (Kind::Transient, None),
            (Kind::Transient, Some(502)),
            (Kind::Invalid, Some(400)),
            (Kind::Conflict, Some(409)),
        ] {
            batch_size.failed(&error(kind, status), 250);
        }
        let late = error(Kind::Transient, Some(504));
        batch_size.failed(&late, 100);
        assert_eq!(batch_size.size(), 250, "a small one says nothing");
        for left in [200, 125, 100] {
            batch_size.failed(&late, 250);
            assert_eq!(batch_size.size(), left);
        }
        batch_size.was_too_large(49);
        assert_eq!(batch_size.size(), 100);
        batch_size.was_too_large(50);
        assert_eq!(batch_size.size(), 75);
    }
}
