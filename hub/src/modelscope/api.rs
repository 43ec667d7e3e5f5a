//! Asking the hub: addresses, the request's id, and one retry loop. The loop is around sending *and* opening the envelope, because
//! an answer can break, or say no, after its 200.

use std::sync::atomic::Ordering;

use reqwest::Url;
use reqwest::header::{HeaderName, HeaderValue};
use serde_json::Value;

use super::{ModelScopeRepo, errors};
use crate::http::Request;
use crate::{Error, RepoAt, RepoKind, Result};

/// Names a request in ModelScope's own logs (modelscope-hub 0.5.1, `_legacy_api.py`).
pub(super) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

impl ModelScopeRepo {
    /// `{endpoint}/{parts}`, each part encoded.
    pub(super) fn url(&self, parts: &[&str]) -> Url {
        below(&self.base, parts)
    }

    /// `/api/v1/{kind}/{owner}/{name}/{rest}`.
    pub(super) fn api(&self, rest: &[&str]) -> Url {
        self.api_of(self.segment(), rest)
    }

    /// The same below another kind's name, as [`ModelScopeRepo::by_either_route`] says it.
    pub(super) fn api_of(&self, segment: &str, rest: &[&str]) -> Url {
        self.url(
            &[
                &["api", "v1", segment, self.at.id.owner(), self.at.id.name()],
                rest,
            ]
            .concat(),
        )
    }

    /// What `ask` tells of files and commits. Those of studios have two routes: `/api/v1/studio/..`, which an application in use reads, and
    /// the official client's `/api/v1/studios/..`. What is not found by the one is asked for by the other.
    pub(super) async fn by_either_route<T, F: Future<Output = Result<T>>>(
        &self,
        ask: impl Fn(&'static str) -> F,
    ) -> Result<T> {
        if self.at.kind != RepoKind::Space {
            return ask(self.segment()).await;
        }
        let is_plural = self.plural.load(Ordering::Relaxed);
        let route = |is_plural| if is_plural { "studios" } else { "studio" };
        let told = ask(route(is_plural)).await;
        if told
            .as_ref()
            .is_err_and(|error| error.status() == Some(404))
            && let Ok(by_other) = ask(route(!is_plural)).await
        {
            self.plural.store(!is_plural, Ordering::Relaxed);
            return Ok(by_other);
        }
        told
    }

    /// The address of [`git_api`] for this repo.
    pub(super) fn git_api(&self, rest: &[&str]) -> Url {
        git_api(&self.base, &self.at, rest)
    }

    /// `{endpoint}/{kind}/{owner}/{name}.git/{rest}`: the official client's address for cloning (modelscope-hub 0.5.1, `_repository.py`).
    pub(super) fn git_url(&self, rest: &[&str]) -> Url {
        let name = format!("{}.git", self.at.id.name());
        self.url(&[&[self.segment(), self.at.id.owner(), &name], rest].concat())
    }

    /// The repo's kind as addresses name it.
    pub(super) fn segment(&self) -> &'static str {
        segment(self.at.kind)
    }

    /// Sends a request that may be repeated, and returns its answer's data.
    pub(super) async fn ask(&self, request: Request) -> Result<Value> {
        self.ask_doubting(request, |error| error).await
    }

    /// The same, where each attempt's error is first read by `doubt`.
    pub(super) async fn ask_doubting(
        &self,
        request: Request,
        doubt: impl Fn(Error) -> Error,
    ) -> Result<Value> {
        let attempt = || async { self.ask_once(request.clone()).await.map_err(&doubt) };
        self.http.options().retrying(attempt).await
    }

    /// Sends a request once and returns its answer's data.
    pub(super) async fn ask_once(&self, request: Request) -> Result<Value> {
        let response = self
            .http
            .send(request.once().header(REQUEST_ID, request_id()))
            .await?;
        errors::data_of(response, self.http.redactor()).await
    }
}

/// `{base}/{parts}`, each part encoded.
fn below(base: &Url, parts: &[&str]) -> Url {
    let mut url = base.clone();
    if let Ok(mut path) = url.path_segments_mut() {
        path.pop_if_empty().extend(parts);
    }
    url
}

/// `{base}/api/v1/repos/{kind}/{owner}/{name}/{rest}`.
pub(super) fn git_api(base: &Url, at: &RepoAt, rest: &[&str]) -> Url {
    let (owner, name) = (at.id.owner(), at.id.name());
    let repo = ["api", "v1", "repos", segment(at.kind), owner, name];
    below(base, &[&repo, rest].concat())
}

