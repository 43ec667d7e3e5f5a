//! All branches and tags of many repos (`hf2ms batch --all-revisions`), and what would be done about them (`hf2ms plan
//! --all-revisions`). One repo's are in `revisions.rs`.

use crate::common::history::{all_copied, blob, give_history, holds, refs, seed};
use crate::common::processes::until;
use crate::common::{ALICE, Ran, World};
use serde_json::{Value, json};

const BATCH: [&str; 5] = ["batch", "alice/ra", "alice/rb", "--all-revisions", "--json"];
/// What a failure is waited out with.
const IMPATIENT: (&str, &str) = ("HF2MS_RETRY_BASE", "0.01");

/// Two repos with a history, which share no blob; the commits of their `dev/x`.
fn two() -> (World, [String; 2]) {
    let world = World::new();
    let dev = [("alice/ra", 1), ("alice/rb", 11)]
        .map(|(id, first)| give_history(&world, "hf", id, "main", first));
    (world, dev)
}

fn run(world: &World, args: &[&str]) -> Ran {
    world.run_with(args, &[IMPATIENT])
}

/// `repo state done/of` of each row.
fn rows(ran: &Ran) -> Vec<String> {
    let rows = ran.event("batch")["repos"].clone();
    let text = |row: &Value| {
        let revisions = &row["revisions"];
        format!(
            "{} {} {}/{}",
            row["source"].as_str().unwrap(),
            row["state"].as_str().unwrap(),
            revisions["done"],
            revisions["of"]
        )
    };
    rows.as_array().unwrap().iter().map(text).collect()
}

fn reason(ran: &Ran, row: usize) -> String {
    ran.event("batch")["repos"][row]["reason"]
        .as_str()
        .unwrap_or_default()
        .to_owned()
}

fn done(ran: &Ran) {
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
}

#[test]
fn a_batch_copies_every_branch_and_tag_of_each_repo() {
    let (world, _) = two();
    let ran = run(&world, &[&BATCH[..], &["--containers", "2"]].concat());
    done(&ran);
    assert_eq!(rows(&ran), ["alice/ra moved 5/5", "alice/rb moved 5/5"]);
    ["alice/ra", "alice/rb"]
        .iter()
        .for_each(|id| all_copied(&world, id));
    assert_eq!(
        (
            world.requests("ms_storage.put"),
            world.requests("ms.create")
        ),
        (6, 2),
        "equal blobs of a repo move once"
    );
    let report = ran.event("report");
    assert!(
        report["repo"].is_string() && report["revision"].is_string(),
        "each event names both: {report}"
    );
    let batch = ran.event("batch");
    assert_eq!(
        (&batch["repos"][0]["files"], &batch["exit"]),
        (&json!(3 + 3 + 4), &json!(0)),
        "a commit's files count once: {batch}"
    );
    let again = run(&world, &BATCH);
    assert_eq!(
        (again.code, rows(&again)),
        (
            0,
            vec![
                "alice/ra there_already 5/5".to_owned(),
                "alice/rb there_already 5/5".into()
            ]
        ),
        "proven, not skipped"
    );
}

#[test]
fn a_person_is_told_of_each_repo_how_many_of_its_revisions_are_there() {
    let (world, dev) = two();
    world.fault(
        &json!({"route": "ms.commit", "kind": {"do": "status", "status": 500}, "path": dev[1]})
            .to_string(),
    );
    let ran = run(&world, &BATCH[..4]);
    assert_eq!(ran.code, 1, "{}{}", ran.stdout, ran.stderr);
    for words in [
        "moved   -           5 of 5",
        "failed  -           4 of 5",
        "2 repos: 1 moved, 1 failed",
        "alice/rb:\nrevision",
        "branch dev/x: ",
    ] {
        assert!(ran.stdout.contains(words), "{words:?} in {}", ran.stdout);
    }
}

