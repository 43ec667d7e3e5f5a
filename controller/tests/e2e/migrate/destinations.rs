//! A destination is named by the second name of a command line, of a list's line, and of the worker's own migration.

use super::*;

fn is_there(world: &World, id: &str) -> bool {
    world.is_copied("model", "alice/model", id)
}

#[test]
fn a_destination_is_the_second_name_for_every_verb() {
    let world = World::with_model();
    let address = format!("{}/models/alice/by-address", world.address("ms"));
    for (destination, id) in [
        ("ms:", "alice/model"),
        ("ms:acme/", "acme/model"),
        ("alice/renamed", "alice/renamed"),
        (&address, "alice/by-address"),
    ] {
        let ran = world.run(&["migrate", "hf:alice/model", destination]);
        assert_eq!(ran.code, 0, "{destination}: {}{}", ran.stdout, ran.stderr);
        assert!(is_there(&world, id), "{destination}");
    }
    let verified = world.run(&["verify", "hf:alice/model", "ms:alice/renamed"]);
    assert_eq!(verified.code, 0, "{}", verified.stderr);
    assert!(verified.stdout.contains("models/alice/renamed"));
    let plan = world.run(&["plan", "alice/model", "ms:acme/"]);
    let plan: serde_json::Value = serde_json::from_str(&plan.stdout).unwrap();
    assert_eq!(plan["destination"]["id"], "acme/model");
    std::fs::write(world.path("list"), "hf:alice/model ms:alice/listed\n").unwrap();
    let ran = world.run(&["batch", "--file", "list"]);
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    assert!(is_there(&world, "alice/listed"));
    let alone = std::process::Command::new(crate::common::binary("hf2ms-worker"))
        .args(["migrate", "alice/model", "ms:alice/alone"])
        .env_clear()
        .env("HF_ENDPOINT", world.address("hf"))
        .env("MODELSCOPE_ENDPOINT", world.address("ms"))
        .env("MODELSCOPE_TOKEN", crate::common::ALICE)
        .output()
        .unwrap();
    assert!(alone.status.success(), "{alone:?}");
    assert!(is_there(&world, "alice/alone"));
}

#[test]
fn a_destination_that_is_named_twice_or_not_fully_is_refused_before_any_request() {
    let world = World::with_model();
    let before = world.all_requests();
    for (args, words) in [
        (
            &["migrate", "hf:alice/model", "ms:a/b", "--dest", "a/c"][..],
            "DESTINATION says a/b, and --dest a/c: leave one of them out",
        ),
        (
            &["plan", "hf:alice/model", "ms:a/b", "--to", "hf"],
            "DESTINATION says ModelScope, and --to Hugging Face",
        ),
        (
            &["verify", "hf:alice/model", "ms:alice"],
            "DESTINATION: 'alice' is not a repo id: write alice/NAME, or alice/ for",
        ),
        (
            &["migrate", "hf:alice/model", "ms:a/b/c"],
            "DESTINATION: this is more than a repo",
        ),
        (
            &["mirror", "-s", "hf:alice/model", "-t", "alice/other"],
            "the target 'alice/other' names no hub and no host: write hf:org/name, ms:org/name, or https://host/path/repo.git",
        ),
        (
            &["mirror", "hf:alice/model", "alice/other", "--dry-run"],
            "names no hub and no host",
        ),
        (
            &["mirror", "hf:alice/model", "ms:a/b", "-t", "ms:a/c"],
            "TARGET and --target are both given and differ",
        ),
        (&["mirror", "hf:alice/model"], "TARGET is missing"),
    ] {
        world.run(args).refused_with(2, words);
    }
    assert_eq!(world.all_requests(), before);
}
