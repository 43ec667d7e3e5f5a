//! The settings of a client: retries, the stall timeout, and time.

use std::sync::Arc;
use std::time::Duration;

use super::retry::{Attempts, OnRetry, RetryPolicy};
use crate::clock::{Clock, SystemClock};
use crate::error::Result;

/// Settings of a client.
#[derive(Clone)]
pub struct HttpOptions {
    /// Which errors are worth another try, and how long the pauses are.
    pub retry: RetryPolicy,
    /// A transfer in which no byte moves for this long is given up.
    pub stall: Duration,
    /// A server that has not taken any connection yet is given up after this long; `None` tries it as often as any other failure.
    pub unreached: Option<Duration>,
    /// Where time comes from.
    pub clock: Arc<dyn Clock>,
    /// Told of each retry before its pause.
    pub on_retry: OnRetry,
    /// Domains of the hub's storage: behind a proxy these need not resolve here.
    pub storage: &'static [&'static str],
}

impl Default for HttpOptions {
    fn default() -> Self {
        Self {
            retry: RetryPolicy::default(),
            stall: Duration::from_secs(60),
            unreached: None,
            clock: Arc::new(SystemClock),
            on_retry: Arc::new(|_, _| ()),
            storage: &[],
        }
    }
}

impl HttpOptions {
    /// The same where so many workers ask the hubs at a time.
    pub fn shared_by(mut self, workers: u32) -> Self {
        self.retry.workers = workers.max(1);
        self
    }

    /// The tries of one operation, as [`Attempts`] says.
    pub fn attempts(&self) -> Attempts {
        Attempts::new(self.retry, self.clock.clone(), self.on_retry.clone())
    }

    /// Runs `attempt` until it succeeds, fails for good, or the policy ends.
    ///
    /// # Errors
    /// The last attempt's, marked as retried.
    pub async fn retrying<T, F, A>(&self, attempt: A) -> Result<T>
    where
        F: Future<Output = Result<T>>,
        A: FnMut() -> F,
    {
        self.attempts().run(attempt).await
    }
}