#[test]
fn a_bad_repo_costs_only_itself_and_a_bad_revision_only_itself() {
    let (world, dev) = two();
    world.fault(
        &json!({"route": "ms.commit", "kind": {"do": "status", "status": 500}, "path": dev[0]})
            .to_string(),
    );
    let batch = [
        "batch",
        "alice/ra",
        "alice/absent",
        "alice/rb",
        "--all-revisions",
        "--json",
    ];
    let ran = run(&world, &batch);
    assert_eq!(
        (ran.code, rows(&ran)),
        (
            3,
            [
                "alice/ra failed 4/5",
                "alice/absent failed null/null",
                "alice/rb moved 5/5"
            ]
            .map(str::to_owned)
            .to_vec()
        )
    );
    assert!(
        reason(&ran, 0).starts_with("branch dev/x: ")
            && reason(&ran, 1).contains("alice/absent was found"),
        "{}",
        ran.stdout
    );
    all_copied(&world, "alice/rb");
    world.admin("DELETE", "/faults", "");
    world.admin("POST", "/counters/reset", "");
    let again = run(&world, &BATCH);
    done(&again);
    all_copied(&world, "alice/ra");
    assert_eq!(
        (
            world.requests("ms_storage.put"),
            world.requests("ms.commit")
        ),
        (0, 1),
        "only what failed is done"
    );
}

#[test]
fn a_batch_that_is_killed_goes_on_where_it_was() {
    let (world, dev) = two();
    let held = world.fault(&json!({"route": "ms.commit", "kind": {"do": "delay", "ms": 60_000}, "path": dev[0], "count": 1}).to_string());
    let running = world.start(&mut world.command(&BATCH));
    world.until_struck(held);
    // The branch that its tag was made of goes right after: a kill in between would leave it.
    let is_apart = |repo: &Value| repo["branches"].to_string().contains("hf2ms-copy-");
    let is_there = |repo: Value| repo["tags"]["v0"].is_string() && !is_apart(&repo);
    until("the other repo", || {
        world
            .stored("ms", "model", "alice/rb")
            .is_some_and(is_there)
    });
    running.signal("-KILL");
    running.wait();
    until("the end of all workers", || world.workers().is_empty());
    assert!(
        !refs(&world, "ms", "alice/ra")
            .0
            .contains(&"dev/x".to_owned()),
        "no branch of the right name holds the wrong files"
    );
    world.admin("DELETE", "/faults", "");
    world.admin("POST", "/counters/reset", "");
    let ran = run(&world, &BATCH);
    done(&ran);
    ["alice/ra", "alice/rb"]
        .iter()
        .for_each(|id| all_copied(&world, id));
    assert_eq!(world.requests("ms_storage.put"), 0, "no blob moves twice");
}

/// A batch of two repos ended with this exit code and these rows.
fn ended(ran: &Ran, code: i32, expected: [&str; 2]) {
    assert_eq!(
        (ran.code, rows(ran)),
        (code, expected.map(str::to_owned).to_vec()),
        "{}",
        ran.stdout
    );
}

#[test]
fn what_exists_is_skipped_unless_it_is_forced_or_was_left_unfinished_by_us() {
    let (world, dev) = two();
    seed(
        &world,
        "ms",
        "alice/rb",
        "master",
        &json!([blob("theirs.bin", 99)]),
        &json!({}),
    );
    world.fault(
        &json!({"route": "ms.commit", "kind": {"do": "status", "status": 500}, "path": dev[0]})
            .to_string(),
    );
    let ran = run(&world, &BATCH);
    ended(
        &ran,
        1,
        ["alice/ra failed 4/5", "alice/rb skipped null/null"],
    );
    world.admin("DELETE", "/faults", "");
    done(&run(&world, &BATCH));
    all_copied(&world, "alice/ra");
    seed(
        &world,
        "hf",
        "alice/ra",
        "new",
        &json!([blob("new.bin", 50)]),
        &json!({}),
    );
    let moved_on = run(&world, &BATCH);
    let skipped = ["alice/ra skipped null/null", "alice/rb skipped null/null"];
    ended(&moved_on, 0, skipped);
    let forced = run(&world, &[&BATCH[..], &["--force"]].concat());
    ended(&forced, 0, ["alice/ra moved 6/6", "alice/rb moved 5/5"]);
    assert!(
        holds(&world, "ms", "alice/rb", "master").contains_key("theirs.bin"),
        "nothing is deleted unasked"
    );
    assert!(holds(&world, "ms", "alice/ra", "new").contains_key("new.bin"));
}

