//! A network that misbehaves, and what `hf2ms` makes of it: bytes that are cut, held up, repeated or misdeclared.

#![allow(clippy::unwrap_used)]

mod common;
#[path = "common/faults.rs"]
mod faults;

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use common::{ELSEWHERE, World};
use faults::{IMPATIENT, STALL};
use serde_json::{Value, json};

const MB: u64 = 1_000_000;

/// Where a Range starts.
fn start(range: &str) -> u64 {
    let first = range
        .strip_prefix("bytes=")
        .and_then(|range| Some(range.split_once('-')?.0));
    first
        .unwrap_or_else(|| panic!("'{range}' is no Range"))
        .parse()
        .unwrap()
}

/// The run succeeded; every try but the first went on behind the one before, on the same pinned file, and the
/// upload that they fed stayed open all the time.
fn resumed(world: &World, ran: &common::Ran, downloads: usize) {
    assert_eq!(
        ran.done()["retries"],
        downloads as u64 - 1,
        "{}",
        ran.stdout
    );
    let ranges = world.ranges();
    let starts: Vec<u64> = ranges[1..].iter().map(|range| start(range)).collect();
    assert_eq!(
        (
            ranges.len(),
            ranges[0].as_str(),
            world.requests("ms_storage.put")
        ),
        (downloads, "", 1),
        "{ranges:?}"
    );
    assert!(
        starts[0] > 0
            && starts.is_sorted_by(|a, b| a < b)
            && ranges[1..].iter().all(|range| range.ends_with("-2999999")),
        "{ranges:?}"
    );
    let path = |request: &Value| {
        request["path"]
            .as_str()
            .unwrap()
            .split('?')
            .next()
            .unwrap()
            .to_owned()
    };
    let paths: Vec<_> = world.asked("hf_storage", "GET").iter().map(path).collect();
    assert!(paths.iter().all(|path| *path == paths[0]), "{paths:?}");
    assert!(world.is_whole());
}

// 1
#[test]
fn a_reset_in_the_middle_of_a_download_is_resumed_and_the_upload_stays_open() {
    let world = World::with_blob(3 * MB);
    world.strike(
        "hf_storage.get",
        json!({"do": "reset", "after": 700_000}),
        json!({"count": 3}),
    );
    let ran = world.migrate();
    resumed(&world, &ran, 4);
}

#[test]
fn a_reset_of_one_range_among_several_costs_only_that_range() {
    let world = World::with_blob(12 * MB);
    world.strike(
        "hf_storage.get",
        json!({"do": "reset", "after": 500_000}),
        json!({"count": 1, "skip": 1}),
    );
    assert_eq!(world.migrate().done()["retries"], 1);
    let ranges = world.ranges();
    assert_eq!(
        (ranges.len(), world.requests("ms_storage.put")),
        (4, 1),
        "{ranges:?}"
    );
    assert!(
        world.bytes_out("hf_storage.get") < 13 * MB,
        "the other ranges were not read again"
    );
    assert!(world.is_whole());
}

#[test]
fn a_reset_in_the_middle_of_an_upload_sends_that_blob_again() {
    let world = World::with_blob(3 * MB);
    world.once("ms_storage.put", json!({"do": "reset", "after": MB}));
    assert_eq!(world.migrate().done()["retries"], 1);
    assert!(world.requests("ms_storage.put") == 2 && world.is_whole());
}

#[test]
fn a_reset_before_any_answer_is_tried_again_everywhere() {
    let routes = [
        "hf.info",
        "hf.tree",
        "ms.files",
        "ms.batch",
        "hf.lfs_batch",
        "hf.resolve",
    ];
    let world = World::with_blob(1000);
    routes
        .iter()
        .for_each(|route| world.once(route, json!({"do": "reset"})));
    world.migrate().done();
    assert!(world.is_whole() && world.all_struck());
}

// 2
#[test]
fn a_body_shorter_than_declared_is_read_on() {
    let world = World::with_blob(3 * MB);
    world.strike(
        "hf_storage.get",
        json!({"do": "truncate", "after": 900_000}),
        json!({"count": 2}),
    );
    let ran = world.migrate();
    resumed(&world, &ran, 3);
}

