//! `run` with a chunk that is only read: every byte of its files on one side is hashed, and the receipt holds the digests.

use crate::context::ReadContext;
use crate::events::total;
use crate::protocol::{Chunk, Exit};
use crate::transfer::hasher::hash_files;

/// Reads and hashes a chunk's files. Nothing is written, and nothing compared: the controller knows what the digests should be.
pub async fn hash(context: &ReadContext, chunk: &Chunk) -> Exit {
    let (files, bytes) = (chunk.files.len() as u64, total(&chunk.files));
    let events = &context.events;
    events.start("hash", &chunk.run, chunk.chunk, files, bytes);
    hash_files(context, &chunk.files).await;
    events.exit()
}
