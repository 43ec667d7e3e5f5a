//! Servers that misbehave, and what `hf2ms` makes of it: refusals, waits, answers that are none, listings that are
//! not whole.

#![allow(clippy::unwrap_used)]

mod common;
#[path = "common/faults.rs"]
mod faults;

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use common::World;
use faults::{IMPATIENT, MINUTE, STALL};
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

fn waits(ran: &common::Ran) -> Vec<f64> {
    ran.events()
        .iter()
        .filter(|event| event["event"] == "retry")
        .map(|event| event["wait"].as_f64().unwrap())
        .collect()
}

// 13
#[test]
fn a_wait_that_the_server_asks_for_holds_back_the_whole_host() {
    for (name, value) in [("retry-after", "1"), ("ratelimit", "\"resolvers\";r=0;t=0")] {
        let world = World::with_blobs(40, 1000);
        world.strike(
            "hf_storage.get",
            json!({"do": "status", "status": 429, "headers": {name: value}}),
            json!({"skip": 4, "count": 1}),
        );
        let ran = world.migrate();
        assert_eq!(
            (ran.done()["retries"].as_u64(), waits(&ran)),
            (Some(1), vec![1.0])
        );
        let asked = world.asked("hf_storage", "GET");
        let at = |request: &Value| request["at_ms"].as_u64().unwrap();
        let refused = asked
            .iter()
            .find(|request| request["status"] == 429)
            .unwrap();
        let again = asked
            .iter()
            .rfind(|request| request["path"] == refused["path"])
            .unwrap();
        let meanwhile = asked
            .iter()
            .filter(|request| (at(refused)..at(refused) + 1000).contains(&at(request)))
            .count();
        // What was under way with it could not know.
        assert!(
            at(again) >= at(refused) + 1000 && meanwhile < 20,
            "{meanwhile} of {} requests during the wait",
            asked.len()
        );
        assert!(asked.len() == 41 && world.is_whole());
    }
}

#[test]
fn a_quota_is_kept_once_it_is_known() {
    let world = World::new();
    let files: Vec<_> = (0..12)
        .map(|n| json!({"path": format!("{n}.txt"), "text": n.to_string()}))
        .collect();
    world.seed_model(&json!(files));
    world.set(json!({"hf_resolve_quota": 8, "quota_window_s": 1}));
    world.migrate().done();
    let requests = world.requests("hf.resolve");
    assert!(
        (13..=24).contains(&requests) && world.is_whole(),
        "{requests} requests for 12 files"
    );
}

// 14
#[test]
fn a_bare_429_is_answered_with_growing_pauses_of_random_length() {
    let world = World::with_blob(1000);
    world.strike("hf_storage.get", status(429), json!({"count": 5}));
    let ran = world.migrate();
    assert_eq!(ran.done()["retries"], 5);
    let waits = waits(&ran);
    assert!(
        waits
            .iter()
            .zip(0..)
            .all(|(wait, n)| *wait <= 0.01 * f64::from(1 << n)),
        "{waits:?}"
    );
    assert!(
        waits.windows(2).any(|pair| pair[0] * 2.0 != pair[1])
            && waits.windows(2).any(|pair| pair[0] != pair[1]),
        "{waits:?}"
    );
    assert!(world.requests("hf_storage.get") == 6 && world.is_whole());
}

#[test]
fn a_bare_429_is_waited_out_wherever_it_comes_from() {
    let world = World::with_blob(1000);
    let routes = [
        "hf.info",
        "hf.tree",
        "hf.lfs_batch",
        "hf.resolve",
        "ms.me",
        "ms.files",
        "ms.batch",
        "ms_storage.put",
        "ms.commit",
    ];
    routes
        .iter()
        .for_each(|route| world.once(route, status(429)));
    world.migrate().done();
    assert!(world.all_struck() && world.is_whole());
    assert_eq!(
        world.stored("ms", "model", "alice/model").unwrap()["commits"]
            .as_array()
            .unwrap()
            .len(),
        2,
        "and the platform's first"
    );
}

