//! Others at work on the same repo, and answers that are lost: what is written is looked up, never done twice, and nothing
//! of anyone else's is undone.

use std::io::Write;
use std::process::{Command, Stdio};

use crate::common::processes::until;
use crate::common::{Ran, World};
use serde_json::{Value, json};

const MIGRATE: &[&str] = &["migrate", "alice/model", "--json"];
/// Pauses too short to notice.
const HASTY: &[(&str, &str)] = &[("HF2MS_RETRY_BASE", "0.01")];

fn done(world: &World, ran: &Ran) {
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    assert!(world.is_copied("model", "alice/model", "alice/model"));
}

/// The text of a file of the copy, by its digest; `None` if it is not there.
fn sha256(world: &World, path: &str) -> Option<String> {
    let files = world.stored("ms", "model", "alice/model")?["files"].clone();
    let file = files
        .as_array()?
        .iter()
        .find(|file| file["path"] == path)?
        .clone();
    file["sha256"].as_str().map(str::to_owned)
}

fn commit_of_someone_else(files: Value) -> String {
    json!({"hub": "ms", "kind": "model", "id": "alice/model", "message": "someone else's", "files": files}).to_string()
}

/// Someone else commits these files just before the next commit of ours.
fn overtake(world: &World, files: Value) {
    world.fault(
        &json!({"route": "ms.commit", "kind": {"do": "moved", "files": files}, "count": 1})
            .to_string(),
    );
}

fn refuse_commits(world: &World, count: Option<u64>, status: u16, code: u64, message: &str) {
    let kind =
        json!({"do": "status", "status": status, "envelope": {"code": code, "message": message}});
    world.fault(&json!({"route": "ms.commit", "kind": kind, "count": count}).to_string());
}

#[test]
fn what_someone_else_commits_meanwhile_stays() {
    let world = World::with_model();
    overtake(&world, json!([{"path": "theirs.txt", "text": "theirs"}]));
    done(&world, &world.run_with(MIGRATE, HASTY));
    assert!(sha256(&world, "theirs.txt").is_some());
    assert_eq!(world.our_commits().len(), 1);
}

#[test]
fn a_commit_that_was_overtaken_is_compared_and_made_once_however_the_hub_says_so() {
    let forms = [
        (409, 409, "conflict"),
        (409, 10_030_000_001, "branch changed, please retry"),
        (400, 10_030_000_001, "rejected"),
        (400, 400, "could not update refs"),
        (400, 400, "Branch changed since it was read"),
        (200, 10_030_000_001, "rejected"),
    ];
    for (status, code, message) in forms {
        let world = World::with_model();
        overtake(&world, json!([{"path": "theirs.txt", "text": "theirs"}]));
        refuse_commits(&world, Some(1), status, code, message);
        done(&world, &world.run_with(MIGRATE, HASTY));
        assert_eq!(
            (world.our_commits().len(), world.requests("ms.commit")),
            (1, 2),
            "{status} {code} {message}"
        );
        assert!(sha256(&world, "theirs.txt").is_some());
    }
}

#[test]
fn what_someone_else_wrote_alike_is_not_written_again() {
    let world = World::with_model();
    overtake(
        &world,
        json!([{"path": "config.json", "text": "{}"}, {"path": "a.safetensors", "size": 3_000_000, "seed": 1}]),
    );
    refuse_commits(&world, Some(1), 409, 10_030_000_001, "branch changed");
    done(&world, &world.run_with(MIGRATE, HASTY));
    let commits = world.our_commits();
    assert_eq!(
        (commits.len(), commits[0]["actions"].as_u64()),
        (1, Some(4)),
        "six files less two: {commits:?}"
    );
}

#[test]
fn a_branch_that_never_rests_is_given_up_and_said_and_later_costs_one_commit() {
    let world = World::with_model();
    refuse_commits(&world, None, 409, 10_030_000_001, "branch changed");
    let ran = world.run_with(MIGRATE, HASTY);
    let report = ran.event("report");
    assert_eq!(
        (
            ran.code,
            report["state"].as_str(),
            report["failed"][0]["kind"].as_str()
        ),
        (1, Some("incomplete"), Some("conflict"))
    );
    assert!(
        world.requests("ms.commit") <= 14,
        "{} tries",
        world.requests("ms.commit")
    );
    world.admin("DELETE", "/faults", "");
    let before = world.uploads();
    done(&world, &world.run(MIGRATE));
    assert_eq!(
        (world.uploads(), world.our_commits().len()),
        (before, 1),
        "no blob is sent again"
    );
}

