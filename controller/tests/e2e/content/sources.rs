//! Sources that are empty, incomplete or changed during the run.

use super::*;

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
