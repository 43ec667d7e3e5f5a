//! ModelScope as a source, as the real hub was recorded: the commit by Git, by the commits, or none; unknown revisions; files without
//! a digest; datasets of the old kind; studios.

use crate::common::history::{give_history, is_copied};
use crate::common::{Ran, World};
use serde_json::{Value, json};

const SHUT: &str = r#"{"route":"ms.git_refs","kind":{"do":"status","status":421}}"#;
const ENVIRONMENT: [(&str, &str); 2] = [
    ("HF_TOKEN", "hf_sandboxAliceWrite"),
    ("HF2MS_RETRY_BASE", "0.01"),
];

fn set(world: &World, settings: &Value) {
    world
        .admin("POST", "/settings", &settings.to_string())
        .unwrap();
}

fn seed(world: &World, kind: &str, more: &Value) {
    let files = json!([
        {"path": "README.md", "text": "---\nsdk: gradio\n---\n# Hello\n"}, {"path": "config.json", "text": "{}"}, {"path": "sub dir/名.txt", "text": "odd"},
        {"path": "a.safetensors", "size": 300_000, "seed": 1}, {"path": "long.txt", "size": 100_000, "seed": 3, "lfs": false},
    ]);
    let mut seed =
        json!({"hub": "ms", "kind": kind, "id": "alice/x", "files": files, "sdk": "gradio"});
    seed.as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    world.seed(&seed.to_string());
}

fn run(world: &World, args: &[&str]) -> Ran {
    world.run_with(&[&["migrate"], args, &["--json"]].concat(), &ENVIRONMENT)
}

/// The kind, and how it is asked for.
const KINDS: [(&str, &str, &[&str]); 3] = [
    ("model", "ms:models/alice/x", &[]),
    ("dataset", "ms:datasets/alice/x", &[]),
    ("space", "ms:studios/alice/x", &["--spaces-as", "space"]),
];

