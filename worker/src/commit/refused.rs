//! Batches that the hub refuses. Files that the hub names are left out or stored again. Files that it does not name are found by
//! halving the batch, and commits that came too soon are spaced.

use std::collections::HashSet;
use std::sync::{MutexGuard, PoisonError};
use std::time::Instant;

use futures_util::future::BoxFuture;
use futures_util::{FutureExt, StreamExt, stream};
use hf2ms_hub::{Blob, Error, Kind, Result, Sha256};

use super::operation::{Operation, ReadyOperation};
use super::{BranchWriter, Written};
use crate::transfer::mover::store;

/// Commits are kept this many times a retry's base apart: 4 s, where the hub wants some 3 to 5.
const APART: u32 = 2;

impl<'a> BranchWriter<'a> {
    /// The hub refuses the batch for good: the files that it names have failed, and the others are written.
    pub(super) fn without_refused(
        &self,
        batch: Vec<ReadyOperation<'a>>,
        title: String,
        error: Error,
    ) -> BoxFuture<'_, Written<'a>> {
        async move {
            let (named, rest): (Vec<_>, Vec<_>) = batch
                .into_iter()
                .partition(|ready| error.names(ready.operation.path()));
            if named.is_empty() {
                return self.split(rest, title, error).await;
            }
            self.fail(&named, &error);
            self.write(rest, title).await
        }
        .boxed()
    }

