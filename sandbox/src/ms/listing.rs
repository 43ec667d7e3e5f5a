//! ModelScope's listings of a repo's files, as recorded at the real hub.

use std::sync::Arc;

use serde_json::{Value, json};

use super::Surface;
use super::access;
use crate::accounts::Caller;
use crate::answer::{Answer, Refusal};
use crate::call::{Call, Origin};
use crate::clock;
use crate::repo::{Commit, Kind, Repo};
use crate::settings::Settings;
use crate::tree::{Mode, Node};
use crate::world::World;

/// The entries of a dataset's page unless another number is asked for.
const PAGE: usize = 100;

/// `GET /api/v1/S/{id}/repo/files`: no pages, and nothing says that it was cut.
pub fn unpaged(world: &World, call: &Call, caller: Caller, repo: &Repo) -> Answer {
    listed(
        world,
        call,
        caller,
        repo,
        (0, world.settings().ms_listing_cap),
    )
}

/// `GET /api/v1/datasets/{id}/repo/tree`.
pub fn paged(world: &World, call: &Call, caller: Caller, repo: &Repo) -> Answer {
    let size = call
        .number("PageSize")
        .unwrap_or(PAGE)
        .clamp(1, world.settings().ms_page.max(1));
    let page = call.number("PageNumber").unwrap_or(1).max(1);
    listed(
        world,
        call,
        caller,
        repo,
        ((page - 1).saturating_mul(size), size),
    )
}

fn listed(
    world: &World,
    call: &Call,
    caller: Caller,
    repo: &Repo,
    (skip, take): (usize, usize),
) -> Answer {
    access::files_of(caller, repo)?;
    let settings = world.settings();
    let commit = revision(&settings, call, repo)?;
    let is_dataset = repo.kind == Kind::Dataset;
    // Models' listings know the word by its capital letter only.
    let recursive = call.flag("Recursive") || is_dataset && call.flag("recursive");
    let root = call.param("Root").unwrap_or_default().trim_matches('/');
    let page = commit
        .tree
        .dir(root)
        .map(|dir| dir.page(root, recursive, skip, take))
        .unwrap_or_default();
    let files: Vec<Value> = page
        .iter()
        .map(|(path, node)| entry(path, node, repo, &commit, settings.ms_sha256))
        .collect();
    let total = commit
        .tree
        .dir(root)
        .map_or(0, |dir| if recursive { dir.count() } else { dir.width() });
    let mut data = json!({"Files": files, "IsVisual": 0, "LatestCommitter": committer(&commit, settings.ms_commit_id)});
    if is_dataset {
        data["TotalCount"] = total.into();
    }
    Ok(access::envelope(&data))
}

/// The commit that is asked for. An unknown one is answered as a listing without a list.
fn revision(settings: &Settings, call: &Call, repo: &Repo) -> Result<Arc<Commit>, Refusal> {
    let revision = call
        .param("Revision")
        .filter(|text| !text.is_empty())
        .unwrap_or("master");
    repo.commit(revision)
        .ok_or_else(|| match settings.ms_revision_404 {
            true => access::refused(Surface::Legacy, &access::NO_TREE),
            false => access::envelope(&json!({"Files": null})).into(),
        })
}

/// The last commit: its first digits, and all of them only where a setting says so.
fn committer(commit: &Commit, whole: bool) -> Value {
    let id = commit.id.to_string();
    let date = clock::seconds(commit.date);
    let told = if whole { id.as_str() } else { "" };
    json!({"Id": told, "ShortId": &id[..8], "Message": commit.message, "Title": commit.message, "CommittedDate": date, "CreatedAt": date, "ParentIds": commit.parent.iter().collect::<Vec<_>>()})
}

/// An entry. A file tells the last commit that touched it, and when that was made.
fn entry(path: &str, node: &Node, repo: &Repo, head: &Commit, with_sha256: bool) -> Value {
    let name = path.rsplit('/').next().unwrap_or(path);
    let Node::File(file) = node else {
        let (commit, date) = (head, clock::seconds(head.date));
        return json!({"Path": path, "Name": name, "Type": "tree", "Size": 0, "Sha256": "", "IsLFS": false, "Mode": "16384", "Revision": commit.id, "CommittedDate": date, "InCheck": false});
    };
    let (kind, mode) = match file.mode {
        Mode::File => ("blob", 0o100_644),
        Mode::Symlink => ("blob", 0o120_000),
        Mode::Submodule => ("commit", 0o160_000),
    };
    let own = repo.commit(&file.commit.id().to_string());
    let commit = own.as_deref().unwrap_or(head);
    let date = clock::seconds(commit.date);
    let mut told = json!({"Path": path, "Name": name, "Type": kind, "Size": file.size, "IsLFS": file.lfs, "Mode": mode.to_string(), "Revision": file.commit.id(), "CommittedDate": date, "CommitMessage": commit.message, "InCheck": false});
    if with_sha256 {
        told["Sha256"] = json!(file.digest);
    }
    told
}

/// `GET /api/v1/datasets/{id}/oss/tree`: the data of a dataset of the old kind, which is not in its repo.
pub fn beside(world: &World, call: &Call, caller: Caller, repo: &Repo) -> Answer {
    access::files_of(caller, repo)?;
    let address = |digest| {
        world.signed(
            Origin::MsStorage,
            "GET",
            &format!("/lfs/{digest}"),
            call.ttl,
        )
    };
    let state = repo.state();
    let told = state
        .beside
        .iter()
        .map(|(key, (digest, size))| json!({"Key": key, "Size": size, "Url": address(digest)}));
    Ok(access::envelope(&told.collect()))
}
