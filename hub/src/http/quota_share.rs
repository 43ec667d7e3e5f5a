//! One worker's share of the quota that a hub tells of. All workers see what is left of the same account, and each has no more
//! requests under way than its share of that. So the last requests of a window are not sent by all at once, to be refused.
//! Nothing is held back before: a job that the quota suffices for takes no longer than it would without one.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use reqwest::header::HeaderMap;
use tokio::sync::Notify;

use super::quota_header::QuotaLeft;
use super::request::Request;
use crate::clock::Clock;

/// What a worker was told is older by what the others have sent since: so much of it may be gone.
const STALE: u64 = 2;
/// Requests under way until the first answer tells of a quota, or of none.
const FIRST: u64 = 8;
/// The end of a window is told in whole seconds.
const ROUNDED: Duration = Duration::from_secs(1);
/// No more than this part of a window's quota is left unused for the sake of other workers.
const MOST_RESERVED: u64 = 10;

/// The quotas of one hub: Hugging Face counts the addresses of files apart from its API.
pub(super) struct QuotaShares {
    api: QuotaShare,
    files: QuotaShare,
}

impl QuotaShares {
    /// The shares of one of so many workers.
    pub(super) fn new(clock: &Arc<dyn Clock>, workers: u32) -> Self {
        let share = || QuotaShare::new(clock.clone(), workers);
        Self {
            api: share(),
            files: share(),
        }
    }

    /// The share that a request counts in.
    pub(super) fn of(&self, request: &Request) -> &QuotaShare {
        if request.of_file {
            &self.files
        } else {
            &self.api
        }
    }
}

/// One worker's share of one quota.
pub(super) struct QuotaShare {
    clock: Arc<dyn Clock>,
    /// What is left is divided by this.
    divisor: u64,
    state: Mutex<State>,
    /// A request has been answered.
    answered: Notify,
}

/// A request that is under way, until dropped.
pub(super) struct UnderWay<'a>(&'a QuotaShare);

#[derive(Debug, Default)]
struct State {
    under_way: u64,
    /// Whether any request was answered.
    is_answered: bool,
    /// What was told last, and when that window ends.
    told: Option<(QuotaLeft, Instant)>,
}

impl QuotaShare {
    fn new(clock: Arc<dyn Clock>, workers: u32) -> Self {
        Self {
            clock,
            divisor: match workers {
                0 | 1 => 1,
                _ => u64::from(workers) * STALE,
            },
            state: Mutex::default(),
            answered: Notify::new(),
        }
    }

    /// Waits until this worker may have one more request under way.
    pub(super) async fn begin(&self) -> UnderWay<'_> {
        loop {
            let mut answered = std::pin::pin!(self.answered.notified());
            // From now on no answer is missed.
            answered.as_mut().enable();
            if let Some(begun) = self.try_begin() {
                return begun;
            }
            answered.await;
        }
    }

    fn try_begin(&self) -> Option<UnderWay<'_>> {
        let now = self.clock.now();
        let mut state = self.state();
        let is_free = state.under_way < state.most_under_way(now, self.divisor);
        is_free.then(|| {
            state.under_way += 1;
            UnderWay(self)
        })
    }

    /// How long the next window is waited for, where what is left of this one is not enough for a request of each worker.
    pub(super) fn used_up_for(&self) -> Option<Duration> {
        let now = self.clock.now();
        self.state().used_up_for(now, self.divisor)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl UnderWay<'_> {
    /// Takes what the answer tells of the quota.
    pub(super) fn answered(&self, headers: &HeaderMap) {
        let mut state = self.0.state();
        state.is_answered = true;
        if let Some(told) = QuotaLeft::of(headers) {
            state.take(told, self.0.clock.now());
        }
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.0.state().under_way -= 1;
        self.0.answered.notify_waiters();
    }
}

impl State {
    /// Takes what an answer tells. Answers come in any order: of one window the one counts that has least left.
    fn take(&mut self, told: QuotaLeft, now: Instant) {
        let Some(resets) = now.checked_add(told.resets_in) else {
            return;
        };
        match &mut self.told {
            Some((known, end)) if now < *end && resets <= *end + ROUNDED => {
                known.remaining = known.remaining.min(told.remaining);
            }
            known => *known = Some((told, resets)),
        }
    }

    /// What is left, and for how long; absent where nothing was told of the window of now.
    fn left(&self, now: Instant) -> Option<(QuotaLeft, Duration)> {
        let (told, resets) = self.told?;
        let left = resets.checked_duration_since(now)?;
        (!left.is_zero()).then_some((told, left))
    }

    /// Requests that may be under way: this worker's share of what is left, and one in any case.
    fn most_under_way(&self, now: Instant, divisor: u64) -> u64 {
        match self.left(now) {
            Some((told, _)) => (told.remaining / divisor).max(1),
            None if self.is_answered => u64::MAX,
            None => FIRST,
        }
    }

