//! The digest check as a wrapper round the body, so that no upload can forget it: the last bytes are
//! held back until the whole content has the right SHA-256. Without them no server completes a blob.

use crate::{Blob, ByteStream, Error, Kind, Result, Sha256};
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use sha2::Digest;

/// `body`, of which nothing but `blob` comes out whole.
///
/// The stream fails with [`Kind::Corrupt`] before its last bytes when size or digest differ.
pub fn until_verified(body: ByteStream, blob: Blob) -> ByteStream {
    let state = HeldBack { body, blob, hasher: sha2::Sha256::new(), seen: 0, held: None, ended: false };
    stream::unfold(state, |mut state| async move { Some((state.next().await?, state)) }).boxed()
}

struct HeldBack {
    body: ByteStream,
    blob: Blob,
    hasher: sha2::Sha256,
    seen: u64,
    held: Option<Bytes>,
    ended: bool,
}

impl HeldBack {
    async fn next(&mut self) -> Option<Result<Bytes>> {
        while !self.ended {
            let Some(frame) = self.body.next().await else {
                self.ended = true;
                return self.release();
            };
            match frame {
                Ok(frame) if frame.is_empty() => {}
                Ok(frame) => {
                    self.hasher.update(&frame);
                    self.seen += frame.len() as u64;
                    if let Some(earlier) = self.held.replace(frame) {
                        return Some(Ok(earlier));
                    }
                }
                Err(error) => return self.fail(error),
            }
        }
        None
    }

    fn release(&mut self) -> Option<Result<Bytes>> {
        let found = Blob { sha256: Sha256::from(std::mem::take(&mut self.hasher)), size: self.seen };
        if found == self.blob {
            return self.held.take().map(Ok);
        }
        let message =
            format!("the source sent {} of {} bytes, expected {} of {}", found.sha256, found.size, self.blob.sha256, self.blob.size);
        self.fail(Error::new(Kind::Corrupt, message))
    }

    fn fail(&mut self, error: Error) -> Option<Result<Bytes>> {
        self.ended = true;
        self.held = None;
        Some(Err(error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn through(frames: &[&'static str], expected: &str) -> (String, Option<Kind>) {
        let body = stream::iter(frames.iter().map(|frame| Ok(Bytes::from(*frame))).collect::<Vec<_>>()).boxed();
        let blob = Blob { sha256: Sha256::of(expected.as_bytes()), size: expected.len() as u64 };
        let mut out = String::new();
        let mut body = until_verified(body, blob);
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
        assert_eq!(through(&["ab", "", "cd", "e"], "abcde").await, ("abcde".into(), None));
        assert_eq!(through(&[], "").await, (String::new(), None));
    }

    #[tokio::test]
    async fn a_wrong_byte_anywhere_keeps_the_last_bytes_back() {
        assert_eq!(through(&["Xb", "cd", "e"], "abcde").await, ("Xbcd".into(), Some(Kind::Corrupt)));
        assert_eq!(through(&["abcdX"], "abcde").await, (String::new(), Some(Kind::Corrupt)));
        assert_eq!(through(&["abcde", "f"], "abcde").await, ("abcde".into(), Some(Kind::Corrupt)), "longer: the PUT's own length stops it");
        assert_eq!(through(&["ab"], "abcde").await, (String::new(), Some(Kind::Corrupt)));
    }
}
