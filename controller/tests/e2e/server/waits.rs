//! Waits and quotas that a server asks for.

use super::*;

// 13
#[test]
fn a_wait_that_the_server_asks_for_holds_back_the_whole_host() {
    for (name, value) in [("retry-after", "1"), ("ratelimit", "\"resolvers\";r=0;t=0")] {
        let world = World::with_blobs(160, 1000);
        world.strike(
            "hf_storage.get",
            json!({"do": "status", "status": 429, "headers": {name: value}}),
            json!({"skip": 4, "count": 1}),
        );
        let ran = world.migrate();
        assert_eq!(ran.done()["retries"].as_u64(), Some(1));
        let [waited] = waits(&ran)[..] else { panic!() };
        assert!((1.0..=1.05).contains(&waited), "{waited}");
        let asked = world.asked("hf_storage", "GET");
        let at = |request: &Value| request["at_ms"].as_u64().unwrap();
        let refused = asked
            .iter()
            .find(|request| request["status"] == 429)
            .unwrap();
        let again = asked
            .iter()
            .rfind(|request| request["path"] == refused["path"])
            .unwrap();
        let meanwhile = asked
            .iter()
            .filter(|request| (at(refused)..at(refused) + 1000).contains(&at(request)))
            .count();
        // What was under way with it could not know.
        assert!(
            at(again) >= at(refused) + 1000 && meanwhile < 80,
            "{meanwhile} of {} requests during the wait",
            asked.len()
        );
        assert!(asked.len() == 161 && world.is_whole());
    }
}

// 70
#[test]
fn many_workers_come_back_one_after_the_other_after_a_common_wait() {
    let world = World::with_blobs(12, 1000);
    world.strike(
        "hf.lfs_batch",
        json!({"do": "status", "status": 429, "headers": {"Retry-After": "1"}}),
        json!({"count": 6}),
    );
    let arguments = ["--containers", "6", "--chunk-size", "0.000002", "--json"];
    let arguments = [&["migrate", "alice/model"][..], &arguments].concat();
    let ran = world.run_with(&arguments, &[IMPATIENT]);
    ran.done();
    let mut waits = waits(&ran);
    waits.sort_by(f64::total_cmp);
    assert!(world.is_whole() && waits.len() == 6, "{waits:?}");
    // Six workers have three tenths of the second to come back in.
    assert!(waits[0] >= 1.0 && waits[5] <= 1.3, "{waits:?}");
    assert!(waits[5] - waits[0] > 0.06, "{waits:?}");
}

// 69
#[test]
fn a_wait_of_no_time_or_in_the_past_leaves_our_own_pauses() {
    for told in ["0", "Sun, 06 Nov 1994 08:49:37 GMT", "1"] {
        let world = World::with_blob(1000);
        for route in [
            "hf.lfs_batch",
            "hf_storage.get",
            "ms.batch",
            "ms_storage.put",
        ] {
            let busy = json!({"do": "status", "status": 503, "headers": {"Retry-After": told}});
            world.once(route, busy);
        }
        let ran = world.run_with(
            &["migrate", "alice/model", "--json"],
            &[("HF2MS_RETRY_BASE", "0.3")],
        );
        ran.done();
        let waits = waits(&ran);
        assert!(world.is_whole() && world.all_struck());
        let least = if told == "1" { 1.0 } else { 0.0 };
        assert!(
            waits.len() == 4 && waits.iter().all(|wait| *wait > least),
            "{told}: {waits:?}"
        );
    }
}

#[test]
fn a_quota_is_kept_once_it_is_known() {
    let world = World::new();
    let files: Vec<_> = (0..12)
        .map(|n| json!({"path": format!("{n}.txt"), "text": n.to_string()}))
        .collect();
    world.seed_model(&json!(files));
    world.set(json!({"hf_resolve_quota": 8, "quota_window_s": 1}));
    let ran = world.migrate();
    assert_eq!(ran.done()["retries"], 0);
    assert_eq!(world.requests("hf.resolve"), 12, "none is refused");
    assert!(world.is_whole());
}

/// `count` small files outside LFS, which workers read one by one at the hub.
fn small_files(count: u64) -> World {
    let world = World::new();
    let files =
        json!({"count": count, "size": 1000, "prefix": "blob-", "suffix": ".bin", "lfs": false});
    world.seed(
        &json!({"hub": "hf", "kind": "model", "id": "alice/model", "generate": files}).to_string(),
    );
    world
}

/// Copies them by four workers.
fn by_four_workers(world: &World) -> crate::common::Ran {
    let arguments = ["--containers", "4", "--json", "--verify", "listing"];
    world.run(&[&["migrate", "alice/model"][..], &arguments].concat())
}

/// The waits of hosts that were told.
fn host_waits(ran: &crate::common::Ran) -> Vec<Value> {
    let events = ran.events().into_iter();
    events
        .filter(|event| event["event"] == "rate_limited")
        .collect()
}