    fn used_up_for(&self, now: Instant, divisor: u64) -> Option<Duration> {
        let (told, left) = self.left(now)?;
        let most = told.quota.map_or(divisor, |quota| quota / MOST_RESERVED);
        (told.remaining < divisor.min(most).max(1)).then_some(left)
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;
    use crate::clock::tests::ManualClock;

    fn share(workers: u32) -> (QuotaShare, Arc<ManualClock>) {
        let clock = ManualClock::new();
        (QuotaShare::new(clock.clone(), workers), clock)
    }

    /// A request is answered with so many requests left for so many seconds, of a quota of 1,000.
    fn answer(under_way: UnderWay<'_>, left: u64, seconds: u64) {
        let told = [
            ("ratelimit", format!("\"api\";r={left};t={seconds}")),
            (
                "ratelimit-policy",
                "\"fixed window\";\"api\";q=1000;w=300".to_owned(),
            ),
        ]
        .map(|(name, value)| {
            let name = name.parse::<reqwest::header::HeaderName>().unwrap();
            (name, value.parse().unwrap())
        });
        under_way.answered(&told.into_iter().collect());
    }

    /// So many requests begin at once, of a hundred that would like to.
    fn begun(share: &QuotaShare) -> Vec<UnderWay<'_>> {
        (0..100)
            .map_while(|_| share.begin().now_or_never())
            .collect()
    }

    #[test]
    fn a_hub_that_tells_nothing_or_has_plenty_left_holds_nothing_back() {
        let (share, _) = share(4);
        let first = begun(&share);
        assert_eq!(first.len() as u64, FIRST);
        first[0].answered(&HeaderMap::new());
        assert_eq!(begun(&share).len(), 100);
        drop(first);
        answer(begun(&share).remove(0), 900, 295);
        assert_eq!((begun(&share).len(), share.used_up_for()), (100, None));
    }

    #[test]
    fn each_worker_has_its_share_of_what_is_left_under_way() {
        for (workers, left, expected) in [(4, 40, 5), (4, 15, 1), (1, 7, 7), (100, 100, 1)] {
            let (share, _) = share(workers);
            answer(begun(&share).remove(0), left, 100);
            let most = begun(&share).len();
            assert_eq!(most, expected, "{workers} workers, {left} left");
            assert_eq!(share.used_up_for(), None);
        }
    }

    #[test]
    fn the_last_of_a_window_is_left_alone_until_the_next_begins() {
        for (workers, left) in [(1, 0), (4, 7), (100, 99)] {
            let (share, clock) = share(workers);
            answer(begun(&share).remove(0), left, 100);
            assert_eq!(share.used_up_for(), Some(Duration::from_secs(101)));
            clock.sleep(Duration::from_secs(101)).now_or_never();
            assert_eq!((share.used_up_for(), begun(&share).len()), (None, 100));
        }
    }

    #[tokio::test]
    async fn a_request_that_waits_for_its_turn_goes_on_when_another_is_answered() {
        let (share, _) = share(4);
        answer(begun(&share).remove(0), 8, 100);
        let first = share.begin().await;
        let mut second = std::pin::pin!(share.begin());
        assert!((&mut second).now_or_never().is_none());
        drop(first);
        let second = second.await;
        answer(second, 16, 300);
        let of_the_next_window = begun(&share);
        assert_eq!(of_the_next_window.len(), 2);
    }

    #[test]
    fn an_answer_that_was_overtaken_changes_nothing() {
        let (share, clock) = share(1);
        let mut requests = begun(&share);
        answer(requests.remove(0), 5, 100);
        answer(requests.remove(0), 7, 101);
        drop(requests);
        assert_eq!(begun(&share).len(), 5);
        clock.sleep(Duration::from_secs(90)).now_or_never();
        answer(begun(&share).remove(0), 9, 300);
        assert_eq!(begun(&share).len(), 9, "the next window");
    }

    /// Four workers that each want a request after the other from one account, four at a time: how many are refused, and how
    /// many are answered before the window ends.
    fn played(workers: u32) -> (u64, u64) {
        let shares: Vec<_> = (0..4).map(|_| share(workers)).collect();
        let (mut left, mut answered, mut refused) = (500_u64, 0, 0);
        for _ in 0..200 {
            let mut under_way = Vec::new();
            for (share, _) in &shares {
                if share.used_up_for().is_none() {
                    under_way.extend(begun(share).into_iter().take(4));
                }
            }
            for request in under_way {
                refused += u64::from(left == 0);
                answered += u64::from(left > 0);
                left = left.saturating_sub(1);
                answer(request, left, 100);
            }
        }
        (refused, answered)
    }

    #[test]
    fn workers_that_keep_to_their_shares_are_not_refused_and_use_the_quota_up() {
        let (refused, answered) = played(4);
        assert!(refused == 0 && answered >= 490, "{refused} {answered}");
        let (refused, _) = played(1);
        assert!(refused > 0, "each of them believes that it is alone");
    }
}
