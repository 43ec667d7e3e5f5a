//! Bytes that a hub says it has: the blob check before the commit, and what is read afterwards.

use super::*;

/// A blob of two files, of which the larger has a middle that no sample reads.
fn two_blobs() -> World {
    let world = World::new();
    let files = json!([
        {"path": "bad.safetensors", "size": 400_000, "seed": 3},
        {"path": "good.safetensors", "size": 100_000, "seed": 77}, {"path": "good.txt", "text": "good"}]);
    seed(&world, "model", &files);
    world
}

/// An answer of ModelScope that is good and holds this.
fn good(data: &Value) -> Value {
    let body = json!({"Code": 200, "Data": data, "Message": "", "Success": true});
    json!({"do": "status", "status": 200, "body": body})
}

/// Storage that answers well to an upload and keeps nothing of it.
fn keeps_nothing(world: &World, path: &str) {
    let rule =
        json!({"route": "ms_storage.put", "path": digest(world, path), "kind": good(&json!({}))});
    fault(world, &rule);
}

/// ModelScope's blob check takes everything for stored, from the `skip`th on.
fn says_that_all_is_stored(world: &World, skip: u64) {
    let answer = good(&json!({"objects": [], "reused-objects": []}));
    fault(
        world,
        &json!({"route": "ms.batch", "kind": answer, "skip": skip}),
    );
}

// 65
#[test]
fn storage_that_keeps_nothing_is_noticed_before_the_commit() {
    let world = two_blobs();
    keeps_nothing(&world, "bad.safetensors");
    let ran = migrate(&world);
    let report = fails_for(&world, &ran, 1, &["bad.safetensors"]);
    assert!(
        report["failed"][0]["error"]
            .as_str()
            .unwrap()
            .contains("does not have it"),
        "{report}"
    );
    others_arrived(&world, &["bad.safetensors"]);
}

// 65
#[test]
fn a_blob_check_that_is_answered_by_nothing_is_no_success() {
    let world = two_blobs();
    fault(
        &world,
        &json!({"route": "ms.batch", "kind": good(&Value::Null)}),
    );
    let ran = migrate(&world);
    let report = fails_for(&world, &ran, 1, &["bad.safetensors", "good.safetensors"]);
    let error = report["failed"][0]["error"].as_str().unwrap();
    assert!(error.contains("answered by nothing, twice"), "{report}");
    assert!(!holds(&world, "ms", "model").contains_key("bad.safetensors"));
}

// 65
#[test]
fn bytes_that_are_not_there_after_the_commit_are_no_success() {
    let world = two_blobs();
    keeps_nothing(&world, "bad.safetensors");
    // Once it is asked what it wants, and then it takes everything for stored.
    says_that_all_is_stored(&world, 1);
    let ran = migrate(&world);
    let report = ran.event("report");
    assert_eq!(ran.code, 1, "{report}");
    let unread = &report["verification"]["unread"];
    assert_eq!(unread[0]["path"], "bad.safetensors", "{report}");
    assert_eq!(unread.as_array().unwrap().len(), 1, "{report}");
    assert!(
        unread[0]["reason"]
            .as_str()
            .unwrap()
            .contains("the next copy sends what the hub lacks"),
        "{report}"
    );
    let listing = [
        "migrate",
        "alice/model",
        "--dest",
        "alice/blind",
        "--verify",
        "listing",
    ];
    let ran = world.run_with(&listing, &[("HF2MS_RETRY_BASE", "0.01")]);
    assert!(
        ran.code == 0 && ran.stdout.contains("done and verified (listing)"),
        "{}",
        ran.stdout
    );
    assert!(
        ran.stdout
            .contains("3 files: by the destination's listing alone"),
        "{}",
        ran.stdout
    );
}

/// A copy whose blob is lost once all is committed, and nothing goes wrong afterwards.
fn lost_after_the_commit() -> World {
    let world = two_blobs();
    keeps_nothing(&world, "bad.safetensors");
    says_that_all_is_stored(&world, 1);
    assert_eq!(migrate(&world).code, 1);
    world.admin("DELETE", "/faults", "");
    world
}

