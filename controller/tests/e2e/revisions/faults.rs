//! Revisions that fail, runs that are killed, answers that are lost.

use super::*;

/// The state of each run is its own.
fn the_status_of_each_run_tells_of_all(world: &World) {
    let runs = run(world, &["runs", "--ids"]).stdout;
    let statuses = runs
        .lines()
        .map(|id| run(world, &["status", id, "--json"]).event("status"));
    let told: Vec<Value> = statuses.collect();
    let tells = |status: &Value| status["revisions"]["exit"] == json!(1);
    assert!(told.len() > 1 && told.iter().all(tells), "{told:?}");
    let record = &told[0]["record"];
    let said = run(world, &["status", record["id"].as_str().unwrap()]).stdout;
    assert!(
        said.contains("4 of 5 are whole") && said.contains("branch dev/x: "),
        "{said}"
    );
}

#[test]
fn a_revision_that_fails_costs_only_itself_and_leaves_nothing_behind() {
    let world = with_history("hf", "main");
    let commit = world.stored("hf", "model", "alice/model").unwrap()["branches"]["dev/x"]
        .as_str()
        .unwrap()
        .to_owned();
    world.fault(
        &json!({"route": "ms.commit", "kind": {"do": "status", "status": 500}, "path": commit})
            .to_string(),
    );
    let ran = run(&world, &ALL);
    assert_eq!(ran.code, 1, "{}", ran.stdout);
    let failed: Vec<_> = rows(&ran)
        .into_iter()
        .filter(|row| row.ends_with(" failed"))
        .collect();
    assert_eq!(failed, ["branch dev/x failed"]);
    the_status_of_each_run_tells_of_all(&world);
    assert_eq!(
        refs(&world, "ms"),
        (
            vec!["master".to_owned(), "twin".into()],
            vec!["v0".to_owned(), "v1".into()]
        )
    );
    world.admin("DELETE", "/faults", "");
    world.admin("POST", "/counters/reset", "");
    done(&run(&world, &ALL));
    is_copied(&world, ("hf", "dev/x"), ("ms", "dev/x"));
    assert_eq!(
        (
            world.requests("ms_storage.put"),
            world.requests("ms.commit")
        ),
        (0, 1),
        "only that one is done"
    );
}

// 60
#[test]
fn a_branch_whose_listing_is_silently_short_is_neither_copied_nor_called_equal() {
    let world = with_history("hf", "main");
    let commit = world.stored("hf", "model", ID).unwrap()["branches"]["dev/x"].clone();
    let cut = || {
        let kind = json!({"do": "cut", "entries": 1});
        world.fault(&json!({"route": "hf.tree", "kind": kind, "path": commit}).to_string());
    };
    let short = "the hub counts 3 files and lists 1";
    cut();
    let ran = run(&world, &ALL);
    assert!(
        ran.code == 1 && reason(&ran, "dev/x").contains(short),
        "{}",
        ran.stdout
    );
    assert!(!refs(&world, "ms").0.contains(&"dev/x".to_owned()));
    world.admin("DELETE", "/faults", "");
    world.admin("POST", "/counters/reset", "");
    done(&run(&world, &ALL));
    cut();
    let verify = ["verify", ID, "--all-revisions", "--json"];
    let ran = run(&world, &verify);
    assert!(
        ran.code == 1 && reason(&ran, "dev/x").contains(short),
        "{}",
        ran.stdout
    );
    let others = rows(&ran)
        .iter()
        .filter(|row| row.ends_with(" equal"))
        .count();
    assert_eq!(others, 4, "{}", ran.stdout);
}

#[test]
fn a_file_that_the_source_lost_costs_only_itself_in_every_revision() {
    let world = with_history("hf", "main");
    let shared = holds(&world, "hf", "dev/x")["shared.bin"].clone();
    world
        .admin(
            "POST",
            "/blob/remove",
            &json!({"hub": "hf", "sha256": shared}).to_string(),
        )
        .unwrap();
    let ran = run(&world, &ALL);
    assert_eq!(ran.code, 1, "{}", ran.stdout);
    assert!(
        reason(&ran, "dev/x").contains("shared.bin"),
        "{}",
        ran.stdout
    );
    let there = holds(&world, "ms", "dev/x");
    assert_eq!(
        there.keys().map(String::as_str).collect::<Vec<_>>(),
        [".gitattributes", "README.md", "notes.txt"]
    );
    assert!(
        holds(&world, "ms", "master").contains_key("b.bin")
            && holds(&world, "ms", "v0").contains_key("gone.bin")
    );
}

#[test]
fn a_run_that_is_killed_goes_on_where_it_was() {
    let world = with_history("hf", "main");
    let commit = world.stored("hf", "model", "alice/model").unwrap()["branches"]["dev/x"]
        .as_str()
        .unwrap()
        .to_owned();
    let rule = json!({"route": "ms.commit", "kind": {"do": "delay", "ms": 60_000}, "path": commit, "count": 1});
    let held = world.fault(&rule.to_string());
    let running = world.start(world.command(&ALL).env(HF_ALICE.0, HF_ALICE.1));
    world.until_struck(held);
    running.signal("-KILL");
    running.wait();
    until("the end of all workers", || world.workers().is_empty());
    let (branches, _) = refs(&world, "ms");
    assert!(
        branches.iter().all(|name| name != "dev/x"),
        "no branch of the right name holds the wrong files: {branches:?}"
    );
    world.admin("DELETE", "/faults", "");
    world.admin("POST", "/counters/reset", "");
    done(&run(&world, &ALL));
    assert_eq!(
        refs(&world, "ms").0,
        ["dev/x", "master", "twin"],
        "the branch apart is gone"
    );
    is_copied(&world, ("hf", "dev/x"), ("ms", "dev/x"));
    assert_eq!(world.requests("ms_storage.put"), 0, "no blob moves twice");
}

