//! Files that failed, by cause: a cause is said once, with its files and with what to do about it.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt::Write;

use hf2ms_hub::path::escape;
use hf2ms_hub::{Kind, Refused};
use hf2ms_worker::protocol::FailedFile;

use crate::settings::remedies::{Remedies, may_pass, remedy, remedy_of_mirror};
use crate::ui::nouns::{counted, few};
use crate::ui::table::labelled;

/// More causes than this are counted, not shown; the report's file has them all.
const CAUSES: usize = 3;
/// A longer word of hexadecimal digits is a digest, a commit or an upload's name.
const LONGEST_WORD: usize = 11;

/// A cause, and the files that failed by it.
#[derive(Debug, PartialEq)]
pub struct Cause<'a> {
    /// The error of the first file.
    error: &'a str,
    /// What to do about it.
    remedy: &'static str,
    /// The label of its row.
    label: &'static str,
    /// Whether nothing is wrong with the files themselves: they wait for others that failed.
    waits: bool,
    /// The paths, escaped.
    pub paths: Vec<&'a str>,
}

/// Whether the same command may bring one of these files. What waits for others comes when they do.
pub fn any_may_pass(failed: &[FailedFile]) -> bool {
    let mut first = failed.iter().filter(|failed| !failed.waits_for_others());
    first.any(|failed| may_pass(failed.kind) || failed.may_pass_as_whole())
}

/// The causes, the one of most files first. Errors that differ only in the file, in digests and in numbers have one cause.
pub fn by_cause<'a>(failed: &'a [FailedFile], refused: &'a [Refused]) -> Vec<Cause<'a>> {
    by_cause_and(remedy, failed, refused)
}

fn by_cause_and<'a>(
    remedy: Remedies,
    failed: &'a [FailedFile],
    refused: &'a [Refused],
) -> Vec<Cause<'a>> {
    let failed = failed.iter().map(|failed| Cause {
        error: failed.error.as_str(),
        remedy: match failed.waits_for_others() {
            true => AFTER_OTHERS,
            false if failed.is_left() => GOES_ON,
            false if failed.may_pass_as_whole() => remedy(Kind::Transient),
            false => remedy(failed.kind),
        },
        label: match (failed.kind, failed.waits_for_others()) {
            (_, true) => "waiting",
            _ if failed.is_left() => "left",
            (Kind::Conflict, _) => "conflict",
            _ => "failed",
        },
        waits: failed.waits_for_others(),
        paths: vec![failed.path.as_str()],
    });
    let refused = refused.iter().map(|refused| Cause {
        error: refused.reason.as_str(),
        remedy: NEVER_COPIED,
        label: "refused",
        waits: false,
        paths: vec![refused.path.as_str()],
    });
    let mut causes: Vec<Cause<'a>> = Vec::new();
    let mut known: HashMap<(String, &str), usize> = HashMap::new();
    for one in failed.chain(refused) {
        let shape = shape(one.error, one.paths[0]);
        match known.entry((shape, one.remedy)) {
            Entry::Occupied(at) => causes[*at.get()].paths.extend(one.paths),
            Entry::Vacant(at) => {
                at.insert(causes.len());
                causes.push(one);
            }
        }
    }
    causes.sort_by_key(|cause| (cause.waits, std::cmp::Reverse(cause.paths.len())));
    causes
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

/// What to do about an entry that no hub takes.
pub const NEVER_COPIED: &str = "no destination takes it: leave it out, or change it at the source";
/// What to do about a file that a limit leaves to the next run.
const GOES_ON: &str = "the same command goes on with them";
/// What to do about a file that waits for others.
const AFTER_OTHERS: &str = "it follows in the run in which the other files succeed";

impl Cause<'_> {
    /// The files and the cause, in one line.
    pub fn line(&self) -> String {
        let (names, first) = (few(&self.paths), self.paths.first().unwrap_or(&""));
        let error = self.error.strip_prefix(first).unwrap_or(self.error);
        let error = error.trim_start_matches(": ");
        match self.paths.len() as u64 {
            1..=3 => format!("{names}: {error}"),
            count => format!("{} ({names}): {error}", counted(count, "file")),
        }
    }
}

