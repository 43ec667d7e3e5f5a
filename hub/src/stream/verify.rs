//! The digest check, as a stream around the body: the last bytes are held back until the whole content has the right SHA-256.
//! Without them no server completes a blob. Every upload goes through this stream.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use crate::{Blob, ByteStream, Error, Kind, Result, Sha256};
use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use sha2::Digest;

/// `body`, which ends without an error only if its content is `blob`.
///
/// The stream fails with [`Kind::Corrupt`] before its last bytes when size or digest differ.
pub(crate) fn verified(body: ByteStream, blob: Blob) -> ByteStream {
    VerifyStream::new(body, blob).boxed()
}

/// A body whose digest is checked as it passes. It can be cut into parts: the state of the digest is kept between two parts, so that
/// a part that is sent again can be checked alone.
pub(crate) struct VerifyStream {
    body: ByteStream,
    blob: Blob,
    hasher: sha2::Sha256,
    seen: u64,
    held: Option<Bytes>,
    ended: bool,
    cuts: Option<Cuts>,
}

/// The size of the parts, and the state of the digest between them.
struct Cuts {
    size: u64,
    /// What is over of a frame that reached beyond a cut.
    rest: Bytes,
    /// At every multiple of `size` that was passed, from 0 on.
    states: Vec<sha2::Sha256>,
}

/// One part of a body that was read: what comes again in its place must lead from the one state to the other.
pub(crate) struct PartCheck {
    before: sha2::Sha256,
    after: Blob,
}

impl PartCheck {
    /// `body`, of which nothing but the part comes out whole.
    pub(crate) fn verified(&self, body: ByteStream) -> ByteStream {
        let mut part = VerifyStream::new(body, self.after);
        part.hasher = self.before.clone();
        part.boxed()
    }
}

impl VerifyStream {
    pub(crate) fn new(body: ByteStream, blob: Blob) -> Self {
        Self {
            body,
            blob,
            hasher: sha2::Sha256::new(),
            seen: 0,
            held: None,
            ended: false,
            cuts: None,
        }
    }

    /// The same, of which no frame reaches beyond a multiple of `size` bytes.
    pub(crate) fn cut_every(mut self, size: u64) -> Self {
        self.cuts = Some(Cuts {
            size,
            rest: Bytes::new(),
            states: vec![self.hasher.clone()],
        });
        self
    }

    /// How to check part `index` again, once its last bytes have come out.
    pub(crate) fn part(&self, index: usize) -> Option<PartCheck> {
        let Cuts { size, states, .. } = self.cuts.as_ref()?;
        let start = size * index as u64;
        let after = states
            .get(index + 1)
            .map_or(self.blob.sha256, |state| state.clone().into());
        let before = states.get(index)?.clone();
        Some(PartCheck {
            before,
            after: Blob {
                sha256: after,
                size: (*size).min(self.blob.size.checked_sub(start)?),
            },
        })
    }

    /// The next bytes of the body, up to a cut.
    fn poll_frame(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes>>> {
        let Some(Cuts { size, rest, .. }) = &mut self.cuts else {
            return self.body.poll_next_unpin(context);
        };
        if rest.is_empty() {
            *rest = match ready!(self.body.poll_next_unpin(context)) {
                Some(Ok(frame)) => frame,
                other => return Poll::Ready(other),
            };
        }
        let most = usize::try_from(*size - self.seen % *size).unwrap_or(usize::MAX);
        Poll::Ready(Some(Ok(rest.split_to(most.min(rest.len())))))
    }

    fn hash(&mut self, frame: &[u8]) {
        self.hasher.update(frame);
        self.seen += frame.len() as u64;
        if let Some(cuts) = &mut self.cuts
            && self.seen.is_multiple_of(cuts.size)
            && self.seen < self.blob.size
        {
            cuts.states.push(self.hasher.clone());
        }
    }

    fn release(&mut self) -> Option<Result<Bytes>> {
        let found = Blob {
            sha256: Sha256::from(std::mem::take(&mut self.hasher)),
            size: self.seen,
        };
        if found == self.blob {
            return self.held.take().map(Ok);
        }
        let message = format!(
            "the source sent {} of {} bytes, expected {} of {}",
            found.sha256, found.size, self.blob.sha256, self.blob.size
        );
        self.fail(Error::new(Kind::Corrupt, message))
    }

    fn fail(&mut self, error: Error) -> Option<Result<Bytes>> {
        self.ended = true;
        self.held = None;
        Some(Err(error))
    }
}

impl Stream for VerifyStream {
    type Item = Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        while !self.ended {
            let Some(frame) = ready!(self.poll_frame(context)) else {
                self.ended = true;
                return Poll::Ready(self.release());
            };
            match frame {
                Ok(frame) if frame.is_empty() => {}
                Ok(frame) => {
                    self.hash(&frame);
                    if self.seen > self.blob.size {
                        return Poll::Ready(self.release());
                    }
                    if let Some(earlier) = self.held.replace(frame) {
                        return Poll::Ready(Some(Ok(earlier)));
                    }
                }
                Err(error) => return Poll::Ready(self.fail(error)),
            }
        }
        Poll::Ready(None)
    }
}

