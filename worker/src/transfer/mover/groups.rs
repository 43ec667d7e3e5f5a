//! Groups of files that are checked together.

use hf2ms_hub::File;

use super::Mover;
use crate::protocol::WorkerOptions;

/// Blobs in a group at most, which is checked in one request at the destination and at most one at the source: LFS servers are
/// asked about so many at once.
const LARGEST_GROUP: usize = 100;

/// Files that are checked together.
pub(super) enum Group<'a> {
    /// Blobs of known SHA-256.
    Known(Vec<&'a File>),
    /// Files of which only Git's digest is known: several small ones within one share of memory, or one that is read whole.
    Small(Vec<&'a File>),
    /// A file of which only Git's digest is known, too large for memory: read twice.
    Unknown(&'a File),
}

impl Group<'_> {
    /// Tasks that come of it at most.
    pub(super) fn tasks(&self) -> usize {
        match self {
            Self::Known(files) => files.len(),
            Self::Small(_) | Self::Unknown(_) => 1,
        }
    }
}

impl Mover<'_> {
    /// Files in a group at most: where the hub may copy them by itself, as many as it takes in one call.
    pub(super) fn group_size(&self) -> usize {
        let checked = || self.context.store.blobs_a_check().clamp(1, LARGEST_GROUP);
        self.server_side.files_a_call().unwrap_or_else(checked)
    }

    pub(super) fn groups<'a>(&self, files: &[&'a File]) -> Vec<Group<'a>> {
        let (known, git): (Vec<_>, Vec<_>) = files
            .iter()
            .partition(|file| file.digest.sha256().is_some());
        let mut groups: Vec<_> = known
            .chunks(self.group_size())
            .map(|files| Group::Known(files.to_vec()))
            .collect();
        let most = self.context.budget.largest_whole();
        let (small, large): (Vec<_>, Vec<_>) = git.into_iter().partition(|file| file.size <= most);
        groups.extend(large.into_iter().map(Group::Unknown));
        let share = self.context.budget.share(WorkerOptions::FIRST_STREAMS);
        let packed = packed(&small, share, self.group_size().min(LARGEST_GROUP));
        groups.extend(packed.into_iter().map(Group::Small));
        groups
    }
}

/// Files in groups of at most `most` and `share` bytes; a larger file is alone.
fn packed<'a>(files: &[&'a File], share: u64, most: usize) -> Vec<Vec<&'a File>> {
    let mut groups: Vec<Vec<&File>> = Vec::new();
    let mut room = 0;
    for file in files {
        match groups.last_mut() {
            Some(group) if group.len() < most && file.size <= room => {
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
