//! What came of a repo's revisions: a row each, for a person as a table, for a program as one event.

use hf2ms_hub::{Refused, Revision};
use hf2ms_worker::protocol::{Exit, PlanSummary};
use serde::Serialize;
use serde_json::json;

use super::wanted::Named;
use crate::explain::Failure;
use crate::report::Report;
use crate::screen::{Screen, duration, size};

/// What came of one branch or tag.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Row {
    /// `branch` or `tag`.
    pub kind: &'static str,
    /// Its name at the source.
    pub source: String,
    /// Its name at the destination.
    pub destination: String,
    /// How it stands.
    pub state: Standing,
    /// The commit at which it stands at the destination, where its hub tells it.
    pub commit: Option<Revision>,
    /// Its files, if it was looked at.
    pub files: Option<u64>,
    /// Their bytes.
    pub bytes: Option<u64>,
    /// Why it is not done.
    pub reason: Option<String>,
    /// The run that copied or compared it.
    pub run: Option<String>,
    /// The exit code that this alone calls for.
    pub exit: u8,
    #[serde(skip)]
    code: Exit,
}

/// How a revision stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Standing {
    /// Written and verified.
    Copied,
    /// It was there already, and is equal.
    Unchanged,
    /// Not there, or not as it should be.
    Failed,
    /// It would be done.
    Planned,
}

impl Standing {
    const ALL: [Self; 4] = [Self::Copied, Self::Unchanged, Self::Failed, Self::Planned];

    fn name(self) -> &'static str {
        match self {
            Self::Copied => "copied",
            Self::Unchanged => "unchanged",
            Self::Failed => "failed",
            Self::Planned => "planned",
        }
    }
}

impl Row {
    fn of(named: &Named, state: Standing) -> Self {
        Self::new(named.kind.name(), named.source.to_string(), named.destination.to_string(), state)
    }

    fn new(kind: &'static str, source: String, destination: String, state: Standing) -> Self {
        let (commit, files, bytes, reason, run) = (None, None, None, None, None);
        Self { kind, source, destination, state, commit, files, bytes, reason, run, exit: 0, code: Exit::Done }
    }

    /// It would be copied, or is there.
    pub fn planned(named: &Named, plan: &PlanSummary) -> Self {
        Self { files: Some(plan.files), bytes: Some(plan.bytes), ..Self::of(named, Standing::Planned) }
    }

    /// It stands there as its run's report says.
    pub fn reported(named: &Named, report: &Report, state: Standing, commit: Option<Revision>) -> Self {
        let (files, bytes, run) = (Some(report.tally.files), Some(report.tally.bytes), Some(report.run.clone()));
        let row = Self { files, bytes, run, commit, ..Self::of(named, state) };
        match report.exit() {
            Exit::Done => row,
            code => row.failed(&Failure::new(code, report.first_failure().unwrap_or_default())),
        }
    }

    /// It could not be done.
    pub fn failure(named: &Named, failure: &Failure) -> Self {
        Self::of(named, Standing::Failed).failed(failure)
    }

    /// What the source lists and can't be taken.
    pub fn refused(refused: &Refused) -> Self {
        let (kind, name) = refused.path.split_once(' ').unwrap_or(("branch", &refused.path));
        let kind = if kind == "tag" { "tag" } else { "branch" };
        let row = Self::new(kind, name.to_owned(), "-".to_owned(), Standing::Failed);
        row.failed(&Failure::new(Exit::Incomplete, refused.reason.clone()))
    }

    /// The same, not done for this reason.
    pub fn failed(self, failure: &Failure) -> Self {
        let code = failure.exit();
        Self { state: Standing::Failed, reason: Some(failure.to_string()), exit: code as u8, code, ..self }
    }
}

/// What came of all.
#[derive(Debug)]
pub struct Summary {
    /// A row a branch or tag.
    pub rows: Vec<Row>,
    /// The destination's page.
    pub url: String,
    /// Seconds that it took.
    pub seconds: f64,
}

