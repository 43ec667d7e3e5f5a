//! A plan for a person: one line before the copy, and the table of `--dry-run` and `plan --out`.

use hf2ms_hub::RepoAt;
use hf2ms_worker::plan::{Plan, WithheldDeletions, named};
use hf2ms_worker::protocol::{Creation, PlanSummary, Transport};
use schemars::JsonSchema;
use serde::Serialize;

use crate::estimate::Estimate;
use crate::ui::nouns::{counted, grouped};
use crate::ui::screen::{Screen, size};
use crate::ui::table::labelled;

/// More files than this are counted, not shown.
const SHOWN: usize = 20;

/// The plan of a copy is made.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(tag = "event", rename = "planned")]
pub struct PlannedEvent<'a> {
    source: &'a RepoAt,
    destination: &'a RepoAt,
    /// Whether the destination is created, and who may see it.
    creation: &'a Creation,
    /// The plan in numbers.
    summary: &'a PlanSummary,
}

/// Prints the plan's warnings and how much of the repo differs; tells a program the plan's summary.
pub fn announce(plan: &Plan, screen: &Screen) {
    plan.warnings
        .iter()
        .for_each(|warning| screen.warn(warning));
    plan.withheld
        .iter()
        .for_each(|withheld| screen.warn(format!("not deleted: {}", not_deleted(withheld))));
    let summary = plan.summary();
    if plan.options.transport == Transport::Git && !plan.is_done() {
        screen.status(format!(
            "{} is read by Git: what is not in LFS comes in one pack",
            plan.source.id
        ));
    }
    let (id, hub) = (&plan.destination.id, plan.destination.hub);
    let differ = summary.files - summary.unchanged;
    match (plan.creation.exists, plan.is_done()) {
        (true, true) => screen.status(format!("{id} on {hub} has everything already")),
        (true, false) if differ > 0 => screen.warn(format!(
            "{id} exists on {hub}: only what differs is sent, {} of {}",
            grouped(differ),
            counted(summary.files, "file")
        )),
        _ => (),
    }
    screen.json(&PlannedEvent {
        source: &plan.source,
        destination: &plan.destination,
        creation: &plan.creation,
        summary: &summary,
    });
}

/// The plan and its estimate as a table, without a final newline: what would be done first, and nothing that is zero.
pub fn table(plan: &Plan, estimate: &Estimate) -> String {
    let refused = plan.refused.iter();
    let refused = refused.map(|entry| format!("{}: {}", entry.path, entry.reason));
    let (shown, more) = (SHOWN, plan.refused.len().saturating_sub(SHOWN) as u64);
    let more = (more > 0).then(|| ("refused", format!("{} more", grouped(more))));
    let rows = [("", verdict(plan, estimate))]
        .into_iter()
        .chain(sides(plan))
        .chain(counts(plan, estimate))
        .chain(refused.take(shown).map(|line| ("refused", line)))
        .chain(more);
    let lines = rows.map(|(name, value)| match name {
        "" => value,
        name => labelled(name, value),
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// What would be done, in one line.
fn verdict(plan: &Plan, estimate: &Estimate) -> String {
    let summary = plan.summary();
    let change = summary.files - summary.unchanged;
    let deletions = match summary.deletes {
        0 => String::new(),
        count => format!(", and {} deleted", counted(count, "file")),
    };
    let left_out = match summary.refused {
        0 => "",
        _ => "; what is refused stays behind",
    };
    match (plan.is_done(), plan.creation.exists) {
        (true, _) => format!(
            "nothing to do: all {} stand there{left_out}",
            counted(summary.files, "file")
        ),
        (false, true) => format!(
            "{} of {} would be written{deletions}, {}{left_out}",
            grouped(change),
            counted(summary.files, "file"),
            estimate.expected()
        ),
        (false, false) => format!(
            "a new {} repo of {}, {}{left_out}",
            plan.creation.visibility,
            counted(summary.files, "file"),
            estimate.expected()
        ),
    }
}

fn sides(plan: &Plan) -> [(&'static str, String); 2] {
    let creation = match plan.creation.exists {
        true => "which exists".to_owned(),
        false => format!("which is created, {}", plan.creation.visibility),
    };
    let from = format!("{} at {}", plan.source.web_url(), plan.source.revision);
    let to = format!("{}, {creation}", plan.destination.web_url());
    [("from", from), ("to", to)]
}

/// The counts that are not zero. Nothing is said of rates where nothing moves.
fn counts(plan: &Plan, estimate: &Estimate) -> impl Iterator<Item = (&'static str, String)> {
    let summary = plan.summary();
    let left = summary.blobs.saturating_sub(estimate.stored);
    let to_move = format!(
        "{}, {}, in {}",
        counted(left, "blob"),
        estimate.to_move(),
        counted(summary.chunks, "chunk")
    );
    let duplicates = counted(summary.duplicates, "file");
    let files = grouped(summary.files);
    let delete: Vec<_> = plan.delete.iter().map(|file| &file.path).collect();
    let (left_files, left_words) = left_by_limit(plan);
    let has_backup = plan.backup.is_some() && plan.replaces();
    let backup = "what is replaced or deleted is kept by a tag".to_owned();
    let withheld: Vec<_> = plan.withheld.iter().map(not_deleted).collect();
    let rows = [
        (1, "files", format!("{files}, {}", size(summary.bytes))),
        (left, "to move", to_move),
        (
            estimate.stored,
            "uploaded",
            format!(
                "before: {}, {}",
                counted(estimate.stored, "blob"),
                size(estimate.stored_bytes)
            ),
        ),
        (
            summary.duplicates,
            "duplicates",
            format!("{duplicates} of the same content as another"),
        ),
        (summary.inline, "inline", counted(summary.inline, "file")),
        (summary.unchanged, "unchanged", estimate.there_already()),
        (left, "rates", estimate.rates.describe(estimate.on)),
        (summary.deletes, "to delete", named(&delete)),
        (left_files, "left", left_words),
        (u64::from(has_backup), "before", backup),
    ];
    let shown = rows.into_iter().filter(|(count, ..)| *count > 0);
    shown
        .map(|(_, name, value)| (name, value))
        .chain(withheld.into_iter().map(|line| ("not deleted", line)))
}

/// The files that `--max-transfer` leaves to the next run: how many, and the same in words.
fn left_by_limit(plan: &Plan) -> (u64, String) {
    let left = plan.files.iter().filter(|planned| planned.left);
    let bytes = left.clone().map(|planned| planned.file.size).sum();
    let (count, limit) = (left.count() as u64, plan.limits.max_transfer.unwrap_or(0));
    let files = counted(count, "file");
    let words = format!(
        "{files}, {}, to the next run: --max-transfer is {}",
        size(bytes),
        size(limit)
    );
    (count, words)
}

fn not_deleted(WithheldDeletions { reason, paths }: &WithheldDeletions) -> String {
    format!("{}: {reason}", named(paths))
}
