//! The waits that hosts have asked for. All clients of a process keep to them, and whoever passes them on to other processes is
//! told of each new one.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::watch;

/// A wait that ends no later than this after a known one is the same wait, told again.
const SAME: Duration = Duration::from_secs(1);

/// Told of each new wait that a host asks of a client: the host, and how long.
pub type OnHostWait = Arc<dyn Fn(&str, Duration) + Send + Sync>;

/// By host, the moment before which nothing is sent there. A clone shares them.
#[derive(Clone)]
pub struct HostWaits(Arc<Known>);

struct Known {
    until: Mutex<HashMap<String, Instant>>,
    news: watch::Sender<()>,
}

/// Whether a wait was known before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WaitNews {
    /// It was not, or it ends later than was known.
    New,
    /// It was.
    Known,
}

impl Default for HostWaits {
    fn default() -> Self {
        let (news, _) = watch::channel(());
        let until = Mutex::default();
        Self(Arc::new(Known { until, news }))
    }
}

impl HostWaits {
    /// Notes that the host is to be left alone until this moment. An earlier wait that ends later stays.
    pub(super) fn note(&self, host: &str, until: Instant) -> WaitNews {
        let mut known = self.known();
        let before = known.get(host).copied();
        let latest = before.map_or(until, |before| before.max(until));
        known.insert(host.to_owned(), latest);
        drop(known);
        if before.is_some_and(|before| until.saturating_duration_since(before) <= SAME) {
            return WaitNews::Known;
        }
        self.0.news.send_replace(());
        WaitNews::New
    }

    /// What is left of the wait of a host.
    pub(super) fn left(&self, host: &str, now: Instant) -> Option<Duration> {
        let mut known = self.known();
        let until = *known.get(host)?;
        if until <= now {
            known.remove(host);
            return None;
        }
        Some(until - now)
    }

    /// All waits of now.
    pub(super) fn all(&self, now: Instant) -> Vec<(String, Duration)> {
        let mut known = self.known();
        known.retain(|_, until| *until > now);
        let left = known
            .iter()
            .map(|(host, until)| (host.clone(), *until - now));
        left.collect()
    }

    /// Changes with each new wait.
    pub(super) fn news(&self) -> watch::Receiver<()> {
        self.0.news.subscribe()
    }

    fn known(&self) -> MutexGuard<'_, HashMap<String, Instant>> {
        self.0.until.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_news_once() {
        let (waits, now) = (HostWaits::default(), Instant::now());
        let mut news = waits.news();
        let mut note = |host, millis| {
            let told = waits.note(host, now + Duration::from_millis(millis));
            let was_told = news.has_changed().unwrap();
            news.mark_unchanged();
            assert_eq!(was_told, told == WaitNews::New);
            told
        };
        assert_eq!(note("a", 50_000), WaitNews::New);
        assert_eq!(note("a", 50_900), WaitNews::Known, "another worker's 429");
        assert_eq!(note("a", 20_000), WaitNews::Known);
        assert_eq!(note("b", 20_000), WaitNews::New);
        assert_eq!(note("a", 60_000), WaitNews::New);
        assert_eq!(waits.left("a", now), Some(Duration::from_secs(60)));
        let later = now + Duration::from_secs(20);
        assert_eq!(
            waits.all(later),
            [("a".to_owned(), Duration::from_secs(40))]
        );
        assert_eq!(waits.left("b", later), None);
    }
}
