//! What a look at names and listings alone would miss: lost contents, refs that are left out, names with two meanings, changes in the
//! last moment.

use serde_json::{Value, json};

use super::{DELETE, TOKEN, asked_before_consent, copied, is_there, migrated, row, run, stays};
use crate::common::history::give_history;
use crate::common::{BOB, World};

fn flags(world: &World, flags: Value) {
    let mut all = json!({"kind": "model", "id": "alice/model"});
    all.as_object_mut()
        .unwrap()
        .extend(flags.as_object().unwrap().clone());
    world.admin("POST", "/repo", &all.to_string()).unwrap();
}

#[test]
fn content_that_the_copy_lists_and_has_lost_keeps_the_source() {
    let world = copied();
    let files = world.stored("ms", "model", "alice/model").unwrap()["files"].clone();
    let mut files = files.as_array().unwrap().iter();
    let lost = files.find(|file| file["path"] == "b.safetensors").unwrap();
    let blob = json!({"hub": "ms", "sha256": lost["sha256"]});
    world
        .admin("POST", "/blob/remove", &blob.to_string())
        .unwrap();
    for more in [&[][..], &["--deep"]] {
        let ran = run(&world, &[&DELETE[..], more].concat());
        stays(&world, &ran, 2, "stays", "1 unread (b.safetensors)");
    }
}

#[test]
fn a_commit_that_comes_while_the_copys_hub_is_slow_is_seen() {
    let world = copied();
    // One is for the description of the copy, before the refs of both sides.
    let skip = asked_before_consent(&world, "ms.git_refs") + 1;
    let slow = json!({"do": "delay", "ms": 6_000});
    let rule = json!({"route": "ms.git_refs", "kind": slow, "skip": skip, "count": 1});
    let held = world.fault(&rule.to_string());
    let cleanup = world.start(world.command(&DELETE).envs([TOKEN]));
    world.until_struck(held);
    // The source has answered before: its refs and the copy's are asked for at once.
    crate::common::processes::until("the source's refs", || {
        world.requests("hf.refs") > 2 && world.requests("hf.git_refs") > 2
    });
    let new = json!({"hub": "hf", "kind": "model", "id": "alice/model", "files": [{"path": "new.txt", "text": "new"}]});
    world.seed(&new.to_string());
    let ran = cleanup.wait();
    stays(
        &world,
        &ran,
        1,
        "changed",
        "branch main stands at another commit",
    );
}

