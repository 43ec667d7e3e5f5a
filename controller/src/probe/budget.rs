//! How much a probe may ask of the hubs: requests and bytes, counted before each exchange.

use std::sync::atomic::{AtomicU64, Ordering};

/// Requests in all, of both hubs.
pub const MOST_REQUESTS: u64 = 200;
/// Bytes in all, sent and received.
pub const MOST_BYTES: u64 = 100_000_000;
/// Requests that are kept for deleting what was made.
const FOR_CLEANUP: u64 = 10;

/// What was asked so far.
#[derive(Debug, Default)]
pub struct RequestBudget {
    requests: AtomicU64,
    bytes: AtomicU64,
}

impl RequestBudget {
    /// Counts one request that sends `bytes`.
    ///
    /// # Errors
    /// Which limit it would pass; nothing is counted then.
    pub fn take(&self, bytes: usize) -> Result<(), String> {
        if self.requests() >= MOST_REQUESTS - FOR_CLEANUP {
            return Err(format!("the limit of {MOST_REQUESTS} requests was reached"));
        }
        if self.bytes() + bytes as u64 > MOST_BYTES {
            return Err(format!(
                "the limit of {} MB was reached",
                MOST_BYTES / 1_000_000
            ));
        }
        self.take_for_cleanup(bytes);
        Ok(())
    }

    /// Counts one request that deletes what was made: it is never too much.
    pub fn take_for_cleanup(&self, bytes: usize) {
        self.requests.fetch_add(1, Ordering::Relaxed);
        self.received(bytes);
    }

    /// Counts bytes that came.
    pub fn received(&self, bytes: usize) {
        self.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// Requests so far.
    pub fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }

    /// Bytes so far.
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neither_limit_is_passed_and_cleaning_up_is_always_allowed() {
        let budget = RequestBudget::default();
        let taken = (0..1000).filter(|_| budget.take(1).is_ok()).count() as u64;
        assert_eq!(
            (taken, budget.requests()),
            (MOST_REQUESTS - FOR_CLEANUP, MOST_REQUESTS - FOR_CLEANUP)
        );
        budget.take_for_cleanup(0);
        let budget = RequestBudget::default();
        budget.received(MOST_BYTES as usize);
        assert!(budget.take(1).unwrap_err().contains("100 MB"));
    }
}
