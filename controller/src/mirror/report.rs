//! The report of a mirror run: `report.json`, and the same for people.

use std::fmt::Write;

use hf2ms_hub::{RepoAt, Sha256};
use hf2ms_worker::protocol::{Exit, FailedFile, RefOutcome, RefScope, RefState, is_plain};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::runs::State;
use crate::ui::screen::{Screen, duration, rate, size};
use crate::ui::table::labelled;

/// More refs or failures than this are counted, not shown; the file has them all.
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
        let refused = self.count(RefState::Refused);
        let refused = if refused > 0 {
            format!(", {refused} refused")
        } else {
            String::new()
        };
        let tally = &self.tally;
        let objects = format!("{} LFS objects, {}", tally.moved, size(tally.moved_bytes));
        format!(
            "{}: {changed} refs changed{refused}, {objects} in {}",
            self.headline(),
            duration(self.seconds)
        )
    }

    fn headline(&self) -> &'static str {
        match self.exit() {
            Exit::Done => "mirrored and looked at",
            Exit::Integrity => "NOT EQUAL",
            Exit::Interrupted => "stopped",
            _ => "incomplete: run the same command again",
        }
    }

    /// The report for a person.
    pub fn readable(&self) -> String {
        let tally = &self.tally;
        let mut text = format!("\n{}  {}\n", self.headline(), self.destination.web_url());
        let rate = if tally.bytes_per_second > 0.0 {
            format!(", {}", rate(tally.bytes_per_second as u64, 1.0))
        } else {
            String::new()
        };
        let rows = [
            (
                "git",
                format!("{} objects, {}", tally.objects, size(tally.git_bytes)),
            ),
            (
                "lfs",
                format!(
                    "{} objects in all history, {}",
                    tally.pointers,
                    size(tally.pointer_bytes)
                ),
            ),
            (
                "moved",
                format!("{} objects, {}{rate}", tally.moved, size(tally.moved_bytes)),
            ),
            (
                "retries",
                format!("{}; {} workers replaced", tally.retries, tally.lost_workers),
            ),
            ("time", duration(self.seconds)),
        ];
        for (name, value) in rows {
            text.push_str(&(labelled(name, value) + "\n"));
        }
        text.push_str(&self.table());
        text.trim_end().to_owned()
    }

    fn table(&self) -> String {
        let counts = [
            RefState::Pushed,
            RefState::Unchanged,
            RefState::Deleted,
            RefState::Refused,
        ]
        .map(|state| self.count(state));
        let [pushed, unchanged, deleted, refused] = counts;
        let mut text = format!(
            "  refs        {pushed} pushed, {unchanged} unchanged, {deleted} deleted, {refused} refused\n"
        );
        let changed = self
            .refs
            .iter()
            .filter(|outcome| outcome.state != RefState::Unchanged);
        for RefOutcome { name, state, why } in changed.clone().take(SHOWN) {
            let why = why
                .as_ref()
                .map(|why| format!(": {why}"))
                .unwrap_or_default();
            let _ = writeln!(
                text,
                "    {:<9} {}{why}",
                word(*state),
                hf2ms_hub::path::escape(name)
            );
        }
        let failed = self
            .failed
            .iter()
            .map(|failed| format!("  failed      {}: {}", failed.path, failed.error));
        failed
            .take(SHOWN)
            .for_each(|line| text.push_str(&(line + "\n")));
        let rest = changed.count().saturating_sub(SHOWN) + self.failed.len().saturating_sub(SHOWN);
        if rest > 0 {
            let _ = writeln!(text, "    {rest} more: see report.json of run {}", self.run);
        }
        text
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
        let failed = |kind| {
            vec![FailedFile {
                path: "w".into(),
                error: "no".into(),
                kind,
            }]
        };
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
