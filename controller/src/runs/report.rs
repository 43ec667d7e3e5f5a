//! The report of a run: `report.json`, and its text for the user.

use std::fmt::Write;

use hf2ms_hub::{GateMode, Kind, Refused, RepoAt, RepoPath, Visibility};
use hf2ms_worker::plan::{WithheldDeletions, named};
use hf2ms_worker::protocol::{BackupResult, Exit, FailedFile, Verification, VerifyLevel};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::runs::State;
use crate::runs::failures::{self, any_may_pass, by_cause};
pub use crate::runs::tally::Tally;
use crate::ui::nouns::{FEW, counted, few_of, grouped};
use crate::ui::screen::{Screen, duration, rate, size};
use crate::ui::table::labelled;
use crate::ui::worker_events::backup_words;

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
    /// How its gate lets readers in; absent where it has none, or that is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gate: Option<GateMode>,
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
    /// Files that were deleted at the destination.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub deleted_files: Vec<RepoPath>,
    /// The limit that left files to the next run, as `--max-transfer 10 GB`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stopped_at: Option<String>,
    /// The tag of what stood at the destination before the first commit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backup: Option<BackupResult>,
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
            let lost = grouped(lost);
            format!(", {lost} failed: see report.json of run {}", self.run)
        } else {
            String::new()
        };
        let visible = self.stands().filter(|_| self.exit() != Exit::Done);
        let what = match visible {
            Some(stands) => format!("visible are {stands}"),
            None => format!("{}, {}", counted(files, "file"), size(bytes)),
        };
        let (headline, time) = (self.headline(), duration(self.seconds));
        format!("{headline}: {what} in {time}{failed}  {}", self.url)
    }

    /// The report for a person.
    pub fn readable(&self) -> String {
        let mut text = format!("\n{}  {}\n", self.headline(), self.url);
        for (name, value) in self.rows() {
            text.push_str(&(labelled(name, value) + "\n"));
        }
        text.push_str(&failures::rows(&self.failed, &self.refused, &self.run));
        for WithheldDeletions { reason, paths } in &self.withheld {
            let line = format!("{}: {reason}", named(paths));
            text.push_str(&(labelled("not deleted", line) + "\n"));
        }
        match &self.verification {
            Some(found) if self.is_whole() || !found.is_good() => text.push_str(&table(found)),
            Some(_) => (),
            None => text.push_str("  verified    not at all\n"),
        }
        text.trim_end().to_owned()
    }

    /// Whether no file has failed.
    fn is_whole(&self) -> bool {
        self.failed.is_empty() && self.refused.is_empty()
    }

    /// The rows of the report: its counts, its time, and who may see the destination. Where files failed they are few: the failures
    /// are what has to be read, and `report.json` has all.
    fn rows(&self) -> Vec<(&'static str, String)> {
        if !self.is_whole() {
            return self.rows_beside_failures();
        }
        let Tally { files, bytes, .. } = self.tally;
        let all = format!("{}, {}", grouped(files), size(bytes));
        let rate = rate_text(self.bytes_per_second);
        let deleted =
            (!self.deleted_files.is_empty()).then(|| ("deleted", named(&self.deleted_files)));
        let stands = self.stands().map(|stands| ("visible", stands));
        [("files", all)]
            .into_iter()
            .chain(self.tally.rows())
            .chain(deleted)
            .chain(self.backup_row())
            .chain(stands)
            .chain([("time", format!("{}{rate}", duration(self.seconds)))])
            .collect()
    }

    fn rows_beside_failures(&self) -> Vec<(&'static str, String)> {
        let tally = &self.tally;
        let moved = (tally.moved > 0).then(|| {
            let (blobs, bytes) = (counted(tally.moved, "blob"), size(tally.moved_bytes));
            (
                "moved",
                format!("{blobs}, {bytes} in {}", duration(self.seconds)),
            )
        });
        let deleted =
            (!self.deleted_files.is_empty()).then(|| ("deleted", named(&self.deleted_files)));
        let stands = match self.stands() {
            Some(stands) => ("visible", stands),
            None => ("files", counted(tally.files, "file")),
        };
        let backup = self.backup_row();
        [stands]
            .into_iter()
            .chain(moved)
            .chain(deleted)
            .chain(backup)
            .collect()
    }

    fn backup_row(&self) -> Option<(&'static str, String)> {
        let words = self.backup.as_ref().map(backup_words);
        words.map(|words| ("before", words))
    }

    /// What can be seen at the destination, and by whom, if that is known.
    pub fn stands(&self) -> Option<String> {
        let who = visible_to(self.visibility?, self.gate);
        if self.exit() == Exit::Done {
            return Some(who);
        }
        let Tally {
            files, unchanged, ..
        } = self.tally;
        let (all, compared) = (counted(files, "file"), self.verification.as_ref());
        let what = match (compared, self.tally.commits) {
            (Some(found), _) if found.equal == files => format!("all {all}"),
            (Some(found), _) => format!("{} of {all}", grouped(found.equal)),
            (None, 0) => format!("{} of {all}, as before", grouped(unchanged)),
            (None, commits) => format!(
                "{} of {all}, and what {} brought",
                grouped(unchanged),
                counted(commits, "commit")
            ),
        };
        Some(format!("{what}, {who}"))
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
            _ if self.is_only_left() => format!(
                "stopped at {}: {} of {} are there; the same command goes on",
                self.stopped_at.as_deref().unwrap_or("a limit"),
                grouped(self.verification.as_ref().map_or(0, |found| found.equal)),
                counted(self.tally.files, "file"),
            ),
            _ if self.only_withholds() => format!(
                "copied and verified ({}), but {} was deleted",
                self.level().words(),
                if self.deleted_files.is_empty() {
                    "nothing"
                } else {
                    "not all"
                }
            ),
            _ if self.state == State::Failed
                && self.tally.commits == 0
                && self.failed.is_empty() =>
            {
                "failed: nothing was committed".to_owned()
            }
            _ if self.may_pass() => "incomplete: run the same command again".to_owned(),
            _ => "incomplete: the same command alone does not bring the rest".to_owned(),
        }
    }

    /// Whether the same command may bring what is not there: a failure may pass, or there is no good verification.
    pub fn may_pass(&self) -> bool {
        let is_good = |found: &Verification| found.is_good();
        any_may_pass(&self.failed) || !self.verification.as_ref().is_some_and(is_good)
    }

    /// Whether nothing is wrong but that a limit of the run leaves files to the next one.
    fn is_only_left(&self) -> bool {
        let waits = |failed: &FailedFile| failed.is_left() || failed.waits_for_others();
        let compared = self.verification.as_ref();
        self.stopped_at.is_some()
            && self.failed.iter().all(waits)
            && self.refused.is_empty()
            && compared.is_some_and(Verification::is_good)
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

/// Who may see the files of a repo, for people.
fn visible_to(visibility: Visibility, gate: Option<GateMode>) -> String {
    if gate.is_some() {
        return format!("to those whom its gate lets in ({visibility}, gated)");
    }
    let who = match visibility {
        Visibility::Public => "to anyone (public)",
        Visibility::Internal => "to members (internal)",
        Visibility::Protected => "the app to anyone (protected)",
        Visibility::Private => "to its owner (private)",
    };
    who.to_owned()
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
    table_of(found, &found.scope())
}

/// The same, where `scope` says what was compared.
pub fn table_of(found: &Verification, scope: &str) -> String {
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
    let files = counted(found.checked, "file");
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

#[cfg(test)]
mod tests;