#[test]
fn a_name_that_could_not_be_made_is_made_by_the_next_batch() {
    let (world, _) = two();
    world.fault(r#"{"route":"ms.tag","kind":{"do":"status","status":403},"path":"alice/ra"}"#);
    let ran = run(&world, &BATCH);
    assert_eq!(
        (ran.code, rows(&ran)),
        (
            3,
            vec![
                "alice/ra failed 3/5".to_owned(),
                "alice/rb moved 5/5".into()
            ]
        ),
        "{}",
        ran.stdout
    );
    assert_eq!(
        reason(&ran, 0).matches("(and 1 more)").count(),
        1,
        "{}",
        reason(&ran, 0)
    );
    world.admin("DELETE", "/faults", "");
    world.admin("POST", "/counters/reset", "");
    done(&run(&world, &BATCH));
    all_copied(&world, "alice/ra");
    assert_eq!(
        world.requests("ms.commit"),
        1,
        "v0 alone is built again: v1 stands at what is proven"
    );
    seed(
        &world,
        "hf",
        "alice/ra",
        "new",
        &json!([blob("new.bin", 50)]),
        &json!({}),
    );
    assert_eq!(
        rows(&run(&world, &BATCH))[0],
        "alice/ra skipped null/null",
        "it was whole"
    );
}

#[test]
fn a_token_that_is_revoked_half_way_ends_all() {
    let (world, _) = two();
    let names = [
        "alice/ra", "alice/rb", "alice/rc", "alice/rd", "alice/re", "alice/rf", "alice/rg",
        "alice/rh",
    ];
    names[2..]
        .iter()
        .zip(3..)
        .for_each(|(id, first)| drop(give_history(&world, "hf", id, "main", first * 10 + 1)));
    let held = world.fault(&json!({"route": "ms.batch", "kind": {"do": "delay", "ms": 3000}, "path": "alice", "count": 1}).to_string());
    let args = [&["batch", "--all-revisions", "--json"], &names[..]].concat();
    let running = world.start(world.command(&args).env(IMPATIENT.0, IMPATIENT.1));
    world.until_struck(held);
    world
        .admin(
            "POST",
            "/token/revoke",
            &json!({"token": ALICE}).to_string(),
        )
        .unwrap();
    let ran = running.wait();
    assert_eq!(ran.code, 3, "{}", ran.stdout);
    assert!(
        reason(&ran, 7).starts_with("not tried: ")
            && reason(&ran, 7).contains("refuses MODELSCOPE_TOKEN"),
        "{}",
        reason(&ran, 7)
    );
    world
        .admin(
            "POST",
            "/token/restore",
            &json!({"token": ALICE}).to_string(),
        )
        .unwrap();
    done(&run(&world, &args));
    names.iter().for_each(|id| all_copied(&world, id));
}

#[test]
fn a_source_that_names_a_revision_is_refused_by_its_place() {
    let (world, _) = two();
    let address = format!("{}/alice/ra/tree/v1", world.address("hf"));
    let file = world.path("repos.txt");
    std::fs::write(&file, format!("alice/rb\n{address}\n")).unwrap();
    let file = file.display().to_string();
    run(&world, &["batch", "--file", &file, "--all-revisions"])
        .refused_with(2, &format!("{file}:2: SOURCE names a revision"));
    assert_eq!(
        (
            run(
                &world,
                &["batch", "alice/ra", "--all-revisions", "--revision", "v1"]
            )
            .code,
            world.all_requests()
        ),
        (2, 0)
    );
}

#[test]
fn a_trial_of_a_batch_counts_revisions_and_creates_nothing() {
    let (world, _) = two();
    let ran = run(&world, &[&BATCH[..], &["--dry-run"]].concat());
    assert_eq!(
        (ran.code, rows(&ran)),
        (
            0,
            vec![
                "alice/ra planned 0/5".to_owned(),
                "alice/rb planned 0/5".into()
            ]
        ),
        "{}",
        ran.stdout
    );
    assert!(world.stored("ms", "model", "alice/ra").is_none() && !world.path("state").exists());
}

const PLAN: [&str; 3] = ["plan", "alice/ra", "--all-revisions"];

#[test]
fn a_plan_of_all_revisions_is_a_plan_a_line_with_the_names_that_it_is_for() {
    let (world, _) = two();
    let ran = crate::common::Ran::of(
        world
            .command(&PLAN)
            .env_remove("MODELSCOPE_TOKEN")
            .output()
            .unwrap(),
    );
    done(&ran);
    let plans: Vec<Value> = ran
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let names = |plan: &Value| -> Vec<String> {
        let named = plan["revisions"].as_array().unwrap().iter();
        named
            .map(|named| {
                format!(
                    "{} {}",
                    named["kind"].as_str().unwrap(),
                    named["destination"].as_str().unwrap()
                )
            })
            .collect()
    };
    let all: Vec<_> = plans.iter().map(names).collect();
    assert_eq!(
        all,
        [
            vec!["branch master", "branch twin", "tag v1"],
            vec!["branch dev/x"],
            vec!["tag v0"]
        ]
    );
    assert_eq!(
        (&plans[1]["destination"]["revision"], &plans[1]["asked"]),
        (&json!("dev/x"), &json!("dev/x"))
    );
    let step = |plan: &Value, path: &str| {
        plan["files"]
            .as_array()
            .unwrap()
            .iter()
            .find(|file| file["path"] == path)
            .unwrap()["step"]
            .clone()
    };
    assert_eq!(
        (step(&plans[0], "a.bin"), step(&plans[1], "shared.bin")),
        (json!("stream"), json!("shared")),
        "equal blobs move once"
    );
    assert!(world.stored("ms", "model", "alice/ra").is_none() && !world.path("state").exists());
}

#[test]
fn a_plan_of_all_revisions_is_shown_as_a_trial_is_and_written_to_a_file() {
    let (world, _) = two();
    let file = world.path("plans.ndjson").display().to_string();
    let ran = run(&world, &[&PLAN[..], &["--out", &file]].concat());
    done(&ran);
    for words in [
        "3 branches and 2 tags at 3 commits",
        "branch dev/x  dev/x        planned",
        "5 revisions: 5 planned",
        "written to ",
    ] {
        assert!(ran.stdout.contains(words), "{words:?} in {}", ran.stdout);
    }
    assert_eq!(std::fs::read_to_string(&file).unwrap().lines().count(), 3);
    run(&world, &["migrate", "--plan", &file])
        .refused_with(2, "hf2ms migrate SOURCE --all-revisions");
    let told = run(&world, &[&PLAN[..], &["--json", "--out", &file]].concat());
    let trial = run(
        &world,
        &[
            "migrate",
            "alice/ra",
            "--all-revisions",
            "--dry-run",
            "--json",
        ],
    );
    assert_eq!(
        told.event("revisions")["revisions"],
        trial.event("revisions")["revisions"],
        "the same as of a trial"
    );
    let played = run(&world, &[&PLAN[..], &["--simulate", "--json"]].concat());
    assert_eq!(
        (played.code, &played.event("simulation")["to_move"]),
        (0, &json!(3)),
        "{}",
        played.stdout
    );
    let limited = run(
        &world,
        &[&PLAN[..], &["--on", "modal", "--max-cost", "0"]].concat(),
    );
    limited.refused_with(3, "--max-cost allows 0 $");
}
