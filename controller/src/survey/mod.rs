//! Looking at both sides, before anything is decided: what the source holds at which commit ([`here`]), what the
//! destination has, and whether it may be written ([`there`]).

mod here;
mod there;

pub use here::Here;
pub use there::There;

use hf2ms_hub::{Error, RepoAt};

use crate::explain::{Doing, Failure, explain};
use crate::settings::Settings;

/// A hub's error in words.
pub fn said(error: &Error, at: &RepoAt, settings: &Settings, doing: Doing) -> Failure {
    explain(error, at, has_token(settings, at), doing)
}

fn has_token(settings: &Settings, at: &RepoAt) -> bool {
    settings.access(at.hub).token.is_some()
}
