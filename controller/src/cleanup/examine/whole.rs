//! A source whose copy was whole when it was verified: only the room above makes one.

use std::sync::Arc;

use hf2ms_hub::{RepoAdmin, RepoAt, Revision};
use hf2ms_worker::pipeline::source::PinnedSource;
use hf2ms_worker::protocol::VerifyLevel;

use crate::cleanup::copy_repo::CopyReaders;
use crate::cleanup::source_refs::SourceRefs;
use crate::cleanup::verified::VerifiedRevision;
use crate::runs::removal::{Losses, Removal, RemovalRecord};

/// A source whose copy was whole when it was verified. Only the examination makes one.
pub struct WholeCopy {
    pub(super) source: PinnedSource,
    pub(super) copy: RepoAt,
    pub(super) refs: SourceRefs,
    pub(super) readers: CopyReaders,
    pub(super) revisions: Vec<VerifiedRevision>,
    pub(super) losses: Losses,
    pub(super) level: VerifyLevel,
    pub(super) account: Option<String>,
    pub(super) admin: Arc<dyn RepoAdmin>,
}

impl WholeCopy {
    /// The source, at the commit of its main branch.
    pub fn source(&self) -> &PinnedSource {
        &self.source
    }

    /// The copy, at its main branch.
    pub fn copy(&self) -> &RepoAt {
        &self.copy
    }

    /// The source's branches and tags.
    pub fn refs(&self) -> &SourceRefs {
        &self.refs
    }

    /// Who may read the copy.
    pub fn readers(&self) -> &CopyReaders {
        &self.readers
    }

    /// Every branch and tag, with its files.
    pub fn revisions(&self) -> &[VerifiedRevision] {
        &self.revisions
    }

    /// What the copy lacks.
    pub fn losses(&self) -> &Losses {
        &self.losses
    }

    /// What removes the source.
    pub fn admin(&self) -> &Arc<dyn RepoAdmin> {
        &self.admin
    }

    /// Where the copy's main branch stands, if its hub tells.
    pub fn copy_head(&self) -> Option<&Revision> {
        let revisions = self.revisions.iter().map(VerifiedRevision::record);
        let mut main = revisions.filter(|one| one.copy_name == self.copy.revision);
        main.next().and_then(|main| main.copy_head.as_ref())
    }

    /// All that is known of both sides.
    pub fn record(&self, removal: &Removal) -> RemovalRecord {
        RemovalRecord {
            removal: removal.clone(),
            account: self.account.clone(),
            level: self.level,
            source: self.source.at.clone(),
            copy: self.copy.clone(),
            copy_head: self.copy_head().cloned(),
            losses: self.losses.clone(),
            revisions: self
                .revisions
                .iter()
                .map(|revision| revision.record().clone())
                .collect(),
        }
    }
}
