//! What a person and a program learn while `hf2ms` works: the first line, waits, the progress of a run in another terminal, its log,
//! and what is left to move.

mod waits;

use std::fs;

use crate::common::World;
use crate::common::processes::until;
use serde_json::Value;

#[test]
fn status_tells_of_a_run_at_work_and_why_one_failed() {
    let world = World::with_model();
    world.fault(
        r#"{"route":"ms_storage.put","kind":{"do":"slow","bytes_per_second":300000},"count":9}"#,
    );
    let running = world.start(&mut world.command(&["migrate", "alice/model", "--yes"]));
    let status = || world.run(&["status", "--json"]);
    until("the progress", || {
        // There is no run at first.
        status().events().iter().any(|line| {
            line["progress"]["workers"] == 1 && line["progress"]["done_bytes"].as_u64() > Some(0)
        })
    });
    let told = world.run(&["status"]).stdout;
    for words in ["running", "copying", "of 5 MB", "1 worker"] {
        assert!(told.contains(words), "{words} in {told}");
    }
    running.signal("-TERM");
    assert_eq!(running.wait().code, 130);
    world.fault(
        r#"{"route":"ms.batch","kind":{"do":"status","status":403,"body":"no"},"count":99}"#,
    );
    let failed = world.run(&["migrate", "alice/model", "--yes"]);
    assert_ne!(failed.code, 0, "{}", failed.stdout);
    let record = status().event("status");
    let reason = record["record"]["reason"].as_str().unwrap_or_default();
    assert!(!reason.is_empty(), "{record}");
    for verb in [&["status"][..], &["runs"]] {
        let shown = world.run(verb).stdout;
        let begin: String = reason.chars().take(40).collect();
        assert!(shown.contains(&begin), "{begin} in {shown}");
    }
    // A watched run that has ended is shown as any other.
    assert!(world.run(&["status", "--watch"]).stdout.contains("reason"));
}

