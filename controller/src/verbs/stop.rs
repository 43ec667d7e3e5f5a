//! `hf2ms stop`: stops a run and all its workers.

use std::time::{Duration, Instant};

use hf2ms_worker::protocol::Exit;
use hf2ms_worker::signals::ask_to_stop;
use schemars::JsonSchema;
use serde::Serialize;

use crate::args::workers::EngineKind;
use crate::engine::docker;
use crate::engine::modal::Modal;
use crate::engine::remote::calls::{self, SubmittedCalls};
use crate::runs::batches::{BatchRecord, RunOrBatch};
use crate::runs::{RunDir, RunRecord, Runs, State};
use crate::settings::{self, environment, state_dir};
use crate::stop::Stop;
use crate::ui::errors::{CliError, CliResult};
use crate::ui::nouns::{counted, few};
use crate::ui::screen::Screen;

/// How long a run may take to end; its workers have a few seconds to print their receipts.
const PATIENCE: Duration = Duration::from_secs(60);

/// Stop a run and all its workers; the same command goes on later
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The id of a run or a batch, the end of it, or `last`
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
    match runs.find_any(&args.run)? {
        RunOrBatch::Run(record) => of_run(&record, &runs, screen, stop).await,
        RunOrBatch::Batch(batch) => of_batch(&batch, &runs, screen, stop).await,
    }
}

async fn of_run(record: &RunRecord, runs: &Runs, screen: &Screen, stop: &Stop) -> CliResult<Exit> {
    // The calls of all revisions are those of their first run.
    let first = runs.first_of(record);
    let record = match record.state {
        State::Detached => &first,
        _ => record,
    };
    let was = record.state;
    let batch = record.batch.as_ref().and_then(|batch| runs.batch(batch));
    if let Some(batch) = batch.filter(|batch| batch.state == State::Running)
        && was == State::Running
    {
        screen.status(format!(
            "run {} belongs to batch {}, whose one process carries all of its runs: the batch is stopped",
            record.id, batch.id
        ));
        return of_batch(&batch, runs, screen, stop).await;
    }
    if was != State::Detached || record.on != EngineKind::Modal {
        // The process that waits for a run on Modal cancels the calls when it is stopped.
        stop.unless(end(&record.id, runs)).await?;
    }
    let removed = release(record, runs, screen, stop).await?;
    let now = runs.find(&record.id)?.state;
    screen.json(&StoppedEvent {
        run: &record.id,
        was,
        state: now,
        removed,
        runs: Vec::new(),
    });
    screen.print(stopped_line(record, now));
    Ok(Exit::Done)
}

async fn of_batch(
    batch: &BatchRecord,
    runs: &Runs,
    screen: &Screen,
    stop: &Stop,
) -> CliResult<Exit> {
    let is_at_work = |run: &RunRecord| matches!(run.state, State::Running | State::Detached);
    stop.unless(end(&batch.id, runs)).await?;
    let (mut removed, before) = (0, runs.runs_of(&batch.id));
    for run in before.iter().filter(|run| is_at_work(run)) {
        removed += release(run, runs, screen, stop).await?;
    }
    let after = runs.runs_of(&batch.id);
    let stopped: Vec<&RunRecord> = after
        .iter()
        .filter(|run| run.state == State::Interrupted)
        .collect();
    let state = runs.batch(&batch.id).map_or(batch.state, |now| now.state);
    screen.json(&StoppedEvent {
        run: &batch.id,
        was: batch.state,
        state,
        removed,
        runs: stopped.iter().map(|run| run.id.as_str()).collect(),
    });
    screen.print(stopped_batch_line(batch, state, &stopped, after.len()));
    Ok(Exit::Done)
}

fn stopped_batch_line(
    was: &BatchRecord,
    now: State,
    stopped: &[&RunRecord],
    begun: usize,
) -> String {
    if stopped.is_empty() && was.state != State::Running {
        return format!("batch {} has ended already: it is {}", was.id, now.name());
    }
    let names: Vec<String> = stopped
        .iter()
        .map(|run| run.source.id.to_string())
        .collect();
    let names = match names.is_empty() {
        true => String::new(),
        false => format!(" ({})", few(&names)),
    };
    format!(
        "stopped batch {}: {} stopped{names}, {} had ended, {} not begun",
        was.id,
        counted(stopped.len() as u64, "run"),
        counted((begun - stopped.len()) as u64, "run"),
        counted(was.repos.saturating_sub(begun as u64), "repo"),
    )
}

/// Cancels the calls of a run in the cloud that no process attends, and removes a run's containers; returns their number.
async fn release(record: &RunRecord, runs: &Runs, screen: &Screen, stop: &Stop) -> CliResult<u64> {
    match record.on {
        EngineKind::Modal if record.state == State::Detached && record.beside.is_none() => {
            stop.unless(cancel_all(record, runs)).await?;
            Ok(0)
        }
        EngineKind::Docker => {
            stop.unless(docker::clear_run(&record.id, runs, screen))
                .await
        }
        EngineKind::Local | EngineKind::Modal => Ok(0),
    }
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
    /// Of a batch: its runs that are interrupted.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    runs: Vec<&'a str>,
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
    let run = runs.resume(record)?;
    let beside = runs.beside(record).into_iter();
    let beside = beside.filter(|run| run.state == State::Detached);
    let beside: Vec<_> = beside
        .map(|other| runs.resume_beside(&other, &run))
        .collect::<CliResult<_>>()?;
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
        Ok(()) => {
            let mut all = std::iter::once(run).chain(beside);
            all.try_for_each(|mut run| run.end(State::Interrupted))
        }
        Err(failure) => {
            let mut all = std::iter::once(run).chain(beside);
            all.try_for_each(RunDir::detach).and(Err(failure))
        }
    }
}

/// Asks the process of a run or a batch to stop, if there is one, and waits for its end.
async fn end(id: &str, runs: &Runs) -> CliResult<()> {
    let Some(process) = runs.controller(id) else {
        return Ok(());
    };
    if let Err(error) = ask_to_stop(process)
        && runs.is_alive(id)
    {
        return Err(CliError::refused(format!(
            "process {process} of run {id} can't be stopped: {error}; use the account that started it"
        )));
    }
    let began = Instant::now();
    while runs.is_alive(id) {
        if began.elapsed() > PATIENCE {
            let line =
                format!("run {id} does not end: kill its process {process}, then do this again");
            return Err(CliError::new(Exit::Incomplete, line));
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok(())
}
