//! Xet's digests: BLAKE3, with a key for each thing that is hashed, and the tree that joins chunks to xorbs and to files.
//! Facts: the Xet protocol specification ("Hashing"); xet-core-structures 1.8.0, `merklehash`.

use std::fmt;
use std::str::FromStr;

const CHUNK_KEY: [u8; 32] = [
    102, 151, 245, 119, 91, 149, 80, 222, 49, 53, 203, 172, 165, 151, 24, 28, 157, 228, 33, 16,
    155, 235, 43, 88, 180, 208, 176, 75, 147, 173, 242, 41,
];
const NODE_KEY: [u8; 32] = [
    1, 126, 197, 199, 165, 71, 41, 150, 253, 148, 102, 102, 180, 138, 2, 230, 93, 221, 83, 111, 55,
    199, 109, 210, 248, 99, 82, 230, 74, 83, 113, 63,
];
const VERIFICATION_KEY: [u8; 32] = [
    127, 24, 87, 214, 206, 86, 237, 102, 18, 127, 249, 19, 231, 165, 195, 243, 164, 205, 38, 213,
    181, 219, 73, 230, 65, 36, 152, 127, 40, 251, 148, 195,
];
/// A node's children: three or more end where a hash is a multiple of this, and there are at most twice as many and one.
const BRANCHING: u64 = 4;
const FEWEST: usize = 3;
const MOST: usize = 9;

/// A digest of Xet's. Its text is that of four little-endian numbers, so the bytes of each eight are turned round.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub(super) struct Hash([u8; 32]);

impl Hash {
    /// A chunk's.
    pub(super) fn of_chunk(content: &[u8]) -> Self {
        Self(*blake3::keyed_hash(&CHUNK_KEY, content).as_bytes())
    }

    /// What proves that whoever names a row of chunks has seen them.
    pub(super) fn of_row(chunks: &[Self]) -> Self {
        let mut hasher = blake3::Hasher::new_keyed(&VERIFICATION_KEY);
        for chunk in chunks {
            hasher.update(&chunk.0);
        }
        Self(*hasher.finalize().as_bytes())
    }

    /// A file's, from the root of its chunks.
    pub(super) fn of_file(root: Self) -> Self {
        Self(*blake3::keyed_hash(&[0; 32], &root.0).as_bytes())
    }

    /// A SHA-256 as Xet keeps it: its usual text is that of the bytes turned round, too.
    pub(super) fn of_sha256(sha256: crate::Sha256) -> Self {
        // A SHA-256 is written in as many hexadecimal digits as this.
        sha256.to_string().parse().unwrap_or_default()
    }

    pub(super) fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    fn ends_a_node(&self) -> bool {
        let [.., last] = self.numbers();
        last.is_multiple_of(BRANCHING)
    }

    fn numbers(&self) -> [u64; 4] {
        let number = |at: usize| {
            self.0[at * 8..][..8]
                .iter()
                .rev()
                .fold(0, |number, byte| number << 8 | u64::from(*byte))
        };
        [number(0), number(1), number(2), number(3)]
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.numbers()
            .iter()
            .try_for_each(|number| write!(f, "{number:016x}"))
    }
}

/// A text that is no Xet hash.
#[derive(Debug, thiserror::Error)]
#[error("a Xet hash has 64 hexadecimal digits")]
pub(super) struct BadHash;

impl FromStr for Hash {
    type Err = BadHash;

    fn from_str(text: &str) -> Result<Self, BadHash> {
        if text.len() != 64 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(BadHash);
        }
        let mut bytes = [0; 32];
        for (at, number) in bytes.chunks_exact_mut(8).enumerate() {
            let parsed = u64::from_str_radix(&text[at * 16..][..16], 16).map_err(|_| BadHash)?;
            number.copy_from_slice(&parsed.to_le_bytes());
        }
        Ok(Self(bytes))
    }
}

/// A part of a tree and the bytes below it.
type Node = (Hash, u64);

/// The tree over a row of chunks, built as they come: a few nodes a level are kept, whatever the size.
#[derive(Default)]
pub(super) struct MerkleTree {
    levels: Vec<Vec<Node>>,
}

