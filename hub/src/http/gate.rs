//! The host's gate: when a host says "wait", every request to it waits.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::clock::Clock;

/// Per host, the moment before which nothing is sent.
pub(crate) struct Gate {
    clock: Arc<dyn Clock>,
    closed_until: Mutex<HashMap<String, Instant>>,
}

impl Gate {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            closed_until: Mutex::default(),
        }
    }

    /// Returns when the host may be asked again. Waits a little longer than told, each caller differently,
    /// so that they don't all arrive in the same instant.
    pub(crate) async fn pass(&self, host: &str) {
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

    /// Closes the gate for `wait` from now; an earlier, longer wait stays.
    pub(crate) fn close(&self, host: &str, wait: Duration) {
        let until = self.clock.now() + wait;
        let mut closed = self
            .closed_until
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let entry = closed.entry(host.to_owned()).or_insert(until);
        *entry = (*entry).max(until);
    }

    fn remaining(&self, host: &str) -> Option<Duration> {
        let mut closed = self
            .closed_until
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let until = *closed.get(host)?;
        let now = self.clock.now();
        if until <= now {
            closed.remove(host);
            return None;
        }
        Some(until - now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::clock::tests::ManualClock;

    #[tokio::test]
    async fn a_closed_host_waits_and_others_do_not() {
        let clock = ManualClock::new();
        let gate = Gate::new(clock.clone());
        gate.close("a", Duration::from_secs(55));
        gate.pass("b").await;
        assert_eq!(clock.total(), Duration::ZERO);
        gate.pass("a").await;
        assert!(
            clock.total() >= Duration::from_secs(55) && clock.total() <= Duration::from_secs(58)
        );
        gate.pass("a").await;
        assert!(clock.total() <= Duration::from_secs(58), "it is open again");
    }

    #[tokio::test]
    async fn a_shorter_wait_does_not_shorten_a_longer_one() {
        let clock = ManualClock::new();
        let gate = Gate::new(clock.clone());
        gate.close("a", Duration::from_secs(60));
        gate.close("a", Duration::from_secs(1));
        gate.pass("a").await;
        assert!(clock.total() >= Duration::from_secs(60));
    }
}
