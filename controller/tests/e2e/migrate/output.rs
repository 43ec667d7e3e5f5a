//! What stdout, `runs`, `status`, `verify` and `doctor` print.

use super::*;

#[test]
fn json_is_all_that_stdout_gets() {
    let world = World::with_model();
    let ran = world.run(&["migrate", "alice/model", "--json"]);
    let report = ran.event("report");
    assert_eq!(
        (ran.code, ran.stderr.as_str(), report["exit"].as_u64()),
        (0, "", Some(0))
    );
    for (key, count) in [
        ("files", 6),
        ("moved", 2),
        ("duplicates", 1),
        ("inline", 3),
        ("commits", 1),
    ] {
        assert_eq!(report[key], count, "{key} in {report}");
    }
}

#[test]
fn a_dry_run_creates_nothing() {
    let world = World::with_model();
    let ran = world.run(&["migrate", "alice/model", "--dry-run"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(ran.stdout.contains("2 blobs, 5 MB"), "{}", ran.stdout);
    assert!(world.stored("ms", "model", "alice/model").is_none() && !world.path("state").exists());
}

#[test]
fn runs_status_and_verify_tell_the_same() {
    let world = World::with_model();
    assert_eq!(world.run(&["migrate", "alice/model"]).code, 0);
    let ran = world.run(&["verify", "alice/model", "--json"]);
    assert_eq!(
        (
            ran.code,
            ran.event("verified")["verification"]["equal"].as_u64()
        ),
        (0, Some(6)),
        "{}{}",
        ran.stdout,
        ran.stderr
    );
    assert!(
        world
            .run(&["runs"])
            .stdout
            .lines()
            .nth(2)
            .unwrap()
            .contains("alice/model -> ModelScope alice/model")
    );
    assert_eq!(world.run(&["runs", "--json"]).events()[1]["state"], "done");
    assert!(
        world
            .run(&["status"])
            .stdout
            .contains("equal             6")
    );
    world
        .run(&["verify", "alice/model", "--dest", "alice/absent"])
        .refused_with(3, "copy it first");
}

#[test]
fn the_doctor_says_who_we_are_and_what_is_missing() {
    let world = World::new();
    let well = world.run_with(&["doctor"], &[("HF_TOKEN", "hf_sandboxAliceRead")]);
    assert_eq!(well.code, 0, "{}{}", well.stdout, well.stderr);
    assert!(
        well.stdout.contains("is alice on ModelScope")
            && well
                .stdout
                .contains("is alice on Hugging Face, in acme; may read")
    );
    let ill = world.run_with(&["doctor"], &[("MODELSCOPE_TOKEN", "")]);
    assert!(
        ill.code == 3
            && ill
                .stdout
                .contains("! MODELSCOPE_TOKEN  MODELSCOPE_TOKEN is not set"),
        "{}",
        ill.stdout
    );
}
