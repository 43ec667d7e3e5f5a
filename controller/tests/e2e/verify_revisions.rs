//! Every branch and tag of many repos, compared in one run (`hf2ms verify --file LIST|--owner NAME --all-revisions`).

use crate::common::faults::IMPATIENT;
use crate::common::history::{give_history, seed};
use crate::common::{Ran, World};
use serde_json::{Value, json};

/// Two repos with a history, whose copies have all five revisions of each.
fn two_copied() -> World {
    let world = World::new();
    for (id, first) in [("alice/ra", 1), ("alice/rb", 11)] {
        give_history(&world, "hf", id, "main", first);
    }
    let copied = world.run(&["batch", "alice/ra", "alice/rb", "--all-revisions"]);
    assert_eq!(copied.code, 0, "{}{}", copied.stdout, copied.stderr);
    world
}

/// `repo state done/of exit` of each row.
fn rows(ran: &Ran) -> Vec<String> {
    let rows = ran.event("batch")["repos"].clone();
    let row = |row: &Value| {
        let text = |key: &str| row[key].as_str().unwrap().to_owned();
        let (revisions, exit) = (&row["revisions"], &row["exit"]);
        let [name, state] = ["source", "state"].map(text);
        format!(
            "{name} {state} {}/{} {exit}",
            revisions["done"], revisions["of"]
        )
    };
    rows.as_array().unwrap().iter().map(row).collect()
}

fn change(world: &World, branch: &str, text: &str) {
    let files = json!([{"path": "notes.txt", "text": text}]);
    seed(world, "hf", "alice/rb", branch, &files, &json!({}));
}

#[test]
fn every_branch_and_tag_of_many_repos_is_compared_in_one_run() {
    let world = two_copied();
    let list = world.path("list").display().to_string();
    std::fs::write(&list, "alice/ra\nalice/rb\n").unwrap();
    let by_list = ["verify", "--file", &list, "--all-revisions"];
    let json = || world.run_with(&[&by_list[..], &["--json"]].concat(), &[IMPATIENT]);
    let ran = json();
    let both = ["alice/ra equal 5/5 0", "alice/rb equal 5/5 0"];
    assert_eq!((ran.code, rows(&ran)), (0, both.map(str::to_owned).into()));
    let totals = ran.event("batch");
    assert_eq!(totals["revisions"], json!({"done": 10, "of": 10}));
    assert_eq!(totals["counts"]["equal"], 2);
    let verified = |event: &&Value| {
        let is_named = event["repo"].is_string() && event["revision"].is_string();
        event["event"] == "verified" && is_named
    };
    assert_eq!(ran.all_events().iter().filter(verified).count(), 10);
    assert_eq!(ran.event("revisions")["counts"]["equal"], 5);
    let ran = world.run(&["verify", "--owner", "alice", "--all-revisions"]);
    let line = |text: &str| ran.stdout.contains(text);
    assert!(
        ran.code == 0
            && line("5 revisions: 5 equal; ")
            && line("2 repos: 2 equal; 10 of 10 revisions, ")
            && !line("branch main"),
        "{}",
        ran.stdout
    );
    change(&world, "dev/x", "other");
    change(&world, "new", "more");
    std::fs::write(&list, "alice/none\nalice/rb\nalice/ra\n").unwrap();
    let ran = json();
    let expected = [
        "alice/none failed null/null 3",
        "alice/rb not_equal 4/6 4",
        "alice/ra equal 5/5 0",
    ];
    assert_eq!(
        (ran.code, rows(&ran)),
        (4, expected.map(str::to_owned).into())
    );
    let batch = ran.event("batch");
    let reason = batch["repos"][1]["reason"].as_str().unwrap();
    assert!(
        reason.contains("branch dev/x: 1 different (notes.txt)")
            && reason.ends_with(" (and 1 more)"),
        "{reason}"
    );
    let status = world.run(&["status", batch["run"].as_str().unwrap()]);
    assert!(
        status.stdout.contains("not equal") && status.stdout.contains("4 of 6"),
        "{}",
        status.stdout
    );
}

#[test]
fn a_line_that_names_a_revision_is_refused_by_its_place() {
    let world = World::new();
    let list = world.path("list").display().to_string();
    let address = format!("{}/alice/ra/tree/v1", world.address("hf"));
    std::fs::write(&list, format!("alice/rb\n{address}\n")).unwrap();
    let ran = world.run(&["verify", "--file", &list, "--all-revisions"]);
    ran.refused_with(2, &format!("{list}:2: SOURCE names a revision"));
    assert_eq!(world.all_requests(), 0);
}

#[test]
fn refs_that_are_silently_none_are_not_called_equal() {
    let world = two_copied();
    let none = json!({"branches": [], "tags": [], "converts": []});
    world.always(
        "hf.refs",
        json!({"do": "status", "status": 200, "body": none}),
    );
    let one = world.run(&["verify", "alice/ra", "--all-revisions"]);
    one.refused_with(1, "has no branch or tag");
    let owned = ["verify", "--owner", "alice", "--all-revisions", "--json"];
    let ran = world.run(&owned);
    let both = ["alice/ra failed null/null 1", "alice/rb failed null/null 1"];
    assert_eq!((ran.code, rows(&ran)), (1, both.map(str::to_owned).into()));
}
