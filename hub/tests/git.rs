//! Fetching and pushing with the sandbox's hubs and a real Git server.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod contract {
    #[allow(dead_code, reason = "the suites use the rest")]
    pub mod world;
}

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use contract::world::{Side, Way, World, all};
use hf2ms_hub::git::{Bare, Depth, GitLimits, GitRepo};
use hf2ms_hub::http::HttpOptions;
use hf2ms_hub::http::retry::RetryPolicy;
use hf2ms_hub::{Blob, GitSha1, Hub, Kind, RepoKind, Source, Token, Visibility};
use hf2ms_sandbox::GitHost;
use serde_json::{Value, json};

const HF: Side = Side(Hub::HuggingFace, RepoKind::Model, Way::Git);
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

/// A bare repository with one commit, made by `git` itself.
fn made_by_git(folder: &Path, text: &str) {
    let git = |arguments: &[&str]| {
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
    };
    git(&["init", "-q", "work"]);
    std::fs::write(folder.join("work/a.txt"), text).unwrap();
    git(&["-C", "work", "add", "."]);
    git(&["-C", "work", "commit", "-qm", text]);
    git(&["clone", "-q", "--bare", "work", "made.git"]);
}

#[tokio::test]
async fn one_commit_is_fetched_without_its_history() {
    let world = World::with(HF, files()).await;
    let second = world
        .seed(json!([{"path": "new.txt", "text": "new"}]))
        .await;
    let repo = alices(&world);
    assert_eq!(
        repo.advertised()
            .await
            .unwrap()
            .commit("main")
            .unwrap()
            .as_str(),
        second
    );
    let bare = Bare::new(GitLimits::default()).unwrap();
    bare.fetch(&repo, &["+refs/heads/main:refs/heads/main"], Depth::One)
        .await
        .unwrap();
    assert_eq!(
        &bare.blob(GitSha1::of(b"small and plain")).await.unwrap()[..],
        b"small and plain"
    );
    assert_eq!(
        bare.blob(GitSha1::of(b"never written"))
            .await
            .unwrap_err()
            .kind(),
        Kind::NotFound
    );
    let commits = bare.work(|repository| {
        let mut walk = repository.revwalk().unwrap();
        walk.push_ref("refs/heads/main").unwrap();
        Ok(walk.count())
    });
    assert_eq!(commits.await.unwrap(), 1);
    assert_eq!(
        world.requests("hf.git_upload_pack").await,
        2,
        "what is wanted, then the pack"
    );
}

#[tokio::test]
async fn a_commit_that_no_ref_names_is_fetched_by_its_id() {
    let world = World::new(HF).await;
    let first = world.seed(files()).await;
    world
        .seed(json!([{"path": "README.md", "text": "changed"}]))
        .await;
    let bare = Bare::new(GitLimits::default()).unwrap();
    bare.fetch(
        &alices(&world),
        &[&format!("{first}:refs/heads/pinned")],
        Depth::One,
    )
    .await
    .unwrap();
    assert_eq!(
        &bare.blob(GitSha1::of(b"small and plain")).await.unwrap()[..],
        b"small and plain"
    );
}

#[tokio::test]
async fn the_folder_goes_with_the_repository() {
    let bare = Bare::new(GitLimits::default()).unwrap();
    let folder = bare.path().to_owned();
    assert!(folder.join("objects").is_dir());
    drop(bare);
    assert!(!folder.exists());
}

#[tokio::test]
async fn a_fetch_that_nobody_waits_for_ends_and_leaves_nothing() {
    let world = World::with(HF, files()).await;
    world
        .fault("hf.git_upload_pack", json!({"do": "stall", "after": 40}), 9)
        .await;
    let bare = Bare::new(GitLimits::default()).unwrap();
    let folder = bare.path().to_owned();
    let repo = alices(&world);
    let fetch = bare.fetch(&repo, &[MAIN], Depth::All);
    assert!(
        tokio::time::timeout(Duration::from_millis(300), fetch)
            .await
            .is_err()
    );
    drop(bare);
    assert!(!folder.exists());
}

