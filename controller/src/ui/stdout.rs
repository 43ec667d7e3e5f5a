//! The standard output. Each write is checked: a result that is cut, since a disk is full, is no success. Who closes a pipe has read
//! enough, and that is no fault.

use std::io::{self, ErrorKind, StdoutLock, Write};
use std::path::Path;
use std::sync::Mutex;
use std::sync::PoisonError;

use crate::ui::errors::CliError;

/// The first error of this process.
static FAILED: Mutex<Option<io::Error>> = Mutex::new(None);

/// Prints a line.
pub fn line(text: &str) {
    write(|out| writeln!(out, "{text}"));
}

/// Writes by `content`, whose end is flushed. An error is kept for [`failure`].
pub fn write(content: impl FnOnce(&mut StdoutLock<'_>) -> io::Result<()>) {
    let mut out = io::stdout().lock();
    if let Err(error) = content(&mut out).and_then(|()| out.flush())
        && error.kind() != ErrorKind::BrokenPipe
    {
        let mut failed = FAILED.lock().unwrap_or_else(PoisonError::into_inner);
        failed.get_or_insert(error);
    }
}

/// Why not all was written, if it was not.
pub fn failure() -> Option<CliError> {
    let failed = FAILED.lock().unwrap_or_else(PoisonError::into_inner);
    let place = Path::new("standard output");
    failed.as_ref().map(|error| CliError::file(place, error))
}
