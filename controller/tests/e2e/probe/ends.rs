//! Refusals, quotas, questions, signals and speeds.

use super::*;

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