// 15
#[test]
fn a_wait_beyond_the_budget_parks_that_item_says_so_and_the_others_go_on() {
    let world = World::with_model();
    let long = json!({"do": "status", "status": 429, "headers": {"Retry-After": "3600"}});
    world.strike(
        "hf_storage.get",
        long.clone(),
        json!({"path": oid(&world, "b.safetensors")}),
    );
    let report = world
        .migrate_with(&[MINUTE])
        .failed(1, &["b.safetensors"], "asks to wait 3600 s");
    assert_eq!(
        (
            report["failed"][0]["kind"].as_str(),
            report["retries"].as_u64()
        ),
        (Some("rate_limited"), Some(0))
    );
    assert!(world.arrived().len() == 5 && world.wrong().is_empty());
    world.finishes();
}

#[test]
fn a_wait_beyond_the_budget_for_a_listing_ends_the_run_at_once() {
    for route in ["hf.tree", "ms.me"] {
        let world = World::with_blob(1000);
        world.always(
            route,
            json!({"do": "status", "status": 429, "headers": {"Retry-After": "3600"}}),
        );
        world
            .migrate_with(&[MINUTE])
            .ended(1, "asks to wait 3600 s: run the same command again then");
        assert_eq!(world.requests(route), 1);
    }
}

// 16
#[test]
fn what_may_pass_is_tried_again() {
    let world = World::with_blob(1000);
    let routes = [
        "hf.info",
        "hf.tree",
        "hf.lfs_batch",
        "hf_storage.get",
        "ms.me",
        "ms.files",
        "ms.batch",
        "ms_storage.put",
    ];
    for (skip, code) in PASSING.into_iter().enumerate() {
        routes
            .iter()
            .for_each(|route| world.strike(route, status(code), json!({"skip": skip, "count": 1})));
    }
    world.strike("hf.resolve", status(503), json!({"count": 3}));
    world.migrate().done();
    assert!(world.all_struck() && world.is_whole());
}

#[test]
fn a_server_that_fails_for_ever_is_given_up_after_a_few_tries() {
    let world = World::with_blob(1000);
    world.always("hf_storage.get", status(503));
    world.migrate().failed(1, &[BLOB], "503");
    assert_eq!(
        (world.requests("hf_storage.get"), world.arrived()),
        (7, vec![README.to_owned()])
    );
    world.clear_faults();
    world.always("ms_storage.put", status(500));
    world.admin("POST", "/counters/reset", "");
    world.migrate().failed(1, &[BLOB], "500");
    assert_eq!(world.requests("ms_storage.put"), 7);
    world.finishes();
}

#[test]
fn what_no_other_try_changes_is_not_tried_again() {
    for code in FINAL {
        let world = World::with_blob(1000);
        world.seed_model(&json!([{"path": "notes.txt", "text": "n"}]));
        world.strike("hf.resolve", status(code), json!({"path": "notes.txt"}));
        // Storage that says 403 means the address: a new one is asked for.
        let failing: &[&str] = if code == 403 {
            &["notes.txt"]
        } else {
            &["notes.txt", BLOB]
        };
        if code != 403 {
            world.always("ms_storage.put", status(code));
        }
        let report = world.migrate().failed(1, failing, &code.to_string());
        assert_eq!(
            (report["retries"].as_u64(), world.requests("ms_storage.put")),
            (Some(0), 1),
            "{report}"
        );
        assert_eq!(world.requests("hf.resolve"), 2, "one for each small file");
        world.finishes();
    }
}

#[test]
fn a_listing_that_is_refused_is_not_asked_again() {
    for code in FINAL {
        let world = World::with_blob(1000);
        world.always("hf.tree", status(code));
        let ran = world.migrate();
        assert!(
            ran.code != 0 && ran.event("error")["exit"] == ran.code,
            "{code}: {}{}",
            ran.stdout,
            ran.stderr
        );
        assert_eq!(
            (world.requests("hf.tree"), world.requests("ms.create")),
            (1, 0),
            "{code}"
        );
    }
}

// 17
fn is_no_success(route: &str, kind: Value, words: &str) {
    let world = World::with_blob(1000);
    world.always(route, kind);
    let ran = world.migrate();
    assert!(
        matches!(ran.code, 1..=4) && world.all_struck() && ran.stdout.contains(words),
        "{route}: {}{}",
        ran.stdout,
        ran.stderr
    );
    assert!(!world.is_whole() && world.wrong().is_empty(), "{route}");
    world.finishes();
}

