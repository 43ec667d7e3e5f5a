//! Both transports to Hugging Face, measured on the first blobs of a chunk where nobody asked for one.

use super::*;

/// A world whose ModelScope has `count` blobs of `size` bytes in `alice/model`.
fn with_blobs(count: u64, size: u64) -> Option<World> {
    let world = World::new();
    let blobs =
        json!({"count": count, "size": size, "prefix": "blob-", "suffix": ".bin", "lfs": true});
    seed(&world, &json!({"generate": blobs}));
    with_xet(world)
}

fn seed(world: &World, more: &Value) {
    let mut seed = json!({"hub": "ms", "kind": "model", "id": "alice/model"});
    let more = more.as_object().unwrap().clone();
    seed.as_object_mut().unwrap().extend(more);
    world.seed(&seed.to_string());
}

/// Copies `alice/model` to Hugging Face by a plan that measures from 1 MiB on.
fn measured(world: &World, env: &[(&str, &str)]) -> Ran {
    let env = [&[HF_ALICE, IMPATIENT], env].concat();
    let planned = ["plan", "ms:alice/model", "--out", "plan.json"];
    let usual = ["--verify", "listing", "--streams", "8"];
    let planned = [&planned[..], &usual].concat();
    let ran = world.run_with(&planned, &env);
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    let path = world.path("plan.json");
    let mut plan: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    plan["options"]["measured_above"] = "1MiB".into();
    std::fs::write(&path, plan.to_string()).unwrap();
    let ran = world.run_with(&["migrate", "--plan", "plan.json", "--json"], &env);
    ran.done();
    let arrived = blobs(world, "hf");
    assert!(!arrived.is_empty() && arrived == blobs(world, "ms"));
    ran
}

/// The digests of what a hub really holds in blobs.
fn blobs(world: &World, hub: &str) -> Vec<String> {
    let repo = world.stored(hub, "model", "alice/model").unwrap();
    let files = repo["files"].as_array().unwrap().iter();
    files
        .filter(|file| file["path"].as_str().unwrap().starts_with("blob-"))
        .map(|file| file["sha256"].to_string())
        .collect()
}

/// The transports that the worker turned to, and why.
fn told(ran: &Ran) -> Vec<[String; 2]> {
    let events = ran.events().into_iter();
    let changes = events.filter(|event| event["event"] == "transport");
    let of =
        |event: Value| ["transport", "reason"].map(|key| event[key].as_str().unwrap().to_owned());
    changes.map(of).collect()
}

/// So many bytes a second of each upload: by HTTP, and of each xorb.
fn slow(world: &World, http: u64, xet: u64) {
    world.always(
        "hf_storage.put",
        json!({"do": "slow", "bytes_per_second": http}),
    );
    world.always(
        "hf_cas.xorb",
        json!({"do": "slow", "bytes_per_second": xet}),
    );
}

#[test]
fn where_http_crawls_the_rest_goes_by_xet_and_a_large_upload_begins_again() {
    let Some(world) = with_blobs(60, 1_000_000) else {
        return;
    };
    let large = json!({"path": "blob-large.bin", "size": 20_000_000, "seed": 99});
    seed(&world, &json!({"files": [large]}));
    slow(&world, 250_000, 1_500_000);
    let ran = measured(&world, &[]);
    assert_eq!(told(&ran), [["xet", "faster"]]);
    let by_http = world.requests("hf_storage.put");
    assert!((1..30).contains(&by_http), "{by_http}");
    // An upload that has just begun may begin again as well.
    let begun_again = "by HTTP, going on by Xet: the rest would take longer";
    let retries = retries(&ran);
    let is_said = |error: &String| error == begun_again;
    assert!(
        !retries.is_empty() && retries.iter().all(is_said),
        "{retries:?}"
    );
}

#[test]
fn where_xet_crawls_the_rest_goes_by_http() {
    let Some(world) = with_blobs(50, 1_000_000) else {
        return;
    };
    slow(&world, 600_000, 200_000);
    let ran = measured(&world, &[]);
    assert_eq!(told(&ran), [["http", "faster"]]);
    assert!(world.requests("hf_storage.put") >= 30);
}

#[test]
fn a_stall_by_http_turns_to_xet_at_once() {
    // More than the system takes into its buffers.
    let Some(world) = with_blobs(4, 12_000_000) else {
        return;
    };
    world.once("hf_storage.put", json!({"do": "stall", "after": 100_000}));
    let ran = measured(&world, &[STALL]);
    assert_eq!(told(&ran), [["xet", "stall"]]);
    assert!(world.all_struck());
}

#[test]
fn a_hub_that_gives_no_token_for_xet_gets_all_by_http() {
    let Some(world) = with_blobs(20, 300_000) else {
        return;
    };
    world.always("hf.xet_write_token", json!({"do": "status", "status": 404}));
    let ran = measured(&world, &[]);
    assert!(told(&ran).is_empty() && retries(&ran).is_empty());
    assert_eq!(world.requests("hf_storage.put"), 20);
}

#[test]
fn what_xet_fails_with_goes_by_http() {
    let Some(world) = with_blobs(20, 300_000) else {
        return;
    };
    world.always("hf_cas.xorb", json!({"do": "status", "status": 403}));
    let ran = measured(&world, &[]);
    assert_eq!(told(&ran), [["http", "failure"]]);
    let retries = retries(&ran);
    let is_said = |error: &String| error.starts_with("by Xet, going on by HTTP");
    assert!(retries.iter().all(is_said), "{retries:?}");
    assert_eq!(world.requests("hf_storage.put"), 20);
}
