//! When a file goes by Xet.

use super::*;

#[test]
fn a_model_comes_from_hugging_face_by_xet_where_that_is_asked_for() {
    let Some(world) = world() else { return };
    by_xet(&world).done();
    assert!(world.is_whole());
    assert_eq!(
        (
            world.requests("hf_storage.get"),
            world.requests("hf.xet_read_token"),
            world.requests("hf.paths_info")
        ),
        (0, 1, 1)
    );
    assert!(world.requests("hf_cas.term") > 0);
}

#[test]
fn a_model_goes_to_hugging_face_by_xet_where_that_is_asked_for() {
    let Some(world) = world_the_other_way() else {
        return;
    };
    back_by_xet(&world).done();
    assert!(is_whole_there(&world));
    assert_eq!(
        (
            world.requests("hf_storage.put"),
            world.requests("hf_cas.shard"),
            world.requests("hf.xet_write_token")
        ),
        (0, 1, 1)
    );
    assert_eq!(world.requests("hf_cas.xorb"), 5, "4 MiB each");
}

#[test]
fn what_is_sent_by_xet_has_the_name_that_the_official_client_gives_it() {
    let Some(theirs) = world().as_ref().map(xet_hash) else {
        return;
    };
    let Some(world) = world_the_other_way() else {
        return;
    };
    back_by_xet(&world).done();
    assert_eq!(xet_hash(&world), theirs, "cut and hashed alike");
}

#[test]
fn plain_http_is_the_way_as_long_as_nobody_asks_for_another() {
    let Some(there) = world() else { return };
    copy(&there, &["alice/model"]).done();
    let Some(back) = world_the_other_way() else {
        return;
    };
    copy(&back, &["ms:alice/model"]).done();
    let asked =
        |world: &World| world.requests("hf.xet_read_token") + world.requests("hf.xet_write_token");
    assert_eq!((asked(&there), asked(&back)), (0, 0));
}

#[test]
fn a_file_above_the_bridges_limit_moves_by_xet_unasked() {
    let Some(world) = world() else { return };
    world.set(json!({"hf_bridge_limit": 1_000_000}));
    copy(&world, &["alice/model"]).done();
    assert!(world.is_whole() && world.requests("hf_cas.term") > 0);
}

#[test]
fn a_file_above_the_bridges_limit_is_left_out_and_named_where_xet_is_forbidden() {
    let Some(world) = world() else { return };
    world.set(json!({"hf_bridge_limit": 1_000_000}));
    let ran = copy(&world, &["alice/model", "--transport", "http"]);
    ran.failed(
        1,
        &["w.safetensors"],
        "the file is served by Xet only, and plain HTTP was asked for",
    );
    assert_eq!(
        (world.arrived(), world.requests("hf_cas.term")),
        (vec!["README.md".to_owned()], 0)
    );
}

#[test]
fn a_file_that_is_not_in_xets_storage_comes_by_http() {
    let world = World::with_blob(SIZE);
    by_xet(&world).done();
    assert!(world.is_whole() && world.requests("hf_storage.get") > 0);
}
