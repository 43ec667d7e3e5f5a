//! The changeset of a copy: the files that are written, and those that are deleted.

use hf2ms_hub::{File, RepoPath, Revision, Sha256};

use crate::protocol::{Deletion, Edit, ExistingFile};

/// A change of a branch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changeset {
    /// What to write.
    pub files: Vec<CommitFile>,
    /// What to delete, after everything is written.
    pub delete: Vec<RepoPath>,
    /// When that is done.
    pub deletion: Deletion,
    /// The commit message's first line.
    pub message: String,
    /// Where the branch stood when it was compared; absent where its hub tells no commits.
    pub parent: Option<Revision>,
}

impl Changeset {
    /// Whether it changes nothing.
    pub fn is_empty(&self) -> bool {
        self.files.is_empty() && self.delete.is_empty()
    }
}

/// One file that must change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommitFile {
    /// The source's file.
    pub file: File,
    /// The blob that holds it, from a receipt (or from its own sha256); absent for inline files.
    pub stored: Option<Sha256>,
    /// What stands at the path now, when something does: equal content needs no action.
    pub current: Option<ExistingFile>,
    /// What is changed about its content on the way.
    pub edit: Option<Edit>,
}
