//! Chunks as a xorb holds them: eight bytes that say how each is packed, then the chunk.
//! Facts: the Xet protocol specification ("Xorb"); xet-core-structures 1.8.0, `xorb_object`.

use std::io::{Read, Write};

use bytes::{Buf, Bytes, BytesMut};
use futures_util::StreamExt;
use lz4_flex::frame::{FrameDecoder, FrameEncoder};

use super::chunker::MOST;
use crate::{ByteStream, Error, Kind, Result};

const HEADER: usize = 8;
const VERSION: u8 = 0;
/// A packed chunk is smaller than the chunk; twice the largest chunk is what the official client takes.
const MOST_PACKED: usize = 2 * MOST;

/// How a chunk is packed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Packing {
    /// Not at all.
    Plain,
    /// An LZ4 frame.
    Lz4,
    /// An LZ4 frame of every fourth byte from the first, then from the second, and so on: numbers of four bytes pack better so.
    GroupedLz4,
}

impl Packing {
    fn of(number: u8) -> Result<Self> {
        match number {
            0 => Ok(Self::Plain),
            1 => Ok(Self::Lz4),
            2 => Ok(Self::GroupedLz4),
            _ => Err(broken(&format!("is packed in the unknown way {number}"))),
        }
    }
}

fn broken(why: &str) -> Error {
    Error::new(Kind::Corrupt, format!("a chunk from Xet's storage {why}"))
}

/// Adds a chunk to a xorb, packed if that makes it smaller.
///
/// # Errors
/// None that can happen: memory takes all that is written into it.
pub(super) fn append(xorb: &mut Vec<u8>, chunk: &[u8]) -> Result<()> {
    let packed = pack(chunk)
        .map_err(|error| Error::new(Kind::Invalid, format!("a chunk can't be packed: {error}")))?;
    let (packing, packed) = if packed.len() < chunk.len() {
        (1, packed.as_slice())
    } else {
        (0, chunk)
    };
    let three = |length: usize| [length as u8, (length >> 8) as u8, (length >> 16) as u8];
    xorb.push(VERSION);
    xorb.extend_from_slice(&three(packed.len()));
    xorb.push(packing);
    xorb.extend_from_slice(&three(chunk.len()));
    xorb.extend_from_slice(packed);
    Ok(())
}

fn pack(chunk: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut encoder = FrameEncoder::new(Vec::with_capacity(chunk.len()));
    encoder.write_all(chunk)?;
    Ok(encoder.finish()?)
}

/// What stands before a chunk.
struct Header {
    packed: usize,
    packing: Packing,
    length: usize,
}

impl Header {
    fn read(bytes: [u8; HEADER]) -> Result<Self> {
        let [version, p0, p1, p2, packing, l0, l1, l2] = bytes;
        let three = |low: u8, middle: u8, high: u8| {
            usize::from(low) | usize::from(middle) << 8 | usize::from(high) << 16
        };
        let header = Self {
            packed: three(p0, p1, p2),
            packing: Packing::of(packing)?,
            length: three(l0, l1, l2),
        };
        if version != VERSION
            || header.packed > MOST_PACKED
            || header.length > MOST
            || header.length == 0
        {
            return Err(broken("has a header that can't be"));
        }
        Ok(header)
    }

    fn unpack(&self, packed: Bytes) -> Result<Bytes> {
        let chunk = match self.packing {
            Packing::Plain => packed,
            Packing::Lz4 => self.unframe(&packed)?.into(),
            Packing::GroupedLz4 => ungrouped(&self.unframe(&packed)?).into(),
        };
        if chunk.len() == self.length {
            Ok(chunk)
        } else {
            Err(broken("has another length than it says"))
        }
    }

    /// Never more than one byte above what the header says.
    fn unframe(&self, packed: &[u8]) -> Result<Vec<u8>> {
        let mut chunk = Vec::with_capacity(self.length);
        let read = FrameDecoder::new(packed)
            .take(self.length as u64 + 1)
            .read_to_end(&mut chunk);
        read.map(|_| chunk)
            .map_err(|error| broken(&format!("can't be unpacked: {error}")))
    }
}

fn ungrouped(grouped: &[u8]) -> Vec<u8> {
    let mut chunk = vec![0; grouped.len()];
    let mut rest = grouped.iter();
    for group in 0..4 {
        chunk
            .iter_mut()
            .skip(group)
            .step_by(4)
            .zip(rest.by_ref())
            .for_each(|(to, from)| *to = *from);
    }
    chunk
}

/// Chunks out of a part of a xorb as it arrives; no more than one of them is held.
pub(super) struct Chunks {
    body: ByteStream,
    buffer: BytesMut,
}

impl Chunks {
    pub(super) fn new(body: ByteStream) -> Self {
        Self {
            body,
            buffer: BytesMut::new(),
        }
    }

    /// The next chunk's content.
    ///
    /// # Errors
    /// The body's own; [`Kind::Corrupt`] for a chunk that can't be unpacked; [`Kind::Transient`] when the body ended before.
    pub(super) async fn next(&mut self) -> Result<Bytes> {
        let (header, packed) = self.take().await?;
        header.unpack(packed)
    }

    /// Leaves the next chunk out.
    ///
    /// # Errors
    /// As [`Chunks::next`].
    pub(super) async fn skip(&mut self) -> Result<()> {
        self.take().await.map(drop)
    }

