//! `hf2ms migrate` from end to end, as a user sees it.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use std::process::Stdio;

use common::{BOB, World};
use serde_json::{Value, json};

#[test]
fn a_model_is_copied_and_verified() {
    let world = World::with_model();
    let ran = world.run(&["migrate", "alice/model"]);
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    assert!(
        ran.stdout.contains("done and verified")
            && ran
                .stdout
                .contains(&format!("{}/models/alice/model", world.address("ms")))
    );
    assert!(world.is_copied("model", "alice/model", "alice/model"));
    assert_eq!(world.requests("ms_storage.put"), 2, "equal blobs move once");
}

#[test]
fn a_second_run_moves_and_asks_next_to_nothing() {
    let world = World::with_model();
    assert_eq!(world.run(&["migrate", "alice/model"]).code, 0);
    world.admin("POST", "/counters/reset", "");
    let ran = world.run(&["migrate", "alice/model", "--json"]);
    assert_eq!(
        (ran.code, ran.event("report")["unchanged"].as_u64()),
        (0, Some(6)),
        "{}",
        ran.stdout
    );
    let quiet = [
        "ms.batch",
        "ms.commit",
        "ms.create",
        "ms_storage.put",
        "hf_storage.get",
        "hf.resolve",
    ];
    assert_eq!(quiet.map(|route| world.requests(route)), [0; 6]);
}

