//! The branch as the committer knows it: where it stands, and which paths of the change no longer hold what the plan saw. A path is
//! compared three ways: what the plan saw there, what is wanted, what is there now.

use std::collections::HashMap;
use std::sync::{MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use hf2ms_hub::{Error, Kind, RepoPath, Result, Revision};

use super::BranchWriter;
use super::operation::ReadyOperation;
use crate::plan::changed_meanwhile;
use crate::protocol::{Event, ExistingFile, FailedFile, How};

/// A branch on which nothing of ours was committed since is not listed again within this span.
const FRESH: Duration = Duration::from_secs(30);

/// A listing that is denied is asked for again this often.
const RELISTINGS: usize = 2;

/// What is known of the branch.
#[derive(Default)]
pub(super) struct Branch<'a> {
    /// The commit at which it stood when it was last listed or written; `None` where the hub does not tell.
    pub(super) parent: Option<Revision>,
    /// Whether this committer has listed it.
    listed: bool,
    /// When it was last looked at, if nothing was committed since.
    looked: Option<Instant>,
    /// What stands now at the paths of the change that hold something else than the plan saw.
    changed: HashMap<&'a RepoPath, Option<ExistingFile>>,
}

impl Branch<'_> {
    /// The branch as the plan saw it, at this commit.
    pub(super) fn at(parent: Option<Revision>) -> Self {
        Self {
            parent,
            ..Self::default()
        }
    }
}

impl<'a> BranchWriter<'a> {
    /// Looks at the branch before a commit, unless the hub itself refuses a commit whose parent is an older one. Where the commit that
    /// was made last still is the branch's head, one short request is enough; otherwise the branch is listed.
    ///
    /// # Errors
    /// The branch can't be listed.
    pub(super) async fn look_at_branch(&self) -> Result<()> {
        let now = self.context.http.clock.now();
        let (parent, listed, looked) = {
            let branch = self.branch();
            (branch.parent.clone(), branch.listed, branch.looked)
        };
        if parent.is_some() && self.checks_parent
            || looked.is_some_and(|looked| now.duration_since(looked) < FRESH)
        {
            return Ok(());
        }
        // A head that can't be had is a reason to list, no failure.
        if listed
            && parent.is_some()
            && self.context.destination.head().await.ok().flatten() == parent
        {
            self.branch().looked = Some(now);
            return Ok(());
        }
        self.list_branch().await
    }

    /// Lists the branch, and notes the paths of the change that hold something else than the plan saw.
    ///
    /// # Errors
    /// The branch can't be listed.
    pub(super) async fn list_branch(&self) -> Result<()> {
        let mut attempts = self.context.http.attempts().at_most(RELISTINGS);
        let listing = loop {
            match self.context.destination.list_branch().await {
                // ModelScope now and then answers 403 to a token that may read.
                Err(error) if error.kind() == Kind::Denied => {
                    attempts.wait_after_if(true, error).await?;
                }
                listed => break listed?,
            }
        };
        let there: HashMap<_, _> = listing
            .files
            .iter()
            .map(|listed| (&listed.file.path, ExistingFile::of(&listed.file)))
            .collect();
        let change = self.change;
        let files = change.files.iter();
        let files = files.map(|file| (&file.file.path, file.current));
        let deleted = change.delete.iter().map(|file| (&file.path, file.current));
        let changed = files.chain(deleted).filter_map(|(path, seen)| {
            let now = there.get(path).copied();
            (now != seen).then_some((path, now))
        });
        *self.branch() = Branch {
            parent: listing.commit.clone(),
            listed: true,
            looked: Some(self.context.http.clock.now()),
            changed: changed.collect(),
        };
        Ok(())
    }

    /// Notes the commit that was made. Where the hub tells no id of it and more commits follow, the branch's head is asked for.
    pub(super) async fn note_commit(&self, commit: Option<&String>) {
        let mut parent = commit.and_then(|commit| commit.parse().ok());
        if parent.is_none() && self.several {
            parent = self.context.destination.head().await.ok().flatten();
        }
        let mut branch = self.branch();
        branch.parent = parent;
        branch.looked = None;
    }

    /// The operations whose path holds what the plan saw. What is done already is reported: as ours where `lost_answer` says that a
    /// commit of ours may have been made. What someone else changed is left alone and has failed.
    pub(super) fn without_changed(
        &self,
        batch: Vec<ReadyOperation<'a>>,
        lost_answer: bool,
    ) -> Vec<ReadyOperation<'a>> {
        let (mut rest, mut done) = (Vec::with_capacity(batch.len()), Vec::new());
        for ready in batch {
            let now = self.branch().changed.get(ready.operation.path()).copied();
            match now {
                None => rest.push(ready),
                Some(now) if ready.is_applied(now) => done.push(ready),
                Some(_) if self.change.overwrite && !ready.is_deletion() => rest.push(ready),
                Some(now) => self.leave_alone(ready.operation.path(), now.is_some()),
            }
        }
        match (lost_answer, done.is_empty()) {
            (_, true) => (),
            (true, false) => {
                self.context.events.say(&Event::Committed {
                    commit: None,
                    actions: done.len() as u64,
                });
                self.record(done, How::Inline);
            }
            (false, false) => self.record(done, How::Unchanged),
        }
        rest
    }

    /// Whether what someone else has changed is among the paths of a batch.
    pub(super) fn overwrites(&self, batch: &[ReadyOperation<'a>]) -> bool {
        let branch = self.branch();
        let mut paths = batch.iter().map(|ready| ready.operation.path());
        paths.any(|path| branch.changed.get(path).is_some_and(Option::is_some))
    }

    fn leave_alone(&self, path: &RepoPath, exists: bool) {
        let what = if exists { "changed" } else { "deleted" };
        self.context.events.failed(path, &changed_meanwhile(what));
        self.left().conflicts.insert(path.to_string());
    }

    /// Takes out what is not to be written while other files have failed: deletions, and the files by which a repo looks complete.
    pub(super) fn without_premature(
        &self,
        batch: Vec<ReadyOperation<'a>>,
    ) -> Vec<ReadyOperation<'a>> {
        let (keeps, holds) = (self.keeps_deletions(), self.holds_back());
        let is_ready = |ready: &ReadyOperation<'a>| {
            let why = match ready.is_deletion() {
                true if keeps => FailedFile::NOT_DELETED,
                false if holds && ready.operation.is_finishing() => FailedFile::HELD_BACK,
                _ => return true,
            };
            self.fail([ready], &Error::new(Kind::Transient, why));
            let path = ready.operation.path().to_string();
            self.left().waiting.insert(path);
            false
        };
        batch.into_iter().filter(is_ready).collect()
    }

    pub(super) fn branch(&self) -> MutexGuard<'_, Branch<'a>> {
        self.branch.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
