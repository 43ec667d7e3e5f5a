//! Repos that are read by Git: because it was asked for, because the API is locked, or because many small files come sooner in one pack.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

#[path = "common/faults.rs"]
mod faults;

use common::processes::{signal, until};
use common::{Ran, World};
use faults::IMPATIENT;
use serde_json::{Value, json};

const MIGRATE: [&str; 3] = ["migrate", "alice/model", "--json"];
const BY_GIT: [&str; 4] = ["migrate", "alice/model", "--json", "--use-git"];

/// One more commit on the source.
fn seed(world: &World, files: &Value) -> String {
    let body =
        json!({"hub": "hf", "kind": "model", "id": "alice/model", "message": "m", "files": files});
    world.seed(&body.to_string())["commit"]
        .as_str()
        .unwrap()
        .to_owned()
}

fn many(world: &World, count: u64) {
    let generate = json!({"count": count, "folders": 10, "size": 500, "suffix": ".txt"});
    world.seed(
        &json!({"hub": "hf", "kind": "model", "id": "alice/model", "generate": generate})
            .to_string(),
    );
}

fn lock(world: &World, why: &str) {
    let lock = json!({"hub": "hf", "kind": "model", "id": "alice/model", "storage_locked": why});
    world.admin("POST", "/repo", &lock.to_string()).unwrap();
}

fn run(world: &World, args: &[&str]) -> Ran {
    world.run_with(args, &[IMPATIENT])
}

fn is_done(world: &World, ran: &Ran) -> Value {
    let report = ran.event("report");
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    assert!(
        world.is_copied("model", "alice/model", "alice/model"),
        "{}",
        ran.stdout
    );
    report
}

