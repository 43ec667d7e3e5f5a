//! Migrations on Modal, through the real binary, its bridge and the official SDK, against a Modal on loopback that really runs
//! the functions. What Modal itself does is tested in `tests/modal_app`.

mod containers;
mod copies;
mod stops;
mod submits;

use std::fs;

use crate::common::modal::Cloud;
use crate::common::processes::until;
use crate::common::{ALICE, World};
use serde_json::{Value, json};

const MIGRATE: [&str; 7] = [
    "migrate",
    "alice/model",
    "--on",
    "modal",
    "--containers",
    "2",
    "--json",
];

/// A world whose `alice/model` has so many blobs of 300 kB, and a chunk for each of its two containers.
fn world(blobs: u64) -> (World, Cloud) {
    let world = World::new();
    let generate =
        json!({"count": blobs, "size": 300_000, "prefix": "blob-", "suffix": ".bin", "lfs": true});
    let readme = json!([{"path": "README.md", "text": "# W\n"}]);
    world.seed(
        &json!({"hub": "hf", "kind": "model", "id": "alice/model", "message": "m", "files": readme, "generate": generate}).to_string(),
    );
    (world, Cloud::new())
}

fn is_whole(world: &World) -> bool {
    world.is_copied("model", "alice/model", "alice/model")
}

/// Holds every download still, so that chunks work until they are ended.
fn hold(world: &World) {
    world.fault(
        &json!({"route": "hf_storage.get", "kind": {"do": "stall", "after": 1000}}).to_string(),
    );
}

fn release(world: &World) {
    world.admin("DELETE", "/faults", "");
}

fn detach(world: &World, cloud: &Cloud) {
    let ran = cloud.run(world, &[&MIGRATE[..], &["--detach"]].concat());
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
}

/// The newest run, as `status` tells.
fn status(world: &World, cloud: &Cloud) -> Value {
    let ran = cloud.run(world, &["status", "--json"]);
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    ran.events().remove(0)
}
