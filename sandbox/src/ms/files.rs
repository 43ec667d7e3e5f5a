//! The files of ModelScope's repos: which are served by the hub itself, and where the others are. As recorded at the real hub.

use axum::body::Body;
use axum::http::{Response, StatusCode, header};
use serde_json::{Value, json};

use super::Surface;
use super::access;
use super::write::{Batch, Object};
use crate::accounts::Caller;
use crate::answer::{Answer, Refusal, content, empty, settle, typed, with};
use crate::call::{Call, Origin};
use crate::content::Content;
use crate::digest::Digest;
use crate::repo::Repo;
use crate::world::World;

/// `GET|HEAD /api/v1/S/{id}/repo?Revision=&FilePath=`. A `HEAD` is never sent elsewhere.
pub fn download(world: &World, call: &Call, caller: Caller, repo: &Repo) -> Answer {
    access::files_of(caller, repo)?;
    let path = call
        .param("FilePath")
        .ok_or_else(|| access::bad_request("FilePath is required"))?;
    let revision = call
        .param("Revision")
        .filter(|text| !text.is_empty())
        .unwrap_or("master");
    let file = repo
        .commit(revision)
        .and_then(|commit| commit.tree.file(path).cloned())
        .ok_or_else(|| absent(world, call))?;
    let stored = world
        .ms
        .store
        .get(&file.digest)
        .ok_or_else(|| absent(world, call))?;
    let is_elsewhere = file.lfs || file.size > world.settings().ms_redirect_above;
    if is_elsewhere && call.method != axum::http::Method::HEAD {
        let stored = world.signed(
            Origin::MsStorage,
            "GET",
            &format!("/lfs/{}", file.digest),
            call.ttl,
        );
        return Ok(with(empty(302), "location", &stored));
    }
    served(world, call, &stored)
}

/// `GET|HEAD /S/{id}/resolve/{revision}/{path}`: of files in LFS, too, the hub itself gives the content.
pub fn resolve(
    world: &World,
    call: &Call,
    caller: Caller,
    repo: &Repo,
    (revision, path): (&str, &str),
) -> Answer {
    access::files_of(caller, repo)?;
    let file = repo
        .commit(revision)
        .and_then(|commit| commit.tree.file(path).cloned())
        .ok_or_else(|| absent(world, call))?;
    let stored = world
        .ms
        .store
        .get(&file.digest)
        .ok_or_else(|| absent(world, call))?;
    served(world, call, &stored)
}

/// A file that is not there, or whose content is lost.
fn absent(world: &World, call: &Call) -> Refusal {
    if call.method == axum::http::Method::HEAD {
        return empty(404).into();
    }
    let mut refusal: Response<Body> =
        settle(Err(access::refused(Surface::Legacy, &access::NO_FILE)));
    if !world.settings().ms_file_404 {
        *refusal.status_mut() = StatusCode::OK;
    }
    refusal.into()
}

/// What the hub itself gives. It answers a range by 200 and a `Content-Range`; of one without an end it names a wrong length, and
/// it takes none that counts from the end.
fn served(world: &World, call: &Call, stored: &Content) -> Answer {
    let asked = call
        .header(header::RANGE)
        .and_then(|range| range.strip_prefix("bytes="))
        .unwrap_or_default();
    if world.settings().ms_range_206 {
        return content(call, stored);
    }
    if asked.starts_with('-') {
        return Err(access::bad_request("invalid range"));
    }
    let mut response = content(call, stored)?;
    if response.status() == StatusCode::PARTIAL_CONTENT {
        *response.status_mut() = StatusCode::OK;
        // As recorded: 200 of the 627 bytes that follow the first 200. A length beyond the end would keep the whole answer back.
        let is_within = |start: &&str| {
            start
                .parse()
                .is_ok_and(|start: u64| start > 0 && start < stored.len() - start)
        };
        if let Some(start) = asked.strip_suffix('-').filter(is_within) {
            // A stream has no length of its own that could contradict this one.
            response = with(
                response.map(|body| Body::from_stream(body.into_data_stream())),
                "content-length",
                start,
            );
        }
    }
    Ok(response)
}

/// `POST /S/{id}.git/info/lfs/objects/batch`: where large files are, in the words of git-lfs.
pub async fn lfs_batch(world: &World, mut call: Call) -> Answer {
    let asked: Batch = call
        .json()
        .await
        .map_err(|error| access::bad_request(&error))?;
    if asked.operation != "download" {
        return Err(access::bad_request("only downloads are asked for here"));
    }
    let objects: Vec<Value> = asked
        .objects
        .iter()
        .map(|object| located(world, &call, object))
        .collect();
    Ok(typed(
        200,
        "application/vnd.git-lfs+json",
        json!({"transfer": "basic", "objects": objects}).to_string(),
    ))
}

fn located(world: &World, call: &Call, Object { oid, size }: &Object) -> Value {
    match Digest::parse(oid).filter(|digest| world.ms.store.get(digest).is_some()) {
        None => {
            json!({"oid": oid, "size": size, "error": {"code": 404, "message": "Object does not exist"}})
        }
        Some(digest) => {
            let href = world.signed(
                Origin::MsStorage,
                "GET",
                &format!("/lfs/{digest}"),
                call.ttl,
            );
            json!({"oid": oid, "size": size, "actions": {"download": {"href": href, "expires_in": call.ttl.as_secs().max(1)}}})
        }
    }
}