/// The run left exactly these files alone and named each as a conflict; the others are there.
fn conflicts(ran: &Ran, paths: &[&str]) {
    let report = ran.event("report");
    let failed: Vec<_> = report["failed"]
        .as_array()
        .unwrap()
        .iter()
        .map(|failed| {
            assert_eq!(failed["kind"], "conflict", "{report}");
            assert!(
                failed["error"].as_str().unwrap().contains("left alone"),
                "{report}"
            );
            failed["path"].as_str().unwrap()
        })
        .collect();
    assert_eq!((ran.code, failed), (1, paths.to_vec()), "{report}");
    let found = &report["verification"];
    assert_eq!(found["equal"], found["checked"], "{report}");
}

/// A world whose model was copied once and has got another text and a new file since.
fn copied_and_changed() -> World {
    let world = World::with_model();
    done(&world, &world.run(MIGRATE));
    let changed = json!([{"path": "config.json", "text": "ours"}, {"path": "new.bin", "size": 5000, "seed": 9}]);
    world.seed(
        &json!({"hub": "hf", "kind": "model", "id": "alice/model", "message": "m", "files": changed})
            .to_string(),
    );
    world
}

#[test]
fn what_someone_else_changed_meanwhile_is_left_alone_and_named_unless_overwrite_says_so() {
    for (args, words) in [(&[][..], Some("conflict")), (&["--overwrite"], None)] {
        let world = copied_and_changed();
        let slow = world.fault(r#"{"route":"ms.batch","kind":{"do":"delay","ms":600},"count":1}"#);
        let running = world.start(&mut world.command(&[MIGRATE, args].concat()));
        world.until_struck(slow);
        let theirs = json!([{"path": "config.json", "text": "theirs"}]);
        world.seed(&commit_of_someone_else(theirs));
        let before = sha256(&world, "config.json");
        let ran = running.wait();
        if words.is_none() {
            done(&world, &ran);
            continue;
        }
        conflicts(&ran, &["config.json"]);
        assert_eq!(sha256(&world, "config.json"), before, "theirs stays");
        assert!(sha256(&world, "new.bin").is_some(), "the other files go on");
        let shown = world.run(&["status"]).stdout;
        assert!(
            shown.contains("conflict    config.json: someone else changed it"),
            "{shown}"
        );
        done(&world, &world.run(MIGRATE));
    }
}

#[test]
fn a_commit_that_someone_else_overtook_leaves_theirs_alone_too() {
    let world = copied_and_changed();
    overtake(&world, json!([{"path": "config.json", "text": "theirs"}]));
    refuse_commits(&world, Some(1), 409, 10_030_000_001, "branch changed");
    conflicts(&world.run_with(MIGRATE, HASTY), &["config.json"]);
}

#[test]
fn two_machines_with_one_destination_do_not_undo_each_other() {
    let world = copied_and_changed();
    world.seed(r#"{"hub":"hf","kind":"model","id":"alice/other","message":"m","files":[{"path":"config.json","text":"of the other"},{"path":"other.bin","size":5000,"seed":3}]}"#);
    let slow = world.fault(r#"{"route":"ms.batch","kind":{"do":"delay","ms":900},"count":1}"#);
    let mut other = world.command(&["migrate", "alice/other", "--dest", "alice/model", "--json"]);
    let other = world.start(other.env("HF2MS_STATE", world.path("another")));
    world.until_struck(slow);
    done(&world, &world.run(MIGRATE));
    conflicts(&other.wait(), &["config.json"]);
    assert!(sha256(&world, "other.bin").is_some());
    assert!(world.is_copied("model", "alice/model", "alice/model"));
}

#[test]
fn a_file_that_was_equal_and_is_not_any_more_is_a_conflict_and_no_corruption() {
    let world = World::with_model();
    done(&world, &world.run(MIGRATE));
    world.seed(r#"{"hub":"hf","kind":"model","id":"alice/model","message":"m","files":[{"path":"new.txt","text":"new"}]}"#);
    overtake(
        &world,
        json!([{"path": "b.safetensors", "text": "not ours"}]),
    );
    conflicts(&world.run_with(MIGRATE, HASTY), &["b.safetensors"]);
    done(&world, &world.run(MIGRATE));
    assert_eq!(world.uploads().len(), 2, "the blob is there still");
}

#[test]
fn a_file_that_someone_else_deleted_first_is_a_deletion_done() {
    let world = World::with_model();
    for file in ["old.txt", "older.txt"] {
        world.seed(&commit_of_someone_else(
            json!([{"path": file, "text": "old"}]),
        ));
    }
    let slow = world.fault(r#"{"route":"ms.batch","kind":{"do":"delay","ms":600},"count":1}"#);
    let running = world.start(&mut world.command(&[
        "migrate",
        "alice/model",
        "--json",
        "--prune",
        "--max-delete",
        "2",
    ]));
    world.until_struck(slow);
    world.seed(r#"{"hub":"ms","kind":"model","id":"alice/model","message":"m","files":[],"delete":["old.txt"]}"#);
    done(&world, &running.wait());
    assert_eq!(
        (
            sha256(&world, "old.txt"),
            sha256(&world, "older.txt"),
            world.our_commits().len()
        ),
        (None, None, 1)
    );
}

#[test]
fn a_commit_whose_answer_is_lost_is_made_once() {
    let world = World::with_model();
    world.fault(r#"{"route":"ms.commit","kind":{"do":"lose_answer"},"count":1}"#);
    let ran = world.run_with(MIGRATE, HASTY);
    done(&world, &ran);
    assert_eq!(
        (world.our_commits().len(), world.requests("ms.commit")),
        (1, 1)
    );
    assert_eq!(ran.event("report")["commits"], 1);
}

#[test]
fn a_creation_whose_answer_is_lost_is_looked_up_and_keeps_its_visibility() {
    for private in [false, true] {
        let world = World::with_model();
        world.admin(
            "POST",
            "/repo",
            &json!({"hub": "hf", "kind": "model", "id": "alice/model", "private": private})
                .to_string(),
        );
        world.fault(r#"{"route":"ms.create","kind":{"do":"lose_answer"},"count":1}"#);
        done(
            &world,
            &world.run_with(MIGRATE, &[("HF_TOKEN", "hf_sandboxAliceWrite")]),
        );
        assert_eq!(
            world.stored("ms", "model", "alice/model").unwrap()["private"],
            private
        );
        assert_eq!(world.our_commits().len(), 1);
    }
}

#[test]
fn an_upload_whose_answer_is_lost_is_not_sent_again() {
    let world = World::with_model();
    world.fault(r#"{"route":"ms_storage.put","kind":{"do":"lose_answer"},"count":1}"#);
    let ran = world.run_with(MIGRATE, HASTY);
    done(&world, &ran);
    let put = world.admin("GET", "/counters", "").unwrap()["ms_storage.put"].clone();
    assert_eq!(
        (put["requests"].as_u64(), put["bytes_in"].as_u64()),
        (Some(2), Some(5_000_000))
    );
    assert_eq!(ran.event("report")["sent"], 5_000_000);
}

/// Runs a migration whose creation is overtaken by someone who makes the repo, with a file and this visibility.
fn created_meanwhile(world: &World, visibility: &str) -> Ran {
    let slow = world.fault(r#"{"route":"ms.create","kind":{"do":"delay","ms":600},"count":1}"#);
    let mut command = world.command(&["migrate", "alice/model"]);
    let running = world.start(command.env("HF_TOKEN", "hf_sandboxAliceWrite"));
    world.until_struck(slow);
    world.seed(&commit_of_someone_else(json!([{"path": "theirs.txt", "text": "theirs"}, {"path": "config.json", "text": "theirs"}])));
    world.admin(
        "POST",
        "/repo",
        &json!({"hub": "ms", "kind": "model", "id": "alice/model", "visibility": visibility})
            .to_string(),
    );
    running.wait()
}

#[test]
fn a_repo_that_was_created_meanwhile_is_adopted_and_what_was_written_there_stays() {
    for (private, visibility) in [(false, "public"), (false, "private"), (true, "private")] {
        let world = World::with_model();
        world.admin(
            "POST",
            "/repo",
            &json!({"hub": "hf", "kind": "model", "id": "alice/model", "private": private})
                .to_string(),
        );
        let ran = created_meanwhile(&world, visibility);
        let theirs = "conflict    config.json: someone else changed it";
        assert!(
            ran.code == 1 && ran.stdout.contains(theirs),
            "{}{}",
            ran.stdout,
            ran.stderr
        );
        assert!(
            ran.stderr
                .contains("alice/model was created by someone else meanwhile"),
            "{}",
            ran.stderr
        );
        assert!(sha256(&world, "theirs.txt").is_some());
        assert_eq!(
            world.stored("ms", "model", "alice/model").unwrap()["visibility"],
            visibility
        );
    }
}

#[test]
fn a_public_repo_that_appeared_where_ours_is_to_be_private_is_refused() {
    let world = World::with_model();
    world.admin(
        "POST",
        "/repo",
        r#"{"hub":"hf","kind":"model","id":"alice/model","private":true}"#,
    );
    created_meanwhile(&world, "public").refused_with(3, "alice/model is public at the destination");
    assert_eq!(
        (world.requests("ms_storage.put"), world.our_commits().len()),
        (0, 0)
    );
    assert_eq!(
        world.stored("ms", "model", "alice/model").unwrap()["files"]
            .as_array()
            .unwrap()
            .len(),
        2
    );
}

#[test]
fn an_id_that_is_taken_by_what_we_may_not_see_is_refused() {
    let world = World::with_model();
    world.fault(r#"{"route":"ms.create","kind":{"do":"status","status":400,"envelope":{"code":10010101001,"message":"taken"}},"count":1}"#);
    world
        .run(&["migrate", "alice/model"])
        .refused_with(3, "use --dest with another id");
    assert_eq!(world.requests("ms_storage.put"), 0);
}

#[test]
fn two_workers_with_one_chunk_do_no_harm() {
    let world = World::with_model();
    world.seed(r#"{"hub":"ms","kind":"model","id":"alice/model","message":"m","files":[],"platform_files":true}"#);
    world.admin("POST", "/settings", r#"{"ms_up":10000000}"#);
    let chunk = world.chunk_of_both_blobs();
    let start = || {
        let mut worker = Command::new(crate::common::binary("hf2ms-worker"));
        worker
            .arg("run")
            .env("MODELSCOPE_TOKEN", crate::common::ALICE)
            .env("MODELSCOPE_ENDPOINT", world.address("ms"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let mut worker = worker.spawn().unwrap();
        worker
            .stdin
            .take()
            .unwrap()
            .write_all(chunk.as_bytes())
            .unwrap();
        worker
    };
    for worker in [start(), start()] {
        let ran = Ran::of(worker.wait_with_output().unwrap());
        assert_eq!(
            (
                ran.code,
                ran.event("receipt")["files"].as_array().unwrap().len()
            ),
            (0, 2),
            "{}",
            ran.stdout
        );
    }
    let before = world.requests("ms_storage.put");
    assert!(before > 2, "they met: {before} uploads");
    let ran = world.run(MIGRATE);
    done(&world, &ran);
    assert_eq!(
        (
            ran.event("report")["reused"].as_u64(),
            world.requests("ms_storage.put")
        ),
        (Some(2), before)
    );
}

#[test]
fn a_second_controller_says_who_is_first_and_the_lock_dies_with_its_holder() {
    let world = World::with_model();
    let still = world.fault(r#"{"route":"ms.batch","kind":{"do":"delay","ms":60000},"count":1}"#);
    let first = world.start(&mut world.command(MIGRATE));
    world.until_struck(still);
    let id = world
        .run_file("")
        .file_name()
        .unwrap()
        .to_str()
        .unwrap()
        .to_owned();
    let before = ["ms.batch", "ms.files", "hf.tree"].map(|route| world.requests(route));
    let second = world.run(&["migrate", "alice/model"]);
    second.refused_with(
        1,
        &format!(
            "run {id} is writing to alice/model on ModelScope: wait until it ends, or end it with hf2ms stop"
        ),
    );
    let asked = ["ms.batch", "ms.files", "hf.tree"].map(|route| world.requests(route));
    assert_eq!(asked, before, "the second one asks for nothing large");
    assert_eq!(
        world
            .run(&["migrate", "alice/model", "--dest", "alice/other"])
            .code,
        0,
        "another destination is free"
    );
    first.signal("-KILL");
    first.wait();
    done(&world, &world.run(MIGRATE));
}

#[test]
fn two_controllers_that_know_nothing_of_each_other_do_no_harm() {
    let world = World::with_model();
    world.admin(
        "POST",
        "/settings",
        r#"{"ms_up":10000000,"ms_commit_ms":200}"#,
    );
    let start = |state: &str| {
        let mut command = world.command(MIGRATE);
        world.start(
            command
                .envs(HASTY.iter().copied())
                .env("HF2MS_STATE", world.path(state)),
        )
    };
    let both = [start("one"), start("two")];
    until("a commit", || world.requests("ms.commit") > 0);
    for running in both {
        done(&world, &running.wait());
    }
}
