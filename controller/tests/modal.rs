//! Migrations on Modal, through the real binary, its bridge and the official SDK, against a Modal on loopback that really runs
//! the functions. What Modal itself does is tested in `tests/modal_app`.

#![allow(clippy::unwrap_used)]

mod common;

use std::fs;

use common::modal::Cloud;
use common::processes::until;
use common::{ALICE, World};
use serde_json::{Value, json};

const MIGRATE: [&str; 7] = [
    "migrate",
    "alice/model",
    "--on",
    "modal",
    "--containers",
    "2",
    "--json",
];

/// A world whose `alice/model` has so many blobs of 300 kB, and a chunk for each of its two containers.
fn world(blobs: u64) -> (World, Cloud) {
    let world = World::new();
    let generate =
        json!({"count": blobs, "size": 300_000, "prefix": "blob-", "suffix": ".bin", "lfs": true});
    let readme = json!([{"path": "README.md", "text": "# W\n"}]);
    world.seed(
        &json!({"hub": "hf", "kind": "model", "id": "alice/model", "message": "m", "files": readme, "generate": generate}).to_string(),
    );
    (world, Cloud::new())
}

fn is_whole(world: &World) -> bool {
    world.is_copied("model", "alice/model", "alice/model")
}

/// Holds every download still, so that chunks work until they are ended.
fn hold(world: &World) {
    world.fault(
        &json!({"route": "hf_storage.get", "kind": {"do": "stall", "after": 1000}}).to_string(),
    );
}

fn release(world: &World) {
    world.admin("DELETE", "/faults", "");
}

fn detach(world: &World, cloud: &Cloud) {
    let ran = cloud.run(world, &[&MIGRATE[..], &["--detach"]].concat());
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
}

/// The newest run, as `status` tells.
fn status(world: &World, cloud: &Cloud) -> Value {
    let ran = cloud.run(world, &["status", "--json"]);
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    ran.events().remove(0)
}

#[test]
fn the_cloud_moves_commits_and_verifies_and_its_report_is_shown() {
    let (world, cloud) = world(6);
    let ran = cloud.run(&world, &MIGRATE);
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    let report = ran.event("report");
    assert_eq!(
        (&report["moved"], &report["commits"], &report["workers"]),
        (&json!(6), &json!(1), &json!(2)),
        "{report}"
    );
    assert_eq!(report["verification"]["equal"], 7);
    assert!(is_whole(&world));
    assert_eq!(
        (
            cloud.calls("run_chunk").len(),
            cloud.calls("finalize").len()
        ),
        (2, 1)
    );
}

