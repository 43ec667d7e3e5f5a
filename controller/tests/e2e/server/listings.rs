//! Listings that are long, late, circular or refused.

use super::*;

// 21
#[test]
fn a_next_page_on_another_host_is_not_fetched() {
    let world = World::with_blob(1000);
    let elsewhere = TcpListener::bind("127.0.0.1:0").unwrap();
    elsewhere.set_nonblocking(true).unwrap();
    world.once(
        "hf.tree",
        json!({"do": "next", "url": format!("http://{}/more", elsewhere.local_addr().unwrap())}),
    );
    world
        .migrate_with(&[STALL])
        .ended(1, "the listing's next page is on another host");
    assert!(elsewhere.accept().is_err() && world.requests("ms.create") == 0);
}

#[test]
fn pages_that_go_round_in_a_circle_are_left() {
    let world = World::with_blob(1000);
    world.always("hf.tree", json!({"do": "next", "url": "loop"}));
    world.once("hf.paths_info", status(404));
    world.migrate().ended(1, "go round in a circle");
    assert_eq!(
        (world.requests("hf.tree"), world.requests("ms.create")),
        (1, 0)
    );
    // The repo's description names the files, too.
    world.migrate().done();
    assert!(world.is_whole());
}

// 60
#[test]
fn a_listing_that_lost_its_next_page_is_refused_and_nothing_is_pruned() {
    let world = World::with_blobs(25, 1000);
    world.seed(
        r#"{"hub":"ms","kind":"model","id":"alice/model","files":[{"path":"of-theirs.txt","text":"t"}]}"#,
    );
    world.set(json!({"hf_page": 10}));
    let short = "the hub counts 25 files and lists 10";
    for more in [
        &[][..],
        &["--prune", "--max-delete", "100%"],
        &["--use-git"],
    ] {
        world.clear_faults();
        world.once("hf.tree", json!({"do": "lose_next"}));
        let args = [&["migrate", "alice/model"], more].concat();
        let ran = world.run_with(&args, &[IMPATIENT]);
        match more {
            // By Git every file of the commit comes, whatever the API's pages hold.
            ["--use-git"] => assert_eq!(ran.code, 0, "{}", ran.stderr),
            _ => ran.refused_with(1, short),
        }
    }
    let (there, from) = (world.arrived(), world.requests("ms.commit"));
    assert_eq!((there.len(), from), (25, 1));
    world.clear_faults();
    world.once("hf.tree", json!({"do": "lose_next"}));
    let mut worker = std::process::Command::new(crate::common::binary("hf2ms-worker"));
    worker
        .args(["migrate", "hf:alice/model", "ms:alice/alone"])
        .env_clear()
        .envs([
            ("HF_ENDPOINT", world.address("hf")),
            ("MODELSCOPE_ENDPOINT", world.address("ms")),
            ("MODELSCOPE_TOKEN", crate::common::ALICE),
        ]);
    let ran = crate::common::Ran::of(worker.output().unwrap());
    assert_eq!(ran.code, 1, "{}", ran.stdout);
    assert!(ran.stdout.contains(short) && !ran.stdout.contains("\"verified\""));
}

// 60
#[test]
fn a_dataset_of_modelscope_that_lists_less_than_its_total_is_refused() {
    let world = World::new();
    let files = json!({"count": 30, "size": 1000, "suffix": ".bin", "distinct": 2, "lfs": true});
    world.seed(
        &json!({"hub": "ms", "kind": "dataset", "id": "alice/data", "generate": files}).to_string(),
    );
    let token = ("HF_TOKEN", "hf_sandboxAliceWrite");
    let args = ["migrate", "ms:alice/data"];
    world.set(json!({"ms_page": 10}));
    let ran = world.run_with(&args, &[IMPATIENT, token]);
    assert_eq!(ran.code, 0, "pages smaller than asked for: {}", ran.stderr);
    world.always("ms.files", json!({"do": "cut", "entries": 4}));
    let args = [
        "migrate",
        "ms:alice/data",
        "--dest",
        "alice/other",
        "--repo-type",
        "dataset",
    ];
    let ran = world.run_with(&args, &[IMPATIENT, token]);
    assert!(
        ran.code == 1
            && ran
                .stderr
                .contains("the hub counts 30 entries and lists 12"),
        "{}",
        ran.stderr
    );
    assert!(world.stored("hf", "dataset", "alice/other").is_none());
}

#[test]
fn a_destination_whose_pages_repeat_themselves_is_left() {
    let world = World::new();
    let seed = |hub| {
        json!({"hub": hub, "kind": "dataset", "id": "alice/data", "files": [{"path": "a.txt", "text": "a"}]}).to_string()
    };
    world.seed(&seed("hf"));
    world.seed(&seed("ms"));
    let entry = |n| json!({"Path": format!("{n}.txt"), "Type": "blob", "Size": 0, "Sha256": ""});
    let page = json!({"Code": 200, "Success": true, "Data": {"Files": (0..200).map(entry).collect::<Vec<_>>()}});
    world.always(
        "ms.files",
        json!({"do": "status", "status": 200, "body": page}),
    );
    let ran = world.run_with(&["migrate", "alice/data"], &[IMPATIENT]);
    assert!(
        ran.code == 1 && ran.stderr.contains("repeat themselves"),
        "{}",
        ran.stderr
    );
    assert!(world.requests("ms.files") < 10 && world.requests("ms.commit") == 0);
}

