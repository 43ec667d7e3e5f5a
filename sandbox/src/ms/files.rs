//! ModelScope's listings of a repo's files, and the files themselves.

use std::sync::Arc;

use serde_json::{Value, json};

use super::Surface;
use super::access;
use super::write::{Batch, Object};
use crate::accounts::Caller;
use crate::answer::{Answer, Refusal, content, empty, typed, with};
use crate::call::{Call, Origin};
use crate::clock;
use crate::digest::Digest;
use crate::repo::{Commit, Repo};
use crate::tree::{Mode, Node};
use crate::world::World;

/// The most entries a page of a dataset's tree holds.
const PAGE: usize = 200;

/// `GET /api/v1/S/{id}/repo/files`: no pages, and nothing says that it was cut.
pub fn unpaged(world: &World, call: &Call, caller: Caller, repo: &Repo) -> Answer {
    listed(call, caller, repo, (0, world.settings().ms_listing_cap))
}

/// `GET /api/v1/datasets/{id}/repo/tree`.
pub fn paged(call: &Call, caller: Caller, repo: &Repo) -> Answer {
    let size = call.number("PageSize").unwrap_or(PAGE).clamp(1, PAGE);
    let page = call.number("PageNumber").unwrap_or(1).max(1);
    listed(call, caller, repo, ((page - 1).saturating_mul(size), size))
}

fn listed(call: &Call, caller: Caller, repo: &Repo, (skip, take): (usize, usize)) -> Answer {
    access::files_of(caller, repo)?;
    let commit = revision(call, repo)?;
    let root = call.param("Root").unwrap_or_default().trim_matches('/');
    let page = commit.tree.dir(root).map(|dir| dir.page(root, call.flag("Recursive"), skip, take)).unwrap_or_default();
    let files: Vec<Value> = page.iter().map(|(path, node)| entry(path, node, &commit)).collect();
    let total = commit.tree.dir(root).map_or(0, |dir| if call.flag("Recursive") { dir.count() } else { dir.width() });
    let mut data = json!({"Files": files, "LatestCommitter": {"Id": commit.id, "Message": commit.message}});
    if repo.kind == crate::repo::Kind::Dataset {
        data["TotalCount"] = total.into();
    }
    Ok(access::envelope(&data))
}

fn revision(call: &Call, repo: &Repo) -> Result<Arc<Commit>, Refusal> {
    let revision = call.param("Revision").filter(|text| !text.is_empty()).unwrap_or("master");
    repo.commit(revision).ok_or_else(|| access::refused(Surface::Legacy, &access::NO_REVISION))
}

fn entry(path: &str, node: &Node, commit: &Commit) -> Value {
    let name = path.rsplit('/').next().unwrap_or(path);
    let date = clock::seconds(commit.date);
    match node {
        Node::Dir(_) => {
            json!({"Path": path, "Name": name, "Type": "tree", "Size": 0, "Sha256": "", "IsLFS": false, "Mode": "040000", "Revision": commit.id, "CommittedDate": date, "InCheck": false})
        }
        Node::File(file) => {
            let (kind, mode) = match file.mode {
                Mode::File => ("blob", "100644"),
                Mode::Symlink => ("blob", "120000"),
                Mode::Submodule => ("commit", "160000"),
            };
            json!({"Path": path, "Name": name, "Type": kind, "Size": file.size, "Sha256": file.digest, "IsLFS": file.lfs, "Mode": mode, "Id": file.oid, "Revision": file.commit.id(), "CommittedDate": date, "CommitMessage": commit.message, "InCheck": false})
        }
    }
}

/// `GET|HEAD /api/v1/S/{id}/repo?Revision=&FilePath=`.
pub fn download(world: &World, call: &Call, caller: Caller, repo: &Repo) -> Answer {
    access::files_of(caller, repo)?;
    let commit = revision(call, repo)?;
    let no_file = || access::refused(Surface::Legacy, &access::NO_FILE);
    let path = call.param("FilePath").ok_or_else(|| access::bad_request("FilePath is required"))?;
    let file = commit.tree.file(path).ok_or_else(no_file)?;
    if file.lfs || file.size > world.settings().ms_redirect_above {
        let stored = world.signed(Origin::MsStorage, "GET", &format!("/lfs/{}", file.digest), call.ttl);
        return Ok(with(empty(302), "location", &stored));
    }
    let stored = world.ms.store.get(&file.digest).ok_or_else(no_file)?;
    // What ModelScope serves itself comes whole, whatever range was asked for.
    let whole = Call { headers: axum::http::HeaderMap::new(), ..rangeless(call) };
    content(&whole, &stored)
}

/// `POST /S/{id}.git/info/lfs/objects/batch`: where large files are, in the words of git-lfs.
pub async fn lfs_batch(world: &World, mut call: Call) -> Answer {
    let asked: Batch = call.json().await.map_err(|error| access::bad_request(&error))?;
    if asked.operation != "download" {
        return Err(access::bad_request("only downloads are asked for here"));
    }
    let objects: Vec<Value> = asked.objects.iter().map(|object| located(world, &call, object)).collect();
    Ok(typed(200, "application/vnd.git-lfs+json", json!({"transfer": "basic", "objects": objects}).to_string()))
}

fn located(world: &World, call: &Call, Object { oid, size }: &Object) -> Value {
    match Digest::parse(oid).filter(|digest| world.ms.store.get(digest).is_some()) {
        None => json!({"oid": oid, "size": size, "error": {"code": 404, "message": "Object does not exist"}}),
        Some(digest) => {
            let href = world.signed(Origin::MsStorage, "GET", &format!("/lfs/{digest}"), call.ttl);
            json!({"oid": oid, "size": size, "actions": {"download": {"href": href, "expires_in": call.ttl.as_secs().max(1)}}})
        }
    }
}

fn rangeless(call: &Call) -> Call {
    Call {
        origin: call.origin,
        method: call.method.clone(),
        path: String::new(),
        segments: Vec::new(),
        query: Vec::new(),
        target: String::new(),
        headers: axum::http::HeaderMap::new(),
        body: axum::body::Body::empty(),
        ttl: call.ttl,
    }
}
