//! From ModelScope to Hugging Face at its worst: addresses that end under way, answers that are lost, answers made to explode.

use crate::common::faults::IMPATIENT;
use crate::common::{Ran, World};
use serde_json::{Value, json};

const HF_ALICE: (&str, &str) = ("HF_TOKEN", "hf_sandboxAliceWrite");
const SIZE: u64 = 2_000_000;
const EXPIRED: &str =
    "<Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>";
const BACK: [&str; 3] = ["migrate", "ms:alice/model", "--json"];
const THERE: [&str; 3] = ["migrate", "hf:alice/model", "--json"];

/// A world in which one hub has `alice/model`, with one blob; Hugging Face wants that in four parts.
fn world(hub: &str) -> World {
    let world = World::new();
    world.set(json!({"hf_multipart_above": 1_000_000, "hf_part_size": SIZE / 4}));
    let files = json!([{"path": "w.safetensors", "size": SIZE, "seed": 7}, {"path": "README.md", "text": "# W\n"}]);
    world.seed(
        &json!({"hub": hub, "kind": "model", "id": "alice/model", "files": files}).to_string(),
    );
    world
}

fn run(world: &World, args: &[&str]) -> Ran {
    world.run_with(args, &[HF_ALICE, IMPATIENT])
}

/// Both hubs have the same blob.
fn is_whole(world: &World) -> bool {
    let blob = |hub: &str| {
        let files = world
            .stored(hub, "model", "alice/model")
            .unwrap_or_default()["files"]
            .clone();
        let blob = files
            .as_array()
            .into_iter()
            .flatten()
            .find(|file| file["path"] == "w.safetensors")
            .cloned();
        blob.map(|file| file["sha256"].clone())
    };
    blob("hf").is_some() && blob("hf") == blob("ms")
}

#[test]
fn a_parts_address_that_ends_costs_a_new_upload_and_completes_one() {
    let world = world("ms");
    world.strike(
        "hf_storage.put",
        json!({"do": "status", "status": 403, "body": EXPIRED}),
        json!({"skip": 2, "count": 1}),
    );
    run(&world, &BACK).done();
    assert!(is_whole(&world) && world.all_struck());
    assert_eq!(
        (
            world.requests("hf.lfs_complete"),
            world.requests("hf.lfs_batch")
        ),
        // Two uploads, and once where the content stands for the sample.
        (1, 3)
    );
}

#[test]
fn a_completion_whose_answer_is_lost_is_looked_up_and_the_blob_not_sent_again() {
    let world = world("ms");
    world.once("hf.lfs_complete", json!({"do": "lose_answer"}));
    run(&world, &BACK).done();
    assert!(is_whole(&world));
    assert_eq!(
        (
            world.requests("hf_storage.put"),
            world.requests("hf.lfs_complete")
        ),
        (4, 1)
    );
}

#[test]
fn a_completion_that_never_happened_is_asked_again_and_the_blob_not_sent_again() {
    let world = world("ms");
    world.strike(
        "hf.lfs_complete",
        json!({"do": "status", "status": 504}),
        json!({"count": 4}),
    );
    run(&world, &BACK).done();
    assert!(is_whole(&world));
    assert_eq!(
        (
            world.requests("hf_storage.put"),
            world.bytes_in("hf_storage.put"),
            world.requests("hf.lfs_complete")
        ),
        (4, SIZE, 5)
    );
}

// 72
#[test]
fn what_a_gateway_lost_patience_with_is_looked_for_and_not_sent_again() {
    for (hub, args, settings, routes) in [
        ("ms", BACK, json!({}), ["hf.lfs_complete", "hf_storage.put"]),
        (
            "ms",
            BACK,
            json!({"hf_multipart_above": 2 * SIZE}),
            ["hf_storage.put"; 2],
        ),
        ("hf", THERE, json!({}), ["ms_storage.put"; 2]),
    ] {
        let world = world(hub);
        world.set(settings);
        let [lost, put] = routes;
        world.once(lost, json!({"do": "work_later", "ms": 300}));
        run(&world, &args).done();
        assert!(is_whole(&world) && world.all_struck(), "{lost}");
        assert_eq!(world.bytes_in(put), SIZE, "{lost}");
    }
}

/// Answers as deep as no parser likes: they end the run in words, not in a crash, and the same command finishes later.
fn outlives_nested_answers(args: &[&str], hub: &str, routes: &[&str]) {
    for route in routes {
        let world = world(hub);
        world.always(route, json!({"do": "nested", "depth": 200_000}));
        let ran = run(&world, args);
        assert!(
            (1..=4).contains(&ran.code),
            "{route}: {} {}{}",
            ran.code,
            ran.stdout,
            ran.stderr
        );
        assert!(world.all_struck() && !is_whole(&world), "{route}");
        world.clear_faults();
        run(&world, args).done();
        assert!(is_whole(&world), "{route}");
    }
}

#[test]
fn the_hours_commit_quota_is_said_and_waited_for_where_that_is_allowed() {
    let world = world("ms");
    world.set(json!({"hf_commit_quota": 0}));
    let ran = world.run_with(&["migrate", "ms:alice/model"], &[HF_ALICE, IMPATIENT]);
    ran.ended(1, "rate limit for repository commits (0 per hour). You can retry this action in about 1 hour. (429)");
    ran.ended(1, "set HF2MS_LONGEST_WAIT=4000");
    assert_eq!(world.requests("hf.commit"), 1, "not asked again");
    world.set(json!({"hf_commit_quota": 1, "hf_commit_window_s": 1}));
    run(
        &world,
        &[
            "migrate",
            "ms:alice/model",
            "--dest",
            "alice/other",
            "--json",
        ],
    )
    .done();
    let ran = run(&world, &BACK);
    let retries = ran.done()["retries"].as_u64().unwrap();
    assert!(is_whole(&world) && retries <= 1, "{retries}");
}

