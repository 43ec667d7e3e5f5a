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
}

impl CopyRequest {
    /// These paths at this revision.
    pub fn new(revision: &Revision, filter: &Filter) -> Self {
        Self {
            revision: revision.clone(),
            filter: filter.key().as_asked(),
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
