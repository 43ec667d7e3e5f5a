//! By Xet: both directions, what is served no other way, and what goes wrong on the way.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;
#[path = "common/faults.rs"]
mod faults;

use std::path::{Path, PathBuf};
use std::process::Command;

use common::{Ran, World};
use faults::{IMPATIENT, STALL};
use serde_json::{Value, json};

const HF_ALICE: (&str, &str) = ("HF_TOKEN", "hf_sandboxAliceWrite");
const SIZE: u64 = 20_000_000;

/// A world whose Hugging Face keeps its blobs in Xet's storage, `alice/model` among them.
fn world() -> Option<World> {
    with_xet(World::with_blob(SIZE))
}

/// The world with Xet; nothing, and the test is counted as skipped, where the sandbox was built without.
fn with_xet(world: World) -> Option<World> {
    if world
        .admin("POST", "/settings", r#"{"hf_xet":true}"#)
        .is_some()
    {
        return Some(world);
    }
    let test = std::thread::current().name().unwrap_or("a test").to_owned();
    common::docker::skipped(&format!(
        "skipped: {test}: the sandbox was built without --features xet"
    ));
    None
}

/// A world whose ModelScope has `alice/model`, and whose Hugging Face takes blobs by Xet.
fn world_the_other_way() -> Option<World> {
    let world = World::new();
    let files = json!([{"path": "w.safetensors", "size": SIZE, "seed": 7}, {"path": "README.md", "text": "# W\n"}]);
    world.seed(
        &json!({"hub": "ms", "kind": "model", "id": "alice/model", "files": files}).to_string(),
    );
    with_xet(world)
}

fn copy(world: &World, args: &[&str]) -> Ran {
    world.run_with(
        &[&["migrate", "--json"], args].concat(),
        &[HF_ALICE, IMPATIENT, STALL],
    )
}

fn by_xet(world: &World) -> Ran {
    copy(world, &["alice/model", "--transport", "xet"])
}

fn back_by_xet(world: &World) -> Ran {
    copy(world, &["ms:alice/model", "--transport", "xet"])
}

/// Whether Hugging Face has `alice/model` as ModelScope has it.
fn is_whole_there(world: &World) -> bool {
    let files = |hub: &str| {
        world.stored(hub, "model", "alice/model").unwrap()["files"]
            .as_array()
            .unwrap()
            .clone()
    };
    let digest = |files: &[Value]| {
        files
            .iter()
            .find(|file| file["path"] == "w.safetensors")
            .unwrap()["sha256"]
            .clone()
    };
    digest(&files("hf")) == digest(&files("ms"))
}

fn retries(ran: &Ran) -> Vec<String> {
    let retries = ran
        .events()
        .into_iter()
        .filter(|event| event["event"] == "retry");
    retries
        .map(|event| event["error"].as_str().unwrap().to_owned())
        .collect()
}

/// By what name Xet's storage knows the blob of `alice/model`, as Hugging Face lists it.
fn xet_hash(world: &World) -> String {
    let tree = common::ask(
        world.address("hf"),
        "GET",
        "/api/models/alice/model/tree/main",
        "",
    )
    .unwrap();
    let blob = tree
        .as_array()
        .unwrap()
        .iter()
        .find(|entry| entry["path"] == "w.safetensors")
        .unwrap()
        .clone();
    blob["xetHash"].as_str().unwrap().to_owned()
}

#[test]
fn a_model_comes_from_hugging_face_by_xet_where_that_is_asked_for() {
    let Some(world) = world() else { return };
    by_xet(&world).done();
    assert!(world.is_whole());
    assert_eq!(
        (
            world.requests("hf_storage.get"),
            world.requests("hf.xet_read_token"),
            world.requests("hf.paths_info")
        ),
        (0, 1, 1)
    );
    assert!(world.requests("hf_cas.term") > 0);
}

#[test]
fn a_model_goes_to_hugging_face_by_xet_where_that_is_asked_for() {
    let Some(world) = world_the_other_way() else {
        return;
    };
    back_by_xet(&world).done();
    assert!(is_whole_there(&world));
    assert_eq!(
        (
            world.requests("hf_storage.put"),
            world.requests("hf_cas.shard"),
            world.requests("hf.xet_write_token")
        ),
        (0, 1, 1)
    );
    assert_eq!(world.requests("hf_cas.xorb"), 5, "4 MiB each");
}

#[test]
fn what_is_sent_by_xet_has_the_name_that_the_official_client_gives_it() {
    let Some(theirs) = world().as_ref().map(xet_hash) else {
        return;
    };
    let Some(world) = world_the_other_way() else {
        return;
    };
    back_by_xet(&world).done();
    assert_eq!(xet_hash(&world), theirs, "cut and hashed alike");
}

#[test]
fn plain_http_is_the_way_as_long_as_nobody_asks_for_another() {
    let Some(there) = world() else { return };
    copy(&there, &["alice/model"]).done();
    let Some(back) = world_the_other_way() else {
        return;
    };
    copy(&back, &["ms:alice/model"]).done();
    let asked =
        |world: &World| world.requests("hf.xet_read_token") + world.requests("hf.xet_write_token");
    assert_eq!((asked(&there), asked(&back)), (0, 0));
}

#[test]
fn a_file_above_the_bridges_limit_moves_by_xet_unasked() {
    let Some(world) = world() else { return };
    world.set(json!({"hf_bridge_limit": 1_000_000}));
    copy(&world, &["alice/model"]).done();
    assert!(world.is_whole() && world.requests("hf_cas.term") > 0);
}

#[test]
fn a_file_above_the_bridges_limit_is_left_out_and_named_where_xet_is_forbidden() {
    let Some(world) = world() else { return };
    world.set(json!({"hf_bridge_limit": 1_000_000}));
    let ran = copy(&world, &["alice/model", "--transport", "http"]);
    ran.failed(
        1,
        &["w.safetensors"],
        "the file is served by Xet only, and plain HTTP was asked for",
    );
    assert_eq!(
        (world.arrived(), world.requests("hf_cas.term")),
        (vec!["README.md".to_owned()], 0)
    );
}

#[test]
fn a_file_that_is_not_in_xets_storage_comes_by_http() {
    let world = World::with_blob(SIZE);
    by_xet(&world).done();
    assert!(world.is_whole() && world.requests("hf_storage.get") > 0);
}

#[test]
fn a_stall_falls_back_to_http_once_and_says_so() {
    let Some(world) = world() else { return };
    world.once("hf_cas.term", json!({"do": "stall", "after": 5_000}));
    let ran = by_xet(&world);
    ran.done();
    let retries = retries(&ran);
    assert!(world.is_whole() && retries.len() == 1, "{retries:?}");
    assert!(
        retries[0].contains("Xet stalled, going on without it: nothing moved for 2 s"),
        "{retries:?}"
    );
    assert!(world.requests("hf_storage.get") > 0);
}

#[test]
fn an_upload_that_stalls_is_sent_again_by_http() {
    let Some(world) = world_the_other_way() else {
        return;
    };
    world.once("hf_cas.xorb", json!({"do": "stall", "after": 100_000}));
    let ran = back_by_xet(&world);
    ran.done();
    assert!(
        is_whole_there(&world) && retries(&ran)[0].contains("Xet stalled, going on without it"),
        "{:?}",
        retries(&ran)
    );
    assert_eq!(
        (
            world.requests("hf_cas.shard"),
            world.requests("hf_storage.put")
        ),
        (0, 1)
    );
}

#[test]
fn where_there_is_no_other_way_a_stall_is_tried_again_the_same_way() {
    let Some(world) = world() else { return };
    world.set(json!({"hf_bridge_limit": 1_000_000}));
    world.once("hf_cas.term", json!({"do": "stall", "after": 5_000}));
    let ran = copy(&world, &["alice/model"]);
    ran.done();
    assert!(
        world.is_whole() && retries(&ran) == ["nothing moved for 2 s"],
        "{:?}",
        retries(&ran)
    );
}

#[test]
fn an_expired_token_is_refreshed() {
    let Some(there) = world() else { return };
    there.once("hf.xet_read_token", json!({"do": "expired"}));
    by_xet(&there).done();
    assert!(there.is_whole() && there.requests("hf.xet_read_token") == 2);
    let Some(back) = world_the_other_way() else {
        return;
    };
    back.once("hf.xet_write_token", json!({"do": "expired"}));
    back_by_xet(&back).done();
    assert!(is_whole_there(&back) && back.requests("hf.xet_write_token") == 2);
}

#[test]
fn a_token_that_is_refused_in_the_middle_of_an_upload_is_renewed_and_nothing_is_sent_twice() {
    let Some(world) = world_the_other_way() else {
        return;
    };
    world.strike(
        "hf_cas.xorb",
        json!({"do": "status", "status": 401}),
        json!({"skip": 1, "count": 1}),
    );
    back_by_xet(&world).done();
    assert!(is_whole_there(&world));
    assert_eq!(
        (
            world.requests("hf.xet_write_token"),
            world.requests("hf_cas.xorb")
        ),
        (2, 6),
        "one of five again"
    );
}

#[test]
fn a_token_that_is_always_refused_ends_the_file_without_a_storm() {
    let Some(world) = world() else { return };
    world.always(
        "hf_cas.reconstruction",
        json!({"do": "status", "status": 401}),
    );
    by_xet(&world).failed(1, &["w.safetensors"], "401");
    assert!(
        world.requests("hf_cas.reconstruction") < 30,
        "{}",
        world.requests("hf_cas.reconstruction")
    );
}

#[test]
fn what_breaks_on_the_way_goes_on_where_it_was() {
    let Some(world) = world() else { return };
    world.once("hf_cas.term", json!({"do": "reset", "after": 20_000}));
    world.once("hf_cas.term", json!({"do": "truncate", "after": 5_000}));
    world.once(
        "hf_cas.reconstruction",
        json!({"do": "status", "status": 503}),
    );
    by_xet(&world).done();
    assert!(world.is_whole() && world.all_struck());
    let Some(back) = world_the_other_way() else {
        return;
    };
    back.once("hf_cas.xorb", json!({"do": "status", "status": 503}));
    back.once("hf_cas.shard", json!({"do": "lose_answer"}));
    back_by_xet(&back).done();
    assert!(is_whole_there(&back) && back.all_struck());
}

#[test]
fn an_address_in_storage_that_expired_is_asked_for_again() {
    let Some(world) = world() else { return };
    world.strike(
        "hf_cas.term",
        json!({"do": "status", "status": 403, "body": "Request has expired"}),
        json!({"count": 2}),
    );
    by_xet(&world).done();
    assert!(world.is_whole() && world.all_struck());
}

#[test]
fn wrong_bytes_out_of_xorbs_are_never_committed() {
    let Some(world) = world() else { return };
    world.always("hf_cas.term", json!({"do": "corrupt", "at": 5000}));
    let ran = by_xet(&world);
    ran.failed(4, &["w.safetensors"], "");
    assert_eq!(
        (world.arrived(), world.wrong()),
        (vec!["README.md".to_owned()], vec![])
    );
    world.finishes();
}

#[test]
fn wrong_bytes_never_become_a_file_in_xets_storage() {
    let Some(world) = world_the_other_way() else {
        return;
    };
    world.always("ms_storage.get", json!({"do": "corrupt", "at": 5000}));
    back_by_xet(&world).failed(4, &["w.safetensors"], "");
    assert_eq!(
        world.requests("hf_cas.shard"),
        0,
        "xorbs without a file are nothing"
    );
    world.clear_faults();
    back_by_xet(&world).done();
    assert!(is_whole_there(&world));
}

#[test]
fn bytes_that_change_on_their_way_into_a_xorb_are_never_called_done_and_come_whole_the_next_time() {
    let Some(world) = world_the_other_way() else {
        return;
    };
    world.once("hf_cas.xorb", json!({"do": "corrupt", "at": 5000}));
    let ran = back_by_xet(&world);
    assert!(ran.code != 0 || is_whole_there(&world), "{}", ran.stdout);
    world.clear_faults();
    back_by_xet(&world).done();
    assert!(is_whole_there(&world));
}

/// Every text that a run leaves: what it printed, and its files.
fn left_behind(world: &World, ran: &Ran) -> String {
    fn texts(folder: &std::path::Path, all: &mut String) {
        for entry in std::fs::read_dir(folder).unwrap().flatten() {
            match entry.path() {
                path if path.is_dir() => texts(&path, all),
                path => all.push_str(&String::from_utf8_lossy(&std::fs::read(path).unwrap())),
            }
        }
    }
    let mut all = ran.stdout.clone() + &ran.stderr;
    texts(&world.path("state"), &mut all);
    all
}

#[test]
fn no_token_is_left_anywhere_or_sent_to_the_wrong_place() {
    let Some(world) = world() else { return };
    world.strike(
        "hf_cas.reconstruction",
        json!({"do": "status", "status": 401}),
        json!({"skip": 1, "count": 1}),
    );
    let ran = by_xet(&world);
    ran.done();
    let tokens: Vec<String> = world
        .asked("hf_cas", "GET")
        .iter()
        .filter_map(authorization)
        .collect();
    assert!(
        tokens.iter().any(|token| token.starts_with("Bearer xet_")),
        "{tokens:?}"
    );
    assert!(
        tokens.iter().all(|token| !token.contains("hf_sandbox")),
        "the hub's own token stays with the hub"
    );
    let terms = world
        .asked("hf_cas", "GET")
        .into_iter()
        .filter(|request| request["path"].as_str().unwrap().contains("fetch_term"));
    assert_eq!(
        terms.filter_map(|request| authorization(&request)).count(),
        0,
        "an address that permits by itself is sent none"
    );
    let elsewhere = ["hf", "hf_storage", "ms", "ms_storage"]
        .map(|origin| [world.asked(origin, "GET"), world.asked(origin, "POST")].concat());
    assert!(
        !json!(elsewhere).to_string().contains("xet_ey")
            && !json!(elsewhere).to_string().contains("Bearer xet_")
    );
    let left = left_behind(&world, &ran);
    assert!(
        tokens
            .iter()
            .all(|token| !left.contains(token.trim_start_matches("Bearer ")))
    );
}

fn authorization(request: &Value) -> Option<String> {
    request["headers"]["authorization"]
        .as_str()
        .map(str::to_owned)
}

#[test]
fn an_unknown_way_is_refused_with_those_that_there_are() {
    let ran = World::new().run(&["migrate", "alice/model", "--transport", "pigeon"]);
    assert!(
        ran.code == 2 && ran.stderr.contains("expected auto, http or xet"),
        "{}",
        ran.stderr
    );
}

/// A file outside LFS, too large for one stream's memory, that its copy on Hugging Face keeps in LFS: how often it was read.
fn read_for_a_copy(world: &World) -> usize {
    let files = json!([{"path": "big.bin", "size": 30_000_000, "seed": 3, "lfs": false}]);
    world.seed(
        &json!({"hub": "hf", "kind": "model", "id": "alice/git", "files": files}).to_string(),
    );
    copy(
        world,
        &["hf:alice/git", "--to", "hf", "--dest", "alice/copy"],
    )
    .done();
    let digest = |id: &str| {
        world.stored("hf", "model", id).unwrap()["files"]
            .as_array()
            .unwrap()
            .iter()
            .find(|file| file["path"] == "big.bin")
            .unwrap()["sha256"]
            .clone()
    };
    assert_eq!(digest("alice/git"), digest("alice/copy"));
    let asked = world
        .asked("hf", "GET")
        .into_iter()
        .filter(|request| request["path"].as_str().unwrap().ends_with("/big.bin"));
    asked
        .filter(|request| {
            request["headers"]["range"]
                .as_str()
                .is_none_or(|range| range.starts_with("bytes=0-"))
        })
        .count()
}

#[test]
fn a_file_whose_sha256_nobody_knows_is_read_once_where_xet_learns_it_and_twice_elsewhere() {
    let Some(world) = world() else { return };
    assert_eq!(
        (read_for_a_copy(&world), world.requests("hf_cas.shard")),
        (1, 1)
    );
    let without = World::new();
    assert_eq!(
        (
            read_for_a_copy(&without),
            without.requests("hf_storage.put"),
            without.requests("hf.xet_write_token")
        ),
        (2, 1, 1)
    );
}

#[test]
fn a_storage_that_asks_to_wait_is_waited_for() {
    let Some(world) = world() else { return };
    let wait = |route: &str| {
        world.once(
            route,
            json!({"do": "status", "status": 429, "headers": {"Retry-After": "1"}}),
        )
    };
    wait("hf_cas.term");
    wait("hf_cas.reconstruction");
    by_xet(&world).done();
    assert!(world.is_whole() && world.all_struck() && world.requests("hf_storage.get") == 0);
}

/// A worker that does `alice/model` alone, in either direction.
fn alone(world: &World, worker: &Path, args: &[&str]) -> Ran {
    let mut command = Command::new(worker);
    command.arg("migrate").args(args).env_clear().envs([
        HF_ALICE,
        ("MODELSCOPE_TOKEN", common::ALICE),
        IMPATIENT,
        STALL,
    ]);
    command
        .env("HF_ENDPOINT", world.address("hf"))
        .env("MODELSCOPE_ENDPOINT", world.address("ms"));
    Ran::of(command.output().unwrap())
}

#[test]
fn one_worker_alone_takes_the_way_that_is_asked_for() {
    let Some(world) = world() else { return };
    let worker = common::binary("hf2ms-worker");
    world.set(json!({"hf_bridge_limit": 1_000_000}));
    let there = ["hf:alice/model", "ms:alice/model"];
    let ran = alone(
        &world,
        &worker,
        &[&there[..], &["--transport", "http"]].concat(),
    );
    assert!(
        ran.code == 1 && ran.stdout.contains("plain HTTP was asked for"),
        "{}",
        ran.stdout
    );
    world.set(json!({"hf_bridge_limit": null}));
    let asked_plainly = world.requests("hf_storage.get");
    assert_eq!(
        alone(
            &world,
            &worker,
            &[&there[..], &["--transport", "xet"]].concat()
        )
        .code,
        0
    );
    assert!(
        world.is_whole()
            && world.requests("hf_cas.term") > 0
            && world.requests("hf_storage.get") == asked_plainly
    );
}

/// The worker that `scripts/test.sh` builds without Xet; nothing, and the test is counted as skipped, where it was not built.
fn worker_without_xet() -> Option<PathBuf> {
    let made = || {
        PathBuf::from(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../target/without-xet/hf2ms-worker"
        ))
    };
    let path = std::env::var_os("HF2MS_WORKER_WITHOUT_XET").map_or_else(made, PathBuf::from);
    if !path.is_file() {
        let test = std::thread::current().name().unwrap_or("a test").to_owned();
        common::docker::skipped(&format!(
            "skipped: {test}: scripts/test.sh builds {}",
            path.display()
        ));
    }
    path.is_file().then_some(path)
}

