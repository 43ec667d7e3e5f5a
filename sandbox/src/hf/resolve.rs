//! Hugging Face's resolver: a file's content, or where it is.

use crate::accounts::Caller;
use crate::answer::{Answer, content, empty, with};
use crate::call::{Call, Origin};
use crate::repo::Repo;
use crate::world::World;

use super::access;

/// `GET|HEAD /{prefix}{id}/resolve/{rev}/{path}`.
pub fn file(world: &World, call: &Call, caller: Caller, repo: &Repo, revision: &str, path: &str) -> Answer {
    let commit = access::revision(repo, revision)?;
    access::through_gate(repo, caller)?;
    let file = commit.tree.file(path).ok_or_else(|| access::entry_not_found(&commit, path))?;
    let response = if file.lfs {
        let stored = format!("/{}/{}/{}", repo.kind.plural(), repo.id, file.digest);
        let response = with(empty(302), "location", &world.signed(Origin::HfStorage, "GET", &stored, call.ttl));
        let response = with(response, "x-linked-size", &file.size.to_string());
        let response = with(response, "x-linked-etag", &format!("\"{}\"", file.digest));
        match world.xet.hash(&file.digest) {
            Some(hash) => with(with(response, "x-xet-hash", &hash), "link", &xet_auth(world, repo, &commit.id.to_string())),
            None => response,
        }
    } else {
        let stored = world.hf.store.get(&file.digest).ok_or_else(|| access::entry_not_found(&commit, path))?;
        with(content(call, &stored)?, "etag", &format!("\"{}\"", file.oid))
    };
    let name = path.rsplit('/').next().unwrap_or(path);
    let response = with(response, "content-disposition", &format!("inline; filename=\"{}\"", name.replace(['"', '\\'], "_")));
    Ok(with(response, "x-repo-commit", &commit.id.to_string()))
}

/// Where Xet's clients get what opens the storage.
fn xet_auth(world: &World, repo: &Repo, commit: &str) -> String {
    format!("<{}/api/{}/{}/xet-read-token/{commit}>; rel=\"xet-auth\"", world.base(Origin::Hf), repo.kind.plural(), repo.id)
}
