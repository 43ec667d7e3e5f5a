//! How fast bytes go: a rate for each hub and direction, shared by all its connections.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::body::{Body, Bytes};
use futures_util::stream::{self, BoxStream, StreamExt};

use crate::sync::Guarded;

/// What a link that was idle may send at once.
const BURST: Duration = Duration::from_millis(10);
/// How much time one step takes at most.
const STEP: Duration = Duration::from_millis(5);

/// Frames of a body in one direction.
pub type Frames = BoxStream<'static, io::Result<Bytes>>;

/// A body's frames.
pub fn frames(body: Body) -> Frames {
    body.into_data_stream()
        .map(|frame| frame.map_err(io::Error::other))
        .boxed()
}

/// A link with a rate, or as fast as it goes.
#[derive(Default)]
pub struct Link {
    rate: AtomicU64,
    free_at: Mutex<Option<Instant>>,
}

impl Link {
    /// Sets the bytes a second; `None` for no limit.
    pub fn limit(&self, rate: Option<u64>) {
        self.rate.store(rate.unwrap_or(0), Ordering::Relaxed);
        *self.free_at.guarded() = None;
    }

    /// How many bytes go in one step; `None` without a limit.
    fn step(&self) -> Option<usize> {
        let rate = self.rate.load(Ordering::Relaxed);
        (rate > 0).then(|| ((rate as f64 * STEP.as_secs_f64()) as usize).max(1))
    }

    /// Takes the link for `len` bytes and says when the last of them is through.
    fn reserve(&self, len: usize) -> Option<Instant> {
        let rate = self.rate.load(Ordering::Relaxed);
        if rate == 0 {
            return None;
        }
        let mut free_at = self.free_at.guarded();
        let now = Instant::now();
        let earliest = now.checked_sub(BURST).unwrap_or(now);
        let start = free_at.map_or(earliest, |at| at.max(earliest));
        let done = start + Duration::from_secs_f64(len as f64 / rate as f64);
        *free_at = Some(done);
        (done > now).then_some(done)
    }

    async fn pass(&self, len: usize) {
        if let Some(done) = self.reserve(len) {
            tokio::time::sleep_until(done.into()).await;
        }
    }
}

/// What limits the bodies of one hub: a link of all its connections in each direction, and a rate of each.
pub struct Lines<'a> {
    /// From the hub and to it.
    pub links: &'a [Arc<Link>; 2],
    /// Bytes a second of one body, in the same order.
    pub each: [Option<u64>; 2],
}

impl Lines<'_> {
    /// The body of an answer.
    pub fn down(&self, body: Frames) -> Frames {
        self.limited(body, 0)
    }

    /// The body of a request.
    pub fn up(&self, body: Frames) -> Frames {
        self.limited(body, 1)
    }

    fn limited(&self, body: Frames, way: usize) -> Frames {
        let body = match self.each[way] {
            Some(rate) => slowed(body, rate),
            None => body,
        };
        shaped(body, Arc::clone(&self.links[way]))
    }
}

/// A body at its own rate.
pub fn slowed(body: Frames, rate: u64) -> Frames {
    let link = Arc::new(Link::default());
    link.limit(Some(rate.max(1)));
    shaped(body, link)
}

/// A body that `link` lets through at its rate.
pub fn shaped(body: Frames, link: Arc<Link>) -> Frames {
    stream::unfold(
        (body, Bytes::new(), link),
        |(mut body, mut rest, link)| async move {
            if rest.is_empty() {
                rest = match body.next().await? {
                    Ok(frame) => frame,
                    Err(error) => return Some((Err(error), (body, rest, link))),
                };
            }
            let step = link.step().unwrap_or(rest.len()).min(rest.len());
            let part = rest.split_to(step);
            link.pass(part.len()).await;
            Some((Ok(part), (body, rest, link)))
        },
    )
    .boxed()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn two_bodies_share_a_rate() {
        let link = Arc::new(Link::default());
        link.limit(Some(20_000_000));
        let body = || shaped(frames(Body::from(vec![0; 2_000_000])), Arc::clone(&link));
        let begun = Instant::now();
        let drain = |body: Frames| async move {
            body.fold(0, |n, frame| async move { n + frame.unwrap().len() })
                .await
        };
        let (a, b) = tokio::join!(drain(body()), drain(body()));
        assert_eq!(a + b, 4_000_000);
        let took = begun.elapsed().as_secs_f64();
        assert!(took > 0.17, "took {took} s instead of 0.2");
    }
}
