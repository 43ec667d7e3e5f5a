//! `hf2ms probe` on the sandbox: every assumption holds there, and each differs once the sandbox does something else.

mod assumptions;
mod ends;

use std::collections::BTreeMap;

use crate::common::processes::until;
use crate::common::{ALICE, Ran, World};
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
        end["requests"].as_u64().unwrap() <= 200
            && end["traffic_bytes"].as_u64().unwrap() < 100_000_000,
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
        include_str!("../../../../docs/unproven.md"),
        include_str!("../../../../docs/probing.md"),
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