#[test]
fn a_body_that_is_always_short_is_never_accepted_and_given_up_after_a_few_tries() {
    let world = World::with_blob(3 * MB);
    world.always("hf_storage.get", json!({"do": "truncate", "after": 0}));
    world.migrate().failed(1, &["w.safetensors"], "");
    assert_eq!(
        world.requests("hf_storage.get"),
        7,
        "one layer tries again, not one inside the other"
    );
    assert_eq!(
        (world.arrived(), world.wrong()),
        (vec!["README.md".to_owned()], vec![])
    );
    world.finishes();
}

#[test]
fn a_small_file_that_is_cut_is_read_again() {
    let world = World::with_blob(1000);
    world.once("hf.resolve_cache", json!({"do": "truncate", "after": 2}));
    assert_eq!(world.migrate().done()["retries"], 1);
    assert!(world.is_whole());
}

// The endpoint stands for the hub: pages, verify and complete name https://huggingface.co, as behind a mirror or a port-forward.
#[test]
fn what_a_mirror_site_names_by_the_hubs_public_address_is_asked_at_the_mirror_site() {
    let world = World::with_blobs(3, 300_000);
    world.set(json!({"hf_named": "https://huggingface.co", "hf_page": 2, "hf_multipart_above": 100_000, "hf_part_size": 100_000}));
    world.migrate().done();
    assert!(
        world.is_whole() && world.requests("hf.tree") > 1,
        "several pages"
    );
    let back = [
        "migrate",
        "ms:alice/model",
        "--dest",
        "alice/back",
        "--json",
    ];
    world
        .run_with(&back, &[IMPATIENT, ("HF_TOKEN", "hf_sandboxAliceWrite")])
        .done();
    assert_eq!(
        (
            world.requests("hf.lfs_complete"),
            world.requests("hf.lfs_verify")
        ),
        (3, 3)
    );
}

#[test]
fn where_a_mirror_site_has_no_lfs_files_come_by_the_resolver() {
    let world = World::with_blobs(2, 9 * MB);
    world.set(json!({"hf_lfs": false}));
    world.migrate().done();
    assert!(
        world.is_whole() && world.requests("hf.lfs_batch") <= 2,
        "asked once a process"
    );
}

#[test]
fn storage_that_refuses_each_new_address_is_asked_three_times_and_its_words_are_shown() {
    let world = World::with_blob(1000);
    let said = "<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>";
    world.always(
        "hf_storage.get",
        json!({"do": "status", "status": 403, "body": said}),
    );
    world
        .migrate()
        .failed(1, &["w.safetensors"], "AccessDenied: Access Denied (403)");
    assert_eq!(
        (
            world.requests("hf_storage.get"),
            world.requests("hf.lfs_batch")
        ),
        (3, 3)
    );
}

#[test]
fn a_listing_that_is_cut_is_asked_again() {
    let world = World::with_blob(1000);
    world.once("hf.tree", json!({"do": "truncate", "after": 20}));
    world.once("ms.files", json!({"do": "truncate", "after": 20}));
    world.migrate().done();
    assert!(world.is_whole() && world.all_struck());
}

// 3
#[test]
fn a_body_cut_without_a_declared_length_is_caught_by_its_size() {
    let world = World::with_blob(3 * MB);
    world.once(
        "hf_storage.get",
        json!({"do": "undeclared", "after": 800_000}),
    );
    let ran = world.migrate();
    resumed(&world, &ran, 2);
}

#[test]
fn a_whole_body_without_a_declared_length_is_taken() {
    let world = World::with_blob(3 * MB);
    world.always("hf_storage.get", json!({"do": "undeclared"}));
    assert_eq!(world.migrate().done()["retries"], 0);
    assert!(world.is_whole());
}

#[test]
fn a_body_without_a_declared_length_and_with_other_bytes_is_caught_by_its_digest() {
    let world = World::with_blob(3 * MB);
    world.always("hf_storage.get", json!({"do": "undeclared"}));
    world.always("hf_storage.get", json!({"do": "corrupt", "at": 2_999_999}));
    world
        .migrate()
        .failed(4, &["w.safetensors"], "the source sent");
    assert_eq!(
        (world.arrived(), world.wrong()),
        (vec!["README.md".to_owned()], vec![])
    );
    world.finishes();
}

// 4
#[test]
fn a_download_that_stalls_is_given_up_and_resumed() {
    let world = World::with_blob(3 * MB);
    world.once("hf_storage.get", json!({"do": "stall", "after": 600_000}));
    let ran = world.migrate_with(&[STALL]);
    resumed(&world, &ran, 2);
    assert!(
        ran.event("retry")["error"]
            .as_str()
            .unwrap()
            .contains("nothing moved for 2 s"),
        "{}",
        ran.stdout
    );
}

