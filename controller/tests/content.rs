//! What repos hold that is not as it should be, or more of it than usual: what arrives is right, and what can't arrive is
//! named.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use std::collections::BTreeMap;
use std::process::Stdio;
use std::time::{Duration, Instant};

use common::{Ran, World};
use serde_json::{Value, json};

const MIGRATE: [&str; 3] = ["migrate", "alice/model", "--json"];

fn fault(world: &World, rule: &Value) {
    world.admin("POST", "/faults", &rule.to_string()).unwrap();
}

/// One more commit on the source.
fn seed(world: &World, kind: &str, files: &Value) -> String {
    let body =
        json!({"hub": "hf", "kind": kind, "id": "alice/model", "message": "m", "files": files});
    world.seed(&body.to_string())["commit"]
        .as_str()
        .unwrap()
        .to_owned()
}

/// A world whose source has these files, and two others beside them: a blob and a small one.
fn with(files: &Value) -> World {
    let world = World::new();
    seed(
        &world,
        "model",
        &json!([{"path": "good.safetensors", "size": 100_000, "seed": 77}, {"path": "good.txt", "text": "good"}]),
    );
    seed(&world, "model", files);
    world
}

fn migrate(world: &World) -> Ran {
    world.run_with(&MIGRATE, &[("HF2MS_RETRY_BASE", "0.01")])
}

/// Path and digest of what a hub really holds.
fn holds(world: &World, hub: &str, kind: &str) -> BTreeMap<String, String> {
    let repo = world
        .stored(hub, kind, "alice/model")
        .unwrap_or_else(|| panic!("there is no {kind} on {hub}"));
    let files = repo["files"].as_array().unwrap().iter();
    files
        .map(|file| {
            (
                file["path"].as_str().unwrap().to_owned(),
                file["sha256"].as_str().unwrap_or("lost").to_owned(),
            )
        })
        .collect()
}

/// All of the source stands at the destination, byte for byte.
fn is_copied(world: &World, kind: &str) {
    let there = holds(world, "ms", kind);
    let missing: Vec<_> = holds(world, "hf", kind)
        .into_iter()
        .filter(|(path, sha256)| there.get(path) != Some(sha256))
        .collect();
    assert!(missing.is_empty(), "{missing:?} not in {there:?}");
}

/// The run ended with `code`, and exactly these files are named in its report, on the screen and in the file.
fn fails_for(world: &World, ran: &Ran, code: i32, paths: &[&str]) -> Value {
    let report = ran.event("report");
    assert_eq!(
        (ran.code, report["exit"].as_i64()),
        (code, Some(code.into())),
        "{}{}",
        ran.stdout,
        ran.stderr
    );
    let named = |report: &Value| {
        let entries = report["failed"]
            .as_array()
            .unwrap()
            .iter()
            .chain(report["refused"].as_array().unwrap());
        let mut named: Vec<_> = entries
            .map(|entry| entry["path"].as_str().unwrap().to_owned())
            .collect();
        named.sort();
        named
    };
    let mut paths: Vec<_> = paths.iter().map(|path| (*path).to_owned()).collect();
    paths.sort();
    let file = world
        .path("state")
        .join("runs")
        .join(report["run"].as_str().unwrap())
        .join("report.json");
    let written: Value = serde_json::from_slice(
        &std::fs::read(&file).unwrap_or_else(|_| panic!("{}", file.display())),
    )
    .unwrap();
    assert_eq!((named(&report), named(&written)), (paths.clone(), paths));
    report
}

/// The good files arrived; of these paths nothing did, not even a pointer.
fn others_arrived(world: &World, without: &[&str]) {
    let (here, there) = (holds(world, "hf", "model"), holds(world, "ms", "model"));
    for good in ["good.safetensors", "good.txt"] {
        assert_eq!(there.get(good), here.get(good), "{there:?}");
    }
    assert!(
        !without.iter().any(|path| there.contains_key(*path)),
        "{there:?}"
    );
}

fn digest(world: &World, path: &str) -> String {
    let repo = world.stored("hf", "model", "alice/model").unwrap();
    let file = repo["files"]
        .as_array()
        .unwrap()
        .iter()
        .find(|file| file["path"] == path)
        .unwrap();
    file["listed"]["sha256"].as_str().unwrap().to_owned()
}

