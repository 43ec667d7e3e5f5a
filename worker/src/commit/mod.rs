//! The one committer of a run. Writes what the receipts say is stored, reads inline files as its
//! batches need them, and looks before it does anything twice.

mod batch_size;
mod batches;
mod operation;
mod refused;

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::{FutureExt, StreamExt, stream};
use hf2ms_hub::{
    Action, Blob, Commit, Content, Error, File, Kind, Placement, RepoPath, Result, Revision,
};
use tokio::sync::mpsc;

use crate::context::Context;
use crate::plan::{Changeset, CommitFile};
use crate::protocol::{Deletion, Event, ExistingFile, Exit, How};
use batch_size::BatchSize;
use batches::{Batches, Stage, WeighedAction, blob_weight, inline_weight};
use operation::{Operation, ReadyOperation, inline_blob, put_operation};

/// Small files read at a time.
const READERS: usize = 32;

/// Commits a change: its files and then its deletions. Says what became of each.
///
/// # Errors
/// What ends a hub for everything else, too: it is not said of each file.
pub async fn write_changeset(context: &Context, change: &Changeset) -> Result<()> {
    let limits = context.destination.limits();
    let (message, deletion, parent) = (
        change.message.as_str(),
        change.deletion,
        Mutex::new(change.parent.clone()),
    );
    let (halted, spaced_since) = (Mutex::default(), Mutex::default());
    let writer = BranchWriter {
        context,
        message,
        deletion,
        batch_size: BatchSize::new(&limits),
        parent,
        halted,
        spaced_since,
    };
    let mut batches = Batches::new(writer.steps(&change.files, &change.delete), &limits);
    let (sender, receiver) = mpsc::channel(1);
    let parts = if batches.is_one() {
        Parts::One
    } else {
        Parts::Several
    };
    // The next batch is read while this one is written.
    let (unsent, stopped) = tokio::join!(
        writer.read_all(&mut batches, sender),
        writer.write_batches(receiver, parts)
    );
    let Some((error, undone)) = stopped.or_else(|| Some((writer.halted()?, Vec::new()))) else {
        return Ok(());
    };
    if error.ends_the_hub() {
        return Err(error);
    }
    writer.fail(undone.iter().chain(&unsent), &error);
    batches
        .next(usize::MAX)
        .iter()
        .for_each(|operation| context.events.failed(operation.path(), &error));
    Ok(())
}

/// Whether a change is one commit: the others are numbered.
#[derive(Clone, Copy)]
enum Parts {
    One,
    Several,
}

/// What could not be written, and why.
type Unwritten<'a> = (Error, Vec<ReadyOperation<'a>>);
/// How the writing of a batch ended.
type Written<'a> = std::result::Result<(), Unwritten<'a>>;

struct BranchWriter<'a> {
    context: &'a Context,
    message: &'a str,
    deletion: Deletion,
    batch_size: BatchSize,
    /// Where the branch stood when it was last looked at, or was left by a commit.
    parent: Mutex<Option<Revision>>,
    /// The error that ended the source: nothing more is read, and nothing is written of what was cut short.
    halted: Mutex<Option<(Kind, String)>>,
    /// When the last commit was answered, once the hub's policy has rejected one: the next ones are kept apart from it.
    spaced_since: Mutex<Option<Instant>>,
}

