//! The results of a repo's revisions: a row for each branch or tag, as a table for people and as one event for programs.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Instant;

use hf2ms_hub::{RefKind, Refused, Revision};
use hf2ms_worker::protocol::{Exit, PlanSummary};
use hf2ms_worker::revisions::targets::RefMapping;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::copy::verify::VerifiedCopy;
use crate::runs::report::Report;
use crate::ui::counts::{Counts, Status};
use crate::ui::errors::CliError;
use crate::ui::nouns::{counted, grouped};
use crate::ui::screen::{Screen, duration, size};
use crate::ui::table::{Column, Table, number, say_reasons_once};

/// The result of one branch or tag.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RevisionRow {
    /// `branch` or `tag`.
    #[schemars(with = "String")]
    pub kind: RefKind,
    /// Its name at the source.
    pub source: String,
    /// Its name at the destination.
    pub destination: String,
    /// Its status.
    pub state: RevisionStatus,
    /// Its commit at the destination, if the hub tells it.
    pub commit: Option<Revision>,
    /// The number of its files, if it was listed.
    pub files: Option<u64>,
    /// Their bytes.
    pub bytes: Option<u64>,
    /// Why it failed.
    pub reason: Option<String>,
    /// The run that copied or compared it.
    pub run: Option<String>,
    /// The exit code of this row alone.
    pub exit: u8,
    /// Whether the same command may bring what is not there.
    #[serde(skip)]
    may_pass: bool,
}

/// The status of a revision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum RevisionStatus {
    /// Written and verified.
    Copied,
    /// It existed and is equal.
    Unchanged,
    /// A verification found it equal.
    Equal,
    /// It is absent or differs.
    Failed,
    /// A dry run has planned it.
    Planned,
}

impl Status for RevisionStatus {
    const ALL: &[Self] = &[
        Self::Copied,
        Self::Unchanged,
        Self::Equal,
        Self::Failed,
        Self::Planned,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::Copied => "copied",
            Self::Unchanged => "unchanged",
            Self::Equal => "equal",
            Self::Failed => "failed",
            Self::Planned => "planned",
        }
    }
}

impl RevisionRow {
    /// The exit code of this row alone.
    fn code(&self) -> Exit {
        Exit::from_code(self.exit.into()).unwrap_or(Exit::Incomplete)
    }

    fn of(named: &RefMapping, state: RevisionStatus) -> Self {
        Self::new(
            named.kind,
            named.source.to_string(),
            named.destination.to_string(),
            state,
        )
    }

    fn new(kind: RefKind, source: String, destination: String, state: RevisionStatus) -> Self {
        let (commit, files, bytes, reason, run) = (None, None, None, None, None);
        Self {
            kind,
            source,
            destination,
            state,
            commit,
            files,
            bytes,
            reason,
            run,
            exit: 0,
            may_pass: true,
        }
    }

    /// The row of a dry run.
    pub fn planned(named: &RefMapping, plan: &PlanSummary) -> Self {
        Self {
            files: Some(plan.files),
            bytes: Some(plan.bytes),
            ..Self::of(named, RevisionStatus::Planned)
        }
    }

    /// The row of a revision whose run left this report.
    pub fn reported(
        named: &RefMapping,
        report: &Report,
        state: RevisionStatus,
        commit: Option<Revision>,
    ) -> Self {
        let (files, bytes, run) = (
            Some(report.tally.files),
            Some(report.tally.bytes),
            Some(report.run.clone()),
        );
        let row = Self {
            files,
            bytes,
            run,
            commit,
            ..Self::of(named, state)
        };
        match report.exit() {
            Exit::Done => row,
            code => Self {
                may_pass: report.may_pass(),
                ..row.failed(&CliError::new(
                    code,
                    report.first_failure().unwrap_or_default(),
                ))
            },
        }
    }

    /// The row of a revision that was verified.
    pub fn verified(named: &RefMapping, verified: &VerifiedCopy) -> Self {
        let (summary, exit) = (verified.plan.summary(), verified.exit());
        let row = Self {
            files: Some(summary.files),
            bytes: Some(summary.bytes),
            run: Some(verified.run.clone()),
            commit: verified.destination_head().cloned(),
            ..Self::of(named, RevisionStatus::Equal)
        };
        match verified.differences() {
            None => row,
            Some(bad) => Self {
                state: RevisionStatus::Failed,
                reason: Some(bad),
                exit: exit as u8,
                may_pass: false,
                ..row
            },
        }
    }

