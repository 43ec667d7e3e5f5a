//! Signed addresses that expire, and clocks that are wrong.

use super::*;

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
    // More streams would begin all files before an address is over.
    let eight = [&MIGRATE[..], &["--streams", "8", "--verify", "listing"]].concat();
    is_done(&world, &world.run_with(&eight, &[TOKEN, QUICK]));
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
