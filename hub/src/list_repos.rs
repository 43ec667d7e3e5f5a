//! The answer to the question which repos an owner has on a hub. See [`crate::Repo::owner_repos`].

use crate::file::Refused;
use crate::path::escape;
use crate::repo::{Gate, RepoId, Revision, Visibility};

/// A repo in the list of its owner, with what the hub's list tells of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnedRepo {
    /// Its id.
    pub id: RepoId,
    /// Who may see it.
    pub visibility: Option<Visibility>,
    /// Whether readers must ask for access first.
    pub gate: Gate,
    /// When it was changed last, in seconds since 1970.
    pub last_modified: Option<u64>,
    /// The commit at which its main branch stands.
    pub head: Option<Revision>,
    /// The number of accounts that like it.
    pub likes: Option<u64>,
    /// The number of downloads that the hub counts: of Hugging Face those of the last 30 days.
    pub downloads: Option<u64>,
    /// Whether the hub has disabled it. A hub that does not tell counts as one that has not.
    pub is_disabled: bool,
    /// The bytes by which the hub counts it against its owner's storage, older versions included.
    pub used_storage: Option<u64>,
}

impl OwnedRepo {
    /// A repo of which the list tells nothing but the id.
    pub fn named(id: RepoId) -> Self {
        Self {
            id,
            visibility: None,
            gate: Gate::Untold,
            last_modified: None,
            head: None,
            likes: None,
            downloads: None,
            is_disabled: false,
            used_storage: None,
        }
    }
}

/// The repos of one kind that an owner has, as far as the token may see them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OwnerRepos {
    /// The repos, sorted by their ids.
    pub repos: Vec<OwnedRepo>,
    /// Entries of the hub's list that can't be copied, and why.
    pub refused: Vec<Refused>,
}

impl OwnerRepos {
    /// Adds an entry that is whose it should be; anything else is not copied, and said.
    pub(crate) fn add(&mut self, id: &str, owner: &str, told: impl FnOnce(RepoId) -> OwnedRepo) {
        let refused = |reason: String| Refused {
            path: escape(id).chars().take(200).collect(),
            reason,
        };
        match id.parse::<RepoId>() {
            Ok(id) if id.owner().eq_ignore_ascii_case(owner) => self.repos.push(told(id)),
            Ok(_) => self.refused.push(refused(format!("it is not {owner}'s"))),
            Err(error) => self.refused.push(refused(error.to_string())),
        }
    }

    /// The whole list: sorted, each repo once, since a repo that is changed between two pages may stand on both.
    pub(crate) fn whole(mut self) -> Self {
        self.repos.sort_by(|a, b| a.id.cmp(&b.id));
        self.repos.dedup_by(|a, b| a.id == b.id);
        self
    }
}

/// Seconds since 1970 of a moment as hubs write it: `2026-11-20T09:40:00.000Z`.
pub(crate) fn seconds_of(moment: &str) -> Option<u64> {
    let moment: jiff::Timestamp = moment.parse().ok()?;
    u64::try_from(moment.as_second()).ok()
}
