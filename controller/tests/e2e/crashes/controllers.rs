//! After a killed controller the same command finishes the work.

use super::*;

#[test]
fn a_controller_killed_before_the_fan_out_is_gone_on_with() {
    let world = World::with_model();
    controller_killed_at(&world, r#"kill -9 $PPID; exec "$worker" "$@""#);
    assert_eq!(world.requests("ms_storage.put"), 0);
    finishes(&world);
}

#[test]
fn a_controller_killed_while_it_creates_the_repo_is_gone_on_with() {
    let world = World::with_model();
    world.fault(r#"{"route":"ms.create","kind":{"do":"lose_answer"},"count":1}"#);
    let held =
        world.fault(r#"{"route":"ms.create","kind":{"do":"delay","ms":60000},"skip":1,"count":1}"#);
    let running = world.start(&mut world.command(MIGRATE));
    world.until_struck(held);
    running.signal("-KILL");
    running.wait();
    assert!(
        world.stored("ms", "model", "alice/model").is_some(),
        "it was created, and nobody knows"
    );
    finishes(&world);
}

#[test]
fn a_controller_killed_in_the_fan_out_takes_its_workers_with_it_and_keeps_what_had_arrived() {
    let world = World::with_model();
    let running = in_mid_upload(&world);
    assert_eq!(world.workers().len(), 1);
    running.signal("-KILL");
    running.wait();
    nothing_is_left(&world);
    let ran = finishes(&world);
    let report = ran.event("report");
    assert_eq!(
        (
            report["reused"].as_u64(),
            report["moved"].as_u64(),
            report["sent"].as_u64()
        ),
        (Some(1), Some(1), Some(2_000_000))
    );
}

#[test]
fn a_controller_killed_after_the_fan_out_finds_every_blob_stored() {
    let world = World::with_model();
    controller_killed_at(
        &world,
        r#"[ "$1" = finalize ] && kill -9 $PPID; exec "$worker" "$@""#,
    );
    assert_eq!((world.uploads().len(), world.our_commits().len()), (2, 0));
    assert_eq!(finishes(&world).event("report")["sent"], 0);
    assert_eq!(world.our_commits().len(), 1);
}

#[test]
fn a_controller_killed_in_a_commit_leaves_all_or_nothing() {
    let world = World::with_model();
    let running = held_at(&world, "ms.commit");
    running.signal("-KILL");
    running.wait();
    nothing_is_left(&world);
    assert!(world.our_commits().is_empty());
    finishes(&world);
    assert_eq!(world.our_commits().len(), 1);
}

/// A repo whose change needs two commits.
fn of_two_commits() -> World {
    let world = World::new();
    let file =
        |path: &str, seed: u8| json!({"path": path, "size": 3_300_000, "seed": seed, "lfs": false});
    let files = [
        file("a/config.json", 1),
        file("b/config.json", 2),
        json!({"path": "x.safetensors", "size": 500_000, "seed": 3}),
    ];
    world.seed(
        &json!({"hub": "hf", "kind": "model", "id": "alice/model", "message": "m", "files": files})
            .to_string(),
    );
    world
}

#[test]
fn a_controller_killed_between_commits_writes_only_the_rest() {
    let world = of_two_commits();
    let held =
        world.fault(r#"{"route":"ms.commit","kind":{"do":"delay","ms":60000},"skip":1,"count":1}"#);
    let running = world.start(&mut world.command(MIGRATE));
    // Killed before it asks for the second one, it would leave the fault to the next run.
    world.until_struck(held);
    running.signal("-KILL");
    running.wait();
    nothing_is_left(&world);
    let first = world.our_commits()[0]["actions"].as_u64();
    let ran = world.run(MIGRATE);
    done(&world, &ran);
    let actions: Vec<_> = world
        .our_commits()
        .iter()
        .map(|commit| commit["actions"].as_u64())
        .collect();
    assert_eq!(
        (
            first,
            actions.len(),
            actions[0].unwrap() + actions[1].unwrap()
        ),
        (actions[0], 2, 3),
        "{actions:?}"
    );
    assert_eq!(world.requests("ms_storage.put"), 1);
}

#[test]
fn a_controller_killed_between_its_commit_and_its_report_finds_it_done() {
    let world = World::with_model();
    controller_killed_at(
        &world,
        r#"[ "$1" = finalize ] || exec "$worker" "$@"; "$worker" "$@" | sed '/"committed"/q'; kill -9 $PPID"#,
    );
    assert!(world.is_copied("model", "alice/model", "alice/model"));
    let ran = finishes(&world);
    assert_eq!(
        (
            ran.event("report")["sent"].as_u64(),
            world.our_commits().len()
        ),
        (Some(0), 1)
    );
}

#[test]
fn a_finalizer_that_dies_before_it_tells_of_its_commit_is_not_repeated() {
    let world = World::with_model();
    let script = format!(
        r#"if [ "$1" = finalize ] && mkdir '{}' 2>/dev/null; then "$worker" "$@" >/dev/null; kill -9 $$; fi; exec "$worker" "$@""#,
        world.path("once").display()
    );
    let ran = run(&world, &mut with_worker(&world, &script));
    done(&world, &ran);
    assert_eq!(
        (
            lost(&ran),
            world.our_commits().len(),
            world.requests("ms.commit")
        ),
        (1, 1, 1)
    );
}
