//! The results of a batch: a row for each repo, as a table for people and as one event for programs.

use std::collections::BTreeMap;

use hf2ms_worker::protocol::Exit;
use schemars::JsonSchema;
use serde::Serialize;

use super::list::BatchEntry;
use crate::copy::CopyResult;
use crate::revisions::RepoResult;
use crate::revisions::summary::{DoneCount, RevisionsSummary};
use crate::runs::report::Report;
use crate::ui::counts::{Counts, Status};
use crate::ui::errors::{CliError, CliResult};
use crate::ui::screen::{Screen, duration, size};
use crate::ui::table::{Column, Table, number};

/// The result of one repo.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct BatchRow {
    /// The source.
    pub source: String,
    /// The destination's id.
    pub destination: String,
    /// Its status.
    pub state: RepoStatus,
    /// The number of its files, if it was listed.
    pub files: Option<u64>,
    /// Their bytes.
    pub bytes: Option<u64>,
    /// The number of its revisions that were copied, with `--all-revisions`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revisions: Option<DoneCount>,
    /// Why it failed or was skipped.
    pub reason: Option<String>,
    /// The id of its run, if one has ended or goes on in the cloud.
    pub run: Option<String>,
    /// The exit code of this repo alone.
    pub exit: u8,
    /// Seconds since the batch began.
    pub seconds: f64,
    #[serde(skip)]
    code: Exit,
}

/// The status of a repo.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum RepoStatus {
    /// Copied and verified.
    Ok,
    /// Skipped.
    Skipped,
    /// Not all was copied.
    Failed,
    /// The run goes on in the cloud.
    Submitted,
    /// A dry run has planned it.
    Planned,
}

impl Status for RepoStatus {
    const ALL: &[Self] = &[
        Self::Ok,
        Self::Skipped,
        Self::Failed,
        Self::Submitted,
        Self::Planned,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Skipped => "skipped",
            Self::Failed => "failed",
            Self::Submitted => "submitted",
            Self::Planned => "planned",
        }
    }
}

impl BatchRow {
    /// The row of an entry, so many seconds after the batch began.
    pub fn of(entry: &BatchEntry, ended: CliResult<RepoResult>, seconds: f64) -> Self {
        let row = Self {
            seconds,
            ..Self::new(&entry.name, entry.destination.as_str())
        };
        match ended {
            Ok(RepoResult::One(CopyResult::Reported(report))) => row.reported(&report),
            Ok(RepoResult::One(CopyResult::Detached(run, plan))) => Self {
                state: RepoStatus::Submitted,
                files: Some(plan.files),
                bytes: Some(plan.bytes),
                run: Some(run),
                ..row
            },
            Ok(RepoResult::One(CopyResult::Planned(plan))) => Self {
                state: RepoStatus::Planned,
                files: Some(plan.files),
                bytes: Some(plan.bytes),
                ..row
            },
            Ok(RepoResult::All(summary)) => row.summed_up(&summary),
            Ok(RepoResult::One(CopyResult::Skipped(why))) => Self {
                state: RepoStatus::Skipped,
                reason: Some(why),
                ..row
            },
            Err(failure) => row.failed(&failure),
        }
    }

    /// The row of a repo that the source lists and that can't be copied.
    pub fn refused(refused: &hf2ms_hub::Refused) -> Self {
        Self::new(&refused.path, "-")
            .failed(&CliError::new(Exit::Incomplete, refused.reason.clone()))
    }

    fn new(source: &str, destination: &str) -> Self {
        let (source, destination) = (source.to_owned(), destination.to_owned());
        let (files, bytes, revisions, reason, run) = (None, None, None, None, None);
        Self {
            source,
            destination,
            state: RepoStatus::Ok,
            files,
            bytes,
            revisions,
            reason,
            run,
            exit: 0,
            seconds: 0.0,
            code: Exit::Done,
        }
    }

    fn failed(self, failure: &CliError) -> Self {
        let code = failure.exit();
        Self {
            state: RepoStatus::Failed,
            reason: Some(failure.to_string()),
            exit: code as u8,
            code,
            ..self
        }
    }

    fn reported(self, report: &Report) -> Self {
        let code = report.exit();
        let (files, bytes, run) = (
            Some(report.tally.files),
            Some(report.tally.bytes),
            Some(report.run.clone()),
        );
        let state = if code == Exit::Done {
            RepoStatus::Ok
        } else {
            RepoStatus::Failed
        };
        Self {
            state,
            files,
            bytes,
            run,
            reason: report.first_failure(),
            exit: code as u8,
            code,
            ..self
        }
    }

    fn summed_up(self, summary: &RevisionsSummary) -> Self {
        let code = summary.exit();
        let state = match code {
            Exit::Done if summary.is_dry_run() => RepoStatus::Planned,
            Exit::Done => RepoStatus::Ok,
            _ => RepoStatus::Failed,
        };
        let (files, bytes, revisions) = (
            Some(summary.files),
            Some(summary.bytes),
            Some(summary.done()),
        );
        Self {
            state,
            files,
            bytes,
            revisions,
            reason: summary.first_failure(),
            exit: code as u8,
            code,
            ..self
        }
    }
}

