//! A stall by Xet turns a file to plain HTTP.

use super::*;

#[test]
fn a_stall_falls_back_to_http_once_and_says_so() {
    let Some(world) = world() else { return };
    world.once("hf_cas.term", json!({"do": "stall", "after": 5_000}));
    let ran = by_xet(&world);
    ran.done();
    let retries = retries(&ran);
    assert!(world.is_whole() && retries.len() == 1, "{retries:?}");
    assert!(
        retries[0].contains("Xet stalled, going on without it: nothing moved for 2 s"),
        "{retries:?}"
    );
    assert!(world.requests("hf_storage.get") > 0);
}

#[test]
fn an_upload_that_stalls_is_sent_again_by_http() {
    let Some(world) = world_the_other_way() else {
        return;
    };
    world.once("hf_cas.xorb", json!({"do": "stall", "after": 100_000}));
    let ran = back_by_xet(&world);
    ran.done();
    assert!(
        is_whole_there(&world) && retries(&ran)[0].contains("Xet stalled, going on without it"),
        "{:?}",
        retries(&ran)
    );
    assert_eq!(
        (
            world.requests("hf_cas.shard"),
            world.requests("hf_storage.put")
        ),
        (0, 1)
    );
}

#[test]
fn where_there_is_no_other_way_a_stall_is_tried_again_the_same_way() {
    let Some(world) = world() else { return };
    world.set(json!({"hf_bridge_limit": 1_000_000}));
    world.once("hf_cas.term", json!({"do": "stall", "after": 5_000}));
    let ran = copy(&world, &["alice/model"]);
    ran.done();
    assert!(
        world.is_whole() && retries(&ran) == ["nothing moved for 2 s"],
        "{:?}",
        retries(&ran)
    );
}
