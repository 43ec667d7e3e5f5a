//! Hugging Face's resolver: a file's content, or where it is.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::accounts::Caller;
use crate::answer::{Answer, content, empty, with};
use crate::call::{Call, Origin};
use crate::repo::{Commit, Repo};
use crate::tree::File;
use crate::world::World;

use super::access;

/// What JavaScript's `encodeURIComponent` leaves.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'!')
    .remove(b'~')
    .remove(b'*')
    .remove(b'\'')
    .remove(b'(')
    .remove(b')');

/// `GET|HEAD /{prefix}{id}/resolve/{rev}/{path}`: where the file is.
pub fn file(
    world: &World,
    call: &Call,
    caller: Caller,
    repo: &Repo,
    revision: &str,
    path: &str,
) -> Answer {
    let commit = access::revision(repo, revision)?;
    access::through_gate(repo, caller)?;
    let file = commit
        .tree
        .file(path)
        .ok_or_else(|| access::file_not_found(&commit))?;
    let response = if file.lfs {
        let stored = format!("/{}/{}/{}", repo.kind.plural(), repo.id, file.digest);
        let response = with(
            empty(302),
            "location",
            &world.signed(Origin::HfStorage, "GET", &stored, call.ttl),
        );
        let response = with(response, "cache-control", "no-store");
        let response = with(response, "x-linked-size", &file.size.to_string());
        let response = with(response, "x-linked-etag", &format!("\"{}\"", file.digest));
        match world.xet.hash(&file.digest) {
            Some(hash) => with(
                with(response, "x-xet-hash", &hash),
                "link",
                &xet_links(world, repo, &commit.id.to_string(), &hash),
            ),
            None => response,
        }
    } else if world.settings().hf_resolve_cache {
        let location = cached(call, repo, &commit, path, file);
        let response = with(
            with(empty(307), "location", &location),
            "accept-ranges",
            "bytes",
        );
        with(response, "x-linked-etag", &format!("\"{}\"", file.oid))
    } else {
        return small(world, call, &commit, path, file);
    };
    Ok(described(response, &commit, path))
}

/// `GET|HEAD /api/resolve-cache/T/{id}/{commit}/{path}`: a small file's content.
pub fn cache(
    world: &World,
    call: &Call,
    caller: Caller,
    repo: &Repo,
    revision: &str,
    path: &str,
) -> Answer {
    let commit = access::revision(repo, revision)?;
    access::through_gate(repo, caller)?;
    let file = commit
        .tree
        .file(path)
        .filter(|file| !file.lfs)
        .ok_or_else(|| access::file_not_found(&commit))?;
    small(world, call, &commit, path, file)
}

fn small(world: &World, call: &Call, commit: &Commit, path: &str, file: &File) -> Answer {
    let stored = world
        .hf
        .store
        .get(&file.digest)
        .ok_or_else(|| access::file_not_found(commit))?;
    Ok(described(
        with(
            content(call, &stored)?,
            "etag",
            &format!("\"{}\"", file.oid),
        ),
        commit,
        path,
    ))
}

fn described(
    response: axum::http::Response<axum::body::Body>,
    commit: &Commit,
    path: &str,
) -> axum::http::Response<axum::body::Body> {
    let name = path.rsplit('/').next().unwrap_or(path);
    let response = with(
        response,
        "content-disposition",
        &format!("inline; filename=\"{}\"", name.replace(['"', '\\'], "_")),
    );
    with(response, "x-repo-commit", &commit.id.to_string())
}

/// Where a small file is: below the API, with the path that was asked and the ETag in the query.
fn cached(call: &Call, repo: &Repo, commit: &Commit, path: &str, file: &File) -> String {
    let escaped = |text: &str| utf8_percent_encode(text, ESCAPED).to_string();
    let path: Vec<String> = path.split('/').map(escaped).collect();
    let (kind, id, etag) = (
        repo.kind.plural(),
        &repo.id,
        escaped(&format!("\"{}\"", file.oid)),
    );
    format!(
        "/api/resolve-cache/{kind}/{id}/{}/{}?{}=&etag={etag}",
        commit.id,
        path.join("/"),
        escaped(&format!("/{}", call.segments.join("/")))
    )
}

/// Where Xet's clients get what opens the storage, and what the file is made of.
fn xet_links(world: &World, repo: &Repo, commit: &str, hash: &str) -> String {
    let (hub, kind, id, cas) = (
        world.named(Origin::Hf),
        repo.kind.plural(),
        &repo.id,
        world.base(Origin::HfCas),
    );
    format!(
        "<{hub}/api/{kind}/{id}/xet-read-token/{commit}>; rel=\"xet-auth\", <{cas}/v1/reconstructions/{hash}>; rel=\"xet-reconstruction-info\""
    )
}
