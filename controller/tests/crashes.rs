//! Death anywhere, by any hand: nothing is left running, nothing half is visible, and the same command finishes without
//! sending again what had arrived.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use std::fs;
use std::process::{Command, Stdio};
use std::time::Duration;

use common::processes::{Running, signal, until};
use common::{Ran, World};
use serde_json::{Value, json};

const MIGRATE: &[&str] = &["migrate", "alice/model", "--json"];

fn done(world: &World, ran: &Ran) {
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    assert!(world.is_copied("model", "alice/model", "alice/model"));
}

/// The same command finishes, and each of the two blobs has been stored by one upload in all.
fn finishes(world: &World) -> Ran {
    world.admin("DELETE", "/faults", "");
    let ran = world.run(MIGRATE);
    done(world, &ran);
    assert_eq!(
        (distinct(world), world.uploads().len()),
        (2, 2),
        "{:?}",
        world.uploads()
    );
    ran
}

fn distinct(world: &World) -> usize {
    world
        .uploads()
        .iter()
        .collect::<std::collections::HashSet<_>>()
        .len()
}

/// A fault at the first request on this route for the blob of `b.safetensors`.
fn hold_b(world: &World, route: &str, kind: &Value) -> u64 {
    world.fault(
        &json!({"route": route, "kind": kind, "count": 1, "path": world.sha256("b.safetensors")})
            .to_string(),
    )
}

/// A migration that stands still in the middle of sending the second blob, the first being stored.
fn in_mid_upload(world: &World) -> Running {
    let held = hold_b(
        world,
        "ms_storage.put",
        &json!({"do": "stall", "after": 500_000}),
    );
    let running = world.start(&mut world.command(MIGRATE));
    world.until_struck(held);
    until("the first blob", || world.uploads().len() == 1);
    running
}

/// A migration whose worker waits for an answer on this route.
fn held_at(world: &World, route: &str) -> Running {
    let held = world.fault(
        &json!({"route": route, "kind": {"do": "delay", "ms": 60_000}, "count": 1}).to_string(),
    );
    let running = world.start(&mut world.command(MIGRATE));
    world.until_struck(held);
    running
}

fn kill_the_worker(world: &World) {
    let workers = world.workers();
    assert_eq!(workers.len(), 1, "{workers:?}");
    signal("-KILL", workers[0]);
}

fn nothing_is_left(world: &World) {
    until("the end of all workers", || world.workers().is_empty());
}

fn with_worker(world: &World, script: &str) -> Command {
    let mut command = world.command(MIGRATE);
    command.env("HF2MS_WORKER", world.scripted_worker(script));
    command
}

fn run(world: &World, command: &mut Command) -> Ran {
    world.start(command).wait()
}

fn lost(ran: &Ran) -> u64 {
    ran.event("report")["lost_workers"].as_u64().unwrap()
}

#[test]
fn a_worker_killed_before_its_first_byte_is_replaced() {
    let world = World::with_model();
    let running = held_at(&world, "ms.batch");
    kill_the_worker(&world);
    let ran = running.wait();
    done(&world, &ran);
    assert_eq!((lost(&ran), world.uploads().len()), (1, 2));
}

#[test]
fn a_worker_killed_in_an_upload_is_replaced_and_only_that_blob_is_sent_again() {
    let world = World::with_model();
    let running = in_mid_upload(&world);
    kill_the_worker(&world);
    let ran = running.wait();
    done(&world, &ran);
    assert_eq!(
        (lost(&ran), world.uploads().len(), distinct(&world)),
        (1, 2, 2)
    );
    let sent = world.admin("GET", "/counters", "").unwrap()["ms_storage.put"]["bytes_in"]
        .as_u64()
        .unwrap();
    assert!(
        sent < 5_000_000 + 2_000_000,
        "{sent} bytes were sent for 5,000,000"
    );
}

#[test]
fn a_worker_killed_after_its_uploads_costs_no_byte() {
    let world = World::with_model();
    let script = format!(
        r#"if [ "$1" = run ] && mkdir '{}' 2>/dev/null; then "$worker" "$@" >/dev/null; kill -9 $$; fi; exec "$worker" "$@""#,
        world.path("once").display()
    );
    let ran = run(&world, &mut with_worker(&world, &script));
    done(&world, &ran);
    let report = ran.event("report");
    assert_eq!(
        (
            lost(&ran),
            report["reused"].as_u64(),
            world.requests("ms_storage.put")
        ),
        (1, Some(2), 2)
    );
}

