//! How the files of a run are written: readable by this user alone, under another name first, so that a crash leaves the old file.

use std::fs::File;
use std::io::{self, BufWriter};
use std::path::Path;

use crate::platform::{create_private_folder, replace, sync_folder};
use crate::ui::errors::{CliError, CliResult};

/// Writes a file aside, syncs it and renames it into its place.
///
/// # Errors
/// The disk's.
pub fn write_aside(
    path: &Path,
    fill: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>,
) -> io::Result<()> {
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    // A name of its own that nobody had: no file of that name is destroyed, and no link followed.
    let aside = tempfile::Builder::new()
        .prefix(".hf2ms-")
        .suffix(".partial")
        .tempfile_in(folder)?;
    let mut file = BufWriter::new(aside.as_file().try_clone()?);
    fill(&mut file)?;
    file.into_inner()
        .map_err(|error| error.into_error())?
        .sync_all()?;
    replace(aside, path)?;
    sync_folder(folder)
}

/// Creates a folder of the state of runs for this user alone, and those above it that are missing.
///
/// # Errors
/// The disk's.
pub fn create_private(path: &Path) -> CliResult<()> {
    create_private_folder(path).map_err(|error| CliError::state_file(path, &error))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Write;

    use super::*;

    #[test]
    fn a_crash_while_writing_leaves_the_old_file() {
        let state = tempfile::tempdir().unwrap();
        let path = state.path().join("x.json");
        write_aside(&path, |file| file.write_all(b"old")).unwrap();
        assert!(
            write_aside(&path, |file| file
                .write_all(b"ne")
                .and(Err(io::Error::other("crash"))))
            .is_err()
        );
        assert_eq!(fs::read(&path).unwrap(), b"old");
        let left = fs::read_dir(state.path()).unwrap().count();
        assert_eq!(left, 1, "what was written aside is gone");
    }

    #[test]
    fn a_file_that_is_called_partial_is_somebodys_and_a_link_is_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        let (path, partial) = (
            folder.path().join("x.json"),
            folder.path().join("x.partial"),
        );
        let other = folder.path().join("other");
        fs::write(&other, "theirs").unwrap();
        std::os::unix::fs::symlink(&other, &partial).unwrap();
        write_aside(&path, |file| file.write_all(b"new")).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(fs::read(&partial).unwrap(), b"theirs");
        assert!(fs::symlink_metadata(&partial).unwrap().is_symlink());
    }
}
