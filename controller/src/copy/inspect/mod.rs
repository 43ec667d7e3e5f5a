//! Looking at both sides, before anything is decided: what the source holds at which commit ([`source`]), what the
//! destination has, and whether it may be written ([`destination`]); of a Space, what runs it ([`app`]).

mod app;
mod destination;
mod source;

pub use destination::DestinationRepo;
pub use source::SourceRepo;

use hf2ms_hub::{Error, RepoAt, RepoInfo};

use crate::settings::hub_errors::{AccessMode, explain};
use crate::settings::{Access, Settings};
use crate::ui::errors::CliError;

/// A hub's error in words.
pub fn said(error: &Error, at: &RepoAt, settings: &Settings, doing: AccessMode) -> CliError {
    explain(error, at, access(settings, at, doing), doing)
}

/// The line about a repo that its hub knows by another name.
pub fn renamed(at: &RepoAt, info: &RepoInfo) -> Option<String> {
    let now = info.renamed.as_ref()?;
    Some(format!(
        "{} is now {now} on {}: give that name from now on",
        at.id, at.hub
    ))
}

/// How this side's hub is reached.
fn access<'a>(settings: &'a Settings, at: &RepoAt, doing: AccessMode) -> &'a Access {
    match doing {
        AccessMode::Reading => settings.access(at.hub),
        AccessMode::Writing => settings.access_to(at.hub),
    }
}
