//! What hubs in memory say of themselves.

use hf2ms_hub::{Account, Gate, RepoInfo, Visibility};

pub(super) fn account() -> Account {
    Account {
        can_write: Some(true),
        ..Account::named("alice")
    }
}

/// An open repo whose hub tells no commits.
pub(super) fn info(visibility: Visibility) -> RepoInfo {
    RepoInfo {
        commit: None,
        visibility,
        gate: Gate::Open,
        renamed: None,
        files: None,
    }
}