#[test]
fn a_web_page_where_an_answer_belongs_is_an_error() {
    for route in [
        "hf.info",
        "hf.tree",
        "hf.lfs_batch",
        "hf.resolve",
        "hf_storage.get",
    ] {
        is_no_success(route, json!({"do": "html"}), "");
    }
    for route in [
        "ms.me",
        "ms.create",
        "ms.batch",
        "ms_storage.put",
        "ms.commit",
    ] {
        is_no_success(route, json!({"do": "html"}), "");
    }
}

#[test]
fn an_error_in_the_envelope_of_a_200_is_an_error() {
    for route in [
        "ms.me",
        "ms.create",
        "ms.batch",
        "ms_storage.put",
        "ms.commit",
    ] {
        is_no_success(
            route,
            json!({"do": "envelope", "code": 10010205001_u64, "message": "internal trouble"}),
            "internal trouble",
        );
    }
}

#[test]
fn a_verification_that_gets_no_listing_is_no_success() {
    for kind in [
        json!({"do": "html"}),
        json!({"do": "envelope", "code": 10010205001_u64, "message": "internal trouble"}),
    ] {
        let world = World::with_blob(1000);
        world.strike("ms.files", kind, json!({"skip": 1}));
        let ran = world.migrate();
        assert!(
            matches!(ran.code, 1..=4) && world.all_struck(),
            "{}{}",
            ran.stdout,
            ran.stderr
        );
        world.finishes();
    }
}

// 18
#[test]
fn a_batch_that_fails_in_part_costs_only_those_objects() {
    for (route, code) in [
        ("ms.batch", 422),
        ("hf.lfs_batch", 404),
        ("hf.lfs_batch", 422),
    ] {
        let world = World::with_blobs(9, 1000);
        world.always(
            route,
            json!({"do": "object_error", "index": 2, "code": code, "message": "not this one"}),
        );
        let ran = world.migrate();
        let report = ran.event("report");
        let failed = report["failed"].as_array().unwrap();
        assert!(
            ran.code == 1
                && failed.len() == 1
                && failed[0]["error"]
                    .as_str()
                    .unwrap()
                    .contains("not this one"),
            "{report}"
        );
        assert!(
            world.arrived().len() == 8
                && !world
                    .arrived()
                    .contains(&failed[0]["path"].as_str().unwrap().to_owned())
        );
        world.finishes();
    }
}

#[test]
fn an_object_that_a_batch_refuses_for_now_is_asked_about_again() {
    for route in ["ms.batch", "hf.lfs_batch"] {
        let world = World::with_blobs(9, 1000);
        world.once(
            route,
            json!({"do": "object_error", "index": 2, "code": 503, "message": "busy"}),
        );
        world.migrate().done();
        assert!(world.all_struck() && world.is_whole());
    }
}

// 19
#[test]
fn an_answer_about_what_nobody_asked_for_is_refused() {
    for route in ["ms.batch", "hf.lfs_batch"] {
        for kind in ["foreign_object", "wrong_size", "wrong_algo"] {
            let world = World::with_blobs(3, 1000);
            world.always(route, json!({"do": kind}));
            let ran = world.migrate();
            let report = ran.event("report");
            let failed = report["failed"].as_array().unwrap();
            assert!(
                ran.code == 1
                    && failed.len() == 3
                    && failed.iter().all(|failed| failed["kind"] == "refused"),
                "{route} {kind}: {report}"
            );
            assert_eq!(
                (
                    world.requests("hf_storage.get"),
                    world.requests("ms_storage.put"),
                    world.arrived().len()
                ),
                (0, 0, 0)
            );
            world.finishes();
        }
    }
}

// 20
/// A server that answers 400 and then talks for ever; what it could say before the other side hung up.
fn talkative() -> (String, Arc<AtomicU64>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let said = Arc::new(AtomicU64::new(0));
    let count = said.clone();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let _ = stream.read(&mut [0; 4096]);
            let _ = stream
                .write_all(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 1000000000000\r\n\r\n");
            while stream.write_all(&[b'x'; 64 << 10]).is_ok() {
                count.fetch_add(64 << 10, Ordering::Relaxed);
            }
        }
    });
    (address, said)
}

