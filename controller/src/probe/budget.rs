//! The limits of a probe: requests and bytes, counted before each request.

use std::sync::atomic::{AtomicU64, Ordering};

/// The most requests, to all hubs together.
pub const MOST_REQUESTS: u64 = 200;
/// The most bytes, sent and received.
pub const MOST_BYTES: u64 = 100_000_000;
/// Requests that are kept for the deletion of the scratch repo.
const FOR_CLEANUP: u64 = 10;

/// The requests and bytes so far.
#[derive(Debug, Default)]
pub struct RequestBudget {
    requests: AtomicU64,
    bytes: AtomicU64,
}

impl RequestBudget {
    /// Counts one request that sends `bytes`.
    ///
    /// # Errors
    /// The limit that it would exceed; nothing is counted then.
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

    /// Counts one request of the deletion, which no limit stops.
    pub fn take_for_cleanup(&self, bytes: usize) {
        self.requests.fetch_add(1, Ordering::Relaxed);
        self.received(bytes);
    }

    /// Counts received bytes.
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