    async fn take(&mut self) -> Result<(Header, Bytes)> {
        self.fill(HEADER).await?;
        let mut header = [0; HEADER];
        self.buffer.copy_to_slice(&mut header);
        let header = Header::read(header)?;
        self.fill(header.packed).await?;
        let packed = self.buffer.split_to(header.packed).freeze();
        Ok((header, packed))
    }

    async fn fill(&mut self, bytes: usize) -> Result<()> {
        while self.buffer.len() < bytes {
            match self.body.next().await {
                Some(frame) => self.buffer.extend_from_slice(&frame?),
                None => {
                    return Err(Error::new(
                        Kind::Transient,
                        "a part of a xorb ended in the middle of a chunk",
                    ));
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use futures_util::{FutureExt, stream};
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    fn chunks(xorb: &[u8], frame: usize) -> Chunks {
        let frames: Vec<_> = xorb
            .chunks(frame)
            .map(|frame| Ok(Bytes::copy_from_slice(frame)))
            .collect();
        Chunks::new(stream::iter(frames).boxed())
    }

    fn header(packed: usize, packing: u8, length: usize) -> Vec<u8> {
        vec![
            0,
            packed as u8,
            (packed >> 8) as u8,
            (packed >> 16) as u8,
            packing,
            length as u8,
            (length >> 8) as u8,
            (length >> 16) as u8,
        ]
    }

    async fn refused(xorb: &[u8]) -> Kind {
        chunks(xorb, 1000).next().await.unwrap_err().kind()
    }

    #[tokio::test]
    async fn what_is_packed_comes_out_again() {
        let mut random = fastrand::Rng::with_seed(1);
        let contents = [
            vec![7; 100_000],
            (0..5000).map(|_| random.u8(..)).collect(),
            b"x".to_vec(),
        ];
        let mut xorb = Vec::new();
        contents
            .iter()
            .for_each(|content| append(&mut xorb, content).unwrap());
        assert!(xorb.len() < 8_000, "the first packs well");
        for frame in [1, 7, 100_000] {
            let mut chunks = chunks(&xorb, frame);
            assert_eq!(chunks.next().await.unwrap(), contents[0]);
            chunks.skip().await.unwrap();
            assert_eq!(chunks.next().await.unwrap(), contents[2]);
            assert_eq!(chunks.next().await.unwrap_err().kind(), Kind::Transient);
        }
    }

    #[tokio::test]
    async fn grouped_bytes_are_put_back_whatever_their_number() {
        for length in 1..20u8 {
            let content: Vec<u8> = (0..length).collect();
            let grouped: Vec<u8> = (0..4)
                .flat_map(|group| content.iter().skip(group).step_by(4).copied())
                .collect();
            let packed = pack(&grouped).unwrap();
            let xorb = [header(packed.len(), 2, content.len()), packed].concat();
            assert_eq!(chunks(&xorb, 5).next().await.unwrap(), content);
        }
    }

    #[tokio::test]
    async fn a_chunk_that_would_explode_is_refused() {
        let packed = pack(&vec![0; 4 << 20]).unwrap();
        assert_eq!(
            refused(&[header(packed.len(), 1, 1000), packed].concat()).await,
            Kind::Corrupt
        );
        assert_eq!(refused(&header(10, 0, MOST + 1)).await, Kind::Corrupt);
        assert_eq!(
            refused(&header(MOST_PACKED + 1, 1, 10)).await,
            Kind::Corrupt
        );
    }

    #[tokio::test]
    async fn what_is_no_chunk_is_refused() {
        assert_eq!(
            refused(b"XETBLOB\x01aaaaaaaaaaaaaaaaaa").await,
            Kind::Corrupt
        );
        assert_eq!(
            refused(&[header(3, 9, 3), b"abc".to_vec()].concat()).await,
            Kind::Corrupt
        );
        assert_eq!(
            refused(&[header(3, 1, 3), b"abc".to_vec()].concat()).await,
            Kind::Corrupt
        );
        assert_eq!(
            refused(&[header(2, 0, 3), b"ab".to_vec()].concat()).await,
            Kind::Corrupt
        );
        assert_eq!(refused(&header(0, 0, 0)).await, Kind::Corrupt);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]

        #[test]
        fn any_bytes_are_chunks_or_an_error(bytes in vec(any::<u8>(), 0..400), packing in 0..4_u8, length in 0..2_000_usize, frame in 1..64_usize) {
            let near = [header(bytes.len(), packing, length), bytes.clone()].concat();
            for xorb in [bytes, near] {
                if let Ok(chunk) = chunks(&xorb, frame).next().now_or_never().unwrap() {
                    prop_assert!(chunk.len() <= MOST);
                }
            }
        }

        #[test]
        fn a_packed_chunk_with_a_byte_changed_is_a_chunk_of_its_length_or_an_error(content in vec(0..4_u8, 1..3_000), at in any::<usize>(), to in any::<u8>()) {
            let mut xorb = Vec::new();
            append(&mut xorb, &content).unwrap();
            let at = at % xorb.len();
            xorb[at] = to;
            if let Ok(chunk) = chunks(&xorb, 1000).next().now_or_never().unwrap() {
                prop_assert!(chunk.len() <= MOST);
            }
        }

        #[test]
        fn what_is_packed_comes_out_again_whatever_it_is(contents in vec(vec(any::<u8>(), 1..600), 1..6), frame in 1..700_usize) {
            let mut xorb = Vec::new();
            for content in &contents {
                append(&mut xorb, content).unwrap();
            }
            let mut chunks = chunks(&xorb, frame);
            for content in &contents {
                prop_assert_eq!(&chunks.next().now_or_never().unwrap().unwrap()[..], &content[..]);
            }
        }
    }
}
