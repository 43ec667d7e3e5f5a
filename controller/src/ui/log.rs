//! The log of a command: what its screen says and what its workers tell, with the time, in files.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::platform::private;

/// Lines that are kept until there is a file for them.
const MOST_BEFORE: usize = 1000;

/// The weight of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Of interest with `-v` only.
    Detail,
    /// What happens.
    Info,
    /// What a person should know.
    Warning,
    /// What failed.
    Error,
}

impl Level {
    fn name(self) -> &'static str {
        match self {
            Self::Detail => "detail",
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// A log file, or the lines that wait for one. A clone writes to the same file.
#[derive(Debug, Clone, Default)]
pub struct Log(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    file: Option<File>,
    before: Vec<String>,
    last_error: Option<String>,
}

impl Log {
    /// From now on lines go to the file at `path`, those that waited for it first.
    ///
    /// # Errors
    /// The file can't be opened.
    pub fn open(&self, path: &Path) -> std::io::Result<()> {
        let file = private().append(true).create(true).open(path)?;
        let mut state = self.state();
        let before = std::mem::take(&mut state.before);
        state.file = Some(file);
        before.iter().for_each(|line| state.write(line));
        Ok(())
    }

    /// Ends the file: later lines wait for another one, and its errors are forgotten.
    pub fn close(&self) {
        *self.state() = State::default();
    }

    /// Adds a line, which has no token in it.
    pub fn line(&self, level: Level, text: &str) {
        let now = jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ");
        let mut state = self.state();
        state.write(&format!("{now} {:<7} {text}", level.name()));
        if level == Level::Error {
            state.last_error = Some(text.to_owned());
        }
    }

    /// The last error that was noted.
    pub fn last_error(&self) -> Option<String> {
        self.state().last_error.clone()
    }

    /// Notes an error that is no line of its own: a try that failed.
    pub fn failed(&self, error: &str) {
        self.state().last_error = Some(error.to_owned());
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn write(&mut self, line: &str) {
        match &mut self.file {
            // A full disk costs the log, not the run.
            Some(file) => drop(file.write_all(format!("{line}\n").as_bytes())),
            None if self.before.len() < MOST_BEFORE => self.before.push(line.to_owned()),
            None => (),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_wait_for_their_file_and_the_last_error_is_known() {
        let folder = tempfile::tempdir().unwrap();
        let (path, log) = (folder.path().join("hf2ms.log"), Log::default());
        log.line(Level::Info, "looking at both sides");
        log.open(&path).unwrap();
        log.line(Level::Error, "a.bin: 503");
        let text = std::fs::read_to_string(path).unwrap();
        let lines: Vec<&str> = text.lines().map(|line| &line[21..]).collect();
        assert_eq!(
            lines,
            ["info    looking at both sides", "error   a.bin: 503"]
        );
        assert_eq!(log.last_error().as_deref(), Some("a.bin: 503"));
    }
}
