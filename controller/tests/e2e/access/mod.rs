//! Who may see and do what: signed addresses that are over, tokens that are revoked, namespaces of others, and tokens
//! that must show themselves nowhere.

mod addresses;
mod endpoints;
mod env_file;
mod fine_grained;
mod login;
mod permissions;
mod revoked;
mod tokens;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::common::{ALICE, BOB, Ran, World};
use serde_json::{Value, json};

/// ModelScope's storage is an origin of its own, at signed addresses.
const SIGNED_UPLOADS: &str = r#"{"ms_uploads_at_hub":false}"#;
const READER: &str = "hf_sandboxAliceRead";
const TOKEN: (&str, &str) = ("HF_TOKEN", READER);
/// Nothing waits long in a test.
const QUICK: (&str, &str) = ("HF2MS_RETRY_BASE", "0.01");
const MIGRATE: [&str; 5] = ["migrate", "alice/model", "--json", "--containers", "1"];

fn fault(world: &World, rule: &Value) {
    world.admin("POST", "/faults", &rule.to_string()).unwrap();
}

fn seed(world: &World, hub: &str, kind: &str, id: &str, files: &Value) {
    world.seed(
        &json!({"hub": hub, "kind": kind, "id": id, "message": "m", "files": files}).to_string(),
    );
}

/// A world whose Hugging Face has one file, a blob of 2,000,000 bytes.
fn with_blob() -> World {
    let world = World::new();
    seed(
        &world,
        "hf",
        "model",
        "alice/model",
        &json!([{"path": "a.safetensors", "size": 2_000_000, "seed": 1}]),
    );
    world
}

/// Verified by the listing, so that nothing is read but what moves.
fn migrate(world: &World) -> Ran {
    let by_listing = [&MIGRATE[..], &["--verify", "listing"]].concat();
    world.run_with(&by_listing, &[TOKEN, QUICK])
}

fn is_done(world: &World, ran: &Ran) {
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    assert!(world.is_copied("model", "alice/model", "alice/model"));
}

/// Every request so far, with what it carried.
fn requests(world: &World) -> Vec<Value> {
    world
        .admin("GET", "/requests", "")
        .unwrap()
        .as_array()
        .unwrap()
        .clone()
}

fn at<'a>(requests: &'a [Value], origin: &str) -> Vec<&'a Value> {
    requests
        .iter()
        .filter(|request| request["origin"] == origin)
        .collect()
}

/// How often a route answered with this status.
fn answers(world: &World, route: &str, status: u16) -> u64 {
    world.admin("GET", "/counters", "").unwrap()[route]["statuses"][status.to_string()]
        .as_u64()
        .unwrap_or(0)
}

/// Each hub saw its own token, and nobody saw another's.
fn tokens_stayed_home(world: &World) {
    let all = requests(world);
    for (token, home) in [(READER, "hf"), (ALICE, "ms")] {
        assert!(
            at(&all, home)
                .iter()
                .any(|request| request.to_string().contains(token)),
            "{home} was asked without its token"
        );
        let strays: Vec<_> = all
            .iter()
            .filter(|request| request["origin"] != home && request.to_string().contains(token))
            .collect();
        assert!(strays.is_empty(), "{strays:?}");
    }
}
