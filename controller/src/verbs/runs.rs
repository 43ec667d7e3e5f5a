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

/// List the runs of this machine, the newest first
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Print one line of JSON a run
    #[arg(long)]
    pub json: bool,
}

/// Lists the runs.
///
/// # Errors
/// The folder of runs is not known.
pub fn run(args: &Args, screen: &Screen) -> CliResult<Exit> {
    let runs = Runs::new(&state_dir(&environment)?).list();
    if args.json {
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
        ];
        screen.print(Table::new(columns, runs.iter().map(cells)).to_string());
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

fn cells(run: &RunRecord) -> Vec<String> {
    let verb = match run.verb {
        RunVerb::Migrate => "->",
        RunVerb::Mirror => "=>",
        RunVerb::Verify => "=?",
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
    ]
}