// 22
#[test]
fn a_listing_that_lags_behind_the_commit_is_looked_at_again() {
    let world = World::with_model();
    world.strike(
        "ms.files",
        json!({"do": "cut", "entries": 2}),
        json!({"skip": 2, "count": 2}),
    );
    let report = world.migrate().done();
    assert_eq!(
        (
            report["verification"]["equal"].as_u64(),
            world.requests("ms.files")
        ),
        (Some(6), 5),
        "{report}"
    );
    assert!(world.is_whole());
}

#[test]
fn a_verification_that_never_agrees_is_bounded_and_no_success() {
    let world = World::with_model();
    world.strike(
        "ms.files",
        json!({"do": "cut", "entries": 2}),
        json!({"skip": 2}),
    );
    let ran = world.migrate();
    let report = ran.event("report");
    assert_eq!(
        (
            ran.code,
            report["state"].as_str(),
            world.requests("ms.files")
        ),
        (1, Some("incomplete"), 5),
        "{report}"
    );
    assert!(
        report["verification"]["missing"].as_array().unwrap().len() >= 4,
        "{report}"
    );
    world.finishes();
}

// 23
/// A model of 3,300 files and two blobs in 40 folders of a folder: more than ModelScope lists at once.
fn many() -> World {
    let world = World::new();
    let files = json!({"count": 3300, "folders": 40, "size": 1000, "prefix": "data/", "suffix": ".bin", "distinct": 2, "lfs": true});
    world.seed(
        &json!({"hub": "hf", "kind": "model", "id": "alice/model", "generate": files}).to_string(),
    );
    world
}

#[test]
fn a_listing_cut_at_its_cap_is_noticed_and_walked() {
    let world = many();
    let report = world.migrate().done();
    assert_eq!(
        (
            report["verification"]["equal"].as_u64(),
            report["moved"].as_u64()
        ),
        (Some(3300), Some(2)),
        "{report}"
    );
    assert!(
        world.is_whole() && world.requests("ms.files") > 40,
        "folder by folder"
    );
    world.seed_model(&json!([{"path": "data/00007/new.txt", "text": "n"}]));
    let report = world.migrate().done();
    assert_eq!(
        (report["unchanged"].as_u64(), report["inline"].as_u64()),
        (Some(3300), Some(1)),
        "{report}"
    );
}

#[test]
fn a_folder_too_wide_to_be_listed_is_named_and_no_success() {
    let world = World::new();
    let wide =
        json!({"count": 3010, "size": 10, "prefix": "wide/", "suffix": ".txt", "distinct": 1});
    world.seed(
        &json!({"hub": "ms", "kind": "model", "id": "alice/model", "generate": wide}).to_string(),
    );
    world.seed(
        r#"{"hub":"hf","kind":"model","id":"alice/model","files":[{"path":"a.txt","text":"a"}]}"#,
    );
    world.migrate().ended(
        1,
        "the folder wide holds 3000 or more entries, which ModelScope can't list",
    );
}

#[test]
fn pages_of_a_source_are_all_read() {
    let world = World::with_blobs(25, 1000);
    world.set(json!({"hf_page": 4}));
    world.migrate().done();
    assert!(world.requests("hf.tree") == 7 && world.is_whole());
}

#[test]
fn a_dataset_of_several_pages_is_listed_whole() {
    let world = World::new();
    let files = json!({"count": 450, "folders": 3, "size": 1000, "suffix": ".bin", "distinct": 2, "lfs": true});
    world.seed(
        &json!({"hub": "hf", "kind": "dataset", "id": "alice/data", "generate": files}).to_string(),
    );
    let ran = world.run_with(&["migrate", "alice/data", "--json"], &[IMPATIENT]);
    assert_eq!(ran.done()["verification"]["equal"], 450);
    assert!(world.is_copied("dataset", "alice/data", "alice/data"));
}

// 24
#[test]
fn a_spurious_403_on_a_later_page_of_the_source_is_retried() {
    let world = World::with_blobs(25, 1000);
    world.set(json!({"hf_page": 4}));
    world.strike("hf.tree", status(403), json!({"skip": 3, "count": 2}));
    world.migrate().done();
    assert!(world.requests("hf.tree") == 9 && world.is_whole());
}

#[test]
fn a_spurious_403_in_a_walk_of_the_destination_is_retried() {
    let world = many();
    world.strike("ms.files", status(403), json!({"skip": 10, "count": 2}));
    world.migrate().done();
    assert!(world.all_struck() && world.is_whole());
}

#[test]
fn a_spurious_403_on_a_listing_before_the_commit_or_of_the_verification_is_retried() {
    for skip in [1, 2] {
        let world = World::with_model();
        world.strike("ms.files", status(403), json!({"skip": skip, "count": 1}));
        world.migrate().done();
        assert!(world.all_struck() && world.is_whole());
    }
}

#[test]
fn a_403_that_stays_is_no_whim() {
    let world = World::with_blobs(25, 1000);
    world.set(json!({"hf_page": 4}));
    world.strike("hf.tree", status(403), json!({"skip": 3}));
    world.migrate().ended(3, "set HF_TOKEN");
    assert!(world.requests("hf.tree") <= 10 && world.requests("ms.create") == 0);
}
