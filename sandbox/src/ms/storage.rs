//! The object storage behind ModelScope, and the way to it below the hub's own domain: it keeps what it is given, whatever the
//! name says.

use std::sync::Arc;

use axum::body::Body;
use axum::http::Response;
use futures_util::StreamExt;
use serde_json::json;

use super::access::{bad_request, envelope, legacy_refused};
use super::commit::not_logged_in;
use crate::accounts::Caller;
use crate::answer::{Answer, broken, content, empty, settle, with};
use crate::call::Call;
use crate::digest::Digest;
use crate::hf::storage::{admitted, declared_length, failure, incomplete};
use crate::repo::Repo;
use crate::world::World;

/// Answers a request.
pub async fn handle(world: &Arc<World>, call: Call) -> Response<Body> {
    settle(answer(world, call).await)
}

async fn answer(world: &Arc<World>, mut call: Call) -> Answer {
    let method = admitted(world, &mut call).await?;
    let digest = call.segments.get(1).and_then(|text| Digest::parse(text));
    let digest =
        digest.ok_or_else(|| failure(404, "NoSuchKey", "The specified key does not exist."))?;
    if method == "PUT" {
        return put(world, call, digest).await;
    }
    let stored = world
        .ms
        .store
        .get(&digest)
        .ok_or_else(|| failure(404, "NoSuchKey", "The specified key does not exist."))?;
    let response = with(content(&call, &stored)?, "etag", &format!("\"{digest}\""));
    Ok(with(response, "x-linked-etag", &format!("\"{digest}\"")))
}

/// `PUT /api/v1/repos/S/{id}/blobs/{oid}/{size}` at the hub's own domain: wants the token twice, and answers in an envelope.
pub(super) async fn put_at_hub(
    world: &World,
    mut call: Call,
    caller: Caller,
    repo: &Repo,
    oid: &str,
) -> Answer {
    let refused = match caller.account() {
        Some(_) if call.bearer().is_none() || call.cookie("m_session_id").is_none() => {
            Some(not_logged_in())
        }
        None => Some(not_logged_in()),
        Some(account) if !account.may_write(repo.owner()) => Some(legacy_refused(
            403,
            403,
            "no write permission to repository",
        )),
        Some(_) => None,
    };
    match (refused, Digest::parse(oid)) {
        (None, Some(digest)) => put(world, call, digest).await.map(|_| envelope(&json!({}))),
        (refused, _) => {
            call.bytes_dropped().await;
            Err(refused.unwrap_or_else(|| bad_request("invalid oid")))
        }
    }
}

async fn put(world: &World, mut call: Call, digest: Digest) -> Answer {
    let length = declared_length(&call)?;
    let mut upload = world
        .ms
        .store
        .upload(length, world.settings().uploads)
        .map_err(|error| broken(&error))?;
    let mut body = crate::shape::frames(std::mem::take(&mut call.body));
    while let Some(frame) = body.next().await {
        upload
            .write(&frame.map_err(incomplete)?)
            .map_err(incomplete)?;
    }
    world
        .ms
        .store
        .put(digest, upload.finish().map_err(incomplete)?);
    Ok(empty(200))
}
