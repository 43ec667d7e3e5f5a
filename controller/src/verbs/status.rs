//! `hf2ms status`.

use hf2ms_worker::protocol::Exit;
use serde_json::json;

use crate::explain::Outcome;
use crate::report::{Report, Tally, table};
use crate::run_dir::{Entry, RunRecord, Runs};
use crate::screen::{Screen, size, when};
use crate::settings::{environment, state_dir};

/// Show one run: its report, or how far it is
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The run's id, the end of it, or `last`
    #[arg(default_value = "last")]
    pub run: String,
    /// Print one line of JSON
    #[arg(long)]
    pub json: bool,
}

/// Shows the run.
///
/// # Errors
/// There is no such run.
pub fn run(args: &Args, screen: &Screen) -> Outcome<Exit> {
    let runs = Runs::new(&state_dir(&environment)?);
    let record = runs.find(&args.run)?;
    let report: Option<Report> = runs.read(&record.id, "report.json");
    let journal = runs.journal(&record.id);
    let so_far = so_far(&journal);
    screen.tell(&json!({"run": record, "so_far": so_far, "report": report}));
    screen.show(head(&record));
    match report {
        Some(report) => screen.show(report.readable()),
        None => screen.show(in_words(&so_far, &journal)),
    }
    screen.show(format!("  kept in     {}", runs.path(&record.id).display()));
    Ok(Exit::Done)
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

/// What the receipts in the journal add up to.
fn so_far(journal: &[Entry]) -> Tally {
    let mut tally = Tally::default();
    for entry in journal {
        match entry {
            Entry::Planned(plan) => {
                (tally.files, tally.bytes) = (plan.files, plan.bytes);
                (tally.chunks, tally.duplicates, tally.unchanged) = (plan.chunks, plan.duplicates, plan.unchanged);
            }
            Entry::Chunk(receipt) => tally.add(receipt),
            Entry::Committed(receipt) => tally.add(receipt),
            Entry::Lost { .. } => tally.lost_workers += 1,
            _ => (),
        }
    }
    tally
}

fn in_words(tally: &Tally, journal: &[Entry]) -> String {
    let ended = journal.iter().filter(|entry| matches!(entry, Entry::Chunk(_))).count();
    let mut lines = vec![
        format!("  files       {}, {}", tally.files, size(tally.bytes)),
        format!("  chunks      {ended} of {} have ended", tally.chunks),
        format!("  moved       {} blobs, {}; {} reused", tally.moved, size(tally.moved_bytes), tally.reused),
    ];
    let found = journal.iter().rev().find_map(|entry| match entry {
        Entry::Verified(found) => Some(table(found).trim_end().to_owned()),
        _ => None,
    });
    lines.extend(found);
    lines.join("\n")
}
