//! `hf2ms inventory`: what owners have, and how the copies stand.

use serde_json::{Value, json};

use crate::common::faults::IMPATIENT;
use crate::common::{Ran, World};

/// Of the account at Hugging Face.
const TOKEN: [(&str, &str); 1] = [("HF_TOKEN", "hf_sandboxAliceWrite")];

/// Two blobs and two files outside LFS.
fn files() -> Value {
    json!([{"path": "a.bin", "size": 300_000, "seed": 1}, {"path": "b.bin", "size": 400_000, "seed": 2},
        {"path": "README.md", "text": "# hi\n"}, {"path": "config.json", "text": "{}"}])
}

fn seed(world: &World, hub: &str, kind: &str, id: &str, files: &Value) {
    let seed = json!({"hub": hub, "kind": kind, "id": id, "files": files});
    world.seed(&seed.to_string());
}

fn ended(ran: &Ran, code: i32) {
    assert_eq!(ran.code, code, "{}{}", ran.stdout, ran.stderr);
}

/// The repos with their states and what they were found by, in the order of the events.
fn states(ran: &Ran) -> Vec<[String; 3]> {
    let events = ran.events().into_iter();
    let rows = events.filter(|event| event["event"] == "inventory_repo");
    let text = |row: &Value, key: &str| row[key].as_str().unwrap_or("-").to_owned();
    rows.map(|row| ["repo", "state", "evidence"].map(|key| text(&row, key)))
        .collect()
}

fn reset(world: &World) {
    world.admin("POST", "/counters/reset", "").unwrap();
}

#[test]
fn each_copy_has_its_state_and_a_second_inventory_asks_only_where_both_sides_stand() {
    let world = World::new();
    let mut other = files();
    other[0]["seed"] = json!(9);
    for name in ["copied", "none", "partial", "sizes", "wrong"] {
        seed(&world, "hf", "model", &format!("alice/{name}"), &files());
    }
    seed(&world, "hf", "dataset", "alice/copied", &files());
    seed(&world, "ms", "model", "alice/partial", &json!([files()[0]]));
    seed(&world, "ms", "model", "alice/sizes", &files());
    seed(&world, "ms", "model", "alice/wrong", &other);
    ended(
        &world.run(&["migrate", "alice/copied", "--repo-type", "model"]),
        0,
    );
    reset(&world);
    let inventory = || world.run(&["inventory", "alice", "--json"]);
    let first = inventory();
    let expected = [
        ["alice/copied", "equal", "run"],
        ["alice/none", "none", "listing"],
        ["alice/partial", "partial", "listing"],
        ["alice/sizes", "equal-by-size", "listing"],
        ["alice/wrong", "different", "listing"],
        ["datasets/alice/copied", "none", "listing"],
    ];
    ended(&first, 1);
    assert_eq!(states(&first), expected);
    let totals = first.event("inventory");
    assert_eq!(totals["bytes_to_copy"], 700_007 * 2 + 400_007 + 300_000);
    assert_eq!(
        (&totals["repos"], &totals["counts"]["none"]),
        (&json!(6), &json!(2))
    );
    let lists = |world: &World| world.requests("hf.list") + world.requests("ms.list");
    assert!(world.all_requests() - lists(&world) <= 3 * 6);
    assert_eq!(world.requests("hf.tree"), 5, "what is proven is not listed");
    let at_branch = |asked: &Value| asked["path"].as_str().unwrap().contains("/tree/main");
    assert!(
        !world.asked("hf", "GET").iter().any(at_branch),
        "commits are listed"
    );
    reset(&world);
    assert_eq!(states(&inventory()), expected);
    assert_eq!(world.all_requests() - lists(&world), 6, "one a repo");
    assert_eq!(world.requests("hf.tree") + world.requests("ms.files"), 0);
    let more = json!([{"path": "c.bin", "size": 500_000, "seed": 3}]);
    seed(&world, "hf", "model", "alice/sizes", &more);
    seed(&world, "ms", "model", "alice/partial", &files());
    let mut moved = expected;
    moved[2][1] = "equal-by-size";
    moved[3][1] = "partial";
    assert_eq!(states(&inventory()), moved);
    assert_eq!(
        world.requests("hf.tree"),
        2,
        "only what has moved is listed"
    );
}

