//! Containers that die, tokens that are refused, and a hundred calls.

use super::*;
use crate::common::docker::{AARCH64, program_for};

#[test]
fn doctor_looks_from_a_container() {
    let (world, cloud) = world(1);
    let ran = cloud.run(&world, &["doctor", "--on", "modal"]);
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    let this = env!("CARGO_PKG_VERSION");
    let app = format!(
        "+ app               {this} is hf2ms-{}-",
        this.replace('.', "-")
    );
    assert!(ran.stdout.contains(&app), "{}", ran.stdout);
    assert!(
        ran.stdout.contains("in a container on Modal")
            && ran.stdout.matches("answers in").count() == 2,
        "{}",
        ran.stdout
    );
    let wrong = crate::common::Ran::of(
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
fn a_worker_that_modal_cant_run_is_said_before_anything_is_deployed() {
    let (world, cloud) = world(1);
    let dynamic = crate::common::binary("hf2ms-worker");
    let arm = world.path("worker-for-arm");
    fs::write(&arm, program_for(AARCH64)).unwrap();
    for (worker, words) in [
        (dynamic, "scripts/build-worker.sh"),
        (arm, "is a program for aarch64, and these containers run on"),
    ] {
        let mut command = cloud.command(&world, &MIGRATE[..6]);
        command.env("HF2MS_STATIC_WORKER", worker);
        let ran = crate::common::Ran::of(command.output().unwrap());
        ran.refused_with(2, words);
    }
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
    let ran = crate::common::Ran::of(
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
