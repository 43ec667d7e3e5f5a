//! Ctrl-C and `stop` cancel every call.

use super::*;

#[test]
fn ctrl_c_cancels_every_call() {
    let (world, cloud) = world(4);
    hold(&world);
    let running = world.start(&mut cloud.command(&world, &MIGRATE));
    until("both chunks", || cloud.count("run_chunk", "running") == 2);
    running.signal("-INT");
    assert_eq!(running.wait().code, 130);
    cloud.until_quiet();
    assert_eq!(
        (
            cloud.count("run_chunk", "cancelled"),
            cloud.count("finalize", "cancelled")
        ),
        (2, 1)
    );
    assert_eq!(status(&world, &cloud)["record"]["state"], "interrupted");
    assert!(world.our_commits().is_empty());
}

#[test]
fn stop_from_elsewhere_cancels_every_call() {
    let (world, cloud) = world(4);
    hold(&world);
    detach(&world, &cloud);
    until("both chunks", || cloud.count("run_chunk", "running") == 2);
    let ran = cloud.run(&world, &["stop", "last"]);
    assert_eq!(
        (ran.code, ran.stdout.contains("it is interrupted")),
        (0, true),
        "{}{}",
        ran.stdout,
        ran.stderr
    );
    cloud.until_quiet();
    assert_eq!(
        (
            cloud.count("run_chunk", "cancelled"),
            cloud.count("finalize", "cancelled")
        ),
        (2, 1)
    );
    release(&world);
    assert_eq!(
        cloud.run(&world, &MIGRATE).code,
        0,
        "the same command goes on"
    );
    assert!(is_whole(&world));
}
