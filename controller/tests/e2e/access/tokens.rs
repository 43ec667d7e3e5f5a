//! A token reaches its own hub, and no other place.

use super::*;

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

/// People copy addresses with a login out of Git's settings.
#[test]
fn a_login_in_an_address_that_is_typed_is_shown_nowhere() {
    let world = World::with_model();
    let log = world.path("log");
    for (verb, option) in [
        ("migrate", ""),
        ("migrate alice/model", "--dest"),
        ("migrate alice/model", "--on"),
        ("plan", ""),
        ("batch", ""),
        ("batch alice/model", "--to-owner"),
        ("verify", ""),
        ("inventory", ""),
        ("inventory alice", "--against"),
        ("cleanup", ""),
        ("cleanup alice/model", "--against"),
        ("status", ""),
    ] {
        for more in [&[][..], &["--json"]] {
            let typed = "https://me:canary-of-mine@huggingface.co/alice";
            let words = verb
                .split(' ')
                .chain([option].into_iter().filter(|word| !word.is_empty()));
            let log = ["--log-file", log.to_str().unwrap()];
            let words: Vec<&str> = words
                .chain([typed])
                .chain(log)
                .chain(more.iter().copied())
                .collect();
            let ran = world.run(&words);
            let said = format!("{}{}", ran.stdout, ran.stderr);
            assert!(ran.code != 0 && said.contains("error"), "{words:?}: {said}");
            assert!(!said.contains("canary"), "{words:?}: {said}");
        }
    }
    let kept = std::fs::read_to_string(log).unwrap_or_default();
    assert!(!kept.contains("canary"), "{kept}");
}
