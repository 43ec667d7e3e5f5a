//! Containers that are stopped, killed or left behind.

use super::*;

fn state(fleet: &Fleet) -> Value {
    fleet.run(&["runs", "--json"]).events()[0]["state"].clone()
}

#[test]
fn a_signal_or_a_stop_leaves_no_container_and_no_half_blob() {
    if !docker_or_skip("a_signal_or_a_stop_leaves_no_container_and_no_half_blob") {
        return;
    }
    let stop = |fleet: &Fleet, _: &Running| {
        let stopped = Ran::of(fleet.hf2ms(&["stop", "--json"]).output().unwrap());
        assert_eq!(
            (stopped.code, fleet.containers()),
            (0, vec![]),
            "{}{}",
            stopped.stdout,
            stopped.stderr
        );
        let said = &stopped.events()[0];
        assert_eq!(
            (&said["was"], &said["state"], &said["removed"]),
            (&json!("running"), &json!("interrupted"), &json!(0))
        );
    };
    let endings: [Ending<'_>; 3] = [
        &|_, running| running.signal("-INT"),
        &|_, running| running.signal("-TERM"),
        &stop,
    ];
    for way in endings {
        let fleet = Fleet::with_model();
        let running = fleet.in_mid_upload();
        assert_eq!(fleet.working().len(), 1);
        way(&fleet, &running);
        let ran = running.wait();
        assert_eq!(
            (ran.code, fleet.containers()),
            (130, vec![]),
            "{}{}",
            ran.stdout,
            ran.stderr
        );
        assert_eq!(
            (
                state(&fleet),
                fleet.uploads().len(),
                fleet.our_commits().len()
            ),
            (json!("interrupted"), 1, 0)
        );
        fleet.finishes();
        let stopped = fleet.run(&["stop"]);
        assert!(
            stopped.code == 0 && stopped.stdout.contains("has ended already: it is done"),
            "{}",
            stopped.stdout
        );
    }
}

/// Kills the controller; its worker ends by itself, and what is left of it lies there.
fn killed(fleet: &Fleet) {
    let running = fleet.in_mid_upload();
    running.signal("-KILL");
    running.wait();
    until("the end of the worker", || fleet.working().is_empty());
    assert_eq!(
        (fleet.containers().len(), state(fleet)),
        (1, json!("killed"))
    );
}

#[test]
fn a_killed_controllers_containers_end_and_the_next_start_clears_them() {
    if !docker_or_skip("a_killed_controllers_containers_end_and_the_next_start_clears_them") {
        return;
    }
    let fleet = Fleet::with_model();
    killed(&fleet);
    let doctor = Ran::of(
        fleet
            .hf2ms(&[
                "doctor",
                "--on",
                "docker",
                "--network",
                &fleet.network().name,
            ])
            .output()
            .unwrap(),
    );
    assert!(
        doctor.stdout.contains("removed 1 container that run"),
        "{}{}",
        doctor.stdout,
        doctor.stderr
    );
    assert!(
        doctor.code == 0 && doctor.stdout.contains("in a container"),
        "{}",
        doctor.stdout
    );
    assert_eq!(fleet.containers(), [""; 0]);
    fleet.finishes();
}

#[test]
fn what_a_killed_run_left_is_cleared_by_stop_even_if_it_hangs() {
    if !docker_or_skip("what_a_killed_run_left_is_cleared_by_stop_even_if_it_hangs") {
        return;
    }
    let fleet = Fleet::with_model();
    let running = fleet.in_mid_upload();
    docker(&["pause", &fleet.the_worker()]);
    running.signal("-KILL");
    running.wait();
    assert_eq!(
        fleet.working().len(),
        1,
        "it can't hear that its line is cut"
    );
    let stopped = Ran::of(fleet.hf2ms(&["stop"]).output().unwrap());
    assert!(
        stopped.stdout.contains("removed 1 container")
            && stopped.stdout.contains("was killed before"),
        "{}{}",
        stopped.stdout,
        stopped.stderr
    );
    assert_eq!((stopped.code, fleet.containers()), (0, vec![]));
    fleet.finishes();
}

#[test]
fn a_start_beside_a_live_run_leaves_its_containers_alone() {
    if !docker_or_skip("a_start_beside_a_live_run_leaves_its_containers_alone") {
        return;
    }
    let fleet = Fleet::with_model();
    let (running, worker) = fleet.held_for(60_000, &mut fleet.migrate());
    let doctor = Ran::of(
        fleet
            .hf2ms(&[
                "doctor",
                "--on",
                "docker",
                "--json",
                "--network",
                &fleet.network().name,
            ])
            .output()
            .unwrap(),
    );
    assert_eq!(
        (doctor.code, fleet.working()),
        (0, vec![worker.clone()]),
        "{}{}",
        doctor.stdout,
        doctor.stderr
    );
    docker(&["kill", "--signal", "TERM", &worker]);
    fleet.done(&running.wait());
    assert_eq!(fleet.losses().len(), 1);
}

#[test]
fn a_daemon_that_goes_away_ends_it_with_one_line() {
    if !docker_or_skip("a_daemon_that_goes_away_ends_it_with_one_line") {
        return;
    }
    let fleet = Fleet::with_model();
    let relay = Relay::new();
    let running = fleet.in_mid_upload_of(fleet.migrate().env("DOCKER_HOST", &relay.address));
    relay.cut();
    let ran = running.wait();
    assert_eq!(ran.code, 1, "{}{}", ran.stdout, ran.stderr);
    assert!(
        ran.event("error")["message"]
            .as_str()
            .unwrap()
            .contains("Docker can't be reached"),
        "{}",
        ran.stdout
    );
    until("the end of the worker, whose line is cut", || {
        fleet.working().is_empty()
    });
    let stopped = Ran::of(fleet.hf2ms(&["stop"]).output().unwrap());
    assert_eq!(
        (stopped.code, fleet.containers()),
        (0, vec![]),
        "{}{}",
        stopped.stdout,
        stopped.stderr
    );
    fleet.finishes();
}

#[test]
fn workers_whose_run_breaks_off_are_removed() {
    if !docker_or_skip("workers_whose_run_breaks_off_are_removed") {
        return;
    }
    let fleet = Fleet::with_model();
    let stall = json!({"do": "stall", "after": 500_000});
    fleet.fault(&json!({"route": "ms_storage.put", "kind": stall, "count": 1, "path": fleet.sha256("b.safetensors")}).to_string());
    let held = fleet.fault(r#"{"route":"ms.batch","kind":{"do":"delay","ms":1500},"count":2}"#);
    let running = fleet.start(fleet.migrate().args(["--containers", "2"]));
    fleet.until_struck(held);
    let journal = fleet.run_file("journal.ndjson");
    fs::remove_file(&journal).unwrap();
    fs::create_dir(&journal).unwrap();
    let ran = running.wait();
    assert_eq!(
        (ran.code, fleet.containers()),
        (1, vec![]),
        "{}{}",
        ran.stdout,
        ran.stderr
    );
    assert!(
        ran.event("error")["message"]
            .as_str()
            .unwrap()
            .contains("journal.ndjson"),
        "{}",
        ran.stdout
    );
    fleet.finishes();
}
