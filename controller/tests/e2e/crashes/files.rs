//! A run folder with torn files, and a disk that is full.

use super::*;

fn tear(world: &World, name: &str, keep: impl Fn(usize) -> usize) {
    let path = world.run_file(name);
    let whole = fs::read(&path).unwrap();
    fs::write(&path, &whole[..keep(whole.len())]).unwrap();
}

#[test]
fn torn_files_of_a_run_cost_what_they_held_and_nothing_else() {
    let world = World::with_model();
    done(&world, &world.run(MIGRATE));
    tear(&world, "journal.ndjson", |length| length - 9);
    tear(&world, "report.json", |_| 0);
    tear(&world, "plan.json", |length| length / 2);
    tear(&world, "known.json", |length| length / 2);
    tear(&world, "proof.json", |length| length / 2);
    assert_eq!(world.run(&["runs", "--json"]).events()[0]["state"], "done");
    let status = world.run(&["status"]);
    assert!(
        status.code == 0 && status.stdout.contains("moved       2 blobs, 5 MB"),
        "{}{}",
        status.stdout,
        status.stderr
    );
    assert!(
        status.stdout.contains("equal             6"),
        "the verification is in the journal: {}",
        status.stdout
    );
    assert_eq!(
        world.run(&["status", "--json"]).events()[0]["report"],
        Value::Null
    );
    let ran = finishes(&world);
    assert_eq!(
        (
            world.our_commits().len(),
            ran.event("report")["sent"].as_u64()
        ),
        (1, Some(0))
    );
}

#[test]
fn a_run_without_a_readable_record_is_named_and_stops_no_copy() {
    let world = World::with_model();
    done(&world, &world.run(MIGRATE));
    done(&world, &world.run(MIGRATE));
    tear(&world, "run.json", |length| length / 2);
    let runs = world.run(&["runs", "--json"]);
    let names: Vec<_> = runs.events().iter().map(|e| e["event"].clone()).collect();
    assert_eq!(
        (runs.code, names),
        (0, vec!["warning".into(), "run".into()])
    );
    // The newest run is not taken for the one before it.
    let status = world.run(&["status"]);
    status.refused_with(2, "has a run.json that can't be read");
    done(&world, &world.run(MIGRATE));
}

#[test]
fn a_lock_that_is_torn_or_left_behind_locks_nobody_out() {
    let world = World::with_model();
    done(&world, &world.run(MIGRATE));
    let lock = fs::read_dir(world.path("state").join("locks"))
        .unwrap()
        .flatten()
        .next()
        .unwrap()
        .path();
    for content in [&b""[..], b"01M7W\xff\xfe", b"not a run"] {
        fs::write(&lock, content).unwrap();
        done(&world, &world.run(MIGRATE));
    }
}

#[test]
fn a_state_that_cannot_be_kept_is_one_clear_line_before_anything_is_created() {
    let world = World::with_model();
    fs::write(world.path("file"), "in the way").unwrap();
    for place in [
        world.path("file"),
        world.path("file").join("below"),
        "/proc/none".into(),
    ] {
        let place = place.to_str().unwrap();
        world
            .run_with(&["migrate", "alice/model"], &[("HF2MS_STATE", place)])
            .refused_with(2, place);
        assert!(world.stored("ms", "model", "alice/model").is_none());
        assert_eq!(world.run_with(&["runs"], &[("HF2MS_STATE", place)]).code, 0);
    }
}

#[test]
fn a_disk_that_fills_up_ends_it_with_one_line_and_no_worker_left() {
    let world = World::with_model();
    let migrate = r#"trap '' XFSZ; ulimit -f 1; exec "$0" migrate alice/model"#;
    let mut shell = Command::new("sh");
    let plain = world.command(&[]);
    shell
        .args(["-c", migrate])
        .arg(plain.get_program())
        .current_dir(world.path(""))
        .env_clear();
    shell.envs(
        plain
            .get_envs()
            .filter_map(|(name, value)| Some((name, value?))),
    );
    let ran = run(&world, &mut shell);
    ran.refused_with(1, "File too large");
    assert!(
        ran.stderr.contains(world.path("state").to_str().unwrap()),
        "{}",
        ran.stderr
    );
    nothing_is_left(&world);
    std::thread::sleep(Duration::from_millis(50));
    finishes(&world);
}
