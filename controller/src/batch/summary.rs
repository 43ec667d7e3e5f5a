//! The results of a batch: a row for each repo, as a table for people and as one event for programs.

use std::collections::BTreeMap;

use hf2ms_hub::Visibility;
use hf2ms_worker::protocol::Exit;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::list::BatchEntry;
use crate::args::workers::EngineKind;
use crate::copy::CopyResult;
use crate::engine::modal::container_size::finalizer;
use crate::engine::remote::DetachMode;
use crate::estimate::price;
use crate::revisions::RepoResult;
use crate::revisions::summary::{DoneCount, RevisionsSummary};
use crate::runs::State;
use crate::runs::report::Report;
use crate::ui::counts::{Counts, Status};
use crate::ui::errors::{CliError, CliResult};
use crate::ui::nouns::counted;
use crate::ui::screen::{Screen, dollars, duration, size};
use crate::ui::table::{Column, Table, number, say_reasons_once};

/// The result of one repo.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct BatchRow {
    /// The source.
    pub source: String,
    /// The destination's id.
    pub destination: String,
    /// Its status.
    pub state: RepoStatus,
    /// Who may see the destination, if that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub visibility: Option<Visibility>,
    /// The number of its files, if it was listed.
    pub files: Option<u64>,
    /// Their bytes.
    pub bytes: Option<u64>,
    /// The number of its revisions that were copied, with `--all-revisions` or `--revisions-of`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revisions: Option<DoneCount>,
    /// Why it failed or was skipped.
    pub reason: Option<String>,
    /// The id of its run, if one has ended or goes on in the cloud.
    pub run: Option<String>,
    /// The exit code of this repo alone.
    pub exit: u8,
    /// Whether the same command may bring what is not there.
    pub may_pass: bool,
    /// Seconds that its workers worked, added up.
    pub worker_seconds: f64,
    /// Seconds from the beginning to the end of this repo.
    pub seconds: f64,
}

/// The status of a repo.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RepoStatus {
    /// Something was written, and all is verified.
    Moved,
    /// All of it stood there already.
    ThereAlready,
    /// Skipped.
    Skipped,
    /// A cleanup of this machine has deleted its source before.
    Gone,
    /// Not all was copied.
    Failed,
    /// The run goes on in the cloud.
    Submitted,
    /// A dry run has planned it.
    Planned,
    /// A verification found all of it equal.
    Equal,
    /// A verification found something missing, different or unread.
    NotEqual,
}

impl RepoStatus {
    /// Those of a verification.
    const OF_VERIFY: [Self; 2] = [Self::Equal, Self::NotEqual];
}

impl Status for RepoStatus {
    const ALL: &[Self] = &[
        Self::Moved,
        Self::ThereAlready,
        Self::Skipped,
        Self::Gone,
        Self::Failed,
        Self::Submitted,
        Self::Planned,
        Self::Equal,
        Self::NotEqual,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::Moved => "moved",
            Self::ThereAlready => "there already",
            Self::Skipped => "skipped",
            Self::Gone => "gone already",
            Self::Failed => "failed",
            Self::Submitted => "submitted",
            Self::Planned => "planned",
            Self::Equal => "equal",
            Self::NotEqual => "not equal",
        }
    }
}

impl BatchRow {
    /// Whether all of it is at the destination, and verified.
    pub fn is_verified(&self) -> bool {
        let is_there = matches!(self.state, RepoStatus::Moved | RepoStatus::ThereAlready);
        is_there && self.exit == Exit::Done as u8
    }

    /// The exit code of this row alone.
    fn code(&self) -> Exit {
        Exit::from_code(self.exit.into()).unwrap_or(Exit::Incomplete)
    }

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

    /// The row of an entry whose source a cleanup has deleted.
    pub fn gone(entry: &BatchEntry) -> Self {
        Self {
            state: RepoStatus::Gone,
            ..Self::new(&entry.name, entry.destination.as_str())
        }
    }

    /// Whether it was skipped.
    pub fn is_skipped(&self) -> bool {
        self.state == RepoStatus::Skipped
    }

    /// The row of a repo that the source lists and that can't be copied.
    pub fn refused(refused: &hf2ms_hub::Refused) -> Self {
        let failure = CliError::new(Exit::Incomplete, refused.reason.clone());
        Self {
            may_pass: false,
            ..Self::new(&refused.path, "-").failed(&failure)
        }
    }

    pub(super) fn new(source: &str, destination: &str) -> Self {
        let (source, destination) = (source.to_owned(), destination.to_owned());
        let (files, bytes, revisions, reason, run) = (None, None, None, None, None);
        Self {
            source,
            destination,
            state: RepoStatus::Moved,
            visibility: None,
            files,
            bytes,
            revisions,
            reason,
            run,
            exit: 0,
            may_pass: true,
            worker_seconds: 0.0,
            seconds: 0.0,
        }
    }

