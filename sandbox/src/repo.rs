//! A repo and its history: commits, branches, tags, and who may see it.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use crate::digest::{Digest, Oid};
use crate::git::folder::Bare;
use crate::sync::Guarded;
use crate::tree::Dir;

/// What a repo holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A model.
    Model,
    /// A dataset.
    Dataset,
    /// A space; a studio on ModelScope.
    Space,
}

impl Kind {
    /// Reads the plural used in URLs of either hub.
    pub fn from_plural(text: &str) -> Option<Self> {
        match text {
            "models" => Some(Self::Model),
            "datasets" => Some(Self::Dataset),
            "spaces" | "studios" | "studio" => Some(Self::Space),
            _ => None,
        }
    }

    /// Hugging Face's plural.
    pub fn plural(self) -> &'static str {
        match self {
            Self::Model => "models",
            Self::Dataset => "datasets",
            Self::Space => "spaces",
        }
    }

    /// What stands before the id in Hugging Face's web URLs.
    pub fn prefix(self) -> &'static str {
        match self {
            Self::Model => "",
            Self::Dataset => "datasets/",
            Self::Space => "spaces/",
        }
    }
}

/// Who may see a repo. The numbers are ModelScope's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Visibility {
    /// The owner only.
    Private = 1,
    /// Anyone with a token.
    Internal = 3,
    /// A studio whose app is public and whose files are not.
    Protected = 4,
    /// Everyone.
    #[default]
    Public = 5,
}

/// A snapshot of a repo's files.
pub struct Commit {
    /// Its id.
    pub id: Oid,
    /// First line and the rest.
    pub message: String,
    /// When it was made.
    pub date: SystemTime,
    /// How many operations it was asked to do.
    pub actions: usize,
    /// The files.
    pub tree: Dir,
    /// The commit before it on its branch.
    pub parent: Option<Oid>,
}

/// A discussion or a pull request.
pub struct Thread {
    /// Whether it is a pull request.
    pub is_pull_request: bool,
    /// Whether it is open; a pull request that is not was merged.
    pub is_open: bool,
    /// When it was begun.
    pub date: SystemTime,
}

/// A repo.
pub struct Repo {
    /// What it holds.
    pub kind: Kind,
    /// `owner/name`.
    pub id: String,
    /// The id that it was made with, which all of its commits name.
    pub first_id: String,
    /// The number ModelScope also knows it by.
    pub number: u64,
    /// Whether a commit is being made; ModelScope refuses another meanwhile.
    pub committing: AtomicBool,
    /// The form in which git reads it, once it did.
    pub bare: tokio::sync::Mutex<Option<Bare>>,
    state: Mutex<State>,
}

/// What can change about a repo.
#[derive(Default)]
pub struct State {
    /// Who may see it.
    pub visibility: Visibility,
    /// Whether access has to be asked for: `auto` or `manual`.
    pub gated: Option<String>,
    /// Who was given access to a gated repo.
    pub granted: HashSet<String>,
    /// Whether the hub has shut it.
    pub disabled: bool,
    /// Why the hub's API refuses it though git works.
    pub storage_locked: Option<String>,
    /// Where Hugging Face stores it, if that is not the usual region.
    pub region: Option<String>,
    /// What runs the app of a space.
    pub sdk: Option<String>,
    /// A space's secrets.
    pub secrets: BTreeMap<String, String>,
    /// A space's variables.
    pub variables: BTreeMap<String, String>,
    /// Branches and the commits they point at.
    pub branches: BTreeMap<String, Oid>,
    /// Tags and the commits they point at.
    pub tags: BTreeMap<String, Oid>,
    /// How many users like it.
    pub likes: u64,
    /// Its discussions and pull requests, the oldest first.
    pub threads: Vec<Thread>,
    /// Commits in the order they were made.
    pub log: Vec<Arc<Commit>>,
    /// What a dataset of the old kind keeps beside its repo, by name: digest and size.
    pub beside: BTreeMap<String, (Digest, u64)>,
    /// The blobs that belong to this repo, on hubs that keep them apart.
    pub stored: HashSet<Digest>,
    /// Blobs of a deleted repo of this name, which LFS still calls stored.
    pub remembered: HashSet<Digest>,
    by_id: HashMap<Oid, Arc<Commit>>,
}

