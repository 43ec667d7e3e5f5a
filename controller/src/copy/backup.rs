//! The backup tag of a copy, before the run begins. A name that is taken is refused. The tag of a run that was not done is kept as long as
//! the destination stands where it does.

use std::sync::Arc;

use hf2ms_hub::{Kind, RefKind, RepoAt, Revision};
use hf2ms_worker::commit::check_backup;
use hf2ms_worker::plan::{BackupTag, Plan};
use serde::Deserialize;

use crate::copy::inspect::DestinationRepo;
use crate::runs::{RunRecord, RunVerb, Runs, State};
use crate::settings::Settings;
use crate::settings::hub_errors::{AccessMode, hub_error};
use crate::ui::errors::{CliError, CliResult};

/// Settles the plan's backup tag. Where an earlier run of the copy was not done and its tag names what stands there, no other is made.
/// Anything else that stands there, that run's own commits or someone's, gets a tag of its own. Returns a line about the older tag then.
///
/// # Errors
/// The tag that was asked for can't be made.
pub async fn settle(
    plan: &mut Plan,
    destination: &DestinationRepo,
    runs: &Runs,
    settings: &Settings,
) -> CliResult<Option<String>> {
    if !(plan.replaces() || plan.overwrite) {
        return Ok(None);
    }
    let mut older = None;
    let explained = |error: hf2ms_hub::Error| match error.kind() {
        Kind::Refused => CliError::refused(error.message()),
        _ => hub_error(&error, &destination.at, settings, AccessMode::Write),
    };
    if let Some(tag) = &mut plan.backup {
        let names = names_of_unfinished_runs(runs, &plan.source, &destination.at);
        let store = Arc::clone(&destination.hub).ref_store();
        if let (Some(store), false) = (store, names.is_empty()) {
            let refs = store.refs().await.map_err(explained)?.named();
            let made = |name: &Revision| refs.find(RefKind::Tag, name).cloned();
            let found = names
                .into_iter()
                .find_map(|name| made(&name).map(|commit| (name, commit)));
            if let Some((name, commit)) = found {
                older = keep(tag, name, commit, destination.head.as_ref());
            }
        }
    }
    let checked = check_backup(plan, Arc::clone(&destination.hub)).await;
    checked.map_err(explained).map(|()| older)
}

/// Takes the tag of an earlier run where it names what stands there; else the line about it. A name that both runs ask for is the older
/// tag's, and the new one has the run's.
fn keep(
    tag: &mut BackupTag,
    name: Revision,
    commit: Revision,
    head: Option<&Revision>,
) -> Option<String> {
    let is_asked = tag.name.as_ref() == Some(&name);
    if head == Some(&commit) {
        if is_asked || tag.name.is_none() {
            (tag.name, tag.made) = (Some(name), Some(commit));
        }
        return None;
    }
    if is_asked {
        tag.name = None;
    }
    Some(format!(
        "the run before was not done: what stood at the destination before it is kept by the tag {name}"
    ))
}

/// The names of the tags of runs of this copy that were not done, the newest first. Those before one that was done don't count.
fn names_of_unfinished_runs(runs: &Runs, source: &RepoAt, destination: &RepoAt) -> Vec<Revision> {
    #[derive(Deserialize)]
    struct Planned {
        backup: Option<BackupTag>,
    }
    let of_copy = |run: &RunRecord| {
        run.verb == RunVerb::Migrate
            && run.source.is_same_repo(source)
            && run.destination == *destination
    };
    let unfinished = runs
        .list()
        .into_iter()
        .filter(of_copy)
        .take_while(|run| is_unfinished(run.state));
    let name = |run: RunRecord| {
        let tag = runs.read::<Planned>(&run.id, "plan.json")?.backup?;
        tag.name_in(&run.id).ok()
    };
    unfinished.filter_map(name).collect()
}

/// Whether the same command goes on with a run that ended so.
fn is_unfinished(state: State) -> bool {
    match state {
        State::Killed | State::Failed | State::Interrupted | State::Incomplete => true,
        State::Running | State::Detached | State::Done => false,
    }
}

#[cfg(test)]
mod tests {
    use hf2ms_worker::plan::BackupReason;

    use super::*;

    fn revision(text: &str) -> Revision {
        text.parse().unwrap()
    }

    #[test]
    fn an_older_tag_is_kept_only_where_it_names_what_stands_there() {
        let kept = |asked: Option<&str>, head: &str| {
            let mut tag = BackupTag {
                name: asked.map(revision),
                made: None,
                reason: BackupReason::Asked,
            };
            let line = keep(
                &mut tag,
                revision("v1"),
                revision("a"),
                Some(&revision(head)),
            );
            let names = (tag.name, tag.made);
            let [name, made] = [names.0, names.1].map(|name| name.map(|name| name.to_string()));
            (name, made, line.is_some())
        };
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(kept(None, "a"), (some("v1"), some("a"), false));
        assert_eq!(kept(Some("v1"), "a"), (some("v1"), some("a"), false));
        assert_eq!(kept(Some("v9"), "a"), (some("v9"), None, false));
        assert_eq!(kept(None, "b"), (None, None, true));
        assert_eq!(kept(Some("v1"), "b"), (None, None, true));
        assert_eq!(kept(Some("v9"), "b"), (some("v9"), None, true));
    }
}
