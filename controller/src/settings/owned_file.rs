//! Files that count only if they are this user's own, or root's: opened once, and checked by what was opened.

use std::fs::{File, OpenOptions, symlink_metadata};
use std::io::{self, ErrorKind, Read};
use std::path::Path;

use crate::platform::{is_pipe, is_trusted, mode, without_waiting};

/// A longer file is none of ours.
const LONGEST: u64 = 1 << 20;

/// What stands at a path.
#[derive(Debug, PartialEq, Eq)]
pub enum OwnedFile<T = String> {
    /// Nothing.
    Absent,
    /// A file of another user, or another user's link to one, which is not read.
    Foreign,
    /// No file, or one that is too long.
    Unusable,
    /// The content of a file, and its mode.
    Content(T, u32),
}

/// What becomes of a pipe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pipes {
    /// It is read to its end: someone named it, as a shell does that makes one of a command.
    Read,
    /// It is no file: nothing is waited for.
    Refused,
}

impl OwnedFile {
    /// Reads the file's text, if it is this user's or root's.
    ///
    /// # Errors
    /// It can't be opened or read as text.
    pub fn read(path: &Path) -> io::Result<Self> {
        Ok(match OwnedFile::read_bytes(path, Pipes::Refused)? {
            OwnedFile::Absent => Self::Absent,
            OwnedFile::Foreign => Self::Foreign,
            OwnedFile::Unusable => Self::Unusable,
            OwnedFile::Content(bytes, mode) => {
                let text = String::from_utf8(bytes).map_err(|_| ErrorKind::InvalidData)?;
                Self::Content(text, mode)
            }
        })
    }
}

impl OwnedFile<Vec<u8>> {
    /// Reads the file, if it is this user's or root's.
    ///
    /// # Errors
    /// It can't be opened or read.
    pub fn read_bytes(path: &Path, pipes: Pipes) -> io::Result<Self> {
        let opened = symlink_metadata(path).and_then(|link| Ok((link, open(path, pipes)?)));
        let (link, mut file) = match opened {
            Ok(opened) => opened,
            Err(error)
                if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) =>
            {
                return Ok(Self::Absent);
            }
            Err(error) => return Err(error),
        };
        let found = file.metadata()?;
        if !is_trusted(&link) || !is_trusted(&found) {
            return Ok(Self::Foreign);
        }
        let may_be_read = found.is_file() || (pipes == Pipes::Read && is_pipe(&found.file_type()));
        if !may_be_read {
            return Ok(Self::Unusable);
        }
        let mut content = Vec::new();
        (&mut file).take(LONGEST + 1).read_to_end(&mut content)?;
        if content.len() as u64 > LONGEST {
            return Ok(Self::Unusable);
        }
        Ok(Self::Content(content, mode(&found)))
    }
}

fn open(path: &Path, pipes: Pipes) -> io::Result<File> {
    let mut options = OpenOptions::new();
    if pipes == Pipes::Refused {
        without_waiting(&mut options);
    }
    options.read(true).open(path)
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
        assert!(matches!(read("text"), OwnedFile::Content(text, _) if text == "a = 1"));
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
    fn bytes_that_are_no_text_are_read_as_bytes_alone_and_a_pipe_where_one_is_asked_for() {
        let folder = tempfile::tempdir().unwrap();
        let [bytes, fifo] = ["bytes", "fifo"].map(|name| folder.path().join(name));
        fs::write(&bytes, b"\xff=1").unwrap();
        let made = std::process::Command::new("mkfifo").arg(&fifo).status();
        assert!(made.unwrap().success() && OwnedFile::read(&bytes).is_err());
        let read = |path: &Path| OwnedFile::read_bytes(path, Pipes::Read).unwrap();
        assert!(matches!(read(&bytes), OwnedFile::Content(read, _) if read == b"\xff=1"));
        let writer = {
            let fifo = fifo.clone();
            std::thread::spawn(move || fs::write(fifo, "a=1"))
        };
        assert!(matches!(read(&fifo), OwnedFile::Content(read, _) if read == b"a=1"));
        writer.join().unwrap().unwrap();
    }
}
