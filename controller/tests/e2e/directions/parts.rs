//! Large files go to Hugging Face in parts.

use super::*;

/// A world with a file of 5 MB and a hub that wants parts of 1 MB.
fn with_parts() -> World {
    let world = World::new();
    seed(
        &world,
        "ms",
        "model",
        &json!([{"path": "w.safetensors", "size": 5_300_000, "seed": 7}]),
    );
    world
        .admin(
            "POST",
            "/settings",
            r#"{"hf_multipart_above":1000000,"hf_part_size":1048576}"#,
        )
        .unwrap();
    world
}

#[test]
fn a_large_file_goes_in_parts() {
    let world = with_parts();
    done(&run(&world, &["ms:alice/model"]));
    ms_to_hf(&world);
    assert_eq!(
        (
            world.requests("hf_storage.put"),
            world.requests("hf.lfs_complete"),
            world.requests("hf.lfs_verify")
        ),
        (6, 1, 1)
    );
}

#[test]
fn a_part_that_breaks_is_sent_again_alone() {
    let world = with_parts();
    let kinds = [
        json!({"do": "status", "status": 500}),
        json!({"do": "reset", "after": 300_000}),
        json!({"do": "lose_answer"}),
    ];
    for (skip, kind) in kinds.into_iter().enumerate() {
        let rule = json!({"route": "hf_storage.put", "kind": kind, "skip": 2 * skip, "count": 1});
        world.fault(&rule.to_string());
    }
    let report = done(&run(&world, &["ms:alice/model"]));
    ms_to_hf(&world);
    assert!(report["retries"].as_u64() >= Some(3), "{report}");
    let sent = report["sent"].as_u64().unwrap();
    assert!(
        sent > 5_300_000 && sent <= 5_300_000 + 3 * 1_048_576,
        "{sent} bytes: only the parts were repeated"
    );
    assert_eq!(world.requests("hf.lfs_complete"), 1);
}

#[test]
fn a_wrong_digest_completes_no_upload_whole_or_in_parts() {
    for settings in [
        "{}",
        r#"{"hf_multipart_above":1000000,"hf_part_size":1048576}"#,
    ] {
        let world = World::new();
        world.admin("POST", "/settings", settings).unwrap();
        let lie = "0".repeat(64);
        seed(
            &world,
            "ms",
            "model",
            &json!([{"path": "w.safetensors", "size": 3_000_000, "seed": 7, "declare": {"sha256": lie}}, {"path": "a.txt", "text": "a"}]),
        );
        let ran = run(&world, &["ms:alice/model"]);
        assert_eq!(ran.code, 4, "{}{}", ran.stdout, ran.stderr);
        assert_eq!(
            (
                world.requests("hf.lfs_complete"),
                world.requests("hf.lfs_verify")
            ),
            (0, 0)
        );
        let there = holds(&world, "hf", "model", "alice/model");
        assert!(
            !there.contains_key("w.safetensors") && there.contains_key("a.txt"),
            "{there:?}"
        );
    }
}

#[test]
fn an_upload_that_the_hub_does_not_find_whole_is_sent_again() {
    let world = with_model();
    world.fault(r#"{"route":"hf.lfs_verify","kind":{"do":"status","status":422},"count":1}"#);
    done(&run(&world, &["ms:alice/model"]));
    ms_to_hf(&world);
}

#[test]
fn addresses_that_expired_are_asked_for_again_on_both_sides() {
    for route in ["hf.lfs_batch", "ms.download"] {
        let world = with_model();
        world.fault(&json!({"route": route, "kind": {"do": "expired"}, "count": 2}).to_string());
        done(&run(&world, &["ms:alice/model"]));
        ms_to_hf(&world);
    }
}

#[test]
fn a_broken_download_goes_on_at_its_offset() {
    let world = with_model();
    world.fault(r#"{"route":"ms_storage.get","kind":{"do":"reset","after":500000},"count":3}"#);
    let report = done(&run(&world, &["ms:alice/model"]));
    ms_to_hf(&world);
    assert_eq!(report["sent"], 5_000_000, "no byte was uploaded twice");
}
