//! Signals and `stop` end a run at once, without a trace at the destination.

use super::*;

/// No file is visible but those of a new repo, and the half blob was not stored.
fn nothing_half_is_visible(world: &World) {
    let files = world.stored("ms", "model", "alice/model").unwrap()["files"].clone();
    assert!(
        files
            .as_array()
            .unwrap()
            .iter()
            .all(|file| file["lfs"] == false && file["sha256"].is_string()),
        "{files}"
    );
    assert_eq!((world.uploads().len(), world.our_commits().len()), (1, 0));
}

#[test]
fn a_signal_ends_it_with_130_and_leaves_no_worker_and_no_half_blob() {
    for name in ["-INT", "-TERM"] {
        let world = World::with_model();
        let running = in_mid_upload(&world);
        running.signal(name);
        let ran = running.wait();
        assert_eq!(
            (ran.code, world.workers().len()),
            (130, 0),
            "{name}: {}",
            ran.stdout
        );
        assert_eq!(
            ran.event("error")["message"],
            "stopped: run the same command again to go on"
        );
        nothing_half_is_visible(&world);
        assert_eq!(
            world.run(&["runs", "--json"]).events()[0]["state"],
            "interrupted"
        );
        finishes(&world);
    }
}

#[test]
fn stop_ends_a_live_run_and_says_how_others_stand() {
    let world = World::with_model();
    let running = in_mid_upload(&world);
    let stopped = world.run(&["stop", "--json"]);
    assert_eq!(
        (stopped.code, world.workers().len()),
        (0, 0),
        "{}",
        stopped.stdout
    );
    assert_eq!(
        (&stopped.events()[0]["was"], &stopped.events()[0]["state"]),
        (&json!("running"), &json!("interrupted"))
    );
    assert_eq!(running.wait().code, 130);
    assert!(
        world
            .run(&["stop"])
            .stdout
            .contains("has ended already: it is interrupted")
    );
    finishes(&world);
    let killed = World::with_model();
    controller_killed_at(&killed, r#"kill -9 $PPID; exec "$worker" "$@""#);
    assert!(
        killed
            .run(&["stop"])
            .stdout
            .contains("was killed before: nothing of it runs")
    );
    world
        .run(&["stop", "nothing"])
        .refused_with(2, "there is no run nothing");
}

#[test]
fn a_signal_is_heard_whatever_is_waited_for() {
    for route in [
        "ms.me",
        "hf.tree",
        "ms.create",
        "ms.batch",
        "ms.commit",
        "ms.git_refs",
    ] {
        let world = World::with_model();
        let running = held_at(&world, route);
        running.signal("-INT");
        until(&format!("the end at {route}"), || {
            fs::read_to_string(format!("/proc/{}/stat", running.id()))
                .unwrap()
                .contains(") Z ")
        });
        let ran = running.wait();
        assert_eq!(
            (ran.code, world.workers().len()),
            (130, 0),
            "{route}: {}",
            ran.stdout
        );
        finishes(&world);
    }
}

#[test]
fn a_lone_worker_says_its_receipt_and_ends_with_130_though_its_line_stays_open() {
    let world = World::with_model();
    world.seed(r#"{"hub":"ms","kind":"model","id":"alice/model","message":"m","files":[],"platform_files":true}"#);
    let held = hold_b(
        &world,
        "ms_storage.put",
        &json!({"do": "stall", "after": 500_000}),
    );
    let mut worker = Command::new(crate::common::binary("hf2ms-worker"));
    worker
        .args(["run", "--attached"])
        .env("MODELSCOPE_TOKEN", crate::common::ALICE)
        .env("MODELSCOPE_ENDPOINT", world.address("ms"))
        .env("HF2MS_STATE", world.path("state"));
    let (line, mut job) = std::io::pipe().unwrap();
    let running = world.start(worker.stdin(Stdio::from(line)));
    std::io::Write::write_all(
        &mut job,
        format!("{}\n", world.chunk_of_both_blobs()).as_bytes(),
    )
    .unwrap();
    world.until_struck(held);
    until("the first blob", || world.uploads().len() == 1);
    // The worker hears of it a moment after the hub has it.
    std::thread::sleep(std::time::Duration::from_secs(1));
    running.signal("-TERM");
    nothing_is_left(&world);
    let ran = running.wait();
    drop(job);
    assert_eq!(
        (ran.code, &ran.event("receipt")["files"][0]["path"]),
        (130, &json!("a.safetensors")),
        "{}",
        ran.stdout
    );
    assert_eq!(
        (
            world.uploads().len(),
            ran.event("receipt")["files"].as_array().unwrap().len()
        ),
        (1, 1)
    );
}
