//! Tests of the folders of runs.

use hf2ms_worker::protocol::{PlanSummary, Receipt};

use super::*;
use crate::args::workers::EngineKind;

pub(crate) fn at(hub: &str, id: &str) -> RepoAt {
    let json = serde_json::json!({"hub": hub, "endpoint": "http://h", "kind": "model", "id": id, "revision": "main"});
    serde_json::from_value(json).unwrap()
}

fn begin(runs: &Runs, id: &str) -> CliResult<RunDir> {
    let plan = &PlanSummary {
        files: 3,
        ..PlanSummary::default()
    };
    let (source, destination) = (&at("huggingface", id), &at("modelscope", id));
    runs.begin(NewRun {
        verb: RunVerb::Migrate,
        on: EngineKind::Local,
        source,
        destination,
        plan,
    })
}

#[test]
fn a_run_is_found_again() {
    let state = tempfile::tempdir().unwrap();
    let runs = Runs::new(state.path());
    let mut run = begin(&runs, "org/a").unwrap();
    assert_eq!(runs.find("last").unwrap().state, State::Running);
    run.end(State::Done).unwrap();
    let id = run.id().to_owned();
    assert_eq!(runs.find(&id[20..].to_lowercase()).unwrap().files, 3);
    assert_eq!(
        runs.journal(&id),
        [JournalEntry::Ended { state: State::Done }]
    );
    assert!(
        runs.find("nope")
            .unwrap_err()
            .to_string()
            .contains("no run nope")
    );
}

#[test]
fn a_second_controller_on_one_destination_stops() {
    let state = tempfile::tempdir().unwrap();
    let runs = Runs::new(state.path());
    let first = begin(&runs, "org/a").unwrap();
    let line = begin(&runs, "org/a").unwrap_err().to_string();
    assert!(
        line.contains(first.id()) && line.contains("org/a on ModelScope"),
        "{line}"
    );
    assert!(begin(&runs, "org/b").is_ok());
    drop(first);
    assert!(begin(&runs, "org/a").is_ok());
}

#[test]
fn revisions_of_one_repo_share_its_lock_and_the_last_lets_it_go() {
    let state = tempfile::tempdir().unwrap();
    let runs = Runs::new(state.path());
    let first = begin(&runs, "org/a").unwrap();
    let (plan, source, destination) = (
        &PlanSummary::default(),
        &at("huggingface", "org/a"),
        &at("modelscope", "org/a"),
    );
    let second = runs
        .begin_beside(
            NewRun {
                verb: RunVerb::Migrate,
                on: EngineKind::Local,
                source,
                destination,
                plan,
            },
            &first,
        )
        .unwrap();
    assert!(first.id() != second.id());
    drop(first);
    assert!(begin(&runs, "org/a").is_err());
    drop(second);
    assert!(begin(&runs, "org/a").is_ok());
}

#[test]
fn a_killed_run_is_seen_as_one() {
    let state = tempfile::tempdir().unwrap();
    let runs = Runs::new(state.path());
    drop(begin(&runs, "org/a").unwrap());
    assert_eq!(runs.find("last").unwrap().state, State::Killed);
}

#[test]
fn a_run_names_its_process_while_it_is_alive() {
    let state = tempfile::tempdir().unwrap();
    let runs = Runs::new(state.path());
    let run = begin(&runs, "org/a").unwrap();
    let id = run.id().to_owned();
    assert_eq!(
        (runs.is_alive(&id), runs.controller(&id)),
        (true, Some(std::process::id()))
    );
    drop(run);
    assert_eq!(
        (runs.is_alive(&id), runs.controller(&id)),
        (false, None),
        "the number is still written there"
    );
    assert!(!runs.is_alive("no such run"));
}

#[test]
fn a_state_folder_keeps_its_identity() {
    let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let of = |state: &tempfile::TempDir| Runs::new(state.path()).identity().unwrap();
    assert_eq!((of(&one), of(&one).len()), (of(&one), 26));
    assert_ne!(of(&one), of(&other));
}

