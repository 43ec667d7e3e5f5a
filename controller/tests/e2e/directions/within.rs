//! Copies within Hugging Face, whose blobs the hub copies by itself.

use super::*;
use crate::xet::with_xet;

const VERIFY_LISTING: [&str; 2] = ["--verify", "listing"];

/// A world whose Hugging Face has `alice/model` with two blobs, one of them twice, all in Xet's storage.
fn world() -> Option<World> {
    let world = World::new();
    seed(
        &world,
        "hf",
        "model",
        &json!([
            {"path": "README.md", "text": "---\nlicense: mit\n---\n# Hello\n"}, {"path": "config.json", "text": "{}"},
            {"path": "a.safetensors", "size": 3_000_000, "seed": 1}, {"path": "copy/a.safetensors", "size": 3_000_000, "seed": 1},
            {"path": "b.safetensors", "size": 2_000_000, "seed": 2},
        ]),
    );
    with_xet(world)
}

/// Verified by the listing, so that no blob is read but to be sent.
fn copy(world: &World) -> Value {
    let args = ["hf:alice/model", "hf:acme/copy"];
    let report = done(&run(world, &[&args[..], &VERIFY_LISTING].concat()));
    copied(world, "model", ("hf", "alice/model"), ("hf", "acme/copy"));
    report
}

/// Blobs and bytes that the hub copied, and blobs that were sent.
fn counts(report: &Value) -> [u64; 3] {
    ["copied_by_hub", "copied_by_hub_bytes", "moved"].map(|count| report[count].as_u64().unwrap())
}

fn sent(world: &World) -> u64 {
    let counters = world.admin("GET", "/counters", "").unwrap();
    counters["hf_storage.put"]["bytes_in"].as_u64().unwrap_or(0)
}

#[test]
fn no_byte_of_a_blob_moves_where_the_hub_copies_it() {
    let Some(world) = world() else { return };
    let report = copy(&world);
    assert_eq!(counts(&report), [2, 5_000_000, 0], "{report}");
    assert_eq!(
        (report["duplicates"].as_u64(), report["sent"].as_u64()),
        (Some(1), Some(0)),
        "{report}"
    );
    let routes = ["hf_storage.put", "hf_storage.get", "hf.lfs_duplicate"];
    assert_eq!(routes.map(|route| world.requests(route)), [0, 0, 1]);
}

#[test]
fn a_person_reads_how_much_did_not_move() {
    let Some(world) = world() else { return };
    let args = ["migrate", "hf:alice/model", "hf:acme/copy"];
    let ran = world.run_with(&args, &[("HF_TOKEN", HF_ALICE), IMPATIENT]);
    let said = format!("{}{}", ran.stdout, ran.stderr);
    assert!(said.contains("up to 5 MB to move"), "{said}");
    assert!(
        said.contains("2 blobs by the hub itself, 5 MB that did not move"),
        "{said}"
    );
}

#[test]
fn a_blob_that_the_hub_does_not_copy_is_sent() {
    let Some(world) = world() else { return };
    world.set(json!({"hf_duplicates_up_to": 2_500_000}));
    let report = copy(&world);
    assert_eq!(counts(&report), [1, 2_000_000, 1], "{report}");
    assert_eq!(sent(&world), 3_000_000);
}

#[test]
fn a_source_in_another_region_is_sent_whole() {
    let Some(world) = world() else { return };
    let region = r#"{"hub":"hf","kind":"model","id":"alice/model","region":"eu"}"#;
    world.admin("POST", "/repo", region).unwrap();
    assert_eq!(counts(&copy(&world)), [0, 0, 2]);
    assert_eq!(sent(&world), 5_000_000);
}

#[test]
fn what_the_hub_only_says_it_copied_is_sent_before_the_commit() {
    let Some(world) = world() else { return };
    world.fault(
        r#"{"route":"hf.lfs_duplicate","kind":{"do":"status","status":200,"body":{"failed":[]}},"count":1}"#,
    );
    copy(&world);
    assert!(sent(&world) >= 5_000_000);
}

#[test]
fn a_private_source_of_another_account_is_sent() {
    let Some(world) = world() else { return };
    let private = r#"{"hub":"hf","kind":"model","id":"alice/model","private":true}"#;
    world.admin("POST", "/repo", private).unwrap();
    let args = ["migrate", "hf:alice/model", "hf:bob/copy", "--json"];
    let ran = world.run_with(
        &[&args[..], &VERIFY_LISTING].concat(),
        &[("HF_TOKEN", HF_READER), ("HF_DESTINATION_TOKEN", HF_BOB)],
    );
    assert_eq!(counts(&done(&ran)), [0, 0, 2]);
    copied(&world, "model", ("hf", "alice/model"), ("hf", "bob/copy"));
    assert_eq!(world.requests("hf.lfs_duplicate"), 0, "{}", ran.stdout);
}
