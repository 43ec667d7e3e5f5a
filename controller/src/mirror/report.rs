//! The report of a mirror run: `report.json`, and the same for people.

use std::fmt::Write;

use hf2ms_hub::{RepoAt, Sha256};
use hf2ms_worker::protocol::{Exit, FailedFile, RefOutcome, RefScope, RefState, is_plain};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::runs::State;
use crate::runs::failures::{self, any_may_pass};
use crate::ui::nouns::{counted, few, grouped};
use crate::ui::screen::{Screen, duration, rate, size};
use crate::ui::table::labelled;

/// More refs than this are counted, not shown; the file has them all.
const SHOWN: usize = 20;

/// The report of a mirror run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct MirrorReport {
    /// The run's id.
    pub run: String,
    /// The run's state.
    pub state: State,
    /// The source.
    pub source: RepoAt,
    /// The target.
    pub destination: RepoAt,
    /// Which refs were mirrored.
    pub scope: RefScope,
    /// The numbers.
    #[serde(flatten)]
    pub tally: MirrorTally,
    /// The outcome of every ref.
    pub refs: Vec<RefOutcome>,
    /// The LFS objects that the target lacks, and why.
    pub failed: Vec<FailedFile>,
    /// The digest of the source's refs.
    pub source_stood: Sha256,
    /// The digest of the target's refs after the push.
    pub target_stands: Sha256,
    /// Seconds from the beginning to the end.
    pub seconds: f64,
    /// Warnings for people.
    pub warnings: Vec<String>,
}

/// A mirror run has ended.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(tag = "event", rename = "mirror_report")]
pub struct MirrorReportEvent<'a> {
    #[serde(flatten)]
    report: &'a MirrorReport,
    /// The exit code.
    exit: u8,
}

/// The numbers of a mirror run.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct MirrorTally {
    /// Git objects of the source.
    pub objects: u64,
    /// The bytes of their pack.
    pub git_bytes: u64,
    /// LFS objects that all history names.
    pub pointers: u64,
    /// Their bytes.
    pub pointer_bytes: u64,
    /// LFS objects that were sent.
    pub moved: u64,
    /// Their bytes.
    pub moved_bytes: u64,
    /// Those that someone else brought there meanwhile.
    pub reused: u64,
    /// LFS objects that the target still lacks, as was allowed.
    pub lacking: u64,
    /// Tries after a failure.
    pub retries: u64,
    /// Workers that died and were replaced.
    pub lost_workers: u64,
    /// Bytes of LFS objects a second, over the time that they took.
    pub bytes_per_second: f64,
}

impl MirrorReport {
    /// The number of refs with this outcome.
    pub fn count(&self, state: RefState) -> usize {
        self.refs
            .iter()
            .filter(|outcome| outcome.state == state)
            .count()
    }

    /// The exit code. Refs that no host accepts, and branches that the target refuses to delete, do not count: the report names them.
    pub fn exit(&self) -> Exit {
        let counts = |outcome: &&RefOutcome| {
            outcome.is_conflict()
                || outcome.state == RefState::Refused
                    && is_plain(&outcome.name)
                    && !is_kept(outcome)
        };
        match self.state {
            State::Interrupted => Exit::Interrupted,
            _ if self.refs.iter().any(|outcome| counts(&outcome)) => {
                Exit::of_failed(&self.failed).worse(Exit::Incomplete)
            }
            _ => Exit::of_failed(&self.failed),
        }
    }

    /// Shows it: to a person as a table, to a program as a line.
    pub fn print(&self, screen: &Screen) {
        screen.json(&self.event());
        screen.print(self.readable());
    }

