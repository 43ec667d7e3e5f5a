//! What ends a batch: refused tokens, signals, a killed process.

use super::*;

/// The first repo is moved, the others were done before.
const AGAIN: [&str; 3] = ["moved", "there_already", "there_already"];

#[test]
fn a_token_that_is_refused_ends_all() {
    let names = [
        "alice/ra", "alice/rb", "alice/rc", "alice/rd", "alice/re", "alice/rf", "alice/rg",
        "alice/rh",
    ];
    let world = world(&names.map(|name| (name, 300_000)));
    let ran = world.run_with(
        &[&["batch", "--json"], &names[..]].concat(),
        &[("MODELSCOPE_TOKEN", "ms-wrong")],
    );
    assert_eq!((ran.code, states(&ran)), (3, vec!["failed".to_owned(); 8]));
    assert!(
        reason(&ran, 0).contains("refuses MODELSCOPE_TOKEN")
            && reason(&ran, 7).starts_with("not tried: "),
        "{}",
        ran.stdout
    );
    assert!(
        world.requests("ms.me") <= 4,
        "{} were tried",
        world.requests("ms.me")
    );
}

#[test]
fn a_token_that_is_revoked_half_way_ends_all() {
    let names = [
        "alice/ra", "alice/rb", "alice/rc", "alice/rd", "alice/re", "alice/rf", "alice/rg",
        "alice/rh",
    ];
    let world = world(&names.map(|name| (name, 300_000)));
    let held = hold(
        &world,
        "ms.batch",
        "alice",
        &json!({"do": "delay", "ms": 1500}),
    );
    let running = world.start(&mut world.command(&[&["batch", "--json"], &names[..]].concat()));
    world.until_struck(held);
    world
        .admin(
            "POST",
            "/token/revoke",
            &json!({"token": crate::common::ALICE}).to_string(),
        )
        .unwrap();
    let ran = running.wait();
    assert_eq!(
        (ran.code, states(&ran)),
        (3, vec!["failed".to_owned(); 8]),
        "{}",
        ran.stdout
    );
    assert!(
        reason(&ran, 7).starts_with("not tried: ")
            && reason(&ran, 7).contains("refuses MODELSCOPE_TOKEN"),
        "{}",
        reason(&ran, 7)
    );
    assert!(world.workers().is_empty());
    world
        .admin(
            "POST",
            "/token/restore",
            &json!({"token": crate::common::ALICE}).to_string(),
        )
        .unwrap();
    let again = world.run(&[&["batch", "--json"], &names[..]].concat());
    assert_eq!(
        (again.code, states(&again)),
        (0, vec!["moved".to_owned(); 8]),
        "{}",
        again.stdout
    );
}

/// One worker: the second repo is carried, committed and verified while the first one's commit is held.
#[test]
fn the_next_repo_is_carried_while_one_is_committed_and_a_stop_leaves_nothing_running() {
    let world = world(&[
        ("alice/ra", 300_000),
        ("alice/rb", 400_000),
        ("alice/rc", 500_000),
    ]);
    let held = hold(
        &world,
        "ms.commit",
        "alice/ra",
        &json!({"do": "delay", "ms": 60_000}),
    );
    let running = world.start(&mut world.command(&[
        "batch",
        "alice/ra",
        "alice/rb",
        "alice/rc",
        "--containers",
        "1",
        "--json",
    ]));
    world.until_struck(held);
    until("the other repos", || {
        runs(&world)
            .iter()
            .filter(|(_, state)| state == "done")
            .count()
            == 2
    });
    running.signal("-INT");
    let ran = running.wait();
    assert_eq!(
        (ran.code, states(&ran)),
        (
            130,
            ["failed", "moved", "moved"].map(str::to_owned).to_vec()
        ),
        "{}",
        ran.stdout
    );
    copied(&world, &["alice/rb", "alice/rc"]);
    until("the end of all workers", || world.workers().is_empty());
    let expected = [
        ("alice/ra", "interrupted"),
        ("alice/rb", "done"),
        ("alice/rc", "done"),
    ];
    assert_eq!(
        runs(&world),
        expected.map(|(id, state)| (id.to_owned(), state.to_owned()))
    );
    the_same_command_commits_once(&world);
}

