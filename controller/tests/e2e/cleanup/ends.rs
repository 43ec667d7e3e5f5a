//! What is removed, what is said of it, and what a run leaves.

use serde_json::{Value, json};

use super::{DELETE, TOKEN, copied, is_there, migrated, row, run, states};
use crate::common::history::give_history;
use crate::common::processes::until;
use crate::common::{Ran, World};

#[test]
fn without_an_action_a_table_says_what_could_go_and_what_is_lost_and_nothing_goes() {
    let world = copied();
    let ran = run(&world, &["cleanup", "alice/model"]);
    assert_eq!(ran.code, 1, "{}{}", ran.stdout, ran.stderr);
    let words = "at least 1 earlier commit would be lost: --history-may-go agrees to that";
    assert!(ran.stdout.contains(words), "{}", ran.stdout);
    let words = "symbolic links and file modes: not told";
    assert!(ran.stdout.contains(words), "{}", ran.stdout);
    let ran = run(
        &world,
        &["cleanup", "alice/model", "--history-may-go", "--json"],
    );
    let row = row(&ran);
    assert_eq!((ran.code, row["state"].as_str()), (0, Some("would_go")));
    assert_eq!(
        (&row["files"], &row["bytes"]),
        (&json!(6), &json!(8_000_010))
    );
    assert_eq!(
        (&row["losses"]["history"], &row["losses"]["file_modes"]),
        (&json!({"is": "commits", "earlier": 1}), &Value::Null)
    );
    assert!(is_there(&world, "alice/model"));
    assert_eq!(world.requests("hf.delete"), 0);
}