// 65
#[test]
fn the_same_command_sends_again_what_was_lost_after_the_commit() {
    let world = lost_after_the_commit();
    let commits = world.requests("ms.commit");
    let ran = migrate(&world);
    let report = ran.event("report");
    assert_eq!((ran.code, &report["files"]), (0, &json!(3)), "{report}");
    assert_eq!(report["verified"], "sampled", "{report}");
    assert_eq!(world.requests("ms.commit"), commits, "its pointer is there");
    is_copied(&world, "model");
    // All is verified now, so that nobody is asked again.
    let asked = world.requests("ms.batch");
    assert_eq!(migrate(&world).code, 0);
    assert_eq!(world.requests("ms.batch"), asked);
}

// 65
#[test]
fn another_machine_which_knows_of_no_run_sends_it_too() {
    let world = lost_after_the_commit();
    let elsewhere = world.path("elsewhere");
    let state = ("HF2MS_STATE", elsewhere.to_str().unwrap());
    let ran = world.run_with(&["migrate", "alice/model"], &[state]);
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    is_copied(&world, "model");
}

// 65
#[test]
fn content_that_the_hub_says_it_has_and_does_not_give_stays_no_success() {
    let world = two_blobs();
    let gone = json!({"route": "ms_storage.get", "path": digest(&world, "bad.safetensors"),
        "kind": {"do": "status", "status": 404}});
    fault(&world, &gone);
    for _ in 0..2 {
        let ran = migrate(&world);
        let report = ran.event("report");
        let unread = &report["verification"]["unread"];
        assert_eq!(
            (ran.code, &unread[0]["path"]),
            (1, &json!("bad.safetensors")),
            "{report}"
        );
    }
    world.admin("DELETE", "/faults", "");
    assert_eq!(migrate(&world).code, 0);
}

#[test]
fn the_report_says_how_much_was_read() {
    let world = two_blobs();
    let ran = migrate(&world);
    let report = ran.event("report");
    assert_eq!(
        (ran.code, &report["verified"]),
        (0, &json!("sampled")),
        "{report}"
    );
    let contents = &report["verification"]["contents"];
    assert_eq!(
        (&contents["files"], &contents["of"]),
        (&json!(2), &json!(2))
    );
    let ran = world.run(&["migrate", "alice/model"]);
    assert!(
        ran.code == 0 && ran.stdout.contains("done and verified (sampled)"),
        "{}",
        ran.stdout
    );
    seed(
        &world,
        "model",
        &json!([{"path": "new.txt", "text": "new"}]),
    );
    let ran = world.run(&["migrate", "alice/model"]);
    assert!(
        ran.stdout.contains("done and verified (listing)"),
        "no blob was sent: {}",
        ran.stdout
    );
}

#[test]
fn deep_reads_every_byte_and_finds_one_that_is_wrong() {
    let world = two_blobs();
    let path = digest(&world, "bad.safetensors");
    let corrupt =
        json!({"route": "ms_storage.get", "path": path, "kind": {"do": "corrupt", "at": 200_000}});
    fault(&world, &corrupt);
    assert_eq!(migrate(&world).code, 0, "the sample does not read it");
    assert_eq!(world.run(&["verify", "alice/model", "--sample"]).code, 0);
    let ran = world.run(&["verify", "alice/model", "--deep", "--json"]);
    let found = &ran.event("verified")["verification"];
    assert_eq!(
        (ran.code, &found["different"]),
        (4, &json!(["bad.safetensors"])),
        "{found}"
    );
    let deep = ["migrate", "alice/model", "--verify", "deep"];
    assert_eq!(world.run(&deep).code, 4, "though there is nothing to send");
    world.admin("DELETE", "/faults", "");
    let ran = world.run(&deep);
    assert!(
        ran.code == 0 && ran.stdout.contains("done and verified (every byte)"),
        "{}",
        ran.stdout
    );
}
