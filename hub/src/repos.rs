//! What a hub can do with a repo: [`Repo`] describes and lists it, [`Committer`] writes it. [`Cards`], [`Gates`], [`RefStore`],
//! [`RepoAdmin`] and [`Spaces`] are for the hubs that have them.

use std::sync::Arc;

use async_trait::async_trait;

use crate::account::Account;
use crate::blobs::{BlobSource, BlobStore};
use crate::commit::{Commit, CommitLimits, Placement};
use crate::error::Result;
use crate::file::{FileTimes, Listing};
use crate::list_repos::OwnerRepos;
use crate::path::RepoPath;
use crate::refs::Refs;
use crate::repo::{Community, FileCount, GateMode, RepoId, RepoInfo, Revision, Visibility};
use crate::space::{Sdk, SpaceVariables};

/// A repo on a hub, bound to one revision.
#[async_trait]
pub trait Repo: Send + Sync {
    /// The account of the token.
    ///
    /// # Errors
    /// [`crate::Kind::Unauthorized`] when there is no token, or the hub refuses it.
    async fn account(&self) -> Result<Account>;

    /// The account of the token; `None` where the hub limits how often it can be asked for. A token that is refused later
    /// shows then.
    async fn account_if_told(&self) -> Result<Option<Account>> {
        self.account().await.map(Some)
    }

    /// Looks the repo up and resolves its revision to a commit.
    ///
    /// # Errors
    /// [`crate::Kind::NotFound`] when the repo or the revision does not exist, or may not be seen.
    async fn describe(&self) -> Result<RepoInfo>;

    /// Lists every file at the revision.
    async fn list(&self) -> Result<Listing>;

    /// How many files the hub counts at the revision, apart from the listing. It is one more request.
    async fn file_count(&self) -> Result<FileCount> {
        Ok(FileCount::Untold)
    }

    /// When each file was changed last, as of the revision; `None` where the hub does not tell. It takes a listing of its own, which may
    /// be a slow one.
    async fn file_times(&self) -> Result<Option<FileTimes>> {
        Ok(None)
    }

    /// The commit at which the branch or tag stands, where the hub tells it in one request. Equal heads are equal content.
    async fn head(&self) -> Result<Option<Revision>>;

    /// The repos of this kind that the repo's owner has, as far as the token may see them; the repo itself need not exist.
    /// `None` where the hub does not list them.
    async fn owner_repos(&self) -> Result<Option<OwnerRepos>> {
        Ok(None)
    }

    /// As many of those repos as the hub lists in one request.
    async fn first_owner_repos(&self) -> Result<Option<OwnerRepos>> {
        Ok(None)
    }

    /// The repo's branches and tags; `None` where the hub's API has none.
    fn ref_store(self: Arc<Self>) -> Option<Arc<dyn RefStore>> {
        None
    }

    /// What the repo's owner can do with the whole of it; `None` where no token may.
    fn admin(self: Arc<Self>) -> Option<Arc<dyn RepoAdmin>> {
        None
    }

    /// The repo as a Space; `None` where the hub runs no apps.
    fn spaces(self: Arc<Self>) -> Option<Arc<dyn Spaces>> {
        None
    }
}

/// A repo whose branch takes commits.
#[async_trait]
pub trait Committer: Send + Sync {
    /// Looks the repo up without its files; `None` when it does not exist, or may not be seen.
    async fn find(&self) -> Result<Option<RepoInfo>>;

    /// Creates the repo.
    ///
    /// # Errors
    /// [`crate::Kind::Conflict`] when the repo exists.
    async fn create(&self, visibility: Visibility) -> Result<()>;

    /// Lists every file on the branch, at one commit where the hub can pin it. A branch that does not exist has no files.
    async fn list_branch(&self) -> Result<Listing>;

    /// The same of a branch that was just found to stand at `head`, if its hub told: a hub that lists commits needs not ask for it
    /// again.
    async fn list_branch_at(&self, head: Option<&Revision>) -> Result<Listing> {
        let _ = head;
        self.list_branch().await
    }

    /// Whether a file of this path and size is stored as a blob or inline in the commit. A hub that decides by content may
    /// store as a blob what was sent inline.
    fn placement(&self, path: &RepoPath, size: u64) -> Placement;

    /// How much the hub takes in one commit.
    fn limits(&self) -> CommitLimits;

    /// The check of README.md; `None` where the hub takes any.
    fn cards(&self) -> Option<&dyn Cards> {
        None
    }

    /// The hub's gates; `None` where repos of this kind have none.
    fn gates(&self) -> Option<&dyn Gates> {
        None
    }

