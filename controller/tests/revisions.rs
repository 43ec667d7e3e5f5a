//! `hf2ms migrate --all-revisions` from end to end: every branch and tag, each blob once, and what one costs the others.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use std::collections::BTreeMap;

use common::history::{self, blob};
use common::processes::until;
use common::{Ran, World};
use serde_json::{Value, json};

const HF_ALICE: (&str, &str) = ("HF_TOKEN", "hf_sandboxAliceWrite");
const IMPATIENT: (&str, &str) = ("HF2MS_RETRY_BASE", "0.01");
const ALL: [&str; 4] = ["migrate", "alice/model", "--all-revisions", "--json"];

const ID: &str = "alice/model";

fn seed(world: &World, hub: &str, branch: &str, files: &Value, more: &Value) -> String {
    history::seed(world, hub, ID, branch, files, more)
}

fn with_history(hub: &str, main: &str) -> World {
    let world = World::new();
    history::give_history(&world, hub, ID, main, 1);
    world
}

fn holds(world: &World, hub: &str, revision: &str) -> BTreeMap<String, String> {
    history::holds(world, hub, ID, revision)
}

fn is_copied(world: &World, from: (&str, &str), to: (&str, &str)) {
    history::is_copied(world, ID, from, to);
}

fn refs(world: &World, hub: &str) -> (Vec<String>, Vec<String>) {
    history::refs(world, hub, ID)
}

fn run(world: &World, args: &[&str]) -> Ran {
    world.run_with(args, &[HF_ALICE, IMPATIENT])
}

/// `kind name state` of each row, in their order.
fn rows(ran: &Ran) -> Vec<String> {
    let rows = ran.event("revisions")["revisions"].clone();
    let text = |row: &Value, key: &str| row[key].as_str().unwrap().to_owned();
    rows.as_array()
        .unwrap()
        .iter()
        .map(|row| {
            format!(
                "{} {} {}",
                text(row, "kind"),
                text(row, "source"),
                text(row, "state")
            )
        })
        .collect()
}

fn reason(ran: &Ran, name: &str) -> String {
    let rows = ran.event("revisions")["revisions"].clone();
    let row = rows
        .as_array()
        .unwrap()
        .iter()
        .find(|row| row["source"] == name)
        .unwrap_or_else(|| panic!("no {name} in {rows}"))
        .clone();
    row["reason"].as_str().unwrap_or_default().to_owned()
}

fn done(ran: &Ran) {
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
}

#[test]
fn every_branch_and_tag_goes_to_the_one_of_its_name() {
    let world = with_history("hf", "main");
    let ran = run(&world, &ALL);
    done(&ran);
    let expected = [
        "branch main copied",
        "branch twin copied",
        "tag v1 copied",
        "branch dev/x copied",
        "tag v0 copied",
    ];
    assert_eq!(rows(&ran), expected);
    assert_eq!(
        refs(&world, "ms"),
        (
            vec!["dev/x".to_owned(), "master".into(), "twin".into()],
            vec!["v0".to_owned(), "v1".into()]
        )
    );
    for (from, to) in [
        ("main", "master"),
        ("dev/x", "dev/x"),
        ("v0", "v0"),
        ("v1", "v1"),
        ("twin", "twin"),
    ] {
        is_copied(&world, ("hf", from), ("ms", to));
    }
    assert_eq!(world.requests("ms_storage.put"), 3, "equal blobs move once");
    assert_eq!(world.requests("ms.create"), 1);
    let summary = ran.event("revisions");
    assert_eq!(
        (&summary["exit"], &summary["counts"]["copied"]),
        (&json!(0), &json!(5))
    );
    let report = ran.event("report");
    assert!(
        report["revision"].is_string(),
        "each revision's events name it: {report}"
    );
}

#[test]
fn a_person_is_told_where_the_default_branch_goes_and_gets_a_table() {
    let world = with_history("hf", "main");
    let ran = run(&world, &ALL[..3]);
    done(&ran);
    for words in [
        "3 branches and 2 tags at 3 commits: main goes to master",
        "branch dev/x  dev/x",
        "5 revisions: 5 copied",
    ] {
        assert!(ran.stdout.contains(words), "{words:?} in {}", ran.stdout);
    }
}

