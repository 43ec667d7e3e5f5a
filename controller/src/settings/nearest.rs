//! What may have been meant by a repo or an owner that was not found: the repo of that owner whose name is nearest, or the nearest of the
//! account and its organisations. One request tells the repos of an owner, and one the account, once a command. It is told beside the error
//! and not kept with it, since a private repo's name has no place in a log.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use hf2ms_hub::{Hub, RepoAt, RepoId, RepoKind, list_first_repos};
use tokio::sync::{Mutex, OnceCell};

use crate::settings::account::account;
use crate::settings::{Settings, load};
use crate::ui::alike;
use crate::ui::errors::{Absent, CliError};

/// Nobody waits longer than this for a hint.
const PATIENCE: Duration = Duration::from_secs(5);

/// The hints of one command, which asks for each list once.
#[derive(Debug, Default)]
pub struct Hints {
    lists: Mutex<HashMap<ListKey, Arc<OnceCell<Vec<String>>>>>,
}

/// A list of names: the repos of this owner and kind, or without them the account and its organisations.
type ListKey = (Hub, String, Option<(RepoKind, String)>);

impl Hints {
    /// The error, with what may have been meant where it is about something that was not found.
    pub async fn beside(&self, failure: CliError) -> CliError {
        let absent = failure.absent().filter(|_| failure.nearest().is_none());
        match absent.cloned() {
            Some(absent) => failure.with_nearest(self.nearest(&absent).await),
            None => failure,
        }
    }

    /// What may have been meant. A hint that can't be had is none: the error says what is wrong.
    pub async fn nearest(&self, absent: &Absent) -> Option<String> {
        let (at, list) = match absent {
            Absent::Repo(at) => {
                let owner = at.id.owner().to_lowercase();
                (at, Some((at.kind, owner)))
            }
            Absent::Owner(at) => (at, None),
        };
        let key = (at.hub, at.endpoint.clone(), list);
        let cell = Arc::clone(self.lists.lock().await.entry(key).or_default());
        let names = cell.get_or_init(|| async {
            let asked = tokio::time::timeout(PATIENCE, names(absent)).await;
            asked.ok().flatten().unwrap_or_default()
        });
        let names = names.await;
        match absent {
            Absent::Repo(at) => repo_meant(&at.id, names),
            Absent::Owner(at) => owner_meant(at.id.owner(), names),
        }
    }
}

/// The names among which it may be.
async fn names(absent: &Absent) -> Option<Vec<String>> {
    let settings = load().ok()?;
    let mut http = settings.http();
    http.retry.retries = 0;
    let settings = settings.with_http(http);
    match absent {
        Absent::Repo(at) => repos_of(at, &settings).await,
        Absent::Owner(at) => accounts(at, &settings).await,
    }
}

async fn repos_of(at: &RepoAt, settings: &Settings) -> Option<Vec<String>> {
    let side = settings.source(at).ok()?;
    let listing = list_first_repos(&side, settings.http()).await.ok()?;
    let owned = listing.repos.into_iter();
    Some(owned.map(|owned| owned.id.to_string()).collect())
}

async fn accounts(at: &RepoAt, settings: &Settings) -> Option<Vec<String>> {
    let access = settings.access(at.hub);
    access.token.as_ref()?;
    let told = account(at, access, settings).await.ok()?;
    let organisations = told.organisations.into_iter();
    let organisations = organisations.map(|organisation| organisation.name);
    Some([told.name].into_iter().chain(organisations).collect())
}

/// The id whose name is nearest; none where the repo itself is listed, since something else of it was not found then.
fn repo_meant(absent: &RepoId, ids: &[String]) -> Option<String> {
    let near = alike::nearest(absent.name(), ids.iter().map(|id| name_of(id)))?;
    let is_listed = ids.iter().any(|id| id == absent.as_str());
    let found = ids.iter().find(|id| name_of(id) == near);
    found.filter(|_| !is_listed).cloned()
}

fn name_of(id: &str) -> &str {
    id.split_once('/').map_or(id, |(_, name)| name)
}

/// The nearest owner; none where that is the one that was named, which has nothing then.
fn owner_meant(absent: &str, names: &[String]) -> Option<String> {
    let near = alike::nearest(absent, names.iter().map(String::as_str))?;
    (!near.eq_ignore_ascii_case(absent)).then(|| near.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn the_nearest_name_of_the_owner_is_meant_and_none_that_is_unlike() {
        let ids = list(&["org/bert-base", "org/gpt2"]);
        let of = |id: &str| repo_meant(&id.parse().unwrap(), &ids);
        assert_eq!(of("org/bert-bsae").as_deref(), Some("org/bert-base"));
        assert_eq!(of("org/Bert_Base").as_deref(), Some("org/bert-base"));
        assert_eq!(of("org/whisper"), None);
        assert_eq!(of("org/gpt2"), None, "its revision is what was not found");
    }

    #[test]
    fn the_nearest_account_is_meant_and_not_the_one_that_was_named() {
        let names = list(&["alice", "acme-labs"]);
        let of = |owner: &str| owner_meant(owner, &names);
        assert_eq!(of("acme-lab").as_deref(), Some("acme-labs"));
        assert_eq!(of("Alice"), None, "it has no repo");
        assert_eq!(of("zoo"), None);
    }
}