#[test]
fn a_signal_ends_it_at_once_and_the_same_command_goes_on() {
    let world = with_history("hf", "main");
    let commit = world.stored("hf", "model", "alice/model").unwrap()["branches"]["dev/x"]
        .as_str()
        .unwrap()
        .to_owned();
    let held = world.fault(&json!({"route": "ms.commit", "kind": {"do": "delay", "ms": 60_000}, "path": commit, "count": 1}).to_string());
    let running = world.start(world.command(&ALL).env(HF_ALICE.0, HF_ALICE.1));
    world.until_struck(held);
    world
        .run(&["migrate", "alice/model"])
        .refused_with(1, "is writing to alice/model");
    running.signal("-INT");
    let ran = running.wait();
    let states = [
        "branch main copied",
        "branch twin copied",
        "tag v1 copied",
        "branch dev/x failed",
        "tag v0 failed",
    ];
    assert_eq!(
        (ran.code, rows(&ran)),
        (130, states.map(str::to_owned).to_vec()),
        "{}",
        ran.stdout
    );
    until("the end of all workers", || world.workers().is_empty());
    world.admin("DELETE", "/faults", "");
    done(&run(&world, &ALL));
    assert_eq!(refs(&world, "ms").0, ["dev/x", "master", "twin"]);
}

#[test]
fn a_lost_answer_is_looked_up_before_a_branch_or_tag_is_made_again() {
    for (from, main, to, routes) in [
        ("hf", "main", "ms", ["ms.git_push", "ms.tag"]),
        ("ms", "master", "hf", ["hf.branch", "hf.tag"]),
    ] {
        for route in routes {
            for skip in 0..3 {
                let world = with_history(from, main);
                world.fault(&json!({"route": route, "kind": {"do": "lose_answer"}, "count": 1, "skip": skip}).to_string());
                let ran = run(
                    &world,
                    &[
                        "migrate",
                        &format!("{from}:alice/model"),
                        "--all-revisions",
                        "--json",
                    ],
                );
                done(&ran);
                let (branches, tags) = refs(&world, to);
                assert_eq!(
                    (branches.len(), tags.len()),
                    (3, 2),
                    "{route} {skip}: {branches:?} {tags:?}"
                );
            }
        }
    }
}

#[test]
fn a_token_that_is_revoked_half_way_ends_all() {
    let world = with_history("hf", "main");
    let commit = world.stored("hf", "model", "alice/model").unwrap()["branches"]["dev/x"]
        .as_str()
        .unwrap()
        .to_owned();
    let held = world.fault(&json!({"route": "ms.commit", "kind": {"do": "delay", "ms": 1500}, "path": commit, "count": 1}).to_string());
    let running = world.start(world.command(&ALL).env(HF_ALICE.0, HF_ALICE.1));
    world.until_struck(held);
    world
        .admin(
            "POST",
            "/token/revoke",
            &json!({"token": crate::common::ALICE}).to_string(),
        )
        .unwrap();
    let ran = running.wait();
    assert_eq!(ran.code, 3, "{}", ran.stdout);
    assert!(
        reason(&ran, "v0").starts_with("not tried: "),
        "{}",
        ran.stdout
    );
    world
        .admin(
            "POST",
            "/token/restore",
            &json!({"token": crate::common::ALICE}).to_string(),
        )
        .unwrap();
    done(&run(&world, &ALL));
    assert_eq!(refs(&world, "ms").0, ["dev/x", "master", "twin"]);
}

#[test]
fn a_commit_that_was_not_written_gets_no_branch_or_tag() {
    let answers = [
        json!({"do": "html"}),
        json!({"do": "status", "status": 404}),
        json!({"do": "status", "status": 400}),
    ];
    for answer in answers {
        let world = with_history("hf", "main");
        world.fault(&json!({"route": "ms.commit", "kind": answer}).to_string());
        let ran = run(&world, &ALL);
        assert_ne!(ran.code, 0, "{}", ran.stdout);
        assert_eq!(refs(&world, "ms"), (vec!["master".to_owned()], vec![]));
        world.admin("DELETE", "/faults", "");
        done(&run(&world, &ALL));
        is_copied(&world, ("hf", "v1"), ("ms", "v1"));
        is_copied(&world, ("hf", "dev/x"), ("ms", "dev/x"));
    }
}

#[test]
fn a_tag_waits_for_a_file_that_storage_refused() {
    let world = with_history("hf", "main");
    world.fault(r#"{"route":"ms_storage.put","kind":{"do":"status","status":416},"count":1}"#);
    assert_ne!(run(&world, &ALL).code, 0);
    done(&run(&world, &ALL));
    for (from, to) in [
        ("v0", "v0"),
        ("v1", "v1"),
        ("main", "master"),
        ("dev/x", "dev/x"),
    ] {
        is_copied(&world, ("hf", from), ("ms", to));
    }
}

#[test]
fn the_commits_of_branches_and_tags_are_counted_once_each_time() {
    let world = with_history("hf", "main");
    let counted = |ran: &crate::common::Ran| {
        let line = ran.stdout.lines().find(|line| line.contains(" commits: "));
        line.unwrap().split(": ").next().unwrap().to_owned()
    };
    let words = ["migrate", "alice/model", "--all-revisions"];
    let ran = [(); 2].map(|()| world.run(&words));
    assert_eq!(counted(&ran[0]), counted(&ran[1]));
}
