//! What an owner has on a hub.

use crate::error::Result;
use crate::file::Refused;
use crate::http::HttpOptions;
use crate::hub::Hub;
use crate::open::Side;
use crate::repo::RepoId;
use crate::{Error, Kind, huggingface, modelscope};

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
/// The hub's.
pub async fn list_owned(side: &Side, http: HttpOptions) -> Result<Owned> {
    match side.at.hub {
        Hub::Git => Err(Error::new(
            Kind::Usage,
            "a Git host does not list what an owner has",
        )),
        Hub::HuggingFace => {
            huggingface::HuggingFaceRepo::open(side, http)?
                .owned()
                .await
        }
        Hub::ModelScope => modelscope::ModelScopeRepo::open(side, http)?.owned().await,
    }
}