#[test]
fn an_error_that_never_ends_is_read_up_to_a_cap_and_shown_shortened() {
    let world = World::with_blob(1000);
    let (address, said) = talkative();
    let ran = world.run_with(
        &["migrate", "alice/model"],
        &[IMPATIENT, ("HF_ENDPOINT", &address)],
    );
    assert!(
        ran.code != 0 && ran.stderr.contains("xxx") && ran.stderr.len() < 1000,
        "{}",
        ran.stderr
    );
    assert!(
        said.load(Ordering::Relaxed) < 32 << 20,
        "the rest is what lies between the two"
    );
}

#[test]
fn a_huge_error_for_one_file_is_reported_in_a_line() {
    let world = World::with_blob(1000);
    world.strike(
        "hf.resolve",
        json!({"do": "status", "status": 422, "body_bytes": 5_000_000}),
        json!({"path": README}),
    );
    let ran = world.migrate();
    ran.failed(1, &[README], "xxx");
    assert!(ran.stdout.len() < 10_000, "{}", ran.stdout.len());
}

// 21
#[test]
fn a_next_page_on_another_host_is_not_fetched() {
    let world = World::with_blob(1000);
    let elsewhere = TcpListener::bind("127.0.0.1:0").unwrap();
    elsewhere.set_nonblocking(true).unwrap();
    world.once(
        "hf.tree",
        json!({"do": "next", "url": format!("http://{}/more", elsewhere.local_addr().unwrap())}),
    );
    world
        .migrate_with(&[STALL])
        .ended(1, "the listing's next page is on another host");
    assert!(elsewhere.accept().is_err() && world.requests("ms.create") == 0);
}

#[test]
fn pages_that_go_round_in_a_circle_are_left() {
    let world = World::with_blob(1000);
    world.always("hf.tree", json!({"do": "next", "url": "loop"}));
    world.once("hf.paths_info", status(404));
    world.migrate().ended(1, "go round in a circle");
    assert_eq!(
        (world.requests("hf.tree"), world.requests("ms.create")),
        (1, 0)
    );
    // The repo's description names the files, too.
    world.migrate().done();
    assert!(world.is_whole());
}

#[test]
fn a_destination_whose_pages_repeat_themselves_is_left() {
    let world = World::new();
    let seed = |hub| {
        json!({"hub": hub, "kind": "dataset", "id": "alice/data", "files": [{"path": "a.txt", "text": "a"}]}).to_string()
    };
    world.seed(&seed("hf"));
    world.seed(&seed("ms"));
    let entry = |n| json!({"Path": format!("{n}.txt"), "Type": "blob", "Size": 0, "Sha256": ""});
    let page = json!({"Code": 200, "Success": true, "Data": {"Files": (0..200).map(entry).collect::<Vec<_>>()}});
    world.always(
        "ms.files",
        json!({"do": "status", "status": 200, "body": page}),
    );
    let ran = world.run_with(&["migrate", "alice/data"], &[IMPATIENT]);
    assert!(
        ran.code == 1 && ran.stderr.contains("repeat themselves"),
        "{}",
        ran.stderr
    );
    assert!(world.requests("ms.files") < 10 && world.requests("ms.commit") == 0);
}

// 22
#[test]
fn a_listing_that_lags_behind_the_commit_is_looked_at_again() {
    let world = World::with_model();
    world.strike(
        "ms.files",
        json!({"do": "cut", "entries": 2}),
        json!({"skip": 1, "count": 2}),
    );
    let report = world.migrate().done();
    assert_eq!(
        (
            report["verification"]["equal"].as_u64(),
            world.requests("ms.files")
        ),
        (Some(6), 4),
        "{report}"
    );
    assert!(world.is_whole());
}

#[test]
fn a_verification_that_never_agrees_is_bounded_and_no_success() {
    let world = World::with_model();
    world.strike(
        "ms.files",
        json!({"do": "cut", "entries": 2}),
        json!({"skip": 1}),
    );
    let ran = world.migrate();
    let report = ran.event("report");
    assert_eq!(
        (
            ran.code,
            report["state"].as_str(),
            world.requests("ms.files")
        ),
        (1, Some("incomplete"), 4),
        "{report}"
    );
    assert!(
        report["verification"]["missing"].as_array().unwrap().len() >= 4,
        "{report}"
    );
    world.finishes();
}

