//! The limit of the bytes that a worker sends in a second: its part of the run's. Bodies wait before a frame goes on, so that the source
//! is read as slowly as the destination is written.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use hf2ms_hub::ByteStream;
use hf2ms_hub::clock::Clock;

use crate::protocol::{Bandwidth, WorkerOptions};

/// A wait is looked at again after this span, since the timetable may have gone on.
const LONGEST: Duration = Duration::from_secs(1);

/// One worker's part of the bandwidth, shared by all its streams.
#[derive(Clone)]
pub struct BandwidthLimit(Option<Arc<Pace>>);

struct Pace {
    bandwidth: Bandwidth,
    /// How many share it.
    workers: AtomicU32,
    clock: Arc<dyn Clock>,
    /// When the next frame may go.
    next: Mutex<Option<Instant>>,
}

impl BandwidthLimit {
    /// The limit that a job's options say.
    pub fn of(options: &WorkerOptions, clock: &Arc<dyn Clock>) -> Self {
        let pace = options.bandwidth.as_ref().map(|bandwidth| {
            Arc::new(Pace {
                bandwidth: bandwidth.clone(),
                workers: AtomicU32::new(options.workers),
                clock: clock.clone(),
                next: Mutex::default(),
            })
        });
        Self(pace)
    }

    /// No limit.
    pub fn none() -> Self {
        Self(None)
    }

    /// From now on so many workers share the run's limit.
    pub fn share_among(&self, workers: u32) {
        if let Some(pace) = &self.0 {
            pace.workers.store(workers, Ordering::Relaxed);
        }
    }

    /// `body`, as slowly as the limit says.
    pub fn slow(&self, body: ByteStream) -> ByteStream {
        let Some(pace) = self.0.clone() else {
            return body;
        };
        body.then(move |frame| {
            let pace = pace.clone();
            async move {
                if let Ok(frame) = &frame {
                    pace.take(frame.len() as u64).await;
                }
                frame
            }
        })
        .boxed()
    }
}

impl Pace {
    /// Waits until so many bytes may go.
    async fn take(&self, bytes: u64) {
        let Some(begins) = self.book(bytes) else {
            return;
        };
        while let Some(wait) = self.wait_until(begins) {
            self.clock.sleep(wait.min(LONGEST)).await;
        }
    }

    /// Books the time that so many bytes take, after all that was booked before. Returns when they may go; `None` for at once.
    fn book(&self, bytes: u64) -> Option<Instant> {
        let rate = self.share();
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(rate) = rate else {
            *next = None;
            return None;
        };
        let now = self.clock.now();
        let begins = next.map_or(now, |next| next.max(now));
        *next = Some(begins + Duration::from_secs_f64(bytes as f64 / rate as f64));
        Some(begins)
    }

    /// The bytes a second of this worker now; `None` where there is no limit.
    fn share(&self) -> Option<u64> {
        let workers = self.workers.load(Ordering::Relaxed);
        self.bandwidth.share(self.clock.date(), workers)
    }

    /// How long it is until then; `None` once it is, or while there is no limit.
    fn wait_until(&self, begins: Instant) -> Option<Duration> {
        self.share()?;
        let wait = begins.saturating_duration_since(self.clock.now());
        (!wait.is_zero()).then_some(wait)
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use futures_util::stream;

    use super::*;
    use crate::protocol::BandwidthChange;
    use crate::testing::SteppedClock;

    fn body(frames: usize, size: usize) -> ByteStream {
        let frame = move |_| Ok(Bytes::from(vec![0; size]));
        stream::iter((0..frames).map(frame)).boxed()
    }

    /// Seconds that so many frames of 1,000 bytes take.
    async fn seconds(bandwidth: Option<Bandwidth>, workers: u32, frames: usize) -> f64 {
        let clock = Arc::new(SteppedClock::new());
        let options = WorkerOptions {
            bandwidth,
            workers,
            ..WorkerOptions::default()
        };
        let shared: Arc<dyn Clock> = clock.clone();
        let limit = BandwidthLimit::of(&options, &shared);
        let sent = limit.slow(body(frames, 1_000)).count().await;
        assert_eq!(sent, frames);
        clock.total().as_secs_f64()
    }

    #[tokio::test]
    async fn the_first_frame_goes_at_once_and_the_others_as_the_limit_allows() {
        let limit = || Some(Bandwidth::always(500));
        assert_eq!(seconds(limit(), 1, 11).await, 20.0);
        assert_eq!(seconds(limit(), 5, 11).await, 100.0, "a fifth of it");
        assert_eq!(seconds(None, 1, 11).await, 0.0);
    }

    #[tokio::test]
    async fn streams_share_one_limit() {
        let clock = Arc::new(SteppedClock::new());
        let options = WorkerOptions {
            bandwidth: Some(Bandwidth::always(1_000)),
            ..WorkerOptions::default()
        };
        let shared: Arc<dyn Clock> = clock.clone();
        let limit = BandwidthLimit::of(&options, &shared);
        limit.slow(body(5, 1_000)).count().await;
        limit.clone().slow(body(6, 1_000)).count().await;
        assert_eq!(clock.total().as_secs(), 10);
    }

    #[tokio::test]
    async fn a_worker_is_given_more_when_others_have_ended() {
        let clock = Arc::new(SteppedClock::new());
        let options = WorkerOptions {
            bandwidth: Some(Bandwidth::always(1_000)),
            workers: 10,
            ..WorkerOptions::default()
        };
        let shared: Arc<dyn Clock> = clock.clone();
        let limit = BandwidthLimit::of(&options, &shared);
        limit.slow(body(2, 1_000)).count().await;
        assert_eq!(clock.total().as_secs(), 10);
        limit.share_among(1);
        limit.slow(body(6, 1_000)).count().await;
        assert_eq!(clock.total().as_secs(), 10 + 10 + 5);
    }

    #[tokio::test]
    async fn a_wait_ends_when_the_timetable_takes_the_limit_off() {
        // The clock begins on a Thursday, at 0:00.
        let thursday = 3 * 24 * 60;
        let change = |minute, bytes_per_second| BandwidthChange {
            minute,
            bytes_per_second,
        };
        let table = Bandwidth::weekly(vec![change(thursday, Some(1)), change(thursday + 2, None)]);
        let waited = seconds(Some(table), 1, 50).await;
        assert_eq!(waited, 120.0);
    }
}
