//! Fetching and pushing with the sandbox's hubs and a real Git server.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

#[path = "../contract"]
mod contract {
    #[allow(dead_code, reason = "the suites use the rest")]
    pub mod toy;
    #[allow(dead_code, reason = "the suites use the rest")]
    pub mod world;
}

mod fetches;
mod locked;
mod pushes;
mod refusals;

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use contract::world::{Protocol, Side, World, all};
use hf2ms_hub::git::{Bare, Depth, GitLimits, GitRepo};
use hf2ms_hub::http::HttpOptions;
use hf2ms_hub::http::retry::RetryPolicy;
use hf2ms_hub::{Blob, Gate, GitSha1, Hub, Kind, RepoKind, Source, Token, Visibility};
use hf2ms_sandbox::GitHost;
use serde_json::{Value, json};

const HF: Side = Side(Hub::HuggingFace, RepoKind::Model, Protocol::Git);
const MAIN: &str = "+refs/heads/*:refs/heads/*";

fn quick() -> HttpOptions {
    let retry = RetryPolicy {
        retries: 2,
        base: Duration::from_millis(2),
        ..RetryPolicy::default()
    };
    HttpOptions {
        retry,
        stall: Duration::from_secs(10),
        ..HttpOptions::default()
    }
}

fn opened(url: &str, user: &str, token: Option<&str>) -> GitRepo {
    let token = token.map(|token| Token::parse(token).unwrap());
    GitRepo::open(&url.parse().unwrap(), user, token.as_ref(), quick()).unwrap()
}

fn alices(world: &World) -> GitRepo {
    opened(
        &format!("{}/alice/repo", world.endpoint()),
        "user",
        Some(world.side.alice()),
    )
}

fn files() -> Value {
    json!([{"path": "README.md", "text": "small and plain"}, {"path": "w.safetensors", "size": 300_000, "seed": 1}])
}

async fn refusal(world: &World, limits: GitLimits) -> hf2ms_hub::Error {
    let bare = Bare::new(limits).unwrap();
    bare.fetch(&alices(world), &[MAIN], Depth::All)
        .await
        .unwrap_err()
}

/// A source that is read by Git, at this revision.
fn source(world: &World, revision: &str) -> std::sync::Arc<dyn Source> {
    world.source_of("alice/repo", revision, Some(world.side.alice()))
}

async fn lock(world: &World) {
    let lock =
        json!({"hub": "hf", "kind": "model", "id": "alice/repo", "storage_locked": "private"});
    world.ask("POST", "/repo", lock).await;
}

/// Runs `git` in a folder.
fn git_in(folder: &Path, arguments: &[&str]) {
    let mut git = Command::new("git");
    git.args([
        "-c",
        "user.name=a",
        "-c",
        "user.email=a@example.com",
        "-c",
        "init.defaultBranch=main",
    ]);
    assert!(
        git.args(arguments)
            .current_dir(folder)
            .output()
            .unwrap()
            .status
            .success(),
        "{arguments:?}"
    );
}

/// A new branch of the bare repository, with a commit for each content of a file of the branch's name.
fn branch_by_git(folder: &Path, name: &str, contents: &[&[u8]]) {
    let git = |arguments: &[&str]| git_in(folder, arguments);
    git(&["-C", "work", "checkout", "-q", "-b", name]);
    for content in contents {
        std::fs::write(folder.join("work").join(name), content).unwrap();
        git(&["-C", "work", "add", "."]);
        git(&["-C", "work", "commit", "-qm", name]);
    }
    git(&["-C", "work", "push", "-q", "../made.git", name]);
    git(&["-C", "work", "checkout", "-q", "main"]);
}

/// A bare repository with one commit, made by `git` itself.
fn made_by_git(folder: &Path, text: &str) {
    let git = |arguments: &[&str]| git_in(folder, arguments);
    git(&["init", "-q", "work"]);
    std::fs::write(folder.join("work/a.txt"), text).unwrap();
    git(&["-C", "work", "add", "."]);
    git(&["-C", "work", "commit", "-qm", text]);
    git(&["clone", "-q", "--bare", "work", "made.git"]);
}
