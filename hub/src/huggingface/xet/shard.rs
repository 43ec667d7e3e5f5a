//! What tells Xet's storage of a file and of xorbs: entries of 48 bytes, all numbers little-endian.
//! Facts: the Xet protocol specification ("Shard"); xet-core-structures 1.8.0, `metadata_shard`.

use super::hash::Hash;
use crate::Sha256;

/// The text that a shard begins with.
const TAG: [u8; 32] = [
    b'H', b'F', b'R', b'e', b'p', b'o', b'M', b'e', b't', b'a', b'D', b'a', b't', b'a', 0, 85, 105,
    103, 69, 106, 123, 129, 87, 131, 165, 189, 217, 92, 205, 209, 74, 169,
];
const VERSION: u64 = 2;
/// A shard that is sent has no footer.
const NO_FOOTER: u64 = 0;
const WITH_VERIFICATION: u32 = 1 << 31;
const WITH_SHA256: u32 = 1 << 30;
/// Bytes of an entry.
const ENTRY: usize = 48;

/// A row of chunks of a file: all of one xorb.
pub(super) struct Term {
    pub(super) xorb: Hash,
    /// Bytes of the file.
    pub(super) bytes: u32,
    pub(super) chunks: u32,
    /// [`Hash::of_row`] of the chunks.
    pub(super) proof: Hash,
}

/// A file: its terms in order.
pub(super) struct ShardFile<'a> {
    pub(super) hash: Hash,
    pub(super) terms: &'a [Term],
    pub(super) sha256: Sha256,
}

/// The xorbs that a shard tells of, as its bytes.
#[derive(Default)]
pub(super) struct Xorbs(Vec<u8>);

impl Xorbs {
    /// Adds a xorb of these chunks and their lengths, which has `stored` bytes.
    pub(super) fn add(&mut self, hash: Hash, chunks: &[(Hash, u32)], stored: u32) {
        let bytes: u32 = chunks.iter().map(|(_, length)| length).sum();
        entry(&mut self.0, hash, [0, chunks.len() as u32, bytes, stored]);
        let mut start = 0;
        for (chunk, length) in chunks {
            entry(&mut self.0, *chunk, [start, *length, 0, 0]);
            start += length;
        }
    }

    /// Bytes so far.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}

/// A shard of these xorbs, and of a file if it is told now.
pub(super) fn build(file: Option<ShardFile<'_>>, xorbs: &Xorbs) -> Vec<u8> {
    let entries = file.as_ref().map_or(0, |file| 2 + 2 * file.terms.len());
    let mut shard = Vec::with_capacity(TAG.len() + 16 + (entries + 2) * ENTRY + xorbs.len());
    shard.extend_from_slice(&TAG);
    shard.extend_from_slice(&VERSION.to_le_bytes());
    shard.extend_from_slice(&NO_FOOTER.to_le_bytes());
    if let Some(file) = file {
        add_file(&mut shard, &file);
    }
    end_section(&mut shard);
    shard.extend_from_slice(&xorbs.0);
    end_section(&mut shard);
    shard
}

fn add_file(shard: &mut Vec<u8>, file: &ShardFile<'_>) {
    entry(
        shard,
        file.hash,
        [
            WITH_VERIFICATION | WITH_SHA256,
            file.terms.len() as u32,
            0,
            0,
        ],
    );
    file.terms
        .iter()
        .for_each(|term| entry(shard, term.xorb, [0, term.bytes, 0, term.chunks]));
    file.terms
        .iter()
        .for_each(|term| entry(shard, term.proof, [0; 4]));
    entry(shard, Hash::of_sha256(file.sha256), [0; 4]);
}

/// A section ends with an entry whose hash has all bits set.
fn end_section(shard: &mut Vec<u8>) {
    shard.extend_from_slice(&[0xFF; 32]);
    shard.extend_from_slice(&[0; 16]);
}

fn entry(shard: &mut Vec<u8>, hash: Hash, numbers: [u32; 4]) {
    shard.extend_from_slice(hash.as_bytes());
    numbers
        .iter()
        .for_each(|number| shard.extend_from_slice(&number.to_le_bytes()));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shard_is_made_of_entries_of_48_bytes() {
        let chunk = Hash::of_chunk(b"chunk");
        let mut xorbs = Xorbs::default();
        xorbs.add(chunk, &[(chunk, 5), (chunk, 7)], 30);
        let terms = [Term {
            xorb: chunk,
            bytes: 12,
            chunks: 2,
            proof: Hash::of_row(&[chunk, chunk]),
        }];
        let sha256 = Sha256::of(b"x");
        let shard = build(
            Some(ShardFile {
                hash: Hash::of_file(chunk),
                terms: &terms,
                sha256,
            }),
            &xorbs,
        );
        let entries: Vec<_> = shard[ENTRY..].chunks(ENTRY).collect();
        assert!(shard.starts_with(b"HFRepoMetaData\0") && shard.len().is_multiple_of(ENTRY));
        assert_eq!(
            entries.len(),
            4 + 1 + 3 + 1,
            "a file, its term, proof and SHA-256, an end, a xorb and its chunks, an end"
        );
        assert_eq!(
            (entries[3][..8].to_vec(), &entries[4][..32]),
            (
                [&sha256.to_string()].map(|hex| turned(&hex[..16])).concat(),
                &[0xFF; 32][..]
            )
        );
        assert_eq!(
            &entries[7][32..40],
            &[5, 0, 0, 0, 7, 0, 0, 0],
            "the second chunk starts where the first ends"
        );
    }

    fn turned(hex: &str) -> Vec<u8> {
        u64::from_str_radix(hex, 16).unwrap().to_le_bytes().to_vec()
    }
}
