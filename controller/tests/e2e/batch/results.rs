//! The result of each repo: copied, skipped, failed.

use super::*;

/// Two good repos, a gated one, and one whose blob the source has lost.
fn with_bad_repos() -> World {
    let world = world(&[
        ("alice/ra", 300_000),
        ("alice/gated", 400_000),
        ("alice/lost", 500_000),
        ("alice/rz", 600_000),
    ]);
    world
        .admin(
            "POST",
            "/repo",
            r#"{"hub":"hf","kind":"model","id":"alice/gated","gated":true}"#,
        )
        .unwrap();
    let oid = world.stored("hf", "model", "alice/lost").unwrap()["files"][1]["sha256"].clone();
    world.admin(
        "POST",
        "/blob/remove",
        &json!({"hub": "hf", "sha256": oid}).to_string(),
    );
    world
}

#[test]
fn a_bad_repo_costs_only_itself() {
    let world = with_bad_repos();
    let ran = world.run(&[
        "batch",
        "alice/ra",
        "alice/absent",
        "alice/gated",
        "alice/lost",
        "alice/rz",
        "--json",
    ]);
    assert_eq!(
        (ran.code, states(&ran)),
        (
            3,
            ["moved", "failed", "failed", "failed", "moved"]
                .map(str::to_owned)
                .to_vec()
        ),
        "{}",
        ran.stdout
    );
    copied(&world, &["alice/ra", "alice/rz"]);
    for (row, words) in [
        (1, "alice/absent was found"),
        (2, "alice/gated is gated"),
        (3, "a.bin: "),
    ] {
        assert!(
            reason(&ran, row).contains(words),
            "{words} in {}",
            reason(&ran, row)
        );
    }
    let batch = ran.event("batch");
    assert_eq!(
        (
            &batch["counts"]["moved"],
            &batch["exit"],
            &batch["repos"][3]["exit"]
        ),
        (&json!(2), &json!(3), &json!(1)),
        "{batch}"
    );
}

#[test]
fn json_names_the_repo_of_each_event_and_ends_with_the_batch() {
    let world = world(&[("alice/ra", 300_000), ("alice/rb", 400_000)]);
    let ran = world.run(&["batch", "alice/ra", "alice/rb", "--json"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
    let (last, others) = ran
        .events()
        .split_last()
        .map(|(last, others)| (last.clone(), others.to_vec()))
        .unwrap();
    assert_eq!(
        (&last["event"], &last["files"], &last["bytes"]),
        (&json!("batch"), &json!(4), &json!(700_000 + 22))
    );
    assert!(
        others
            .iter()
            .all(|event| ["alice/ra", "alice/rb"].contains(&event["repo"].as_str().unwrap()))
    );
    for name in ["planned", "file", "committed", "report"] {
        for repo in ["alice/ra", "alice/rb"] {
            assert!(
                others
                    .iter()
                    .any(|event| event["event"] == name && event["repo"] == repo),
                "{name} of {repo}"
            );
        }
    }
}

#[test]
fn what_exists_is_skipped_unless_it_is_forced() {
    let world = world(&[("alice/ra", 300_000), ("alice/rb", 400_000)]);
    seed(&world, "hf", "space", "alice/app", 500_000);
    seed(&world, "ms", "model", "alice/rb", 700_000);
    let batch = [
        "batch",
        "alice/ra",
        "alice/rb",
        "spaces/alice/app",
        "--json",
    ];
    let ran = world.run(&batch);
    assert_eq!(
        (ran.code, states(&ran)),
        (
            0,
            ["moved", "skipped", "skipped"].map(str::to_owned).to_vec()
        ),
        "{}",
        ran.stdout
    );
    assert!(reason(&ran, 1).contains("--force") && reason(&ran, 2).contains("Space"));
    assert!(
        world.is_copied("model", "alice/ra", "alice/ra")
            && !world.is_copied("model", "alice/rb", "alice/rb")
    );
    let forced = world.run(&[&batch[..], &["--force"]].concat());
    assert_eq!(
        (forced.code, states(&forced)),
        (
            0,
            ["there_already", "moved", "skipped"]
                .map(str::to_owned)
                .to_vec()
        )
    );
    copied(&world, &["alice/ra", "alice/rb"]);
}

#[test]
fn a_copy_whose_source_moved_on_is_left_alone_too() {
    let world = world(&[("alice/ra", 300_000)]);
    assert_eq!(world.run(&["batch", "alice/ra"]).code, 0);
    seed(&world, "hf", "model", "alice/ra", 400_000);
    let ran = world.run(&["batch", "alice/ra", "--json"]);
    assert_eq!((ran.code, states(&ran)), (0, vec!["skipped".to_owned()]));
    assert_eq!(world.run(&["batch", "alice/ra", "--force"]).code, 0);
    copied(&world, &["alice/ra"]);
}