#[test]
fn a_second_run_over_thousands_of_files_asks_a_handful_of_times() {
    let world = World::new();
    world.seed(r#"{"hub":"hf","kind":"model","id":"alice/many","files":[],"generate":{"count":3200,"folders":20,"size":40,"suffix":".txt","seed":1}}"#);
    assert_eq!(world.run(&["migrate", "alice/many"]).code, 0);
    world.admin("POST", "/counters/reset", "");
    let ran = world.run(&["migrate", "alice/many", "--json"]);
    assert_eq!(
        (ran.code, ran.event("report")["unchanged"].as_u64()),
        (0, Some(3200)),
        "{}",
        ran.stdout
    );
    assert!(
        world.all_requests() <= 6,
        "{} requests",
        world.all_requests()
    );
}

#[test]
fn a_side_that_moved_since_is_listed_and_compared_again() {
    let world = World::with_model();
    assert_eq!(world.run(&["migrate", "alice/model"]).code, 0);
    world.seed(r##"{"hub":"ms","kind":"model","id":"alice/model","files":[{"path":"README.md","text":"# Changed here"}]}"##);
    let ran = world.run(&["migrate", "alice/model", "--json"]);
    assert_eq!(
        (ran.code, ran.event("report")["commits"].as_u64()),
        (0, Some(1)),
        "{}",
        ran.stdout
    );
    assert!(world.is_copied("model", "alice/model", "alice/model"));
    world.seed(r##"{"hub":"hf","kind":"model","id":"alice/model","files":[{"path":"README.md","text":"# Changed there"}]}"##);
    assert_eq!(world.run(&["migrate", "alice/model"]).code, 0);
    assert!(world.is_copied("model", "alice/model", "alice/model"));
}

#[test]
fn a_proof_is_of_the_files_that_were_asked_for() {
    let world = World::with_model();
    assert_eq!(
        world
            .run(&["migrate", "alice/model", "--include", "*.md"])
            .code,
        0
    );
    assert!(!world.is_copied("model", "alice/model", "alice/model"));
    assert_eq!(world.run(&["migrate", "alice/model"]).code, 0);
    assert!(world.is_copied("model", "alice/model", "alice/model"));
}

#[test]
fn only_what_differs_is_sent() {
    let world = World::with_model();
    assert_eq!(world.run(&["migrate", "alice/model"]).code, 0);
    world.seed(r#"{"hub":"hf","kind":"model","id":"alice/model","message":"m","files":[{"path":"new.safetensors","size":1000,"seed":9}]}"#);
    let ran = world.run(&["migrate", "alice/model", "--json"]);
    let report = ran.event("report");
    assert_eq!(
        (
            ran.code,
            report["moved"].as_u64(),
            report["unchanged"].as_u64()
        ),
        (0, Some(1), Some(6)),
        "{}",
        ran.stdout
    );
    assert!(
        ran.event("warning")["message"]
            .as_str()
            .unwrap()
            .contains("1 of 7 files")
    );
}

#[test]
fn a_reader_that_leaves_does_not_stop_the_work() {
    let world = World::with_model();
    let mut child = world
        .command(&["migrate", "alice/model", "--json"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert!(world.is_copied("model", "alice/model", "alice/model"));
}

#[test]
fn json_is_all_that_stdout_gets() {
    let world = World::with_model();
    let ran = world.run(&["migrate", "alice/model", "--json"]);
    let report = ran.event("report");
    assert_eq!(
        (ran.code, ran.stderr.as_str(), report["exit"].as_u64()),
        (0, "", Some(0))
    );
    for (key, count) in [
        ("files", 6),
        ("moved", 2),
        ("duplicates", 1),
        ("inline", 3),
        ("commits", 1),
    ] {
        assert_eq!(report[key], count, "{key} in {report}");
    }
}

#[test]
fn a_dry_run_creates_nothing() {
    let world = World::with_model();
    let ran = world.run(&["migrate", "alice/model", "--dry-run"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(ran.stdout.contains("2 blobs, 5 MB"), "{}", ran.stdout);
    assert!(world.stored("ms", "model", "alice/model").is_none() && !world.path("state").exists());
}

#[test]
fn several_workers_share_the_work() {
    let world = World::with_model();
    let ran = world.run(&["migrate", "alice/model", "--containers", "2", "--json"]);
    let report = ran.event("report");
    assert_eq!(
        (
            ran.code,
            report["chunks"].as_u64(),
            report["workers"].as_u64()
        ),
        (0, Some(2), Some(2))
    );
    assert!(world.is_copied("model", "alice/model", "alice/model"));
}

#[test]
fn globs_choose_and_dest_renames() {
    let world = World::with_model();
    let args = [
        "migrate",
        "hf:alice/model",
        "--dest",
        "alice/other",
        "--include",
        "*.safetensors",
        "--exclude",
        "copy/*",
    ];
    assert_eq!(world.run(&args).code, 0);
    let stored = world.stored("ms", "model", "alice/other").unwrap();
    let paths: Vec<_> = stored["files"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|file| file["path"].as_str())
        .collect();
    assert!(
        paths.contains(&"a.safetensors")
            && paths.contains(&"b.safetensors")
            && !paths.contains(&"copy/a.safetensors"),
        "{paths:?}"
    );
}

#[test]
fn nothing_is_deleted_unless_pruning_is_asked_for() {
    let world = World::with_model();
    assert_eq!(world.run(&["migrate", "alice/model"]).code, 0);
    world.seed(r#"{"hub":"hf","kind":"model","id":"alice/model","message":"m","files":[],"delete":["b.safetensors"]}"#);
    let has = || {
        world
            .stored("ms", "model", "alice/model")
            .unwrap()
            .to_string()
            .contains("\"b.safetensors\"")
    };
    assert_eq!(world.run(&["migrate", "alice/model"]).code, 0);
    assert!(has());
    assert_eq!(world.run(&["migrate", "alice/model", "--prune"]).code, 0);
    assert!(!has());
}

#[test]
fn a_doubtful_source_deletes_nothing_and_the_report_says_what_stayed() {
    let world = World::with_model();
    assert_eq!(world.run(&["migrate", "alice/model"]).code, 0);
    let stands = |path: &str| {
        world
            .stored("ms", "model", "alice/model")
            .unwrap()
            .to_string()
            .contains(&format!("\"{path}\""))
    };
    let seed = |files: Value, delete: &[&str]| {
        world
            .seed(&json!({"hub": "hf", "kind": "model", "id": "alice/model", "message": "m", "files": files, "delete": delete}).to_string())
    };
    // Everything is gone at the source.
    let all = [
        "README.md",
        "config.json",
        "empty.txt",
        "a.safetensors",
        "copy/a.safetensors",
        "b.safetensors",
    ];
    seed(json!([]), &all);
    let ran = world.run(&["migrate", "alice/model", "--prune", "--json"]);
    let report = ran.event("report");
    assert_eq!(
        (
            ran.code,
            report["withheld"][0]["paths"].as_array().map(Vec::len)
        ),
        (1, Some(6)),
        "{}",
        ran.stdout
    );
    assert!(all.iter().all(|path| stands(path)));
    // An entry of the source can't be copied: what it is at the destination is not known.
    seed(
        json!([{"path": "new.txt", "text": "n"}, {"path": "../evil.txt", "text": "x"}]),
        &[],
    );
    let ran = world.run(&["migrate", "alice/model", "--prune", "--max-delete", "100%"]);
    assert_eq!(ran.code, 1);
    assert!(
        ran.stderr
            .contains("nothing is deleted: the source has entries that can't be copied"),
        "{}",
        ran.stderr
    );
    assert!(stands("b.safetensors") && stands("new.txt"));
    // A file that is rewritten after the plan was made stays, and is named.
    seed(json!([]), &["../evil.txt"]);
    assert_eq!(
        world
            .run(&[
                "plan",
                "alice/model",
                "--prune",
                "--max-delete",
                "6",
                "--out",
                "plan.json"
            ])
            .code,
        0
    );
    world.seed(
        &json!({"hub": "ms", "kind": "model", "id": "alice/model", "message": "m", "files": [{"path": "config.json", "text": "mine"}]})
            .to_string(),
    );
    let ran = world.run(&["migrate", "--plan", "plan.json"]);
    assert!(
        ran.code == 1 && ran.stdout.contains("config.json"),
        "{}{}",
        ran.stdout,
        ran.stderr
    );
    assert!(stands("config.json") && !stands("b.safetensors"));
}

#[test]
fn a_private_source_stays_private() {
    let world = World::new();
    world.seed(r#"{"hub":"hf","kind":"model","id":"alice/secret","private":true,"message":"m","files":[{"path":"a.txt","text":"x"}]}"#);
    let token = [("HF_TOKEN", "hf_sandboxAliceWrite")];
    assert_eq!(world.run_with(&["migrate", "alice/secret"], &token).code, 0);
    assert_eq!(
        world.stored("ms", "model", "alice/secret").unwrap()["visibility"],
        "private"
    );
    world.admin(
        "POST",
        "/repo",
        r#"{"hub":"ms","kind":"model","id":"alice/secret","visibility":"public"}"#,
    );
    world
        .run_with(&["migrate", "alice/secret"], &token)
        .refused_with(3, "alice/secret is public at the destination");
    assert_eq!(
        world
            .run_with(&["migrate", "alice/secret", "--public"], &token)
            .code,
        0
    );
}

/// Arguments, environment, exit code, words.
type Case<'a> = (&'a [&'a str], &'a [(&'a str, &'a str)], i32, &'a str);

#[test]
fn what_is_refused_is_refused_in_one_line_and_creates_nothing() {
    let world = World::with_model();
    world.seed(r#"{"hub":"hf","kind":"model","id":"bob/gated","message":"m","files":[{"path":"a.txt","text":"x"}]}"#);
    world.admin(
        "POST",
        "/repo",
        r#"{"hub":"hf","kind":"model","id":"bob/gated","gated":true}"#,
    );
    let none: &[(&str, &str)] = &[];
    let alice = &[("HF_TOKEN", "hf_sandboxAliceWrite")][..];
    let cases: [Case<'_>; 10] = [
        (&["not-an-id"], none, 2, "'not-an-id' is not a repo id"),
        (
            &["alice/absent"],
            none,
            3,
            "no model or dataset or space alice/absent was found on Hugging Face",
        ),
        (
            &["alice/model", "--revision", "v9"],
            none,
            3,
            "has no revision v9: check --revision",
        ),
        (
            &["alice/model"],
            &[("MODELSCOPE_TOKEN", "")],
            3,
            "MODELSCOPE_TOKEN is not set: get one at",
        ),
        (
            &["alice/model"],
            &[("MODELSCOPE_TOKEN", "ms-wrong")],
            3,
            "ModelScope refuses MODELSCOPE_TOKEN",
        ),
        (
            &["alice/model"],
            &[("MODELSCOPE_TOKEN", "a\r\nb")],
            2,
            "MODELSCOPE_TOKEN can't be used",
        ),
        (
            &["alice/model"],
            &[("HF_TOKEN", "hf_wrong")],
            3,
            "Hugging Face refuses HF_TOKEN",
        ),
        (
            &["alice/model"],
            &[("MODELSCOPE_TOKEN", BOB)],
            3,
            "use --dest",
        ),
        (
            &["bob/gated"],
            alice,
            3,
            "is gated or private: ask for access at",
        ),
        (
            &["ms:alice/model"],
            none,
            3,
            "HF_TOKEN is not set: get one at",
        ),
    ];
    for (args, environment, code, words) in cases {
        let args: Vec<&str> = std::iter::once("migrate")
            .chain(args.iter().copied())
            .collect();
        world.run_with(&args, environment).refused_with(code, words);
    }
    assert_eq!(
        world.admin("GET", "/repos?hub=ms", "").unwrap(),
        serde_json::json!([])
    );
    assert_eq!(world.requests("ms_storage.put"), 0);
}

#[test]
fn a_namespace_of_someone_else_is_refused_before_any_byte_moves() {
    let world = World::with_model();
    world.seed(r#"{"hub":"ms","kind":"model","id":"alice/model","message":"m","files":[{"path":"x.txt","text":"x"}]}"#);
    world
        .run_with(&["migrate", "alice/model"], &[("MODELSCOPE_TOKEN", BOB)])
        .refused_with(3, "use --dest");
    assert_eq!(
        (
            world.requests("hf_storage.get"),
            world.requests("ms_storage.put")
        ),
        (0, 0)
    );
}

#[test]
fn a_plan_is_written_and_applied() {
    let world = World::with_model();
    assert_eq!(
        world
            .run(&["plan", "alice/model", "--out", "plan.json"])
            .code,
        0
    );
    world.seed(r#"{"hub":"hf","kind":"model","id":"alice/model","message":"m","files":[{"path":"later.txt","text":"x"}]}"#);
    let ran = world.run(&["migrate", "--plan", "plan.json"]);
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    assert!(
        !world
            .stored("ms", "model", "alice/model")
            .unwrap()
            .to_string()
            .contains("later.txt"),
        "the commit of the plan is read"
    );
}

#[test]
fn a_malformed_plan_is_refused_with_its_position() {
    let world = World::with_model();
    assert_eq!(
        world
            .run(&["plan", "alice/model", "--out", "plan.json"])
            .code,
        0
    );
    let good = std::fs::read_to_string(world.path("plan.json")).unwrap();
    let elsewhere = good.replace(world.address("ms"), "http://127.0.0.1:1");
    for (bad, words) in [
        (good[..good.len() / 2].to_owned(), "line 1 column"),
        (good.replace("README.md", "../README.md"), "is refused"),
        (good.replace("\"version\":1", "\"version\":7"), "version 7"),
        (elsewhere, "but the environment names"),
    ] {
        std::fs::write(world.path("bad.json"), bad).unwrap();
        let ran = world.run(&["migrate", "--plan", "bad.json"]);
        ran.refused_with(2, words);
        assert!(ran.stderr.contains("bad.json"), "{}", ran.stderr);
    }
    world
        .run(&["migrate", "--plan", "absent.json"])
        .refused_with(2, "absent.json");
    assert!(world.stored("ms", "model", "alice/model").is_none());
}

#[test]
fn a_space_is_skipped_unless_its_files_are_asked_for() {
    let world = World::new();
    world.seed(r#"{"hub":"hf","kind":"space","id":"alice/app","message":"m","files":[{"path":"app.py","text":"print()"}]}"#);
    let ran = world.run(&["migrate", "alice/app"]);
    assert!(
        ran.code == 0 && ran.stderr.contains("--repo-type model"),
        "{}",
        ran.stderr
    );
    assert_eq!(
        world.admin("GET", "/repos?hub=ms", "").unwrap(),
        serde_json::json!([])
    );
    assert_eq!(
        world
            .run(&["migrate", "alice/app", "--repo-type", "model"])
            .code,
        0
    );
    assert!(
        world
            .stored("ms", "model", "alice/app")
            .unwrap()
            .to_string()
            .contains("app.py")
    );
}

#[test]
fn runs_status_and_verify_tell_the_same() {
    let world = World::with_model();
    assert_eq!(world.run(&["migrate", "alice/model"]).code, 0);
    let ran = world.run(&["verify", "alice/model", "--json"]);
    assert_eq!(
        (
            ran.code,
            ran.event("verified")["verification"]["equal"].as_u64()
        ),
        (0, Some(6)),
        "{}{}",
        ran.stdout,
        ran.stderr
    );
    assert!(
        world
            .run(&["runs"])
            .stdout
            .lines()
            .nth(2)
            .unwrap()
            .contains("alice/model -> ModelScope alice/model")
    );
    assert_eq!(world.run(&["runs", "--json"]).events()[1]["state"], "done");
    assert!(
        world
            .run(&["status"])
            .stdout
            .contains("equal             6")
    );
    world
        .run(&["verify", "alice/model", "--dest", "alice/absent"])
        .refused_with(3, "copy it first");
}

#[test]
fn the_doctor_says_who_we_are_and_what_is_missing() {
    let world = World::new();
    let well = world.run_with(&["doctor"], &[("HF_TOKEN", "hf_sandboxAliceRead")]);
    assert_eq!(well.code, 0, "{}{}", well.stdout, well.stderr);
    assert!(
        well.stdout.contains("is alice on ModelScope")
            && well
                .stdout
                .contains("is alice on Hugging Face, in acme; may read")
    );
    let ill = world.run_with(&["doctor"], &[("MODELSCOPE_TOKEN", "")]);
    assert!(
        ill.code == 3
            && ill
                .stdout
                .contains("! MODELSCOPE_TOKEN  MODELSCOPE_TOKEN is not set"),
        "{}",
        ill.stdout
    );
}

#[test]
fn a_folder_too_wide_to_be_listed_is_refused_before_any_byte_moves() {
    let world = World::new();
    for kind in ["model", "dataset"] {
        world.seed(&format!(
            r#"{{"hub":"hf","kind":"{kind}","id":"alice/wide","files":[{{"path":"a.bin","size":100000,"seed":1}}],"generate":{{"count":3100,"folders":1,"size":10,"prefix":"x/","suffix":".txt","seed":1}}}}"#
        ));
    }
    let ran = world.run(&["migrate", "alice/wide", "--repo-type", "model"]);
    ran.refused_with(3, "3100 entries");
    assert!(
        world.stored("ms", "model", "alice/wide").is_none()
            && world.requests("hf_storage.get") == 0
    );
    assert_eq!(
        world
            .run(&["migrate", "alice/wide", "--repo-type", "dataset"])
            .code,
        0,
        "datasets are listed page by page"
    );
}
