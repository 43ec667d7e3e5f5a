//! One hub's repos and blobs, whichever way it is spoken to.

use std::collections::{BTreeMap, HashSet};
use std::io;
use std::sync::{Arc, RwLock};
use std::time::SystemTime;

use bytes::Bytes;

use crate::digest::{Digest, Oid};
use crate::git::objects;
use crate::repo::{Commit, Kind, Repo, State, Visibility};
use crate::store::{BlobDir, Store};
use crate::sync::Shared;
use crate::tree::{Dir, File, Mode, Writer};

/// A hub's repos and blobs.
pub struct Hub {
    /// The branch a new repo has: `main` or `master`.
    pub branch: &'static str,
    /// The blobs.
    pub store: Store,
    repos: RwLock<BTreeMap<(Kind, String), Arc<Repo>>>,
    /// The ids that repos had once, and the next id of each.
    moved: RwLock<BTreeMap<(Kind, String), String>>,
    /// When each repo was deleted, in that order.
    deletions: RwLock<Vec<(SystemTime, Arc<Repo>)>>,
    /// The blobs of repos that were deleted.
    deleted: RwLock<BTreeMap<(Kind, String), HashSet<Digest>>>,
}

/// A change to one path.
pub enum Change {
    /// Put this file there.
    Put(String, File),
    /// Take away the file or directory there.
    Remove(String),
}

impl Hub {
    /// A hub without repos, whose blobs go to `dir`.
    pub fn new(branch: &'static str, dir: Arc<BlobDir>) -> Self {
        Self {
            branch,
            store: Store::new(dir),
            repos: RwLock::default(),
            moved: RwLock::default(),
            deletions: RwLock::default(),
            deleted: RwLock::default(),
        }
    }

    /// The repo with this kind and id.
    pub fn repo(&self, kind: Kind, id: &str) -> Option<Arc<Repo>> {
        self.repos.shared().get(&(kind, id.to_owned())).cloned()
    }

    /// All repos.
    pub fn repos(&self) -> Vec<Arc<Repo>> {
        self.repos.shared().values().cloned().collect()
    }

    /// A new repo with a first commit of `files`; `Err` with the one that is there already.
    pub fn create(
        &self,
        kind: Kind,
        id: &str,
        visibility: Visibility,
        files: &[(&str, &str)],
    ) -> io::Result<Result<Arc<Repo>, Arc<Repo>>> {
        let changes = files
            .iter()
            .map(|(path, text)| {
                self.inline(Bytes::copy_from_slice(text.as_bytes()))
                    .map(|file| Change::Put((*path).to_owned(), file))
            })
            .collect::<io::Result<Vec<_>>>()?;
        let mut repos = self.repos.exclusive();
        if let Some(there) = repos.get(&(kind, id.to_owned())) {
            return Ok(Err(Arc::clone(there)));
        }
        let repo = Arc::new(Repo::new(kind, id, visibility));
        apply(
            &mut repo.state(),
            id,
            self.branch,
            "initial commit",
            changes,
        );
        repo.state().remembered = self
            .deleted
            .exclusive()
            .remove(&(kind, id.to_owned()))
            .unwrap_or_default();
        repos.insert((kind, id.to_owned()), Arc::clone(&repo));
        self.moved.exclusive().remove(&(kind, id.to_owned()));
        Ok(Ok(repo))
    }

    /// Gives a repo another id, to which the old one leads from now on; whether there was a repo, and none of that id.
    pub fn rename(&self, kind: Kind, from: &str, to: &str) -> bool {
        let key = |id: &str| (kind, id.to_owned());
        let mut repos = self.repos.exclusive();
        if repos.contains_key(&key(to)) {
            return false;
        }
        let Some(repo) = repos.remove(&key(from)) else {
            return false;
        };
        repos.insert(key(to), Arc::new(repo.renamed(to)));
        let mut moved = self.moved.exclusive();
        moved.remove(&key(to));
        moved.insert(key(from), to.to_owned());
        true
    }

    /// Puts a repo there, in place of one with its id.
    pub fn insert(&self, repo: Repo) {
        let key = (repo.kind, repo.id.clone());
        self.repos.exclusive().insert(key, Arc::new(repo));
    }

    /// The id of today of a repo that had this one once.
    pub fn moved_to(&self, kind: Kind, id: &str) -> Option<String> {
        let next = |id: &str| self.moved.shared().get(&(kind, id.to_owned())).cloned();
        let mut ids = std::iter::successors(next(id), |id| next(id));
        ids.find(|id| self.repo(kind, id).is_some())
    }

    /// Takes a repo away; whether it was there.
    pub fn delete(&self, kind: Kind, id: &str) -> bool {
        let Some(repo) = self.repos.exclusive().remove(&(kind, id.to_owned())) else {
            return false;
        };
        self.deleted.exclusive().insert(
            (kind, id.to_owned()),
            std::mem::take(&mut repo.state().stored),
        );
        self.deletions.exclusive().push((SystemTime::now(), repo));
        true
    }

    /// Every repo that was deleted, and when; the first one first.
    pub fn deletions(&self) -> Vec<(SystemTime, Arc<Repo>)> {
        self.deletions.shared().clone()
    }

    /// Stores `content` and describes it as a file outside LFS.
    pub fn inline(&self, content: Bytes) -> io::Result<File> {
        let (size, oid) = (content.len() as u64, Oid::of_blob(&content));
        let digest = self.store.put_bytes(content)?;
        Ok(File {
            size,
            digest,
            oid,
            lfs: false,
            mode: Mode::File,
            commit: Writer::default(),
        })
    }
}

/// Describes a blob as a file in LFS.
pub fn lfs_file(digest: Digest, size: u64) -> File {
    let oid = Oid::of_blob(digest.pointer(size).as_bytes());
    File {
        size,
        digest,
        oid,
        lfs: true,
        mode: Mode::File,
        commit: Writer::default(),
    }
}

/// Makes one commit on `branch` out of `changes`.
pub fn apply(
    state: &mut State,
    repo: &str,
    branch: &str,
    message: &str,
    changes: Vec<Change>,
) -> Arc<Commit> {
    apply_at(SystemTime::now(), state, repo, (branch, message), changes)
}

/// The same with a commit that says that it was made then.
pub fn apply_at(
    date: SystemTime,
    state: &mut State,
    repo: &str,
    (branch, message): (&str, &str),
    changes: Vec<Change>,
) -> Arc<Commit> {
    let parent = state.resolve(branch);
    let mut tree = parent
        .as_ref()
        .map_or_else(Dir::default, |parent| parent.tree.clone());
    let writer = Writer::default();
    let actions = changes.len();
    for change in changes {
        match change {
            Change::Put(path, file) => tree.insert(
                &path,
                File {
                    commit: writer.clone(),
                    ..file
                },
            ),
            Change::Remove(path) => drop(tree.remove(&path)),
        }
    }
    let (message, parent) = (message.to_owned(), parent.map(|parent| parent.id));
    let mut commit = Commit {
        id: Oid([0; 20]),
        message,
        date,
        actions,
        tree,
        parent,
    };
    commit.id = Oid::of("commit", &objects::commit(&commit, repo));
    writer.signs(commit.id);
    state.push(branch, commit)
}
