//! Workers and globs.

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