static NEXT: AtomicU64 = AtomicU64::new(1);

/// Makes an id nothing else has.
pub fn new_id(of: &str) -> Oid {
    let now = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    Oid::made_of(&[
        of,
        &now.as_nanos().to_string(),
        &NEXT.fetch_add(1, Ordering::Relaxed).to_string(),
    ])
}

impl Repo {
    /// A repo without commits.
    pub fn new(kind: Kind, id: &str, visibility: Visibility) -> Self {
        let state = State {
            visibility,
            ..State::default()
        };
        Self {
            kind,
            id: id.to_owned(),
            first_id: id.to_owned(),
            number: NEXT.fetch_add(1, Ordering::Relaxed),
            committing: AtomicBool::new(false),
            bare: tokio::sync::Mutex::default(),
            state: Mutex::new(state),
        }
    }

    /// The same repo by another id. This one is empty afterwards.
    pub fn renamed(&self, id: &str) -> Self {
        Self {
            kind: self.kind,
            id: id.to_owned(),
            first_id: self.first_id.clone(),
            number: self.number,
            committing: AtomicBool::new(false),
            bare: tokio::sync::Mutex::default(),
            state: Mutex::new(std::mem::take(&mut *self.state())),
        }
    }

    /// Another repo at the same commits, which holds the same blobs.
    pub fn mirrored(&self, id: &str) -> Self {
        let state = self.state();
        let copied = State {
            visibility: state.visibility,
            branches: state.branches.clone(),
            tags: state.tags.clone(),
            log: state.log.clone(),
            stored: state.stored.clone(),
            by_id: state.by_id.clone(),
            ..State::default()
        };
        let repo = Self::new(self.kind, id, copied.visibility);
        *repo.state() = copied;
        Self {
            first_id: self.first_id.clone(),
            ..repo
        }
    }

    /// The owner, before the slash.
    pub fn owner(&self) -> &str {
        self.id.split('/').next().unwrap_or_default()
    }

    /// The name, after the slash.
    pub fn name(&self) -> &str {
        self.id
            .split_once('/')
            .map_or(self.id.as_str(), |(_, name)| name)
    }

    /// What can change, held still.
    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.guarded()
    }

    /// The snapshot that `revision` names.
    pub fn commit(&self, revision: &str) -> Option<Arc<Commit>> {
        self.state().resolve(revision)
    }
}

impl State {
    /// The snapshot that a branch, a tag or a commit id names.
    pub fn resolve(&self, revision: &str) -> Option<Arc<Commit>> {
        let named = revision
            .strip_prefix("refs/heads/")
            .or(revision.strip_prefix("refs/tags/"))
            .unwrap_or(revision);
        let id = self
            .branches
            .get(named)
            .or_else(|| self.tags.get(named))
            .copied()
            .or_else(|| Oid::parse(named))?;
        self.by_id.get(&id).cloned()
    }

    /// The snapshot that a branch is at.
    pub fn head(&self, branch: &str) -> Option<Arc<Commit>> {
        self.by_id.get(self.branches.get(branch)?).cloned()
    }

    /// Adds a commit and points `branch` at it.
    pub fn push(&mut self, branch: &str, commit: Commit) -> Arc<Commit> {
        let commit = Arc::new(commit);
        self.branches.insert(branch.to_owned(), commit.id);
        self.by_id.insert(commit.id, Arc::clone(&commit));
        self.log.push(Arc::clone(&commit));
        commit
    }

    /// Whether those without a claim on the repo may see it.
    pub fn is_public(&self) -> bool {
        matches!(self.visibility, Visibility::Public | Visibility::Internal)
    }
}
