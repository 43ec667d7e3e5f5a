//! Who asks, and the repo itself: looked up and created.

use std::sync::atomic::{AtomicBool, Ordering};

use reqwest::header::{CONTENT_TYPE, HeaderValue};
use serde_json::{Value, json};

use super::ModelScopeRepo;
use crate::http::Request;
use crate::{
    Account, Error, FileCount, Gate, GateMode, Kind, RepoInfo, RepoKind, Result, Visibility,
};

/// The licence a new repo is given. The hub wants one (modelscope-hub 0.5.1 sends `Apache-2.0` unless told);
/// `Other` is on its list (`constants.py`, `License`) and claims nothing about files that aren't ours. The
/// card's own `license:` comes with README.md.
const LICENSE: &str = "Other";

/// `ProtectedMode` of a gated repo.
const GATED: u8 = 1;

/// Between the parts of a form. What is sent in one is an id, a digit or [`LICENSE`]: none can hold this.
const BOUNDARY: &str = "hf2ms-1f3c7a52e0b94d68";
const FORM: &str = "multipart/form-data; boundary=hf2ms-1f3c7a52e0b94d68";

/// How the hub says "exists" to a creation when it gives no code (`errors.py`, `_ALREADY_EXISTS_KEYWORDS`).
const EXISTS_WORDS: [&str; 7] = [
    "exist",
    "already",
    "can not be used",
    "not available",
    "已被注册",
    "已存在",
    "名称不可用",
];

impl ModelScopeRepo {
    /// The token's account. Its organisations and the token's level are not told (modelscope-hub 0.5.1, `constants.py`, `TokenScope`).
    ///
    /// # Errors
    /// [`Kind::Unauthorized`] without a token (nothing is sent), or for one that is refused.
    pub(super) async fn who_asks(&self) -> Result<Account> {
        if self.token.is_none() {
            return Err(Error::new(Kind::Unauthorized, "no token"));
        }
        let user = self
            .ask(Request::get(self.url(&["openapi", "v1", "users", "me"])))
            .await?;
        // The keys and their order are those of `_openapi.py`, `get_current_username`.
        let name = ["Username", "username", "name", "preferred_username"]
            .iter()
            .find_map(|key| user.get(*key)?.as_str());
        match name.filter(|name| !name.is_empty()) {
            Some(name) => Ok(Account::named(name)),
            None => Err(Error::new(
                Kind::Refused,
                "the hub does not say whose token it is",
            )),
        }
    }