#[test]
fn a_source_with_a_whole_copy_is_deleted_and_its_run_keeps_the_digests_and_the_copy() {
    let world = copied();
    let ran = run(&world, &DELETE);
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    assert!(!is_there(&world, "alice/model"));
    assert!(world.stored("ms", "model", "alice/model").is_some());
    let row = row(&ran);
    assert_eq!(row["state"], "removed");
    let run_id = row["run"].as_str().unwrap();
    let start = ran.all_events()[0].clone();
    assert_eq!(start["run"], run_id);
    let status = run(&world, &["status", run_id, "--json"]).event("status");
    let report = &status["removal_report"];
    assert_eq!(
        (&status["record"]["verb"], &report["end"]),
        (&json!("cleanup"), &json!("done"))
    );
    let files = report["revisions"][0]["files"].as_array().unwrap();
    let is_known = |file: &Value| file["sha256"].is_string();
    assert!(files.len() == 6 && files.iter().all(is_known), "{report}");
    assert!(
        report["url"]
            .as_str()
            .unwrap()
            .ends_with("/models/alice/model")
    );
    let said = run(&world, &["status", run_id]).stdout;
    assert!(
        said.contains("deleted  http") && said.contains("lost"),
        "{said}"
    );
    let journal = world.path(&format!("state/runs/{run_id}/journal.ndjson"));
    let journal = std::fs::read_to_string(journal).unwrap();
    let entries: Vec<Value> = journal
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let names: Vec<_> = entries
        .iter()
        .map(|entry| entry["entry"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["removing", "removed", "ended"]);
    let listed = run(&world, &["runs"]).stdout;
    assert!(
        listed.contains("Hugging Face alice/model -x ModelScope alice/model"),
        "{listed}"
    );
    let again = run(&world, &["cleanup", "alice/model", "--delete", "--json"]);
    assert_eq!((again.code, row_state(&again).as_str()), (0, "gone"));
}

fn row_state(ran: &Ran) -> String {
    row(ran)["state"].as_str().unwrap().to_owned()
}

#[test]
fn every_branch_and_tag_has_to_be_at_the_copy() {
    let world = World::new();
    give_history(&world, "hf", "alice/model", "main", 1);
    let ran = world.run(&["migrate", "alice/model"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let args = ["cleanup", "alice/model", "--history-may-go", "--json"];
    let ran = run(&world, &args);
    super::stays(&world, &ran, 1, "stays", "the copy has no branch ");
    migrated(&world, "alice/model");
    let ran = run(&world, &args);
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    assert_eq!(
        (row_state(&ran).as_str(), &row(&ran)["revisions"]),
        ("would_go", &json!(5))
    );
    let ran = run(&world, &DELETE);
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    assert!(!is_there(&world, "alice/model"));
}

#[test]
fn a_source_is_moved_or_made_private_instead_and_no_history_is_asked_for() {
    let world = copied();
    let agreed = ["--yes-delete", "1", "--json"];
    let private = run(
        &world,
        &[&["cleanup", "alice/model", "--make-private"][..], &agreed].concat(),
    );
    assert_eq!(private.code, 0, "{}{}", private.stdout, private.stderr);
    assert_eq!(
        world.stored("hf", "model", "alice/model").unwrap()["private"],
        true
    );
    assert_eq!(row(&private)["losses"]["file_modes"], json!(0), "it stays");
    let again = ["cleanup", "alice/model", "--make-private"];
    let again = run(&world, &[&again[..], &agreed].concat());
    let state = row_state(&again);
    assert_eq!(
        (again.code, state.as_str()),
        (0, "settled"),
        "{}",
        again.stdout
    );
    let moved = ["cleanup", "alice/model", "--move-to", "archive-NAME"];
    let moved = run(&world, &[&moved[..], &agreed].concat());
    assert_eq!(moved.code, 0, "{}{}", moved.stdout, moved.stderr);
    assert!(is_there(&world, "alice/archive-model") && !is_there(&world, "alice/model"));
    assert_eq!(
        row(&moved)["removal"],
        json!({"action": "move", "to": "alice/archive-model"})
    );
}

#[test]
fn the_last_line_says_what_was_done() {
    let world = copied();
    let files = json!([{"path": "a.bin", "size": 300_000, "seed": 1}]);
    world.seed(
        &json!({"hub": "hf", "kind": "model", "id": "alice/other", "files": files}).to_string(),
    );
    migrated(&world, "alice/other");
    let says = |args: &[&str], words: &str| {
        let ran = run(&world, &[&["cleanup"][..], args].concat());
        assert!(ran.stdout.ends_with(words), "{}{}", ran.stdout, ran.stderr);
    };
    says(&["alice/model", "alice/other"], "2 repos: 2 stay\n");
    let delete = ["alice/other", "--history-may-go", "--delete"];
    let agreed = ["--yes-delete", "1"];
    says(&[&delete[..], &agreed].concat(), "1 repo: 1 deleted\n");
    let hide = ["alice/model", "--make-private"];
    says(&[&hide[..], &agreed].concat(), "1 repo: 1 made private\n");
    let moved = ["alice/model", "--move-to", "old"];
    says(&[&moved[..], &agreed].concat(), "1 repo: 1 moved\n");
}

#[test]
fn a_list_has_comments_and_repeats_and_each_repo_of_it_counts_once() {
    let world = World::new();
    let files = json!([{"path": "a.bin", "size": 300_000, "seed": 1}]);
    for id in ["alice/one", "alice/two", "alice/lone"] {
        world.seed(&json!({"hub": "hf", "kind": "model", "id": id, "files": files}).to_string());
    }
    migrated(&world, "alice/one");
    migrated(&world, "alice/two");
    let list = "# old ones\nalice/one\nhf:alice/one # again\n\nalice/lone\nalice/gone\nalice/two\n";
    std::fs::write(world.path("repos.txt"), list).unwrap();
    let args = [
        "cleanup",
        "--file",
        "repos.txt",
        "--delete",
        "--history-may-go",
    ];
    let three = run(&world, &[&args[..], &["--yes-delete", "3"]].concat());
    three.refused_with(2, "--yes-delete 3 agrees to 3, and 2 repos would go");
    assert!(is_there(&world, "alice/one") && is_there(&world, "alice/two"));
    let one = run(
        &world,
        &[&args[..], &["--yes-delete", "2", "--max-delete", "1"]].concat(),
    );
    one.refused_with(2, "2 repos would go, and --max-delete is 1");
    let two = run(
        &world,
        &[&args[..], &["--yes-delete", "2", "--json"]].concat(),
    );
    assert_eq!(two.code, 3, "{}{}", two.stdout, two.stderr);
    let found = [
        ["alice/one", "would_go"],
        ["alice/lone", "stays"],
        ["alice/gone", "not_found"],
        ["alice/two", "would_go"],
        ["alice/one", "removed"],
        ["alice/two", "removed"],
    ];
    assert_eq!(states(&two), found);
    assert!(!is_there(&world, "alice/one") && !is_there(&world, "alice/two"));
    assert!(is_there(&world, "alice/lone"));
    let counts = &two.event("cleanup")["counts"];
    assert_eq!(
        (&counts["removed"], &counts["not_found"]),
        (&json!(2), &json!(1))
    );
}

/// Kills a cleanup after it has asked the hub to delete `alice/model`, which has not answered.
fn kill_while_deleting(world: &World) {
    let held = world.fault(
        &json!({"route": "hf.delete", "kind": {"do": "delay", "ms": 60_000}, "count": 1})
            .to_string(),
    );
    let cut = world.start(world.command(&DELETE).envs([TOKEN]));
    world.until_struck(held);
    cut.signal("-KILL");
    drop(cut);
    world.admin("DELETE", "/faults", "");
}

#[test]
fn a_removal_that_was_cut_off_after_the_hub_was_asked_is_found_done() {
    let world = copied();
    kill_while_deleting(&world);
    world
        .admin("DELETE", "/repo?hub=hf&kind=model&id=alice/model", "")
        .unwrap();
    let ran = run(&world, &DELETE[..4]);
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    assert!(
        ran.stderr.contains(
            "did not learn the end of what it had asked for alice/model: it is deleted; its copy is http"
        ),
        "{}",
        ran.stderr
    );
    world.seed_small_model();
    kill_while_deleting(&world);
    let ran = run(&world, &DELETE);
    let words = "it did not learn the end of what it had asked for alice/model, which is as it was";
    assert!(
        ran.code == 0 && ran.stdout.contains(words),
        "{}{}",
        ran.stdout,
        ran.stderr
    );
    assert!(!is_there(&world, "alice/model"));
    let runs = run(&world, &["runs", "--json"]);
    let cleanup = |event: &Value| event["verb"] == "cleanup";
    let events = runs.events();
    let states: Vec<_> = events
        .iter()
        .filter(|event| cleanup(event))
        .map(|event| &event["state"])
        .collect();
    assert_eq!(states, ["done", "incomplete", "done"], "{}", runs.stdout);
}

#[test]
fn a_token_that_does_not_see_the_source_never_takes_its_removal_for_done() {
    let world = copied();
    kill_while_deleting(&world);
    let private = json!({"hub": "hf", "kind": "model", "id": "alice/model", "private": true});
    world.admin("POST", "/repo", &private.to_string()).unwrap();
    let bob = [("HF_TOKEN", "hf_sandboxBobWrite")];
    let ran = world.run_with(&DELETE, &bob);
    let words = "this token does not see the repo, and may be another account's";
    assert!(ran.stdout.contains(words), "{}{}", ran.stdout, ran.stderr);
    let runs = run(&world, &["runs", "--json"]).events();
    let mut cleanups = runs.iter().filter(|run| run["verb"] == "cleanup");
    assert!(is_there(&world, "alice/model"));
    assert!(cleanups.all(|run| run["state"] != "done"), "{runs:?}");
}

#[test]
fn two_cleanups_of_one_repo_never_work_at_once() {
    let world = copied();
    let held = world.fault(
        &json!({"route": "hf.tree", "kind": {"do": "delay", "ms": 60_000}, "count": 1}).to_string(),
    );
    let first = world.start(world.command(&DELETE).envs([TOKEN]));
    world.until_struck(held);
    let second = run(&world, &DELETE);
    assert!(
        second.stdout.contains(" is writing to alice/model on "),
        "{}",
        second.stdout
    );
    assert_eq!(
        second.code, 2,
        "it has agreed to one, and none may go: {}",
        second.stderr
    );
    let copy = run(&world, &["migrate", "ms:alice/model", "hf:alice/model"]);
    copy.refused_with(1, "is writing to alice/model on Hugging Face");
    first.signal("-INT");
    let first = first.wait();
    assert_eq!(first.code, 130, "{}{}", first.stdout, first.stderr);
    until("the end", || world.workers().is_empty());
    assert!(is_there(&world, "alice/model"));
}

#[test]
fn a_copy_is_followed_by_a_cleanup_with_the_same_consents() {
    let world = World::with_model();
    let then = ["migrate", "alice/model", "--then", "cleanup"];
    let ran = run(&world, &then);
    assert_eq!(ran.code, 1, "{}{}", ran.stdout, ran.stderr);
    assert!(
        ran.stdout.contains("--history-may-go agrees to that"),
        "{}",
        ran.stdout
    );
    let agreed = ["--history-may-go", "--yes-delete", "1"];
    let ran = run(&world, &[&then[..2], &agreed].concat());
    ran.refused_with(2, "none is asked for: give --then cleanup");
    let none = ["--history-may-go", "--yes-delete", "0"];
    let ran = run(&world, &[&then[..], &none].concat());
    ran.refused_with(2, "--yes-delete 0 agrees to 0, and 1 repo would go");
    let part = [&then[..], &agreed, &["--exclude", "*.bin"]].concat();
    assert_eq!(run(&world, &part).code, 2);
    assert!(is_there(&world, "alice/model"));
    let ran = run(&world, &[&then[..], &agreed].concat());
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    assert!(
        !is_there(&world, "alice/model") && world.stored("ms", "model", "alice/model").is_some()
    );
    world.seed_small_model();
    world.admin("DELETE", "/repo?hub=ms&kind=model&id=alice/model", "");
    let batch = ["batch", "alice/model", "--then", "cleanup"];
    let ran = run(&world, &[&batch[..], &agreed].concat());
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    assert!(!is_there(&world, "alice/model"));
}

#[test]
fn the_same_command_ends_well_after_its_sources_are_gone_and_what_is_skipped_stays() {
    let world = World::new();
    let files = json!([{"path": "a.bin", "size": 300_000, "seed": 1}]);
    for id in ["alice/one", "alice/two"] {
        world.seed(&json!({"hub": "hf", "kind": "model", "id": id, "files": files}).to_string());
    }
    let then = ["--then", "cleanup", "--history-may-go", "--yes-delete"];
    let one = [&["migrate", "alice/one"][..], &then, &["1"]].concat();
    for _ in 0..2 {
        let ran = run(&world, &one);
        assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    }
    assert!(!is_there(&world, "alice/one"));
    let both = [&["batch", "alice/one", "alice/two"][..], &then, &["2"]].concat();
    for _ in 0..2 {
        let ran = run(&world, &both);
        assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
        assert!(ran.stdout.contains("gone already"), "{}", ran.stdout);
    }
    assert!(!is_there(&world, "alice/two"));
    let too_many = [&both[..both.len() - 1], &["3"]].concat();
    run(&world, &too_many).refused_with(2, "--yes-delete 3 agrees to 3 repos, and none would go");
}

#[test]
fn the_source_of_a_copy_that_a_batch_has_skipped_stays_and_that_is_said() {
    let world = copied();
    std::fs::remove_dir_all(world.path("state")).unwrap();
    let args = [
        "batch",
        "alice/model",
        "--then",
        "cleanup",
        "--history-may-go",
    ];
    let ran = run(&world, &args);
    assert_eq!(ran.code, 1, "{}{}", ran.stdout, ran.stderr);
    let words = "alice/model was skipped: its source stays";
    assert!(ran.stderr.contains(words), "{}", ran.stderr);
    let agreed = [&args[..], &["--yes-delete", "1"]].concat();
    run(&world, &agreed).refused_with(2, "agrees to 1 repo, and none would go");
    assert!(is_there(&world, "alice/model"));
    let forced = [&agreed[..], &["--force"]].concat();
    assert_eq!(run(&world, &forced).code, 0);
    assert!(!is_there(&world, "alice/model"));
}

#[test]
fn a_space_that_a_batch_has_skipped_is_not_said_to_go_with_force() {
    let world = World::new();
    let files = json!([{"path": "app.py", "text": "x = 1"}]);
    let space =
        json!({"hub": "hf", "kind": "space", "id": "alice/app", "sdk": "gradio", "files": files});
    world.seed(&space.to_string());
    let ran = run(&world, &["batch", "spaces/alice/app", "--then", "cleanup"]);
    assert_eq!(ran.code, 1, "{}{}", ran.stdout, ran.stderr);
    assert!(ran.stderr.contains("its source stays"), "{}", ran.stderr);
    assert!(!ran.stderr.contains("--force"), "{}", ran.stderr);
}
