//! Tokens of the storage: expired, refused, and seen by nobody else.

use super::*;

#[test]
fn an_expired_token_is_refreshed() {
    let Some(there) = world() else { return };
    there.once("hf.xet_read_token", json!({"do": "expired"}));
    by_xet(&there).done();
    assert!(there.is_whole() && there.requests("hf.xet_read_token") == 2);
    let Some(back) = world_the_other_way() else {
        return;
    };
    back.once("hf.xet_write_token", json!({"do": "expired"}));
    back_by_xet(&back).done();
    assert!(is_whole_there(&back) && back.requests("hf.xet_write_token") == 2);
}

#[test]
fn a_token_that_is_refused_in_the_middle_of_an_upload_is_renewed_and_nothing_is_sent_twice() {
    let Some(world) = world_the_other_way() else {
        return;
    };
    world.strike(
        "hf_cas.xorb",
        json!({"do": "status", "status": 401}),
        json!({"skip": 1, "count": 1}),
    );
    back_by_xet(&world).done();
    assert!(is_whole_there(&world));
    assert_eq!(
        (
            world.requests("hf.xet_write_token"),
            world.requests("hf_cas.xorb")
        ),
        (2, 6),
        "one of five again"
    );
}

#[test]
fn a_token_that_is_always_refused_ends_the_file_without_a_storm() {
    let Some(world) = world() else { return };
    world.always(
        "hf_cas.reconstruction",
        json!({"do": "status", "status": 401}),
    );
    by_xet(&world).failed(1, &["w.safetensors"], "401");
    assert!(
        world.requests("hf_cas.reconstruction") < 30,
        "{}",
        world.requests("hf_cas.reconstruction")
    );
}

/// Every text that a run leaves: what it printed, and its files.
fn left_behind(world: &World, ran: &Ran) -> String {
    fn texts(folder: &std::path::Path, all: &mut String) {
        for entry in std::fs::read_dir(folder).unwrap().flatten() {
            match entry.path() {
                path if path.is_dir() => texts(&path, all),
                path => all.push_str(&String::from_utf8_lossy(&std::fs::read(path).unwrap())),
            }
        }
    }
    let mut all = ran.stdout.clone() + &ran.stderr;
    texts(&world.path("state"), &mut all);
    all
}

#[test]
fn no_token_is_left_anywhere_or_sent_to_the_wrong_place() {
    let Some(world) = world() else { return };
    world.strike(
        "hf_cas.reconstruction",
        json!({"do": "status", "status": 401}),
        json!({"skip": 1, "count": 1}),
    );
    let ran = by_xet(&world);
    ran.done();
    let tokens: Vec<String> = world
        .asked("hf_cas", "GET")
        .iter()
        .filter_map(authorization)
        .collect();
    assert!(
        tokens.iter().any(|token| token.starts_with("Bearer xet_")),
        "{tokens:?}"
    );
    assert!(
        tokens.iter().all(|token| !token.contains("hf_sandbox")),
        "the hub's own token stays with the hub"
    );
    let terms = world
        .asked("hf_cas", "GET")
        .into_iter()
        .filter(|request| request["path"].as_str().unwrap().contains("fetch_term"));
    assert_eq!(
        terms.filter_map(|request| authorization(&request)).count(),
        0,
        "an address that permits by itself is sent none"
    );
    let elsewhere = ["hf", "hf_storage", "ms", "ms_storage"]
        .map(|origin| [world.asked(origin, "GET"), world.asked(origin, "POST")].concat());
    assert!(
        !json!(elsewhere).to_string().contains("xet_ey")
            && !json!(elsewhere).to_string().contains("Bearer xet_")
    );
    let left = left_behind(&world, &ran);
    assert!(
        tokens
            .iter()
            .all(|token| !left.contains(token.trim_start_matches("Bearer ")))
    );
}

fn authorization(request: &Value) -> Option<String> {
    request["headers"]["authorization"]
        .as_str()
        .map(str::to_owned)
}
