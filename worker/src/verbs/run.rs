//! `run`: moves the blobs of one chunk.

use std::sync::Arc;

use hf2ms_hub::{Destination, Visibility};

use crate::context::TransferContext;
use crate::events::total;
use crate::pipeline::creation::ensure;
use crate::protocol::{Chunk, Exit};
use crate::transfer::mover::move_blobs;

/// Moves a chunk's blobs, to a destination that is created with the visibility in `create` if it is absent. Returns when each
/// blob is stored or has failed.
pub async fn run(
    context: &TransferContext,
    chunk: &Chunk,
    create: Option<(Arc<dyn Destination>, Visibility)>,
) -> Exit {
    context.events.start(
        "run",
        &chunk.run,
        chunk.chunk,
        chunk.files.len() as u64,
        total(&chunk.files),
    );
    if let Some((destination, visibility)) = create
        && let Err(error) = ensure(&*destination, visibility).await
    {
        context.events.verb_failed(&error);
        return Exit::of(error.kind());
    }
    move_blobs(context, &chunk.files).await;
    context.events.exit()
}
