//! `hf2ms batch` from end to end: what it is about, what each repo costs the others, and how it goes on.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use std::fs;

use common::processes::until;
use common::{Ran, World};
use serde_json::{Value, json};

/// A world with a model each of these names and sizes: a blob and a README.md.
fn world(models: &[(&str, u64)]) -> World {
    let world = World::new();
    for (name, size) in models {
        seed(&world, "hf", "model", name, *size);
    }
    world
}

fn seed(world: &World, hub: &str, kind: &str, id: &str, size: u64) {
    // Its size is the blob's seed, too: no two sizes share a blob.
    let files = json!([{"path": "README.md", "text": format!("# {id}\n")}, {"path": "a.bin", "size": size, "seed": size}]);
    world.seed(
        &json!({"hub": hub, "kind": kind, "id": id, "message": "m", "files": files}).to_string(),
    );
}

fn copied(world: &World, ids: &[&str]) {
    ids.iter()
        .for_each(|id| assert!(world.is_copied("model", id, id), "{id}"));
}

/// `(source, destination, state)` of each row.
fn rows(ran: &Ran) -> Vec<[String; 3]> {
    let text = |row: &Value, key: &str| row[key].as_str().unwrap().to_owned();
    let repos = ran.event("batch")["repos"].clone();
    repos
        .as_array()
        .unwrap()
        .iter()
        .map(|row| {
            [
                text(row, "source"),
                text(row, "destination"),
                text(row, "state"),
            ]
        })
        .collect()
}

fn states(ran: &Ran) -> Vec<String> {
    rows(ran).into_iter().map(|[.., state]| state).collect()
}

fn reason(ran: &Ran, row: usize) -> String {
    ran.event("batch")["repos"][row]["reason"]
        .as_str()
        .unwrap_or_default()
        .to_owned()
}

fn list(world: &World, text: &str) -> String {
    let path = world.path("repos.txt");
    fs::write(&path, text).unwrap();
    path.display().to_string()
}

/// The state of each run, by its destination.
fn runs(world: &World) -> Vec<(String, String)> {
    let runs = world.run(&["runs", "--json"]).events();
    let runs = runs.iter().map(|run| {
        (
            run["destination"]["id"].as_str().unwrap().to_owned(),
            run["state"].as_str().unwrap().to_owned(),
        )
    });
    let mut runs: Vec<_> = runs.collect();
    runs.sort();
    runs
}

/// Holds the first request of this route about this repo, far longer than a test takes.
fn hold(world: &World, route: &str, path: &str, kind: &Value) -> u64 {
    world.fault(&json!({"route": route, "kind": kind, "count": 1, "path": path}).to_string())
}

#[test]
fn a_bad_line_is_named_before_anything_starts() {
    let world = world(&[("alice/ra", 300_000)]);
    let file = list(&world, "# good\nalice/ra\n\nalice/rb c d\nnonsense\n");
    let ran = world.run(&["batch", "--file", &file]);
    ran.refused_with(
        2,
        &format!("{file}:4: more than a source and a destination"),
    );
    assert!(
        ran.stderr.contains("(and 1 more are wrong)")
            && world.all_requests() == 0
            && !world.path("state").exists()
    );
    world
        .run(&["batch", "--file", "absent.txt"])
        .refused_with(2, "absent.txt: No such file");
}

#[test]
fn a_list_is_copied_and_what_is_named_twice_once() {
    let world = world(&[("alice/ra", 300_000), ("alice/rb", 400_000)]);
    let file = list(
        &world,
        "# ours\nalice/ra   # as it is\n\nhf:alice/rb acme/rc\nhf:alice/ra\n",
    );
    let ran = world.run(&["batch", "--file", &file, "--include", "*.bin", "--private"]);
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    assert!(
        ran.stderr
            .contains(&format!("warning: {file}:5: alice/ra is named twice")),
        "{}",
        ran.stderr
    );
    for row in [
        "repo      destination  state  files   bytes  reason",
        "alice/ra  alice/ra     ok         1  300 kB",
        "2 repos: 2 ok; 2 files, 700 kB",
    ] {
        assert!(ran.stdout.contains(row), "{row} in {}", ran.stdout);
    }
    let stored = world.stored("ms", "model", "acme/rc").unwrap();
    let has = |path: &str| {
        stored["files"]
            .as_array()
            .unwrap()
            .iter()
            .any(|file| file["path"] == path && file["size"] == 400_000)
    };
    assert!(has("a.bin") && stored["private"] == true);
}

#[test]
fn two_repos_that_would_become_one_are_refused() {
    let world = world(&[]);
    world
        .run(&["batch", "alice/ra", "acme/ra", "--to-owner", "bob"])
        .refused_with(2, "acme/ra would be written to bob/ra, as alice/ra");
    world
        .run(&["batch", "alice/ra", "--dest", "bob/ra"])
        .refused_with(2, "--dest is for one repo");
    world
        .run(&["batch", "alice/ra", "--detach"])
        .refused_with(2, "--detach needs --on modal");
    assert_eq!(world.all_requests(), 0);
}

