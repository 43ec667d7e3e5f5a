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

use crate::context::Work;
use crate::plan::{Change, CommitFile};
use crate::protocol::{Deletion, Event, Exit, How, Standing};
use batch_size::Pace;
use batches::{Batches, Stage, Weighed, blob_weight, inline_weight};
use operation::{Ready, Step, inline_blob, put};

/// Small files read at a time.
const READERS: usize = 32;

/// Commits a change: its files and then its deletions. Says what became of each.
///
/// # Errors
/// What ends a hub for everything else, too: it is not said of each file.
pub async fn write_all(work: &Work, change: &Change) -> Result<()> {
    let limits = work.destination.limits();
    let (message, deletion, parent) = (
        change.message.as_str(),
        change.deletion,
        Mutex::new(change.parent.clone()),
    );
    let (halted, apart_since) = (Mutex::default(), Mutex::default());
    let committer = Committer {
        work,
        message,
        deletion,
        pace: Pace::new(&limits),
        parent,
        halted,
        apart_since,
    };
    let mut batches = Batches::new(committer.steps(&change.files, &change.delete), &limits);
    let (sender, receiver) = mpsc::channel(1);
    let parts = if batches.is_one() {
        Parts::One
    } else {
        Parts::Several
    };
    // The next batch is read while this one is written.
    let (unsent, stopped) = tokio::join!(
        committer.read_all(&mut batches, sender),
        committer.write_in_turn(receiver, parts)
    );
    let Some((error, undone)) = stopped.or_else(|| Some((committer.halted()?, Vec::new()))) else {
        return Ok(());
    };
    if error.ends_the_hub() {
        return Err(error);
    }
    committer.fail(undone.iter().chain(&unsent), &error);
    batches
        .next(usize::MAX)
        .iter()
        .for_each(|step| work.events.failed(step.path(), &error));
    Ok(())
}

/// Whether a change is one commit: the others are numbered.
#[derive(Clone, Copy)]
enum Parts {
    One,
    Several,
}

/// What could not be written, and why.
type Stopped<'a> = (Error, Vec<Ready<'a>>);
/// How the writing of a batch ended.
type Written<'a> = std::result::Result<(), Stopped<'a>>;

struct Committer<'a> {
    work: &'a Work,
    message: &'a str,
    deletion: Deletion,
    pace: Pace,
    /// Where the branch stood when it was last looked at, or was left by a commit.
    parent: Mutex<Option<Revision>>,
    /// The error that ended the source: nothing more is read, and nothing is written of what was cut short.
    halted: Mutex<Option<(Kind, String)>>,
    /// When the last commit was answered, once the hub's policy has rejected one: the next ones are kept apart from it.
    apart_since: Mutex<Option<Instant>>,
}

