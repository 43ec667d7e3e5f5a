//! How a batch stands: its result once it has ended, else its runs.

use hf2ms_worker::protocol::Exit;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::row::BatchRow;
use super::summary::BatchSummary;
use crate::args::workers::EngineKind;
use crate::runs::batches::BatchRecord;
use crate::runs::{RunRecord, Runs, State};
use crate::ui::nouns::counted;
use crate::ui::screen::{Screen, size, when};
use crate::ui::table::{Column, Table};

/// How a batch stands.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(tag = "event", rename = "batch_status")]
pub struct BatchStatusEvent<'a> {
    /// What the batch is, and its state.
    record: &'a BatchRecord,
    /// Its runs so far, the oldest first.
    runs: &'a [RunRecord],
    /// A row for each repo, once it has ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    repos: Option<&'a [BatchRow]>,
}

/// The `batch` event that a batch left.
#[derive(Deserialize)]
struct BatchResult {
    repos: Vec<BatchRow>,
    seconds: f64,
    on: EngineKind,
}

/// Prints how a batch stands.
pub fn print(batch: &BatchRecord, runs: &Runs, screen: &Screen) -> Exit {
    let of_batch = runs.runs_of(&batch.id);
    let result: Option<BatchResult> = runs.read(&batch.id, "result.json");
    screen.json(&BatchStatusEvent {
        record: batch,
        runs: &of_batch,
        repos: result.as_ref().map(|result| result.repos.as_slice()),
    });
    let BatchRecord { id, started, .. } = batch;
    screen.print(format!(
        "batch {id}  {}  {} UTC",
        batch.state.name(),
        when(*started)
    ));
    screen.print(match result {
        Some(result) => ended(result),
        None => under_way(batch, &of_batch),
    });
    screen.print(format!("  kept in     {}", runs.path(id).display()));
    Exit::Done
}

fn ended(result: BatchResult) -> String {
    let BatchResult { repos, seconds, on } = result;
    let summary = BatchSummary {
        rows: repos,
        seconds,
        on,
        id: None,
    };
    summary.readable()
}

fn under_way(batch: &BatchRecord, runs: &[RunRecord]) -> String {
    let columns = [
        Column::Text("repo"),
        Column::Text("destination"),
        Column::Text("state"),
        Column::Number("files"),
        Column::Number("bytes"),
        Column::Text("run"),
    ];
    let cells = |run: &RunRecord| {
        vec![
            run.source.id.to_string(),
            run.destination.id.to_string(),
            run.state.name().to_owned(),
            run.files.to_string(),
            size(run.bytes),
            run.id.clone(),
        ]
    };
    let table = Table::new(columns, runs.iter().map(cells));
    let working = runs
        .iter()
        .filter(|run| run.state == State::Running)
        .count();
    let begun = runs.len() as u64;
    format!(
        "{}\n{}: {working} at work, {} ended, {} without a run so far",
        table.fitted(),
        counted(batch.repos, "repo"),
        begun - working as u64,
        batch.repos.saturating_sub(begun)
    )
}
