//! The check of a body whose SHA-256 nobody knows yet: Git's id is what it must have, and its SHA-256 is learned in the same pass.
//! As with [`crate::held_back`], the last bytes come out only when all is right.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use sha2::Digest as _;

use crate::{ByteStream, Digest, Error, File, GitSha1, Kind, Result, Sha256};

/// The SHA-256 of a body that has come to its end.
#[derive(Clone, Default)]
pub(crate) struct Name(Arc<OnceLock<Sha256>>);

impl Name {
    /// The digest; `None` before the body's verified end.
    pub(crate) fn get(&self) -> Option<Sha256> {
        self.0.get().copied()
    }
}

/// `body`, of which nothing but the content of `file` comes out whole, and what its SHA-256 is then.
///
/// The stream fails with [`Kind::Corrupt`] before its last bytes when size or digest differ.
pub(crate) fn until_named(body: ByteStream, file: &File) -> (ByteStream, Name) {
    let name = Name::default();
    let (git, sha256) = (GitSha1::hasher(file.size), sha2::Sha256::new());
    let state = Naming {
        body,
        file: file.clone(),
        git,
        sha256,
        seen: 0,
        held: None,
        ended: false,
        name: name.clone(),
    };
    let stream = stream::unfold(Some(state), |state| async move {
        let mut state = state?;
        let frame = state.next().await?;
        let goes_on = frame.is_ok() && !state.ended;
        Some((frame, goes_on.then_some(state)))
    });
    (stream.boxed(), name)
}

struct Naming {
    body: ByteStream,
    file: File,
    git: sha1::Sha1,
    sha256: sha2::Sha256,
    seen: u64,
    held: Option<Bytes>,
    ended: bool,
    name: Name,
}

impl Naming {
    async fn next(&mut self) -> Option<Result<Bytes>> {
        while let Some(frame) = self.body.next().await {
            let frame = match frame {
                Ok(frame) => frame,
                Err(error) => return Some(Err(error)),
            };
            self.git.update(&frame);
            self.sha256.update(&frame);
            self.seen += frame.len() as u64;
            if self.seen > self.file.size {
                return Some(Err(self.wrong()));
            }
            if let Some(earlier) = self.held.replace(frame) {
                return Some(Ok(earlier));
            }
        }
        self.ended = true;
        let last = self.held.take()?;
        Some(self.settled().map(|()| last))
    }

    fn settled(&mut self) -> Result<()> {
        let (git, sha256) = (
            std::mem::take(&mut self.git),
            std::mem::take(&mut self.sha256),
        );
        let sha256 = Sha256::from(sha256);
        let is_right = match self.file.digest {
            Digest::GitSha1(expected) => GitSha1::from(git) == expected,
            Digest::Sha256(expected) => sha256 == expected,
        };
        if !is_right || self.seen != self.file.size {
            return Err(self.wrong());
        }
        self.name.0.get_or_init(|| sha256);
        Ok(())
    }

    fn wrong(&self) -> Error {
        Error::new(
            Kind::Corrupt,
            format!(
                "{}: its content is not what the source's listing says",
                self.file.path
            ),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn through(
        frames: &[&'static str],
        expected: &str,
    ) -> (String, Option<Kind>, Option<Sha256>) {
        let digest = Digest::GitSha1(GitSha1::of(expected.as_bytes()));
        let file = File {
            path: "a".parse().unwrap(),
            size: expected.len() as u64,
            digest,
        };
        // Asked again after its end, this one panics, as bodies from the network may.
        let frames = frames.to_vec();
        let body = stream::unfold(frames.into_iter(), |mut frames| async move {
            Some((Ok(Bytes::from(frames.next()?)), frames))
        });
        let (mut body, name) = until_named(body.boxed(), &file);
        let mut out = String::new();
        while let Some(frame) = body.next().await {
            match frame {
                Ok(frame) => out.push_str(std::str::from_utf8(&frame).unwrap()),
                Err(error) => return (out, Some(error.kind()), name.get()),
            }
        }
        (out, None, name.get())
    }

    #[tokio::test]
    async fn the_right_content_passes_and_is_named() {
        assert_eq!(
            through(&["ab", "", "cd", "e"], "abcde").await,
            ("abcde".into(), None, Some(Sha256::of(b"abcde")))
        );
    }

    #[tokio::test]
    async fn a_wrong_byte_anywhere_keeps_the_last_bytes_and_the_name_back() {
        for frames in [
            &["Xb", "cd", "e"][..],
            &["ab", "cd", "X"],
            &["ab", "c"],
            &["ab", "cd", "e", "f"],
        ] {
            let (out, kind, name) = through(frames, "abcde").await;
            assert!(
                out.len() < 5 && kind == Some(Kind::Corrupt) && name.is_none(),
                "{frames:?}: {out}"
            );
        }
    }
}