#[test]
fn an_upload_that_stalls_is_given_up_and_sent_again() {
    let world = World::with_blob(24 * MB);
    world.once("ms_storage.put", json!({"do": "stall", "after": 100_000}));
    assert_eq!(world.migrate_with(&[STALL]).done()["retries"], 1);
    assert!(world.requests("ms_storage.put") == 2 && world.is_whole());
}

#[test]
fn an_upload_that_stalls_after_everything_was_handed_over_is_given_up_too() {
    // Of a kernel that takes it all, nobody could tell that the server does not.
    let world = World::serving(&["--receive-buffer", "16384"]).holding_blob(600_000);
    world.once("ms_storage.put", json!({"do": "stall", "after": 100_000}));
    let ran = world.migrate_with(&[STALL]);
    assert_eq!(ran.done()["retries"], 1);
    let why = ran.event("retry")["error"].as_str().unwrap().to_owned();
    assert!(
        ["nothing moved for 2 s", "timed out"]
            .iter()
            .any(|words| why.contains(words)),
        "{why}"
    );
    assert!(world.requests("ms_storage.put") == 2 && world.is_whole());
}

#[test]
fn a_hub_that_does_not_answer_is_asked_again() {
    let world = World::with_blob(1000);
    let routes = [
        "hf.info",
        "hf.tree",
        "ms.files",
        "ms.batch",
        "hf.lfs_batch",
        "hf.resolve",
    ];
    routes
        .iter()
        .for_each(|route| world.once(route, json!({"do": "delay", "ms": 60_000})));
    world.migrate_with(&[STALL]).done();
    assert!(world.is_whole() && world.all_struck());
}

// 5
#[test]
fn a_slow_download_that_moves_is_left_alone() {
    let world = World::with_blob(3 * MB);
    world.always(
        "hf_storage.get",
        json!({"do": "slow", "bytes_per_second": MB}),
    );
    assert_eq!(world.migrate_with(&[STALL]).done()["retries"], 0);
    assert!(world.requests("hf_storage.get") == 1 && world.is_whole());
}

#[test]
fn a_slow_upload_that_moves_is_left_alone() {
    let world = World::with_blob(3 * MB);
    world.always(
        "ms_storage.put",
        json!({"do": "slow", "bytes_per_second": MB}),
    );
    assert_eq!(world.migrate_with(&[STALL]).done()["retries"], 0);
    assert!(world.requests("ms_storage.put") == 1 && world.is_whole());
}

// 6
#[test]
fn the_whole_file_in_answer_to_a_range_is_never_appended() {
    let world = World::with_blob(3 * MB);
    world.once("hf_storage.get", json!({"do": "reset", "after": 700_000}));
    world.strike(
        "hf_storage.get",
        json!({"do": "ignore_range"}),
        json!({"skip": 1}),
    );
    world.migrate().done();
    let ranges = world.ranges();
    assert!(
        ranges.len() == 3 && start(&ranges[1]) > 0 && ranges[2].is_empty(),
        "{ranges:?}"
    );
    assert!(world.requests("ms_storage.put") == 1 && world.is_whole());
}

// 7
#[test]
fn a_range_that_is_said_not_to_exist_is_tried_again_and_then_read_from_the_start() {
    let world = World::with_blob(3 * MB);
    world.once("hf_storage.get", json!({"do": "reset", "after": 700_000}));
    world.strike(
        "hf_storage.get",
        json!({"do": "status", "status": 416}),
        json!({"skip": 1, "count": 6}),
    );
    world.migrate().done();
    let ranges = world.ranges();
    assert!(
        ranges.len() == 8
            && ranges[1..7].iter().all(|range| *range == ranges[1])
            && ranges[7].is_empty(),
        "{ranges:?}"
    );
    assert!(world.requests("ms_storage.put") == 1 && world.is_whole());
}

// 8
#[test]
fn a_range_other_than_the_one_asked_for_is_refused() {
    let world = World::with_blob(3 * MB);
    world.once("hf_storage.get", json!({"do": "reset", "after": 700_000}));
    world.strike(
        "hf_storage.get",
        json!({"do": "wrong_range"}),
        json!({"skip": 1}),
    );
    world
        .migrate()
        .failed(1, &["w.safetensors"], "the server answered the range");
    assert_eq!(
        (
            world.requests("hf_storage.get"),
            world.arrived(),
            world.wrong()
        ),
        (2, vec!["README.md".to_owned()], vec![])
    );
    world.finishes();
}

