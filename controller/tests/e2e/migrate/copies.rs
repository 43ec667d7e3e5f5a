//! A copy, and what a second run does.

use super::*;

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
