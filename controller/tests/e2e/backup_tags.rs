//! The tag of what stood at the destination before something was replaced or deleted there.

use serde_json::{Value, json};

use crate::common::{Ran, World};

/// The tags of a repo on ModelScope, and its branch's commit.
fn refs(world: &World, id: &str) -> (Value, Value) {
    let stored = world.stored("ms", "model", id).unwrap();
    (stored["tags"].clone(), stored["branches"]["master"].clone())
}

fn seed(world: &World, files: &Value, delete: &[&str]) {
    let model = json!({"hub": "hf", "kind": "model", "id": "alice/model", "message": "m", "files": files, "delete": delete});
    world.seed(&model.to_string());
}

fn migrate(world: &World, more: &[&str]) -> Ran {
    world.run(&[&["migrate", "alice/model", "--json"], more].concat())
}

fn done(ran: &Ran) {
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
}

/// A copy whose source has changed a file and deleted another since.
fn changed() -> World {
    let world = World::with_model();
    done(&migrate(&world, &[]));
    let files = json!([{"path": "config.json", "text": "{\"new\":1}"}]);
    seed(&world, &files, &["empty.txt"]);
    world
}

#[test]
fn what_prune_replaces_and_deletes_is_kept_by_a_tag_and_can_be_had_again() {
    let world = changed();
    let (tags, head) = refs(&world, "alice/model");
    assert_eq!(tags, json!({}));
    let planned = world.run(&["migrate", "alice/model", "--prune", "--dry-run"]);
    let line = "  before      what is replaced or deleted is kept by a tag";
    assert!(planned.stdout.contains(line), "{}", planned.stdout);
    let ran = migrate(&world, &["--prune", "--yes"]);
    done(&ran);
    let report = ran.event("report");
    let name = format!("hf2ms-before-{}", report["run"].as_str().unwrap());
    assert_eq!(report["backup"], json!({"tag": name, "commit": head}));
    assert_eq!(ran.event("backup_tag")["tag"], json!(name));
    let (tags, now) = refs(&world, "alice/model");
    assert_eq!(tags, json!({name.clone(): head}));
    assert_ne!(now, head);
    let again = migrate(&world, &["--prune", "--yes"]).event("report");
    assert_eq!(again["backup"], Value::Null, "it wrote over nothing");
    // All that went is there, by the tag.
    let hf = ("HF_TOKEN", "hf_sandboxAliceWrite");
    let args = [
        "migrate",
        "ms:alice/model",
        "hf:alice/again",
        "--revision",
        &name,
    ];
    let again = world.run_with(&args, &[hf]);
    done(&again);
    let again = world
        .stored("hf", "model", "alice/again")
        .unwrap()
        .to_string();
    assert!(again.contains("empty.txt"), "{again}");
}

#[test]
fn nothing_is_tagged_where_nothing_is_lost_or_nobody_wants_it() {
    let world = changed();
    done(&migrate(&world, &["--prune", "--yes", "--no-backup-tag"]));
    seed(&world, &json!([{"path": "new.txt", "text": "n"}]), &[]);
    let added = migrate(&world, &["--prune", "--yes", "--backup-tag=v0"]);
    done(&added);
    let usual = json!([{"path": "new.txt", "text": "another"}]);
    seed(&world, &usual, &[]);
    done(&migrate(&world, &[]));
    assert_eq!(refs(&world, "alice/model").0, json!({}));
    assert_eq!(added.event("report")["backup"], Value::Null);
}

#[test]
fn a_name_that_exists_is_refused_before_anything_is_written() {
    let world = changed();
    done(&migrate(&world, &["--backup-tag=v0"]));
    let (tags, head) = refs(&world, "alice/model");
    assert!(tags["v0"].is_string(), "{tags}");
    seed(&world, &json!([{"path": "config.json", "text": "{}"}]), &[]);
    let args = ["migrate", "alice/model", "--backup-tag=v0"];
    let refused = world.run(&args);
    refused.refused_with(3, "the tag v0 exists at the destination already");
    let of_branch = world.run(&["migrate", "alice/model", "--backup-tag=master"]);
    of_branch.refused_with(3, "the branch master exists at the destination already");
    assert_eq!(refs(&world, "alice/model"), (tags, head));
    let all = [&args[..], &["--all-revisions"]].concat();
    world
        .run(&all)
        .refused_with(2, "give --backup-tag without a name");
}