    /// The row of a revision that failed.
    pub fn failure(named: &RefMapping, failure: &CliError) -> Self {
        Self::of(named, RevisionStatus::Failed).failed(failure)
    }

    /// The row of a revision that could not be verified: another look alone brings nothing.
    pub fn unverified(named: &RefMapping, failure: &CliError) -> Self {
        Self {
            may_pass: false,
            ..Self::failure(named, failure)
        }
    }

    /// The row of a ref that the source lists and that can't be copied.
    pub fn refused(refused: &Refused) -> Self {
        let (kind, name) = refused
            .path
            .split_once(' ')
            .unwrap_or(("branch", &refused.path));
        let kind = match kind {
            "tag" => RefKind::Tag,
            _ => RefKind::Branch,
        };
        let row = Self::new(
            kind,
            name.to_owned(),
            "-".to_owned(),
            RevisionStatus::Failed,
        );
        Self {
            may_pass: false,
            ..row.failed(&CliError::new(Exit::Incomplete, refused.reason.clone()))
        }
    }

    /// The row as a file keeps it.
    pub fn kept(&self) -> (Self, bool) {
        (self.clone(), self.may_pass)
    }

    /// The row as a file kept it.
    pub fn read_again(self, may_pass: bool) -> Self {
        Self { may_pass, ..self }
    }

    /// The same row, failed for this reason.
    pub fn failed(self, failure: &CliError) -> Self {
        let code = failure.exit();
        Self {
            state: RevisionStatus::Failed,
            reason: Some(failure.to_string()),
            may_pass: matches!(code, Exit::Incomplete | Exit::Interrupted),
            exit: code as u8,
            ..self
        }
    }
}

/// The number of revisions that were copied or are equal, of how many.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DoneCount {
    /// Revisions that exist and are equal.
    pub done: usize,
    /// All revisions of the source.
    pub of: usize,
}

impl fmt::Display for DoneCount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}", self.done, self.of)
    }
}

/// All revisions of a repo are done.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(tag = "event", rename = "revisions")]
pub struct RevisionsEvent<'a> {
    /// The exit code of this repo alone.
    exit: u8,
    /// The number of revisions in each state.
    counts: BTreeMap<&'static str, usize>,
    /// Seconds from the beginning to the end.
    seconds: f64,
    /// The destination's page.
    url: &'a str,
    /// A row for each branch or tag.
    revisions: &'a [RevisionRow],
}

/// The results of all revisions of a repo.
#[derive(Debug)]
pub struct RevisionsSummary {
    /// A row for each branch or tag.
    pub rows: Vec<RevisionRow>,
    /// The destination's page.
    pub url: String,
    /// The number of files; those of a commit count once.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Seconds from the beginning to the end.
    pub seconds: f64,
    /// The error that ended it, if it would end every other repo too.
    pub over: Option<CliError>,
}

impl RevisionsSummary {
    /// A summary without rows of the destination at this URL.
    pub fn new(url: String) -> Self {
        Self {
            rows: Vec::new(),
            url,
            files: 0,
            bytes: 0,
            seconds: 0.0,
            over: None,
        }
    }

    /// Adds one commit: a row for each of its branches and tags, and its number of files and bytes.
    pub fn add(&mut self, rows: Vec<RevisionRow>, (files, bytes): (u64, u64)) {
        self.rows.extend(rows);
        (self.files, self.bytes) = (self.files + files, self.bytes + bytes);
    }

    /// Sets the error that ended it, and its duration.
    pub fn conclude(&mut self, over: Option<CliError>, began: Instant) {
        (self.over, self.seconds) = (over, began.elapsed().as_secs_f64());
    }

    /// The number of revisions that were copied or are equal, of how many.
    pub fn done(&self) -> DoneCount {
        let is_done = |row: &&RevisionRow| {
            matches!(
                row.state,
                RevisionStatus::Copied | RevisionStatus::Unchanged | RevisionStatus::Equal
            )
        };
        DoneCount {
            done: self.rows.iter().filter(is_done).count(),
            of: self.rows.len(),
        }
    }

    /// Whether a revision was written.
    pub fn has_copied(&self) -> bool {
        self.counts().get(RevisionStatus::Copied) > 0
    }

    /// Whether it is the summary of a dry run.
    pub fn is_dry_run(&self) -> bool {
        self.counts().get(RevisionStatus::Planned) > 0
    }