#[test]
fn a_blob_of_the_right_size_and_other_bytes_is_never_committed() {
    let lie = "0123456789abcdef".repeat(4);
    let world = with(
        &json!([{"path": "bad.safetensors", "size": 50_000, "seed": 3, "declare": {"sha256": lie}}]),
    );
    let ran = migrate(&world);
    let report = fails_for(&world, &ran, 4, &["bad.safetensors"]);
    assert!(
        report["failed"][0]["error"]
            .as_str()
            .unwrap()
            .contains(&lie),
        "{report}"
    );
    others_arrived(&world, &["bad.safetensors"]);
    let puts = &world.admin("GET", "/counters", "").unwrap()["ms_storage.put"]["statuses"];
    assert_eq!(
        puts["200"], 1,
        "no upload of other bytes was completed: {puts}"
    );
}

#[test]
fn a_large_blob_that_is_corrupted_on_its_way_every_time_is_never_committed() {
    let world = with(&json!([{"path": "bad.safetensors", "size": 5_000_000, "seed": 3}]));
    let path = digest(&world, "bad.safetensors");
    fault(
        &world,
        &json!({"route": "hf_storage.get", "path": path, "kind": {"do": "corrupt", "at": 1_000}}),
    );
    fails_for(&world, &migrate(&world), 4, &["bad.safetensors"]);
    others_arrived(&world, &["bad.safetensors"]);
    world.admin("DELETE", "/faults", "");
    assert_eq!(
        migrate(&world).code,
        0,
        "nothing wrong stayed behind under its name"
    );
    is_copied(&world, "model");
}

#[test]
fn a_small_file_of_the_right_size_and_other_bytes_is_never_committed() {
    let files = json!([{"path": "bad.txt", "text": "what it is", "declare": {"git_sha1": "0123456789abcdef0123456789abcdef01234567"}}]);
    let world = with(&files);
    fails_for(&world, &migrate(&world), 4, &["bad.txt"]);
    others_arrived(&world, &["bad.txt"]);
}

#[test]
fn a_byte_that_was_wrong_once_is_read_again() {
    let world = with(
        &json!([{"path": "a.safetensors", "size": 300_000, "seed": 3}, {"path": "a.txt", "text": "small"}]),
    );
    fault(
        &world,
        &json!({"route": "hf_storage.get", "count": 1, "kind": {"do": "corrupt", "at": 200_000}}),
    );
    fault(
        &world,
        &json!({"route": "hf.resolve_cache", "path": "a.txt", "count": 1, "kind": {"do": "corrupt"}}),
    );
    let ran = migrate(&world);
    assert_eq!(ran.code, 0, "{}", ran.stdout);
    is_copied(&world, "model");
}

#[test]
fn more_bytes_than_declared_stop_the_file_and_fail() {
    let world = with(
        &json!([{"path": "bad.safetensors", "size": 400_000, "seed": 3}, {"path": "bad.txt", "text": "small"}]),
    );
    fault(
        &world,
        &json!({"route": "hf_storage.get", "path": digest(&world, "bad.safetensors"), "kind": {"do": "longer", "extra": 10}}),
    );
    fault(
        &world,
        &json!({"route": "hf.resolve_cache", "path": "bad.txt", "kind": {"do": "longer", "extra": 1}}),
    );
    fails_for(&world, &migrate(&world), 4, &["bad.safetensors", "bad.txt"]);
    others_arrived(&world, &["bad.safetensors", "bad.txt"]);
}

#[test]
fn more_bytes_without_a_declared_length_stop_the_file_and_fail() {
    let world = with(&json!([{"path": "bad.safetensors", "size": 400_000, "seed": 3}]));
    let path = digest(&world, "bad.safetensors");
    fault(
        &world,
        &json!({"route": "hf_storage.get", "path": path, "kind": {"do": "longer", "extra": 100_000_000}}),
    );
    fault(
        &world,
        &json!({"route": "hf_storage.get", "path": path, "kind": {"do": "undeclared"}}),
    );
    fails_for(&world, &migrate(&world), 4, &["bad.safetensors"]);
    others_arrived(&world, &["bad.safetensors"]);
    let out = world.admin("GET", "/counters", "").unwrap()["hf_storage.get"]["bytes_out"]
        .as_u64()
        .unwrap();
    assert!(
        out < 60_000_000,
        "{out} bytes were taken of a file that has 400,000"
    );
}

