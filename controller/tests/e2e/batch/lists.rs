//! Which repos a batch has: lists, and all that an owner has.

use super::*;

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
        "repo      destination  state  visible to  files   bytes  reason",
        "alice/ra  alice/ra     moved  private         1  300 kB",
        "2 repos: 2 moved; 2 files, 700 kB",
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
        .refused_with(
            2,
            "acme/ra has the destination bob/ra, as alice/ra from alice/ra",
        );
    world
        .run(&["batch", "alice/ra", "--dest", "bob/ra"])
        .refused_with(2, "--dest is for one repo");
    world
        .run(&["batch", "alice/ra", "--detach"])
        .refused_with(2, "--detach needs --on modal");
    assert_eq!(world.all_requests(), 0);
}

#[test]
fn all_of_an_owner_is_copied_to_another() {
    let world = world(&[
        ("alice/ra", 300_000),
        ("alice/rb", 400_000),
        ("bob/rc", 500_000),
    ]);
    seed(&world, "hf", "dataset", "alice/ra", 600_000);
    let batch = |owner: &str, more: &[&str]| {
        let args = ["batch", "--owner", owner, "--to-owner", "acme", "--json"];
        world.run(&[&args, more].concat())
    };
    let dry = batch("alice", &["--dry-run"]);
    assert_eq!((dry.code, states(&dry)), (0, vec!["planned".to_owned(); 3]));
    assert!(world.stored("ms", "model", "acme/ra").is_none() && !world.path("state").exists());
    let ran = batch("hf:alice", &[]);
    let expected = [
        ["alice/ra", "acme/ra", "moved"],
        ["alice/rb", "acme/rb", "moved"],
        ["datasets/alice/ra", "acme/ra", "moved"],
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
    let datasets = batch("alice", &["--repo-type", "dataset"]);
    assert_eq!(
        (datasets.code, states(&datasets)),
        (0, vec!["there_already".to_owned()]),
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
fn a_list_that_names_no_repo_is_no_success() {
    let world = world(&[]);
    let file = list(&world, "# nothing\n\n");
    for verb in ["batch", "verify", "cleanup"] {
        let ran = world.run(&[verb, "--file", &file]);
        ran.refused_with(2, "names no repo: add one a line");
    }
}
