//! The results of a batch: a row for each repo, as a table for people and as one event for programs.

use std::collections::BTreeMap;

use hf2ms_worker::protocol::Exit;
use schemars::JsonSchema;
use serde::Serialize;

use super::row::{BatchRow, RepoStatus};
use crate::args::workers::EngineKind;
use crate::engine::modal::container_size::finalizer;
use crate::engine::remote::DetachMode;
use crate::estimate::price;
use crate::revisions::summary::DoneCount;
use crate::runs::State;
use crate::ui::counts::{Counts, Status};
use crate::ui::nouns::counted;
use crate::ui::screen::{Screen, dollars, duration, size};
use crate::ui::table::{Column, Table, number, say_reasons_once};

/// A batch has ended.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(tag = "event", rename = "batch")]
pub struct BatchEvent<'a> {
    /// The batch's id; absent of a dry run.
    #[serde(skip_serializing_if = "Option::is_none")]
    run: Option<&'a str>,
    /// The worst exit code of all repos.
    exit: u8,
    /// The number of repos in each state.
    counts: BTreeMap<&'static str, usize>,
    /// The number of branches and tags that were copied or are equal, where all of a repo were meant.
    #[serde(skip_serializing_if = "Option::is_none")]
    revisions: Option<DoneCount>,
    /// Files of all repos that were listed.
    files: u64,
    /// Their bytes.
    bytes: u64,
    /// Seconds from the beginning to the end.
    seconds: f64,
    /// Where the workers ran.
    on: EngineKind,
    /// What the workers cost by Modal's price list; 0 elsewhere.
    dollars: f64,
    /// A row for each repo.
    repos: &'a [BatchRow],
}

/// The results of all repos.
#[derive(Debug)]
pub struct BatchSummary {
    /// A row for each repo.
    pub rows: Vec<BatchRow>,
    /// Seconds from the beginning to the end.
    pub seconds: f64,
    /// Where the workers ran.
    pub on: EngineKind,
    /// The batch's id, if it is no dry run.
    pub id: Option<String>,
}

impl BatchSummary {
    /// For a program.
    pub fn event(&self) -> BatchEvent<'_> {
        let (files, bytes) = self.sums();
        BatchEvent {
            run: self.id.as_deref(),
            exit: self.exit() as u8,
            counts: self.counts().by_name(),
            revisions: self.revisions(),
            files,
            bytes,
            seconds: self.seconds,
            on: self.on,
            dollars: self.dollars(),
            repos: &self.rows,
        }
    }

    /// The batch's state after it.
    pub fn state(&self, watch: DetachMode) -> State {
        match (self.exit(), watch) {
            (Exit::Interrupted, _) => State::Interrupted,
            (Exit::Done, DetachMode::Detached) => State::Detached,
            (Exit::Done, DetachMode::Attached) => State::Done,
            _ => State::Incomplete,
        }
    }

    /// What all workers cost by Modal's price list; 0 elsewhere.
    fn dollars(&self) -> f64 {
        let of_rows: f64 = self.rows.iter().map(|row| row.worker_seconds).sum();
        price::dollars(self.on, of_rows, 0.0, finalizer(0))
    }

    /// The worst of all exit codes.
    pub fn exit(&self) -> Exit {
        self.rows
            .iter()
            .map(|row| row.code())
            .fold(Exit::Done, Exit::worse)
    }

    /// Prints the table for people, or the last event for programs.
    pub fn print(&self, screen: &Screen) {
        screen.json(&self.event());
        screen.print(self.readable());
    }

    /// The table for people, and a line with the counts.
    pub fn readable(&self) -> String {
        let columns = [
            Column::Text("repo"),
            Column::Text("destination"),
            Column::Text("state"),
            Column::Text("visible to"),
            Column::Text("revisions"),
            Column::Number("files"),
            Column::Number("bytes"),
            Column::Text("reason"),
        ];
        let mut rows: Vec<Vec<String>> = self.rows.iter().map(cells).collect();
        say_reasons_once(&mut rows);
        let mut table = Table::new(columns, rows);
        if self.rows.iter().all(|row| row.revisions.is_none()) {
            table = table.without("revisions");
        }
        let is_compared = |row: &BatchRow| RepoStatus::OF_VERIFY.contains(&row.state);
        if self.rows.iter().any(is_compared) {
            table = table.without("visible to");
        }
        format!("\n{}\n{}", table.fitted(), self.last_line())
    }

    fn last_line(&self) -> String {
        let counts = self.counts();
        let (files, bytes) = self.sums();
        let failed = self.rows.iter().filter(|row| row.code() != Exit::Done);
        let again = match failed.clone().any(|row| row.may_pass) {
            true => "; the same command goes on",
            false if counts.get(RepoStatus::Failed) > 0 => {
                "; mend the reasons, then run the same command again"
            }
            false => "",
        };
        let cost = match self.dollars() {
            cost if cost > 0.0 => format!(", about {} $", dollars(cost)),
            _ => String::new(),
        };
        let revisions = match self.revisions() {
            Some(revisions) => format!("{revisions} revisions, "),
            None => String::new(),
        };
        format!(
            "{}: {}; {revisions}{}, {}, {}{cost}{again}",
            counted(self.rows.len() as u64, "repo"),
            counts.readable(),
            counted(files, "file"),
            size(bytes),
            duration(self.seconds)
        )
    }

    fn counts(&self) -> Counts<RepoStatus> {
        Counts::of(self.rows.iter().map(|row| row.state))
    }

    /// The number of branches and tags that were copied or are equal, where all of a repo were meant.
    fn revisions(&self) -> Option<DoneCount> {
        let counts = self.rows.iter().filter_map(|row| row.revisions);
        counts.reduce(|sum, next| DoneCount {
            done: sum.done + next.done,
            of: sum.of + next.of,
        })
    }

    /// The files and bytes of all repos that were listed.
    fn sums(&self) -> (u64, u64) {
        let sum = |of: fn(&BatchRow) -> Option<u64>| self.rows.iter().filter_map(of).sum();
        (sum(|row| row.files), sum(|row| row.bytes))
    }
}

fn cells(row: &BatchRow) -> Vec<String> {
    vec![
        row.source.clone(),
        row.destination.clone(),
        row.state.name().to_owned(),
        row.visibility.map_or("-".to_owned(), |who| who.to_string()),
        number(row.revisions),
        number(row.files),
        number(row.bytes.map(size)),
        row.reason.clone().unwrap_or_default(),
    ]
}

#[cfg(test)]
mod tests;
