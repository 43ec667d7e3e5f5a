//! The changeset of a copy: the files that are written, and those that are deleted.

use std::collections::HashSet;

use hf2ms_hub::{Error, File, Kind, Revision, Sha256};

use super::DeletedFile;
use crate::protocol::{Deletion, Edit, ExistingFile};

/// A change of a branch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changeset {
    /// What to write.
    pub files: Vec<CommitFile>,
    /// What to delete, after everything is written.
    pub delete: Vec<DeletedFile>,
    /// When that is done.
    pub deletion: Deletion,
    /// The commit message's first line.
    pub message: String,
    /// The commit at which the branch holds what the plan saw; absent where that is not known, so that the branch is listed first.
    pub parent: Option<Revision>,
    /// Whether the files by which a repo looks complete are held back, because files that the changeset does not hold failed for now.
    pub hold_back: bool,
    /// Whether files are written that someone else has changed since the plan saw them.
    pub overwrite: bool,
}

impl Changeset {
    /// Whether it changes nothing.
    pub fn is_empty(&self) -> bool {
        self.files.is_empty() && self.delete.is_empty()
    }

    /// Leaves out all paths but these, which are as failures name them.
    pub fn keep_only(&mut self, paths: &HashSet<String>) {
        self.files
            .retain(|file| paths.contains(&file.file.path.to_string()));
        self.delete
            .retain(|file| paths.contains(&file.path.to_string()));
    }
}

/// One file that must change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommitFile {
    /// The source's file.
    pub file: File,
    /// The blob that holds it, from a receipt (or from its own sha256); absent for inline files.
    pub stored: Option<Sha256>,
    /// What the plan saw at the path, when there was something: equal content needs no action, and other content than that is
    /// someone else's.
    pub current: Option<ExistingFile>,
    /// What is changed about its content on the way.
    pub edit: Option<Edit>,
}

/// The failure of a path that someone else has changed: `what` says how.
pub fn changed_meanwhile(what: &str) -> Error {
    let message = format!(
        "someone else {what} it since the plan was made: left alone. Look at it before another run, which takes it for an older version"
    );
    Error::new(Kind::Conflict, message)
}