#[test]
fn a_run_tells_of_a_repo_what_a_listing_tells_and_the_page_of_an_owner_names_them_all() {
    let world = World::new();
    for name in ["copied", "none"] {
        seed(&world, "hf", "model", &format!("alice/{name}"), &files());
    }
    ended(&world.run(&["migrate", "alice/copied"]), 0);
    let page = format!("{}/alice/", world.address("hf"));
    let rows = world.run(&["inventory", &page, "--json"]).all_events();
    let of = |repo: &str| rows.iter().find(|row| row["repo"] == repo).unwrap();
    let large = |repo: &str| ["large_files", "large_bytes"].map(|key| of(repo)[key].clone());
    assert_eq!(of("alice/copied")["evidence"], "run");
    assert_eq!(large("alice/copied"), large("alice/none"));
    assert!(large("alice/copied")[1].as_u64() > Some(0), "{rows:?}");
}

#[test]
fn a_copy_that_one_side_or_both_have_left_behind_is_newer_or_in_conflict() {
    let world = World::new();
    for name in ["alice/newer", "alice/conflict"] {
        seed(&world, "hf", "model", name, &files());
        ended(&world.run(&["migrate", name]), 0);
        seed(
            &world,
            "hf",
            "model",
            name,
            &json!([{"path": "c.bin", "size": 500_000, "seed": 3}]),
        );
    }
    seed(
        &world,
        "ms",
        "model",
        "alice/conflict",
        &json!([{"path": "own.txt", "text": "mine"}]),
    );
    seed(&world, "hf", "model", "alice/same-size", &files());
    ended(&world.run(&["migrate", "alice/same-size"]), 0);
    let edited = json!([{"path": "README.md", "text": "# ho\n"}]);
    seed(&world, "hf", "model", "alice/same-size", &edited);
    let ran = world.run(&["inventory", "alice", "--json"]);
    let found: Vec<String> = states(&ran)
        .into_iter()
        .map(|[_, state, _]| state)
        .collect();
    assert_eq!(found, ["conflict", "newer", "newer"]);
    for name in ["alice/newer", "alice/same-size"] {
        ended(&world.run(&["migrate", name]), 0);
    }
    let ran = world.run(&["inventory", "alice", "--fail-on", "newer,none"]);
    ended(&ran, 0);
    assert!(
        ran.stdout.contains("3 repos: 1 conflict, 2 equal; "),
        "{}",
        ran.stdout
    );
}

#[test]
fn deep_compares_the_content_of_files_whose_digests_are_of_two_kinds() {
    let world = World::new();
    let mut other = files();
    other[2]["text"] = json!("# ho\n");
    for (name, copy) in [("alice/same", files()), ("alice/wrong", other)] {
        seed(&world, "hf", "model", name, &files());
        seed(&world, "ms", "model", name, &copy);
    }
    let all = |deep: &[&str]| world.run(&[&["inventory", "alice", "--json"], deep].concat());
    let by_size = all(&[]);
    ended(&by_size, 0);
    assert!(
        states(&by_size)
            .iter()
            .all(|[_, state, _]| state == "equal-by-size")
    );
    let deep = all(&["--deep"]);
    ended(&deep, 1);
    let expected = [
        ["alice/same", "equal", "contents"],
        ["alice/wrong", "different", "contents"],
    ];
    assert_eq!(states(&deep), expected);
    let wrong = deep.event("inventory_repo");
    assert_eq!(
        (&wrong["different_files"], &wrong["bytes_to_copy"]),
        (&json!(["README.md"]), &json!(5))
    );
    reset(&world);
    assert_eq!(states(&all(&["--deep"])), expected);
    assert_eq!(world.requests("hf.tree"), 0, "what was read once is known");
}

#[test]
fn a_token_that_is_refused_in_the_middle_ends_all_and_what_was_found_is_kept() {
    let world = World::new();
    for number in 0..20 {
        seed(
            &world,
            "hf",
            "model",
            &format!("alice/r{number:02}"),
            &files(),
        );
    }
    world.strike(
        "hf.tree",
        json!({"do": "status", "status": 401}),
        json!({"skip": 12}),
    );
    let ran = world.run_with(&["inventory", "alice"], &TOKEN);
    ran.refused_with(
        3,
        " of 20 repos are kept: run the same command again to go on)",
    );
    let told = ran.stderr.split(" of 20 repos are kept").next();
    let kept: u64 = told
        .and_then(|told| told.rsplit('(').next())
        .and_then(|kept| kept.parse().ok())
        .unwrap();
    assert!((1..=12).contains(&kept), "{}", ran.stderr);
    world.clear_faults();
    reset(&world);
    let ran = world.run_with(&["inventory", "alice", "--json"], &TOKEN);
    assert_eq!(states(&ran).len(), 20);
    assert_eq!(
        world.requests("hf.tree"),
        20 - kept,
        "the rest alone is listed"
    );
}

