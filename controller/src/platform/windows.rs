//! Windows: no modes, but access lists that files inherit from the user's profile; consoles; named pipes.

use std::ffi::OsString;
use std::fs::{self, DirBuilder, File, FileType, Metadata, OpenOptions};
use std::io::{self, ErrorKind, IsTerminal};
use std::path::{Path, PathBuf};
use std::process::ExitStatus;

use bollard::{API_DEFAULT_VERSION, Docker};
use console::Term;
use tempfile::NamedTempFile;
use tokio::process::Command;

/// `CREATE_NEW_PROCESS_GROUP` and `CREATE_NO_WINDOW`.
const APART: u32 = 0x0000_0200 | 0x0800_0000;
/// What a mode would say of a file that its user alone can read and write.
const PRIVATE: u32 = 0o600;

/// Options for files that name private repos. The access list of their folder says who can read them: in a profile, its user, the
/// system and administrators.
pub fn private() -> OpenOptions {
    OpenOptions::new()
}

/// Creates a folder, and those above it that are missing, with the access list of the folder above.
///
/// # Errors
/// The disk's.
pub fn create_private_folder(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).create(path)
}

/// Every file counts as private: its access list is not read.
pub fn mode(_: &Metadata) -> u32 {
    PRIVATE
}

/// Whether a file may be started as a program: here its name decides.
pub fn may_be_started(_: &Path) -> bool {
    true
}

/// No file is a pipe here.
pub fn is_pipe(_: &FileType) -> bool {
    false
}

/// Gives a file that was written aside its name, in place of the file that has it. The rename of the standard library replaces a file
/// that someone reads, that of `tempfile` does not.
///
/// # Errors
/// The disk's.
pub fn replace(aside: NamedTempFile, path: &Path) -> io::Result<()> {
    let (_, kept) = aside.keep().map_err(|error| error.error)?;
    fs::rename(&kept, path).inspect_err(|_| drop(fs::remove_file(&kept)))
}

/// The names of a folder's files need no sync: the file system keeps a journal of them.
///
/// # Errors
/// None.
pub fn sync_folder(_: &Path) -> io::Result<()> {
    Ok(())
}

/// Writes who holds the lock of the file at `path`. A lock keeps others from reading, so this goes to a file beside it.
///
/// # Errors
/// The disk's.
pub fn write_holder(_: &File, path: &Path, holder: &str) -> io::Result<()> {
    fs::write(holder_file(path), holder)
}

/// Who holds the lock of a file, as [`write_holder`] wrote it.
///
/// # Errors
/// The disk's.
pub fn read_holder(path: &Path) -> io::Result<String> {
    fs::read_to_string(holder_file(path))
}

fn holder_file(path: &Path) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(".holder");
    name.into()
}

/// Starts a command with a hidden console: what happens at this one does not reach it.
pub fn own_group(command: &mut Command) -> &mut Command {
    command.creation_flags(APART)
}

/// No signal ends a process here.
pub fn signal(_: ExitStatus) -> Option<i32> {
    None
}

/// Whether the console can move its cursor, after it was told to obey escape sequences. A kind has a name where a Unix shell runs.
pub fn moves_cursor(kind: Option<&str>) -> bool {
    // The crate switches standard error over while it answers.
    kind != Some("dumb") && Term::stderr().features().colors_supported()
}

/// What was typed before a question can't be dropped here: whoever needs that asks nobody.
///
/// # Errors
/// Always.
pub fn drop_typed() -> io::Result<()> {
    Err(ErrorKind::Unsupported.into())
}

/// Nothing is to be done: [`hidden_line`] reads keys, which no console shows.
///
/// # Errors
/// Standard input is no console.
pub fn hide_input() -> io::Result<impl Sized + Send> {
    match io::stdin().is_terminal() {
        true => Ok(()),
        false => Err(ErrorKind::Unsupported.into()),
    }
}

/// Reads the keys of a line, and shows none.
///
/// # Errors
/// Standard input can't be read.
pub fn hidden_line() -> io::Result<String> {
    Term::stderr().read_secure_line()
}

/// Whether something is at the path of a daemon's pipe; one that is busy is there.
pub fn is_socket_there(path: &Path) -> bool {
    !matches!(fs::metadata(path), Err(error) if error.kind() == ErrorKind::NotFound)
}

/// Docker's API at a named pipe, which may take so many seconds to answer.
///
/// # Errors
/// None: the first request says whether there is one.
pub fn docker_at(socket: &Path, patience: u64) -> Result<Docker, bollard::errors::Error> {
    Docker::connect_with_named_pipe(&socket.to_string_lossy(), patience, API_DEFAULT_VERSION)
}
