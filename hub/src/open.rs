//! Opening a repo as a source or as a destination: the one place that knows all hubs.

use std::sync::Arc;

use crate::destination::Destination;
use crate::error::Result;
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
/// [`crate::Kind::Invalid`] or [`crate::Kind::Refused`] for an endpoint that is no address; what [`crate::http::Http::new`] fails with.
pub fn open_source(side: &Side, http: HttpOptions) -> Result<Arc<dyn Source>> {
    Ok(match side.at.hub {
        Hub::HuggingFace => Arc::new(huggingface::Repo::open(side, http)?),
        Hub::ModelScope => Arc::new(modelscope::Repo::open(side, http)?),
    })
}

/// Opens a repo for writing.
///
/// # Errors
/// As [`open_source`].
pub fn open_destination(side: &Side, http: HttpOptions) -> Result<Arc<dyn Destination>> {
    Ok(match side.at.hub {
        Hub::HuggingFace => Arc::new(huggingface::Repo::open(side, http)?),
        Hub::ModelScope => Arc::new(modelscope::Repo::open(side, http)?),
    })
}
