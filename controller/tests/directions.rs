//! Every direction from end to end: ModelScope to Hugging Face, and within each hub.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use std::collections::BTreeMap;

use common::{BOB, Ran, World};
use serde_json::{Value, json};

const HF_ALICE: &str = "hf_sandboxAliceWrite";
const HF_READER: &str = "hf_sandboxAliceRead";
const HF_BOB: &str = "hf_sandboxBobWrite";
const IMPATIENT: (&str, &str) = ("HF2MS_RETRY_BASE", "0.01");

fn seed(world: &World, hub: &str, kind: &str, files: &Value) {
    world.seed(&json!({"hub": hub, "kind": kind, "id": "alice/model", "files": files}).to_string());
}

/// A world whose ModelScope has `alice/model`: blobs, two of them equal, and small files.
fn with_model() -> World {
    let world = World::new();
    seed(
        &world,
        "ms",
        "model",
        &json!([
            {"path": "README.md", "text": "---\nlicense: mit\n---\n# Hello\n"}, {"path": "config.json", "text": "{}"},
            {"path": "empty.txt", "text": ""}, {"path": "sub dir/名.txt", "text": "odd"},
            {"path": "a.safetensors", "size": 3_000_000, "seed": 1}, {"path": "copy/a.safetensors", "size": 3_000_000, "seed": 1},
            {"path": "b.safetensors", "size": 2_000_000, "seed": 2}, {"path": "long.txt", "size": 200_000, "seed": 3},
        ]),
    );
    world
}

fn run(world: &World, args: &[&str]) -> Ran {
    world.run_with(
        &[&["migrate"], args, &["--json"]].concat(),
        &[("HF_TOKEN", HF_ALICE), IMPATIENT],
    )
}

/// As a person would: what is refused is one line.
fn refused(world: &World, args: &[&str], code: i32, words: &str) {
    world
        .run_with(
            &[&["migrate"], args].concat(),
            &[("HF_TOKEN", HF_ALICE), IMPATIENT],
        )
        .refused_with(code, words);
}

fn done(ran: &Ran) -> Value {
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    ran.event("report")
}

/// Path and digest of what a hub really holds.
fn holds(world: &World, hub: &str, kind: &str, id: &str) -> BTreeMap<String, String> {
    let repo = world
        .stored(hub, kind, id)
        .unwrap_or_else(|| panic!("there is no {kind} {id} on {hub}"));
    let files = repo["files"].as_array().unwrap().iter();
    files
        .map(|file| {
            (
                file["path"].as_str().unwrap().to_owned(),
                file["sha256"].as_str().unwrap_or("lost").to_owned(),
            )
        })
        .collect()
}

fn copied(
    world: &World,
    kind: &str,
    (from, source): (&str, &str),
    (to, destination): (&str, &str),
) {
    let there = holds(world, to, kind, destination);
    let here = holds(world, from, kind, source);
    let missing: Vec<_> = here
        .iter()
        .filter(|(path, sha256)| there.get(*path) != Some(sha256))
        .collect();
    assert!(
        !here.is_empty() && missing.is_empty(),
        "{missing:?} not in {there:?}"
    );
}

fn ms_to_hf(world: &World) {
    copied(world, "model", ("ms", "alice/model"), ("hf", "alice/model"));
}

#[test]
fn a_model_goes_from_modelscope_to_hugging_face() {
    let world = with_model();
    let report = done(&run(&world, &["ms:alice/model"]));
    ms_to_hf(&world);
    assert_eq!(
        (
            report["moved"].as_u64(),
            report["duplicates"].as_u64(),
            report["commits"].as_u64()
        ),
        (Some(2), Some(1), Some(1)),
        "{report}"
    );
    assert_eq!(
        world.requests("hf_storage.put"),
        3,
        "equal blobs move once, and a binary file outside LFS goes there when it is refused"
    );
    let commits = world.stored("hf", "model", "alice/model").unwrap()["commits"].clone();
    assert!(
        commits.as_array().unwrap().last().unwrap()["message"]
            .as_str()
            .unwrap()
            .starts_with("Copy alice/model from ModelScope")
    );
}

