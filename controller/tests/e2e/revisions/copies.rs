//! All branches and tags, in every direction, once and again.

use super::*;

#[test]
fn every_branch_and_tag_goes_to_the_one_of_its_name() {
    let world = with_history("hf", "main");
    let ran = run(&world, &ALL);
    done(&ran);
    let expected = [
        "branch main copied",
        "branch twin copied",
        "tag v1 copied",
        "branch dev/x copied",
        "tag v0 copied",
    ];
    assert_eq!(rows(&ran), expected);
    assert_eq!(
        refs(&world, "ms"),
        (
            vec!["dev/x".to_owned(), "master".into(), "twin".into()],
            vec!["v0".to_owned(), "v1".into()]
        )
    );
    for (from, to) in [
        ("main", "master"),
        ("dev/x", "dev/x"),
        ("v0", "v0"),
        ("v1", "v1"),
        ("twin", "twin"),
    ] {
        is_copied(&world, ("hf", from), ("ms", to));
    }
    assert_eq!(world.requests("ms_storage.put"), 3, "equal blobs move once");
    assert_eq!(world.requests("ms.create"), 1);
    let summary = ran.event("revisions");
    assert_eq!(
        (&summary["exit"], &summary["counts"]["copied"]),
        (&json!(0), &json!(5))
    );
    let report = ran.event("report");
    assert!(
        report["revision"].is_string(),
        "each revision's events name it: {report}"
    );
}

#[test]
fn a_person_is_told_where_the_default_branch_goes_and_gets_a_table() {
    let world = with_history("hf", "main");
    let ran = run(&world, &ALL[..3]);
    done(&ran);
    for words in [
        "3 branches and 2 tags at 3 commits: main goes to master",
        "branch dev/x  dev/x",
        "5 revisions: 5 copied",
    ] {
        assert!(ran.stdout.contains(words), "{words:?} in {}", ran.stdout);
    }
}

#[test]
fn a_second_run_moves_nothing_and_lists_nothing() {
    let world = with_history("hf", "main");
    done(&run(&world, &ALL));
    world.admin("POST", "/counters/reset", "");
    let ran = run(&world, &ALL);
    done(&ran);
    assert!(
        rows(&ran).iter().all(|row| row.ends_with(" unchanged")),
        "{:?}",
        rows(&ran)
    );
    assert_eq!(
        [
            world.requests("hf.tree"),
            world.requests("ms.files"),
            world.requests("ms.commit")
        ],
        [0, 0, 0],
        "what is proven stands"
    );
    assert!(
        world.all_requests() <= 8,
        "{} requests",
        world.all_requests()
    );
}

#[test]
fn without_proofs_everything_is_compared_and_nothing_moves() {
    let world = with_history("hf", "main");
    done(&run(&world, &ALL));
    world.admin("POST", "/counters/reset", "");
    std::fs::remove_dir_all(world.path("state")).unwrap();
    let ran = run(&world, &ALL);
    done(&ran);
    assert!(
        rows(&ran).iter().all(|row| row.ends_with(" unchanged")),
        "{:?}",
        rows(&ran)
    );
    assert_eq!(
        [
            world.requests("ms_storage.put"),
            world.requests("ms.commit"),
            world.requests("ms.git_push")
        ],
        [0, 0, 0]
    );
}

#[test]
fn a_hundred_branches_that_share_blobs_move_each_once() {
    let world = World::new();
    seed(
        &world,
        "hf",
        "main",
        &json!([{"path": "README.md", "text": "# main\n"}, blob("0.bin", 0)]),
        &json!({}),
    );
    for number in 1..100_u64 {
        // Every third branch stands at the commit of the one before it; each commit has its card, and two of ten blobs.
        let files = json!([{"path": "README.md", "text": format!("# {number}\n")}, blob("x.bin", number % 10), blob("y.bin", (number + 1) % 10)]);
        let twins = if number % 3 == 0 {
            json!({"branches": [format!("t{number}")]})
        } else {
            json!({})
        };
        seed(&world, "hf", &format!("b{number}"), &files, &twins);
    }
    let ran = run(&world, &[&ALL[..], &["--containers", "2"]].concat());
    done(&ran);
    assert_eq!((rows(&ran).len(), refs(&world, "ms").0.len()), (133, 133));
    assert_eq!(world.requests("ms_storage.put"), 10, "each blob once");
    assert_eq!(world.requests("hf.tree"), 100, "each commit is listed once");
    for branch in ["b1", "b57", "t99"] {
        is_copied(&world, ("hf", branch), ("ms", branch));
    }
}

/// The SHA-256 of a path in a list of files.
fn sha256_of(files: &Value, path: &str) -> Option<Value> {
    let mut files = files.as_array().unwrap().iter();
    files
        .find(|file| file["path"] == path)
        .map(|file| file["sha256"].clone())
}

#[test]
fn every_direction_has_its_revisions() {
    for (from, main, to, there) in [
        ("ms", "master", "hf", "main"),
        ("hf", "main", "hf", "main"),
        ("ms", "master", "ms", "master"),
    ] {
        let world = with_history(from, main);
        let source = format!("{from}:alice/model");
        let own = ["--dest", "acme/model"];
        let ran = run(
            &world,
            &[
                &["migrate", &source, "--to", to, "--all-revisions", "--json"],
                &own[..],
            ]
            .concat(),
        );
        done(&ran);
        let repo = |revision: &str| {
            world
                .admin(
                    "GET",
                    &format!("/repo?hub={to}&kind=model&id=acme/model&revision={revision}"),
                    "",
                )
                .unwrap()
        };
        let same = ["dev/x", "v0", "v1", "twin"].map(|name| (name, name));
        for (here, copy) in [(main, there)].into_iter().chain(same) {
            let files = repo(copy)["files"].clone();
            for (path, digest) in holds(&world, from, here) {
                assert_eq!(
                    sha256_of(&files, &path),
                    Some(json!(digest)),
                    "{path} at {copy} from {from} to {to}"
                );
            }
        }
        assert_eq!(
            repo(there)["branches"].as_object().unwrap().len(),
            3,
            "{from} to {to}"
        );
        // ModelScope keeps a blob once for all repos.
        let moved = if (from, to) == ("ms", "ms") { 0 } else { 3 };
        assert_eq!(
            world.requests(&format!("{to}_storage.put")),
            moved,
            "{from} to {to}"
        );
    }
}

#[test]
fn a_trial_shows_every_revision_and_creates_nothing() {
    let world = with_history("hf", "main");
    let ran = run(&world, &[&ALL[..], &["--dry-run"]].concat());
    done(&ran);
    assert!(
        rows(&ran).len() == 5 && rows(&ran).iter().all(|row| row.ends_with(" planned")),
        "{:?}",
        rows(&ran)
    );
    assert_eq!(
        ran.event("estimate")["to_move_bytes"],
        900_000,
        "each blob counts once"
    );
    assert!(world.stored("ms", "model", "alice/model").is_none() && !world.path("state").exists());
}
