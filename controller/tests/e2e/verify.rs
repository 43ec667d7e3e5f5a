//! `hf2ms verify` from end to end: samples, whole contents on both sides, files of checksums and marks, one side alone, many repos.

use std::collections::BTreeMap;
use std::fs;

use crate::common::faults::IMPATIENT;
use crate::common::modal::Cloud;
use crate::common::{Ran, World};
use serde_json::{Value, json};

/// A world whose copy of `alice/model` is whole: blobs of these sizes and three small files.
fn copied(blobs: &[u64]) -> World {
    let world = World::new();
    let mut files = vec![
        json!({"path": "README.md", "text": "# Hello\n"}),
        json!({"path": "config.json", "text": "{}"}),
        json!({"path": "empty.txt", "text": ""}),
    ];
    files.extend(blobs.iter().enumerate().map(|(number, size)| {
        json!({"path": format!("blob-{number:02}.bin"), "size": size, "seed": number + 1})
    }));
    world.seed_model(&json!(files));
    world.migrate().done();
    world
}

fn found(ran: &Ran) -> Value {
    ran.event("verified")["verification"].clone()
}

fn digest(world: &World, path: &str) -> String {
    let repo = world.stored("hf", "model", "alice/model").unwrap();
    let mut files = repo["files"].as_array().unwrap().iter();
    let file = files.find(|file| file["path"] == path).unwrap();
    file["sha256"].as_str().unwrap().to_owned()
}

/// From now on a byte of this file is another where storage gives it.
fn spoil(world: &World, route: &str, path: &str) {
    let corrupt = json!({"do": "corrupt", "at": 150_000});
    world.strike(route, corrupt, json!({"path": digest(world, path)}));
}

#[test]
fn a_sample_tells_its_seed_and_the_same_seed_reads_the_same_files() {
    let world = copied(&[2_000; 40]);
    let read = |args: &[&str]| {
        let before = world.asked("ms_storage", "GET").len();
        let ran = world.run(&[&["verify", "alice/model", "--json"], args].concat());
        assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
        let asked = world.asked("ms_storage", "GET").split_off(before);
        // An address of storage is signed anew each second.
        let path = |request: &Value| {
            let address = request["path"].as_str().unwrap_or_default();
            address.split('?').next().unwrap_or_default().to_owned()
        };
        let mut paths: Vec<String> = asked.iter().map(path).collect();
        paths.sort();
        (paths, found(&ran)["contents"].clone())
    };
    let (first, told) = read(&["--sample", "5"]);
    assert_eq!((&told["files"], &told["of"]), (&json!(5), &json!(42)));
    let seed = told["seed"].to_string();
    let (again, told) = read(&["--sample=5", "--seed", &seed]);
    assert_eq!((&again, told["seed"].to_string()), (&first, seed.clone()));
    assert_eq!(read(&["--sample", "50%"]).1["files"], 21);
    let ran = world.run(&["verify", "alice/model", "--sample", "5", "--seed", &seed]);
    let words = format!("the first and last bytes read of 5 others, chosen of 42 by seed {seed}");
    assert!(ran.stdout.contains(&words), "{}", ran.stdout);
    let ran = world.run(&["verify", "--sample", "alice/model"]);
    assert_eq!(ran.code, 2);
    assert!(ran.stderr.contains("write --sample=1000"), "{}", ran.stderr);
}

#[test]
fn several_workers_read_every_byte_and_each_side_is_told_apart() {
    let world = copied(&[400_000; 4]);
    let deep = [
        "verify",
        "alice/model",
        "--deep",
        "--both",
        "--containers",
        "3",
        "--json",
    ];
    let sent = |route: &str| {
        let counters = world.admin("GET", "/counters", "").unwrap();
        counters[route]["bytes_out"].as_u64().unwrap_or(0)
    };
    let before = ["hf_storage.get", "ms_storage.get"].map(sent);
    let ran = world.run(&deep);
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    let contents = found(&ran)["contents"].clone();
    assert_eq!(
        (&contents["files"], &contents["bytes"]),
        (&json!(6), &json!(1_600_010))
    );
    assert_eq!(contents["source"]["files"], 6);
    for (route, before) in ["hf_storage.get", "ms_storage.get"].iter().zip(before) {
        assert!(sent(route) - before >= 1_600_000, "{route}");
    }
    spoil(&world, "ms_storage.get", "blob-00.bin");
    spoil(&world, "hf_storage.get", "blob-01.bin");
    let ran = world.run(&deep);
    let verification = found(&ran);
    let contents = &verification["contents"];
    assert_eq!(
        (
            ran.code,
            &verification["different"],
            &contents["wrong"],
            &contents["source"]["wrong"]
        ),
        (
            4,
            &json!(["blob-00.bin", "blob-01.bin"]),
            &json!(["blob-00.bin"]),
            &json!(["blob-01.bin"])
        ),
        "{verification}"
    );
}