    /// What the hub knows of the repo; `None` when there is none. It tells no commit.
    ///
    /// # Errors
    /// What the hub complains of, save that the repo is not there.
    pub(super) async fn look_up(&self) -> Result<Option<RepoInfo>> {
        match self.ask(Request::get(self.about())).await {
            Ok(info) if info.is_object() => Ok(Some(RepoInfo {
                commit: None,
                visibility: visibility_of(&info),
                gate: gate_of(&info),
                renamed: None,
                files: FileCount::Untold,
            })),
            Ok(_) => Err(Error::new(
                Kind::Refused,
                "the hub answered nothing about the repo",
            )),
            Err(error) if error.kind() == Kind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Spaces are looked up in the OpenAPI, as the official client does; others on the older route, which
    /// finds private ones too.
    pub(super) fn about(&self) -> reqwest::Url {
        match self.at.kind {
            RepoKind::Space => self.url(&[
                "openapi",
                "v1",
                "studios",
                self.at.id.owner(),
                self.at.id.name(),
            ]),
            _ => self.api(&[]),
        }
    }

    /// Creates the repo. Sent again when the answer is lost: the second answer is then [`Kind::Conflict`],
    /// and whoever asked looks at what is there.
    ///
    /// # Errors
    /// [`Kind::Conflict`] when the id is taken; [`Kind::Invalid`] for a studio, which [`super::space`] creates.
    pub(super) async fn create_repo(&self, visibility: Visibility) -> Result<()> {
        self.create_as(visibility, Gate::Open).await
    }

    /// Creates the repo behind a gate. The hub knows gates of private repos only: such a repo is shown, and its files are given to those
    /// who are let in (`api.py`, `create_repo`).
    ///
    /// # Errors
    /// As [`Self::create_repo`].
    pub(super) async fn create_gated_repo(&self, mode: GateMode) -> Result<()> {
        self.create_as(Visibility::Private, Gate::Gated(mode)).await
    }

    async fn create_as(&self, visibility: Visibility, gate: Gate) -> Result<()> {
        let request = match self.at.kind {
            RepoKind::Model => self.create_model(visibility, gate)?,
            RepoKind::Dataset => self.create_dataset(visibility, gate)?,
            RepoKind::Space => {
                return Err(Error::new(
                    Kind::Invalid,
                    "a studio can't be created by its files alone: it needs an SDK to run",
                ));
            }
        };
        let may_be_done = AtomicBool::new(false);
        let note = |error: Error| {
            may_be_done.fetch_or(error.may_be_done(), Ordering::Relaxed);
            error
        };
        let created = self.ask_doubting(request, note).await;
        created
            .map(drop)
            .map_err(|error| read_exists(error).of_creation(may_be_done.load(Ordering::Relaxed)))
    }

    fn create_model(&self, visibility: Visibility, gate: Gate) -> Result<Request> {
        let (owner, name) = (self.at.id.owner(), self.at.id.name());
        let mut about = json!({"Path": owner, "Name": name, "Visibility": level(visibility), "License": LICENSE});
        if gate != Gate::Open {
            about["ProtectedMode"] = GATED.into();
        }
        Request::post(self.url(&["api", "v1", "models"])).json(&about)
    }

    /// Datasets want a form where models take JSON (`_legacy_api.py`, `create_repo`).
    fn create_dataset(&self, visibility: Visibility, gate: Gate) -> Result<Request> {
        let (level, gated) = (level(visibility).to_string(), GATED.to_string());
        let mut fields = vec![
            ("Owner", self.at.id.owner()),
            ("Name", self.at.id.name()),
            ("Visibility", &level),
            ("License", LICENSE),
        ];
        if gate != Gate::Open {
            fields.push(("ProtectedMode", &gated));
        }
        let request = Request::post(self.url(&["api", "v1", "datasets"]))
            .body("multipart/form-data", form(&fields));
        Ok(request.header(CONTENT_TYPE, HeaderValue::from_static(FORM)))
    }
}

fn form(fields: &[(&str, &str)]) -> String {
    let part = |(name, value): &(&str, &str)| {
        format!(
            "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n"
        )
    };
    fields
        .iter()
        .map(part)
        .chain([format!("--{BOUNDARY}--\r\n")])
        .collect()
}

/// `Visibility` of `constants.py`.
fn level(visibility: Visibility) -> u8 {
    match visibility {
        Visibility::Private | Visibility::Protected => 1,
        Visibility::Internal => 3,
        Visibility::Public => 5,
    }
}

/// Older servers say "exists" by words alone; "does not exist" is the opposite.
pub(super) fn read_exists(error: Error) -> Error {
    let words = error.message().to_lowercase();
    let denies =
        words.contains("not exist") || words.contains("n't exist") || words.contains("不存在");
    let says = EXISTS_WORDS.iter().any(|word| words.contains(word));
    if error.kind() == Kind::Invalid && says && !denies {
        error.with_kind(Kind::Conflict)
    } else {
        error
    }
}

/// Where nothing is said, the repo counts as public: the careful reading for whoever brings something private.
fn visibility_of(info: &Value) -> Visibility {
    said_visibility(info).unwrap_or(Visibility::Public)
}

/// Numbers on the older routes, words or a flag in the OpenAPI (`api.py`, `_repo_info_from_payload`). A
/// "protected" space shows its app but not its files. `None` where nothing is said that is known here.
pub(super) fn said_visibility(info: &Value) -> Option<Visibility> {
    let field = |names: [&str; 2]| {
        names
            .iter()
            .find_map(|name| info.get(*name).filter(|value| !value.is_null()))
    };
    let said = field(["Visibility", "visibility"]);
    let number = said.and_then(|said| said.as_u64().or_else(|| said.as_str()?.parse().ok()));
    match (
        number,
        said.and_then(Value::as_str),
        field(["Private", "private"]).and_then(Value::as_bool),
    ) {
        (Some(1), ..) | (_, Some("private"), _) => Some(Visibility::Private),
        (_, Some("protected"), _) => Some(Visibility::Protected),
        (Some(3), ..) | (_, Some("internal"), _) => Some(Visibility::Internal),
        (Some(5), ..) | (_, Some("public"), _) => Some(Visibility::Public),
        (None, None, Some(true)) => Some(Visibility::Private),
        (None, None, Some(false)) => Some(Visibility::Public),
        _ => None,
    }
}

/// `ProtectedMode` 1 is gated, 2 is not (`api.py`, `create_repo`). How access is granted is not told.
pub(super) fn gate_of(info: &Value) -> Gate {
    let gated = info["ProtectedMode"] == GATED || info["gated"] == true;
    if gated {
        Gate::Gated(GateMode::Manual)
    } else {
        Gate::Open
    }
}

#[cfg(test)]
mod tests {
    use super::super::api::tests::{bad, good, repo};
    use super::*;
    use crate::Side;
    use crate::http::testing::{Reply, Server};

    #[tokio::test]
    async fn the_account_is_named_in_either_dialect() {
        for data in [
            json!({"Username": "ann"}),
            json!({"name": "ann", "preferred_username": "Ann B."}),
        ] {
            let server =
                Server::scripted([Reply::json(&json!({"success": true, "data": data}))]).await;
            assert_eq!(
                repo(&server, RepoKind::Model)
                    .who_asks()
                    .await
                    .unwrap()
                    .name,
                "ann"
            );
            assert_eq!(server.lines(), ["GET /openapi/v1/users/me"]);
        }
        let server = Server::scripted([Reply::json(&json!({"preferred_username": "ann"}))]).await;
        assert_eq!(
            repo(&server, RepoKind::Model)
                .who_asks()
                .await
                .unwrap()
                .name,
            "ann"
        );
    }

    #[tokio::test]
    async fn without_a_token_nobody_is_asked() {
        let server = Server::scripted([]).await;
        let at = repo(&server, RepoKind::Model).at;
        let anonymous =
            ModelScopeRepo::open(&Side { at, token: None }, Default::default()).unwrap();
        let error = anonymous.who_asks().await.unwrap_err();
        assert_eq!(
            (
                error.kind(),
                error.to_string().as_str(),
                server.seen().len()
            ),
            (Kind::Unauthorized, "no token", 0)
        );
    }

    #[tokio::test]
    async fn a_nameless_account_is_refused() {
        let server = Server::scripted([good(json!({"Username": ""}))]).await;
        assert_eq!(
            repo(&server, RepoKind::Model)
                .who_asks()
                .await
                .unwrap_err()
                .kind(),
            Kind::Refused
        );
    }

    #[tokio::test]
    async fn an_absent_repo_is_none_and_a_denied_one_an_error() {
        let server = Server::scripted([
            bad(404, 10_010_205_001, "not found"),
            bad(403, 403, "no"),
            good(json!({"Visibility": 1})),
        ])
        .await;
        let repo = repo(&server, RepoKind::Dataset);
        assert_eq!(repo.look_up().await.unwrap(), None);
        assert_eq!(repo.look_up().await.unwrap_err().kind(), Kind::Denied);
        assert_eq!(
            repo.look_up().await.unwrap().unwrap().visibility,
            Visibility::Private
        );
        assert_eq!(server.lines()[0], "GET /api/v1/datasets/org/name");
    }

    #[test]
    fn visibility_is_read_in_every_form_and_unknown_is_public() {
        for (info, expected) in [
            (json!({"Visibility": 1}), Visibility::Private),
            (json!({"Visibility": 3}), Visibility::Internal),
            (json!({"Visibility": 5}), Visibility::Public),
            (json!({"Visibility": "1"}), Visibility::Private),
            (json!({"visibility": "protected"}), Visibility::Protected),
            (
                json!({"visibility": "public", "private": true}),
                Visibility::Public,
            ),
            (
                json!({"Visibility": null, "Private": true}),
                Visibility::Private,
            ),
            (json!({"private": false}), Visibility::Public),
            (json!({}), Visibility::Public),
        ] {
            assert_eq!(visibility_of(&info), expected, "{info}");
        }
        assert_eq!(
            (
                gate_of(&json!({"ProtectedMode": 1})),
                gate_of(&json!({"ProtectedMode": 2}))
            ),
            (Gate::Gated(GateMode::Manual), Gate::Open)
        );
    }

    #[tokio::test]
    async fn models_are_created_by_json_and_datasets_by_a_form() {
        let server = Server::answering(|_| good(json!({}))).await;
        repo(&server, RepoKind::Model)
            .create_repo(Visibility::Private)
            .await
            .unwrap();
        repo(&server, RepoKind::Dataset)
            .create_repo(Visibility::Public)
            .await
            .unwrap();
        assert_eq!(
            repo(&server, RepoKind::Space)
                .create_repo(Visibility::Internal)
                .await
                .unwrap_err()
                .kind(),
            Kind::Invalid
        );
        let seen = server.seen();
        assert_eq!(
            server.lines(),
            ["POST /api/v1/models", "POST /api/v1/datasets"]
        );
        assert_eq!(
            seen[0].json(),
            json!({"Path": "org", "Name": "name", "Visibility": 1, "License": "Other"})
        );
        assert_eq!(seen[1].header("content-type"), Some(FORM));
        assert!(FORM.ends_with(BOUNDARY));
        let text = String::from_utf8(seen[1].body.to_vec()).unwrap();
        assert!(
            text.contains("name=\"Visibility\"\r\n\r\n5\r\n")
                && text.contains("name=\"Owner\"\r\n\r\norg\r\n"),
            "{text}"
        );
        assert!(text.ends_with(&format!("--{BOUNDARY}--\r\n")));
    }

    #[tokio::test]
    async fn a_gated_repo_is_created_private_with_its_gate() {
        let server = Server::answering(|_| good(json!({}))).await;
        for kind in [RepoKind::Model, RepoKind::Dataset] {
            let repo = repo(&server, kind);
            repo.create_gated_repo(GateMode::Auto).await.unwrap();
        }
        let seen = server.seen();
        let model = seen[0].json();
        assert_eq!(
            (&model["Visibility"], &model["ProtectedMode"]),
            (&json!(1), &json!(1))
        );
        let form = String::from_utf8(seen[1].body.to_vec()).unwrap();
        assert!(
            form.contains("name=\"ProtectedMode\"\r\n\r\n1\r\n"),
            "{form}"
        );
    }

    #[tokio::test]
    async fn a_repo_that_was_created_meanwhile_is_a_conflict() {
        for reply in [
            bad(400, 10_010_101_001, "x"),
            bad(400, 1, "该名称已被注册使用，请重新命名"),
            bad(200, 10_020_101_001, "dataset exists"),
            Reply::new(409, &[], r#"{"code":"DuplicateEntity"}"#),
        ] {
            let server = Server::scripted([reply]).await;
            let error = repo(&server, RepoKind::Model)
                .create_repo(Visibility::Private)
                .await
                .unwrap_err();
            assert_eq!(error.kind(), Kind::Conflict);
        }
    }

    #[tokio::test]
    async fn an_owner_that_does_not_exist_is_no_conflict() {
        let server = Server::scripted([bad(400, 1, "organization does not exist")]).await;
        let error = repo(&server, RepoKind::Model)
            .create_repo(Visibility::Private)
            .await
            .unwrap_err();
        assert_eq!(error.kind(), Kind::Invalid);
    }

    #[tokio::test]
    async fn a_lost_answer_to_a_creation_ends_as_a_conflict() {
        let lost = Reply::headed(200, &[("Content-Length", "50")], "{");
        let server = Server::scripted([lost, bad(400, 10_010_101_001, "exists")]).await;
        let error = repo(&server, RepoKind::Model)
            .create_repo(Visibility::Private)
            .await
            .unwrap_err();
        assert_eq!(error.kind(), Kind::Conflict);
    }
}
