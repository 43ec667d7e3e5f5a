//! By Xet: both directions, what is served no other way, and what goes wrong on the way.

mod bytes;
mod faster;
mod stalls;
mod tokens;
mod ways;
mod workers;

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::common::faults::{IMPATIENT, STALL};
use crate::common::{Ran, World};
use serde_json::{Value, json};

const HF_ALICE: (&str, &str) = ("HF_TOKEN", "hf_sandboxAliceWrite");
const SIZE: u64 = 20_000_000;

/// A world whose Hugging Face keeps its blobs in Xet's storage, `alice/model` among them.
fn world() -> Option<World> {
    with_xet(World::with_blob(SIZE))
}

/// The world with Xet; nothing, and the test is counted as skipped, where the sandbox was built without.
pub fn with_xet(world: World) -> Option<World> {
    if world
        .admin("POST", "/settings", r#"{"hf_xet":true}"#)
        .is_some()
    {
        return Some(world);
    }
    let test = std::thread::current().name().unwrap_or("a test").to_owned();
    crate::common::docker::skipped(&format!(
        "skipped: {test}: the sandbox was built without --features xet"
    ));
    None
}

/// A world whose ModelScope has `alice/model`, and whose Hugging Face takes blobs by Xet.
fn world_the_other_way() -> Option<World> {
    let world = World::new();
    let files = json!([{"path": "w.safetensors", "size": SIZE, "seed": 7}, {"path": "README.md", "text": "# W\n"}]);
    world.seed(
        &json!({"hub": "ms", "kind": "model", "id": "alice/model", "files": files}).to_string(),
    );
    with_xet(world)
}

/// Verified by the listing, so that nothing is read but what moves.
fn copy(world: &World, args: &[&str]) -> Ran {
    world.run_with(
        &[&["migrate", "--json", "--verify", "listing"], args].concat(),
        &[HF_ALICE, IMPATIENT, STALL],
    )
}

fn by_xet(world: &World) -> Ran {
    copy(world, &["alice/model", "--transport", "xet"])
}

fn back_by_xet(world: &World) -> Ran {
    copy(world, &["ms:alice/model", "--transport", "xet"])
}

/// Whether Hugging Face has `alice/model` as ModelScope has it.
fn is_whole_there(world: &World) -> bool {
    let files = |hub: &str| {
        world.stored(hub, "model", "alice/model").unwrap()["files"]
            .as_array()
            .unwrap()
            .clone()
    };
    let digest = |files: &[Value]| {
        files
            .iter()
            .find(|file| file["path"] == "w.safetensors")
            .unwrap()["sha256"]
            .clone()
    };
    digest(&files("hf")) == digest(&files("ms"))
}

fn retries(ran: &Ran) -> Vec<String> {
    let retries = ran
        .events()
        .into_iter()
        .filter(|event| event["event"] == "retry");
    retries
        .map(|event| event["error"].as_str().unwrap().to_owned())
        .collect()
}

/// By what name Xet's storage knows the blob of `alice/model`, as Hugging Face lists it.
fn xet_hash(world: &World) -> String {
    let tree = crate::common::ask(
        world.address("hf"),
        "GET",
        "/api/models/alice/model/tree/main",
        "",
    )
    .unwrap();
    let blob = tree
        .as_array()
        .unwrap()
        .iter()
        .find(|entry| entry["path"] == "w.safetensors")
        .unwrap()
        .clone();
    blob["xetHash"].as_str().unwrap().to_owned()
}
