//! Revisions, entries and packs that Git serves otherwise than expected.

use super::*;

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
