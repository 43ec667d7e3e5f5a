//! Proxies, names, ports, certificates and redirects.

use super::*;

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

/// A proxy that answers every request with 407; its port, and how many it was asked.
fn proxy_that_wants_a_login() -> (u16, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let requests = Arc::new(AtomicUsize::new(0));
    let count = requests.clone();
    std::thread::spawn(move || {
        for mut client in listener.incoming().flatten() {
            count.fetch_add(1, Ordering::Relaxed);
            let _ = client.read(&mut [0; 4096]);
            let answer = "HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm=\"p\"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
            let _ = client.write_all(answer.as_bytes());
        }
    });
    (port, requests)
}

#[test]
fn a_proxy_that_wants_a_login_or_refuses_it_is_one_line_without_the_password() {
    let world = World::new();
    for (variable, endpoint) in [
        ("HTTPS_PROXY", "https://hub.example"),
        ("HTTP_PROXY", "http://hub.example"),
    ] {
        for (login, words) in [
            (
                "",
                format!("in {variable} wants a login: put USER:PASSWORD@"),
            ),
            (
                "me:canary@",
                format!("refuses the login in {variable}: correct USER:PASSWORD@"),
            ),
        ] {
            let (port, requests) = proxy_that_wants_a_login();
            let named = format!("http://{login}localhost:{port}");
            let environment = [(variable, named.as_str()), ("HF_ENDPOINT", endpoint)];
            for verb in ["migrate", "plan"] {
                let ran = world.run_with(&[verb, "alice/model"], &environment);
                ran.refused_with(2, &words);
                assert!(!format!("{}{}", ran.stdout, ran.stderr).contains("canary"));
            }
            assert!(requests.load(Ordering::Relaxed) < 8, "none is asked again");
            let doctor = world.run_with(&["doctor"], &environment);
            assert!(
                doctor.code == 3 && doctor.stdout.contains(&words),
                "{}",
                doctor.stdout
            );
            assert!(!format!("{}{}", doctor.stdout, doctor.stderr).contains("canary"));
        }
    }
}

// 30
#[test]
fn a_proxy_is_asked_for_no_private_host_that_a_hub_points_at() {
    let (port, asked) = proxy();
    let named = format!("http://127.0.0.1:{port}");
    let inside = TcpListener::bind("127.0.0.1:0").unwrap();
    let inside = inside.local_addr().unwrap().port();
    for (host, words) in [
        (
            "localhost",
            "the name localhost resolves to a private address",
        ),
        ("127.0.0.1", "private address"),
        (
            "inside.invalid",
            "the name inside.invalid does not resolve here",
        ),
    ] {
        let world = World::serving(&["--advertise", ELSEWHERE]).holding_blob(MB);
        let href = format!("http://{host}:{inside}/secret");
        world.always("hf.lfs_batch", json!({"do": "href", "href": href}));
        let ran = world.migrate_with(&[("HTTP_PROXY", &named)]);
        ran.ended(1, words);
        let asked = asked.lock().unwrap().clone();
        assert!(
            !asked.is_empty() && asked.iter().all(|line| line.contains(ELSEWHERE)),
            "{asked:?}"
        );
    }
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
