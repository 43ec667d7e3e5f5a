//! All branches and tags on Modal, through the official SDK against a Modal on loopback: blobs by calls, and a last call that writes one
//! revision after the other, also when nobody waits for it.

use crate::common::World;
use crate::common::history::{all_copied, give_history, refs};
use crate::common::modal::Cloud;
use crate::common::processes::until;
use serde_json::{Value, json};

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

const BATCH: [&str; 9] = [
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

/// A repo with a history, and the commit of its `dev/x`.
fn world() -> (World, Cloud, String) {
    let world = World::new();
    let dev = give_history(&world, "hf", ID, "main", 1);
    (world, Cloud::new(), dev)
}

/// Holds every download still, so that chunks work until they are ended.
fn hold(world: &World) {
    world.fault(
        &json!({"route": "hf_storage.get", "kind": {"do": "stall", "after": 1000}}).to_string(),
    );
}

/// The state of each run, the newest first.
fn states(world: &World) -> Vec<String> {
    let runs = world.run(&["runs", "--json"]).events();
    let state = |run: &Value| run["state"].as_str().unwrap_or_default().to_owned();
    runs.iter().map(state).collect()
}

/// The journals of all runs.
fn journal(world: &World) -> String {
    let runs = std::fs::read_dir(world.path("state").join("runs")).unwrap();
    let journals = runs.map(|run| run.unwrap().path().join("journal.ndjson"));
    let read = |path: std::path::PathBuf| std::fs::read_to_string(path).unwrap_or_default();
    journals.map(read).collect()
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
        (1, 1),
        "one call ends all"
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
        1,
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
fn a_finalizer_killed_after_any_commit_begins_again_and_each_revision_is_committed_once() {
    for commits_before in 0..3 {
        let (world, cloud, _) = world();
        let line = "\"event\": \"committed\"";
        cloud.fault(
            json!({"do": "kill", "function": "finalize", "line": line, "skip": commits_before}),
        );
        done(&world, &cloud);
        assert_eq!(world.requests("ms.commit"), 3, "{commits_before}");
        let calls = cloud.calls("finalize");
        assert!(
            calls.len() == 1 && calls[0]["deliveries"] == 2,
            "{commits_before}: {calls:?}"
        );
    }
}

#[test]
fn a_controller_killed_after_its_submit_leaves_all_to_the_cloud_and_another_has_the_table() {
    let (world, cloud, _) = world();
    hold(&world);
    let running = world.start(&mut cloud.command(&world, &ALL));
    until("the last call", || cloud.calls("finalize").len() == 1);
    running.signal("-KILL");
    drop(running);
    world.admin("DELETE", "/faults", "");
    cloud.until_quiet();
    all_copied(&world, ID);
    assert_eq!(states(&world), ["detached"; 3], "one a commit");
    let ran = cloud.run(&world, &["attach", "--json"]);
    let counts = &ran.event("revisions")["counts"];
    assert_eq!(
        (ran.code, &counts["copied"]),
        (0, &json!(5)),
        "{}{}",
        ran.stdout,
        ran.stderr
    );
    assert_eq!(states(&world), ["done"; 3]);
    let again = cloud.run(&world, &ALL);
    let unchanged = &again.event("revisions")["counts"]["unchanged"];
    assert_eq!((again.code, unchanged), (0, &json!(5)), "{}", again.stdout);
    assert_eq!(
        (cloud.calls("finalize").len(), world.requests("ms.commit")),
        (1, 3),
        "what attach has seen verified is proven"
    );
    world.admin("POST", "/counters/reset", "");
    let inventory = ["inventory", "alice", "--repo-type", "model", "--json"];
    let listed = cloud.run(&world, &inventory);
    assert_eq!(listed.code, 0, "{}{}", listed.stdout, listed.stderr);
    assert_eq!(
        (world.requests("hf.tree"), world.requests("ms.files")),
        (0, 0)
    );
}

#[test]
fn a_submit_that_broke_in_the_middle_is_finished_by_attach() {
    let (world, cloud, _) = world();
    cloud.fault(json!({"do": "unavailable", "rpc": "FunctionMap", "skip": 2, "count": 1000}));
    let running = world.start(&mut cloud.command(&world, &ALL));
    until("two chunks", || cloud.calls("run_chunk").len() == 2);
    until("their calls in a journal", || {
        states(&world).len() == 3 && journal(&world).matches("fc-").count() == 2
    });
    running.signal("-KILL");
    drop(running);
    until("the bridge's end", || world.bridges() == 0);
    cloud.mend();
    let ran = cloud.run(&world, &["attach", "--json"]);
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    all_copied(&world, ID);
}

#[test]
fn a_detached_copy_is_shown_and_refused_a_second_time_and_stopped_as_one() {
    let (world, cloud, _) = world();
    hold(&world);
    let detach = [&ALL[..], &["--detach"]].concat();
    let ran = cloud.run(&world, &detach);
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    let first = ran.event("submitted")["run"].as_str().unwrap().to_owned();
    assert_eq!(states(&world), ["detached"; 3]);
    for run in [first.as_str(), "last"] {
        let status = cloud
            .run(&world, &["status", run, "--json"])
            .event("status");
        assert_eq!(status["cloud"]["finished"], false, "{run}: {status}");
        assert!(status["cloud"]["submitted"].as_u64() >= Some(2), "{status}");
    }
    let second = cloud.run(&world, &detach);
    let words = format!("run {first} works on {ID}");
    assert!(
        second.code == 1 && format!("{}{}", second.stdout, second.stderr).contains(&words),
        "{}{}",
        second.stdout,
        second.stderr
    );
    let stopped = cloud.run(&world, &["stop", "last", "--json"]);
    assert_eq!(stopped.code, 0, "{}{}", stopped.stdout, stopped.stderr);
    cloud.until_quiet();
    assert_eq!(states(&world), ["interrupted"; 3]);
    assert_eq!(world.requests("ms.commit"), 0);
    world.admin("DELETE", "/faults", "");
    done(&world, &cloud);
}

#[test]
fn the_same_command_waits_for_what_is_in_the_cloud() {
    let (world, cloud, _) = world();
    let detached = cloud.run(&world, &[&ALL[..], &["--detach"]].concat());
    assert_eq!(detached.code, 0, "{}{}", detached.stdout, detached.stderr);
    let ran = cloud.run(&world, &ALL[..7]);
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    assert!(
        ran.stderr.contains("waiting for it first") || ran.stdout.contains("waiting for it first"),
        "{}{}",
        ran.stdout,
        ran.stderr
    );
    all_copied(&world, ID);
    assert_eq!(
        (cloud.calls("finalize").len(), world.requests("ms.commit")),
        (1, 3)
    );
}

#[test]
fn ctrl_c_cancels_every_call() {
    let (world, cloud, _) = world();
    hold(&world);
    let running = world.start(&mut cloud.command(&world, &ALL));
    until("both chunks", || cloud.count("run_chunk", "running") == 2);
    until("the last call", || cloud.calls("finalize").len() == 1);
    running.signal("-INT");
    assert_eq!(running.wait().code, 130);
    cloud.until_quiet();
    let left = |function| {
        let calls = cloud.calls(function).len();
        calls - cloud.count(function, "cancelled")
    };
    assert_eq!((left("run_chunk"), left("finalize")), (0, 0));
    assert_eq!(world.requests("ms.commit"), 0);
    assert_eq!(states(&world), ["interrupted"; 3]);
}

#[test]
fn a_detached_batch_leaves_all_revisions_of_each_repo_to_the_cloud() {
    let (world, cloud, _) = world();
    give_history(&world, "hf", "alice/other", "main", 11);
    let args = [&BATCH[..], &["--detach"]].concat();
    let ran = cloud.run(&world, &args);
    assert_eq!(
        (ran.code, &ran.event("batch")["counts"]["submitted"]),
        (0, &json!(2)),
        "{}{}",
        ran.stdout,
        ran.stderr
    );
    cloud.until_quiet();
    [ID, "alice/other"]
        .iter()
        .for_each(|id| all_copied(&world, id));
}

#[test]
fn a_batch_takes_all_revisions_of_each_repo_to_one_app() {
    let (world, cloud, _) = world();
    give_history(&world, "hf", "alice/other", "main", 11);
    let ran = cloud.run(&world, &BATCH);
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
        (2, 1)
    );
}