    /// The first revision that failed and why, and how many more failed.
    pub fn first_failure(&self) -> Option<String> {
        let mut failed = self
            .rows
            .iter()
            .filter(|row| row.state == RevisionStatus::Failed);
        let first = failed.next()?;
        let more = match failed.count() as u64 {
            0 => String::new(),
            count => format!(" (and {} more)", grouped(count)),
        };
        Some(format!(
            "{} {}: {}{more}",
            first.kind.name(),
            first.source,
            first.reason.as_deref().unwrap_or_default()
        ))
    }

    /// Whether the same command may bring a revision that failed.
    pub fn may_pass(&self) -> bool {
        let mut failed = self.rows.iter().filter(|row| row.code() != Exit::Done);
        failed.any(|row| row.may_pass)
    }

    /// The worst of all exit codes.
    pub fn exit(&self) -> Exit {
        self.rows
            .iter()
            .map(|row| row.code())
            .fold(Exit::Done, Exit::worse)
    }

    /// Prints the table for people, or one line if it is one of several repos and nothing failed; the last event for programs.
    pub fn print(&self, screen: &Screen) {
        screen.json(&RevisionsEvent {
            exit: self.exit() as u8,
            counts: self.counts().by_name(),
            seconds: self.seconds,
            url: &self.url,
            revisions: &self.rows,
        });
        match screen.part() {
            Some(_) if self.counts().get(RevisionStatus::Failed) == 0 => {
                screen.status(self.last_line())
            }
            Some(repo) => screen.print(format!("\n{repo}:{}", self.readable())),
            None => screen.print(self.readable()),
        }
    }

    /// The table for people, and a line with the counts.
    pub fn readable(&self) -> String {
        let columns = [
            Column::Text("revision"),
            Column::Text("destination"),
            Column::Text("state"),
            Column::Number("files"),
            Column::Number("bytes"),
            Column::Text("reason"),
        ];
        let mut rows: Vec<Vec<String>> = self.rows.iter().map(cells).collect();
        say_reasons_once(&mut rows);
        let table = Table::new(columns, rows);
        format!("\n{}\n{}", table.fitted(), self.last_line())
    }

    fn last_line(&self) -> String {
        let counts = self.counts();
        let again = match counts.get(RevisionStatus::Failed) > 0 {
            true if self.may_pass() => "; the same command goes on",
            true => "; what failed fails again until its reason is gone",
            false => "",
        };
        format!(
            "{}: {}; {}{again}  {}",
            counted(self.rows.len() as u64, "revision"),
            counts.readable(),
            duration(self.seconds),
            self.url
        )
    }

    fn counts(&self) -> Counts<RevisionStatus> {
        Counts::of(self.rows.iter().map(|row| row.state))
    }
}

fn cells(row: &RevisionRow) -> Vec<String> {
    let name = format!("{} {}", row.kind.name(), row.source);
    vec![
        name,
        row.destination.clone(),
        row.state.name().to_owned(),
        number(row.files),
        number(row.bytes.map(size)),
        row.reason.clone().unwrap_or_default(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(kind: RefKind, source: &str, destination: &str) -> RefMapping {
        RefMapping {
            kind,
            source: source.parse().unwrap(),
            destination: destination.parse().unwrap(),
        }
    }

    #[test]
    fn a_person_gets_a_table_and_a_line_with_the_counts() {
        let plan = PlanSummary {
            files: 6,
            bytes: 8_000_000,
            ..PlanSummary::default()
        };
        let refused = Refused {
            path: "tag a b".to_owned(),
            reason: "its name is none that Git allows".to_owned(),
        };
        let lost = RevisionRow::failure(
            &named(RefKind::Branch, "dev", "dev"),
            &CliError::refused("no"),
        );
        let rows = vec![
            RevisionRow::planned(&named(RefKind::Branch, "main", "master"), &plan),
            lost,
            RevisionRow::refused(&refused),
        ];
        let summary = RevisionsSummary {
            rows,
            seconds: 61.0,
            ..RevisionsSummary::new("https://m/x".to_owned())
        };
        let expected = "
revision     destination  state    files  bytes  reason
branch main  master       planned      6   8 MB
branch dev   dev          failed       -      -  no
tag a b      -            failed       -      -  its name is none that Git allows
3 revisions: 2 failed, 1 planned; 1 min 01 s; what failed fails again until its reason is gone  https://m/x";
        assert_eq!(
            (summary.readable().as_str(), summary.exit()),
            (expected, Exit::Refused)
        );
    }
}
