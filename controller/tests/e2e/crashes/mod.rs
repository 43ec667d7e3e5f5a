//! Death anywhere, by any hand: nothing is left running, nothing half is visible, and the same command finishes without
//! sending again what had arrived.

mod controllers;
mod files;
mod signals;
mod workers;

use std::fs;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::common::processes::{Running, signal, until};
use crate::common::{Ran, World};
use serde_json::{Value, json};

const MIGRATE: &[&str] = &["migrate", "alice/model", "--json"];

fn done(world: &World, ran: &Ran) {
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    assert!(world.is_copied("model", "alice/model", "alice/model"));
}

/// The same command finishes, and each of the two blobs has been stored by one upload in all.
fn finishes(world: &World) -> Ran {
    world.admin("DELETE", "/faults", "");
    let ran = world.run(MIGRATE);
    done(world, &ran);
    assert_eq!(
        (distinct(world), world.uploads().len()),
        (2, 2),
        "{:?}",
        world.uploads()
    );
    ran
}

fn distinct(world: &World) -> usize {
    world
        .uploads()
        .iter()
        .collect::<std::collections::HashSet<_>>()
        .len()
}

/// A fault at the first request on this route for the blob of `b.safetensors`.
fn hold_b(world: &World, route: &str, kind: &Value) -> u64 {
    world.fault(
        &json!({"route": route, "kind": kind, "count": 1, "path": world.sha256("b.safetensors")})
            .to_string(),
    )
}

/// A migration that stands still in the middle of sending the second blob, the first being stored.
fn in_mid_upload(world: &World) -> Running {
    let held = hold_b(
        world,
        "ms_storage.put",
        &json!({"do": "stall", "after": 500_000}),
    );
    let running = world.start(&mut world.command(MIGRATE));
    world.until_struck(held);
    until("the first blob", || world.uploads().len() == 1);
    running
}

/// A migration whose worker waits for an answer on this route.
fn held_at(world: &World, route: &str) -> Running {
    let held = world.fault(
        &json!({"route": route, "kind": {"do": "delay", "ms": 60_000}, "count": 1}).to_string(),
    );
    let running = world.start(&mut world.command(MIGRATE));
    world.until_struck(held);
    running
}

fn kill_the_worker(world: &World) {
    let workers = world.workers();
    assert_eq!(workers.len(), 1, "{workers:?}");
    signal("-KILL", workers[0]);
}

fn nothing_is_left(world: &World) {
    until("the end of all workers", || world.workers().is_empty());
}

fn with_worker(world: &World, script: &str) -> Command {
    let mut command = world.command(MIGRATE);
    command.env("HF2MS_WORKER", world.scripted_worker(script));
    command
}

fn run(world: &World, command: &mut Command) -> Ran {
    world.start(command).wait()
}

fn lost(ran: &Ran) -> u64 {
    ran.event("report")["lost_workers"].as_u64().unwrap()
}

/// Kills the controller from inside its worker, when that is to do this.
fn controller_killed_at(world: &World, script: &str) {
    let ran = run(world, &mut with_worker(world, script));
    assert_eq!(
        ran.code, -1,
        "killed, not ended: {}{}",
        ran.stdout, ran.stderr
    );
    nothing_is_left(world);
    assert_eq!(
        world.run(&["runs", "--json"]).events()[0]["state"],
        "killed"
    );
}
