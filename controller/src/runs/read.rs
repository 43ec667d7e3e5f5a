//! How a run's record and journal are read, also while another process writes them.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader};
use std::path::Path;

use super::locks::is_held;
use super::record::{JournalEntry, RunRecord, State};
use crate::args::workers::EngineKind;

/// The record in a run's folder. A run whose process is gone has been killed, unless its calls go on in the cloud. The calls of all
/// revisions are those of their first run.
pub(super) fn record(path: &Path) -> Option<RunRecord> {
    let mut record: RunRecord =
        serde_json::from_slice(&fs::read(path.join("run.json")).ok()?).ok()?;
    if record.state == State::Running && !is_held(&path.join("alive")) {
        let first = record.beside.as_ref().map(|id| path.with_file_name(id));
        let first = first.as_deref().unwrap_or(path);
        record.state = if record.on == EngineKind::Modal && has_calls(first) {
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
