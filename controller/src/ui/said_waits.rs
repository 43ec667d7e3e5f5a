//! The waits that a person was told of: each is said once, for all workers and all repos of a command.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use hf2ms_hub::Kind;

/// A shorter wait is no line of its own.
const LONG_WAIT: Duration = Duration::from_secs(5);
/// A wait that ends no later than this after the one that was said is the same wait.
const SAME: Duration = Duration::from_secs(10);

/// The waits that were said. A clone shares them.
#[derive(Debug, Clone, Default)]
pub struct SaidWaits(Arc<Mutex<Said>>);

#[derive(Debug, Default)]
struct Said {
    /// By host, the end of its wait.
    of_hosts: HashMap<String, Instant>,
    /// The error before the last try that was waited for, and the end of that wait.
    of_try: Option<(String, Instant)>,
}

impl SaidWaits {
    /// Whether it is to be said that a host asks for a wait, from now on.
    pub fn is_new_of_host(&self, host: &str, wait: Duration) -> bool {
        let now = Instant::now();
        let Some(until) = end(now, wait) else {
            return false;
        };
        let mut said = self.said();
        said.of_hosts.retain(|_, end| *end > now);
        let known = said.of_hosts.get(host);
        let is_new = known.is_none_or(|end| until > *end + SAME);
        if is_new {
            said.of_hosts.insert(host.to_owned(), until);
        }
        is_new
    }

    /// Whether it is to be said that a try is waited for after this error. While a host is waited for, its refusals say nothing more.
    pub fn is_new_of_try(&self, error: &str, kind: Kind, wait: Duration) -> bool {
        let now = Instant::now();
        let Some(until) = end(now, wait) else {
            return false;
        };
        let mut said = self.said();
        let is_of_host = kind == Kind::RateLimited && said.of_hosts.values().any(|end| *end > now);
        let is_said = |(said, end): &(String, Instant)| said == error && *end > now;
        if is_of_host || said.of_try.as_ref().is_some_and(is_said) {
            return false;
        }
        said.of_try = Some((error.to_owned(), until));
        true
    }

    fn said(&self) -> MutexGuard<'_, Said> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The end of a wait that is long enough to be said.
fn end(now: Instant, wait: Duration) -> Option<Instant> {
    now.checked_add(wait).filter(|_| wait >= LONG_WAIT)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECONDS: fn(u64) -> Duration = Duration::from_secs;

    #[test]
    fn a_wait_of_a_host_is_said_once_and_its_refusals_not_at_all() {
        let said = SaidWaits::default();
        let of_try = |kind, error: &str| said.is_new_of_try(error, kind, SECONDS(55));
        assert!(!said.is_new_of_host("a", SECONDS(1)), "too short");
        assert!(of_try(Kind::RateLimited, "429 of an action"));
        assert!(said.is_new_of_host("a", SECONDS(55)) && said.is_new_of_host("b", SECONDS(55)));
        assert!(
            !said.clone().is_new_of_host("a", SECONDS(56)),
            "another worker's"
        );
        assert!(!of_try(Kind::RateLimited, "429") && of_try(Kind::Transient, "503"));
        assert!(!of_try(Kind::Transient, "503"), "another worker's");
        assert!(said.is_new_of_host("a", SECONDS(300)));
    }
}