#[test]
fn a_content_that_is_gone_is_unread_and_costs_only_itself() {
    let world = copied(&[400_000; 3]);
    let deep = ["verify", "alice/model", "--deep", "--json"];
    let gone = json!({"do": "status", "status": 404});
    world.strike(
        "ms_storage.get",
        gone,
        json!({"path": digest(&world, "blob-02.bin")}),
    );
    let ran = Ran::of(world.command(&deep).envs([IMPATIENT]).output().unwrap());
    let verification = found(&ran);
    assert_eq!(
        (ran.code, &verification["unread"][0]["path"]),
        (1, &json!("blob-02.bin"))
    );
    assert_eq!(verification["equal"], 5);
}

#[test]
fn what_cant_be_compared_leaves_a_verification_incomplete_and_the_next_command_names_the_kind() {
    let world = World::new();
    let files = json!([{"path": "d.csv", "text": "1\n"}, {"path": "../up.csv", "text": "2\n"}, {"path": "e.csv", "text": "3\n"}]);
    let mut seed = json!({"hub": "hf", "kind": "dataset", "id": "alice/data", "files": files});
    world.seed(&seed.to_string());
    seed["hub"] = json!("ms");
    seed["files"] = json!([files[0]]);
    world.seed(&seed.to_string());
    let command = ["alice/data", "--repo-type", "dataset"];
    let verify = || world.run(&[&["verify"], &command[..]].concat());
    let ran = verify();
    let next = "hf2ms migrate alice/data ms:alice/data --repo-type dataset copies what differs";
    assert!(
        ran.code == 1 && ran.stdout.contains(next),
        "{}{}",
        ran.stdout,
        ran.stderr
    );
    world.run(&[&["migrate"], &command[..]].concat());
    let ran = verify();
    assert!(
        ran.code == 1 && ran.stdout.contains("NOT ALL COMPARED"),
        "{}",
        ran.stdout
    );
    let told = world.run(&["status", "last"]);
    let first = told.stdout.lines().next().unwrap();
    assert!(first.contains("  incomplete  "), "{}", told.stdout);
}

#[test]
fn a_deep_look_compares_a_small_file_with_the_source_without_reading_that() {
    let world = copied(&[]);
    let before = world.all_requests();
    let files = json!([{"path": "config.json", "text": "[]"}]);
    let there =
        json!({"hub": "ms", "kind": "model", "id": "alice/model", "message": "m", "files": files});
    world.seed(&there.to_string());
    let ran = world.run(&["verify", "alice/model", "--deep", "--json"]);
    assert_eq!(
        (ran.code, &found(&ran)["different"]),
        (4, &json!(["config.json"]))
    );
    assert!(world.all_requests() > before);
    let read = |request: &Value| request["path"].as_str().unwrap().contains("/resolve/");
    let reads = world
        .asked("hf", "GET")
        .iter()
        .filter(|request| read(request))
        .count();
    let of_the_copy = 2;
    assert_eq!(
        reads, of_the_copy,
        "the migration alone has read the source"
    );
}

#[test]
fn modal_reads_every_byte_in_calls_of_its_own() {
    let (world, cloud) = (copied(&[300_000; 3]), Cloud::new());
    let deep = [
        "verify",
        "alice/model",
        "--deep",
        "--on",
        "modal",
        "--containers",
        "2",
        "--json",
    ];
    let ran = cloud.run(&world, &deep);
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    assert_eq!(found(&ran)["contents"]["files"], 5);
    assert_eq!(cloud.calls("run_chunk").len(), 2);
    assert_eq!(cloud.calls("finalize").len(), 0);
}

#[test]
fn each_path_gets_a_mark_and_each_equal_file_a_checksum() {
    let world = copied(&[50_000, 60_000]);
    world.seed_model(
        &json!([{"path": "new.txt", "text": "new"}, {"path": "config.json", "text": "{1}"}]),
    );
    let (marks, sums) = (world.path("marks"), world.path("SHA256SUMS"));
    let (marks_path, sums_path) = (marks.display().to_string(), sums.display().to_string());
    let files = ["--combined", &marks_path, "--checksums", &sums_path];
    let ran = world.run(&[&["verify", "alice/model"][..], &files].concat());
    assert_eq!(ran.code, 4, "{}{}", ran.stdout, ran.stderr);
    assert_eq!(
        fs::read_to_string(marks).unwrap(),
        "- .gitattributes\n= README.md\n= blob-00.bin\n= blob-01.bin\n* config.json\n- configuration.json\n= empty.txt\n+ new.txt\n"
    );
    let equal = ["README.md", "blob-00.bin", "blob-01.bin", "empty.txt"];
    let lines: String = equal
        .iter()
        .map(|path| format!("{}  {path}\n", digest(&world, path)))
        .collect();
    assert_eq!(fs::read_to_string(sums).unwrap(), lines);
    let ran = world.run(&["verify", "alice/model", "--checksums", "-"]);
    assert_eq!(ran.stdout, lines);
    let both = ["--checksums", "-", "--json"];
    world
        .run(&[&["verify", "alice/model"][..], &both].concat())
        .refused_json(2);
}

