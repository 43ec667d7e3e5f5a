//! Whose token it is, asked once a token and process: two or three quick questions get 429 for some minutes, whatever the other
//! limits say (recorded). Facts: huggingface_hub 2.4.0, `hf_api.py` (`whoami`), and answers that other projects recorded.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use tokio::sync::OnceCell;

use super::HuggingFaceRepo;
use super::profile::PROFILE;
use super::wire::{FineGrained, Scoped, WhoAmI};
use crate::http::Request;
use crate::{
    Account, Error, Kind, Organisation, OrganisationRole, PermissionGrant, PermissionTarget,
    RepoKind, Result, Sha256, Token, TokenScopes,
};

/// The account of one token, once it was asked for; `None` where the hub's limit did not let it tell.
pub(super) type Known = Arc<OnceCell<Option<Account>>>;

const LONGEST: u64 = 1 << 20;

/// Entities of permissions that hold no models, datasets or Spaces.
const WITHOUT_REPOS: [&str; 4] = ["bucket", "kernel", "collection", "oauth-app"];

/// What this process knows, by endpoint and by the token's digest.
static KNOWN: LazyLock<Mutex<HashMap<(String, Sha256), Known>>> = LazyLock::new(Mutex::default);

/// What is known of a token at the hub at `base`: shared by all that work with this token.
pub(super) fn known(base: &str, token: &Token) -> Known {
    let key = (base.to_owned(), Sha256::of(token.secret().as_bytes()));
    KNOWN
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .entry(key)
        .or_default()
        .clone()
}

/// Whose token it is. Asks nothing without one, and nothing that was answered before.
///
/// # Errors
/// [`Kind::RateLimited`] is neither waited for nor asked about again: this question has a limit of its own.
pub(super) async fn account(repo: &HuggingFaceRepo) -> Result<Account> {
    let no_token = || Error::new(Kind::Unauthorized, "no Hugging Face token was given");
    let known = repo.account.as_ref().ok_or_else(no_token)?;
    let limited = || {
        Error::new(
            Kind::RateLimited,
            "Hugging Face does not say now whose token this is",
        )
        .with_status(429)
    };
    known
        .get_or_try_init(|| ask(repo))
        .await?
        .clone()
        .ok_or_else(limited)
}

async fn ask(repo: &HuggingFaceRepo) -> Result<Option<Account>> {
    let url = super::api::address(&format!("{}/api/whoami-v2", repo.base))?;
    let attempt = || async {
        match repo.http.send(Request::get(url.clone()).once()).await {
            Err(error) if error.kind() == Kind::RateLimited => Ok(None),
            answer => answer?.json_within::<WhoAmI>(LONGEST).await.map(Some),
        }
    };
    let told = repo.http.options().retrying(attempt);
    Ok(told.await?.map(account_of))
}

fn account_of(told: WhoAmI) -> Account {
    let token = told.auth.and_then(|auth| auth.access_token);
    let role = token.as_ref().and_then(|token| token.role.as_deref());
    let organisation = |told: super::wire::Organisation| Organisation {
        role: told
            .role_in_org
            .as_deref()
            .and_then(OrganisationRole::named),
        name: told.name,
    };
    Account {
        name: told.name,
        organisations: told.orgs.into_iter().flatten().map(organisation).collect(),
        can_write: role.and_then(may_write),
        plan: told.is_pro.and_then(plan),
        // Of a token that has a role, only the role counts.
        scopes: token
            .filter(|token| token.role.as_deref() == Some("fineGrained"))
            .and_then(|token| token.fine_grained)
            .map(scopes),
    }
}

/// The plan's name in the profile, whose first is the one that costs nothing.
fn plan(is_pro: bool) -> Option<&'static str> {
    let plans = PROFILE.private_storage;
    let plan = if is_pro { plans.last() } else { plans.first() };
    plan.map(|(name, _)| *name)
}

fn scopes(told: FineGrained) -> TokenScopes {
    let of_repos = |name: &String| name.starts_with("repo.");
    let mut scopes = TokenScopes {
        reads_gated: told.can_read_gated_repos == Some(true),
        is_partial: told.global.iter().flatten().any(of_repos),
        grants: Vec::new(),
    };
    for scoped in told.scoped.into_iter().flatten() {
        let names = scoped.permissions.as_deref().unwrap_or_default();
        let has = |wanted: &str| names.iter().any(|name| name == wanted);
        let names = PROFILE.permissions;
        match target(&scoped) {
            Some(on) => scopes.grants.push(PermissionGrant {
                on,
                can_read: names.is_some_and(|names| has(names.read)),
                can_write: names.is_some_and(|names| has(names.write)),
            }),
            None if holds_no_repos(&scoped) => {}
            None => {
                scopes.is_partial |= scoped.permissions.iter().flatten().any(of_repos);
            }
        }
    }
    scopes
}

fn holds_no_repos(scoped: &Scoped) -> bool {
    let entity = scoped.entity.as_ref();
    let kind = entity.and_then(|entity| entity.kind.as_deref());
    kind.is_some_and(|kind| WITHOUT_REPOS.contains(&kind))
}

/// What a permission is about; `None` for an entity whose repos only the hub knows, such as a resource group.
fn target(scoped: &Scoped) -> Option<PermissionTarget> {
    let entity = scoped.entity.as_ref()?;
    let name = entity.name.as_deref()?;
    let repo = |kind| Some(PermissionTarget::Repo(kind, name.parse().ok()?));
    match entity.kind.as_deref()? {
        "user" | "org" => Some(PermissionTarget::Owner(name.to_owned())),
        "model" => repo(RepoKind::Model),
        "dataset" => repo(RepoKind::Dataset),
        "space" => repo(RepoKind::Space),
        _ => None,
    }
}

