//! The digests that a run learns: both of one content, from the plan and from the receipts.

use std::collections::HashMap;

use hf2ms_hub::{Digest, GitSha1, RepoPath, Sha256};

use super::{DigestCache, Plan, PlannedFile, Step};
use crate::protocol::{Receipt, Stored};

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