#[tokio::test]
async fn a_cut_pack_is_fetched_again_and_one_that_is_always_cut_is_given_up() {
    let world = World::with(HF, files()).await;
    world
        .fault("hf.git_upload_pack", json!({"do": "reset", "after": 60}), 1)
        .await;
    Bare::new(GitLimits::default())
        .unwrap()
        .fetch(&alices(&world), &[MAIN], Depth::All)
        .await
        .unwrap();
    for cut in ["reset", "truncate", "undeclared"] {
        world
            .fault("hf.git_upload_pack", json!({"do": cut, "after": 60}), 3)
            .await;
        assert_eq!(
            refusal(&world, GitLimits::default()).await.kind(),
            Kind::Transient,
            "{cut}"
        );
    }
}

#[tokio::test]
async fn a_pack_that_is_damaged_is_not_taken() {
    let world = World::with(
        HF,
        json!([{"path": "noise.txt", "size": 30_000, "seed": 5, "lfs": false}]),
    )
    .await;
    world
        .fault(
            "hf.git_upload_pack",
            json!({"do": "corrupt", "at": 10_000}),
            9,
        )
        .await;
    let error = refusal(&world, GitLimits::default()).await;
    assert_eq!(error.kind(), Kind::Corrupt, "{error}");
}

#[tokio::test]
async fn packs_made_to_explode_are_refused() {
    let world = World::with(HF, files()).await;
    let objects = refusal(
        &world,
        GitLimits {
            objects: 2,
            ..GitLimits::default()
        },
    )
    .await;
    assert!(
        objects.kind() == Kind::Refused
            && objects.message().contains("more than the 2 that are taken"),
        "{objects}"
    );
    let bytes = refusal(
        &world,
        GitLimits {
            pack_bytes: 100,
            ..GitLimits::default()
        },
    )
    .await;
    assert!(
        bytes.kind() == Kind::Refused && bytes.message().contains("sends more than is taken"),
        "{bytes}"
    );
    let bare = Bare::new(GitLimits {
        blob_bytes: 3,
        ..GitLimits::default()
    })
    .unwrap();
    bare.fetch(&alices(&world), &[MAIN], Depth::All)
        .await
        .unwrap();
    assert_eq!(
        bare.blob(GitSha1::of(b"small and plain"))
            .await
            .unwrap_err()
            .kind(),
        Kind::Refused
    );
}

#[tokio::test]
async fn refusals_have_their_meaning_and_never_the_token() {
    let world = World::with(HF, files()).await;
    world
        .ask(
            "POST",
            "/repo",
            json!({"hub": "hf", "kind": "model", "id": "alice/repo", "private": true}),
        )
        .await;
    let kind = |url: String, token| async move {
        opened(&url, "user", token)
            .advertised()
            .await
            .unwrap_err()
            .kind()
    };
    let url = format!("{}/alice/repo", world.endpoint());
    assert_eq!(kind(url.clone(), None).await, Kind::Unauthorized);
    assert_eq!(
        kind(url.clone(), Some("hf_nobody")).await,
        Kind::Unauthorized
    );
    assert_eq!(kind(url.clone(), Some(HF.bob())).await, Kind::NotFound);
    assert_eq!(
        kind(
            format!("{}/api/whoami-v2", world.endpoint()),
            Some(HF.alice())
        )
        .await,
        Kind::NotFound
    );
    world
        .ask("POST", "/settings", json!({"hf_git_write": false}))
        .await;
    assert_eq!(
        alices(&world).writable().await.unwrap_err().kind(),
        Kind::Denied
    );
    world.fault("hf.git_refs", json!({"do": "html"}), 1).await;
    let page = alices(&world).advertised().await.unwrap_err();
    assert!(
        page.kind() == Kind::Refused && page.message().contains("no Git server answers there"),
        "{page}"
    );
    let echo = format!(
        "no {} nor {}",
        HF.alice(),
        "dXNlcjpoZl9zYW5kYm94QWxpY2VXcml0ZQ=="
    );
    world
        .fault(
            "hf.git_refs",
            json!({"do": "status", "status": 403, "body": echo}),
            1,
        )
        .await;
    let told = alices(&world).advertised().await.unwrap_err();
    assert!(told.message().contains("no *** nor ***"), "{told}");
}

