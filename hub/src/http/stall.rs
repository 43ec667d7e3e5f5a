//! The stall timeout: a transfer may be slow, but a byte has to move within a given span.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::{Stream, StreamExt};

use super::body::ByteStream;
use crate::error::{Error, Kind, Result};

/// The error of a transfer in which nothing moved for `span`.
pub(crate) fn stalled(span: Duration) -> Error {
    Error::new(
        Kind::Transient,
        format!("nothing moved for {} s", span.as_secs_f32()),
    )
    .after_a_stall()
}

/// `body` as a stream that fails when no byte arrives for `span`.
pub(crate) fn incoming(
    body: impl Stream<Item = Result<Bytes>> + Send + 'static,
    span: Duration,
) -> ByteStream {
    let body = Box::pin(body);
    futures_util::stream::unfold(Some(body), move |body| async move {
        let mut body = body?;
        match tokio::time::timeout(span, body.next()).await {
            Ok(Some(Ok(piece))) => Some((Ok(piece), Some(body))),
            Ok(Some(Err(error))) => Some((Err(error), None)),
            Ok(None) => None,
            Err(_) => Some((Err(stalled(span)), None)),
        }
    })
    .boxed()
}

/// How an upload stands.
#[derive(Debug)]
struct Progress {
    /// When the server last took something.
    moved: Instant,
    /// The sender waits for its own source: not the server's fault.
    starved: bool,
    /// Everything was handed over; the server works.
    finished: bool,
}

/// The stall timeout of one upload. It sees the body as the client pulls it, and the wait for the response.
#[derive(Clone)]
pub(crate) struct StallTimeout(Arc<Mutex<Progress>>);

impl StallTimeout {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Mutex::new(Progress {
            moved: Instant::now(),
            starved: false,
            finished: false,
        })))
    }

    fn note(&self, starved: bool, finished: bool) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Progress {
            moved: Instant::now(),
            starved,
            finished,
        };
    }

    /// `body` of `length` bytes as the client pulls it. Each pull shows that the server takes bytes.
    pub(crate) fn outgoing(
        &self,
        body: ByteStream,
        length: u64,
    ) -> impl Stream<Item = Result<Bytes>> + Send + 'static {
        Outgoing {
            body,
            left: length,
            stall: self.clone(),
        }
    }

    /// Runs `transfer`; fails when the server takes nothing for `span`, or, once it has everything, does
    /// not answer for `patience`.
    pub(crate) async fn over<T>(
        &self,
        transfer: impl Future<Output = Result<T>>,
        span: Duration,
        patience: Duration,
    ) -> Result<T> {
        tokio::pin!(transfer);
        let tick = (span / 4).clamp(Duration::from_millis(10), Duration::from_secs(1));
        loop {
            match tokio::time::timeout(tick, &mut transfer).await {
                Ok(result) => return result,
                Err(_) => self.check(span, patience)?,
            }
        }
    }

    /// Whether everything was handed over, so that the server may have done what it was asked.
    pub(crate) fn is_finished(&self) -> bool {
        let progress = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        progress.finished
    }

    fn check(&self, span: Duration, patience: Duration) -> Result<()> {
        let progress = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let limit = if progress.finished { patience } else { span };
        if !progress.starved && progress.moved.elapsed() > limit {
            Err(stalled(limit).unanswered_if(true))
        } else {
            Ok(())
        }
    }
}

struct Outgoing {
    body: ByteStream,
    left: u64,
    stall: StallTimeout,
}

impl Stream for Outgoing {
    type Item = Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let next = self.body.poll_next_unpin(context);
        if let Poll::Ready(Some(Ok(piece))) = &next {
            self.left = self.left.saturating_sub(piece.len() as u64);
        }
        // The client does not ask for the end of a body whose length it knows.
        self.stall.note(
            next.is_pending(),
            self.left == 0 || matches!(next, Poll::Ready(None)),
        );
        next
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::stream;

    /// Long beside what a busy machine takes for nothing.
    const SHORT: Duration = Duration::from_secs(1);

    #[tokio::test]
    async fn a_body_that_stands_still_fails() {
        let body = stream::iter([Ok(Bytes::from("a"))]).chain(stream::pending());
        let got: Vec<_> = incoming(body, SHORT).collect().await;
        assert!(
            got[0].is_ok() && got[1].as_ref().is_err_and(Error::is_transient) && got.len() == 2
        );
    }

    #[tokio::test]
    async fn a_slow_body_is_left_alone() {
        let body = stream::unfold(0, |n| async move {
            tokio::time::sleep(SHORT / 4).await;
            (n < 6).then(|| (Ok(Bytes::from("a")), n + 1))
        });
        assert_eq!(
            incoming(body, SHORT)
                .filter(|p| std::future::ready(p.is_ok()))
                .count()
                .await,
            6
        );
    }

    #[tokio::test]
    async fn a_server_that_takes_nothing_is_given_up_but_a_slow_source_is_not_its_fault() {
        let stall = StallTimeout::new();
        let error = stall
            .over(std::future::pending::<Result<()>>(), SHORT, SHORT)
            .await
            .unwrap_err();
        assert!(error.is_transient());

        let stall = StallTimeout::new();
        let source = stream::once(async {
            tokio::time::sleep(SHORT * 2).await;
            Ok(Bytes::from("late"))
        })
        .boxed();
        let drain = stall.outgoing(source, 4).collect::<Vec<_>>();
        assert!(
            stall
                .over(async { Ok(drain.await.len()) }, SHORT, SHORT)
                .await
                .is_ok_and(|pieces| pieces == 1)
        );
    }

    #[tokio::test]
    async fn a_server_that_has_taken_everything_is_given_time_though_nobody_asks_for_the_end() {
        let stall = StallTimeout::new();
        let mut body = stall.outgoing(stream::iter([Ok(Bytes::from("whole"))]).boxed(), 5);
        let answer = async {
            body.next().await;
            tokio::time::sleep(SHORT * 2).await;
            Ok(())
        };
        assert!(stall.over(answer, SHORT, SHORT * 100).await.is_ok());
    }
}
