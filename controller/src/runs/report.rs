//! The report of a run: `report.json`, and its text for the user.

use std::collections::HashMap;
use std::fmt::Write;

use hf2ms_hub::{Kind, Refused, RepoAt, Visibility};
use hf2ms_worker::plan::{Plan, WithheldDeletions};
use hf2ms_worker::protocol::{Exit, FailedFile, How, Receipt, Verification, VerifyLevel};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::runs::State;
use crate::runs::failures::{self, any_may_pass, by_cause};
use crate::ui::nouns::{FEW, counted, few_of, grouped};
use crate::ui::screen::{Screen, duration, rate, size};
use crate::ui::table::labelled;

/// More failures than this are counted, not shown; the file has them all.
const SHOWN: usize = 20;

/// The result of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Report {
    /// The run's id.
    pub run: String,
    /// How it ended.
    pub state: State,
    /// Where from, at which commit.
    pub source: RepoAt,
    /// Where to.
    pub destination: RepoAt,
    /// The destination's page.
    pub url: String,
    /// Who may see the destination, if that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub visibility: Option<Visibility>,
    /// Its counts.
    #[serde(flatten)]
    pub tally: Tally,
    /// Seconds from the first look to the last.
    pub seconds: f64,
    /// Bytes sent a second, over the time that chunks took.
    pub bytes_per_second: f64,
    /// The result of the verification, if there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verification: Option<Verification>,
    /// Files that are not there, and why.
    pub failed: Vec<FailedFile>,
    /// Entries of the source that can't be copied.
    pub refused: Vec<Refused>,
    /// Files that were to be deleted at the destination and are kept.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub withheld: Vec<WithheldDeletions>,
    /// Warnings for the user.
    pub warnings: Vec<String>,
    /// The last error that was met, also one that a later try survived.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_error: Option<String>,
}

/// The report of a run that has ended.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(tag = "event", rename = "report")]
pub struct ReportEvent<'a> {
    #[serde(flatten)]
    report: &'a Report,
    /// The exit code of this run alone.
    exit: u8,
    /// How the copy was verified: `listing`, `sampled` or `every byte`.
    verified: &'static str,
}

/// The counts of a run.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Tally {
    /// Files that are to stand at the destination.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Blobs whose bytes were sent.
    pub moved: u64,
    /// Their bytes.
    pub moved_bytes: u64,
    /// Bytes sent, repeats included.
    pub sent: u64,
    /// Blobs that the hub had already.
    pub reused: u64,
    /// Files that share a blob with another.
    pub duplicates: u64,
    /// Files whose bytes went into a commit.
    pub inline: u64,
    /// Files that stood there already.
    pub unchanged: u64,
    /// Files deleted.
    pub deleted: u64,
    /// Commits written.
    pub commits: u64,
    /// Tries after a failure.
    pub retries: u64,
    /// Workers that died and were replaced.
    pub lost_workers: u64,
    /// Seconds that workers worked, added up.
    #[serde(default)]
    pub worker_seconds: f64,
    /// Chunks of work.
    pub chunks: u64,
    /// Workers at a time.
    pub workers: u64,
}

impl Tally {
    /// The counts of a plan that is not carried out yet.
    pub fn of_plan(plan: &Plan) -> Self {
        let summary = plan.summary();
        Self {
            files: summary.files,
            bytes: summary.bytes,
            duplicates: summary.duplicates,
            unchanged: summary.unchanged,
            chunks: summary.chunks,
            ..Self::default()
        }
    }

    /// Adds a worker's receipt.
    pub fn add(&mut self, receipt: &Receipt) {
        self.sent += receipt.sent;
        self.retries += receipt.retries;
        self.worker_seconds += receipt.seconds;
        for stored in &receipt.files {
            match stored.how {
                How::Streamed => {
                    self.moved += 1;
                    self.moved_bytes += stored.size;
                }
                How::Reused => self.reused += 1,
                How::Duplicate => self.duplicates += 1,
                How::Inline => self.inline += 1,
                How::Unchanged => self.unchanged += 1,
            }
        }
    }

