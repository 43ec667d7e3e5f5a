//! Signals and deaths: what is left running (nothing), and what the same command does afterwards (the rest).

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use common::World;

/// A world whose links are slow enough to stop something half way.
fn slow() -> World {
    let world = World::with_model();
    world.admin("POST", "/settings", r#"{"hf_down":400000}"#).unwrap();
    world
}

fn start(world: &World) -> Child {
    let mut child = world.command(&["migrate", "alice/model"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    until(|| !workers(child.id()).is_empty() && world.requests("hf_storage.get") > 0);
    assert!(child.try_wait().unwrap().is_none());
    child
}

/// The processes that a process has started and that still run.
fn workers(parent: u32) -> Vec<u32> {
    let threads = std::fs::read_dir(format!("/proc/{parent}/task")).into_iter().flatten().flatten();
    let children = threads.filter_map(|thread| std::fs::read_to_string(thread.path().join("children")).ok());
    children.flat_map(|line| line.split_whitespace().filter_map(|id| id.parse().ok()).collect::<Vec<u32>>()).collect()
}

fn is_running(id: u32) -> bool {
    std::fs::read_to_string(format!("/proc/{id}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
}

fn signal(name: &str, id: u32) {
    assert!(Command::new("kill").args([name, &id.to_string()]).status().unwrap().success());
}

fn until(mut done: impl FnMut() -> bool) {
    let began = Instant::now();
    while !done() {
        assert!(began.elapsed() < Duration::from_secs(30), "it never came");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn finishes(world: &World) {
    world.admin("POST", "/settings", r#"{"hf_down":null}"#).unwrap();
    let ran = world.run(&["migrate", "alice/model"]);
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    assert!(world.is_copied("model", "alice/model", "alice/model"));
}

#[test]
fn ctrl_c_leaves_nothing_running_and_the_same_command_goes_on() {
    for name in ["-INT", "-TERM"] {
        let world = slow();
        let mut child = start(&world);
        let workers = workers(child.id());
        signal(name, child.id());
        assert_eq!(child.wait().unwrap().code(), Some(130));
        assert!(!workers.iter().any(|id| is_running(*id)));
        assert!(world.run(&["runs"]).stdout.contains("interrupted"));
        finishes(&world);
    }
}

#[test]
fn a_killed_controller_takes_its_workers_with_it() {
    let world = slow();
    let mut child = start(&world);
    let workers = workers(child.id());
    signal("-KILL", child.id());
    child.wait().unwrap();
    until(|| !workers.iter().any(|id| is_running(*id)));
    assert!(world.run(&["runs"]).stdout.contains("killed"));
    finishes(&world);
}

#[test]
fn a_killed_worker_is_replaced() {
    let world = slow();
    let mut child = start(&world);
    signal("-KILL", workers(child.id())[0]);
    world.admin("POST", "/settings", r#"{"hf_down":null}"#).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert!(world.run(&["status"]).stdout.contains("1 workers replaced"));
    assert!(world.is_copied("model", "alice/model", "alice/model"));
}

#[test]
fn a_second_controller_on_the_same_destination_says_so_and_stops() {
    let world = slow();
    let mut first = start(&world);
    world.run(&["migrate", "alice/model"]).refused_with(1, "is writing to alice/model on ModelScope");
    signal("-TERM", first.id());
    first.wait().unwrap();
    finishes(&world);
}

#[test]
fn a_reader_that_leaves_does_not_stop_the_work() {
    let world = World::with_model();
    let mut child = world.command(&["migrate", "alice/model", "--json"]).stdout(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert!(world.is_copied("model", "alice/model", "alice/model"));
}
