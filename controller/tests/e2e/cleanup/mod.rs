//! `hf2ms cleanup`: a source goes only while its copy is whole, and whatever is in doubt keeps it.

mod beneath;
mod doubts;
mod ends;
mod gone;
mod history;
mod kept;
mod readers;
mod refusals;
mod sites;

use serde_json::{Value, json};

use crate::common::{Ran, World};

/// Of the account at Hugging Face.
const TOKEN: (&str, &str) = ("HF_TOKEN", "hf_sandboxAliceWrite");
/// Deletes `alice/model`, whose history may go.
const DELETE: [&str; 7] = [
    "cleanup",
    "alice/model",
    "--delete",
    "--history-may-go",
    "--yes-delete",
    "1",
    "--json",
];

/// A world whose `alice/model` has a whole copy.
fn copied() -> World {
    let world = World::with_model();
    migrated(&world, "alice/model");
    world
}

fn migrated(world: &World, id: &str) {
    let ran = world.run(&["migrate", id, "--all-revisions"]);
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
}

fn run(world: &World, args: &[&str]) -> Ran {
    world.run_with(args, &[TOKEN, crate::common::faults::IMPATIENT])
}

fn is_there(world: &World, id: &str) -> bool {
    world.stored("hf", "model", id).is_some()
}

/// It ended with this code, and `alice/model` is there with this state and a reason that has these words.
fn stays(world: &World, ran: &Ran, code: i32, state: &str, words: &str) {
    let row = row(ran);
    let reason = row["reason"].as_str().unwrap_or_default();
    assert!(is_there(world, "alice/model"), "{}", ran.stdout);
    assert_eq!(
        (ran.code, row["state"].as_str()),
        (code, Some(state)),
        "{}{}",
        ran.stdout,
        ran.stderr
    );
    assert!(reason.contains(words), "{words:?} in {reason:?}");
}

/// The last row of the only repo.
fn row(ran: &Ran) -> Value {
    ran.event("cleanup_repo")
}

/// The states of all repos, in the order in which they were said.
fn states(ran: &Ran) -> Vec<[String; 2]> {
    let events = ran.events().into_iter();
    let rows = events.filter(|event| event["event"] == "cleanup_repo");
    let text = |row: &Value, key: &str| row[key].as_str().unwrap_or("-").to_owned();
    rows.map(|row| ["name", "state"].map(|key| text(&row, key)))
        .collect()
}

/// How often a route is asked before anyone is asked to agree.
fn asked_before_consent(world: &World, route: &str) -> u64 {
    world.admin("POST", "/counters/reset", "").unwrap();
    let ran = run(world, &["cleanup", "alice/model", "--history-may-go"]);
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    world.requests(route)
}

/// What happens at the first request to this route at the last look.
fn at_last_look(world: &World, route: &str, kind: Value) {
    let skip = asked_before_consent(world, route);
    world.strike(route, kind, json!({"skip": skip, "count": 1}));
}
