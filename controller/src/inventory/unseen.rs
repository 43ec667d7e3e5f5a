//! Why a repo can't be looked at: it is gone, its hub has disabled it, or a hub fails.

use hf2ms_hub::{Error, Kind, RepoAt};

use crate::inventory::repos::InventoryEntry;
use crate::settings::Settings;
use crate::settings::hub_errors::{AccessMode, hub_error};
use crate::ui::errors::CliError;

/// Why a repo could not be looked at.
pub(super) enum Unseen {
    /// The source is gone.
    Vanished,
    /// Its hub has disabled one of the sides.
    Disabled(CliError),
    /// A hub's error.
    Failed(CliError),
}

/// What was found of a repo, or why nothing was.
pub(super) type InspectionResult<T> = Result<T, Unseen>;

impl From<CliError> for Unseen {
    fn from(failure: CliError) -> Self {
        Self::Failed(failure)
    }
}

impl Unseen {
    /// By an error of the source's hub.
    pub(super) fn of_source(error: &Error, at: &RepoAt, settings: &Settings) -> Self {
        match error.kind() {
            Kind::NotFound => Self::Vanished,
            _ => Self::of(error, at, settings, AccessMode::Read),
        }
    }

    /// By an error of the copy's hub.
    pub(super) fn of_copy(error: &Error, at: &RepoAt, settings: &Settings) -> Self {
        Self::of(error, at, settings, AccessMode::ReadDestination)
    }

    fn of(error: &Error, at: &RepoAt, settings: &Settings, mode: AccessMode) -> Self {
        let failure = hub_error(error, at, settings, mode);
        match error.kind() {
            Kind::Disabled => Self::Disabled(failure),
            _ => Self::Failed(failure),
        }
    }
}

/// That a hub has disabled one of the sides, where the list of its owner says so. Nobody can read it then, at whatever commit it stands.
pub(super) fn disabled_side(entry: &InventoryEntry, settings: &Settings) -> Option<CliError> {
    let is_copy_disabled = entry.listed.as_ref().is_some_and(|copy| copy.is_disabled);
    let (at, mode) = match (entry.owned.is_disabled, is_copy_disabled) {
        (true, _) => (&entry.source, AccessMode::Read),
        (false, true) => (&entry.destination, AccessMode::ReadDestination),
        (false, false) => return None,
    };
    let error = Error::new(Kind::Disabled, "the list of its owner says so");
    Some(hub_error(&error, at, settings, mode))
}
