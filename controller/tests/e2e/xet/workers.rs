//! Files without a SHA-256, one worker alone, and a worker without Xet.

use super::*;

#[test]
fn an_unknown_way_is_refused_with_those_that_there_are() {
    let ran = World::new().run(&["migrate", "alice/model", "--transport", "pigeon"]);
    assert!(
        ran.code == 2 && ran.stderr.contains("expected auto, http or xet"),
        "{}",
        ran.stderr
    );
}

/// A file outside LFS, too large for one stream's memory, that its copy on Hugging Face keeps in LFS: how often it was read.
fn read_for_a_copy(world: &World) -> usize {
    let files = json!([{"path": "big.bin", "size": 30_000_000, "seed": 3, "lfs": false}]);
    world.seed(
        &json!({"hub": "hf", "kind": "model", "id": "alice/git", "files": files}).to_string(),
    );
    copy(
        world,
        &["hf:alice/git", "--to", "hf", "--dest", "alice/copy"],
    )
    .done();
    let digest = |id: &str| {
        world.stored("hf", "model", id).unwrap()["files"]
            .as_array()
            .unwrap()
            .iter()
            .find(|file| file["path"] == "big.bin")
            .unwrap()["sha256"]
            .clone()
    };
    assert_eq!(digest("alice/git"), digest("alice/copy"));
    let asked = world
        .asked("hf", "GET")
        .into_iter()
        .filter(|request| request["path"].as_str().unwrap().ends_with("/big.bin"));
    asked
        .filter(|request| {
            request["headers"]["range"]
                .as_str()
                .is_none_or(|range| range.starts_with("bytes=0-"))
        })
        .count()
}

#[test]
fn a_file_whose_sha256_nobody_knows_is_read_twice_and_uploaded_as_a_known_one() {
    let Some(world) = world() else { return };
    for world in [world, World::new()] {
        let read = read_for_a_copy(&world);
        let stored = ["hf_storage.put", "hf_cas.shard"].map(|route| world.requests(route));
        assert_eq!((read, stored), (2, [1, 0]));
    }
}

#[test]
fn a_storage_that_asks_to_wait_is_waited_for() {
    let Some(world) = world() else { return };
    let wait = |route: &str| {
        world.once(
            route,
            json!({"do": "status", "status": 429, "headers": {"Retry-After": "1"}}),
        )
    };
    wait("hf_cas.term");
    wait("hf_cas.reconstruction");
    by_xet(&world).done();
    assert!(world.is_whole() && world.all_struck() && world.requests("hf_storage.get") == 0);
}

/// A worker that does `alice/model` alone, in either direction.
fn alone(world: &World, worker: &Path, args: &[&str]) -> Ran {
    let mut command = Command::new(worker);
    command.arg("migrate").args(args).env_clear().envs([
        HF_ALICE,
        ("MODELSCOPE_TOKEN", crate::common::ALICE),
        IMPATIENT,
        STALL,
    ]);
    command
        .env("HF_ENDPOINT", world.address("hf"))
        .env("MODELSCOPE_ENDPOINT", world.address("ms"));
    Ran::of(command.output().unwrap())
}

#[test]
fn one_worker_alone_takes_the_way_that_is_asked_for() {
    let Some(world) = world() else { return };
    let worker = crate::common::binary("hf2ms-worker");
    world.set(json!({"hf_bridge_limit": 1_000_000}));
    let there = ["hf:alice/model", "ms:alice/model"];
    let ran = alone(
        &world,
        &worker,
        &[&there[..], &["--transport", "http"]].concat(),
    );
    assert!(
        ran.code == 1 && ran.stdout.contains("plain HTTP was asked for"),
        "{}",
        ran.stdout
    );
    world.set(json!({"hf_bridge_limit": null}));
    let asked_plainly = world.requests("hf_storage.get");
    assert_eq!(
        alone(
            &world,
            &worker,
            &[&there[..], &["--transport", "xet"]].concat()
        )
        .code,
        0
    );
    assert!(
        world.is_whole()
            && world.requests("hf_cas.term") > 0
            && world.requests("hf_storage.get") == asked_plainly
    );
}

/// The worker that `scripts/test.sh` builds without Xet; nothing, and the test is counted as skipped, where it was not built.
fn worker_without_xet() -> Option<PathBuf> {
    let made = || {
        PathBuf::from(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../target/without-xet/hf2ms-worker"
        ))
    };
    let path = std::env::var_os("HF2MS_WORKER_WITHOUT_XET").map_or_else(made, PathBuf::from);
    if !path.is_file() {
        let test = std::thread::current().name().unwrap_or("a test").to_owned();
        crate::common::docker::skipped(&format!(
            "skipped: {test}: scripts/test.sh builds {}",
            path.display()
        ));
    }
    path.is_file().then_some(path)
}

#[test]
fn a_worker_without_xet_refuses_that_way_in_one_line_and_copies_what_plain_http_serves() {
    let Some(worker) = worker_without_xet() else {
        return;
    };
    let (world, refusal) = (
        World::with_blob(SIZE),
        "this was built without Xet: use another --transport",
    );
    let mine = [
        HF_ALICE,
        IMPATIENT,
        STALL,
        ("HF2MS_WORKER", worker.to_str().unwrap()),
    ];
    world
        .run_with(&["migrate", "alice/model", "--transport", "xet"], &mine)
        .refused_with(2, refusal);
    let ran = alone(
        &world,
        &worker,
        &["hf:alice/model", "ms:alice/model", "--transport", "xet"],
    );
    assert!(
        ran.code == 2 && ran.stderr.lines().count() == 1 && ran.stderr.contains(refusal),
        "{}",
        ran.stderr
    );
    assert_eq!(world.arrived(), [""; 0]);
    world
        .run_with(&["migrate", "alice/model", "--json"], &mine)
        .done();
    assert!(world.is_whole());
}

#[test]
fn a_worker_without_xet_names_the_file_that_plain_http_does_not_serve_and_copies_the_others() {
    let Some(worker) = worker_without_xet() else {
        return;
    };
    let world = World::with_blob(SIZE);
    world.set(json!({"hf_bridge_limit": 1_000_000}));
    let mine = [
        HF_ALICE,
        IMPATIENT,
        STALL,
        ("HF2MS_WORKER", worker.to_str().unwrap()),
    ];
    let ran = world.run_with(&["migrate", "alice/model", "--json"], &mine);
    ran.failed(1, &["w.safetensors"], "this was built without Xet");
    assert_eq!(world.arrived(), ["README.md"]);
}