#[tokio::test]
async fn the_token_goes_to_the_repos_own_origin_only() {
    let (here, there) = (
        World::with(HF, files()).await,
        World::with(HF, files()).await,
    );
    let target = format!(
        "{}/alice/repo/info/refs?service=git-upload-pack",
        there.endpoint()
    );
    here.fault(
        "hf.git_refs",
        json!({"do": "redirect", "location": target}),
        1,
    )
    .await;
    alices(&here).advertised().await.unwrap();
    let requests = there.ask("GET", "/requests", Value::Null).await;
    let refs: Vec<_> = requests
        .as_array()
        .unwrap()
        .iter()
        .filter(|request| request["path"].as_str().unwrap().contains("info/refs"))
        .collect();
    assert!(
        refs.len() == 1 && refs[0]["headers"]["authorization"].is_null(),
        "{refs:?}"
    );
}

#[tokio::test]
async fn what_is_fetched_from_one_server_is_pushed_to_another() {
    let folder = tempfile::tempdir().unwrap();
    made_by_git(folder.path(), "first");
    let mut empty = Command::new("git");
    assert!(
        empty
            .args(["init", "-q", "--bare", "empty.git"])
            .current_dir(folder.path())
            .status()
            .unwrap()
            .success()
    );
    let host = GitHost::start(folder.path(), "me", "t-secret")
        .await
        .unwrap();
    let repo = |name: &str| opened(&format!("{}/{name}.git", host.url), "me", Some("t-secret"));
    let bare = Bare::new(GitLimits::default()).unwrap();
    bare.fetch(&repo("made"), &["+refs/*:refs/*"], Depth::All)
        .await
        .unwrap();
    let pushed = bare
        .push(&repo("empty"), &["+refs/heads/main:refs/heads/main"])
        .await
        .unwrap();
    assert!(
        pushed.len() == 1 && pushed[0].name == "refs/heads/main" && pushed[0].refused.is_none(),
        "{pushed:?}"
    );
    let heads = [repo("made"), repo("empty")];
    let [made, copied] = [
        heads[0].advertised().await.unwrap(),
        heads[1].advertised().await.unwrap(),
    ];
    assert_eq!(made.oid("refs/heads/main"), copied.oid("refs/heads/main"));
    assert!(made.oid("refs/heads/main").is_some());
    let stranger = opened(&format!("{}/empty.git", host.url), "me", Some("t-other"));
    assert_eq!(
        bare.push(&stranger, &["+refs/heads/main:refs/heads/main"])
            .await
            .unwrap_err()
            .kind(),
        Kind::Unauthorized
    );
}

