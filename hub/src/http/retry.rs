//! The one retry policy: which errors are worth another try, how many tries there are, and the pauses between them.
//!
//! Each failure is tried again by one layer only, so that tries don't multiply: a request by [`super::Http`], a body that broke by
//! its reader, an upload by its owner. An error on which a layer has given up is marked, and no longer counts as transient.
//!
//! Nothing else in the project sleeps between tries. [`super::HttpOptions::retrying`] repeats a closure. A caller that changes
//! something between the tries, or has a rule of its own, counts with [`Attempts`].

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::clock::Clock;
use crate::error::{Error, Kind, Result};

/// How often an operation is tried again, and how long the pauses are.
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
    /// Workers that ask the same hubs at a time, this one included.
    pub workers: u32,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        // A minute on the average, two at most: a hub's restart passes meanwhile.
        Self {
            retries: 6,
            base: Duration::from_secs(2),
            cap: Duration::from_secs(60),
            longest_wait: Duration::from_secs(1800),
            workers: 1,
        }
    }
}

/// The share of a common wait over which the requests of one worker spread afterwards.
const SPREAD: f64 = 0.05;
/// How often a new address is asked for when storage refuses one.
const RENEWALS: u32 = 2;
/// An outage is waited for as long as so many files one after the other.
const FILES_OF_PATIENCE: u32 = 15;

impl RetryPolicy {
    /// The pauses: exponential with full jitter, one a retry.
    pub fn pauses(self) -> impl Iterator<Item = Duration> + Send + Sync + Unpin {
        self.bounds().map(|bound| bound.mul_f64(fastrand::f64()))
    }

    /// The longest that each pause may be.
    fn bounds(self) -> impl Iterator<Item = Duration> + Send + Sync + Unpin {
        (0..self.retries)
            .map(move |attempt| self.base.saturating_mul(1 << attempt.min(16)).min(self.cap))
    }

    /// How long a hub that fails for every file is waited for: many times what one file may wait, and no longer than any server.
    pub fn patience_in_outage(self) -> Duration {
        let of_one: Duration = self.bounds().sum();
        of_one
            .saturating_mul(FILES_OF_PATIENCE)
            .min(self.longest_wait)
    }

    /// What a request waits beyond `wait`, which the server asked of all: the more workers there are, the longer is the span over which
    /// they come back, up to the wait again. `random` is from 0 to 1.
    pub(super) fn spread(&self, wait: Duration, random: f64) -> Duration {
        let share = (SPREAD * f64::from(self.workers)).min(1.0);
        wait.min(self.longest_wait).mul_f64(share * random)
    }

    /// The pause before another try: our own, or what the server asks for if that is longer.
    fn pause(&self, own: Duration, asked: Option<Duration>, random: f64) -> Duration {
        let asked = asked.map(|wait| wait.saturating_add(self.spread(wait, random)));
        own.max(asked.unwrap_or_default())
    }

    /// The same error, as [`Kind::RateLimited`] where a failing server asks for a longer wait than the policy allows.
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

/// Told of each retry before its pause: the error and the pause.
pub type OnRetry = Arc<dyn Fn(&Error, Duration) + Send + Sync>;

/// The tries of one operation that are left: counts them, tells of each, and waits before each.
///
/// [`super::HttpOptions::attempts`] begins one. In a loop:
///
/// ```ignore
/// let mut attempts = options.attempts();
/// loop {
///     match upload().await {
///         Ok(stored) => return Ok(stored),
///         Err(error) => attempts.wait_after(error).await?,
///     }
/// }
/// ```
pub struct Attempts {
    policy: RetryPolicy,
    clock: Arc<dyn Clock>,
    on_retry: OnRetry,
    pauses: Box<dyn Iterator<Item = Duration> + Send + Sync>,
    renewals: u32,
    /// When a server that takes no connection is given up.
    unconnected_until: Option<Instant>,
}

impl Attempts {
    pub(super) fn new(policy: RetryPolicy, clock: Arc<dyn Clock>, on_retry: OnRetry) -> Self {
        Self {
            policy,
            clock,
            on_retry,
            pauses: Box::new(policy.pauses()),
            renewals: RENEWALS,
            unconnected_until: None,
        }
    }

    /// The same; a server that takes no connection is tried for so long only.
    pub(super) fn connected_within(mut self, limit: Option<Duration>) -> Self {
        self.unconnected_until = limit.map(|limit| self.clock.now() + limit);
        self
    }

    /// The same with at most `retries` tries after the first.
    pub fn at_most(mut self, retries: usize) -> Self {
        self.pauses = Box::new(self.pauses.take(retries));
        self
    }