#[test]
fn a_repo_that_vanishes_or_cant_be_read_costs_only_its_row() {
    let world = World::new();
    for name in ["denied", "gone", "locked"] {
        seed(&world, "hf", "model", &format!("alice/{name}"), &files());
    }
    let locked =
        json!({"hub": "hf", "kind": "model", "id": "alice/locked", "storage_locked": true});
    world.admin("POST", "/repo", &locked.to_string()).unwrap();
    let status = |status: u16| json!({"do": "status", "status": status});
    world.strike("hf.tree", status(404), json!({"path": "gone"}));
    world.strike("hf.tree", status(403), json!({"path": "denied"}));
    let ran = world.run_with(&["inventory", "alice", "--json"], &[IMPATIENT]);
    ended(&ran, 1);
    let expected = [
        ["alice/denied", "unreadable", "nothing"],
        ["alice/gone", "vanished", "nothing"],
        ["alice/locked", "none", "listing"],
    ];
    assert_eq!(states(&ran), expected);
    assert_eq!(
        ran.event("inventory_repo")["bytes"],
        700_007,
        "Git tells what a locked API does not"
    );
}

#[test]
fn a_copy_is_not_called_equal_by_a_listing_that_is_shorter_than_the_hubs_count() {
    let world = World::new();
    seed(&world, "hf", "model", "alice/short", &files());
    seed(&world, "ms", "model", "alice/short", &files());
    let part = json!([files()[2]]);
    seed(&world, "hf", "model", "alice/part", &files());
    seed(&world, "ms", "model", "alice/part", &part);
    let cut = json!({"do": "cut", "entries": 1});
    world.strike("hf.tree", cut, json!({"count": 2}));
    let inventory = || world.run(&["inventory", "alice", "--json"]);
    let ran = inventory();
    ended(&ran, 1);
    assert!(states(&ran).iter().all(|row| row[1] == "unreadable"));
    world.clear_faults();
    let ran = inventory();
    let found = states(&ran);
    assert_eq!((&*found[0][1], &*found[1][1]), ("partial", "equal-by-size"));
}

#[test]
fn owners_that_are_absent_and_options_that_contradict_are_refused() {
    let world = World::with_model();
    world.run(&["inventory", "nobody"]).refused_with(
        3,
        "nobody has no models or datasets or spaces on Hugging Face",
    );
    for (words, line) in [
        (&["alice/model"][..], "OWNER: "),
        (&["ms:alice", "--from", "hf"], "leave one of them out"),
        (
            &["alice", "--against", "ms:a/b"],
            "--against: 'ms:a/b' is not an owner",
        ),
        (
            &["hf:alice", "--against", "hf:alice"],
            "compared with itself",
        ),
        (&["alice", "--map", "absent.txt"], "absent.txt: "),
        (&["datasets/alice"], "--repo-type"),
        (&["alice", "--summary", "--format", "csv"], "has no rows"),
        (
            &["alice", "--write", "."],
            "--write .: no file can be written there",
        ),
    ] {
        world
            .run(&[&["inventory"], words].concat())
            .refused_with(2, line);
    }
}

#[test]
fn the_list_that_is_written_is_what_batch_takes() {
    let world = World::new();
    for (kind, id) in [
        ("model", "alice/one"),
        ("dataset", "alice/one"),
        ("model", "alice/two"),
    ] {
        seed(&world, "hf", kind, id, &files());
    }
    seed(&world, "ms", "model", "acme/b2", &files());
    std::fs::write(
        world.path("map.txt"),
        "hf:alice/two acme/b2\nalice/three acme/c\n",
    )
    .unwrap();
    let against = [
        "inventory",
        "hf:alice",
        "--against",
        "acme",
        "--map",
        "map.txt",
    ];
    let inventory = |more: &[&str]| world.run(&[&against[..], more].concat());
    let ran = inventory(&["--only", "none", "--write", "repos.txt", "--format", "csv"]);
    ended(&ran, 1);
    let expected = "\
# source destination # state of the copy
hf:models/alice/one ms:models/acme/one  # none: 700.01 kB to copy
hf:datasets/alice/one ms:datasets/acme/one  # none: 700.01 kB to copy
";
    assert_eq!(
        std::fs::read_to_string(world.path("repos.txt")).unwrap(),
        expected
    );
    assert!(
        ran.stderr
            .contains("warning: --map: no owner has alice/three"),
        "{}",
        ran.stderr
    );
    assert_eq!(ran.stdout.lines().count(), 3, "{}", ran.stdout);
    ended(&world.run(&["batch", "--file", "repos.txt"]), 0);
    assert!(world.is_copied("dataset", "alice/one", "acme/one"));
    let ran = inventory(&["--format", "json"]);
    ended(&ran, 0);
    let document: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(document["totals"]["counts"]["equal"], 2);
    assert_eq!(document["repos"].as_array().unwrap().len(), 3);
}

