//! The bytes of a blob: where they are, and how they are read without copying more than once.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use sha2::{Digest as _, Sha256};

use crate::digest::Digest;
use crate::platform::read_exact_at;

/// How much of a blob one frame carries.
const FRAME: usize = 256 << 10;
/// The bytes at a tile's start that tell where it stands.
const STAMP: usize = 8;

/// Where the bytes of a blob are.
#[derive(Clone)]
pub enum Content {
    /// In memory: small ones.
    Memory(Bytes),
    /// Nowhere: made from a seed each time they are read.
    Seeded {
        /// What the bytes are made from.
        seed: u64,
        /// How many there are.
        size: u64,
    },
    /// In a file.
    Stored(Arc<StoredFile>),
    /// Gone: what they were is known, if that, and that is all.
    Dropped {
        /// Their digest, if they were hashed.
        digest: Option<Digest>,
        /// How many there were.
        size: u64,
    },
}

/// A blob's file, which goes when nobody refers to it any more.
pub struct StoredFile {
    path: PathBuf,
    len: u64,
}

impl StoredFile {
    /// Takes the file at `path` over; it is deleted with this value.
    pub fn adopt(path: PathBuf, len: u64) -> Self {
        Self { path, len }
    }

    /// Where they are.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for StoredFile {
    fn drop(&mut self) {
        std::fs::remove_file(&self.path).ok();
    }
}

impl Content {
    /// How many bytes there are.
    #[allow(clippy::len_without_is_empty)]
    pub fn len(&self) -> u64 {
        match self {
            Self::Memory(bytes) => bytes.len() as u64,
            Self::Seeded { size, .. } | Self::Dropped { size, .. } => *size,
            Self::Stored(file) => file.len,
        }
    }

    /// Opens the bytes from `start` up to `end` as a response body.
    pub fn body(&self, start: u64, end: u64) -> io::Result<ContentBody> {
        let source = match self {
            Self::Memory(bytes) => Source::Memory(bytes.clone()),
            Self::Seeded { seed, .. } => Source::Seeded(*seed),
            Self::Stored(file) => Source::File(File::open(&file.path)?, Arc::clone(file)),
            Self::Dropped { .. } => return Err(io::Error::other("this upload was not kept")),
        };
        Ok(ContentBody {
            source,
            at: start,
            end,
        })
    }

    /// The digest of the bytes as they are now, read block by block.
    pub fn digest(&self) -> io::Result<Digest> {
        match self {
            Self::Memory(bytes) => Ok(Digest::of(bytes)),
            Self::Seeded { seed, size } => each_block(*seed, *size, |_| Ok(())),
            Self::Stored(file) => Digest::of_file(&file.path),
            Self::Dropped { digest, .. } => {
                digest.ok_or_else(|| io::Error::other("this upload was not hashed"))
            }
        }
    }

    /// All bytes at once; for contents known to be small.
    pub fn read(&self) -> io::Result<Bytes> {
        match self {
            Self::Memory(bytes) => Ok(bytes.clone()),
            Self::Seeded { seed, size } => {
                let mut bytes = vec![0; *size as usize];
                fill(*seed, 0, &mut bytes);
                Ok(bytes.into())
            }
            Self::Stored(file) => std::fs::read(&file.path).map(Bytes::from),
            Self::Dropped { .. } => Err(io::Error::other("this upload was not kept")),
        }
    }
}

enum Source {
    Memory(Bytes),
    Seeded(u64),
    // The handle keeps the file from being deleted while it is read.
    File(File, #[allow(dead_code)] Arc<StoredFile>),
}

/// A response body over a part of a blob.
pub struct ContentBody {
    source: Source,
    at: u64,
    end: u64,
}

impl ContentBody {
    fn next_frame(&mut self) -> io::Result<Bytes> {
        let len = FRAME.min((self.end - self.at) as usize);
        let bytes = match &self.source {
            Source::Memory(bytes) => bytes.slice(self.at as usize..self.end as usize),
            Source::Seeded(seed) => piece(*seed, self.at, len),
            Source::File(file, _) => {
                let mut slab = Slab::take();
                read_exact_at(file, &mut slab.0[..len], self.at)?;
                Bytes::from_owner(slab).slice(..len)
            }
        };
        self.at += bytes.len() as u64;
        Ok(bytes)
    }
}

impl Body for ContentBody {
    type Data = Bytes;
    type Error = io::Error;

