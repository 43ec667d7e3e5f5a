//! Commits that a hub refuses in the recorded words: what is about one file costs only that, what is about the whole repo is said
//! once, and what can be mended is.

use crate::common::{Ran, World};
use serde_json::{Value, json};

const HF_ALICE: &str = "hf_sandboxAliceWrite";

/// A world whose `alice/model` on `hub` has these files.
fn with(hub: &str, files: &Value) -> World {
    let world = World::new();
    world.seed(
        &json!({"hub": hub, "kind": "model", "id": "alice/model", "files": files}).to_string(),
    );
    world
}

fn texts(count: u64) -> Vec<Value> {
    (0..count)
        .map(|n| json!({"path": format!("texts/{n:02}.txt"), "text": format!("text {n}")}))
        .collect()
}

fn migrate(world: &World, args: &[&str]) -> Ran {
    let environment = [("HF_TOKEN", HF_ALICE), ("HF2MS_RETRY_BASE", "0.01")];
    world.run_with(&[&["migrate"], args].concat(), &environment)
}

/// Exactly this file failed, in these words, and the others are there and equal.
fn only_failed(ran: &Ran, path: &str, words: &str) {
    let report = ran.event("report");
    let failed = report["failed"].as_array().unwrap();
    assert_eq!(
        (ran.code, failed.len(), failed[0]["path"].as_str()),
        (1, 1, Some(path)),
        "{}{}",
        ran.stdout,
        ran.stderr
    );
    assert!(
        failed[0]["error"].as_str().unwrap().contains(words),
        "{report}"
    );
    assert_eq!(
        report["verification"]["equal"], report["verification"]["checked"],
        "{report}"
    );
}

fn commits(world: &World, hub: &str, status: &str) -> u64 {
    world.admin("GET", "/counters", "").unwrap()[format!("{hub}.commit")]["statuses"][status]
        .as_u64()
        .unwrap_or(0)
}

#[test]
fn a_path_that_policy_rejects_at_modelscope_costs_only_itself() {
    let mut files = texts(14);
    files.extend([
        json!({"path": "src/__pycache__/m.txt", "text": "x"}),
        json!({"path": "w.bin", "size": 5000, "seed": 1}),
    ]);
    let world = with("hf", &json!(files));
    only_failed(
        &migrate(&world, &["alice/model", "--json"]),
        "src/__pycache__/m.txt",
        "commit rejected by repository policy",
    );
    let there = world
        .stored("ms", "model", "alice/model")
        .unwrap()
        .to_string();
    assert!(
        there.contains("texts/13.txt") && there.contains("w.bin") && !there.contains("__pycache__"),
        "{there}"
    );
    let refused = commits(&world, "ms", "400");
    assert!(
        (2..=6).contains(&refused),
        "once more as it is, and then by halves: {refused}"
    );
}

#[test]
fn a_commit_that_comes_too_soon_for_modelscope_is_made_a_little_later_as_it_is() {
    let world = with("hf", &json!(texts(3)));
    migrate(&world, &["alice/model", "--json"]).event("report");
    world.seed(
        &json!({"hub": "hf", "kind": "model", "id": "alice/model", "files": texts(5)}).to_string(),
    );
    let rule = r#"{"route":"ms.commit","count":1,"kind":{"do":"status","status":400,"envelope":{"code":10030000001,"message":"commit rejected by repository policy"}}}"#;
    world.admin("POST", "/faults", rule).unwrap();
    assert_eq!(migrate(&world, &["alice/model", "--json"]).code, 0);
    assert_eq!(
        commits(&world, "ms", "400"),
        1,
        "the same commit passes a little later"
    );
}

#[test]
fn binary_files_that_hugging_face_refuses_outside_lfs_are_stored_there() {
    let mut files = texts(3);
    files.extend([
        json!({"path": "assets/a b.ply", "size": 5000, "seed": 1}),
        json!({"path": "b.ply", "size": 700, "seed": 2}),
    ]);
    let world = with("ms", &json!(files));
    let ran = migrate(&world, &["ms:alice/model", "--json"]);
    assert_eq!(
        (
            ran.code,
            commits(&world, "hf", "400"),
            commits(&world, "hf", "200")
        ),
        (0, 1, 1),
        "{}{}",
        ran.stdout,
        ran.stderr
    );
    let there = world.stored("hf", "model", "alice/model").unwrap();
    let in_lfs = there["files"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|file| file["lfs"] == true)
        .map(|file| file["path"].as_str().unwrap());
    assert_eq!(in_lfs.collect::<Vec<_>>(), ["assets/a b.ply", "b.ply"]);
}

