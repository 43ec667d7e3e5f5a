//! New repos on ModelScope, tags, and which blobs it wants.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};

use super::Surface;
use super::access;
use super::commit;
use super::form;
use super::read::{legacy_summary, open_summary};
use crate::accounts::Caller;
use crate::answer::{Answer, Refusal, broken};
use crate::call::{Call, Origin};
use crate::digest::Digest;
use crate::repo::{Kind, Repo, Visibility};
use crate::world::World;

/// Objects a batch may ask for.
const MOST_OBJECTS: usize = 256;

/// What runs a studio (modelscope-hub 0.5.1, `_STUDIO_SDK_TYPES`).
const SDKS: [&str; 4] = ["gradio", "streamlit", "docker", "static"];

const ATTRIBUTES: &str = "*.7z filter=lfs diff=lfs merge=lfs -text\n*.bin filter=lfs diff=lfs merge=lfs -text\n*.parquet filter=lfs diff=lfs merge=lfs -text\n*.safetensors filter=lfs diff=lfs merge=lfs -text\n";

/// The files a new repo holds.
pub fn seeds(kind: Kind) -> &'static [(&'static str, &'static str)] {
    match kind {
        Kind::Model => &[
            (".gitattributes", ATTRIBUTES),
            (
                "README.md",
                "---\nlicense: Apache License 2.0\n---\n###### This model has no description yet.\n",
            ),
            (
                "configuration.json",
                "{\"framework\": \"\", \"task\": \"\"}\n",
            ),
        ],
        Kind::Dataset => &[
            (".gitattributes", ATTRIBUTES),
            (
                "README.md",
                "---\nlicense: Apache License 2.0\n---\n###### This dataset has no description yet.\n",
            ),
            ("dataset_infos.json", "{}\n"),
        ],
        Kind::Space => &[
            (".gitattributes", ATTRIBUTES),
            (
                "README.md",
                "---\nlicense: Apache License 2.0\n---\n###### This studio has no description yet.\n",
            ),
            ("configuration.json", "{}\n"),
        ],
    }
}

/// `POST /api/v1/models` in JSON, `POST /api/v1/datasets` as a form.
pub async fn create(world: &World, mut call: Call, caller: Caller, kind: Kind) -> Answer {
    let mime = call.header("content-type").unwrap_or_default().to_owned();
    let body = call
        .bytes()
        .await
        .map_err(|error| access::bad_request(&error))?;
    let fields = if kind == Kind::Dataset {
        form::fields(&mime, &body)
    } else {
        json_fields(&body)
    };
    let fields = fields.ok_or_else(|| access::bad_request("the request body can't be read"))?;
    let field = |name: &str| {
        fields
            .get(name)
            .map(String::as_str)
            .filter(|text| !text.is_empty())
    };
    let owner = field(if kind == Kind::Dataset {
        "Owner"
    } else {
        "Path"
    })
    .ok_or_else(|| access::bad_request("path is required"))?;
    let name = field("Name").ok_or_else(|| access::bad_request("name is required"))?;
    good_name(name)?;
    access::writer(Surface::Legacy, caller, owner)?;
    let visibility = match field("Visibility") {
        Some("1") => Visibility::Private,
        Some("3") => Visibility::Internal,
        Some("5") | None => Visibility::Public,
        Some(_) => return Err(access::bad_request("invalid visibility")),
    };
    let visibility = world.settings().visibility_given(visibility);
    let made = world
        .ms
        .create(kind, &format!("{owner}/{name}"), visibility, seeds(kind))
        .map_err(|error| broken(&error))?;
    let repo = made.map_err(|_| already_there(kind))?;
    if field("ProtectedMode") == Some("1") {
        repo.state().gated = Some("manual".to_owned());
    }
    Ok(access::envelope(&legacy_summary(&repo)))
}

fn json_fields(body: &[u8]) -> Option<BTreeMap<String, String>> {
    let Value::Object(fields) = serde_json::from_slice(body).ok()? else {
        return None;
    };
    let text = |value: Value| match value {
        Value::String(text) => text,
        Value::Null => String::new(),
        other => other.to_string(),
    };
    Some(
        fields
            .into_iter()
            .map(|(name, value)| (name, text(value)))
            .collect(),
    )
}

fn good_name(name: &str) -> Result<(), Refusal> {
    let good = name.len() >= 2
        && name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'));
    if good {
        Ok(())
    } else {
        Err(access::bad_request(
            "invalid name: letters, digits, -, _ and . only, at least two",
        ))
    }
}

fn already_there(kind: Kind) -> Refusal {
    let code = if kind == Kind::Dataset {
        10_020_101_001
    } else {
        10_010_101_001
    };
    access::legacy_refused(400, code, "该名称已被注册使用，请重新命名")
}

#[derive(Deserialize)]
struct Studio {
    owner: String,
    repo_name: String,
    sdk_type: Option<String>,
    visibility: Option<Visibility>,
    private: Option<bool>,
}

