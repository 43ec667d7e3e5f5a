//! Both sides as they are found: the source at its commit ([`source`]), the destination and the right to write it
//! ([`destination`]), and the SDK of a Space ([`app`]).

mod app;
mod destination;
mod source;

pub use destination::DestinationRepo;
pub use source::SourceRepo;

use hf2ms_hub::{Error, RepoAt, RepoInfo};

use crate::settings::hub_errors::{AccessMode, explain};
use crate::settings::{Access, Settings};
use crate::ui::errors::CliError;

/// The error of a command for a hub's error about this repo.
pub fn said(error: &Error, at: &RepoAt, settings: &Settings, doing: AccessMode) -> CliError {
    explain(error, at, access(settings, at, doing), doing)
}

/// The warning for a repo that was renamed.
pub fn renamed(at: &RepoAt, info: &RepoInfo) -> Option<String> {
    let now = info.renamed.as_ref()?;
    Some(format!(
        "{} is now {now} on {}: give that name from now on",
        at.id, at.hub
    ))
}

/// The endpoint and token of this side's hub.
fn access<'a>(settings: &'a Settings, at: &RepoAt, doing: AccessMode) -> &'a Access {
    match doing {
        AccessMode::Reading => settings.access(at.hub),
        AccessMode::Writing => settings.access_to(at.hub),
    }
}
