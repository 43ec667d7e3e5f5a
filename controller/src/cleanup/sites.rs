//! Which sites and repos a removal is about: those that were named, and none that a folder's file or a slip puts in their place.

use hf2ms_hub::{RepoAt, RepoId};

use crate::args::route::Route;
use crate::batch::list::BatchEntry;
use crate::runs::{RunRecord, RunVerb, Runs};
use crate::settings::{Environment, Settings};
use crate::ui::errors::{CliError, CliResult};

/// Refuses a removal whose hubs a file of the working folder names that was found there: whoever made the folder could name a server that
/// claims to have the copy. A file that was named by --env-file counts, whatever its name is.
///
/// # Errors
/// That is so.
pub fn check_not_of_folder(route: &Route, settings: &Settings) -> CliResult<()> {
    let environment = Environment::of_process();
    let both = [
        settings.access(route.from()),
        settings.access_to(route.to()),
    ];
    let by_folder = both.iter().find_map(|at| {
        let file = environment.file_of_folder(at.endpoint_name)?;
        Some((file, at))
    });
    match by_folder {
        Some((file, at)) => Err(CliError::usage(format!(
            "{file} of this folder sets {} to {}, and no repo is removed by that: set it in the environment, or give --env-file {file} if you wrote it",
            at.endpoint_name, at.endpoint
        ))),
        None => Ok(()),
    }
}

/// Refuses a source that is the copy of another one: by the list, or by a run of this machine. Names that are alike are enough where both
/// were typed, as other verbs take a source and a destination.
///
/// # Errors
/// That is so.
pub fn check_no_copy(entries: &[BatchEntry], typed: bool, runs: &Runs) -> CliResult<()> {
    let pair = beside(entries, typed).or_else(|| by_run(entries, runs));
    match pair {
        Some((source, copy)) => Err(CliError::usage(format!(
            "{} is, or may be, the copy of {}, and each SOURCE is removed: name the copy's owner by --against, its id in a list (--file), or give one of them alone",
            shown(copy),
            shown(source)
        ))),
        None => Ok(()),
    }
}

/// A source and its copy among the entries, by what was typed or listed.
fn beside(entries: &[BatchEntry], typed: bool) -> Option<(&RepoAt, &RepoAt)> {
    let copy_of = |one: &BatchEntry| {
        let is_alike = |at: &RepoAt| {
            let is_other = (at.hub, &at.id) != (one.from.hub, &one.from.id);
            typed && is_other && at.id.name() == one.from.id.name()
        };
        let mut others = entries
            .iter()
            .filter(|other| !other.from.is_same_repo(&one.from));
        let found = others.find(|other| is_copied_to(one, other) || is_alike(&other.from));
        found.map(|other| &other.from)
    };
    entries
        .iter()
        .find_map(|one| Some((&one.from, copy_of(one)?)))
}

/// Whether the copy of one source may be the other one: which kind a source is may not be known yet.
fn is_copied_to(one: &BatchEntry, other: &BatchEntry) -> bool {
    may_be(other, &one.to) && one.route.may_be_kind_of(&other.route)
}

/// Whether the source has this id, whatever its kind.
fn may_be(entry: &BatchEntry, at: &RepoAt) -> bool {
    let from = &entry.from;
    (from.hub, &from.endpoint) == (at.hub, &at.endpoint) && is_same_id(&from.id, &at.id)
}

/// Whether a hub takes both ids for one: it does not look at the case of letters.
pub fn is_same_id(one: &RepoId, other: &RepoId) -> bool {
    one.as_str().eq_ignore_ascii_case(other.as_str())
}

/// The same by the copies that runs of this machine made.
fn by_run<'a>(entries: &'a [BatchEntry], runs: &Runs) -> Option<(&'a RepoAt, &'a RepoAt)> {
    let named = |at: &RepoAt| {
        let is_it = |one: &&BatchEntry| may_be(one, at) && one.route.kinds().contains(&at.kind);
        entries.iter().find(is_it).map(|one| &one.from)
    };
    let is_copy = |run: &RunRecord| matches!(run.verb, RunVerb::Migrate | RunVerb::Mirror);
    let copies = runs.list().into_iter().filter(is_copy);
    let mut pairs = copies.filter_map(|run| Some((named(&run.source)?, named(&run.destination)?)));
    pairs.find(|(source, copy)| !source.is_same_repo(copy))
}

fn shown(at: &RepoAt) -> String {
    format!("{}:{}", at.hub.profile().prefix, at.id)
}