/// A kind as addresses name it (modelscope-hub 0.5.1, `_REPO_TYPE_SEGMENT`).
fn segment(kind: RepoKind) -> &'static str {
    match kind {
        RepoKind::Model => "models",
        RepoKind::Dataset => "datasets",
        RepoKind::Space => "studios",
    }
}

/// 32 random hex digits.
pub(super) fn request_id() -> HeaderValue {
    let digits = format!("{:032x}", fastrand::u128(..));
    HeaderValue::try_from(digits).unwrap_or(HeaderValue::from_static("0"))
}

#[cfg(test)]
pub(super) mod tests {
    use std::sync::Arc;

    use serde_json::json;

    use super::*;
    use crate::clock::tests::ManualClock;
    use crate::http::testing::{Reply, Server, quick};
    use crate::{Hub, Kind, Side, Token};

    pub(crate) const TOKEN: &str = "ms-canary";

    /// `org/name` of this kind on `server`, with a token, under `clock`.
    pub(crate) fn repo_with(
        server: &Server,
        kind: RepoKind,
        clock: &Arc<ManualClock>,
    ) -> ModelScopeRepo {
        let revision = "master".parse().unwrap();
        let at = RepoAt {
            hub: Hub::ModelScope,
            endpoint: server.endpoint(),
            kind,
            id: "org/name".parse().unwrap(),
            revision,
        };
        ModelScopeRepo::open(
            &Side {
                at,
                token: Some(Token::parse(TOKEN).unwrap()),
            },
            quick(clock),
        )
        .unwrap()
    }

    pub(crate) fn repo(server: &Server, kind: RepoKind) -> ModelScopeRepo {
        repo_with(server, kind, &ManualClock::new())
    }

    /// A good answer with this data.
    pub(crate) fn good(data: Value) -> Reply {
        Reply::json(
            &json!({"Code": 200, "Data": data, "Message": "success", "RequestId": "r", "Success": true}),
        )
    }

    /// An answer of this status whose envelope complains.
    pub(crate) fn bad(status: u16, code: u64, message: &str) -> Reply {
        Reply::new(
            status,
            &[],
            json!({"Code": code, "Data": null, "Message": message, "Success": false}).to_string(),
        )
    }

    #[tokio::test]
    async fn every_request_carries_the_token_twice_and_a_fresh_id() {
        let server = Server::scripted([good(json!(1)), good(json!(2))]).await;
        let repo = repo(&server, RepoKind::Model);
        for _ in 0..2 {
            repo.ask(Request::get(repo.api(&[]))).await.unwrap();
        }
        let seen = server.seen();
        assert_eq!(seen[0].header("authorization"), Some("Bearer ms-canary"));
        assert_eq!(seen[0].header("cookie"), Some("m_session_id=ms-canary"));
        let ids: Vec<_> = seen
            .iter()
            .map(|seen| seen.header("x-request-id").unwrap())
            .collect();
        assert!(ids[0].len() == 32 && ids[0] != ids[1], "{ids:?}");
    }

    #[tokio::test]
    async fn an_answer_cut_in_its_body_is_asked_for_again() {
        let cut = Reply::headed(200, &[("Content-Length", "1000")], r#"{"Code": 200, "Da"#);
        let server = Server::scripted([cut, Reply::new(503, &[], ""), good(json!("whole"))]).await;
        let repo = repo(&server, RepoKind::Model);
        assert_eq!(
            repo.ask(Request::get(repo.api(&[]))).await.unwrap(),
            "whole"
        );
        assert_eq!(server.seen().len(), 3);
    }

    #[tokio::test]
    async fn a_refused_token_is_not_sent_again() {
        let server =
            Server::scripted([bad(400, 10_010_103_009, "token is invalid"), good(json!(1))]).await;
        let repo = repo(&server, RepoKind::Model);
        for _ in 0..2 {
            let error = repo.ask(Request::get(repo.api(&[]))).await.unwrap_err();
            assert_eq!(error.kind(), Kind::Unauthorized);
            assert!(!error.to_string().contains(TOKEN));
        }
        assert_eq!(server.seen().len(), 1);
    }

    #[tokio::test]
    async fn branches_and_endpoints_with_odd_paths_are_encoded() {
        let server = Server::scripted([]).await;
        let mut repo = repo(&server, RepoKind::Dataset);
        repo.base.set_path("/mirror/");
        assert_eq!(
            repo.git_api(&["commit", "a/b?c"]).path(),
            "/mirror/api/v1/repos/datasets/org/name/commit/a%2Fb%3Fc"
        );
    }
}