#[test]
fn a_batch_shares_one_app_and_attends_all_its_repos() {
    let (world, cloud) = world(2);
    world.seed(r#"{"hub":"hf","kind":"model","id":"alice/other","message":"m","files":[{"path":"a.bin","size":500000,"seed":9}]}"#);
    let batch = [
        "batch",
        "alice/model",
        "alice/other",
        "--on",
        "modal",
        "--containers",
        "2",
        "--json",
    ];
    let ran = cloud.run(&world, &batch);
    let counts = &ran.event("batch")["counts"];
    assert_eq!(
        (ran.code, &counts["ok"]),
        (0, &json!(2)),
        "{}{}",
        ran.stdout,
        ran.stderr
    );
    assert!(is_whole(&world) && world.is_copied("model", "alice/other", "alice/other"));
    assert_eq!(
        (
            cloud.calls("run_chunk").len(),
            cloud.calls("finalize").len()
        ),
        (2, 2)
    );
    let apps: std::collections::HashSet<_> = ran
        .events()
        .iter()
        .filter(|event| event["event"] == "submitted")
        .map(|event| event["app"].to_string())
        .collect();
    assert_eq!(apps.len(), 1, "{apps:?}");
}

#[test]
fn a_detached_batch_is_gone_on_with_by_the_same_command() {
    let (world, cloud) = world(2);
    world.seed(r#"{"hub":"hf","kind":"model","id":"alice/other","message":"m","files":[{"path":"a.bin","size":500000,"seed":9}]}"#);
    let batch = [
        "batch",
        "alice/model",
        "alice/other",
        "--on",
        "modal",
        "--json",
    ];
    let away = cloud.run(&world, &[&batch[..], &["--detach"]].concat());
    assert_eq!(
        (away.code, &away.event("batch")["counts"]["submitted"]),
        (0, &json!(2)),
        "{}{}",
        away.stdout,
        away.stderr
    );
    let ran = cloud.run(&world, &batch);
    assert_eq!(
        (ran.code, &ran.event("batch")["counts"]["ok"]),
        (0, &json!(2)),
        "{}{}",
        ran.stdout,
        ran.stderr
    );
    assert!(is_whole(&world) && world.is_copied("model", "alice/other", "alice/other"));
    assert_eq!(
        cloud.calls("finalize").len(),
        2,
        "nothing is submitted again"
    );
}

#[test]
fn a_second_run_is_proven_by_the_first_and_deploys_nothing() {
    let (world, cloud) = world(2);
    assert_eq!(cloud.run(&world, &MIGRATE).code, 0);
    let ran = cloud.run(&world, &MIGRATE);
    assert_eq!(
        (ran.code, &ran.event("report")["unchanged"]),
        (0, &json!(3))
    );
    assert_eq!(cloud.calls("run_chunk").len(), 2);
}

#[test]
fn a_detached_run_is_looked_after_from_elsewhere() {
    let (world, cloud) = world(4);
    detach(&world, &cloud);
    cloud.until_quiet();
    let before = status(&world, &cloud);
    assert_eq!(
        (&before["run"]["state"], &before["cloud"]["finished"]),
        (&json!("detached"), &json!(true)),
        "{before}"
    );
    let logs = cloud.run(&world, &["logs", "last"]);
    assert!(
        logs.stdout.contains("chunk 1: started") && logs.stdout.contains("verified"),
        "{}",
        logs.stdout
    );
    let attached = cloud.run(&world, &["attach", "--json"]);
    assert_eq!(
        (attached.code, &attached.event("report")["moved"]),
        (0, &json!(4)),
        "{}{}",
        attached.stdout,
        attached.stderr
    );
    assert_eq!(status(&world, &cloud)["run"]["state"], "done");
    assert!(is_whole(&world));
}

#[test]
fn a_controller_killed_after_its_submit_is_not_needed() {
    let (world, cloud) = world(4);
    hold(&world);
    let running = world.start(&mut cloud.command(&world, &MIGRATE));
    until("both chunks", || {
        cloud.count("run_chunk", "running") == 2 && !cloud.calls("finalize").is_empty()
    });
    running.signal("-KILL");
    drop(running);
    release(&world);
    assert_eq!(status(&world, &cloud)["run"]["state"], "detached");
    let attached = cloud.run(&world, &["attach", "--json"]);
    assert_eq!(attached.code, 0, "{}{}", attached.stdout, attached.stderr);
    assert!(is_whole(&world));
    assert_eq!(
        cloud.calls("run_chunk").len(),
        2,
        "nothing was submitted twice"
    );
}

#[test]
fn the_same_command_waits_for_the_run_that_is_in_the_cloud() {
    let (world, cloud) = world(4);
    detach(&world, &cloud);
    let ran = cloud.run(&world, &MIGRATE);
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    let reports: Vec<Value> = ran
        .events()
        .into_iter()
        .filter(|event| event["event"] == "report")
        .collect();
    assert_eq!(
        (
            reports.len(),
            &reports[0]["moved"],
            &reports[1]["unchanged"]
        ),
        (2, &json!(4), &json!(5))
    );
    assert_eq!(cloud.calls("run_chunk").len(), 2);
}

#[test]
fn another_source_does_not_write_into_what_the_cloud_writes() {
    let (world, cloud) = world(2);
    hold(&world);
    detach(&world, &cloud);
    world.seed(r#"{"hub":"hf","kind":"model","id":"bob/other","message":"m","files":[{"path":"x.bin","size":9,"seed":3}]}"#);
    world
        .run(&["migrate", "bob/other", "--dest", "alice/model"])
        .refused_with(1, "works on alice/model on ModelScope in the cloud");
}

#[test]
fn a_submit_that_broke_in_the_middle_is_finished_by_attach() {
    let (world, cloud) = world(12);
    cloud.fault(json!({"do": "unavailable", "rpc": "FunctionMap", "skip": 5, "count": 1000}));
    let mut command = cloud.command(
        &world,
        &[
            "migrate",
            "alice/model",
            "--on",
            "modal",
            "--containers",
            "12",
            "--json",
        ],
    );
    let running = world.start(&mut command);
    let journal = || fs::read_to_string(world.run_file("journal.ndjson")).unwrap_or_default();
    let begun = || {
        fs::read_dir(world.path("state").join("runs")).is_ok_and(|mut runs| runs.next().is_some())
    };
    until("five calls", || {
        begun() && journal().matches("fc-").count() == 5
    });
    running.signal("-KILL");
    drop(running);
    // Else its bridge would have what it asked last, now that nothing is refused any more.
    until("the bridge's end", || world.bridges() == 0);
    cloud.mend();
    assert_eq!(status(&world, &cloud)["run"]["state"], "detached");
    let ran = cloud.run(&world, &["attach", "--json"]);
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    assert!(is_whole(&world));
    assert_eq!(
        (
            cloud.calls("run_chunk").len(),
            cloud.calls("finalize").len()
        ),
        (12, 1)
    );
}

#[test]
fn a_controller_killed_before_its_submit_leaves_nothing_to_wait_for() {
    let (world, cloud) = world(2);
    cloud.fault(json!({"do": "unavailable", "rpc": "FunctionMap", "count": 1000}));
    let running = world.start(&mut cloud.command(&world, &MIGRATE));
    until("a try", || {
        cloud.state()["requests"]["FunctionMap"].as_u64() > Some(1)
    });
    running.signal("-KILL");
    drop(running);
    cloud.mend();
    assert_eq!(status(&world, &cloud)["run"]["state"], "killed");
    cloud
        .run(&world, &["attach"])
        .refused_with(2, "run the same command again");
    assert_eq!(cloud.run(&world, &MIGRATE).code, 0);
    assert!(is_whole(&world));
}

#[test]
fn what_modal_refuses_to_take_is_said_and_nothing_is_left_running() {
    let (world, cloud) = world(40);
    hold(&world);
    cloud.fault(json!({"do": "exhausted", "rpc": "FunctionMap", "count": 1000}));
    let ran = cloud.run(
        &world,
        &[
            "migrate",
            "alice/model",
            "--on",
            "modal",
            "--containers",
            "20",
        ],
    );
    ran.refused_with(3, "Modal gives this workspace no more");
    assert_eq!(
        cloud.count("run_chunk", "running") + cloud.count("run_chunk", "queued"),
        0
    );
}

#[test]
fn a_spend_limit_is_said_and_nothing_is_asked_again() {
    let (world, cloud) = world(2);
    let words = "Function call failed: workspace billing cycle spend limit reached";
    cloud.fault(json!({"do": "exhausted", "rpc": "FunctionMap", "message": words, "count": 99}));
    let ran = cloud.run(&world, &MIGRATE[..6]);
    ran.refused_with(3, "spend limit for this workspace is reached");
    assert!(ran.stderr.contains(words), "{}", ran.stderr);
    assert_eq!(cloud.state()["requests"]["FunctionMap"], 2, "once a chunk");
}

#[test]
fn a_refusal_that_passes_is_waited_out() {
    let (world, cloud) = world(4);
    cloud.fault(json!({"do": "exhausted", "rpc": "FunctionMap", "count": 2}));
    assert_eq!(cloud.run(&world, &MIGRATE).code, 0);
    assert!(is_whole(&world));
}

#[test]
fn wrong_tokens_are_one_line_before_anything_is_created() {
    let (world, cloud) = world(2);
    let ran = common::Ran::of(
        cloud
            .command(&world, &MIGRATE[..6])
            .env("MODAL_TOKEN_SECRET", "as-wrong")
            .output()
            .unwrap(),
    );
    ran.refused_with(3, "set MODAL_TOKEN_ID and MODAL_TOKEN_SECRET");
    assert!(!ran.stderr.contains("as-wrong"));
    assert_eq!(world.requests("ms.create"), 0);
}

#[test]
fn no_python_and_no_sdk_are_one_line_each() {
    let (world, cloud) = world(2);
    let with = |python: &str| {
        common::Ran::of(
            cloud
                .command(&world, &MIGRATE[..6])
                .env("HF2MS_PYTHON", python)
                .output()
                .unwrap(),
        )
    };
    with("/no/python").refused_with(2, "/no/python can't be started");
    let bare = world.path("bare-python");
    fs::write(
        &bare,
        format!(
            "#!/bin/sh\nexec '{}' -I -S \"$@\"\n",
            common::modal::python().display()
        ),
    )
    .unwrap();
    fs::set_permissions(&bare, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    with(bare.to_str().unwrap()).refused_with(2, "pip install modal==");
    assert_eq!(world.requests("ms.create"), 0);
}

#[test]
fn ctrl_c_cancels_every_call() {
    let (world, cloud) = world(4);
    hold(&world);
    let running = world.start(&mut cloud.command(&world, &MIGRATE));
    until("both chunks", || cloud.count("run_chunk", "running") == 2);
    running.signal("-INT");
    assert_eq!(running.wait().code, 130);
    cloud.until_quiet();
    assert_eq!(
        (
            cloud.count("run_chunk", "cancelled"),
            cloud.count("finalize", "cancelled")
        ),
        (2, 1)
    );
    assert_eq!(status(&world, &cloud)["run"]["state"], "interrupted");
    assert!(world.our_commits().is_empty());
}

#[test]
fn stop_from_elsewhere_cancels_every_call() {
    let (world, cloud) = world(4);
    hold(&world);
    detach(&world, &cloud);
    until("both chunks", || cloud.count("run_chunk", "running") == 2);
    let ran = cloud.run(&world, &["stop", "last"]);
    assert_eq!(
        (ran.code, ran.stdout.contains("it is interrupted")),
        (0, true),
        "{}{}",
        ran.stdout,
        ran.stderr
    );
    cloud.until_quiet();
    assert_eq!(
        (
            cloud.count("run_chunk", "cancelled"),
            cloud.count("finalize", "cancelled")
        ),
        (2, 1)
    );
    release(&world);
    assert_eq!(
        cloud.run(&world, &MIGRATE).code,
        0,
        "the same command goes on"
    );
    assert!(is_whole(&world));
}

#[test]
fn doctor_looks_from_a_container() {
    let (world, cloud) = world(1);
    let ran = cloud.run(&world, &["doctor", "--on", "modal"]);
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    assert!(
        ran.stdout.contains("in a container on Modal")
            && ran.stdout.matches("answers in").count() == 2,
        "{}",
        ran.stdout
    );
    let wrong = common::Ran::of(
        cloud
            .command(&world, &["doctor", "--on", "modal"])
            .env("MODAL_TOKEN_SECRET", "as-wrong")
            .output()
            .unwrap(),
    );
    assert!(
        wrong.code == 3
            && wrong.stdout.contains("! modal")
            && wrong.stdout.contains("set MODAL_TOKEN_ID"),
        "{}",
        wrong.stdout
    );
}

#[test]
fn a_worker_that_is_not_static_is_said_before_anything_is_deployed() {
    let (world, cloud) = world(1);
    let dynamic = common::binary("hf2ms-worker");
    let ran = common::Ran::of(
        cloud
            .command(&world, &MIGRATE[..6])
            .env("HF2MS_STATIC_WORKER", dynamic)
            .output()
            .unwrap(),
    );
    ran.refused_with(2, "scripts/build-worker.sh");
    assert_eq!(cloud.state()["apps"], json!([]));
}

#[test]
fn a_killed_container_is_replaced() {
    let (world, cloud) = world(4);
    cloud.fault(json!({"do": "kill", "function": "run_chunk", "line": "\"started\""}));
    let ran = cloud.run(&world, &MIGRATE);
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    assert!(is_whole(&world));
    assert!(
        cloud
            .calls("run_chunk")
            .iter()
            .any(|call| call["deliveries"] == 2),
        "{:?}",
        cloud.calls("run_chunk")
    );
}

#[test]
fn a_chunk_delivered_twice_does_no_harm() {
    let (world, cloud) = world(4);
    cloud.fault(json!({"do": "twice", "function": "run_chunk", "count": 2}));
    assert_eq!(cloud.run(&world, &MIGRATE).code, 0);
    assert!(is_whole(&world));
    assert_eq!(world.our_commits().len(), 1);
}

#[test]
fn a_finalizer_killed_after_its_commit_begins_again_and_commits_once() {
    let (world, cloud) = world(4);
    cloud.fault(json!({"do": "kill", "function": "finalize", "line": "\"committed\""}));
    let ran = cloud.run(&world, &MIGRATE);
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    assert_eq!((is_whole(&world), world.our_commits().len()), (true, 1));
    assert_eq!(cloud.calls("finalize")[0]["deliveries"], 2);
}

#[test]
fn results_that_are_gone_are_made_up_for_by_comparing_from_here() {
    let (world, cloud) = world(4);
    detach(&world, &cloud);
    cloud.until_quiet();
    assert!(cloud.act("expire") > 0);
    let ran = cloud.run(&world, &["attach", "--json"]);
    assert_eq!(
        (ran.code, &ran.event("report")["verification"]["equal"]),
        (0, &json!(5)),
        "{}{}",
        ran.stdout,
        ran.stderr
    );
    assert!(ran.stdout.contains("results for about 7 days"));
}

#[test]
fn a_token_that_a_hub_refuses_ends_the_other_calls_and_nothing_is_committed() {
    let (world, cloud) = world(4);
    world.fault(&json!({"route": "ms.batch", "kind": {"do": "status", "status": 401}}).to_string());
    let ran = cloud.run(&world, &MIGRATE);
    assert_eq!(ran.code, 3, "{}{}", ran.stdout, ran.stderr);
    assert!(
        ran.stdout.contains("refuses MODELSCOPE_TOKEN"),
        "{}",
        ran.stdout
    );
    assert!(world.our_commits().is_empty());
    cloud.until_quiet();
}

#[test]
fn no_token_is_anywhere_but_in_the_secret() {
    let (world, cloud) = world(2);
    const HF: &str = "hf_sandbox_canary";
    let ran = common::Ran::of(
        cloud
            .command(&world, &MIGRATE)
            .env("HF_TOKEN", HF)
            .env("HF2MS_LOG", "debug")
            .output()
            .unwrap(),
    );
    let state = std::process::Command::new("grep")
        .args(["-rl", "-e", ALICE, "-e", HF, "-e", "as-loopback"])
        .arg(world.path("state"))
        .output();
    let logs = cloud.run(&world, &["logs", "last"]);
    for text in [
        &ran.stdout,
        &ran.stderr,
        &logs.stdout,
        &cloud.requests(),
        &String::from_utf8_lossy(&state.unwrap().stdout).into_owned(),
    ] {
        assert!(
            !text.contains(ALICE)
                && !text.contains(HF)
                && !text.contains("as-loopback")
                && !text.contains("/state/"),
            "{text}"
        );
    }
}

#[test]
fn a_hundred_calls_are_gathered_by_another_process_than_the_one_that_made_them() {
    let (world, cloud) = world(100);
    let args = [
        "migrate",
        "alice/model",
        "--on",
        "modal",
        "--containers",
        "8",
        "--chunk-size",
        "0.0003",
        "--json",
    ];
    let running = world.start(&mut cloud.command(&world, &args));
    until("the finalizer's call", || {
        !cloud.calls("finalize").is_empty()
    });
    running.signal("-KILL");
    drop(running);
    assert_eq!(cloud.calls("run_chunk").len(), 100);
    let ran = cloud.run(&world, &["attach", "--json"]);
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    assert_eq!(
        (
            &ran.event("report")["chunks"],
            &ran.event("report")["moved"]
        ),
        (&json!(100), &json!(100))
    );
    assert!(is_whole(&world));
    assert_eq!(world.uploads().len(), 100, "each blob once");
    assert!(cloud.state()["peak"]["run_chunk"].as_u64() <= Some(8));
}