#[test]
fn a_file_of_which_no_listing_tells_the_sha256_is_read_for_its_checksum() {
    let world = copied(&[50_000]);
    let to_hf = ["migrate", "hf:alice/model", "hf:alice/twin"];
    let token = [("HF_TOKEN", "hf_sandboxAliceWrite")];
    let ran = world.run_with(&to_hf, &token);
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    let verify = [
        "verify",
        "hf:alice/model",
        "hf:alice/twin",
        "--checksums",
        "-",
    ];
    let ran = world.run_with(&verify, &token);
    let digests = |path: &str| format!("{}  {path}\n", digest(&world, path));
    let all = ["README.md", "blob-00.bin", "config.json", "empty.txt"].map(digests);
    assert_eq!((ran.code, ran.stdout), (0, all.concat()), "{}", ran.stderr);
}

#[test]
fn one_side_is_checked_alone_by_a_file_of_checksums() {
    let world = copied(&[400_000, 60_000]);
    let sums = world.path("SHA256SUMS").display().to_string();
    let write = ["verify", "alice/model", "--checksums", &sums];
    assert_eq!(world.run(&write).code, 0);
    let against = |repo: &str, more: &[&str]| {
        let before = world.requests("ms.info") + world.requests("ms.files");
        let args = [&["verify", repo, "--against", &sums, "--json"], more].concat();
        let ran = Ran::of(world.command(&args).envs([IMPATIENT]).output().unwrap());
        (
            ran,
            world.requests("ms.info") + world.requests("ms.files") - before,
        )
    };
    let checked = |ran: &Ran| ran.event("verified_against")["verification"].clone();
    let (ran, asked) = against("hf:alice/model", &[]);
    assert_eq!((ran.code, asked), (0, 0), "{}{}", ran.stdout, ran.stderr);
    assert_eq!(checked(&ran)["equal"], 5, "small files are read and hashed");
    let (ran, _) = against("ms:alice/model", &[]);
    assert_eq!(ran.code, 0);
    let extra = json!([".gitattributes", "configuration.json"]);
    assert_eq!(checked(&ran)["extra"], extra);
    spoil(&world, "ms_storage.get", "blob-00.bin");
    assert_eq!(
        against("ms:alice/model", &[]).0.code,
        0,
        "the listing alone"
    );
    let (ran, _) = against("ms:alice/model", &["--deep"]);
    assert_eq!(
        (ran.code, &checked(&ran)["different"]),
        (4, &json!(["blob-00.bin"]))
    );
    let mut text = fs::read_to_string(&sums).unwrap();
    text = text.replace("  blob-01.bin", "  ./gone.bin");
    fs::write(&sums, text).unwrap();
    let (ran, _) = against(
        "hf:alice/model",
        &["--combined", &world.path("marks").display().to_string()],
    );
    let verification = checked(&ran);
    assert_eq!(
        (ran.code, &verification["missing"]),
        (1, &json!(["gone.bin"]))
    );
    assert_eq!(verification["extra"], json!(["blob-01.bin"]));
    let marks = fs::read_to_string(world.path("marks")).unwrap();
    assert!(
        marks.contains("- blob-01.bin\n") && marks.contains("+ gone.bin\n"),
        "{marks}"
    );
    fs::write(&sums, "no checksum\n").unwrap();
    against("hf:alice/model", &[]).0.refused_json(2);
}

impl Ran {
    /// It ended with `code`, and an error event.
    fn refused_json(&self, code: i32) {
        assert_eq!(
            (self.code, &self.event("error")["exit"]),
            (code, &json!(code))
        );
    }
}

