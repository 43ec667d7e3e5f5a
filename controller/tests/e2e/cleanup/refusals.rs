//! What is refused before a hub is asked to remove anything.

use std::io::Write;

use serde_json::json;

use super::{DELETE, TOKEN, copied, is_there, row, run, stays};
use crate::common::history::seed;
use crate::common::{SMALL_MODEL, World};

#[test]
fn no_file_and_no_variable_sets_an_option_of_cleanup_and_each_that_tries_is_named() {
    let world = copied();
    let folder = world.path("home/.config/hf2ms");
    std::fs::create_dir_all(&folder).unwrap();
    let config = "[cleanup]\ndelete = true\nyes-delete = 1\nhistory-may-go = true\nreaders-may-go = true\n[profile.real.cleanup]\ndeep = true\n";
    std::fs::write(folder.join("config.toml"), config).unwrap();
    let home = world.path("home");
    let variables = [
        TOKEN,
        ("HOME", home.to_str().unwrap()),
        ("HF2MS_PROFILE", "real"),
        ("HF2MS_CLEANUP_DELETE", "true"),
        ("HF2MS_CLEANUP_MAX_DELETE", "99"),
    ];
    let ran = world.run_with(&["cleanup", "alice/model", "--json"], &variables);
    stays(&world, &ran, 1, "stays", "--history-may-go agrees");
    let warnings: Vec<_> = ran
        .events()
        .into_iter()
        .filter(|event| event["event"] == "warning")
        .collect();
    for option in [
        "delete",
        "max-delete",
        "yes-delete",
        "history-may-go",
        "readers-may-go",
        "deep",
    ] {
        let line = format!("--{option} of hf2ms cleanup is not set by ");
        let is_named = warnings
            .iter()
            .any(|warning| warning["message"].as_str().unwrap().starts_with(&line));
        assert!(is_named, "{option}: {warnings:?}");
    }
    assert_eq!(world.requests("hf.delete"), 0);
}

#[test]
fn options_that_contradict_each_other_are_refused_before_any_request() {
    let world = World::new();
    for (args, code, words) in [
        (&["cleanup"][..], 2, "required"),
        (&["cleanup", ""], 2, "error: '' is not a repo id"),
        (
            &[
                "cleanup",
                "https://huggingface.co/alice/model/blob/main/README.md",
            ],
            2,
            "the address names README.md inside the repo: give the repo's own; where only that",
        ),
        (
            &["cleanup", "alice/model", "--delete", "--make-private"],
            2,
            "cannot be used with",
        ),
        (
            &["cleanup", "alice/model", "--yes-delete", "1"],
            2,
            "--yes-delete agrees to a removal, and none is asked for",
        ),
        (
            &["cleanup", "alice/model", "--delete", "--include", "*"],
            2,
            "unexpected argument",
        ),
        (
            &["cleanup", "https://huggingface.co/alice/model/tree/v1"],
            2,
            "SOURCE names a revision",
        ),
        (
            &["cleanup", "alice/a", "alice/b", "--move-to", "old"],
            2,
            "write NAME in it",
        ),
        (
            &["cleanup", "alice/a", "--move-to", "A"],
            2,
            "is the id that it has",
        ),
        (
            &["cleanup", "alice/a", "--against", "ms:al ice"],
            2,
            "--against: ",
        ),
        (
            &["cleanup", "alice/a", "--repo-type", "space"],
            2,
            "a Space stays",
        ),
    ] {
        let ran = run(&world, args);
        assert_eq!(ran.code, code, "{args:?} {}", ran.stderr);
        assert!(ran.stderr.contains(words), "{words:?} in {}", ran.stderr);
    }
    assert_eq!(world.all_requests(), 0);
}

#[test]
fn a_removal_without_its_tokens_is_refused_before_any_request() {
    let world = World::new();
    let ran = world.run(&["cleanup", "alice/model", "--delete"]);
    ran.refused_with(3, "HF_TOKEN is not set");
    let mut without = world.command(&["cleanup", "alice/model", "--delete", "--deep"]);
    let without = without
        .envs([TOKEN])
        .env_remove("MODELSCOPE_TOKEN")
        .output()
        .unwrap();
    let without = crate::common::Ran::of(without);
    without.refused_with(3, "MODELSCOPE_TOKEN is not set");
    assert_eq!(world.all_requests(), 0);
}

