//! All branches and tags on Modal, through the official SDK against a Modal on loopback: blobs by calls, and each revision's end by
//! a call of its own, one after the other.

use crate::common::World;
use crate::common::history::{all_copied, give_history, refs};
use crate::common::modal::Cloud;
use crate::common::processes::until;
use serde_json::json;

const ID: &str = "alice/model";
const ALL: [&str; 8] = [
    "migrate",
    ID,
    "--all-revisions",
    "--on",
    "modal",
    "--containers",
    "2",
    "--json",
];

/// A repo with a history, and the commit of its `dev/x`.
fn world() -> (World, Cloud, String) {
    let world = World::new();
    let dev = give_history(&world, "hf", ID, "main", 1);
    (world, Cloud::new(), dev)
}

fn done(world: &World, cloud: &Cloud) {
    let ran = cloud.run(world, &ALL);
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    all_copied(world, ID);
}

#[test]
fn every_branch_and_tag_goes_by_calls_of_one_app() {
    let (world, cloud, _) = world();
    done(&world, &cloud);
    assert_eq!(
        (
            world.requests("ms_storage.put"),
            world.requests("ms.create")
        ),
        (3, 1),
        "equal blobs move once"
    );
    assert_eq!(
        (
            cloud.calls("finalize").len(),
            cloud.state()["apps"].as_array().unwrap().len()
        ),
        (3, 1),
        "a call a commit"
    );
    let logs = cloud.run(&world, &["logs", "last"]);
    assert!(
        logs.stdout.contains("verified"),
        "{}{}",
        logs.stdout,
        logs.stderr
    );
    let again = cloud.run(&world, &ALL);
    assert_eq!(
        (again.code, &again.event("revisions")["counts"]["unchanged"]),
        (0, &json!(5))
    );
    assert_eq!(
        cloud.calls("finalize").len(),
        3,
        "what is proven needs nobody"
    );
}

#[test]
fn a_revision_that_fails_costs_only_itself() {
    let (world, cloud, dev) = world();
    world.fault(
        &json!({"route": "ms.commit", "kind": {"do": "status", "status": 500}, "path": dev})
            .to_string(),
    );
    let ran = cloud.run(&world, &ALL);
    let summary = ran.event("revisions");
    assert_eq!(
        (
            ran.code,
            &summary["counts"]["copied"],
            &summary["counts"]["failed"]
        ),
        (1, &json!(4), &json!(1)),
        "{}",
        ran.stdout
    );
    assert_eq!(refs(&world, "ms", ID).0, ["master", "twin"]);
    world.admin("DELETE", "/faults", "");
    world.admin("POST", "/counters/reset", "");
    done(&world, &cloud);
    assert_eq!(
        (
            world.requests("ms_storage.put"),
            world.requests("ms.commit")
        ),
        (0, 1),
        "only that one is done"
    );
}

#[test]
fn a_finalizer_killed_after_its_commit_begins_again_and_each_revision_is_committed_once() {
    let (world, cloud, _) = world();
    cloud.fault(json!({"do": "kill", "function": "finalize", "line": "\"committed\""}));
    done(&world, &cloud);
    assert_eq!(world.requests("ms.commit"), 3);
    assert!(
        cloud
            .calls("finalize")
            .iter()
            .any(|call| call["deliveries"] == 2),
        "{:?}",
        cloud.calls("finalize")
    );
}

#[test]
fn a_controller_that_is_killed_leaves_calls_that_end_by_themselves_and_the_same_command_goes_on() {
    let (world, cloud, _) = world();
    world.fault(
        &json!({"route": "hf_storage.get", "kind": {"do": "stall", "after": 1000}}).to_string(),
    );
    let running = world.start(&mut cloud.command(&world, &ALL));
    until("both chunks", || cloud.count("run_chunk", "running") == 2);
    running.signal("-KILL");
    drop(running);
    world.admin("DELETE", "/faults", "");
    cloud.until_quiet();
    let states = world.run(&["runs", "--json"]).events();
    assert!(
        states.iter().all(|run| run["state"] == "killed"),
        "{states:?}"
    );
    let moved = world.requests("ms_storage.put");
    done(&world, &cloud);
    assert_eq!(
        (moved, world.uploads().len()),
        (3, 3),
        "what the calls moved is not sent again"
    );
}

#[test]
fn ctrl_c_cancels_every_call() {
    let (world, cloud, _) = world();
    world.fault(
        &json!({"route": "hf_storage.get", "kind": {"do": "stall", "after": 1000}}).to_string(),
    );
    let running = world.start(&mut cloud.command(&world, &ALL));
    until("both chunks", || cloud.count("run_chunk", "running") == 2);
    running.signal("-INT");
    assert_eq!(running.wait().code, 130);
    cloud.until_quiet();
    assert_eq!(
        (
            cloud.count("run_chunk", "cancelled"),
            cloud.calls("finalize").len()
        ),
        (2, 0)
    );
    assert_eq!(world.requests("ms.commit"), 0);
}

#[test]
fn a_batch_takes_all_revisions_of_each_repo_to_one_app() {
    let (world, cloud, _) = world();
    give_history(&world, "hf", "alice/other", "main", 11);
    let batch = [
        "batch",
        ID,
        "alice/other",
        "--all-revisions",
        "--on",
        "modal",
        "--containers",
        "2",
        "--json",
    ];
    let ran = cloud.run(&world, &batch);
    assert_eq!(
        (ran.code, &ran.event("batch")["counts"]["moved"]),
        (0, &json!(2)),
        "{}{}",
        ran.stdout,
        ran.stderr
    );
    [ID, "alice/other"]
        .iter()
        .for_each(|id| all_copied(&world, id));
    assert_eq!(
        (
            cloud.calls("finalize").len(),
            cloud.state()["apps"].as_array().unwrap().len()
        ),
        (6, 1)
    );
}
