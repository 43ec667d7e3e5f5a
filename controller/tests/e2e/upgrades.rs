//! Upgrades: what version 0.1 wrote is read, and what a later version wrote is refused by name. The files below `formats` are frozen: they
//! were written by 0.1.0 and only have names in place of addresses and commits.

use std::fs;
use std::path::{Path, PathBuf};

use crate::common::docker::{AARCH64, program_for};
use crate::common::{Ran, SMALL_MODEL, World, binary};

/// The run of the frozen files.
const RUN: &str = "01M8PD6JS0KV5MZZ7D9KHY07EQ";

fn frozen() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/e2e/formats/0.1")
}

/// A frozen file as it would stand in this world.
fn in_this_world(world: &World, commit: &str, file: &Path) -> String {
    let text = fs::read_to_string(file).unwrap();
    text.replace("HF-ADDRESS", world.address("hf"))
        .replace("MS-ADDRESS", world.address("ms"))
        .replace("COMMIT", commit)
}

/// A world in which a run of version 0.1 was made, and the commit of its source.
fn world() -> (World, String) {
    let world = World::new();
    let seeded = world.seed(SMALL_MODEL);
    let commit = seeded["commit"].as_str().unwrap().to_owned();
    let folder = world.path(&format!("state/runs/{RUN}"));
    fs::create_dir_all(&folder).unwrap();
    for entry in fs::read_dir(frozen().join("run")).unwrap() {
        let path = entry.unwrap().path();
        let text = in_this_world(&world, &commit, &path);
        fs::write(folder.join(path.file_name().unwrap()), text).unwrap();
    }
    (world, commit)
}

#[test]
fn a_run_of_an_earlier_version_is_read() {
    let (world, _) = world();
    let runs = world.run(&["runs", "--json"]);
    let run = runs.event("run");
    assert_eq!((&run["id"], &run["state"]), (&RUN.into(), &"done".into()));
    assert_eq!((&run["format"], run.get("written_by")), (&1.into(), None));
    let status = world.run(&["status", "--json"]).event("status");
    assert_eq!(status["report"]["files"], 6, "{status}");
    assert_eq!(status["so_far"]["moved"], 2, "{status}");
}

