//! Faults of the hubs in the midst of a migration: what is said, with which exit code, and what the other side has then.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use common::World;

fn fault(world: &World, rule: &str) {
    world.admin("POST", "/faults", rule).unwrap();
}

#[test]
fn wrong_bytes_are_an_integrity_error_and_are_never_committed() {
    let world = World::with_model();
    fault(&world, r#"{"route":"hf_storage.get","kind":{"do":"corrupt","at":100}}"#);
    let ran = world.run(&["migrate", "alice/model", "--json"]);
    assert_eq!(ran.code, 4, "{}{}", ran.stdout, ran.stderr);
    assert_eq!(ran.event("report")["failed"].as_array().unwrap().len(), 3);
    let stored = world.stored("ms", "model", "alice/model").unwrap().to_string();
    assert!(stored.contains("config.json") && !stored.contains("safetensors"), "{stored}");
}

#[test]
fn a_token_revoked_half_way_stops_that_hub_at_once() {
    let world = World::with_model();
    fault(&world, r#"{"route":"ms.batch","kind":{"do":"status","status":401,"envelope":{"code":10010103009,"message":"bad token"}}}"#);
    let ran = world.run(&["migrate", "alice/model", "--containers", "1"]);
    ran.refused_with(3, "MODELSCOPE_TOKEN");
    assert!(world.requests("ms.batch") <= 2 && world.requests("ms.commit") == 0);
}

#[test]
fn a_repo_that_was_created_meanwhile_is_adopted() {
    let world = World::with_model();
    world.seed(r#"{"hub":"ms","kind":"model","id":"alice/model","message":"m","files":[{"path":"config.json","text":"theirs"}]}"#);
    fault(&world, r#"{"route":"ms.info","count":1,"kind":{"do":"status","status":404}}"#);
    let ran = world.run(&["migrate", "alice/model"]);
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    assert!(ran.stderr.contains("meanwhile") && world.is_copied("model", "alice/model", "alice/model"));
}

#[test]
fn a_lost_answer_to_the_commit_is_not_repeated() {
    let world = World::with_model();
    fault(&world, r#"{"route":"ms.commit","count":1,"kind":{"do":"lose_answer"}}"#);
    let ran = world.run(&["migrate", "alice/model"]);
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    assert_eq!(world.requests("ms.commit"), 1);
}

#[test]
fn a_branch_that_moved_under_the_commit_is_compared_and_written_again() {
    let world = World::with_model();
    fault(&world, r#"{"route":"ms.commit","count":1,"kind":{"do":"moved","files":[{"path":"theirs.txt","text":"x"}]}}"#);
    let ran = world.run(&["migrate", "alice/model"]);
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    assert!(world.is_copied("model", "alice/model", "alice/model"));
    assert!(world.stored("ms", "model", "alice/model").unwrap().to_string().contains("theirs.txt"));
}
