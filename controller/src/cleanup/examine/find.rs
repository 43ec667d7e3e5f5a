//! Which repos are meant: the source and the copy as they are found. What may be another repo than was named is in doubt.

use hf2ms_hub::{Kind, RepoAt, RepoKind, Revision};
use hf2ms_worker::pipeline::source::{PinnedSource, SourceError, describe};
use hf2ms_worker::protocol::Transport;

use super::Examiner;
use crate::args::route::Route;
use crate::cleanup::doubt::{Checked, Doubt};
use crate::cleanup::source_refs::{missing, source_repo};
use crate::copy::inspect::{DestinationRepo, SourceRepo};
use crate::copy::plan::{FoundSides, Purpose, find};
use crate::copy::verify::check_exists;
use crate::runs::{RunRecord, RunVerb, Runs, State};
use crate::settings::Settings;
use crate::settings::hub_errors::{AccessMode, hub_error};
use crate::ui::errors::CliResult;

impl Examiner<'_> {
    /// Both sides, at their main branches.
    pub(super) async fn find(&self) -> Checked<(SourceRepo, DestinationRepo)> {
        let (route, settings) = (&self.entry.route, self.options.settings);
        let candidates = route.kinds().iter();
        let candidates = candidates.map(|kind| route.source_at(settings, *kind, route.asked()));
        let found = PinnedSource::find(candidates, Transport::Auto, settings).await;
        match found {
            Err(SourceError::Hub(at, error)) if error.kind() == Kind::NotFound => {
                for kind in route.kinds() {
                    let at = route.source_at(settings, *kind, &at.revision);
                    match missing(&error, &at, settings).await {
                        Doubt::Absent => (),
                        doubt => return Err(doubt),
                    }
                }
                return Err(match was_removed(&at, self.options.runs) {
                    true => Doubt::Gone,
                    false => Doubt::Absent,
                });
            }
            Ok(found) => {
                check_not_renamed(&found)?;
                self.check_one_kind(&found.at).await?;
            }
            // The next look says it for a person.
            Err(_) => (),
        }
        match find(route, Purpose::Read, settings).await? {
            FoundSides::Skip(_) => Err(is_space()),
            FoundSides::Both(both) if both.0.repo.at.kind == RepoKind::Space => Err(is_space()),
            FoundSides::Both(both) => {
                check_exists(&both.1)?;
                Ok(*both)
            }
        }
    }

    /// Refuses an id that is a repo of several kinds, where none was named: another one than was found may be meant.
    async fn check_one_kind(&self, found: &RepoAt) -> Checked<()> {
        let (kinds, settings) = (self.entry.route.kinds(), self.options.settings);
        if kinds.len() < RepoKind::ALL.len() {
            return Ok(());
        }
        for kind in kinds.iter().filter(|kind| **kind != found.kind) {
            let at = RepoAt {
                kind: *kind,
                revision: Revision::main_of(found.hub),
                ..found.clone()
            };
            match describe(&at, Transport::Auto, settings).await {
                Err(error) if error.kind() == Kind::NotFound => (),
                Err(error) => {
                    return Err(hub_error(&error, &at, settings, AccessMode::Read).into());
                }
                Ok(_) => {
                    let (first, id) = (found.kind, &at.id);
                    return Err(Doubt::because(format!(
                        "{id} is a {first} and a {kind}: name one of them, as {kind}s/{id}"
                    )));
                }
            }
        }
        Ok(())
    }
}

/// Whether the source is not there, and a run of this machine has removed it. Its hub is asked only where there is such a run.
///
/// # Errors
/// The hub's.
pub async fn is_gone(route: &Route, runs: &Runs, settings: &Settings) -> CliResult<bool> {
    for kind in route.kinds() {
        let at = route.source_at(settings, *kind, route.asked());
        if !was_removed(&at, runs) {
            return Ok(false);
        }
        let found = source_repo(&at, settings)?.find().await;
        let found = found.map_err(|error| hub_error(&error, &at, settings, AccessMode::Read))?;
        if found.is_some() {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Whether a run of this machine has removed a repo with this id, of any kind.
fn was_removed(at: &RepoAt, runs: &Runs) -> bool {
    let is_of = |run: &RunRecord| {
        let source = &run.source;
        (source.hub, &source.endpoint, &source.id) == (at.hub, &at.endpoint, &at.id)
    };
    runs.list()
        .iter()
        .any(|run| run.verb == RunVerb::Cleanup && run.state == State::Done && is_of(run))
}

/// Refuses a pair that may be one repo: of one hub, with the same id. An address of a mirror site shows the repos of its hub.
pub(super) fn check_apart(source: &RepoAt, copy: &RepoAt) -> Checked<()> {
    let is_same_id = source.id.as_str().eq_ignore_ascii_case(copy.id.as_str());
    match source.hub == copy.hub && is_same_id {
        true => Err(Doubt::because(format!(
            "its copy has the same id on {}, and may be the same repo seen at another address",
            copy.hub
        ))),
        false => Ok(()),
    }
}

fn check_not_renamed(found: &PinnedSource) -> Checked<()> {
    match &found.info.renamed {
        None => Ok(()),
        Some(renamed) => Err(Doubt::because(format!(
            "it is called {renamed} on {} now: name that one",
            found.at.hub
        ))),
    }
}

fn is_space() -> Doubt {
    Doubt::because("it is a Space: what it runs, its secrets and its variables are not compared")
}
