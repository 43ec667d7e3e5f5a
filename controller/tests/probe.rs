//! `hf2ms probe` on the sandbox: every assumption holds there, and each differs once the sandbox does something else.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use std::collections::BTreeMap;

use common::processes::until;
use common::{ALICE, Ran, World};
use serde_json::{Value, json};

const HF_WRITE: &str = "hf_sandboxAliceWrite";
const HF_READ: &str = "hf_sandboxAliceRead";
/// Both tokens of the one who may write.
const BOTH: &[(&str, &str)] = &[("HF_TOKEN", HF_WRITE)];

/// A world without the limits that so many probes of one account would meet.
fn world() -> World {
    let world = World::new();
    world
        .admin(
            "POST",
            "/settings",
            r#"{"hf_whoami_quota":null,"hf_commit_quota":null}"#,
        )
        .unwrap();
    world
}

fn probe(world: &World, more: &[&str], environment: &[(&str, &str)]) -> Ran {
    world.run_with(
        &[&["probe", "--yes", "--json", "--pause", "0"], more].concat(),
        environment,
    )
}

/// The verdict and what was seen, by name.
fn rows(ran: &Ran) -> BTreeMap<String, (String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let events = ran
        .events()
        .into_iter()
        .filter(|event| event["event"] == "probe");
    events
        .map(|row| {
            (
                text(&row["id"]),
                (text(&row["verdict"]), text(&row["seen"])),
            )
        })
        .collect()
}

fn hf_repos(world: &World) -> Value {
    world.admin("GET", "/repos?hub=hf", "").unwrap()
}

#[test]
fn every_assumption_holds_on_the_sandbox_within_the_limits_and_nothing_is_left_but_what_is_named() {
    let world = world();
    let before = hf_repos(&world);
    let ran = probe(&world, &[], BOTH);
    let rows = rows(&ran);
    let others: Vec<_> = rows
        .iter()
        .filter(|(_, (verdict, _))| verdict != "holds")
        .collect();
    let allowed = |id: &str| ["ms-pages", "hf-xet-token"].contains(&id);
    assert!(
        others
            .iter()
            .all(|(id, (verdict, _))| allowed(id) && verdict == "not_tried"),
        "{others:#?}"
    );
    let end = ran.event("probed");
    assert!(
        end["requests"].as_u64().unwrap() <= 200 && end["bytes"].as_u64().unwrap() < 100_000_000,
        "{end}"
    );
    assert_eq!((ran.code, hf_repos(&world)), (0, before), "{}", ran.stderr);
    let left = end["left"].as_array().unwrap();
    assert!(
        left.len() == 1
            && left[0]
                .as_str()
                .unwrap()
                .contains("/models/alice/hf2ms-probe-"),
        "{end}"
    );

    let report = std::fs::read_to_string(world.path("hf2ms-probe-report.md")).unwrap();
    for name in ["alice", "hf2ms-probe-", HF_WRITE, ALICE] {
        assert!(!report.contains(name), "{name} in {report}");
    }
    let [unproven, probing] = [
        include_str!("../../docs/unproven.md"),
        include_str!("../../docs/probing.md"),
    ];
    for id in rows.keys() {
        assert!(report.contains(&format!("`{id}`")), "{id} in {report}");
        assert!(
            unproven.contains(id.as_str()) && probing.contains(&format!("`{id}`")),
            "{id} is not in the docs"
        );
    }
}