impl MerkleTree {
    /// Adds the next chunk.
    pub(super) fn add(&mut self, chunk: Hash, bytes: u64) {
        self.push(0, (chunk, bytes));
    }

    fn push(&mut self, level: usize, node: Node) {
        if level == self.levels.len() {
            self.levels.push(Vec::with_capacity(MOST));
        }
        let pending = &mut self.levels[level];
        pending.push(node);
        if pending.len() == MOST || (pending.len() >= FEWEST && node.0.ends_a_node()) {
            self.join(level);
        }
    }

    /// Makes one node of all that wait on a level.
    fn join(&mut self, level: usize) {
        let children = std::mem::take(&mut self.levels[level]);
        let text: String = children
            .iter()
            .map(|(hash, bytes)| format!("{hash} : {bytes}\n"))
            .collect();
        let hash = Hash(*blake3::keyed_hash(&NODE_KEY, text.as_bytes()).as_bytes());
        self.push(
            level + 1,
            (hash, children.iter().map(|(_, bytes)| bytes).sum()),
        );
    }

    /// The hash of all; of nothing, zeros.
    pub(super) fn root(mut self) -> Hash {
        let mut level = 0;
        while level < self.levels.len() {
            let is_top = level + 1 == self.levels.len();
            match self.levels[level].as_slice() {
                [(root, _)] if is_top => return *root,
                [] => (),
                _ => self.join(level),
            }
            level += 1;
        }
        Hash::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A hash that says nothing, and ends no node unless `number` is a multiple of four.
    fn hash(number: u64) -> Hash {
        let mut bytes = [7; 32];
        bytes[24..].copy_from_slice(&number.to_le_bytes());
        Hash(bytes)
    }

    fn joined(nodes: &[Node]) -> Node {
        let text: String = nodes
            .iter()
            .map(|(hash, bytes)| format!("{hash} : {bytes}\n"))
            .collect();
        (
            Hash(*blake3::keyed_hash(&NODE_KEY, text.as_bytes()).as_bytes()),
            nodes.iter().map(|(_, bytes)| bytes).sum(),
        )
    }

    fn root(chunks: &[u64]) -> Hash {
        let mut tree = MerkleTree::default();
        chunks
            .iter()
            .for_each(|number| tree.add(hash(*number), number * 100));
        tree.root()
    }

    #[test]
    fn the_text_of_a_hash_turns_each_eight_bytes_round() {
        let text = "07060504030201000f0e0d0c0b0a090817161514131211101f1e1d1c1b1a1918".to_owned();
        let hash: Hash = text.parse().unwrap();
        assert_eq!(hash.as_bytes().to_vec(), (0..32).collect::<Vec<u8>>());
        assert_eq!(hash.to_string(), text);
        assert!(
            "00".parse::<Hash>().is_err() && format!("+{}", &text[1..]).parse::<Hash>().is_err()
        );
    }

    #[test]
    fn a_sha256_keeps_its_text() {
        let sha256 = crate::Sha256::of(b"x");
        assert_eq!(Hash::of_sha256(sha256).to_string(), sha256.to_string());
    }

    #[test]
    fn one_chunk_is_its_own_root_and_nothing_is_zeros() {
        assert_eq!(root(&[]), Hash::default());
        assert_eq!(root(&[5]), hash(5));
    }

    #[test]
    fn nodes_end_by_their_hashes_after_three_and_by_their_number_after_nine() {
        let nodes = |numbers: &[u64]| {
            numbers
                .iter()
                .map(|number| (hash(*number), number * 100))
                .collect::<Vec<_>>()
        };
        assert_eq!(root(&[4, 4]), joined(&nodes(&[4, 4])).0, "two end nothing");
        assert_eq!(root(&[1, 1, 4]), joined(&nodes(&[1, 1, 4])).0);
        let (left, right) = (joined(&nodes(&[1, 4, 4])), joined(&nodes(&[1])));
        assert_eq!(
            root(&[1, 4, 4, 1]),
            joined(&[left, right]).0,
            "what is left over is a node, too"
        );
        let (left, right) = (joined(&nodes(&[1; 9])), joined(&nodes(&[1, 1])));
        assert_eq!(root(&[1; 11]), joined(&[left, right]).0);
    }
}