// 9
#[test]
fn an_encoding_nobody_asked_for_is_refused_unless_the_bytes_are_right_as_they_are() {
    let world = World::with_blob(MB);
    world.always("hf.tree", json!({"do": "encoding", "name": "br"}));
    world.migrate().ended(1, "the content encoding br");
    world.clear_faults();
    world.always("hf_storage.get", json!({"do": "encoding", "name": "gzip"}));
    world.migrate().done();
    assert_eq!(
        world.asked("hf_storage", "GET")[0]["headers"]["accept-encoding"],
        "identity"
    );
    assert!(world.is_whole());
}

/// A proxy that hands bytes on, to this machine whatever host it is told; what it was asked for, one a connection.
fn proxy() -> (u16, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (port, asked) = (
        listener.local_addr().unwrap().port(),
        Arc::<Mutex<Vec<String>>>::default(),
    );
    let seen = asked.clone();
    std::thread::spawn(move || {
        for mut client in listener.incoming().flatten() {
            let mut head = [0; 4096];
            let read = client.read(&mut head).unwrap();
            let line = String::from_utf8_lossy(&head[..read])
                .lines()
                .next()
                .unwrap_or_default()
                .to_owned();
            // GET http://HOST:PORT/path HTTP/1.1
            let authority = line.split('/').nth(2).unwrap_or_default();
            let port: u16 = authority
                .split(':')
                .nth(1)
                .unwrap_or_else(|| panic!("{line}"))
                .parse()
                .unwrap();
            seen.lock().unwrap().push(line);
            let mut server = TcpStream::connect(("127.0.0.1", port)).unwrap();
            server.write_all(&head[..read]).unwrap();
            let (mut up, mut down) = (client.try_clone().unwrap(), server.try_clone().unwrap());
            std::thread::spawn(move || {
                std::io::copy(&mut up, &mut server).and_then(|_| server.shutdown(Shutdown::Write))
            });
            std::thread::spawn(move || {
                std::io::copy(&mut down, &mut client).and_then(|_| client.shutdown(Shutdown::Write))
            });
        }
    });
    (port, asked)
}

// 81
#[test]
fn a_proxy_by_a_private_name_is_used_and_one_that_is_none_is_refused_by_its_variable() {
    let world = World::serving(&["--advertise", ELSEWHERE]).holding_blob(MB);
    // Storage of its own has connections of its own: the proxy tells the first request of each.
    world.set(json!({"ms_uploads_at_hub": false}));
    let (port, asked) = proxy();
    let named = format!("http://localhost:{port}");
    world.migrate_with(&[("HTTP_PROXY", &named)]).done();
    assert!(world.is_whole());
    let asked = asked.lock().unwrap().clone();
    let put = asked.iter().any(|line| line.starts_with("PUT http://"));
    assert!(
        put && asked
            .iter()
            .all(|line| line.contains(&format!("http://{ELSEWHERE}:"))),
        "{asked:?}"
    );
    let ran = world.run_with(
        &["migrate", "alice/model"],
        &[("HTTPS_PROXY", "ftp://me:secret@proxy.corp:21")],
    );
    ran.refused_with(2, "HTTPS_PROXY names no proxy");
    assert!(!format!("{}{}", ran.stdout, ran.stderr).contains("secret"));
}

// 10
#[test]
fn a_name_that_does_not_resolve_ends_the_run_with_the_name_and_without_retries() {
    let world = World::with_blob(1000);
    for name in ["HF_ENDPOINT", "MODELSCOPE_ENDPOINT"] {
        let ran = world.run_with(
            &["migrate", "alice/model"],
            &[(name, "http://nowhere.invalid")],
        );
        ran.refused_with(1, "the name nowhere.invalid does not resolve");
        assert!(ran.stderr.contains(name), "{}", ran.stderr);
    }
    assert_eq!(world.requests("ms_storage.put"), 0);
}

