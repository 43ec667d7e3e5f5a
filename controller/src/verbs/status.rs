//! `hf2ms status`: the report of a run, or its progress.

use futures_util::{StreamExt, TryStreamExt, stream};
use hf2ms_worker::protocol::Exit;
use schemars::JsonSchema;
use serde::Serialize;

use crate::batch;
use crate::engine::modal::{CallState, ChildCall, Modal, explain};
use crate::engine::remote::calls::{AT_ONCE, SubmittedCalls};
use crate::mirror::report::MirrorReport;
use crate::runs::batches::RunOrBatch;
use crate::runs::report::{Report, Tally, table};
use crate::runs::{JournalEntry, RunRecord, RunVerb, Runs, State};
use crate::settings::{self, environment, state_dir};
use crate::stop::Stop;
use crate::ui::errors::CliResult;
use crate::ui::screen::{Screen, size, when};

/// Show one run: its report, or how far it is
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The id of a run or a batch, the end of it, or `last`
    #[arg(default_value = "last")]
    pub run: String,
    /// Print one line of JSON
    #[arg(long)]
    pub json: bool,
}

/// Prints the run's report or its progress.
///
/// # Errors
/// There is no such run.
pub async fn run(args: &Args, screen: &Screen, stop: &Stop) -> CliResult<Exit> {
    let runs = Runs::new(&state_dir(&environment)?);
    let record = match runs.find_any(&args.run)? {
        RunOrBatch::Run(record) => *record,
        RunOrBatch::Batch(batch) => return Ok(batch::status::print(&batch, &runs, screen)),
    };
    if record.verb == RunVerb::Mirror {
        return of_mirror(&record, &runs, screen, stop).await;
    }
    let report: Option<Report> = runs.read(&record.id, "report.json");
    let journal = runs.journal(&record.id);
    let so_far = so_far(&journal);
    let cloud = cloud(&record, &runs, &journal, screen, stop).await;
    screen.json(&StatusEvent {
        record: &record,
        so_far: &so_far,
        cloud: cloud.as_ref(),
        report: report.as_ref(),
        mirror_report: None,
    });
    screen.print(head(&record));
    match report {
        Some(report) => screen.print(report.readable()),
        None => screen.print(cloud.map_or_else(
            || tally_summary(&so_far, &journal),
            |cloud| cloud.summary(&record),
        )),
    }
    screen.print(format!("  kept in     {}", runs.path(&record.id).display()));
    Ok(Exit::Done)
}

/// How a run stands.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(tag = "event", rename = "status")]
pub struct StatusEvent<'a> {
    /// What the run is, and its state.
    record: &'a RunRecord,
    /// The counts of the chunks that have ended.
    so_far: &'a Tally,
    /// The calls of a run that works in the cloud.
    cloud: Option<&'a InTheCloud>,
    /// The report of a copy that has ended.
    report: Option<&'a Report>,
    /// The report of a mirror that has ended.
    mirror_report: Option<&'a MirrorReport>,
}

async fn of_mirror(
    record: &RunRecord,
    runs: &Runs,
    screen: &Screen,
    stop: &Stop,
) -> CliResult<Exit> {
    let report: Option<MirrorReport> = runs.read(&record.id, "report.json");
    let journal = runs.journal(&record.id);
    let so_far = so_far(&journal);
    let cloud = cloud(record, runs, &journal, screen, stop).await;
    screen.json(&StatusEvent {
        record,
        so_far: &so_far,
        cloud: cloud.as_ref(),
        report: None,
        mirror_report: report.as_ref(),
    });
    screen.print(head(record));
    match report {
        Some(report) => screen.print(report.readable()),
        None => screen.print(cloud.map_or_else(
            || tally_summary(&so_far, &journal),
            |cloud| cloud.summary(record),
        )),
    }
    screen.print(format!("  kept in     {}", runs.path(&record.id).display()));
    Ok(Exit::Done)
}

/// The state of a detached run's calls; prints a warning if Modal does not answer.
async fn cloud(
    record: &RunRecord,
    runs: &Runs,
    journal: &[JournalEntry],
    screen: &Screen,
    stop: &Stop,
) -> Option<InTheCloud> {
    if record.state != State::Detached {
        return None;
    }
    stop.unless(in_the_cloud(record, runs, journal))
        .await
        .inspect_err(|failure| screen.warn(failure.to_string()))
        .ok()
}

/// The state of a run's calls.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct InTheCloud {
    /// Calls of chunks that were submitted.
    submitted: usize,
    /// Those that have ended.
    ended: usize,
    /// Those that failed.
    failed: usize,
    /// Whether the finalizer has ended, so that `attach` shows the report.
    finished: bool,
}

