//! The commits of a run: stored blobs and inline files become the destination's branch. One worker of a run does this.
//!
//! [`batches`] cuts the changeset into commits, [`reading`] gets the content that a commit carries, [`writing`] sends it, and
//! [`refused`] finds the files that the hub refuses.

mod batch_size;
mod batches;
mod operation;
mod reading;
mod refused;
#[cfg(test)]
mod tests;
mod writing;

use std::sync::Mutex;
use std::time::Instant;

use hf2ms_hub::{Error, Kind, Result, Revision};
use tokio::sync::mpsc;

use crate::context::Context;
use crate::plan::Changeset;
use crate::protocol::Deletion;
use batch_size::BatchSize;
use batches::Batches;
use operation::{Operation, ReadyOperation};
use reading::ReadBatch;

/// Commits a changeset: its files and then its deletions. Each file ends as an event.
///
/// # Errors
/// The error that ends a hub for all files; no file is reported as failed then.
pub async fn write_changeset(context: &Context, change: &Changeset) -> Result<()> {
    let limits = context.destination.limits();
    let writer = BranchWriter {
        context,
        message: &change.message,
        deletion: change.deletion,
        batch_size: BatchSize::new(&limits),
        parent: Mutex::new(change.parent.clone()),
        halted: Mutex::default(),
        spaced_since: Mutex::default(),
    };
    let mut batches = Batches::new(writer.operations(&change.files, &change.delete), &limits);
    let (sender, receiver) = mpsc::channel(1);
    let parts = match batches.is_one() {
        true => Parts::One,
        false => Parts::Several,
    };
    // The next batch is read while this one is written.
    let (unsent, stopped) = tokio::join!(
        writer.read_all(&mut batches, sender),
        writer.write_all(receiver, parts)
    );
    let Some((error, undone)) = stopped.or_else(|| Some((writer.halted()?, Vec::new()))) else {
        return Ok(());
    };
    if error.ends_the_hub() {
        return Err(error);
    }
    writer.fail(undone.iter().chain(&unsent), &error);
    for operation in batches.next(usize::MAX) {
        context.events.failed(operation.path(), &error);
    }
    Ok(())
}

/// Whether a changeset is one commit, or several, which are numbered.
#[derive(Clone, Copy)]
enum Parts {
    One,
    Several,
}

/// The operations that could not be written, and why.
type Unwritten<'a> = (Error, Vec<ReadyOperation<'a>>);
/// How the writing of a batch ended.
type Written<'a> = std::result::Result<(), Unwritten<'a>>;

/// One changeset on its way into a branch.
struct BranchWriter<'a> {
    context: &'a Context,
    message: &'a str,
    deletion: Deletion,
    batch_size: BatchSize,
    /// The commit of the branch when it was last listed or written; `None` where the hub does not tell.
    parent: Mutex<Option<Revision>>,
    /// The error that ended the source: nothing more is read, and a batch that was cut short is not written.
    halted: Mutex<Option<(Kind, String)>>,
    /// When the last commit was answered, once the hub's policy has rejected one: later commits keep a distance from it.
    spaced_since: Mutex<Option<Instant>>,
}

impl<'a> BranchWriter<'a> {
    fn title(&self, index: usize, parts: Parts) -> String {
        match parts {
            Parts::One => self.message.to_owned(),
            Parts::Several => format!("{} (part {})", self.message, index + 1),
        }
    }

    /// Reads batch after batch, until none is left or the writing has stopped. Returns the operations that were read in vain.
    async fn read_all(
        &self,
        batches: &mut Batches<Operation<'a>>,
        sender: mpsc::Sender<ReadBatch<'a>>,
    ) -> Vec<ReadyOperation<'a>> {
        loop {
            let batch = batches.next(self.batch_size.size());
            if batch.is_empty() {
                return Vec::new();
            }
            let read = self.read(batch).await;
            if self.halted().is_some() {
                return read.operations;
            }
            if let Err(mpsc::error::SendError(unsent)) = sender.send(read).await {
                return unsent.operations;
            }
        }
    }

    /// Writes batch after batch. The first that can't be written ends it, together with all batches that were read since.
    async fn write_all(
        &self,
        mut batches: mpsc::Receiver<ReadBatch<'a>>,
        parts: Parts,
    ) -> Option<Unwritten<'a>> {
        let mut index = 0;
        while let Some(ReadBatch { operations, memory }) = batches.recv().await {
            let written = self.write(operations, self.title(index, parts)).await;
            drop(memory);
            let Err((error, mut undone)) = written else {
                index += 1;
                continue;
            };
            batches.close();
            while let Some(batch) = batches.recv().await {
                undone.extend(batch.operations);
            }
            return Some((error, undone));
        }
        None
    }
}
