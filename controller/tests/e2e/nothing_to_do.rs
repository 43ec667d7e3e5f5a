//! Commands that would do nothing: a filter that leaves no file, a Space that nothing is made of. Both are refused before
//! anything is created.

use crate::common::{SMALL_MODEL, World};

fn world() -> World {
    let world = World::new();
    world.seed(SMALL_MODEL);
    world
}

#[test]
fn a_filter_that_leaves_no_file_creates_nothing_and_says_what_it_was_held_against() {
    let world = world();
    for (filter, words) in [
        (
            ["--include", "README"],
            "--include 'README' matches none of the 6 files (the nearest is README.md; a pattern holds for the whole path), of alice/model at main on Hugging Face",
        ),
        (
            ["--exclude", "*"],
            "--exclude '*' leaves none of the 6 files, of alice/model at main on Hugging Face: nothing would be copied",
        ),
    ] {
        for verb in ["migrate", "plan", "verify"] {
            let ran = world.run(&[&[verb, "alice/model"], &filter[..]].concat());
            ran.refused_with(2, words);
        }
        let all = ["migrate", "alice/model", "--all-revisions"];
        let ran = world.run(&[&all[..], &filter].concat());
        assert_eq!(ran.code, 2, "{}{}", ran.stdout, ran.stderr);
    }
    assert!(world.stored("ms", "model", "alice/model").is_none());
}

#[test]
fn of_a_batch_only_the_repo_that_the_filter_empties_fails() {
    let world = world();
    world.seed(
        r#"{"hub":"hf","kind":"model","id":"alice/text","files":[{"path":"only.txt","text":"x"}]}"#,
    );
    let ran = world.run(&[
        "batch",
        "alice/model",
        "alice/text",
        "--include",
        "*.txt",
        "--exclude",
        "empty*",
        "--json",
    ]);
    let batch = ran.event("batch");
    assert_eq!(
        (ran.code, &batch["repos"][0]["state"]),
        (2, &"failed".into())
    );
    assert_eq!(batch["repos"][1]["exit"], 0, "{batch}");
    assert!(world.stored("ms", "model", "alice/model").is_none());
    assert!(world.stored("ms", "model", "alice/text").is_some());
}

#[test]
fn one_pattern_of_several_that_matches_nothing_is_warned_of() {
    let world = world();
    let ran = world.run(&[
        "migrate",
        "alice/model",
        "--include",
        "README.md",
        "--include",
        "confg.json",
    ]);
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    let words = "--include 'confg.json' matches none of the 6 files: the nearest is config.json";
    assert!(ran.stderr.contains(words), "{}", ran.stderr);
}

#[test]
fn a_space_that_is_named_alone_is_refused_with_the_options_and_a_batch_skips_it() {
    let world = world();
    world.seed(r##"{"hub":"hf","kind":"space","id":"alice/app","sdk":"gradio","files":[{"path":"app.py","text":"x"}]}"##);
    let words = "alice/app is a Space: --spaces-as studio makes a studio of it; --repo-type model copies its files as a model";
    for verb in ["migrate", "plan", "verify"] {
        world.run(&[verb, "alice/app"]).refused_with(2, words);
    }
    world
        .run(&["migrate", "alice/app", "--all-revisions"])
        .refused_with(2, words);
    let ran = world.run(&["batch", "alice/model", "spaces/alice/app", "--json"]);
    let batch = ran.event("batch");
    assert_eq!(
        (ran.code, &batch["repos"][1]["state"]),
        (0, &"skipped".into()),
        "{batch}"
    );
    assert!(
        batch["repos"][1]["reason"]
            .as_str()
            .unwrap()
            .contains("--spaces-as studio")
    );
}
