//! Daemons of other versions, and what is missing on this machine.

use super::*;

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
    let arm = world.path("worker-for-arm");
    fs::write(&arm, program_for(AARCH64)).unwrap();
    let arm = arm.display().to_string();
    let full = scripted_daemon(FULL);
    let cases: [Case<'_>; 5] = [
        (
            &[],
            &[("DOCKER_HOST", &full), ("HF2MS_STATIC_WORKER", &arm)],
            2,
            "is a program for aarch64, and these containers run on x86_64: set HF2MS_STATIC_WORKER",
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
    ];
    for case in cases.into_iter().chain(WRONG_SETTINGS) {
        is_one_line(&world, case);
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

/// A migration is refused with the case's exit code and words, and creates nothing.
fn is_one_line(world: &World, (args, environment, code, words): Case<'_>) {
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

const WRONG_SETTINGS: [Case<'static>; 6] = [
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
    (&["--network", "../x"], &[], 2, "expected a name of letters"),
    (&["--image", ""], &[], 2, "expected a name of letters"),
];

#[test]
fn what_docker_lacks_is_one_clear_line_before_anything_is_created() {
    if !docker_or_skip("what_docker_lacks_is_one_clear_line_before_anything_is_created") {
        return;
    }
    let fleet = Fleet::with_model();
    let sandbox = crate::common::docker::image("hf2ms-sandbox");
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

#[test]
fn an_image_for_another_processor_is_one_clear_line_before_anything_is_created() {
    if !docker_or_skip("an_image_for_another_processor_is_one_clear_line") {
        return;
    }
    let world = World::with_model();
    let program = program_for(NOBODYS);
    let version = env!("CARGO_PKG_VERSION");
    for (processor, words) in [
        ("arm64", "is for arm64, and Docker runs amd64"),
        ("amd64", "holds a program for another processor"),
    ] {
        let image = LoadedImage::of(&program, processor, version);
        let case: Case<'_> = (&["--image", &image.0], &[], 2, words);
        is_one_line(&world, case);
        let ran = world.run(&["doctor", "--on", "docker", "--image", &image.0]);
        assert!(
            ran.code == 3 && ran.stdout.contains(words),
            "{}",
            ran.stdout
        );
    }
}

#[test]
fn doctor_names_the_version_of_the_image_beside_those_of_hf2ms_and_its_worker() {
    if !docker_or_skip("doctor_names_the_version_of_the_image") {
        return;
    }
    let world = World::new();
    let worker = fs::read(crate::common::docker::static_worker()).unwrap();
    let this = env!("CARGO_PKG_VERSION");
    let image = LoadedImage::of(&worker, "amd64", "0.0.9");
    let name = &image.0;
    let docker = ["doctor", "--on", "docker", "--network", "host"];
    let ran = world.run(&[&docker[..], &["--image", name]].concat());
    for line in [
        format!("+ hf2ms             {this} at "),
        format!("- image             0.0.9 is {name}, and hf2ms is {this}: give an --image"),
        format!("+ worker            {this} in a container"),
    ] {
        assert!(ran.stdout.contains(&line), "{line}\n{}", ran.stdout);
    }
    let mut own = world.command(&docker);
    own.env(
        "HF2MS_STATIC_WORKER",
        crate::common::docker::static_worker(),
    );
    let ran = Ran::of(own.output().unwrap());
    let line = format!("+ image             {this} is hf2ms-worker:{this}-");
    assert!(ran.stdout.contains(&line), "{}", ran.stdout);
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