    // Reads in place: the files are in the page cache or on tmpfs, where a read is a copy.
    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        if self.at >= self.end {
            return Poll::Ready(None);
        }
        Poll::Ready(Some(self.next_frame().map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        self.at >= self.end
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.end - self.at)
    }
}

/// A frame's buffer, used again and again so that it is neither cleared nor allocated each time.
struct Slab(Box<[u8]>);

static SLABS: Mutex<Vec<Box<[u8]>>> = Mutex::new(Vec::new());

impl Slab {
    fn take() -> Self {
        let kept = SLABS.lock().ok().and_then(|mut slabs| slabs.pop());
        Self(kept.unwrap_or_else(|| vec![0; FRAME].into_boxed_slice()))
    }
}

impl Drop for Slab {
    fn drop(&mut self) {
        if let Ok(mut slabs) = SLABS.lock()
            && slabs.len() < 64
        {
            slabs.push(std::mem::take(&mut self.0));
        }
    }
}

impl AsRef<[u8]> for Slab {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

/// Makes the bytes of a seed, gives them to `take` block by block, and returns their digest.
pub fn each_block(
    seed: u64,
    size: u64,
    mut take: impl FnMut(&[u8]) -> io::Result<()>,
) -> io::Result<Digest> {
    let mut hash = Sha256::new();
    let mut block = vec![0; FRAME];
    let mut at = 0;
    while at < size {
        let len = FRAME.min((size - at) as usize);
        fill(seed, at, &mut block[..len]);
        hash.update(&block[..len]);
        take(&block[..len])?;
        at += len as u64;
    }
    Ok(Digest(hash.finalize().into()))
}

/// Fills `out` with the bytes that `seed` gives from `offset` on.
pub fn fill(seed: u64, offset: u64, mut out: &mut [u8]) {
    let mut at = offset;
    while !out.is_empty() {
        let bytes = piece(seed, at, out.len());
        let (head, rest) = out.split_at_mut(bytes.len());
        head.copy_from_slice(&bytes);
        at += bytes.len() as u64;
        out = rest;
    }
}

/// The bytes of a seed from `at` on, `most` or fewer. Each frame of them is one tile, the same for the whole seed and made
/// once. A stamp at its start tells where it stands. Sending them costs next to nothing.
fn piece(seed: u64, at: u64, most: usize) -> Bytes {
    let (frame, inside) = (at / FRAME as u64, (at % FRAME as u64) as usize);
    if inside < STAMP {
        let stamp = mix(!seed, frame);
        return Bytes::copy_from_slice(&stamp[inside..STAMP.min(inside + most)]);
    }
    tile(seed).slice(inside..FRAME.min(inside + most))
}

/// The tiles made so far; a few seeds at a time are enough.
static TILES: Mutex<Vec<(u64, Bytes)>> = Mutex::new(Vec::new());

fn tile(seed: u64) -> Bytes {
    let mut tiles = TILES
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    if let Some((_, tile)) = tiles.iter().find(|(of, _)| *of == seed) {
        return tile.clone();
    }
    let made: Bytes = (0..(FRAME / STAMP) as u64)
        .flat_map(|word| mix(seed, word))
        .collect();
    if tiles.len() == 64 {
        tiles.remove(0);
    }
    tiles.push((seed, made.clone()));
    made
}

/// The eight bytes at `word`: the SplitMix64 sequence, which can be entered anywhere.
fn mix(seed: u64, word: u64) -> [u8; 8] {
    let mut z = seed
        .wrapping_mul(0xd134_2543_de82_ef95)
        .wrapping_add(word.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (z ^ (z >> 31)).to_le_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeded_bytes_are_the_same_from_any_offset() {
        let mut whole = vec![0; 1000];
        fill(7, 0, &mut whole);
        for (start, len) in [
            (0, 1000),
            (3, 4),
            (3, 500),
            (8, 16),
            (999, 1),
            (13, 0),
            (6, 5),
        ] {
            let mut part = vec![0; len];
            fill(7, start as u64, &mut part);
            assert_eq!(part, whole[start..start + len], "at {start}");
        }
        let mut other = vec![0; 1000];
        fill(8, 0, &mut other);
        assert_ne!(other, whole);
    }

    #[test]
    fn no_two_frames_of_a_seed_are_alike() {
        let mut frames = vec![0; 3 * FRAME + 10];
        fill(7, 0, &mut frames);
        assert_ne!(frames[..FRAME], frames[FRAME..2 * FRAME]);
        assert_ne!(frames[FRAME..2 * FRAME], frames[2 * FRAME..3 * FRAME]);
        let mut part = vec![0; FRAME];
        fill(7, FRAME as u64 + 5, &mut part);
        assert_eq!(part, frames[FRAME + 5..2 * FRAME + 5]);
    }
}