#[test]
fn a_file_with_a_secret_fails_alone_in_the_hubs_words() {
    let mut files = texts(5);
    files.push(json!({"path": ".env", "text": format!("TOKEN={HF_ALICE}\n")}));
    let world = with("ms", &json!(files));
    only_failed(
        &migrate(&world, &["ms:alice/model", "--json"]),
        ".env",
        "valid Hugging Face secrets",
    );
    assert_eq!(
        (commits(&world, "hf", "400"), commits(&world, "hf", "200")),
        (1, 1)
    );
}

#[test]
fn a_limit_of_the_whole_repo_is_said_once_and_nothing_is_split() {
    let world = with("ms", &json!(texts(30)));
    for (dest, settings, words) in [
        (
            "alice/full",
            r#"{"hf_private_storage":100}"#,
            "Private storage limit reached for user alice",
        ),
        (
            "alice/wide",
            r#"{"hf_private_storage":null,"hf_files_a_folder":20}"#,
            "too many files per directory",
        ),
        (
            "alice/many",
            r#"{"hf_files_a_folder":10000,"hf_files_a_repo":20}"#,
            "over the limit of 20 files",
        ),
    ] {
        world.admin("POST", "/settings", settings).unwrap();
        world.admin("POST", "/counters/reset", "").unwrap();
        let ran = migrate(&world, &["ms:alice/model", "--dest", dest, "--private"]);
        ran.refused_with(3, words);
        assert!(
            ran.stderr.contains("make room there or leave files out"),
            "{}",
            ran.stderr
        );
        assert_eq!(
            (commits(&world, "hf", "400"), world.requests("hf.commit")),
            (1, 1),
            "{dest}"
        );
    }
}

#[test]
fn blobs_that_hugging_face_only_remembers_are_stored_again() {
    let files = json!([{"path": "w.bin", "size": 9000, "seed": 1}, {"path": "v.bin", "size": 8000, "seed": 2}, {"path": "a.txt", "text": "a"}]);
    let world = with("ms", &files);
    assert_eq!(migrate(&world, &["ms:alice/model", "--json"]).code, 0);
    world
        .admin("DELETE", "/repo?hub=hf&kind=model&id=alice/model", "")
        .unwrap();
    let ran = migrate(&world, &["ms:alice/model", "--json"]);
    assert_eq!(
        (
            ran.code,
            commits(&world, "hf", "400"),
            world.requests("hf_storage.put")
        ),
        (0, 1, 4),
        "{}{}",
        ran.stdout,
        ran.stderr
    );
}

