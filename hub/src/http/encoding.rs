//! Content encodings. None is asked for, since sizes and digests are of the bytes as stored. Servers name some all the same: words
//! that change nothing pass, gzip is unpacked while it arrives, and any other packing is refused.

use std::io::{self, Write};

use bytes::Bytes;
use flate2::write::MultiGzDecoder;
use futures_util::{StreamExt, stream};
use reqwest::header::{CONTENT_ENCODING, HeaderMap, HeaderValue};

use super::body::ByteStream;
use crate::error::{Error, Kind, Result};

/// Packings by their registered names (IANA, "HTTP Content Coding Registry"). Every other word (`aws-chunked`, `utf-8`, `binary`)
/// says nothing about how the bytes are to be read.
const PACKINGS: [&str; 7] = ["br", "compress", "dcb", "dcz", "deflate", "gzip", "zstd"];
/// Packed bytes that are unpacked at a time. Deflate makes a thousand of one at most, so memory stays below 5 MiB.
const STEP: usize = 4 << 10;

/// How the bytes of an answer are packed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Encoding {
    /// Not at all.
    Stored,
    /// By gzip.
    Gzip,
    /// In a way that is not unpacked here.
    Other(String),
}

impl Encoding {
    /// What the headers say.
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let mut packings: Vec<String> = headers
            .get_all(CONTENT_ENCODING)
            .iter()
            .flat_map(words)
            .collect();
        packings.retain(|word| PACKINGS.contains(&word.trim_start_matches("x-")));
        match packings.as_slice() {
            [] => Self::Stored,
            [one] if one.trim_start_matches("x-") == "gzip" => Self::Gzip,
            all => Self::Other(all.join(", ")),
        }
    }

    /// The content of `body`; an error for a packing that is not unpacked here.
    pub(crate) fn unpacked(self, body: ByteStream) -> ByteStream {
        match self {
            Self::Stored => body,
            Self::Gzip => gunzipped(body),
            Self::Other(word) => {
                let message =
                    format!("the server sent the content encoding {word}, which was not asked for");
                stream::once(std::future::ready(Err(Error::new(Kind::Refused, message)))).boxed()
            }
        }
    }
}

fn words(value: &HeaderValue) -> Vec<String> {
    let text = String::from_utf8_lossy(value.as_bytes()).to_ascii_lowercase();
    text.split(',').map(|word| word.trim().to_owned()).collect()
}

fn gunzipped(body: ByteStream) -> ByteStream {
    let gunzip = Gunzip {
        body,
        packed: Bytes::new(),
        decoder: MultiGzDecoder::new(Vec::new()),
        has_begun: false,
    };
    stream::unfold(Some(gunzip), |gunzip| async move {
        let mut gunzip = gunzip?;
        match gunzip.next().await {
            Ok(Some(bytes)) => Some((Ok(bytes), Some(gunzip))),
            Ok(None) => gunzip.rest().map(|rest| (rest, None)),
            Err(error) => Some((Err(error), None)),
        }
    })
    .boxed()
}

/// A packed body on its way.
struct Gunzip {
    body: ByteStream,
    packed: Bytes,
    decoder: MultiGzDecoder<Vec<u8>>,
    has_begun: bool,
}

impl Gunzip {
    /// The next bytes; `None` once all packed bytes were read.
    async fn next(&mut self) -> Result<Option<Bytes>> {
        loop {
            while self.packed.is_empty() {
                match self.body.next().await {
                    Some(piece) => self.packed = piece?,
                    None => return Ok(None),
                }
            }
            self.has_begun = true;
            let step = self.packed.split_to(STEP.min(self.packed.len()));
            self.decoder
                .write_all(&step)
                .map_err(|error| broken(&error))?;
            let content = std::mem::take(self.decoder.get_mut());
            if !content.is_empty() {
                return Ok(Some(content.into()));
            }
        }
    }

