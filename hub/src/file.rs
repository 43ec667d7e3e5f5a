//! Files and blobs as the hubs list them.

use std::collections::{HashMap, HashSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::digest::{Digest, Sha256};
use crate::error::{Error, Kind};
use crate::path::RepoPath;
use crate::repo::{FileCount, Revision};

/// One file of a manifest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct File {
    /// Its path in the repo.
    pub path: RepoPath,
    /// Its size in bytes.
    pub size: u64,
    /// Its digest, as the hub lists it.
    #[serde(flatten)]
    pub digest: Digest,
}

/// The content of a file, named by its digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Blob {
    /// The content's digest.
    pub sha256: Sha256,
    /// Its size in bytes.
    pub size: u64,
}

/// A file as a hub lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// The file.
    pub file: File,
    /// Whether the hub keeps it as a blob in object storage (LFS) rather than inline in Git.
    pub lfs: bool,
}

/// When files were changed last, in seconds since 1970. A file whose time is not told is absent.
pub type FileTimes = HashMap<RepoPath, i64>;

/// An entry of a listing that can't be copied, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Refused {
    /// The entry's path, escaped.
    pub path: String,
    /// One line that says why.
    pub reason: String,
}

/// Everything a repo holds at a revision.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Listing {
    /// Its files, in the hub's order, each path once.
    pub files: Vec<Listed>,
    /// Entries that can't be copied: unlawful paths, submodules, entries of unknown type.
    pub refused: Vec<Refused>,
    /// The commit that was listed, where the hub tells it.
    pub commit: Option<Revision>,
    /// The first digits of the commit that was listed, where each answer of the listing told the same ones and no more.
    pub commit_prefix: Option<String>,
}

impl Listing {
    /// Checks that it holds as many files as the hub counts in another way.
    ///
    /// # Errors
    /// [`Kind::Refused`] where it holds fewer: then it is not whole.
    pub fn check_count(&self, count: FileCount) -> Result<(), Error> {
        let (FileCount::Exactly(count) | FileCount::AtLeast(count)) = count else {
            return Ok(());
        };
        let listed = self.entries();
        if listed >= count {
            return Ok(());
        }
        let message = format!(
            "the hub counts {count} files and lists {listed}: the listing is not whole, and nothing is copied or deleted by it"
        );
        Err(Error::new(Kind::Refused, message))
    }

    /// Files and entries that can't be copied, each path once.
    pub(crate) fn entries(&self) -> u64 {
        let files: HashSet<&str> = self
            .files
            .iter()
            .map(|listed| listed.file.path.as_str())
            .collect();
        let refused: HashSet<&str> = self
            .refused
            .iter()
            .map(|refused| refused.path.as_str())
            .filter(|path| !files.contains(path))
            .collect();
        (files.len() + refused.len()) as u64
    }

    /// Keeps the first file of each path. Sorts indexes rather than a copy of a million paths.
    pub(crate) fn drop_repeats(&mut self) {
        let Self { files, refused, .. } = self;
        let path = |index: usize| &files[index].file.path;
        let mut order: Vec<usize> = (0..files.len()).collect();
        order.sort_unstable_by(|a, b| path(*a).cmp(path(*b)).then(a.cmp(b)));
        let mut is_repeat = vec![false; files.len()];
        for pair in order
            .windows(2)
            .filter(|pair| path(pair[0]) == path(pair[1]))
        {
            is_repeat[pair[1]] = true;
        }
        let mut is_repeat = is_repeat.into_iter();
        files.retain(|listed| {
            let again = is_repeat.next() == Some(true);
            if again {
                let reason = "the hub lists it more than once; the first was taken".to_owned();
                refused.push(Refused {
                    path: listed.file.path.to_string().chars().take(1000).collect(),
                    reason,
                });
            }
            !again
        });
    }
}
