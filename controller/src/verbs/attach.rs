//! `hf2ms attach`: waits for a run in the cloud, from any terminal that has its journal.

use hf2ms_worker::protocol::Exit;

use crate::copy::cloud as copies;
use crate::mirror::cloud as mirrors;
use crate::mirror::run_report::RunReport;
use crate::revisions::attach as revisions;
use crate::runs::{REVISIONS_JOB, RunVerb, Runs, State};
use crate::settings::{self, environment, state_dir};
use crate::stop::Stop;
use crate::ui::errors::{CliError, CliResult};
use crate::ui::screen::Screen;

/// Wait for a run in the cloud, and show its report
///
/// Takes over what `migrate` or `mirror --on modal --detach` left, or an attached run whose terminal is gone. A submit that broke
/// in the middle is finished first. Ctrl-C ends the run; closing the laptop does not.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  hf2ms migrate org/big --on modal --detach && hf2ms attach last"
)]
pub struct Args {
    /// The run's id, the end of it, or `last`
    #[arg(default_value = "last")]
    pub run: String,
    /// Print NDJSON and nothing else: one line an event, the report last
    #[arg(long)]
    pub json: bool,
}

/// Waits for the run and prints its report.
///
/// # Errors
/// There is no such run, or nothing of it is left to wait for.
pub async fn run(args: &Args, screen: &Screen, stop: &Stop) -> CliResult<Exit> {
    let settings = settings::load()?;
    let runs = Runs::new(&state_dir(&environment)?);
    let found = runs.find(&args.run)?;
    // The calls of all revisions are those of their first run.
    let record = match found.state {
        State::Detached => runs.first_of(&found),
        _ => found,
    };
    match record.state {
        State::Detached if record.verb == RunVerb::Mirror => {
            let report = mirrors::attach(&record, &runs, &settings, screen, stop).await?;
            report.iter().for_each(|report| report.print(screen));
            Ok(report.map_or(Exit::Done, |report| report.exit()))
        }
        State::Detached if runs.has(&record.id, REVISIONS_JOB) => {
            let summary = revisions::attach(&record, &runs, &settings, screen, stop).await?;
            Ok(summary.map_or(Exit::Done, |summary| summary.exit()))
        }
        State::Detached => {
            let report = copies::attach(&record, &runs, &settings, screen, stop).await?;
            Ok(report.map_or(Exit::Done, |report| report.exit()))
        }
        State::Running => Err(CliError::usage(format!(
            "run {} is watched by another process: see hf2ms status {0}",
            record.id
        ))),
        state => match RunReport::read(&record, &runs) {
            Some(report) => {
                report.print(screen);
                Ok(report.exit())
            }
            None => {
                let (id, state) = (&record.id, state.name());
                Err(CliError::usage(format!(
                    "run {id} is {state}, and nothing of it works any more: run the same command again to go on"
                )))
            }
        },
    }
}