async fn in_the_cloud(
    record: &RunRecord,
    runs: &Runs,
    journal: &[JournalEntry],
) -> CliResult<InTheCloud> {
    let calls = SubmittedCalls::of(journal);
    let log = runs.path(&record.id).join("logs").join("bridge.log");
    let modal = Modal::open(&state_dir(&environment)?, &log, &settings::load()?).await?;
    let finished = match &calls.last {
        Some(call) => !matches!(
            modal.look(call).await.map_err(|error| explain(&error))?,
            CallState::Pending
        ),
        None => false,
    };
    if record.verb == RunVerb::Mirror {
        // Its chunks are calls of its own; Modal tells of them as well as it can.
        let made = modal
            .children(calls.last.as_deref().unwrap_or_default())
            .await
            .unwrap_or_default();
        return Ok(InTheCloud::of_made(&made, finished));
    }
    let states = stream::iter(calls.chunks.values())
        .map(|call| modal.look(call))
        .buffered(AT_ONCE);
    let states: Vec<CallState> = states
        .try_collect()
        .await
        .map_err(|error| explain(&error))?;
    let count = |is: fn(&CallState) -> bool| states.iter().filter(|state| is(state)).count();
    Ok(InTheCloud {
        submitted: calls.chunks.len(),
        ended: count(|state| matches!(state, CallState::Done { .. })),
        failed: count(|state| {
            matches!(
                state,
                CallState::Failed { .. } | CallState::Cancelled | CallState::Expired
            )
        }),
        finished,
    })
}

impl InTheCloud {
    fn of_made(made: &[ChildCall], finished: bool) -> Self {
        let (submitted, pending) = (
            made.len(),
            made.iter().filter(|made| made.state == "PENDING").count(),
        );
        let ended = made.iter().filter(|made| made.state == "SUCCESS").count();
        Self {
            submitted,
            ended,
            failed: submitted - pending - ended,
            finished,
        }
    }

    fn summary(&self, run: &RunRecord) -> String {
        let Self {
            submitted,
            ended,
            failed,
            finished,
        } = self;
        let next = if *finished {
            "it has ended; its report:"
        } else {
            "it works; to wait for it:"
        };
        let files = match run.verb {
            RunVerb::Mirror => String::new(),
            _ => format!("  files       {}, {}\n", run.files, size(run.bytes)),
        };
        format!(
            "{files}  chunks      {submitted} submitted, {ended} ended, {failed} failed\n  {next} hf2ms attach {}",
            run.id
        )
    }
}

fn head(run: &RunRecord) -> String {
    format!(
        "run {}  {}  {} UTC\n  from        {} at {}\n  to          {}",
        run.id,
        run.state.name(),
        when(run.started),
        run.source.web_url(),
        run.source.revision,
        run.destination.web_url(),
    )
}

/// The sum of the receipts in the journal.
fn so_far(journal: &[JournalEntry]) -> Tally {
    let mut tally = Tally::default();
    for entry in journal {
        match entry {
            JournalEntry::Planned(plan) => {
                (tally.files, tally.bytes) = (plan.files, plan.bytes);
                (tally.chunks, tally.duplicates, tally.unchanged) =
                    (plan.chunks, plan.duplicates, plan.unchanged);
            }
            JournalEntry::Chunk(receipt) => tally.add(receipt),
            JournalEntry::Committed(receipt) => tally.add(receipt),
            JournalEntry::Crashed { .. } => tally.lost_workers += 1,
            _ => (),
        }
    }
    tally
}

fn tally_summary(tally: &Tally, journal: &[JournalEntry]) -> String {
    let ended = journal
        .iter()
        .filter(|entry| matches!(entry, JournalEntry::Chunk(_)))
        .count();
    let mut lines = vec![
        format!("  files       {}, {}", tally.files, size(tally.bytes)),
        format!("  chunks      {ended} of {} have ended", tally.chunks),
        format!(
            "  moved       {} blobs, {}; {} reused",
            tally.moved,
            size(tally.moved_bytes),
            tally.reused
        ),
    ];
    let found = journal.iter().rev().find_map(|entry| match entry {
        JournalEntry::Verified(found) => Some(table(found).trim_end().to_owned()),
        _ => None,
    });
    lines.extend(found);
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_that_neither_wait_nor_gave_anything_have_failed() {
        let made = ["PENDING", "SUCCESS", "TERMINATED", "FAILURE"].map(|state| ChildCall {
            call: "fc-a".into(),
            state: state.into(),
        });
        assert_eq!(
            InTheCloud::of_made(&made, false),
            InTheCloud {
                submitted: 4,
                ended: 1,
                failed: 2,
                finished: false
            }
        );
    }
}
