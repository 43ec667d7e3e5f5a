//! Answers to ranges, and encodings that nobody asked for.

use super::*;

// 6
#[test]
fn the_whole_file_in_answer_to_a_range_is_never_appended() {
    let world = World::with_blob(3 * MB);
    world.once("hf_storage.get", json!({"do": "reset", "after": 700_000}));
    world.strike(
        "hf_storage.get",
        json!({"do": "ignore_range"}),
        json!({"skip": 1}),
    );
    world.migrate().done();
    let ranges = world.ranges();
    assert!(
        ranges.len() == 3 && start(&ranges[1]) > 0 && ranges[2].is_empty(),
        "{ranges:?}"
    );
    assert!(world.requests("ms_storage.put") == 1 && world.is_whole());
}

// 7
#[test]
fn a_range_that_is_said_not_to_exist_is_tried_again_and_then_read_from_the_start() {
    let world = World::with_blob(3 * MB);
    world.once("hf_storage.get", json!({"do": "reset", "after": 700_000}));
    world.strike(
        "hf_storage.get",
        json!({"do": "status", "status": 416}),
        json!({"skip": 1, "count": 6}),
    );
    world.migrate().done();
    let ranges = world.ranges();
    assert!(
        ranges.len() == 8
            && ranges[1..7].iter().all(|range| *range == ranges[1])
            && ranges[7].is_empty(),
        "{ranges:?}"
    );
    assert!(world.requests("ms_storage.put") == 1 && world.is_whole());
}

// 8
#[test]
fn a_range_other_than_the_one_asked_for_is_refused() {
    let world = World::with_blob(3 * MB);
    world.once("hf_storage.get", json!({"do": "reset", "after": 700_000}));
    world.strike(
        "hf_storage.get",
        json!({"do": "wrong_range"}),
        json!({"skip": 1}),
    );
    world
        .migrate()
        .failed(1, &["w.safetensors"], "the server answered the range");
    assert_eq!(
        (
            world.requests("hf_storage.get"),
            world.arrived(),
            world.wrong()
        ),
        (2, vec!["README.md".to_owned()], vec![])
    );
    world.finishes();
}

// 9
#[test]
fn an_encoding_nobody_asked_for_is_refused_unless_the_bytes_are_right_as_they_are() {
    let world = World::with_blob(MB);
    world.always("hf.tree", json!({"do": "encoding", "name": "br"}));
    world.migrate().ended(1, "the content encoding br");
    world.clear_faults();
    world.always("hf_storage.get", json!({"do": "encoding", "name": "gzip"}));
    world.migrate().done();
    assert_eq!(
        world.asked("hf_storage", "GET")[0]["headers"]["accept-encoding"],
        "identity"
    );
    assert!(world.is_whole());
}

#[test]
fn a_source_that_takes_four_at_a_time_is_asked_for_fewer_ranges() {
    let world = World::with_blob(64 * MB);
    world.set(json!({"hf_down_each": 2 * MB, "hf_at_once": 4, "uploads": "hash"}));
    let one = ["--streams", "1", "--verify", "listing", "--json"];
    let ran = world.run_with(
        &[&["migrate", "alice/model"][..], &one].concat(),
        &[("HF2MS_RETRY_BASE", "0.5")],
    );
    ran.done();
    let asked = world.asked("hf_storage", "GET");
    let refused = asked.iter().filter(|request| request["status"] == 429);
    // Eight ranges at a time are refused some 85 times.
    let refused = refused.count();
    assert!((1..=40).contains(&refused), "{refused}");
    assert!(world.is_whole());
}
