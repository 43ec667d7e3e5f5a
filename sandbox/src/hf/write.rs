//! Changes to Hugging Face repos themselves, and what is asked before a commit.

use base64::Engine as _;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{access, rules};
use crate::accounts::Caller;
use crate::answer::{Answer, broken, empty, json as json_answer};
use crate::call::{Call, Origin};
use crate::repo::{Kind, Repo, Visibility};
use crate::world::World;

/// What runs a space (huggingface_hub 2.4.0, `SPACES_SDK_TYPES`).
const SDKS: [&str; 4] = ["gradio", "streamlit", "docker", "static"];

#[derive(Deserialize)]
struct Wanted {
    name: String,
    organization: Option<String>,
    #[serde(rename = "type")]
    kind: Option<Kind>,
    visibility: Option<Visibility>,
    private: Option<bool>,
    sdk: Option<String>,
}

impl Wanted {
    fn kind(&self) -> Kind {
        self.kind.unwrap_or(Kind::Model)
    }

    fn visibility(&self) -> Visibility {
        let private = if self.private == Some(true) {
            Visibility::Private
        } else {
            Visibility::Public
        };
        self.visibility.unwrap_or(private)
    }

    fn namespace<'a>(&'a self, user: &'a str) -> &'a str {
        self.organization.as_deref().unwrap_or(user)
    }
}

/// `POST /api/repos/create`.
pub async fn create(world: &World, mut call: Call, caller: Caller) -> Answer {
    let wanted: Wanted = call
        .json()
        .await
        .map_err(|error| access::bad_request(&error))?;
    let user = caller.account().map_or("", |account| account.user);
    let namespace = wanted.namespace(user);
    access::creator(caller, namespace, wanted.kind())?;
    if wanted.kind() == Kind::Space && !wanted.sdk.as_deref().is_some_and(|sdk| SDKS.contains(&sdk))
    {
        return Err(access::bad_request(
            "\"sdk\" must be one of gradio, streamlit, docker, static",
        ));
    }
    let id = format!("{namespace}/{}", wanted.name);
    let url = format!("{}/{}{id}", world.named(Origin::Hf), wanted.kind().prefix());
    let files = [(".gitattributes", rules::gitattributes())];
    let files = files.each_ref().map(|(path, text)| (*path, text.as_str()));
    let visibility = world.settings().visibility_given(wanted.visibility());
    let made = world
        .hf
        .create(wanted.kind(), &id, visibility, &files)
        .map_err(|error| broken(&error))?;
    Ok(match made {
        Ok(repo) => {
            repo.state().sdk = wanted.sdk;
            json_answer(
                200,
                &json!({"url": url, "name": id, "id": repo.number.to_string()}),
            )
        }
        Err(_) => json_answer(
            409,
            &json!({"error": "You already created this repo", "url": url, "name": id}),
        ),
    })
}