#[test]
fn workers_keep_to_one_quota_together() {
    let world = small_files(120);
    world.set(json!({"hf_resolve_quota": 50, "quota_window_s": 2}));
    let ran = by_four_workers(&world);
    ran.done();
    let asked = world.asked("hf", "GET");
    let refused = asked.iter().filter(|request| request["status"] == 429);
    let (refused, told) = (refused.count(), host_waits(&ran));
    assert!(asked.len() >= 120, "{} requests for 120 files", asked.len());
    assert!(refused <= 8, "{refused} refusals");
    // Each of three windows is waited for once at most, by all workers together.
    assert!((1..=4).contains(&told.len()), "{told:?}");
    assert!(world.is_whole());
}

#[test]
fn a_wait_that_one_worker_meets_is_kept_by_all() {
    let world = small_files(160);
    world.set(json!({"latency_ms": 100}));
    world.strike(
        "hf.resolve",
        json!({"do": "status", "status": 429, "headers": {"Retry-After": "3"}}),
        json!({"skip": 40, "count": 1}),
    );
    let ran = by_four_workers(&world);
    ran.done();
    let asked = world.asked("hf", "GET");
    let at = |request: &Value| request["at_ms"].as_u64().unwrap();
    let of_files = || {
        asked
            .iter()
            .filter(|request| request["path"].as_str().unwrap().contains("/resolve/"))
    };
    let refused = of_files().find(|request| request["status"] == 429).unwrap();
    let wait = at(refused)..at(refused) + 3000;
    let meanwhile = of_files().filter(|request| wait.contains(&at(request)));
    let (meanwhile, later) = (
        meanwhile.count(),
        of_files().filter(|request| at(request) >= wait.end),
    );
    // What was under way could not know.
    assert!(meanwhile < 60 && later.count() > 50, "{meanwhile}");
    let told = host_waits(&ran);
    assert!(told.len() == 1 && told[0]["seconds"] == 3.0, "{told:?}");
    assert!(world.is_whole());
}

// 14
#[test]
fn a_bare_429_is_answered_with_growing_pauses_of_random_length() {
    let world = World::with_blob(1000);
    world.strike("hf_storage.get", status(429), json!({"count": 5}));
    let ran = world.migrate();
    assert_eq!(ran.done()["retries"], 5);
    let waits = waits(&ran);
    assert!(
        waits
            .iter()
            .zip(0..)
            .all(|(wait, n)| *wait <= 0.01 * f64::from(1 << n)),
        "{waits:?}"
    );
    assert!(
        waits.windows(2).any(|pair| pair[0] * 2.0 != pair[1])
            && waits.windows(2).any(|pair| pair[0] != pair[1]),
        "{waits:?}"
    );
    assert!(world.requests("hf_storage.get") == 6 && world.is_whole());
}

#[test]
fn a_bare_429_is_waited_out_wherever_it_comes_from() {
    let world = World::with_blob(1000);
    let routes = [
        "hf.info",
        "hf.tree",
        "hf.lfs_batch",
        "hf.resolve",
        "ms.me",
        "ms.files",
        "ms.batch",
        "ms_storage.put",
        "ms.commit",
    ];
    routes
        .iter()
        .for_each(|route| world.once(route, status(429)));
    world.migrate().done();
    assert!(world.all_struck() && world.is_whole());
    assert_eq!(
        world.stored("ms", "model", "alice/model").unwrap()["commits"]
            .as_array()
            .unwrap()
            .len(),
        2,
        "and the platform's first"
    );
}

// 15
#[test]
fn a_wait_beyond_the_budget_parks_that_item_says_so_and_the_others_go_on() {
    let world = World::with_model();
    let long = json!({"do": "status", "status": 429, "headers": {"Retry-After": "3600"}});
    world.strike(
        "hf_storage.get",
        long.clone(),
        json!({"path": oid(&world, "b.safetensors")}),
    );
    let report = world
        .migrate_with(&[MINUTE])
        .failed(1, &["b.safetensors"], "asks to wait 3600 s");
    assert_eq!(
        (
            report["failed"][0]["kind"].as_str(),
            report["retries"].as_u64()
        ),
        (Some("rate_limited"), Some(0))
    );
    assert!(world.arrived().len() == 3 && world.wrong().is_empty());
    world.finishes();
}

#[test]
fn a_wait_beyond_the_budget_for_a_listing_ends_the_run_at_once() {
    for route in ["hf.tree", "ms.me"] {
        let world = World::with_blob(1000);
        world.always(
            route,
            json!({"do": "status", "status": 429, "headers": {"Retry-After": "3600"}}),
        );
        world
            .migrate_with(&[MINUTE])
            .ended(1, "asks to wait 3600 s: run the same command again then");
        assert_eq!(world.requests(route), 1);
    }
}
