//! The rate limit of each host: when a host says "wait", every request to the host waits.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::clock::Clock;

/// Per host, the moment before which nothing is sent.
pub(crate) struct RateLimit {
    clock: Arc<dyn Clock>,
    limited_until: Mutex<HashMap<String, Instant>>,
}

impl RateLimit {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            limited_until: Mutex::default(),
        }
    }

    /// Returns when the host may be asked again. Each caller waits a little longer than the host said, by a random part, so that
    /// the requests don't arrive in the same instant.
    pub(crate) async fn wait(&self, host: &str) {
        loop {
            let Some(wait) = self.remaining(host) else {
                return;
            };
            let spread = wait
                .mul_f64(0.05)
                .min(Duration::from_secs(2))
                .mul_f64(fastrand::f64());
            self.clock.sleep(wait + spread).await;
        }
    }

    /// Holds requests to the host back for `wait` from now. An earlier limit that ends later stays.
    pub(crate) fn limit(&self, host: &str, wait: Duration) {
        let until = self.clock.now() + wait;
        let mut limited = self
            .limited_until
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let entry = limited.entry(host.to_owned()).or_insert(until);
        *entry = (*entry).max(until);
    }

    fn remaining(&self, host: &str) -> Option<Duration> {
        let mut limited = self
            .limited_until
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let until = *limited.get(host)?;
        let now = self.clock.now();
        if until <= now {
            limited.remove(host);
            return None;
        }
        Some(until - now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::tests::ManualClock;

    #[tokio::test]
    async fn a_limited_host_waits_and_others_do_not() {
        let clock = ManualClock::new();
        let limit = RateLimit::new(clock.clone());
        limit.limit("a", Duration::from_secs(55));
        limit.wait("b").await;
        assert_eq!(clock.total(), Duration::ZERO);
        limit.wait("a").await;
        assert!(
            clock.total() >= Duration::from_secs(55) && clock.total() <= Duration::from_secs(58)
        );
        limit.wait("a").await;
        assert!(clock.total() <= Duration::from_secs(58), "it is open again");
    }

    #[tokio::test]
    async fn a_shorter_wait_does_not_shorten_a_longer_one() {
        let clock = ManualClock::new();
        let limit = RateLimit::new(clock.clone());
        limit.limit("a", Duration::from_secs(60));
        limit.limit("a", Duration::from_secs(1));
        limit.wait("a").await;
        assert!(clock.total() >= Duration::from_secs(60));
    }
}
