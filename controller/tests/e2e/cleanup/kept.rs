//! What keeps a source, as docs/owners.md lists it: the rules about the copy's files, about counts, names and readers, and about runs.

use serde_json::{Value, json};

use super::{DELETE, TOKEN, at_last_look, copied, is_there, row, run, stays};
use crate::common::history::seed;
use crate::common::{BOB, SMALL_MODEL, World};

/// Changes what a hub says of a repo.
fn flags(world: &World, hub: &str, id: &str, flags: Value) {
    let mut all = json!({"hub": hub, "kind": "model", "id": id});
    all.as_object_mut()
        .unwrap()
        .extend(flags.as_object().unwrap().clone());
    world.admin("POST", "/repo", &all.to_string()).unwrap();
}

/// What the hub says of the source, with so many files.
fn counting(world: &World, files: usize) {
    let commit = world.stored("hf", "model", "alice/model").unwrap()["branches"]["main"].clone();
    let names = vec![json!({"rfilename": "x"}); files];
    let told = json!({"id": "alice/model", "sha": commit, "private": false, "gated": false, "disabled": false, "siblings": names});
    let kind = json!({"do": "status", "status": 200, "body": told});
    world.strike("hf.info", kind, json!({"path": "/api/models/"}));
}

/// A mirror of `alice/model` on its own hub, and the list that names it.
fn mirrored(to: &str) -> World {
    let world = World::with_model();
    let mirror = json!({"hub": "hf", "kind": "model", "from": "alice/model", "to": to});
    world
        .admin("POST", "/repo/mirror", &mirror.to_string())
        .unwrap();
    let line = format!("hf:alice/model hf:{to}\n");
    std::fs::write(world.path("repos.txt"), line).unwrap();
    world
}

const LISTED: [&str; 7] = [
    "cleanup",
    "--file",
    "repos.txt",
    "--delete",
    "--history-may-go",
    "--yes-delete=1",
    "--json",
];

#[test]
fn a_file_that_differs_or_is_missing_at_the_copy_keeps_the_source() {
    let size = json!([{"path": "b.safetensors", "size": 2_000_000, "seed": 9}]);
    let small = json!([{"path": "config.json", "text": "[]"}]);
    let gone = json!({"delete": ["copy/a.safetensors"]});
    for (files, more, words) in [
        (size, json!({}), "b.safetensors"),
        (small, json!({}), "config.json"),
        (json!([]), gone, "copy/a.safetensors"),
    ] {
        let world = copied();
        seed(&world, "ms", "alice/model", "master", &files, &more);
        let ran = run(&world, &DELETE);
        stays(&world, &ran, 2, "stays", "is not whole at the copy");
        let reason = row(&ran)["reason"].clone();
        assert!(reason.as_str().unwrap().contains(words), "{reason}");
    }
}

#[test]
fn a_content_that_can_not_be_compared_with_that_of_the_source_keeps_the_source() {
    let world = copied();
    world.always("hf_storage.get", json!({"do": "status", "status": 404}));
    let ran = run(&world, &DELETE);
    stays(&world, &ran, 2, "stays", "not every content of branch main");
}

#[test]
fn a_source_that_is_listed_otherwise_directly_before_the_request_stays() {
    let world = copied();
    at_last_look(&world, "hf.tree", json!({"do": "cut", "entries": 3}));
    let ran = run(&world, &DELETE);
    stays(&world, &ran, 1, "changed", "changed since the verification");
}

#[test]
fn a_commit_that_its_hub_counts_otherwise_keeps_the_source() {
    let world = copied();
    counting(&world, 7);
    let ran = run(&world, &DELETE);
    stays(&world, &ran, 2, "stays", "counts 7 files and lists 6");
}

#[test]
fn a_short_listing_that_a_partial_copy_matches_is_noticed_by_the_count() {
    let world = World::with_model();
    let part = ["migrate", "alice/model", "--exclude", "b.safetensors"];
    assert_eq!(world.run(&part).code, 0);
    // The last entry is the one that was left out.
    world.always("hf.tree", json!({"do": "cut", "entries": 5}));
    let ran = run(&world, &DELETE);
    let reason = row(&ran)["reason"].clone();
    let reason = reason.as_str().unwrap();
    assert!(
        reason.contains("counts 6 files") || reason.contains("is not whole"),
        "{reason}"
    );
    assert!(is_there(&world, "alice/model"));
}

#[test]
fn a_copy_behind_a_gate_that_is_someone_elses_keeps_the_source() {
    let world = copied();
    let gated = json!({"gated": true, "granted": ["bob"]});
    flags(&world, "ms", "alice/model", gated);
    let bob = [TOKEN, ("MODELSCOPE_TOKEN", BOB)];
    let args = [&DELETE[..], &["--against", "ms:alice"]].concat();
    let ran = world.run_with(&args, &bob);
    stays(&world, &ran, 2, "stays", "behind a gate on ModelScope");
}

#[test]
fn a_source_or_a_copy_that_has_another_name_now_keeps_the_source() {
    let world = mirrored("alice/held");
    let moved = ["cleanup", "--file", "back.txt", "--move-to", "new-name"];
    std::fs::write(world.path("back.txt"), "hf:alice/held hf:alice/model\n").unwrap();
    let ran = run(&world, &[&moved[..], &["--yes-delete", "1"]].concat());
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    let ran = run(&world, &LISTED);
    let words = "is called alice/new-name on Hugging Face now";
    stays(&world, &ran, 2, "stays", words);
    let ran = run(&world, &["cleanup", "--file", "back.txt", "--json"]);
    stays(&world, &ran, 1, "stays", words);
}

