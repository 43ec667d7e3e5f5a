//! What a test sees of a worker: its pauses, its events, and how much it does at a time.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};

use hf2ms_hub::clock::{Clock, Pause};

use crate::protocol::Event;

/// A clock that moves only by sleeping on it, and remembers each sleep.
pub(crate) struct SteppedClock {
    start: Instant,
    pub(crate) slept: Mutex<Vec<Duration>>,
}

impl SteppedClock {
    pub(crate) fn new() -> Self {
        Self {
            start: Instant::now(),
            slept: Mutex::default(),
        }
    }

    pub(crate) fn total(&self) -> Duration {
        self.slept.lock().unwrap().iter().sum()
    }
}

impl Clock for SteppedClock {
    fn now(&self) -> Instant {
        self.start + self.total()
    }

    fn date(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + self.total()
    }

    fn sleep(&self, span: Duration) -> Pause {
        self.slept.lock().unwrap().push(span);
        Box::pin(std::future::ready(()))
    }
}

/// How many do something at a time.
#[derive(Default)]
pub(crate) struct AtOnce {
    now: AtomicUsize,
    most: AtomicUsize,
}

impl AtOnce {
    /// A moment in which others may begin.
    pub(super) async fn moment(&self) {
        let now = self.now.fetch_add(1, Ordering::Relaxed) + 1;
        self.most.fetch_max(now, Ordering::Relaxed);
        tokio::task::yield_now().await;
        self.now.fetch_sub(1, Ordering::Relaxed);
    }

    /// The most that there were.
    pub(crate) fn most(&self) -> usize {
        self.most.load(Ordering::Relaxed)
    }
}

/// What a worker has written.
#[derive(Clone, Default)]
pub(crate) struct EventLog(Arc<Mutex<Vec<u8>>>);

impl EventLog {
    pub(crate) fn events(&self) -> Vec<Event> {
        let written = self.0.lock().unwrap();
        let lines = written.split(|byte| *byte == b'\n');
        lines
            .filter(|line| !line.is_empty())
            .map(|line| serde_json::from_slice(line).unwrap())
            .collect()
    }
}

impl std::io::Write for EventLog {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
