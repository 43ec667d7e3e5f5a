//! Filters by size, by a list and by time; and what they leave alone at the destination.

use std::io::Write;
use std::process::Stdio;

use serde_json::{Value, json};

use crate::common::{Ran, World};

const HF_ALICE: (&str, &str) = ("HF_TOKEN", "hf_sandboxAliceWrite");

/// Adds files to `alice/model` of a hub, by a commit of this date.
fn seed(world: &World, hub: &str, date: &str, files: &Value) {
    let model = json!({"hub": hub, "kind": "model", "id": "alice/model", "message": "m", "date": date, "files": files});
    world.seed(&model.to_string());
}

fn text(path: &str, text: &str) -> Value {
    json!({"path": path, "text": text})
}

fn blob(path: &str, size: u64) -> Value {
    json!({"path": path, "size": size, "seed": size, "lfs": true})
}

/// The paths that a hub's `alice/model` has, without the platform's own.
fn paths(world: &World, hub: &str) -> Vec<String> {
    let stored = world
        .stored(hub, "model", "alice/model")
        .unwrap_or_default();
    let files = stored["files"].as_array().cloned().unwrap_or_default();
    let paths = files.iter().map(|file| file["path"].as_str().unwrap());
    let own = ["README.md", ".gitattributes", "configuration.json"];
    paths
        .filter(|path| !own.contains(path))
        .map(str::to_owned)
        .collect()
}

#[test]
fn what_a_size_leaves_out_of_the_source_is_neither_written_nor_deleted_at_the_destination() {
    let world = World::new();
    let day = "2026-01-01T00:00:00Z";
    let source = json!([blob("large.bin", 90_000), blob("small.bin", 500)]);
    seed(&world, "hf", day, &source);
    let theirs = json!([
        blob("small.bin", 80_000),
        blob("only-there.bin", 70_000),
        blob("tiny-there.bin", 400)
    ]);
    seed(&world, "ms", day, &theirs);
    let args = [
        "migrate",
        "alice/model",
        "--min-size",
        "10KB",
        "--prune",
        "--max-delete",
        "1",
        "--json",
    ];
    let ran = world.run(&args);
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    assert_eq!(
        ran.event("report")["deleted_files"],
        json!(["only-there.bin"])
    );
    assert_eq!(
        paths(&world, "ms"),
        ["large.bin", "small.bin", "tiny-there.bin"]
    );
    // Nothing has changed since, and a run with other sizes is another one.
    assert_eq!(world.run(&args).event("report")["unchanged"], 1);
    let ran = world.run(&["migrate", "alice/model", "--max-size", "1KB", "--json"]);
    assert_eq!(ran.event("report")["files"], 1, "{}", ran.stdout);
    world
        .run(&["migrate", "alice/model", "--min-size", "1GB"])
        .refused_with(2, "--min-size 1 GB leaves none of the 2 files");
}

#[test]
fn a_list_from_standard_input_is_copied_alone_and_what_the_source_lacks_is_named() {
    let world = World::with_model();
    let args = ["migrate", "alice/model", "--files-from", "-"];
    let mut child = world
        .command(&args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let list = b"# wanted\nb.safetensors\n\n/empty.txt\nno-such.bin\n";
    child.stdin.take().unwrap().write_all(list).unwrap();
    let ran = Ran::of(child.wait_with_output().unwrap());
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    let line = "--files-from names 1 file that the source lacks: no-such.bin";
    assert!(ran.stderr.contains(line), "{}", ran.stderr);
    assert_eq!(paths(&world, "ms"), ["b.safetensors", "empty.txt"]);
    let list = world.path("list.txt");
    std::fs::write(&list, "../evil\n").unwrap();
    let ran = world.run(&[
        "migrate",
        "alice/model",
        "--files-from",
        list.to_str().unwrap(),
    ]);
    assert!(
        ran.code == 2 && ran.stderr.contains("line 1, ../evil"),
        "{}",
        ran.stderr
    );
}

#[test]
fn only_what_a_commit_has_changed_since_is_copied_in_either_direction() {
    for (from, to) in [("hf", "ms"), ("ms", "hf")] {
        let world = World::new();
        let old = json!([text("a.txt", "a"), text("b.txt", "b")]);
        seed(&world, from, "2026-01-01T00:00:00Z", &old);
        seed(
            &world,
            from,
            "2026-02-01T00:00:00Z",
            &json!([text("b.txt", "new")]),
        );
        let source = format!("{from}:alice/model");
        let copy = |more: &[&str]| {
            let args = [&["migrate", &source, "--json"], more].concat();
            world.run_with(&args, &[HF_ALICE])
        };
        let ran = copy(&["--changed-since", "2026-01-15"]);
        assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
        assert_eq!(paths(&world, to), ["b.txt"], "{from}");
        // Without the option nobody asks for times.
        let trees = |world: &World| world.requests("hf.tree");
        let before = trees(&world);
        let all = copy(&[]);
        assert_eq!(
            (all.code, paths(&world, to)),
            (0, vec!["a.txt".into(), "b.txt".into()])
        );
        let planned = trees(&world) - before;
        let before = trees(&world);
        copy(&["--changed-since", "2026-01-15", "--dry-run"]);
        if from == "hf" {
            assert_eq!(trees(&world) - before, 2, "the files, and their times");
            assert!(planned >= 1);
        }
        let nothing = copy(&["--changed-since", "1d"]);
        assert_eq!(
            (nothing.code, &nothing.event("report")["files"]),
            (0, &json!(0))
        );
    }
}

#[test]
fn a_time_that_leaves_no_file_creates_no_repo() {
    let world = World::new();
    let old = json!([text("a.txt", "a")]);
    seed(&world, "hf", "2026-01-01T00:00:00Z", &old);
    for (since, words) in [
        ("1d", "--changed-since 1d leaves no file"),
        ("9999-01-01", "still to come"),
    ] {
        let ran = world.run(&["migrate", "alice/model", "--changed-since", since]);
        assert!(
            ran.code == 2 && ran.stderr.contains(words),
            "{}{}",
            ran.stdout,
            ran.stderr
        );
        assert_eq!(world.stored("ms", "model", "alice/model"), None);
    }
}

#[test]
fn files_whose_time_nobody_knows_are_no_reason_to_delete_others() {
    let world = World::with_model();
    let args = ["migrate", "alice/model", "--changed-since", "7d", "--prune"];
    let refused = world.run(&args);
    assert!(
        refused.code == 2 && refused.stderr.contains("--changed-since"),
        "{}",
        refused.stderr
    );
    let by_git = world.run(&[
        "migrate",
        "alice/model",
        "--changed-since",
        "7d",
        "--use-git",
    ]);
    by_git.refused_with(3, "does not tell when files of alice/model were changed");
}

#[test]
fn a_plan_of_a_part_proves_nothing_of_the_whole() {
    let world = World::with_model();
    let plan = [
        "plan",
        "alice/model",
        "--include",
        "a.safetensors",
        "--out",
        "plan.json",
    ];
    assert_eq!(world.run(&plan).code, 0);
    let part = world.run(&["migrate", "--plan", "plan.json"]);
    assert_eq!(part.code, 0, "{}{}", part.stdout, part.stderr);
    world.migrate().done();
    assert!(world.is_copied("model", "alice/model", "alice/model"));
}