    /// The hub refuses the batch as a whole: find the file that it means, and write the others.
    async fn split(
        &self,
        mut batch: Vec<ReadyOperation<'a>>,
        title: String,
        error: Error,
    ) -> Written<'a> {
        let count = batch.len();
        if batch.iter().any(ReadyOperation::is_deletion) {
            // The hub may mean a deletion that another writer made first.
            if let Err(error) = self.list_branch().await {
                return Err((error, batch));
            }
            batch = self.without_changed(batch, false);
        }
        if batch.len() < count {
            return self.write(batch, title).await;
        }
        if batch.len() == 1 {
            self.fail(&batch, &error);
            return Ok(());
        }
        let (kind, failures) = (error.kind(), self.context.events.failures());
        let second = batch.split_off(batch.len() / 2);
        if let Err((error, mut undone)) = self.write(batch, title.clone()).await {
            undone.extend(second);
            return Err((error, undone));
        }
        let written = self.write(second, title).await;
        // What policy rejects came too soon, or holds a path that it dislikes: the size is no reason.
        let none_failed = written.is_ok() && failures == self.context.events.failures();
        if kind == Kind::Invalid && none_failed {
            self.batch_size.was_too_large(count);
        }
        written
    }

    /// Stores again what the hub lacks of the batch's blobs; files that can't be read any more have failed. Where the hub can't be
    /// asked, the next commit says so.
    pub(super) async fn store_again(
        &self,
        batch: Vec<ReadyOperation<'a>>,
    ) -> Vec<ReadyOperation<'a>> {
        match self.lacking(&blobs_of(&batch)).await {
            Ok(lacking) if !lacking.is_empty() => self.with_all(batch, &lacking).await,
            _ => batch,
        }
    }

    /// What the hub lacks of the blobs of a batch; nothing where it checks each commit itself.
    pub(super) async fn lacking_before_commit(&self, blobs: Vec<Blob>) -> Result<HashSet<Sha256>> {
        match self.context.destination.limits().checks_blobs {
            true => Ok(HashSet::new()),
            false => self.lacking(&blobs).await,
        }
    }

    /// The batch for a hub that takes any: what it lacks of the blobs is stored again first, and what it lacks then has failed.
    pub(super) async fn with_blobs(
        &self,
        batch: Vec<ReadyOperation<'a>>,
        lacking: Result<HashSet<Sha256>>,
    ) -> Vec<ReadyOperation<'a>> {
        match lacking {
            Ok(lacking) if lacking.is_empty() => return batch,
            _ => {
                tracing::warn!("the destination lacks blobs that were stored: they are sent again")
            }
        }
        let batch = self.store_again(batch).await;
        let lacking = self.lacking(&blobs_of(&batch)).await;
        let wrong = |ready: &ReadyOperation<'a>| match (&lacking, stored(&ready.operation)?) {
            (Ok(lacking), (_, blob)) if !lacking.contains(&blob.sha256) => None,
            (Ok(_), _) => Some(Error::new(
                Kind::BlobMissing,
                "the hub took the content, and says that it does not have it",
            )),
            (Err(error), _) => Some(Error::new(error.kind(), error.to_string())),
        };
        let is_there = |ready: &ReadyOperation<'a>| {
            wrong(ready)
                .inspect(|error| self.fail([ready], error))
                .is_none()
        };
        batch.into_iter().filter(is_there).collect()
    }

    /// Those of these blobs that the hub wants now.
    async fn lacking(&self, blobs: &[Blob]) -> Result<HashSet<Sha256>> {
        let missing = self.context.destination.missing(blobs).await?;
        Ok(missing.wanted.iter().map(|blob| blob.sha256).collect())
    }

    async fn with_all(
        &self,
        batch: Vec<ReadyOperation<'a>>,
        lacking: &HashSet<Sha256>,
    ) -> Vec<ReadyOperation<'a>> {
        let blobs = batch
            .iter()
            .filter_map(|ready| stored(&ready.operation))
            .map(|(_, blob)| blob);
        let lost: Vec<Blob> = blobs
            .filter(|blob| lacking.contains(&blob.sha256))
            .collect();
        if let Err(error) = self.context.source.locate(&lost).await {
            tracing::warn!(
                "the source could not say where {} files are: {error}",
                lost.len()
            );
        }
        let each: Vec<_> = batch
            .into_iter()
            .map(|ready| self.with_blob(ready, lacking))
            .collect();
        let ready: Vec<_> = stream::iter(each)
            .buffered(self.context.options.readers())
            .collect()
            .await;
        ready.into_iter().flatten().collect()
    }

    async fn with_blob(
        &self,
        ready: ReadyOperation<'a>,
        lacking: &HashSet<Sha256>,
    ) -> Option<ReadyOperation<'a>> {
        let Some((file, blob)) =
            stored(&ready.operation).filter(|(_, blob)| lacking.contains(&blob.sha256))
        else {
            return Some(ready);
        };
        match store(&self.context.transfer, &file.file, blob).await {
            Ok(()) => Some(ready),
            Err(error) => {
                self.fail([&ready], &error);
                None
            }
        }
    }

    /// Whether this is the first rejection by policy: then the same commit is sent once more, and all are kept apart from now on.
    pub(super) fn starts_spacing(&self, error: &Error) -> bool {
        let mut since = self.since();
        let is_first = since.is_none();
        if is_first {
            *since = Some(self.context.http.clock.now());
            self.context
                .events
                .retry(error, self.context.http.retry.base * APART);
        }
        is_first
    }

    /// Waits until the last answer is some seconds ago, where that is needed.
    pub(super) async fn wait_for_spacing(&self) {
        let Some(since) = *self.since() else { return };
        let gone = self.context.http.clock.now().duration_since(since);
        self.context
            .http
            .clock
            .sleep((self.context.http.retry.base * APART).saturating_sub(gone))
            .await;
    }

    /// Notes when a commit was answered.
    pub(super) fn note_answer(&self) {
        let now = self.context.http.clock.now();
        if let Some(since) = self.since().as_mut() {
            *since = now;
        }
    }

    fn since(&self) -> MutexGuard<'_, Option<Instant>> {
        self.spaced_since
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// The blob of a file that is stored as one.
/// The stored blobs of a batch.
fn blobs_of(batch: &[ReadyOperation<'_>]) -> Vec<Blob> {
    let blobs = batch.iter().filter_map(|ready| stored(&ready.operation));
    blobs.map(|(_, blob)| blob).collect()
}

/// The file of an operation whose blob is stored, and that blob.
pub(super) fn stored<'a>(operation: &Operation<'a>) -> Option<(&'a crate::plan::CommitFile, Blob)> {
    match operation {
        Operation::Stored(file, blob) => Some((file, *blob)),
        _ => None,
    }
}