#[test]
fn where_nobody_can_be_asked_the_exact_number_has_to_be_given() {
    let world = copied();
    let args = ["cleanup", "alice/model", "--delete", "--history-may-go"];
    let ran = run(&world, &args);
    ran.refused_with(2, "nobody can be asked here, and 1 repo would go");
    let mut piped = world.command(&args);
    piped.envs([TOKEN]).stdin(std::process::Stdio::piped());
    let mut piped = piped
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    piped
        .stdin
        .take()
        .unwrap()
        .write_all(b"alice/model\n")
        .unwrap();
    assert_eq!(piped.wait_with_output().unwrap().status.code(), Some(2));
    assert!(is_there(&world, "alice/model"));
}

#[test]
fn the_last_event_has_the_exit_code_of_the_command() {
    let world = copied();
    let args = [
        "cleanup",
        "alice/model",
        "--delete",
        "--history-may-go",
        "--json",
    ];
    for agreed in [&[][..], &["--yes-delete", "2"]] {
        let ran = run(&world, &[&args[..], agreed].concat());
        let told = &ran.event("cleanup")["exit"];
        assert_eq!((ran.code, told), (2, &json!(2)), "{}", ran.stdout);
    }
}

#[test]
fn what_modelscope_has_is_compared_and_a_person_is_told_where_to_delete_it() {
    let world = World::new();
    world.seed(&SMALL_MODEL.replacen("hf", "ms", 1));
    let ran = run(&world, &["migrate", "ms:alice/model"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let args = [
        "cleanup",
        "ms:alice/model",
        "--delete",
        "--history-may-go",
        "--yes-delete",
        "0",
        "--json",
    ];
    let ran = run(&world, &args);
    let row = row(&ran);
    assert_eq!(
        (ran.code, row["state"].as_str()),
        (3, Some("stays")),
        "{}",
        ran.stdout
    );
    let reason = row["reason"].as_str().unwrap();
    assert!(
        reason.contains("ModelScope lets no token remove a repo: open http"),
        "{reason}"
    );
    assert!(row["files"].as_u64() > Some(0), "it was compared");
    assert!(world.stored("ms", "model", "alice/model").is_some());
}

#[test]
fn a_token_that_may_not_delete_is_found_before_anyone_agrees_and_a_late_no_is_the_hubs() {
    let world = copied();
    let ran = world.run_with(&DELETE, &[("HF_TOKEN", "hf_sandboxAliceRead")]);
    stays(
        &world,
        &ran,
        2,
        "stays",
        "HF_TOKEN may not remove it: it may only read",
    );
    world.always(
        "hf.delete",
        json!({"do": "status", "status": 403, "body": {"error": "Authorization error."}}),
    );
    let ran = run(&world, &DELETE);
    stays(&world, &ran, 3, "failed", "HF_TOKEN may not remove model");
    let reason = row(&ran)["reason"].to_string();
    assert!(!reason.contains("--dest"), "no option of cleanup: {reason}");
}

#[test]
fn a_token_that_is_refused_in_the_middle_ends_all_with_one_line() {
    let world = copied();
    world.strike("hf.tree", json!({"do": "status", "status": 401}), json!({}));
    let ran = run(
        &world,
        &[
            "cleanup",
            "alice/other",
            "alice/model",
            "--delete",
            "--yes-delete",
            "2",
        ],
    );
    ran.refused_with(3, "Hugging Face refuses HF_TOKEN");
    assert!(is_there(&world, "alice/model"));
}

#[test]
fn discussions_and_likes_that_are_not_told_are_never_called_none() {
    let world = copied();
    for status in [403, 404] {
        world.clear_faults();
        world.always("hf.discussions", json!({"do": "status", "status": status}));
        let ran = run(&world, &["cleanup", "alice/model", "--history-may-go"]);
        assert!(
            ran.stdout.contains("discussions: not told"),
            "{}",
            ran.stdout
        );
    }
}

#[test]
fn one_id_of_two_kinds_and_a_copy_that_may_be_the_source_itself_stay() {
    let world = copied();
    world.seed(&json!({"hub": "hf", "kind": "dataset", "id": "alice/model", "files": [{"path": "x", "text": "x"}]}).to_string());
    let ran = run(&world, &DELETE);
    stays(
        &world,
        &ran,
        2,
        "stays",
        "alice/model is a model and a dataset: name one of them",
    );
    let both = [
        "cleanup",
        "hf:alice/model",
        "--to",
        "hf",
        "--repo-type",
        "model",
        "--json",
    ];
    let ran = run(&world, &both);
    assert!(
        ran.code != 0 && is_there(&world, "alice/model"),
        "{}",
        ran.stdout
    );
    let other = seed(
        &world,
        "hf",
        "bob/model",
        "main",
        &json!([{"path": "x", "text": "x"}]),
        &json!({}),
    );
    assert!(!other.is_empty());
}
