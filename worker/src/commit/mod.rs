//! The commits of a run: stored blobs and inline files become the destination's branch. One worker of a run does this.
//!
//! [`batches`] cuts the changeset into commits, [`reading`] gets the content that a commit carries, [`writing`] sends it;
//! [`branch`] compares the branch with what the plan saw, and [`refused`] finds the files that the hub refuses.

mod backup;
mod batch_size;
mod batches;
mod branch;
mod create_ref;
mod operation;
mod reading;
mod refused;
#[cfg(test)]
mod tests;
mod writing;

use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use hf2ms_hub::{Error, Kind, Result};
use tokio::sync::mpsc;

use crate::context::Context;
use crate::plan::{Changeset, Stage};
use crate::protocol::{Deletion, Exit};
pub use backup::{Backup, Precedence, check_backup};
use batch_size::BatchSize;
use batches::Batches;
use branch::Branch;
pub use create_ref::create_ref;
use operation::{Operation, ReadyOperation};
use reading::ReadBatch;

/// Whether files that failed like this keep others from being written, by which a repo looks complete.
pub(crate) fn holds_back(failed: &crate::protocol::FailedFile) -> bool {
    Stage::holds_back(failed)
}

/// What a changeset leaves undone on purpose, by the paths of its failures.
#[derive(Debug, Default)]
pub struct LeftUndone {
    /// What someone else has changed.
    pub conflicts: HashSet<String>,
    /// What waits for other files.
    pub waiting: HashSet<String>,
}

/// Commits a changeset that needs no permission and no backup.
#[cfg(test)]
pub async fn write_changeset(context: &Context, change: &Changeset) -> Result<LeftUndone> {
    write_permitted(context, change, None, std::future::ready(Ok(()))).await
}

/// Commits a changeset: its files and then its deletions. Each file ends as an event. `permission` has to be had first: content is read
/// meanwhile, and nothing is written without it. Then comes the backup, where something is replaced or deleted.
///
/// # Errors
/// The error that ends a hub for all files; no file is reported as failed then. Those of `permission` and of the backup.
pub async fn write_permitted(
    context: &Context,
    change: &Changeset,
    backup: Option<&Backup<'_>>,
    permission: impl Future<Output = Result<()>>,
) -> Result<LeftUndone> {
    let limits = context.destination.limits();
    let mut writer = BranchWriter {
        context,
        change,
        backup,
        checks_parent: limits.checks_parent,
        several: false,
        batch_size: BatchSize::new(&limits),
        branch: Mutex::new(Branch::at(change.parent.clone())),
        left: Mutex::default(),
        halted: Mutex::default(),
        spaced_since: Mutex::default(),
    };
    let mut batches = Batches::new(writer.operations(change), &limits);
    writer.several = !batches.is_one();
    let (sender, receiver) = mpsc::channel(1);
    // The next batch is read while this one is written.
    let reading = async { Ok::<_, Error>(writer.read_all(&mut batches, sender).await) };
    let writing = async {
        permission.await?;
        writer.back_up_if(change.replaces()).await?;
        Ok(writer.write_all(receiver).await)
    };
    let (unsent, stopped) = tokio::try_join!(reading, writing)?;
    let Some((error, undone)) = stopped.or_else(|| Some((writer.halted()?, Vec::new()))) else {
        return Ok(std::mem::take(&mut *writer.left()));
    };
    if error.ends_the_hub() {
        return Err(error);
    }
    writer.fail(undone.iter().chain(&unsent), &error);
    for operation in batches.next(usize::MAX) {
        context.events.failed(operation.path(), &error);
    }
    let left = std::mem::take(&mut *writer.left());
    Ok(left)
}

/// The operations that could not be written, and why.
type Unwritten<'a> = (Error, Vec<ReadyOperation<'a>>);
/// How the writing of a batch ended.
type Written<'a> = std::result::Result<(), Unwritten<'a>>;

/// One changeset on its way into a branch.
struct BranchWriter<'a> {
    context: &'a Context,
    change: &'a Changeset,
    backup: Option<&'a Backup<'a>>,
    /// Whether the hub refuses a commit whose parent is not where the branch stands.
    checks_parent: bool,
    /// Whether the change takes several commits, which are numbered.
    several: bool,
    batch_size: BatchSize,
    branch: Mutex<Branch<'a>>,
    left: Mutex<LeftUndone>,
    /// The error that ended the source: nothing more is read, and a batch that was cut short is not written.
    halted: Mutex<Option<(Kind, String)>>,
    /// When the last commit was answered, once the hub's policy has rejected one: later commits keep a distance from it.
    spaced_since: Mutex<Option<Instant>>,
}

impl<'a> BranchWriter<'a> {
    fn title(&self, index: usize) -> String {
        let message = &self.change.message;
        match self.several {
            false => message.clone(),
            true => format!("{message} (part {})", index + 1),
        }
    }

    /// Makes the backup tag where there is to be one, and `replaces` says that something would be lost without it.
    async fn back_up_if(&self, replaces: bool) -> Result<()> {
        match self.backup.filter(|_| replaces) {
            Some(backup) => backup.ensure().await,
            None => Ok(()),
        }
    }

    fn left(&self) -> MutexGuard<'_, LeftUndone> {
        self.left.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn keeps_deletions(&self) -> bool {
        self.change.deletion == Deletion::WhenWhole && self.context.events.exit() != Exit::Done
    }

    fn holds_back(&self) -> bool {
        self.change.hold_back || self.context.events.any_failed(Stage::holds_back)
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
    async fn write_all(&self, mut batches: mpsc::Receiver<ReadBatch<'a>>) -> Option<Unwritten<'a>> {
        let mut index = 0;
        while let Some(ReadBatch { operations, memory }) = batches.recv().await {
            let written = self.write(operations, self.title(index)).await;
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
