//! Who may see the copy.

use std::process::Command;

use super::*;
use crate::common::{ALICE, Ran, binary};

const TOKEN: (&str, &str) = ("HF_TOKEN", "hf_sandboxAliceWrite");

/// Puts a repo of one file on a hub, and changes it.
fn with_repo(world: &World, hub: &str, id: &str, change: &str) {
    let about = format!(r#""hub":"{hub}","kind":"model","id":"{id}""#);
    world.seed(&format!(
        r#"{{{about},"message":"m","files":[{{"path":"a.txt","text":"x"}}]}}"#
    ));
    world.admin("POST", "/repo", &format!("{{{about},{change}}}"));
}

/// Who may see a model, and whether the file was committed.
fn seen(world: &World, hub: &str, id: &str) -> (String, bool) {
    let repo = world.stored(hub, "model", id).unwrap();
    let files = repo["files"].as_array().unwrap();
    let is_there = files.iter().any(|file| file["path"] == "a.txt");
    (repo["visibility"].as_str().unwrap().to_owned(), is_there)
}

/// `hf2ms-worker` as a container runs it.
fn lone_worker(world: &World, args: &[&str]) -> Ran {
    let mut worker = Command::new(binary("hf2ms-worker"));
    worker.args(args).env_clear().envs([
        ("HF_ENDPOINT", world.address("hf")),
        ("MODELSCOPE_ENDPOINT", world.address("ms")),
        ("MODELSCOPE_TOKEN", ALICE),
        TOKEN,
    ]);
    Ran::of(worker.output().unwrap())
}

#[test]
fn a_gated_source_becomes_a_private_copy_unless_public_is_asked_for() {
    let world = World::new();
    let gated = r#""gated":"manual""#;
    for id in ["alice/one", "alice/two", "alice/three", "alice/all"] {
        with_repo(&world, "hf", id, gated);
    }
    let ran = world.run_with(&["migrate", "alice/one"], &[TOKEN]);
    assert!(
        ran.code == 0
            && ran.stderr.contains("alice/one is gated")
            && ran.stderr.contains("--public"),
        "{}",
        ran.stderr
    );
    let ran = lone_worker(&world, &["migrate", "hf:alice/two", "ms:alice/two"]);
    assert!(
        ran.code == 0 && ran.stderr.contains("alice/two is gated"),
        "{}",
        ran.stderr
    );
    assert_eq!(world.run_with(&["batch", "alice/three"], &[TOKEN]).code, 0);
    let all = ["migrate", "alice/all", "--all-revisions"];
    assert_eq!(world.run_with(&all, &[TOKEN]).code, 0);
    for id in ["alice/one", "alice/two", "alice/three", "alice/all"] {
        assert_eq!(seen(&world, "ms", id), ("private".to_owned(), true), "{id}");
    }
    with_repo(&world, "hf", "alice/open", gated);
    assert_eq!(
        world
            .run_with(&["migrate", "alice/open", "--public"], &[TOKEN])
            .code,
        0
    );
    assert_eq!(
        seen(&world, "ms", "alice/open"),
        ("public".to_owned(), true)
    );
}

#[test]
fn a_plan_from_a_file_shows_no_more_than_its_source_does_today() {
    let world = World::new();
    for (id, change, words) in [
        (
            "alice/hidden",
            r#""private":true"#,
            "alice/hidden is private",
        ),
        (
            "alice/gate",
            r#""gated":"manual""#,
            "alice/gate is behind a gate",
        ),
    ] {
        with_repo(&world, "hf", id, r#""private":false"#);
        let plan = ["plan", id, "--out", "plan.json"];
        assert_eq!(world.run_with(&plan, &[TOKEN]).code, 0);
        with_repo(&world, "hf", id, change);
        let carry_out = ["migrate", "--plan", "plan.json"];
        let ran = world.run_with(&carry_out, &[TOKEN]);
        ran.refused_with(3, words);
        assert!(world.stored("ms", "model", id).is_none());
        // The file may be someone else's, and say anything.
        assert_eq!(world.run_with(&plan, &[TOKEN]).code, 0);
        let path = world.path("plan.json");
        let edited = std::fs::read_to_string(&path).unwrap();
        let edited = edited.replace(r#""visibility":"private""#, r#""visibility":"public""#);
        std::fs::write(&path, edited).unwrap();
        world.run_with(&carry_out, &[TOKEN]).refused_with(3, words);
        let shown = [&carry_out[..], &["--public"]].concat();
        assert_eq!(world.run_with(&shown, &[TOKEN]).code, 0);
        assert_eq!(seen(&world, "ms", id), ("public".to_owned(), true));
    }
}

#[test]
fn a_gated_source_never_goes_into_a_public_repo_that_exists() {
    let world = World::new();
    with_repo(&world, "hf", "alice/model", r#""gated":"auto""#);
    let seed = r#"{"hub":"ms","kind":"model","id":"alice/model","message":"m","files":[{"path":"b.txt","text":"b"}]}"#;
    world.seed(seed);
    let refused = "alice/model is public at the destination";
    for args in [
        &["migrate", "alice/model"][..],
        &["migrate", "alice/model", "--all-revisions"],
    ] {
        world.run_with(args, &[TOKEN]).refused_with(3, refused);
    }
    let ran = lone_worker(&world, &["migrate", "hf:alice/model", "ms:alice/model"]);
    assert_eq!(ran.code, 3, "{}", ran.stdout);
    assert_eq!(
        seen(&world, "ms", "alice/model"),
        ("public".to_owned(), false)
    );
}

#[test]
fn a_gate_is_kept_where_both_hubs_have_gates() {
    let world = World::new();
    for hub in ["hf", "ms"] {
        with_repo(&world, hub, "alice/one", r#""gated":"manual""#);
    }
    let keep = |source, dest, more: &[&str]| {
        let args = [
            &["migrate", source, "--dest", dest, "--gated", "keep"],
            more,
        ]
        .concat();
        world.run_with(&args, &[TOKEN])
    };
    let gate = |hub, id| world.stored(hub, "model", id).unwrap()["gated"].clone();
    let ran = keep("hf:alice/one", "alice/there", &[]);
    assert!(
        ran.code == 0 && !ran.stderr.contains("is gated"),
        "{}",
        ran.stderr
    );
    let told = |words: &str| assert!(ran.stdout.contains(words), "{}", ran.stdout);
    told("created private ");
    told("to those whom its gate lets in (private, gated)");
    assert_eq!(
        seen(&world, "ms", "alice/there"),
        ("private".to_owned(), true)
    );
    assert_eq!(gate("ms", "alice/there"), "manual");
    let ran = keep("hf:alice/one", "alice/beside", &["--to", "hf"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let words = "to those whom its gate lets in (public, gated)";
    assert!(ran.stdout.contains(words), "{}", ran.stdout);
    assert_eq!(
        seen(&world, "hf", "alice/beside"),
        ("public".to_owned(), true)
    );
    assert_eq!(gate("hf", "alice/beside"), "manual");
    let alone = [
        "migrate",
        "hf:alice/one",
        "ms:alice/alone",
        "--gated",
        "keep",
    ];
    assert_eq!(lone_worker(&world, &alone).code, 0);
    assert_eq!(
        (
            gate("ms", "alice/alone"),
            seen(&world, "ms", "alice/alone").0
        ),
        ("manual".into(), "private".to_owned())
    );
}

#[test]
fn a_gate_that_does_not_stand_gets_no_file() {
    let world = World::new();
    with_repo(&world, "hf", "alice/one", r#""gated":"auto""#);
    let unset = r#"{"route":"hf.settings","kind":{"do":"status","status":200,"body":{}}}"#;
    world.admin("POST", "/faults", unset).unwrap();
    let args = [
        "migrate",
        "hf:alice/one",
        "--to",
        "hf",
        "--dest",
        "alice/two",
        "--gated",
        "keep",
    ];
    world.run_with(&args, &[TOKEN]).refused_with(
        3,
        "without the gate that was asked for, and no file was committed",
    );
    assert_eq!(
        seen(&world, "hf", "alice/two"),
        ("private".to_owned(), false)
    );
    with_repo(&world, "hf", "alice/open", r#""private":false"#);
    let args = [
        "migrate",
        "hf:alice/one",
        "--to",
        "hf",
        "--dest",
        "alice/open",
        "--gated",
        "keep",
    ];
    world
        .run_with(&args, &[TOKEN])
        .refused_with(3, "is open to all at the destination");
}

#[test]
fn a_hub_that_ignores_the_visibility_gets_no_file() {
    let world = World::new();
    let private = r#""private":true"#;
    with_repo(&world, "hf", "alice/secret", private);
    with_repo(&world, "ms", "alice/back", private);
    world
        .admin("POST", "/settings", r#"{"ignores_visibility":true}"#)
        .unwrap();
    for (from, to) in [("hf:alice/secret", "ms"), ("ms:alice/back", "hf")] {
        let id = &from[3..];
        let ran = world.run_with(&["migrate", from], &[TOKEN]);
        ran.refused_with(3, "though private was asked for, and no file was committed");
        assert_eq!(seen(&world, to, id), ("public".to_owned(), false));
    }
    let ran = lone_worker(&world, &["migrate", "hf:alice/secret", "ms:alice/alone"]);
    assert_eq!(ran.code, 3, "{}", ran.stdout);
    assert_eq!(
        seen(&world, "ms", "alice/alone"),
        ("public".to_owned(), false)
    );
}
