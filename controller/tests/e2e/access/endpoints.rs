//! Which addresses get a token: those of the environment, whatever a chunk names; and what of the environment a worker gets.

use super::*;

/// A worker that takes this chunk, with these variables besides Alice's token.
fn worker(world: &World, chunk: &str, environment: &[(&str, &str)]) -> Ran {
    std::fs::write(world.path("chunk.json"), chunk).unwrap();
    let mut command = std::process::Command::new(crate::common::binary("hf2ms-worker"));
    command
        .args(["run", "--chunk", "chunk.json"])
        .current_dir(world.path(""))
        .env_clear()
        .env("MODELSCOPE_TOKEN", ALICE)
        .envs(environment.iter().copied());
    Ran::of(command.output().unwrap())
}

#[test]
fn a_worker_sends_no_token_to_a_host_that_its_chunk_names() {
    let world = World::with_model();
    let chunk = world.chunk_of_both_blobs();
    let ran = worker(&world, &chunk, &[]);
    assert_eq!(ran.code, 2, "{}{}", ran.stdout, ran.stderr);
    assert!(
        ran.stderr
            .contains("is not the endpoint that MODELSCOPE_TOKEN is for"),
        "{}",
        ran.stderr
    );
    assert!(requests(&world).is_empty());
    let ran = worker(
        &world,
        &chunk,
        &[("MODELSCOPE_ENDPOINT", world.address("ms")), QUICK],
    );
    assert!(!requests(&world).is_empty(), "{}", ran.stderr);
}

#[test]
fn a_plan_that_names_another_host_gets_no_token() {
    let world = World::with_model();
    let planned = world.run(&["plan", "alice/model", "--out", "plan.json"]);
    assert_eq!(planned.code, 0, "{}", planned.stderr);
    let before = requests(&world).len();
    let ran = world.run_with(
        &["migrate", "--plan", "plan.json"],
        &[("MODELSCOPE_ENDPOINT", "http://127.0.0.1:1")],
    );
    assert_ne!(ran.code, 0);
    let after = requests(&world).split_off(before);
    assert!(!json!(after).to_string().contains(ALICE), "{after:?}");
}

#[test]
fn a_job_is_not_fetched_over_plain_http_from_another_machine() {
    let output = std::process::Command::new(crate::common::binary("hf2ms-worker"))
        .args(["run", "--chunk", "http://jobs.invalid/chunk"])
        .output()
        .unwrap();
    let ran = Ran::of(output);
    assert_eq!(ran.code, 2);
    assert!(
        ran.stderr.contains("plain http is for this machine only"),
        "{}",
        ran.stderr
    );
}

#[test]
fn a_token_over_plain_http_is_warned_of_unless_that_is_allowed() {
    let world = World::with_model();
    let open = [
        ("HF_ENDPOINT", "http://hub.invalid"),
        TOKEN,
        ("HF2MS_LONGEST_WAIT", "0.01"),
        QUICK,
    ];
    let warning =
        "http://hub.invalid is not encrypted: whoever carries the requests can read HF_TOKEN";
    let ran = world.run_with(&["verify", "alice/model"], &open);
    assert!(ran.stderr.contains(warning), "{}", ran.stderr);
    let ran = world.run_with(&["verify", "alice/model", "--allow-http"], &open);
    assert!(!ran.stderr.contains("not encrypted"), "{}", ran.stderr);
}

#[test]
fn a_worker_knows_nothing_that_it_does_not_need() {
    let world = World::with_model();
    let script = r#"env > "$HF2MS_STATE/environment"; exec "$worker" "$@""#;
    let worker = world.scripted_worker(script);
    let mine = [
        TOKEN,
        ("HF2MS_WORKER", worker.to_str().unwrap()),
        ("AWS_SECRET_ACCESS_KEY", "canary"),
        ("HF2MS_TARGET_LOGIN", "me:another-canary"),
    ];
    let ran = world.run_with(&["migrate", "alice/model", "--containers", "1"], &mine);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let known = std::fs::read_to_string(world.path("state/environment")).unwrap();
    assert!(
        !known.contains("canary") && known.contains(READER),
        "{known}"
    );
}

/// A hub whose every answer is an account with names that steer a terminal.
fn hub_with_wild_names() -> String {
    let hub = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", hub.local_addr().unwrap());
    let body = r#"{"type":"user","name":"al\u001b]0;owned\u0007ice","orgs":[{"name":"a\u009b2Jcme\nfaked"}],"auth":{"accessToken":{"role":"write"}}}"#;
    std::thread::spawn(move || {
        for mut stream in hub.incoming().flatten() {
            let _ = stream.read(&mut [0; 4096]);
            let _ = write!(
                stream,
                "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
                body.len()
            );
        }
    });
    address
}

#[test]
fn names_of_a_hub_steer_no_terminal() {
    let world = World::new();
    let hub = hub_with_wild_names();
    let ran = world.run_with(&["doctor"], &[("HF_ENDPOINT", &hub), TOKEN, QUICK]);
    let said = format!("{}{}", ran.stdout, ran.stderr);
    assert!(
        said.contains(r"al\u{1b}]0;owned\u{7}ice") && said.contains(r"a\u{9b}2Jcme\u{a}faked"),
        "{said}"
    );
    assert!(!said.contains(['\u{1b}', '\u{7}', '\u{9b}']), "{said}");
}
