//! What ModelScope has that is odd, lost, moved or empty.

use super::*;

#[test]
fn what_modelscope_lost_or_lies_about_costs_only_itself() {
    let world = with_model();
    seed(
        &world,
        "ms",
        "model",
        &json!([
            {"path": "lost.safetensors", "size": 200_000, "seed": 8, "missing": true},
            {"path": "short.safetensors", "size": 200_000, "seed": 9, "declare": {"size": 100_000}},
            {"path": "../evil", "text": "e"}, {"path": "sub", "mode": "submodule", "text": ""},
        ]),
    );
    let ran = run(&world, &["ms:alice/model"]);
    let report = ran.event("report");
    let named = |list: &str| {
        report[list]
            .as_array()
            .unwrap()
            .iter()
            .map(|entry| entry["path"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(
        (named("failed"), named("refused").len()),
        (
            vec![
                "lost.safetensors".to_owned(),
                "short.safetensors".to_owned()
            ],
            3
        ),
        "{report}"
    );
    let there = holds(&world, "hf", "model", "alice/model");
    assert!(
        there.contains_key("b.safetensors")
            && !there.contains_key("lost.safetensors")
            && !there.contains_key("short.safetensors")
    );
}

#[test]
fn a_pinned_revision_is_read_though_the_source_moves_on() {
    let world = with_model();
    let moved = r#"{"route":"ms.files","kind":{"do":"moved","files":[{"path":"config.json","text":"{\"later\":1}"},{"path":"new.txt","text":"n"}]},"count":1}"#;
    let before = holds(&world, "ms", "model", "alice/model");
    world.fault(moved);
    done(&run(&world, &["ms:alice/model"]));
    let there = holds(&world, "hf", "model", "alice/model");
    assert_eq!(
        (there.get("config.json"), there.contains_key("new.txt")),
        (before.get("config.json"), false)
    );
}

#[test]
fn a_revision_that_is_named_is_found_or_said_to_be_missing() {
    let world = with_model();
    world.seed(r#"{"hub":"ms","kind":"model","id":"alice/model","revision":"v1","files":[{"path":"only.txt","text":"v1"}]}"#);
    done(&run(&world, &["ms:alice/model", "--revision", "v1"]));
    assert!(holds(&world, "hf", "model", "alice/model").contains_key("only.txt"));
    refused(
        &world,
        &["ms:alice/model", "--revision", "v9"],
        3,
        "has no revision v9",
    );
}

#[test]
fn odd_names_and_likenesses_arrive_byte_for_byte() {
    let world = World::new();
    let files: Vec<Value> = [
        "A.txt",
        "a.txt",
        "é",
        "e\u{301}",
        "a b&c?d#e%f.txt",
        "x+y=z.bin",
        "..a/b..",
        "深/い.txt",
    ]
    .iter()
    .enumerate()
    .map(|(n, path)| json!({"path": path, "size": 100 + n, "seed": n}))
    .collect();
    seed(&world, "ms", "dataset", &json!(files));
    let report = done(&run(&world, &["ms:alice/model"]));
    copied(
        &world,
        "dataset",
        ("ms", "alice/model"),
        ("hf", "alice/model"),
    );
    assert_eq!(report["warnings"].as_array().unwrap().len(), 2, "{report}");
}

#[test]
fn empty_repos_and_files_work() {
    let world = World::new();
    world.seed(r#"{"hub":"ms","kind":"model","id":"alice/none","files":[]}"#);
    assert_eq!(done(&run(&world, &["ms:alice/none"]))["files"], 0);
    assert!(world.stored("hf", "model", "alice/none").is_some());
}

#[test]
fn storage_sees_no_token_and_nothing_said_or_kept_holds_one() {
    let world = with_model();
    let ran = run(&world, &["ms:alice/model"]);
    done(&ran);
    let requests = world.admin("GET", "/requests", "").unwrap();
    for request in requests
        .as_array()
        .unwrap()
        .iter()
        .filter(|request| request["origin"].as_str().unwrap().ends_with("_storage"))
    {
        assert!(
            request["headers"]["authorization"].is_null() && request["headers"]["cookie"].is_null(),
            "{request}"
        );
    }
    for token in [HF_ALICE, crate::common::ALICE] {
        assert!(!ran.stdout.contains(token) && !ran.stderr.contains(token));
        assert!(!kept_below(&world.path("state")).contains(token));
    }
}
