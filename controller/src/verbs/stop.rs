//! `hf2ms stop`: stops a run and all its workers.

use std::time::{Duration, Instant};

use hf2ms_worker::protocol::Exit;
use rustix::process::{Pid, Signal, kill_process};
use schemars::JsonSchema;
use serde::Serialize;

use crate::args::workers::EngineKind;
use crate::engine::docker;
use crate::engine::modal::Modal;
use crate::engine::remote::calls::{self, SubmittedCalls};
use crate::runs::{RunRecord, Runs, State};
use crate::settings::{self, environment, state_dir};
use crate::stop::Stop;
use crate::ui::errors::{CliError, CliResult};
use crate::ui::screen::Screen;

/// How long a run may take to end; its workers have a few seconds to print their receipts.
const PATIENCE: Duration = Duration::from_secs(60);

/// Stop a run and all its workers; the same command goes on later
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The run's id, the end of it, or `last`
    #[arg(default_value = "last")]
    pub run: String,
    /// Print one line of JSON
    #[arg(long)]
    pub json: bool,
}

/// Stops the run and removes its containers.
///
/// # Errors
/// There is no such run, it does not end, or its containers can't be removed.
pub async fn run(args: &Args, screen: &Screen, stop: &Stop) -> CliResult<Exit> {
    let runs = Runs::new(&state_dir(&environment)?);
    let record = runs.find(&args.run)?;
    let was = record.state;
    match record.on {
        EngineKind::Modal if record.state == State::Detached => {
            stop.unless(cancel_all(&record, &runs)).await?
        }
        // The process that waits for a run on Modal cancels the calls when it is stopped.
        EngineKind::Local | EngineKind::Docker | EngineKind::Modal => {
            stop.unless(end(&record, &runs)).await?
        }
    }
    let removed = match record.on {
        EngineKind::Docker => {
            stop.unless(docker::clear_run(&record.id, &runs, screen))
                .await?
        }
        EngineKind::Local | EngineKind::Modal => 0,
    };
    let now = runs.find(&record.id)?.state;
    screen.json(&StoppedEvent {
        run: &record.id,
        was,
        state: now,
        removed,
    });
    screen.print(stopped_line(&record, now));
    Ok(Exit::Done)
}

/// A run is stopped, or had ended before.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(tag = "event", rename = "stopped")]
pub struct StoppedEvent<'a> {
    /// The run's id.
    run: &'a str,
    /// Its state before.
    was: State,
    /// Its state now.
    state: State,
    /// Containers that were removed.
    removed: u64,
}

fn stopped_line(was: &RunRecord, now: State) -> String {
    match was.state {
        State::Running | State::Detached => format!("stopped run {}: it is {}", was.id, now.name()),
        State::Killed => format!("run {} was killed before: nothing of it runs", was.id),
        ended => format!("run {} has ended already: it is {}", was.id, ended.name()),
    }
}

/// Cancels every call of a detached run.
async fn cancel_all(record: &RunRecord, runs: &Runs) -> CliResult<()> {
    let mut run = runs.resume(record)?;
    let modal = Modal::open(
        &state_dir(&environment)?,
        &run.log("bridge"),
        &settings::load()?,
    )
    .await;
    let cancelled = match modal {
        Ok(modal) => calls::cancel(&modal, &SubmittedCalls::of(&runs.journal(&record.id))).await,
        Err(failure) => Err(failure),
    };
    match cancelled {
        Ok(()) => run.end(State::Interrupted),
        Err(failure) => run.detach().and(Err(failure)),
    }
}

/// Sends SIGTERM to the run's process, if there is one, and waits for its end.
async fn end(record: &RunRecord, runs: &Runs) -> CliResult<()> {
    let Some(process) = runs.controller(&record.id) else {
        return Ok(());
    };
    let pid = i32::try_from(process).ok().and_then(Pid::from_raw);
    if let Some(Err(error)) = pid.map(|pid| kill_process(pid, Signal::TERM))
        && runs.is_alive(&record.id)
    {
        return Err(CliError::refused(format!(
            "process {process} of run {} can't be stopped: {error}; use the account that started it",
            record.id
        )));
    }
    let began = Instant::now();
    while runs.is_alive(&record.id) {
        if began.elapsed() > PATIENCE {
            let line = format!(
                "run {} does not end: kill its process {process}, then do this again",
                record.id
            );
            return Err(CliError::new(Exit::Incomplete, line));
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok(())
}
