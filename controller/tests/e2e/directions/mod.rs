//! Every direction from end to end: ModelScope to Hugging Face, and within each hub.

mod cards;
mod commits;
mod copies;
mod parts;
mod sites;
mod sources;
mod within;

use std::collections::BTreeMap;

use crate::common::{BOB, Ran, World};
use serde_json::{Value, json};

const HF_ALICE: &str = "hf_sandboxAliceWrite";
const HF_READER: &str = "hf_sandboxAliceRead";
const HF_BOB: &str = "hf_sandboxBobWrite";
const IMPATIENT: (&str, &str) = ("HF2MS_RETRY_BASE", "0.01");

const APACHE: &str = "---\nlanguage: zh\nlicense: Apache License 2.0\ntags: [a]\n---\n# 模型\r\nlicense: Apache License 2.0\n";

fn seed(world: &World, hub: &str, kind: &str, files: &Value) {
    world.seed(&json!({"hub": hub, "kind": kind, "id": "alice/model", "files": files}).to_string());
}

/// A world whose ModelScope has `alice/model`: blobs, two of them equal, and small files.
fn with_model() -> World {
    let world = World::new();
    seed(
        &world,
        "ms",
        "model",
        &json!([
            {"path": "README.md", "text": "---\nlicense: mit\n---\n# Hello\n"}, {"path": "config.json", "text": "{}"},
            {"path": "empty.txt", "text": ""}, {"path": "sub dir/名.txt", "text": "odd"},
            {"path": "a.safetensors", "size": 3_000_000, "seed": 1}, {"path": "copy/a.safetensors", "size": 3_000_000, "seed": 1},
            {"path": "b.safetensors", "size": 2_000_000, "seed": 2}, {"path": "long.txt", "size": 200_000, "seed": 3},
        ]),
    );
    world
}

fn run(world: &World, args: &[&str]) -> Ran {
    world.run_with(
        &[&["migrate"], args, &["--json"]].concat(),
        &[("HF_TOKEN", HF_ALICE), IMPATIENT],
    )
}

/// As a person would: what is refused is one line.
fn refused(world: &World, args: &[&str], code: i32, words: &str) {
    world
        .run_with(
            &[&["migrate"], args].concat(),
            &[("HF_TOKEN", HF_ALICE), IMPATIENT],
        )
        .refused_with(code, words);
}

fn done(ran: &Ran) -> Value {
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    ran.event("report")
}

/// Path and digest of what a hub really holds.
fn holds(world: &World, hub: &str, kind: &str, id: &str) -> BTreeMap<String, String> {
    let repo = world
        .stored(hub, kind, id)
        .unwrap_or_else(|| panic!("there is no {kind} {id} on {hub}"));
    let files = repo["files"].as_array().unwrap().iter();
    files
        .map(|file| {
            (
                file["path"].as_str().unwrap().to_owned(),
                file["sha256"].as_str().unwrap_or("lost").to_owned(),
            )
        })
        .collect()
}

fn copied(
    world: &World,
    kind: &str,
    (from, source): (&str, &str),
    (to, destination): (&str, &str),
) {
    let there = holds(world, to, kind, destination);
    let here = holds(world, from, kind, source);
    let missing: Vec<_> = here
        .iter()
        .filter(|(path, sha256)| there.get(*path) != Some(sha256))
        .collect();
    assert!(
        !here.is_empty() && missing.is_empty(),
        "{missing:?} not in {there:?}"
    );
}

fn ms_to_hf(world: &World) {
    copied(world, "model", ("ms", "alice/model"), ("hf", "alice/model"));
}

fn kept_below(folder: &std::path::Path) -> String {
    let entries = std::fs::read_dir(folder)
        .unwrap()
        .flatten()
        .map(|entry| entry.path());
    entries
        .map(|path| {
            if path.is_dir() {
                kept_below(&path)
            } else {
                String::from_utf8_lossy(&std::fs::read(&path).unwrap()).into_owned()
            }
        })
        .collect()
}
