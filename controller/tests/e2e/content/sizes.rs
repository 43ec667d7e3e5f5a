//! Very many files, very large files, and equal files.

use super::*;

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
    assert!(ran.stdout.contains("20,000, 2 MB"), "{}", ran.stdout);
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
        // Once to be copied, and both ends to be compared.
        (1, 3)
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

#[test]
fn a_readme_of_60_mb_is_refused_with_words_and_costs_only_itself() {
    let world = with(&json!([{"path": "README.md", "size": 60_000_000, "seed": 1, "lfs": false}]));
    let ran = migrate(&world);
    let report = ran.event("report");
    assert_eq!(ran.code, 1, "{report}");
    let failed = report["failed"].to_string();
    assert!(
        failed.contains("README.md") && failed.contains("57 MiB") && failed.contains("--exclude"),
        "{failed}"
    );
    let there = holds(&world, "ms", "model");
    assert!(there.contains_key("good.safetensors") && there.contains_key("good.txt"));
    let counters = world.admin("GET", "/counters", "").unwrap();
    let read = counters["hf.resolve"]["bytes_out"].as_u64().unwrap();
    assert!(read < 1_000_000, "{read} bytes of the source were read");
}

#[test]
fn a_file_of_60_mb_is_compared_in_little_memory() {
    let file = json!([{"path": "README.md", "size": 60_000_000, "seed": 1, "lfs": false}]);
    let world = World::new();
    for hub in ["hf", "ms"] {
        let body = json!({"hub": hub, "kind": "model", "id": "alice/model", "message": "m", "files": file});
        world.seed(&body.to_string());
    }
    let mut child = world
        .command(&["verify", "alice/model", "--json"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut most = 0;
    while child.try_wait().unwrap().is_none() {
        most = children(child.id())
            .into_iter()
            .map(peak)
            .fold(most, u64::max);
        std::thread::sleep(Duration::from_millis(5));
    }
    let ran = Ran::of(child.wait_with_output().unwrap());
    assert_eq!(ran.code, 0, "{}", ran.stdout);
    assert_eq!(
        ran.event("verified")["verification"]["equal"],
        1,
        "{}",
        ran.stdout
    );
    assert!((1_000..60_000).contains(&most), "{most} KiB");
}

/// The processes that a process has started.
fn children(id: u32) -> Vec<u32> {
    let told = std::fs::read_to_string(format!("/proc/{id}/task/{id}/children"));
    let told = told.unwrap_or_default();
    told.split_whitespace()
        .filter_map(|id| id.parse().ok())
        .collect()
}
