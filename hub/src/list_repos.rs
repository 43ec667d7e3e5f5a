//! The answer to the question which repos an owner has on a hub. See [`crate::Repo::owner_repos`].

use crate::file::Refused;
use crate::repo::RepoId;

/// The repos of one kind that an owner has, as far as the token may see them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OwnerRepos {
    /// Their ids, sorted.
    pub repos: Vec<RepoId>,
    /// Entries of the hub's list that can't be copied, and why.
    pub refused: Vec<Refused>,
}