    /// Whether `error` is worth another try: the policy covers it, or storage refuses an address, which is renewed twice at most.
    /// A new address that is refused as well is not too old.
    pub fn covers(&mut self, error: &Error) -> bool {
        let renewed = error.kind() == Kind::Expired && self.renewals > 0;
        self.renewals -= u32::from(renewed);
        renewed || self.policy.covers(error)
    }

    /// Waits before the next try, as long as the server asks or the policy says, whichever is longer.
    ///
    /// # Errors
    /// `error` itself when it will not pass; the same, marked as retried, when no try is left.
    pub async fn wait_after(&mut self, error: Error) -> Result<()> {
        let is_covered = self.covers(&error);
        self.wait_after_if(is_covered, error).await
    }

    /// Waits before the next try where the caller knows whether `error` is worth one.
    ///
    /// # Errors
    /// As [`Attempts::wait_after`].
    pub async fn wait_after_if(&mut self, is_worth_it: bool, error: Error) -> Result<()> {
        if !is_worth_it {
            return Err(error);
        }
        let Some(pause) = self.pauses.next() else {
            return Err(error.after_retries());
        };
        let is_given_up = |until| self.clock.now() + pause > until;
        if error.is_unconnected() && self.unconnected_until.is_some_and(is_given_up) {
            return Err(error.with_kind(Kind::Unreachable).after_retries());
        }
        self.pause(&error, pause).await;
        Ok(())
    }

    /// Repeats `attempt` until it succeeds, fails for good, or no try is left. Addresses are not renewed.
    pub(super) async fn run<T, F, A>(mut self, mut attempt: A) -> Result<T>
    where
        F: Future<Output = Result<T>>,
        A: FnMut() -> F,
    {
        loop {
            let error = match attempt().await {
                Err(error) if self.policy.covers(&error) => error,
                done => return done.map_err(Error::after_retries),
            };
            self.wait_after_if(true, error).await?;
        }
    }

    /// Whether something turns up within `patience` that may be done already: looks after each pause, which grows from the policy's
    /// first to its longest. The first is told as one after `error`.
    ///
    /// # Errors
    /// `error` itself when the time is over; what a look fails with for good.
    pub async fn found_within<F, L>(
        self,
        patience: Duration,
        error: Error,
        mut look: L,
    ) -> Result<()>
    where
        F: Future<Output = Result<bool>>,
        L: FnMut(u32) -> F,
    {
        let begun = self.clock.now();
        let mut pause = self.policy.base.min(self.policy.cap);
        for number in 0.. {
            if look(number).await? {
                break;
            }
            let left = patience.saturating_sub(self.clock.now() - begun);
            if left.is_zero() {
                return Err(error);
            }
            let wait = self.drawn(&error, pause.min(left));
            if number == 0 {
                (self.on_retry)(&error, wait);
            }
            self.clock.sleep(wait).await;
            pause = pause.saturating_mul(2).min(self.policy.cap);
        }
        Ok(())
    }

    async fn pause(&self, error: &Error, pause: Duration) {
        let pause = self.drawn(error, pause);
        (self.on_retry)(error, pause);
        self.clock.sleep(pause).await;
    }

