//! Mirror sites of a hub, and storage that refuses its addresses.

use super::*;

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
