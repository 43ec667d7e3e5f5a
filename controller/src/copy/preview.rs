//! A plan for a person: one line before the copy, and the table of `--dry-run` and `plan --out`.

use hf2ms_hub::RepoAt;
use hf2ms_worker::plan::{Plan, WithheldDeletions};
use hf2ms_worker::protocol::{Creation, PlanSummary, Transport};
use schemars::JsonSchema;
use serde::Serialize;

use crate::estimate::Estimate;
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
        .for_each(|withheld| screen.warn(format!("nothing is deleted: {}", withheld.reason)));
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
        (true, false) => screen.warn(format!(
            "{id} exists on {hub}: only what differs is sent, {differ} of {} files",
            summary.files
        )),
        (false, _) => (),
    }
    screen.json(&PlannedEvent {
        source: &plan.source,
        destination: &plan.destination,
        creation: &plan.creation,
        summary: &summary,
    });
}

/// The plan and its estimate as a table, without a final newline.
pub fn table(plan: &Plan, estimate: &Estimate) -> String {
    let rows = rows(plan, estimate).map(|(name, value)| labelled(name, value));
    let deletes = plan
        .delete
        .iter()
        .take(SHOWN)
        .map(|file| format!("  to delete   {}", file.path));
    let withheld = plan
        .withheld
        .iter()
        .map(|WithheldDeletions { reason, paths }| {
            format!("  not deleted {} files: {reason}", paths.len())
        });
    let refused = plan
        .refused
        .iter()
        .take(SHOWN)
        .map(|entry| format!("  refused     {}: {}", entry.path, entry.reason));
    rows.into_iter()
        .chain(deletes)
        .chain(withheld)
        .chain(refused)
        .collect::<Vec<_>>()
        .join("\n")
}

fn rows(plan: &Plan, estimate: &Estimate) -> [(&'static str, String); 11] {
    let summary = plan.summary();
    let creation = match plan.creation.exists {
        true => "which exists".to_owned(),
        false => format!("which is created, {}", plan.creation.visibility),
    };
    let from = format!("{} at {}", plan.source.web_url(), plan.source.revision);
    let to_move = format!(
        "{} blobs, {}, in {} chunks",
        summary.blobs,
        size(summary.blob_bytes),
        summary.chunks
    );
    let files = format!("{}, {}", summary.files, size(summary.bytes));
    [
        ("from", from),
        ("to", format!("{}, {creation}", plan.destination.web_url())),
        ("files", files),
        ("to move", to_move),
        ("duplicates", summary.duplicates.to_string()),
        ("inline", summary.inline.to_string()),
        ("unchanged", estimate.there_already()),
        ("expected", estimate.expected()),
        ("rates", estimate.rates.describe(estimate.on)),
        ("to delete", summary.deletes.to_string()),
        ("refused", summary.refused.to_string()),
    ]
}