fn nothing_is_left(world: &World) {
    let left: Vec<_> = std::fs::read_dir(world.path("tmp")).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn a_locked_repo_is_copied_by_git_and_both_say_so() {
    for why in ["private", "patterns"] {
        let world = World::with_model();
        lock(&world, why);
        let ran = run(&world, &MIGRATE);
        let report = is_done(&world, &ran);
        let warned = report["warnings"]
            .as_array()
            .unwrap()
            .iter()
            .any(|line| line.as_str().unwrap().contains("is read by Git"));
        assert!(warned, "{report}");
        let said = run(&world, &["verify", "alice/model"]);
        assert!(
            said.code == 0 && said.stderr.contains("has locked its API for this account"),
            "{}",
            said.stderr
        );
        assert_eq!(world.requests("hf.resolve"), 0);
    }
}

#[test]
fn a_locked_private_repo_becomes_a_private_copy() {
    let world = World::with_model();
    world
        .admin(
            "POST",
            "/repo",
            &json!({"hub": "hf", "kind": "model", "id": "alice/model", "private": true})
                .to_string(),
        )
        .unwrap();
    lock(&world, "private");
    let ran = world.run_with(&MIGRATE, &[IMPATIENT, ("HF_TOKEN", "hf_sandboxAliceRead")]);
    is_done(&world, &ran);
    assert_eq!(
        world.stored("ms", "model", "alice/model").unwrap()["private"],
        true
    );
}

#[test]
fn a_repo_that_is_locked_between_two_looks_is_copied_by_git() {
    let world = World::with_model();
    let locked = json!({"do": "status", "status": 403, "body": {"error": "Your storage patterns tripped our internal systems!"}});
    world.always("hf.tree", locked);
    is_done(&world, &run(&world, &MIGRATE));
}

#[test]
fn what_is_not_found_is_not_looked_for_by_git() {
    let world = World::new();
    let ran = run(&world, &BY_GIT);
    assert_eq!(ran.code, 3, "{}", ran.stderr);
    assert_eq!(world.requests("hf.git_refs"), 0);
}

#[test]
fn use_git_reads_small_files_from_one_pack_and_leaves_nothing_behind() {
    let world = World::with_model();
    std::fs::create_dir(world.path("tmp")).unwrap();
    let folder = world.path("tmp");
    let ran = world.run_with(&BY_GIT, &[IMPATIENT, ("TMPDIR", folder.to_str().unwrap())]);
    is_done(&world, &ran);
    assert_eq!(world.requests("hf.resolve"), 0);
    assert!(world.requests("hf.git_upload_pack") > 0);
    nothing_is_left(&world);
}

#[test]
fn a_private_repo_is_read_by_git_with_its_token_which_nobody_else_sees() {
    let world = World::with_model();
    world
        .admin(
            "POST",
            "/repo",
            &json!({"hub": "hf", "kind": "model", "id": "alice/model", "private": true})
                .to_string(),
        )
        .unwrap();
    let ran = world.run_with(&BY_GIT, &[IMPATIENT, ("HF_TOKEN", "hf_sandboxAliceRead")]);
    is_done(&world, &ran);
    let basic = "dXNlcjpoZl9zYW5kYm94QWxpY2VSZWFk";
    for text in [&ran.stdout, &ran.stderr] {
        assert!(
            !text.contains("hf_sandboxAliceRead") && !text.contains(basic),
            "{text}"
        );
    }
    for request in world
        .admin("GET", "/requests", "")
        .unwrap()
        .as_array()
        .unwrap()
    {
        let is_hub = request["origin"] == "hf";
        assert!(is_hub || !request.to_string().contains(basic), "{request}");
    }
}

#[test]
fn many_small_files_come_in_one_pack_by_themselves() {
    let world = World::new();
    many(&world, 1_000);
    is_done(&world, &run(&world, &MIGRATE));
    assert_eq!(world.requests("hf.resolve"), 0);
    let all: u64 = world
        .admin("GET", "/counters", "")
        .unwrap()
        .as_object()
        .unwrap()
        .iter()
        .filter(|(route, _)| route.starts_with("hf."))
        .map(|(_, counted)| counted["requests"].as_u64().unwrap())
        .sum();
    assert!(all <= 10, "{all} requests for 1,000 files");
}

#[test]
fn few_small_files_are_read_one_by_one() {
    let world = World::new();
    many(&world, 20);
    is_done(&world, &run(&world, &MIGRATE));
    assert_eq!(
        (world.requests("hf.git_refs"), world.requests("hf.resolve")),
        (0, 20)
    );
}

#[test]
fn where_git_is_closed_many_small_files_are_read_one_by_one() {
    let world = World::new();
    many(&world, 300);
    world.always("hf.git_refs", json!({"do": "status", "status": 501}));
    is_done(&world, &run(&world, &MIGRATE));
    assert_eq!(world.requests("hf.resolve"), 300);
}

#[test]
fn a_small_file_that_becomes_a_blob_comes_from_the_pack_too() {
    let world = World::new();
    let big =
        |n: u64| json!({"path": format!("{n}.txt"), "size": 200_000, "seed": n, "lfs": false});
    seed(
        &world,
        &json!([big(1), big(2), big(3), {"path": "w.safetensors", "size": 3_000_000, "seed": 9}]),
    );
    let report = is_done(
        &world,
        &run(&world, &[&BY_GIT[..], &["--containers", "3"]].concat()),
    );
    assert!(report["chunks"].as_u64().unwrap() >= 2, "{report}");
    assert_eq!(
        (
            world.requests("hf.resolve"),
            world.requests("hf.git_upload_pack")
        ),
        (0, 4),
        "the look, and one chunk"
    );
}

#[test]
fn from_modelscope_small_files_come_by_git_too() {
    let world = World::new();
    let files = json!([
        {"path": "README.md", "text": "# Hello\n"}, {"path": "a/b.txt", "text": "b"}, {"path": "empty.txt", "text": ""},
        {"path": "w.safetensors", "size": 300_000, "seed": 1},
    ]);
    world.seed(
        &json!({"hub": "ms", "kind": "model", "id": "alice/model", "files": files}).to_string(),
    );
    let args = ["migrate", "ms:alice/model", "--json", "--use-git"];
    let ran = world.run_with(&args, &[IMPATIENT, ("HF_TOKEN", "hf_sandboxAliceWrite")]);
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    let held = |hub: &str| -> Vec<(Value, Value)> {
        let repo = world.stored(hub, "model", "alice/model").unwrap();
        let files = repo["files"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|file| file["path"] != ".gitattributes");
        files
            .map(|file| (file["path"].clone(), file["sha256"].clone()))
            .collect()
    };
    assert_eq!(held("ms"), held("hf"));
    assert_eq!(world.requests("ms.download"), 1, "the blob");
}

#[test]
fn the_source_moves_on_and_the_pinned_commit_is_read() {
    let world = World::new();
    many(&world, 250);
    world.once("hf.lfs_batch", json!({"do": "delay", "ms": 1}));
    world.once("ms.create", json!({"do": "delay", "ms": 1}));
    let plan = world.path("plan.json");
    assert_eq!(
        run(
            &world,
            &[
                "plan",
                "alice/model",
                "--use-git",
                "--out",
                plan.to_str().unwrap()
            ]
        )
        .code,
        0
    );
    let before = world.stored("hf", "model", "alice/model").unwrap();
    seed(
        &world,
        &json!([{"path": "00000/0000000.txt", "text": "changed since"}, {"path": "new.txt", "text": "new"}]),
    );
    let ran = run(
        &world,
        &["migrate", "--plan", plan.to_str().unwrap(), "--json"],
    );
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    let there = world.stored("ms", "model", "alice/model").unwrap();
    let digest = |repo: &Value, path: &str| {
        repo["files"]
            .as_array()
            .unwrap()
            .iter()
            .find(|file| file["path"] == path)
            .map(|file| file["sha256"].clone())
    };
    assert_eq!(
        digest(&there, "00000/0000000.txt"),
        digest(&before, "00000/0000000.txt")
    );
    assert_eq!(digest(&there, "new.txt"), None);
    assert_eq!(world.requests("hf.resolve"), 0);
}

#[test]
fn links_submodules_and_unlawful_paths_are_reported_and_the_others_go_on() {
    let world = World::with_model();
    seed(
        &world,
        &json!([
            {"path": "link", "text": "README.md", "mode": "symlink"}, {"path": "sub", "text": "x", "mode": "submodule"},
            {"path": "../up.txt", "text": "x"}, {"path": ".git/config", "text": "x"}, {"path": "a\\b", "text": "x"}, {"path": "C:x", "text": "x"},
            {"path": "ü.txt", "text": "x"}, {"path": "u\u{308}.txt", "text": "x"}, {"path": "\u{1b}[2J.txt", "text": "x"},
        ]),
    );
    let ran = run(&world, &BY_GIT);
    let report = ran.event("report");
    let refused: Vec<&str> = report["refused"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| entry["path"].as_str().unwrap())
        .collect();
    assert_eq!(ran.code, 1, "{}{}", ran.stdout, ran.stderr);
    for path in ["link", "sub", "..", ".git", "a\\b", "C:x"] {
        assert!(refused.contains(&path), "{path}: {refused:?}");
    }
    let there = world
        .stored("ms", "model", "alice/model")
        .unwrap()
        .to_string();
    for path in ["a.safetensors", "ü.txt", "u\u{308}.txt"] {
        assert!(there.contains(path), "{path}: {there}");
    }
    assert!(
        !there.contains("\"link\"") && !there.contains("config\""),
        "{there}"
    );
    assert!(!ran.stdout.contains('\u{1b}') && !ran.stderr.contains('\u{1b}'));
}

#[test]
fn a_pointer_that_is_none_is_copied_as_the_file_it_is_and_one_that_lies_fails_alone() {
    let world = World::with_model();
    let text = "version https://git-lfs.github.com/spec/v1\noid sha256:nothing\nsize 5\n";
    seed(
        &world,
        &json!([
            {"path": "forged.txt", "text": text}, {"path": "lies.safetensors", "size": 300_000, "seed": 5, "declare": {"size": 200_000}},
        ]),
    );
    lock(&world, "private");
    let ran = run(&world, &MIGRATE);
    let report = ran.event("report");
    let failed: Vec<&str> = report["failed"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| entry["path"].as_str().unwrap())
        .collect();
    assert_eq!(
        (ran.code, failed),
        (4, vec!["lies.safetensors"]),
        "{}{}",
        ran.stdout,
        ran.stderr
    );
    let there = world.stored("ms", "model", "alice/model").unwrap();
    let forged = there["files"]
        .as_array()
        .unwrap()
        .iter()
        .find(|file| file["path"] == "forged.txt")
        .unwrap();
    assert!(
        forged["lfs"] == false && forged["size"] == text.len(),
        "{forged}"
    );
}

#[test]
fn a_blob_that_the_source_lost_fails_alone_though_its_pointer_is_there() {
    let world = World::with_model();
    seed(
        &world,
        &json!([{"path": "lost.safetensors", "size": 300_000, "seed": 5, "missing": true}]),
    );
    lock(&world, "private");
    let ran = run(&world, &MIGRATE);
    let failed: Vec<Value> = ran.event("report")["failed"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| entry["path"].clone())
        .collect();
    assert_eq!(
        (ran.code, failed),
        (1, vec![json!("lost.safetensors")]),
        "{}{}",
        ran.stdout,
        ran.stderr
    );
    assert!(
        !world
            .stored("ms", "model", "alice/model")
            .unwrap()
            .to_string()
            .contains("lost.safetensors")
    );
}

#[test]
fn an_expired_address_of_a_locked_repos_blob_is_asked_for_again() {
    let world = World::with_model();
    lock(&world, "private");
    world.once("hf.lfs_batch", json!({"do": "expired"}));
    is_done(&world, &run(&world, &MIGRATE));
    world.all_struck();
}

#[test]
fn a_blobs_address_with_credentials_in_it_is_not_followed_and_small_files_go_on() {
    let world = World::with_model();
    lock(&world, "private");
    world.always(
        "hf.lfs_batch",
        json!({"do": "href", "href": "http://user:pass@127.0.0.1:1/x"}),
    );
    let ran = run(&world, &MIGRATE);
    assert_eq!(ran.code, 1, "{}{}", ran.stdout, ran.stderr);
    assert!(
        ran.stdout.contains("credentials in the address") && !ran.stdout.contains("user:pass"),
        "{}",
        ran.stdout
    );
    let there = world
        .stored("ms", "model", "alice/model")
        .unwrap()
        .to_string();
    assert!(
        there.contains("empty.txt") && !there.contains("a.safetensors"),
        "{there}"
    );
}

#[test]
fn an_lfsconfig_that_points_elsewhere_is_a_file_like_any_other() {
    let world = World::with_model();
    let elsewhere = "[lfs]\n\turl = http://127.0.0.1:1/elsewhere\n";
    seed(&world, &json!([{"path": ".lfsconfig", "text": elsewhere}]));
    lock(&world, "private");
    is_done(&world, &run(&world, &MIGRATE));
}

#[test]
fn a_pack_that_is_always_cut_ends_the_run_with_its_reason_when_the_api_is_locked() {
    let world = World::with_model();
    lock(&world, "private");
    world.always("hf.git_upload_pack", json!({"do": "reset", "after": 50}));
    let ran = run(&world, &MIGRATE);
    assert!(
        ran.code != 0 && ran.stderr.contains("by Git") || ran.stdout.contains("by Git"),
        "{}{}",
        ran.stdout,
        ran.stderr
    );
    assert!(
        world.stored("ms", "model", "alice/model").is_none(),
        "nothing was created"
    );
}

#[test]
fn a_second_run_by_git_finds_everything_there() {
    let world = World::with_model();
    is_done(&world, &run(&world, &BY_GIT));
    let again = run(&world, &BY_GIT);
    let report = is_done(&world, &again);
    assert_eq!(
        (report["moved"].as_u64(), report["inline"].as_u64()),
        (Some(0), Some(0)),
        "{report}"
    );
}

#[test]
fn the_help_names_use_git() {
    for verb in ["migrate", "batch", "plan", "verify"] {
        assert!(
            World::new()
                .run(&[verb, "--help"])
                .stdout
                .contains("--use-git"),
            "{verb}"
        );
    }
}

#[test]
fn what_a_killed_worker_left_goes_at_the_next_start_and_its_work_is_done_by_another() {
    let world = World::new();
    many(&world, 300);
    std::fs::create_dir(world.path("tmp")).unwrap();
    world.always("hf.git_upload_pack", json!({"do": "stall", "after": 30}));
    let mut command = world.command(&MIGRATE);
    let running =
        world.start(command.envs([IMPATIENT, ("TMPDIR", world.path("tmp").to_str().unwrap())]));
    until("the question for the pack", || {
        world.requests("hf.git_upload_pack") > 0
    });
    let workers = world.workers();
    world.clear_faults();
    workers.iter().for_each(|worker| signal("-KILL", *worker));
    is_done(&world, &running.wait());
    nothing_is_left(&world);
}

#[test]
fn a_run_that_is_stopped_while_it_fetches_leaves_nothing_behind() {
    let world = World::with_model();
    std::fs::create_dir(world.path("tmp")).unwrap();
    world.always("hf.git_upload_pack", json!({"do": "stall", "after": 30}));
    let mut command = world.command(&BY_GIT);
    let running =
        world.start(command.envs([IMPATIENT, ("TMPDIR", world.path("tmp").to_str().unwrap())]));
    until("the question for the pack", || {
        world.requests("hf.git_upload_pack") > 0
    });
    running.signal("-INT");
    assert_eq!(running.wait().code, 130);
    nothing_is_left(&world);
}
