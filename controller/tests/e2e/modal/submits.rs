//! Submits that break off or are refused.

use super::*;

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
    assert_eq!(status(&world, &cloud)["record"]["state"], "detached");
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
    assert_eq!(status(&world, &cloud)["record"]["state"], "killed");
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
    let ran = crate::common::Ran::of(
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
        crate::common::Ran::of(
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
            crate::common::modal::python().display()
        ),
    )
    .unwrap();
    fs::set_permissions(&bare, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    with(bare.to_str().unwrap()).refused_with(2, "pip install 'hf2ms-cli[modal]'");
    assert_eq!(world.requests("ms.create"), 0);
}
