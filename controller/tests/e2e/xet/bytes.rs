//! Bytes that break or change on their way.

use super::*;

#[test]
fn what_breaks_on_the_way_goes_on_where_it_was() {
    let Some(world) = world() else { return };
    world.once("hf_cas.term", json!({"do": "reset", "after": 20_000}));
    world.once("hf_cas.term", json!({"do": "truncate", "after": 5_000}));
    world.once(
        "hf_cas.reconstruction",
        json!({"do": "status", "status": 503}),
    );
    by_xet(&world).done();
    assert!(world.is_whole() && world.all_struck());
    let Some(back) = world_the_other_way() else {
        return;
    };
    back.once("hf_cas.xorb", json!({"do": "status", "status": 503}));
    back.once("hf_cas.shard", json!({"do": "lose_answer"}));
    back_by_xet(&back).done();
    assert!(is_whole_there(&back) && back.all_struck());
}

#[test]
fn wrong_bytes_out_of_xorbs_are_never_committed() {
    let Some(world) = world() else { return };
    world.always("hf_cas.term", json!({"do": "corrupt", "at": 5000}));
    let ran = by_xet(&world);
    ran.failed(4, &["w.safetensors"], "");
    assert_eq!(
        (world.arrived(), world.wrong()),
        (vec!["README.md".to_owned()], vec![])
    );
    world.finishes();
}

#[test]
fn wrong_bytes_never_become_a_file_in_xets_storage() {
    let Some(world) = world_the_other_way() else {
        return;
    };
    world.always("ms_storage.get", json!({"do": "corrupt", "at": 5000}));
    back_by_xet(&world).failed(4, &["w.safetensors"], "");
    assert_eq!(
        world.requests("hf_cas.shard"),
        0,
        "xorbs without a file are nothing"
    );
    world.clear_faults();
    back_by_xet(&world).done();
    assert!(is_whole_there(&world));
}

#[test]
fn bytes_that_change_on_their_way_into_a_xorb_are_never_called_done_and_come_whole_the_next_time() {
    let Some(world) = world_the_other_way() else {
        return;
    };
    world.once("hf_cas.xorb", json!({"do": "corrupt", "at": 5000}));
    let ran = back_by_xet(&world);
    assert!(ran.code != 0 || is_whole_there(&world), "{}", ran.stdout);
    world.clear_faults();
    back_by_xet(&world).done();
    assert!(is_whole_there(&world));
}