#[test]
fn a_run_that_goes_on_after_its_first_commit_keeps_what_stood_before_and_what_stands_now() {
    let world = World::new();
    let file =
        |path: &str, seed: u8| json!({"path": path, "size": 3_300_000, "seed": seed, "lfs": false});
    let files = |first| {
        json!([
            file("a/config.json", first),
            file("b/config.json", first + 1)
        ])
    };
    seed(&world, &files(1), &[]);
    done(&migrate(&world, &[]));
    let (_, before) = refs(&world, "alice/model");
    seed(&world, &files(3), &[]);
    let command = ["migrate", "alice/model", "--json", "--backup-tag"];
    let held = r#"{"route":"ms.commit","kind":{"do":"delay","ms":60000},"skip":1,"count":1}"#;
    let held = world.fault(held);
    let running = world.start(&mut world.command(&command));
    world.until_struck(held);
    running.signal("-KILL");
    running.wait();
    let (tags, half_done) = refs(&world, "alice/model");
    assert_ne!(half_done, before, "one commit of two");
    let ran = world.run(&command);
    done(&ran);
    assert_eq!(ran.event("report")["backup"]["commit"], half_done);
    let first = tags.as_object().unwrap().keys().next().unwrap();
    let line = format!("kept by the tag {first}");
    let mut events = ran.events().into_iter();
    let is_said = |event: Value| event["event"] == "warning" && event.to_string().contains(&line);
    assert!(events.any(is_said), "{}", ran.stdout);
    let (after, _) = refs(&world, "alice/model");
    let after = after.as_object().unwrap();
    assert_eq!((after.len(), &after[first]), (2, &before));
    assert!(
        after.values().any(|commit| *commit == half_done),
        "{after:?}"
    );
}

#[test]
fn each_branch_of_all_revisions_has_a_tag_of_its_own_and_new_ones_have_none() {
    let world = World::new();
    let on = |branch: &str, text: &str| {
        let files = json!([{"path": "a.txt", "text": text}]);
        world.seed(&json!({"hub": "hf", "kind": "model", "id": "alice/model", "message": "m", "revision": branch, "files": files}).to_string());
    };
    on("main", "1");
    on("dev", "2");
    done(&migrate(&world, &["--all-revisions"]));
    assert_eq!(refs(&world, "alice/model").0, json!({}));
    let heads = world.stored("ms", "model", "alice/model").unwrap()["branches"].clone();
    on("main", "3");
    on("dev", "4");
    on("later", "5");
    let ran = migrate(&world, &["--all-revisions", "--backup-tag"]);
    done(&ran);
    let (tags, _) = refs(&world, "alice/model");
    let tagged: std::collections::BTreeSet<_> = tags
        .as_object()
        .unwrap()
        .values()
        .map(Value::to_string)
        .collect();
    let expected = [&heads["master"], &heads["dev"]].map(Value::to_string);
    assert_eq!(tagged, expected.into(), "{tags}");
}

#[test]
fn a_worker_alone_tags_what_it_replaces() {
    let world = changed();
    let (_, head) = refs(&world, "alice/model");
    let mut command = world.command(&[]);
    let environment: Vec<_> = command
        .get_envs()
        .filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned())))
        .collect();
    command = std::process::Command::new(crate::common::binary("hf2ms-worker"));
    let args = [
        "migrate",
        "hf:alice/model",
        "ms:alice/model",
        "--prune",
        "--yes",
    ];
    command.args(args).env_clear().envs(environment);
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(0), "{text}");
    assert!(text.contains(r#""event":"backup_tag""#), "{text}");
    let (tags, _) = refs(&world, "alice/model");
    let tags = tags.as_object().unwrap();
    let (name, at) = tags.iter().next().unwrap();
    assert!(
        tags.len() == 1 && name.starts_with("hf2ms-before-") && *at == head,
        "{tags:?}"
    );
}

#[test]
fn a_word_behind_the_option_is_neither_taken_for_a_name_nor_for_a_repo() {
    let world = changed();
    for word in ["alice/before", "keep"] {
        world
            .run(&["migrate", "alice/model", "--backup-tag", word])
            .refused_with(2, &format!("write --backup-tag={word}"));
    }
    assert!(world.stored("ms", "model", "alice/before").is_none());
}

#[test]
fn what_someone_else_wrote_after_a_run_that_was_not_done_has_a_tag_too() {
    let world = changed();
    let lost = json!({"do": "status", "status": 404});
    world.strike("hf.resolve", lost, json!({"count": 1}));
    let args = ["--backup-tag", "--overwrite"];
    let first = migrate(&world, &args);
    assert_eq!(first.code, 1, "{}", first.stdout);
    let theirs = json!([{"path": "config.json", "text": "precious"}]);
    world.seed(&json!({"hub": "ms", "kind": "model", "id": "alice/model", "message": "theirs", "files": theirs}).to_string());
    let (_, precious) = refs(&world, "alice/model");
    done(&migrate(&world, &args));
    let (tags, _) = refs(&world, "alice/model");
    let tags = tags.as_object().unwrap();
    assert!(tags.values().any(|commit| *commit == precious), "{tags:?}");
}
