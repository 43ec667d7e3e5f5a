//! Repos that are read by Git: because it was asked for, because the API is locked, or because many small files come sooner in one pack.

mod reads;
mod refusals;

use crate::common::faults::IMPATIENT;
use crate::common::processes::{signal, until};
use crate::common::{Ran, World};
use serde_json::{Value, json};

const MIGRATE: [&str; 3] = ["migrate", "alice/model", "--json"];
const BY_GIT: [&str; 4] = ["migrate", "alice/model", "--json", "--use-git"];

/// One more commit on the source.
fn seed(world: &World, files: &Value) -> String {
    let body =
        json!({"hub": "hf", "kind": "model", "id": "alice/model", "message": "m", "files": files});
    world.seed(&body.to_string())["commit"]
        .as_str()
        .unwrap()
        .to_owned()
}

fn many(world: &World, count: u64) {
    let generate = json!({"count": count, "folders": 10, "size": 500, "suffix": ".txt"});
    world.seed(
        &json!({"hub": "hf", "kind": "model", "id": "alice/model", "generate": generate})
            .to_string(),
    );
}

fn lock(world: &World, why: &str) {
    let lock = json!({"hub": "hf", "kind": "model", "id": "alice/model", "storage_locked": why});
    world.admin("POST", "/repo", &lock.to_string()).unwrap();
}

fn run(world: &World, args: &[&str]) -> Ran {
    world.run_with(args, &[IMPATIENT])
}

fn is_done(world: &World, ran: &Ran) -> Value {
    let report = ran.event("report");
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    assert!(
        world.is_copied("model", "alice/model", "alice/model"),
        "{}",
        ran.stdout
    );
    report
}

fn nothing_is_left(world: &World) {
    let left: Vec<_> = std::fs::read_dir(world.path("tmp")).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
}