/// What a run of ours made is continued, and nothing is done twice.
fn the_same_command_commits_once(world: &World) {
    world.admin("DELETE", "/faults", "");
    world.admin("POST", "/counters/reset", "");
    let again = world.run(&["batch", "alice/ra", "alice/rb", "alice/rc", "--json"]);
    assert_eq!(
        (again.code, states(&again)),
        (0, AGAIN.map(str::to_owned).to_vec()),
        "{}",
        again.stdout
    );
    copied(world, &["alice/ra"]);
    assert_eq!(
        (
            world.requests("ms_storage.put"),
            world.requests("ms.commit")
        ),
        (0, 1),
        "nothing is done twice"
    );
}

#[test]
fn a_batch_that_is_killed_goes_on_where_it_was() {
    let world = world(&[
        ("alice/ra", 900_000),
        ("alice/rb", 400_000),
        ("alice/rc", 500_000),
    ]);
    let oid = world.stored("hf", "model", "alice/ra").unwrap()["files"][1]["sha256"].clone();
    let held = hold(
        &world,
        "ms_storage.put",
        oid.as_str().unwrap(),
        &json!({"do": "stall", "after": 200_000}),
    );
    let batch = [
        "batch",
        "alice/ra",
        "alice/rb",
        "alice/rc",
        "--containers",
        "2",
        "--json",
    ];
    let running = world.start(&mut world.command(&batch));
    world.until_struck(held);
    until("the other repos", || {
        runs(&world)
            .iter()
            .filter(|(_, state)| state == "done")
            .count()
            == 2
    });
    running.signal("-KILL");
    running.wait();
    until("the end of all workers", || world.workers().is_empty());
    world.admin("DELETE", "/faults", "");
    world.admin("POST", "/counters/reset", "");
    let ran = world.run(&batch);
    assert_eq!(
        (ran.code, states(&ran)),
        (0, AGAIN.map(str::to_owned).to_vec()),
        "{}",
        ran.stdout
    );
    copied(&world, &["alice/ra", "alice/rb", "alice/rc"]);
    assert_eq!(
        (
            world.requests("ms_storage.put"),
            world.requests("ms.commit")
        ),
        (1, 1),
        "what was done is proven"
    );
}

#[test]
fn what_someone_else_made_after_a_run_of_ours_failed_is_skipped() {
    let world = world(&[("alice/ra", 300_000)]);
    world.fault(r#"{"route":"ms.create","kind":{"do":"status","status":403,"envelope":{"code":403,"message":"no"}},"count":1}"#);
    assert_eq!(world.run(&["batch", "alice/ra"]).code, 3);
    seed(&world, "ms", "model", "alice/ra", 700_000);
    let ran = world.run(&["batch", "alice/ra", "--json"]);
    assert_eq!(
        (ran.code, states(&ran)),
        (0, vec!["skipped".to_owned()]),
        "{}",
        ran.stdout
    );
}

#[test]
fn what_was_created_without_an_answer_is_gone_on_with() {
    let world = world(&[("alice/ra", 300_000)]);
    world.fault(r#"{"route":"ms.create","kind":{"do":"lose_answer"},"count":1}"#);
    let held =
        world.fault(r#"{"route":"ms.create","kind":{"do":"delay","ms":60000},"skip":1,"count":1}"#);
    let running = world.start(&mut world.command(&["batch", "alice/ra"]));
    world.until_struck(held);
    running.signal("-TERM");
    assert_eq!(running.wait().code, 130);
    world.admin("DELETE", "/faults", "");
    let ran = world.run(&["batch", "alice/ra", "--json"]);
    assert_eq!(
        (ran.code, states(&ran)),
        (0, vec!["moved".to_owned()]),
        "{}",
        ran.stdout
    );
    copied(&world, &["alice/ra"]);
}