#[test]
fn a_torn_last_line_is_forgiven() {
    let state = tempfile::tempdir().unwrap();
    let runs = Runs::new(state.path());
    let run = begin(&runs, "org/a").unwrap();
    run.note(&JournalEntry::Chunk(Receipt::default())).unwrap();
    let journal = run.path().join("journal.ndjson");
    let whole = fs::read(&journal).unwrap();
    fs::write(&journal, [&whole[..], &whole[..whole.len() / 2]].concat()).unwrap();
    assert_eq!(runs.journal(run.id()).len(), 1);
}

fn begin_as(
    runs: &Runs,
    verb: RunVerb,
    source: &RepoAt,
    destination: &RepoAt,
) -> CliResult<RunDir> {
    let plan = &PlanSummary::default();
    let on = EngineKind::Local;
    runs.begin(NewRun {
        verb,
        on,
        source,
        destination,
        plan,
    })
}

#[test]
fn a_removal_locks_both_sides_whichever_comes_first() {
    use RunVerb::{Cleanup, Migrate};
    let state = tempfile::tempdir().unwrap();
    let runs = Runs::new(state.path());
    let (one, other) = (at("huggingface", "org/a"), at("modelscope", "org/a"));
    for (source, copy) in [(&one, &other), (&other, &one)] {
        let removal = begin_as(&runs, Cleanup, source, copy).unwrap();
        for (verb, from, to) in [
            (Cleanup, source, copy),
            (Cleanup, copy, source),
            (Migrate, source, copy),
            (Migrate, copy, source),
        ] {
            let line = begin_as(&runs, verb, from, to).unwrap_err().to_string();
            assert!(line.contains(removal.id()), "{line}");
        }
        assert!(begin_as(&runs, RunVerb::Verify, source, copy).is_ok());
    }
    let third = at("modelscope", "org/b");
    let held = begin_as(&runs, Migrate, &one, &other).unwrap();
    assert!(begin_as(&runs, Cleanup, &third, &other).is_err());
    assert!(
        begin_as(&runs, Migrate, &one, &third).is_ok(),
        "no lock is left behind"
    );
    drop(held);
}

#[test]
fn a_source_that_a_run_reads_is_in_use() {
    let state = tempfile::tempdir().unwrap();
    let runs = Runs::new(state.path());
    let (source, copy) = (at("huggingface", "org/a"), at("modelscope", "org/a"));
    let (third, pinned) = (
        at("modelscope", "org/b"),
        RepoAt {
            revision: "0123456789012345678901234567890123456789".parse().unwrap(),
            ..source.clone()
        },
    );
    let copying = begin_as(&runs, RunVerb::Migrate, &pinned, &third).unwrap();
    let line = runs.check_unused(&source, &copy).unwrap_err().to_string();
    assert!(
        line.contains(copying.id()) && line.contains("reads or writes org/a"),
        "{line}"
    );
    assert!(
        runs.check_unused(&at("huggingface", "org/c"), &copy)
            .is_ok()
    );
    let line = runs.check_unused(&at("huggingface", "org/c"), &third);
    assert!(line.unwrap_err().to_string().contains("writes to org/b"));
    drop(copying);
    assert!(runs.check_unused(&source, &copy).is_ok());
    for (record, words) in [
        (
            r#"{"format":2,"written_by":"9.8.7"}"#,
            "was written by hf2ms 9.8.7",
        ),
        (r#"{"format":1,"id":"#, "has a run.json that can't be read"),
    ] {
        let folder = runs.path("01ARZ3NDEKTSV4RRFFQ69G5FAV");
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("run.json"), record).unwrap();
        let line = runs.check_unused(&source, &copy).unwrap_err().to_string();
        assert!(
            line.contains(words) && line.ends_with("it may read or write org/a on Hugging Face"),
            "{line}"
        );
    }
}