// 23
/// A model of 3,300 files and two blobs in 40 folders of a folder: more than ModelScope lists at once.
fn many() -> World {
    let world = World::new();
    let files = json!({"count": 3300, "folders": 40, "size": 1000, "prefix": "data/", "suffix": ".bin", "distinct": 2, "lfs": true});
    world.seed(
        &json!({"hub": "hf", "kind": "model", "id": "alice/model", "generate": files}).to_string(),
    );
    world
}

#[test]
fn a_listing_cut_at_its_cap_is_noticed_and_walked() {
    let world = many();
    let report = world.migrate().done();
    assert_eq!(
        (
            report["verification"]["equal"].as_u64(),
            report["moved"].as_u64()
        ),
        (Some(3300), Some(2)),
        "{report}"
    );
    assert!(
        world.is_whole() && world.requests("ms.files") > 40,
        "folder by folder"
    );
    world.seed_model(&json!([{"path": "data/00007/new.txt", "text": "n"}]));
    let report = world.migrate().done();
    assert_eq!(
        (report["unchanged"].as_u64(), report["inline"].as_u64()),
        (Some(3300), Some(1)),
        "{report}"
    );
}

#[test]
fn a_folder_too_wide_to_be_listed_is_named_and_no_success() {
    let world = World::new();
    let wide =
        json!({"count": 3010, "size": 10, "prefix": "wide/", "suffix": ".txt", "distinct": 1});
    world.seed(
        &json!({"hub": "ms", "kind": "model", "id": "alice/model", "generate": wide}).to_string(),
    );
    world.seed(
        r#"{"hub":"hf","kind":"model","id":"alice/model","files":[{"path":"a.txt","text":"a"}]}"#,
    );
    world.migrate().ended(
        1,
        "the folder wide holds 3000 or more entries, which ModelScope can't list",
    );
}

#[test]
fn pages_of_a_source_are_all_read() {
    let world = World::with_blobs(25, 1000);
    world.set(json!({"hf_page": 4}));
    world.migrate().done();
    assert!(world.requests("hf.tree") == 7 && world.is_whole());
}

#[test]
fn a_dataset_of_several_pages_is_listed_whole() {
    let world = World::new();
    let files = json!({"count": 450, "folders": 3, "size": 1000, "suffix": ".bin", "distinct": 2, "lfs": true});
    world.seed(
        &json!({"hub": "hf", "kind": "dataset", "id": "alice/data", "generate": files}).to_string(),
    );
    let ran = world.run_with(&["migrate", "alice/data", "--json"], &[IMPATIENT]);
    assert_eq!(ran.done()["verification"]["equal"], 450);
    assert!(world.is_copied("dataset", "alice/data", "alice/data"));
}

// 24
#[test]
fn a_spurious_403_on_a_later_page_of_the_source_is_retried() {
    let world = World::with_blobs(25, 1000);
    world.set(json!({"hf_page": 4}));
    world.strike("hf.tree", status(403), json!({"skip": 3, "count": 2}));
    world.migrate().done();
    assert!(world.requests("hf.tree") == 9 && world.is_whole());
}

#[test]
fn a_spurious_403_in_a_walk_of_the_destination_is_retried() {
    let world = many();
    world.strike("ms.files", status(403), json!({"skip": 10, "count": 2}));
    world.migrate().done();
    assert!(world.all_struck() && world.is_whole());
}

#[test]
fn a_spurious_403_on_the_verification_s_listing_is_retried() {
    let world = World::with_model();
    world.strike("ms.files", status(403), json!({"skip": 1, "count": 1}));
    world.migrate().done();
    assert!(world.all_struck() && world.is_whole());
}

#[test]
fn a_403_that_stays_is_no_whim() {
    let world = World::with_blobs(25, 1000);
    world.set(json!({"hf_page": 4}));
    world.strike("hf.tree", status(403), json!({"skip": 3}));
    world.migrate().ended(3, "may not read");
    assert!(world.requests("hf.tree") <= 10 && world.requests("ms.create") == 0);
}
