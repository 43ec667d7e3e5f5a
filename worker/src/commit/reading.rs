//! The reading half: the content that a batch of operations needs from the source, within the memory budget.

use std::sync::PoisonError;

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use hf2ms_hub::{Action, Blob, Content, Error, File, Kind, Placement, Result};

use super::BranchWriter;
use super::batches::{WeighedAction, blob_weight, inline_weight};
use super::operation::{Operation, ReadyOperation, inline_blob, inline_file, put_operation};
use super::refused::stored;
use crate::plan::{Changeset, CommitFile, Stage};
use crate::protocol::How;
use crate::transfer::budget::Reserved;

/// Small files read at a time.
const READERS: usize = 32;
/// Larger files are not sent inside a commit: a commit's content stands in memory, in base64 too.
const LARGEST_INLINE: u64 = 10 << 20;

/// A batch with its content at hand.
pub(super) struct ReadBatch<'a> {
    pub(super) operations: Vec<ReadyOperation<'a>>,
    /// The memory that the content takes until it is written.
    pub(super) memory: Reserved,
}

impl<'a> BranchWriter<'a> {
    pub(super) fn operations(&self, change: &'a Changeset) -> Vec<WeighedAction<Operation<'a>>> {
        let puts = change.files.iter().filter_map(|file| self.operation(file));
        let deletes = change.delete.iter().map(|file| WeighedAction {
            action: Operation::Delete(file),
            weight: blob_weight(&file.path),
            stage: Stage::Deletion,
        });
        puts.chain(deletes).collect()
    }

    fn operation(&self, file: &'a CommitFile) -> Option<WeighedAction<Operation<'a>>> {
        let File { path, size, digest } = &file.file;
        let stage = Stage::of(path);
        if self.context.destination.placement(path, *size) == Placement::Inline {
            if *size > LARGEST_INLINE {
                self.context.events.failed(path, &too_large(*size));
                return None;
            }
            return Some(WeighedAction {
                action: Operation::Inline(file),
                weight: inline_weight(path, *size),
                stage,
            });
        }
        let Some(sha256) = file.stored.or(digest.sha256()) else {
            self.context.events.failed(
                path,
                &Error::new(Kind::Invalid, "no receipt says that its blob is stored"),
            );
            return None;
        };
        let blob = Blob {
            sha256,
            size: *size,
        };
        if file.current.is_some_and(|current| current.is_blob(blob)) {
            self.context
                .events
                .file(path, *size, sha256, How::Unchanged);
            return None;
        }
        Some(WeighedAction {
            action: Operation::Stored(file, blob),
            weight: blob_weight(path),
            stage,
        })
    }

    /// Reads what a batch needs. Files that can't be read have failed, and files that stand there already drop out.
    pub(super) async fn read(&self, batch: Vec<Operation<'a>>) -> ReadBatch<'a> {
        let context = self.context;
        let large: Vec<_> = batch.iter().filter_map(inline_blob).collect();
        if let Err(error) = context.source.locate(&large).await {
            let count = large.len();
            tracing::warn!("the source could not say where {count} files are: {error}");
        }
        let inline = batch.iter().filter_map(inline_file);
        let memory = context
            .budget
            .reserve_contents(inline, &context.options)
            .await;
        let stored = batch.iter().filter_map(stored).map(|(_, blob)| blob);
        let lacking = self.lacking_before_commit(stored.collect());
        let read = stream::iter(batch).map(|operation| self.prepare(operation, &memory));
        let read = read.buffered(READERS).filter_map(std::future::ready);
        let (operations, lacking) = tokio::join!(read.collect(), lacking);
        let operations = self.with_blobs(operations, lacking).await;
        ReadBatch { operations, memory }
    }

    async fn prepare(
        &self,
        operation: Operation<'a>,
        memory: &Reserved,
    ) -> Option<ReadyOperation<'a>> {
        match operation {
            Operation::Delete(file) => Some(ReadyOperation {
                operation,
                action: Action::Delete {
                    path: file.path.clone(),
                },
            }),
            Operation::Stored(file, blob) => {
                Some(put_operation(operation, file, Content::Stored(blob)))
            }
            Operation::Inline(file) => match self.content(file, memory).await {
                Ok(content) => self.inline_operation(operation, file, content),
                Err(error) => {
                    self.halt(&error);
                    self.context.events.failed(&file.file.path, &error);
                    None
                }
            },
        }
    }

    /// The file's bytes as they are to stand there.
    async fn content(&self, file: &CommitFile, memory: &Reserved) -> Result<Bytes> {
        if let Some(error) = self.halted() {
            return Err(error);
        }
        let content = self.context.reader().whole(&file.file, memory).await?;
        match &file.edit {
            None => Ok(content),
            Some(edit) => edit.apply(&content).map(Bytes::from).ok_or_else(|| {
                Error::new(
                    Kind::Corrupt,
                    format!(
                        "{}: the change that was planned does not fit its content",
                        file.file.path
                    ),
                )
            }),
        }
    }

    fn inline_operation(
        &self,
        operation: Operation<'a>,
        file: &CommitFile,
        content: Bytes,
    ) -> Option<ReadyOperation<'a>> {
        if file.current.is_some_and(|current| current.is(&content)) {
            self.context
                .events
                .small(&file.file.path, &content, How::Unchanged);
            return None;
        }
        Some(put_operation(operation, file, Content::Inline(content)))
    }

    fn halt(&self, error: &Error) {
        if error.ends_the_hub() {
            let mut halted = self.halted.lock().unwrap_or_else(PoisonError::into_inner);
            halted.get_or_insert_with(|| (error.kind(), error.to_string()));
        }
    }

    pub(super) fn halted(&self) -> Option<Error> {
        let halted = self.halted.lock().unwrap_or_else(PoisonError::into_inner);
        halted
            .as_ref()
            .map(|(kind, reason)| Error::new(*kind, reason.clone()))
    }
}

fn too_large(size: u64) -> Error {
    let [size, most] = [size, LARGEST_INLINE].map(|bytes| bytes >> 20);
    let message = format!(
        "it has {size} MiB, and the hub takes a file of this name inside a commit only, where at most {most} MiB of a file are sent: make it smaller, or leave it out with --exclude"
    );
    Error::new(Kind::Invalid, message)
}
