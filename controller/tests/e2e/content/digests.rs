//! Wrong bytes and wrong sizes are never committed.

use super::*;

#[test]
fn a_blob_of_the_right_size_and_other_bytes_is_never_committed() {
    let lie = "0123456789abcdef".repeat(4);
    let world = with(
        &json!([{"path": "bad.safetensors", "size": 50_000, "seed": 3, "declare": {"sha256": lie}}]),
    );
    let ran = migrate(&world);
    let report = fails_for(&world, &ran, 4, &["bad.safetensors"]);
    assert!(
        report["failed"][0]["error"]
            .as_str()
            .unwrap()
            .contains(&lie),
        "{report}"
    );
    others_arrived(&world, &["bad.safetensors"]);
    let puts = &world.admin("GET", "/counters", "").unwrap()["ms_storage.put"]["statuses"];
    assert_eq!(
        puts["200"], 1,
        "no upload of other bytes was completed: {puts}"
    );
}

#[test]
fn a_large_blob_that_is_corrupted_on_its_way_every_time_is_never_committed() {
    let world = with(&json!([{"path": "bad.safetensors", "size": 5_000_000, "seed": 3}]));
    let path = digest(&world, "bad.safetensors");
    fault(
        &world,
        &json!({"route": "hf_storage.get", "path": path, "kind": {"do": "corrupt", "at": 1_000}}),
    );
    fails_for(&world, &migrate(&world), 4, &["bad.safetensors"]);
    others_arrived(&world, &["bad.safetensors"]);
    world.admin("DELETE", "/faults", "");
    assert_eq!(
        migrate(&world).code,
        0,
        "nothing wrong stayed behind under its name"
    );
    is_copied(&world, "model");
}

#[test]
fn a_small_file_of_the_right_size_and_other_bytes_is_never_committed() {
    let files = json!([{"path": "bad.txt", "text": "what it is", "declare": {"git_sha1": "0123456789abcdef0123456789abcdef01234567"}}]);
    let world = with(&files);
    fails_for(&world, &migrate(&world), 4, &["bad.txt"]);
    others_arrived(&world, &["bad.txt"]);
}

#[test]
fn a_byte_that_was_wrong_once_is_read_again() {
    let world = with(
        &json!([{"path": "a.safetensors", "size": 300_000, "seed": 3}, {"path": "a.txt", "text": "small"}]),
    );
    fault(
        &world,
        &json!({"route": "hf_storage.get", "count": 1, "kind": {"do": "corrupt", "at": 200_000}}),
    );
    fault(
        &world,
        &json!({"route": "hf.resolve_cache", "path": "a.txt", "count": 1, "kind": {"do": "corrupt"}}),
    );
    let ran = migrate(&world);
    assert_eq!(ran.code, 0, "{}", ran.stdout);
    is_copied(&world, "model");
}

#[test]
fn more_bytes_than_declared_stop_the_file_and_fail() {
    let world = with(
        &json!([{"path": "bad.safetensors", "size": 400_000, "seed": 3}, {"path": "bad.txt", "text": "small"}]),
    );
    fault(
        &world,
        &json!({"route": "hf_storage.get", "path": digest(&world, "bad.safetensors"), "kind": {"do": "longer", "extra": 10}}),
    );
    fault(
        &world,
        &json!({"route": "hf.resolve_cache", "path": "bad.txt", "kind": {"do": "longer", "extra": 1}}),
    );
    fails_for(&world, &migrate(&world), 4, &["bad.safetensors", "bad.txt"]);
    others_arrived(&world, &["bad.safetensors", "bad.txt"]);
}

#[test]
fn more_bytes_without_a_declared_length_stop_the_file_and_fail() {
    let world = with(&json!([{"path": "bad.safetensors", "size": 400_000, "seed": 3}]));
    let path = digest(&world, "bad.safetensors");
    fault(
        &world,
        &json!({"route": "hf_storage.get", "path": path, "kind": {"do": "longer", "extra": 100_000_000}}),
    );
    fault(
        &world,
        &json!({"route": "hf_storage.get", "path": path, "kind": {"do": "undeclared"}}),
    );
    fails_for(&world, &migrate(&world), 4, &["bad.safetensors"]);
    others_arrived(&world, &["bad.safetensors"]);
    let out = world.admin("GET", "/counters", "").unwrap()["hf_storage.get"]["bytes_out"]
        .as_u64()
        .unwrap();
    assert!(
        out < 60_000_000,
        "{out} bytes were taken of a file that has 400,000"
    );
}

#[test]
fn a_size_that_the_listing_lies_about_is_never_committed() {
    for size in [399_999, 400_001] {
        let world = with(
            &json!([{"path": "bad.safetensors", "size": 400_000, "seed": 3, "declare": {"size": size}}]),
        );
        let ran = migrate(&world);
        assert!(ran.code == 4 || ran.code == 1, "{}", ran.stdout);
        fails_for(&world, &ran, ran.code, &["bad.safetensors"]);
        others_arrived(&world, &["bad.safetensors"]);
    }
}
