//! Whatever is in doubt, or has changed since the verification, keeps a source.

use serde_json::{Value, json};

use super::{DELETE, at_last_look, copied, is_there, run, states, stays};
use crate::common::World;

/// A commit of someone else.
fn moved() -> Value {
    json!({"do": "moved", "files": [{"path": "new.txt", "text": "new"}]})
}

#[test]
fn what_changes_on_either_side_between_the_verification_and_the_removal_stops_it() {
    for (route, words) in [
        ("hf.refs", "changed since the verification"),
        ("ms.git_refs", "the copy's branch master has changed"),
    ] {
        let world = copied();
        at_last_look(&world, route, moved());
        let ran = run(&world, &DELETE);
        stays(&world, &ran, 1, "changed", words);
        assert_eq!(world.requests("hf.delete"), 0);
    }
}

#[test]
fn a_source_that_is_not_seen_any_more_at_the_last_look_is_not_called_gone() {
    let world = copied();
    let path = "/repo?hub=hf&kind=model&id=alice/model";
    let remove = json!({"do": "meanwhile", "method": "DELETE", "path": path});
    at_last_look(&world, "hf.tree", remove);
    let ran = run(&world, &DELETE);
    let row = super::row(&ran);
    assert_eq!(
        (ran.code, &row["state"]),
        (1, &json!("changed")),
        "{}",
        ran.stdout
    );
    let reason = row["reason"].as_str().unwrap();
    assert!(reason.contains("it was there a moment ago"), "{reason}");
    assert_eq!(world.requests("hf.delete"), 0);
}

#[test]
fn the_refs_of_both_sides_and_the_readers_of_the_copy_are_asked_last_of_all() {
    let world = copied();
    assert_eq!(run(&world, &DELETE).code, 0);
    let all = world.admin("GET", "/requests", "").unwrap();
    let all = all.as_array().unwrap();
    let deleted = all
        .iter()
        .position(|asked| asked["path"].as_str().unwrap().contains("/repos/delete"));
    let last = &all[deleted.unwrap() - 4..deleted.unwrap()];
    for (origin, end) in [
        ("hf", "/refs"),
        ("hf", "info/refs"),
        ("ms", "info/refs"),
        ("ms", "/alice/model"),
    ] {
        let is_asked = |asked: &&Value| {
            let path = asked["path"].as_str().unwrap();
            let path = path.split('?').next().unwrap();
            asked["origin"] == origin && path.ends_with(end)
        };
        assert!(last.iter().any(|asked| is_asked(&asked)), "{end}: {last:?}");
    }
}

#[test]
fn a_copy_whose_head_is_not_told_is_listed_again() {
    let world = copied();
    for route in ["ms.git_refs", "ms.commits"] {
        world.always(route, json!({"do": "status", "status": 404}));
    }
    let ran = run(&world, &["cleanup", "alice/model", "--history-may-go"]);
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    at_last_look(
        &world,
        "ms.files",
        json!({"do": "moved", "files": [{"path": "b.safetensors", "size": 2_000_000, "seed": 9}]}),
    );
    let ran = run(&world, &DELETE);
    stays(
        &world,
        &ran,
        1,
        "changed",
        "b.safetensors is not there as it was",
    );
}

#[test]
fn a_short_or_empty_listing_of_the_source_makes_no_partial_copy_whole() {
    let world = World::with_model();
    let part = ["migrate", "alice/model", "--exclude", "b.safetensors"];
    assert_eq!(world.run(&part).code, 0);
    for entries in [0, 3] {
        world.clear_faults();
        world.always("hf.tree", json!({"do": "cut", "entries": entries}));
        let ran = run(&world, &DELETE);
        assert!(
            is_there(&world, "alice/model"),
            "{}{}",
            ran.stdout,
            ran.stderr
        );
        assert!([1, 2].contains(&ran.code), "{}{}", ran.stdout, ran.stderr);
        assert_eq!(states(&ran), [["alice/model", "stays"]]);
    }
}

#[test]
fn a_source_whose_files_are_not_counted_stays() {
    let world = copied();
    let commit = world.stored("hf", "model", "alice/model").unwrap()["branches"]["main"].clone();
    let told = json!({"id": "alice/model", "sha": commit, "private": false, "gated": false, "disabled": false});
    let kind = json!({"do": "status", "status": 200, "body": told});
    world.strike("hf.info", kind, json!({"path": "/api/models/"}));
    let ran = run(&world, &DELETE);
    stays(&world, &ran, 2, "stays", "does not count the files");
}

