//! Answers that are wrong, huge or in the wrong format.

use super::*;

// 17
fn is_no_success(route: &str, kind: Value, words: &str) {
    let world = World::with_blob(1000);
    world.always(route, kind);
    let ran = world.migrate();
    assert!(
        matches!(ran.code, 1..=4) && world.all_struck() && ran.stdout.contains(words),
        "{route}: {}{}",
        ran.stdout,
        ran.stderr
    );
    assert!(!world.is_whole() && world.wrong().is_empty(), "{route}");
    world.finishes();
}

#[test]
fn a_web_page_where_an_answer_belongs_is_an_error() {
    for route in [
        "hf.info",
        "hf.tree",
        "hf.lfs_batch",
        "hf.resolve",
        "hf_storage.get",
    ] {
        is_no_success(route, json!({"do": "html"}), "");
    }
    for route in [
        "ms.me",
        "ms.create",
        "ms.batch",
        "ms_storage.put",
        "ms.commit",
    ] {
        is_no_success(route, json!({"do": "html"}), "");
    }
}

#[test]
fn an_error_in_the_envelope_of_a_200_is_an_error() {
    for route in [
        "ms.me",
        "ms.create",
        "ms.batch",
        "ms_storage.put",
        "ms.commit",
    ] {
        is_no_success(
            route,
            json!({"do": "envelope", "code": 10010205001_u64, "message": "internal trouble"}),
            "internal trouble",
        );
    }
}

#[test]
fn a_verification_that_gets_no_listing_is_no_success() {
    for kind in [
        json!({"do": "html"}),
        json!({"do": "envelope", "code": 10010205001_u64, "message": "internal trouble"}),
    ] {
        let world = World::with_blob(1000);
        world.strike("ms.files", kind, json!({"skip": 1}));
        let ran = world.migrate();
        assert!(
            matches!(ran.code, 1..=4) && world.all_struck(),
            "{}{}",
            ran.stdout,
            ran.stderr
        );
        world.finishes();
    }
}

// 18
#[test]
fn a_batch_that_fails_in_part_costs_only_those_objects() {
    for (route, code) in [
        ("ms.batch", 422),
        ("hf.lfs_batch", 404),
        ("hf.lfs_batch", 422),
    ] {
        let world = World::with_blobs(9, 1000);
        world.always(
            route,
            json!({"do": "object_error", "index": 2, "code": code, "message": "not this one"}),
        );
        let ran = world.migrate();
        let report = ran.event("report");
        let failed = report["failed"].as_array().unwrap();
        assert!(
            ran.code == 1
                && failed.len() == 1
                && failed[0]["error"]
                    .as_str()
                    .unwrap()
                    .contains("not this one"),
            "{report}"
        );
        assert!(
            world.arrived().len() == 8
                && !world
                    .arrived()
                    .contains(&failed[0]["path"].as_str().unwrap().to_owned())
        );
        world.finishes();
    }
}

#[test]
fn an_object_that_a_batch_refuses_for_now_is_asked_about_again() {
    for route in ["ms.batch", "hf.lfs_batch"] {
        let world = World::with_blobs(9, 1000);
        world.once(
            route,
            json!({"do": "object_error", "index": 2, "code": 503, "message": "busy"}),
        );
        world.migrate().done();
        assert!(world.all_struck() && world.is_whole());
    }
}

// 19
#[test]
fn an_answer_about_what_nobody_asked_for_is_refused() {
    for route in ["ms.batch", "hf.lfs_batch"] {
        for kind in ["foreign_object", "wrong_size", "wrong_algo"] {
            let world = World::with_blobs(3, 1000);
            world.always(route, json!({"do": kind}));
            let ran = world.migrate();
            let report = ran.event("report");
            let failed = report["failed"].as_array().unwrap();
            assert!(
                ran.code == 1
                    && failed.len() == 3
                    && failed.iter().all(|failed| failed["kind"] == "refused"),
                "{route} {kind}: {report}"
            );
            assert_eq!(
                (
                    world.requests("hf_storage.get"),
                    world.requests("ms_storage.put"),
                    world.arrived().len()
                ),
                (0, 0, 0)
            );
            world.finishes();
        }
    }
}