    pub(super) fn failed(self, failure: &CliError) -> Self {
        let code = failure.exit();
        Self {
            state: RepoStatus::Failed,
            reason: Some(failure.to_string()),
            may_pass: matches!(code, Exit::Incomplete | Exit::Interrupted),
            exit: code as u8,
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
        let state = match code {
            Exit::Done if report.tally.commits == 0 => RepoStatus::ThereAlready,
            Exit::Done => RepoStatus::Moved,
            _ => RepoStatus::Failed,
        };
        Self {
            state,
            files,
            bytes,
            run,
            visibility: report.visibility,
            worker_seconds: report.tally.worker_seconds,
            may_pass: report.may_pass(),
            reason: report.first_failure(),
            exit: code as u8,
            ..self
        }
    }

    fn summed_up(self, summary: &RevisionsSummary) -> Self {
        let code = summary.exit();
        let state = match code {
            Exit::Done if summary.is_dry_run() => RepoStatus::Planned,
            Exit::Done if summary.has_copied() => RepoStatus::Moved,
            Exit::Done => RepoStatus::ThereAlready,
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
            may_pass: summary.may_pass(),
            exit: code as u8,
            ..self
        }
    }
}

/// A batch has ended.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(tag = "event", rename = "batch")]
pub struct BatchEvent<'a> {
    /// The batch's id; absent of a dry run.
    #[serde(skip_serializing_if = "Option::is_none")]
    run: Option<&'a str>,
    /// The worst exit code of all repos.
    exit: u8,
    /// The number of repos in each state.
    counts: BTreeMap<&'static str, usize>,
    /// The number of branches and tags that were copied, where all of a repo were to be.
    #[serde(skip_serializing_if = "Option::is_none")]
    revisions: Option<DoneCount>,
    /// Files of all repos that were listed.
    files: u64,
    /// Their bytes.
    bytes: u64,
    /// Seconds from the beginning to the end.
    seconds: f64,
    /// Where the workers ran.
    on: EngineKind,
    /// What the workers cost by Modal's price list; 0 elsewhere.
    dollars: f64,
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
    /// Where the workers ran.
    pub on: EngineKind,
    /// The batch's id, if it is no dry run.
    pub id: Option<String>,
}

impl BatchSummary {
    /// For a program.
    pub fn event(&self) -> BatchEvent<'_> {
        let (files, bytes) = self.sums();
        BatchEvent {
            run: self.id.as_deref(),
            exit: self.exit() as u8,
            counts: self.counts().by_name(),
            revisions: self.revisions(),
            files,
            bytes,
            seconds: self.seconds,
            on: self.on,
            dollars: self.dollars(),
            repos: &self.rows,
        }
    }

    /// The batch's state after it.
    pub fn state(&self, watch: DetachMode) -> State {
        match (self.exit(), watch) {
            (Exit::Interrupted, _) => State::Interrupted,
            (Exit::Done, DetachMode::Detached) => State::Detached,
            (Exit::Done, DetachMode::Attached) => State::Done,
            _ => State::Incomplete,
        }
    }

    /// What all workers cost by Modal's price list; 0 elsewhere.
    fn dollars(&self) -> f64 {
        let of_rows: f64 = self.rows.iter().map(|row| row.worker_seconds).sum();
        price::dollars(self.on, of_rows, 0.0, finalizer(0))
    }

    /// The worst of all exit codes.
    pub fn exit(&self) -> Exit {
        self.rows
            .iter()
            .map(|row| row.code())
            .fold(Exit::Done, Exit::worse)
    }

    /// Prints the table for people, or the last event for programs.
    pub fn print(&self, screen: &Screen) {
        screen.json(&self.event());
        screen.print(self.readable());
    }

    /// The table for people, and a line with the counts.
    pub fn readable(&self) -> String {
        let columns = [
            Column::Text("repo"),
            Column::Text("destination"),
            Column::Text("state"),
            Column::Text("visible to"),
            Column::Text("revisions"),
            Column::Number("files"),
            Column::Number("bytes"),
            Column::Text("reason"),
        ];
        let mut rows: Vec<Vec<String>> = self.rows.iter().map(cells).collect();
        say_reasons_once(&mut rows);
        let mut table = Table::new(columns, rows);
        if self.rows.iter().all(|row| row.revisions.is_none()) {
            table = table.without("revisions");
        }
        let is_compared = |row: &BatchRow| RepoStatus::OF_VERIFY.contains(&row.state);
        if self.rows.iter().any(is_compared) {
            table = table.without("visible to");
        }
        format!("\n{}\n{}", table.fitted(), self.last_line())
    }

    fn last_line(&self) -> String {
        let counts = self.counts();
        let (files, bytes) = self.sums();
        let failed = self.rows.iter().filter(|row| row.code() != Exit::Done);
        let again = match failed.clone().any(|row| row.may_pass) {
            true => "; the same command goes on",
            false if counts.get(RepoStatus::Failed) > 0 => {
                "; mend the reasons, then run the same command again"
            }
            false => "",
        };
        let cost = match self.dollars() {
            cost if cost > 0.0 => format!(", about {} $", dollars(cost)),
            _ => String::new(),
        };
        let revisions = match self.revisions() {
            Some(revisions) => format!("{revisions} revisions, "),
            None => String::new(),
        };
        format!(
            "{}: {}; {revisions}{}, {}, {}{cost}{again}",
            counted(self.rows.len() as u64, "repo"),
            counts.readable(),
            counted(files, "file"),
            size(bytes),
            duration(self.seconds)
        )
    }

    fn counts(&self) -> Counts<RepoStatus> {
        Counts::of(self.rows.iter().map(|row| row.state))
    }

    /// The number of branches and tags that were copied, where all of a repo were to be.
    fn revisions(&self) -> Option<DoneCount> {
        let counts = self.rows.iter().filter_map(|row| row.revisions);
        counts.reduce(|sum, next| DoneCount {
            done: sum.done + next.done,
            of: sum.of + next.of,
        })
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
        row.visibility.map_or("-".to_owned(), |who| who.to_string()),
        number(row.revisions),
        number(row.files),
        number(row.bytes.map(size)),
        row.reason.clone().unwrap_or_default(),
    ]
}

#[cfg(test)]
mod tests;
