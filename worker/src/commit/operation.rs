//! One change of a commit: what is to be done, and the same with its content at hand.

use hf2ms_hub::{Action, Blob, Content, File, RepoPath};

use crate::plan::{CommitFile, DeletedFile, Stage};
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

#[cfg(test)]
mod tests {
    use hf2ms_hub::{Digest, GitSha1, Sha256};

    use super::*;

    #[test]
    fn what_stands_there_already_needs_no_operation() {
        let deleted: DeletedFile = serde_json::from_str("\"a\"").unwrap();
        let path = &deleted.path;
        let blob = |content: &[u8]| Blob {
            sha256: Sha256::of(content),
            size: content.len() as u64,
        };
        let put = |content| Action::Put {
            path: path.clone(),
            exists: true,
            content,
        };
        let (inline, stored) = (
            put(Content::Inline("abc".into())),
            put(Content::Stored(blob(b"abc"))),
        );
        let delete = Action::Delete { path: path.clone() };
        let there = |digest| Some(ExistingFile { digest, size: 3 });
        let same = there(Digest::Sha256(Sha256::of(b"abc")));
        let same_in_git = there(Digest::GitSha1(GitSha1::of(b"abc")));
        let other = there(Digest::Sha256(Sha256::of(b"abd")));
        for (action, standing, applied) in [
            (&inline, same, true),
            (&inline, same_in_git, true),
            (&inline, other, false),
            (&inline, None, false),
            (&stored, same, true),
            (&stored, other, false),
            (&stored, None, false),
            (&delete, other, false),
            (&delete, None, true),
        ] {
            let ready = ReadyOperation {
                operation: Operation::Delete(&deleted),
                action: action.clone(),
            };
            assert_eq!(
                ready.is_applied(standing),
                applied,
                "{action:?} {standing:?}"
            );
            assert_eq!(ready.is_deletion(), matches!(action, Action::Delete { .. }));
        }
    }

    #[test]
    fn only_an_inline_file_is_read_for_a_commit_and_found_as_a_blob_by_its_sha256() {
        let file = |digest| CommitFile {
            file: File {
                path: "a".parse().unwrap(),
                size: 1,
                digest,
            },
            stored: None,
            current: None,
            edit: None,
        };
        let sha256 = Sha256::of(b"1");
        let (by_sha256, by_git) = (
            file(Digest::Sha256(sha256)),
            file(Digest::GitSha1(GitSha1::of(b"1"))),
        );
        let blob = Blob { sha256, size: 1 };
        let read = |operation| (inline_file(&operation).is_some(), inline_blob(&operation));
        assert_eq!(read(Operation::Inline(&by_sha256)), (true, Some(blob)));
        assert_eq!(read(Operation::Inline(&by_git)), (true, None));
        assert_eq!(read(Operation::Stored(&by_sha256, blob)), (false, None));
        let deleted: DeletedFile = serde_json::from_str("\"a\"").unwrap();
        assert_eq!(read(Operation::Delete(&deleted)), (false, None));
    }
}