    /// The counts that are not zero, for people.
    fn rows(&self) -> impl Iterator<Item = (&'static str, String)> {
        let file = |count| counted(count, "file");
        let blob = |count| counted(count, "blob");
        let rows = [
            (
                self.moved,
                "moved",
                format!("{}, {}", blob(self.moved), size(self.moved_bytes)),
            ),
            (
                self.reused,
                "reused",
                format!("{} that the hub had already", blob(self.reused)),
            ),
            (
                self.duplicates,
                "duplicates",
                format!("{} of the same content as another", file(self.duplicates)),
            ),
            (
                self.inline,
                "inline",
                format!(
                    "{} inside {}",
                    file(self.inline),
                    counted(self.commits, "commit")
                ),
            ),
            (self.unchanged, "unchanged", file(self.unchanged)),
            (self.deleted, "deleted", file(self.deleted)),
            (self.retries, "retries", self.retries.to_string()),
            (
                self.lost_workers,
                "replaced",
                counted(self.lost_workers, "worker"),
            ),
        ];
        let shown = rows.into_iter().filter(|(count, ..)| *count > 0);
        shown.map(|(_, name, value)| (name, value))
    }
}

impl Report {
    /// The exit code: integrity before refusal before incompleteness.
    pub fn exit(&self) -> Exit {
        let checked = match (&self.verification, self.state) {
            (_, State::Interrupted) => return Exit::Interrupted,
            (Some(found), _) if !found.different.is_empty() => Exit::Integrity,
            (Some(found), _) if found.is_good() => Exit::Done,
            _ => Exit::Incomplete,
        };
        let whole = self.failed.is_empty() && self.refused.is_empty() && self.withheld.is_empty();
        let lost = if whole { Exit::Done } else { Exit::Incomplete };
        let is_corrupt = |failed: &FailedFile| failed.kind == Kind::Corrupt;
        let corrupt = self.failed.iter().any(is_corrupt);
        let refused =
            self.tally.commits == 0 && self.failed.iter().any(|failed| self.ends_all(failed.kind));
        let worst = [(corrupt, Exit::Integrity), (refused, Exit::Refused)]
            .into_iter()
            .find(|(is, _)| *is)
            .map_or(lost, |(_, exit)| exit);
        checked.worse(worst)
    }

    /// Whether a failure of this kind means that the whole run was refused. A file that is not found beside others that stand there,
    /// or may come another time, is missing alone.
    fn ends_all(&self, kind: Kind) -> bool {
        let may_come = || self.failed.iter().any(FailedFile::fails_for_now);
        let is_alone = || self.tally.unchanged > 0 || may_come();
        Exit::of(kind) == Exit::Refused && (kind != Kind::NotFound || !is_alone())
    }

    /// Shows it: to a person as a table, or a line if it is one of several; to a program as a line.
    pub fn print(&self, screen: &Screen) {
        screen.json(&ReportEvent {
            report: self,
            exit: self.exit() as u8,
            verified: self.level().words(),
        });
        match screen.part() {
            Some(_) => screen.status(self.line()),
            None => screen.print(self.readable()),
        }
    }

    /// The report in one line.
    pub fn line(&self) -> String {
        let Tally { files, bytes, .. } = self.tally;
        let lost = (self.failed.len() + self.refused.len()) as u64;
        let failed = if lost > 0 {
            format!(", {lost} failed: see report.json of run {}", self.run)
        } else {
            String::new()
        };
        format!(
            "{}: {}, {} in {}{failed}  {}",
            self.headline(),
            counted(files, "file"),
            size(bytes),
            duration(self.seconds),
            self.url
        )
    }

    /// The report for a person.
    pub fn readable(&self) -> String {
        let mut text = format!("\n{}  {}\n", self.headline(), self.url);
        for (name, value) in self.rows() {
            text.push_str(&(labelled(name, value) + "\n"));
        }
        let verified = self.verification.as_ref().map(table);
        text += verified.as_deref().unwrap_or("  verified    not at all\n");
        text.push_str(&failures::rows(&self.failed, &self.refused, &self.run));
        self.withheld
            .iter()
            .for_each(|withheld| text.push_str(&stayed(withheld)));
        text.trim_end().to_owned()
    }

    /// The rows of the report: its counts, its time, and who may see the destination.
    fn rows(&self) -> Vec<(&'static str, String)> {
        let Tally { files, bytes, .. } = self.tally;
        let all = format!("{}, {}", grouped(files), size(bytes));
        let rate = rate_text(self.bytes_per_second);
        let visible = self
            .visibility
            .map(|who| ("visible", visible_to(who).to_owned()));
        [("files", all)]
            .into_iter()
            .chain(self.tally.rows())
            .chain(visible)
            .chain([("time", format!("{}{rate}", duration(self.seconds)))])
            .collect()
    }

    /// The first thing that is wrong, if anything is.
    pub fn first_failure(&self) -> Option<String> {
        let causes = by_cause(&self.failed, &self.refused);
        let first = causes.first().map(|first| {
            let lost = self.failed.len() + self.refused.len();
            match (lost - first.paths.len()) as u64 {
                0 => first.line(),
                rest => format!("{} (and {})", first.line(), counted(rest, "other file")),
            }
        });
        first.or_else(|| (self.exit() != Exit::Done).then(|| self.headline()))
    }