#[test]
fn a_second_run_moves_nothing_and_lists_nothing() {
    let world = with_history("hf", "main");
    done(&run(&world, &ALL));
    world.admin("POST", "/counters/reset", "");
    let ran = run(&world, &ALL);
    done(&ran);
    assert!(
        rows(&ran).iter().all(|row| row.ends_with(" unchanged")),
        "{:?}",
        rows(&ran)
    );
    assert_eq!(
        [
            world.requests("hf.tree"),
            world.requests("ms.files"),
            world.requests("ms.commit")
        ],
        [0, 0, 0],
        "what is proven stands"
    );
    assert!(
        world.all_requests() <= 8,
        "{} requests",
        world.all_requests()
    );
}

#[test]
fn without_proofs_everything_is_compared_and_nothing_moves() {
    let world = with_history("hf", "main");
    done(&run(&world, &ALL));
    world.admin("POST", "/counters/reset", "");
    std::fs::remove_dir_all(world.path("state")).unwrap();
    let ran = run(&world, &ALL);
    done(&ran);
    assert!(
        rows(&ran).iter().all(|row| row.ends_with(" unchanged")),
        "{:?}",
        rows(&ran)
    );
    assert_eq!(
        [
            world.requests("ms_storage.put"),
            world.requests("ms.commit"),
            world.requests("ms.git_push")
        ],
        [0, 0, 0]
    );
}

#[test]
fn a_hundred_branches_that_share_blobs_move_each_once() {
    let world = World::new();
    seed(
        &world,
        "hf",
        "main",
        &json!([{"path": "README.md", "text": "# main\n"}, blob("0.bin", 0)]),
        &json!({}),
    );
    for number in 1..100_u64 {
        // Every third branch stands at the commit of the one before it; each commit has its card, and two of ten blobs.
        let files = json!([{"path": "README.md", "text": format!("# {number}\n")}, blob("x.bin", number % 10), blob("y.bin", (number + 1) % 10)]);
        let twins = if number % 3 == 0 {
            json!({"branches": [format!("t{number}")]})
        } else {
            json!({})
        };
        seed(&world, "hf", &format!("b{number}"), &files, &twins);
    }
    let ran = run(&world, &[&ALL[..], &["--containers", "2"]].concat());
    done(&ran);
    assert_eq!((rows(&ran).len(), refs(&world, "ms").0.len()), (133, 133));
    assert_eq!(world.requests("ms_storage.put"), 10, "each blob once");
    assert_eq!(world.requests("hf.tree"), 100, "each commit is listed once");
    for branch in ["b1", "b57", "t99"] {
        is_copied(&world, ("hf", branch), ("ms", branch));
    }
}

#[test]
fn names_that_can_not_be_taken_cost_only_themselves() {
    let world = with_history("hf", "main");
    seed(
        &world,
        "hf",
        "master",
        &json!([blob("m.bin", 7)]),
        &json!({"branches": ["a b", "x..y"], "tags": ["dev/x", "v\u{1b}[31m"]}),
    );
    let ran = run(&world, &ALL);
    assert_eq!(ran.code, 1, "{}", ran.stdout);
    let rows = rows(&ran);
    assert_eq!(
        rows.iter().filter(|row| row.ends_with(" copied")).count(),
        5,
        "{rows:?}"
    );
    assert_eq!(
        rows.iter().filter(|row| row.ends_with(" failed")).count(),
        5,
        "{rows:?}"
    );
    assert!(
        reason(&ran, "a b").contains("none that Git allows")
            && reason(&ran, "master").contains("to which main goes"),
        "{}",
        ran.stdout
    );
    assert!(
        !ran.stdout.contains("\\u001b") && !ran.stdout.contains('\u{1b}'),
        "escaped for the screen"
    );
    is_copied(&world, ("hf", "dev/x"), ("ms", "dev/x"));
}

#[test]
fn a_tag_that_stands_elsewhere_is_not_moved() {
    let world = with_history("hf", "main");
    let theirs = seed(
        &world,
        "ms",
        "master",
        &json!([{"path": "other.txt", "text": "theirs"}]),
        &json!({"tags": ["v0"]}),
    );
    let ran = run(&world, &ALL);
    assert_eq!(ran.code, 1, "{}{:?}", ran.stdout, rows(&ran));
    assert!(
        reason(&ran, "v0").contains("tags are not moved"),
        "{}",
        ran.stdout
    );
    assert_eq!(
        world.stored("ms", "model", "alice/model").unwrap()["tags"]["v0"],
        theirs.as_str()
    );
    is_copied(&world, ("hf", "dev/x"), ("ms", "dev/x"));
    assert!(
        holds(&world, "ms", "master").contains_key("other.txt"),
        "nothing is deleted from what was there"
    );
}

