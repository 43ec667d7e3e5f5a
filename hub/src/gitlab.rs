//! GitLab's REST API, as far as a pull mirror needs it: a project, its pull mirror, and the mirror's state. Facts: docs.gitlab.com,
//! "Projects API" and "Project pull mirroring API"; the dedicated route for the mirror came with 17.6.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::header::HeaderName;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::http::{Credentials, ErrorDecoder, ErrorResponse, Http, HttpOptions, Request};
use crate::{Error, Kind, Result, Token, Url, Visibility};

const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');
const LONGEST: u64 = 4 << 20;

/// One project on a GitLab.
pub struct GitLab {
    http: Http,
    api: String,
    path: String,
}

/// The state of a pull mirror.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct MirrorState {
    /// `none`, `scheduled`, `started`, `finished`, `failed` or `canceled`.
    pub update_status: Option<String>,
    /// Why the last update failed.
    pub last_error: Option<String>,
    /// When the last update ended, well or not.
    pub last_update_at: Option<String>,
    /// When the last update ended well.
    pub last_successful_update_at: Option<String>,
}

impl MirrorState {
    /// The result of an update that has ended since `before`; `None` when none has.
    pub fn ended_since(&self, before: &Self) -> Option<std::result::Result<(), String>> {
        let times = |state: &Self| {
            (
                state.last_update_at.clone(),
                state.last_successful_update_at.clone(),
            )
        };
        match self.update_status.as_deref() {
            _ if times(self) == times(before) => None,
            Some("finished") => Some(Ok(())),
            Some("failed" | "canceled") => Some(Err(self
                .last_error
                .clone()
                .unwrap_or_else(|| "it gave no reason".to_owned()))),
            _ => None,
        }
    }
}

impl GitLab {
    /// The project `path` (`group/name`) of the GitLab whose API is at `api` (`https://host/api/v4`).
    ///
    /// # Errors
    /// [`Kind::Usage`] for an `api` that is no address; what [`Http::new`] fails with.
    pub fn open(api: &str, path: &str, token: &Token, options: HttpOptions) -> Result<Self> {
        let api = api.trim_end_matches('/').to_owned();
        let url: Url = api.parse().map_err(|error| {
            Error::new(
                Kind::Usage,
                format!("GitLab's API is at no address: {error}"),
            )
        })?;
        let header = HeaderName::from_static("private-token");
        let credentials =
            Credentials::of(Some(token), |token| [(header.clone(), token.header(""))]);
        Ok(Self {
            http: Http::new(&url, credentials, GitLabErrors, options)?,
            api,
            path: path.trim_matches('/').to_owned(),
        })
    }

