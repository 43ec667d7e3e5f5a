//! What an owner has on a hub.

use crate::error::{Error, Kind, Result};
use crate::file::Refused;
use crate::http::HttpOptions;
use crate::huggingface;
use crate::open::Side;
use crate::repo::{Hub, RepoId};

/// The repos of one kind that an owner has, as far as the token may see them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Owned {
    /// Their ids, sorted.
    pub repos: Vec<RepoId>,
    /// What the hub lists and can't be taken, and why.
    pub refused: Vec<Refused>,
}

/// Lists what the owner of `side`'s repo has of that repo's kind. The repo itself need not exist.
///
/// # Errors
/// [`Kind::Invalid`] for a hub whose owners can't be listed yet; the hub's own.
pub async fn list_owned(side: &Side, http: HttpOptions) -> Result<Owned> {
    match side.at.hub {
        Hub::HuggingFace => huggingface::Repo::open(side, http)?.owned().await,
        hub => Err(Error::new(Kind::Invalid, format!("what an owner has on {hub} can't be listed yet: name the repos"))),
    }
}