    /// Writes one commit and returns its id where the hub tells it. A lost answer is not retried here: the caller looks
    /// at the branch first.
    ///
    /// # Errors
    /// [`crate::Kind::Conflict`] when the branch does not stand at the parent.
    async fn commit(&self, commit: &Commit) -> Result<Option<String>>;
}

/// A hub that checks the front matter of a repo's card (README.md).
#[async_trait]
pub trait Cards: Send + Sync {
    /// What the hub would refuse in this card, in the hub's words; `None` when the hub takes the card.
    async fn refusal_of(&self, card: &str) -> Result<Option<String>>;
}

/// A hub whose repos can be gated: who reads has to be let in first.
#[async_trait]
pub trait Gates: Send + Sync {
    /// Creates the repo behind a gate. Nobody but the owner sees it before the gate stands. A hub whose gated repos have one visibility
    /// gives it that.
    ///
    /// # Errors
    /// [`crate::Kind::Conflict`] when the repo exists.
    async fn create_gated(&self, visibility: Visibility, mode: GateMode) -> Result<()>;
}

/// The branches and tags of a repo.
#[async_trait]
pub trait RefStore: Send + Sync {
    /// Every branch and tag.
    async fn refs(&self) -> Result<Refs>;

    /// How many commits lead to this branch, tag or commit, its own counted; `None` where the hub does not tell.
    async fn commit_count(&self, revision: &Revision) -> Result<Option<u64>> {
        let _ = revision;
        Ok(None)
    }

    /// Makes a branch that stands at a commit of the repo.
    ///
    /// # Errors
    /// [`crate::Kind::Conflict`] when the branch exists.
    async fn make_branch(&self, name: &Revision, at: &Revision) -> Result<()>;

    /// Makes a tag of a commit of the repo.
    ///
    /// # Errors
    /// [`crate::Kind::Conflict`] when the tag exists.
    async fn make_tag(&self, name: &Revision, at: &Revision) -> Result<()>;

    /// Deletes a branch that stands at this commit. A branch that does not exist is no error.
    async fn delete_branch(&self, name: &Revision, at: &Revision) -> Result<()>;
}

/// What the owner of a repo can do with the whole of it.
///
/// Whoever asks has just looked at the repo, and that look ages. So each write is sent once, and not at all while the hub asks to
/// wait. Where its answer is lost, the repo is looked for before anything is said. The id is the repo's own: what a hub does
/// with a former id is unknown.
///
/// # Errors
/// Of each write: [`crate::Kind::NotFound`] where there is no such repo; [`crate::Kind::Denied`] where the token may not;
/// [`crate::Kind::RateLimited`] where the hub asks to wait, and nothing was done. [`crate::Kind::Transient`] where nothing was done, or
/// where that is not known: [`crate::Error::is_unanswered`] tells them apart.
#[async_trait]
pub trait RepoAdmin: Send + Sync {
    /// Deletes the repo for good.
    async fn delete(&self) -> Result<()>;

    /// Moves the repo to another id of this hub. Its kind stays.
    ///
    /// # Errors
    /// [`crate::Kind::Conflict`] where that repo exists.
    async fn rename(&self, to: &RepoId) -> Result<()>;

    /// Only the owner sees the repo from now on, and the hub says so.
    async fn make_private(&self) -> Result<()>;

    /// What a deletion takes with it and no copy holds.
    async fn community(&self) -> Result<Community>;
}

/// A Space (ModelScope: studio), beyond its files.
#[async_trait]
pub trait Spaces: Send + Sync {
    /// The SDK that runs the app, as the hub names it; `None` where the hub names none.
    async fn sdk(&self) -> Result<Option<String>>;

    /// The names of the app's secrets and variables. What the token may not see is `None`.
    async fn variables(&self) -> SpaceVariables;

    /// Creates the Space.
    ///
    /// # Errors
    /// [`crate::Kind::Conflict`] when the repo exists.
    async fn create_space(&self, visibility: Visibility, sdk: Sdk) -> Result<()>;
}

/// A repo that is read.
pub trait Source: Repo + BlobSource {}

impl<T: Repo + BlobSource> Source for T {}

/// A repo that is written, and whose files are read again to verify them.
pub trait Destination: Repo + BlobStore + BlobSource + Committer {}

impl<T: Repo + BlobStore + BlobSource + Committer> Destination for T {}

/// A repo of a hub with an API: what each hub's folder has to define.
pub trait HubRepo: Source + Destination {}

impl<T: Source + Destination> HubRepo for T {}
