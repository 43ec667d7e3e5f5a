//! The rate limit of each host: when a host says "wait", every request to the host waits.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::retry::RetryPolicy;
use crate::clock::Clock;

/// Per host, the moment before which nothing is sent.
pub(crate) struct RateLimit {
    clock: Arc<dyn Clock>,
    policy: RetryPolicy,
    limited_until: Mutex<HashMap<String, Instant>>,
}

impl RateLimit {
    pub(crate) fn new(clock: Arc<dyn Clock>, policy: RetryPolicy) -> Self {
        Self {
            clock,
            policy,
            limited_until: Mutex::default(),
        }
    }

    /// Returns when the host may be asked again. Each caller waits longer than the host said, by a random part. So
    /// the requests of all workers don't arrive in the same instant.
    pub(crate) async fn wait(&self, host: &str) {
        loop {
            let Some(wait) = self.remaining(host) else {
                return;
            };
            let spread = self.policy.spread(wait, fastrand::f64());
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
        let limit = RateLimit::new(clock.clone(), RetryPolicy::default());
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
    async fn the_more_workers_wait_the_longer_is_the_span_over_which_they_come_back() {
        let waited = |workers: u32| async move {
            let (clock, mut longest) = (ManualClock::new(), Duration::ZERO);
            let policy = RetryPolicy {
                workers,
                ..RetryPolicy::default()
            };
            let limit = RateLimit::new(clock.clone(), policy);
            for _ in 0..100 {
                let before = clock.total();
                limit.limit("a", Duration::from_secs(60));
                limit.wait("a").await;
                longest = longest.max(clock.total() - before);
            }
            longest.as_secs_f64()
        };
        assert!((60.0..=63.0).contains(&waited(1).await));
        // Of a hundred random numbers one is above a half.
        assert!((78.0..=96.0).contains(&waited(12).await));
    }

    #[tokio::test]
    async fn a_shorter_wait_does_not_shorten_a_longer_one() {
        let clock = ManualClock::new();
        let limit = RateLimit::new(clock.clone(), RetryPolicy::default());
        limit.limit("a", Duration::from_secs(60));
        limit.limit("a", Duration::from_secs(1));
        limit.wait("a").await;
        assert!(clock.total() >= Duration::from_secs(60));
    }
}