    /// For a program.
    pub fn event(&self) -> MirrorReportEvent<'_> {
        MirrorReportEvent {
            report: self,
            exit: self.exit() as u8,
        }
    }

    /// The report in one line.
    pub fn line(&self) -> String {
        let changed = self.count(RefState::Pushed) + self.count(RefState::Deleted);
        let changed = match changed {
            0 => "no ref changed".to_owned(),
            count => format!("{} changed", counted(count as u64, "ref")),
        };
        let refused = self.count(RefState::Refused) as u64;
        let refused = (refused > 0).then(|| format!(", {} refused", grouped(refused)));
        let tally = &self.tally;
        let moved = (tally.moved > 0).then(|| {
            let objects = counted(tally.moved, "LFS object");
            format!(", {objects}, {}", size(tally.moved_bytes))
        });
        format!(
            "{}: {changed}{}{} in {}",
            self.headline(),
            refused.unwrap_or_default(),
            moved.unwrap_or_default(),
            duration(self.seconds)
        )
    }

    fn headline(&self) -> String {
        let lacking = self.tally.lacking;
        match self.exit() {
            Exit::Done if lacking > 0 => format!(
                "mirrored, without {} that may be missing",
                counted(lacking, "LFS object")
            ),
            Exit::Done => "mirrored, and every ref compared".to_owned(),
            Exit::Integrity => "NOT EQUAL".to_owned(),
            Exit::Interrupted => "stopped: the same command goes on".to_owned(),
            _ if any_may_pass(&self.failed) || self.refs.iter().any(RefOutcome::is_conflict) => {
                "incomplete: run the same command again".to_owned()
            }
            _ => "incomplete: the same command alone does not bring the rest".to_owned(),
        }
    }

    /// The report for a person: the verdict, then what is not zero.
    pub fn readable(&self) -> String {
        let mut text = format!("\n{}  {}\n", self.headline(), self.destination.web_url());
        for (name, value) in self.rows() {
            text.push_str(&(labelled(name, value) + "\n"));
        }
        self.write_changes(&mut text);
        text.push_str(&failures::rows_of_mirror(&self.failed, &self.run));
        text.trim_end().to_owned()
    }

    fn rows(&self) -> impl Iterator<Item = (&'static str, String)> {
        let tally = &self.tally;
        let rate = if tally.bytes_per_second > 0.0 {
            format!(", {}", rate(tally.bytes_per_second as u64, 1.0))
        } else {
            String::new()
        };
        let objects = |count| counted(count, "object");
        let rows = [
            (
                tally.objects,
                "git",
                format!("{}, {}", objects(tally.objects), size(tally.git_bytes)),
            ),
            (
                tally.pointers,
                "lfs",
                format!(
                    "{} in all history, {}",
                    objects(tally.pointers),
                    size(tally.pointer_bytes)
                ),
            ),
            (
                tally.moved,
                "moved",
                format!(
                    "{}, {}{rate}",
                    objects(tally.moved),
                    size(tally.moved_bytes)
                ),
            ),
            (
                tally.reused,
                "reused",
                format!("{} that came there meanwhile", objects(tally.reused)),
            ),
            (tally.retries, "retries", grouped(tally.retries)),
            (
                tally.lost_workers,
                "replaced",
                counted(tally.lost_workers, "worker"),
            ),
            (1, "time", duration(self.seconds)),
            (1, "refs", self.counts()),
        ];
        let shown = rows.into_iter().filter(|(count, ..)| *count > 0);
        shown.map(|(_, name, value)| (name, value))
    }

    /// `1 pushed, 3 unchanged`: how many refs have each outcome.
    fn counts(&self) -> String {
        let counts = [
            RefState::Pushed,
            RefState::Unchanged,
            RefState::Deleted,
            RefState::Refused,
        ]
        .map(|state| (self.count(state) as u64, word(state)));
        let some = counts.iter().filter(|(count, _)| *count > 0);
        let words: Vec<String> = some
            .map(|(count, word)| format!("{} {word}", grouped(*count)))
            .collect();
        match words.is_empty() {
            true => "none".to_owned(),
            false => words.join(", "),
        }
    }

    /// Writes a line for each ref that changed, and one for each reason why some did not.
    fn write_changes(&self, text: &mut String) {
        let mut changes: Vec<(RefState, Option<&str>, Vec<String>)> = Vec::new();
        for RefOutcome { name, state, why } in &self.refs {
            let (name, why) = (hf2ms_hub::path::escape(name), why.as_deref());
            let mut before = changes.iter_mut();
            match before.find(|(_, other, _)| why.is_some() && *other == why) {
                _ if *state == RefState::Unchanged => (),
                Some((.., names)) => names.push(name),
                None => changes.push((*state, why, vec![name])),
            }
        }
        for (state, why, names) in changes.iter().take(SHOWN) {
            let why = why.map(|why| format!(": {why}")).unwrap_or_default();
            let _ = writeln!(text, "    {:<9} {}{why}", word(*state), few(names));
        }
        if let rest @ 1.. = changes.len().saturating_sub(SHOWN) {
            let rest = grouped(rest as u64);
            let _ = writeln!(text, "    {rest} more: see report.json of run {}", self.run);
        }
    }
}

/// The target keeps the branch that its `HEAD` names, whatever is asked.
fn is_kept(outcome: &RefOutcome) -> bool {
    outcome.why.as_ref().is_some_and(|why| {
        why.contains("deletion of the current branch") || why.contains("default branch")
    })
}

fn word(state: RefState) -> &'static str {
    match state {
        RefState::Pushed => "pushed",
        RefState::Unchanged => "unchanged",
        RefState::Deleted => "deleted",
        RefState::Refused => "refused",
    }
}

#[cfg(test)]
mod tests {
    use hf2ms_hub::Kind;

    use super::*;
    use crate::runs::tests::at;

