//! Runs in the cloud: attended, detached, as a batch, and after a killed controller.

use super::*;

#[test]
fn the_cloud_moves_commits_and_verifies_and_its_report_is_shown() {
    let (world, cloud) = world(6);
    let ran = cloud.run(&world, &MIGRATE);
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    let report = ran.event("report");
    assert_eq!(
        (&report["moved"], &report["commits"], &report["workers"]),
        (&json!(6), &json!(1), &json!(2)),
        "{report}"
    );
    assert_eq!(report["verification"]["equal"], 7);
    assert!(is_whole(&world));
    assert_eq!(
        (
            cloud.calls("run_chunk").len(),
            cloud.calls("finalize").len()
        ),
        (2, 1)
    );
}

#[test]
fn what_the_cloud_deletes_is_agreed_to_here_and_named() {
    let (world, cloud) = world(1);
    let theirs = json!({"hub": "ms", "kind": "model", "id": "alice/model", "message": "m",
        "files": [{"path": "old.txt", "text": "old"}]});
    world.seed(&theirs.to_string());
    let prune = [&MIGRATE[..], &["--prune"]].concat();
    let agreed = cloud.run(&world, &[&prune[..], &["--max-delete", "1"]].concat());
    assert_eq!(agreed.code, 0, "{}{}", agreed.stdout, agreed.stderr);
    assert_eq!(agreed.event("report")["deleted_files"], json!(["old.txt"]));
}