impl Summary {
    /// The worst of all exit codes.
    pub fn exit(&self) -> Exit {
        self.rows.iter().map(|row| row.code).fold(Exit::Done, Exit::worse)
    }

    /// Shows it: to a person as a table, to a program as the last line.
    pub fn show(&self, screen: &Screen) {
        let counts: serde_json::Map<_, _> =
            Standing::ALL.into_iter().map(|state| (state.name().to_owned(), self.count(state).into())).collect();
        screen.tell(&json!({
            "event": "revisions", "exit": self.exit() as u8, "counts": counts, "seconds": self.seconds, "url": self.url, "revisions": self.rows,
        }));
        screen.show(self.readable());
    }

    /// The table.
    pub fn readable(&self) -> String {
        let head = ["revision", "destination", "state", "files", "bytes", "reason"].map(ToOwned::to_owned);
        let cells: Vec<[String; 6]> = [head].into_iter().chain(self.rows.iter().map(cells)).collect();
        let width = |column: usize| cells.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
        let [name, destination, state, files, bytes] = [0, 1, 2, 3, 4].map(width);
        let line = |[a, b, c, d, e, why]: &[String; 6]| {
            let line = format!("{a:<name$}  {b:<destination$}  {c:<state$}  {d:>files$}  {e:>bytes$}  {why}");
            line.trim_end().to_owned()
        };
        format!("\n{}\n{}", cells.iter().map(line).collect::<Vec<_>>().join("\n"), self.last_line())
    }

    fn last_line(&self) -> String {
        let counts = Standing::ALL.into_iter().map(|state| (self.count(state), state)).filter(|(count, _)| *count > 0);
        let counts: Vec<String> = counts.map(|(count, state)| format!("{count} {}", state.name())).collect();
        let (count, again) = (self.rows.len(), if self.count(Standing::Failed) > 0 { "; the same command goes on" } else { "" });
        let some = if count == 1 { "" } else { "s" };
        format!("{count} revision{some}: {}; {}{again}  {}", counts.join(", "), duration(self.seconds), self.url)
    }

    fn count(&self, state: Standing) -> usize {
        self.rows.iter().filter(|row| row.state == state).count()
    }
}

fn cells(row: &Row) -> [String; 6] {
    let number = |number: Option<String>| number.unwrap_or_else(|| "-".to_owned());
    let (files, bytes) = (number(row.files.map(|files| files.to_string())), number(row.bytes.map(size)));
    let name = format!("{} {}", row.kind, row.source);
    [name, row.destination.clone(), row.state.name().to_owned(), files, bytes, row.reason.clone().unwrap_or_default()]
}

#[cfg(test)]
mod tests {
    use hf2ms_hub::RefKind;

    use super::*;

    fn named(kind: RefKind, source: &str, destination: &str) -> Named {
        Named { kind, source: source.parse().unwrap(), destination: destination.parse().unwrap() }
    }

    #[test]
    fn a_person_gets_a_table_and_a_line_with_the_counts() {
        let plan = PlanSummary { files: 6, bytes: 8_000_000, ..PlanSummary::default() };
        let refused = Refused { path: "tag a b".to_owned(), reason: "its name is none that Git allows".to_owned() };
        let lost = Row::failure(&named(RefKind::Branch, "dev", "dev"), &Failure::refused("no"));
        let rows = vec![Row::planned(&named(RefKind::Branch, "main", "master"), &plan), lost, Row::refused(&refused)];
        let summary = Summary { rows, url: "https://m/x".to_owned(), seconds: 61.0 };
        let expected = "
revision     destination  state    files  bytes  reason
branch main  master       planned      6   8 MB
branch dev   dev          failed       -      -  no
tag a b      -            failed       -      -  its name is none that Git allows
3 revisions: 2 failed, 1 planned; 1 min 01 s; the same command goes on  https://m/x";
        assert_eq!((summary.readable().as_str(), summary.exit()), (expected, Exit::Refused));
    }
}
