//! Requests that don't depend on each other are under way together: far from the hubs a copy of little content takes as long as its
//! longest chain of requests.

use super::*;

const HF_ALICE: (&str, &str) = ("HF_TOKEN", "hf_sandboxAliceWrite");

/// A private repo with a blob and a small file, which only its hub has.
fn world(hub: &str) -> World {
    let world = World::new();
    let files = json!([{"path": "w.safetensors", "size": 1000, "seed": 7}, {"path": "README.md", "text": "# W\n"}]);
    let repo =
        json!({"hub": hub, "kind": "model", "id": "alice/model", "private": true, "files": files});
    world.seed(&repo.to_string());
    world
}

/// Each answer of this route comes after others that were asked for at the same time.
fn hold_back(world: &World, route: &str) {
    world.always(route, json!({"do": "delay", "ms": 400}));
}

/// What was answered, in the order of the answers: the paths of requests.
fn answered(world: &World) -> Vec<String> {
    let requests = world.admin("GET", "/requests", "").unwrap();
    let path = |request: &Value| request["path"].as_str().unwrap().to_owned();
    requests.as_array().unwrap().iter().map(path).collect()
}

/// Where the answers to paths with this end stand among all.
fn places(answered: &[String], end: &str) -> Vec<usize> {
    let ends = |path: &String| path.split('?').next().unwrap().ends_with(end);
    let all = answered.iter().enumerate();
    all.filter(|(_, path)| ends(path))
        .map(|(at, _)| at)
        .collect()
}

#[test]
fn what_does_not_depend_on_an_answer_is_asked_before_it_comes() {
    let world = world("hf");
    hold_back(&world, "hf.info");
    hold_back(&world, "ms.info");
    let ran = world.run_with(&["migrate", "alice/model", "--json"], &[HF_ALICE]);
    ran.done();
    let answered = answered(&world);
    let first = |end| places(&answered, end)[0];
    let [_, created, permitted] = places(&answered, "/api/v1/models/alice/model")[..] else {
        panic!("{answered:?}");
    };
    assert!(first("/users/me") < first("/revision/main"), "{answered:?}");
    assert!(first("/repo/files") < created, "{answered:?}");
    assert!(first("/README.md") < permitted, "{answered:?}");
    assert!(permitted < first("/commit/master"), "{answered:?}");
}

#[test]
fn the_right_to_write_and_the_stored_blobs_are_asked_about_together_and_the_branch_once_a_look() {
    let world = world("ms");
    let there = json!([{"path": "old.txt", "text": "old"}]);
    let repo =
        json!({"hub": "hf", "kind": "model", "id": "alice/model", "private": true, "files": there});
    world.seed(&repo.to_string());
    hold_back(&world, "hf.lfs_batch");
    let args = ["migrate", "ms:alice/model", "--json", "--verify", "listing"];
    let ran = world.run_with(&args, &[HF_ALICE]);
    ran.done();
    let counters = world.admin("GET", "/counters", "").unwrap();
    let batch = &counters["hf.lfs_batch"];
    assert_eq!(
        (&batch["max_concurrent"], &batch["requests"]),
        (&json!(2), &json!(3)),
        "{counters}"
    );
    // Before the copy, after the commit, and at the end.
    assert_eq!(world.requests("hf.refs"), 3);
}
