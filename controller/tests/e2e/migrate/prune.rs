//! Deletions: listed, agreed to, and named; and those that are not made.

use super::*;

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
    let pruned = world.run(&["migrate", "alice/model", "--prune", "--yes"]);
    assert_eq!(pruned.code, 0, "{}", pruned.stderr);
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
        (1, Some(5)),
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
            .contains("): the source has entries that can't be copied"),
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
    world.run(&["migrate", "--plan", "plan.json"]).refused_with(
        2,
        "Give --yes to delete them, or make the plan again without --prune",
    );
    let ran = world.run(&["migrate", "--plan", "plan.json", "--yes"]);
    assert!(
        ran.code == 1
            && ran.stdout.contains("config.json")
            && ran.stdout.contains("but not all was deleted"),
        "{}{}",
        ran.stdout,
        ran.stderr
    );
    assert!(stands(&world, "config.json") && !stands(&world, "b.safetensors"));
}

/// A copy at whose destination someone has put two files, and ModelScope its own.
fn with_two_more() -> World {
    let world = World::new();
    let texts = ["a.txt", "b.txt", "c.txt"].map(|path| json!({"path": path, "text": path}));
    seed_source(&world, &json!(texts), &[]);
    assert_eq!(world.run(&["migrate", "alice/model"]).code, 0);
    add_two(&world);
    world
}

fn add_two(world: &World) {
    let files = json!([{"path": "old.txt", "text": "o"}, {"path": "older.txt", "text": "o"}]);
    let theirs =
        json!({"hub": "ms", "kind": "model", "id": "alice/model", "message": "m", "files": files});
    world.seed(&theirs.to_string());
}

const TWO: &str =
    "--prune would delete 2 files (old.txt and older.txt) of alice/model on ModelScope";

#[test]
fn without_a_terminal_deletions_are_refused_with_their_names_before_anything_is_written() {
    let world = with_two_more();
    seed_source(&world, &json!([{"path": "new.txt", "text": "n"}]), &[]);
    let commits = world.requests("ms.commit");
    let refused = world.run(&["migrate", "alice/model", "--prune"]);
    refused.refused_with(2, TWO);
    refused.refused_with(2, "Give --yes to delete them, or --max-delete N");
    assert_eq!(world.requests("ms.commit"), commits);
    assert!(stands(&world, "old.txt") && !stands(&world, "new.txt"));
    let seen = world.run(&["migrate", "alice/model", "--prune", "--dry-run"]);
    assert!(
        seen.code == 0
            && seen
                .stdout
                .contains("  to delete   2 files (old.txt and older.txt)"),
        "{}",
        seen.stdout
    );
}

#[test]
fn agreed_deletions_are_named_in_the_events_and_in_the_report_and_the_hubs_own_files_stay() {
    let world = with_two_more();
    let ran = world.run(&[
        "migrate",
        "alice/model",
        "--prune",
        "--max-delete",
        "2",
        "--json",
    ]);
    assert_eq!(ran.code, 0, "{}", ran.stdout);
    let two = json!(["old.txt", "older.txt"]);
    assert_eq!(ran.event("deletions")["paths"], two);
    let deleted = ran.events();
    let deleted = deleted.iter().filter(|event| event["event"] == "deleted");
    assert_eq!(deleted.count(), 2);
    let report = ran.event("report");
    assert_eq!(
        (&report["deleted"], &report["deleted_files"]),
        (&json!(2), &two)
    );
    for own in ["README.md", ".gitattributes", "configuration.json"] {
        assert!(stands(&world, own), "{own}");
    }
    let again = world.run(&["migrate", "alice/model", "--prune", "--json"]);
    let report = again.event("report");
    assert_eq!((again.code, &report["deleted_files"]), (0, &Value::Null));
    add_two(&world);
    let people = world
        .run(&["migrate", "alice/model", "--prune", "-y"])
        .stdout;
    assert!(
        people.contains("  deleted     2 files (old.txt and older.txt)\n"),
        "{people}"
    );
}

#[test]
fn a_worker_alone_deletes_only_what_its_command_line_agrees_to() {
    let world = with_two_more();
    let worker = |more: &[&str]| {
        let mut command = world.command(&[]);
        let environment: Vec<_> = command
            .get_envs()
            .filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned())))
            .collect();
        command = std::process::Command::new(crate::common::binary("hf2ms-worker"));
        let args = ["migrate", "hf:alice/model", "ms:alice/model", "--prune"];
        command.args(args).args(more).env_clear().envs(environment);
        let output = command.output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        (output.status.code(), text)
    };
    let (code, text) = worker(&[]);
    assert!(code == Some(2) && text.contains(TWO), "{text}");
    assert!(stands(&world, "old.txt"));
    let (code, text) = worker(&["--yes"]);
    assert!(
        code == Some(0) && text.contains(r#""deleted":["old.txt","older.txt"]"#),
        "{text}"
    );
    assert!(!stands(&world, "old.txt") && stands(&world, "README.md"));
}