impl<'a> Committer<'a> {
    fn steps(&self, files: &'a [CommitFile], delete: &'a [RepoPath]) -> Vec<Weighed<Step<'a>>> {
        let puts = files.iter().filter_map(|file| self.step(file));
        let deletes = delete.iter().map(|path| Weighed {
            action: Step::Delete(path),
            weight: blob_weight(path),
            stage: Stage::Deletion,
        });
        puts.chain(deletes).collect()
    }

    fn step(&self, file: &'a CommitFile) -> Option<Weighed<Step<'a>>> {
        let File { path, size, digest } = &file.file;
        let stage = Stage::of(path);
        if self.work.destination.placement(path, *size) == Placement::Inline {
            return Some(Weighed {
                action: Step::Inline(file),
                weight: inline_weight(path, *size),
                stage,
            });
        }
        let Some(sha256) = file.stored.or(digest.sha256()) else {
            self.work.events.failed(
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
            self.work.events.file(path, *size, sha256, How::Unchanged);
            return None;
        }
        Some(Weighed {
            action: Step::Stored(file, blob),
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
        batches: &mut Batches<Step<'a>>,
        sender: mpsc::Sender<Vec<Ready<'a>>>,
    ) -> Vec<Ready<'a>> {
        loop {
            let batch = batches.next(self.pace.size());
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
    async fn write_in_turn(
        &self,
        mut batches: mpsc::Receiver<Vec<Ready<'a>>>,
        parts: Parts,
    ) -> Option<Stopped<'a>> {
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
    async fn read(&self, batch: Vec<Step<'a>>) -> Vec<Ready<'a>> {
        let large: Vec<_> = batch.iter().filter_map(inline_blob).collect();
        if let Err(error) = self.work.source.locate(&large).await {
            tracing::warn!(
                "the source could not say where {} files are: {error}",
                large.len()
            );
        }
        let read = stream::iter(batch).map(|step| self.ready(step));
        self.with_blobs(
            read.buffered(READERS)
                .filter_map(std::future::ready)
                .collect()
                .await,
        )
        .await
    }

    async fn ready(&self, step: Step<'a>) -> Option<Ready<'a>> {
        match step {
            Step::Delete(path) => Some(Ready {
                step,
                action: Action::Delete { path: path.clone() },
            }),
            Step::Stored(file, blob) => Some(put(step, file, Content::Stored(blob))),
            Step::Inline(file) => match self.content(file).await {
                Ok(content) => self.inline(step, file, content),
                Err(error) => {
                    self.halt(&error);
                    self.work.events.failed(&file.file.path, &error);
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
        let content = self.work.reader().whole(&file.file).await?;
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

    fn inline(&self, step: Step<'a>, file: &CommitFile, content: Bytes) -> Option<Ready<'a>> {
        if file.current.is_some_and(|current| current.is(&content)) {
            self.work
                .events
                .small(&file.file.path, &content, How::Unchanged);
            return None;
        }
        Some(put(step, file, Content::Inline(content)))
    }

    /// Writes one batch. What another writer or a lost answer did meanwhile is looked up before another try.
    async fn write(&self, mut batch: Vec<Ready<'a>>, title: String) -> Written<'a> {
        if self.deletes_too_early(&batch) {
            return Err((
                Error::new(Kind::Conflict, "not deleted, because other files failed"),
                batch,
            ));
        }
        let (mut pauses, mut stored_again) = (self.work.http.retry.pauses(), false);
        while !batch.is_empty() {
            let Err(error) = self.send(&batch, &title).await else {
                self.settle(batch);
                return Ok(());
            };
            match error.kind() {
                Kind::Policy if self.keeps_apart(&error) => continue,
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
            self.work.pause(&error, pause).await;
            if !matches!(error.kind(), Kind::RateLimited | Kind::BlobMissing) {
                batch = self.look(batch).await?;
            }
            if error.kind() == Kind::Transient && self.pace.is_adaptive() {
                self.pace.failed();
                if batch.len() > self.pace.size() {
                    return self.in_pieces(batch, title).await;
                }
            }
        }
        Ok(())
    }

    fn deletes_too_early(&self, batch: &[Ready<'a>]) -> bool {
        self.deletion == Deletion::WhenWhole
            && batch.iter().any(Ready::is_deletion)
            && self.work.events.exit() != Exit::Done
    }

    fn is_worth_repeating(&self, error: &Error) -> bool {
        matches!(
            error.kind(),
            Kind::Conflict | Kind::Transient | Kind::BlobMissing
        ) || self.work.http.retry.covers(error)
    }

    async fn send(&self, batch: &[Ready<'a>], title: &str) -> Result<()> {
        self.keep_apart().await;
        let actions = batch.iter().map(|ready| ready.action.clone()).collect();
        let parent = self.parent().clone();
        let began = self.work.http.clock.now();
        let answer = self
            .work
            .destination
            .commit(&Commit {
                message: title.to_owned(),
                actions,
                parent,
            })
            .await;
        self.answered();
        let commit = answer?;
        self.pace.wrote(
            batch.len(),
            self.work.http.clock.now().duration_since(began),
        );
        // Where the hub does not say, the branch stands where nobody knows.
        *self.parent() = commit.as_ref().and_then(|commit| commit.parse().ok());
        self.work.events.say(&Event::Committed {
            commit,
            actions: batch.len() as u64,
        });
        Ok(())
    }

    fn parent(&self) -> std::sync::MutexGuard<'_, Option<Revision>> {
        self.parent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A batch that the hub could not write in time, in smaller ones.
    fn in_pieces(&self, mut batch: Vec<Ready<'a>>, title: String) -> BoxFuture<'_, Written<'a>> {
        async move {
            while !batch.is_empty() {
                let rest = batch.split_off(self.pace.size().min(batch.len()));
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
    async fn look(
        &self,
        batch: Vec<Ready<'a>>,
    ) -> std::result::Result<Vec<Ready<'a>>, Stopped<'a>> {
        let listing = match self.work.destination.list().await {
            Ok(listing) => listing,
            Err(error) => return Err((error, batch)),
        };
        *self.parent() = listing.commit.clone();
        let there: HashMap<_, _> = listing
            .files
            .iter()
            .map(|listed| (&listed.file.path, Standing::of(&listed.file)))
            .collect();
        let (done, rest): (Vec<_>, Vec<_>) = batch
            .into_iter()
            .partition(|ready| ready.is_done(there.get(ready.step.path()).copied()));
        if !done.is_empty() {
            self.work.events.say(&Event::Committed {
                commit: None,
                actions: done.len() as u64,
            });
        }
        self.settle(done);
        Ok(rest)
    }

    fn fail<'b>(&self, batch: impl IntoIterator<Item = &'b Ready<'a>>, error: &Error)
    where
        'a: 'b,
    {
        batch
            .into_iter()
            .for_each(|ready| self.work.events.failed(ready.step.path(), error));
    }

    fn settle(&self, batch: Vec<Ready<'a>>) {
        for ready in batch {
            if let Action::Put {
                path,
                content: Content::Inline(content),
                ..
            } = &ready.action
            {
                self.work.events.small(path, content, How::Inline);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use hf2ms_hub::{Digest, Sha256};

    use super::*;
    use crate::testing::{CommitFault, FakeDestination, FakeSource, ReadFault, content, work};

    fn inline(file: File) -> CommitFile {
        CommitFile {
            file,
            stored: None,
            current: None,
            edit: None,
        }
    }

    fn change(files: &[CommitFile], delete: &[RepoPath], deletion: Deletion) -> Change {
        Change {
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
    ) -> (Work, Arc<FakeDestination>) {
        let (work, _, destination) = work(source, destination, 1 << 20);
        write_all(&work, &change(files, delete, Deletion::WhenWhole))
            .await
            .unwrap();
        (work, destination)
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
        let (work, destination) = committed(
            source,
            FakeDestination::default(),
            &files,
            &["old".parse().unwrap()],
        )
        .await;
        assert_eq!(destination.commits.lock().unwrap().len(), 1);
        assert_eq!(
            (destination.files.lock().unwrap().len(), work.events.exit()),
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
        let (work, destination) = committed(source, destination, &files, &[]).await;
        assert_eq!(
            (destination.files.lock().unwrap().len(), work.events.exit()),
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
        let (work, destination) = committed(source, destination, &files, &[]).await;
        assert_eq!(
            (
                destination.commits.lock().unwrap().len(),
                work.events.exit()
            ),
            (1, Exit::Done)
        );
        assert_eq!(work.events.receipt_so_far().files.len(), 3);
    }

    #[tokio::test]
    async fn a_path_that_the_hub_refuses_costs_only_itself() {
        let mut source = FakeSource::default();
        let files = texts(&mut source, 7);
        let destination = FakeDestination {
            bad_path: Some("04.txt"),
            ..FakeDestination::default()
        };
        let (work, destination) = committed(source, destination, &files, &[]).await;
        assert_eq!(
            (destination.files.lock().unwrap().len(), work.events.exit()),
            (6, Exit::Incomplete)
        );
        assert_eq!(work.events.receipt_so_far().failed[0].path, "04.txt");
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
        let (work, destination) = committed(source, destination, &files, &[]).await;
        let receipt = work.events.receipt_so_far();
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
        let (work, _, destination) = work(source, FakeDestination::default(), 1 << 20);
        destination
            .faults
            .lock()
            .unwrap()
            .extend([CommitFault::Fail(Kind::Full); 99]);
        let error = write_all(&work, &change(&files, &[], Deletion::WhenWhole))
            .await
            .unwrap_err();
        assert_eq!(
            (error.kind(), work.events.receipt_so_far().failed.len()),
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
        let (work, destination) = committed(source, destination, &files, &[]).await;
        let receipt = work.events.receipt_so_far();
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
        let (work, destination) = committed(source, destination, &files, &[]).await;
        assert_eq!(
            (
                destination.commits.lock().unwrap().len(),
                work.events.exit()
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
        let (work, destination) = committed(source, destination, &files, &[]).await;
        assert_eq!(
            (
                destination.commits.lock().unwrap().len(),
                destination.files.lock().unwrap().len()
            ),
            (1, 6)
        );
        assert_eq!(work.events.receipt_so_far().failed[0].path, "04.txt");
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
            let (work, destination) = committed(source, destination, &files, &[]).await;
            assert_eq!(
                (destination.files.lock().unwrap().len(), work.events.exit()),
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
            let (work, destination) = committed(source, destination, &files, &[]).await;
            let exit = if lost { Exit::Incomplete } else { Exit::Done };
            assert_eq!(
                (destination.files.lock().unwrap().len(), work.events.exit()),
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
        let (work, _, destination) = work(source, destination, 1 << 20);
        write_all(
            &work,
            &change(&files, std::slice::from_ref(&old), Deletion::Always),
        )
        .await
        .unwrap();
        assert!(!destination.files.lock().unwrap().contains_key(&old));
        assert_eq!(
            (destination.files.lock().unwrap().len(), work.events.exit()),
            (8, Exit::Incomplete)
        );
    }

    #[tokio::test]
    async fn content_that_is_there_already_needs_no_action() {
        let mut source = FakeSource::default();
        let mut files = texts(&mut source, 2);
        files[0].current = Some(Standing {
            digest: Digest::Sha256(Sha256::of(&content(100, 0))),
            size: 100,
        });
        let (work, destination) = committed(source, FakeDestination::default(), &files, &[]).await;
        assert_eq!(*destination.commits.lock().unwrap(), [["01.txt"]]);
        assert_eq!(work.events.receipt_so_far().files[0].how, How::Unchanged);
    }
}
