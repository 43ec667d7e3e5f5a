//! Hubs that can't be reached, and hubs that ask to wait, before anything is planned.

use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::common::World;

/// An address at which nobody listens.
const NOBODY: &str = "http://127.0.0.1:1";

#[test]
fn a_hub_that_takes_no_connection_is_named_with_its_variable() {
    let world = World::with_model();
    let began = Instant::now();
    // Pauses so long that the first one is too long already.
    let refused = world.run_with(
        &["migrate", "alice/model", "--yes"],
        &[("HF_ENDPOINT", NOBODY), ("HF2MS_RETRY_BASE", "60")],
    );
    refused.refused_with(1, "HF_ENDPOINT");
    assert!(
        refused
            .stderr
            .starts_with("looking at both sides: alice/model on Hugging Face"),
        "{}",
        refused.stderr
    );
    // 8 seconds, and whatever a busy machine takes.
    assert!(
        began.elapsed() < Duration::from_secs(20),
        "{:?}",
        began.elapsed()
    );
}

#[test]
fn the_first_line_comes_before_the_first_answer() {
    let world = World::with_model();
    for route in ["hf.info", "ms.info"] {
        world.fault(&format!(
            r#"{{"route":"{route}","kind":{{"do":"delay","ms":600000}}}}"#
        ));
    }
    let mut command = world.command(&["migrate", "alice/model"]);
    let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
    let mut first = String::new();
    BufReader::new(child.stderr.take().unwrap())
        .read_line(&mut first)
        .unwrap();
    let is_at_work = child.try_wait().unwrap().is_none();
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(
        is_at_work && first.starts_with("looking at both sides: alice/model"),
        "{first}"
    );
}

#[test]
fn a_wait_while_both_sides_are_looked_at_is_shown_to_people_and_programs() {
    let world = World::with_model();
    let fault = r#"{"route":"hf.info","kind":{"do":"status","status":429,"headers":{"Retry-After":"1"},"body":"slow down"},"count":1}"#;
    world.fault(fault);
    let people = world.run(&["migrate", "alice/model", "--dry-run"]);
    assert!(
        people.stdout.contains("trying again in "),
        "{}",
        people.stdout
    );
    world.fault(fault);
    let programs = world.run(&["migrate", "alice/model", "--dry-run", "--json"]);
    let retry = programs.event("retry");
    // What the hub asks for, and a part more, so that not all come back at once.
    assert!(retry["wait"].as_f64() >= Some(1.0), "{retry}");
    assert_eq!(retry["kind"], "rate_limited", "{retry}");
}
