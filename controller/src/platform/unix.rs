//! Linux and macOS: modes, process groups, terminals and sockets.

use std::fs::{self, DirBuilder, File, FileType, Metadata, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, OpenOptionsExt};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::ExitStatus;

use bollard::{API_DEFAULT_VERSION, Docker};
use rustix::termios::{
    LocalModes, OptionalActions, QueueSelector, Termios, tcflush, tcgetattr, tcsetattr,
};
use tempfile::NamedTempFile;
use tokio::process::Command;

/// Options for files that this user alone can read: they name private repos.
pub fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.mode(0o600);
    options
}

/// Creates a folder, and those above it that are missing, for this user alone, whatever the umask. A folder that is there stays as
/// it is: it may be the user's.
///
/// # Errors
/// The disk's.
pub fn create_private_folder(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// Who may read and write a file, as the bits of its mode.
pub fn mode(found: &Metadata) -> u32 {
    found.mode()
}

/// Whether a file's mode lets someone start it as a program.
pub fn may_be_started(program: &Path) -> bool {
    std::fs::metadata(program).is_ok_and(|found| mode(&found) & 0o111 != 0)
}

/// Whether this is a pipe.
pub fn is_pipe(kind: &FileType) -> bool {
    kind.is_fifo()
}

/// Gives a file that was written aside its name, in place of the file that has it.
///
/// # Errors
/// The disk's.
pub fn replace(aside: NamedTempFile, path: &Path) -> io::Result<()> {
    aside.persist(path).map(drop).map_err(|error| error.error)
}

/// Syncs the names of a folder's files.
///
/// # Errors
/// The disk's.
pub fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Writes into a file that this process has locked who holds the lock. `_path` is where it is.
///
/// # Errors
/// The disk's.
pub fn write_holder(mut locked: &File, _path: &Path, holder: &str) -> io::Result<()> {
    locked.set_len(0)?;
    locked.write_all(holder.as_bytes())
}

/// Who holds the lock of a file, as [`write_holder`] wrote it.
///
/// # Errors
/// The disk's.
pub fn read_holder(path: &Path) -> io::Result<String> {
    fs::read_to_string(path)
}

/// Starts a command in a group of its own: Ctrl-C of the terminal does not reach it.
pub fn own_group(command: &mut Command) -> &mut Command {
    command.process_group(0)
}

/// The signal that has ended a process, if one has.
pub fn signal(status: ExitStatus) -> Option<i32> {
    status.signal()
}

/// Whether the terminal can move its cursor, by the name of its kind.
pub fn moves_cursor(kind: Option<&str>) -> bool {
    kind.is_some_and(|kind| !kind.is_empty() && kind != "dumb")
}

/// Drops what was typed and not read yet.
///
/// # Errors
/// Standard input is no terminal.
pub fn drop_typed() -> io::Result<()> {
    Ok(tcflush(io::stdin(), QueueSelector::IFlush)?)
}

/// Stops the terminal of standard input from showing what is typed, until the value is dropped.
///
/// # Errors
/// Standard input is no terminal.
pub fn hide_input() -> io::Result<impl Sized + Send> {
    let shown = tcgetattr(io::stdin())?;
    let mut hidden = shown.clone();
    hidden.local_modes.remove(LocalModes::ECHO);
    hidden.local_modes.insert(LocalModes::ECHONL);
    tcsetattr(io::stdin(), OptionalActions::Flush, &hidden)?;
    Ok(Hidden(shown))
}

/// Reads the line that is typed while the input is hidden.
///
/// # Errors
/// Standard input can't be read.
pub fn hidden_line() -> io::Result<String> {
    let mut line = String::new();
    io::stdin().read_line(&mut line).map(|_| line)
}

/// A terminal that does not show what is typed, until this is dropped.
struct Hidden(Termios);

impl Drop for Hidden {
    fn drop(&mut self) {
        // Nothing more can be done about a terminal that is gone.
        let _ = tcsetattr(io::stdin(), OptionalActions::Now, &self.0);
    }
}

/// Whether something is at the path of a daemon's socket.
pub fn is_socket_there(path: &Path) -> bool {
    path.exists()
}

/// Docker's API at a socket, which may take so many seconds to answer.
///
/// # Errors
/// The path is none.
pub fn docker_at(socket: &Path, patience: u64) -> Result<Docker, bollard::errors::Error> {
    Docker::connect_with_unix(&socket.to_string_lossy(), patience, API_DEFAULT_VERSION)
}
