//! Both sides as they are found: the source at its commit ([`source`]), the destination and the right to write it
//! ([`destination`]), and the SDK of a Space ([`app`]).

mod app;
mod destination;
mod source;

pub use destination::{DestinationRepo, Writer};
pub use source::{SourceRepo, source_error};

use hf2ms_hub::{RepoAt, RepoInfo};

/// The warning for a repo that was renamed.
pub fn renamed(at: &RepoAt, info: &RepoInfo) -> Option<String> {
    let now = info.renamed.as_ref()?;
    Some(format!(
        "{} is now {now} on {}: give that name from now on",
        at.id, at.hub
    ))
}
