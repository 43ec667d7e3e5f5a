//! In place of Xet where this is built without: nothing is stored there, and nobody is let in.

use std::io;
use std::path::Path;

use crate::digest::Digest;
use crate::hub::Hub;
use crate::repo::Repo;

/// No storage at all.
pub struct Xet;

impl Xet {
    /// Nothing, wherever.
    pub fn new(_: &Path) -> Self {
        Self
    }

    /// No blob is there.
    pub fn hash(&self, _: &Digest) -> Option<String> {
        None
    }

    /// Stores nothing.
    pub async fn adopt(&self, _: &Hub, _: &Repo) -> io::Result<()> {
        Err(io::Error::other("this sandbox was built without Xet"))
    }

    /// Has nothing to give.
    pub async fn hand_over(&self, _: &Hub, _: &Digest) -> io::Result<bool> {
        Ok(false)
    }
}

/// What would be asked of the storage.
pub mod door {
    use std::sync::Arc;

    use axum::body::Body;
    use axum::http::Response;

    use crate::answer::{Answer, empty, typed};
    use crate::call::Call;
    use crate::world::World;

    /// Nothing has a name here.
    pub fn route(_: &Call) -> &'static str {
        "hf_cas.other"
    }

    /// Nobody gets one.
    pub fn token(_: &World, _: &Call, _: &str) -> Answer {
        Err(typed(404, "text/plain", "Not Found").into())
    }

    /// Answers no request.
    pub async fn handle(_: &Arc<World>, _: Call) -> Response<Body> {
        empty(404)
    }
}