/// Path and digest of what the hub really holds.
fn holds(world: &World, hub: &str, kind: &str, id: &str) -> Vec<(String, String)> {
    let repo = world
        .stored(hub, kind, id)
        .unwrap_or_else(|| panic!("there is no {kind} {id} on {hub}"));
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

fn arrived(world: &World, kind: &str, id: &str) {
    let there = holds(world, "hf", kind, id);
    let missing: Vec<_> = holds(world, "ms", kind, "alice/x")
        .into_iter()
        .filter(|file| !there.contains(file))
        .collect();
    assert!(missing.is_empty(), "{missing:?} not in {there:?}");
}

fn failed(report: &Value) -> Vec<String> {
    report["failed"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| format!("{}: {}", entry["path"].as_str().unwrap(), entry["error"]))
        .collect()
}

#[test]
fn the_commit_comes_by_git_or_by_the_commits_and_without_either_the_listing_is_what_counts() {
    let world = World::new();
    for (kind, source, more) in KINDS {
        seed(&world, kind, &json!({}));
        for (number, commits) in ["git", "all", "none"].into_iter().enumerate() {
            if commits != "git" {
                world.fault(SHUT);
                set(&world, &json!({"ms_commits": commits}));
            }
            let id = format!("alice/y{number}");
            let ran = run(&world, &[&[source, "--dest", &id], more].concat());
            assert_eq!(
                ran.code, 0,
                "{kind} {commits}: {}{}",
                ran.stdout, ran.stderr
            );
            arrived(&world, kind, &id);
            let report = ran.event("report");
            let revision = report["source"]["revision"].as_str().unwrap();
            assert_eq!(
                (
                    revision == "master",
                    report["warnings"]
                        .to_string()
                        .contains("by the name master")
                ),
                (commits == "none", commits == "none"),
                "{report}"
            );
        }
        let again = run(&world, &[&[source, "--dest", "alice/y2"], more].concat());
        assert_eq!(
            (again.code, again.event("report")["unchanged"].as_u64()),
            (0, Some(5)),
            "a name is no proof: both sides are compared"
        );
        world.admin("DELETE", "/faults", "").unwrap();
    }
}

#[test]
fn a_source_that_tells_no_commit_and_moves_on_is_said_to_have_and_the_next_run_ends_it() {
    let world = World::new();
    seed(&world, "model", &json!({}));
    set(&world, &json!({"ms_commits": "none"}));
    world.fault(SHUT);
    let files = json!([{"path": "config.json", "text": "{\"later\": 1}"}, {"path": "a.safetensors", "size": 300_000, "seed": 9}, {"path": "new.txt", "text": "n"}]);
    world.fault(
        &json!({"route": "ms.download", "kind": {"do": "moved", "files": files}, "count": 1})
            .to_string(),
    );
    let ran = run(&world, &["ms:alice/x"]);
    let report = ran.event("report");
    let told = failed(&report);
    assert_eq!(
        (ran.code, told.len()),
        (1, 3),
        "{}{}",
        ran.stdout,
        ran.stderr
    );
    for words in [
        "a.safetensors: \"the source has changed it",
        "config.json: \"the source has changed it",
        "new.txt: \"the source has added it",
    ] {
        assert!(
            told.iter().any(|line| line.contains(words)),
            "{words} in {told:?}"
        );
    }
    let again = run(&world, &["ms:alice/x"]);
    assert_eq!(again.code, 0, "{}{}", again.stdout, again.stderr);
    arrived(&world, "model", "alice/x");
}

#[test]
fn an_unknown_revision_is_never_an_empty_repo() {
    let world = World::new();
    for (kind, source, more) in KINDS {
        seed(&world, kind, &json!({}));
        for settings in [
            json!({"ms_revision_404": false, "ms_commits": "models"}),
            json!({"ms_revision_404": true, "ms_commits": "all"}),
        ] {
            set(&world, &settings);
            let args = [&["migrate", source, "--revision", "v9"], more].concat();
            world
                .run_with(&args, &ENVIRONMENT)
                .refused_with(3, "has no revision v9");
            assert!(world.stored("hf", kind, "alice/x").is_none());
        }
    }
}

/// Nothing else than a listing says how many files a model or a studio has.
#[test]
fn a_listing_that_is_short_once_copies_and_deletes_nothing() {
    for (kind, from, options) in [KINDS[0], KINDS[2]] {
        let world = World::new();
        seed(&world, kind, &json!({}));
        let to = ["hf:alice/x", "--prune", "--yes"];
        let args = [&[from], &to[..], options].concat();
        for entries in [0, 3, 4] {
            let cut = json!({"do": "cut", "entries": entries});
            world.strike("ms.files", cut, json!({"count": 1}));
            let ran = run(&world, &args);
            assert!(world.all_struck(), "{}", ran.stdout);
            world.clear_faults();
            // Two listings are asked for at the same time: the short one may be the one that nothing is read from.
            match ran.code {
                0 => arrived(&world, kind, "alice/x"),
                1 => assert!(ran.stdout.contains("the listing is not whole")),
                other => panic!("{other}: {}{}", ran.stdout, ran.stderr),
            }
            let added = json!([{"path": format!("{entries}.txt"), "text": "more"}]);
            let more = json!({"hub": "ms", "kind": kind, "id": "alice/x", "files": added});
            world.seed(&more.to_string());
        }
        assert_eq!(run(&world, &args).code, 0);
        arrived(&world, kind, "alice/x");
    }
}

#[test]
fn every_branch_and_tag_comes_though_git_is_shut() {
    for commits in ["models", "none"] {
        let world = World::new();
        give_history(&world, "ms", "alice/x", "master", 1);
        set(&world, &json!({"ms_commits": commits}));
        world.fault(SHUT);
        let ran = run(&world, &["ms:alice/x", "--all-revisions"]);
        assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
        for (from, to) in [
            ("master", "main"),
            ("dev/x", "dev/x"),
            ("v0", "v0"),
            ("v1", "v1"),
            ("twin", "twin"),
        ] {
            is_copied(&world, "alice/x", ("ms", from), ("hf", to));
        }
        assert_eq!(world.requests("hf_storage.put"), 3, "equal blobs move once");
    }
}

#[test]
fn files_without_a_digest_are_read_and_hashed_and_lost_ones_cost_only_themselves() {
    let world = World::new();
    set(&world, &json!({"ms_sha256": false}));
    seed(&world, "model", &json!({}));
    let ran = run(&world, &["ms:alice/x"]);
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    arrived(&world, "model", "alice/x");
    world.seed(r#"{"hub":"ms","kind":"model","id":"alice/x","files":[{"path":"lost.txt","text":"gone","missing":true}]}"#);
    for hashed in [false, true] {
        set(&world, &json!({"ms_sha256": hashed}));
        let ran = run(&world, &["ms:alice/x"]);
        let report = ran.event("report");
        let list = &report[if hashed { "failed" } else { "refused" }];
        assert_eq!(
            (
                ran.code,
                list[0]["path"].as_str(),
                list.as_array().unwrap().len()
            ),
            (1, Some("lost.txt"), 1),
            "{report}"
        );
        assert!(
            list[0].to_string().contains("文件内容为空"),
            "the hub's own words: {report}"
        );
    }
}

#[test]
fn a_dataset_of_the_old_kind_brings_the_data_beside_its_repo() {
    let world = World::new();
    let oss = json!([{"path": "train.zip", "size": 400_000, "seed": 5}, {"path": "d/labels.csv", "text": "a,b"}, {"path": "../evil", "text": "e"}]);
    seed(&world, "dataset", &json!({"oss": oss}));
    let ran = run(&world, &["ms:alice/x"]);
    let report = ran.event("report");
    assert_eq!(
        (ran.code, report["refused"][0]["path"].as_str()),
        (1, Some("../evil")),
        "{}{}",
        ran.stdout,
        ran.stderr
    );
    assert_eq!(report["failed"].as_array().unwrap().len(), 0, "{report}");
    arrived(&world, "dataset", "alice/x");
    let there = holds(&world, "hf", "dataset", "alice/x");
    assert!(
        ["train.zip", "d/labels.csv"]
            .iter()
            .all(|path| there.iter().any(|(found, _)| found == path)),
        "{there:?}"
    );
    for request in world
        .admin("GET", "/requests", "")
        .unwrap()
        .as_array()
        .unwrap()
    {
        let is_storage = request["origin"] == "ms_storage";
        assert!(
            !is_storage
                || request["headers"]["authorization"].is_null()
                    && request["headers"]["cookie"].is_null(),
            "{request}"
        );
    }
}

#[test]
fn a_studio_is_read_by_whichever_route_there_is() {
    let world = World::new();
    seed(&world, "space", &json!({}));
    for route in ["singular", "plural"] {
        set(&world, &json!({"ms_studio_files": route}));
        let id = format!("alice/{route}");
        let ran = run(
            &world,
            &["ms:studios/alice/x", "--spaces-as", "space", "--dest", &id],
        );
        assert_eq!(ran.code, 0, "{route}: {}{}", ran.stdout, ran.stderr);
        arrived(&world, "space", &id);
        assert_eq!(world.stored("hf", "space", &id).unwrap()["sdk"], "gradio");
    }
}