#[test]
fn a_size_that_the_listing_lies_about_is_never_committed() {
    for size in [399_999, 400_001] {
        let world = with(
            &json!([{"path": "bad.safetensors", "size": 400_000, "seed": 3, "declare": {"size": size}}]),
        );
        let ran = migrate(&world);
        assert!(ran.code == 4 || ran.code == 1, "{}", ran.stdout);
        fails_for(&world, &ran, ran.code, &["bad.safetensors"]);
        others_arrived(&world, &["bad.safetensors"]);
    }
}

#[test]
fn empty_files_arrive_empty_wherever_they_belong() {
    for kind in ["model", "dataset"] {
        let world = World::new();
        let files = [
            "README.md",
            "empty.txt",
            "empty.safetensors",
            "deep/er/.gitkeep",
            "large.bin",
        ]
        .map(|path| json!({"path": path, "text": ""}));
        seed(&world, kind, &json!(files));
        seed(
            &world,
            kind,
            &json!([{"path": "lfs.bin", "size": 0, "lfs": true}]),
        );
        let ran = migrate(&world);
        assert_eq!(
            (
                ran.code,
                ran.event("report")["verification"]["equal"].as_u64()
            ),
            (0, Some(6)),
            "{kind}: {}",
            ran.stdout
        );
        is_copied(&world, kind);
    }
}

#[test]
fn an_empty_repo_becomes_an_empty_repo() {
    for kind in ["model", "dataset"] {
        let world = World::new();
        seed(&world, kind, &json!([]));
        let args = ["migrate", "alice/model", "--json", "--repo-type", kind];
        for _ in 0..2 {
            let ran = world.run(&args);
            let report = ran.event("report");
            assert_eq!(
                (ran.code, report["files"].as_u64(), report["exit"].as_u64()),
                (0, Some(0), Some(0)),
                "{kind}: {}{}",
                ran.stdout,
                ran.stderr
            );
            assert!(world.stored("ms", kind, "alice/model").is_some());
        }
        assert_eq!(world.requests("ms.commit"), 0, "there is nothing to commit");
        let ran = world.run(&["verify", "alice/model", "--repo-type", kind]);
        assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    }
}

#[test]
fn an_object_that_the_source_lost_fails_alone_and_leaves_no_pointer() {
    let lost = json!([{"path": "lost.safetensors", "size": 50_000, "seed": 3}, {"path": "gone.txt", "text": "gone", "missing": true},
        {"path": "lost/copy.safetensors", "size": 50_000, "seed": 3}]);
    let world = with(&lost);
    world
        .admin(
            "POST",
            "/blob/remove",
            &json!({"hub": "hf", "sha256": digest(&world, "lost.safetensors")}).to_string(),
        )
        .unwrap();
    let paths = ["lost.safetensors", "gone.txt", "lost/copy.safetensors"];
    let ran = migrate(&world);
    let report = fails_for(&world, &ran, 1, &paths);
    assert_eq!(report["verification"]["equal"], 2);
    others_arrived(&world, &paths);
}

#[test]
fn an_object_that_only_storage_has_lost_fails_alone_too() {
    let world = with(&json!([{"path": "lost.safetensors", "size": 50_000, "seed": 3}]));
    let path = digest(&world, "lost.safetensors");
    fault(
        &world,
        &json!({"route": "hf_storage.get", "path": path, "kind": {"do": "status", "status": 404, "body": "<Error><Code>NoSuchKey</Code></Error>"}}),
    );
    fails_for(&world, &migrate(&world), 1, &["lost.safetensors"]);
    others_arrived(&world, &["lost.safetensors"]);
}

#[test]
fn a_source_that_moved_on_after_the_plan_is_read_as_it_was_planned() {
    let world = World::with_model();
    assert_eq!(
        world
            .run(&["plan", "alice/model", "--out", "plan.json"])
            .code,
        0
    );
    let planned = holds(&world, "hf", "model");
    let plan: Value =
        serde_json::from_slice(&std::fs::read(world.path("plan.json")).unwrap()).unwrap();
    let body = json!({"hub": "hf", "kind": "model", "id": "alice/model", "message": "moved on", "delete": ["b.safetensors"], "files": [
        {"path": "config.json", "text": "other"}, {"path": "a.safetensors", "size": 3_000_000, "seed": 9}, {"path": "later.txt", "text": "x"}]});
    world.seed(&body.to_string());
    let ran = world.run(&["migrate", "--plan", "plan.json", "--json"]);
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    arrived_as(&world, &planned);
    assert_eq!(
        ran.event("report")["source"]["revision"],
        plan["source"]["revision"]
    );
}

