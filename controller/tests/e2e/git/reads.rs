//! Repos whose files outside LFS come in one pack.

use super::*;

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
fn a_locked_repo_may_be_gated_and_becomes_a_private_copy_unless_public_is_asked_for() {
    let public = [&MIGRATE[..], &["--public"]].concat();
    for (args, visibility) in [(&MIGRATE[..], "private"), (&public, "public")] {
        let world = World::with_model();
        lock(&world, "private");
        let report = is_done(&world, &run(&world, args));
        let stored = world.stored("ms", "model", "alice/model").unwrap();
        assert_eq!(stored["visibility"], visibility, "{report}");
        assert!(report.to_string().contains("Git does not tell whether"));
    }
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
        &run(
            &world,
            &[&BY_GIT[..], &["--containers", "3", "--verify", "listing"]].concat(),
        ),
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
    let args = [
        "migrate",
        "ms:alice/model",
        "--json",
        "--use-git",
        "--verify",
        "listing",
    ];
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
