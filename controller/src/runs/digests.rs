//! The digests that earlier runs computed: the SHA-256 of contents that the source knows by Git's id only. With it a second run
//! compares small files without reading them; without it nothing is lost but that.

use std::collections::HashMap;

use hf2ms_hub::{Digest, GitSha1, RepoAt, RepoPath, Sha256};
use hf2ms_worker::plan::{DigestCache, Plan, PlannedFile, Step};
use hf2ms_worker::protocol::{Receipt, Stored};

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

/// The digests that a plan and its receipts contain.
pub fn learn(plan: &Plan, receipts: &[Receipt]) -> DigestCache {
    let stored: HashMap<&RepoPath, &Stored> = receipts
        .iter()
        .flat_map(|receipt| &receipt.files)
        .map(|stored| (&stored.path, stored))
        .collect();
    let pair = |planned: &PlannedFile| -> Option<(GitSha1, Sha256)> {
        let standing = planned
            .current
            .filter(|_| planned.step == Step::Unchanged)
            .map(|current| current.digest);
        let receipt = stored.get(&planned.file.path);
        let sha256 = receipt.map(|stored| Digest::Sha256(stored.sha256));
        let git = receipt
            .and_then(|stored| stored.git_sha1)
            .map(Digest::GitSha1);
        both([Some(planned.file.digest), standing, sha256, git])
    };
    plan.files
        .iter()
        .filter(|planned| planned.edit.is_none())
        .filter_map(pair)
        .collect()
}

/// One content's digests of both kinds, if both are among these.
fn both(digests: [Option<Digest>; 4]) -> Option<(GitSha1, Sha256)> {
    let all = || digests.iter().flatten().copied();
    let git = all().find_map(|digest| {
        if let Digest::GitSha1(git) = digest {
            Some(git)
        } else {
            None
        }
    });
    Some((git?, all().find_map(Digest::sha256)?))
}
