//! The result of a cleanup: a row a source, as a table for people and as events for programs.

use std::collections::BTreeMap;

use hf2ms_worker::protocol::Exit;
use schemars::JsonSchema;
use serde::Serialize;

use super::row::{CleanupRow, CleanupState};
use crate::ui::counts::{Counts, Status};
use crate::ui::nouns::counted;
use crate::ui::screen::Screen;
use crate::ui::table::{Column, Table};

/// A source was examined, or something became of it.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(tag = "event", rename = "cleanup_repo")]
pub struct CleanupRepoEvent<'a> {
    /// The source, its copy, and what became of it.
    #[serde(flatten)]
    row: &'a CleanupRow,
}

impl<'a> CleanupRepoEvent<'a> {
    /// The event of this row.
    pub fn of(row: &'a CleanupRow) -> Self {
        Self { row }
    }
}

/// A cleanup has ended.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(tag = "event", rename = "cleanup")]
pub struct CleanupEvent {
    /// The number of sources.
    repos: usize,
    /// How many sources have each state.
    counts: BTreeMap<&'static str, usize>,
    /// The exit code.
    exit: u8,
}

/// All rows of a cleanup.
#[derive(Debug, Default)]
pub struct CleanupSummary {
    /// The rows, in the order of the sources.
    pub rows: Vec<CleanupRow>,
}

impl CleanupSummary {
    fn counts(&self) -> Counts<CleanupState> {
        Counts::of(self.rows.iter().map(CleanupRow::state))
    }

    /// How many sources have this state.
    pub fn count(&self, state: CleanupState) -> u64 {
        self.counts().get(state) as u64
    }

    /// The exit code: the worst of all rows.
    pub fn exit(&self) -> Exit {
        let exits = self.rows.iter().map(CleanupRow::exit);
        exits.fold(Exit::Done, Exit::worse)
    }

    /// Shows all rows to a person.
    pub fn print(&self, screen: &Screen) {
        let columns = [
            Column::Text("repo"),
            Column::Text("state"),
            Column::Number("files"),
            Column::Number("bytes"),
            Column::Text("copy"),
            Column::Text("lost with it"),
            Column::Text("why"),
        ];
        let table = Table::new(columns, self.rows.iter().map(CleanupRow::cells));
        let has_reasons = self.rows.iter().any(|row| row.reason().is_some());
        let table = match has_reasons {
            true => table,
            false => table.without("why"),
        };
        let repos = counted(self.rows.len() as u64, "repo");
        let counts = self.counts().readable();
        let counts = match self.rows.iter().find_map(CleanupRow::removal) {
            Some(removal) => counts.replace(CleanupState::Removed.name(), removal.did()),
            None => counts,
        };
        screen.print(format!("{}\n{repos}: {counts}", table.fitted()));
    }

    /// Tells programs how it ended, and with which exit code.
    pub fn tell(&self, exit: Exit, screen: &Screen) {
        screen.json(&CleanupEvent {
            repos: self.rows.len(),
            counts: self.counts().by_name(),
            exit: exit as u8,
        });
    }
}
