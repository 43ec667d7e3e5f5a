//! The temporary folders of bare repositories. A folder is removed with its owner, or at the end of the process. Folders of a
//! process that was killed are removed when the next folder is made.

use std::collections::HashMap;
use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use tempfile::TempDir;

use crate::platform::{is_own, without_following};

const PREFIX: &str = "hf2ms-git-";
/// A file that is locked while its folder is in use.
const ALIVE: &str = "alive";

static OPEN: Mutex<Option<HashMap<PathBuf, Kept>>> = Mutex::new(None);

/// A folder that is removed when this value is dropped.
pub(super) struct TempFolder(PathBuf);

/// A folder and the lock that shows that it is in use.
struct Kept {
    folder: TempDir,
    _alive: File,
}

impl TempFolder {
    /// Makes a folder below `all`, or else below `TMPDIR`. Folders of killed processes are removed there first.
    ///
    /// # Errors
    /// The file system's.
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

    /// Leaves the folder on the disk and returns its path.
    pub(super) fn keep(self) -> PathBuf {
        let path = self.0.clone();
        if let Some(kept) = taken(&path) {
            let _ = kept.folder.keep();
            // No later process is to remove the folder as abandoned.
            let _ = fs::remove_file(path.join(ALIVE));
        }
        path
    }
}

/// Takes the folder out of those that are open.
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
    /// Removes the folder. A thread that still writes into it may leave files, which the next start removes.
    fn remove(self) {
        let path = self.folder.path().to_owned();
        drop(self);
        if path.exists() {
            let _ = fs::remove_dir_all(path);
        }
    }
}

/// Removes every folder of this process. For the end of the process, when a task that owns one may not be dropped.
pub fn leave_nothing() {
    let open = OPEN.lock().unwrap_or_else(PoisonError::into_inner).take();
    open.into_iter()
        .flatten()
        .for_each(|(_, kept)| kept.remove());
}

/// Removes the folders of processes that have ended.
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

/// Whether the folder's process has ended: its lock is free. A folder without the file is about to get one. Other users may have put
/// anything into a shared folder: only this user's folders and regular files count, and no open waits for a reader.
fn is_abandoned(folder: &Path) -> bool {
    let is_own_folder =
        fs::symlink_metadata(folder).is_ok_and(|about| about.is_dir() && is_own(&about));
    let open = || without_following(File::options().write(true)).open(folder.join(ALIVE));
    is_own_folder
        && open().is_ok_and(|alive| {
            let is_own_file = alive
                .metadata()
                .is_ok_and(|about| about.is_file() && is_own(&about));
            is_own_file
                && !matches!(
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

    #[test]
    fn what_only_looks_like_a_folder_of_ours_is_left_alone_and_waited_for_by_nobody() {
        let all = tempfile::tempdir().unwrap();
        let [pipe, linked, link] = ["hf2ms-git-pipe", "hf2ms-git-file", "hf2ms-git-link"]
            .map(|name| all.path().join(name));
        let other = all.path().join("other");
        for folder in [&pipe, &linked, &other] {
            fs::create_dir(folder).unwrap();
        }
        let made = std::process::Command::new("mkfifo")
            .arg(pipe.join(ALIVE))
            .status();
        assert!(made.unwrap().success());
        fs::write(other.join(ALIVE), "").unwrap();
        std::os::unix::fs::symlink(other.join(ALIVE), linked.join(ALIVE)).unwrap();
        std::os::unix::fs::symlink(&other, &link).unwrap();
        let (done, ended) = std::sync::mpsc::channel();
        let folder = all.path().to_owned();
        std::thread::spawn(move || {
            sweep(&folder);
            let _ = done.send(());
        });
        ended
            .recv_timeout(std::time::Duration::from_secs(10))
            .expect("the sweep waits for a reader of the pipe");
        assert!(pipe.is_dir() && linked.is_dir() && other.join(ALIVE).is_file());
        assert!(fs::symlink_metadata(&link).is_ok());
    }
}
