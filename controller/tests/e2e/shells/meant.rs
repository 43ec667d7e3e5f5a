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

#[test]
fn a_list_has_what_was_meant_beside_each_repo_by_one_listing_of_the_owner() {
    let world = World::with_model();
    let list = world.path("list");
    fs::write(
        &list,
        "models/alice/modle\nmodels/alice/modell\nmodels/alice/model\nmodels/alice/whisper\n",
    )
    .unwrap();
    let list = list.display().to_string();
    for verb in ["batch", "verify", "cleanup"] {
        world.admin("POST", "/counters/reset", "").unwrap();
        let ran = world.run(&[verb, "--file", &list]);
        let said = format!("{}{}", ran.stdout, ran.stderr);
        assert_eq!(ran.code, 3, "{verb}: {said}");
        let meant = said.matches("did you mean alice/model?").count();
        assert_eq!((meant, world.requests("hf.list")), (2, 1), "{verb}: {said}");
    }
    let ran = world.run(&["cleanup", "models/alice/modle", "--json"]);
    assert_eq!(ran.event("cleanup_repo")["nearest"], "alice/model");
    // Where all are there, no owner is asked.
    world.admin("POST", "/counters/reset", "").unwrap();
    let ran = world.run(&["batch", "alice/model", "--force"]);
    assert_eq!((ran.code, world.requests("hf.list")), (0, 0));
}

#[test]
fn a_misspelt_owner_has_the_account_or_its_organisation_beside_it() {
    let token = [("HF_TOKEN", "hf_sandboxAliceWrite")];
    for (args, code, meant) in [
        (&["inventory", "alcie"][..], 3, "alice"),
        (&["inventory", "alice", "acmee"], 1, "acme"),
        (&["batch", "--owner", "alcie"], 3, "alice"),
        (&["verify", "--owner", "alcie"], 3, "alice"),
    ] {
        // The hub answers this question a few times only.
        let world = World::with_model();
        let stranger = world.run(args);
        assert!(stranger.code == code && !stranger.stderr.contains("did you mean"));
        assert_eq!(world.requests("hf.whoami"), 0, "{args:?}");
        let ran = world.run_with(args, &token);
        let words = format!("check the name; did you mean {meant}?");
        assert!(ran.stderr.contains(&words), "{args:?}: {}", ran.stderr);
        assert_eq!((ran.code, world.requests("hf.whoami")), (code, 1));
    }
}
