//! The faults that do not care where workers run, once more with workers in real containers: a refusal in mid-run, what can't
//! be copied, others who write at the same time, and a torn journal.

use std::fs;

use crate::common::docker::docker_or_skip;
use crate::common::fleet::Fleet;
use crate::common::{ALICE, Ran, World};
use serde_json::json;

fn until_asked(world: &World, route: &str) {
    crate::common::processes::until(route, || world.requests(route) > 0);
}

#[test]
fn a_token_revoked_half_way_stops_every_container_without_a_storm() {
    if !docker_or_skip("a_token_revoked_half_way_stops_every_container_without_a_storm") {
        return;
    }
    let files: Vec<_> = (0..200)
        .map(|n| json!({"path": format!("{n}.bin"), "size": 200_000, "seed": n}))
        .collect();
    let fleet = Fleet::with(&json!(files));
    fleet.admin("POST", "/settings", r#"{"hf_down":2000000}"#);
    // A stream that sends learns of the refusal at its end: how many streams there are must not depend on the rate.
    let running = fleet.start(
        fleet
            .migrate()
            .args(["--containers", "3", "--streams", "4"]),
    );
    until_asked(&fleet, "ms_storage.put");
    fleet
        .admin(
            "POST",
            "/token/revoke",
            &json!({"token": ALICE}).to_string(),
        )
        .unwrap();
    let ran = running.wait();
    assert_eq!(ran.code, 3, "{}{}", ran.stdout, ran.stderr);
    assert!(
        ran.stdout.contains("refuses MODELSCOPE_TOKEN"),
        "{}",
        ran.stdout
    );
    let requests = fleet.admin("GET", "/requests", "").unwrap();
    let refused = requests
        .as_array()
        .unwrap()
        .iter()
        .filter(|request| request["status"] == 401)
        .count();
    // A worker has four uploads and two checks under way.
    assert!(refused <= 3 * (4 + 2) + 1, "{refused} refusals");
    assert!(fleet.our_commits().is_empty() && fleet.containers().is_empty());
    fleet
        .admin(
            "POST",
            "/token/restore",
            &json!({"token": ALICE}).to_string(),
        )
        .unwrap();
    fleet.admin("POST", "/settings", r#"{"hf_down":null}"#);
    fleet.done(&fleet.migrated());
}

#[test]
fn a_submodule_is_reported_and_never_fetched() {
    if !docker_or_skip("a_submodule_is_reported_and_never_fetched") {
        return;
    }
    let fleet = Fleet::with(
        &json!([{"path": "w.bin", "size": 1000, "seed": 1}, {"path": "sub", "mode": "submodule", "text": "0123456789012345678901234567890123456789"}]),
    );
    let ran = fleet.migrated();
    let report = ran.event("report");
    assert_eq!(
        (ran.code, &report["refused"][0]["path"], &report["moved"]),
        (1, &json!("sub"), &json!(1)),
        "{report}"
    );
    assert!(fleet.containers().is_empty());
}

#[test]
fn a_branch_that_moved_under_the_commit_is_compared_and_never_forced() {
    if !docker_or_skip("a_branch_that_moved_under_the_commit_is_compared_and_never_forced") {
        return;
    }
    let fleet = Fleet::with_model();
    let theirs = json!([{"path": "theirs.txt", "text": "theirs"}]);
    fleet.fault(
        &json!({"route": "ms.commit", "kind": {"do": "moved", "files": theirs}, "count": 1})
            .to_string(),
    );
    fleet.done(&fleet.migrated());
    assert_eq!(fleet.our_commits().len(), 1);
    let files = fleet.stored("ms", "model", "alice/model").unwrap()["files"].to_string();
    assert!(files.contains("theirs.txt"), "{files}");
}

#[test]
fn a_repo_that_was_created_meanwhile_is_adopted_and_two_controllers_do_no_harm() {
    if !docker_or_skip(
        "a_repo_that_was_created_meanwhile_is_adopted_and_two_controllers_do_no_harm",
    ) {
        return;
    }
    let fleet = Fleet::with_model();
    fleet.admin(
        "POST",
        "/settings",
        r#"{"ms_up":10000000,"ms_commit_ms":200}"#,
    );
    let start = |state: &str| {
        fleet.start(
            fleet
                .migrate()
                .env("HF2MS_STATE", fleet.path(state))
                .env("HF2MS_RETRY_BASE", "0.05"),
        )
    };
    for running in [start("one"), start("two")] {
        let ran = running.wait();
        assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    }
    assert!(fleet.is_copied("model", "alice/model", "alice/model"));
    assert_eq!(fleet.requests("ms.create"), 2, "one of them came second");
}

#[test]
fn a_second_controller_says_who_is_first() {
    if !docker_or_skip("a_second_controller_says_who_is_first") {
        return;
    }
    let fleet = Fleet::with_model();
    let (running, _) = fleet.held_for(60_000, &mut fleet.migrate());
    let second = Ran::of(
        fleet
            .hf2ms(&["migrate", "alice/model", "--on", "docker"])
            .output()
            .unwrap(),
    );
    second.refused_with(
        1,
        "is writing to alice/model on ModelScope: wait until it ends, or end it with hf2ms stop",
    );
    running.signal("-INT");
    assert_eq!(running.wait().code, 130);
    fleet.admin("DELETE", "/faults", "");
    fleet.done(&fleet.migrated());
}

#[test]
fn a_torn_journal_costs_nothing_but_itself() {
    if !docker_or_skip("a_torn_journal_costs_nothing_but_itself") {
        return;
    }
    let fleet = Fleet::with_model();
    let running = fleet.in_mid_upload();
    running.signal("-KILL");
    drop(running);
    let journal = fleet.run_file("journal.ndjson");
    let whole = fs::read(&journal).unwrap();
    fs::write(&journal, &whole[..whole.len() - 9]).unwrap();
    fleet.finishes();
}
