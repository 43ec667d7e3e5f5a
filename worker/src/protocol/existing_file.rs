//! A file that the destination has, by what its hub lists, and an edit of a file during the copy.

use hf2ms_hub::{Blob, Digest, File, GitSha1, Sha256};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A content by its size and the digest that its hub lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ExistingFile {
    /// Its digest, of one kind or the other.
    #[serde(flatten)]
    pub digest: Digest,
    /// Its size in bytes.
    pub size: u64,
}

impl ExistingFile {
    /// The file at a path, as its hub lists it.
    pub fn of(file: &File) -> Self {
        let digest = if file.size == 0 {
            Digest::Sha256(Sha256::of(b""))
        } else {
            file.digest
        };
        Self {
            digest,
            size: file.size,
        }
    }

    /// Whether it is this blob.
    pub fn is_blob(&self, blob: Blob) -> bool {
        self.size == blob.size && self.digest == Digest::Sha256(blob.sha256)
    }

    /// Whether it is this content, by whichever digest its hub lists.
    pub fn is(&self, content: &[u8]) -> bool {
        self.size == content.len() as u64 && self.digest.matches(content)
    }
}

/// A replacement of a few bytes of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Edit {
    /// The offset of the first byte that is replaced.
    pub start: u64,
    /// The offset after the last byte that is replaced.
    pub end: u64,
    /// The text that replaces them.
    pub insert: String,
    /// The SHA-256 of the whole afterwards.
    pub sha256: Sha256,
    /// Git's id of it.
    pub git_sha1: GitSha1,
    /// Its size in bytes.
    pub size: u64,
}

impl Edit {
    /// The edit of `content` that puts `insert` in the place of these bytes.
    pub fn new(content: &[u8], range: std::ops::Range<usize>, insert: String) -> Self {
        let edited = [
            &content[..range.start],
            insert.as_bytes(),
            &content[range.end..],
        ]
        .concat();
        Self {
            start: range.start as u64,
            end: range.end as u64,
            insert,
            sha256: Sha256::of(&edited),
            git_sha1: GitSha1::of(&edited),
            size: edited.len() as u64,
        }
    }

    /// The edit that makes `edited` of `content`: of the bytes between what both begin and end with.
    pub fn between(content: &str, edited: &str) -> Self {
        let prefix = content
            .char_indices()
            .zip(edited.chars())
            .find(|((_, old), new)| old != new)
            .map_or(content.len().min(edited.len()), |((at, _), _)| at);
        let (old, new) = (&content[prefix..], &edited[prefix..]);
        let suffix: usize = old
            .chars()
            .rev()
            .zip(new.chars().rev())
            .take_while(|(old, new)| old == new)
            .map(|(old, _)| old.len_utf8())
            .sum();
        let insert = new[..new.len() - suffix].to_owned();
        Self::new(content.as_bytes(), prefix..content.len() - suffix, insert)
    }

    /// The content after the edit; `None` if it is not the one that the edit was made for.
    pub fn apply(&self, content: &[u8]) -> Option<Vec<u8>> {
        let (start, end) = (
            usize::try_from(self.start).ok()?,
            usize::try_from(self.end).ok()?,
        );
        let edited = [
            content.get(..start)?,
            self.insert.as_bytes(),
            content.get(end..)?,
        ]
        .concat();
        (Sha256::of(&edited) == self.sha256).then_some(edited)
    }

    /// Whether the destination has the file after the edit already.
    pub fn is_done(&self, standing: &ExistingFile) -> bool {
        self.size == standing.size
            && [Digest::Sha256(self.sha256), Digest::GitSha1(self.git_sha1)]
                .contains(&standing.digest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_edit_changes_its_bytes_and_no_others() {
        let edit = Edit::new(b"license: MIT\nrest", 9..12, "mit".to_owned());
        assert_eq!(
            edit.apply(b"license: MIT\nrest").unwrap(),
            b"license: mit\nrest"
        );
        assert_eq!(edit.apply(b"license: MIT\nREST"), None, "another content");
        assert_eq!(edit.apply(b"short"), None);
    }

    #[test]
    fn an_edit_between_two_texts_has_only_what_differs() {
        for (before, after, start, insert) in [
            ("a: x\nb: y\n", "a: x\nc: z\nb: y\n", 5, "c: z\n"),
            ("é: Ä\n", "é: Ö\n", 4, "Ö"),
            ("", "new", 0, "new"),
            ("aaa", "aa", 2, ""),
        ] {
            let edit = Edit::between(before, after);
            assert_eq!((edit.start, edit.insert.as_str()), (start, insert));
            assert_eq!(edit.apply(before.as_bytes()).unwrap(), after.as_bytes());
        }
    }

    #[test]
    fn what_stands_there_is_known_by_either_digest() {
        let by = |digest| ExistingFile { digest, size: 3 };
        assert!(
            by(Digest::GitSha1(GitSha1::of(b"abc"))).is(b"abc")
                && by(Digest::Sha256(Sha256::of(b"abc"))).is(b"abc")
        );
        assert!(!by(Digest::GitSha1(GitSha1::of(b"abc"))).is(b"abd"));
        let json = r#"{"sha256":"5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03","size":6}"#;
        assert!(
            serde_json::from_str::<ExistingFile>(json)
                .unwrap()
                .is(b"hello\n")
        );
    }
}
