//! Hugging Face's Git LFS: the batch, uploads in parts, and the check of what was uploaded.

use std::collections::HashMap;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Value, json};

use super::access;
use super::storage::{failure, forbidden};
use crate::accounts::Caller;
use crate::answer::{Answer, Refusal, broken, json as json_answer, typed};
use crate::call::{Call, Origin};
use crate::content::Content;
use crate::digest::Digest;
use crate::multiparts::Multipart;
use crate::repo::Repo;
use crate::settings::Uploads;
use crate::sync::Guarded;
use crate::world::World;

/// Objects a batch may ask for.
const MOST_OBJECTS: usize = 1000;

#[derive(Deserialize)]
struct Batch {
    operation: String,
    #[serde(default)]
    transfers: Vec<String>,
    objects: Vec<Object>,
    hash_algo: Option<String>,
}

#[derive(Deserialize)]
struct Object {
    oid: String,
    size: u64,
}

/// `POST /{prefix}{id}.git/info/lfs/objects/batch`.
pub async fn batch(world: &World, mut call: Call, caller: Caller, repo: &Arc<Repo>) -> Answer {
    let asked: Batch = call
        .json()
        .await
        .map_err(|error| lfs_refused(422, &error))?;
    if asked
        .hash_algo
        .as_deref()
        .is_some_and(|algo| algo != "sha256")
    {
        return Err(lfs_refused(409, "unsupported hash algorithm"));
    }
    if asked.objects.len() > MOST_OBJECTS {
        return Err(lfs_refused(413, "too many objects"));
    }
    access::through_gate(repo, caller)?;
    let objects = match asked.operation.as_str() {
        "download" => asked
            .objects
            .iter()
            .map(|object| download(world, &call, repo, object))
            .collect(),
        "upload" => {
            access::uploader(repo, caller)?;
            let multipart = asked
                .transfers
                .iter()
                .any(|transfer| transfer == "multipart");
            asked
                .objects
                .iter()
                .map(|object| upload(world, &call, repo, object, multipart))
                .collect::<Result<Vec<_>, _>>()?
        }
        _ => return Err(lfs_refused(422, "unknown operation")),
    };
    let multipart = objects
        .iter()
        .any(|object| object["actions"]["upload"]["header"]["chunk_size"].is_string());
    let answer = json!({"transfer": if multipart { "multipart" } else { "basic" }, "objects": objects, "hash_algo": "sha256"});
    Ok(typed(
        200,
        "application/vnd.git-lfs+json",
        answer.to_string(),
    ))
}

fn lfs_refused(status: u16, message: &str) -> Refusal {
    typed(
        status,
        "application/vnd.git-lfs+json",
        json!({"message": message}).to_string(),
    )
    .into()
}

fn download(world: &World, call: &Call, repo: &Repo, object: &Object) -> Value {
    let known = Digest::parse(&object.oid).filter(|digest| {
        repo.state().stored.contains(digest) && world.hf.store.get(digest).is_some()
    });
    match known {
        None => {
            json!({"oid": object.oid, "size": object.size, "error": {"code": 404, "message": "Object does not exist"}})
        }
        Some(digest) => {
            let href = world.signed(
                Origin::HfStorage,
                "GET",
                &blob_path(repo, &digest),
                call.ttl,
            );
            json!({"oid": object.oid, "size": object.size, "authenticated": true, "actions": {"download": action(call, href)}})
        }
    }
}

fn blob_path(repo: &Repo, digest: &Digest) -> String {
    format!("/{}/{}/{digest}", repo.kind.plural(), repo.id)
}

fn action(call: &Call, href: String) -> Value {
    json!({"href": href, "expires_in": call.ttl.as_secs().max(1)})
}

fn upload(
    world: &World,
    call: &Call,
    repo: &Arc<Repo>,
    object: &Object,
    multipart: bool,
) -> Result<Value, Refusal> {
    let Some(digest) = Digest::parse(&object.oid) else {
        return Ok(
            json!({"oid": object.oid, "size": object.size, "error": {"code": 422, "message": "invalid oid"}}),
        );
    };
    let remembers =
        world.settings().hf_remembers_blobs && repo.state().remembered.contains(&digest);
    if remembers || (repo.state().stored.contains(&digest) && world.hf.store.is_verified(&digest)) {
        return Ok(json!({"oid": object.oid, "size": object.size}));
    }
    let settings = world.settings();
    let target = if multipart && object.size > settings.hf_multipart_above {
        begin_parts(
            world,
            call,
            repo,
            (digest, object.size),
            settings.hf_part_size,
        )
        .map_err(|error| broken(&error))?
    } else {
        action(
            call,
            world.signed(
                Origin::HfStorage,
                "PUT",
                &blob_path(repo, &digest),
                call.ttl,
            ),
        )
    };
    let verify = format!(
        "{}/{}{}.git/info/lfs/objects/verify",
        world.named(Origin::Hf),
        repo.kind.prefix(),
        repo.id
    );
    Ok(
        json!({"oid": object.oid, "size": object.size, "authenticated": true, "actions": {"upload": target, "verify": {"href": verify}}}),
    )
}