#[test]
fn storage_that_lost_patience_is_sent_the_part_again_and_a_refusal_keeps_its_words() {
    let said = |code: &str, message: &str| {
        format!("<Error><Code>{code}</Code><Message>{message}</Message></Error>")
    };
    let world = world("ms");
    let stalled = said(
        "RequestTimeout",
        "Your socket connection to the server was not read from or written to within the timeout period.",
    );
    world.once(
        "hf_storage.put",
        json!({"do": "status", "status": 400, "body": stalled}),
    );
    run(&world, &BACK).done();
    assert!(
        is_whole(&world) && world.requests("hf_storage.put") == 5,
        "one of four parts is sent twice"
    );
    world.always(
        "hf_storage.put",
        json!({"do": "status", "status": 403, "body": said("AccessDenied", "no \u{1b}[2J")}),
    );
    let seed = json!({"hub": "ms", "kind": "model", "id": "alice/model", "files": [{"path": "x.safetensors", "size": SIZE, "seed": 8}]});
    world.seed(&seed.to_string());
    run(&world, &BACK).failed(1, &["x.safetensors"], "AccessDenied: no \\u{1b}[2J (403)");
    assert_eq!(world.requests("hf.lfs_complete"), 1, "the one before");
}

#[test]
fn whose_token_it_is_is_asked_once_and_a_limit_on_that_stops_nothing() {
    let world = world("ms");
    world.set(json!({"hf_whoami_quota": 1}));
    run(&world, &BACK).done();
    assert_eq!(world.requests("hf.whoami"), 1);
    run(
        &world,
        &[
            "migrate",
            "ms:alice/model",
            "--dest",
            "alice/other",
            "--json",
        ],
    )
    .done();
    assert_eq!(world.requests("hf.whoami"), 2, "429 is not waited for");
    let two = json!({"hub": "ms", "kind": "model", "id": "alice/two", "files": [{"path": "a.txt", "text": "a"}]});
    world.seed(&two.to_string());
    world.set(json!({"hf_whoami_quota": 1}));
    let ran = run(
        &world,
        &["batch", "ms:alice/model", "ms:alice/two", "--json"],
    );
    assert_eq!(
        (ran.code, world.requests("hf.whoami")),
        (0, 3),
        "{}{}",
        ran.stdout,
        ran.stderr
    );
}

#[test]
fn answers_made_to_explode_end_in_words_on_the_way_back() {
    let routes = [
        "ms.info",
        "ms.files",
        "hf.whoami",
        "hf.create",
        "hf.lfs_batch",
        "hf.preupload",
        "hf.commit",
    ];
    outlives_nested_answers(&BACK, "ms", &routes);
}

#[test]
fn answers_made_to_explode_end_in_words_on_the_way_there() {
    outlives_nested_answers(
        &THERE,
        "hf",
        &[
            "hf.info",
            "hf.tree",
            "hf.lfs_batch",
            "ms.me",
            "ms.create",
            "ms.batch",
            "ms.commit",
        ],
    );
}

#[test]
fn links_and_modules_that_git_shows_of_modelscope_are_reported_and_never_followed() {
    let world = world("ms");
    let files: Value = json!([
        {"path": "link.txt", "mode": "symlink", "text": "/etc/passwd"}, {"path": "sub", "mode": "submodule", "text": ""},
        {"path": ".lfsconfig", "text": "[lfs]\n\turl = http://127.0.0.1:9/lfs\n"},
    ]);
    world.seed(
        &json!({"hub": "ms", "kind": "model", "id": "alice/model", "files": files}).to_string(),
    );
    let ran = run(&world, &[&BACK[..], &["--use-git"]].concat());
    let report = ran.event("report");
    let refused: Vec<_> = report["refused"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| entry["path"].as_str().unwrap())
        .collect();
    assert_eq!(
        (ran.code, refused),
        (1, vec!["link.txt", "sub"]),
        "{report}"
    );
    assert!(is_whole(&world) && !report.to_string().contains("127.0.0.1:9"));
}

#[test]
fn a_part_of_a_small_file_may_come_under_200_with_its_range() {
    let world = World::new();
    let text = "0123456789abcdefghij";
    let files = json!([{"path": "notes.txt", "text": text}]);
    world.seed(
        &json!({"hub": "ms", "kind": "model", "id": "alice/model", "files": files}).to_string(),
    );
    let rest = json!({"do": "status", "status": 200, "headers": {"content-range": "bytes 5-19/20"}, "body": &text[5..]});
    world.strike(
        "ms.download",
        json!({"do": "truncate", "after": 5}),
        json!({"path": "notes.txt", "count": 1}),
    );
    world.strike(
        "ms.download",
        rest,
        json!({"path": "notes.txt", "skip": 1, "count": 1}),
    );
    run(&world, &BACK).done();
    assert!(
        world.all_struck() && world.requests("ms.download") == 2,
        "the part was taken for what it is"
    );
    let copied = world
        .stored("hf", "model", "alice/model")
        .unwrap_or_default();
    let original = world
        .stored("ms", "model", "alice/model")
        .unwrap_or_default();
    let notes = |repo: &Value| {
        repo["files"]
            .as_array()
            .unwrap()
            .iter()
            .find(|file| file["path"] == "notes.txt")
            .unwrap()["sha256"]
            .clone()
    };
    assert_eq!(notes(&copied), notes(&original));
}
