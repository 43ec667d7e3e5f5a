//! `hf2ms runs`: lists the runs of this machine.

use hf2ms_hub::Revision;
use hf2ms_worker::protocol::Exit;
use schemars::JsonSchema;
use serde::Serialize;

use crate::runs::{RunRecord, RunVerb, Runs};
use crate::settings::{environment, state_dir};
use crate::ui::errors::CliResult;
use crate::ui::screen::{Screen, size, when};
use crate::ui::table::{Column, Table};

/// Characters of a reason in the table.
const LONGEST_REASON: usize = 80;

/// List the runs of this machine, the newest first
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Print one line of JSON a run
    #[arg(long)]
    pub json: bool,
    /// Print the ids alone, for a shell's completions
    #[arg(long, hide = true)]
    pub ids: bool,
}

/// Lists the runs.
///
/// # Errors
/// The folder of runs is not known.
pub fn run(args: &Args, screen: &Screen) -> CliResult<Exit> {
    let folder = Runs::new(&state_dir(&environment)?);
    let runs = folder.list();
    for unread in folder.unread().iter().filter(|_| !args.ids) {
        screen.warn(unread.to_string());
    }
    if args.ids {
        runs.iter().for_each(|run| screen.print(&run.id));
    } else if args.json {
        runs.iter()
            .for_each(|record| screen.json(&RunEvent { record }));
    } else if runs.is_empty() {
        screen.print("no runs yet: start one with hf2ms migrate");
    } else {
        let columns = [
            Column::Text("run"),
            Column::Text("when (UTC)"),
            Column::Text("state"),
            Column::Number("files"),
            Column::Number("bytes"),
            Column::Text("what"),
            Column::Text("why"),
        ];
        let table = Table::new(columns, runs.iter().map(cells));
        let table = match runs.iter().any(|run| run.reason.is_some()) {
            true => table,
            false => table.without("why"),
        };
        screen.print(table.fitted());
    }
    Ok(Exit::Done)
}

/// A run of this machine.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(tag = "event", rename = "run")]
pub struct RunEvent<'a> {
    #[serde(flatten)]
    record: &'a RunRecord,
}

/// As much of a reason as a table has room for; `hf2ms status` shows it whole.
fn first_words(reason: &str) -> String {
    let (mut words, line) = (String::new(), reason.lines().next().unwrap_or_default());
    line.chars()
        .take(LONGEST_REASON)
        .for_each(|c| words.push(c));
    if words.len() < line.len() {
        words.push_str("..");
    }
    words
}

fn cells(run: &RunRecord) -> Vec<String> {
    let verb = match run.verb {
        RunVerb::Migrate => "->",
        RunVerb::Mirror => "=>",
        RunVerb::Verify => "=?",
        RunVerb::Cleanup => "-x",
    };
    let at = &run.destination;
    let revision = if at.revision == Revision::main_of(at.hub) {
        String::new()
    } else {
        format!(" at {}", at.revision)
    };
    vec![
        run.id.clone(),
        when(run.started),
        run.state.name().to_owned(),
        run.files.to_string(),
        size(run.bytes),
        format!(
            "{} {} {verb} {} {}{revision}",
            run.source.hub, run.source.id, at.hub, at.id
        ),
        run.reason.as_deref().map(first_words).unwrap_or_default(),
    ]
}
