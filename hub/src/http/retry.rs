//! The one retry policy: what is tried again, how often, and how long apart.
//!
//! Each failure is retried by one layer only, so that nothing multiplies: an answer by [`super::Http`],
//! a body that broke by whoever reads it, a whole upload by whoever owns it. An error that its layer has
//! given up on is marked, and no longer counts as transient.

use std::sync::Arc;
use std::time::Duration;

use backon::Retryable;

use super::clock::{Clock, Sleeper};
use crate::error::{Error, Kind, Result};

/// How often and how patiently something is tried again.
#[derive(Debug, Clone, Copy)]
pub struct RetryPolicy {
    /// Tries after the first.
    pub retries: u32,
    /// The first pause's upper bound; it doubles with each try.
    pub base: Duration,
    /// No pause is longer, unless the server says so.
    pub cap: Duration,
    /// The longest wait that a server may ask for; beyond it the item is given up for now.
    pub longest_wait: Duration,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        // A minute on the average, two at most: a hub's restart passes meanwhile.
        Self {
            retries: 6,
            base: Duration::from_secs(2),
            cap: Duration::from_secs(60),
            longest_wait: Duration::from_secs(1800),
        }
    }
}

/// New addresses that are asked for when storage refuses one.
const RENEWALS: u32 = 2;

impl RetryPolicy {
    /// The pauses: exponential with full jitter, one a retry.
    pub fn pauses(self) -> impl Iterator<Item = Duration> + Send + Sync + Unpin {
        (0..self.retries).map(move |attempt| {
            let bound = self.base.saturating_mul(1 << attempt.min(16)).min(self.cap);
            bound.mul_f64(fastrand::f64())
        })
    }

    /// The tries of one transfer, whose address may have to be renewed.
    pub fn attempts(self) -> Attempts {
        Attempts {
            policy: self,
            pauses: Box::new(self.pauses()),
            renewals: RENEWALS,
        }
    }

    /// What an answer means: a server that fails, and asks to wait longer than the budget allows, is not waited for either.
    pub(super) fn bounded(&self, error: Error) -> Error {
        match error.retry_after() {
            Some(wait) if error.kind() == Kind::Transient && wait > self.longest_wait => {
                error.with_kind(Kind::RateLimited)
            }
            _ => error,
        }
    }

    /// Whether `error` is worth another try under this policy.
    pub fn covers(&self, error: &Error) -> bool {
        match error.kind() {
            _ if error.was_retried() => false,
            Kind::Transient => true,
            Kind::RateLimited => error
                .retry_after()
                .is_none_or(|wait| wait <= self.longest_wait),
            _ => false,
        }
    }
}

/// The tries of one transfer that are left.
pub struct Attempts {
    policy: RetryPolicy,
    pauses: Box<dyn Iterator<Item = Duration> + Send + Sync>,
    renewals: u32,
}

impl Attempts {
    /// The pause before the next try; `None` when `error` will not pass. An address that storage refuses is renewed twice at
    /// most: a new one that is refused as well is not too old.
    pub fn after(&mut self, error: &Error) -> Option<Duration> {
        let renewed = error.kind() == Kind::Expired && self.renewals > 0;
        self.renewals -= u32::from(renewed);
        if renewed || self.policy.covers(error) {
            self.next()
        } else {
            None
        }
    }
}

impl Iterator for Attempts {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        self.pauses.next()
    }
}

/// Told of each retry before its pause: the error and the pause.
pub type OnRetry = Arc<dyn Fn(&Error, Duration) + Send + Sync>;

