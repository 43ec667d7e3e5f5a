//! Transfers that stall, and slow ones that move.

use super::*;

// 4
#[test]
fn a_download_that_stalls_is_given_up_and_resumed() {
    let world = World::with_blob(3 * MB);
    world.once("hf_storage.get", json!({"do": "stall", "after": 600_000}));
    let ran = world.migrate_with(&[STALL]);
    resumed(&world, &ran, 2);
    assert!(
        ran.event("retry")["error"]
            .as_str()
            .unwrap()
            .contains("nothing moved for 2 s"),
        "{}",
        ran.stdout
    );
}

#[test]
fn an_upload_that_stalls_is_given_up_and_sent_again() {
    let world = World::with_blob(24 * MB);
    world.once("ms_storage.put", json!({"do": "stall", "after": 100_000}));
    assert_eq!(world.migrate_with(&[STALL]).done()["retries"], 1);
    assert!(world.requests("ms_storage.put") == 2 && world.is_whole());
}

#[test]
fn an_upload_that_stalls_after_everything_was_handed_over_is_given_up_too() {
    // Of a kernel that takes it all, nobody could tell that the server does not.
    let world = World::serving(&["--receive-buffer", "16384"]).holding_blob(600_000);
    world.once("ms_storage.put", json!({"do": "stall", "after": 100_000}));
    let ran = world.migrate_with(&[STALL]);
    // One for the look whether it is stored, one for the upload.
    assert_eq!(ran.done()["retries"], 2);
    let why = ran.event("retry")["error"].as_str().unwrap().to_owned();
    assert!(
        ["nothing moved for 2 s", "timed out"]
            .iter()
            .any(|words| why.contains(words)),
        "{why}"
    );
    assert!(world.requests("ms_storage.put") == 2 && world.is_whole());
}

#[test]
fn a_hub_that_does_not_answer_is_asked_again() {
    let world = World::with_blob(1000);
    let routes = [
        "hf.info",
        "hf.tree",
        "ms.files",
        "ms.batch",
        "hf.lfs_batch",
        "hf.resolve",
    ];
    routes
        .iter()
        .for_each(|route| world.once(route, json!({"do": "delay", "ms": 60_000})));
    world.migrate_with(&[STALL]).done();
    assert!(world.is_whole() && world.all_struck());
}

// 5
#[test]
fn a_slow_download_that_moves_is_left_alone() {
    let world = World::with_blob(3 * MB);
    world.always(
        "hf_storage.get",
        json!({"do": "slow", "bytes_per_second": MB}),
    );
    assert_eq!(world.migrate_with(&[STALL]).done()["retries"], 0);
    assert!(world.requests("hf_storage.get") == 1 && world.is_whole());
}

#[test]
fn a_slow_upload_that_moves_is_left_alone() {
    let world = World::with_blob(3 * MB);
    world.always(
        "ms_storage.put",
        json!({"do": "slow", "bytes_per_second": MB}),
    );
    assert_eq!(world.migrate_with(&[STALL]).done()["retries"], 0);
    assert!(world.requests("ms_storage.put") == 1 && world.is_whole());
}
