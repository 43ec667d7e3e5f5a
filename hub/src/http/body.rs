//! Bodies that must have an exact length: a short one is never mistaken for a whole one, and no byte
//! beyond the end is handed on.

use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::BoxStream;

use crate::error::{Error, Kind, Result};

/// A file's bytes as they arrive. An error ends the stream; the caller may ask for the rest by range.
pub type ByteStream = BoxStream<'static, Result<Bytes>>;

/// `body` as a stream that ends after exactly `length` bytes, or fails: [`Kind::Transient`] when the body
/// ends early, [`Kind::Corrupt`] when it goes on. The surplus is not handed on.
pub fn exactly(body: ByteStream, length: u64) -> ByteStream {
    let state = Some((body, 0));
    futures_util::stream::unfold(state, move |state| async move {
        let (mut body, before) = state?;
        match body.next().await {
            Some(Ok(piece)) => Some(match counted(&piece, before, length) {
                Ok(after) => (Ok(piece), Some((body, after))),
                Err(error) => (Err(error), None),
            }),
            Some(Err(error)) => Some((Err(error), None)),
            None if before < length => Some((Err(shorter(before, length)), None)),
            None => None,
        }
    })
    .boxed()
}

/// The count after `piece`.
fn counted(piece: &Bytes, before: u64, length: u64) -> Result<u64> {
    let after = before + piece.len() as u64;
    if after > length {
        Err(longer(length))
    } else {
        Ok(after)
    }
}

pub(super) fn longer(length: u64) -> Error {
    Error::new(
        Kind::Corrupt,
        format!("more than the expected {length} bytes were sent"),
    )
}

pub(super) fn shorter(got: u64, length: u64) -> Error {
    Error::new(
        Kind::Transient,
        format!("only {got} of {length} bytes were sent"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::stream;

    async fn read(pieces: &[&'static str], length: u64) -> (String, Option<Kind>) {
        let body = stream::iter(
            pieces
                .iter()
                .map(|piece| Ok(Bytes::from(*piece)))
                .collect::<Vec<_>>(),
        )
        .boxed();
        let (mut text, mut kind) = (String::new(), None);
        for piece in exactly(body, length).collect::<Vec<_>>().await {
            match piece {
                Ok(piece) => text.push_str(std::str::from_utf8(&piece).unwrap()),
                Err(error) => kind = Some(error.kind()),
            }
        }
        (text, kind)
    }

    #[tokio::test]
    async fn the_right_length_passes_whole() {
        assert_eq!(read(&["ab", "", "c"], 3).await, ("abc".to_owned(), None));
        assert_eq!(read(&[], 0).await, (String::new(), None));
    }

    #[tokio::test]
    async fn a_short_body_may_be_continued() {
        assert_eq!(
            read(&["ab"], 3).await,
            ("ab".to_owned(), Some(Kind::Transient))
        );
    }

    #[tokio::test]
    async fn a_long_body_is_corrupt_and_its_surplus_is_withheld() {
        assert_eq!(
            read(&["ab", "cd"], 3).await,
            ("ab".to_owned(), Some(Kind::Corrupt))
        );
        assert_eq!(
            read(&["abc", "d"], 3).await,
            ("abc".to_owned(), Some(Kind::Corrupt))
        );
    }
}