#[test]
fn a_copy_that_is_disabled_closed_absent_or_of_unknown_visibility_is_in_doubt() {
    let flags = |world: &World, flags: Value| {
        let mut all = json!({"hub": "ms", "kind": "model", "id": "alice/model"});
        all.as_object_mut()
            .unwrap()
            .extend(flags.as_object().unwrap().clone());
        world.admin("POST", "/repo", &all.to_string()).unwrap();
    };
    let world = copied();
    flags(&world, json!({"disabled": true}));
    let ran = run(&world, &DELETE);
    assert!(
        is_there(&world, "alice/model") && ran.code != 0,
        "{}",
        ran.stdout
    );
    flags(&world, json!({"disabled": false}));
    let untold = json!({"Code": 200, "Success": true, "Data": {"Name": "model", "Path": "alice"}});
    world.always(
        "ms.info",
        json!({"do": "status", "status": 200, "body": untold}),
    );
    let ran = run(&world, &DELETE);
    stays(
        &world,
        &ran,
        2,
        "stays",
        "does not say who may see the copy",
    );
    world.clear_faults();
    at_last_look(
        &world,
        "ms.info",
        json!({"do": "status", "status": 200, "body": {"Code": 200, "Success": true, "Data": {"Visibility": 1}}}),
    );
    let ran = run(&world, &DELETE);
    stays(&world, &ran, 1, "changed", "changed since the verification");
    world.clear_faults();
    world
        .admin("DELETE", "/repo?hub=ms&kind=model&id=alice/model", "")
        .unwrap();
    let ran = run(&world, &DELETE);
    stays(&world, &ran, 2, "stays", "was not found on ModelScope");
}

#[test]
fn the_first_surprise_stops_all_and_a_source_that_vanishes_is_none() {
    let world = World::new();
    let files = json!([{"path": "a.bin", "size": 300_000, "seed": 1}]);
    for id in ["alice/aa", "alice/model", "alice/zz"] {
        world.seed(&json!({"hub": "hf", "kind": "model", "id": id, "files": files}).to_string());
        super::migrated(&world, id);
    }
    let args = [
        "cleanup",
        "alice/aa",
        "alice/model",
        "alice/zz",
        "--delete",
        "--history-may-go",
        "--json",
    ];
    let skip = 1;
    let path = "alice/model/";
    world.strike(
        "hf.refs",
        moved(),
        json!({"skip": skip, "count": 1, "path": path}),
    );
    let ran = run(&world, &[&args[..], &["--yes-delete", "3"]].concat());
    assert_eq!(ran.code, 1, "{}{}", ran.stdout, ran.stderr);
    let last: Vec<_> = states(&ran)[3..].to_vec();
    let expected = [
        ["alice/aa", "removed"],
        ["alice/model", "changed"],
        ["alice/zz", "not_looked_at"],
    ];
    assert_eq!(last, expected);
    assert!(
        !is_there(&world, "alice/aa")
            && is_there(&world, "alice/model")
            && is_there(&world, "alice/zz")
    );
}

#[test]
fn history_is_lost_unless_each_branch_and_tag_has_one_commit_and_untold_is_not_one() {
    let world = copied();
    let table = ["cleanup", "alice/model", "--json"];
    let told = |count: &str| json!({"do": "status", "status": 200, "headers": {"x-total-count": count}, "body": [{"id": "x"}]});
    world.always("hf.commits", told("1"));
    let ran = run(&world, &table);
    assert_eq!(ran.code, 0, "{}", ran.stdout);
    assert_eq!(super::row(&ran)["losses"]["history"], json!({"is": "none"}));
    world.clear_faults();
    world.always("hf.commits", told("13"));
    let ran = run(&world, &table);
    stays(
        &world,
        &ran,
        1,
        "stays",
        "at least 12 earlier commits would be lost: --history-may-go agrees",
    );
    for status in [403, 404] {
        world.clear_faults();
        world.always("hf.commits", json!({"do": "status", "status": status}));
        let ran = run(&world, &table);
        stays(
            &world,
            &ran,
            1,
            "stays",
            "earlier commits, whose number is not told would be lost",
        );
    }
}

#[test]
fn a_guide_of_cleanups_has_command_lines_that_are_some() {
    use clap::Parser;
    let guide = include_str!("../../../../docs/owners.md");
    let section = guide.split("\n## Cleanup\n").nth(1).unwrap();
    let lines = section
        .lines()
        .filter_map(|line| line.strip_prefix("    hf2ms "));
    let lines: Vec<&str> = lines.map(|line| line.split("  ").next().unwrap()).collect();
    assert!(lines.len() >= 7, "{lines:?}");
    for line in lines {
        let words = ["hf2ms"].into_iter().chain(line.split_whitespace());
        if let Err(error) = hf2ms::cli::Cli::try_parse_from(words) {
            panic!("{line}: {error}");
        }
    }
}
