//! How a run's record and journal are read, also while another process writes them.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader};
use std::path::Path;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::locks::is_held;
use super::record::{BATCH, BatchRecord, FORMAT, JournalEntry, RUN, RunRecord, State};
use crate::args::workers::EngineKind;

/// A run or a batch whose record can't be read: a later version of hf2ms wrote it, or it is damaged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnreadRun {
    /// Its id.
    pub id: String,
    noun: &'static str,
    why: String,
}

/// What is read of a record before anything else: one of another format may have another shape.
#[derive(Deserialize)]
struct WrittenRecord {
    format: Option<u32>,
    written_by: Option<String>,
}

impl WrittenRecord {
    /// Why this version can't read it, if that is so.
    fn refusal(&self) -> Option<String> {
        let format = self.format.filter(|format| *format > FORMAT)?;
        let by = self.written_by.as_deref().unwrap_or("a later version");
        Some(format!(
            "was written by hf2ms {by} in format {format}, and hf2ms {} reads formats up to {FORMAT}: use that version for it",
            env!("CARGO_PKG_VERSION")
        ))
    }
}

/// A record that this version can read.
pub(super) fn readable<T: DeserializeOwned>(json: &[u8]) -> Option<T> {
    let written: WrittenRecord = serde_json::from_slice(json).ok()?;
    match written.refusal() {
        Some(_) => None,
        None => serde_json::from_slice(json).ok(),
    }
}

impl UnreadRun {
    /// The run or the batch in this folder, if it has a record that can't be read.
    pub(super) fn at(path: &Path) -> Option<Self> {
        Self::of_run(path).or_else(|| Self::of::<BatchRecord>(path, "batch", BATCH))
    }

    /// The run in this folder, if it has a record that can't be read.
    pub(super) fn of_run(path: &Path) -> Option<Self> {
        Self::of::<RunRecord>(path, "run", RUN)
    }

    fn of<T: DeserializeOwned>(path: &Path, noun: &'static str, file: &str) -> Option<Self> {
        let json = fs::read(path.join(file)).ok()?;
        let written = serde_json::from_slice::<WrittenRecord>(&json);
        let later = written.ok().and_then(|written| written.refusal());
        let damaged = || {
            let error = serde_json::from_slice::<T>(&json).err()?;
            Some(format!(
                "has a {file} that can't be read ({error}): move {} away",
                path.display()
            ))
        };
        let id = path.file_name()?.to_string_lossy().into_owned();
        let why = later.or_else(damaged)?;
        Some(Self { id, noun, why })
    }
}

impl fmt::Display for UnreadRun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.noun, self.id, self.why)
    }
}

/// The record in a run's folder. A run whose process is gone has been killed, unless its calls go on in the cloud, or its journal says how
/// it ended: a full disk may have kept its record from saying so. The calls of all revisions are those of their first run.
pub(super) fn record(path: &Path) -> Option<RunRecord> {
    let mut record: RunRecord = readable(&fs::read(path.join(RUN)).ok()?)?;
    if record.state == State::Running && !is_held(&path.join("alive")) {
        let first = record.beside.as_ref().map(|id| path.with_file_name(id));
        let first = first.as_deref().unwrap_or(path);
        record.state = if let Some(JournalEntry::Ended { state }) = journal(path).pop() {
            state
        } else if record.on == EngineKind::Modal && has_calls(first) {
            State::Detached
        } else {
            State::Killed
        };
    }
    Some(record)
}

fn has_calls(path: &Path) -> bool {
    journal(path)
        .iter()
        .any(|entry| matches!(entry, JournalEntry::Call { .. }))
}

/// The whole lines of the journal in a run's folder.
pub(super) fn journal(path: &Path) -> Vec<JournalEntry> {
    let Ok(file) = File::open(path.join("journal.ndjson")) else {
        return Vec::new();
    };
    BufReader::new(file)
        .split(b'\n')
        .map_while(io::Result::ok)
        .filter_map(|line| serde_json::from_slice(&line).ok())
        .collect()
}
