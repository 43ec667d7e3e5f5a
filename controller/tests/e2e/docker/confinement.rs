//! Limits of a container, and tokens that show nowhere.

use super::*;

#[test]
fn a_container_is_locked_in_and_no_token_shows() {
    if !docker_or_skip("a_container_is_locked_in_and_no_token_shows") {
        return;
    }
    let fleet = Fleet::with_model();
    let (running, worker) = fleet.held_for(
        60_000,
        fleet
            .migrate()
            .env("HF_TOKEN", READER)
            .env("HF2MS_LOG", "trace"),
    );
    let found = inspected(&worker);
    is_confined(&fleet, &found);
    let run = fleet.run(&["runs", "--json"]).events()[0]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    belongs_to(&found, &run);
    let process = format!("/proc/{}", found["State"]["Pid"]);
    let shown = ["cmdline", "environ"]
        .map(|file| fs::read_to_string(format!("{process}/{file}")).unwrap())
        .concat();
    assert!(shown.contains("--settings-on-stdin"), "{shown}");
    docker(&["kill", &worker]);
    let ran = running.wait();
    fleet.done(&ran);
    let kept = all_text(&fleet.path("state"));
    for (what, text) in [
        ("inspect", &found.to_string()),
        ("process", &shown),
        ("stdout", &ran.stdout),
        ("stderr", &ran.stderr),
        ("disk", &kept),
    ] {
        assert!(
            !text.contains(ALICE) && !text.contains(READER),
            "a token in {what}"
        );
    }
    assert!(kept.len() > 1000 && ran.event("report")["lost_workers"] == 1);
    assert!(
        fleet.losses()[0].starts_with("killed by signal 9"),
        "{:?}",
        fleet.losses()
    );
}

/// The container may do no more than a worker has to.
fn is_confined(fleet: &Fleet, found: &Value) {
    let (host, config) = (&found["HostConfig"], &found["Config"]);
    assert_eq!(
        (
            &host["ReadonlyRootfs"],
            &host["CapDrop"],
            &host["Privileged"]
        ),
        (&json!(true), &json!(["ALL"]), &json!(false))
    );
    assert_eq!(
        (&host["SecurityOpt"], &host["LogConfig"]["Type"]),
        (&json!(["no-new-privileges"]), &json!("none"))
    );
    assert_eq!(
        (&host["Memory"], &host["MemorySwap"], &host["PidsLimit"]),
        (&json!(256 << 20), &json!(256 << 20), &json!(512))
    );
    assert!(host["NanoCpus"].as_u64() >= Some(1_000_000_000), "{host}");
    assert_eq!(
        (&config["User"], &host["NetworkMode"]),
        (&json!("65532:65532"), &json!(fleet.network().name))
    );
}

/// The container's labels and name say whose it is.
fn belongs_to(found: &Value, run: &str) {
    let labels = &found["Config"]["Labels"];
    assert_eq!(
        (
            &labels["hf2ms.run"],
            &labels["hf2ms.verb"],
            &labels["hf2ms.chunk"]
        ),
        (&json!(run), &json!("run"), &json!("0"))
    );
    assert!(
        found["Name"]
            .as_str()
            .unwrap()
            .starts_with(&format!("/hf2ms-{}-run-0000-", run.to_lowercase())),
        "{}",
        found["Name"]
    );
}

#[test]
fn a_container_that_wants_too_much_memory_is_replaced() {
    if !docker_or_skip("a_container_that_wants_too_much_memory_is_replaced") {
        return;
    }
    let fleet = Fleet::with(&json!([{"path": "w.safetensors", "size": 60_000_000, "seed": 1}]));
    let (running, worker) = fleet.held_for(2000, &mut fleet.migrate());
    docker(&["update", "--memory", "12m", "--memory-swap", "12m", &worker]);
    let ran = running.wait();
    fleet.done(&ran);
    assert_eq!(fleet.losses(), ["out of memory: it may have 256 MiB"]);
}
