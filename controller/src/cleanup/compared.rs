//! A source and its copy, as they were compared: what losses are counted of.

use hf2ms_hub::RepoAt;
use hf2ms_worker::pipeline::source::PinnedSource;

use super::copy_repo::CopyReaders;
use super::source_refs::SourceRefs;
use super::verified::VerifiedRevision;

/// A source and its copy, as they were compared.
pub struct Compared<'a> {
    /// The source, at the commit of its main branch.
    pub source: &'a PinnedSource,
    /// Its branches and tags.
    pub refs: &'a SourceRefs,
    /// The copy, at its main branch.
    pub copy: &'a RepoAt,
    /// Who may read the copy.
    pub readers: &'a CopyReaders,
    /// Every branch and tag, with its files.
    pub revisions: &'a [VerifiedRevision],
}
