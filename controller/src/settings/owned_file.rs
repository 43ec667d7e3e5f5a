//! Files that count only if they are this user's own, or root's: opened once, and checked by what was opened.

use std::fs::{Metadata, OpenOptions};
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use rustix::fs::OFlags;

/// A longer file is none of ours.
const LONGEST: u64 = 1 << 20;

/// What stands at a path.
#[derive(Debug, PartialEq, Eq)]
pub enum OwnedFile {
    /// Nothing.
    Absent,
    /// A file of another user, which is not read.
    Foreign,
    /// No file, or one that is too long.
    Unusable,
    /// The text of a file, and its mode.
    Text(String, u32),
}

impl OwnedFile {
    /// Reads the file, if it is this user's or root's. Nothing is waited for: a pipe is no file.
    ///
    /// # Errors
    /// It can't be opened or read as text.
    pub fn read(path: &Path) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        let flags = i32::try_from(OFlags::NONBLOCK.bits()).unwrap_or_default();
        let mut file = match options.read(true).custom_flags(flags).open(path) {
            Ok(file) => file,
            Err(error)
                if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) =>
            {
                return Ok(Self::Absent);
            }
            Err(error) => return Err(error),
        };
        let found = file.metadata()?;
        if !is_ours(&found) {
            return Ok(Self::Foreign);
        }
        if !found.is_file() || found.len() > LONGEST {
            return Ok(Self::Unusable);
        }
        let mut text = String::new();
        file.read_to_string(&mut text)?;
        Ok(Self::Text(text, found.mode()))
    }
}

/// Whether this user trusts the file: it is its own, or root's.
pub fn is_ours(found: &Metadata) -> bool {
    is_trusted(found.uid(), rustix::process::geteuid().as_raw())
}

/// Whether `user` trusts a file of `owner`.
fn is_trusted(owner: u32, user: u32) -> bool {
    owner == user || owner == 0
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_file_of_this_user_is_read_and_what_is_none_is_not_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::write(at("text"), "a = 1").unwrap();
        fs::write(at("long"), vec![b' '; 2 << 20]).unwrap();
        let fifo = std::process::Command::new("mkfifo")
            .arg(at("fifo"))
            .status();
        assert!(fifo.unwrap().success());
        let read = |name: &str| OwnedFile::read(&at(name)).unwrap();
        assert!(matches!(read("text"), OwnedFile::Text(text, _) if text == "a = 1"));
        for (name, found) in [
            ("absent", OwnedFile::Absent),
            ("text/below", OwnedFile::Absent),
            ("long", OwnedFile::Unusable),
            ("fifo", OwnedFile::Unusable),
            ("", OwnedFile::Unusable),
        ] {
            assert_eq!(read(name), found, "{name}");
        }
    }

    #[test]
    fn only_a_file_of_this_user_or_of_root_is_trusted() {
        let found = [(7, 7), (0, 7), (8, 7), (7, 0)].map(|(owner, user)| is_trusted(owner, user));
        assert_eq!(found, [true, true, false, false]);
    }
}
