//! `request.json` of a run: what of its source was asked for. The same command finds its run in the cloud by it.

use hf2ms_hub::Revision;
use serde::{Deserialize, Serialize};

use crate::args::filter::{Filter, FilterKey};
use crate::copy::inspect::SourceRepo;
use crate::runs::{RunDir, RunRecord, Runs};
use crate::ui::errors::CliResult;

const FILE: &str = "request.json";

/// What of a source is copied.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CopyRequest {
    /// The branch, tag or commit as the command names it.
    revision: Revision,
    /// The files, as the command names them.
    filter: FilterKey,
    /// Whether a plan from a file left files out by a filter that it does not tell.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    untold_filter: bool,
}

impl CopyRequest {
    /// These paths at this revision.
    pub fn new(revision: &Revision, filter: &Filter) -> Self {
        Self {
            revision: revision.clone(),
            filter: filter.key().as_asked(),
            untold_filter: false,
        }
    }

    /// The same of a plan from a file that is about a part of the source: no command asks for it again.
    pub fn of_untold_part(self) -> Self {
        Self {
            untold_filter: true,
            ..self
        }
    }

    /// Writes the request into the run's folder.
    ///
    /// # Errors
    /// The disk's.
    pub fn save(&self, run: &RunDir) -> CliResult<()> {
        run.write(FILE, self)
    }

    /// Whether `run` is about this request and this source. A run of an older version names no request: its source decides.
    pub fn is_of(&self, run: &RunRecord, source: &SourceRepo, runs: &Runs) -> bool {
        run.source.is_same_repo(&source.repo.at)
            && runs
                .read::<Self>(&run.id, FILE)
                .is_none_or(|request| request == *self)
    }
}
