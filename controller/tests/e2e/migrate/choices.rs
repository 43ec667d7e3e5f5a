//! Workers, globs, deletions.

use super::*;

#[test]
fn several_workers_share_the_work() {
    let world = World::with_model();
    let ran = world.run(&["migrate", "alice/model", "--containers", "2", "--json"]);
    let report = ran.event("report");
    assert_eq!(
        (
            ran.code,
            report["chunks"].as_u64(),
            report["workers"].as_u64()
        ),
        (0, Some(2), Some(2))
    );
    assert!(world.is_copied("model", "alice/model", "alice/model"));
}

#[test]
fn globs_choose_and_dest_renames() {
    let world = World::with_model();
    let args = [
        "migrate",
        "hf:alice/model",
        "--dest",
        "alice/other",
        "--include",
        "*.safetensors",
        "--exclude",
        "copy/*",
    ];
    assert_eq!(world.run(&args).code, 0);
    let stored = world.stored("ms", "model", "alice/other").unwrap();
    let paths: Vec<_> = stored["files"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|file| file["path"].as_str())
        .collect();
    assert!(
        paths.contains(&"a.safetensors")
            && paths.contains(&"b.safetensors")
            && !paths.contains(&"copy/a.safetensors"),
        "{paths:?}"
    );
}

#[test]
fn nothing_is_deleted_unless_pruning_is_asked_for() {
    let world = World::with_model();
    assert_eq!(world.run(&["migrate", "alice/model"]).code, 0);
    world.seed(r#"{"hub":"hf","kind":"model","id":"alice/model","message":"m","files":[],"delete":["b.safetensors"]}"#);
    let has = || {
        world
            .stored("ms", "model", "alice/model")
            .unwrap()
            .to_string()
            .contains("\"b.safetensors\"")
    };
    assert_eq!(world.run(&["migrate", "alice/model"]).code, 0);
    assert!(has());
    assert_eq!(world.run(&["migrate", "alice/model", "--prune"]).code, 0);
    assert!(!has());
}

/// The files of the model that each test begins with.
const ALL: [&str; 6] = [
    "README.md",
    "config.json",
    "empty.txt",
    "a.safetensors",
    "copy/a.safetensors",
    "b.safetensors",
];

/// Whether the destination has a path.
fn stands(world: &World, path: &str) -> bool {
    let stored = world.stored("ms", "model", "alice/model").unwrap();
    stored.to_string().contains(&format!("\"{path}\""))
}

fn seed_source(world: &World, files: &Value, delete: &[&str]) {
    let model = json!({"hub": "hf", "kind": "model", "id": "alice/model", "message": "m", "files": files, "delete": delete});
    world.seed(&model.to_string());
}

#[test]
fn a_doubtful_source_deletes_nothing_and_the_report_says_what_stayed() {
    let world = World::with_model();
    assert_eq!(world.run(&["migrate", "alice/model"]).code, 0);
    // Everything is gone at the source.
    seed_source(&world, &json!([]), &ALL);
    let ran = world.run(&["migrate", "alice/model", "--prune", "--json"]);
    let report = ran.event("report");
    assert_eq!(
        (
            ran.code,
            report["withheld"][0]["paths"].as_array().map(Vec::len)
        ),
        (1, Some(6)),
        "{}",
        ran.stdout
    );
    assert!(ALL.iter().all(|path| stands(&world, path)));
    // An entry of the source can't be copied: what it is at the destination is not known.
    seed_source(
        &world,
        &json!([{"path": "new.txt", "text": "n"}, {"path": "../evil.txt", "text": "x"}]),
        &[],
    );
    let ran = world.run(&["migrate", "alice/model", "--prune", "--max-delete", "100%"]);
    assert_eq!(ran.code, 1);
    assert!(
        ran.stderr
            .contains("nothing is deleted: the source has entries that can't be copied"),
        "{}",
        ran.stderr
    );
    assert!(stands(&world, "b.safetensors") && stands(&world, "new.txt"));
}

#[test]
fn a_file_that_is_rewritten_after_the_plan_was_made_stays_and_is_named() {
    let world = World::with_model();
    assert_eq!(world.run(&["migrate", "alice/model"]).code, 0);
    seed_source(&world, &json!([]), &ALL);
    assert_eq!(
        world
            .run(&[
                "plan",
                "alice/model",
                "--prune",
                "--max-delete",
                "6",
                "--out",
                "plan.json"
            ])
            .code,
        0
    );
    world.seed(
        &json!({"hub": "ms", "kind": "model", "id": "alice/model", "message": "m", "files": [{"path": "config.json", "text": "mine"}]})
            .to_string(),
    );
    let ran = world.run(&["migrate", "--plan", "plan.json"]);
    assert!(
        ran.code == 1 && ran.stdout.contains("config.json"),
        "{}{}",
        ran.stdout,
        ran.stderr
    );
    assert!(stands(&world, "config.json") && !stands(&world, "b.safetensors"));
}
