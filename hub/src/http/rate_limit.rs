//! The rate limit of each host: when a host says "wait", every request to the host waits.

use std::sync::Arc;
use std::time::Duration;

use reqwest::Url;

use super::host_waits::{HostWaits, OnHostWait, WaitNews};
use super::options::HttpOptions;
use super::retry::RetryPolicy;
use crate::clock::Clock;

/// The waits of all hosts, as one client keeps them.
pub(crate) struct RateLimit {
    clock: Arc<dyn Clock>,
    policy: RetryPolicy,
    waits: HostWaits,
    on_wait: OnHostWait,
}

impl RateLimit {
    pub(crate) fn new(options: &HttpOptions) -> Self {
        Self {
            clock: options.clock.clone(),
            policy: options.retry,
            waits: options.waits.clone(),
            on_wait: options.on_wait.clone(),
        }
    }

    /// What is left of the wait that the host asked for.
    pub(crate) fn left(&self, host: &str) -> Option<Duration> {
        self.waits.left(host, self.clock.now())
    }

    /// Returns when the host may be asked again. Each caller waits longer than the host said, by a random part. So
    /// the requests of all workers don't arrive in the same instant.
    pub(crate) async fn wait(&self, host: &str) {
        loop {
            let Some(wait) = self.left(host) else {
                return;
            };
            let spread = self.policy.spread(wait, fastrand::f64());
            self.clock.sleep(wait + spread).await;
        }
    }

    /// Holds requests to the host back for `wait` from now, unless that is longer than any wait may be. A new wait is told.
    pub(crate) fn limit(&self, host: &str, wait: Duration) {
        if wait > self.policy.longest_wait {
            return;
        }
        let until = self.clock.now().checked_add(wait);
        if until.is_some_and(|until| self.waits.note(host, until) == WaitNews::New) {
            (self.on_wait)(host, wait);
        }
    }
}

/// The host whose rate limit an address counts in, with its port if that is not the usual one.
pub(super) fn host(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port()
        .map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::tests::ManualClock;

    fn limit_of(clock: &Arc<ManualClock>, workers: u32) -> RateLimit {
        let options = HttpOptions {
            clock: clock.clone(),
            ..HttpOptions::default()
        };
        RateLimit::new(&options.shared_by(workers))
    }

    #[tokio::test]
    async fn a_limited_host_waits_and_others_do_not() {
        let clock = ManualClock::new();
        let limit = limit_of(&clock, 1);
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
            let limit = limit_of(&clock, workers);
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
        let limit = limit_of(&clock, 1);
        limit.limit("a", Duration::from_secs(60));
        limit.limit("a", Duration::from_secs(1));
        limit.wait("a").await;
        assert!(clock.total() >= Duration::from_secs(60));
    }

    #[tokio::test]
    async fn all_clients_of_a_process_wait_and_one_of_them_tells_it_once() {
        let (clock, told) = (
            ManualClock::new(),
            Arc::new(std::sync::Mutex::new(Vec::new())),
        );
        let tell = told.clone();
        let options = HttpOptions {
            clock: clock.clone(),
            on_wait: Arc::new(move |host, wait| tell.lock().unwrap().push((host.to_owned(), wait))),
            ..HttpOptions::default()
        };
        let [one, other] = [(); 2].map(|()| RateLimit::new(&options));
        let wait = Duration::from_secs(55);
        one.limit("a", wait);
        other.limit("a", wait);
        other.limit("b", options.retry.longest_wait + wait);
        other.wait("b").await;
        assert_eq!(clock.total(), Duration::ZERO, "nobody waits for so long");
        other.wait("a").await;
        assert!(clock.total() >= wait);
        assert_eq!(*told.lock().unwrap(), [("a".to_owned(), wait)]);
    }

    #[test]
    fn a_port_of_its_own_is_a_host_of_its_own() {
        let of = |url: &str| host(&url.parse().unwrap());
        assert_eq!(of("https://huggingface.co/api"), "huggingface.co");
        assert_eq!(of("https://huggingface.co:443/"), "huggingface.co");
        assert_eq!(of("http://127.0.0.1:8080/"), "127.0.0.1:8080");
    }
}
