//! One branch or tag of a source whose copy was compared file by file, by digest. Only a verification without any doubt makes one.

use std::collections::HashMap;

use hf2ms_hub::{Listing, RefKind, Revision};
use hf2ms_worker::protocol::VerifyLevel;

use crate::copy::verify::VerifiedCopy;
use crate::runs::removal::{RemovedFile, RemovedRevision};
use hf2ms_worker::revisions::targets::RefMapping;

/// A branch or tag whose every file is at the copy, by its digest.
#[derive(Debug, Clone)]
pub struct VerifiedRevision(RemovedRevision);

impl VerifiedRevision {
    /// What a verification proves of a branch or tag at this commit.
    ///
    /// # Errors
    /// Why it proves nothing.
    pub fn of(
        named: &RefMapping,
        commit: &Revision,
        verified: &VerifiedCopy,
    ) -> Result<Self, String> {
        let name = format!("{} {}", named.kind.name(), named.source);
        if let Some(bad) = verified.differences() {
            return Err(format!("{name} is not whole at the copy: {bad}"));
        }
        let VerifiedCopy { plan, found, .. } = verified;
        if plan.source.revision != *commit || plan.part {
            return Err(format!("{name} was not compared at its commit"));
        }
        if plan.files.is_empty() {
            return Err(format!("{name} lists no file: there is nothing to verify"));
        }
        let files = plan.files.len() as u64;
        if (found.checked, found.equal) != (files, files) {
            return Err(format!("not every file of {name} was compared"));
        }
        if plan.files.iter().any(|planned| planned.edit.is_some()) {
            return Err(format!(
                "{name} has a file that the copy has in another form"
            ));
        }
        // A listing names also what is lost: at least the ends of every content have to be there.
        let is_read = match (found.level, &found.contents) {
            (VerifyLevel::Listing, _) => false,
            (_, Some(read)) => read.wrong.is_empty() && read.files == read.of,
            (_, None) => plan.files.iter().all(|planned| planned.file.size == 0),
        };
        if !is_read {
            return Err(format!(
                "not every content of {name} could be read at the copy"
            ));
        }
        Ok(Self(RemovedRevision {
            kind: named.kind.name().to_owned(),
            name: named.source.clone(),
            commit: commit.clone(),
            copy_name: named.destination.clone(),
            copy_head: found.head.clone(),
            files: files_of(verified),
        }))
    }

    /// The same files under another name of the same commits on both sides.
    pub fn renamed(&self, named: &RefMapping) -> Self {
        Self(RemovedRevision {
            kind: named.kind.name().to_owned(),
            name: named.source.clone(),
            copy_name: named.destination.clone(),
            ..self.0.clone()
        })
    }

    /// Whether this is the comparison of these two commits.
    pub fn is_of(&self, commit: &Revision, stands: &Revision) -> bool {
        let at_copy = self.0.copy_head.as_ref();
        self.0.commit == *commit && stands.is_commit() && at_copy == Some(stands)
    }

    /// Whether the copy stands at the same commit, which names the same history.
    pub fn is_same_commit(&self) -> bool {
        self.0.copy_head.as_ref() == Some(&self.0.commit)
    }

    /// Branch or tag.
    pub fn kind(&self) -> RefKind {
        match self.0.kind == RefKind::Tag.name() {
            true => RefKind::Tag,
            false => RefKind::Branch,
        }
    }

    /// The branch or tag, and its files.
    pub fn record(&self) -> &RemovedRevision {
        &self.0
    }

    /// How a listing of the copy is unlike the verified one; `None` where every file is there as it was.
    pub fn change_in(&self, listing: &Listing) -> Option<String> {
        let there: HashMap<_, _> = listing
            .files
            .iter()
            .map(|listed| (&listed.file.path, &listed.file))
            .collect();
        let is_there = |file: &RemovedFile| {
            let now = there.get(&file.path);
            now.is_some_and(|now| file.size == now.size && file.has(now.digest))
        };
        let missing = self.0.files.iter().find(|file| !is_there(file));
        missing.map(|file| format!("{} is not there as it was", file.path))
    }
}

fn files_of(verified: &VerifiedCopy) -> Vec<RemovedFile> {
    let planned = verified.plan.files.iter().map(|planned| &planned.file);
    let file = planned.map(|file| {
        let known = verified.sha256.get(&file.path).copied();
        RemovedFile::of(file, known)
    });
    file.collect()
}
