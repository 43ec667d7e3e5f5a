//! How the files of a run are written: readable by this user alone, under another name first, so that a crash leaves the old file.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter};
use std::path::Path;

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
    aside.persist(path).map_err(|error| error.error)?;
    File::open(folder)?.sync_all()
}

/// Options for files that only this user can read: they name private repos.
pub fn private() -> OpenOptions {
    use std::os::unix::fs::OpenOptionsExt;
    let mut options = OpenOptions::new();
    options.mode(0o600);
    options
}

/// Creates a folder, and those above it that are missing, for this user alone, whatever the umask. A folder that is there stays as
/// it is: it may be the user's.
///
/// # Errors
/// The disk's.
pub fn create_private(path: &Path) -> CliResult<()> {
    use std::os::unix::fs::DirBuilderExt;
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(|error| CliError::file(path, &error))
}

#[cfg(test)]
mod tests {
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
