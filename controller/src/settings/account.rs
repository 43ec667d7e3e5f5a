//! Whose a token is: what its hub says of it.

use hf2ms_hub::{Account, Error, Hub, RepoAt, RepoKind, Revision, Side, open_source};

use super::{Access, Settings};

/// Any repo of a hub: accounts are asked for through one, and which does not matter.
pub fn any_repo(hub: Hub, access: &Access) -> Option<RepoAt> {
    Some(RepoAt {
        hub,
        endpoint: access.endpoint.clone(),
        kind: RepoKind::Model,
        id: "hf2ms/hf2ms".parse().ok()?,
        revision: Revision::main_of(hub),
    })
}

/// The account of the token of `access`.
///
/// # Errors
/// The hub's: it refuses the token, or can't be reached.
pub async fn account(at: &RepoAt, access: &Access, settings: &Settings) -> Result<Account, Error> {
    let side = Side {
        at: at.clone(),
        token: access.token.clone(),
    };
    open_source(&side, settings.http())?.account().await
}

/// An account and its rights in words: `alice on Hugging Face, in acme; may read`.
pub fn described(hub: Hub, account: &Account) -> String {
    let may = match account.can_write {
        Some(true) => "may read and write",
        Some(false) => "may read",
        None => "may read; whether it may write shows when a repo is created",
    };
    let also = match account.organisations.as_slice() {
        [] => String::new(),
        organisations => format!(", in {}", organisations.join(", ")),
    };
    format!("{} on {hub}{also}; {may}", account.name)
}
