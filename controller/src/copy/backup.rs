//! The backup tag of a copy, before the run begins: a name that is taken is refused, and the tag of a run that was cut off is kept.

use std::sync::Arc;

use hf2ms_hub::{Kind, RefKind, RepoAt, Revision};
use hf2ms_worker::commit::check_backup;
use hf2ms_worker::plan::{BackupTag, Plan};
use serde::Deserialize;

use crate::copy::inspect::DestinationRepo;
use crate::runs::report::Report;
use crate::runs::{RunRecord, RunVerb, Runs, State};
use crate::settings::Settings;
use crate::settings::hub_errors::{AccessMode, hub_error};
use crate::ui::errors::{CliError, CliResult};

/// Settles the plan's backup tag. A run that was cut off has committed a part, perhaps: what stood there before is what its tag names, and no
/// other is made.
///
/// # Errors
/// The tag that was asked for can't be made.
pub async fn settle(
    plan: &mut Plan,
    destination: &DestinationRepo,
    runs: &Runs,
    settings: &Settings,
) -> CliResult<()> {
    if !(plan.replaces() || plan.overwrite) {
        return Ok(());
    }
    let explained = |error: hf2ms_hub::Error| match error.kind() {
        Kind::Refused => CliError::refused(error.message()),
        _ => hub_error(&error, &destination.at, settings, AccessMode::Write),
    };
    if let Some(tag) = &mut plan.backup {
        let names = names_of_cut_off_runs(runs, &destination.at);
        let store = Arc::clone(&destination.hub).ref_store();
        if let (Some(store), false) = (store, names.is_empty()) {
            let refs = store.refs().await.map_err(explained)?.named();
            let made = |name: &Revision| refs.find(RefKind::Tag, name).cloned();
            let found = names
                .into_iter()
                .find_map(|name| made(&name).map(|commit| (name, commit)));
            if let Some((name, commit)) = found {
                (tag.name, tag.made) = (Some(name), Some(commit));
            }
        }
    }
    let checked = check_backup(plan, Arc::clone(&destination.hub)).await;
    checked.map_err(explained)
}

/// The names of the tags of runs to this destination that were cut off, the newest first. Those before one that has ended don't count.
fn names_of_cut_off_runs(runs: &Runs, destination: &RepoAt) -> Vec<Revision> {
    #[derive(Deserialize)]
    struct Planned {
        backup: Option<BackupTag>,
    }
    let to_there =
        |run: &RunRecord| run.verb == RunVerb::Migrate && run.destination == *destination;
    let cut_off = runs
        .list()
        .into_iter()
        .filter(to_there)
        .take_while(|run| is_cut_off(run, runs));
    let name = |run: RunRecord| {
        let tag = runs.read::<Planned>(&run.id, "plan.json")?.backup?;
        tag.name_in(&run.id).ok()
    };
    cut_off.filter_map(name).collect()
}

/// Whether a run ended before all was done: the same command goes on with it. One that is incomplete for other reasons has ended.
fn is_cut_off(run: &RunRecord, runs: &Runs) -> bool {
    match run.state {
        State::Killed | State::Failed | State::Interrupted => true,
        State::Incomplete => {
            let report: Option<Report> = runs.read(&run.id, "report.json");
            report.is_some_and(|report| report.stopped_at.is_some())
        }
        State::Running | State::Detached | State::Done => false,
    }
}
