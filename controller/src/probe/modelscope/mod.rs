//! The assumptions about ModelScope and their tests. This file creates the scratch repo, which no token may delete.

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
use super::git;
use super::scratch::{CARD, CARD_TEXT, NOTES, Scratch, WEIGHTS};
use super::wire::{Ask, brief, json as read};

/// The licence that a new repo is given: it claims nothing.
const LICENSE: &str = "Other";
/// Between the parts of a form.
const BOUNDARY: &str = "hf2ms-probe-7c1e55aa";
/// Messages of a commit that is refused because it comes too soon, or for one of its paths (recorded there).
const POLICY: &str = "rejected by repository policy";

/// How ModelScope is probed.
pub const PROBE: HubProbe = HubProbe {
    prefix: "ms",
    assumptions,
    prepare: |scratch| Box::pin(prepare(scratch)),
    remove: |scratch| Box::pin(repo::remove(scratch)),
    spaces_commits: true,
};

fn assumptions() -> Vec<&'static Assumption> {
    [
        repo::LINES,
        files::LINES,
        blobs::LINES,
        refs::LINES,
        commits::LINES,
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
    let account = scratch.get("/openapi/v1/users/me").await?;
    let told = data(&account);
    let name = ["Username", "username", "name", "preferred_username"]
        .iter()
        .find_map(|key| told[*key].as_str())
        .map(str::to_owned);
    scratch.base.account = Some(account.clone());
    scratch.good("say whose token it is", account)?;
    let Some(name) = name else {
        return not_tried("ModelScope does not say whose token it is");
    };
    scratch.owner = name;
    scratch.base.begun = true;
    let created = scratch.send(creation(scratch)).await?;
    scratch.base.created = Some(created.clone());
    good(scratch, "make a repo", created)?;
    scratch.base.about = Some(scratch.get(api(scratch, "")).await?);
    scratch.base.first_files = Some(scratch.get(listing(scratch, "master")).await?);
    fill(scratch).await
}

async fn fill(scratch: &mut Scratch) -> Result<(), NotTried> {
    let (oid, size) = (scratch.blob.oid(), scratch.blob.size());
    let checked = check(scratch, &[(oid.clone(), size)]).await?;
    let href = upload_of(&checked)["href"].as_str().map(str::to_owned);
    scratch.base.checked = Some(checked);
    let Some(href) = href else {
        return not_tried("ModelScope names no address for a new blob");
    };
    let stored = scratch
        .send(Ask::put(href, scratch.blob.bytes.clone()))
        .await?;
    scratch.base.stored = Some(stored.clone());
    good(scratch, "store a blob", stored)?;
    let files = [
        file(CARD, CARD_TEXT.as_bytes()),
        file(NOTES, &scratch.notes()),
        lfs_file(WEIGHTS, &oid, size),
    ];
    let committed = commit(scratch, "master", &files).await?;
    scratch.base.committed = Some(committed.clone());
    good(scratch, "take a commit", committed).map(drop)
}

/// `answer`, if neither its status nor its envelope complains.
fn good(scratch: &Scratch, what: &str, answer: RawResponse) -> Result<RawResponse, NotTried> {
    let answer = scratch.good(what, answer)?;
    if is_success(&answer) {
        Ok(answer)
    } else {
        not_tried(format!("ModelScope did not {what} ({})", brief(&answer)))
    }
}

/// A response of status 200 whose envelope has no error.
fn is_success(answer: &RawResponse) -> bool {
    let said = read(answer);
    let complains = said["Success"] == false || said.get("Code").is_some_and(|code| *code != 200);
    answer.status == 200 && !complains
}

/// The number that an envelope has for a code.
fn code(answer: &RawResponse) -> u64 {
    read(answer)["Code"].as_u64().unwrap_or_default()
}

/// What is in an envelope.
fn data(answer: &RawResponse) -> Value {
    let said = read(answer);
    ["Data", "data"]
        .iter()
        .find_map(|key| said.get(*key))
        .cloned()
        .unwrap_or(said)
}

fn creation(scratch: &Scratch) -> Ask {
    let (owner, name) = (&scratch.owner, &scratch.name);
    if scratch.kind != RepoKind::Dataset {
        return Ask::post(
            "/api/v1/models",
            &json!({"Path": owner, "Name": name, "Visibility": 1, "License": LICENSE}),
        );
    }
    let fields = [
        ("Owner", owner.as_str()),
        ("Name", name.as_str()),
        ("Visibility", "1"),
        ("License", LICENSE),
    ];
    let part = |(name, value): &(&str, &str)| {
        format!(
            "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n"
        )
    };
    let form: String = fields
        .iter()
        .map(part)
        .chain([format!("--{BOUNDARY}--\r\n")])
        .collect();
    Ask::new("POST", "/api/v1/datasets")
        .header(
            "content-type",
            format!("multipart/form-data; boundary={BOUNDARY}"),
        )
        .body(form)
}

