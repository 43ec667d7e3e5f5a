//! `hf2ms status`: the report of a run, or its progress.

use std::time::{Duration, Instant};

use futures_util::{StreamExt, TryStreamExt, stream};
use hf2ms_worker::protocol::{Exit, Verification};
use schemars::JsonSchema;
use serde::Serialize;

use crate::batch;
use crate::engine::modal::{CallState, ChildCall, Modal, explain};
use crate::engine::remote::calls::{AT_ONCE, SubmittedCalls};
use crate::mirror::report::MirrorReport;
use crate::mirror::run_report::RunReport;
use crate::revisions::state::KeptRevisions;
use crate::runs::batches::RunOrBatch;
use crate::runs::removal_report::RemovalReport;
use crate::runs::report::{Report, Tally, table};
use crate::runs::{JournalEntry, RunRecord, RunVerb, Runs, State};
use crate::settings::{self, environment, state_dir};
use crate::stop::Stop;
use crate::ui::errors::CliResult;
use crate::ui::progress;
use crate::ui::screen::{Screen, duration, size, when};
use crate::ui::snapshot::Snapshot;
use crate::ui::table::labelled;

/// How often `--watch` looks at the run's folder.
const WATCH_EVERY: Duration = Duration::from_secs(1);
/// More waits than this are counted, not shown.
const MOST_WAITS: usize = 5;
/// Progress that is older than this is said to be.
const FRESH: u64 = 3;

/// Show one run: its report, or how far it is
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The id of a run or a batch, the end of it, or `last`
    #[arg(default_value = "last")]
    pub run: String,
    /// Show how far it is until it ends, and then its report
    #[arg(long, short)]
    pub watch: bool,
    /// Print one line of JSON; with --watch one each second
    #[arg(long)]
    pub json: bool,
}

/// Prints the run's report or its progress.
///
/// # Errors
/// There is no such run.
pub async fn run(args: &Args, screen: &Screen, stop: &Stop) -> CliResult<Exit> {
    let runs = Runs::new(&state_dir(&environment)?);
    let mut record = match runs.find_any(&args.run)? {
        RunOrBatch::Run(record) => *record,
        RunOrBatch::Batch(batch) => return Ok(batch::status::print(&batch, &runs, screen)),
    };
    if args.watch && record.state == State::Running {
        screen.print(head(&record));
        stop.unless(watch(&record, &runs, screen)).await?;
        record = runs.find(&record.id)?;
    }
    show(&record, &runs, screen, stop).await;
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
    /// How far it is, or was when it was killed.
    progress: Option<&'a Snapshot>,
    /// The report of a copy that has ended.
    report: Option<&'a Report>,
    /// The report of a mirror that has ended.
    mirror_report: Option<&'a MirrorReport>,
    /// The report of a removal that has ended.
    removal_report: Option<&'a RemovalReport>,
    /// What a verification has found so far, or at its end.
    verification: Option<&'a Verification>,
    /// All branches and tags, where the run is one of a copy of all: its own state is not theirs.
    revisions: Option<&'a KeptRevisions<'a>>,
}

/// Shows how far a run is until no process works on it.
async fn watch(record: &RunRecord, runs: &Runs, screen: &Screen) -> CliResult<()> {
    let (bar, mut told) = (screen.bars().add(), None::<Instant>);
    while runs.find(&record.id)?.state == State::Running {
        if let Some(now) = runs.read::<Snapshot>(&record.id, progress::FILE) {
            screen.json(&StatusEvent {
                record,
                so_far: &so_far(&runs.journal(&record.id)),
                cloud: None,
                progress: Some(&now),
                report: None,
                mirror_report: None,
                removal_report: None,
                verification: None,
                revisions: None,
            });
            if screen.has_bars() {
                screen.bars().draw(bar, None, now);
            } else if told.is_none_or(|told| told.elapsed() >= progress::LINE_EVERY) {
                told = Some(Instant::now());
                screen.status(now.line());
            }
        }
        tokio::time::sleep(WATCH_EVERY).await;
    }
    screen.bars().remove(bar);
    Ok(())
}

