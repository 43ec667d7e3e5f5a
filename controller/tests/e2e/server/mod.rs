//! Servers that misbehave, and what `hf2ms` makes of it: refusals, waits, answers that are none, listings that are
//! not whole.

mod answers;
mod listings;
mod retries;
mod waits;

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::common::World;
use crate::common::faults::{IMPATIENT, MINUTE, STALL};
use serde_json::{Value, json};

const README: &str = "README.md";
const BLOB: &str = "w.safetensors";
/// Statuses that may pass.
const PASSING: [u16; 5] = [408, 500, 502, 503, 504];
/// Statuses that another try does not change.
const FINAL: [u16; 5] = [400, 403, 404, 410, 422];

fn status(status: u16) -> Value {
    json!({"do": "status", "status": status})
}

/// The SHA-256 of a file of `alice/model`, which its storage addresses hold.
fn oid(world: &World, path: &str) -> Value {
    let stored = world.stored("hf", "model", "alice/model").unwrap();
    stored["files"]
        .as_array()
        .unwrap()
        .iter()
        .find(|file| file["path"] == path)
        .unwrap()["sha256"]
        .clone()
}

fn waits(ran: &crate::common::Ran) -> Vec<f64> {
    ran.events()
        .iter()
        .filter(|event| event["event"] == "retry")
        .map(|event| event["wait"].as_f64().unwrap())
        .collect()
}
