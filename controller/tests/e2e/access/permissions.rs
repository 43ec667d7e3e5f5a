//! Repos and namespaces of others are found before any byte moves.

use super::*;

#[test]
fn a_namespace_that_is_not_ours_is_found_before_any_byte_moves() {
    for kind in ["model", "dataset"] {
        let world = World::new();
        let files =
            json!([{"path": "a.bin", "size": 5000, "seed": 1}, {"path": "b.txt", "text": "small"}]);
        seed(&world, "hf", kind, "alice/model", &files);
        world
            .run_with(&["migrate", "alice/model"], &[("MODELSCOPE_TOKEN", BOB)])
            .refused_with(3, "may not write to alice/model");
        assert_eq!(world.admin("GET", "/repos?hub=ms", "").unwrap(), json!([]));
        no_byte_moved(&world);
    }
}

fn no_byte_moved(world: &World) {
    let routes = [
        "hf_storage.get",
        "hf.resolve",
        "ms_storage.put",
        "ms.commit",
    ];
    assert_eq!(routes.map(|route| world.requests(route)), [0; 4]);
}

#[test]
fn a_repo_of_someone_else_is_refused_before_any_byte_moves_whatever_would_be_written() {
    for files in [
        json!([{"path": "a.bin", "size": 5000, "seed": 1}]),
        json!([{"path": "b.txt", "text": "inline only"}]),
    ] {
        let world = World::new();
        seed(&world, "hf", "model", "alice/model", &files);
        seed(
            &world,
            "ms",
            "model",
            "alice/model",
            &json!([{"path": "theirs.txt", "text": "x"}]),
        );
        let before = world.stored("ms", "model", "alice/model").unwrap();
        world
            .run_with(&["migrate", "alice/model"], &[("MODELSCOPE_TOKEN", BOB)])
            .refused_with(3, "may not write to alice/model");
        no_byte_moved(&world);
        assert_eq!(
            world.stored("ms", "model", "alice/model").unwrap()["head"],
            before["head"]
        );
    }
}

#[test]
fn deletions_alone_need_permission_too() {
    let world = World::new();
    let same = json!({"path": "a.txt", "text": "a"});
    seed(&world, "hf", "model", "alice/model", &json!([same]));
    seed(
        &world,
        "ms",
        "model",
        "alice/model",
        &json!([same, {"path": "theirs.txt", "text": "x"}]),
    );
    let ran = world.run_with(
        &["migrate", "alice/model", "--prune", "--max-delete", "100%"],
        &[("MODELSCOPE_TOKEN", BOB)],
    );
    ran.refused_with(3, "may not write to alice/model");
    assert!(
        world
            .stored("ms", "model", "alice/model")
            .unwrap()
            .to_string()
            .contains("theirs.txt")
    );
    no_byte_moved(&world);
}

#[test]
fn a_hidden_repo_of_someone_else_is_not_ours_to_see() {
    let world = with_blob();
    seed(
        &world,
        "ms",
        "model",
        "alice/model",
        &json!([{"path": "theirs.txt", "text": "x"}]),
    );
    world
        .admin(
            "POST",
            "/repo",
            r#"{"hub":"ms","kind":"model","id":"alice/model","visibility":"private"}"#,
        )
        .unwrap();
    let ran = world.run_with(&["migrate", "alice/model"], &[("MODELSCOPE_TOKEN", BOB)]);
    ran.refused_with(3, "--dest");
    no_byte_moved(&world);
}

#[test]
fn a_read_of_the_copy_that_is_refused_is_not_said_to_be_a_write() {
    let world = World::with_model();
    let files = json!([{"path": "README.md", "text": "# Hello\n"}]);
    seed(&world, "ms", "model", "alice/model", &files);
    world.strike(
        "ms.files",
        json!({"do": "status", "status": 403}),
        json!({}),
    );
    for args in [
        &["verify", "alice/model"][..],
        &["plan", "alice/model"],
        &["inventory", "alice"],
        &["migrate", "alice/model"],
    ] {
        let ran = world.run(args);
        let said = format!("{}{}", ran.stdout, ran.stderr);
        let words = "MODELSCOPE_TOKEN may not read model alice/model on ModelScope: use the token of an account that may";
        assert!(said.contains(words), "{args:?}: {said}");
        assert!(!said.contains("may not write"), "{args:?}: {said}");
    }
    world.strike("ms.me", json!({"do": "status", "status": 403}), json!({}));
    let said = world.run(&["doctor"]).stdout;
    let words = "ModelScope does not say whose MODELSCOPE_TOKEN is: use another token";
    assert!(said.contains(words), "{said}");
}

#[test]
fn a_repo_that_modelscope_has_disabled_is_not_taken_for_one_of_someone_else() {
    let world = World::with_model();
    let files = json!([{"path": "a.txt", "text": "a"}]);
    seed(&world, "ms", "model", "alice/model", &files);
    let disabled = r#"{"hub":"ms","kind":"model","id":"alice/model","disabled":true}"#;
    world.admin("POST", "/repo", disabled).unwrap();
    let words = "ModelScope has disabled model alice/model: nothing of it can be read, and only its support can help";
    for args in [
        &["verify", "alice/model"][..],
        &["migrate", "ms:models/alice/model", "--dest", "alice/other"],
    ] {
        let ran = world.run_with(args, &[("HF_TOKEN", "hf_sandboxAliceWrite")]);
        ran.refused_with(3, words);
    }
}