#[test]
fn a_branch_that_stands_there_is_written_where_it_is() {
    let world = with_history("hf", "main");
    done(&run(&world, &ALL));
    seed(
        &world,
        "hf",
        "dev/x",
        &json!([{"path": "new.txt", "text": "since"}]),
        &json!({"delete": ["notes.txt"]}),
    );
    seed(
        &world,
        "ms",
        "dev/x",
        &json!([{"path": "theirs.txt", "text": "theirs"}]),
        &json!({}),
    );
    let pushes = world.requests("ms.git_push");
    let ran = run(&world, &ALL);
    done(&ran);
    assert_eq!(
        rows(&ran)
            .iter()
            .filter(|row| row.ends_with(" copied"))
            .collect::<Vec<_>>(),
        ["branch dev/x copied"]
    );
    let there = holds(&world, "ms", "dev/x");
    assert!(
        ["new.txt", "theirs.txt", "notes.txt"]
            .iter()
            .all(|path| there.contains_key(*path)),
        "nothing is deleted unasked: {there:?}"
    );
    assert_eq!(world.requests("ms.git_push"), pushes, "no branch is made");
    assert_eq!(run(&world, &[&ALL[..], &["--prune"]].concat()).code, 0);
    is_copied(&world, ("hf", "dev/x"), ("ms", "dev/x"));
}

#[test]
fn a_revision_that_fails_costs_only_itself_and_leaves_nothing_behind() {
    let world = with_history("hf", "main");
    let commit = world.stored("hf", "model", "alice/model").unwrap()["branches"]["dev/x"]
        .as_str()
        .unwrap()
        .to_owned();
    world.fault(
        &json!({"route": "ms.commit", "kind": {"do": "status", "status": 500}, "path": commit})
            .to_string(),
    );
    let ran = run(&world, &ALL);
    assert_eq!(ran.code, 1, "{}", ran.stdout);
    let failed: Vec<_> = rows(&ran)
        .into_iter()
        .filter(|row| row.ends_with(" failed"))
        .collect();
    assert_eq!(failed, ["branch dev/x failed"]);
    assert_eq!(
        refs(&world, "ms"),
        (
            vec!["master".to_owned(), "twin".into()],
            vec!["v0".to_owned(), "v1".into()]
        )
    );
    world.admin("DELETE", "/faults", "");
    world.admin("POST", "/counters/reset", "");
    done(&run(&world, &ALL));
    is_copied(&world, ("hf", "dev/x"), ("ms", "dev/x"));
    assert_eq!(
        (
            world.requests("ms_storage.put"),
            world.requests("ms.commit")
        ),
        (0, 1),
        "only that one is done"
    );
}

#[test]
fn a_file_that_the_source_lost_costs_only_itself_in_every_revision() {
    let world = with_history("hf", "main");
    let shared = holds(&world, "hf", "dev/x")["shared.bin"].clone();
    world
        .admin(
            "POST",
            "/blob/remove",
            &json!({"hub": "hf", "sha256": shared}).to_string(),
        )
        .unwrap();
    let ran = run(&world, &ALL);
    assert_eq!(ran.code, 1, "{}", ran.stdout);
    assert!(
        reason(&ran, "dev/x").contains("shared.bin"),
        "{}",
        ran.stdout
    );
    let there = holds(&world, "ms", "dev/x");
    assert_eq!(
        there.keys().map(String::as_str).collect::<Vec<_>>(),
        [".gitattributes", "README.md", "notes.txt"]
    );
    assert!(
        holds(&world, "ms", "master").contains_key("b.bin")
            && holds(&world, "ms", "v0").contains_key("gone.bin")
    );
}

#[test]
fn a_run_that_is_killed_goes_on_where_it_was() {
    let world = with_history("hf", "main");
    let commit = world.stored("hf", "model", "alice/model").unwrap()["branches"]["dev/x"]
        .as_str()
        .unwrap()
        .to_owned();
    let rule = json!({"route": "ms.commit", "kind": {"do": "delay", "ms": 60_000}, "path": commit, "count": 1});
    let held = world.fault(&rule.to_string());
    let running = world.start(world.command(&ALL).env(HF_ALICE.0, HF_ALICE.1));
    world.until_struck(held);
    running.signal("-KILL");
    running.wait();
    until("the end of all workers", || world.workers().is_empty());
    let (branches, _) = refs(&world, "ms");
    assert!(
        branches.iter().all(|name| name != "dev/x"),
        "no branch of the right name holds the wrong files: {branches:?}"
    );
    world.admin("DELETE", "/faults", "");
    world.admin("POST", "/counters/reset", "");
    done(&run(&world, &ALL));
    assert_eq!(
        refs(&world, "ms").0,
        ["dev/x", "master", "twin"],
        "the branch apart is gone"
    );
    is_copied(&world, ("hf", "dev/x"), ("ms", "dev/x"));
    assert_eq!(world.requests("ms_storage.put"), 0, "no blob moves twice");
}