#[test]
fn a_space_a_leftover_branch_and_an_id_that_is_taken_keep_the_source() {
    let world = World::new();
    let space = json!({"hub": "hf", "kind": "space", "id": "alice/app", "sdk": "static", "files": [{"path": "index.html", "text": "x"}]});
    world.seed(&space.to_string());
    let ran = run(&world, &["cleanup", "spaces/alice/app", "--json"]);
    assert_ne!(ran.code, 0, "{}", ran.stdout);
    let said = format!("{}{}", ran.stdout, ran.stderr);
    assert!(said.contains("Space"), "{said}");

    let world = copied();
    let args = ["cleanup", "alice/model", "--move-to", "taken"];
    world.seed(&SMALL_MODEL.replacen("alice/model", "alice/taken", 1));
    let args = [&args[..], &["--yes-delete", "1", "--json"]].concat();
    let ran = run(&world, &args);
    stays(
        &world,
        &ran,
        3,
        "failed",
        "alice/taken exists on Hugging Face already",
    );

    let branch = format!("hf2ms-copy-{}", "a".repeat(40));
    seed(
        &world,
        "hf",
        "alice/model",
        &branch,
        &json!([{"path": "x", "text": "x"}]),
        &json!({}),
    );
    let ran = run(&world, &DELETE);
    stays(&world, &ran, 2, "stays", "temporary branches");
}

#[test]
fn a_copy_with_the_id_of_its_source_on_the_same_hub_may_be_the_source_itself() {
    let world = World::with_model();
    let other = World::with_model();
    let elsewhere = [
        TOKEN,
        ("HF_DESTINATION_ENDPOINT", other.address("hf")),
        ("HF_DESTINATION_TOKEN", TOKEN.1),
    ];
    let args = [&["cleanup", "hf:alice/model", "--to", "hf"], &DELETE[2..]].concat();
    let ran = world.run_with(&args, &elsewhere);
    stays(
        &world,
        &ran,
        2,
        "stays",
        "may be the same repo seen at another address",
    );
}

#[test]
fn a_run_that_reads_the_source_or_writes_to_the_copy_keeps_the_source() {
    for (args, words) in [
        (
            ["migrate", "alice/model", "ms:alice/elsewhere"],
            "reads or writes alice/model on Hugging Face",
        ),
        (
            ["migrate", "hf:alice/other", "ms:alice/model"],
            "alice/model on ModelScope",
        ),
    ] {
        let world = copied();
        let other = json!({"hub": "hf", "kind": "model", "id": "alice/other", "files": [{"path": "o.bin", "size": 300_000, "seed": 5}]});
        world.seed(&other.to_string());
        let held =
            json!({"route": "ms_storage.put", "kind": {"do": "delay", "ms": 60_000}, "count": 1});
        world.admin(
            "POST",
            "/blob/remove",
            &json!({"hub": "ms", "sha256": digest(&world)}).to_string(),
        );
        let held = world.fault(&held.to_string());
        let copy = world.start(world.command(&args).envs([TOKEN]));
        world.until_struck(held);
        let ran = run(&world, &DELETE);
        stays(&world, &ran, 2, "stays", words);
        copy.signal("-INT");
        copy.wait();
    }
}

#[test]
fn a_run_that_can_not_be_read_keeps_the_source_and_is_named() {
    let world = copied();
    let folder = world.path("state/runs/01ARZ3NDEKTSV4RRFFQ69G5FAV");
    std::fs::create_dir_all(&folder).unwrap();
    let later = r#"{"format":2,"written_by":"9.8.7","shape":"new"}"#;
    for (record, words) in [(later, "hf2ms 9.8.7"), ("{\"format\":1,", "can't be read")] {
        std::fs::write(folder.join("run.json"), record).unwrap();
        let shown = run(
            &world,
            &["cleanup", "alice/model", "--history-may-go", "--json"],
        );
        stays(&world, &shown, 1, "stays", words);
        let ran = run(&world, &DELETE);
        stays(&world, &ran, 2, "stays", "run 01ARZ3NDEKTSV4RRFFQ69G5FAV ");
    }
    std::fs::remove_dir_all(&folder).unwrap();
    assert_eq!(run(&world, &DELETE).code, 0);
}

#[test]
fn a_file_that_the_copy_has_in_another_form_keeps_the_source() {
    let world = World::new();
    let readme = json!([{"path": "README.md", "text": "---\nlicense: Qwen Research\n---\n"}]);
    world.seed_model(&readme);
    let list = "hf:alice/model hf:alice/held\n";
    std::fs::write(world.path("repos.txt"), list).unwrap();
    let ran = run(&world, &["migrate", "hf:alice/model", "hf:alice/held"]);
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    let ran = run(&world, &LISTED);
    stays(&world, &ran, 2, "stays", "README.md");
}

/// The digest of a large file of the source.
fn digest(world: &World) -> String {
    let files = world.stored("hf", "model", "alice/model").unwrap()["files"].clone();
    let mut files = files.as_array().unwrap().iter();
    let file = files.find(|file| file["path"] == "b.safetensors").unwrap();
    file["sha256"].as_str().unwrap().to_owned()
}