#[test]
fn a_preempted_worker_is_replaced() {
    let world = World::with_model();
    let running = in_mid_upload(&world);
    signal("-TERM", world.workers()[0]);
    let ran = running.wait();
    done(&world, &ran);
    assert_eq!(
        (lost(&ran), world.uploads().len(), distinct(&world)),
        (1, 2, 2)
    );
}

#[test]
fn a_finalizer_that_dies_before_it_writes_is_replaced() {
    let world = World::with_model();
    let script = format!(
        r#"if [ "$1" = finalize ] && mkdir '{}' 2>/dev/null; then kill -9 $$; fi; exec "$worker" "$@""#,
        world.path("once").display()
    );
    let ran = run(&world, &mut with_worker(&world, &script));
    done(&world, &ran);
    assert_eq!((lost(&ran), world.our_commits().len()), (1, 1));
}

#[test]
fn a_finalizer_that_dies_while_it_verifies_is_replaced_and_commits_once() {
    let world = World::with_model();
    let script = format!(
        r#"if [ "$1" = finalize ] && mkdir '{}' 2>/dev/null; then
             "$worker" "$@" | sed '/"committed"/q'; kill -9 $$; fi; exec "$worker" "$@""#,
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

/// Kills the controller from inside its worker, when that is to do this.
fn controller_killed_at(world: &World, script: &str) {
    let ran = run(world, &mut with_worker(world, script));
    assert_eq!(
        ran.code, -1,
        "killed, not ended: {}{}",
        ran.stdout, ran.stderr
    );
    nothing_is_left(world);
    assert_eq!(
        world.run(&["runs", "--json"]).events()[0]["state"],
        "killed"
    );
}

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
    let mut worker = Command::new(common::binary("hf2ms-worker"));
    worker
        .args(["run", "--attached"])
        .env("MODELSCOPE_TOKEN", common::ALICE)
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

fn tear(world: &World, name: &str, keep: impl Fn(usize) -> usize) {
    let path = world.run_file(name);
    let whole = fs::read(&path).unwrap();
    fs::write(&path, &whole[..keep(whole.len())]).unwrap();
}

#[test]
fn torn_files_of_a_run_cost_what_they_held_and_nothing_else() {
    let world = World::with_model();
    done(&world, &world.run(MIGRATE));
    tear(&world, "journal.ndjson", |length| length - 9);
    tear(&world, "report.json", |_| 0);
    tear(&world, "plan.json", |length| length / 2);
    tear(&world, "known.json", |length| length / 2);
    tear(&world, "proof.json", |length| length / 2);
    assert_eq!(world.run(&["runs", "--json"]).events()[0]["state"], "done");
    let status = world.run(&["status"]);
    assert!(
        status.code == 0 && status.stdout.contains("moved       2 blobs, 5 MB"),
        "{}{}",
        status.stdout,
        status.stderr
    );
    assert!(
        status.stdout.contains("equal             6"),
        "the verification is in the journal: {}",
        status.stdout
    );
    assert_eq!(
        world.run(&["status", "--json"]).events()[0]["report"],
        Value::Null
    );
    let ran = finishes(&world);
    assert_eq!(
        (
            world.our_commits().len(),
            ran.event("report")["sent"].as_u64()
        ),
        (1, Some(0))
    );
}

#[test]
fn a_run_without_a_readable_record_is_passed_over() {
    let world = World::with_model();
    done(&world, &world.run(MIGRATE));
    done(&world, &world.run(MIGRATE));
    tear(&world, "run.json", |length| length / 2);
    let runs = world.run(&["runs", "--json"]);
    assert_eq!((runs.code, runs.events().len()), (0, 1), "{}", runs.stdout);
    assert_eq!(world.run(&["status"]).code, 0);
    done(&world, &world.run(MIGRATE));
}

#[test]
fn a_lock_that_is_torn_or_left_behind_locks_nobody_out() {
    let world = World::with_model();
    done(&world, &world.run(MIGRATE));
    let lock = fs::read_dir(world.path("state").join("locks"))
        .unwrap()
        .flatten()
        .next()
        .unwrap()
        .path();
    for content in [&b""[..], b"01M7W\xff\xfe", b"not a run"] {
        fs::write(&lock, content).unwrap();
        done(&world, &world.run(MIGRATE));
    }
}

#[test]
fn a_worker_that_always_dies_is_tried_three_times_and_reported() {
    let world = World::with_model();
    let deaths = world.path("deaths");
    let script = format!(
        r#"[ "$1" = run ] || exec "$worker" "$@"; echo x >>'{}'; echo no room >&2; kill -9 $$"#,
        deaths.display()
    );
    let ran = run(&world, &mut with_worker(&world, &script));
    let report = ran.event("report");
    assert_eq!(
        (
            ran.code,
            lost(&ran),
            fs::read_to_string(&deaths).unwrap().lines().count()
        ),
        (1, 3, 3),
        "{}",
        ran.stdout
    );
    assert_eq!(
        report["failed"][0]["error"],
        "its worker died 3 times: killed by signal 9: no room"
    );
    assert_eq!(
        report["failed"].as_array().unwrap().len(),
        3,
        "both blobs, and the file that shares one"
    );
    finishes(&world);
}

#[test]
fn what_kills_its_workers_costs_only_its_own_chunk() {
    let world = World::with_model();
    let script = format!(
        r#"[ "$1" = run ] || exec "$worker" "$@"; read -r job; case "$job" in *{}*) kill -9 $$;; esac; echo "$job" | "$worker" run"#,
        world.sha256("b.safetensors")
    );
    let mut command = with_worker(&world, &script);
    let ran = run(&world, command.args(["--containers", "2"]));
    let report = ran.event("report");
    assert_eq!(
        (
            ran.code,
            lost(&ran),
            report["verification"]["equal"].as_u64()
        ),
        (1, 3, Some(5)),
        "{}",
        ran.stdout
    );
    assert_eq!(
        (
            &report["failed"][0]["path"],
            report["failed"].as_array().unwrap().len()
        ),
        (&json!("b.safetensors"), 1)
    );
    finishes(&world);
}

#[test]
fn workers_without_memory_or_that_all_die_end_it_with_one_line() {
    for script in ["kill -9 $$", r#"ulimit -v 12000; exec "$worker" "$@""#] {
        let world = World::with_model();
        let mut command = world.command(&["migrate", "alice/model"]);
        let ran = run(
            &world,
            command.env("HF2MS_WORKER", world.scripted_worker(script)),
        );
        ran.refused_with(1, "died 3 times");
        assert_eq!(world.our_commits().len(), 0);
        finishes(&world);
    }
}

#[test]
fn a_state_that_cannot_be_kept_is_one_clear_line_before_anything_is_created() {
    let world = World::with_model();
    fs::write(world.path("file"), "in the way").unwrap();
    for place in [
        world.path("file"),
        world.path("file").join("below"),
        "/proc/none".into(),
    ] {
        let place = place.to_str().unwrap();
        world
            .run_with(&["migrate", "alice/model"], &[("HF2MS_STATE", place)])
            .refused_with(1, place);
        assert!(world.stored("ms", "model", "alice/model").is_none());
        assert_eq!(world.run_with(&["runs"], &[("HF2MS_STATE", place)]).code, 0);
    }
}

#[test]
fn a_disk_that_fills_up_ends_it_with_one_line_and_no_worker_left() {
    let world = World::with_model();
    let migrate = r#"trap '' XFSZ; ulimit -f 1; exec "$0" migrate alice/model"#;
    let mut shell = Command::new("sh");
    let plain = world.command(&[]);
    shell
        .args(["-c", migrate])
        .arg(plain.get_program())
        .current_dir(world.path(""))
        .env_clear();
    shell.envs(
        plain
            .get_envs()
            .filter_map(|(name, value)| Some((name, value?))),
    );
    let ran = run(&world, &mut shell);
    ran.refused_with(1, "File too large");
    assert!(
        ran.stderr.contains(world.path("state").to_str().unwrap()),
        "{}",
        ran.stderr
    );
    nothing_is_left(&world);
    std::thread::sleep(Duration::from_millis(50));
    finishes(&world);
}
