//! What repos hold that is not as it should be, or more of it than usual: what arrives is right, and what can't arrive is
//! named.

mod contents;
mod digests;
mod paths;
mod sizes;
mod sources;

use std::collections::BTreeMap;
use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::common::{Ran, World};
use serde_json::{Value, json};

const MIGRATE: [&str; 3] = ["migrate", "alice/model", "--json"];

fn fault(world: &World, rule: &Value) {
    world.admin("POST", "/faults", &rule.to_string()).unwrap();
}

/// One more commit on the source.
fn seed(world: &World, kind: &str, files: &Value) -> String {
    let body =
        json!({"hub": "hf", "kind": kind, "id": "alice/model", "message": "m", "files": files});
    world.seed(&body.to_string())["commit"]
        .as_str()
        .unwrap()
        .to_owned()
}

/// A world whose source has these files, and two others beside them: a blob and a small one.
fn with(files: &Value) -> World {
    let world = World::new();
    seed(
        &world,
        "model",
        &json!([{"path": "good.safetensors", "size": 100_000, "seed": 77}, {"path": "good.txt", "text": "good"}]),
    );
    seed(&world, "model", files);
    world
}

fn migrate(world: &World) -> Ran {
    world.run_with(&MIGRATE, &[("HF2MS_RETRY_BASE", "0.01")])
}

/// Path and digest of what a hub really holds.
fn holds(world: &World, hub: &str, kind: &str) -> BTreeMap<String, String> {
    let repo = world
        .stored(hub, kind, "alice/model")
        .unwrap_or_else(|| panic!("there is no {kind} on {hub}"));
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

/// All of the source stands at the destination, byte for byte.
fn is_copied(world: &World, kind: &str) {
    let there = holds(world, "ms", kind);
    let missing: Vec<_> = holds(world, "hf", kind)
        .into_iter()
        .filter(|(path, sha256)| there.get(path) != Some(sha256))
        .collect();
    assert!(missing.is_empty(), "{missing:?} not in {there:?}");
}

/// The run ended with `code`, and exactly these files are named in its report, on the screen and in the file.
fn fails_for(world: &World, ran: &Ran, code: i32, paths: &[&str]) -> Value {
    let report = ran.event("report");
    assert_eq!(
        (ran.code, report["exit"].as_i64()),
        (code, Some(code.into())),
        "{}{}",
        ran.stdout,
        ran.stderr
    );
    let named = |report: &Value| {
        let entries = report["failed"]
            .as_array()
            .unwrap()
            .iter()
            .chain(report["refused"].as_array().unwrap());
        let mut named: Vec<_> = entries
            .map(|entry| entry["path"].as_str().unwrap().to_owned())
            .collect();
        named.sort();
        named
    };
    let mut paths: Vec<_> = paths.iter().map(|path| (*path).to_owned()).collect();
    paths.sort();
    let file = world
        .path("state")
        .join("runs")
        .join(report["run"].as_str().unwrap())
        .join("report.json");
    let written: Value = serde_json::from_slice(
        &std::fs::read(&file).unwrap_or_else(|_| panic!("{}", file.display())),
    )
    .unwrap();
    assert_eq!((named(&report), named(&written)), (paths.clone(), paths));
    report
}

/// The good files arrived; of these paths nothing did, not even a pointer.
fn others_arrived(world: &World, without: &[&str]) {
    let (here, there) = (holds(world, "hf", "model"), holds(world, "ms", "model"));
    for good in ["good.safetensors", "good.txt"] {
        assert_eq!(there.get(good), here.get(good), "{there:?}");
    }
    assert!(
        !without.iter().any(|path| there.contains_key(*path)),
        "{there:?}"
    );
}

fn digest(world: &World, path: &str) -> String {
    let repo = world.stored("hf", "model", "alice/model").unwrap();
    let file = repo["files"]
        .as_array()
        .unwrap()
        .iter()
        .find(|file| file["path"] == path)
        .unwrap();
    file["listed"]["sha256"].as_str().unwrap().to_owned()
}