/// Runs `attempt` until it succeeds, fails for good, or the policy ends.
///
/// # Errors
/// The last attempt's, marked as retried.
pub async fn retrying<T, F, A>(
    policy: &RetryPolicy,
    clock: &Arc<dyn Clock>,
    on_retry: &OnRetry,
    attempt: A,
) -> Result<T>
where
    F: Future<Output = Result<T>>,
    A: FnMut() -> F,
{
    attempt
        .retry(policy.pauses())
        .sleep(Sleeper(clock.clone()))
        .when(|error| policy.covers(error))
        .adjust(|error, pause| pause.map(|pause| error.retry_after().unwrap_or(pause)))
        .notify(|error, pause| on_retry(error, pause))
        .await
        .map_err(Error::after_retries)
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;
    use crate::http::clock::tests::ManualClock;

    async fn run(policy: RetryPolicy, errors: Vec<Error>) -> (Result<u32>, Arc<ManualClock>, u32) {
        let clock = ManualClock::new();
        let errors = Mutex::new(errors.into_iter());
        let attempts = AtomicU32::new(0);
        let as_clock: Arc<dyn Clock> = clock.clone();
        let silent: OnRetry = Arc::new(|_, _| ());
        let result = retrying(&policy, &as_clock, &silent, || async {
            let attempt = attempts.fetch_add(1, Ordering::Relaxed);
            errors.lock().unwrap().next().map_or(Ok(attempt), Err)
        })
        .await;
        (result, clock, attempts.into_inner())
    }

    fn transient() -> Error {
        Error::new(Kind::Transient, "503")
    }

    #[tokio::test]
    async fn transient_errors_are_tried_again_with_bounded_pauses() {
        let (result, clock, _) = run(RetryPolicy::default(), vec![transient(), transient()]).await;
        assert_eq!(result.unwrap(), 2);
        let slept = clock.slept.lock().unwrap().clone();
        let RetryPolicy { base, .. } = RetryPolicy::default();
        assert!(slept[0] <= base && slept[1] <= base * 2, "{slept:?}");
    }

    #[tokio::test]
    async fn it_ends_and_marks_the_error() {
        let (result, _, attempts) = run(
            RetryPolicy::default(),
            (0..99).map(|_| transient()).collect(),
        )
        .await;
        let error = result.unwrap_err();
        assert_eq!(attempts, 7);
        assert!(!error.is_transient(), "an outer layer must not start again");
    }

    #[tokio::test]
    async fn the_servers_wait_wins_over_the_jitter() {
        let wait =
            Error::new(Kind::RateLimited, "429").with_retry_after(Some(Duration::from_secs(77)));
        let (result, clock, _) = run(RetryPolicy::default(), vec![wait]).await;
        assert!(result.is_ok());
        assert_eq!(clock.total(), Duration::from_secs(77));
    }

    #[tokio::test]
    async fn a_wait_beyond_the_budget_is_not_waited() {
        let wait =
            Error::new(Kind::RateLimited, "429").with_retry_after(Some(Duration::from_secs(7200)));
        let (result, clock, attempts) = run(RetryPolicy::default(), vec![wait]).await;
        assert_eq!(result.unwrap_err().kind(), Kind::RateLimited);
        assert_eq!((clock.total(), attempts), (Duration::ZERO, 1));
    }

    #[test]
    fn a_failing_server_is_not_waited_for_beyond_the_budget_either() {
        let policy = RetryPolicy::default();
        let kind = |wait: u64| {
            policy
                .bounded(transient().with_retry_after(Some(Duration::from_secs(wait))))
                .kind()
        };
        assert_eq!(
            (kind(1800), kind(1801)),
            (Kind::Transient, Kind::RateLimited)
        );
        assert_eq!(policy.bounded(transient()).kind(), Kind::Transient);
    }

    #[test]
    fn a_refused_address_is_renewed_twice() {
        let (refused, mut attempts) = (
            Error::new(Kind::Expired, "403").after_retries(),
            RetryPolicy::default().attempts(),
        );
        assert!(
            attempts.after(&refused).is_some()
                && attempts.after(&transient()).is_some()
                && attempts.after(&refused).is_some()
        );
        assert!(attempts.after(&refused).is_none());
        assert_eq!(
            (0..)
                .take_while(|_| attempts.after(&transient()).is_some())
                .count(),
            3,
            "6 retries in all"
        );
    }

    #[tokio::test]
    async fn what_cannot_pass_is_tried_once() {
        for kind in [
            Kind::NotFound,
            Kind::Denied,
            Kind::Unauthorized,
            Kind::Invalid,
            Kind::Refused,
            Kind::Corrupt,
        ] {
            let (result, _, attempts) =
                run(RetryPolicy::default(), vec![Error::new(kind, "no")]).await;
            assert_eq!((result.unwrap_err().kind(), attempts), (kind, 1));
        }
    }
}