/// What arrived is this, and nothing that came later.
fn arrived_as(world: &World, planned: &BTreeMap<String, String>) {
    let there = holds(world, "ms", "model");
    assert!(
        planned
            .iter()
            .all(|(path, sha256)| there.get(path) == Some(sha256)),
        "{planned:?} is not {there:?}"
    );
    assert!(!there.contains_key("later.txt"));
}

#[test]
fn a_source_that_moves_on_during_the_run_is_read_as_it_was() {
    let world = World::with_model();
    let planned = holds(&world, "hf", "model");
    world
        .admin("POST", "/settings", r#"{"hf_down":200000}"#)
        .unwrap();
    let child = world
        .command(&MIGRATE)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let began = Instant::now();
    while world.requests("hf_storage.get") == 0 {
        assert!(began.elapsed() < Duration::from_secs(120));
        std::thread::sleep(Duration::from_millis(5));
    }
    let newer = seed(
        &world,
        "model",
        &json!([{"path": "README.md", "text": "newer"}, {"path": "b.safetensors", "size": 2_000_000, "seed": 9},
        {"path": "later.txt", "text": "x"}]),
    );
    assert_eq!(
        world.requests("hf.resolve"),
        0,
        "the small files are still to be read"
    );
    world
        .admin("POST", "/settings", r#"{"hf_down":null}"#)
        .unwrap();
    let ran = Ran::of(child.wait_with_output().unwrap());
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    arrived_as(&world, &planned);
    assert_ne!(ran.event("report")["source"]["revision"], newer);
    let stale = world.admin("GET", "/requests", "").unwrap().to_string();
    assert!(
        !stale.contains("resolve/main") && !stale.contains(&newer),
        "every read names the commit"
    );
}

#[test]
fn unlawful_paths_are_refused_by_name_and_the_others_go_on() {
    let evil = [
        "../evil.txt",
        "a/../../evil.txt",
        "/etc/evil",
        "a\\evil.txt",
        "..\\evil.txt",
        ".git/config",
        "sub/.GIT/hooks/x",
        "C:/evil.txt",
        "c:evil",
        "a//evil.txt",
        "./evil.txt",
        "a/./evil.txt",
        "b/..",
        "nul\0.txt",
    ];
    let files: Vec<_> = evil
        .iter()
        .map(|path| json!({"path": path, "text": "evil"}))
        .collect();
    let world = with(&json!(files));
    seed(
        &world,
        "model",
        &json!([{"path": "../evil.safetensors", "size": 5000, "seed": 4}, {"path": "..fine/.gitfine/a..b.txt", "text": "fine"}]),
    );
    let ran = migrate(&world);
    let names: Vec<_> = evil
        .iter()
        .copied()
        .chain(["../evil.safetensors"])
        .map(|path| path.replace('\0', "\\u{0}"))
        .collect();
    let report = fails_for(
        &world,
        &ran,
        1,
        &names.iter().map(String::as_str).collect::<Vec<_>>(),
    );
    assert_eq!(
        report["failed"],
        json!([]),
        "none of them came as far as the hub"
    );
    assert!(
        report["refused"]
            .as_array()
            .unwrap()
            .iter()
            .all(|entry| entry["reason"].as_str().unwrap().contains("is refused")),
        "{report}"
    );
    others_arrived(&world, &[]);
    let there = holds(&world, "ms", "model");
    assert!(
        there.contains_key("..fine/.gitfine/a..b.txt")
            && !there
                .keys()
                .any(|path| path.contains("evil") || path.contains(".git/")),
        "{there:?}"
    );
    assert_eq!(
        world.run(&["migrate", "alice/model"]).code,
        1,
        "it is said each time"
    );
}

#[test]
fn paths_that_differ_only_in_case_or_unicode_form_are_copied_exactly_with_a_warning() {
    let paths = [
        "a/Readme.txt",
        "a/README.txt",
        "A/readme.txt",
        "caf\u{e9}.txt",
        "cafe\u{301}.txt",
        "W.safetensors",
        "w.safetensors",
        "\u{212a}.txt",
        "k.txt",
    ];
    let files: Vec<_> = paths
        .iter()
        .enumerate()
        .map(|(n, path)| json!({"path": path, "size": 1000, "seed": n}))
        .collect();
    let world = with(&json!(files));
    let ran = migrate(&world);
    assert_eq!(ran.code, 0, "{}", ran.stdout);
    is_copied(&world, "model");
    let warnings: Vec<_> = ran
        .events()
        .into_iter()
        .filter(|event| event["event"] == "warning")
        .map(|event| event["message"].to_string())
        .collect();
    // A third one is named with the first.
    for pair in [
        ["A/readme.txt", "a/Readme.txt"],
        ["A/readme.txt", "a/README.txt"],
        ["\u{212a}.txt", "k.txt"],
        ["caf\u{e9}.txt", "cafe\u{301}.txt"],
        ["W.safetensors", "w.safetensors"],
    ] {
        assert!(
            warnings
                .iter()
                .any(|line| pair.iter().all(|path| line.contains(path))
                    && line.contains("differ only in case")),
            "{pair:?} in {warnings:?}"
        );
    }
    assert_eq!(
        ran.event("report")["warnings"].as_array().unwrap().len(),
        warnings.len(),
        "they are in the report too"
    );
}

/// Names that a hub takes and that are easily broken on the way.
fn odd_names() -> Vec<String> {
    let long = format!(
        "{}/{}.safetensors",
        vec!["d".repeat(200); 4].join("/"),
        "é".repeat(100)
    );
    let mut names: Vec<_> = [
        "with space.txt",
        "per%20cent%.txt",
        "ha#sh?que=ry&a+b.txt",
        "se;mi,co'lon\".txt",
        "数据/文件 一.safetensors",
        "emoji \u{1f600}.txt",
        " lead.txt",
        "trail ",
        "~tilde!$()*[]{}|<>^`=@.txt",
        "rtl\u{202e}txt.safetensors",
        "-rf",
        "%2e%2e/up.txt",
    ]
    .map(str::to_owned)
    .into();
    names.push(long);
    names
}

#[test]
fn long_and_odd_names_arrive_byte_for_byte() {
    let files: Vec<_> = odd_names()
        .iter()
        .enumerate()
        .map(|(n, path)| json!({"path": path, "size": 2000 + n, "seed": n}))
        .collect();
    for kind in ["model", "dataset"] {
        let world = World::new();
        seed(&world, kind, &json!(files));
        let ran = migrate(&world);
        assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
        is_copied(&world, kind);
    }
}

#[test]
fn a_path_longer_than_any_hub_takes_is_refused_and_named_by_its_beginning() {
    let long = format!("{}/x.txt", vec!["d".repeat(200); 21].join("/"));
    let world = with(&json!([{"path": long, "text": "x"}]));
    fails_for(&world, &migrate(&world), 1, &[&long[..1000]]);
    others_arrived(&world, &[&long]);
}

#[test]
fn control_characters_in_names_are_escaped_on_every_screen() {
    let evil = [
        "clear\u{1b}[2J\u{1b}[31m.txt",
        "bell\u{7}.safetensors",
        "line\nbreak.txt",
        "\u{9b}31m.txt",
        "return\rnow.txt",
    ];
    let files: Vec<_> = evil
        .iter()
        .enumerate()
        .map(|(n, path)| json!({"path": path, "size": 2000, "seed": n}))
        .collect();
    let world = with(&json!(files));
    let mut screens = Vec::new();
    for args in [
        &["plan", "alice/model", "--out", "p.json"][..],
        &["migrate", "alice/model", "--dry-run"],
        &["migrate", "alice/model"],
        &MIGRATE,
        &["status"],
        &["runs"],
        &["verify", "alice/model"],
    ] {
        let ran = world.run_with(args, &[("HF2MS_LOG", "debug")]);
        screens.push((args, ran.stdout, ran.stderr));
    }
    for (args, stdout, stderr) in screens {
        let harmful = |text: &str| {
            text.chars()
                .any(|c| c.is_control() && !matches!(c, '\n' | '\t'))
        };
        assert!(
            !harmful(&stdout) && !harmful(&stderr),
            "{args:?}: {stdout:?}{stderr:?}"
        );
        assert!(
            !format!("{stdout}{stderr}").contains("line\nbreak"),
            "{args:?}"
        );
    }
    others_arrived(&world, &evil);
    let ran = migrate(&world);
    let named: Vec<_> = evil
        .iter()
        .map(|path| {
            path.chars()
                .flat_map(|c| {
                    if c.is_control() {
                        c.escape_unicode().collect::<Vec<_>>()
                    } else {
                        vec![c]
                    }
                })
                .collect::<String>()
        })
        .collect();
    fails_for(
        &world,
        &ran,
        1,
        &named.iter().map(String::as_str).collect::<Vec<_>>(),
    );
}

#[test]
fn twenty_thousand_files_are_planned_from_one_listing_in_little_memory() {
    let world = World::new();
    let generate = json!({"hub": "hf", "kind": "dataset", "id": "alice/model", "message": "m",
        "generate": {"count": 20_000, "folders": 200, "size": 100, "suffix": ".txt", "distinct": 1}});
    world.seed(&generate.to_string());
    let mut child = world
        .command(&["plan", "alice/model", "--out", "plan.json"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut most = 0;
    while child.try_wait().unwrap().is_none() {
        most = most.max(peak(child.id()));
        std::thread::sleep(Duration::from_millis(5));
    }
    let ran = Ran::of(child.wait_with_output().unwrap());
    assert_eq!(ran.code, 0);
    assert!(ran.stdout.contains("20000, 2 MB"), "{}", ran.stdout);
    assert!((1_000..100_000).contains(&most), "{most} KiB");
    let pages = world.requests("hf.tree");
    assert!(pages <= 25, "{pages} pages were asked for");
    assert_eq!(
        ["hf.resolve", "hf_storage.get", "ms.create", "ms.batch"]
            .map(|route| world.requests(route)),
        [0; 4]
    );
}

/// The most memory that a process has had, in KiB.
fn peak(id: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).unwrap_or_default();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .unwrap_or_default();
    line.split_whitespace()
        .next()
        .and_then(|number| number.parse().ok())
        .unwrap_or(0)
}

#[test]
fn a_file_of_500_gb_is_planned_without_a_byte_of_it() {
    let sha256 = "0123456789abcdef".repeat(4);
    let world = with(
        &json!([{"path": "huge.safetensors", "size": 500_000_000_000_u64, "virtual": true, "declare": {"sha256": sha256}}]),
    );
    let ran = world.run(&["migrate", "alice/model", "--dry-run"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(ran.stdout.contains("500.00 GB"), "{}", ran.stdout);
    assert_eq!(
        world
            .run(&["plan", "alice/model", "--out", "plan.json"])
            .code,
        0
    );
    let plan = std::fs::read_to_string(world.path("plan.json")).unwrap();
    assert!(plan.contains("500000000000") && plan.contains(&sha256));
    assert_eq!(
        ["hf.resolve", "hf_storage.get", "ms.create"].map(|route| world.requests(route)),
        [0; 3]
    );
}

#[test]
fn ten_thousand_equal_files_are_one_blob() {
    let world = World::new();
    let generate = json!({"hub": "hf", "kind": "model", "id": "alice/model", "message": "m",
        "generate": {"count": 10_000, "folders": 50, "size": 70_000, "suffix": ".safetensors", "distinct": 1}});
    world.seed(&generate.to_string());
    let ran = migrate(&world);
    let report = ran.event("report");
    assert_eq!(ran.code, 0, "{report}");
    assert_eq!(
        (
            report["moved"].as_u64(),
            report["duplicates"].as_u64(),
            report["sent"].as_u64()
        ),
        (Some(1), Some(9_999), Some(70_000))
    );
    assert_eq!(
        (
            world.requests("ms_storage.put"),
            world.requests("hf_storage.get")
        ),
        (1, 1)
    );
    let repo = world
        .admin(
            "GET",
            "/repo?hub=ms&kind=model&id=alice/model&hash=false",
            "",
        )
        .unwrap();
    let files = repo["files"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|file| file["path"].as_str().unwrap().ends_with(".safetensors"));
    assert_eq!(files.count(), 10_000);
}