#[test]
fn refs_that_the_hub_leaves_out_are_told_by_git() {
    let world = World::new();
    give_history(&world, "hf", "alice/model", "main", 1);
    let ran = world.run(&["migrate", "alice/model"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let main = world.stored("hf", "model", "alice/model").unwrap()["branches"]["main"].clone();
    let told =
        json!({"branches": [{"name": "main", "ref": "refs/heads/main", "targetCommit": main}]});
    world.always(
        "hf.refs",
        json!({"do": "status", "status": 200, "body": told}),
    );
    let ran = run(&world, &DELETE);
    stays(
        &world,
        &ran,
        2,
        "stays",
        "Git and the hub's API tell different refs",
    );
    world.clear_faults();
    world.always("hf.git_refs", json!({"do": "status", "status": 403}));
    let ran = run(&world, &DELETE);
    assert!(is_there(&world, "alice/model") && row(&ran)["state"] == "stays");
}

#[test]
fn a_name_that_is_a_branch_and_a_tag_of_the_copy_is_in_doubt() {
    let world = World::new();
    give_history(&world, "hf", "alice/model", "main", 1);
    migrated(&world, "alice/model");
    let branch =
        json!({"hub": "ms", "kind": "model", "id": "alice/model", "branches": ["v1"], "files": []});
    world.seed(&branch.to_string());
    let ran = run(&world, &DELETE);
    stays(
        &world,
        &ran,
        2,
        "stays",
        "a branch and a tag of the name v1",
    );
}

#[test]
fn a_branch_that_moves_between_two_answers_is_in_doubt() {
    let world = copied();
    world.once(
        "hf.refs",
        json!({"do": "moved", "files": [{"path": "new.txt", "text": "new"}]}),
    );
    let ran = run(&world, &DELETE);
    assert!(is_there(&world, "alice/model"), "{}", ran.stdout);
    assert_eq!(row(&ran)["state"], "stays", "{}", ran.stdout);
}

#[test]
fn one_revision_that_is_copied_is_followed_by_no_cleanup() {
    let world = World::with_model();
    let address = format!("{}/alice/model/tree/v1", world.address("hf"));
    for verb in ["migrate", "batch"] {
        let ran = run(&world, &[verb, &address, "--then", "cleanup"]);
        ran.refused_with(2, "SOURCE names a revision");
        let ran = run(&world, &[verb, "ms:alice/model", "--then", "cleanup"]);
        ran.refused_with(3, "ModelScope lets no token remove alice/model");
    }
    assert_eq!(world.requests("ms.create"), 0);
}

#[test]
fn pull_requests_need_a_consent_and_a_count_that_fails_for_now_is_a_doubt() {
    let world = copied();
    flags(
        &world,
        json!({"hub": "hf", "pull_requests": 2, "discussions": 3, "likes": 4}),
    );
    world.always(
        "hf.commits",
        json!({"do": "status", "status": 200, "headers": {"x-total-count": "1"}, "body": [{"id": "x"}]}),
    );
    let table = ["cleanup", "alice/model", "--json"];
    let ran = run(&world, &table);
    stays(
        &world,
        &ran,
        1,
        "stays",
        "the commits of 2 pull requests would be lost",
    );
    let losses = &row(&ran)["losses"];
    assert_eq!(
        (&losses["discussions"], &losses["likes"]),
        (&json!(3), &json!(4))
    );
    world.clear_faults();
    world.always("hf.discussions", json!({"do": "status", "status": 503}));
    let ran = run(&world, &DELETE);
    stays(&world, &ran, 2, "stays", "Hugging Face");
}

#[test]
fn a_copy_of_someone_else_counts_only_where_its_owner_is_named_and_then_it_is_said() {
    let world = copied();
    let bob = [TOKEN, ("MODELSCOPE_TOKEN", BOB)];
    let args = ["cleanup", "alice/model", "--history-may-go", "--json"];
    let ran = world.run_with(&args, &bob);
    stays(
        &world,
        &ran,
        1,
        "stays",
        "the copy belongs to alice, which is not known to be this account",
    );
    let ran = world.run_with(&[&args[..], &["--against", "ms:alice"]].concat(), &bob);
    let row = row(&ran);
    assert_eq!(
        (ran.code, row["state"].as_str()),
        (0, Some("would_go")),
        "{}",
        ran.stdout
    );
    let access = row["losses"]["access"].to_string();
    assert!(
        access.contains("the copy belongs to alice, who may delete it"),
        "{access}"
    );
    let listed = [
        "cleanup",
        "--file",
        "repos.txt",
        "--history-may-go",
        "--json",
    ];
    for (line, code) in [
        ("hf:alice/model ms:alice/model", 0),
        ("hf:alice/model ms:alice/", 0),
        ("hf:alice/model ms:", 1),
        ("hf:alice/model", 1),
    ] {
        std::fs::write(world.path("repos.txt"), line).unwrap();
        let ran = world.run_with(&listed, &bob);
        assert_eq!(ran.code, code, "{line}: {}{}", ran.stdout, ran.stderr);
    }
}

#[test]
fn a_deletion_that_the_hub_only_claims_is_not_called_done() {
    let world = copied();
    world.always("hf.delete", json!({"do": "html"}));
    let ran = run(&world, &DELETE);
    stays(
        &world,
        &ran,
        3,
        "failed",
        "has agreed to delete alice/model, and shows it as before",
    );
    let id = row(&ran)["run"].as_str().unwrap().to_owned();
    let status = run(&world, &["status", &id]).stdout;
    assert!(!status.contains("deleted"), "{status}");
}
