//! What earlier runs learned: the SHA-256 of contents that the source knows by Git's id only. With it a second run
//! compares small files without reading them; without it nothing is lost but that.

use std::collections::HashMap;

use hf2ms_hub::{Digest, GitSha1, RepoAt, RepoPath, Sha256};
use hf2ms_worker::plan::{Known, Plan, Step};
use hf2ms_worker::protocol::Receipt;

use crate::explain::Outcome;
use crate::run_dir::{RunDir, Runs};

const FILE: &str = "known.json";

/// What the newest run between these repos knew at its end.
pub fn load(runs: &Runs, source: &RepoAt, destination: &RepoAt) -> Known {
    let same = |a: &RepoAt, b: &RepoAt| (a.hub, &a.endpoint, a.kind, &a.id) == (b.hub, &b.endpoint, b.kind, &b.id);
    let earlier = runs.list().into_iter().filter(|run| same(&run.source, source) && same(&run.destination, destination));
    earlier.filter_map(|run| runs.read(&run.id, FILE)).next().unwrap_or_default()
}

/// Keeps what this run knows: of files that stood there already, and of those its receipts name.
///
/// # Errors
/// The disk's.
pub fn save(run: &RunDir, plan: &Plan, receipts: &[Receipt]) -> Outcome<()> {
    let known = learn(plan, receipts);
    if known.is_empty() { Ok(()) } else { run.write(FILE, &known) }
}

fn learn(plan: &Plan, receipts: &[Receipt]) -> Known {
    let stored: HashMap<&RepoPath, Sha256> =
        receipts.iter().flat_map(|receipt| &receipt.files).map(|stored| (&stored.path, stored.sha256)).collect();
    let pair = |planned: &hf2ms_worker::plan::PlannedFile| -> Option<(GitSha1, Sha256)> {
        let Digest::GitSha1(git) = planned.file.digest else { return None };
        let standing = planned.current.filter(|_| planned.step == Step::Unchanged).map(|current| current.sha256);
        Some((git, standing.or_else(|| stored.get(&planned.file.path).copied())?))
    };
    plan.files.iter().filter_map(pair).collect()
}
