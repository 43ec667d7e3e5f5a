//! Who may see and do what: signed addresses that are over, tokens that are revoked, namespaces of others, and tokens
//! that must show themselves nowhere.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use common::{ALICE, BOB, Ran, World};
use serde_json::{Value, json};

/// ModelScope's storage is an origin of its own, at signed addresses.
const SIGNED_UPLOADS: &str = r#"{"ms_uploads_at_hub":false}"#;
const READER: &str = "hf_sandboxAliceRead";
const TOKEN: (&str, &str) = ("HF_TOKEN", READER);
/// Nothing waits long in a test.
const QUICK: (&str, &str) = ("HF2MS_RETRY_BASE", "0.01");
const MIGRATE: [&str; 5] = ["migrate", "alice/model", "--json", "--containers", "1"];

fn fault(world: &World, rule: &Value) {
    world.admin("POST", "/faults", &rule.to_string()).unwrap();
}

fn seed(world: &World, hub: &str, kind: &str, id: &str, files: &Value) {
    world.seed(
        &json!({"hub": hub, "kind": kind, "id": id, "message": "m", "files": files}).to_string(),
    );
}

/// A world whose Hugging Face has one file, a blob of 2,000,000 bytes.
fn with_blob() -> World {
    let world = World::new();
    seed(
        &world,
        "hf",
        "model",
        "alice/model",
        &json!([{"path": "a.safetensors", "size": 2_000_000, "seed": 1}]),
    );
    world
}

fn migrate(world: &World) -> Ran {
    world.run_with(&MIGRATE, &[TOKEN, QUICK])
}

fn is_done(world: &World, ran: &Ran) {
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    assert!(world.is_copied("model", "alice/model", "alice/model"));
}

/// Every request so far, with what it carried.
fn requests(world: &World) -> Vec<Value> {
    world
        .admin("GET", "/requests", "")
        .unwrap()
        .as_array()
        .unwrap()
        .clone()
}

fn at<'a>(requests: &'a [Value], origin: &str) -> Vec<&'a Value> {
    requests
        .iter()
        .filter(|request| request["origin"] == origin)
        .collect()
}

/// How often a route answered with this status.
fn answers(world: &World, route: &str, status: u16) -> u64 {
    world.admin("GET", "/counters", "").unwrap()[route]["statuses"][status.to_string()]
        .as_u64()
        .unwrap_or(0)
}

/// Each hub saw its own token, and nobody saw another's.
fn tokens_stayed_home(world: &World) {
    let all = requests(world);
    for (token, home) in [(READER, "hf"), (ALICE, "ms")] {
        assert!(
            at(&all, home)
                .iter()
                .any(|request| request.to_string().contains(token)),
            "{home} was asked without its token"
        );
        let strays: Vec<_> = all
            .iter()
            .filter(|request| request["origin"] != home && request.to_string().contains(token))
            .collect();
        assert!(strays.is_empty(), "{strays:?}");
    }
}

#[test]
fn an_address_that_expired_before_its_download_is_asked_for_again() {
    let world = with_blob();
    fault(
        &world,
        &json!({"route": "hf.lfs_batch", "count": 1, "kind": {"do": "expired"}}),
    );
    is_done(&world, &migrate(&world));
    assert_eq!(
        (
            answers(&world, "hf_storage.get", 403),
            world.requests("hf.lfs_batch")
        ),
        (1, 2)
    );
}

#[test]
fn an_address_that_expired_before_its_upload_is_asked_for_again() {
    let world = with_blob();
    world.admin("POST", "/settings", SIGNED_UPLOADS).unwrap();
    fault(
        &world,
        &json!({"route": "ms.batch", "count": 1, "kind": {"do": "expired"}}),
    );
    is_done(&world, &migrate(&world));
    assert_eq!(
        (
            answers(&world, "ms_storage.put", 403),
            world.requests("ms.batch")
        ),
        (1, 3),
        "the committer asks too"
    );
    tokens_stayed_home(&world);
}