/// `POST ../objects/verify`: whether what was uploaded is what it was said to be.
pub async fn verify(
    world: &Arc<World>,
    mut call: Call,
    caller: Caller,
    repo: &Arc<Repo>,
) -> Answer {
    access::repo_writer(repo, caller)?;
    let object: Object = call
        .json()
        .await
        .map_err(|error| lfs_refused(422, &error))?;
    let digest = Digest::parse(&object.oid).ok_or_else(|| lfs_refused(422, "invalid oid"))?;
    if !repo.state().stored.contains(&digest) {
        return Err(lfs_refused(404, "Object does not exist"));
    }
    if !is_whole(world, digest, object.size).await {
        repo.state().stored.remove(&digest);
        world.hf.store.remove(&digest);
        return Err(lfs_refused(
            422,
            "the uploaded content does not match its oid and size",
        ));
    }
    Ok(typed(
        200,
        "application/vnd.git-lfs+json",
        json!({"oid": digest, "size": object.size}).to_string(),
    ))
}

/// Whether a stored blob is what its digest and `size` say. Hashes it aside, so that others go on.
pub async fn is_whole(world: &Arc<World>, digest: Digest, size: u64) -> bool {
    let world = Arc::clone(world);
    tokio::task::spawn_blocking(move || world.hf.store.verify(&digest, size))
        .await
        .unwrap_or(false)
}

/// Begins an upload in parts, and returns its LFS action.
fn begin_parts(
    world: &World,
    call: &Call,
    repo: &Arc<Repo>,
    (digest, size): (Digest, u64),
    part_size: u64,
) -> std::io::Result<Value> {
    let file = match world.settings().uploads {
        Uploads::Count => None,
        Uploads::Keep | Uploads::Hash => Some(Arc::new(world.hf.store.blank(size)?)),
    };
    let upload = Multipart {
        repo: Arc::clone(repo),
        digest,
        size,
        part_size,
        file,
        etags: HashMap::new(),
    };
    let parts = size.div_ceil(part_size);
    let id = world.multiparts.begin(upload);
    let sign = |origin, method, path: &str| world.signed(origin, method, path, call.ttl);
    let mut header = json!({"chunk_size": part_size.to_string()});
    for number in 1..=parts {
        let path = format!("/parts/{id}/{number}");
        header[format!("{number:05}")] = sign(Origin::HfStorage, "PUT", &path).into();
    }
    let href = sign(Origin::Hf, "POST", &format!("/api/complete_multipart/{id}"));
    Ok(json!({"href": href, "header": header, "expires_in": call.ttl.as_secs().max(1)}))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Completion {
    oid: Digest,
    parts: Vec<CompletedPart>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct CompletedPart {
    part_number: u64,
    etag: String,
}

/// `POST upload.href`: all parts are there. Needs no token, as the URL is signed.
pub async fn complete(world: &World, mut call: Call, id: &str) -> Answer {
    world
        .signer
        .check("POST", &call.path, |name| call.param(name))
        .map_err(|refused| forbidden(&refused))?;
    let done: Completion = call
        .json()
        .await
        .map_err(|error| access::bad_request(&error))?;
    let gone = || failure(404, "NoSuchUpload", "The specified upload does not exist.");
    let mut begun = world.multiparts.begun.guarded();
    let upload = begun.get(id).ok_or_else(gone)?;
    let count = upload.size.div_ceil(upload.part_size);
    let right = |(at, part): (usize, &CompletedPart)| {
        part.part_number == at as u64 + 1 && upload.etags.get(&part.part_number) == Some(&part.etag)
    };
    if done.oid != upload.digest
        || done.parts.len() as u64 != count
        || !done.parts.iter().enumerate().all(right)
    {
        return Err(failure(
            400,
            "InvalidPart",
            "One or more of the specified parts could not be found.",
        ));
    }
    let upload = begun.remove(id).ok_or_else(gone)?;
    drop(begun);
    let content = upload.file.map_or(
        Content::Dropped {
            digest: None,
            size: upload.size,
        },
        Content::Stored,
    );
    world.hf.store.put(upload.digest, content);
    upload.repo.state().stored.insert(upload.digest);
    Ok(json_answer(200, &json!({"success": true})))
}
