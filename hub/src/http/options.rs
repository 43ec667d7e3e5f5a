//! The settings of a client: retries, the waits that hosts have asked for, the stall timeout, and time.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::host_waits::{HostWaits, OnHostWait, WaitNews};
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
    /// The waits that hosts have asked for: all clients with the same ones keep to them.
    pub waits: HostWaits,
    /// Told of each new wait that a host asks of one of the clients; of none that was heard of elsewhere.
    pub on_wait: OnHostWait,
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
            waits: HostWaits::default(),
            on_wait: Arc::new(|_, _| ()),
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

    /// Keeps to a wait that another process was asked for, but for no longer than any wait may be.
    pub fn hear_wait(&self, host: &str, wait: Duration) -> WaitNews {
        let wait = wait.min(self.retry.longest_wait);
        let until = self.clock.now().checked_add(wait);
        until.map_or(WaitNews::Known, |until| self.waits.note(host, until))
    }

    /// The waits of now, by host.
    pub fn waits_of_now(&self) -> Vec<(String, Duration)> {
        self.waits.all(self.clock.now())
    }

    /// Changes with each new wait, own or heard.
    pub fn new_waits(&self) -> watch::Receiver<()> {
        self.waits.news()
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
