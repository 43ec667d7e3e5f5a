//! `inventory.ndjson` of the state folder: what inventories have found, a line a repo, written as it is found. The same command after a kill,
//! or when nothing has changed, asks only for the commits at which both sides stand.

use std::collections::HashMap;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use hf2ms_hub::RepoAt;
use serde::{Deserialize, Serialize};

use crate::inventory::repos::InventoryEntry;
use crate::inventory::row::InventoryRow;
use crate::platform::private;
use crate::runs::{create_private, write_aside};
use crate::ui::errors::{CliError, CliResult};

const FILE: &str = "inventory.ndjson";
/// The file is written anew once it has this many lines more than twice its repos.
const STALE_LINES: usize = 1_000;

/// One line: a repo, its copy, and what was found. The addresses are there since other sites have other repos of these ids.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct SavedRow {
    source: String,
    destination: String,
    row: InventoryRow,
}

type Key = (String, String);

/// What earlier inventories have found, and the file that takes more.
pub struct SavedRows {
    path: PathBuf,
    known: HashMap<Key, InventoryRow>,
    lines: usize,
    file: Mutex<fs::File>,
}

impl SavedRows {
    /// Reads the file, of which the last line about a repo counts. A line that a kill has torn is passed over.
    ///
    /// # Errors
    /// The file can't be written.
    pub fn open(state: &Path) -> CliResult<Self> {
        create_private(state)?;
        let path = state.join(FILE);
        let failed = |error: io::Error| CliError::state_file(&path, &error);
        let text = fs::read(&path).unwrap_or_default();
        let mut known = HashMap::new();
        let mut lines = 0;
        for line in text
            .split(|byte| *byte == b'\n')
            .filter(|line| !line.is_empty())
        {
            lines += 1;
            if let Ok(saved) = serde_json::from_slice::<SavedRow>(line) {
                known.insert((saved.source, saved.destination), saved.row);
            }
        }
        let mut file = private()
            .append(true)
            .create(true)
            .open(&path)
            .map_err(failed)?;
        if !text.is_empty() && !text.ends_with(b"\n") {
            file.write_all(b"\n").map_err(failed)?;
        }
        Ok(Self {
            known,
            lines,
            file: Mutex::new(file),
            path,
        })
    }

    /// What was found of this repo and this destination.
    pub fn of(&self, entry: &InventoryEntry) -> Option<&InventoryRow> {
        self.known.get(&key(&entry.source, &entry.destination))
    }

    /// Keeps what was found now.
    ///
    /// # Errors
    /// The disk's.
    pub fn add(&self, entry: &InventoryEntry, row: &InventoryRow) -> CliResult<()> {
        let (source, destination) = key(&entry.source, &entry.destination);
        let saved = SavedRow {
            source,
            destination,
            row: row.clone(),
        };
        let append = || {
            let mut line = serde_json::to_vec(&saved)?;
            line.push(b'\n');
            let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
            file.write_all(&line)
        };
        append().map_err(|error: io::Error| CliError::state_file(&self.path, &error))
    }

    /// Leaves out lines that newer ones replace, once there are many.
    ///
    /// # Errors
    /// The disk's.
    pub fn tidy(self) -> CliResult<()> {
        if self.lines <= 2 * self.known.len() + STALE_LINES {
            return Ok(());
        }
        let Self { path, .. } = self;
        let text = fs::read(&path).map_err(|error| CliError::state_file(&path, &error))?;
        let mut newest: HashMap<Key, &[u8]> = HashMap::new();
        for line in text.split(|byte| *byte == b'\n') {
            if let Ok(saved) = serde_json::from_slice::<SavedRow>(line) {
                newest.insert((saved.source, saved.destination), line);
            }
        }
        let written = write_aside(&path, |file| {
            for line in newest.values() {
                file.write_all(line)?;
                file.write_all(b"\n")?;
            }
            Ok(())
        });
        written.map_err(|error| CliError::state_file(&path, &error))
    }
}

fn key(source: &RepoAt, destination: &RepoAt) -> Key {
    (source.web_url(), destination.web_url())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inventory::row::CopyState;
    use crate::inventory::tests::entry;

    fn row(state: CopyState) -> InventoryRow {
        InventoryRow::of(&entry("org/a")).ended(state, "x")
    }

    #[test]
    fn the_newest_line_counts_and_a_torn_one_is_passed_over() {
        let folder = tempfile::tempdir().unwrap();
        let entry = entry("org/a");
        let saved = SavedRows::open(folder.path()).unwrap();
        assert!(saved.of(&entry).is_none());
        for state in [CopyState::Partial, CopyState::Equal] {
            saved.add(&entry, &row(state)).unwrap();
        }
        let path = folder.path().join(FILE);
        let whole = fs::read(&path).unwrap();
        fs::write(&path, [&whole[..], b"{\"source\":\"h"].concat()).unwrap();
        let again = SavedRows::open(folder.path()).unwrap();
        assert_eq!(again.of(&entry).unwrap().state, CopyState::Equal);
        again.add(&entry, &row(CopyState::Newer)).unwrap();
        let last = SavedRows::open(folder.path()).unwrap();
        assert_eq!(last.of(&entry).unwrap().state, CopyState::Newer);
    }

    #[test]
    fn a_file_of_many_old_lines_is_written_anew_with_the_newest_ones() {
        let folder = tempfile::tempdir().unwrap();
        let entry = entry("org/a");
        let saved = SavedRows::open(folder.path()).unwrap();
        for _ in 0..STALE_LINES + 3 {
            saved.add(&entry, &row(CopyState::Partial)).unwrap();
        }
        saved.add(&entry, &row(CopyState::Equal)).unwrap();
        SavedRows::open(folder.path()).unwrap().tidy().unwrap();
        let text = fs::read_to_string(folder.path().join(FILE)).unwrap();
        assert_eq!(text.lines().count(), 1);
        let again = SavedRows::open(folder.path()).unwrap();
        assert_eq!(again.of(&entry).unwrap().state, CopyState::Equal);
    }
}
