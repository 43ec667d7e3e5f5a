//! The assumptions about Hugging Face and their tests. This file creates the scratch repo and deletes it.

mod blobs;
mod commits;
mod files;
mod refs;
mod repo;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use hf2ms_hub::RepoKind;
use hf2ms_hub::http::RawResponse;
use serde_json::{Value, json};

use super::assumption::{Assumption, HubProbe};
use super::finding::{NotTried, not_tried};
use super::scratch::{CARD, CARD_TEXT, NOTES, Scratch, WEIGHTS};
use super::wire::{Ask, json as read};

const LFS_TYPE: &str = "application/vnd.git-lfs+json";

/// How Hugging Face is probed.
pub const PROBE: HubProbe = HubProbe {
    prefix: "hf",
    assumptions,
    prepare: |scratch| Box::pin(prepare(scratch)),
    remove: |scratch| Box::pin(repo::remove(scratch)),
    spaces_commits: false,
};

fn assumptions() -> Vec<&'static Assumption> {
    [
        repo::LINES,
        files::LINES,
        blobs::LINES,
        commits::LINES,
        refs::LINES,
        repo::LAST,
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// What fails ends the preparation; the reason stays in the base.
async fn prepare(scratch: &mut Scratch) {
    if let Err(NotTried(why)) = make(scratch).await {
        scratch.base.why = Some(why);
    }
}

async fn make(scratch: &mut Scratch) -> Result<(), NotTried> {
    let account = scratch.get("/api/whoami-v2").await?;
    let name = read(&account)["name"].as_str().map(str::to_owned);
    scratch.base.account = Some(account.clone());
    scratch.good("say whose token it is", account)?;
    let Some(name) = name else {
        return not_tried("Hugging Face does not say whose token it is");
    };
    scratch.owner = name;
    scratch.base.begun = true;
    let created = scratch
        .send(Ask::post("/api/repos/create", &wanted(scratch)))
        .await?;
    scratch.base.created = Some(created.clone());
    scratch.good("make a repo", created)?;
    scratch.base.about = Some(scratch.get(api(scratch, "")).await?);
    scratch.base.first_files = Some(
        scratch
            .get(api(scratch, "/tree/main?recursive=true"))
            .await?,
    );
    fill(scratch).await
}

async fn fill(scratch: &mut Scratch) -> Result<(), NotTried> {
    let (oid, size) = (scratch.blob.oid(), scratch.blob.size());
    let checked = upload_batch(scratch, &[(oid.clone(), size)], false).await?;
    let upload = read(&checked)["objects"][0]["actions"].clone();
    scratch.base.checked = Some(checked);
    let Some(href) = upload["upload"]["href"].as_str() else {
        return not_tried("Hugging Face names no address for a new blob");
    };
    let stored = scratch
        .send(Ask::put(href, scratch.blob.bytes.clone()).anonymous())
        .await?;
    scratch.base.stored = Some(stored.clone());
    scratch.good("store a blob", stored)?;
    if let Some(href) = upload["verify"]["href"].as_str() {
        let verify = Ask::post(href, &json!({"oid": oid, "size": size}))
            .header("content-type", LFS_TYPE)
            .header("accept", LFS_TYPE);
        scratch.base.verified = Some(scratch.send(verify).await?);
    }
    let lines = [
        file(CARD, CARD_TEXT.as_bytes()),
        file(NOTES, &scratch.notes()),
        lfs_file(WEIGHTS, &oid, size),
    ];
    let committed = commit(scratch, "main", None, &lines).await?;
    scratch.base.committed = Some(committed.clone());
    scratch.good("take a commit", committed).map(drop)
}

/// The repo as its creation and its deletion name it.
fn wanted(scratch: &Scratch) -> Value {
    json!({"name": scratch.name, "organization": scratch.owner, "type": scratch.kind, "visibility": "private"})
}

/// A path of the repo below the API.
fn api(scratch: &Scratch, rest: &str) -> String {
    format!("/api/{}/{}{rest}", scratch.kinds(), scratch.id())
}

/// A path of the repo outside the API.
fn page(scratch: &Scratch, rest: &str) -> String {
    let folder = if scratch.kind == RepoKind::Dataset {
        "datasets/"
    } else {
        ""
    };
    format!("/{folder}{}{rest}", scratch.id())
}

/// The commit that the scratch repo's files came with.
fn head(scratch: &Scratch) -> Result<String, NotTried> {
    scratch.ready()?;
    let answer = scratch.need(&scratch.base.committed)?;
    match read(answer)["commitOid"].as_str() {
        Some(commit) => Ok(commit.to_owned()),
        None => not_tried("the commit's answer names no commit"),
    }
}

/// Asks where blobs go.
async fn upload_batch(
    scratch: &Scratch,
    objects: &[(String, u64)],
    by_git: bool,
) -> Result<RawResponse, NotTried> {
    batch(scratch, "upload", objects, by_git).await
}

/// Asks where blobs go or come from.
async fn batch(
    scratch: &Scratch,
    operation: &str,
    objects: &[(String, u64)],
    by_git: bool,
) -> Result<RawResponse, NotTried> {
    let objects: Vec<Value> = objects
        .iter()
        .map(|(oid, size)| json!({"oid": oid, "size": size}))
        .collect();
    let transfers = if operation == "upload" {
        json!(["basic", "multipart"])
    } else {
        json!(["basic"])
    };
    let asked = json!({"operation": operation, "transfers": transfers, "hash_algo": "sha256", "objects": objects});
    let ask = Ask::post(page(scratch, ".git/info/lfs/objects/batch"), &asked)
        .header("content-type", LFS_TYPE)
        .header("accept", LFS_TYPE);
    scratch.send(if by_git { ask.by_git() } else { ask }).await
}

/// Commits these lines to a branch.
async fn commit(
    scratch: &Scratch,
    branch: &str,
    parent: Option<&str>,
    lines: &[Value],
) -> Result<RawResponse, NotTried> {
    let mut header = json!({"summary": "hf2ms probe", "description": ""});
    if let Some(parent) = parent {
        header["parentCommit"] = parent.into();
    }
    let header = json!({"key": "header", "value": header});
    let body: String = std::iter::once(&header)
        .chain(lines)
        .map(|line| format!("{line}\n"))
        .collect();
    let ask = Ask::new("POST", api(scratch, &format!("/commit/{branch}")))
        .header("content-type", "application/x-ndjson")
        .body(body);
    scratch.send_commit(ask).await
}

fn file(path: &str, content: &[u8]) -> Value {
    json!({"key": "file", "value": {"path": path, "content": BASE64_STANDARD.encode(content), "encoding": "base64"}})
}

fn lfs_file(path: &str, oid: &str, size: u64) -> Value {
    json!({"key": "lfsFile", "value": {"path": path, "algo": "sha256", "oid": oid, "size": size}})
}

fn deleted(path: &str) -> Value {
    json!({"key": "deletedFile", "value": {"path": path}})
}
