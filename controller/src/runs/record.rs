//! The record of a run: its sides, its engine and its state; that of a batch; and the lines of a run's journal.

use hf2ms_hub::{RepoAt, Revision};
use hf2ms_worker::protocol::{Creation, Exit, PlanSummary, Receipt, Verification};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::args::workers::EngineKind;
use crate::runs::removal::Removal;
use crate::ui::errors::{CliError, CliResult};

/// The version of a run's folder. A field may be added to its files without another version, but none changes its meaning or goes.
pub(super) const FORMAT: u32 = 1;

fn first_format() -> u32 {
    1
}

/// The file with a run's record.
pub(super) const RUN: &str = "run.json";
/// The file with a batch's record.
pub(super) const BATCH: &str = "batch.json";
/// The file of the first run of all revisions that says what its calls in the cloud do.
pub const REVISIONS_JOB: &str = "revisions-job.json";

/// A run, as `hf2ms runs` lists it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RunRecord {
    /// Its id.
    pub id: String,
    /// The version of its folder.
    #[serde(default = "first_format")]
    pub format: u32,
    /// The version of the hf2ms that wrote it last; absent in runs of earlier ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub written_by: Option<String>,
    /// Its command.
    pub verb: RunVerb,
    /// When it began, in seconds since 1970.
    pub started: u64,
    /// Where from.
    pub source: RepoAt,
    /// Where to.
    pub destination: RepoAt,
    /// Where its workers run.
    #[serde(default)]
    pub on: EngineKind,
    /// How it stands.
    pub state: State,
    /// The source's files.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Why it failed or is incomplete.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The first run of the command about all revisions of a repo that this one belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub beside: Option<String>,
    /// The batch that it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub batch: Option<String>,
}

/// A run that is to begin.
#[derive(Debug, Clone, Copy)]
pub struct NewRun<'a> {
    /// Its command.
    pub verb: RunVerb,
    /// Where its workers run.
    pub on: EngineKind,
    /// Where from.
    pub source: &'a RepoAt,
    /// Where to.
    pub destination: &'a RepoAt,
    /// Its plan in numbers.
    pub plan: &'a PlanSummary,
}

/// The command of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum RunVerb {
    /// Writes to its destination: one at a time does.
    Migrate,
    /// The same, with a Git repo's whole history.
    Mirror,
    /// Only reads.
    Verify,
    /// Removes its source, whose whole copy is the destination.
    Cleanup,
}

/// A batch: many runs of one command.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct BatchRecord {
    /// Its id.
    pub id: String,
    /// The version of its folder.
    #[serde(default = "first_format")]
    pub format: u32,
    /// The version of the hf2ms that wrote it; absent in batches of earlier ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub written_by: Option<String>,
    /// When it began, in seconds since 1970.
    pub started: u64,
    /// How it stands.
    pub state: State,
    /// The number of its repos.
    pub repos: u64,
}

/// The state of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Its process works; or was killed, if no process holds its lock.
    Running,
    /// Killed: the same command goes on.
    Killed,
    /// No process attends it; its calls in the cloud work, or have ended.
    Detached,
    /// Everything is there and verified.
    Done,
    /// Some files are not there.
    Incomplete,
    /// It could not go on.
    Failed,
    /// A signal stopped it.
    Interrupted,
}

impl State {
    /// The state of a run that ended with `done`.
    pub fn of(done: &CliResult<()>) -> Self {
        match done {
            Ok(()) => Self::Done,
            Err(failure) => Self::after(failure),
        }
    }

    /// The state of a run that this error ended.
    pub fn after(failure: &CliError) -> Self {
        match failure.exit() {
            Exit::Interrupted => Self::Interrupted,
            _ => Self::Failed,
        }
    }

    /// Whether it has ended for good.
    pub(super) fn is_final(self) -> bool {
        matches!(
            self,
            Self::Done | Self::Incomplete | Self::Failed | Self::Interrupted
        )
    }

    /// The word of `run.json`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Killed => "killed",
            Self::Detached => "detached",
            Self::Done => "done",
            Self::Incomplete => "incomplete",
            Self::Failed => "failed",
            Self::Interrupted => "interrupted",
        }
    }
}

/// One line of the journal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "entry", rename_all = "snake_case")]
pub enum JournalEntry {
    /// The plan was made.
    Planned(PlanSummary),
    /// The destination's hub is asked to create it.
    Creating,
    /// The destination was created.
    Created(Creation),
    /// The hub refused to create it.
    NotCreated,
    /// The cloud is ready to work.
    Deployed {
        /// The app there.
        app: String,
        /// Containers at a time.
        containers: u64,
    },
    /// A call was submitted to the cloud.
    Call {
        /// The chunk it carries; none for the call that ends the run.
        chunk: Option<u32>,
        /// Its id there.
        call: String,
    },
    /// A chunk's worker left its receipt.
    Chunk(Receipt),
    /// A worker ended without a receipt.
    #[serde(rename = "lost")]
    Crashed {
        /// The chunk; 0 for other jobs.
        chunk: u32,
        /// The number of the attempt, from 1.
        attempt: u32,
        /// How it ended, and the last line of its log.
        why: String,
    },
    /// The committer left its receipt.
    Committed(Receipt),
    /// The verification ended.
    Verified(Verification),
    /// The source's hub is asked to remove it. All that is known of both sides was written before.
    Removing {
        /// What it is asked for.
        removal: Removal,
        /// The source, at its commit.
        source: RepoAt,
        /// The copy.
        copy: RepoAt,
        /// Where the copy's main branch stands, if its hub tells.
        copy_head: Option<Revision>,
        /// The run's file with the digests of all files.
        digests: String,
    },
    /// The hub has removed the source.
    Removed {
        /// What it has done.
        removal: Removal,
    },
    /// The hub has not removed the source.
    NotRemoved {
        /// Why.
        why: String,
    },
    /// The run ended.
    Ended {
        /// How.
        state: State,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crash_keeps_its_word_in_the_journal() {
        let line = r#"{"entry":"lost","chunk":3,"attempt":1,"why":"killed by signal 9"}"#;
        let entry: JournalEntry = serde_json::from_str(line).unwrap();
        assert!(matches!(entry, JournalEntry::Crashed { chunk: 3, .. }));
        assert_eq!(serde_json::to_string(&entry).unwrap(), line);
    }
}
