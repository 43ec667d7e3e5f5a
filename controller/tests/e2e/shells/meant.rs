//! The repo that was meant by a name that its hub does not have.

use std::fs;

use crate::common::World;

#[test]
fn a_repo_that_is_not_found_has_the_owners_nearest_beside_it() {
    let world = World::with_model();
    let typed = "alice/modle";
    let ran = world.run(&["migrate", typed, "--repo-type", "model", "--yes"]);
    ran.refused_with(3, "; did you mean alice/model?");
    assert_eq!(world.requests("hf.list"), 1);
    // A program has it in a field, and the words without it.
    let error = world
        .run(&["migrate", typed, "--repo-type", "model", "--json"])
        .event("error");
    assert_eq!(error["nearest"], "alice/model");
    let message = error["message"].as_str().unwrap();
    assert!(!message.contains("alice/model"), "{message}");
    // What is like nothing has nothing beside it, and what is there is not looked for.
    let other = world.run(&["migrate", "alice/whisper", "--repo-type", "model"]);
    assert!(other.code == 3 && !other.stderr.contains("did you mean"));
    let asked = world.requests("hf.list");
    assert_eq!(world.run(&["migrate", "alice/model", "--yes"]).code, 0);
    assert_eq!(world.requests("hf.list"), asked);
}

#[test]
fn the_name_of_a_private_repo_is_told_to_its_owner_and_kept_in_no_log() {
    let world = World::new();
    world.seed(
        r#"{"hub":"hf","kind":"model","id":"alice/secret-model","visibility":"private","files":[{"path":"a.txt","text":"a"}]}"#,
    );
    let file = world.path("all.log").display().to_string();
    let args = [
        "migrate",
        "alice/secret-modle",
        "--repo-type",
        "model",
        "--log-file",
        &file,
    ];
    let stranger = world.run(&args);
    assert!(
        stranger.code == 3 && !stranger.stderr.contains("secret-model"),
        "{}",
        stranger.stderr
    );
    let owner = world.run_with(&args, &[("HF_TOKEN", "hf_sandboxAliceWrite")]);
    owner.refused_with(3, "did you mean alice/secret-model?");
    let log = fs::read_to_string(&file).unwrap();
    assert!(
        log.contains("secret-modle") && !log.contains("secret-model"),
        "{log}"
    );
}
