//! The writing half: a batch becomes a commit. After a lost answer, and after another writer's commit, the branch is listed
//! before anything is written again.

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use hf2ms_hub::{Action, Commit, Content, Error, Kind, Result};

use super::operation::{Operation, ReadyOperation};
use super::{BranchWriter, Written};
use crate::protocol::{Deletion, Event, How};

impl<'a> BranchWriter<'a> {
    /// Writes one batch. Before the first try and before another the branch is looked at, since another writer or a lost answer may
    /// have changed it.
    pub(super) async fn write(&self, batch: Vec<ReadyOperation<'a>>, title: String) -> Written<'a> {
        let mut batch = self.without_premature(batch);
        if self.several && batch.len() > self.batch_size.size() {
            return self.in_pieces(batch, title).await;
        }
        if let Err(error) = self.look_unless_empty(&batch).await {
            return Err((error, batch));
        }
        let mut attempts = self.context.http.attempts();
        let (mut stored_again, mut lost_answer) = (false, false);
        loop {
            batch = self.without_premature(self.without_changed(batch, lost_answer));
            if batch.is_empty() {
                return Ok(());
            }
            // What is overwritten is someone else's since the plan was made.
            if let Err(error) = self.back_up_if(self.overwrites(&batch)).await {
                return Err((error, batch));
            }
            let Err(error) = self.send(&batch, &title).await else {
                self.record(batch, How::Inline);
                return Ok(());
            };
            let took_too_long = self.batch_size.failed(&error, batch.len());
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
            let (kind, may_pass) = (error.kind(), self.is_worth_repeating(&error));
            lost_answer |= kind == Kind::Transient || error.is_unanswered();
            if let Err(error) = attempts.wait_after_if(may_pass, error).await {
                return Err((error, batch));
            }
            let looked = match kind {
                Kind::RateLimited | Kind::BlobMissing => self.look_unless_empty(&batch).await,
                _ => self.list_branch().await,
            };
            if let Err(error) = looked {
                return Err((error, batch));
            }
            if took_too_long && batch.len() > self.batch_size.size() {
                batch = self.without_changed(batch, lost_answer);
                return self.in_pieces(batch, title).await;
            }
        }
    }

    async fn look_unless_empty(&self, batch: &[ReadyOperation<'a>]) -> Result<()> {
        match batch.is_empty() {
            true => Ok(()),
            false => self.look_at_branch().await,
        }
    }

    fn is_worth_repeating(&self, error: &Error) -> bool {
        matches!(
            error.kind(),
            Kind::Conflict | Kind::Transient | Kind::BlobMissing
        ) || error.is_unanswered()
            || self.context.http.retry.covers(error)
    }

    async fn send(&self, batch: &[ReadyOperation<'a>], title: &str) -> Result<()> {
        self.wait_for_spacing().await;
        let actions = batch.iter().map(|ready| ready.action.clone()).collect();
        let parent = self.branch().parent.clone();
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
        self.note_commit(commit.as_ref()).await;
        self.context.events.say(&Event::Committed {
            commit,
            actions: batch.len() as u64,
        });
        Ok(())
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

    pub(super) fn fail<'b>(
        &self,
        batch: impl IntoIterator<Item = &'b ReadyOperation<'a>>,
        error: &Error,
    ) where
        'a: 'b,
    {
        batch
            .into_iter()
            .for_each(|ready| self.context.events.failed(ready.operation.path(), error));
    }

    /// Reports operations that are done: inline files as having got there like this. A stored blob has been reported by whoever stored
    /// it, unless it was found there. What is deleted of a branch that nobody sees yet is no deletion for anyone.
    pub(super) fn record(&self, batch: Vec<ReadyOperation<'a>>, how: How) {
        for ready in batch {
            match (&ready.action, &ready.operation) {
                (
                    Action::Put {
                        path,
                        content: Content::Inline(content),
                        ..
                    },
                    _,
                ) => self.context.events.small(path, content, how),
                (_, Operation::Stored(file, blob)) if how == How::Unchanged => {
                    let path = &file.file.path;
                    self.context.events.file(path, blob.size, blob.sha256, how);
                }
                (Action::Delete { path }, _)
                    if how == How::Inline && self.change.deletion == Deletion::WhenWhole =>
                {
                    self.context.events.deleted(path);
                }
                _ => (),
            }
        }
    }
}
