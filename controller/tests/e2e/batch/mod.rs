//! `hf2ms batch` from end to end: what it is about, what each repo costs the others, and how it goes on.

mod control;
mod ends;
mod lists;
mod prune;
mod results;
mod revisions_of;

use std::fs;

use crate::common::processes::until;
use crate::common::{Ran, World};
use serde_json::{Value, json};

/// A world with a model each of these names and sizes: a blob and a README.md.
fn world(models: &[(&str, u64)]) -> World {
    let world = World::new();
    for (name, size) in models {
        seed(&world, "hf", "model", name, *size);
    }
    world
}

fn seed(world: &World, hub: &str, kind: &str, id: &str, size: u64) {
    // Its size is the blob's seed, too: no two sizes share a blob.
    let files = json!([{"path": "README.md", "text": format!("# {id}\n")}, {"path": "a.bin", "size": size, "seed": size}]);
    world.seed(
        &json!({"hub": hub, "kind": kind, "id": id, "message": "m", "files": files}).to_string(),
    );
}

fn copied(world: &World, ids: &[&str]) {
    ids.iter()
        .for_each(|id| assert!(world.is_copied("model", id, id), "{id}"));
}

/// `(source, destination, state)` of each row.
fn rows(ran: &Ran) -> Vec<[String; 3]> {
    let text = |row: &Value, key: &str| row[key].as_str().unwrap().to_owned();
    let repos = ran.event("batch")["repos"].clone();
    repos
        .as_array()
        .unwrap()
        .iter()
        .map(|row| {
            [
                text(row, "source"),
                text(row, "destination"),
                text(row, "state"),
            ]
        })
        .collect()
}

fn states(ran: &Ran) -> Vec<String> {
    rows(ran).into_iter().map(|[.., state]| state).collect()
}

fn reason(ran: &Ran, row: usize) -> String {
    ran.event("batch")["repos"][row]["reason"]
        .as_str()
        .unwrap_or_default()
        .to_owned()
}

fn list(world: &World, text: &str) -> String {
    let path = world.path("repos.txt");
    fs::write(&path, text).unwrap();
    path.display().to_string()
}

/// The state of each run, by its destination.
fn runs(world: &World) -> Vec<(String, String)> {
    let runs = world.run(&["runs", "--json"]).events();
    let runs = runs.iter().map(|run| {
        (
            run["destination"]["id"].as_str().unwrap().to_owned(),
            run["state"].as_str().unwrap().to_owned(),
        )
    });
    let mut runs: Vec<_> = runs.collect();
    runs.sort();
    runs
}

/// Holds the first request of this route about this repo, far longer than a test takes.
fn hold(world: &World, route: &str, path: &str, kind: &Value) -> u64 {
    world.fault(&json!({"route": route, "kind": kind, "count": 1, "path": path}).to_string())
}