#[test]
fn addresses_that_live_for_a_second_suffice_for_a_queue_of_several() {
    let world = World::new();
    let files: Vec<_> = (0..20)
        .map(|n| json!({"path": format!("{n}.bin"), "size": 150_000, "seed": n}))
        .collect();
    seed(&world, "hf", "model", "alice/model", &json!(files));
    world
        .admin("POST", "/settings", r#"{"url_ttl_s":1,"hf_down":1000000}"#)
        .unwrap();
    is_done(&world, &migrate(&world));
    assert!(
        world.requests("hf.lfs_batch") > 1,
        "they were over before the queue was"
    );
    assert!(
        world.requests("hf_storage.get") < 60,
        "{}",
        world.requests("hf_storage.get")
    );
}

#[test]
fn an_address_that_is_always_expired_fails_its_file_and_ends() {
    for (route, refused) in [
        ("hf.lfs_batch", "hf_storage.get"),
        ("ms.batch", "ms_storage.put"),
    ] {
        let world = with_blob();
        world.admin("POST", "/settings", SIGNED_UPLOADS).unwrap();
        seed(
            &world,
            "hf",
            "model",
            "alice/model",
            &json!([{"path": "notes.txt", "text": "small"}]),
        );
        fault(&world, &json!({"route": route, "kind": {"do": "expired"}}));
        let ran = migrate(&world);
        let report = ran.event("report");
        assert_eq!(
            (ran.code, report["failed"][0]["path"].as_str()),
            (1, Some("a.safetensors")),
            "{route}: {}",
            ran.stdout
        );
        assert_eq!(
            (
                report["failed"].as_array().unwrap().len(),
                report["verification"]["equal"].as_u64()
            ),
            (1, Some(1)),
            "{report}"
        );
        assert!(
            report["failed"][0]["error"]
                .as_str()
                .unwrap()
                .contains("expired"),
            "{report}"
        );
        assert!(
            (2..60).contains(&answers(&world, refused, 403)),
            "{refused} said no {} times",
            answers(&world, refused, 403)
        );
        assert!(
            !world
                .stored("ms", "model", "alice/model")
                .unwrap()
                .to_string()
                .contains("a.safetensors")
        );
    }
}

#[test]
fn an_address_that_expires_in_mid_file_is_renewed_and_the_file_goes_on_where_it_was() {
    let world = with_blob();
    let expired = "<Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>";
    fault(
        &world,
        &json!({"route": "hf_storage.get", "count": 1, "kind": {"do": "truncate", "after": 1_200_000}}),
    );
    fault(
        &world,
        &json!({"route": "hf_storage.get", "skip": 1, "count": 1, "kind": {"do": "status", "status": 403, "body": expired}}),
    );
    is_done(&world, &migrate(&world));
    assert_eq!(
        (
            world.requests("hf.lfs_batch"),
            world.requests("ms_storage.put")
        ),
        (2, 1),
        "the upload stayed open"
    );
    let requests = requests(&world);
    let ranges: Vec<_> = at(&requests, "hf_storage")
        .iter()
        .map(|get| get["headers"]["range"].as_str().unwrap_or("all").to_owned())
        .collect();
    assert_eq!(
        ranges,
        ["all", "bytes=1200000-1999999", "bytes=1200000-1999999"]
    );
}

/// Starts a migration and takes a token away as soon as `route` has been asked; returns how it ended.
fn revoked_after(world: &World, route: &str, token: &str) -> Ran {
    let mut command = world.command(&MIGRATE);
    command
        .envs([TOKEN, QUICK])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let child = command.spawn().unwrap();
    let began = Instant::now();
    while world.requests(route) == 0 {
        assert!(
            began.elapsed() < Duration::from_secs(120),
            "{route} was never asked"
        );
        std::thread::sleep(Duration::from_millis(5));
    }
    world
        .admin(
            "POST",
            "/token/revoke",
            &json!({"token": token}).to_string(),
        )
        .unwrap();
    let output = child.wait_with_output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Ran {
        code: output.status.code().unwrap(),
        stdout: text(output.stdout),
        stderr: text(output.stderr),
    }
}

fn refusals(world: &World, hub: &str) -> u64 {
    requests(world)
        .iter()
        .filter(|request| request["origin"] == hub && request["status"] == 401)
        .count() as u64
}

/// The same command goes on where it was, once the token is good again.
fn finishes_with(world: &World, token: &str) {
    world
        .admin(
            "POST",
            "/token/restore",
            &json!({"token": token}).to_string(),
        )
        .unwrap();
    world
        .admin("POST", "/settings", r#"{"hf_down":null}"#)
        .unwrap();
    is_done(world, &migrate(world));
}

#[test]
fn a_destinations_token_revoked_half_way_ends_it_with_a_handful_of_requests() {
    let world = World::new();
    let files: Vec<_> = (0..1_280)
        .map(|n| json!({"path": format!("{n}.bin"), "size": 1_000, "seed": n}))
        .collect();
    seed(&world, "hf", "model", "alice/model", &json!(files));
    world
        .admin("POST", "/settings", r#"{"hf_down":200000}"#)
        .unwrap();
    let ran = revoked_after(&world, "ms_storage.put", ALICE);
    assert_eq!(ran.code, 3, "{}{}", ran.stdout, ran.stderr);
    assert!(ran.stdout.contains("MODELSCOPE_TOKEN"), "{}", ran.stdout);
    assert!(
        (1..=8).contains(&refusals(&world, "ms")),
        "{} refusals",
        refusals(&world, "ms")
    );
    assert_eq!(
        world.requests("ms.commit"),
        0,
        "nothing is committed of what was cut short"
    );
    finishes_with(&world, ALICE);
}

#[test]
fn a_sources_token_revoked_half_way_ends_it_with_a_handful_of_requests() {
    let world = World::new();
    let blobs = (0..1_280).map(|n| json!({"path": format!("{n}.bin"), "size": 1_000, "seed": n}));
    let texts = (0..200).map(|n| json!({"path": format!("{n}.txt"), "size": 100, "seed": n}));
    seed(
        &world,
        "hf",
        "model",
        "alice/model",
        &json!(blobs.chain(texts).collect::<Vec<_>>()),
    );
    world
        .admin(
            "POST",
            "/repo",
            r#"{"hub":"hf","kind":"model","id":"alice/model","private":true}"#,
        )
        .unwrap();
    world
        .admin("POST", "/settings", r#"{"hf_down":200000}"#)
        .unwrap();
    let ran = revoked_after(&world, "ms_storage.put", READER);
    assert_eq!(ran.code, 3, "{}{}", ran.stdout, ran.stderr);
    assert!(ran.stdout.contains("HF_TOKEN"), "{}", ran.stdout);
    assert!(
        (1..=8).contains(&refusals(&world, "hf")),
        "{} refusals",
        refusals(&world, "hf")
    );
    assert_eq!(
        world.requests("ms.commit"),
        0,
        "nothing is committed of what was cut short"
    );
    finishes_with(&world, READER);
}

#[test]
fn a_sources_token_revoked_while_small_files_are_read_is_no_storm_either() {
    let world = World::new();
    // Not so many that they come by Git in one go.
    let texts: Vec<_> = (0..190)
        .map(|n| json!({"path": format!("{n}.txt"), "size": 15_000, "seed": n}))
        .collect();
    seed(&world, "hf", "model", "alice/model", &json!(texts));
    world
        .admin(
            "POST",
            "/repo",
            r#"{"hub":"hf","kind":"model","id":"alice/model","private":true}"#,
        )
        .unwrap();
    world
        .admin("POST", "/settings", r#"{"hf_down":200000}"#)
        .unwrap();
    let ran = revoked_after(&world, "hf.resolve", READER);
    assert_eq!(ran.code, 3, "{}{}", ran.stdout, ran.stderr);
    assert!(ran.stdout.contains("HF_TOKEN"), "{}", ran.stdout);
    assert!(
        (1..=32).contains(&refusals(&world, "hf")),
        "{} refusals: what was under way, and no more",
        refusals(&world, "hf")
    );
    assert_eq!(
        world.requests("ms.commit"),
        0,
        "nothing is committed of what was cut short"
    );
    finishes_with(&world, READER);
}

#[test]
fn a_namespace_that_is_not_ours_is_found_before_any_byte_moves() {
    for kind in ["model", "dataset"] {
        let world = World::new();
        let files =
            json!([{"path": "a.bin", "size": 5000, "seed": 1}, {"path": "b.txt", "text": "small"}]);
        seed(&world, "hf", kind, "alice/model", &files);
        world
            .run_with(&["migrate", "alice/model"], &[("MODELSCOPE_TOKEN", BOB)])
            .refused_with(3, "may not write to alice/model");
        assert_eq!(world.admin("GET", "/repos?hub=ms", "").unwrap(), json!([]));
        no_byte_moved(&world);
    }
}

fn no_byte_moved(world: &World) {
    let routes = [
        "hf_storage.get",
        "hf.resolve",
        "ms_storage.put",
        "ms.commit",
    ];
    assert_eq!(routes.map(|route| world.requests(route)), [0; 4]);
}

#[test]
fn a_repo_of_someone_else_is_refused_before_any_byte_moves_whatever_would_be_written() {
    for files in [
        json!([{"path": "a.bin", "size": 5000, "seed": 1}]),
        json!([{"path": "b.txt", "text": "inline only"}]),
    ] {
        let world = World::new();
        seed(&world, "hf", "model", "alice/model", &files);
        seed(
            &world,
            "ms",
            "model",
            "alice/model",
            &json!([{"path": "theirs.txt", "text": "x"}]),
        );
        let before = world.stored("ms", "model", "alice/model").unwrap();
        world
            .run_with(&["migrate", "alice/model"], &[("MODELSCOPE_TOKEN", BOB)])
            .refused_with(3, "may not write to alice/model");
        no_byte_moved(&world);
        assert_eq!(
            world.stored("ms", "model", "alice/model").unwrap()["head"],
            before["head"]
        );
    }
}

#[test]
fn deletions_alone_need_permission_too() {
    let world = World::new();
    let same = json!({"path": "a.txt", "text": "a"});
    seed(&world, "hf", "model", "alice/model", &json!([same]));
    seed(
        &world,
        "ms",
        "model",
        "alice/model",
        &json!([same, {"path": "theirs.txt", "text": "x"}]),
    );
    let ran = world.run_with(
        &["migrate", "alice/model", "--prune", "--max-delete", "100%"],
        &[("MODELSCOPE_TOKEN", BOB)],
    );
    ran.refused_with(3, "may not write to alice/model");
    assert!(
        world
            .stored("ms", "model", "alice/model")
            .unwrap()
            .to_string()
            .contains("theirs.txt")
    );
    no_byte_moved(&world);
}

#[test]
fn a_hidden_repo_of_someone_else_is_not_ours_to_see() {
    let world = with_blob();
    seed(
        &world,
        "ms",
        "model",
        "alice/model",
        &json!([{"path": "theirs.txt", "text": "x"}]),
    );
    world
        .admin(
            "POST",
            "/repo",
            r#"{"hub":"ms","kind":"model","id":"alice/model","visibility":"private"}"#,
        )
        .unwrap();
    let ran = world.run_with(&["migrate", "alice/model"], &[("MODELSCOPE_TOKEN", BOB)]);
    ran.refused_with(3, "--dest");
    no_byte_moved(&world);
}

#[test]
fn blobs_that_the_hub_takes_at_its_own_domain_come_with_the_token() {
    let world = World::with_model();
    is_done(&world, &migrate(&world));
    let all = requests(&world);
    let puts: Vec<_> = at(&all, "ms")
        .into_iter()
        .filter(|request| request["method"] == "PUT")
        .collect();
    let with_both = |request: &&Value| {
        ["authorization", "cookie"]
            .iter()
            .all(|name| request["headers"].get(*name).is_some())
    };
    assert!(!puts.is_empty() && puts.iter().all(with_both), "{puts:?}");
    tokens_stayed_home(&world);
}

#[test]
fn storage_sees_no_credentials() {
    let world = World::with_model();
    world.admin("POST", "/settings", SIGNED_UPLOADS).unwrap();
    is_done(&world, &migrate(&world));
    let all = requests(&world);
    for origin in ["hf_storage", "ms_storage"] {
        let there = at(&all, origin);
        assert!(!there.is_empty());
        let bare = |request: &&Value| {
            request["headers"].get("authorization").is_none()
                && request["headers"].get("cookie").is_none()
        };
        assert!(there.iter().all(bare), "{there:?}");
    }
    tokens_stayed_home(&world);
}

#[test]
fn a_redirect_or_an_address_elsewhere_takes_no_credentials_along() {
    for (route, to) in [
        ("hf.resolve", "ms_storage"),
        ("hf.info", "ms"),
        ("hf.tree", "ms_storage"),
        ("ms.files", "hf"),
        ("ms.me", "hf_storage"),
    ] {
        let world = World::with_model();
        seed(
            &world,
            "ms",
            "model",
            "alice/model",
            &json!([{"path": "x.txt", "text": "x"}]),
        );
        let location = format!("{}/elsewhere", world.address(to));
        fault(
            &world,
            &json!({"route": route, "kind": {"do": "redirect", "location": location}}),
        );
        assert_ne!(migrate(&world).code, 0, "{route}");
        landed(&world, to);
    }
    for (route, to) in [("hf.lfs_batch", "ms"), ("ms.batch", "hf")] {
        let world = with_blob();
        fault(
            &world,
            &json!({"route": route, "kind": {"do": "href", "href": format!("{}/elsewhere", world.address(to))}}),
        );
        assert_ne!(migrate(&world).code, 0, "{route}");
        landed(&world, to);
    }
}

/// Someone was sent `elsewhere`, and told it nothing.
fn landed(world: &World, origin: &str) {
    let all = requests(world);
    let there: Vec<_> = at(&all, origin)
        .into_iter()
        .filter(|request| request["path"] == "/elsewhere")
        .collect();
    assert!(!there.is_empty(), "nobody went to {origin}");
    let text = format!("{there:?}");
    assert!(
        ![READER, ALICE, "authorization", "cookie", "referer"]
            .iter()
            .any(|word| text.contains(word)),
        "{text}"
    );
}

/// A run whose tokens are searched for in everything it leaves behind.
struct Canary {
    world: World,
    ran: Ran,
}

impl Canary {
    /// Runs with a worker that writes down the arguments it was given, and the loudest log there is.
    fn of(world: World) -> Self {
        let real = PathBuf::from(env!("CARGO_BIN_EXE_hf2ms")).with_file_name("hf2ms-worker");
        let (worker, argv) = (world.path("worker"), world.path("argv"));
        let script = format!(
            "#!/bin/sh\ncat /proc/$$/cmdline >> {}\nexec {} \"$@\"\n",
            argv.display(),
            real.display()
        );
        std::fs::write(&worker, script).unwrap();
        std::fs::set_permissions(&worker, std::fs::Permissions::from_mode(0o755)).unwrap();
        let environment = [
            TOKEN,
            QUICK,
            ("HF2MS_WORKER", worker.to_str().unwrap()),
            ("HF2MS_LOG", "trace"),
        ];
        let ran = world.run_with(&MIGRATE, &environment);
        Self { world, ran }
    }

    /// Everything printed and written, by where it was found.
    fn texts(&self) -> Vec<(String, String)> {
        let mut texts = vec![
            ("stdout".to_owned(), self.ran.stdout.clone()),
            ("stderr".to_owned(), self.ran.stderr.clone()),
        ];
        texts.extend(std::fs::read(self.world.path("argv")).map(|argv| {
            (
                "argv".to_owned(),
                String::from_utf8_lossy(&argv).into_owned(),
            )
        }));
        collect(&self.world.path("state"), &mut texts);
        texts
    }

    /// Not even half a token anywhere, and none in another's requests.
    fn is_silent(&self, what: &str) {
        for (place, text) in self.texts() {
            for token in [READER, ALICE] {
                let piece = &token[..12];
                let line = text.lines().find(|line| line.contains(piece));
                assert!(line.is_none(), "{what}: a token in {place}: {line:?}");
            }
        }
        let strays: Vec<_> = requests(&self.world)
            .into_iter()
            .filter(|request| {
                [(READER, "hf"), (ALICE, "ms")].iter().any(|(token, home)| {
                    request["origin"] != *home && request.to_string().contains(token)
                })
            })
            .collect();
        assert!(strays.is_empty(), "{what}: {strays:?}");
    }
}

fn collect(folder: &Path, texts: &mut Vec<(String, String)>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        match entry.path() {
            path if path.is_dir() => collect(&path, texts),
            path => texts.push((
                path.display().to_string(),
                String::from_utf8_lossy(&std::fs::read(&path).unwrap()).into_owned(),
            )),
        }
    }
}

#[test]
fn a_token_shows_itself_nowhere_in_a_good_run() {
    let canary = Canary::of(World::with_model());
    is_done(&canary.world, &canary.ran);
    let texts = canary.texts();
    let has = |name: &str, words: &str| {
        texts
            .iter()
            .any(|(place, text)| place.ends_with(name) && text.contains(words))
    };
    assert!(
        has("argv", "run\0--attached") && has("argv", "finalize"),
        "{texts:?}"
    );
    for name in ["plan.json", "report.json", "finalize.log"] {
        assert!(has(name, ""), "{name} was not looked into");
    }
    canary.is_silent("success");
    tokens_stayed_home(&canary.world);
}

/// Runs with each of these faults.
fn silent_despite(faults: &[(&str, Value)]) {
    for (route, kind) in faults {
        let world = World::with_model();
        fault(&world, &json!({"route": route, "kind": kind}));
        let canary = Canary::of(world);
        assert_ne!(canary.ran.code, 0, "{route} {kind}: {}", canary.ran.stdout);
        canary.is_silent(&format!("{route} {kind}"));
    }
}

fn echo(status: u16, body: Value) -> Value {
    json!({"do": "status", "status": status, "body": body})
}

#[test]
fn a_source_that_echoes_the_token_in_its_errors_is_not_repeated() {
    let said = format!("Bearer {READER} may not");
    let split = format!("{}{READER}", "x".repeat(262));
    silent_despite(&[
        (
            "hf.info",
            json!({"do": "status", "status": 400, "headers": {"x-error-message": said.clone()}}),
        ),
        (
            "hf.info",
            json!({"do": "status", "status": 403, "headers": {"x-error-message": split}}),
        ),
        ("hf.tree", echo(422, json!({"error": said}))),
        ("hf.lfs_batch", echo(403, json!({"message": said}))),
        ("hf.resolve", echo(400, json!(said))),
    ]);
}

#[test]
fn a_destination_that_echoes_the_token_in_an_error_or_in_a_200_is_not_repeated() {
    let said = format!("m_session_id={ALICE} is bad");
    let split = format!("{}{ALICE}", "x".repeat(285));
    let envelope =
        |message: &str| json!({"do": "envelope", "code": 10_010_000_001_u64, "message": message});
    silent_despite(&[
        (
            "ms.me",
            json!({"do": "status", "status": 403, "envelope": {"code": 1, "message": said.clone()}}),
        ),
        ("ms.me", envelope(&split)),
        ("ms.info", envelope(&said)),
        ("ms.create", envelope(&said)),
        ("ms.batch", envelope(&said)),
        ("ms.commit", envelope(&said)),
        ("ms_storage.put", envelope(&said)),
    ]);
}

#[test]
fn a_redirect_or_an_address_that_carries_the_token_elsewhere_is_not_followed() {
    let place = World::new().address("ms_storage").to_owned();
    let to = |token: &str| format!("{place}/{token}?access_token={token}");
    drop(place.clone());
    silent_despite(&[
        ("hf.info", json!({"do": "redirect", "location": to(READER)})),
        ("ms.me", json!({"do": "redirect", "location": to(ALICE)})),
    ]);
    for (route, token, storage) in [
        ("hf.info", READER, "ms_storage"),
        ("hf.tree", READER, "hf_storage"),
        ("hf.resolve", READER, "ms_storage"),
        ("ms.me", ALICE, "ms_storage"),
        ("ms.files", ALICE, "hf_storage"),
    ] {
        let world = World::with_model();
        seed(
            &world,
            "ms",
            "model",
            "alice/model",
            &json!([{"path": "x.txt", "text": "x"}]),
        );
        let location = format!("{}/a/{token}?access_token={token}", world.address(storage));
        fault(
            &world,
            &json!({"route": route, "kind": {"do": "redirect", "location": location}}),
        );
        let canary = Canary::of(world);
        assert_ne!(canary.ran.code, 0);
        canary.is_silent(&format!("a redirect of {route}"));
    }
    for (route, token, storage) in [
        ("hf.lfs_batch", READER, "ms_storage"),
        ("ms.batch", ALICE, "hf_storage"),
    ] {
        let world = with_blob();
        let href = format!("{}/a/{token}?access_token={token}", world.address(storage));
        fault(
            &world,
            &json!({"route": route, "kind": {"do": "href", "href": href}}),
        );
        let canary = Canary::of(world);
        assert_ne!(canary.ran.code, 0);
        canary.is_silent(&format!("an address from {route}"));
    }
}

#[test]
fn a_token_that_would_split_a_header_is_refused_unseen() {
    for bad in [
        "hf_can\r\nary",
        "hf_can\nary",
        "hf_can\rary",
        "hf_can\u{1b}ary",
        "hf_canäry",
    ] {
        for name in ["HF_TOKEN", "MODELSCOPE_TOKEN", "MODELSCOPE_API_TOKEN"] {
            let world = World::with_model();
            let mut command = world.command(&["migrate", "alice/model"]);
            let ran = if name == "MODELSCOPE_API_TOKEN" {
                command.env_remove("MODELSCOPE_TOKEN")
            } else {
                &mut command
            };
            let output = ran.env(name, bad).output().unwrap();
            let said = format!(
                "{}{}",
                String::from_utf8_lossy(&output.stdout),
                String::from_utf8_lossy(&output.stderr)
            );
            assert_eq!(output.status.code(), Some(2), "{said}");
            assert!(
                said.contains(&format!("{name} can't be used"))
                    && !said.contains("ary")
                    && !said.contains("hf_can"),
                "{said}"
            );
            assert!(requests(&world).is_empty());
        }
    }
}

#[test]
fn a_file_of_other_tools_gives_its_token_as_it_is_written_or_names_what_it_cant() {
    let world = World::with_model();
    let migrate = || world.command(&["migrate", "alice/model", "--dest", "alice/copy"]);
    let foreign =
        "- yaml: 1\r\nMOTTO='tis\r\nKEY=\"-----BEGIN\nx\n-----END\"\nMODEL: gpt\n\nHF_HOME: /x\n";
    std::fs::write(
        world.path(".env"),
        format!("\u{feff}{foreign}export MODELSCOPE_TOKEN = \"{ALICE}\" # mine\r\n"),
    )
    .unwrap();
    let ran = Ran::of(migrate().env_remove("MODELSCOPE_TOKEN").output().unwrap());
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    std::fs::write(world.path(".env"), "HF_TOKEN: canary\n").unwrap();
    let ran = Ran::of(migrate().output().unwrap());
    ran.refused_with(2, ".env: the value of HF_TOKEN in line 1 can't be read");
    assert!(!ran.stderr.contains("canary"), "{}", ran.stderr);
}

#[test]
fn a_token_with_a_nul_in_a_file_is_refused_unseen() {
    let world = World::with_model();
    std::fs::write(world.path(".env"), "HF_TOKEN=\"hf_can\0ary\"\n").unwrap();
    let ran = world.run(&["migrate", "alice/model"]);
    ran.refused_with(2, "HF_TOKEN can't be used");
    assert!(
        !ran.stderr.contains("hf_can")
            && !ran.stderr.contains("ary")
            && requests(&world).is_empty(),
        "{}",
        ran.stderr
    );
}

#[test]
fn the_worker_refuses_such_a_token_too() {
    let world = World::with_model();
    assert_eq!(
        world
            .run(&["plan", "alice/model", "--out", "plan.json"])
            .code,
        0
    );
    let plan: Value =
        serde_json::from_slice(&std::fs::read(world.path("plan.json")).unwrap()).unwrap();
    let job = json!({"version": 1, "run": "r", "source": plan["source"], "destination": plan["destination"], "files": []});
    std::fs::write(world.path("job.json"), job.to_string()).unwrap();
    let worker = PathBuf::from(env!("CARGO_BIN_EXE_hf2ms")).with_file_name("hf2ms-worker");
    let run = std::process::Command::new(worker)
        .args(["verify", "--chunk", "job.json"])
        .current_dir(world.path(""))
        .env("HF_TOKEN", "hf_can\r\nary")
        .output();
    let output = run.unwrap();
    let said = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(
        said.contains("HF_TOKEN can't be used") && !said.contains("ary"),
        "{said}"
    );
}

#[test]
fn a_clock_that_is_wrong_does_not_age_addresses() {
    let world = with_blob();
    let object = &batch(&world)["objects"][0];
    let href = &object["actions"]["download"]["href"];
    for (date, action) in [
        // The span wins over a date long past; without one, the date is held against the hub's own clock.
        (
            "Sun, 06 Nov 1994 08:49:37 GMT",
            json!({"href": href, "expires_in": 3600, "expires_at": "1990-01-01T00:00:00Z"}),
        ),
        (
            "Sun, 06 Nov 1994 08:49:37 GMT",
            json!({"href": href, "expires_at": "1994-11-06T09:49:37Z"}),
        ),
        (
            "Tue, 06 Nov 2096 08:49:37 GMT",
            json!({"href": href, "expires_at": "2096-11-06T09:49:37Z"}),
        ),
    ] {
        world.admin("DELETE", "/faults", "");
        world.admin("DELETE", "/repo?hub=ms&kind=model&id=alice/model", "");
        let digest = &world.stored("hf", "model", "alice/model").unwrap()["files"][0]["sha256"];
        world.admin(
            "POST",
            "/blob/remove",
            &json!({"hub": "ms", "sha256": digest}).to_string(),
        );
        world.admin("POST", "/counters/reset", "");
        let body = json!({"objects": [{"oid": object["oid"], "size": object["size"], "actions": {"download": action}}]});
        fault(
            &world,
            &json!({"route": "hf.lfs_batch", "kind": {"do": "status", "status": 200, "headers": {"date": date}, "body": body}}),
        );
        is_done(&world, &migrate(&world));
        assert_eq!(
            (
                world.requests("hf.lfs_batch"),
                world.requests("hf_storage.get")
            ),
            (1, 1),
            "asked once: {action}"
        );
    }
}

/// What the source says of the blob when it is asked by hand.
fn batch(world: &World) -> Value {
    let digest = &world.stored("hf", "model", "alice/model").unwrap()["files"][0]["sha256"];
    let body =
        json!({"operation": "download", "transfers": ["basic"], "hash_algo": "sha256", "objects": [{"oid": digest, "size": 2_000_000}]})
            .to_string();
    let host = world.address("hf").trim_start_matches("http://");
    let mut stream = TcpStream::connect(host).unwrap();
    let (path, length) = ("/alice/model.git/info/lfs/objects/batch", body.len());
    write!(stream, "POST {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nContent-Type: application/vnd.git-lfs+json\r\nContent-Length: {length}\r\n\r\n{body}").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap()
}
