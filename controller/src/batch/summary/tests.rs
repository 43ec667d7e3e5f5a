//! Tests of the table of a batch.

use hf2ms_hub::Visibility;

use super::*;
use crate::ui::errors::CliError;

fn summary() -> BatchSummary {
    let ok = BatchRow {
        files: Some(6),
        bytes: Some(8_000_000),
        visibility: Some(Visibility::Private),
        ..BatchRow::new("org/a", "org/a")
    };
    let skipped = BatchRow {
        state: RepoStatus::Skipped,
        reason: Some("exists".to_owned()),
        ..BatchRow::new("datasets/org/long", "me/b")
    };
    let failed = BatchRow::new("org/c", "org/c").failed(&CliError::refused("model org/c is gated"));
    BatchSummary {
        rows: vec![ok, skipped, failed],
        seconds: 61.0,
        on: EngineKind::Local,
        id: None,
    }
}

#[test]
fn a_person_gets_a_table_and_a_line_with_the_counts() {
    let expected = "
repo               destination  state    visible to  files  bytes  reason
org/a              org/a        moved    private         6   8 MB
datasets/org/long  me/b         skipped  -               -      -  exists
org/c              org/c        failed   -               -      -  model org/c is gated
3 repos: 1 moved, 1 skipped, 1 failed; 6 files, 8 MB, 1 min 01 s; mend the reasons, then run the same command again";
    assert_eq!(summary().readable(), expected);
}

#[test]
fn where_all_revisions_go_each_repo_says_how_many_are_there() {
    let mut summary = summary();
    summary.rows[0].revisions = Some(DoneCount { done: 2, of: 3 });
    let expected = "
repo               destination  state    visible to  revisions  files  bytes  reason
org/a              org/a        moved    private     2 of 3         6   8 MB
datasets/org/long  me/b         skipped  -           -              -      -  exists";
    assert_eq!(
        summary
            .readable()
            .lines()
            .take(4)
            .collect::<Vec<_>>()
            .join("\n"),
        expected
    );
    summary.rows[1].revisions = Some(DoneCount { done: 4, of: 4 });
    let readable = summary.readable();
    assert!(
        readable.contains("1 failed; 6 of 7 revisions, 6 files, 8 MB"),
        "{readable}"
    );
}

#[test]
fn a_reason_of_many_repos_is_said_once() {
    let refused = CliError::refused("the token was refused");
    let not_tried = CliError::refused(format!("not tried: {refused}"));
    let row = |name: &str, failure| BatchRow::new(name, "me/x").failed(failure);
    let summary = BatchSummary {
        rows: vec![
            row("org/a", &refused),
            row("org/b", &not_tried),
            row("org/c", &not_tried),
        ],
        ..summary()
    };
    let text = summary.readable();
    assert_eq!(text.matches("the token was refused").count(), 1, "{text}");
    assert!(
        text.contains("org/c  me/x         failed  -               -      -  as org/a\n"),
        "{text}"
    );
}

#[test]
fn the_exit_code_is_the_worst() {
    let mut summary = summary();
    assert_eq!(summary.exit(), Exit::Refused);
    summary.rows.truncate(2);
    assert_eq!(summary.exit(), Exit::Done, "what is skipped is no failure");
}
