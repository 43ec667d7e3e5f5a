//! The static worker and its image: what they are made of, and that they do a whole repo alone.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::common::docker::{
    LABEL, docker, docker_or_skip, image, skipped, static_worker, try_docker, unique,
};
use crate::common::{ALICE, Ran, SMALL_MODEL, World};
use serde_json::{Value, json};

/// Names and values of a container's environment.
type Environment<'a> = [(&'a str, &'a str); 3];

fn inspected(image: &str) -> Value {
    let all: Value = serde_json::from_str(&docker(&["image", "inspect", image])).unwrap();
    all[0].clone()
}

#[test]
fn the_image_is_the_binary_and_its_licences() {
    if !docker_or_skip("the_image_is_the_binary_and_its_licences") {
        return;
    }
    let name = image("hf2ms-worker");
    let image = inspected(&name);
    let binary = static_worker().metadata().unwrap().len();
    let size = image["Size"].as_u64().unwrap();
    assert!(
        (binary..binary + 1_000_000).contains(&size),
        "an image of {size} bytes for a binary of {binary}: run scripts/image.sh after a change"
    );
    assert_eq!(
        image["RootFS"]["Layers"].as_array().unwrap().len(),
        1,
        "{image}"
    );
    let config = &image["Config"];
    assert_eq!(
        (&config["User"], &config["Entrypoint"]),
        (&json!("65532:65532"), &json!(["/hf2ms-worker"]))
    );
    assert_eq!(
        config["Labels"]["org.opencontainers.image.version"],
        env!("CARGO_PKG_VERSION")
    );
    assert_eq!(
        config["Labels"]["org.opencontainers.image.title"],
        "hf2ms-worker"
    );
    let container = docker(&["create", "--label", LABEL, &name]);
    let folder = tempfile::tempdir().unwrap();
    for file in ["LICENSE", "THIRD-PARTY-LICENSES"] {
        let from = format!("{container}:/{file}");
        docker(&["cp", &from, folder.path().to_str().unwrap()]);
    }
    docker(&["rm", &container]);
    let licences = std::fs::read_to_string(folder.path().join("THIRD-PARTY-LICENSES")).unwrap();
    assert!(licences.contains("libgit2 is Copyright"), "{licences}");
}

/// Runs the worker's image beside the sandbox, with nothing that it does not need.
fn worker_beside(world: &World, environment: &Environment<'_>, args: &[&str]) -> Ran {
    worker_named(&unique("worker"), world, environment, args)
}

fn worker_named(name: &str, world: &World, environment: &Environment<'_>, args: &[&str]) -> Ran {
    let mut command = Command::new("docker");
    command.args([
        "run",
        "--rm",
        "--label",
        LABEL,
        "--name",
        name,
        "--network",
        &world.network().name,
    ]);
    command.args([
        "--read-only",
        "--cap-drop",
        "ALL",
        "--security-opt",
        "no-new-privileges",
        "--memory",
        "256m",
    ]);
    for (name, value) in environment {
        command.args(["--env", name]).env(name, value);
    }
    Ran::of(
        command
            .arg(image("hf2ms-worker"))
            .args(args)
            .output()
            .unwrap(),
    )
}

#[test]
fn a_container_copies_a_whole_repo_alone_and_again() {
    if !docker_or_skip("a_container_copies_a_whole_repo_alone_and_again") {
        return;
    }
    let world = World::in_docker_by_name();
    world.seed_small_model();
    let environment = [
        ("HF_ENDPOINT", world.address("hf")),
        ("MODELSCOPE_ENDPOINT", world.address("ms")),
        ("MODELSCOPE_TOKEN", ALICE),
    ];
    assert!(
        world.address("hf").starts_with("http://sandbox:"),
        "names are resolved in the container"
    );
    for uploads in [2, 2] {
        let ran = worker_beside(
            &world,
            &environment,
            &["migrate", "hf:alice/model", "ms:alice/model"],
        );
        assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
        assert_eq!(ran.event("verified")["equal"], 6, "{}", ran.stdout);
        assert!(world.is_copied("model", "alice/model", "alice/model"));
        assert_eq!(world.requests("ms_storage.put"), uploads);
    }
}

#[test]
fn a_container_says_what_is_refused_by_its_exit_code() {
    if !docker_or_skip("a_container_says_what_is_refused_by_its_exit_code") {
        return;
    }
    let world = World::in_docker();
    let environment = [
        ("HF_ENDPOINT", world.address("hf")),
        ("MODELSCOPE_ENDPOINT", world.address("ms")),
        ("MODELSCOPE_TOKEN", "ms-wrong"),
    ];
    world.seed_small_model();
    let codes = |args: &[&str]| worker_beside(&world, &environment, args).code;
    assert_eq!(codes(&["migrate", "hf:alice/absent", "ms:alice/model"]), 3);
    assert_eq!(codes(&["migrate", "hf:alice/model", "ms:alice/model"]), 3);
    assert_eq!(codes(&["frobnicate"]), 2);
    assert!(world.stored("ms", "model", "alice/model").is_none());
}

