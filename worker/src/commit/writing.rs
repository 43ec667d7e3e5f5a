//! The writing half: a batch becomes a commit. After a lost answer, and after another writer's commit, the branch is listed
//! before anything is written again.

use std::collections::HashMap;
use std::sync::PoisonError;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use hf2ms_hub::{Action, Commit, Content, Error, Kind, Result, Revision};

use super::operation::ReadyOperation;
use super::{BranchWriter, Unwritten, Written};
use crate::protocol::{Deletion, Event, ExistingFile, Exit, How};

impl<'a> BranchWriter<'a> {
    /// Writes one batch. Before another try the branch is listed, since another writer or a lost answer may have changed it.
    pub(super) async fn write(
        &self,
        mut batch: Vec<ReadyOperation<'a>>,
        title: String,
    ) -> Written<'a> {
        if self.deletes_too_early(&batch) {
            return Err((
                Error::new(Kind::Conflict, "not deleted, because other files failed"),
                batch,
            ));
        }
        let (mut attempts, mut stored_again) = (self.context.http.attempts(), false);
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
            let (kind, may_pass) = (error.kind(), self.is_worth_repeating(&error));
            if let Err(error) = attempts.wait_after_if(may_pass, error).await {
                return Err((error, batch));
            }
            if !matches!(kind, Kind::RateLimited | Kind::BlobMissing) {
                batch = self.without_applied(batch).await?;
            }
            if kind == Kind::Transient && self.batch_size.is_adaptive() {
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
        // Without an id in the answer the branch's commit is unknown.
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

    /// Leaves out the operations that the branch holds already: an answer was lost, or another writer did the same.
    pub(super) async fn without_applied(
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