#[test]
fn an_owner_that_is_named_twice_is_looked_at_once_and_shared_destinations_are_said() {
    let world = World::new();
    for id in ["alice/same", "bob/same"] {
        seed(&world, "hf", "model", id, &files());
    }
    let ran = world.run(&["inventory", "alice", "bob", "hf:alice", "--against", "acme"]);
    ended(&ran, 1);
    assert!(ran.stdout.contains("\n2 repos: 2 none; "), "{}", ran.stdout);
    let warning = "warning: alice/same and bob/same have the same destination, acme/same: ";
    assert!(ran.stderr.contains(warning), "{}", ran.stderr);
}

#[test]
fn the_way_back_is_compared_by_the_same_rules_and_says_what_room_is_left() {
    let world = World::new();
    for id in ["alice/one", "alice/two"] {
        seed(&world, "ms", "model", id, &files());
    }
    seed(&world, "hf", "model", "alice/one", &json!([files()[0]]));
    let private = json!({"hub": "hf", "kind": "dataset", "id": "alice/own", "private": true, "files": [files()[0]]});
    world.seed(&private.to_string());
    let back = |more: &[&str]| {
        let args = [&["inventory", "alice", "--from", "ms"], more].concat();
        world.run_with(&args, &TOKEN)
    };
    let ran = back(&["--json", "--refs"]);
    let states: Vec<String> = states(&ran)
        .into_iter()
        .map(|[_, state, _]| state)
        .collect();
    assert_eq!(states, ["partial", "none"]);
    assert_eq!(ran.event("inventory_repo")["branches"], 1);
    let summary = back(&["--summary"]);
    ended(&summary, 1);
    for line in [
        "copies      1 none, 1 partial",
        "to copy     7 files, 1.10 MB",
        "on modal    about ",
        "300 kB of private repos on Hugging Face, 0 B would be added: 100.00 GB left with the plan free, 1000.00 GB left with the plan PRO",
    ] {
        assert!(
            summary.stdout.contains(line),
            "{line} in {}",
            summary.stdout
        );
    }
    assert!(!summary.stdout.contains("alice/one"));
}

#[test]
fn what_has_no_row_fails_the_inventory_and_is_counted() {
    let world = World::with_model();
    world.migrate().done();
    let equal = ["--fail-on", "none"];
    assert_eq!(
        world
            .run(&[&["inventory", "alice"][..], &equal].concat())
            .code,
        0
    );
    let ran = world.run(&["inventory", "alice", "nobody", "--json"]);
    assert_eq!(
        (ran.code, &ran.event("inventory")["left_out"]),
        (1, &json!(1))
    );
    let only = world.run(&["inventory", "alice", "--json", "--only", "none"]);
    assert!(
        only.events()
            .iter()
            .all(|event| event["event"] != "inventory_repo")
    );
}

#[test]
fn a_content_that_deep_could_not_read_is_not_equal() {
    let world = World::with_model();
    world.migrate().done();
    std::fs::remove_dir_all(world.path("state")).unwrap();
    world.strike(
        "hf.resolve",
        json!({"do": "status", "status": 403}),
        json!({"count": 100}),
    );
    let ran = world.run(&["inventory", "alice", "--deep", "--json"]);
    let row = ran.event("inventory_repo");
    assert_eq!(
        (ran.code, &row["state"]),
        (1, &json!("unreadable")),
        "{row}"
    );
    assert!(
        row["reason"]
            .as_str()
            .unwrap()
            .contains("could not be read"),
        "{row}"
    );
}