#[test]
fn a_bad_repo_costs_only_itself() {
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
            ["ok", "failed", "failed", "failed", "ok"]
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
            &batch["counts"]["ok"],
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
        (0, ["ok", "skipped", "skipped"].map(str::to_owned).to_vec()),
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
        (0, ["ok", "ok", "skipped"].map(str::to_owned).to_vec())
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

#[test]
fn all_of_an_owner_is_copied_to_another() {
    let world = world(&[
        ("alice/ra", 300_000),
        ("alice/rb", 400_000),
        ("bob/rc", 500_000),
    ]);
    seed(&world, "hf", "dataset", "alice/ra", 600_000);
    let dry = world.run(&[
        "batch",
        "--owner",
        "alice",
        "--to-owner",
        "acme",
        "--dry-run",
        "--json",
    ]);
    assert_eq!((dry.code, states(&dry)), (0, vec!["planned".to_owned(); 3]));
    assert!(world.stored("ms", "model", "acme/ra").is_none() && !world.path("state").exists());
    let ran = world.run(&[
        "batch",
        "--owner",
        "hf:alice",
        "--to-owner",
        "acme",
        "--json",
    ]);
    let expected = [
        ["alice/ra", "acme/ra", "ok"],
        ["alice/rb", "acme/rb", "ok"],
        ["datasets/alice/ra", "acme/ra", "ok"],
    ];
    assert_eq!(
        (ran.code, rows(&ran)),
        (0, expected.map(|row| row.map(str::to_owned)).to_vec())
    );
    for (kind, from, to) in [
        ("model", "alice/ra", "acme/ra"),
        ("model", "alice/rb", "acme/rb"),
        ("dataset", "alice/ra", "acme/ra"),
    ] {
        assert!(world.is_copied(kind, from, to), "{kind} {from}");
    }
    let datasets = world.run(&[
        "batch",
        "--owner",
        "alice",
        "--to-owner",
        "acme",
        "--repo-type",
        "dataset",
        "--json",
    ]);
    assert_eq!(
        (datasets.code, states(&datasets)),
        (0, vec!["ok".to_owned()]),
        "proven"
    );
    world
        .run(&["batch", "--owner", "nobody"])
        .refused_with(3, "nobody has no models or datasets");
    world
        .run(&["batch", "--owner", "alice/ra"])
        .refused_with(2, "--owner: ");
}

#[test]
fn every_page_of_an_owners_repos_is_read() {
    let world = World::new();
    for number in 0..5 {
        seed(
            &world,
            "hf",
            "dataset",
            &format!("alice/rd{number}"),
            100_000 + number,
        );
    }
    world
        .admin("POST", "/settings", r#"{"hf_page":2}"#)
        .unwrap();
    let ran = world.run(&["batch", "--owner", "alice", "--dry-run", "--json"]);
    assert_eq!((ran.code, states(&ran).len()), (0, 5), "{}", ran.stdout);
}

#[test]
fn a_token_that_is_refused_ends_all() {
    let names = [
        "alice/ra", "alice/rb", "alice/rc", "alice/rd", "alice/re", "alice/rf", "alice/rg",
        "alice/rh",
    ];
    let world = world(&names.map(|name| (name, 300_000)));
    let ran = world.run_with(
        &[&["batch", "--json"], &names[..]].concat(),
        &[("MODELSCOPE_TOKEN", "ms-wrong")],
    );
    assert_eq!((ran.code, states(&ran)), (3, vec!["failed".to_owned(); 8]));
    assert!(
        reason(&ran, 0).contains("refuses MODELSCOPE_TOKEN")
            && reason(&ran, 7).starts_with("not tried: "),
        "{}",
        ran.stdout
    );
    assert!(
        world.requests("ms.me") <= 4,
        "{} were tried",
        world.requests("ms.me")
    );
}

#[test]
fn a_token_that_is_revoked_half_way_ends_all() {
    let names = [
        "alice/ra", "alice/rb", "alice/rc", "alice/rd", "alice/re", "alice/rf", "alice/rg",
        "alice/rh",
    ];
    let world = world(&names.map(|name| (name, 300_000)));
    let held = hold(
        &world,
        "ms.batch",
        "alice",
        &json!({"do": "delay", "ms": 1500}),
    );
    let running = world.start(&mut world.command(&[&["batch", "--json"], &names[..]].concat()));
    world.until_struck(held);
    world
        .admin(
            "POST",
            "/token/revoke",
            &json!({"token": common::ALICE}).to_string(),
        )
        .unwrap();
    let ran = running.wait();
    assert_eq!(
        (ran.code, states(&ran)),
        (3, vec!["failed".to_owned(); 8]),
        "{}",
        ran.stdout
    );
    assert!(
        reason(&ran, 7).starts_with("not tried: ")
            && reason(&ran, 7).contains("refuses MODELSCOPE_TOKEN"),
        "{}",
        reason(&ran, 7)
    );
    assert!(world.workers().is_empty());
    world
        .admin(
            "POST",
            "/token/restore",
            &json!({"token": common::ALICE}).to_string(),
        )
        .unwrap();
    let again = world.run(&[&["batch", "--json"], &names[..]].concat());
    assert_eq!(
        (again.code, states(&again)),
        (0, vec!["ok".to_owned(); 8]),
        "{}",
        again.stdout
    );
}

/// One worker: the second repo is carried, committed and verified while the first one's commit is held.
#[test]
fn the_next_repo_is_carried_while_one_is_committed_and_a_stop_leaves_nothing_running() {
    let world = world(&[
        ("alice/ra", 300_000),
        ("alice/rb", 400_000),
        ("alice/rc", 500_000),
    ]);
    let held = hold(
        &world,
        "ms.commit",
        "alice/ra",
        &json!({"do": "delay", "ms": 60_000}),
    );
    let running = world.start(&mut world.command(&[
        "batch",
        "alice/ra",
        "alice/rb",
        "alice/rc",
        "--containers",
        "1",
        "--json",
    ]));
    world.until_struck(held);
    until("the other repos", || {
        runs(&world)
            .iter()
            .filter(|(_, state)| state == "done")
            .count()
            == 2
    });
    running.signal("-INT");
    let ran = running.wait();
    assert_eq!(
        (ran.code, states(&ran)),
        (130, ["failed", "ok", "ok"].map(str::to_owned).to_vec()),
        "{}",
        ran.stdout
    );
    copied(&world, &["alice/rb", "alice/rc"]);
    until("the end of all workers", || world.workers().is_empty());
    let expected = [
        ("alice/ra", "interrupted"),
        ("alice/rb", "done"),
        ("alice/rc", "done"),
    ];
    assert_eq!(
        runs(&world),
        expected.map(|(id, state)| (id.to_owned(), state.to_owned()))
    );
    world.admin("DELETE", "/faults", "");
    world.admin("POST", "/counters/reset", "");
    let again = world.run(&["batch", "alice/ra", "alice/rb", "alice/rc", "--json"]);
    assert_eq!(
        (again.code, states(&again)),
        (0, vec!["ok".to_owned(); 3]),
        "what a run of ours made is gone on with: {}",
        again.stdout
    );
    copied(&world, &["alice/ra"]);
    assert_eq!(
        (
            world.requests("ms_storage.put"),
            world.requests("ms.commit")
        ),
        (0, 1),
        "nothing is done twice"
    );
}

#[test]
fn a_batch_that_is_killed_goes_on_where_it_was() {
    let world = world(&[
        ("alice/ra", 900_000),
        ("alice/rb", 400_000),
        ("alice/rc", 500_000),
    ]);
    let oid = world.stored("hf", "model", "alice/ra").unwrap()["files"][1]["sha256"].clone();
    let held = hold(
        &world,
        "ms_storage.put",
        oid.as_str().unwrap(),
        &json!({"do": "stall", "after": 200_000}),
    );
    let batch = [
        "batch",
        "alice/ra",
        "alice/rb",
        "alice/rc",
        "--containers",
        "2",
        "--json",
    ];
    let running = world.start(&mut world.command(&batch));
    world.until_struck(held);
    until("the other repos", || {
        runs(&world)
            .iter()
            .filter(|(_, state)| state == "done")
            .count()
            == 2
    });
    running.signal("-KILL");
    running.wait();
    until("the end of all workers", || world.workers().is_empty());
    world.admin("DELETE", "/faults", "");
    world.admin("POST", "/counters/reset", "");
    let ran = world.run(&batch);
    assert_eq!(
        (ran.code, states(&ran)),
        (0, vec!["ok".to_owned(); 3]),
        "{}",
        ran.stdout
    );
    copied(&world, &["alice/ra", "alice/rb", "alice/rc"]);
    assert_eq!(
        (
            world.requests("ms_storage.put"),
            world.requests("ms.commit")
        ),
        (1, 1),
        "what was done is proven"
    );
}

#[test]
fn what_someone_else_made_after_a_run_of_ours_failed_is_skipped() {
    let world = world(&[("alice/ra", 300_000)]);
    world.fault(r#"{"route":"ms.create","kind":{"do":"status","status":403,"envelope":{"code":403,"message":"no"}},"count":1}"#);
    assert_eq!(world.run(&["batch", "alice/ra"]).code, 3);
    seed(&world, "ms", "model", "alice/ra", 700_000);
    let ran = world.run(&["batch", "alice/ra", "--json"]);
    assert_eq!(
        (ran.code, states(&ran)),
        (0, vec!["skipped".to_owned()]),
        "{}",
        ran.stdout
    );
}
