//! `hf2ms migrate --all-revisions` from end to end: every branch and tag, each blob once, and what one costs the others.

mod by_git;
mod copies;
mod faults;
mod names;
mod refusals;

use std::collections::BTreeMap;

use crate::common::history::{self, blob};
use crate::common::processes::until;
use crate::common::{Ran, World};
use serde_json::{Value, json};

const HF_ALICE: (&str, &str) = ("HF_TOKEN", "hf_sandboxAliceWrite");
const IMPATIENT: (&str, &str) = ("HF2MS_RETRY_BASE", "0.01");
const ALL: [&str; 4] = ["migrate", "alice/model", "--all-revisions", "--json"];

const ID: &str = "alice/model";

fn seed(world: &World, hub: &str, branch: &str, files: &Value, more: &Value) -> String {
    history::seed(world, hub, ID, branch, files, more)
}

fn with_history(hub: &str, main: &str) -> World {
    let world = World::new();
    history::give_history(&world, hub, ID, main, 1);
    world
}

fn holds(world: &World, hub: &str, revision: &str) -> BTreeMap<String, String> {
    history::holds(world, hub, ID, revision)
}

fn is_copied(world: &World, from: (&str, &str), to: (&str, &str)) {
    history::is_copied(world, ID, from, to);
}

fn refs(world: &World, hub: &str) -> (Vec<String>, Vec<String>) {
    history::refs(world, hub, ID)
}

fn run(world: &World, args: &[&str]) -> Ran {
    world.run_with(args, &[HF_ALICE, IMPATIENT])
}

/// `kind name state` of each row, in their order.
fn rows(ran: &Ran) -> Vec<String> {
    let rows = ran.event("revisions")["revisions"].clone();
    let text = |row: &Value, key: &str| row[key].as_str().unwrap().to_owned();
    rows.as_array()
        .unwrap()
        .iter()
        .map(|row| {
            format!(
                "{} {} {}",
                text(row, "kind"),
                text(row, "source"),
                text(row, "state")
            )
        })
        .collect()
}

fn reason(ran: &Ran, name: &str) -> String {
    let rows = ran.event("revisions")["revisions"].clone();
    let row = rows
        .as_array()
        .unwrap()
        .iter()
        .find(|row| row["source"] == name)
        .unwrap_or_else(|| panic!("no {name} in {rows}"))
        .clone();
    row["reason"].as_str().unwrap_or_default().to_owned()
}

fn done(ran: &Ran) {
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
}
