//! The row of one repo of a batch: what became of it, and why.

use hf2ms_hub::Visibility;
use hf2ms_worker::protocol::Exit;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::list::BatchEntry;
use crate::copy::CopyResult;
use crate::revisions::RepoResult;
use crate::revisions::summary::{DoneCount, RevisionsSummary};
use crate::runs::report::Report;
use crate::ui::counts::Status;
use crate::ui::errors::{CliError, CliResult};

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
    /// The number of its revisions that were copied or are equal, with `--all-revisions` or `--revisions-of`.
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
    pub(super) const OF_VERIFY: [Self; 2] = [Self::Equal, Self::NotEqual];
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
    pub(super) fn code(&self) -> Exit {
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

    /// A row of these two, of which nothing is known yet.
    pub fn new(source: &str, destination: &str) -> Self {
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

    /// The same row, failed for this reason.
    pub fn failed(self, failure: &CliError) -> Self {
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

    pub(super) fn summed_up(self, summary: &RevisionsSummary) -> Self {
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
