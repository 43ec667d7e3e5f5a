//! Copies within a hub, between two sites and between two accounts.

use super::*;

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
    for (world, other) in [(&here, BOB), (&there, crate::common::ALICE)] {
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
