//! Readers of the source that the copy does not have keep a source, until somebody agrees to that by name.

use serde_json::{Value, json};

use super::{DELETE, TOKEN, copied, is_there, run, stays};
use crate::common::World;

/// What the command line says to that.
const AGREED: &str = "--readers-may-go";

/// Changes what a hub says of `alice/model`.
fn flags(world: &World, hub: &str, flags: Value) {
    let mut all = json!({"hub": hub, "kind": "model", "id": "alice/model"});
    all.as_object_mut()
        .unwrap()
        .extend(flags.as_object().unwrap().clone());
    world.admin("POST", "/repo", &all.to_string()).unwrap();
}

/// It is deleted only once somebody has agreed to that.
fn needs_consent(world: &World, lost: &str) {
    let ran = run(world, &DELETE);
    let words = format!("access would be lost ({lost}): {AGREED} agrees to that");
    stays(world, &ran, 2, "stays", &words);
    let ran = run(world, &["cleanup", "alice/model", "--json"]);
    stays(
        world,
        &ran,
        1,
        "stays",
        "--history-may-go agrees to that; access",
    );
    let agreed = [&DELETE[..], &[AGREED]].concat();
    let ran = run(world, &agreed);
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    assert!(!is_there(world, "alice/model"));
}

#[test]
fn a_public_source_with_a_private_copy_stays_until_its_readers_may_go() {
    let world = copied();
    flags(&world, "ms", json!({"private": true}));
    needs_consent(&world, "readers: it is public, and the copy private");
}

#[test]
fn a_public_source_whose_copy_is_behind_a_gate_stays_until_its_readers_may_go() {
    let world = copied();
    flags(&world, "ms", json!({"gated": true}));
    needs_consent(&world, "open access: the copy is behind a gate");
}

#[test]
fn a_gated_source_with_the_usual_private_copy_stays_also_behind_a_copy() {
    let world = World::with_model();
    flags(&world, "hf", json!({"gated": "auto", "granted": ["bob"]}));
    let then = ["--then", "cleanup", "--history-may-go", "--yes-delete", "1"];
    for verb in ["migrate", "batch"] {
        let ran = run(&world, &[&[verb, "alice/model"][..], &then].concat());
        assert!(is_there(&world, "alice/model"), "{}", ran.stdout);
        let words = format!("{AGREED} agrees to that");
        assert!(
            ran.code == 2 && ran.stdout.contains(&words),
            "{}",
            ran.stdout
        );
    }
    needs_consent(
        &world,
        "readers: it is public, and the copy private; access that its gate has granted",
    );
}

#[test]
fn the_consent_of_readers_is_refused_where_nothing_is_removed() {
    let world = World::with_model();
    let ran = world.run_with(&["migrate", "alice/model", AGREED], &[TOKEN]);
    ran.refused_with(2, "none is asked for: give --then cleanup");
}

/// The losses of the only row, which would go.
fn access(world: &World, action: &[&str]) -> Value {
    let ran = run(
        world,
        &[&["cleanup", "alice/model", "--json"][..], action].concat(),
    );
    let row = ran.event("cleanup_repo");
    assert_eq!(row["state"], "would_go", "{}{}", ran.stdout, ran.stderr);
    row["losses"]["access"].clone()
}

#[test]
fn a_source_that_is_moved_to_another_owner_or_hidden_says_what_is_lost() {
    let world = copied();
    let control = "control: it will belong to acme, whose members may read it";
    for (action, lost) in [
        (&["--move-to", "acme/NAME"][..], json!([control])),
        (&["--move-to", "archive-NAME"], json!(null)),
        (
            &["--make-private"],
            json!(["readers: it is public, and nobody but its owner will see it"]),
        ),
    ] {
        assert_eq!(access(&world, action), lost);
    }
    flags(&world, "hf", json!({"private": true}));
    let ran = run(
        &world,
        &["cleanup", "alice/model", "--move-to", "acme/NAME"],
    );
    assert!(ran.stdout.contains(control), "{}", ran.stdout);
}

#[test]
fn a_copy_that_shows_more_than_its_source_is_said_in_the_row() {
    let world = copied();
    flags(&world, "hf", json!({"private": true}));
    let args = ["cleanup", "alice/model", "--history-may-go"];
    let ran = run(&world, &[&args[..], &["--json"]].concat());
    let row = ran.event("cleanup_repo");
    let more = "public, and the source private";
    assert_eq!((ran.code, &row["copy_shows_more"]), (0, &json!(more)));
    let ran = run(&world, &args);
    assert!(ran.stdout.contains(&format!("({more})")), "{}", ran.stdout);
}
