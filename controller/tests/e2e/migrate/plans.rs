//! Plan files, and repos of a kind that is skipped.

use super::*;

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
fn a_space_is_refused_unless_its_files_are_asked_for() {
    let world = World::new();
    world.seed(r#"{"hub":"hf","kind":"space","id":"alice/app","message":"m","files":[{"path":"app.py","text":"print()"}]}"#);
    world
        .run(&["migrate", "alice/app"])
        .refused_with(2, "--repo-type model");
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