#[test]
fn storage_whose_name_does_not_resolve_is_named_and_not_asked_again_and_again() {
    let world = World::with_blobs(10, 1000);
    world.always(
        "hf.lfs_batch",
        json!({"do": "href", "href": "http://nowhere.invalid/x"}),
    );
    let ran = world.migrate();
    ran.ended(1, "the name nowhere.invalid does not resolve");
    assert_eq!(
        (
            world.requests("hf.lfs_batch"),
            world.requests("hf_storage.get")
        ),
        (1, 0)
    );
    world.finishes();
}

#[test]
fn a_port_where_nobody_listens_is_tried_a_few_times() {
    let world = World::with_blob(1000);
    let closed = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let ran = world.run_with(
        &["migrate", "alice/model"],
        &[IMPATIENT, ("HF_ENDPOINT", &format!("http://{closed}"))],
    );
    ran.refused_with(1, &closed.to_string());
}

// 11
/// A server with a certificate that is none: TLS 1.2 up to where the client has to judge it (RFC 5246, 7.4).
fn with_bad_certificate() -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!(
        "https://localhost:{}",
        listener.local_addr().unwrap().port()
    );
    let connections = Arc::new(AtomicUsize::new(0));
    let count = connections.clone();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            count.fetch_add(1, Ordering::Relaxed);
            let _ = stream
                .read(&mut [0; 4096])
                .and_then(|_| stream.write_all(&flight()));
            let _ = stream.read_to_end(&mut Vec::new());
        }
    });
    (address, connections)
}

/// ServerHello, Certificate, ServerKeyExchange, ServerHelloDone in one record.
fn flight() -> Vec<u8> {
    let hello = [&[3, 3][..], &[7; 32], &[0, 0xc0, 0x2f, 0]].concat();
    let certificate = [&[0, 0, 8, 0, 0, 5][..], b"bogus"].concat();
    let exchange = [&[3, 0, 0x1d, 32][..], &[9; 32], &[8, 4, 0, 4, 1, 2, 3, 4]].concat();
    let messages: Vec<u8> = [
        (2, hello),
        (11, certificate),
        (12, exchange),
        (14, Vec::new()),
    ]
    .into_iter()
    .flat_map(|(kind, body): (u8, Vec<u8>)| {
        [&[kind, 0, 0, u8::try_from(body.len()).unwrap()][..], &body].concat()
    })
    .collect();
    [
        &[22, 3, 3, 0, u8::try_from(messages.len()).unwrap()][..],
        &messages,
    ]
    .concat()
}

#[test]
fn a_bad_certificate_is_fatal_and_not_tried_again() {
    let world = World::with_blob(1000);
    let (address, connections) = with_bad_certificate();
    let ran = world.run_with(
        &["migrate", "alice/model"],
        &[IMPATIENT, ("HF_ENDPOINT", &address)],
    );
    ran.refused_with(1, "invalid peer certificate");
    assert_eq!(connections.load(Ordering::Relaxed), 1);
}

// 12
#[test]
fn redirects_that_never_end_or_lead_nowhere_are_a_bounded_error() {
    for (location, requests, words) in [
        (json!("loop"), 11, "redirects"),
        (json!(null), 1, "names no address"),
    ] {
        let world = World::with_blobs(3, 1000);
        world.seed_model(&json!([{"path": "notes.txt", "text": "n"}]));
        world.always(
            "hf.resolve",
            json!({"do": "redirect", "location": location}),
        );
        world.migrate().failed(1, &["notes.txt"], words);
        assert_eq!(
            (world.requests("hf.resolve"), world.arrived().len()),
            (requests, 3)
        );
        world.clear_faults();
        world.always("hf.tree", json!({"do": "redirect", "location": location}));
        world.admin("POST", "/counters/reset", "");
        world.migrate().ended(1, words);
        assert_eq!(world.requests("hf.tree"), requests);
        world.finishes();
    }
}

#[test]
fn storage_that_redirects_for_ever_costs_only_that_blob() {
    let world = World::with_model();
    let files = world.stored("hf", "model", "alice/model").unwrap();
    let b = files["files"]
        .as_array()
        .unwrap()
        .iter()
        .find(|file| file["path"] == "b.safetensors")
        .unwrap()["sha256"]
        .clone();
    world.strike(
        "hf_storage.get",
        json!({"do": "redirect", "location": "loop"}),
        json!({"path": b}),
    );
    world.migrate().failed(1, &["b.safetensors"], "redirects");
    assert!(world.arrived().len() == 5 && world.wrong().is_empty());
    world.finishes();
}
