//! Whose token it is, asked once a token and process: two or three quick questions get 429 for some minutes, whatever the other
//! limits say (recorded). Facts: huggingface_hub 2.4.0, `hf_api.py` (`whoami`).

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use tokio::sync::OnceCell;

use super::HuggingFaceRepo;
use super::wire::WhoAmI;
use crate::http::Request;
use crate::{Account, Error, Kind, Result, Sha256, Token};

/// The account of one token, once it was asked for; `None` where the hub's limit did not let it tell.
pub(super) type Known = Arc<OnceCell<Option<Account>>>;

const LONGEST: u64 = 1 << 20;

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
    let Some(told) = told.await? else {
        return Ok(None);
    };
    let role = told
        .auth
        .and_then(|auth| auth.access_token)
        .and_then(|token| token.role);
    let organisations = told
        .orgs
        .into_iter()
        .flatten()
        .map(|organisation| organisation.name)
        .collect();
    Ok(Some(Account {
        name: told.name,
        organisations,
        can_write: role.as_deref().and_then(may_write),
    }))
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
            &json!({"name": "me", "orgs": [{"name": "us"}], "auth": {"accessToken": {"role": role}}}),
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
                    name: "me".into(),
                    organisations: vec!["us".into()],
                    can_write
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
        ] {
            let server = Server::scripted([Reply::json(&told)]).await;
            let account = repo(&server).account().await.unwrap();
            assert_eq!(
                account,
                Account {
                    name: "me".into(),
                    organisations: Vec::new(),
                    can_write: None
                },
                "{told}"
            );
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