#[test]
fn a_worker_without_xet_refuses_that_way_in_one_line_and_copies_what_plain_http_serves() {
    let Some(worker) = worker_without_xet() else {
        return;
    };
    let (world, refusal) = (
        World::with_blob(SIZE),
        "this was built without Xet: use another --transport",
    );
    let mine = [
        HF_ALICE,
        IMPATIENT,
        STALL,
        ("HF2MS_WORKER", worker.to_str().unwrap()),
    ];
    world
        .run_with(&["migrate", "alice/model", "--transport", "xet"], &mine)
        .refused_with(2, refusal);
    let ran = alone(
        &world,
        &worker,
        &["hf:alice/model", "ms:alice/model", "--transport", "xet"],
    );
    assert!(
        ran.code == 2 && ran.stderr.lines().count() == 1 && ran.stderr.contains(refusal),
        "{}",
        ran.stderr
    );
    assert_eq!(world.arrived(), [""; 0]);
    world
        .run_with(&["migrate", "alice/model", "--json"], &mine)
        .done();
    assert!(world.is_whole());
}

#[test]
fn a_worker_without_xet_names_the_file_that_plain_http_does_not_serve_and_copies_the_others() {
    let Some(worker) = worker_without_xet() else {
        return;
    };
    let world = World::with_blob(SIZE);
    world.set(json!({"hf_bridge_limit": 1_000_000}));
    let mine = [
        HF_ALICE,
        IMPATIENT,
        STALL,
        ("HF2MS_WORKER", worker.to_str().unwrap()),
    ];
    let ran = world.run_with(&["migrate", "alice/model", "--json"], &mine);
    ran.failed(1, &["w.safetensors"], "this was built without Xet");
    assert_eq!(world.arrived(), ["README.md"]);
}
