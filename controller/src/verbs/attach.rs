//! `hf2ms attach`: sees a run in the cloud through, from any terminal that has its journal.

use hf2ms_worker::plan::Plan;
use hf2ms_worker::protocol::Exit;

use crate::copy::cloud::ModalCopy;
use crate::copy::outcome::RunResult;
use crate::engine::modal::Modal;
use crate::engine::remote::{Completion, DetachMode, RemoteRun, SubmittedCalls, deployed, lost};
use crate::mirror::cloud as mirrors;
use crate::mirror::report::MirrorReport;
use crate::runs::report::Report;
use crate::runs::{RunRecord, RunVerb, Runs, State, now};
use crate::settings::{self, Settings, environment, state_dir};
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

/// Attends the run.
///
/// # Errors
/// There is no such run, or nothing of it is left to wait for.
pub async fn run(args: &Args, screen: &Screen, stop: &Stop) -> CliResult<Exit> {
    let settings = settings::load()?;
    let runs = Runs::new(&state_dir(&environment)?);
    let record = runs.find(&args.run)?;
    match record.state {
        State::Detached if record.verb == RunVerb::Mirror => {
            let report = mirrors::see_through(&record, &runs, &settings, screen, stop).await?;
            report.iter().for_each(|report| report.print(screen));
            Ok(report.map_or(Exit::Done, |report| report.exit()))
        }
        State::Detached => {
            let report = see_through(&record, &runs, &settings, screen, stop).await?;
            Ok(report.map_or(Exit::Done, |report| report.exit()))
        }
        State::Running => Err(CliError::usage(format!("run {} is watched by another process: see hf2ms status {0}", record.id))),
        state => show(&record, &runs, screen).ok_or_else(|| {
            let (id, state) = (&record.id, state.name());
            CliError::usage(format!("run {id} is {state}, and nothing of it works any more: run the same command again to go on"))
        }),
    }
}

/// Shows the report that a run has left, if it has one.
fn show(record: &RunRecord, runs: &Runs, screen: &Screen) -> Option<Exit> {
    const FILE: &str = "report.json";
    if record.verb == RunVerb::Mirror {
        let report: MirrorReport = runs.read(&record.id, FILE)?;
        report.print(screen);
        return Some(report.exit());
    }
    let report: Report = runs.read(&record.id, FILE)?;
    report.print(screen);
    Some(report.exit())
}

/// Watches a detached run until it has ended, and shows its report; `None` if it goes on without anyone here.
///
/// # Errors
/// Modal refuses or can't be reached: the run works on, unless it was stopped.
pub async fn see_through(
    record: &RunRecord,
    runs: &Runs,
    settings: &Settings,
    screen: &Screen,
    stop: &Stop,
) -> CliResult<Option<Report>> {
    let plan: Plan = runs
        .read(&record.id, "plan.json")
        .ok_or_else(|| lost(record, "its plan"))?;
    let journal = runs.journal(&record.id);
    let (app, containers) =
        deployed(&journal).ok_or_else(|| lost(record, "the name of its app"))?;
    let mut run = runs.resume(record)?;
    let mut work = RunResult::default();
    let came = async {
        let modal = stop
            .unless(Modal::open(
                &state_dir(&environment)?,
                &run.log("bridge"),
                settings,
            ))
            .await?;
        let cloud = RemoteRun {
            modal: &modal,
            app: &app,
            containers,
            run: &run,
            screen,
            stop,
        };
        ModalCopy {
            cloud,
            plan: &plan,
            settings,
        }
        .work(
            SubmittedCalls::of(&journal),
            DetachMode::Attached,
            &mut work,
        )
        .await
    };
    let state = match came.await {
        Ok(Completion::Home(())) => Ok(State::Done),
        Ok(Completion::Away(why)) => return run.detach().and(why.map_or(Ok(None), Err)),
        Err(failure) => Err(failure),
    };
    let ended = match &state {
        Ok(state) => *state,
        Err(failure) if failure.exit() == Exit::Interrupted => State::Interrupted,
        Err(_) => State::Failed,
    };
    let seconds = now().saturating_sub(record.started) as f64;
    let report = work.conclude(&plan, &mut run, ended, containers, seconds)?;
    state?;
    report.print(screen);
    Ok(Some(report))
}
