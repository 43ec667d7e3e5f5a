//! The row of each source in a cleanup: what was found, what is lost with it, and what became of it.

use hf2ms_hub::{RepoAt, RepoId};
use hf2ms_worker::protocol::Exit;
use schemars::JsonSchema;
use serde::Serialize;

use super::sites::is_same_id;
use super::verified::VerifiedRevision;
use crate::args::route::Route;
use crate::batch::list::BatchEntry;
use crate::runs::removal::{Losses, Removal};
use crate::ui::counts::Status;
use crate::ui::errors::did_you_mean;
use crate::ui::nouns::grouped;
use crate::ui::screen::size;
use crate::ui::table::number;

/// One source of a cleanup, and its copy.
pub struct CleanupEntry {
    /// The name for people.
    pub name: String,
    /// The source and the copy.
    pub route: Route,
    /// The owner of the copy, where it was named.
    pub owner: Option<String>,
}

impl CleanupEntry {
    /// An entry of the command line or a list, either of which may name the owner of its copy.
    pub fn of(entry: BatchEntry) -> Self {
        let named = entry.names_owner;
        let own = Self::of_own(entry);
        Self {
            owner: own.owner.filter(|_| named),
            ..own
        }
    }

    /// The same of a copy that this account has just written.
    pub fn of_own(entry: BatchEntry) -> Self {
        let owner = Some(entry.destination.owner().to_owned());
        let BatchEntry { name, route, .. } = entry;
        Self { name, route, owner }
    }

    /// Whether its copy is on the same hub, with this id.
    pub(super) fn is_copied_to(&self, id: &RepoId) -> bool {
        let route = &self.route;
        route.from() == route.to() && is_same_id(route.destination_id(), id)
    }

    /// Whether another source, of the same hub, may be of the same kind.
    pub(super) fn may_meet(&self, other: &Self) -> bool {
        let (one, other) = (&self.route, &other.route);
        let is_other = !is_same_id(one.source_id(), other.source_id());
        is_other && one.from() == other.from() && one.may_be_kind_of(other)
    }
}

/// What became of a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CleanupState {
    /// Its copy is whole, and it could be removed.
    WouldGo,
    /// It was removed.
    Removed,
    /// A run of this machine has deleted it before.
    Gone,
    /// There is nothing to do: it is private already.
    Settled,
    /// It was not found: its id is wrong, or it may not be seen.
    NotFound,
    /// It stays: the reason says why.
    Stays,
    /// Something has changed between the verification and the removal: it stays.
    Changed,
    /// Nobody has agreed to its removal.
    NotConfirmed,
    /// Its hub was asked, and has not done it or has not shown that it has.
    Failed,
    /// The cleanup has stopped before it.
    NotLookedAt,
}

impl Status for CleanupState {
    const ALL: &[Self] = &[
        Self::WouldGo,
        Self::Removed,
        Self::Gone,
        Self::Settled,
        Self::NotFound,
        Self::Stays,
        Self::Changed,
        Self::NotConfirmed,
        Self::Failed,
        Self::NotLookedAt,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::WouldGo => "would go",
            Self::Removed => "removed",
            Self::Gone => "gone already",
            Self::Settled => "nothing to do",
            Self::NotFound => "not found",
            Self::Stays => "stays",
            Self::Changed => "changed",
            Self::NotConfirmed => "not confirmed",
            Self::Failed => "failed",
            Self::NotLookedAt => "not looked at",
        }
    }

    /// What a row has as its state.
    fn key(self) -> &'static str {
        match self {
            Self::WouldGo => "would_go",
            Self::Gone => "gone",
            Self::Settled => "settled",
            Self::NotFound => "not_found",
            Self::NotConfirmed => "not_confirmed",
            Self::NotLookedAt => "not_looked_at",
            other => other.name(),
        }
    }

    fn name_of(self, count: usize) -> &'static str {
        match self {
            Self::Stays if count > 1 => "stay",
            other => other.name(),
        }
    }
}

/// The row of one source.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct CleanupRow {
    /// The source, as it was named.
    name: String,
    /// What became of it.
    state: CleanupState,
    /// The source at the commit of its main branch, once it was found.
    source: Option<RepoAt>,
    /// Its copy.
    copy: Option<RepoAt>,
    /// How the copy shows more than the source.
    copy_shows_more: Option<String>,
    /// The files of its main branch.
    files: Option<u64>,
    /// Their bytes.
    bytes: Option<u64>,
    /// Its branches and tags, all of which were compared.
    revisions: Option<u64>,
    /// What is lost with it.
    losses: Option<Losses>,
    /// What was done with it.
    removal: Option<Removal>,
    /// Why it stays.
    reason: Option<String>,
    /// The repo of the same owner that may have been meant by one that was not found.
    #[serde(skip_serializing_if = "Option::is_none")]
    nearest: Option<String>,
    /// The run that has removed it, or was to.
    run: Option<String>,
    #[serde(skip)]
    exit: Exit,
}