#[test]
fn a_container_that_is_stopped_stops_at_once() {
    if !docker_or_skip("a_container_that_is_stopped_stops_at_once") {
        return;
    }
    let world = World::in_docker();
    world.seed_small_model();
    let environment = [
        ("HF_ENDPOINT", world.address("hf")),
        ("MODELSCOPE_ENDPOINT", world.address("ms")),
        ("MODELSCOPE_TOKEN", ALICE),
    ];
    // While it looks for the repo, and while bytes move.
    for fault in [
        json!({"route": "hf.info", "kind": {"do": "delay", "ms": 60_000}}),
        json!({"route": "hf_storage.get", "kind": {"do": "stall", "after": 1}}),
    ] {
        let fault = world.fault(&fault.to_string());
        let name = unique("stopped");
        std::thread::scope(|scope| {
            let running = scope.spawn(|| {
                worker_named(
                    &name,
                    &world,
                    &environment,
                    &["migrate", "hf:alice/model", "ms:alice/model"],
                )
            });
            world.until_struck(fault);
            docker(&["stop", "--time", "10", &name]);
            assert_eq!(
                running.join().unwrap().code,
                130,
                "137 if it had to be killed"
            );
        });
        world.clear_faults();
    }
}

#[test]
fn a_sandbox_goes_with_the_test_that_started_it() {
    if !docker_or_skip("a_sandbox_goes_with_the_test_that_started_it") {
        return;
    }
    let world = World::in_docker();
    let (network, sandbox) = (
        world.network().name.clone(),
        world.network().sandbox.clone(),
    );
    drop(world);
    assert!(
        try_docker(&["container", "inspect", &sandbox]).is_err()
            && try_docker(&["network", "inspect", &network]).is_err()
    );
}

/// Compose as it is here: the plugin, or the older command.
fn compose() -> Option<Vec<&'static str>> {
    let answers = |words: &&[&str]| {
        Command::new(words[0])
            .args(&words[1..])
            .arg("version")
            .output()
            .is_ok_and(|ran| ran.status.success())
    };
    [&["docker", "compose"][..], &["docker-compose"]]
        .into_iter()
        .find(answers)
        .map(<[&str]>::to_vec)
}

/// A project of compose, taken down with this value.
struct Project(Vec<&'static str>, String);

impl Project {
    fn run(&self, args: &[&str]) -> Ran {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../docker/compose.yaml");
        let mut command = Command::new(self.0[0]);
        command
            .args(&self.0[1..])
            .args(["-f", file, "-p", &self.1])
            .args(args)
            .stdin(Stdio::null());
        Ran::of(
            command
                .env("HF2MS_ADMIN", "0")
                .env("HF2MS_VERSION", env!("CARGO_PKG_VERSION"))
                .output()
                .unwrap(),
        )
    }
}

impl Drop for Project {
    fn drop(&mut self) {
        self.run(&["down", "--volumes", "--timeout", "1"]);
    }
}

#[test]
fn compose_puts_a_worker_beside_a_sandbox() {
    let name = "compose_puts_a_worker_beside_a_sandbox";
    if !docker_or_skip(name) {
        return;
    }
    let Some(words) = compose() else {
        return skipped(&format!("skipped: {name}: no docker compose here"));
    };
    let project = Project(words, unique("compose"));
    let up = project.run(&["up", "-d", "sandbox"]);
    assert_eq!(up.code, 0, "{}{}", up.stdout, up.stderr);
    let admin = project.run(&["port", "sandbox", "8005"]).stdout;
    crate::common::ask(admin.trim(), "POST", "/seed", SMALL_MODEL).unwrap();
    let ran = project.run(&[
        "run",
        "--rm",
        "-T",
        "worker",
        "migrate",
        "hf:alice/model",
        "ms:alice/model",
    ]);
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    let copy = crate::common::ask(
        admin.trim(),
        "GET",
        "/repo?hub=ms&kind=model&id=alice/model",
        "",
    )
    .unwrap();
    assert!(copy.to_string().contains("copy/a.safetensors"), "{copy}");
}

/// A command that sees nothing but `folder`: root may do so, others in a namespace of their own.
fn in_empty_root(folder: &Path) -> Option<Command> {
    for words in [
        &["chroot"][..],
        &["unshare", "--user", "--map-root-user", "chroot"],
    ] {
        let mut command = Command::new(words[0]);
        command.args(&words[1..]).arg(folder);
        let tried = Command::new(words[0])
            .args(&words[1..])
            .args(["/", "true"])
            .output();
        if tried.is_ok_and(|ran| ran.status.success()) {
            return Some(command);
        }
    }
    None
}

#[test]
fn the_static_worker_copies_a_repo_from_an_empty_root() {
    let world = World::with_model();
    let folder = tempfile::tempdir().unwrap();
    std::fs::copy(static_worker(), folder.path().join("hf2ms-worker")).unwrap();
    let Some(mut command) = in_empty_root(folder.path()) else {
        return skipped(
            "skipped: the_static_worker_copies_a_repo_from_an_empty_root: neither root nor user namespaces here",
        );
    };
    command
        .args([
            "/hf2ms-worker",
            "migrate",
            "hf:alice/model",
            "ms:alice/model",
        ])
        .env_clear();
    command.env("PATH", std::env::var("PATH").unwrap());
    command
        .env("HF_ENDPOINT", world.address("hf"))
        .env("MODELSCOPE_ENDPOINT", world.address("ms"))
        .env("MODELSCOPE_TOKEN", ALICE);
    let ran = Ran::of(command.output().unwrap());
    assert_eq!(
        ran.code, 0,
        "no certificates, no resolver, no /tmp: {}{}",
        ran.stdout, ran.stderr
    );
    assert!(world.is_copied("model", "alice/model", "alice/model"));
}
