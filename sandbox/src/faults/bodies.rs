//! Faults in the flow of bytes: bodies that are cut, held up, changed or lengthened.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::body::Bytes;
use futures_util::stream::{self, StreamExt};

use crate::shape::Frames;

/// Time for what was sent to be received, since a reset takes back what was not.
const SETTLE: Duration = Duration::from_millis(30);

/// A connection that may be told to end with a reset.
#[derive(Default)]
pub struct Line {
    reset: AtomicBool,
}

impl Line {
    /// Has the connection reset when it ends.
    pub fn reset(&self) {
        self.reset.store(true, Ordering::Release);
    }

    /// Whether it is to be reset.
    pub fn is_reset(&self) -> bool {
        self.reset.load(Ordering::Acquire)
    }
}

/// How a body goes on where it is cut.
#[derive(Clone)]
pub enum End {
    /// With a reset connection.
    Reset(Arc<Line>),
    /// With a closed connection.
    Closed,
    /// As if that were all.
    Clean,
    /// With nothing at all.
    Stalled,
}

/// A body that ends after `left` bytes.
pub fn cut(body: Frames, left: u64, end: End) -> Frames {
    stream::unfold((body, left), move |(mut body, left)| {
        let end = end.clone();
        async move {
            if left == 0 {
                return finish(end).await.map(|last| (last, (body, 0)));
            }
            let frame = match body.next().await? {
                Ok(frame) => {
                    frame.slice(..frame.len().min(usize::try_from(left).unwrap_or(usize::MAX)))
                }
                Err(error) => return Some((Err(error), (body, left))),
            };
            let left = left - frame.len() as u64;
            Some((Ok(frame), (body, left)))
        }
    })
    .boxed()
}

async fn finish(end: End) -> Option<io::Result<Bytes>> {
    match end {
        End::Clean => return None,
        End::Stalled => std::future::pending().await,
        End::Closed => tokio::time::sleep(SETTLE).await,
        End::Reset(line) => {
            tokio::time::sleep(SETTLE).await;
            line.reset();
        }
    }
    Some(Err(io::ErrorKind::ConnectionReset.into()))
}

/// A body whose byte `at` is another.
pub fn flipped(body: Frames, at: u64) -> Frames {
    let mut passed = 0;
    body.map(move |frame| {
        let frame = frame?;
        let here = at
            .checked_sub(passed)
            .and_then(|at| usize::try_from(at).ok())
            .filter(|at| *at < frame.len());
        passed += frame.len() as u64;
        Ok(match here {
            Some(at) => {
                let mut bytes = frame.to_vec();
                bytes[at] ^= 0xff;
                bytes.into()
            }
            None => frame,
        })
    })
    .boxed()
}

/// A body with `extra` more bytes.
pub fn lengthened(body: Frames, extra: u64) -> Frames {
    let more = stream::unfold(extra, |left| async move {
        let len = left.min(64 << 10);
        (len > 0).then(|| (Ok(Bytes::from(vec![b'+'; len as usize])), left - len))
    });
    body.chain(more).boxed()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shape::frames;
    use axum::body::Body;

    async fn read(body: Frames) -> (Vec<u8>, bool) {
        let frames: Vec<_> = body.take(9).collect().await;
        let failed = frames.iter().any(Result::is_err);
        (
            frames
                .into_iter()
                .flatten()
                .flat_map(|frame| frame.to_vec())
                .collect(),
            failed,
        )
    }

    #[tokio::test]
    async fn bodies_are_cut_flipped_and_lengthened() {
        let body = || frames(Body::from("abcdef"));
        assert_eq!(
            read(cut(body(), 4, End::Clean)).await,
            (b"abcd".to_vec(), false)
        );
        assert!(read(cut(body(), 4, End::Closed)).await.1);
        assert_eq!(
            read(flipped(body(), 1)).await.0,
            [b'a', b'b' ^ 0xff, b'c', b'd', b'e', b'f']
        );
        assert_eq!(read(lengthened(body(), 2)).await.0, b"abcdef++");
    }
}
