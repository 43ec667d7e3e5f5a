//! The one clock. Retries and rate limits get it injected, so that tests need not wait.

use std::future::Future;
use std::pin::Pin;
use std::time::{Duration, Instant, SystemTime};

/// A pause that ends.
pub type Pause = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Where time comes from.
pub trait Clock: Send + Sync {
    /// A moment for measuring spans.
    fn now(&self) -> Instant;
    /// The date and time of day, for headers and files that hold one.
    fn date(&self) -> SystemTime;
    /// Waits for `span`.
    fn sleep(&self, span: Duration) -> Pause;
}

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl SystemClock {
    /// The date in seconds since 1970; 0 on a machine whose clock is earlier.
    pub fn unix_seconds(self) -> u64 {
        let since = self.date().duration_since(SystemTime::UNIX_EPOCH);
        since.unwrap_or_default().as_secs()
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Instant {
        Instant::now()
    }

    fn date(&self) -> SystemTime {
        SystemTime::now()
    }

    fn sleep(&self, span: Duration) -> Pause {
        Box::pin(tokio::time::sleep(span))
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    /// A clock that moves only by sleeping on it, and remembers each sleep.
    pub(crate) struct ManualClock {
        start: Instant,
        pub(crate) slept: Mutex<Vec<Duration>>,
    }

    impl ManualClock {
        pub(crate) fn new() -> Arc<Self> {
            Arc::new(Self {
                start: Instant::now(),
                slept: Mutex::default(),
            })
        }

        pub(crate) fn total(&self) -> Duration {
            self.slept.lock().unwrap().iter().sum()
        }
    }

    impl Clock for ManualClock {
        fn now(&self) -> Instant {
            self.start + self.total()
        }

        fn date(&self) -> SystemTime {
            SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000) + self.total()
        }

        fn sleep(&self, span: Duration) -> Pause {
            self.slept.lock().unwrap().push(span);
            Box::pin(std::future::ready(()))
        }
    }
}
