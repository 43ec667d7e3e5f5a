//! What a chunk is for: its files are copied, or only read and hashed.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What is done with the files of a chunk.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ChunkPurpose {
    /// Their blobs move from the source to the destination.
    #[default]
    Copy,
    /// Every byte of them is read at the source and hashed; nothing is written.
    HashSource,
    /// The same at the destination.
    HashDestination,
}

impl ChunkPurpose {
    /// A file of so many bytes at most is hashed by both kinds of digest; a larger one by its SHA-256, and by Git's where that is listed.
    pub const BOTH_KINDS: u64 = 32 << 20;

    /// Whether blobs move.
    pub fn is_copy(&self) -> bool {
        *self == Self::Copy
    }
}
