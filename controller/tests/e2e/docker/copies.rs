//! Copies by containers, through proxies and by podman too.

use super::*;

/// Bytes of one blob of a hundred.
const BLOB: u64 = 2_000_000;

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
    assert_eq!(logs, 4, "of two chunks, of the end, and of hf2ms");
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
            .admin(
                "POST",
                "/settings",
                &json!({"hf_down_each": rate}).to_string(),
            )
            .unwrap()
    };
    // More containers are faster then, so that all twenty are started.
    slow(Some(75_000));
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
    each_loss_cost_one_blob_at_most(&fleet);
}

/// Ten containers were killed and one was cut off, and each of the hundred blobs was stored once. A container that had printed its receipt
/// when it was killed is no loss.
fn each_loss_cost_one_blob_at_most(fleet: &Fleet) {
    let losses = fleet.losses();
    let killed = losses
        .iter()
        .filter(|why| why.starts_with("killed by signal 9"))
        .count();
    assert_eq!(losses.len(), killed + 1, "{losses:#?}");
    assert!((7..=10).contains(&killed), "{losses:#?}");
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