#[test]
fn the_log_of_a_run_has_its_decisions_retries_and_commits_and_no_token() {
    let world = World::with_model();
    world.fault(r#"{"route":"ms_storage.put","kind":{"do":"status","status":503},"count":1}"#);
    let file = world.path("all.log").display().to_string();
    let arguments = ["migrate", "alice/model", "--yes", "--log-file", &file];
    let copied = world.run_with(&arguments, &[("HF2MS_RETRY_BASE", "0.05")]);
    assert_eq!(copied.code, 0, "{}", copied.stderr);
    let kept = world.run(&["logs"]).stdout;
    let all = fs::read_to_string(&file).unwrap();
    for words in [
        "info    looking at both sides",
        "5 MB to move",
        "copying chunk 0 begins",
        "before another try",
        "503",
        "committed 6 changes",
    ] {
        assert!(kept.contains(words), "{words} in {kept}");
        assert!(all.contains(words), "{words} in {all}");
    }
    assert!(!kept.contains(crate::common::ALICE) && !all.contains(crate::common::ALICE));
    let report = fs::read_to_string(world.run_file("report.json")).unwrap();
    let report: Value = serde_json::from_str(&report).unwrap();
    let last = report["last_error"].as_str().unwrap_or_default();
    assert!(last.contains("503"), "{report}");
}

#[test]
fn quiet_says_the_result_and_verbose_says_each_file() {
    let world = World::with_model();
    let quiet = world.run(&["migrate", "alice/model", "--yes", "-q"]);
    assert_eq!((quiet.code, quiet.stderr.as_str()), (0, ""));
    assert!(
        quiet.stdout.trim_start().starts_with("done and verified"),
        "{}",
        quiet.stdout
    );
    let verbose = world.run(&[
        "migrate",
        "alice/model",
        "--dest",
        "alice/other",
        "--yes",
        "-v",
    ]);
    assert!(
        verbose.stdout.contains("reused: b.safetensors, 2 MB"),
        "{}",
        verbose.stdout
    );
}

#[test]
fn after_an_interruption_the_estimate_is_of_what_is_left() {
    let world = World::with_model();
    world.fault(
        r#"{"route":"ms.commit","kind":{"do":"status","status":403,"body":"no"},"count":1}"#,
    );
    assert_ne!(world.run(&["migrate", "alice/model", "--yes"]).code, 0);
    let asked = world.requests("ms.batch");
    let planned = world.run(&["migrate", "alice/model", "--dry-run", "--json"]);
    let estimate = planned.event("estimate");
    assert_eq!(
        (
            &estimate["to_move_bytes"],
            &estimate["stored"],
            &estimate["stored_bytes"]
        ),
        (&0.into(), &2.into(), &5_000_000.into()),
        "{estimate}"
    );
    assert_eq!(world.requests("ms.batch"), asked + 1, "one request for all");
    let copied = world.run(&["migrate", "alice/model", "--yes"]);
    assert!(
        copied.stdout.contains("uploaded before: 2 blobs, 5 MB"),
        "{}",
        copied.stdout
    );
    assert!(world.is_copied("model", "alice/model", "alice/model"));
}

#[test]
fn of_all_revisions_too_the_estimate_is_of_what_is_left() {
    let world = World::with_model();
    world.fault(
        r#"{"route":"ms.commit","kind":{"do":"status","status":403,"body":"no"},"count":1}"#,
    );
    let migrate = ["migrate", "alice/model", "--all-revisions"];
    assert_ne!(world.run(&migrate).code, 0);
    let planned = world.run(&[&migrate[..], &["--dry-run", "--json"]].concat());
    let estimate = planned.event("estimate");
    assert_eq!(
        (&estimate["to_move_bytes"], &estimate["stored_bytes"]),
        (&0.into(), &5_000_000.into()),
        "{estimate}"
    );
    // A plan writes nowhere, and asks nothing that needs the right to write.
    let only_planned = world.run(&["plan", "alice/model", "--all-revisions", "--json"]);
    let estimate = only_planned.event("estimate");
    assert_eq!(
        (&estimate["to_move_bytes"], &estimate["up_to"]),
        (&5_000_000.into(), &true.into()),
        "{estimate}"
    );
}

#[test]
fn a_plan_of_all_revisions_says_that_there_is_nothing_to_plan() {
    let world = World::with_model();
    let copied = world.run(&["migrate", "alice/model", "--all-revisions"]);
    assert_eq!(copied.code, 0, "{}", copied.stderr);
    let planned = world.run(&["plan", "alice/model", "--all-revisions"]);
    assert_eq!((planned.code, planned.stdout.as_str()), (0, ""));
    assert!(
        planned.stderr.contains("there is nothing to plan"),
        "{}",
        planned.stderr
    );
}

#[test]
fn a_prefix_may_be_in_capitals() {
    let world = World::with_model();
    let planned = world.run(&["migrate", "HF:alice/model", "--dry-run"]);
    assert_eq!(planned.code, 0, "{}", planned.stderr);
    let url = format!("{}/models/alice/model", world.address("ms"));
    assert!(planned.stdout.contains(&url), "{}", planned.stdout);
}

#[test]
fn a_commit_of_someone_else_that_was_survived_is_a_warning() {
    let world = World::new();
    world.seed(
        r#"{"hub":"ms","kind":"model","id":"alice/model","files":[{"path":"a.txt","text":"a"}]}"#,
    );
    world.fault(r#"{"route":"hf.commit","count":1,"kind":{"do":"moved","files":[{"path":"theirs.txt","text":"t"}]}}"#);
    let token = ("HF_TOKEN", "hf_sandboxAliceWrite");
    let ran = world.run_with(&["migrate", "ms:alice/model"], &[token]);
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    assert!(
        ran.stderr
            .contains("warning: someone else wrote to the destination meanwhile"),
        "{}",
        ran.stderr
    );
}

#[test]
fn a_state_that_cant_be_kept_is_named_before_anything_is_asked() {
    let world = World::with_model();
    let file = world.path("file");
    fs::write(&file, "mine").unwrap();
    let state = file.display().to_string();
    let refused = world.run_with(
        &["migrate", "alice/model", "--yes"],
        &[("HF2MS_STATE", &state)],
    );
    refused.refused_with(2, "set HF2MS_STATE to a folder that can be written");
    assert_eq!(world.all_requests(), 0);
}

#[test]
fn a_token_of_the_file_is_said_to_be_from_there() {
    let world = World::with_model();
    let mut command = world.command(&["migrate", "alice/model", "--yes"]);
    command
        .env_remove("MODELSCOPE_TOKEN")
        .env_remove("MODELSCOPE_ENDPOINT");
    fs::write(
        world.path(".env"),
        format!(
            "MODELSCOPE_TOKEN=ms-wrong-token\nMODELSCOPE_ENDPOINT={}\n",
            world.address("ms")
        ),
    )
    .unwrap();
    let refused = crate::common::Ran::of(command.output().unwrap());
    refused.refused_with(3, "MODELSCOPE_TOKEN of .env");
}

#[test]
fn a_result_that_standard_output_does_not_take_is_no_success() {
    let world = World::with_model();
    for words in [
        &["plan", "alice/model"][..],
        &["plan", "alice/model", "--json"],
        &["man"],
        &["completions", "bash"],
        &["migrate", "alice/model"],
    ] {
        let full = fs::OpenOptions::new().write(true).open("/dev/full");
        let ran = world.command(words).stdout(full.unwrap()).output().unwrap();
        let told = String::from_utf8_lossy(&ran.stderr);
        assert!(
            ran.status.code() == Some(1) && told.contains("error: standard output: No space left"),
            "{words:?}: {told}"
        );
    }
}

#[test]
fn a_report_that_the_disk_does_not_take_is_printed() {
    let world = World::with_model();
    world.fault(r#"{"route":"ms.commit","kind":{"do":"delay","ms":6000},"count":1}"#);
    let running = world.start(&mut world.command(&["migrate", "alice/model", "--yes"]));
    until("the commit", || world.requests("ms.commit") > 0);
    // Nothing can take the place of a folder that is not empty.
    let run = fs::read_dir(world.path("state/runs")).unwrap().next();
    let report = run.unwrap().unwrap().path().join("report.json");
    fs::create_dir_all(report.join("full")).unwrap();
    let ran = running.wait();
    assert!(
        ran.code == 1 && ran.stderr.contains("report.json"),
        "{}{}",
        ran.stdout,
        ran.stderr
    );
    assert!(ran.stdout.contains("done and verified"), "{}", ran.stdout);
}

#[test]
fn a_worker_that_cant_be_started_is_found_before_a_repo_is_created() {
    let world = World::with_model();
    let worker = world.path("worker");
    fs::write(&worker, "x").unwrap();
    let named = [("HF2MS_WORKER", worker.to_str().unwrap())];
    let ran = world.run_with(&["migrate", "alice/model"], &named);
    ran.refused_with(2, "can't be started: permission denied");
    assert_eq!(world.stored("ms", "model", "alice/model"), None);
}

#[test]
fn a_silent_worker_does_not_keep_the_doctor_waiting() {
    let world = World::with_model();
    let worker = world.path("worker");
    fs::write(&worker, "#!/bin/sh\nexec sleep 300\n").unwrap();
    let executable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    fs::set_permissions(&worker, executable).unwrap();
    let named = [("HF2MS_WORKER", worker.to_str().unwrap())];
    let ran = world.run_with(&["doctor"], &named);
    assert!(
        ran.stdout
            .contains("says nothing of its version within 10 s"),
        "{}{}",
        ran.stdout,
        ran.stderr
    );
}

#[test]
fn the_status_of_a_refused_run_says_that_nothing_was_committed() {
    let world = World::with_model();
    let refused = world.run(&["migrate", "alice/model", "ms:bob/model"]);
    refused.refused_with(3, "may not write to bob/model");
    let told = world.run(&["status", "last"]).stdout;
    assert!(
        told.contains("failed: nothing was committed") && !told.contains("same command"),
        "{told}"
    );
}
