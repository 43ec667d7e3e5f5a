//! Files and blobs as the hubs list them.

use serde::{Deserialize, Serialize};

use crate::digest::{Digest, Sha256};
use crate::path::RepoPath;
use crate::repo::Revision;

/// One file of a manifest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct File {
    /// Where it stands in the repo.
    pub path: RepoPath,
    /// Its size in bytes.
    pub size: u64,
    /// Its digest, as its hub knows it.
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

/// An entry that is listed but not moved, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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
    /// What can't be moved: unlawful paths, submodules, entries of unknown type.
    pub refused: Vec<Refused>,
    /// The commit that was listed, where the hub tells it.
    pub commit: Option<Revision>,
}