#[test]
fn a_batch_shares_one_app_and_attends_all_its_repos() {
    let (world, cloud) = world(2);
    world.seed(r#"{"hub":"hf","kind":"model","id":"alice/other","message":"m","files":[{"path":"a.bin","size":500000,"seed":9}]}"#);
    let batch = [
        "batch",
        "alice/model",
        "alice/other",
        "--on",
        "modal",
        "--containers",
        "2",
        "--json",
    ];
    let ran = cloud.run(&world, &batch);
    let counts = &ran.event("batch")["counts"];
    assert_eq!(
        (ran.code, &counts["moved"]),
        (0, &json!(2)),
        "{}{}",
        ran.stdout,
        ran.stderr
    );
    assert!(is_whole(&world) && world.is_copied("model", "alice/other", "alice/other"));
    assert_eq!(
        (
            cloud.calls("run_chunk").len(),
            cloud.calls("finalize").len()
        ),
        (2, 2)
    );
    let apps: std::collections::HashSet<_> = ran
        .events()
        .iter()
        .filter(|event| event["event"] == "submitted")
        .map(|event| event["app"].to_string())
        .collect();
    assert_eq!(apps.len(), 1, "{apps:?}");
}

#[test]
fn a_detached_batch_is_gone_on_with_by_the_same_command() {
    let (world, cloud) = world(2);
    world.seed(r#"{"hub":"hf","kind":"model","id":"alice/other","message":"m","files":[{"path":"a.bin","size":500000,"seed":9}]}"#);
    let batch = [
        "batch",
        "alice/model",
        "alice/other",
        "--on",
        "modal",
        "--json",
    ];
    let away = cloud.run(&world, &[&batch[..], &["--detach"]].concat());
    assert_eq!(
        (away.code, &away.event("batch")["counts"]["submitted"]),
        (0, &json!(2)),
        "{}{}",
        away.stdout,
        away.stderr
    );
    let ran = cloud.run(&world, &batch);
    assert_eq!(
        (ran.code, &ran.event("batch")["counts"]["moved"]),
        (0, &json!(2)),
        "{}{}",
        ran.stdout,
        ran.stderr
    );
    assert!(is_whole(&world) && world.is_copied("model", "alice/other", "alice/other"));
    assert_eq!(
        cloud.calls("finalize").len(),
        2,
        "nothing is submitted again"
    );
}

#[test]
fn a_second_run_is_proven_by_the_first_and_deploys_nothing() {
    let (world, cloud) = world(2);
    assert_eq!(cloud.run(&world, &MIGRATE).code, 0);
    let ran = cloud.run(&world, &MIGRATE);
    assert_eq!(
        (ran.code, &ran.event("report")["unchanged"]),
        (0, &json!(3))
    );
    assert_eq!(cloud.calls("run_chunk").len(), 2);
}

#[test]
fn a_detached_run_is_looked_after_from_elsewhere() {
    let (world, cloud) = world(4);
    detach(&world, &cloud);
    cloud.until_quiet();
    let before = status(&world, &cloud);
    assert_eq!(
        (&before["record"]["state"], &before["cloud"]["finished"]),
        (&json!("detached"), &json!(true)),
        "{before}"
    );
    let logs = cloud.run(&world, &["logs", "last"]);
    assert!(
        logs.stdout.contains("chunk 1: started") && logs.stdout.contains("verified"),
        "{}",
        logs.stdout
    );
    let attached = cloud.run(&world, &["attach", "--json"]);
    assert_eq!(
        (attached.code, &attached.event("report")["moved"]),
        (0, &json!(4)),
        "{}{}",
        attached.stdout,
        attached.stderr
    );
    assert_eq!(status(&world, &cloud)["record"]["state"], "done");
    assert!(is_whole(&world));
    let again = cloud.run(&world, &MIGRATE);
    assert_eq!(
        (again.code, cloud.calls("finalize").len()),
        (0, 1),
        "what attach has seen verified is proven"
    );
}

#[test]
fn a_controller_killed_after_its_submit_is_not_needed() {
    let (world, cloud) = world(4);
    hold(&world);
    let running = world.start(&mut cloud.command(&world, &MIGRATE));
    until("both chunks", || {
        cloud.count("run_chunk", "running") == 2 && !cloud.calls("finalize").is_empty()
    });
    running.signal("-KILL");
    drop(running);
    release(&world);
    assert_eq!(status(&world, &cloud)["record"]["state"], "detached");
    let attached = cloud.run(&world, &["attach", "--json"]);
    assert_eq!(attached.code, 0, "{}{}", attached.stdout, attached.stderr);
    assert!(is_whole(&world));
    assert_eq!(
        cloud.calls("run_chunk").len(),
        2,
        "nothing was submitted twice"
    );
}

#[test]
fn the_same_command_waits_for_the_run_that_is_in_the_cloud() {
    let (world, cloud) = world(4);
    detach(&world, &cloud);
    let ran = cloud.run(&world, &MIGRATE);
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    let reports: Vec<Value> = ran
        .events()
        .into_iter()
        .filter(|event| event["event"] == "report")
        .collect();
    assert_eq!(
        (
            reports.len(),
            &reports[0]["moved"],
            &reports[1]["unchanged"]
        ),
        (2, &json!(4), &json!(5))
    );
    assert_eq!(cloud.calls("run_chunk").len(), 2);
}

#[test]
fn a_command_for_other_files_or_another_revision_is_not_the_run_that_is_in_the_cloud() {
    let (world, cloud) = world(2);
    hold(&world);
    world.seed(r#"{"hub":"hf","kind":"model","id":"alice/model","message":"m","tags":["v1"],"files":[{"path":"x.txt","text":"x"}]}"#);
    detach(&world, &cloud);
    for other in [["--include", "*.md"], ["--revision", "v1"]] {
        let for_people = MIGRATE.into_iter().filter(|arg| *arg != "--json");
        cloud
            .run(&world, &for_people.chain(other).collect::<Vec<_>>())
            .refused_with(1, "works on alice/model on ModelScope in the cloud");
    }
}

#[test]
fn another_source_does_not_write_into_what_the_cloud_writes() {
    let (world, cloud) = world(2);
    hold(&world);
    detach(&world, &cloud);
    world.seed(r#"{"hub":"hf","kind":"model","id":"bob/other","message":"m","files":[{"path":"x.bin","size":9,"seed":3}]}"#);
    world
        .run(&["migrate", "bob/other", "--dest", "alice/model"])
        .refused_with(1, "works on alice/model on ModelScope in the cloud");
}
