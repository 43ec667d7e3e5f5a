//! What the hubs really hold: repos and blobs, as no client of theirs is told.

use std::sync::Arc;
use std::time::SystemTime;

use serde::Deserialize;
use serde_json::{Value, json};

use super::{Outcome, Which, bad, named};
use crate::call::Call;
use crate::clock;
use crate::digest::Digest;
use crate::repo::Repo;
use crate::tree::File;
use crate::world::World;

/// `GET /repo`: the repo with its commits and files, each hashed now unless `hash=false`.
pub async fn repo(world: &Arc<World>, call: Call) -> Outcome {
    let (which, repo) = named(world, &call)?;
    let revision = call
        .param("revision")
        .unwrap_or(which.of(world).branch)
        .to_owned();
    let hash = call.param("hash") != Some("false");
    let world = Arc::clone(world);
    let described =
        tokio::task::spawn_blocking(move || describe(&world, which, &repo, &revision, hash));
    described.await.map_err(|error| (500, error.to_string()))?
}

fn describe(world: &World, which: Which, repo: &Repo, revision: &str, hash: bool) -> Outcome {
    let commit = repo
        .commit(revision)
        .ok_or_else(|| (404, format!("no such revision: {revision}")))?;
    let files: Vec<Value> = commit
        .tree
        .files()
        .iter()
        .map(|(path, file)| described(world, which, path, file, hash))
        .collect();
    let state = repo.state();
    let commits: Vec<Value> = state
        .log
        .iter()
        .map(
            |commit| json!({"id": commit.id, "message": commit.message, "actions": commit.actions}),
        )
        .collect();
    Ok(json!({
        "kind": repo.kind,
        "id": repo.id,
        "private": !state.is_public(),
        "visibility": state.visibility,
        "gated": state.gated,
        "disabled": state.disabled,
        "head": commit.id,
        "sdk": state.sdk,
        "branches": state.branches,
        "tags": state.tags,
        "commits": commits,
        "files": files,
    }))
}

fn described(world: &World, which: Which, path: &str, file: &File, hash: bool) -> Value {
    let content = which.of(world).store.get(&file.digest);
    let actual = content
        .as_ref()
        .filter(|_| hash)
        .and_then(|content| content.digest().ok());
    json!({
        "path": path,
        "size": content.as_ref().map(crate::content::Content::len),
        "sha256": actual,
        "lfs": file.lfs,
        "listed": {"size": file.size, "sha256": file.digest, "git_sha1": file.oid},
    })
}

/// `GET /repos?hub=`.
pub fn repos(world: &World, call: &Call) -> Outcome {
    let which: Which =
        serde_json::from_value(call.param("hub").unwrap_or("hf").into()).map_err(bad)?;
    let about = |repo: &Arc<Repo>| {
        let state = repo.state();
        json!({"kind": repo.kind, "id": repo.id, "private": !state.is_public(), "visibility": state.visibility, "commits": state.log.len()})
    };
    Ok(which.of(world).repos().iter().map(about).collect())
}

/// `GET /deletions?hub=`.
pub fn deletions(world: &World, call: &Call) -> Outcome {
    let which: Which =
        serde_json::from_value(call.param("hub").unwrap_or("hf").into()).map_err(bad)?;
    let about = |(at, repo): &(SystemTime, Arc<Repo>)| json!({"kind": repo.kind, "id": repo.id, "at_us": clock::micros(*at)});
    Ok(which.of(world).deletions().iter().map(about).collect())
}

/// A blob to lose.
#[derive(Deserialize)]
pub struct Lost {
    hub: Which,
    sha256: Digest,
}

/// `POST /blob/remove`: the hub loses what it had stored.
pub fn remove_blob(world: &World, lost: Lost) -> Outcome {
    lost.hub.of(world).store.remove(&lost.sha256);
    Ok(json!({}))
}