#[test]
fn a_second_run_moves_nothing_and_asks_a_handful_of_times() {
    let world = with_model();
    done(&run(&world, &["ms:alice/model"]));
    world.admin("POST", "/counters/reset", "");
    assert_eq!(done(&run(&world, &["ms:alice/model"]))["unchanged"], 8);
    assert!(
        world.all_requests() <= 6,
        "{} requests",
        world.all_requests()
    );
}

#[test]
fn without_a_proof_the_sides_are_compared_and_small_files_are_known_from_before() {
    let world = with_model();
    done(&run(&world, &["ms:alice/model"]));
    seed(
        &world,
        "hf",
        "model",
        &json!([{"path": "config.json", "text": "{\"changed\": \"here\"}"}]),
    );
    world.admin("POST", "/counters/reset", "");
    let report = done(&run(&world, &["ms:alice/model"]));
    assert_eq!(
        (report["unchanged"].as_u64(), report["inline"].as_u64()),
        (Some(7), Some(1)),
        "{report}"
    );
    assert!(
        world.requests("ms.download") <= 2,
        "config.json, and nothing else"
    );
    ms_to_hf(&world);
}

#[test]
fn a_dataset_of_many_files_goes_there_too() {
    let world = World::new();
    world.seed(
        r#"{"hub":"ms","kind":"dataset","id":"alice/model","files":[{"path":"big.parquet","size":500000,"seed":4}],
            "generate":{"count":1300,"folders":20,"size":40,"suffix":".txt","seed":1}}"#,
    );
    let report = done(&run(&world, &["ms:datasets/alice/model"]));
    copied(
        &world,
        "dataset",
        ("ms", "alice/model"),
        ("hf", "alice/model"),
    );
    assert!(
        report["commits"].as_u64().unwrap() > 1,
        "more than 1,000 files are several commits"
    );
}

#[test]
fn a_private_model_stays_private() {
    let world = with_model();
    world.admin(
        "POST",
        "/repo",
        r#"{"hub":"ms","kind":"model","id":"alice/model","visibility":"private"}"#,
    );
    done(&run(&world, &["ms:alice/model"]));
    assert_eq!(
        world.stored("hf", "model", "alice/model").unwrap()["private"],
        true
    );
    world.admin(
        "POST",
        "/repo",
        r#"{"hub":"hf","kind":"model","id":"alice/model","private":false}"#,
    );
    refused(
        &world,
        &["ms:alice/model"],
        3,
        "is public at the destination",
    );
}

/// A world with a file of 5 MB and a hub that wants parts of 1 MB.
fn with_parts() -> World {
    let world = World::new();
    seed(
        &world,
        "ms",
        "model",
        &json!([{"path": "w.safetensors", "size": 5_300_000, "seed": 7}]),
    );
    world
        .admin(
            "POST",
            "/settings",
            r#"{"hf_multipart_above":1000000,"hf_part_size":1048576}"#,
        )
        .unwrap();
    world
}

#[test]
fn a_large_file_goes_in_parts() {
    let world = with_parts();
    done(&run(&world, &["ms:alice/model"]));
    ms_to_hf(&world);
    assert_eq!(
        (
            world.requests("hf_storage.put"),
            world.requests("hf.lfs_complete"),
            world.requests("hf.lfs_verify")
        ),
        (6, 1, 1)
    );
}

#[test]
fn a_part_that_breaks_is_sent_again_alone() {
    let world = with_parts();
    let kinds = [
        json!({"do": "status", "status": 500}),
        json!({"do": "reset", "after": 300_000}),
        json!({"do": "lose_answer"}),
    ];
    for (skip, kind) in kinds.into_iter().enumerate() {
        let rule = json!({"route": "hf_storage.put", "kind": kind, "skip": 2 * skip, "count": 1});
        world.fault(&rule.to_string());
    }
    let report = done(&run(&world, &["ms:alice/model"]));
    ms_to_hf(&world);
    assert!(report["retries"].as_u64() >= Some(3), "{report}");
    let sent = report["sent"].as_u64().unwrap();
    assert!(
        sent > 5_300_000 && sent <= 5_300_000 + 3 * 1_048_576,
        "{sent} bytes: only the parts were repeated"
    );
    assert_eq!(world.requests("hf.lfs_complete"), 1);
}

