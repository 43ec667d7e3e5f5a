//! Tokens that are revoked while a run is under way.

use super::*;

/// The most requests of a worker that are under way at a time: two small blobs in the place of each of its streams, and two checks.
const UNDER_WAY: u64 = 2 * 32 + 2;

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
fn a_destinations_token_revoked_half_way_ends_it_with_the_requests_under_way() {
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
        (1..=UNDER_WAY).contains(&refusals(&world, "ms")),
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
