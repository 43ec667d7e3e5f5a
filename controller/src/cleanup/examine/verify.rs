//! Every branch and tag of a source, compared with that of its copy.

use hf2ms_hub::{Ref, Refs, RepoAt, Revision};
use hf2ms_worker::protocol::SampleSize;
use hf2ms_worker::revisions::targets::{DefaultBranches, RefMapping, RevisionTargets};

use super::Examiner;
use crate::cleanup::copy_repo;
use crate::cleanup::doubt::{Checked, Doubt};
use crate::cleanup::options::CleanupOptions;
use crate::cleanup::source_refs::{SourceRefs, check_count};
use crate::cleanup::verified::VerifiedRevision;
use crate::copy::verify::options::VerifyOptions;
use crate::revisions::verify::RevisionPairs;

impl Examiner<'_> {
    /// Every file is compared by its digest, and at least both ends of each content are read at the copy: a listing names also what is lost.
    pub(super) fn verify_options(&self) -> VerifyOptions<'_> {
        let CleanupOptions {
            settings,
            runs,
            stop,
            level,
            ..
        } = *self.options;
        let mut options = VerifyOptions::new(settings, runs, stop, level);
        options.sample.size = SampleSize::ALL;
        options
    }

    /// Verifies every branch and tag. One that stands at the same commits as another on both sides is as that one.
    pub(super) async fn verify(
        &self,
        pairs: &RevisionPairs<'_>,
        refs: &SourceRefs,
    ) -> Checked<Vec<VerifiedRevision>> {
        let (at, copy) = (&pairs.source.repo.at, &pairs.destination.at);
        let there = copy_repo::refs(copy, self.options.settings).await?;
        let defaults = DefaultBranches::of(at.hub, copy.hub);
        let targets = RevisionTargets::of(refs.refs(), &there, &defaults);
        if let Some(refused) = targets.refused.first() {
            let (path, reason) = (&refused.path, &refused.reason);
            return Err(Doubt::because(format!(
                "{path} can't be compared: {reason}"
            )));
        }
        if targets.left_over > 0 {
            return Err(Doubt::because(
                "it has temporary branches of a copy that was cut off: delete them first",
            ));
        }
        let all = targets.targets.iter().flat_map(|target| {
            let commit = &target.commit;
            target.refs().map(move |named| (named, commit))
        });
        check_names(&there)?;
        let mut verified: Vec<VerifiedRevision> = Vec::new();
        for (named, commit) in all {
            let Some(stands) = there.find(named.kind, &named.destination) else {
                let (kind, name) = (named.kind.name(), &named.destination);
                return Err(Doubt::because(format!("the copy has no {kind} {name}")));
            };
            let same = verified.iter().find(|one| one.is_of(commit, stands));
            let one = match same {
                Some(same) => same.renamed(named),
                None => self.verify_one(pairs, named, commit).await?,
            };
            if stands.is_commit() && !one.is_of(commit, stands) {
                let (kind, name) = (named.kind.name(), &named.destination);
                return Err(Doubt::because(format!(
                    "the copy's {kind} {name} was compared at another commit than {stands}"
                )));
            }
            verified.push(one);
        }
        Ok(verified)
    }

    async fn verify_one(
        &self,
        pairs: &RevisionPairs<'_>,
        named: &RefMapping,
        commit: &Revision,
    ) -> Checked<VerifiedRevision> {
        let name = format!("{} {}", named.kind.name(), named.source);
        let screen = self.screen.of_revision(&name);
        let verified = pairs.verify(named, commit, &screen).await?;
        let one = VerifiedRevision::of(named, commit, &verified).map_err(Doubt::because)?;
        let at = RepoAt {
            revision: commit.clone(),
            ..pairs.source.repo.at.clone()
        };
        let files = one.record().files.len() as u64;
        // Where no token removes anything, the table is all that comes of it.
        if at.hub.profile().abilities.deletes_repos {
            check_count(&at, verified.source_count, files)?;
        }
        Ok(one)
    }
}

/// Refuses a copy of which a name is a branch and a tag: what is read by that name may be either.
fn check_names(there: &Refs) -> Checked<()> {
    let is_branch = |tag: &&Ref| there.branches.iter().any(|branch| branch.name == tag.name);
    match there.tags.iter().find(is_branch) {
        None => Ok(()),
        Some(tag) => Err(Doubt::because(format!(
            "the copy has a branch and a tag of the name {}",
            tag.name
        ))),
    }
}
