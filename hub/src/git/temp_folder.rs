//! The temporary folders of bare repositories, and what makes sure that they go: each with its owner, all with the process, and
//! those of a process that was killed at the next start of another.

use std::collections::HashMap;
use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use tempfile::TempDir;

const PREFIX: &str = "hf2ms-git-";
/// A file that is locked while its folder is in use.
const ALIVE: &str = "alive";

static OPEN: Mutex<Option<HashMap<PathBuf, Kept>>> = Mutex::new(None);

/// A folder that goes with this value.
pub(super) struct TempFolder(PathBuf);

/// What keeps a folder: the folder itself, and the lock that says so.
struct Kept {
    folder: TempDir,
    _alive: File,
}

impl TempFolder {
    /// A new one below `all`, or else below `TMPDIR`. Those that killed processes have left there are removed first.
    ///
    /// # Errors
    /// There is no room, or no place to write.
    pub(super) fn below(all: Option<&Path>) -> io::Result<Self> {
        let all = all.map_or_else(std::env::temp_dir, Path::to_owned);
        // A container made of nothing has no such folder, but may have room for it.
        fs::create_dir_all(&all)?;
        sweep(&all);
        let folder = tempfile::Builder::new().prefix(PREFIX).tempdir_in(&all)?;
        let alive = File::create(folder.path().join(ALIVE))?;
        alive.lock()?;
        let path = folder.path().to_owned();
        let mut open = OPEN.lock().unwrap_or_else(PoisonError::into_inner);
        open.get_or_insert_default().insert(
            path.clone(),
            Kept {
                folder,
                _alive: alive,
            },
        );
        Ok(Self(path))
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    /// Leaves it where it is.
    pub(super) fn keep(self) -> PathBuf {
        let path = self.0.clone();
        if let Some(kept) = taken(&path) {
            let _ = kept.folder.keep();
            // Nobody is to take it for abandoned.
            let _ = fs::remove_file(path.join(ALIVE));
        }
        path
    }
}

/// The folder that was open until now.
fn taken(path: &Path) -> Option<Kept> {
    OPEN.lock()
        .unwrap_or_else(PoisonError::into_inner)
        .as_mut()
        .and_then(|open| open.remove(path))
}

impl Drop for TempFolder {
    fn drop(&mut self) {
        if let Some(kept) = taken(&self.0) {
            kept.remove();
        }
    }
}

impl Kept {
    /// Removes the folder. Whoever still writes into it is not waited for: what that leaves goes at the next start.
    fn remove(self) {
        let path = self.folder.path().to_owned();
        drop(self);
        if path.exists() {
            let _ = fs::remove_dir_all(path);
        }
    }
}

/// Removes every folder that this process still has: for its end, when tasks that hold one may not come to theirs.
pub fn leave_nothing() {
    let open = OPEN.lock().unwrap_or_else(PoisonError::into_inner).take();
    open.into_iter()
        .flatten()
        .for_each(|(_, kept)| kept.remove());
}

/// Removes what nobody has any more.
fn sweep(all: &Path) {
    let entries = fs::read_dir(all).into_iter().flatten().flatten();
    let ours = entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(PREFIX));
    for folder in ours
        .map(|entry| entry.path())
        .filter(|folder| is_abandoned(folder))
    {
        let _ = fs::remove_dir_all(folder);
    }
}

/// Whether whoever made the folder is gone: its lock is. One without a file to lock is about to get it.
fn is_abandoned(folder: &Path) -> bool {
    let alive = File::options().write(true).open(folder.join(ALIVE));
    alive.is_ok_and(|alive| {
        !matches!(
            alive.try_lock(),
            Err(TryLockError::WouldBlock | TryLockError::Error(_))
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_goes_with_its_owner_and_one_that_was_abandoned_at_the_next_start() {
        let all = tempfile::tempdir().unwrap();
        let abandoned = all.path().join("hf2ms-git-x");
        let young = all.path().join("hf2ms-git-y");
        let other = all.path().join("other");
        for folder in [&abandoned, &young, &other] {
            fs::create_dir(folder).unwrap();
        }
        fs::write(abandoned.join(ALIVE), "").unwrap();
        fs::write(other.join(ALIVE), "").unwrap();
        sweep(all.path());
        assert!(!abandoned.exists() && young.exists() && other.exists());

        let used = TempFolder::below(None).unwrap();
        let path = used.path().to_owned();
        sweep(&std::env::temp_dir());
        assert!(path.is_dir(), "it is in use");
        drop(used);
        assert!(!path.exists());

        let kept = TempFolder::below(Some(all.path())).unwrap().keep();
        sweep(all.path());
        assert!(kept.is_dir(), "someone wanted it");
    }
}