/// `DELETE /api/repos/delete`.
pub async fn delete(world: &World, mut call: Call, caller: Caller) -> Answer {
    let wanted: Wanted = call
        .json()
        .await
        .map_err(|error| access::bad_request(&error))?;
    let namespace = wanted.namespace(caller.account().map_or("", |account| account.user));
    let id = format!("{namespace}/{}", wanted.name);
    let repo = access::repo(world, caller, (wanted.kind(), &id))?;
    access::repo_writer(&repo, caller)?;
    world.hf.delete(wanted.kind(), &id);
    Ok(empty(200))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Move {
    from_repo: String,
    to_repo: String,
    #[serde(rename = "type")]
    kind: Kind,
}

/// `POST /api/repos/move`. A repo that is there already is named in these words (tests of huggingface_hub); the status was not seen.
pub async fn rename(world: &World, mut call: Call, caller: Caller) -> Answer {
    let Move {
        from_repo,
        to_repo,
        kind,
    } = call
        .json()
        .await
        .map_err(|error| access::bad_request(&error))?;
    let repo = access::repo(world, caller, (kind, &from_repo))?;
    access::repo_writer(&repo, caller)?;
    let Some((namespace, name)) = to_repo.split_once('/') else {
        return Err(access::bad_request("Invalid repo name"));
    };
    if name.is_empty() || name.contains('/') {
        return Err(access::bad_request("Invalid repo name"));
    }
    access::creator(caller, namespace, kind)?;
    if world.hf.rename(kind, &from_repo, &to_repo) {
        return Ok(empty(200));
    }
    let kind = format!("{kind:?}").to_lowercase();
    let words = format!("A {kind} repository called `{to_repo}` already exists");
    Err(access::refused(409, None, &words))
}

/// `PUT /api/T/{id}/settings`.
pub async fn settings(mut call: Call, caller: Caller, repo: &Repo) -> Answer {
    access::repo_writer(repo, caller)?;
    let wanted: Value = call
        .json()
        .await
        .map_err(|error| access::bad_request(&error))?;
    let mut state = repo.state();
    if let Ok(visibility) = serde_json::from_value(wanted["visibility"].clone()) {
        state.visibility = visibility;
    }
    if let Some(private) = wanted["private"].as_bool() {
        state.visibility = if private {
            Visibility::Private
        } else {
            Visibility::Public
        };
    }
    match &wanted["gated"] {
        Value::Bool(false) => state.gated = None,
        Value::String(how) => state.gated = Some(how.clone()),
        _ => {}
    }
    Ok(json_answer(
        200,
        &json!({"private": !state.is_public(), "gated": state.gated.clone().map_or(json!(false), Value::from)}),
    ))
}

/// `POST /api/validate-yaml`.
pub async fn validate_yaml(mut call: Call) -> Answer {
    let asked: Value = call
        .json()
        .await
        .map_err(|error| access::bad_request(&error))?;
    let content = asked["content"].as_str().unwrap_or_default();
    let warning = (!content.starts_with("---"))
        .then(|| json!({"message": "empty or missing yaml metadata in repo card"}));
    match rules::bad_front_matter(content) {
        Some(message) => Ok(json_answer(
            400,
            &json!({"error": message, "errors": [{"message": message}], "warnings": []}),
        )),
        None => Ok(json_answer(
            200,
            &json!({"errors": [], "warnings": warning.into_iter().collect::<Vec<_>>()}),
        )),
    }
}

#[derive(Deserialize)]
struct Preupload {
    files: Vec<Candidate>,
}

#[derive(Deserialize)]
struct Candidate {
    path: String,
    size: u64,
    #[serde(default)]
    sample: String,
}

/// `POST /api/T/{id}/preupload/{rev}`.
pub async fn preupload(mut call: Call, caller: Caller, repo: &Repo, revision: &str) -> Answer {
    access::committer(repo, caller)?;
    let commit = access::revision(repo, revision)?;
    let asked: Preupload = call
        .json()
        .await
        .map_err(|error| access::bad_request(&error))?;
    if asked.files.len() > 256 {
        return Err(access::bad_request("Too many files: at most 256"));
    }
    let files = asked.files.iter().map(|candidate| {
        let sample = base64::engine::general_purpose::STANDARD
            .decode(&candidate.sample)
            .unwrap_or_default();
        let mode = if rules::is_lfs(&candidate.path, candidate.size, &sample) {
            "lfs"
        } else {
            "regular"
        };
        let mut about = json!({"path": candidate.path, "uploadMode": mode, "shouldIgnore": false});
        if let Some(file) = commit.tree.file(&candidate.path) {
            about["oid"] = if file.lfs {
                file.digest.to_string()
            } else {
                file.oid.to_string()
            }
            .into();
        }
        about
    });
    Ok(json_answer(
        200,
        &json!({"files": files.collect::<Vec<_>>(), "commitOid": commit.id}),
    ))
}

/// `POST|DELETE /api/T/{id}/branch/{name}`.
pub async fn branch(mut call: Call, caller: Caller, repo: &Repo, name: &str) -> Answer {
    access::repo_writer(repo, caller)?;
    if call.method == "DELETE" {
        let removed = name != "main" && repo.state().branches.remove(name).is_some();
        return if removed {
            Ok(empty(200))
        } else {
            Err(access::refused(
                404,
                Some("RevisionNotFound"),
                "Invalid rev id",
            ))
        };
    }
    let asked: Value = call.json().await.unwrap_or_default();
    let from = access::revision(repo, asked["startingPoint"].as_str().unwrap_or("main"))?;
    let mut state = repo.state();
    if state.branches.contains_key(name) {
        return Err(access::refused(409, None, "Reference already exists"));
    }
    state.branches.insert(name.to_owned(), from.id);
    Ok(json_answer(200, &json!({})))
}

/// `POST /api/T/{id}/tag/{rev}`, `DELETE /api/T/{id}/tag/{name}`.
pub async fn tag(mut call: Call, caller: Caller, repo: &Repo, name: &str) -> Answer {
    access::repo_writer(repo, caller)?;
    if call.method == "DELETE" {
        let removed = repo.state().tags.remove(name).is_some();
        return if removed {
            Ok(empty(200))
        } else {
            Err(access::refused(
                404,
                Some("RevisionNotFound"),
                "Invalid rev id",
            ))
        };
    }
    let asked: Value = call
        .json()
        .await
        .map_err(|error| access::bad_request(&error))?;
    let tag = asked["tag"]
        .as_str()
        .ok_or_else(|| access::bad_request("\"tag\" is required"))?;
    let at = access::revision(repo, name)?;
    let mut state = repo.state();
    if state.tags.contains_key(tag) {
        return Err(access::refused(409, None, "Tag reference exists already"));
    }
    state.tags.insert(tag.to_owned(), at.id);
    Ok(json_answer(200, &json!({})))
}