/// The rows of a report about what failed. `run`: whose report has all of it.
pub fn rows(failed: &[FailedFile], refused: &[Refused], run: &str) -> String {
    rows_of(&by_cause(failed, refused), run)
}

/// The same for a mirror's LFS objects.
pub fn rows_of_mirror(failed: &[FailedFile], run: &str) -> String {
    rows_of(&by_cause_and(remedy_of_mirror, failed, &[]), run)
}

fn rows_of(causes: &[Cause<'_>], run: &str) -> String {
    let mut text = String::new();
    for cause in causes.iter().take(CAUSES) {
        let _ = writeln!(text, "{}", labelled(cause.label, cause.line()));
        let _ = writeln!(text, "{}", labelled("to do", cause.remedy));
    }
    let rest: usize = causes
        .iter()
        .skip(CAUSES)
        .map(|cause| cause.paths.len())
        .sum();
    if rest > 0 {
        let rest = counted(rest as u64, "more file");
        let line = format!("{rest} for other reasons: see report.json of run {run}");
        let _ = writeln!(text, "{}", labelled("failed", line));
    }
    text
}

/// The error without what differs from file to file.
fn shape(error: &str, path: &str) -> String {
    let name = path.rsplit('/').next().unwrap_or_default();
    let bare = error.replace(path, "*").replace(name, "*");
    let mut shape = String::new();
    let mut word = String::new();
    for next in bare.chars().chain([' ']) {
        if next.is_ascii_alphanumeric() {
            word.push(next);
            continue;
        }
        let is_digest =
            word.len() > LONGEST_WORD && word.bytes().all(|byte| byte.is_ascii_hexdigit());
        let is_number = word.bytes().all(|byte| byte.is_ascii_digit()) && word.len() > 3;
        shape.push_str(if is_digest || is_number { "#" } else { &word });
        word.clear();
        shape.push(next);
    }
    escape(&shape)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed(path: &str, error: &str, kind: Kind) -> FailedFile {
        let (path, error) = (path.to_owned(), error.to_owned());
        FailedFile::new(path, error, kind)
    }

    #[test]
    fn five_thousand_files_with_one_cause_are_two_lines() {
        let all: Vec<FailedFile> = (0..5000)
            .map(|number| {
                let path = format!("data/{number:04}.bin");
                let digest = hf2ms_hub::Sha256::of(path.as_bytes());
                let error = format!(
                    "GET https://hub/a/b/resolve/main/{path}: {digest} of {} bytes is lost",
                    1000 + number
                );
                failed(&path, &error, Kind::NotFound)
            })
            .collect();
        let text = rows(&all, &[], "01K");
        assert_eq!(text.lines().count(), 2, "{text}");
        assert!(
            text.contains(
                "5,000 files (data/0000.bin, data/0001.bin, data/0002.bin and 4,997 more): GET"
            ) && text.contains("to do"),
            "{text}"
        );
    }

    #[test]
    fn other_causes_are_told_apart_and_the_rest_is_counted() {
        let all = [
            failed("a", "500", Kind::Transient),
            failed("b", "404", Kind::NotFound),
            failed("c", "404", Kind::NotFound),
            failed("d", "gone", Kind::Invalid),
            failed("e", "full", Kind::Full),
        ];
        let text = rows(&all, &[], "01K");
        assert!(text.starts_with("  failed      b and c: 404\n"), "{text}");
        assert!(
            text.contains("1 more file for other reasons: see report.json of run 01K"),
            "{text}"
        );
        assert!(any_may_pass(&all) && !any_may_pass(&all[1..4]));
    }

    #[test]
    fn what_waits_for_a_lost_file_does_not_come_by_the_same_command() {
        let all = [
            failed("a", "404", Kind::NotFound),
            failed("old.txt", FailedFile::NOT_DELETED, Kind::Transient),
        ];
        assert!(!any_may_pass(&all));
        let text = rows(&all, &[], "01K");
        assert!(
            text.ends_with("  waiting     old.txt: not deleted, because other files failed\n  to do       it follows in the run in which the other files succeed\n"),
            "{text}"
        );
    }
}