/// A path of the repo below the older API.
fn api(scratch: &Scratch, rest: &str) -> String {
    format!("/api/v1/{}/{}{rest}", scratch.kinds(), scratch.id())
}

/// The repo's address for Git.
fn git_repo(scratch: &Scratch) -> String {
    format!("/{}/{}.git", scratch.kinds(), scratch.id())
}

/// The address of a listing of all files.
fn listing(scratch: &Scratch, revision: &str) -> String {
    match scratch.kind {
        RepoKind::Dataset => api(
            scratch,
            &format!("/repo/tree?Revision={revision}&Recursive=True&PageNumber=1&PageSize=3000"),
        ),
        RepoKind::Model | RepoKind::Space => api(
            scratch,
            &format!("/repo/files?Revision={revision}&Recursive=True"),
        ),
    }
}

/// The address of one file.
fn file_at(scratch: &Scratch, revision: &str, path: &str) -> String {
    api(
        scratch,
        &format!(
            "/repo?Revision={revision}&FilePath={}",
            path.replace('/', "%2F")
        ),
    )
}

/// The files of a listing.
fn files_of(answer: &RawResponse) -> Vec<Value> {
    let told = data(answer);
    let files = if told.is_array() {
        &told
    } else {
        &told["Files"]
    };
    files.as_array().cloned().unwrap_or_default()
}

/// The commit at which the main branch stands, by the API, or by Git where that does not tell.
async fn head(scratch: &Scratch) -> Result<String, NotTried> {
    scratch.ready()?;
    let answer = scratch
        .get(api(scratch, "/commits?Ref=master&PageNumber=1&PageSize=1"))
        .await?;
    if let Some(commit) = data(&answer)["Commit"][0]["Id"].as_str() {
        return Ok(commit.to_owned());
    }
    let told = git::refs(scratch, &git_repo(scratch), "git-upload-pack", git::AGENT).await?;
    let text = String::from_utf8_lossy(&told.body).into_owned();
    let before = text
        .split(" refs/heads/master")
        .next()
        .filter(|before| before.len() < text.len());
    match before
        .and_then(|before| before.get(before.len().saturating_sub(40)..))
        .filter(|id| is_commit(id))
    {
        Some(commit) => Ok(commit.to_owned()),
        None => not_tried(format!(
            "no commit of the branch is told ({}, by Git {})",
            brief(&answer),
            told.status
        )),
    }
}

/// Asks which blobs are wanted, and where they go.
async fn check(scratch: &Scratch, objects: &[(String, u64)]) -> Result<RawResponse, NotTried> {
    let objects: Vec<Value> = objects
        .iter()
        .map(|(oid, size)| json!({"oid": oid, "size": size}))
        .collect();
    let path = format!(
        "/api/v1/repos/{}/{}/info/lfs/objects/batch",
        scratch.kinds(),
        scratch.id()
    );
    scratch
        .send(Ask::post(
            path,
            &json!({"operation": "upload", "objects": objects}),
        ))
        .await
}

/// Where the first blob of a check goes; null where it is not wanted.
fn upload_of(checked: &RawResponse) -> Value {
    data(checked)["objects"][0]["actions"]["upload"].clone()
}

/// Commits these actions to a branch, after a pause.
async fn commit(
    scratch: &Scratch,
    branch: &str,
    actions: &[Value],
) -> Result<RawResponse, NotTried> {
    scratch
        .send_commit(commit_to(scratch, branch, actions))
        .await
}

fn commit_to(scratch: &Scratch, branch: &str, actions: &[Value]) -> Ask {
    let path = format!(
        "/api/v1/repos/{}/{}/commit/{branch}",
        scratch.kinds(),
        scratch.id()
    );
    Ask::post(
        path,
        &json!({"commit_message": "hf2ms probe", "actions": actions}),
    )
}

fn file(path: &str, content: &[u8]) -> Value {
    let text = BASE64_STANDARD.encode(content);
    json!({"action": "create", "path": path, "type": "normal", "size": content.len(), "sha256": "", "content": text, "encoding": "base64"})
}

fn lfs_file(path: &str, oid: &str, size: u64) -> Value {
    json!({"action": "create", "path": path, "type": "lfs", "size": size, "sha256": oid, "content": "", "encoding": ""})
}

fn deleted(path: &str) -> Value {
    json!({"action": "delete", "path": path, "type": "normal", "size": 0, "sha256": "", "content": "", "encoding": ""})
}

/// Whether a text is a commit's id.
fn is_commit(text: &str) -> bool {
    text.len() == 40 && text.bytes().all(|digit| digit.is_ascii_hexdigit())
}