#[test]
fn a_plan_and_a_chunk_of_an_earlier_version_are_carried_out() {
    let (world, commit) = world();
    let file = world.path("plan.json");
    let plan = in_this_world(&world, &commit, &frozen().join("plan.json"));
    fs::write(&file, plan).unwrap();
    let file = file.display().to_string();
    let ran = world.run(&["migrate", "--plan", &file, "--yes"]);
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    assert!(world.is_copied("model", "alice/model", "alice/model"));
    let chunk = in_this_world(&world, &commit, &frozen().join("chunk.json"));
    let path = world.path("chunk.json");
    fs::write(&path, chunk).unwrap();
    let mut worker = std::process::Command::new(binary("hf2ms-worker"));
    worker.args(["run", "--chunk"]).arg(path).env_clear();
    worker
        .env("HF_ENDPOINT", world.address("hf"))
        .env("MODELSCOPE_ENDPOINT", world.address("ms"))
        .env("MODELSCOPE_TOKEN", crate::common::ALICE);
    let output = worker.output().unwrap();
    let events = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{events}");
    assert!(events.contains(r#""how":"reused""#), "{events}");
}

#[test]
fn what_a_later_version_wrote_is_refused_by_its_name() {
    let (world, _) = world();
    let later = world.path("state/runs/7ZZZZZZZZZZZZZZZZZZZZZZZZZ");
    fs::create_dir(&later).unwrap();
    let record = r#"{"format":2,"written_by":"9.8.7","shape":"new"}"#;
    fs::write(later.join("run.json"), record).unwrap();
    for args in [&["status"][..], &["logs", "zzz"], &["stop", "last"]] {
        world
            .run(args)
            .refused_with(2, "was written by hf2ms 9.8.7 in format 2");
    }
    let runs = world.run(&["runs"]);
    assert!(
        runs.code == 0 && runs.stdout.contains(RUN),
        "{}",
        runs.stdout
    );
    assert!(
        runs.stderr.contains("use that version for it"),
        "{}",
        runs.stderr
    );
    assert_eq!(world.run(&["status", RUN]).code, 0, "the others are read");
    let plan = world.path("later.json");
    fs::write(&plan, r#"{"version":2,"written_by":"9.8.7","shape":"new"}"#).unwrap();
    let plan = plan.display().to_string();
    let args = ["migrate", "--plan", &plan, "--yes"];
    world
        .run(&args)
        .refused_with(2, "a plan of version 2, written by hf2ms 9.8.7");
}

/// The batch of the frozen file.
const BATCH: &str = "01M8PD6JS0BATCH00000000000";

#[test]
fn a_batch_of_an_earlier_version_is_read_and_one_of_a_later_is_refused_by_its_name() {
    let (world, _) = world();
    let batch = |id: &str, record: &str| {
        let folder = world.path(&format!("state/runs/{id}"));
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("batch.json"), record).unwrap();
    };
    let frozen = fs::read_to_string(frozen().join("batch.json")).unwrap();
    batch(BATCH, &frozen);
    let status = world
        .run(&["status", BATCH, "--json"])
        .event("batch_status");
    let record = &status["record"];
    assert_eq!(
        (&record["state"], &record["repos"]),
        (&"done".into(), &2.into())
    );
    assert_eq!(
        (&record["format"], record.get("written_by")),
        (&1.into(), None)
    );
    let later = "01M8PD6JS0BATCH00000000009";
    batch(later, r#"{"format":2,"written_by":"9.8.7","shape":"new"}"#);
    for verb in ["status", "logs", "stop"] {
        let words = format!("batch {later} was written by hf2ms 9.8.7 in format 2");
        world.run(&[verb, later]).refused_with(2, &words);
    }
    let runs = world.run(&["runs"]);
    assert!(
        runs.code == 0 && runs.stderr.contains(later),
        "{}",
        runs.stderr
    );
}

#[test]
fn a_worker_for_another_processor_is_named() {
    let world = World::with_model();
    let worker = world.path("worker-for-arm");
    fs::write(&worker, program_for(AARCH64)).unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    fs::set_permissions(&worker, mode).unwrap();
    let worker = worker.display().to_string();
    let words = format!(
        "is a program for aarch64, and this machine runs {}; install",
        std::env::consts::ARCH
    );
    for (args, code) in [(&["doctor"][..], 3), (&["migrate", "alice/model"], 2)] {
        let ran = world.run_with(args, &[("HF2MS_WORKER", &worker)]);
        assert_eq!(ran.code, code, "{}{}", ran.stdout, ran.stderr);
        let said = ran.stdout + &ran.stderr;
        assert!(said.contains(&words), "{said}");
    }
}

#[test]
fn doctor_names_both_versions_where_the_worker_is_of_another() {
    let world = World::new();
    let worker = world.path("other-worker");
    let said = r#"{"event":"checked","version":"0.0.9","endpoints":[]}"#;
    fs::write(&worker, format!("#!/bin/sh\necho '{said}'\n")).unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    fs::set_permissions(&worker, mode).unwrap();
    let mut command = world.command(&["doctor", "--json"]);
    command.env("HF2MS_WORKER", &worker);
    let ran = Ran::of(command.output().unwrap());
    let checks = ran.events();
    let of = |what: &str| checks.iter().find(|check| check["what"] == what).unwrap();
    let this = env!("CARGO_PKG_VERSION");
    assert!(of("hf2ms")["says"].as_str().unwrap().starts_with(this));
    let (verdict, says) = (
        &of("worker")["verdict"],
        of("worker")["says"].as_str().unwrap(),
    );
    assert_eq!((ran.code, verdict), (3, &"bad".into()), "{says}");
    assert!(
        says.starts_with("0.0.9 at ")
            && says.contains(&format!("and hf2ms is {this}: install both")),
        "{says}"
    );
}
