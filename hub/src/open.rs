//! Opening a repo as a source or as a destination: the one place that knows all hubs.

use std::sync::Arc;

use crate::destination::Destination;
use crate::error::{Error, Kind, Result};
use crate::http::HttpOptions;
use crate::repo::{Hub, RepoAt};
use crate::source::Source;
use crate::token::Token;
use crate::{huggingface, modelscope};

/// One side of a migration.
#[derive(Debug, Clone)]
pub struct Side {
    /// Which repo.
    pub at: RepoAt,
    /// The hub's token, if there is one.
    pub token: Option<Token>,
}

/// Opens a repo for reading.
///
/// # Errors
/// [`Kind::Invalid`] for a hub that can't be a source yet; what [`crate::http::Http::new`] fails with.
pub fn open_source(side: &Side, http: HttpOptions) -> Result<Arc<dyn Source>> {
    match side.at.hub {
        Hub::HuggingFace => Ok(Arc::new(huggingface::Repo::open(side, http)?)),
        hub => Err(Error::new(Kind::Invalid, format!("{hub} can't be a source yet"))),
    }
}

/// Opens a repo for writing.
///
/// # Errors
/// [`Kind::Invalid`] for a hub that can't be a destination yet; what [`crate::http::Http::new`] fails with.
pub fn open_destination(side: &Side, http: HttpOptions) -> Result<Arc<dyn Destination>> {
    match side.at.hub {
        Hub::ModelScope => Ok(Arc::new(modelscope::Repo::open(side, http)?)),
        hub => Err(Error::new(Kind::Invalid, format!("{hub} can't be a destination yet"))),
    }
}
