//! Connections that are cut, and bodies that are short.

use super::*;

// 1
#[test]
fn a_reset_in_the_middle_of_a_download_is_resumed_and_the_upload_stays_open() {
    let world = World::with_blob(3 * MB);
    world.strike(
        "hf_storage.get",
        json!({"do": "reset", "after": 700_000}),
        json!({"count": 3}),
    );
    let ran = world.migrate();
    resumed(&world, &ran, 4);
}

#[test]
fn a_reset_of_one_range_among_several_costs_only_that_range() {
    let world = World::with_blob(12 * MB);
    world.strike(
        "hf_storage.get",
        json!({"do": "reset", "after": 500_000}),
        json!({"count": 1, "skip": 1}),
    );
    assert_eq!(world.migrate().done()["retries"], 1);
    let ranges = world.ranges();
    assert_eq!(
        (ranges.len(), world.requests("ms_storage.put")),
        (4, 1),
        "{ranges:?}"
    );
    assert!(
        world.bytes_out("hf_storage.get") < 13 * MB,
        "the other ranges were not read again"
    );
    assert!(world.is_whole());
}

#[test]
fn a_reset_in_the_middle_of_an_upload_sends_that_blob_again() {
    let world = World::with_blob(3 * MB);
    world.once("ms_storage.put", json!({"do": "reset", "after": MB}));
    // One for the look whether it is stored, one for the upload.
    assert_eq!(world.migrate().done()["retries"], 2);
    assert!(world.requests("ms_storage.put") == 2 && world.is_whole());
}

#[test]
fn a_reset_before_any_answer_is_tried_again_everywhere() {
    let routes = [
        "hf.info",
        "hf.tree",
        "ms.files",
        "ms.batch",
        "hf.lfs_batch",
        "hf.resolve",
    ];
    let world = World::with_blob(1000);
    routes
        .iter()
        .for_each(|route| world.once(route, json!({"do": "reset"})));
    world.migrate().done();
    assert!(world.is_whole() && world.all_struck());
}

// 2
#[test]
fn a_body_shorter_than_declared_is_read_on() {
    let world = World::with_blob(3 * MB);
    world.strike(
        "hf_storage.get",
        json!({"do": "truncate", "after": 900_000}),
        json!({"count": 2}),
    );
    let ran = world.migrate();
    resumed(&world, &ran, 3);
}

#[test]
fn a_body_that_is_always_short_is_never_accepted_and_given_up_after_a_few_tries() {
    let world = World::with_blob(3 * MB);
    world.always("hf_storage.get", json!({"do": "truncate", "after": 0}));
    world.migrate().failed(1, &["w.safetensors"], "");
    // Nothing of the chunk is stored, so it is tried again as in an outage: 7 times each time.
    let tries = world.requests("hf_storage.get");
    assert_eq!(
        tries % 7,
        0,
        "{tries}: one layer tries again, not one inside the other"
    );
    assert!(
        world.arrived().is_empty() && world.wrong().is_empty(),
        "README.md waits for it"
    );
    world.finishes();
}

#[test]
fn a_small_file_that_is_cut_is_read_again() {
    let world = World::with_blob(1000);
    world.once("hf.resolve_cache", json!({"do": "truncate", "after": 2}));
    assert_eq!(world.migrate().done()["retries"], 1);
    assert!(world.is_whole());
}

#[test]
fn a_listing_that_is_cut_is_asked_again() {
    let world = World::with_blob(1000);
    world.once("hf.tree", json!({"do": "truncate", "after": 20}));
    world.once("ms.files", json!({"do": "truncate", "after": 20}));
    world.migrate().done();
    assert!(world.is_whole() && world.all_struck());
}

// 3
#[test]
fn a_body_cut_without_a_declared_length_is_caught_by_its_size() {
    let world = World::with_blob(3 * MB);
    world.once(
        "hf_storage.get",
        json!({"do": "undeclared", "after": 800_000}),
    );
    let ran = world.migrate();
    resumed(&world, &ran, 2);
}

#[test]
fn a_whole_body_without_a_declared_length_is_taken() {
    let world = World::with_blob(3 * MB);
    world.always("hf_storage.get", json!({"do": "undeclared"}));
    assert_eq!(world.migrate().done()["retries"], 0);
    assert!(world.is_whole());
}

#[test]
fn a_body_without_a_declared_length_and_with_other_bytes_is_caught_by_its_digest() {
    let world = World::with_blob(3 * MB);
    world.always("hf_storage.get", json!({"do": "undeclared"}));
    world.always("hf_storage.get", json!({"do": "corrupt", "at": 2_999_999}));
    world
        .migrate()
        .failed(4, &["w.safetensors"], "the source sent");
    assert_eq!(
        (world.arrived(), world.wrong()),
        (vec!["README.md".to_owned()], vec![])
    );
    world.finishes();
}
