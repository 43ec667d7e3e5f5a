//! Tests of reports.

use super::*;
use crate::runs::tests::at;

fn report(verification: Option<Verification>, failed: Vec<FailedFile>) -> Report {
    Report {
        run: "01K".into(),
        state: State::Done,
        source: at("huggingface", "org/a"),
        destination: at("modelscope", "org/a"),
        url: "https://m/models/org/a".into(),
        visibility: None,
        gate: None,
        tally: Tally {
            files: 3,
            bytes: 3000,
            commits: 1,
            ..Tally::default()
        },
        seconds: 61.0,
        bytes_per_second: 1e9,
        verification,
        failed,
        refused: Vec::new(),
        deleted_files: Vec::new(),
        stopped_at: None,
        backup: None,
        withheld: Vec::new(),
        warnings: Vec::new(),
        last_error: None,
    }
}

fn good() -> Option<Verification> {
    Some(Verification {
        checked: 3,
        equal: 3,
        ..Verification::default()
    })
}

fn failed(kind: Kind) -> Vec<FailedFile> {
    vec![FailedFile::new("a", "no", kind)]
}

#[test]
fn success_is_only_said_of_what_was_verified() {
    assert_eq!(report(good(), vec![]).exit(), Exit::Done);
    assert_eq!(report(None, vec![]).exit(), Exit::Incomplete);
    assert_eq!(
        report(good(), failed(Kind::Transient)).exit(),
        Exit::Incomplete
    );
    assert_eq!(
        report(good(), failed(Kind::Corrupt)).exit(),
        Exit::Integrity
    );
    let different = Verification {
        checked: 1,
        different: vec!["x".parse().unwrap()],
        ..Verification::default()
    };
    assert_eq!(report(Some(different), vec![]).exit(), Exit::Integrity);
}

#[test]
fn a_commit_that_was_denied_is_a_refusal() {
    let mut denied = report(good(), failed(Kind::Denied));
    assert_eq!(
        denied.exit(),
        Exit::Incomplete,
        "one file of a repo that was written"
    );
    denied.tally.commits = 0;
    assert_eq!(denied.exit(), Exit::Refused);
}

#[test]
fn a_person_sees_the_address_the_numbers_and_the_failures() {
    let mut whole = report(good(), vec![]);
    whole.visibility = Some(Visibility::Private);
    whole.deleted_files = vec!["old.txt".parse().unwrap()];
    let expected = "
done and verified (listing)  https://m/models/org/a
  files       3, 3 kB
  deleted     1 file (old.txt)
  visible     to its owner (private)
  time        1 min 01 s, 1 GB/s
  verified    3 files: by the destination's listing alone
    equal             3";
    assert_eq!(whole.readable(), expected);
}

#[test]
fn where_files_failed_the_report_says_what_can_be_seen_and_what_to_do() {
    let mut partly = report(good(), failed(Kind::NotFound));
    (partly.tally.files, partly.visibility) = (4, Some(Visibility::Public));
    let text = partly.readable();
    for words in [
        "incomplete: the same command alone does not bring the rest  https://m/models/org/a\n",
        "  visible     3 of 4 files, to anyone (public)\n",
        "  failed      a: no\n",
    ] {
        assert!(text.contains(words), "{words} in {text}");
    }
    assert!(text.lines().count() == 5, "{text}");
    partly.verification = None;
    let stands = |report: &Report| report.stands().unwrap();
    assert_eq!(
        stands(&partly),
        "0 of 4 files, and what 1 commit brought, to anyone (public)"
    );
    partly.tally.commits = 0;
    assert_eq!(
        stands(&partly),
        "0 of 4 files, as before, to anyone (public)"
    );
}

#[test]
fn what_is_refused_or_lost_does_not_come_by_the_same_command() {
    assert!(report(good(), failed(Kind::Transient)).may_pass());
    assert!(report(None, vec![]).may_pass());
    assert!(!report(good(), failed(Kind::NotFound)).may_pass());
    let mut refused = report(good(), vec![]);
    refused.refused.push(Refused {
        path: "link".into(),
        reason: "a symbolic link".into(),
    });
    assert!(!refused.may_pass());
}

#[test]
fn a_limit_that_left_files_is_the_headline_and_the_same_command_goes_on() {
    let mut stopped = report(good(), Vec::new());
    stopped.tally.files = 40;
    stopped.stopped_at = Some("--max-transfer 10 GB".to_owned());
    for why in [FailedFile::LEFT_BY_TRANSFER, FailedFile::HELD_BACK] {
        stopped
            .failed
            .push(FailedFile::new(why, why, Kind::Transient));
    }
    let line = "stopped at --max-transfer 10 GB: 3 of 40 files are there; the same command goes on";
    assert!(stopped.readable().contains(line), "{}", stopped.readable());
    assert_eq!(
        (stopped.exit(), stopped.may_pass()),
        (Exit::Incomplete, true)
    );
    stopped.failed.extend(failed(Kind::NotFound));
    assert!(
        !stopped.readable().contains("stopped at"),
        "something else is wrong"
    );
}

#[test]
fn the_tag_of_what_stood_there_is_named() {
    let mut whole = report(good(), vec![]);
    whole.backup = Some(BackupResult {
        tag: "v1".parse().unwrap(),
        commit: "c".repeat(40).parse().ok(),
        refused: None,
    });
    let row = "  before      what stood there is kept by the tag v1, at cccc";
    assert!(whole.readable().contains(row), "{}", whole.readable());
}