#[tokio::test]
async fn a_ref_that_the_server_refuses_is_told_with_its_reason() {
    let folder = tempfile::tempdir().unwrap();
    made_by_git(folder.path(), "first");
    let hook = folder.path().join("made.git/hooks/update");
    std::fs::write(
        &hook,
        "#!/bin/sh\ncase $1 in refs/heads/no*) echo never >&2; exit 1;; esac\n",
    )
    .unwrap();
    std::fs::set_permissions(&hook, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let host = GitHost::start(folder.path(), "me", "t-secret")
        .await
        .unwrap();
    let repo = opened(&format!("{}/made.git", host.url), "me", Some("t-secret"));
    let bare = Bare::new(GitLimits::default()).unwrap();
    bare.fetch(&repo, &["+refs/heads/*:refs/heads/*"], Depth::All)
        .await
        .unwrap();
    let pushed = bare
        .push(
            &repo,
            &[
                "refs/heads/main:refs/heads/yes",
                "refs/heads/main:refs/heads/no",
            ],
        )
        .await
        .unwrap();
    let of = |name: &str| {
        pushed
            .iter()
            .find(|pushed| pushed.name == name)
            .unwrap()
            .refused
            .clone()
    };
    assert_eq!(of("refs/heads/yes"), None);
    assert!(
        of("refs/heads/no").is_some_and(|why| why.to_string().starts_with("hook declined: never")),
        "{pushed:?}"
    );
}

#[tokio::test]
async fn a_locked_repo_is_described_listed_and_read_by_git() {
    let world = World::new(HF).await;
    let commit = world.seed(files()).await;
    lock(&world).await;
    assert_eq!(
        alices(&world).advertised().await.unwrap().head(),
        Some("main")
    );
    let info = source(&world, "main").describe().await.unwrap();
    assert_eq!(
        (info.commit.unwrap().as_str(), info.visibility),
        (commit.as_str(), Visibility::Public)
    );
    let source = source(&world, &commit);
    let listing = source.list().await.unwrap();
    assert_eq!(listing.commit.unwrap().as_str(), commit);
    for listed in &listing.files {
        let content = all(source.read(&listed.file, 0..listed.file.size).await)
            .await
            .unwrap();
        assert!(listed.file.digest.matches(&content), "{}", listed.file.path);
    }
    assert_eq!(world.requests("hf.resolve").await, 0);
    assert_eq!(world.requests("hf.git_upload_pack").await, 2, "one fetch");
}

#[tokio::test]
async fn a_locked_private_repo_stays_private_and_an_absent_revision_is_not_found() {
    let world = World::with(HF, files()).await;
    world
        .ask(
            "POST",
            "/repo",
            json!({"hub": "hf", "kind": "model", "id": "alice/repo", "private": true}),
        )
        .await;
    lock(&world).await;
    assert_eq!(
        source(&world, "main").describe().await.unwrap().visibility,
        Visibility::Private
    );
    assert_eq!(
        source(&world, "v9").describe().await.unwrap_err().kind(),
        Kind::NotFound
    );
}

#[tokio::test]
async fn where_git_is_closed_small_files_come_by_the_hubs_own_way_and_if_both_are_gits_reason_is_told()
 {
    let world = World::with(HF, files()).await;
    let commit = source(&world, "main")
        .describe()
        .await
        .unwrap()
        .commit
        .unwrap();
    let readme = source(&world, commit.as_str()).list().await.unwrap().files[0]
        .file
        .clone();
    world
        .fault("hf.git_refs", json!({"do": "status", "status": 403}), 99)
        .await;
    assert_eq!(
        all(source(&world, commit.as_str()).read(&readme, 0..5).await)
            .await
            .unwrap(),
        b"small"
    );
    lock(&world).await;
    let error = all(source(&world, commit.as_str()).read(&readme, 0..5).await)
        .await
        .unwrap_err();
    assert!(
        error.kind() == Kind::Denied
            && error
                .message()
                .contains("README.md: by Git: the Git server does not allow this"),
        "{error}"
    );
}

#[tokio::test]
async fn a_pointer_that_lies_about_its_size_is_refused_and_one_that_is_none_is_a_plain_file() {
    let forged = "version https://git-lfs.github.com/spec/v1\noid sha256:nothing\nsize 5\n";
    let lies = json!({"path": "lies.safetensors", "size": 300_000, "seed": 1, "declare": {"size": 200_000}});
    let world = World::with(HF, json!([{"path": "forged.txt", "text": forged}, lies])).await;
    lock(&world).await;
    let commit = source(&world, "main")
        .describe()
        .await
        .unwrap()
        .commit
        .unwrap();
    let source = source(&world, commit.as_str());
    let listing = source.list().await.unwrap();
    let [plain, lies] = ["forged.txt", "lies.safetensors"].map(|path| {
        listing
            .files
            .iter()
            .find(|l| l.file.path.as_str() == path)
            .unwrap()
    });
    assert!(!plain.lfs && plain.file.size == forged.len() as u64);
    assert_eq!(
        all(source.read(&plain.file, 0..plain.file.size).await)
            .await
            .unwrap(),
        forged.as_bytes()
    );
    let blob = Blob {
        sha256: lies.file.digest.sha256().unwrap(),
        size: lies.file.size,
    };
    assert!(source.locate(&[blob]).await.unwrap().is_empty());
    assert_eq!(
        all(source.read(&lies.file, 0..lies.file.size).await)
            .await
            .unwrap_err()
            .kind(),
        Kind::Corrupt
    );
}
