//! The digests that earlier runs computed: the SHA-256 of contents that the source knows by Git's id only. With it a second run
//! compares small files without reading them; without it nothing is lost but that.

use hf2ms_hub::RepoAt;
use hf2ms_worker::plan::{DigestCache, Plan, learn};
use hf2ms_worker::protocol::Receipt;

use crate::runs::{RunDir, RunRecord, Runs};
use crate::ui::errors::CliResult;

const FILE: &str = "known.json";

/// The digests that the newest run between these repos had at its end.
pub fn load(runs: &Runs, source: &RepoAt, destination: &RepoAt) -> DigestCache {
    load_among(runs, runs.list().into_iter(), source, destination)
}

/// The same of the runs with these records, the newest first.
pub fn load_among(
    runs: &Runs,
    records: impl Iterator<Item = RunRecord>,
    source: &RepoAt,
    destination: &RepoAt,
) -> DigestCache {
    let earlier = records
        .filter(|run| run.source.is_same_repo(source) && run.destination.is_same_repo(destination));
    let mut known = earlier.filter_map(|run| runs.read(&run.id, FILE));
    known.next().unwrap_or_default()
}

/// Keeps what this run knows: of files that stood there already, of those its receipts name, and what was known before it.
///
/// # Errors
/// The disk's.
pub fn save(
    run: &RunDir,
    plan: &Plan,
    receipts: &[Receipt],
    before: &DigestCache,
) -> CliResult<()> {
    let mut known = before.clone();
    known.extend(learn(plan, receipts));
    if known.is_empty() {
        Ok(())
    } else {
        run.write(FILE, &known)
    }
}