impl CleanupRow {
    /// A source of which nothing is known.
    pub fn of(entry: &CleanupEntry) -> Self {
        Self {
            name: entry.name.clone(),
            state: CleanupState::NotLookedAt,
            source: None,
            copy: None,
            copy_shows_more: None,
            files: None,
            bytes: None,
            revisions: None,
            losses: None,
            removal: None,
            reason: None,
            nearest: None,
            run: None,
            exit: Exit::Incomplete,
        }
    }

    /// The name for people.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What became of it.
    pub fn state(&self) -> CleanupState {
        self.state
    }

    /// Why it stays.
    pub fn reason(&self) -> Option<&str> {
        self.reason.as_deref()
    }

    /// What was done with it.
    pub fn removal(&self) -> Option<&Removal> {
        self.removal.as_ref()
    }

    /// The exit code of this source alone.
    pub fn exit(&self) -> Exit {
        self.exit
    }

    /// Both sides were found.
    pub(super) fn found(&mut self, source: &RepoAt, copy: &RepoAt) {
        (self.source, self.copy) = (Some(source.clone()), Some(copy.clone()));
    }

    /// The run that holds its locks.
    pub(super) fn begun(&mut self, run: &str) {
        self.run = Some(run.to_owned());
    }

    /// All of its branches and tags were compared. Files and bytes of its main branch.
    pub(super) fn measured(&mut self, revisions: &[VerifiedRevision]) -> (u64, u64) {
        let main = self.source.as_ref().map(|source| &source.revision);
        let mut records = revisions.iter().map(VerifiedRevision::record);
        let main = records.find(|record| Some(&record.commit) == main);
        let files = main.map_or(&[][..], |main| &main.files);
        let files_and_bytes = (files.len() as u64, files.iter().map(|file| file.size).sum());
        self.revisions = Some(revisions.len() as u64);
        (self.files, self.bytes) = (Some(files_and_bytes.0), Some(files_and_bytes.1));
        files_and_bytes
    }

    /// Who sees the copy is known.
    pub(super) fn shows(&mut self, more: Option<String>) {
        self.copy_shows_more = more;
    }

    /// What is lost is known.
    pub(super) fn loses(&mut self, losses: Losses) {
        self.losses = Some(losses);
    }

    /// Its hub lets no token remove it.
    pub(super) fn by_hand(&mut self) {
        self.exit = Exit::Refused;
    }

    /// It could be removed.
    pub(super) fn would_go(&mut self) {
        (self.state, self.exit) = (CleanupState::WouldGo, Exit::Done);
    }

    /// A run of this machine has deleted it before.
    pub(super) fn gone(&mut self) {
        (self.state, self.exit) = (CleanupState::Gone, Exit::Done);
    }

    /// It is as the removal would leave it.
    pub(super) fn settled(&mut self, reason: String) {
        self.ended(CleanupState::Settled, reason, Exit::Done);
    }

    /// It was not found.
    pub(super) fn absent(&mut self, nearest: Option<String>) {
        self.nearest = nearest;
        let reason = "check its id, and that the token may see it".to_owned();
        self.ended(CleanupState::NotFound, reason, Exit::Refused);
    }

    /// It stays.
    pub(super) fn stays(&mut self, reason: String) {
        (self.state, self.reason) = (CleanupState::Stays, Some(reason));
    }

    /// It was removed.
    pub(super) fn removed(&mut self, removal: Removal) {
        (self.state, self.exit) = (CleanupState::Removed, Exit::Done);
        (self.removal, self.reason) = (Some(removal), None);
    }

    /// It stays in this state, which ends the cleanup.
    pub(super) fn ended(&mut self, state: CleanupState, reason: String, exit: Exit) {
        (self.state, self.reason, self.exit) = (state, Some(reason), exit);
    }

    /// The cells of the table.
    pub(super) fn cells(&self) -> Vec<String> {
        let copy = self.copy.as_ref().map(RepoAt::web_url);
        let copy = copy.map(|url| match &self.copy_shows_more {
            Some(more) => format!("{url} ({more})"),
            None => url,
        });
        let lost = self.losses.as_ref().map(Losses::readable);
        let meant = self.nearest.as_deref().map(did_you_mean);
        let state = match &self.removal {
            Some(removal) => removal.done(),
            None => self.state.name().to_owned(),
        };
        vec![
            self.name.clone(),
            state,
            number(self.files.map(grouped)),
            number(self.bytes.map(size)),
            number(copy),
            number(lost),
            self.reason.clone().unwrap_or_default() + &meant.unwrap_or_default(),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_has_the_state_of_its_rows_as_key() {
        for state in CleanupState::ALL {
            assert_eq!(serde_json::to_value(state).unwrap(), state.key());
        }
    }
}
