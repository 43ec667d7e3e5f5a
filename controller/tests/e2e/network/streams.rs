//! How many blobs a worker moves at a time: more while they make it faster, fewer when a hub says so.

use super::*;
use crate::common::Ran;
use crate::common::processes::until;

const MIGRATE: [&str; 5] = ["migrate", "alice/model", "--json", "--verify", "listing"];

/// What workers told of their streams: the number, and why.
fn told(ran: &Ran) -> Vec<(u64, String)> {
    let events = ran.events().into_iter();
    let streams = events.filter(|event| event["event"] == "streams");
    let of = |event: Value| {
        let reason = event["reason"].as_str().unwrap().to_owned();
        (event["streams"].as_u64().unwrap(), reason)
    };
    streams.map(of).collect()
}

/// `count` blobs of `size` bytes, and a ModelScope that takes so many bytes a second by one connection.
fn slow_connections(count: u64, size: u64, each: u64) -> World {
    let world = World::with_blobs(count, size);
    world.set(json!({"ms_up_each": each, "uploads": "hash"}));
    world
}

/// The most uploads that were under way at a time.
fn most_uploads(world: &World) -> u64 {
    let counters = world.admin("GET", "/counters", "").unwrap();
    counters["ms_storage.put"]["max_concurrent"]
        .as_u64()
        .unwrap()
}

#[test]
fn streams_grow_while_the_rate_does_and_stop_at_the_ceiling() {
    let world = slow_connections(64, 4 * MB, MB);
    let ran = world.run(&MIGRATE);
    let report = ran.done();
    let told = told(&ran);
    assert_eq!(told[0], (16, "growth".to_owned()), "{told:?}");
    let most = told.iter().map(|(streams, _)| *streams).max().unwrap();
    assert_eq!(most, 32, "{told:?}");
    assert_eq!(report["streams"], most);
    let at_once = most_uploads(&world);
    assert!((17..=32).contains(&at_once), "{at_once}");
    let progress = |event: &Value| event["event"] == "progress";
    let shown = ran.events().into_iter().rfind(progress).unwrap();
    assert!(shown["streams"].as_u64() > Some(8), "{shown}");
    assert!(world.is_whole());
}

#[test]
fn as_many_streams_as_are_asked_for_are_neither_more_nor_fewer() {
    let world = slow_connections(12, MB, MB);
    let ran = world.run(&[&MIGRATE[..], &["--streams", "3"]].concat());
    assert_eq!((&ran.done()["streams"], told(&ran).len()), (&json!(3), 0));
    assert_eq!(most_uploads(&world), 3, "as many shares of memory fit");
    let ran = world.run(&[&MIGRATE[..], &["--streams", "33"]].concat());
    assert_eq!(ran.code, 2, "{}", ran.stderr);
}

#[test]
fn a_hub_that_takes_four_at_a_time_gets_no_more() {
    let world = slow_connections(16, MB, MB);
    world.set(json!({"ms_at_once": 4}));
    let ran = world.run_with(&MIGRATE, &[("HF2MS_RETRY_BASE", "0.5")]);
    ran.done();
    let told = told(&ran);
    let busy = told.iter().position(|(_, reason)| reason == "busy");
    let last = &told[told.len() - 1];
    assert!(busy.is_some_and(|at| at < 3) && last.0 <= 5, "{told:?}");
    assert!(world.is_whole());
}

#[test]
fn workers_give_way_to_a_busy_hub_together() {
    let world = slow_connections(36, MB, MB);
    world.set(json!({"ms_at_once": 8}));
    let three = ["--containers", "3"];
    let ran = world.run_with(
        &[&MIGRATE[..], &three].concat(),
        &[("HF2MS_RETRY_BASE", "0.5")],
    );
    ran.done();
    let events = ran.events().into_iter();
    let mut workers: Vec<_> = events
        .filter(|event| event["event"] == "streams" && event["reason"] == "busy")
        .map(|event| event["worker"].as_u64().unwrap())
        .collect();
    workers.sort_unstable();
    workers.dedup();
    assert!(workers.len() > 1, "{workers:?}");
    assert!(world.is_whole());
}

#[test]
fn one_stream_that_stalls_holds_nobody_else_up() {
    // More than the system takes into its buffers: else the program would wait for an answer to what it has sent.
    let world = slow_connections(40, 12 * MB, 3 * MB);
    world.once("ms_storage.put", json!({"do": "stall", "after": 100_000}));
    let ran = world.run_with(&MIGRATE, &[STALL, IMPATIENT]);
    assert!(ran.done()["retries"].as_u64() >= Some(1));
    let told = told(&ran);
    assert!(told.iter().any(|(_, reason)| reason == "stall"), "{told:?}");
    assert!(most_uploads(&world) > 8 && world.is_whole());
}

#[test]
fn a_line_that_halves_and_comes_back_is_followed() {
    let world = slow_connections(40, 4 * MB, MB);
    world.set(json!({"ms_up": 16 * MB}));
    let running = world.start(&mut world.command(&MIGRATE));
    for (bytes, rate) in [(40, 8), (80, 16)] {
        until("so many bytes", || {
            world.bytes_in("ms_storage.put") > bytes * MB
        });
        world.set(json!({"ms_up": rate * MB}));
    }
    let ran = running.wait();
    assert_eq!(ran.done()["retries"], 0);
    let told = told(&ran);
    let is_steady = |(streams, reason): &(u64, String)| {
        (8..=32).contains(streams) && ["growth", "plateau"].contains(&reason.as_str())
    };
    assert!(!told.is_empty() && told.iter().all(is_steady), "{told:?}");
    assert!(told.len() <= 12 && world.is_whole(), "{told:?}");
}

#[test]
fn workers_that_make_it_no_faster_are_not_started() {
    // So slow a line that it is the limit on a busy machine, too.
    let world = World::with_blobs(320, MB);
    world.set(json!({"ms_up": 8 * MB, "uploads": "hash"}));
    let many = ["--containers", "12", "--chunk-size", "0.005"];
    let ran = world.run(&[&MIGRATE[..], &many].concat());
    ran.done();
    let events = ran.events().into_iter();
    let workers: Vec<_> = events
        .filter(|event| event["event"] == "workers")
        .map(|event| (event["workers"].as_u64().unwrap(), event["enough"] == true))
        .collect();
    // On a busy machine four workers may not fill the line yet.
    let is_enough = |&(workers, enough): &(u64, bool)| enough && workers < 12;
    assert_eq!(workers[0], (8, false), "{workers:?}");
    assert!(workers.iter().any(is_enough), "{workers:?}");
    assert!(world.is_whole());
}
