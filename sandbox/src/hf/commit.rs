//! Commits on Hugging Face: lines of JSON, all of which are taken or none.

use std::sync::Arc;

use base64::Engine as _;
use serde::Deserialize;
use serde_json::json;

use super::refusals::{Offending, within_limits};
use super::{access, lfs, rules};
use crate::accounts::Caller;
use crate::answer::{Answer, Refusal, broken, json as json_answer};
use crate::call::{Call, Origin};
use crate::digest::{Digest, Oid};
use crate::hub::{Change, apply, lfs_file};
use crate::repo::{Commit, Repo};
use crate::world::World;

#[derive(Deserialize)]
#[serde(tag = "key", content = "value", rename_all = "camelCase")]
enum Line {
    Header(Header),
    File(Inline),
    LfsFile(Lfs),
    DeletedFile(Path),
    DeletedFolder(Path),
    CopyFile(Copy),
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Header {
    summary: String,
    #[serde(default)]
    description: String,
    parent_commit: Option<Oid>,
}

#[derive(Deserialize)]
struct Inline {
    path: String,
    content: String,
    encoding: Option<String>,
}

#[derive(Deserialize)]
struct Lfs {
    path: String,
    oid: Digest,
    size: Option<u64>,
}

#[derive(Deserialize)]
struct Path {
    path: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Copy {
    path: String,
    src_path: String,
    src_revision: Option<String>,
}

/// `POST /api/T/{id}/commit/{rev}`.
pub async fn commit(
    world: &Arc<World>,
    mut call: Call,
    caller: Caller,
    repo: &Arc<Repo>,
    revision: &str,
) -> Answer {
    access::committer(repo, caller)?;
    let body = call
        .bytes()
        .await
        .map_err(|error| access::bad_request(&error))?;
    let head = access::revision(repo, revision)?;
    let (mut header, mut changes, mut offending) = (None, Vec::new(), Offending::default());
    for line in body
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
    {
        match serde_json::from_slice(line)
            .map_err(|error| access::bad_request(&error.to_string()))?
        {
            Line::Header(line) => header = Some(line),
            line => changes.extend(change(world, repo, &head, line, &mut offending).await?),
        }
    }
    offending.refuse(&world.settings())?;
    within_limits(world, repo, &head, &changes)?;
    let header = header.ok_or_else(|| access::bad_request("A commit begins with a header"))?;
    let made = {
        let mut state = repo.state();
        let branch = revision.strip_prefix("refs/heads/").unwrap_or(revision);
        let at = state.branches.get(branch).copied().ok_or_else(|| {
            access::refused(404, Some("RevisionNotFound"), "Only branches take commits")
        })?;
        if header.parent_commit.is_some_and(|parent| parent != at) {
            return Err(access::refused(
                412,
                None,
                "A commit has happened since. Please refresh and try again.",
            ));
        }
        let message = format!("{}\n{}", header.summary, header.description);
        apply(&mut state, &repo.first_id, branch, message.trim(), changes)
    };
    let url = format!(
        "{}/{}{}/commit/{}",
        world.named(Origin::Hf),
        repo.kind.prefix(),
        repo.id,
        made.id
    );
    Ok(json_answer(
        200,
        &json!({"success": true, "commitOid": made.id, "commitUrl": url, "hookOutput": ""}),
    ))
}

/// The change that a line makes; none where what is wrong with it is noted among the `offending`.
async fn change(
    world: &Arc<World>,
    repo: &Repo,
    head: &Commit,
    line: Line,
    offending: &mut Offending,
) -> Result<Option<Change>, Refusal> {
    match line {
        Line::File(file) => inline(world, file, offending).map(Some),
        Line::LfsFile(file) => {
            good_path(&file.path)?;
            if !repo.state().stored.contains(&file.oid)
                && world
                    .xet
                    .hand_over(&world.hf, &file.oid)
                    .await
                    .map_err(|error| broken(&error))?
            {
                repo.state().stored.insert(file.oid);
            }
            let size = file
                .size
                .or_else(|| world.hf.store.get(&file.oid).map(|stored| stored.len()))
                .unwrap_or_default();
            let known = repo.state().stored.contains(&file.oid);
            if !known || !lfs::is_whole(world, file.oid, size).await {
                repo.state().remembered.remove(&file.oid);
                offending.has_no_content(file.path);
                return Ok(None);
            }
            Ok(Some(Change::Put(file.path, lfs_file(file.oid, size))))
        }
        Line::DeletedFile(Path { path }) => {
            present(head, &path, head.tree.file(&path).is_some()).map(Some)
        }
        Line::DeletedFolder(Path { path }) => {
            let path = path.trim_end_matches('/').to_owned();
            present(head, &path, head.tree.dir(&path).is_some()).map(Some)
        }
        Line::CopyFile(copy) => {
            good_path(&copy.path)?;
            let from = copy
                .src_revision
                .as_deref()
                .and_then(|revision| repo.commit(revision));
            let tree = from.as_ref().map_or(&head.tree, |commit| &commit.tree);
            let file = tree
                .file(&copy.src_path)
                .ok_or_else(|| access::entry_not_found(head, &copy.src_path))?;
            Ok(Some(Change::Put(copy.path, (**file).clone())))
        }
        Line::Header(_) => Err(access::bad_request("A commit has one header")),
    }
}

fn inline(world: &World, file: Inline, offending: &mut Offending) -> Result<Change, Refusal> {
    good_path(&file.path)?;
    let content = match file.encoding.as_deref() {
        Some("base64") => base64::engine::general_purpose::STANDARD
            .decode(&file.content)
            .map_err(|error| access::bad_request(&error.to_string()))?,
        _ => file.content.into_bytes(),
    };
    offending.look_into(world, &file.path, &content);
    if file.path == "README.md"
        && let Some(message) = std::str::from_utf8(&content)
            .ok()
            .and_then(rules::bad_front_matter)
    {
        return Err(access::bad_request(&format!(
            "Invalid metadata in README.md: {message}"
        )));
    }
    Ok(Change::Put(
        file.path,
        world
            .hf
            .inline(content.into())
            .map_err(|error| broken(&error))?,
    ))
}

fn good_path(path: &str) -> Result<(), Refusal> {
    match rules::bad_path(path) {
        Some(why) => Err(access::bad_request(&format!(
            "Invalid path {path:?}: {why}"
        ))),
        None => Ok(()),
    }
}

fn present(head: &Commit, path: &str, there: bool) -> Result<Change, Refusal> {
    if there {
        Ok(Change::Remove(path.to_owned()))
    } else {
        Err(access::entry_not_found(head, path))
    }
}