#[test]
fn a_signal_ends_it_at_once_and_the_same_command_goes_on() {
    let world = with_history("hf", "main");
    let commit = world.stored("hf", "model", "alice/model").unwrap()["branches"]["dev/x"]
        .as_str()
        .unwrap()
        .to_owned();
    let held = world.fault(&json!({"route": "ms.commit", "kind": {"do": "delay", "ms": 60_000}, "path": commit, "count": 1}).to_string());
    let running = world.start(world.command(&ALL).env(HF_ALICE.0, HF_ALICE.1));
    world.until_struck(held);
    world
        .run(&["migrate", "alice/model"])
        .refused_with(1, "is writing to alice/model");
    running.signal("-INT");
    let ran = running.wait();
    let states = [
        "branch main copied",
        "branch twin copied",
        "tag v1 copied",
        "branch dev/x failed",
        "tag v0 failed",
    ];
    assert_eq!(
        (ran.code, rows(&ran)),
        (130, states.map(str::to_owned).to_vec()),
        "{}",
        ran.stdout
    );
    until("the end of all workers", || world.workers().is_empty());
    world.admin("DELETE", "/faults", "");
    done(&run(&world, &ALL));
    assert_eq!(refs(&world, "ms").0, ["dev/x", "master", "twin"]);
}

#[test]
fn where_gits_door_is_closed_new_branches_are_named_as_not_copied_and_tags_of_master_are_made() {
    let world = with_history("hf", "main");
    for route in ["ms.git_push", "ms.git_refs"] {
        world.fault(&json!({"route": route, "kind": {"do": "status", "status": 403}}).to_string());
    }
    let ran = run(&world, &ALL);
    assert_eq!(ran.code, 3, "{}", ran.stdout);
    assert!(
        reason(&ran, "dev/x").contains("makes branches by Git only"),
        "{}",
        ran.stdout
    );
    assert_eq!(
        refs(&world, "ms"),
        (vec!["master".to_owned()], vec!["v1".to_owned()])
    );
    is_copied(&world, ("hf", "main"), ("ms", "master"));
}

#[test]
fn branches_and_tags_are_read_by_git_where_it_is_asked_for_or_the_api_is_locked() {
    for locked in [false, true] {
        let world = with_history("hf", "main");
        if locked {
            world
                .admin(
                    "POST",
                    "/repo",
                    r#"{"hub":"hf","kind":"model","id":"alice/model","storage_locked":"patterns"}"#,
                )
                .unwrap();
        }
        let asked: &[&str] = if locked { &[] } else { &["--use-git"] };
        done(&run(&world, &[&ALL[..], asked].concat()));
        for (from, to) in [
            ("main", "master"),
            ("dev/x", "dev/x"),
            ("v0", "v0"),
            ("v1", "v1"),
        ] {
            is_copied(&world, ("hf", from), ("ms", to));
        }
        assert_eq!(
            (
                world.requests("hf.resolve"),
                world.requests("ms_storage.put")
            ),
            (0, 3),
            "small files come in packs"
        );
    }
}

#[test]
fn every_direction_has_its_revisions() {
    for (from, main, to, there) in [
        ("ms", "master", "hf", "main"),
        ("hf", "main", "hf", "main"),
        ("ms", "master", "ms", "master"),
    ] {
        let world = with_history(from, main);
        let source = format!("{from}:alice/model");
        let own = ["--dest", "acme/model"];
        let ran = run(
            &world,
            &[
                &["migrate", &source, "--to", to, "--all-revisions", "--json"],
                &own[..],
            ]
            .concat(),
        );
        done(&ran);
        let repo = |revision: &str| {
            world
                .admin(
                    "GET",
                    &format!("/repo?hub={to}&kind=model&id=acme/model&revision={revision}"),
                    "",
                )
                .unwrap()
        };
        for (here, copy) in [
            (main, there),
            ("dev/x", "dev/x"),
            ("v0", "v0"),
            ("v1", "v1"),
            ("twin", "twin"),
        ] {
            let files = repo(copy)["files"].clone();
            let sha256 = |path: &str| {
                files
                    .as_array()
                    .unwrap()
                    .iter()
                    .find(|file| file["path"] == path)
                    .map(|file| file["sha256"].clone())
            };
            for (path, digest) in holds(&world, from, here) {
                assert_eq!(
                    sha256(&path),
                    Some(json!(digest)),
                    "{path} at {copy} from {from} to {to}"
                );
            }
        }
        assert_eq!(
            repo(there)["branches"].as_object().unwrap().len(),
            3,
            "{from} to {to}"
        );
        // ModelScope keeps a blob once for all repos.
        let moved = if (from, to) == ("ms", "ms") { 0 } else { 3 };
        assert_eq!(
            world.requests(&format!("{to}_storage.put")),
            moved,
            "{from} to {to}"
        );
    }
}