    /// What the decoder still holds at the end. An answer without a body has no gzip in it either.
    fn rest(&mut self) -> Option<Result<Bytes>> {
        if !self.has_begun {
            return None;
        }
        if let Err(error) = self.decoder.try_finish() {
            return Some(Err(broken(&error)));
        }
        let rest = std::mem::take(self.decoder.get_mut());
        (!rest.is_empty()).then(|| Ok(rest.into()))
    }
}

fn broken(error: &io::Error) -> Error {
    Error::new(
        Kind::Transient,
        format!("the server packed its answer with gzip, and the packing is broken: {error}"),
    )
}

#[cfg(test)]
pub(crate) mod tests {
    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    /// `content` as gzip has it.
    pub(crate) fn gzipped(content: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(content).unwrap();
        encoder.finish().unwrap()
    }

    fn of(values: &[&str]) -> Encoding {
        Encoding::of(
            &values
                .iter()
                .map(|value| {
                    (
                        CONTENT_ENCODING,
                        HeaderValue::from_bytes(value.as_bytes()).unwrap(),
                    )
                })
                .collect(),
        )
    }

    async fn unpacked(pieces: Vec<Result<Bytes>>) -> (usize, usize, Option<Kind>) {
        let (mut total, mut longest) = (0, 0);
        let mut body = Encoding::Gzip.unpacked(stream::iter(pieces).boxed());
        while let Some(piece) = body.next().await {
            match piece {
                Ok(piece) => (total, longest) = (total + piece.len(), longest.max(piece.len())),
                Err(error) => return (total, longest, Some(error.kind())),
            }
        }
        (total, longest, None)
    }

    #[test]
    fn words_that_change_nothing_are_no_encoding_and_packings_are() {
        for odd in [
            &[][..],
            &[""],
            &["identity"],
            &["aws-chunked"],
            &["utf-8"],
            &["BINARY, none"],
            &["aws-chunked", "\u{fc}"],
        ] {
            assert_eq!(of(odd), Encoding::Stored, "{odd:?}");
        }
        assert_eq!(
            (of(&["GZip"]), of(&["aws-chunked,x-gzip"])),
            (Encoding::Gzip, Encoding::Gzip)
        );
        assert_eq!(
            (of(&["br"]), of(&["gzip", "gzip"])),
            (
                Encoding::Other("br".into()),
                Encoding::Other("gzip, gzip".into())
            )
        );
    }

    #[tokio::test]
    async fn gzip_is_unpacked_however_it_is_cut() {
        let packed = gzipped(&vec![7; 100_000]);
        let bytes = packed
            .iter()
            .map(|byte| Ok(Bytes::copy_from_slice(&[*byte])))
            .collect();
        assert_eq!(unpacked(bytes).await.0, 100_000);
        let twice = [packed.clone(), packed].concat();
        assert_eq!(
            unpacked(vec![Ok(twice.into())]).await.0,
            200_000,
            "gzip may follow gzip"
        );
        assert_eq!(unpacked(vec![]).await, (0, 0, None), "no body at all");
    }

    #[tokio::test]
    async fn a_piece_that_explodes_comes_in_small_pieces() {
        let (total, longest, _) = unpacked(vec![Ok(gzipped(&vec![0; 64 << 20]).into())]).await;
        assert!(total == 64 << 20 && longest < 5 << 20, "{longest}");
    }

    #[tokio::test]
    async fn what_is_cut_or_no_gzip_is_an_error() {
        let packed = gzipped(b"0123456789");
        let cut = packed[..packed.len() - 3].to_vec();
        assert_eq!(
            unpacked(vec![Ok(cut.into())]).await.2,
            Some(Kind::Transient)
        );
        assert_eq!(
            unpacked(vec![Ok(Bytes::from_static(b"plain text"))])
                .await
                .2,
            Some(Kind::Transient)
        );
        assert_eq!(
            unpacked(vec![Ok(packed.into()), Err(Error::new(Kind::Gated, "no"))])
                .await
                .2,
            Some(Kind::Gated)
        );
    }
}
