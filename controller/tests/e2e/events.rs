//! `--json`: its schema and its page are those of the code, and every verb keeps to them.

mod page;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use crate::common::{SMALL_MODEL, World};
use serde_json::Value;

/// Holds a generated file against the code, or writes it anew.
fn hold(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../docs")
        .join(name);
    if std::env::var_os("HF2MS_WRITE_REFERENCE").is_some() {
        fs::write(&path, text).unwrap();
    }
    assert!(
        fs::read_to_string(&path).unwrap_or_default() == text,
        "docs/{name} is stale; run HF2MS_WRITE_REFERENCE=1 cargo test --workspace --features hf2ms-sandbox/xet --test e2e events::"
    );
}

#[test]
fn the_schema_and_its_page_are_those_of_the_code() {
    let schema = hf2ms::verbs::events::schema();
    let text = serde_json::to_string_pretty(&schema).unwrap() + "\n";
    hold("events.schema.json", &text);
    hold("json.md", &page::of(&schema));
    for (name, schema) in hf2ms::verbs::events::documents() {
        hold(
            name,
            &(serde_json::to_string_pretty(&schema).unwrap() + "\n"),
        );
    }
}

/// The events of a command, all of which are held against the schema when it ends.
fn events(world: &World, args: &[&str]) -> Vec<Value> {
    let ran = world.run(&[args, &["--json"]].concat());
    let events = ran.all_events();
    let start = &events[0];
    assert_eq!(
        (&start["event"], &start["verb"]),
        (&"start".into(), &args[0].into())
    );
    assert_eq!(start["schema"], 1, "{args:?}");
    assert!(
        events.iter().all(|event| event["time"].is_string()),
        "{args:?}"
    );
    events
}

#[test]
fn every_verb_starts_with_a_start_and_keeps_to_the_schema() {
    let world = World::new();
    world.seed(SMALL_MODEL);
    let migrate = events(&world, &["migrate", "alice/model"]);
    let (start, report) = (&migrate[0], migrate.last().unwrap());
    assert_eq!(
        (&report["event"], &report["run"]),
        (&"report".into(), &start["run"])
    );
    let mut seen: BTreeSet<String> = BTreeSet::new();
    let commands: [&[&str]; 14] = [
        &["migrate", "alice/model"],
        &[
            "migrate",
            "alice/model",
            "--dest",
            "alice/all",
            "--all-revisions",
        ],
        &["migrate", "alice/model", "--dest", "alice/dry", "--dry-run"],
        &["migrate", "alice/none"],
        &["batch", "alice/model", "alice/none"],
        &["plan", "alice/model"],
        &["plan", "alice/model", "--simulate", "--dest", "alice/new"],
        &["verify", "alice/model"],
        &["runs"],
        &["status"],
        &["logs"],
        &["stop"],
        &["doctor"],
        &["probe", "--hub", "hf"],
    ];
    for args in commands {
        let names = events(&world, args).into_iter();
        seen.extend(names.map(|event| event["event"].as_str().unwrap().to_owned()));
    }
    for name in [
        "planned",
        "estimate",
        "simulation",
        "plan",
        "created",
        "file",
        "committed",
        "report",
        "revisions",
        "batch",
        "verified",
        "run",
        "status",
        "stopped",
        "check",
        "error",
    ] {
        assert!(seen.contains(name), "{name} in {seen:?}");
    }
}

#[test]
fn a_line_that_breaks_the_schema_is_found() {
    let good = serde_json::json!({"time": "t", "event": "warning", "message": "m"});
    let fault = |name: &str, value: Value| {
        let mut event = good.clone();
        event[name] = value;
        crate::common::json::fault_of_event(&event)
    };
    assert_eq!(crate::common::json::fault_of_event(&good), None);
    for (name, value) in [
        ("message", 1.into()),
        ("event", "wrong".into()),
        ("more", 1.into()),
        ("time", Value::Null),
    ] {
        assert!(fault(name, value).is_some(), "{name}");
    }
    let lacking = serde_json::json!({"event": "warning", "message": "m"});
    assert!(crate::common::json::fault_of_event(&lacking).is_some());
}

#[test]
fn a_dry_run_makes_no_run_and_names_none() {
    let world = World::new();
    world.seed(SMALL_MODEL);
    let events = events(&world, &["migrate", "alice/model", "--dry-run"]);
    assert_eq!(events[0]["run"], Value::Null);
}
