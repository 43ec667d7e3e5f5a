//! What the program says of itself: help, the demo.

use crate::common::World;
use serde_json::json;

#[test]
fn help_teaches_with_examples() {
    let world = World::new();
    let ran = world.run(&["--help"]);
    assert!(
        ran.code == 0
            && ran.stdout.contains("hf2ms migrate org/name")
            && ran.stdout.contains("Exit codes"),
        "{}",
        ran.stdout
    );
    for verb in [
        "migrate",
        "batch",
        "mirror",
        "plan",
        "verify",
        "runs",
        "status",
        "stop",
        "login",
        "logout",
        "doctor",
        "probe",
        "demo",
        "completions",
        "man",
    ] {
        assert!(
            ran.stdout.contains(&format!("\n  {verb} ")),
            "{verb} in {}",
            ran.stdout
        );
        assert_eq!(world.run(&[verb, "--help"]).code, 0);
    }
    let text = world
        .run(&["migrate", "--help"])
        .stdout
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ");
    assert!(
        text.contains("the same command goes on where it was"),
        "{text}"
    );
}

#[test]
fn a_wrong_command_line_is_usage() {
    let world = World::new();
    for args in [
        &["migrate"][..],
        &["migrate", "a/b", "--on", "nowhere"],
        &["migrate", "a/b", "--chunk-size", "0"],
        &["frobnicate"],
    ] {
        assert_eq!(world.run(args).code, 2, "{args:?}");
    }
    assert!(
        world
            .run(&["migrate", "a/b", "--on", "nowhere"])
            .stderr
            .contains("modal")
    );
}

#[test]
fn no_answer_of_a_server_is_usage() {
    let world = World::with_model();
    for (status, route) in [
        (411, "hf.info"),
        (413, "hf.tree"),
        (422, "ms.info"),
        (418, "ms.create"),
    ] {
        world
            .admin(
                "POST",
                "/faults",
                &json!({"route": route, "kind": {"do": "status", "status": status}}).to_string(),
            )
            .unwrap();
        let ran = world.run(&["migrate", "alice/model"]);
        assert_eq!(
            ran.code, 1,
            "{status} {route}: {}{}",
            ran.stdout, ran.stderr
        );
        world.admin("DELETE", "/faults", "");
    }
}

#[test]
fn the_demo_shows_a_copy_and_a_second_run() {
    let ran = World::new().run(&["demo"]);
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    assert_eq!(ran.stdout.matches("done and verified").count(), 2);
    assert!(ran.stdout.contains("has everything already"));
}

#[test]
fn a_quiet_demo_prints_what_is_stored_in_the_end_alone() {
    let ran = World::new().run(&["demo", "-q"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""), "{}", ran.stdout);
    let files = ["README.md", "model.safetensors", "tokenizer.json"];
    assert!(
        files.iter().all(|file| ran.stdout.contains(file)),
        "{}",
        ran.stdout
    );
    let is_file = |line: &str| line.starts_with("   ") && line.contains("sha256 ");
    assert!(ran.stdout.lines().all(is_file), "{}", ran.stdout);
}
