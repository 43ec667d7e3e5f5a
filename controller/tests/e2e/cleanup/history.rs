//! Earlier commits: a copy at the very same commits holds them, where it shows that it has what they name.

use serde_json::json;

use super::{is_there, row, run, stays};
use crate::common::history::{blob, give_history, seed};
use crate::common::{Ran, World};

const DELETE: [&str; 3] = ["--delete", "--yes-delete", "1"];

/// A world whose `alice/model` has a history, and the digest of a large file that only an earlier commit names.
fn world() -> (World, String) {
    let world = World::new();
    give_history(&world, "hf", "alice/model", "main", 1);
    let late = |first| {
        let files = json!([blob("late.bin", first)]);
        seed(&world, "hf", "alice/model", "main", &files, &json!({}))
    };
    let earlier = late(9);
    late(10);
    let path = format!("/repo?hub=hf&kind=model&id=alice/model&revision={earlier}");
    let files = world.admin("GET", &path, "").unwrap()["files"].clone();
    let mut files = files.as_array().unwrap().iter();
    let file = files.find(|file| file["path"] == "late.bin").unwrap();
    let digest = file["sha256"].as_str().unwrap().to_owned();
    mirror(&world, &[]);
    std::fs::write(world.path("repos.txt"), "hf:alice/model hf:alice/held\n").unwrap();
    (world, digest)
}

/// `alice/held` at the same commits, without these LFS objects.
fn mirror(world: &World, without: &[&str]) {
    let (from, to) = ("alice/model", "alice/held");
    let mirror = json!({"hub": "hf", "kind": "model", "from": from, "to": to, "without": without});
    world
        .admin("POST", "/repo/mirror", &mirror.to_string())
        .unwrap();
}

fn cleanup(world: &World, more: &[&str]) -> Ran {
    let args = ["cleanup", "--file", "repos.txt", "--json"];
    run(world, &[&args[..], more].concat())
}

#[test]
fn a_mirror_that_gives_all_that_its_commits_name_holds_the_history() {
    let (world, _) = world();
    for more in [&[][..], &["--deep"]] {
        let ran = cleanup(&world, more);
        assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
        let row = row(&ran);
        assert_eq!(row["losses"]["history"], json!({"is": "held"}), "{row}");
        assert_eq!(
            (&row["losses"]["file_modes"], &row["revisions"]),
            (&json!(0), &json!(5))
        );
    }
    let ran = cleanup(&world, &DELETE);
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    assert!(!is_there(&world, "alice/model") && is_there(&world, "alice/held"));
}

#[test]
fn a_mirror_that_lacks_a_large_file_of_an_earlier_commit_does_not_hold_it() {
    let (world, earlier) = world();
    mirror(&world, &[&earlier]);
    let ran = cleanup(&world, &DELETE);
    let words =
        "(the copy has the same ones, but the copy lacks 1 of the 5 large files of all commits)";
    stays(&world, &ran, 2, "stays", words);
    let ran = cleanup(&world, &[&DELETE[..], &["--history-may-go"]].concat());
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
}

#[test]
fn a_large_file_of_an_earlier_commit_that_is_there_by_name_alone_does_not_count() {
    let (world, earlier) = world();
    let gone = json!({"do": "status", "status": 404});
    let path = format!("alice/held/{earlier}");
    world.strike("hf_storage.get", gone, json!({"path": path}));
    for more in [&[][..], &["--deep"]] {
        let ran = cleanup(&world, &[&DELETE[..], more].concat());
        let words = "it is listed, but its content can't be read there";
        stays(&world, &ran, 2, "stays", words);
    }
}

#[test]
fn a_history_that_can_not_be_read_at_the_copy_is_not_held() {
    let words = "(the copy has the same ones, but ";
    for route in ["hf.git_upload_pack", "hf.git_push"] {
        let (world, _) = world();
        let refused = json!({"do": "status", "status": 403});
        world.strike(route, refused, json!({"path": "alice/held"}));
        let ran = cleanup(&world, &DELETE);
        stays(&world, &ran, 2, "stays", words);
    }
}

#[test]
fn a_large_file_that_is_lost_while_somebody_is_asked_keeps_the_source() {
    let (world, earlier) = world();
    let path = format!("alice/held/{earlier}");
    let gone = json!({"do": "status", "status": 404});
    // Both of its ends are read.
    world.strike("hf_storage.get", gone, json!({"path": path, "skip": 2}));
    let ran = cleanup(&world, &DELETE);
    stays(
        &world,
        &ran,
        1,
        "changed",
        "more would be lost than was said",
    );
}

#[test]
fn messages_of_annotated_tags_are_named_as_lost() {
    let (world, _) = world();
    let repo = world.stored("hf", "model", "alice/model").unwrap();
    let mut lines = vec!["# service=git-upload-pack\n".to_owned()];
    let line = |id: &str, name: &str| format!("{id} {name}\n");
    for (name, id) in repo["branches"].as_object().unwrap() {
        lines.push(line(id.as_str().unwrap(), &format!("refs/heads/{name}")));
    }
    for (number, (name, id)) in repo["tags"].as_object().unwrap().iter().enumerate() {
        let name = format!("refs/tags/{name}");
        lines.push(line(&format!("{number}").repeat(40), &name));
        lines.push(line(id.as_str().unwrap(), &format!("{name}^{{}}")));
    }
    let packets = lines
        .iter()
        .map(|line| format!("{:04x}{line}", line.len() + 4));
    let mut packets: Vec<String> = packets.collect();
    packets[0].push_str("0000");
    let kind = json!({"content-type": "application/x-git-upload-pack-advertisement"});
    let body = packets.concat() + "0000";
    let told = json!({"do": "status", "status": 200, "headers": kind, "body": body});
    world.strike("hf.git_refs", told, json!({"path": "alice/model"}));
    let ran = cleanup(&world, &["--history-may-go"]);
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    assert_eq!(row(&ran)["losses"]["tag_messages"], 2);
    let ran = run(
        &world,
        &["cleanup", "--file", "repos.txt", "--history-may-go"],
    );
    assert!(ran.stdout.contains("2 tag messages"), "{}", ran.stdout);
}
