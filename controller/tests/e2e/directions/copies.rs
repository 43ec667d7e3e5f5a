//! Whole repos from ModelScope to Hugging Face.

use super::*;

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
    done(&run(&world, &["ms:alice/model", "--prune", "--yes"]));
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
    let mut command = std::process::Command::new(crate::common::binary("hf2ms-worker"));
    command
        .args(["migrate", "ms:alice/model", "hf:alice/model"])
        .env("HF_TOKEN", HF_ALICE)
        .env("MODELSCOPE_TOKEN", crate::common::ALICE);
    command
        .env("HF_ENDPOINT", world.address("hf"))
        .env("MODELSCOPE_ENDPOINT", world.address("ms"));
    let ran = Ran::of(command.output().unwrap());
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    assert!(ran.stderr.contains("apache-2.0"), "{}", ran.stderr);
}
