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
    let aside = path.with_extension("partial");
    let mut file = BufWriter::new(
        private()
            .write(true)
            .create(true)
            .truncate(true)
            .open(&aside)?,
    );
    fill(&mut file)?;
    file.into_inner()
        .map_err(|error| error.into_error())?
        .sync_all()?;
    fs::rename(&aside, path)?;
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}

/// Options for files that only this user can read: they name private repos.
pub(super) fn private() -> OpenOptions {
    use std::os::unix::fs::OpenOptionsExt;
    let mut options = OpenOptions::new();
    options.mode(0o600);
    options
}

pub(super) fn create_private(path: &Path) -> CliResult<()> {
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
    }
}