#[test]
fn a_lost_answer_is_looked_up_before_a_branch_or_tag_is_made_again() {
    for (from, main, to, routes) in [
        ("hf", "main", "ms", ["ms.git_push", "ms.tag"]),
        ("ms", "master", "hf", ["hf.branch", "hf.tag"]),
    ] {
        for route in routes {
            for skip in 0..3 {
                let world = with_history(from, main);
                world.fault(&json!({"route": route, "kind": {"do": "lose_answer"}, "count": 1, "skip": skip}).to_string());
                let ran = run(
                    &world,
                    &[
                        "migrate",
                        &format!("{from}:alice/model"),
                        "--all-revisions",
                        "--json",
                    ],
                );
                done(&ran);
                let (branches, tags) = refs(&world, to);
                assert_eq!(
                    (branches.len(), tags.len()),
                    (3, 2),
                    "{route} {skip}: {branches:?} {tags:?}"
                );
            }
        }
    }
}

#[test]
fn a_trial_shows_every_revision_and_creates_nothing() {
    let world = with_history("hf", "main");
    let ran = run(&world, &[&ALL[..], &["--dry-run"]].concat());
    done(&ran);
    assert!(
        rows(&ran).len() == 5 && rows(&ran).iter().all(|row| row.ends_with(" planned")),
        "{:?}",
        rows(&ran)
    );
    assert_eq!(
        ran.event("estimate")["bytes"],
        900_000,
        "each blob counts once"
    );
    assert!(world.stored("ms", "model", "alice/model").is_none() && !world.path("state").exists());
}

#[test]
fn what_does_not_fit_together_is_refused_before_anything_happens() {
    let world = with_history("hf", "main");
    let refused = |args: &[&str], words: &str| {
        run(&world, &[&ALL[..3], args].concat()).refused_with(2, words)
    };
    refused(
        &["--on", "modal", "--detach"],
        "--detach is not for --all-revisions",
    );
    let address = format!("{}/alice/model/tree/v1", world.address("hf"));
    run(&world, &["migrate", &address, "--all-revisions"])
        .refused_with(2, "SOURCE names a revision");
    assert_eq!(
        run(&world, &[&ALL[..], &["--revision", "v1"]].concat()).code,
        2
    );
    run(&world, &["migrate", "alice/none", "--all-revisions"])
        .refused_with(3, "alice/none was found");
    assert!(world.stored("ms", "model", "alice/model").is_none());
}

#[test]
fn a_token_that_is_revoked_half_way_ends_all() {
    let world = with_history("hf", "main");
    let commit = world.stored("hf", "model", "alice/model").unwrap()["branches"]["dev/x"]
        .as_str()
        .unwrap()
        .to_owned();
    let held = world.fault(&json!({"route": "ms.commit", "kind": {"do": "delay", "ms": 1500}, "path": commit, "count": 1}).to_string());
    let running = world.start(world.command(&ALL).env(HF_ALICE.0, HF_ALICE.1));
    world.until_struck(held);
    world
        .admin(
            "POST",
            "/token/revoke",
            &json!({"token": common::ALICE}).to_string(),
        )
        .unwrap();
    let ran = running.wait();
    assert_eq!(ran.code, 3, "{}", ran.stdout);
    assert!(
        reason(&ran, "v0").starts_with("not tried: "),
        "{}",
        ran.stdout
    );
    world
        .admin(
            "POST",
            "/token/restore",
            &json!({"token": common::ALICE}).to_string(),
        )
        .unwrap();
    done(&run(&world, &ALL));
    assert_eq!(refs(&world, "ms").0, ["dev/x", "master", "twin"]);
}
