//! What is tried again, and what is not.

use super::*;

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
    // Nothing of the chunk is stored, so it is tried again as in an outage: 7 times each time.
    let tries = world.requests("hf_storage.get");
    assert_eq!((tries % 7, world.arrived()), (0, vec![]), "{tries} tries");
    world.clear_faults();
    world.always("ms_storage.put", status(500));
    world.admin("POST", "/counters/reset", "");
    world.migrate().failed(1, &[BLOB], "500");
    assert_eq!(world.requests("ms_storage.put") % 7, 0);
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

// 8
#[test]
fn an_outage_pauses_the_queue_and_costs_no_file() {
    for route in ["ms_storage.put", "ms.batch"] {
        let world = World::with_blobs(30, 1000);
        let count = if route == "ms.batch" { 20 } else { 100 };
        world.strike(route, status(503), json!({"count": count}));
        // With more streams each of the refusals meets another file, and none is tried to the end.
        let eight = ["migrate", "alice/model", "--json", "--streams", "8"];
        let ran = world.run_with(&eight, &[IMPATIENT]);
        assert_eq!(ran.done()["failed"], json!([]));
        assert!(world.all_struck() && world.is_whole());
        let told = |name: &str| {
            let events = ran.events().into_iter();
            events
                .filter(|event| event["event"] == name)
                .collect::<Vec<_>>()
        };
        let (paused, ended) = (told("paused"), told("pause_ended"));
        assert!(
            !paused.is_empty() && paused.len() == ended.len(),
            "{paused:?}"
        );
        assert!(
            ended.iter().all(|event| event["answers"] == true),
            "{ended:?}"
        );
    }
}

#[test]
fn an_outage_that_does_not_end_is_given_up_and_the_next_run_finishes() {
    let world = World::with_blobs(30, 1000);
    world.always("ms_storage.put", status(503));
    let arguments = [
        "migrate",
        "alice/model",
        "--chunk-size",
        "0.00001",
        "--json",
    ];
    let impatient = [IMPATIENT, ("HF2MS_LONGEST_WAIT", "0.5")];
    let ran = world.run_with(&arguments, &impatient);
    assert_eq!((ran.code, ran.failures().len()), (1, 30), "{}", ran.stderr);
    assert_eq!(ran.event("pause_ended")["answers"], false);
    // Each file of a chunk has 7 tries, and a few of them are tried alone.
    assert!(world.requests("ms_storage.put") < 30 * 7 * 3);
    world.finishes();
}