// 20
/// A server that answers 400 and then talks for ever; what it could say before the other side hung up.
fn talkative() -> (String, Arc<AtomicU64>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let said = Arc::new(AtomicU64::new(0));
    let count = said.clone();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let _ = stream.read(&mut [0; 4096]);
            let _ = stream
                .write_all(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 1000000000000\r\n\r\n");
            while stream.write_all(&[b'x'; 64 << 10]).is_ok() {
                count.fetch_add(64 << 10, Ordering::Relaxed);
            }
        }
    });
    (address, said)
}

#[test]
fn an_error_that_never_ends_is_read_up_to_a_cap_and_shown_shortened() {
    let world = World::with_blob(1000);
    let (address, said) = talkative();
    let ran = world.run_with(
        &["migrate", "alice/model"],
        &[IMPATIENT, ("HF_ENDPOINT", &address)],
    );
    assert!(
        ran.code != 0 && ran.stderr.contains("xxx") && ran.stderr.len() < 1000,
        "{}",
        ran.stderr
    );
    assert!(
        said.load(Ordering::Relaxed) < 32 << 20,
        "the rest is what lies between the two"
    );
}

#[test]
fn a_huge_error_for_one_file_is_reported_in_a_line() {
    let world = World::with_blob(1000);
    world.strike(
        "hf.resolve",
        json!({"do": "status", "status": 422, "body_bytes": 5_000_000}),
        json!({"path": README}),
    );
    let ran = world.migrate();
    ran.failed(1, &[README], "xxx");
    assert!(ran.stdout.len() < 10_000, "{}", ran.stdout.len());
}

#[test]
fn a_blob_check_that_fails_once_as_a_whole_is_asked_again() {
    let faults = [
        json!({"do": "html"}),
        json!({"do": "undeclared", "after": 20}),
        json!({"do": "status", "status": 403}),
        json!({"do": "status", "status": 404}),
        json!({"do": "status", "status": 507}),
    ];
    for route in ["ms.batch", "hf.lfs_batch"] {
        for fault in &faults {
            let world = World::with_blobs(3, 1000);
            world.once(route, fault.clone());
            world.migrate().done();
            assert!(world.all_struck() && world.is_whole(), "{route} {fault}");
        }
    }
}

#[test]
fn a_blob_check_that_never_succeeds_holds_back_what_makes_a_repo_look_complete() {
    for (status, code) in [(403, 3), (404, 1)] {
        let world = World::with_blob(1000);
        world.always("ms.batch", json!({"do": "status", "status": status}));
        let ran = world.migrate();
        ran.failed(code, &["w.safetensors"], "");
        let arrived = world.arrived();
        assert!(arrived.is_empty(), "{status}: {arrived:?}");
        world.finishes();
    }
}

// 50
#[test]
fn a_commit_whose_answer_is_broken_is_looked_for_and_counts() {
    for fault in [
        json!({"do": "undeclared", "after": 50}),
        json!({"do": "corrupt"}),
        json!({"do": "longer", "extra": 9}),
    ] {
        let world = World::with_blobs(3, 1000);
        world.once("ms.commit", fault.clone());
        let report = world.migrate().done();
        assert!(world.all_struck() && world.is_whole(), "{fault}");
        assert_eq!(
            (&report["failed"], world.requests("ms.commit")),
            (&json!([]), 1),
            "{fault}: {report}"
        );
    }
}

#[test]
fn a_creation_whose_answer_was_lost_is_our_own() {
    for fault in [
        json!({"do": "reset", "after": 100}),
        json!({"do": "undeclared", "after": 20}),
    ] {
        let world = World::with_blob(1000);
        world.once("ms.create", fault.clone());
        let ran = world.run_with(&["migrate", "alice/model"], &[IMPATIENT]);
        assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
        assert!(
            !ran.stderr.contains("someone else")
                && ran.stdout.contains("created public")
                && ran.stdout.contains("visible     to anyone (public)"),
            "{fault}: {}{}",
            ran.stdout,
            ran.stderr
        );
    }
}