/// An assumption, and what makes it differ: settings, or a fault on a route after so many requests that pass.
enum Slot {
    Setting(Value),
    Fault(&'static str, u64, Value),
}

fn setting(text: &str) -> Slot {
    Slot::Setting(serde_json::from_str(text).unwrap())
}

/// Another answer from the `skip`th request on.
fn answers(route: &'static str, skip: u64, status: u16, body: Value) -> Slot {
    Slot::Fault(
        route,
        skip,
        json!({"do": "status", "status": status, "body": body, "headers": {}}),
    )
}

fn other(route: &'static str, skip: u64, kind: Value) -> Slot {
    Slot::Fault(route, skip, kind)
}

fn good(data: Value) -> Value {
    json!({"Code": 200, "Success": true, "Data": data})
}

/// Turns each, and sees it differ.
fn differ(slots: Vec<(&str, Slot)>, hub: &str, kind: &str) {
    let world = world();
    let usual = world.admin("GET", "/settings", "").unwrap();
    for (id, turn) in slots {
        match &turn {
            Slot::Setting(changes) => drop(
                world
                    .admin("POST", "/settings", &changes.to_string())
                    .expect(id),
            ),
            Slot::Fault(route, skip, kind) => {
                let rule = json!({"route": route, "skip": skip, "kind": kind});
                world.admin("POST", "/faults", &rule.to_string()).expect(id);
            }
        }
        let ran = probe(
            &world,
            &["--hub", hub, "--repo-type", kind, "--only", id],
            BOTH,
        );
        let rows = rows(&ran);
        assert_eq!(
            rows.get(id).map(|(verdict, _)| verdict.as_str()),
            Some("differs"),
            "{id}: {rows:?} {}",
            ran.stderr
        );
        assert_eq!((rows.len(), ran.code), (1, 1), "{id}");
        world
            .admin("POST", "/settings", &usual.to_string())
            .unwrap();
        world.admin("DELETE", "/faults", "").unwrap();
    }
}

#[test]
fn each_assumption_about_hugging_face_differs_once_it_does_something_else() {
    let slots = vec![
        (
            "hf-whoami",
            answers("hf.whoami", 0, 200, json!({"name": "alice"})),
        ),
        ("hf-create", answers("hf.create", 0, 202, json!({}))),
        ("hf-visible", answers("hf.info", 0, 404, json!({}))),
        ("hf-create-again", answers("hf.create", 1, 200, json!({}))),
        ("hf-first-files", answers("hf.tree", 0, 200, json!([]))),
        ("hf-stranger", answers("hf.info", 1, 404, json!({}))),
        ("hf-absent-repo", answers("hf.info", 1, 401, json!({}))),
        ("hf-wrong-token", answers("hf.info", 1, 200, json!({}))),
        (
            "hf-rate-limit",
            setting(r#"{"hf_rate_limit_headers":false}"#),
        ),
        (
            "hf-siblings",
            answers("hf.info", 1, 200, json!({"sha": "x", "siblings": []})),
        ),
        (
            "hf-card-refused",
            answers("hf.validate_yaml", 0, 200, json!({})),
        ),
        (
            "hf-card-other",
            answers("hf.validate_yaml", 0, 400, json!({})),
        ),
        ("hf-tree", answers("hf.tree", 1, 200, json!([]))),
        (
            "hf-tree-pages",
            other(
                "hf.tree",
                1,
                json!({"do": "next", "url": "http://127.0.0.1:1/"}),
            ),
        ),
        ("hf-tree-limit", answers("hf.tree", 1, 200, json!([]))),
        ("hf-paths-info", answers("hf.paths_info", 0, 404, json!({}))),
        ("hf-absent-file", answers("hf.resolve", 0, 404, json!({}))),
        ("hf-absent-revision", answers("hf.info", 1, 404, json!({}))),
        (
            "hf-read-by-commit",
            answers("hf.resolve", 0, 404, json!({})),
        ),
        (
            "hf-small-file",
            answers("hf.resolve", 0, 200, json!("other")),
        ),
        (
            "hf-small-range",
            other("hf.*", 0, json!({"do": "ignore_range"})),
        ),
        (
            "hf-large-file",
            answers("hf.resolve", 0, 200, json!("content")),
        ),
        (
            "hf-storage-range",
            other("hf_storage.get", 0, json!({"do": "ignore_range"})),
        ),
        (
            "hf-lfs-download",
            answers("hf.lfs_batch", 1, 404, json!({})),
        ),
        ("hf-lfs-upload", answers("hf.lfs_batch", 0, 500, json!({}))),
        ("hf-lfs-put", answers("hf_storage.put", 0, 500, json!({}))),
        ("hf-lfs-verify", answers("hf.lfs_verify", 0, 404, json!({}))),
        ("hf-lfs-life", setting(r#"{"url_ttl_s":60}"#)),
        ("hf-lfs-stored", answers("hf.lfs_batch", 1, 500, json!({}))),
        (
            "hf-lfs-broken",
            answers("hf.lfs_batch", 2, 200, json!({"objects": []})),
        ),
        (
            "hf-lfs-parts",
            setting(r#"{"hf_multipart_above":1099511627776}"#),
        ),
        (
            "hf-git-lfs",
            setting(r#"{"hf_multipart_above":1099511627776}"#),
        ),
        (
            "hf-xet-token",
            answers("hf.xet_write_token", 0, 200, json!({})),
        ),
        ("hf-commit-id", answers("hf.commit", 0, 200, json!({}))),
        (
            "hf-preupload",
            answers("hf.preupload", 0, 200, json!({"files": []})),
        ),
        (
            "hf-lfs-suffixes",
            answers("hf.preupload", 0, 200, json!({"files": []})),
        ),
        ("hf-commit-parent", answers("hf.commit", 1, 200, json!({}))),
        (
            "hf-commit-absent-blob",
            answers("hf.commit", 1, 200, json!({})),
        ),
        (
            "hf-commit-unnamed-lfs",
            answers("hf.commit", 1, 400, json!({})),
        ),
        (
            "hf-commit-binary",
            setting(r#"{"hf_refuses_binary":false}"#),
        ),
        ("hf-commit-1000", answers("hf.commit", 1, 504, json!({}))),
        ("hf-commit-delete", answers("hf.commit", 2, 500, json!({}))),
        (
            "hf-commit-back-to-back",
            answers("hf.commit", 2, 409, json!({})),
        ),
        ("hf-branch", answers("hf.branch", 0, 500, json!({}))),
        ("hf-empty-list", answers("hf.tree", 1, 404, json!({}))),
        ("hf-branch-delete", answers("hf.branch", 1, 404, json!({}))),
        ("hf-tag", answers("hf.tag", 0, 409, json!({}))),
        ("hf-refs", answers("hf.refs", 0, 200, json!({}))),
        ("hf-git", answers("hf.git_refs", 0, 403, json!({}))),
        (
            "hf-git-commit",
            answers("hf.git_upload_pack", 0, 403, json!({})),
        ),
        ("hf-git-write", setting(r#"{"hf_git_write":false}"#)),
        ("hf-delete", answers("hf.delete", 0, 403, json!({}))),
    ];
    differ(slots, "hf", "model");
}

#[test]
fn each_assumption_about_modelscope_differs_once_it_does_something_else() {
    let none =
        json!({"objects": [{"oid": "x", "actions": {"upload": {"href": "x", "offset": 131_072}}}]});
    let slots = vec![
        ("ms-me", answers("ms.me", 0, 200, json!({}))),
        (
            "ms-create",
            answers("ms.create", 0, 200, json!({"Code": 500, "Success": false})),
        ),
        ("ms-visible", answers("ms.info", 0, 404, json!({}))),
        (
            "ms-create-again",
            answers("ms.create", 1, 200, good(json!({}))),
        ),
        (
            "ms-first-files",
            answers("ms.files", 0, 200, good(json!({"Files": []}))),
        ),
        ("ms-stranger", answers("ms.info", 1, 403, json!({}))),
        ("ms-absent-repo", answers("ms.info", 1, 404, json!({}))),
        ("ms-wrong-token", answers("ms.me", 1, 200, json!({}))),
        ("ms-listing", setting(r#"{"ms_sha256":false}"#)),
        ("ms-listing-commit", setting(r#"{"ms_commit_id":true}"#)),
        ("ms-commits", setting(r#"{"ms_commits":"none"}"#)),
        ("ms-commits-absent", setting(r#"{"ms_commits":"none"}"#)),
        (
            "ms-absent-revision",
            answers("ms.files", 1, 200, good(json!({"Files": []}))),
        ),
        ("ms-list-by-commit", answers("ms.files", 1, 404, json!({}))),
        (
            "ms-read-by-commit",
            answers("ms.download", 0, 404, json!({})),
        ),
        (
            "ms-small-file",
            other("ms.download", 0, json!({"do": "corrupt", "at": 0})),
        ),
        ("ms-small-range", setting(r#"{"ms_range_206":true}"#)),
        ("ms-absent-file", answers("ms.download", 0, 404, json!({}))),
        (
            "ms-large-file",
            answers("ms.download", 0, 200, json!("content")),
        ),
        (
            "ms-storage-range",
            other("ms_storage.get", 0, json!({"do": "ignore_range"})),
        ),
        ("ms-blob-check", answers("ms.batch", 0, 500, json!({}))),
        ("ms-blob-put", setting(r#"{"ms_uploads_at_hub":false}"#)),
        ("ms-blob-token", setting(r#"{"ms_uploads_at_hub":false}"#)),
        ("ms-blob-stored", answers("ms.batch", 1, 500, json!({}))),
        ("ms-blob-size", setting(r#"{"ms_check_by_size":false}"#)),
        ("ms-blob-broken", answers("ms.batch", 2, 200, good(none))),
        (
            "ms-commit-id",
            answers("ms.commit", 0, 200, good(json!({}))),
        ),
        ("ms-commit-pace", answers("ms.commit", 2, 500, json!({}))),
        ("ms-commit-300", answers("ms.commit", 1, 413, json!({}))),
        (
            "ms-commit-2001",
            answers("ms.commit", 1, 200, good(json!({}))),
        ),
        ("ms-commit-8mib", answers("ms.commit", 1, 413, json!({}))),
        ("ms-commit-delete", answers("ms.commit", 2, 500, json!({}))),
        ("ms-commit-delete-absent", setting(r#"{"ms_policy":false}"#)),
        ("ms-commit-git-path", setting(r#"{"ms_policy":false}"#)),
        (
            "ms-commit-absent-blob",
            setting(r#"{"ms_checks_blobs":true}"#),
        ),
        ("ms-git-agent", setting(r#"{"ms_git_agent":false}"#)),
        ("ms-git", answers("ms.git_refs", 0, 403, json!({}))),
        (
            "ms-git-commit",
            answers("ms.git_upload_pack", 0, 403, json!({})),
        ),
        ("ms-git-lfs", answers("ms.git_lfs", 0, 404, json!({}))),
        ("ms-git-write", answers("ms.git_push", 0, 403, json!({}))),
        ("ms-git-branch", answers("ms.git_push", 0, 403, json!({}))),
        (
            "ms-git-branch-delete",
            answers("ms.git_push", 1, 403, json!({})),
        ),
        ("ms-tag", answers("ms.tag", 0, 400, json!({}))),
        ("ms-revisions", answers("ms.revisions", 0, 200, json!({}))),
        (
            "ms-commit-no-branch",
            answers("ms.commit", 1, 200, good(json!({}))),
        ),
        (
            "ms-commit-tag",
            answers("ms.commit", 1, 200, good(json!({}))),
        ),
        ("ms-delete", answers("ms.delete", 0, 200, good(json!({})))),
    ];
    differ(slots, "ms", "model");
    differ(
        vec![(
            "ms-pages",
            answers("ms.files", 1, 200, good(json!({"Files": []}))),
        )],
        "ms",
        "dataset",
    );
}

#[test]
fn a_token_that_may_only_read_a_hub_that_asks_to_wait_and_a_full_account_end_it_politely() {
    let world = world();
    let before = hf_repos(&world);
    let ran = probe(&world, &["--hub", "hf"], &[("HF_TOKEN", HF_READ)]);
    let told = rows(&ran);
    assert_eq!(
        (told["hf-whoami"].0.as_str(), told["hf-create"].0.as_str()),
        ("holds", "not_tried")
    );
    assert!(
        told["hf-branch"]
            .1
            .starts_with("HF_TOKEN may not make a repo (403"),
        "{told:?}"
    );
    assert!(
        ran.code == 0 && world.requests("hf.create") == 1 && hf_repos(&world) == before,
        "{}",
        ran.stdout
    );

    world
        .admin("POST", "/settings", r#"{"hf_api_quota":12}"#)
        .unwrap();
    let ran = probe(&world, &["--hub", "hf"], BOTH);
    let told = rows(&ran);
    assert!(
        told["hf-git"]
            .1
            .starts_with("Hugging Face asks to wait (429"),
        "{told:?}"
    );
    assert_eq!(told["hf-git"].0, "not_tried");
    let left = ran.event("probed")["left"].clone();
    assert!(
        left[0].as_str().unwrap().contains("/alice/hf2ms-probe-") && world.all_requests() < 60,
        "{left}"
    );

    world
        .admin(
            "POST",
            "/settings",
            r#"{"hf_api_quota":null,"hf_private_storage":1000}"#,
        )
        .unwrap();
    let ran = probe(&world, &["--hub", "hf"], BOTH);
    let told = rows(&ran);
    assert!(
        told.values().all(|(verdict, _)| verdict != "differs"),
        "{told:?}"
    );
    assert!(
        told["hf-git"]
            .1
            .contains("Private storage limit reached for user ACCOUNT"),
        "{told:?}"
    );
    assert_eq!((ran.code, told["hf-delete"].0.as_str()), (0, "holds"));
}

#[test]
fn it_asks_first_and_says_which_tokens_it_needs() {
    let world = world();
    world
        .run_with(&["probe"], BOTH)
        .refused_with(2, "say --yes");
    let nobody = [("MODELSCOPE_TOKEN", "")];
    world
        .run_with(&["probe", "--yes"], &nobody)
        .refused_with(2, "set HF_TOKEN (from http");
    world
        .run_with(&["probe", "--yes", "--hub", "hf"], &[])
        .refused_with(2, "set HF_TOKEN");
    world
        .run_with(&["probe", "--yes", "--only", "ms-none"], BOTH)
        .refused_with(2, "no assumption ms-none");
    assert_eq!(world.all_requests(), 0);
    let one = probe(&world, &["--only", "ms-me"], &[]);
    assert_eq!(
        (one.code, rows(&one).len(), world.requests("hf.whoami")),
        (0, 1, 0),
        "one hub, as it has the only token"
    );
}

#[test]
fn stopped_in_the_middle_it_takes_its_repo_away() {
    let world = world();
    let before = hf_repos(&world);
    world
        .admin(
            "POST",
            "/faults",
            r#"{"route":"hf.commit","kind":{"do":"delay","ms":20000}}"#,
        )
        .unwrap();
    let mut command = world.command(&["probe", "--yes", "--json", "--hub", "hf"]);
    let running = world.start(command.env("HF_TOKEN", HF_WRITE));
    until("the commit", || world.requests("hf.lfs_verify") > 0);
    running.signal("-INT");
    let ran = running.wait();
    assert_eq!(
        (ran.code, hf_repos(&world)),
        (130, before),
        "{}{}",
        ran.stdout,
        ran.stderr
    );
    let rows = rows(&ran);
    assert_eq!(
        (rows["hf-delete"].0.as_str(), rows["hf-branch"].1.as_str()),
        ("holds", "stopped")
    );
    assert_eq!(ran.event("probed")["left"], json!([]));
}

#[test]
fn speeds_are_measured_and_kept_for_estimates() {
    let world = world();
    world.seed_small_model();
    let ran = probe(
        &world,
        &["--speed", "--speed-size", "1", "--only", "hf-whoami"],
        BOTH,
    );
    let told = ran.event("probed")["speeds"].clone();
    let rate = |hub: &str, what: &str, at_a_time: u64| {
        let found =
            told.as_array().unwrap().iter().find(|row| {
                row["hub"] == hub && row["what"] == what && row["at_a_time"] == at_a_time
            });
        found.unwrap_or_else(|| panic!("{hub} {what} in {told}"))["bytes_per_second"].as_f64()
    };
    for at_a_time in [1, 8, 32] {
        assert!(
            rate("huggingface", "GET", at_a_time).is_some()
                && rate("modelscope", "PUT", at_a_time).is_some(),
            "{told}"
        );
    }
    let plan = world.run(&[
        "migrate",
        "alice/model",
        "--dest",
        "alice/copy",
        "--dry-run",
    ]);
    assert!(
        plan.stdout.contains("as hf2ms probe measured: "),
        "{}{}",
        plan.stdout,
        plan.stderr
    );
}