#[test]
fn a_wrong_digest_completes_no_upload_whole_or_in_parts() {
    for settings in [
        "{}",
        r#"{"hf_multipart_above":1000000,"hf_part_size":1048576}"#,
    ] {
        let world = World::new();
        world.admin("POST", "/settings", settings).unwrap();
        let lie = "0".repeat(64);
        seed(
            &world,
            "ms",
            "model",
            &json!([{"path": "w.safetensors", "size": 3_000_000, "seed": 7, "declare": {"sha256": lie}}, {"path": "a.txt", "text": "a"}]),
        );
        let ran = run(&world, &["ms:alice/model"]);
        assert_eq!(ran.code, 4, "{}{}", ran.stdout, ran.stderr);
        assert_eq!(
            (
                world.requests("hf.lfs_complete"),
                world.requests("hf.lfs_verify")
            ),
            (0, 0)
        );
        let there = holds(&world, "hf", "model", "alice/model");
        assert!(
            !there.contains_key("w.safetensors") && there.contains_key("a.txt"),
            "{there:?}"
        );
    }
}

#[test]
fn an_upload_that_the_hub_does_not_find_whole_is_sent_again() {
    let world = with_model();
    world.fault(r#"{"route":"hf.lfs_verify","kind":{"do":"status","status":422},"count":1}"#);
    done(&run(&world, &["ms:alice/model"]));
    ms_to_hf(&world);
}

#[test]
fn addresses_that_expired_are_asked_for_again_on_both_sides() {
    for route in ["hf.lfs_batch", "ms.download"] {
        let world = with_model();
        world.fault(&json!({"route": route, "kind": {"do": "expired"}, "count": 2}).to_string());
        done(&run(&world, &["ms:alice/model"]));
        ms_to_hf(&world);
    }
}

#[test]
fn a_broken_download_goes_on_at_its_offset() {
    let world = with_model();
    world.fault(r#"{"route":"ms_storage.get","kind":{"do":"reset","after":500000},"count":3}"#);
    let report = done(&run(&world, &["ms:alice/model"]));
    ms_to_hf(&world);
    assert_eq!(report["sent"], 5_000_000, "no byte was uploaded twice");
}

#[test]
fn what_the_hub_wants_in_lfs_after_all_is_stored_there() {
    let world = World::new();
    let binary = base64_of(&[0_u8; 1_500_000]);
    seed(
        &world,
        "ms",
        "model",
        &json!([{"path": "data.xyz", "base64": binary, "lfs": false}, {"path": "song.wav", "size": 5_000, "seed": 1}]),
    );
    done(&run(&world, &["ms:alice/model"]));
    ms_to_hf(&world);
    let files = world.stored("hf", "model", "alice/model").unwrap()["files"].clone();
    let lfs: Vec<_> = files
        .as_array()
        .unwrap()
        .iter()
        .filter(|file| file["lfs"] == true)
        .map(|file| file["path"].clone())
        .collect();
    assert_eq!(lfs, ["data.xyz", "song.wav"]);
    assert_eq!(done(&run(&world, &["ms:alice/model"]))["unchanged"], 2);
}

fn base64_of(bytes: &[u8]) -> String {
    // Zeros alone: their base64 needs no library.
    assert!(bytes.iter().all(|byte| *byte == 0) && bytes.len().is_multiple_of(3));
    "A".repeat(bytes.len() / 3 * 4)
}

#[test]
fn a_branch_that_moved_is_compared_again_and_never_forced() {
    let world = with_model();
    world.fault(r#"{"route":"hf.commit","kind":{"do":"moved","files":[{"path":"theirs.txt","text":"theirs"}]},"count":1}"#);
    done(&run(&world, &["ms:alice/model"]));
    ms_to_hf(&world);
    assert!(holds(&world, "hf", "model", "alice/model").contains_key("theirs.txt"));
    let statuses = world.admin("GET", "/counters", "").unwrap()["hf.commit"]["statuses"].clone();
    assert_eq!(
        (statuses["412"].as_u64(), statuses["200"].as_u64()),
        (Some(1), Some(1)),
        "{statuses}"
    );
}

#[test]
fn a_commit_whose_answer_is_lost_is_looked_up() {
    let world = with_model();
    world
        .admin("POST", "/settings", r#"{"hf_refuses_binary":false}"#)
        .unwrap();
    world.fault(r#"{"route":"hf.commit","kind":{"do":"lose_answer"},"count":1}"#);
    done(&run(&world, &["ms:alice/model"]));
    ms_to_hf(&world);
    assert_eq!(
        world.requests("hf.commit"),
        1,
        "it was made, and is not made again"
    );
}

#[test]
fn a_repo_that_is_created_meanwhile_is_adopted() {
    let world = with_model();
    world.fault(r#"{"route":"hf.create","kind":{"do":"lose_answer"},"count":1}"#);
    done(&run(&world, &["ms:alice/model"]));
    ms_to_hf(&world);
}

const APACHE: &str = "---\nlanguage: zh\nlicense: Apache License 2.0\ntags: [a]\n---\n# 模型\r\nlicense: Apache License 2.0\n";

#[test]
fn a_card_that_hugging_face_refuses_is_mended_and_that_is_said() {
    let world = with_model();
    seed(
        &world,
        "ms",
        "model",
        &json!([{"path": "README.md", "text": APACHE}]),
    );
    let report = done(&run(&world, &["ms:alice/model"]));
    let warnings = report["warnings"].to_string();
    assert!(
        warnings.contains("Apache License 2.0") && warnings.contains("apache-2.0"),
        "{warnings}"
    );
    let (here, there) = (
        holds(&world, "ms", "model", "alice/model"),
        holds(&world, "hf", "model", "alice/model"),
    );
    let differ: Vec<_> = here
        .iter()
        .filter(|(path, sha256)| there.get(*path) != Some(sha256))
        .map(|(path, _)| path.as_str())
        .collect();
    assert_eq!(differ, ["README.md"], "the one difference");
    let mended = hf2ms_hub::Sha256::of(
        APACHE
            .replacen("Apache License 2.0", "apache-2.0", 1)
            .as_bytes(),
    )
    .to_string();
    assert_eq!(there["README.md"], mended);
    let verified = world.run_with(
        &["verify", "ms:alice/model", "--json"],
        &[("HF_TOKEN", HF_ALICE)],
    );
    assert_eq!(verified.code, 0, "{}{}", verified.stdout, verified.stderr);
    std::fs::remove_dir_all(world.path("state")).unwrap();
    assert_eq!(
        done(&run(&world, &["ms:alice/model"]))["commits"],
        0,
        "known again without a record of the first run"
    );
}

#[test]
fn a_card_that_is_to_be_kept_fails_alone() {
    let world = with_model();
    seed(
        &world,
        "ms",
        "model",
        &json!([{"path": "README.md", "text": APACHE}]),
    );
    let ran = run(&world, &["ms:alice/model", "--keep-readme"]);
    let report = ran.event("report");
    assert_eq!(
        (
            ran.code,
            report["failed"][0]["path"].as_str(),
            report["failed"].as_array().unwrap().len()
        ),
        (1, Some("README.md"), 1),
        "{report}"
    );
    assert!(holds(&world, "hf", "model", "alice/model").contains_key("b.safetensors"));
    done(&run(&world, &["ms:alice/model"]));
}

#[test]
fn a_licence_that_nobody_knows_is_other_by_its_name() {
    let world = World::new();
    seed(
        &world,
        "ms",
        "dataset",
        &json!([{"path": "README.md", "text": "---\nlicense: Qwen Research\n---\n"}, {"path": "d.txt", "text": "d"}]),
    );
    done(&run(&world, &["ms:alice/model"]));
    let mended = hf2ms_hub::Sha256::of(b"---\nlicense: other\nlicense_name: qwen-research\n---\n")
        .to_string();
    assert_eq!(
        holds(&world, "hf", "dataset", "alice/model")["README.md"],
        mended
    );
}

#[test]
fn a_repo_is_copied_within_hugging_face() {
    let world = World::with_model();
    done(&run(
        &world,
        &["hf:alice/model", "--to", "hf", "--dest", "acme/copy"],
    ));
    copied(&world, "model", ("hf", "alice/model"), ("hf", "acme/copy"));
    assert_eq!(
        done(&run(
            &world,
            &["hf:alice/model", "--to", "hf", "--dest", "acme/copy"]
        ))["unchanged"],
        6
    );
}

#[test]
fn a_repo_is_copied_within_modelscope() {
    let world = with_model();
    done(&run(
        &world,
        &["ms:alice/model", "--to", "ms", "--dest", "acme/copy"],
    ));
    copied(&world, "model", ("ms", "alice/model"), ("ms", "acme/copy"));
    assert_eq!(
        world.requests("ms_storage.put"),
        0,
        "the hub has every blob already"
    );
}

#[test]
fn another_site_of_a_hub_gets_its_own_token_and_no_other() {
    let (here, there) = (with_model(), World::new());
    let to = [
        ("MODELSCOPE_DESTINATION_ENDPOINT", there.address("ms")),
        IMPATIENT,
    ];
    let args = ["migrate", "ms:alice/model", "--to", "ms"];
    here.run_with(&args, &to)
        .refused_with(3, "MODELSCOPE_DESTINATION_TOKEN is not set");
    assert_eq!(there.all_requests(), 0);
    let ran = here.run_with(
        &[&args[..], &["--dest", "bob/model"]].concat(),
        &[&to[..], &[("MODELSCOPE_DESTINATION_TOKEN", BOB)]].concat(),
    );
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    let (source, copy) = (
        holds(&here, "ms", "model", "alice/model"),
        holds(&there, "ms", "model", "bob/model"),
    );
    assert!(
        source
            .iter()
            .all(|(path, sha256)| copy.get(path) == Some(sha256)),
        "{copy:?}"
    );
    for (world, other) in [(&here, BOB), (&there, common::ALICE)] {
        assert!(
            !world
                .admin("GET", "/requests", "")
                .unwrap()
                .to_string()
                .contains(other)
        );
    }
}

#[test]
fn one_account_reads_and_another_writes() {
    let world = World::with_model();
    world.admin(
        "POST",
        "/repo",
        r#"{"hub":"hf","kind":"model","id":"alice/model","private":true}"#,
    );
    let args = [
        "migrate",
        "hf:alice/model",
        "--to",
        "hf",
        "--dest",
        "bob/copy",
        "--json",
    ];
    let ran = world.run_with(
        &args,
        &[("HF_TOKEN", HF_READER), ("HF_DESTINATION_TOKEN", HF_BOB)],
    );
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    assert_eq!(
        world.stored("hf", "model", "bob/copy").unwrap()["private"],
        true
    );
}

#[test]
fn both_sides_may_not_be_one_repo() {
    let world = World::with_model();
    refused(
        &world,
        &["hf:alice/model", "--to", "hf"],
        2,
        "is both source and destination: give --dest",
    );
}

#[test]
fn what_may_not_be_written_is_found_before_any_byte_moves() {
    let world = with_model();
    let migrate = |token: &str, dest: &str| {
        world.run_with(
            &["migrate", "ms:alice/model", "--dest", dest],
            &[("HF_TOKEN", token), IMPATIENT],
        )
    };
    migrate(HF_READER, "alice/model").refused_with(3, "HF_TOKEN of alice may only read");
    migrate(HF_BOB, "alice/model")
        .refused_with(3, "HF_TOKEN may not write to alice/model on Hugging Face");
    migrate("hf_wrongwrongwrong", "alice/model").refused_with(3, "Hugging Face refuses HF_TOKEN");
    world
        .run(&["migrate", "ms:alice/model"])
        .refused_with(3, "HF_TOKEN is not set");
    world.seed(r#"{"hub":"hf","kind":"model","id":"alice/there","files":[]}"#);
    migrate(HF_BOB, "alice/there")
        .refused_with(3, "HF_TOKEN may not write to alice/there on Hugging Face");
    assert_eq!(
        (
            world.requests("hf_storage.put"),
            world.requests("ms_storage.get")
        ),
        (0, 0)
    );
}

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
    for token in [HF_ALICE, common::ALICE] {
        assert!(!ran.stdout.contains(token) && !ran.stderr.contains(token));
        assert!(!kept_below(&world.path("state")).contains(token));
    }
}

fn kept_below(folder: &std::path::Path) -> String {
    let entries = std::fs::read_dir(folder)
        .unwrap()
        .flatten()
        .map(|entry| entry.path());
    entries
        .map(|path| {
            if path.is_dir() {
                kept_below(&path)
            } else {
                String::from_utf8_lossy(&std::fs::read(&path).unwrap()).into_owned()
            }
        })
        .collect()
}

#[test]
fn nothing_is_deleted_there_unless_pruning_is_asked_for() {
    let world = with_model();
    done(&run(&world, &["ms:alice/model"]));
    seed(
        &world,
        "hf",
        "model",
        &json!([{"path": "theirs.txt", "text": "theirs"}]),
    );
    done(&run(&world, &["ms:alice/model"]));
    assert!(holds(&world, "hf", "model", "alice/model").contains_key("theirs.txt"));
    done(&run(&world, &["ms:alice/model", "--prune"]));
    assert!(!holds(&world, "hf", "model", "alice/model").contains_key("theirs.txt"));
}

#[test]
fn one_worker_alone_does_it_too() {
    let world = with_model();
    seed(
        &world,
        "ms",
        "model",
        &json!([{"path": "README.md", "text": APACHE}]),
    );
    let mut command = std::process::Command::new(common::binary("hf2ms-worker"));
    command
        .args(["migrate", "ms:alice/model", "hf:alice/model"])
        .env("HF_TOKEN", HF_ALICE)
        .env("MODELSCOPE_TOKEN", common::ALICE);
    command
        .env("HF_ENDPOINT", world.address("hf"))
        .env("MODELSCOPE_ENDPOINT", world.address("ms"));
    let ran = Ran::of(command.output().unwrap());
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    assert!(ran.stderr.contains("apache-2.0"), "{}", ran.stderr);
}

#[test]
fn many_commits_are_made_smaller_when_the_hub_gives_up_on_them() {
    let world = World::new();
    world.seed(r#"{"hub":"ms","kind":"dataset","id":"alice/model","files":[],"generate":{"count":1200,"folders":3,"size":40,"suffix":".txt","seed":1}}"#);
    world.fault(r#"{"route":"hf.commit","kind":{"do":"status","status":504},"count":2}"#);
    let report = done(&run(&world, &["ms:alice/model"]));
    copied(
        &world,
        "dataset",
        ("ms", "alice/model"),
        ("hf", "alice/model"),
    );
    assert!(report["commits"].as_u64().unwrap() >= 5, "{report}");
}

#[test]
fn all_that_an_owner_has_on_modelscope_goes_as_one_batch() {
    let world = World::new();
    for (kind, id) in [
        ("model", "alice/one"),
        ("model", "alice/two"),
        ("dataset", "alice/data"),
    ] {
        let files = json!([{"path": "w.bin", "size": 300_000, "seed": id.len()}, {"path": "README.md", "text": APACHE}]);
        world.seed(&json!({"hub": "ms", "kind": kind, "id": id, "files": files}).to_string());
    }
    let ran = world.run_with(
        &[
            "batch",
            "--owner",
            "ms:alice",
            "--to-owner",
            "acme",
            "--json",
        ],
        &[("HF_TOKEN", HF_ALICE), IMPATIENT],
    );
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    for (kind, name) in [("model", "one"), ("model", "two"), ("dataset", "data")] {
        let there = holds(&world, "hf", kind, &format!("acme/{name}"));
        assert!(
            there.contains_key("w.bin") && there.contains_key("README.md"),
            "{there:?}"
        );
    }
}
