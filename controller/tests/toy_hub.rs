//! A third hub, added by one folder and the lines in two files (docs/adding-a-hub.md): whole copies to it and from it by the real
//! binaries.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

#[path = "e2e/common/mod.rs"]
mod common;
#[path = "../../hub/tests/contract/toy.rs"]
#[allow(dead_code)]
mod toy;

use common::World;
use serde_json::{Value, json};

use toy::{ALICE, ToyServer};

fn files(repo: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let mut files: Vec<_> = repo["files"]
        .as_array()
        .unwrap()
        .iter()
        .map(|file| (text(&file["path"]), text(&file["sha256"])))
        .collect();
    files.sort();
    files
}

fn stored_on(toy: &ToyServer, id: &str) -> Value {
    let path = format!("/repo?hub=toy&kind=model&id={id}");
    common::ask(&toy.endpoint, "GET", &path, "").unwrap()
}

#[test]
fn a_repo_is_copied_to_the_toy_hub_and_from_it() {
    let (world, toy) = (World::with_model(), ToyServer::start());
    let environment = [
        ("TOY_ENDPOINT", toy.endpoint.as_str()),
        ("TOY_TOKEN", ALICE),
    ];
    let ran = world.run_with(&["migrate", "hf:alice/model", "--to", "toy"], &environment);
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    let original = files(&world.stored("hf", "model", "alice/model").unwrap());
    assert_eq!(files(&stored_on(&toy, "alice/model")), original);

    let ran = world.run_with(
        &[
            "migrate",
            "toy:alice/model",
            "--to",
            "ms",
            "--dest",
            "alice/back",
        ],
        &environment,
    );
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    let back = files(&world.stored("ms", "model", "alice/back").unwrap());
    assert!(original.iter().all(|file| back.contains(file)), "{back:?}");

    let ran = world.run_with(&["verify", "hf:alice/model", "--to", "toy"], &environment);
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
}

#[test]
fn its_names_come_from_its_profile() {
    let (world, toy) = (World::new(), ToyServer::start());
    let seed =
        json!({"kind": "model", "id": "alice/small", "files": [{"path": "a.txt", "text": "a"}]});
    common::ask(&toy.endpoint, "POST", "/seed", &seed.to_string()).unwrap();
    let address = format!("{}/models/alice/small", toy.endpoint);
    let ran = world.run_with(
        &["plan", &address, "--to", "ms"],
        &[("TOY_ENDPOINT", toy.endpoint.as_str())],
    );
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    let ran = world.run_with(
        &["migrate", "hf:alice/none", "--to", "toy"],
        &[("TOY_ENDPOINT", toy.endpoint.as_str())],
    );
    assert!(
        ran.stderr.contains("TOY_TOKEN is not set"),
        "{}",
        ran.stderr
    );
}
