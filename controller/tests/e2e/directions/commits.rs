//! Commits to Hugging Face: LFS, conflicts, lost answers, batches.

use super::*;

#[test]
fn what_the_hub_wants_in_lfs_after_all_is_stored_there() {
    let world = World::new();
    let binary = base64_of(&[0_u8; 1_500_000]);
    seed(
        &world,
        "ms",
        "model",
        &json!([{"path": "data.xyz", "base64": binary, "lfs": false}, {"path": "song.wav", "size": 5_000, "seed": 1}]),
    );
    done(&run(&world, &["ms:alice/model"]));
    ms_to_hf(&world);
    let files = world.stored("hf", "model", "alice/model").unwrap()["files"].clone();
    let lfs: Vec<_> = files
        .as_array()
        .unwrap()
        .iter()
        .filter(|file| file["lfs"] == true)
        .map(|file| file["path"].clone())
        .collect();
    assert_eq!(lfs, ["data.xyz", "song.wav"]);
    assert_eq!(done(&run(&world, &["ms:alice/model"]))["unchanged"], 2);
}

fn base64_of(bytes: &[u8]) -> String {
    // Zeros alone: their base64 needs no library.
    assert!(bytes.iter().all(|byte| *byte == 0) && bytes.len().is_multiple_of(3));
    "A".repeat(bytes.len() / 3 * 4)
}

#[test]
fn a_branch_that_moved_is_compared_again_and_never_forced() {
    let world = with_model();
    world.fault(r#"{"route":"hf.commit","kind":{"do":"moved","files":[{"path":"theirs.txt","text":"theirs"}]},"count":1}"#);
    done(&run(&world, &["ms:alice/model"]));
    ms_to_hf(&world);
    assert!(holds(&world, "hf", "model", "alice/model").contains_key("theirs.txt"));
    let statuses = world.admin("GET", "/counters", "").unwrap()["hf.commit"]["statuses"].clone();
    assert_eq!(
        (statuses["412"].as_u64(), statuses["200"].as_u64()),
        (Some(1), Some(1)),
        "{statuses}"
    );
}

#[test]
fn a_commit_whose_answer_is_lost_is_looked_up() {
    let world = with_model();
    world
        .admin("POST", "/settings", r#"{"hf_refuses_binary":false}"#)
        .unwrap();
    world.fault(r#"{"route":"hf.commit","kind":{"do":"lose_answer"},"count":1}"#);
    done(&run(&world, &["ms:alice/model"]));
    ms_to_hf(&world);
    assert_eq!(
        world.requests("hf.commit"),
        1,
        "it was made, and is not made again"
    );
}

#[test]
fn a_repo_that_is_created_meanwhile_is_adopted() {
    let world = with_model();
    world.fault(r#"{"route":"hf.create","kind":{"do":"lose_answer"},"count":1}"#);
    done(&run(&world, &["ms:alice/model"]));
    ms_to_hf(&world);
}

#[test]
fn many_commits_are_made_smaller_when_the_hub_gives_up_on_them() {
    let world = World::new();
    world.seed(r#"{"hub":"ms","kind":"dataset","id":"alice/model","files":[],"generate":{"count":1200,"folders":3,"size":40,"suffix":".txt","seed":1}}"#);
    world.fault(r#"{"route":"hf.commit","kind":{"do":"status","status":504},"count":2}"#);
    let report = done(&run(&world, &["ms:alice/model"]));
    copied(
        &world,
        "dataset",
        ("ms", "alice/model"),
        ("hf", "alice/model"),
    );
    assert!(report["commits"].as_u64().unwrap() >= 5, "{report}");
}