/// Whether a token of this role may write; a fine-grained one may here and not there.
fn may_write(role: &str) -> Option<bool> {
    match role {
        "write" => Some(true),
        "read" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::testing::{TOKEN, anonymous, repo};
    use super::*;
    use crate::Repo;
    use crate::http::testing::{Reply, Server};

    fn who(role: &str) -> Reply {
        Reply::json(
            &json!({"name": "me", "isPro": true, "orgs": [{"name": "us", "roleInOrg": "write"}], "auth": {"accessToken": {"role": role}}}),
        )
    }

    #[tokio::test]
    async fn an_account_has_a_name_organisations_and_a_role() {
        for (role, can_write) in [
            ("write", Some(true)),
            ("read", Some(false)),
            ("fineGrained", None),
        ] {
            let server = Server::scripted([who(role)]).await;
            let account = repo(&server).account().await.unwrap();
            assert_eq!(
                account,
                Account {
                    organisations: vec![Organisation {
                        name: "us".into(),
                        role: Some(OrganisationRole::Write)
                    }],
                    can_write,
                    plan: Some("PRO"),
                    ..Account::named("me")
                }
            );
            assert_eq!(
                server.seen()[0].header("authorization"),
                Some(format!("Bearer {TOKEN}").as_str())
            );
        }
    }

    #[tokio::test]
    async fn a_server_that_tells_no_more_than_a_name_is_understood() {
        for told in [
            json!({"name": "me"}),
            json!({"name": "me", "orgs": null, "auth": {"type": "Bearer"}}),
            json!({"name": "me", "auth": null}),
            json!({"name": "me", "orgs": [], "auth": {"accessToken": {"role": "fineGrained"}}}),
        ] {
            let server = Server::scripted([Reply::json(&told)]).await;
            let account = repo(&server).account().await.unwrap();
            assert_eq!(account, Account::named("me"), "{told}");
        }
    }

    /// The shape of an answer that another project recorded.
    #[tokio::test]
    async fn the_permissions_of_a_fine_grained_token_are_read() {
        let scoped = json!([
            {"entity": {"_id": "6a61", "type": "user", "name": "me"}, "permissions": ["repo.content.read", "repo.access.read", "repo.write"]},
            {"entity": {"_id": "6a62", "type": "org", "name": "us"}, "permissions": ["repo.content.read", "discussion.write"]},
            {"entity": {"_id": "6a63", "type": "dataset", "name": "us/data"}, "permissions": ["repo.write"]},
            {"entity": {"_id": "6a64", "type": "bucket", "name": "me/bucket"}, "permissions": ["repo.write"]},
        ]);
        let answer = |scoped: &serde_json::Value| {
            let fine_grained = json!({"canReadGatedRepos": true, "global": ["discussion.write"], "scoped": scoped});
            let token =
                json!({"displayName": "t", "role": "fineGrained", "fineGrained": fine_grained});
            Reply::json(&json!({"name": "me", "isPro": false, "auth": {"accessToken": token}}))
        };
        let grant = |on, can_read, can_write| PermissionGrant {
            on,
            can_read,
            can_write,
        };
        let server = Server::scripted([answer(&scoped)]).await;
        let account = repo(&server).account().await.unwrap();
        let expected = TokenScopes {
            grants: vec![
                grant(PermissionTarget::Owner("me".into()), true, true),
                grant(PermissionTarget::Owner("us".into()), true, false),
                grant(
                    PermissionTarget::Repo(RepoKind::Dataset, "us/data".parse().unwrap()),
                    false,
                    true,
                ),
            ],
            reads_gated: true,
            is_partial: false,
        };
        assert_eq!((account.can_write, account.plan), (None, Some("free")));
        assert_eq!(account.scopes, Some(expected));
        for kind in ["resource-group", "something-new"] {
            let scoped =
                json!([{"entity": {"_id": "6a65", "type": kind}, "permissions": ["repo.write"]}]);
            let server = Server::scripted([answer(&scoped)]).await;
            let scopes = repo(&server).account().await.unwrap().scopes.unwrap();
            assert!(scopes.is_partial && scopes.grants.is_empty(), "{kind}");
        }
    }

    #[tokio::test]
    async fn one_token_is_asked_about_once_in_a_process() {
        let server = Server::answering(|_| who("write")).await;
        let accounts = futures_util::future::join_all((0..8).map(|_| {
            let repo = repo(&server);
            async move { repo.account().await.unwrap().name }
        }));
        assert_eq!(accounts.await, ["me"; 8]);
        assert_eq!(server.lines(), ["GET /api/whoami-v2"]);
    }

    #[tokio::test]
    async fn its_limit_is_not_waited_for_and_another_failure_is() {
        let server = Server::scripted([Reply::new(503, &[], ""), Reply::new(429, &[], "")]).await;
        for _ in 0..3 {
            assert_eq!(
                repo(&server).account().await.unwrap_err().kind(),
                Kind::RateLimited
            );
        }
        assert_eq!(server.seen().len(), 2);
        let server = Server::scripted([Reply::new(400, &[], ""), who("read")]).await;
        assert_eq!(
            repo(&server).account().await.unwrap_err().kind(),
            Kind::Invalid
        );
        assert_eq!(
            repo(&server).account().await.unwrap().can_write,
            Some(false),
            "another error is not remembered"
        );
    }

    #[tokio::test]
    async fn without_a_token_nobody_is_asked() {
        let server = Server::scripted([]).await;
        assert_eq!(
            anonymous(&server).account().await.unwrap_err().kind(),
            Kind::Unauthorized
        );
        assert!(server.seen().is_empty());
    }
}
