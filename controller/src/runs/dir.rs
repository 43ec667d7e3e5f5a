//! The folder of a run that is under way: its files, its journal and its locks.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Serialize;

use super::files::write_aside;
use super::locks::hold_alive;
use super::record::{JournalEntry, RUN, RunRecord, State};
use crate::platform::private;
use crate::ui::errors::{CliError, CliResult};
use crate::ui::screen::Screen;

/// The folder of a run that is under way. Dropping it releases its locks.
#[derive(Debug)]
pub struct RunDir {
    path: PathBuf,
    record: RunRecord,
    _alive: File,
    /// The locks on its destination, and on a source that it removes. The runs of all revisions of one repo share them.
    pub(super) locks: Option<Arc<Vec<File>>>,
}

impl RunDir {
    /// The folder of a run that this process holds by these locks; its record is written.
    ///
    /// # Errors
    /// The disk's.
    pub(super) fn new(
        path: PathBuf,
        record: RunRecord,
        locks: Option<Arc<Vec<File>>>,
    ) -> CliResult<Self> {
        let alive =
            hold_alive(&path.join("alive")).map_err(|error| CliError::state_file(&path, &error))?;
        let run = Self {
            path,
            record,
            _alive: alive,
            locks,
        };
        run.write(RUN, &run.record)?;
        Ok(run)
    }

    /// The run's id.
    pub fn id(&self) -> &str {
        &self.record.id
    }

    /// Its folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The path of the log of one worker.
    pub fn log(&self, worker: &str) -> PathBuf {
        self.path.join("logs").join(format!("{worker}.log"))
    }

    /// Writes a JSON file at once: a crash leaves the old one.
    ///
    /// # Errors
    /// The disk's.
    pub fn write(&self, name: &str, content: &impl Serialize) -> CliResult<()> {
        let path = self.path.join(name);
        write_aside(&path, |file| Ok(serde_json::to_writer(file, content)?))
            .map_err(|error| CliError::state_file(&path, &error))
    }

    /// Notes that the worker of a job that is no chunk crashed.
    ///
    /// # Errors
    /// The journal can't be written.
    pub fn note_crash(&self, attempt: u32, why: &str) -> CliResult<()> {
        let (chunk, why) = (0, why.to_owned());
        self.note(&JournalEntry::Crashed {
            chunk,
            attempt,
            why,
        })
    }

    /// Appends an entry to the journal.
    ///
    /// # Errors
    /// The disk's.
    pub fn note(&self, entry: &JournalEntry) -> CliResult<()> {
        let path = self.path.join("journal.ndjson");
        let append = || {
            let mut line = serde_json::to_vec(entry)?;
            line.push(b'\n');
            let mut file = private().append(true).create(true).open(&path)?;
            file.write_all(&line)?;
            file.sync_data()
        };
        append().map_err(|error: io::Error| CliError::state_file(&path, &error))
    }

    /// Records the number of files and their bytes, once they are known.
    ///
    /// # Errors
    /// The disk's.
    pub fn extent(&mut self, files: u64, bytes: u64) -> CliResult<()> {
        (self.record.files, self.record.bytes) = (files, bytes);
        self.write(RUN, &self.record)
    }

    /// Records that an error ended the run; `screen` takes tokens out of its words.
    ///
    /// # Errors
    /// The disk's.
    pub fn fail(&mut self, failure: &CliError, screen: &Screen) -> CliResult<()> {
        self.because(&failure.to_string(), screen);
        self.end(State::after(failure))
    }

    /// Says why the run does not end well; the record has it once the run ends.
    pub fn because(&mut self, reason: &str, screen: &Screen) {
        self.record.reason = Some(screen.shown(reason));
    }

    /// Ends the work of this process on a run that goes on in the cloud.
    ///
    /// # Errors
    /// The disk's.
    pub fn detach(mut self) -> CliResult<()> {
        self.record.state = State::Detached;
        self.write(RUN, &self.record)
    }

    /// Records how the run ended.
    ///
    /// # Errors
    /// The disk's.
    pub fn end(&mut self, state: State) -> CliResult<()> {
        self.record.state = state;
        self.note(&JournalEntry::Ended { state })?;
        self.write(RUN, &self.record)
    }
}