/// `POST /openapi/v1/studios`.
pub async fn create_studio(world: &World, mut call: Call, caller: Caller) -> Answer {
    let wanted: Studio = call
        .json()
        .await
        .map_err(|error| access::open_refused(400, "InputParameterError", &error))?;
    access::writer(Surface::Open, caller, &wanted.owner)?;
    let private = if wanted.private == Some(true) {
        Visibility::Private
    } else {
        Visibility::Public
    };
    if wanted
        .sdk_type
        .as_deref()
        .is_some_and(|sdk| !SDKS.contains(&sdk))
    {
        return Err(access::open_refused(
            400,
            "InputParameterError",
            "sdk_type must be one of gradio, streamlit, docker, static",
        ));
    }
    let id = format!("{}/{}", wanted.owner, wanted.repo_name);
    let visibility = wanted.visibility.unwrap_or(private);
    let visibility = world.settings().visibility_given(visibility);
    let made = world
        .ms
        .create(Kind::Space, &id, visibility, seeds(Kind::Space))
        .map_err(|error| broken(&error))?;
    let repo = made
        .map_err(|_| access::open_refused(409, "DuplicateEntity", "the studio already exists"))?;
    repo.state().sdk = wanted.sdk_type;
    Ok(access::open(&open_summary(&repo)))
}

/// Whatever else a studio is asked: nothing is kept of it.
pub fn studio(call: &Call, caller: Caller, repo: &Repo) -> Answer {
    access::writer(Surface::Open, caller, repo.owner())?;
    Ok(access::open(&if call.method == "GET" {
        json!([])
    } else {
        json!({})
    }))
}

/// `POST /api/v1/S/{id}/repo/tag`.
pub async fn tag(mut call: Call, caller: Caller, repo: &Repo) -> Answer {
    access::writer(Surface::Legacy, caller, repo.owner())?;
    let asked: Value = call
        .json()
        .await
        .map_err(|error| access::bad_request(&error))?;
    let name = asked["TagName"]
        .as_str()
        .filter(|name| !name.is_empty())
        .ok_or_else(|| access::bad_request("参数错误：版本名称不能为空"))?;
    let mut state = repo.state();
    let at = state
        .resolve(asked["Ref"].as_str().unwrap_or("master"))
        .ok_or_else(|| access::refused(Surface::Legacy, &access::NO_REVISION))?;
    if state.tags.contains_key(name) {
        return Err(access::bad_request("the tag already exists"));
    }
    state.tags.insert(name.to_owned(), at.id);
    Ok(access::envelope(
        &json!({"TagName": name, "Revision": at.id}),
    ))
}

/// What a batch asks about.
#[derive(Deserialize)]
pub(super) struct Batch {
    pub(super) operation: String,
    pub(super) objects: Vec<Object>,
}

#[derive(Deserialize)]
pub(super) struct Object {
    pub(super) oid: String,
    pub(super) size: u64,
}

/// Whether a blob is stored, as the check sees it: one of another size is another blob.
fn is_stored(world: &World, digest: &Digest, size: u64) -> bool {
    let by_size = world.settings().ms_check_by_size;
    world
        .ms
        .store
        .get(digest)
        .is_some_and(|stored| !by_size || stored.len() == size)
}

/// `POST /api/v1/repos/S/{id}/info/lfs/objects/batch`: speaks only of what it lacks.
pub async fn batch(world: &World, mut call: Call, caller: Caller, repo: &Repo) -> Answer {
    commit::writer(world, caller, repo)?;
    let asked: Batch = call
        .json()
        .await
        .map_err(|error| access::bad_request(&error))?;
    if asked.operation != "upload" || asked.objects.len() > MOST_OBJECTS {
        return Err(access::bad_request("an upload of at most 256 objects"));
    }
    let mut wanted = Vec::new();
    for object in &asked.objects {
        let digest =
            Digest::parse(&object.oid).ok_or_else(|| access::bad_request("invalid oid"))?;
        if !is_stored(world, &digest, object.size) {
            wanted.push(
                json!({"oid": digest, "size": object.size, "actions": {"upload": upload(world, &call, repo, (digest, object.size))}}),
            );
        }
    }
    Ok(access::envelope(
        &json!({"objects": wanted, "reused-objects": []}),
    ))
}

/// Where a blob is to be put.
fn upload(world: &World, call: &Call, repo: &Repo, (digest, size): (Digest, u64)) -> Value {
    if !world.settings().ms_uploads_at_hub {
        let href = world.signed(
            Origin::MsStorage,
            "PUT",
            &format!("/lfs/{digest}"),
            call.ttl,
        );
        return json!({"href": href, "expires_in": call.ttl.as_secs().max(1)});
    }
    let (base, kinds, id) = (world.base(Origin::Ms), commit::kinds(repo), &repo.id);
    let href = format!("{base}/api/v1/repos/{kinds}/{id}/blobs/{digest}/{size}");
    json!({"href": href, "offset": 0, "upload_header": {"Range": "bytes=0-"}, "upload_parameters": {}})
}
