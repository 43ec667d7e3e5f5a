//! What came of a batch: a row a repo, for a person as a table, for a program as one event.

use hf2ms_worker::protocol::Exit;
use serde::Serialize;
use serde_json::json;

use super::list::Entry;
use crate::copying::End;
use crate::explain::{Failure, Outcome};
use crate::report::Report;
use crate::screen::{Screen, duration, size};

/// What came of one repo.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Row {
    /// The source.
    pub source: String,
    /// The destination's id.
    pub destination: String,
    /// How it stands.
    pub state: Standing,
    /// Its files, if it was looked at.
    pub files: Option<u64>,
    /// Their bytes.
    pub bytes: Option<u64>,
    /// Why it is not done.
    pub reason: Option<String>,
    /// The run, if one was begun and has ended or goes on in the cloud.
    pub run: Option<String>,
    /// The exit code that this alone calls for.
    pub exit: u8,
    /// Seconds since the batch began.
    pub seconds: f64,
    #[serde(skip)]
    code: Exit,
}

/// How a repo stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Standing {
    /// Done and verified.
    Ok,
    /// Left as it is.
    Skipped,
    /// Not all is there.
    Failed,
    /// The cloud works on it.
    Submitted,
    /// It would be done.
    Planned,
}

impl Standing {
    const ALL: [Self; 5] = [Self::Ok, Self::Skipped, Self::Failed, Self::Submitted, Self::Planned];

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

impl Row {
    /// What came of an entry, so many seconds after the batch began.
    pub fn of(entry: &Entry, ended: Outcome<End>, seconds: f64) -> Self {
        let row = Self { seconds, ..Self::new(&entry.name, entry.destination.as_str()) };
        match ended {
            Ok(End::Reported(report)) => row.reported(&report),
            Ok(End::Away(run, plan)) => {
                Self { state: Standing::Submitted, files: Some(plan.files), bytes: Some(plan.bytes), run: Some(run), ..row }
            }
            Ok(End::Planned(plan)) => Self { state: Standing::Planned, files: Some(plan.files), bytes: Some(plan.bytes), ..row },
            Ok(End::Skipped(why)) => Self { state: Standing::Skipped, reason: Some(why.to_owned()), ..row },
            Err(failure) => row.failed(&failure),
        }
    }

    /// What the source lists and can't be taken.
    pub fn refused(refused: &hf2ms_hub::Refused) -> Self {
        Self::new(&refused.path, "-").failed(&Failure::new(Exit::Incomplete, refused.reason.clone()))
    }

    fn new(source: &str, destination: &str) -> Self {
        let (source, destination) = (source.to_owned(), destination.to_owned());
        let (files, bytes, reason, run) = (None, None, None, None);
        Self { source, destination, state: Standing::Ok, files, bytes, reason, run, exit: 0, seconds: 0.0, code: Exit::Done }
    }

    fn failed(self, failure: &Failure) -> Self {
        let code = failure.exit();
        Self { state: Standing::Failed, reason: Some(failure.to_string()), exit: code as u8, code, ..self }
    }

    fn reported(self, report: &Report) -> Self {
        let code = report.exit();
        let (files, bytes, run) = (Some(report.tally.files), Some(report.tally.bytes), Some(report.run.clone()));
        let state = if code == Exit::Done { Standing::Ok } else { Standing::Failed };
        Self { state, files, bytes, run, reason: report.first_failure(), exit: code as u8, code, ..self }
    }
}

/// What came of all.
#[derive(Debug)]
pub struct Summary {
    /// A row a repo.
    pub rows: Vec<Row>,
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
        let (files, bytes) = self.sums();
        screen.tell(&json!({
            "event": "batch", "exit": self.exit() as u8, "counts": counts, "files": files, "bytes": bytes, "seconds": self.seconds,
            "repos": self.rows,
        }));
        screen.show(self.readable());
    }

    /// The table.
    pub fn readable(&self) -> String {
        let number = |number: Option<String>| number.unwrap_or_else(|| "-".to_owned());
        let cells = self.rows.iter().map(|row| {
            let (files, bytes) = (row.files.map(|files| files.to_string()), row.bytes.map(size));
            let reason = row.reason.clone().unwrap_or_default();
            [row.source.clone(), row.destination.clone(), row.state.name().to_owned(), number(files), number(bytes), reason]
        });
        let head = ["repo", "destination", "state", "files", "bytes", "reason"].map(ToOwned::to_owned);
        let cells: Vec<[String; 6]> = [head].into_iter().chain(cells).collect();
        let width = |column: usize| cells.iter().map(|row| row[column].len()).max().unwrap_or(0);
        let [repo, destination, state, files, bytes] = [0, 1, 2, 3, 4].map(width);
        let line = |[a, b, c, d, e, why]: &[String; 6]| {
            let line = format!("{a:<repo$}  {b:<destination$}  {c:<state$}  {d:>files$}  {e:>bytes$}  {why}");
            line.trim_end().to_owned()
        };
        format!("\n{}\n{}", cells.iter().map(line).collect::<Vec<_>>().join("\n"), self.last_line())
    }

    fn last_line(&self) -> String {
        let counts = Standing::ALL.into_iter().map(|state| (self.count(state), state)).filter(|(count, _)| *count > 0);
        let counts: Vec<String> = counts.map(|(count, state)| format!("{count} {}", state.name())).collect();
        let (files, bytes) = self.sums();
        let again = if self.count(Standing::Failed) > 0 { "; the same command goes on" } else { "" };
        format!("{}: {}; {files} files, {}, {}{again}", repos(self.rows.len()), counts.join(", "), size(bytes), duration(self.seconds))
    }

    fn count(&self, state: Standing) -> usize {
        self.rows.iter().filter(|row| row.state == state).count()
    }

    /// Files and bytes of what was looked at.
    fn sums(&self) -> (u64, u64) {
        let sum = |of: fn(&Row) -> Option<u64>| self.rows.iter().filter_map(of).sum();
        (sum(|row| row.files), sum(|row| row.bytes))
    }
}

/// `1 repo`, `17 repos`.
pub fn repos(count: usize) -> String {
    format!("{count} repo{}", if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn summary() -> Summary {
        let ok = Row { files: Some(6), bytes: Some(8_000_000), ..Row::new("org/a", "org/a") };
        let skipped = Row { state: Standing::Skipped, reason: Some("exists".to_owned()), ..Row::new("datasets/org/long", "me/b") };
        let failed = Row::new("org/c", "org/c").failed(&Failure::refused("model org/c is gated"));
        Summary { rows: vec![ok, skipped, failed], seconds: 61.0 }
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
    fn the_exit_code_is_the_worst() {
        let mut summary = summary();
        assert_eq!(summary.exit(), Exit::Refused);
        summary.rows.truncate(2);
        assert_eq!(summary.exit(), Exit::Done, "what is skipped is no failure");
    }
}