/// A batch has ended.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(tag = "event", rename = "batch")]
pub struct BatchEvent<'a> {
    /// The worst exit code of all repos.
    exit: u8,
    /// The number of repos in each state.
    counts: BTreeMap<&'static str, usize>,
    /// Files of all repos that were listed.
    files: u64,
    /// Their bytes.
    bytes: u64,
    /// Seconds from the beginning to the end.
    seconds: f64,
    /// A row for each repo.
    repos: &'a [BatchRow],
}

/// The results of all repos.
#[derive(Debug)]
pub struct BatchSummary {
    /// A row for each repo.
    pub rows: Vec<BatchRow>,
    /// Seconds from the beginning to the end.
    pub seconds: f64,
}

impl BatchSummary {
    /// The worst of all exit codes.
    pub fn exit(&self) -> Exit {
        self.rows
            .iter()
            .map(|row| row.code)
            .fold(Exit::Done, Exit::worse)
    }

    /// Prints the table for people, or the last event for programs.
    pub fn print(&self, screen: &Screen) {
        let (files, bytes) = self.sums();
        screen.json(&BatchEvent {
            exit: self.exit() as u8,
            counts: self.counts().by_name(),
            files,
            bytes,
            seconds: self.seconds,
            repos: &self.rows,
        });
        screen.print(self.readable());
    }

    /// The table for people, and a line with the counts.
    pub fn readable(&self) -> String {
        let columns = [
            Column::Text("repo"),
            Column::Text("destination"),
            Column::Text("state"),
            Column::Text("revisions"),
            Column::Number("files"),
            Column::Number("bytes"),
            Column::Text("reason"),
        ];
        let mut table = Table::new(columns, self.rows.iter().map(cells));
        if self.rows.iter().all(|row| row.revisions.is_none()) {
            table = table.without("revisions");
        }
        format!("\n{table}\n{}", self.last_line())
    }

    fn last_line(&self) -> String {
        let counts = self.counts();
        let (files, bytes) = self.sums();
        let again = if counts.get(RepoStatus::Failed) > 0 {
            "; the same command goes on"
        } else {
            ""
        };
        format!(
            "{}: {}; {files} files, {}, {}{again}",
            repos(self.rows.len()),
            counts.readable(),
            size(bytes),
            duration(self.seconds)
        )
    }

    fn counts(&self) -> Counts<RepoStatus> {
        Counts::of(self.rows.iter().map(|row| row.state))
    }

    /// The files and bytes of all repos that were listed.
    fn sums(&self) -> (u64, u64) {
        let sum = |of: fn(&BatchRow) -> Option<u64>| self.rows.iter().filter_map(of).sum();
        (sum(|row| row.files), sum(|row| row.bytes))
    }
}

fn cells(row: &BatchRow) -> Vec<String> {
    vec![
        row.source.clone(),
        row.destination.clone(),
        row.state.name().to_owned(),
        number(row.revisions),
        number(row.files),
        number(row.bytes.map(size)),
        row.reason.clone().unwrap_or_default(),
    ]
}

/// `1 repo`, `17 repos`.
pub fn repos(count: usize) -> String {
    format!("{count} repo{}", if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn summary() -> BatchSummary {
        let ok = BatchRow {
            files: Some(6),
            bytes: Some(8_000_000),
            ..BatchRow::new("org/a", "org/a")
        };
        let skipped = BatchRow {
            state: RepoStatus::Skipped,
            reason: Some("exists".to_owned()),
            ..BatchRow::new("datasets/org/long", "me/b")
        };
        let failed =
            BatchRow::new("org/c", "org/c").failed(&CliError::refused("model org/c is gated"));
        BatchSummary {
            rows: vec![ok, skipped, failed],
            seconds: 61.0,
        }
    }

    #[test]
    fn a_person_gets_a_table_and_a_line_with_the_counts() {
        let expected = "
repo               destination  state    files  bytes  reason
org/a              org/a        ok           6   8 MB
datasets/org/long  me/b         skipped      -      -  exists
org/c              org/c        failed       -      -  model org/c is gated
3 repos: 1 ok, 1 skipped, 1 failed; 6 files, 8 MB, 1 min 01 s; the same command goes on";
        assert_eq!(summary().readable(), expected);
    }

    #[test]
    fn where_all_revisions_go_each_repo_says_how_many_are_there() {
        let mut summary = summary();
        summary.rows[0].revisions = Some(DoneCount { done: 2, of: 3 });
        let expected = "
repo               destination  state    revisions  files  bytes  reason
org/a              org/a        ok       2 of 3         6   8 MB
datasets/org/long  me/b         skipped  -              -      -  exists";
        assert_eq!(
            summary
                .readable()
                .lines()
                .take(4)
                .collect::<Vec<_>>()
                .join("\n"),
            expected
        );
    }

    #[test]
    fn the_exit_code_is_the_worst() {
        let mut summary = summary();
        assert_eq!(summary.exit(), Exit::Refused);
        summary.rows.truncate(2);
        assert_eq!(summary.exit(), Exit::Done, "what is skipped is no failure");
    }
}