    fn report(refs: &[(&str, RefState, Option<&str>)], failed: Vec<FailedFile>) -> MirrorReport {
        let outcome = |(name, state, why): &(&str, RefState, Option<&str>)| RefOutcome {
            name: (*name).to_owned(),
            state: *state,
            why: why.map(str::to_owned),
        };
        MirrorReport {
            run: "01K".into(),
            state: State::Done,
            source: at("huggingface", "org/a"),
            destination: at("modelscope", "org/a"),
            scope: RefScope::Branches,
            tally: MirrorTally {
                pointers: 3,
                moved: 2,
                moved_bytes: 5_000_000,
                ..MirrorTally::default()
            },
            refs: refs.iter().map(outcome).collect(),
            failed,
            source_stood: Sha256::of(b"a"),
            target_stands: Sha256::of(b"a"),
            seconds: 61.0,
            warnings: Vec::new(),
        }
    }

    #[test]
    fn what_no_host_takes_costs_nothing_and_a_branch_does() {
        use RefState::{Pushed, Refused};
        let exit = |refs: &[_]| report(refs, Vec::new()).exit();
        assert_eq!(
            exit(&[
                ("refs/heads/main", Pushed, None),
                ("refs/pr/1", Refused, Some("hidden"))
            ]),
            Exit::Done
        );
        assert_eq!(
            exit(&[(
                "refs/heads/old",
                Refused,
                Some("deletion of the current branch prohibited")
            )]),
            Exit::Done
        );
        assert_eq!(
            exit(&[("refs/heads/main", Refused, Some("protected"))]),
            Exit::Incomplete
        );
        assert_eq!(
            exit(&[(
                "refs/notes/x",
                Refused,
                Some("conflict: it moved at the target")
            )]),
            Exit::Incomplete
        );
        let failed = |kind| vec![FailedFile::new("w", "no", kind)];
        assert_eq!(report(&[], failed(Kind::Corrupt)).exit(), Exit::Integrity);
        assert_eq!(report(&[], failed(Kind::Invalid)).exit(), Exit::Incomplete);
    }

    #[test]
    fn a_person_sees_each_ref_that_changed_and_why_one_did_not() {
        let refs = [
            ("refs/heads/main", RefState::Pushed, None),
            ("refs/heads/x", RefState::Refused, Some("protected\u{1b}")),
        ];
        let text = report(&refs, Vec::new()).readable();
        for words in [
            "incomplete",
            "pushed    refs/heads/main",
            "refused   refs/heads/x: protected",
            "2 objects, 5 MB",
            "1 min 01 s",
        ] {
            assert!(text.contains(words), "{words} in {text}");
        }
    }

    #[test]
    fn what_is_zero_is_not_said_and_a_reason_is_said_once() {
        use RefState::{Pushed, Refused, Unchanged};
        let hook = Some("declined by a hook");
        let refs = [
            ("refs/heads/a", Refused, hook),
            ("refs/heads/b", Refused, hook),
            ("refs/heads/main", Pushed, None),
            ("refs/tags/v1", Unchanged, None),
        ];
        let mut report = report(&refs, Vec::new());
        (report.tally.pointers, report.tally.moved) = (1, 0);
        let expected = "
incomplete: the same command alone does not bring the rest  URL
  lfs         1 object in all history, 0 B
  time        1 min 01 s
  refs        1 pushed, 1 unchanged, 2 refused
    refused   refs/heads/a and refs/heads/b: declined by a hook
    pushed    refs/heads/main";
        let url = report.destination.web_url();
        assert_eq!(report.readable().replace(&url, "URL"), expected);
        assert_eq!(
            report.line(),
            "incomplete: the same command alone does not bring the rest: 1 ref changed, 2 refused in 1 min 01 s"
        );
    }

    #[test]
    fn an_object_that_may_be_missing_is_told_in_the_verdict() {
        let mut report = report(&[], Vec::new());
        (report.tally.lacking, report.tally.moved) = (3, 0);
        assert_eq!(
            report.line(),
            "mirrored, without 3 LFS objects that may be missing: no ref changed in 1 min 01 s"
        );
    }

    #[test]
    fn a_report_that_is_read_again_says_the_same_to_the_last_digit() {
        let mut written = report(&[], Vec::new());
        (written.tally.bytes_per_second, written.seconds) =
            (183_803.992_475_571_26, 900.358_561_915);
        let read: MirrorReport =
            serde_json::from_str(&serde_json::to_string(&written).unwrap()).unwrap();
        assert_eq!(
            read.tally.bytes_per_second.to_bits(),
            written.tally.bytes_per_second.to_bits()
        );
        assert_eq!(read.seconds.to_bits(), written.seconds.to_bits());
    }
}