    /// Whether the project exists, as far as the token may see.
    ///
    /// # Errors
    /// GitLab's.
    pub async fn exists(&self) -> Result<bool> {
        match self.ask(Request::get(self.project("")?)).await {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == Kind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Creates the project without files.
    ///
    /// # Errors
    /// [`Kind::NotFound`] for a namespace that is not there; [`Kind::Denied`] for a project that GitLab shows to more readers than
    /// were asked for; GitLab's.
    pub async fn create(&self, visibility: Visibility) -> Result<()> {
        let (space, name) = self
            .path
            .rsplit_once('/')
            .ok_or_else(|| Error::new(Kind::Usage, "the project has no namespace"))?;
        let found = self
            .ask(Request::get(
                self.url(&format!("namespaces/{}", escaped(space)))?,
            ))
            .await?;
        let wish = json!({"name": name, "path": name, "namespace_id": found["id"], "visibility": visibility});
        let created = self
            .ask(Request::post(self.url("projects")?).json(&wish)?.once())
            .await?;
        match serde_json::from_value::<Visibility>(created["visibility"].clone()) {
            Ok(found) if found.shows_more_than(visibility) => Err(Error::new(
                Kind::Denied,
                format!(
                    "GitLab created the project {found}, though {visibility} was asked for, and nothing was sent: make it {visibility} there, or delete it"
                ),
            )),
            _ => Ok(()),
        }
    }

    /// Sets the project up to pull `from` with this login: by the dedicated route or, before 17.6, by the project's settings.
    ///
    /// # Errors
    /// [`Kind::Denied`] without a maintainer's role, [`Kind::Disabled`] where the edition has no pull mirrors; GitLab's.
    pub async fn mirror(&self, from: &Url, login: Option<&Token>) -> Result<()> {
        let (user, password) = login
            .map(|login| (login.user().unwrap_or_default(), login.secret()))
            .unzip();
        let wish = json!({"enabled": true, "url": from.as_str(), "auth_user": user, "auth_password": password});
        match self
            .ask(Request::put(self.project("/mirror/pull")?).json(&wish)?)
            .await
        {
            Ok(told) if told["enabled"] == true => Ok(()),
            Ok(_) => Err(Error::new(
                Kind::Refused,
                "GitLab took the settings and does not say that the project pulls",
            )),
            Err(error) if matches!(error.status(), Some(404 | 405)) => {
                self.mirror_as_before(from, user.zip(password)).await
            }
            Err(error) => Err(error),
        }
    }

    async fn mirror_as_before(&self, from: &Url, login: Option<(&str, &str)>) -> Result<()> {
        let mut url = from.clone();
        if let Some((user, password)) = login {
            let _ = url
                .set_username(user)
                .and_then(|()| url.set_password(Some(password)));
        }
        let told = self
            .ask(
                Request::put(self.project("")?)
                    .json(&json!({"mirror": true, "import_url": url.as_str()}))?,
            )
            .await?;
        // An edition without mirrors ignores settings that it does not know.
        match told["mirror"].as_bool() {
            Some(true) => Ok(()),
            _ => Err(Error::new(
                Kind::Disabled,
                "this GitLab has no pull mirrors: they come with Premium and Ultimate",
            )),
        }
    }

    /// Starts an update now.
    ///
    /// # Errors
    /// GitLab's.
    pub async fn start(&self) -> Result<()> {
        let request = Request::post(self.project("/mirror/pull")?).json(&json!({}))?;
        self.http.send(request).await.map(drop)
    }

    /// The mirror's state.
    ///
    /// # Errors
    /// GitLab's.
    pub async fn state(&self) -> Result<MirrorState> {
        let told = self
            .ask(Request::get(self.project("/mirror/pull")?))
            .await?;
        serde_json::from_value(told).map_err(|error| {
            Error::new(
                Kind::Refused,
                format!("GitLab does not say how the mirror stands: {error}"),
            )
        })
    }

    async fn ask(&self, request: Request) -> Result<Value> {
        Ok(self.http.ask(LONGEST, || request.clone()).await?.value)
    }

    fn project(&self, rest: &str) -> Result<Url> {
        self.url(&format!("projects/{}{rest}", escaped(&self.path)))
    }

    fn url(&self, rest: &str) -> Result<Url> {
        let text = format!("{}/{rest}", self.api);
        text.parse().map_err(|error| {
            Error::new(
                Kind::Usage,
                format!("GitLab's API is at no address: {error}"),
            )
        })
    }
}

fn escaped(part: &str) -> String {
    utf8_percent_encode(part, ESCAPED).to_string()
}

/// Reads GitLab's errors: `{"message": ..}`, of a text or of lists by field, or `{"error": .., "error_description": ..}`.
struct GitLabErrors;

impl ErrorDecoder for GitLabErrors {
    fn decode(&self, answer: &ErrorResponse<'_>) -> Option<(Kind, String)> {
        let told: Value = serde_json::from_slice(&answer.body).ok()?;
        let text = |value: &Value| {
            value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_owned)
        };
        let said = ["error_description", "message", "error"]
            .iter()
            .find_map(|key| told.get(*key).map(text))?;
        Some((answer.kind(), said))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::tests::ManualClock;
    use crate::http::testing::{Reply, Server, quick};

    fn gitlab(server: &Server) -> GitLab {
        let token = Token::parse("glpat-canary").unwrap();
        GitLab::open(
            &format!("{}/api/v4/", server.endpoint()),
            "group/sub/name",
            &token,
            quick(&ManualClock::new()),
        )
        .unwrap()
    }

    #[tokio::test]
    async fn the_path_is_one_part_and_the_token_a_header() {
        let server = Server::scripted([Reply::json(&json!({"id": 1}))]).await;
        assert!(gitlab(&server).exists().await.unwrap());
        let seen = &server.seen()[0];
        assert_eq!(
            (seen.line().as_str(), seen.header("private-token")),
            (
                "GET /api/v4/projects/group%2Fsub%2Fname",
                Some("glpat-canary")
            )
        );
    }

    #[tokio::test]
    async fn a_project_with_more_readers_than_were_asked_for_is_refused() {
        for (wanted, told, is_refused) in [
            (Visibility::Private, "public", true),
            (Visibility::Private, "internal", true),
            (Visibility::Private, "private", false),
            (Visibility::Public, "private", false),
        ] {
            let created = json!({"id": 2, "visibility": told});
            let replies = [json!({"id": 1}), created].map(|told| Reply::json(&told));
            let server = Server::scripted(replies).await;
            let ended = gitlab(&server).create(wanted).await;
            let refused = ended.is_err_and(|error| error.kind() == Kind::Denied);
            assert_eq!(refused, is_refused, "{wanted} asked for, {told} created");
        }
    }

    #[tokio::test]
    async fn the_new_route_keeps_the_password_out_of_the_address_and_the_old_one_has_no_other_place()
     {
        let from: Url = "https://huggingface.co/org/name".parse().unwrap();
        let login = Token::login("me", "p@ss").unwrap();
        let server = Server::scripted([Reply::json(&json!({"enabled": true}))]).await;
        gitlab(&server).mirror(&from, Some(&login)).await.unwrap();
        let told = server.seen()[0].json();
        assert_eq!(
            told,
            json!({"enabled": true, "url": "https://huggingface.co/org/name", "auth_user": "me", "auth_password": "p@ss"})
        );
        let server = Server::scripted([
            Reply::new(404, &[], "{}"),
            Reply::json(&json!({"mirror": true})),
        ])
        .await;
        gitlab(&server).mirror(&from, Some(&login)).await.unwrap();
        assert_eq!(
            server.seen()[1].line(),
            "PUT /api/v4/projects/group%2Fsub%2Fname"
        );
        assert_eq!(
            server.seen()[1].json()["import_url"],
            "https://me:p%40ss@huggingface.co/org/name"
        );
    }

    #[tokio::test]
    async fn an_edition_without_mirrors_and_a_role_too_small_are_told_apart() {
        let from: Url = "https://h/a".parse().unwrap();
        let community =
            Server::scripted([Reply::new(404, &[], "{}"), Reply::json(&json!({"id": 1}))]).await;
        assert_eq!(
            gitlab(&community)
                .mirror(&from, None)
                .await
                .unwrap_err()
                .kind(),
            Kind::Disabled
        );
        let developer =
            Server::scripted([Reply::new(403, &[], r#"{"message":"403 Forbidden"}"#)]).await;
        let error = gitlab(&developer).mirror(&from, None).await.unwrap_err();
        assert!(
            error.kind() == Kind::Denied && error.message().contains("403 Forbidden"),
            "{error}"
        );
    }

    #[tokio::test]
    async fn an_answer_that_does_not_say_that_the_project_pulls_is_no_success() {
        for told in [
            json!({}),
            json!({"enabled": false}),
            json!({"message": "403 Forbidden"}),
            json!([]),
        ] {
            let server = Server::scripted([Reply::json(&told)]).await;
            let error = gitlab(&server)
                .mirror(&"https://h/a".parse().unwrap(), None)
                .await
                .unwrap_err();
            assert_eq!(error.kind(), Kind::Refused, "{told}");
        }
    }

    #[test]
    fn an_old_end_is_no_end() {
        let state = |status: &str, at: &str| MirrorState {
            update_status: Some(status.to_owned()),
            last_update_at: Some(at.to_owned()),
            last_error: Some("no access".to_owned()),
            ..MirrorState::default()
        };
        let before = state("finished", "10:00");
        assert_eq!(before.ended_since(&before), None);
        assert_eq!(state("started", "10:00").ended_since(&before), None);
        assert_eq!(
            state("finished", "10:05").ended_since(&before),
            Some(Ok(()))
        );
        assert_eq!(
            state("failed", "10:05").ended_since(&before),
            Some(Err("no access".to_owned()))
        );
    }
}