/// The paths of a report's failures whose error has these words.
fn failed_with(report: &Value, words: &str) -> Vec<String> {
    let failed = report["failed"].as_array().unwrap().iter();
    let such = failed.filter(|failed| failed["error"].as_str().unwrap().contains(words));
    such.map(|failed| failed["path"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn what_makes_a_repo_look_complete_is_held_back_while_another_file_fails_for_now() {
    for (route, path) in [("hf.resolve", "notes.txt"), ("ms_storage.put", "/7001")] {
        let world = with(
            "hf",
            &json!([{"path": "README.md", "text": "# mine"}, {"path": "config.json", "text": "{}"}, {"path": "notes.txt", "text": "n"},
                {"path": "v.bin", "size": 5000, "seed": 2}, {"path": "w.bin", "size": 7001, "seed": 1}]),
        );
        let rule = json!({"route": route, "path": path, "kind": {"do": "status", "status": 503}});
        world.fault(&rule.to_string());
        let ran = migrate(&world, &["alice/model", "--json"]);
        let report = ran.event("report");
        assert_eq!(
            (ran.code, failed_with(&report, "held back")),
            (1, vec!["README.md".to_owned(), "config.json".to_owned()]),
            "{report}"
        );
        let there = world.stored("ms", "model", "alice/model").unwrap();
        let text = there["files"].to_string();
        assert!(
            text.contains("v.bin") && !text.contains("\"config.json\""),
            "{there}"
        );
        world.admin("DELETE", "/faults", "");
        assert_eq!(migrate(&world, &["alice/model", "--json"]).code, 0);
        assert!(world.is_copied("model", "alice/model", "alice/model"));
    }
}

#[test]
fn a_commit_that_is_cut_after_a_timeout_still_ends_with_what_makes_the_repo_look_complete() {
    let mut files = texts(230);
    files.push(json!({"path": "README.md", "text": "# mine"}));
    let world = with("ms", &json!(files));
    world.fault(r#"{"route":"hf.commit","count":1,"kind":{"do":"status","status":504}}"#);
    let ran = migrate(&world, &["ms:alice/model", "--json"]);
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    let repo = world.stored("hf", "model", "alice/model").unwrap();
    let commits = repo["commits"].as_array().unwrap().clone();
    let ours: Vec<_> = commits
        .iter()
        .filter(|commit| commit["message"].as_str().unwrap().starts_with("Copy"))
        .map(|commit| commit["id"].as_str().unwrap())
        .collect();
    let has_readme = |commit: &&str| {
        let at = format!("/repo?hub=hf&kind=model&id=alice/model&hash=false&revision={commit}");
        let files = world.admin("GET", &at, "").unwrap()["files"].to_string();
        files.contains("README.md")
    };
    assert!(ours.len() > 1, "{repo}");
    assert_eq!(ours.iter().filter(|commit| has_readme(commit)).count(), 1);
}

#[test]
fn one_unreadable_file_keeps_deletions_back_and_nothing_else() {
    let files = json!([{"path": "README.md", "text": "r"}, {"path": "a.txt", "text": "a"}]);
    let world = with("hf", &files);
    assert_eq!(migrate(&world, &["alice/model", "--json"]).code, 0);
    let seed = |hub: &str, files: Value| {
        let seed = json!({"hub": hub, "kind": "model", "id": "alice/model", "message": "m", "files": files});
        world.seed(&seed.to_string());
    };
    seed("ms", json!([{"path": "old.txt", "text": "old"}]));
    seed(
        "hf",
        json!([{"path": "a.txt", "text": "new"}, {"path": "bad.txt", "text": "bad"}]),
    );
    world.fault(r#"{"route":"hf.resolve","path":"bad.txt","kind":{"do":"status","status":404}}"#);
    let ran = migrate(
        &world,
        &["alice/model", "--prune", "--max-delete", "100%", "--json"],
    );
    let report = ran.event("report");
    let named: Vec<_> = report["failed"]
        .as_array()
        .unwrap()
        .iter()
        .map(|failed| failed["path"].as_str().unwrap())
        .collect();
    assert_eq!(
        (ran.code, named),
        (1, vec!["bad.txt", "old.txt"]),
        "{report}"
    );
    assert_eq!(failed_with(&report, "not deleted"), ["old.txt"]);
    let there = world.stored("ms", "model", "alice/model").unwrap()["files"].to_string();
    assert!(there.contains("old.txt"), "{there}");
    let state = migrate(&world, &["alice/model", "--dry-run", "--json"]).stdout;
    assert!(state.contains("\"inline\":1"), "a.txt was written: {state}");
}

#[test]
fn an_edit_that_hugging_face_says_412_about_is_left_alone() {
    let world = with("ms", &json!(texts(3)));
    assert_eq!(migrate(&world, &["ms:alice/model", "--json"]).code, 0);
    let seed = json!({"hub": "ms", "kind": "model", "id": "alice/model", "message": "m",
        "files": [{"path": "texts/00.txt", "text": "ours"}, {"path": "texts/01.txt", "text": "ours, too"}]});
    world.seed(&seed.to_string());
    let theirs = json!({"route": "hf.commit", "count": 1,
        "kind": {"do": "moved", "files": [{"path": "texts/00.txt", "text": "theirs"}]}});
    world.fault(&theirs.to_string());
    let ran = migrate(&world, &["ms:alice/model", "--json"]);
    only_failed(&ran, "texts/00.txt", "someone else changed it");
    assert_eq!(
        (commits(&world, "hf", "412"), commits(&world, "hf", "200")),
        (1, 2),
        "one of the first run, one of the second"
    );
}
