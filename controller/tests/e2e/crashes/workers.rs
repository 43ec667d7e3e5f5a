//! Workers that are killed are replaced, at most three times.

use super::*;

#[test]
fn a_worker_killed_before_its_first_byte_is_replaced() {
    let world = World::with_model();
    let running = held_at(&world, "ms.batch");
    kill_the_worker(&world);
    let ran = running.wait();
    done(&world, &ran);
    assert_eq!((lost(&ran), world.uploads().len()), (1, 2));
}

#[test]
fn a_worker_killed_in_an_upload_is_replaced_and_only_that_blob_is_sent_again() {
    let world = World::with_model();
    let running = in_mid_upload(&world);
    kill_the_worker(&world);
    let ran = running.wait();
    done(&world, &ran);
    assert_eq!(
        (lost(&ran), world.uploads().len(), distinct(&world)),
        (1, 2, 2)
    );
    let sent = world.admin("GET", "/counters", "").unwrap()["ms_storage.put"]["bytes_in"]
        .as_u64()
        .unwrap();
    assert!(
        sent < 5_000_000 + 2_000_000,
        "{sent} bytes were sent for 5,000,000"
    );
}

#[test]
fn a_worker_killed_after_its_uploads_costs_no_byte() {
    let world = World::with_model();
    let script = format!(
        r#"if [ "$1" = run ] && mkdir '{}' 2>/dev/null; then "$worker" "$@" >/dev/null; kill -9 $$; fi; exec "$worker" "$@""#,
        world.path("once").display()
    );
    let ran = run(&world, &mut with_worker(&world, &script));
    done(&world, &ran);
    let report = ran.event("report");
    assert_eq!(
        (
            lost(&ran),
            report["reused"].as_u64(),
            world.requests("ms_storage.put")
        ),
        (1, Some(2), 2)
    );
}

#[test]
fn a_preempted_worker_is_replaced() {
    let world = World::with_model();
    let running = in_mid_upload(&world);
    signal("-TERM", world.workers()[0]);
    let ran = running.wait();
    done(&world, &ran);
    assert_eq!(
        (lost(&ran), world.uploads().len(), distinct(&world)),
        (1, 2, 2)
    );
}

#[test]
fn a_finalizer_that_dies_before_it_writes_is_replaced() {
    let world = World::with_model();
    let script = format!(
        r#"if [ "$1" = finalize ] && mkdir '{}' 2>/dev/null; then kill -9 $$; fi; exec "$worker" "$@""#,
        world.path("once").display()
    );
    let ran = run(&world, &mut with_worker(&world, &script));
    done(&world, &ran);
    assert_eq!((lost(&ran), world.our_commits().len()), (1, 1));
}

#[test]
fn a_finalizer_that_dies_while_it_verifies_is_replaced_and_commits_once() {
    let world = World::with_model();
    let script = format!(
        r#"if [ "$1" = finalize ] && mkdir '{}' 2>/dev/null; then
             "$worker" "$@" | sed '/"committed"/q'; kill -9 $$; fi; exec "$worker" "$@""#,
        world.path("once").display()
    );
    let ran = run(&world, &mut with_worker(&world, &script));
    done(&world, &ran);
    assert_eq!(
        (
            lost(&ran),
            world.our_commits().len(),
            world.requests("ms.commit")
        ),
        (1, 1, 1)
    );
}

#[test]
fn a_worker_that_always_dies_is_tried_three_times_and_reported() {
    let world = World::with_model();
    let deaths = world.path("deaths");
    let script = format!(
        r#"[ "$1" = run ] || exec "$worker" "$@"; echo x >>'{}'; echo no room >&2; kill -9 $$"#,
        deaths.display()
    );
    let ran = run(&world, &mut with_worker(&world, &script));
    assert_eq!(
        (
            ran.code,
            lost(&ran),
            fs::read_to_string(&deaths).unwrap().lines().count()
        ),
        (1, 3, 3),
        "{}",
        ran.stdout
    );
    let failed = ran.failures();
    assert_eq!(
        failed[0]["error"],
        "its worker died 3 times: killed by signal 9: no room"
    );
    assert_eq!(failed.len(), 3, "both blobs, and the file that shares one");
    finishes(&world);
}

#[test]
fn what_kills_its_workers_costs_only_its_own_chunk() {
    let world = World::with_model();
    let script = format!(
        r#"[ "$1" = run ] || exec "$worker" "$@"; read -r job; case "$job" in *{}*) kill -9 $$;; esac; echo "$job" | "$worker" run"#,
        world.sha256("b.safetensors")
    );
    let mut command = with_worker(&world, &script);
    let ran = run(&world, command.args(["--containers", "2"]));
    let report = ran.event("report");
    assert_eq!(
        (
            ran.code,
            lost(&ran),
            report["verification"]["equal"].as_u64()
        ),
        (1, 3, Some(3)),
        "{}",
        ran.stdout
    );
    let failed = ran.failures();
    assert_eq!(
        (&failed[0]["path"], failed.len()),
        (&json!("b.safetensors"), 1),
        "README.md and config.json wait for it"
    );
    finishes(&world);
}

#[test]
fn workers_without_memory_or_that_all_die_end_it_with_one_line() {
    for script in ["kill -9 $$", r#"ulimit -v 12000; exec "$worker" "$@""#] {
        let world = World::with_model();
        let mut command = world.command(&["migrate", "alice/model"]);
        let ran = run(
            &world,
            command.env("HF2MS_WORKER", world.scripted_worker(script)),
        );
        ran.refused_with(1, "died 3 times");
        assert_eq!(world.our_commits().len(), 0);
        finishes(&world);
    }
}