#[test]
fn many_repos_have_a_row_each_and_one_that_cannot_be_read_costs_only_itself() {
    let world = copied(&[50_000]);
    let id = |name: &str| format!("alice/{name}");
    for (name, text) in [("same", "one"), ("other", "two")] {
        let files = json!([{"path": "a.txt", "text": text}]);
        let repo =
            json!({"hub": "hf", "kind": "model", "id": id(name), "message": "m", "files": files});
        world.seed(&repo.to_string());
        assert_eq!(world.run(&["migrate", &id(name)]).code, 0);
    }
    let changed = json!({"hub": "hf", "kind": "model", "id": "alice/other", "message": "m",
        "files": [{"path": "a.txt", "text": "three"}]});
    world.seed(&changed.to_string());
    let list = world.path("list");
    fs::write(
        &list,
        "alice/same\nalice/other\nalice/none # not there\nalice/model\n",
    )
    .unwrap();
    let list = list.display().to_string();
    let ran = world.run(&["verify", "--file", &list, "--deep", "--json"]);
    let batch = ran.event("batch");
    let rows: BTreeMap<String, (String, u64)> = batch["repos"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| {
            let text = |key: &str| row[key].as_str().unwrap().to_owned();
            (
                text("source"),
                (text("state"), row["exit"].as_u64().unwrap()),
            )
        })
        .collect();
    let row = |state: &str, exit| (state.to_owned(), exit);
    assert_eq!(rows[&id("same")], row("equal", 0));
    assert_eq!(rows[&id("model")], row("equal", 0));
    assert_eq!(rows[&id("other")], row("not_equal", 4));
    assert_eq!(rows[&id("none")], row("failed", 3));
    assert_eq!(ran.code, 4, "the worst of all");
    let status = world.run(&["status", batch["run"].as_str().unwrap()]);
    assert!(status.stdout.contains("not equal"), "{}", status.stdout);
    let ran = world.run(&["verify", "--owner", "alice", "--repo-type", "model"]);
    assert_eq!(ran.code, 4);
    assert!(
        ran.stdout.contains("3 repos: 2 equal, 1 not equal")
            && ran.stdout.contains("1 different (a.txt)"),
        "{}",
        ran.stdout
    );
    let sums = ["verify", "--file", &list, "--checksums", "x"];
    assert_eq!(world.run(&sums).code, 2, "checksums are those of one repo");
}

#[test]
fn each_branch_and_tag_is_compared_with_the_copys_own() {
    let world = copied(&[50_000]);
    let at = |branch: &str, text: &str| {
        let files = json!([{"path": "config.json", "text": text}]);
        world.seed(
            &json!({"hub": "hf", "kind": "model", "id": "alice/model", "message": "m", "revision": branch, "files": files})
                .to_string(),
        );
    };
    at("dev", "[1]");
    let all = ["migrate", "alice/model", "--all-revisions"];
    let ran = world.run(&all);
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    let verify = [
        "verify",
        "alice/model",
        "--all-revisions",
        "--deep",
        "--json",
    ];
    let ran = world.run(&verify);
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    assert_eq!(ran.event("revisions")["counts"]["equal"], 2);
    at("dev", "[2]");
    at("new", "[3]");
    let ran = world.run(&verify);
    let rows = ran.event("revisions")["revisions"].clone();
    let rows: Vec<(&str, &str, u64)> = rows
        .as_array()
        .unwrap()
        .iter()
        .map(|row| {
            let text = |key: &str| row[key].as_str().unwrap();
            (text("source"), text("state"), row["exit"].as_u64().unwrap())
        })
        .collect();
    let expected = [
        ("main", "equal", 0),
        ("dev", "failed", 4),
        ("new", "failed", 1),
    ];
    assert_eq!((rows.as_slice(), ran.code), (&expected[..], 4));
}

#[test]
fn a_worker_that_dies_while_it_reads_is_replaced_and_three_deaths_leave_its_files_unread() {
    let world = copied(&[300_000; 2]);
    let deep = |script: &str| {
        let mut command = world.command(&["verify", "alice/model", "--deep", "--json"]);
        command.env("HF2MS_WORKER", world.scripted_worker(script));
        Ran::of(command.output().unwrap())
    };
    let once = format!("mkdir '{}' 2>/dev/null", world.path("once").display());
    for (when, code, unread) in [(once.as_str(), 0, 0), ("true", 1, 4)] {
        let dies =
            format!(r#"if [ "$1" = run ] && {when}; then kill -9 $$; fi; exec "$worker" "$@""#);
        let ran = deep(&dies);
        let verification = found(&ran);
        assert_eq!(ran.code, code, "{}{}", ran.stdout, ran.stderr);
        assert_eq!(verification["unread"].as_array().unwrap().len(), unread);
        let journal = fs::read_to_string(world.run_file("journal.ndjson")).unwrap();
        let lost = journal.matches(r#""entry":"lost""#).count();
        assert_eq!(lost, if unread == 0 { 1 } else { 3 });
    }
}
