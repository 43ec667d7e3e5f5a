//! Groups of files that are checked together.

use hf2ms_hub::File;

use super::Mover;
use crate::protocol::WorkerOptions;

/// Blobs in a group, which are checked in one request at the destination and at most one at the source.
const GROUP: usize = 64;

/// Files that are checked together.
pub(super) enum Group<'a> {
    /// Blobs of known SHA-256.
    Known(Vec<&'a File>),
    /// Files of which only Git's digest is known: several small ones within one share of memory, or one that is read whole.
    Small(Vec<&'a File>),
    /// A file of which only Git's digest is known, too large for memory: read twice.
    Unknown(&'a File),
}

impl Mover<'_> {
    pub(super) fn groups<'a>(&self, files: &[&'a File]) -> Vec<Group<'a>> {
        let (known, git): (Vec<_>, Vec<_>) = files
            .iter()
            .partition(|file| file.digest.sha256().is_some());
        let mut groups: Vec<_> = known
            .chunks(self.server_side.files_a_call().unwrap_or(GROUP))
            .map(|files| Group::Known(files.to_vec()))
            .collect();
        let most = self.context.budget.largest_whole();
        let (small, large): (Vec<_>, Vec<_>) = git.into_iter().partition(|file| file.size <= most);
        groups.extend(large.into_iter().map(Group::Unknown));
        let packed = packed(
            &small,
            self.context.budget.share(WorkerOptions::FIRST_STREAMS),
        );
        groups.extend(packed.into_iter().map(Group::Small));
        groups
    }
}

/// Files in groups of at most [`GROUP`] and `share` bytes; a larger file is alone.
fn packed<'a>(files: &[&'a File], share: u64) -> Vec<Vec<&'a File>> {
    let mut groups: Vec<Vec<&File>> = Vec::new();
    let mut room = 0;
    for file in files {
        match groups.last_mut() {
            Some(group) if group.len() < GROUP && file.size <= room => {
                group.push(file);
                room -= file.size;
            }
            _ => {
                groups.push(vec![file]);
                room = share - file.size.min(share);
            }
        }
    }
    groups
}
