//! Whose a token is: what its hub says of it.

use std::str::FromStr;

use hf2ms_hub::{
    Account, Error, Hub, OwnedRepo, OwnerRepos, RepoAt, RepoId, RepoKind, Revision, Side,
    Visibility, list_repos, open_source,
};

use super::hub_errors::AccessMode;
use super::{Access, Settings};
use crate::ui::errors::CliError;

/// Any repo of a hub: accounts are asked for through one, and which does not matter.
pub fn any_repo(hub: Hub, access: &Access) -> Option<RepoAt> {
    any_of(hub, RepoKind::Model, "hf2ms", &access.endpoint).ok()
}

/// A repo of an owner, of which the name does not matter.
///
/// # Errors
/// The owner's name is none.
pub fn any_of(
    hub: Hub,
    kind: RepoKind,
    owner: &str,
    endpoint: &str,
) -> Result<RepoAt, <RepoId as FromStr>::Err> {
    Ok(RepoAt {
        hub,
        endpoint: endpoint.to_owned(),
        kind,
        id: format!("{owner}/hf2ms").parse()?,
        revision: Revision::main_of(hub),
    })
}

/// The account of the token of `access`.
///
/// # Errors
/// The hub's: it refuses the token, or can't be reached.
pub async fn account(at: &RepoAt, access: &Access, settings: &Settings) -> Result<Account, Error> {
    open_source(&side(at, access), settings.http())?
        .account()
        .await
}

/// What the owner of `at` has of its kind, as the token of this side sees it.
///
/// # Errors
/// The hub's.
pub async fn owned_repos(
    at: &RepoAt,
    mode: AccessMode,
    settings: &Settings,
) -> Result<OwnerRepos, Error> {
    let side = match mode {
        AccessMode::Read | AccessMode::Remove => settings.source(at),
        AccessMode::Write => settings.destination(at),
    };
    list_repos(&side?, settings.http()).await
}

/// The error of an owner without any repo of these kinds.
pub fn owns_nothing(owner: &str, kinds: &[RepoKind], hub: Hub) -> CliError {
    let kinds: Vec<String> = kinds.iter().map(|kind| format!("{kind}s")).collect();
    let kinds = kinds.join(" or ");
    CliError::refused(format!(
        "{owner} has no {kinds} on {hub} that the token may see: check the name"
    ))
}

/// The bytes by which a hub counts the private ones of these repos against their owner's storage; `None` where it does not tell.
pub fn private_bytes<'a>(repos: impl IntoIterator<Item = &'a OwnedRepo>) -> Option<u64> {
    let repos = repos.into_iter();
    let private = repos.filter(|owned| owned.visibility != Some(Visibility::Public));
    private.map(|owned| owned.used_storage).sum()
}

/// The bytes by which the hub counts an owner's private repos against its storage; `None` where a listing fails or does not tell.
pub async fn private_storage_used(
    hub: Hub,
    owner: &str,
    access: &Access,
    settings: &Settings,
) -> Option<u64> {
    let listings = RepoKind::ALL.map(|kind| async move {
        let at = any_of(hub, kind, owner, &access.endpoint).ok()?;
        let listed = list_repos(&side(&at, access), settings.http()).await.ok()?;
        private_bytes(&listed.repos)
    });
    let listed = futures_util::future::join_all(listings).await;
    listed.into_iter().sum()
}

fn side(at: &RepoAt, access: &Access) -> Side {
    Side {
        at: at.clone(),
        token: access.token.clone(),
    }
}

/// An account and its rights in words: `alice on Hugging Face, in acme; may read`.
pub fn described(hub: Hub, account: &Account) -> String {
    let may = match (account.can_write, &account.scopes) {
        (Some(true), _) => "may read and write",
        (Some(false), _) => "may read",
        (None, Some(_)) => "a fine-grained token, which may do what its permissions say",
        (None, None) => "may read; whether it may write shows when a repo is created",
    };
    let names = account.organisations.iter();
    let names: Vec<&str> = names
        .map(|organisation| organisation.name.as_str())
        .collect();
    let also = match names.as_slice() {
        [] => String::new(),
        names => format!(", in {}", names.join(", ")),
    };
    format!("{} on {hub}{also}; {may}", account.name)
}
