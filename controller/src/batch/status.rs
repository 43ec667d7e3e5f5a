//! How a batch stands: its result once it has ended, else its runs.

use std::collections::HashSet;

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
    let at_work = runs.iter().filter(|run| run.state == State::Running);
    let (working, begun) = (repos_of(at_work), repos_of(runs.iter()));
    format!(
        "{}\n{}: {working} at work, {} ended, {} without a run so far",
        table.fitted(),
        counted(batch.repos, "repo"),
        begun - working,
        batch.repos.saturating_sub(begun)
    )
}

/// How many repos these runs are about: with `--all-revisions` a repo has several.
fn repos_of<'a>(runs: impl Iterator<Item = &'a RunRecord>) -> u64 {
    let repo = |run: &'a RunRecord| (run.source.kind, &run.source.id, &run.destination.id);
    runs.map(repo).collect::<HashSet<_>>().len() as u64
}

#[cfg(test)]
mod tests {
    use hf2ms_worker::protocol::PlanSummary;

    use super::*;
    use crate::runs::tests::at;
    use crate::runs::{NewRun, RunVerb};

    #[test]
    fn a_repo_of_several_runs_counts_once() {
        let state = tempfile::tempdir().unwrap();
        let runs = Runs::new(state.path());
        let batch = runs.begin_batch(3).unwrap();
        let of_batch = runs.of_batch(&batch);
        let begin = |id: &str| {
            let new = NewRun {
                verb: RunVerb::Verify,
                on: EngineKind::Local,
                source: &at("huggingface", id),
                destination: &at("modelscope", id),
                plan: &PlanSummary::default(),
            };
            of_batch.begin(new).unwrap()
        };
        for _ in 0..3 {
            begin("org/a").end(State::Done).unwrap();
        }
        let _at_work = [begin("org/b"), begin("org/b")];
        let record = runs.batch(batch.id()).unwrap();
        let text = under_way(&record, &runs.runs_of(batch.id()));
        let counts = "3 repos: 1 at work, 1 ended, 1 without a run so far";
        assert!(text.ends_with(counts), "{text}");
    }
}
