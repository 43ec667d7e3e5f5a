//! Workers in real containers: locked in, telling no secret, replaced when they die, and gone when their run is.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use std::collections::HashSet;
use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::sync::{Arc, Mutex};

use common::docker::{Podman, docker, docker_or_skip, try_docker};
use common::fleet::{Fleet, Relay, scripted_daemon};
use common::processes::{Running, until};
use common::{ALICE, Ran, World, binary};
use serde_json::{Value, json};

const READER: &str = "hf_sandboxAliceRead";

/// How a migration under way is ended.
type Way<'a> = &'a dyn Fn(&Fleet, &Running);
/// Arguments and an environment, and the exit code and the words that they end in.
type Case<'a> = (&'a [&'a str], &'a [(&'a str, &'a str)], i32, &'a str);

fn inspected(container: &str) -> Value {
    let all: Value = serde_json::from_str(&docker(&["inspect", container])).unwrap();
    all[0].clone()
}

#[test]
fn containers_copy_a_repo_and_leave_nothing() {
    if !docker_or_skip("containers_copy_a_repo_and_leave_nothing") {
        return;
    }
    let fleet = Fleet::with_model();
    let ran = Ran::of(
        fleet
            .migrate()
            .args(["--containers", "2"])
            .output()
            .unwrap(),
    );
    fleet.done(&ran);
    let report = ran.event("report");
    assert_eq!(
        (
            &report["workers"],
            &report["lost_workers"],
            &report["verification"]["equal"]
        ),
        (&json!(2), &json!(0), &json!(6))
    );
    let runs = fleet.run(&["runs", "--json"]).events();
    assert_eq!(
        (&runs[0]["on"], &runs[0]["state"]),
        (&json!("docker"), &json!("done"))
    );
    let logs = fs::read_dir(fleet.run_file("logs")).unwrap().count();
    assert_eq!(logs, 3, "of two chunks, and of the end");
}

#[test]
fn containers_read_by_git_within_a_folder_of_bounded_memory() {
    if !docker_or_skip("containers_read_by_git_within_a_folder_of_bounded_memory") {
        return;
    }
    let fleet = Fleet::beside_this_machine();
    let args = [
        "migrate",
        "alice/model",
        "--json",
        "--use-git",
        "--on",
        "docker",
        "--network",
        "host",
    ];
    fleet.done(&Ran::of(fleet.hf2ms(&args).output().unwrap()));
    assert_eq!(
        (
            fleet.requests("hf.resolve"),
            fleet.requests("hf.git_upload_pack")
        ),
        (0, 4),
        "the look, and the commit"
    );
}

/// A proxy on this machine that wants this login; who comes with it is let through to wherever they ask.
fn proxy(login: &str) -> (String, Arc<Mutex<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{login}@{}", listener.local_addr().unwrap());
    let asked = Arc::new(Mutex::new(String::new()));
    let seen = asked.clone();
    std::thread::spawn(move || {
        for mut client in listener.incoming().map_while(Result::ok) {
            let mut head = [0; 65536];
            let read = client.read(&mut head).unwrap_or(0);
            let text = String::from_utf8_lossy(&head[..read]).into_owned();
            let Some(host) = text
                .split("http://")
                .nth(1)
                .and_then(|rest| rest.split('/').next())
            else {
                continue;
            };
            let mut server = TcpStream::connect(host).unwrap();
            server.write_all(&head[..read]).unwrap();
            seen.lock().unwrap().push_str(&text);
            let (mut back, mut to_client) =
                (server.try_clone().unwrap(), client.try_clone().unwrap());
            std::thread::spawn(move || std::io::copy(&mut back, &mut to_client));
            std::thread::spawn(move || std::io::copy(&mut client, &mut server));
        }
    });
    (address, asked)
}

#[test]
fn containers_use_the_proxy_of_this_machine_and_no_password_shows() {
    if !docker_or_skip("containers_use_the_proxy_of_this_machine_and_no_password_shows") {
        return;
    }
    let fleet = Fleet::beside_this_machine();
    let (address, asked) = proxy("me:canary-word");
    let by_proxy = |args: &[&str]| {
        Ran::of(
            fleet
                .hf2ms(args)
                .env("http_proxy", &address)
                .env("HF2MS_LOG", "debug")
                .output()
                .unwrap(),
        )
    };
    let ran = by_proxy(&[
        "migrate",
        "alice/model",
        "--json",
        "--on",
        "docker",
        "--network",
        "host",
    ]);
    fleet.done(&ran);
    let storage = fleet.address("hf_storage");
    assert!(
        asked.lock().unwrap().contains(&format!("GET {storage}/")),
        "only workers read there"
    );
    let ran = [ran, by_proxy(&["doctor", "--on", "docker"])];
    assert!(
        ran[1].stderr.contains("go without http_proxy: 127.0.0.1:"),
        "{}",
        ran[1].stderr
    );
    let shown = ran.map(|ran| ran.stdout + &ran.stderr).concat() + &all_text(&fleet.path("state"));
    assert!(!shown.contains("canary-word"));
}

#[test]
fn podman_is_a_docker_too() {
    let Some(podman) = Podman::or_skipped("podman_is_a_docker_too") else {
        return;
    };
    let fleet = Fleet::beside_this_machine();
    let migrate = |args: &[&str]| {
        let args = [
            &["migrate", "alice/model", "--on", "docker", "--network"],
            args,
        ]
        .concat();
        Ran::of(
            fleet
                .hf2ms(&args)
                .env("DOCKER_HOST", &podman.address)
                .output()
                .unwrap(),
        )
    };
    migrate(&["hf2ms-absent"]).refused_with(2, "Docker has no network hf2ms-absent");
    let ran = migrate(&["host", "--json"]);
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    assert!(fleet.is_copied("model", "alice/model", "alice/model"));
    assert_eq!(ran.event("report")["lost_workers"], 0);
}

#[test]
fn branches_and_tags_go_by_containers_too() {
    if !docker_or_skip("branches_and_tags_go_by_containers_too") {
        return;
    }
    let fleet = Fleet::with_model();
    let files = json!([{"path": "shared.safetensors", "size": 3_000_000, "seed": 1}, {"path": "README.md", "text": "# dev"}]);
    fleet.seed(&json!({"hub": "hf", "kind": "model", "id": "alice/model", "revision": "dev", "files": files, "tags": ["v1"]}).to_string());
    let ran = Ran::of(fleet.migrate().arg("--all-revisions").output().unwrap());
    fleet.done(&ran);
    let repo = fleet.stored("ms", "model", "alice/model").unwrap();
    assert_eq!(
        (
            repo["branches"].as_object().unwrap().len(),
            &repo["branches"]["dev"]
        ),
        (2, &repo["tags"]["v1"])
    );
    assert_eq!(fleet.uploads().len(), 2, "equal blobs move once");
}

/// Everything under a folder, as text.
fn all_text(folder: &Path) -> String {
    let entries = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    entries
        .map(|path| {
            if path.is_dir() {
                all_text(&path)
            } else {
                String::from_utf8_lossy(&fs::read(path).unwrap()).into_owned()
            }
        })
        .collect()
}

#[test]
fn a_container_is_locked_in_and_no_token_shows() {
    if !docker_or_skip("a_container_is_locked_in_and_no_token_shows") {
        return;
    }
    let fleet = Fleet::with_model();
    let (running, worker) = fleet.held_for(
        60_000,
        fleet
            .migrate()
            .env("HF_TOKEN", READER)
            .env("HF2MS_LOG", "trace"),
    );
    let found = inspected(&worker);
    let (host, config) = (&found["HostConfig"], &found["Config"]);
    assert_eq!(
        (
            &host["ReadonlyRootfs"],
            &host["CapDrop"],
            &host["Privileged"]
        ),
        (&json!(true), &json!(["ALL"]), &json!(false))
    );
    assert_eq!(
        (&host["SecurityOpt"], &host["LogConfig"]["Type"]),
        (&json!(["no-new-privileges"]), &json!("none"))
    );
    assert_eq!(
        (&host["Memory"], &host["MemorySwap"], &host["PidsLimit"]),
        (&json!(256 << 20), &json!(256 << 20), &json!(512))
    );
    assert!(host["NanoCpus"].as_u64() >= Some(1_000_000_000), "{host}");
    assert_eq!(
        (&config["User"], &host["NetworkMode"]),
        (&json!("65532:65532"), &json!(fleet.network().name))
    );
    let (labels, run) = (
        &config["Labels"],
        fleet.run(&["runs", "--json"]).events()[0]["id"]
            .as_str()
            .unwrap()
            .to_owned(),
    );
    assert_eq!(
        (
            &labels["hf2ms.run"],
            &labels["hf2ms.verb"],
            &labels["hf2ms.chunk"]
        ),
        (&json!(run), &json!("run"), &json!("0"))
    );
    assert!(
        found["Name"]
            .as_str()
            .unwrap()
            .starts_with(&format!("/hf2ms-{}-run-0000-", run.to_lowercase())),
        "{}",
        found["Name"]
    );
    let process = format!("/proc/{}", found["State"]["Pid"]);
    let shown = ["cmdline", "environ"]
        .map(|file| fs::read_to_string(format!("{process}/{file}")).unwrap())
        .concat();
    assert!(shown.contains("--settings-on-stdin"), "{shown}");
    docker(&["kill", &worker]);
    let ran = running.wait();
    fleet.done(&ran);
    let kept = all_text(&fleet.path("state"));
    for (what, text) in [
        ("inspect", &found.to_string()),
        ("process", &shown),
        ("stdout", &ran.stdout),
        ("stderr", &ran.stderr),
        ("disk", &kept),
    ] {
        assert!(
            !text.contains(ALICE) && !text.contains(READER),
            "a token in {what}"
        );
    }
    assert!(kept.len() > 1000 && ran.event("report")["lost_workers"] == 1);
    assert!(
        fleet.losses()[0].starts_with("killed by signal 9"),
        "{:?}",
        fleet.losses()
    );
}

#[test]
fn a_container_that_wants_too_much_memory_is_replaced() {
    if !docker_or_skip("a_container_that_wants_too_much_memory_is_replaced") {
        return;
    }
    let fleet = Fleet::with(&json!([{"path": "w.safetensors", "size": 60_000_000, "seed": 1}]));
    let (running, worker) = fleet.held_for(2000, &mut fleet.migrate());
    docker(&["update", "--memory", "12m", "--memory-swap", "12m", &worker]);
    let ran = running.wait();
    fleet.done(&ran);
    assert_eq!(fleet.losses(), ["out of memory: it may have 256 MiB"]);
}

fn state(fleet: &Fleet) -> Value {
    fleet.run(&["runs", "--json"]).events()[0]["state"].clone()
}

#[test]
fn a_signal_or_a_stop_leaves_no_container_and_no_half_blob() {
    if !docker_or_skip("a_signal_or_a_stop_leaves_no_container_and_no_half_blob") {
        return;
    }
    let stop = |fleet: &Fleet, _: &Running| {
        let stopped = Ran::of(fleet.hf2ms(&["stop", "--json"]).output().unwrap());
        assert_eq!(
            (stopped.code, fleet.containers()),
            (0, vec![]),
            "{}{}",
            stopped.stdout,
            stopped.stderr
        );
        let said = &stopped.events()[0];
        assert_eq!(
            (&said["was"], &said["state"], &said["removed"]),
            (&json!("running"), &json!("interrupted"), &json!(0))
        );
    };
    let ways: [Way<'_>; 3] = [
        &|_, running| running.signal("-INT"),
        &|_, running| running.signal("-TERM"),
        &stop,
    ];
    for way in ways {
        let fleet = Fleet::with_model();
        let running = fleet.in_mid_upload();
        assert_eq!(fleet.working().len(), 1);
        way(&fleet, &running);
        let ran = running.wait();
        assert_eq!(
            (ran.code, fleet.containers()),
            (130, vec![]),
            "{}{}",
            ran.stdout,
            ran.stderr
        );
        assert_eq!(
            (
                state(&fleet),
                fleet.uploads().len(),
                fleet.our_commits().len()
            ),
            (json!("interrupted"), 1, 0)
        );
        fleet.finishes();
        let stopped = fleet.run(&["stop"]);
        assert!(
            stopped.code == 0 && stopped.stdout.contains("has ended already: it is done"),
            "{}",
            stopped.stdout
        );
    }
}

/// Kills the controller; its worker ends by itself, and what is left of it lies there.
fn killed(fleet: &Fleet) {
    let running = fleet.in_mid_upload();
    running.signal("-KILL");
    running.wait();
    until("the end of the worker", || fleet.working().is_empty());
    assert_eq!(
        (fleet.containers().len(), state(fleet)),
        (1, json!("killed"))
    );
}

#[test]
fn a_killed_controllers_containers_end_and_the_next_start_clears_them() {
    if !docker_or_skip("a_killed_controllers_containers_end_and_the_next_start_clears_them") {
        return;
    }
    let fleet = Fleet::with_model();
    killed(&fleet);
    let doctor = Ran::of(
        fleet
            .hf2ms(&[
                "doctor",
                "--on",
                "docker",
                "--network",
                &fleet.network().name,
            ])
            .output()
            .unwrap(),
    );
    assert!(
        doctor.stdout.contains("removed 1 container that run"),
        "{}{}",
        doctor.stdout,
        doctor.stderr
    );
    assert!(
        doctor.code == 0 && doctor.stdout.contains("in a container"),
        "{}",
        doctor.stdout
    );
    assert_eq!(fleet.containers(), [""; 0]);
    fleet.finishes();
}

#[test]
fn what_a_killed_run_left_is_cleared_by_stop_even_if_it_hangs() {
    if !docker_or_skip("what_a_killed_run_left_is_cleared_by_stop_even_if_it_hangs") {
        return;
    }
    let fleet = Fleet::with_model();
    let running = fleet.in_mid_upload();
    docker(&["pause", &fleet.the_worker()]);
    running.signal("-KILL");
    running.wait();
    assert_eq!(
        fleet.working().len(),
        1,
        "it can't hear that its line is cut"
    );
    let stopped = Ran::of(fleet.hf2ms(&["stop"]).output().unwrap());
    assert!(
        stopped.stdout.contains("removed 1 container")
            && stopped.stdout.contains("was killed before"),
        "{}{}",
        stopped.stdout,
        stopped.stderr
    );
    assert_eq!((stopped.code, fleet.containers()), (0, vec![]));
    fleet.finishes();
}

#[test]
fn a_start_beside_a_live_run_leaves_its_containers_alone() {
    if !docker_or_skip("a_start_beside_a_live_run_leaves_its_containers_alone") {
        return;
    }
    let fleet = Fleet::with_model();
    let (running, worker) = fleet.held_for(60_000, &mut fleet.migrate());
    let doctor = Ran::of(
        fleet
            .hf2ms(&[
                "doctor",
                "--on",
                "docker",
                "--json",
                "--network",
                &fleet.network().name,
            ])
            .output()
            .unwrap(),
    );
    assert_eq!(
        (doctor.code, fleet.working()),
        (0, vec![worker.clone()]),
        "{}{}",
        doctor.stdout,
        doctor.stderr
    );
    docker(&["kill", "--signal", "TERM", &worker]);
    fleet.done(&running.wait());
    assert_eq!(fleet.losses().len(), 1);
}

#[test]
fn a_daemon_that_goes_away_ends_it_with_one_line() {
    if !docker_or_skip("a_daemon_that_goes_away_ends_it_with_one_line") {
        return;
    }
    let fleet = Fleet::with_model();
    let relay = Relay::new();
    let running = fleet.in_mid_upload_of(fleet.migrate().env("DOCKER_HOST", &relay.address));
    relay.cut();
    let ran = running.wait();
    assert_eq!(ran.code, 1, "{}{}", ran.stdout, ran.stderr);
    assert!(
        ran.event("error")["message"]
            .as_str()
            .unwrap()
            .contains("Docker can't be reached"),
        "{}",
        ran.stdout
    );
    until("the end of the worker, whose line is cut", || {
        fleet.working().is_empty()
    });
    let stopped = Ran::of(fleet.hf2ms(&["stop"]).output().unwrap());
    assert_eq!(
        (stopped.code, fleet.containers()),
        (0, vec![]),
        "{}{}",
        stopped.stdout,
        stopped.stderr
    );
    fleet.finishes();
}

#[test]
fn workers_whose_run_breaks_off_are_removed() {
    if !docker_or_skip("workers_whose_run_breaks_off_are_removed") {
        return;
    }
    let fleet = Fleet::with_model();
    let stall = json!({"do": "stall", "after": 500_000});
    fleet.fault(&json!({"route": "ms_storage.put", "kind": stall, "count": 1, "path": fleet.sha256("b.safetensors")}).to_string());
    let held = fleet.fault(r#"{"route":"ms.batch","kind":{"do":"delay","ms":1500},"count":2}"#);
    let running = fleet.start(fleet.migrate().args(["--containers", "2"]));
    fleet.until_struck(held);
    let journal = fleet.run_file("journal.ndjson");
    fs::remove_file(&journal).unwrap();
    fs::create_dir(&journal).unwrap();
    let ran = running.wait();
    assert_eq!(
        (ran.code, fleet.containers()),
        (1, vec![]),
        "{}{}",
        ran.stdout,
        ran.stderr
    );
    assert!(
        ran.event("error")["message"]
            .as_str()
            .unwrap()
            .contains("journal.ndjson"),
        "{}",
        ran.stdout
    );
    fleet.finishes();
}

/// A daemon that can do all but make containers.
const FULL: &[(&str, u16, &str)] = &[
    (
        "/version",
        200,
        r#"{"Version":"20.10.0","ApiVersion":"1.41"}"#,
    ),
    ("/containers/json", 200, "[]"),
    ("/json", 200, "{}"),
    ("/info", 200, r#"{"NCPU":2}"#),
    (
        "/containers/create",
        500,
        r#"{"message":"mkdir /var/lib/docker/overlay2/x: no space left on device"}"#,
    ),
];

/// The same of another version or make: fields are absent, null, or have words that are not Docker's.
const ODD: &[(&str, u16, &str)] = &[
    (
        "/version",
        200,
        r#"{"Version":"4.3.1","Components":[{"Name":"Engine"}],"Platform":{}}"#,
    ),
    (
        "/containers/json",
        200,
        r#"[{"Id":"x","State":"configured","Labels":null}]"#,
    ),
    ("/json", 200, r#"{"Id":1,"Config":[]}"#),
    (
        "/networks/hubs",
        200,
        r#"{"Name":"hubs","Containers":[],"IPAM":[]}"#,
    ),
    (
        "/info",
        200,
        r#"{"NCPU":2,"CgroupVersion":"v2","Isolation":"odd"}"#,
    ),
    FULL[4],
];

#[test]
fn answers_of_other_versions_and_makes_are_taken() {
    let (world, odd) = (World::with_model(), scripted_daemon(ODD));
    for network in ["hubs", "host", "none", "slirp4netns"] {
        let args = [
            "migrate",
            "alice/model",
            "--on",
            "docker",
            "--image",
            "there",
            "--network",
            network,
        ];
        world
            .run_with(&args, &[("DOCKER_HOST", &odd)])
            .refused_with(1, "no space left on device");
    }
}

#[test]
fn whatever_is_missing_is_one_clear_line_before_anything_is_created() {
    let world = World::with_model();
    let dynamic = binary("hf2ms-worker").display().to_string();
    let script = world.scripted_worker("exit 0").display().to_string();
    let full = scripted_daemon(FULL);
    let cases: [Case<'_>; 10] = [
        (
            &[],
            &[("DOCKER_HOST", "unix:///nowhere/docker.sock")],
            1,
            "Docker can't be reached at /nowhere/docker.sock",
        ),
        (
            &[],
            &[("DOCKER_HOST", "tcp://127.0.0.1:1")],
            1,
            "Docker can't be reached at tcp://127.0.0.1:1: ",
        ),
        (
            &[],
            &[("DOCKER_HOST", "nonsense")],
            2,
            "DOCKER_HOST is 'nonsense': expected unix:///path",
        ),
        (
            &[],
            &[("DOCKER_HOST", "ssh://me@there")],
            2,
            "expected unix:///path",
        ),
        (
            &[],
            &[("DOCKER_HOST", &full), ("HF2MS_STATIC_WORKER", &dynamic)],
            2,
            "needs shared libraries",
        ),
        (
            &[],
            &[("DOCKER_HOST", &full), ("HF2MS_STATIC_WORKER", &script)],
            2,
            "is no program for x86_64 Linux",
        ),
        (
            &[],
            &[("DOCKER_HOST", &full), ("HF2MS_STATIC_WORKER", "/nowhere")],
            2,
            "HF2MS_STATIC_WORKER names /nowhere",
        ),
        (
            &["--image", "absent"],
            &[("DOCKER_HOST", &full)],
            1,
            "no space left on device",
        ),
        (&["--network", "../x"], &[], 2, "expected a name of letters"),
        (&["--image", ""], &[], 2, "expected a name of letters"),
    ];
    for (args, environment, code, words) in cases {
        let ran = world.run_with(
            &[&["migrate", "alice/model", "--on", "docker"], args].concat(),
            environment,
        );
        if words.starts_with("expected a name") {
            assert!(
                ran.code == 2 && ran.stderr.contains(words),
                "{}",
                ran.stderr
            );
        } else {
            ran.refused_with(code, words);
        }
        assert!(
            world.stored("ms", "model", "alice/model").is_none(),
            "{words}"
        );
    }
    let doctor = world.run_with(
        &["doctor", "--on", "docker"],
        &[("DOCKER_HOST", "unix:///nowhere")],
    );
    assert!(
        doctor.code == 3
            && doctor
                .stdout
                .contains("! docker            Docker can't be reached at /nowhere"),
        "{}",
        doctor.stdout
    );
    world
        .run(&["migrate", "alice/model", "--network", "x"])
        .refused_with(2, "--network is for containers of Docker");
}

#[test]
fn what_docker_lacks_is_one_clear_line_before_anything_is_created() {
    if !docker_or_skip("what_docker_lacks_is_one_clear_line_before_anything_is_created") {
        return;
    }
    let fleet = Fleet::with_model();
    let sandbox = common::docker::image("hf2ms-sandbox");
    let cases: [(&[&str], i32, &str); 3] = [
        (
            &["--image", "hf2ms-absent:1"],
            2,
            "Docker has no image hf2ms-absent:1",
        ),
        (
            &["--network", "hf2ms-absent"],
            2,
            "Docker has no network hf2ms-absent",
        ),
        (&["--image", &sandbox], 1, "can't work"),
    ];
    for (args, code, words) in cases {
        let ran = Ran::of(
            fleet
                .hf2ms(&[&["migrate", "alice/model", "--on", "docker"], args].concat())
                .output()
                .unwrap(),
        );
        ran.refused_with(code, words);
        assert!(
            fleet.stored("ms", "model", "alice/model").is_none() && fleet.containers().is_empty(),
            "{words}"
        );
    }
}

/// Whether this process may become another user, and the daemon's socket is closed to that one.
fn can_be_nobody() -> bool {
    use std::os::unix::fs::{MetadataExt, PermissionsExt};
    let socket = fs::metadata("/var/run/docker.sock");
    fs::metadata("/proc/self").unwrap().uid() == 0
        && socket.is_ok_and(|socket| socket.permissions().mode() & 2 == 0)
}

#[test]
fn no_permission_on_the_socket_is_one_clear_line() {
    if !docker_or_skip("no_permission_on_the_socket_is_one_clear_line") || !can_be_nobody() {
        return;
    }
    let world = World::with_model();
    let command = world.command(&["migrate", "alice/model", "--on", "docker"]);
    // A place that anyone may write to and run from: the build's folders may be closed.
    let open = tempfile::tempdir().unwrap();
    fs::set_permissions(
        open.path(),
        std::os::unix::fs::PermissionsExt::from_mode(0o777),
    )
    .unwrap();
    let program = open.path().join("hf2ms");
    fs::copy(command.get_program(), &program).unwrap();
    let mut nobody = std::process::Command::new(&program);
    nobody.args(command.get_args()).env_clear().envs(
        command
            .get_envs()
            .filter_map(|(name, value)| Some((name, value?))),
    );
    nobody
        .env("HF2MS_STATE", open.path().join("state"))
        .current_dir(open.path())
        .uid(65534)
        .gid(65534);
    Ran::of(nobody.output().unwrap())
        .refused_with(3, "no permission to use Docker at /var/run/docker.sock");
    assert!(world.stored("ms", "model", "alice/model").is_none());
}

/// Bytes of one blob of a hundred.
const BLOB: u64 = 2_000_000;

fn any_of<T>(mut some: Vec<T>) -> Option<T> {
    use std::hash::{BuildHasher, RandomState};
    let chance = RandomState::new().hash_one(some.len()) as usize;
    (!some.is_empty()).then(|| some.swap_remove(chance % some.len()))
}

#[test]
fn a_hundred_chunks_over_twenty_containers_survive_ten_deaths_and_a_cut_line() {
    if !docker_or_skip("a_hundred_chunks_over_twenty_containers_survive_ten_deaths_and_a_cut_line")
    {
        return;
    }
    let files: Vec<Value> = (0..100)
        .map(|n| json!({"path": format!("{n:03}.bin"), "size": BLOB, "seed": n, "lfs": true}))
        .collect();
    let fleet = Fleet::with(&json!(files));
    let slow = |rate: Option<u64>| {
        fleet
            .admin("POST", "/settings", &json!({"hf_down": rate}).to_string())
            .unwrap()
    };
    slow(Some(1_500_000));
    let mut migrate = fleet.migrate();
    migrate
        .args(["--containers", "20", "--chunk-size", "0.002"])
        .env("HF2MS_RETRY_BASE", "0.01")
        .env("HF2MS_STALL", "5");
    let running = fleet.start(&mut migrate);
    until("twenty containers", || fleet.working().len() == 20);
    let (cut, of_cut) = fleet.chunks().remove(10);
    docker(&["network", "disconnect", &fleet.network().name, &cut]);
    // Three deaths of one chunk would fail it: each dies once.
    let mut struck = HashSet::from([of_cut]);
    until("ten deaths", || {
        let mut alive = fleet.chunks();
        alive.retain(|(_, chunk)| !struck.contains(chunk));
        if let Some((victim, chunk)) = any_of(alive)
            && try_docker(&["kill", &victim]).is_ok()
        {
            struck.insert(chunk);
        }
        struck.len() > 10
    });
    slow(None);
    let ran = running.wait();
    fleet.done(&ran);
    let report = ran.event("report");
    assert_eq!(
        (&report["verification"]["equal"], &report["chunks"]),
        (&json!(100), &json!(100))
    );
    let losses = fleet.losses();
    let killed = losses
        .iter()
        .filter(|why| why.starts_with("killed by signal 9"))
        .count();
    assert_eq!(
        (killed, losses.len()),
        (10, 11),
        "one was cut off: {losses:#?}"
    );
    let mut uploads = fleet.uploads();
    uploads.sort();
    uploads.dedup();
    assert_eq!(
        (uploads.len(), fleet.uploads().len()),
        (100, 100),
        "each blob was stored once"
    );
    let counters = fleet.admin("GET", "/counters", "").unwrap();
    let moved = counters["ms_storage.put"]["bytes_in"].as_u64().unwrap();
    assert!(
        moved <= (100 + losses.len() as u64) * BLOB,
        "{moved} bytes: more than a blob a fault"
    );
}