    fn level(&self) -> VerifyLevel {
        self.verification
            .as_ref()
            .map_or(VerifyLevel::Listing, |found| found.level)
    }

    fn headline(&self) -> String {
        match self.exit() {
            Exit::Done => format!("done and verified ({})", self.level().words()),
            Exit::Integrity => "NOT EQUAL".to_owned(),
            Exit::Interrupted => "stopped: the same command goes on".to_owned(),
            _ if self.only_withholds() => format!(
                "copied and verified ({}), but nothing was deleted",
                self.level().words()
            ),
            _ if !self.failed.is_empty() && !any_may_pass(&self.failed) => {
                "incomplete: the same command alone does not bring the rest".to_owned()
            }
            _ => "incomplete: run the same command again".to_owned(),
        }
    }

    /// Whether every file is copied and verified; deletions don't count.
    fn only_withholds(&self) -> bool {
        let is_good = self
            .verification
            .as_ref()
            .is_some_and(Verification::is_good);
        is_good && self.failed.is_empty() && self.refused.is_empty() && !self.withheld.is_empty()
    }
}

/// Who may see a repo, for people.
pub fn visible_to(visibility: Visibility) -> &'static str {
    match visibility {
        Visibility::Public => "to anyone (public)",
        Visibility::Internal => "to members (internal)",
        Visibility::Protected => "the app to anyone (protected)",
        Visibility::Private => "to its owner (private)",
    }
}

/// Files that were not deleted: why, and the first of them.
fn stayed(WithheldDeletions { reason, paths }: &WithheldDeletions) -> String {
    let mut text = format!("  not deleted {reason}\n");
    paths.iter().take(SHOWN).for_each(|path| {
        let _ = writeln!(text, "      {path}");
    });
    if paths.len() > SHOWN {
        let _ = writeln!(text, "      {} more: see report.json", paths.len() - SHOWN);
    }
    text
}

fn rate_text(bytes_per_second: f64) -> String {
    if bytes_per_second > 0.0 {
        format!(", {}", rate(bytes_per_second as u64, 1.0))
    } else {
        String::new()
    }
}

/// The verification as a table, with the first paths of each bad row.
pub fn table(found: &Verification) -> String {
    let paths = |paths: &[hf2ms_hub::RepoPath]| {
        paths
            .iter()
            .take(FEW)
            .map(ToString::to_string)
            .collect::<Vec<_>>()
    };
    let unread = found
        .unread
        .iter()
        .take(FEW)
        .map(|entry| format!("{}: {}", entry.path, entry.reason))
        .collect();
    let rows = [
        ("equal", found.equal, Vec::new()),
        ("missing", found.missing.len() as u64, paths(&found.missing)),
        (
            "different",
            found.different.len() as u64,
            paths(&found.different),
        ),
        ("unread", found.unread.len() as u64, unread),
        ("extra", found.extra.len() as u64, paths(&found.extra)),
    ];
    let (files, scope) = (counted(found.checked, "file"), found.scope());
    let mut text = format!("  verified    {files}: {scope}\n");
    for (name, count, paths) in rows.into_iter().filter(|(_, count, _)| *count > 0) {
        let names = if paths.is_empty() {
            String::new()
        } else {
            format!("  {}", few_of(&paths, count as usize))
        };
        let _ = writeln!(text, "    {name:<9} {:>9}{names}", grouped(count));
    }
    text
}

/// Failures by path, each path once: a later word wins.
pub fn merged(failed: impl IntoIterator<Item = FailedFile>) -> Vec<FailedFile> {
    let by_path: HashMap<String, FailedFile> = failed
        .into_iter()
        .map(|failed| (failed.path.clone(), failed))
        .collect();
    let mut failed: Vec<FailedFile> = by_path.into_values().collect();
    failed.sort_by(|a, b| {
        let waits = a.waits_for_others().cmp(&b.waits_for_others());
        waits.then_with(|| a.path.cmp(&b.path))
    });
    failed
}

#[cfg(test)]
mod tests {
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
        vec![FailedFile {
            path: "a".into(),
            error: "no".into(),
            kind,
        }]
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
        let text = report(good(), failed(Kind::Transient)).readable();
        for words in [
            "incomplete",
            "https://m/models/org/a",
            "3, 3 kB",
            "1 min 01 s",
            "equal             3",
            "failed      a: no",
        ] {
            assert!(text.contains(words), "{words} in {text}");
        }
    }
}