/// Prints what is known of a run: its report, or how far it is, here or in the cloud.
async fn show(record: &RunRecord, runs: &Runs, screen: &Screen, stop: &Stop) {
    let report = RunReport::read(record, runs);
    let journal = runs.journal(&record.id);
    let so_far = so_far(&journal);
    let revisions = KeptRevisions::read(&runs.first_of(record).id, runs);
    let cloud = cloud(record, runs, &journal, screen, stop).await;
    let progress: Option<Snapshot> = match record.state {
        State::Running | State::Killed => runs.read(&record.id, progress::FILE),
        _ => None,
    };
    screen.json(&StatusEvent {
        record,
        so_far: &so_far,
        cloud: cloud.as_ref(),
        progress: progress.as_ref(),
        report: report.as_ref().and_then(RunReport::of_copy),
        mirror_report: report.as_ref().and_then(RunReport::of_mirror),
        removal_report: report.as_ref().and_then(RunReport::of_removal),
        verification: found_by_verify(record, &journal),
        revisions: revisions.as_ref(),
    });
    screen.print(head(record));
    let revisions = revisions.iter().flat_map(KeptRevisions::lines);
    revisions.for_each(|line| screen.print(line));
    let reason = record.reason.as_ref();
    reason
        .iter()
        .for_each(|reason| screen.print(labelled("reason", reason.to_string())));
    match (report, cloud) {
        (Some(report), _) => screen.print(report.readable()),
        (None, Some(cloud)) => screen.print(cloud.summary(record)),
        (None, None) => {
            let age = runs.age(&record.id, progress::FILE).unwrap_or_default();
            progress
                .iter()
                .for_each(|progress| screen.print(progress_lines(progress, record.state, age)));
            screen.print(match record.verb {
                RunVerb::Verify => verify_summary(record, &journal),
                RunVerb::Cleanup => cleanup_summary(record, &journal),
                RunVerb::Migrate | RunVerb::Mirror => tally_summary(&so_far, &journal),
            });
        }
    }
    let path = runs.path(&record.id).display().to_string();
    screen.print(labelled("kept in", path));
}

/// How far a run is: what is done, and who waits for what. `age` is that of the progress, in seconds.
fn progress_lines(progress: &Snapshot, state: State, age: u64) -> String {
    let line = progress.line();
    let (verb, rest) = line.split_once(": ").unwrap_or(("", &line));
    let when = match state {
        State::Running if age <= FRESH => String::new(),
        State::Running => format!("  ({age} s ago)"),
        _ => "  (when it was killed)".to_owned(),
    };
    let waits = progress.waits.iter().take(MOST_WAITS).map(|wait| {
        let left = duration((wait.seconds - age as f64).max(0.0));
        labelled(
            "waiting",
            format!("chunk {}, {left}: {}", wait.worker, wait.error),
        )
    });
    let more = progress.waits.len().saturating_sub(MOST_WAITS);
    let more = (more > 0).then(|| labelled("waiting", format!("{more} more")));
    let lines = std::iter::once(labelled(verb, format!("{rest}{when}")));
    lines
        .chain(waits)
        .chain(more)
        .collect::<Vec<_>>()
        .join("\n")
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
    let calls = match &record.beside {
        // The calls of all revisions are those of their first run.
        Some(first) => SubmittedCalls::of(&runs.journal(first)),
        None => SubmittedCalls::of(journal),
    };
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
            "  moved       {} blobs, {}; {} reused{}",
            tally.moved,
            size(tally.moved_bytes),
            tally.reused,
            match tally.copied_by_hub {
                0 => String::new(),
                copied => format!(", {copied} copied by the hub"),
            }
        ),
    ];
    lines.extend(verified(journal));
    lines.join("\n")
}

/// What is known of a verification: it moves nothing.
fn verify_summary(run: &RunRecord, journal: &[JournalEntry]) -> String {
    let files = format!("{}, {}", run.files, size(run.bytes));
    let files = std::iter::once(labelled("files", files));
    let lines: Vec<String> = files.chain(verified(journal)).collect();
    lines.join("\n")
}

/// How far a removal is.
fn cleanup_summary(run: &RunRecord, journal: &[JournalEntry]) -> String {
    let files = labelled("files", format!("{}, {}", run.files, size(run.bytes)));
    let asked = journal.iter().rev().find_map(|entry| match entry {
        JournalEntry::Removing { removal, .. } => {
            Some(format!("its hub was asked to {}", removal.verb()))
        }
        JournalEntry::Removed { removal } => Some(removal.done()),
        JournalEntry::NotRemoved { .. } => Some("not removed".to_owned()),
        _ => None,
    });
    let asked = asked.unwrap_or_else(|| "its hub was asked for nothing".to_owned());
    format!("{files}\n{}", labelled("removal", asked))
}

fn verified(journal: &[JournalEntry]) -> Option<String> {
    verification(journal).map(|found| table(found).trim_end().to_owned())
}

fn found_by_verify<'a>(run: &RunRecord, journal: &'a [JournalEntry]) -> Option<&'a Verification> {
    verification(journal).filter(|_| run.verb == RunVerb::Verify)
}

fn verification(journal: &[JournalEntry]) -> Option<&Verification> {
    journal.iter().rev().find_map(|entry| match entry {
        JournalEntry::Verified(found) => Some(found),
        _ => None,
    })
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
