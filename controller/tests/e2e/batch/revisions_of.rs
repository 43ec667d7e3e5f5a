//! `--revisions-of`: every branch and tag of some repos of a batch, and one revision of the others.

use super::*;
use crate::common::history::{all_copied, give_history, refs};

/// Three repos with a history, which share no blob.
fn with_history() -> World {
    let world = World::new();
    for (id, first) in [
        ("alice/tool-a", 1),
        ("alice/tool-b", 11),
        ("alice/other", 21),
    ] {
        give_history(&world, "hf", id, "main", first);
    }
    world
}

#[test]
fn those_that_match_take_every_branch_and_tag_along_and_the_table_counts_them() {
    let world = with_history();
    let batch = [
        "batch",
        "--owner",
        "alice",
        "--revisions-of",
        "alice/tool-*",
    ];
    let ran = world.run(&[&batch[..], &["--json"]].concat());
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    for id in ["alice/tool-a", "alice/tool-b"] {
        all_copied(&world, id);
    }
    assert_eq!(
        refs(&world, "ms", "alice/other"),
        (vec!["master".to_owned()], Vec::new())
    );
    let event = ran.event("batch");
    let of = |row: usize| event["repos"][row]["revisions"].clone();
    let sources: Vec<_> = (0..3)
        .map(|row| event["repos"][row]["source"].clone())
        .collect();
    let other = sources.iter().position(|source| source == "alice/other");
    for row in 0..3 {
        let expected = match Some(row) == other {
            true => Value::Null,
            false => json!({"done": 5, "of": 5}),
        };
        assert_eq!(of(row), expected, "{sources:?}");
    }
    assert_eq!(event["revisions"], json!({"done": 10, "of": 10}));
    let again = world.run(&[&batch[..], &["--force"]].concat());
    assert!(
        again.code == 0
            && again
                .stdout
                .contains("3 there already; 10 of 10 revisions, "),
        "{}{}",
        again.stdout,
        again.stderr
    );
}

#[test]
fn a_pattern_that_matches_no_repo_is_refused_before_anything_is_asked() {
    let world = with_history();
    let args = [
        "batch",
        "alice/tool-a",
        "alice/other",
        "--revisions-of",
        "alice/tol-*",
    ];
    world
        .run(&args)
        .refused_with(2, "--revisions-of alice/tol-* matches none of the 2 repos");
    assert_eq!(world.all_requests(), 0);
}

#[test]
fn a_source_that_names_a_revision_is_refused_only_where_all_are_asked_for() {
    let world = with_history();
    let address = format!("{}/alice/other/tree/v1", world.address("hf"));
    let batch =
        |pattern: &str| world.run(&["batch", "alice/tool-a", &address, "--revisions-of", pattern]);
    batch("*/other").refused_with(2, "SOURCE names a revision");
    let ran = batch("*/tool-a");
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
}
