//! The id of a batch: what `status`, `logs` and `stop` say of it.

use super::*;

const THREE: [(&str, u64); 3] = [
    ("alice/ra", 300_000),
    ("alice/rb", 400_000),
    ("alice/rc", 500_000),
];
const ONE_WORKER: [&str; 6] = [
    "batch",
    "alice/ra",
    "alice/rb",
    "alice/rc",
    "--containers",
    "1",
];

/// The id that the first line of `--json` says.
fn id(ran: &Ran) -> String {
    let start = ran.all_events().remove(0);
    start["run"].as_str().unwrap().to_owned()
}

#[test]
fn the_table_says_what_was_moved_what_stood_there_and_who_may_see_it() {
    let world = world(&THREE[..2]);
    assert_eq!(world.run(&["migrate", "alice/ra", "--private"]).code, 0);
    let ran = world.run(&["batch", "alice/ra", "alice/rb", "--force"]);
    let lines: Vec<String> = ran
        .stdout
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect();
    for row in [
        "alice/ra alice/ra there already private 2 ",
        "alice/rb alice/rb moved public 2 ",
    ] {
        assert!(
            lines.iter().any(|line| line.starts_with(row)),
            "{row} in {}",
            ran.stdout
        );
    }
    let last = lines.last().unwrap();
    assert!(
        last.starts_with("2 repos: 1 moved, 1 there already; 4 files, "),
        "{last}"
    );
    assert!(
        lines[0].starts_with("batch 01") && lines[0].ends_with(": 2 repos to copy"),
        "{}",
        lines[0]
    );
}

#[test]
fn a_batch_that_has_ended_is_shown_by_its_id_and_its_logs_name_their_repos() {
    let world = world(&THREE[..2]);
    let ran = world.run(&["batch", "alice/ra", "alice/rb", "alice/none", "--json"]);
    let id = id(&ran);
    assert_eq!(ran.event("batch")["run"], id.as_str());
    for asked in [id.as_str(), "last"] {
        let status = world.run(&["status", asked]);
        let shown = [
            &format!("batch {id}  incomplete"),
            "alice/rb",
            "alice/none",
            "3 repos: 2 moved, 1 failed",
        ];
        assert!(
            shown.iter().all(|words| status.stdout.contains(*words)),
            "{}",
            status.stdout
        );
    }
    let status = world.run(&["status", &id, "--json"]).event("batch_status");
    let runs = status["runs"].as_array().unwrap();
    assert_eq!(
        (runs.len(), status["repos"].as_array().unwrap().len()),
        (2, 3)
    );
    assert!(runs.iter().all(|run| run["batch"] == id.as_str()));
    assert_eq!(world.run(&["logs", &id]).code, 0);
    let stopped = world.run(&["stop", &id]);
    assert!(
        stopped
            .stdout
            .contains("has ended already: it is incomplete"),
        "{}",
        stopped.stdout
    );
}

/// The first repo's commit is held; the others are done by then.
#[test]
fn a_stop_of_a_batch_says_what_it_stopped_and_one_of_its_runs_stops_it_too() {
    for by_run in [false, true] {
        let world = world(&THREE);
        let held = hold(
            &world,
            "ms.commit",
            "alice/ra",
            &json!({"do": "delay", "ms": 60_000}),
        );
        let running = world.start(&mut world.command(&ONE_WORKER));
        world.until_struck(held);
        until("the other repos", || {
            runs(&world)
                .iter()
                .filter(|(_, state)| state == "done")
                .count()
                == 2
        });
        let status = world.run(&["status"]);
        assert!(
            status
                .stdout
                .contains("3 repos: 1 at work, 2 ended, 0 without a run"),
            "{}",
            status.stdout
        );
        let of_ra = world.run(&["runs", "--json"]).events().into_iter();
        let mut of_ra = of_ra
            .filter(|run| run["state"] == "running")
            .map(|run| run["id"].as_str().unwrap().to_owned());
        let asked = if by_run {
            of_ra.next_back().unwrap()
        } else {
            "last".to_owned()
        };
        let stopped = world.run(&["stop", &asked]);
        let words = ": 1 run stopped (alice/ra), 2 runs had ended, 0 repos not begun";
        assert!(
            stopped.code == 0 && stopped.stdout.contains(words),
            "{}{}",
            stopped.stdout,
            stopped.stderr
        );
        assert_eq!(
            stopped.stdout.contains("belongs to batch"),
            by_run,
            "{}",
            stopped.stdout
        );
        assert_eq!(running.wait().code, 130);
        let status = world.run(&["status"]);
        assert!(
            status.stdout.starts_with("batch 01") && status.stdout.contains("interrupted"),
            "{}",
            status.stdout
        );
    }
}
