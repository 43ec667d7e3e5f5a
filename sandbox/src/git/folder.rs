//! The folder of a bare repository. `bare.rs` fills it.

use std::collections::HashSet;
use std::path::PathBuf;

use crate::digest::Oid;

/// A folder with what a repo holds, in Git's form. It goes with this value.
pub struct Bare {
    pub(super) folder: PathBuf,
    /// Objects that are in it.
    pub(super) written: HashSet<Oid>,
    /// How many of the repo's commits are in it.
    pub(super) commits: usize,
}

impl Drop for Bare {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.folder).ok();
    }
}