    fn drawn(&self, error: &Error, pause: Duration) -> Duration {
        self.policy
            .pause(pause, error.retry_after(), fastrand::f64())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;
    use crate::clock::tests::ManualClock;

    fn attempts_of(policy: RetryPolicy, clock: &Arc<ManualClock>) -> Attempts {
        Attempts::new(policy, clock.clone(), Arc::new(|_, _| ()))
    }

    async fn run(policy: RetryPolicy, errors: Vec<Error>) -> (Result<u32>, Arc<ManualClock>, u32) {
        let clock = ManualClock::new();
        let errors = Mutex::new(errors.into_iter());
        let attempts = AtomicU32::new(0);
        let result = attempts_of(policy, &clock)
            .run(|| async {
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
    async fn a_server_that_takes_no_connection_is_given_up_early() {
        let clock = ManualClock::new();
        let limit = Duration::from_secs(8);
        let attempts = attempts_of(RetryPolicy::default(), &clock).connected_within(Some(limit));
        let refused = || async { Result::<()>::Err(transient().unconnected_if(true)) };
        let error = attempts.run(refused).await.unwrap_err();
        assert_eq!(
            (error.kind(), error.was_retried()),
            (Kind::Unreachable, true)
        );
        assert!(clock.total() <= limit, "{:?}", clock.total());
        let attempts = attempts_of(RetryPolicy::default(), &clock).connected_within(Some(limit));
        let busy = || async { Result::<()>::Err(transient()) };
        let error = attempts.run(busy).await.unwrap_err();
        assert_eq!(error.kind(), Kind::Transient, "it was connected to");
    }

    #[tokio::test]
    async fn the_servers_wait_wins_over_a_shorter_pause() {
        let wait =
            Error::new(Kind::RateLimited, "429").with_retry_after(Some(Duration::from_secs(77)));
        let (result, clock, _) = run(RetryPolicy::default(), vec![wait]).await;
        assert!(result.is_ok());
        let waited = clock.total().as_secs_f64();
        assert!((77.0..=77.0 * (1.0 + SPREAD)).contains(&waited), "{waited}");
    }

    #[test]
    fn a_wait_shorter_than_our_own_pause_does_not_shorten_it() {
        let policy = RetryPolicy::default();
        let [own, asked] = [20, 1].map(Duration::from_secs);
        for told in [None, Some(Duration::ZERO), Some(asked)] {
            assert_eq!(policy.pause(own, told, 0.5), own);
        }
        assert_eq!(policy.pause(asked, Some(own), 0.0), own);
        let endless = Some(Duration::MAX);
        assert_eq!(policy.pause(own, endless, 1.0), Duration::MAX);
    }

    #[test]
    fn workers_come_back_one_after_the_other_after_a_common_wait() {
        let wait = Duration::from_secs(60);
        let random = &mut fastrand::Rng::with_seed(12);
        for (workers, spread) in [(1_u32, 3.0), (12, 36.0), (20, 60.0), (100, 60.0)] {
            let policy = RetryPolicy {
                workers,
                ..RetryPolicy::default()
            };
            let mut back: Vec<f64> = (0..workers)
                .map(|_| policy.pause(Duration::ZERO, Some(wait), random.f64()))
                .map(|pause| pause.as_secs_f64())
                .collect();
            back.sort_by(f64::total_cmp);
            assert!(back[0] >= 60.0 && back[back.len() - 1] <= 60.0 + spread);
            let together = back.windows(4).filter(|four| four[3] - four[0] < 0.06);
            assert_eq!(together.count(), 0, "{workers}: {back:?}");
        }
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

    #[tokio::test]
    async fn a_refused_address_is_renewed_twice() {
        let refused = || Error::new(Kind::Expired, "403").after_retries();
        let mut attempts = attempts_of(RetryPolicy::default(), &ManualClock::new());
        for error in [refused(), transient(), refused()] {
            assert!(attempts.wait_after(error).await.is_ok());
        }
        assert!(attempts.wait_after(refused()).await.is_err());
        for _ in 0..3 {
            assert!(attempts.wait_after(transient()).await.is_ok());
        }
        let error = attempts.wait_after(transient()).await.unwrap_err();
        assert!(error.was_retried(), "6 retries in all");
    }

    #[tokio::test]
    async fn what_may_be_done_already_is_looked_for_until_it_is_there_or_the_time_is_over() {
        let quarter = Duration::from_secs(900);
        let looked = |there_after: u64| async move {
            let clock = ManualClock::new();
            let attempts = attempts_of(RetryPolicy::default(), &clock);
            let is_there = |_| async { Ok(clock.total() >= Duration::from_secs(there_after)) };
            let found = attempts.found_within(quarter, transient(), is_there).await;
            (found.is_ok(), clock.total())
        };
        assert_eq!(looked(0).await, (true, Duration::ZERO));
        let (found, waited) = looked(100).await;
        assert!(
            found && (100..160).contains(&waited.as_secs()),
            "{waited:?}"
        );
        assert_eq!(looked(901).await, (false, quarter));
        let clock = ManualClock::new();
        let denied = |_| async { Err(Error::new(Kind::Unauthorized, "no")) };
        let attempts = attempts_of(RetryPolicy::default(), &clock);
        let found = attempts.found_within(quarter, transient(), denied).await;
        assert_eq!(found.unwrap_err().kind(), Kind::Unauthorized);
    }

    #[test]
    fn an_outage_is_waited_for_as_long_as_a_server_may_ask_unless_pauses_are_short() {
        let patience = |retries, base| {
            let base = Duration::from_millis(base);
            let policy = RetryPolicy {
                retries,
                base,
                ..RetryPolicy::default()
            };
            policy.patience_in_outage().as_millis()
        };
        assert_eq!(
            (patience(6, 2000), patience(6, 10), patience(0, 2000)),
            (1_800_000, 9450, 0)
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
