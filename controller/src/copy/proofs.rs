//! What finished runs have proven of all destinations: the runs of this machine, read once and found by their destination.

use std::collections::HashMap;

use hf2ms_hub::RepoAt;
use hf2ms_worker::plan::DigestCache;

use crate::copy::sync_state::{ProvenCopy, SyncStates};
use crate::runs::digests;
use crate::runs::{RunRecord, Runs};

/// All runs of this machine, the newest first, by the address of their destination.
pub struct Proofs {
    runs: Runs,
    by_destination: HashMap<String, Vec<RunRecord>>,
}

impl Proofs {
    /// Reads the records of all runs.
    pub fn of(runs: &Runs) -> Self {
        let mut by_destination: HashMap<String, Vec<RunRecord>> = HashMap::new();
        for run in runs.list() {
            let to = by_destination.entry(run.destination.web_url());
            to.or_default().push(run);
        }
        Self {
            runs: runs.clone(),
            by_destination,
        }
    }

    /// What runs have proven of all files of these repos, the newest first. Runs of a part of the files prove nothing of the whole.
    pub fn between(&self, source: &RepoAt, destination: &RepoAt) -> Vec<ProvenCopy> {
        let records = self.records(destination).iter().cloned();
        SyncStates::among(&self.runs, records, destination).whole_copies(source, &self.runs)
    }

    /// The digests that the newest run between these repos had at its end.
    pub fn digests(&self, source: &RepoAt, destination: &RepoAt) -> DigestCache {
        let records = self.records(destination).iter().cloned();
        digests::load_among(&self.runs, records, source, destination)
    }

    fn records(&self, destination: &RepoAt) -> &[RunRecord] {
        let found = self.by_destination.get(&destination.web_url());
        found.map_or(&[], Vec::as_slice)
    }
}
