//! Which repos are meant: the source and the copy as they are found. What may be another repo than was named is in doubt.

use hf2ms_hub::{Kind, RepoAt, RepoKind, Revision};
use hf2ms_worker::pipeline::source::{PinnedSource, SourceError, describe};
use hf2ms_worker::protocol::Transport;

use super::Examiner;
use crate::args::route::Route;
use crate::cleanup::doubt::{Checked, Doubt};
use crate::cleanup::sites::is_same_id;
use crate::cleanup::source_refs::{account_name, missing, source_repo};
use crate::copy::inspect::{DestinationRepo, SourceRepo, source_error};
use crate::copy::plan::{FoundSides, Purpose, find};
use crate::copy::verify::check_exists;
use crate::runs::removal::{RECORD, Removal, RemovalRecord};
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
            Ok(_) => (),
            Err(SourceError::Hub(at, error)) if error.kind() == Kind::NotFound => {
                for kind in route.kinds() {
                    let at = route.source_at(settings, *kind, &at.revision);
                    match missing(&error, &at, settings).await {
                        Doubt::Absent => (),
                        doubt => return Err(doubt),
                    }
                }
                return Err(
                    match was_deleted(route, self.options.runs, settings).await? {
                        true => Doubt::Gone,
                        false => Doubt::Absent,
                    },
                );
            }
            // A hub that does not say what is there may have another repo of this id than the next look finds.
            Err(error) => return Err(source_error(route, settings, error).await.into()),
        }
        let both = match find(route, Purpose::Read, settings).await? {
            FoundSides::Skip(_) => return Err(is_space()),
            FoundSides::Both(both) => *both,
        };
        let source = &both.0.repo;
        if source.at.kind == RepoKind::Space {
            return Err(is_space());
        }
        check_not_renamed(source)?;
        self.check_one_kind(&source.at).await?;
        check_exists(&both.1)?;
        Ok(both)
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

/// Whether the source is not there, and a run of this machine has deleted it. Its hub is asked only where there is such a run.
///
/// # Errors
/// The hub's.
pub async fn is_gone(route: &Route, runs: &Runs, settings: &Settings) -> CliResult<bool> {
    if !was_deleted(route, runs, settings).await? {
        return Ok(false);
    }
    for kind in route.kinds() {
        let at = route.source_at(settings, *kind, route.asked());
        let found = source_repo(&at, settings)?.find().await;
        let found = found.map_err(|error| hub_error(&error, &at, settings, AccessMode::Read))?;
        if found.is_some() {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Whether a run of this machine has deleted the source, as far as is known by the account that asks now. Another account may not see a
/// repo that is there.
async fn was_deleted(route: &Route, runs: &Runs, settings: &Settings) -> CliResult<bool> {
    for kind in route.kinds() {
        let at = route.source_at(settings, *kind, route.asked());
        let Some(deletion) = deletion(&at, runs) else {
            continue;
        };
        let now = account_name(&at, settings).await?;
        if now.is_none() || deletion.account.is_none() || now == deletion.account {
            return Ok(true);
        }
    }
    Ok(false)
}

/// What the last copy or cleanup of this source has deleted. One after a deletion has seen another repo with the same id. The verification
/// of a deletion is a run, too.
fn deletion(at: &RepoAt, runs: &Runs) -> Option<RemovalRecord> {
    let all = runs.list();
    let is_of = |run: &&RunRecord| run.verb != RunVerb::Verify && run.source.is_same_repo(at);
    let last = all.iter().find(is_of)?;
    let is_done = last.verb == RunVerb::Cleanup && last.state == State::Done;
    let record: Option<RemovalRecord> = is_done.then(|| runs.read(&last.id, RECORD)).flatten();
    record.filter(|record| record.removal == Removal::Delete)
}

/// Refuses a pair that may be one repo: of one hub, with the same id. An address of a mirror site shows the repos of its hub.
pub(super) fn check_apart(source: &RepoAt, copy: &RepoAt) -> Checked<()> {
    match source.hub == copy.hub && is_same_id(&source.id, &copy.id) {
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