impl<'a> BranchWriter<'a> {
    fn steps(
        &self,
        files: &'a [CommitFile],
        delete: &'a [RepoPath],
    ) -> Vec<WeighedAction<Operation<'a>>> {
        let puts = files.iter().filter_map(|file| self.operation(file));
        let deletes = delete.iter().map(|path| WeighedAction {
            action: Operation::Delete(path),
            weight: blob_weight(path),
            stage: Stage::Deletion,
        });
        puts.chain(deletes).collect()
    }

    fn operation(&self, file: &'a CommitFile) -> Option<WeighedAction<Operation<'a>>> {
        let File { path, size, digest } = &file.file;
        let stage = Stage::of(path);
        if self.context.destination.placement(path, *size) == Placement::Inline {
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

    fn title(&self, index: usize, parts: Parts) -> String {
        match parts {
            Parts::One => self.message.to_owned(),
            Parts::Several => format!("{} (part {})", self.message, index + 1),
        }
    }

    /// Reads batch after batch until nobody takes them any more; returns what was read in vain.
    async fn read_all(
        &self,
        batches: &mut Batches<Operation<'a>>,
        sender: mpsc::Sender<Vec<ReadyOperation<'a>>>,
    ) -> Vec<ReadyOperation<'a>> {
        loop {
            let batch = batches.next(self.batch_size.size());
            if batch.is_empty() {
                return Vec::new();
            }
            let read = self.read(batch).await;
            if self.halted().is_some() {
                return read;
            }
            if let Err(mpsc::error::SendError(unsent)) = sender.send(read).await {
                return unsent;
            }
        }
    }

    /// Writes batch after batch; the first that can't be written ends it, with all that was read since.
    async fn write_batches(
        &self,
        mut batches: mpsc::Receiver<Vec<ReadyOperation<'a>>>,
        parts: Parts,
    ) -> Option<Unwritten<'a>> {
        let mut index = 0;
        while let Some(batch) = batches.recv().await {
            let Err((error, mut undone)) = self.write(batch, self.title(index, parts)).await else {
                index += 1;
                continue;
            };
            batches.close();
            while let Some(batch) = batches.recv().await {
                undone.extend(batch);
            }
            return Some((error, undone));
        }
        None
    }

    /// Reads what a batch needs; files that can't be read have failed, files that are there already drop out.
    async fn read(&self, batch: Vec<Operation<'a>>) -> Vec<ReadyOperation<'a>> {
        let large: Vec<_> = batch.iter().filter_map(inline_blob).collect();
        if let Err(error) = self.context.source.locate(&large).await {
            tracing::warn!(
                "the source could not say where {} files are: {error}",
                large.len()
            );
        }
        let read = stream::iter(batch).map(|operation| self.prepare(operation));
        self.with_blobs(
            read.buffered(READERS)
                .filter_map(std::future::ready)
                .collect()
                .await,
        )
        .await
    }

    async fn prepare(&self, operation: Operation<'a>) -> Option<ReadyOperation<'a>> {
        match operation {
            Operation::Delete(path) => Some(ReadyOperation {
                operation,
                action: Action::Delete { path: path.clone() },
            }),
            Operation::Stored(file, blob) => {
                Some(put_operation(operation, file, Content::Stored(blob)))
            }
            Operation::Inline(file) => match self.content(file).await {
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
    async fn content(&self, file: &CommitFile) -> Result<Bytes> {
        if let Some(error) = self.halted() {
            return Err(error);
        }
        let content = self.context.reader().whole(&file.file).await?;
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

    fn halt(&self, error: &Error) {
        if error.ends_the_hub() {
            let mut halted = self.halted.lock().unwrap_or_else(PoisonError::into_inner);
            halted.get_or_insert_with(|| (error.kind(), error.to_string()));
        }
    }

    fn halted(&self) -> Option<Error> {
        let halted = self.halted.lock().unwrap_or_else(PoisonError::into_inner);
        halted
            .as_ref()
            .map(|(kind, reason)| Error::new(*kind, reason.clone()))
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

    /// Writes one batch. What another writer or a lost answer did meanwhile is looked up before another try.
    async fn write(&self, mut batch: Vec<ReadyOperation<'a>>, title: String) -> Written<'a> {
        if self.deletes_too_early(&batch) {
            return Err((
                Error::new(Kind::Conflict, "not deleted, because other files failed"),
                batch,
            ));
        }
        let (mut pauses, mut stored_again) = (self.context.http.retry.pauses(), false);
        while !batch.is_empty() {
            let Err(error) = self.send(&batch, &title).await else {
                self.record_inline(batch);
                return Ok(());
            };
            match error.kind() {
                Kind::Policy if self.starts_spacing(&error) => continue,
                Kind::BlobMissing if !stored_again => {
                    stored_again = true;
                    batch = self.store_again(batch).await;
                }
                Kind::Invalid | Kind::Policy | Kind::BlobMissing => {
                    return self.without_refused(batch, title, error).await;
                }
                _ => {}
            }
            let Some(pause) = pauses.next().filter(|_| self.is_worth_repeating(&error)) else {
                return Err((error, batch));
            };
            self.context.transfer().pause(&error, pause).await;
            if !matches!(error.kind(), Kind::RateLimited | Kind::BlobMissing) {
                batch = self.without_applied(batch).await?;
            }
            if error.kind() == Kind::Transient && self.batch_size.is_adaptive() {
                self.batch_size.failed();
                if batch.len() > self.batch_size.size() {
                    return self.in_pieces(batch, title).await;
                }
            }
        }
        Ok(())
    }

    fn deletes_too_early(&self, batch: &[ReadyOperation<'a>]) -> bool {
        self.deletion == Deletion::WhenWhole
            && batch.iter().any(ReadyOperation::is_deletion)
            && self.context.events.exit() != Exit::Done
    }

    fn is_worth_repeating(&self, error: &Error) -> bool {
        matches!(
            error.kind(),
            Kind::Conflict | Kind::Transient | Kind::BlobMissing
        ) || self.context.http.retry.covers(error)
    }

    async fn send(&self, batch: &[ReadyOperation<'a>], title: &str) -> Result<()> {
        self.wait_for_spacing().await;
        let actions = batch.iter().map(|ready| ready.action.clone()).collect();
        let parent = self.parent().clone();
        let began = self.context.http.clock.now();
        let answer = self
            .context
            .destination
            .commit(&Commit {
                message: title.to_owned(),
                actions,
                parent,
            })
            .await;
        self.note_answer();
        let commit = answer?;
        self.batch_size.wrote(
            batch.len(),
            self.context.http.clock.now().duration_since(began),
        );
        // Where the hub does not say, the branch stands where nobody knows.
        *self.parent() = commit.as_ref().and_then(|commit| commit.parse().ok());
        self.context.events.say(&Event::Committed {
            commit,
            actions: batch.len() as u64,
        });
        Ok(())
    }

    fn parent(&self) -> std::sync::MutexGuard<'_, Option<Revision>> {
        self.parent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A batch that the hub could not write in time, in smaller ones.
    fn in_pieces(
        &self,
        mut batch: Vec<ReadyOperation<'a>>,
        title: String,
    ) -> BoxFuture<'_, Written<'a>> {
        async move {
            while !batch.is_empty() {
                let rest = batch.split_off(self.batch_size.size().min(batch.len()));
                if let Err((error, mut undone)) = self.write(batch, title.clone()).await {
                    undone.extend(rest);
                    return Err((error, undone));
                }
                batch = rest;
            }
            Ok(())
        }
        .boxed()
    }

    /// Leaves out what stands there already: an answer was lost, or someone else did the same.
    async fn without_applied(
        &self,
        batch: Vec<ReadyOperation<'a>>,
    ) -> std::result::Result<Vec<ReadyOperation<'a>>, Unwritten<'a>> {
        let listing = match self.context.destination.list_branch().await {
            Ok(listing) => listing,
            Err(error) => return Err((error, batch)),
        };
        *self.parent() = listing.commit.clone();
        let there: HashMap<_, _> = listing
            .files
            .iter()
            .map(|listed| (&listed.file.path, ExistingFile::of(&listed.file)))
            .collect();
        let (done, rest): (Vec<_>, Vec<_>) = batch
            .into_iter()
            .partition(|ready| ready.is_applied(there.get(ready.operation.path()).copied()));
        if !done.is_empty() {
            self.context.events.say(&Event::Committed {
                commit: None,
                actions: done.len() as u64,
            });
        }
        self.record_inline(done);
        Ok(rest)
    }

    fn fail<'b>(&self, batch: impl IntoIterator<Item = &'b ReadyOperation<'a>>, error: &Error)
    where
        'a: 'b,
    {
        batch
            .into_iter()
            .for_each(|ready| self.context.events.failed(ready.operation.path(), error));
    }

    fn record_inline(&self, batch: Vec<ReadyOperation<'a>>) {
        for ready in batch {
            if let Action::Put {
                path,
                content: Content::Inline(content),
                ..
            } = &ready.action
            {
                self.context.events.small(path, content, How::Inline);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use hf2ms_hub::{Digest, Sha256};

    use super::*;
    use crate::testing::{CommitFault, FakeDestination, FakeSource, ReadFault, content, context};

    fn inline(file: File) -> CommitFile {
        CommitFile {
            file,
            stored: None,
            current: None,
            edit: None,
        }
    }

    fn change(files: &[CommitFile], delete: &[RepoPath], deletion: Deletion) -> Changeset {
        Changeset {
            files: files.to_vec(),
            delete: delete.to_vec(),
            deletion,
            message: "Add files".to_owned(),
            parent: None,
        }
    }

    fn texts(source: &mut FakeSource, count: u8) -> Vec<CommitFile> {
        (0..count)
            .map(|n| inline(source.git(&format!("{n:02}.txt"), content(100, n))))
            .collect()
    }

    async fn committed(
        source: FakeSource,
        destination: FakeDestination,
        files: &[CommitFile],
        delete: &[RepoPath],
    ) -> (Context, Arc<FakeDestination>) {
        let (context, _, destination) = context(source, destination, 1 << 20);
        write_changeset(&context, &change(files, delete, Deletion::WhenWhole))
            .await
            .unwrap();
        (context, destination)
    }

    #[tokio::test]
    async fn a_change_that_fits_is_one_commit() {
        let mut source = FakeSource::default();
        let mut files = texts(&mut source, 6);
        let blob = source.lfs("w.bin", content(9_000, 9));
        files.push(CommitFile {
            stored: blob.digest.sha256(),
            file: blob,
            current: None,
            edit: None,
        });
        let (context, destination) = committed(
            source,
            FakeDestination::default(),
            &files,
            &["old".parse().unwrap()],
        )
        .await;
        assert_eq!(destination.commits.lock().unwrap().len(), 1);
        assert_eq!(
            (
                destination.files.lock().unwrap().len(),
                context.events.exit()
            ),
            (7, Exit::Done)
        );
    }

    #[tokio::test]
    async fn a_larger_change_ends_with_what_makes_it_look_finished_and_then_the_deletions() {
        let mut source = FakeSource::default();
        let mut files = vec![inline(source.git("README.md", "hello"))];
        files.extend(texts(&mut source, 9));
        let (_, destination) = committed(
            source,
            FakeDestination::default(),
            &files,
            &["old".parse().unwrap()],
        )
        .await;
        let commits = destination.commits.lock().unwrap().clone();
        assert!(
            commits[commits.len() - 2].contains(&"README.md".to_owned()),
            "{commits:?}"
        );
        assert_eq!(commits.last().unwrap(), &["-old"]);
    }

    #[tokio::test]
    async fn a_branch_that_moved_is_compared_and_tried_again() {
        let mut source = FakeSource::default();
        let files = texts(&mut source, 3);
        let destination = FakeDestination::default();
        destination
            .faults
            .lock()
            .unwrap()
            .extend([CommitFault::BranchMoved, CommitFault::BranchMoved]);
        let (context, destination) = committed(source, destination, &files, &[]).await;
        assert_eq!(
            (
                destination.files.lock().unwrap().len(),
                context.events.exit()
            ),
            (3, Exit::Done)
        );
    }

    #[tokio::test]
    async fn a_lost_answer_is_looked_up_and_not_repeated() {
        let mut source = FakeSource::default();
        let files = texts(&mut source, 3);
        let destination = FakeDestination::default();
        destination
            .faults
            .lock()
            .unwrap()
            .push_back(CommitFault::LostAnswer);
        let (context, destination) = committed(source, destination, &files, &[]).await;
        assert_eq!(
            (
                destination.commits.lock().unwrap().len(),
                context.events.exit()
            ),
            (1, Exit::Done)
        );
        assert_eq!(context.events.receipt_so_far().files.len(), 3);
    }

    #[tokio::test]
    async fn a_path_that_the_hub_refuses_costs_only_itself() {
        let mut source = FakeSource::default();
        let files = texts(&mut source, 7);
        let destination = FakeDestination {
            bad_path: Some("04.txt"),
            ..FakeDestination::default()
        };
        let (context, destination) = committed(source, destination, &files, &[]).await;
        assert_eq!(
            (
                destination.files.lock().unwrap().len(),
                context.events.exit()
            ),
            (6, Exit::Incomplete)
        );
        assert_eq!(context.events.receipt_so_far().failed[0].path, "04.txt");
    }

    #[tokio::test]
    async fn a_commit_that_is_denied_fails_every_file_once() {
        let mut source = FakeSource::default();
        let files = texts(&mut source, 30);
        let destination = FakeDestination::default();
        destination
            .faults
            .lock()
            .unwrap()
            .extend([CommitFault::Fail(Kind::Denied); 99]);
        let (context, destination) = committed(source, destination, &files, &[]).await;
        let receipt = context.events.receipt_so_far();
        assert_eq!((receipt.failed.len(), receipt.files.len()), (30, 0));
        assert_eq!(
            destination.faults.lock().unwrap().len(),
            98,
            "one try, then it stops"
        );
    }

    #[tokio::test]
    async fn a_full_repo_is_said_once_and_nothing_is_split() {
        let mut source = FakeSource::default();
        let files = texts(&mut source, 30);
        let (context, _, destination) = context(source, FakeDestination::default(), 1 << 20);
        destination
            .faults
            .lock()
            .unwrap()
            .extend([CommitFault::Fail(Kind::Full); 99]);
        let error = write_changeset(&context, &change(&files, &[], Deletion::WhenWhole))
            .await
            .unwrap_err();
        assert_eq!(
            (error.kind(), context.events.receipt_so_far().failed.len()),
            (Kind::Full, 0)
        );
        assert_eq!(
            destination.faults.lock().unwrap().len(),
            98,
            "one try, then it stops"
        );
    }

    #[tokio::test]
    async fn a_path_that_policy_rejects_costs_only_itself_after_another_try() {
        let mut source = FakeSource::default();
        let files = texts(&mut source, 7);
        let destination = FakeDestination {
            rejected: Some("04.txt"),
            ..FakeDestination::default()
        };
        let (context, destination) = committed(source, destination, &files, &[]).await;
        let receipt = context.events.receipt_so_far();
        assert_eq!(
            (
                destination.files.lock().unwrap().len(),
                receipt.failed.len(),
                receipt.retries
            ),
            (6, 1, 1)
        );
        assert_eq!(
            (receipt.failed[0].path.as_str(), receipt.failed[0].kind),
            ("04.txt", Kind::Policy)
        );
    }

    #[tokio::test]
    async fn a_commit_that_came_too_soon_is_made_a_little_later_as_it_is() {
        let mut source = FakeSource::default();
        let files = texts(&mut source, 7);
        let destination = FakeDestination::default();
        destination
            .faults
            .lock()
            .unwrap()
            .push_back(CommitFault::Fail(Kind::Policy));
        let (context, destination) = committed(source, destination, &files, &[]).await;
        assert_eq!(
            (
                destination.commits.lock().unwrap().len(),
                context.events.exit()
            ),
            (1, Exit::Done)
        );
    }

    #[tokio::test]
    async fn of_a_batch_only_the_files_that_the_hub_names_fail() {
        let mut source = FakeSource::default();
        let files = texts(&mut source, 7);
        let destination = FakeDestination::default();
        destination
            .faults
            .lock()
            .unwrap()
            .push_back(CommitFault::Naming(Kind::Invalid, "04.txt"));
        let (context, destination) = committed(source, destination, &files, &[]).await;
        assert_eq!(
            (
                destination.commits.lock().unwrap().len(),
                destination.files.lock().unwrap().len()
            ),
            (1, 6)
        );
        assert_eq!(context.events.receipt_so_far().failed[0].path, "04.txt");
    }

    #[tokio::test]
    async fn a_blob_that_is_missing_is_stored_again_once() {
        for (times, committed_files, exit) in [(1, 3, Exit::Done), (2, 2, Exit::Incomplete)] {
            let mut source = FakeSource::default();
            let mut files = texts(&mut source, 2);
            let blob = source.lfs("w.bin", content(9_000, 9));
            files.push(CommitFile {
                stored: blob.digest.sha256(),
                file: blob,
                current: None,
                edit: None,
            });
            let destination = FakeDestination::default();
            destination.faults.lock().unwrap().extend(vec![
                CommitFault::Naming(
                    Kind::BlobMissing,
                    "w.bin"
                );
                times
            ]);
            let (context, destination) = committed(source, destination, &files, &[]).await;
            assert_eq!(
                (
                    destination.files.lock().unwrap().len(),
                    context.events.exit()
                ),
                (committed_files, exit)
            );
            assert_eq!(
                destination.blobs.lock().unwrap().len(),
                1,
                "stored by whoever commits"
            );
        }
    }

    #[tokio::test]
    async fn a_hub_that_takes_any_commit_gets_none_with_blobs_that_it_lacks() {
        for lost in [false, true] {
            let mut source = FakeSource::default();
            let mut files = texts(&mut source, 2);
            let blob = source.lfs("w.bin", content(9_000, 9));
            files.push(CommitFile {
                stored: blob.digest.sha256(),
                file: blob,
                current: None,
                edit: None,
            });
            let destination = FakeDestination {
                blind: true,
                ..FakeDestination::default()
            };
            destination
                .put_faults
                .lock()
                .unwrap()
                .extend(vec![Kind::Denied; usize::from(lost)]);
            let (context, destination) = committed(source, destination, &files, &[]).await;
            let exit = if lost { Exit::Incomplete } else { Exit::Done };
            assert_eq!(
                (
                    destination.files.lock().unwrap().len(),
                    context.events.exit()
                ),
                (3 - usize::from(lost), exit)
            );
            assert_eq!(
                destination.blobs.lock().unwrap().len(),
                1 - usize::from(lost)
            );
        }
    }

    #[tokio::test]
    async fn nothing_is_deleted_when_a_file_failed() {
        let mut source = FakeSource::default();
        let files = texts(&mut source, 9);
        source
            .faults
            .lock()
            .unwrap()
            .push_back(ReadFault::Fail(Kind::NotFound));
        let destination = FakeDestination::default();
        destination.files.lock().unwrap().insert(
            "old".parse().unwrap(),
            Blob {
                sha256: Sha256::of(b""),
                size: 0,
            },
        );
        let (_, destination) =
            committed(source, destination, &files, &["old".parse().unwrap()]).await;
        assert!(
            destination
                .files
                .lock()
                .unwrap()
                .contains_key(&"old".parse().unwrap())
        );
        assert_eq!(
            destination.files.lock().unwrap().len(),
            9,
            "the other eight are there"
        );
    }

    #[tokio::test]
    async fn of_a_branch_that_nobody_has_seen_what_is_to_go_goes_though_a_file_failed() {
        let mut source = FakeSource::default();
        let files = texts(&mut source, 9);
        source
            .faults
            .lock()
            .unwrap()
            .push_back(ReadFault::Fail(Kind::NotFound));
        let (destination, old) = (
            FakeDestination::default(),
            "old".parse::<RepoPath>().unwrap(),
        );
        destination.files.lock().unwrap().insert(
            old.clone(),
            Blob {
                sha256: Sha256::of(b""),
                size: 0,
            },
        );
        let (context, _, destination) = context(source, destination, 1 << 20);
        write_changeset(
            &context,
            &change(&files, std::slice::from_ref(&old), Deletion::Always),
        )
        .await
        .unwrap();
        assert!(!destination.files.lock().unwrap().contains_key(&old));
        assert_eq!(
            (
                destination.files.lock().unwrap().len(),
                context.events.exit()
            ),
            (8, Exit::Incomplete)
        );
    }

    #[tokio::test]
    async fn content_that_is_there_already_needs_no_action() {
        let mut source = FakeSource::default();
        let mut files = texts(&mut source, 2);
        files[0].current = Some(ExistingFile {
            digest: Digest::Sha256(Sha256::of(&content(100, 0))),
            size: 100,
        });
        let (context, destination) =
            committed(source, FakeDestination::default(), &files, &[]).await;
        assert_eq!(*destination.commits.lock().unwrap(), [["01.txt"]]);
        assert_eq!(context.events.receipt_so_far().files[0].how, How::Unchanged);
    }
}
