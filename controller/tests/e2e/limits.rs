//! Limits of a run: how much it moves, for how long it begins files, and how fast it sends.

use serde_json::json;

use crate::common::{Ran, World};

fn migrate(world: &World, more: &[&str]) -> Ran {
    world.run(&[&["migrate", "alice/model", "--json"], more].concat())
}

fn has(world: &World, path: &str) -> bool {
    let stored = world
        .stored("ms", "model", "alice/model")
        .unwrap_or_default();
    let files = stored["files"].as_array().cloned().unwrap_or_default();
    files.iter().any(|file| file["path"] == path)
}

#[test]
fn a_limit_of_bytes_moves_whole_files_and_the_same_command_goes_on() {
    let world = World::with_model();
    let limit = ["--max-transfer", "4MB"];
    let planned = world.run(&[&["migrate", "alice/model", "--dry-run"][..], &limit].concat());
    let line = "  left        1 file, 2 MB, to the next run: --max-transfer is 4 MB";
    assert!(planned.stdout.contains(line), "{}", planned.stdout);
    let first = migrate(&world, &limit);
    let report = first.event("report");
    assert_eq!(
        (first.code, &report["sent"]),
        (1, &json!(3_000_000)),
        "{}",
        first.stdout
    );
    assert_eq!(report["stopped_at"], "--max-transfer 4 MB");
    assert!(has(&world, "copy/a.safetensors") && !has(&world, "b.safetensors"));
    let is_ours = world.is_copied("model", "alice/model", "alice/model");
    assert!(!is_ours, "README.md and config.json wait for the rest");
    let second = world.run(&[&["migrate", "alice/model"][..], &limit].concat());
    assert_eq!(second.code, 0, "{}{}", second.stdout, second.stderr);
    assert!(world.is_copied("model", "alice/model", "alice/model"));
    assert_eq!(world.requests("ms_storage.put"), 2);
}

#[test]
fn a_limit_into_which_nothing_fits_says_so_before_anything_is_written() {
    let world = World::with_blobs(2, 70_000);
    let ran = world.run(&["migrate", "alice/model", "--max-transfer", "60KB"]);
    ran.refused_with(
        1,
        "the smallest of those that are left has 70 kB; give more",
    );
    assert!(world.stored("ms", "model", "alice/model").is_none());
}

#[test]
fn repos_of_a_batch_share_one_limit() {
    let world = World::new();
    for (id, seed) in [("alice/one", 1), ("alice/two", 2)] {
        let files = json!([{"path": "w.bin", "size": 90_000, "seed": seed, "lfs": true}]);
        world.seed(
            &json!({"hub": "hf", "kind": "model", "id": id, "message": "m", "files": files})
                .to_string(),
        );
    }
    let batch = [
        "batch",
        "alice/one",
        "alice/two",
        "--max-transfer",
        "100KB",
        "--json",
    ];
    let first = world.run(&batch);
    assert_eq!(
        (first.code, world.requests("ms_storage.put")),
        (1, 1),
        "{}",
        first.stdout
    );
    let not_begun = first
        .stdout
        .contains("not begun: --max-transfer 100 kB is used up");
    assert!(not_begun, "{}", first.stdout);
    let second = world.run(&batch);
    assert_eq!(
        (second.code, world.requests("ms_storage.put")),
        (0, 2),
        "{}",
        second.stdout
    );
}

#[test]
fn after_the_time_of_a_run_no_file_is_begun_and_the_same_command_goes_on() {
    let world = World::with_model();
    let ran = world.run(&["migrate", "alice/model", "--max-duration", "0s"]);
    assert_eq!(ran.code, 1, "{}{}", ran.stdout, ran.stderr);
    let line = "stopped at --max-duration 0s: 1 of 6 files are there; the same command goes on";
    assert!(ran.stdout.contains(line), "{}", ran.stdout);
    assert_eq!(world.requests("ms_storage.put"), 0);
    let on = migrate(&world, &["--max-duration", "8h"]);
    assert_eq!(on.code, 0, "{}{}", on.stdout, on.stderr);
    assert!(world.is_copied("model", "alice/model", "alice/model"));
}

#[test]
fn a_bandwidth_reaches_every_worker_and_a_bad_one_is_refused() {
    let world = World::with_model();
    let out = world.path("plan.json");
    let out = out.to_str().unwrap();
    let plan = world.run(&["plan", "alice/model", "--bwlimit", "20M", "--out", out]);
    assert_eq!(plan.code, 0, "{}", plan.stderr);
    let plan: serde_json::Value = serde_json::from_slice(&std::fs::read(out).unwrap()).unwrap();
    let limit = json!([{"minute": 0, "bytes_per_second": 20 << 20}]);
    assert_eq!(plan["options"]["bandwidth"], limit);
    let mut command = world.command(&["migrate", "--plan", out, "--json"]);
    let script = format!(
        "tee -a '{}' | \"$worker\" \"$@\"",
        world.path("job").display()
    );
    command.env("HF2MS_WORKER", world.scripted_worker(&script));
    let ran = Ran::of(command.output().unwrap());
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    let told = std::fs::read_to_string(world.path("job")).unwrap();
    let own = [r#""bandwidth":[{"minute":0,"#, "\n{\"workers\":1}\n"];
    assert!(own.iter().all(|words| told.contains(words)), "{told}");
    for bad in ["10", "8,1M", "25:00,1M"] {
        let refused = world.run(&["migrate", "alice/model", "--bwlimit", bad]);
        assert!(
            refused.code == 2 && refused.stderr.contains("expected a"),
            "{}",
            refused.stderr
        );
    }
}

#[test]
fn a_readme_alone_is_nothing_that_fits() {
    let world = World::new();
    world.seed_model(&json!([
        {"path": "README.md", "text": "# it"},
        {"path": "w.bin", "size": 70_000, "seed": 1, "lfs": true},
    ]));
    let ran = world.run(&["migrate", "alice/model", "--max-transfer", "60KB"]);
    ran.refused_with(1, "has 70 kB; give more");
    assert!(world.stored("ms", "model", "alice/model").is_none());
}

#[test]
fn a_plan_with_a_limit_is_cut_anew_by_each_run_of_it() {
    let world = World::with_blobs(3, 70_000);
    let plan = [
        "plan",
        "alice/model",
        "--max-transfer",
        "100KB",
        "--out",
        "plan.json",
    ];
    assert_eq!(world.run(&plan).code, 0);
    let runs = [(); 3].map(|()| world.run(&["migrate", "--plan", "plan.json"]));
    let codes = runs.each_ref().map(|ran| ran.code);
    assert_eq!(codes, [1, 1, 0], "{}", runs[2].stdout);
    assert!(world.is_whole());
}
