//! One change of a commit: what is to be done, and the same with its content at hand.

use hf2ms_hub::{Action, Blob, Content, File, RepoPath};

use super::batches::Stage;
use crate::plan::{CommitFile, DeletedFile};
use crate::protocol::ExistingFile;

/// One change that a commit makes.
#[derive(Debug, Clone, Copy)]
pub(super) enum Operation<'a> {
    Inline(&'a CommitFile),
    Stored(&'a CommitFile, Blob),
    Delete(&'a DeletedFile),
}

impl Operation<'_> {
    pub(super) fn path(&self) -> &RepoPath {
        match self {
            Self::Inline(file) | Self::Stored(file, _) => &file.file.path,
            Self::Delete(file) => &file.path,
        }
    }

    /// Whether a repo looks complete once it has the file.
    pub(super) fn is_finishing(&self) -> bool {
        Stage::of(self.path()) == Stage::Finishing
    }
}

/// A change whose content is at hand.
pub(super) struct ReadyOperation<'a> {
    pub(super) operation: Operation<'a>,
    pub(super) action: Action,
}

impl ReadyOperation<'_> {
    pub(super) fn is_deletion(&self) -> bool {
        matches!(self.action, Action::Delete { .. })
    }

    /// Whether what it does is what stands there.
    pub(super) fn is_applied(&self, there: Option<ExistingFile>) -> bool {
        match (&self.action, there) {
            (Action::Delete { .. }, there) => there.is_none(),
            (
                Action::Put {
                    content: Content::Stored(blob),
                    ..
                },
                Some(there),
            ) => there.is_blob(*blob),
            (
                Action::Put {
                    content: Content::Inline(content),
                    ..
                },
                Some(there),
            ) => there.is(content),
            (Action::Put { .. }, None) => false,
        }
    }
}

pub(super) fn put_operation<'a>(
    operation: Operation<'a>,
    file: &CommitFile,
    content: Content,
) -> ReadyOperation<'a> {
    ReadyOperation {
        operation,
        action: Action::Put {
            path: file.file.path.clone(),
            exists: file.current.is_some(),
            content,
        },
    }
}

/// The file whose content the commit carries.
pub(super) fn inline_file<'a>(operation: &Operation<'a>) -> Option<&'a File> {
    match operation {
        Operation::Inline(file) => Some(&file.file),
        _ => None,
    }
}

/// The same file as a blob, if the source keeps it as one.
pub(super) fn inline_blob(operation: &Operation<'_>) -> Option<Blob> {
    let file = inline_file(operation)?;
    Some(Blob {
        sha256: file.digest.sha256()?,
        size: file.size,
    })
}
