//! Objects in a pack. They are stored as they are: zlib allows that, and `git` does not mind.

use std::io::{self, Write};

use sha1::{Digest as _, Sha1};

/// What an object is.
#[derive(Clone, Copy)]
pub enum Type {
    /// A commit.
    Commit = 1,
    /// A tree.
    Tree = 2,
    /// A file's content.
    Blob = 3,
}

/// The longest block of bytes that zlib stores at once.
const BLOCK: usize = 65_535;

/// A pack of so many objects, on its way to `to`.
pub struct Pack<W> {
    to: W,
    hash: Sha1,
}

impl<W: Write> Pack<W> {
    /// Begins a pack of `count` objects.
    pub fn begin(to: W, count: usize) -> io::Result<Self> {
        let mut pack = Self {
            to,
            hash: Sha1::new(),
        };
        let count = u32::try_from(count).map_err(io::Error::other)?;
        pack.put(
            &[
                b"PACK".as_slice(),
                &2_u32.to_be_bytes(),
                &count.to_be_bytes(),
            ]
            .concat(),
        )?;
        Ok(pack)
    }

    /// Adds an object.
    pub fn add(&mut self, kind: Type, content: &[u8]) -> io::Result<()> {
        let mut size = content.len();
        let mut byte = (kind as u8) << 4 | (size & 15) as u8;
        size >>= 4;
        let mut head = Vec::new();
        while size > 0 {
            head.push(byte | 128);
            byte = (size & 127) as u8;
            size >>= 7;
        }
        head.push(byte);
        self.put(&head)?;
        self.put(&stored(content))
    }

    /// Ends it.
    pub fn end(mut self) -> io::Result<()> {
        let hash = self.hash.finalize();
        self.to.write_all(&hash)?;
        self.to.flush()
    }

    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.hash.update(bytes);
        self.to.write_all(bytes)
    }
}

/// A zlib stream that compresses nothing.
fn stored(content: &[u8]) -> Vec<u8> {
    let mut stream = vec![0x78, 0x01];
    let count = content.len().div_ceil(BLOCK).max(1);
    for number in 0..count {
        let block = &content[number * BLOCK..content.len().min((number + 1) * BLOCK)];
        let length = block.len() as u16;
        stream.push(u8::from(number + 1 == count));
        stream.extend_from_slice(&length.to_le_bytes());
        stream.extend_from_slice(&(!length).to_le_bytes());
        stream.extend_from_slice(block);
    }
    stream.extend_from_slice(&adler32(content).to_be_bytes());
    stream
}

fn adler32(content: &[u8]) -> u32 {
    let (mut a, mut b) = (1_u32, 0_u32);
    // So many bytes can't overflow the sums.
    for block in content.chunks(5552) {
        for byte in block {
            a += u32::from(*byte);
            b += a;
        }
        (a, b) = (a % 65_521, b % 65_521);
    }
    b << 16 | a
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_are_those_of_zlib() {
        assert_eq!(adler32(b"Wikipedia"), 0x11E6_0398);
        assert_eq!(stored(b""), [0x78, 1, 1, 0, 0, 255, 255, 0, 0, 0, 1]);
    }
}