#[cfg(test)]
mod tests {
    use futures_util::stream;

    use super::*;

    async fn through(frames: &[&'static str], expected: &str) -> (String, Option<Kind>) {
        let body = stream::iter(
            frames
                .iter()
                .map(|frame| Ok(Bytes::from(*frame)))
                .collect::<Vec<_>>(),
        )
        .boxed();
        let blob = Blob {
            sha256: Sha256::of(expected.as_bytes()),
            size: expected.len() as u64,
        };
        let mut out = String::new();
        let mut body = verified(body, blob);
        while let Some(frame) = body.next().await {
            match frame {
                Ok(frame) => out.push_str(std::str::from_utf8(&frame).unwrap()),
                Err(error) => return (out, Some(error.kind())),
            }
        }
        (out, None)
    }

    #[tokio::test]
    async fn the_right_content_passes_whole() {
        assert_eq!(
            through(&["ab", "", "cd", "e"], "abcde").await,
            ("abcde".into(), None)
        );
        assert_eq!(through(&[], "").await, (String::new(), None));
    }

    #[tokio::test]
    async fn a_wrong_byte_anywhere_keeps_the_last_bytes_back() {
        assert_eq!(
            through(&["Xb", "cd", "e"], "abcde").await,
            ("Xbcd".into(), Some(Kind::Corrupt))
        );
        assert_eq!(
            through(&["abcdX"], "abcde").await,
            (String::new(), Some(Kind::Corrupt))
        );
        assert_eq!(
            through(&["abcde", "f"], "abcde").await,
            (String::new(), Some(Kind::Corrupt)),
            "longer"
        );
        assert_eq!(
            through(&["abcdX", ""], "abcde").await,
            (String::new(), Some(Kind::Corrupt)),
            "an empty frame releases nothing"
        );
        assert_eq!(
            through(&["ab"], "abcde").await,
            (String::new(), Some(Kind::Corrupt))
        );
    }

    /// The frames of a body that is cut every four bytes, and what then passes in the place of its parts.
    async fn parts(
        frames: &[&'static str],
        expected: &'static str,
        again: &[&'static str],
    ) -> (Vec<String>, Vec<bool>) {
        let body = stream::iter(
            frames
                .iter()
                .map(|frame| Ok(Bytes::from(*frame)))
                .collect::<Vec<_>>(),
        )
        .boxed();
        let mut body = VerifyStream::new(
            body,
            Blob {
                sha256: Sha256::of(expected.as_bytes()),
                size: expected.len() as u64,
            },
        )
        .cut_every(4);
        let mut out = Vec::new();
        while let Some(Ok(frame)) = body.next().await {
            out.push(String::from_utf8(frame.to_vec()).unwrap());
        }
        let mut passes = Vec::new();
        for (index, part) in again.iter().enumerate() {
            let part = stream::iter([Ok(Bytes::from(*part))]).boxed();
            passes.push(
                body.part(index)
                    .unwrap()
                    .verified(part)
                    .all(|frame| std::future::ready(frame.is_ok()))
                    .await,
            );
        }
        (out, passes)
    }

    #[tokio::test]
    async fn a_body_is_cut_where_parts_end_and_each_part_is_checked_alone() {
        let (frames, passes) = parts(
            &["abcdefg", "hi", "j"],
            "abcdefghij",
            &["abcd", "efgh", "ij"],
        )
        .await;
        assert_eq!(
            (frames, passes),
            (
                ["abcd", "efg", "h", "i", "j"].map(str::to_owned).to_vec(),
                vec![true; 3]
            )
        );
        let (_, passes) = parts(&["abcdefghij"], "abcdefghij", &["efgh", "efgX", "ijk"]).await;
        assert_eq!(passes, [false; 3], "another part, another byte, longer");
        let (frames, passes) = parts(&["abcd", "efgh"], "abcdefgh", &["abcd", "efgh"]).await;
        assert_eq!(
            (frames.len(), passes),
            (2, vec![true; 2]),
            "the last part is a whole one"
        );
        let (frames, passes) = parts(&["abcdefgX"], "abcdefgh", &["abcd", "efgX"]).await;
        assert_eq!(
            (frames, passes),
            (vec!["abcd".to_owned()], vec![true, false]),
            "a last part that was wrong is no pattern for itself"
        );
    }
}
