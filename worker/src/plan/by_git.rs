//! The choice between a request for each file outside LFS, and one pack by Git for all of them.

use hf2ms_hub::{Digest, Listing};

use super::{Plan, PlannedFile, Step};
use crate::protocol::{Memory, Transport};

/// From so many files on Git takes less time, and less of the hub's request quota (docs/decisions.md).
const MANY: u64 = 200;
/// The largest pack that is fetched unless `--use-git` asks for it.
const LARGEST: u64 = 256 << 20;
/// A pack holds the whole commit. It may be so many times larger than the files that are needed.
const MOST_IN_VAIN: u64 = 4;
/// What an entry takes in a pack and in its index: its pointer, its name in a tree, its id.
const ENTRY: u64 = 300;
/// A pack up to this size is fetched in any case; a temporary folder has this much room beside the pack.
const LITTLE: u64 = 8 << 20;

/// The files of a commit outside LFS, which its pack is made of.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct GitFiles {
    bytes: u64,
    entries: u64,
}

impl GitFiles {
    /// Of everything that the source holds, before anything is left out.
    pub fn of(source: &Listing) -> Self {
        let bytes = source
            .files
            .iter()
            .filter(|listed| !listed.lfs)
            .map(|listed| listed.file.size)
            .sum();
        Self {
            bytes,
            entries: source.files.len() as u64,
        }
    }

    /// The bytes of its pack and of the index, at most: contents are compressed.
    fn pack(self) -> u64 {
        self.bytes
            .saturating_add(self.entries.saturating_mul(ENTRY))
    }
}

impl Plan {
    /// Has the files outside LFS read by Git, and limits the temporary folder to the size of their pack.
    pub fn read_by_git(&mut self, outside: GitFiles) {
        self.options.transport = Transport::Git;
        self.options.scratch = Some(Memory(outside.pack().saturating_add(LITTLE)));
    }

    /// Whether Git is sooner: for many files of which the source tells only Git's digest, and which are most of what the pack
    /// would hold.
    pub fn prefers_git(&self, outside: GitFiles) -> bool {
        let wanted = self.files.iter().filter(|planned| is_read(planned));
        let (files, bytes) = wanted.fold((0, 0), |(files, bytes), planned| {
            (files + 1, bytes + planned.file.size)
        });
        let is_worth_it = outside.pack() <= LARGEST.min(LITTLE + MOST_IN_VAIN * bytes);
        files >= MANY && is_worth_it
    }
}

/// Whether the file's bytes are read, and not from storage.
fn is_read(planned: &PlannedFile) -> bool {
    matches!(planned.step, Step::Inline | Step::Stream) && is_outside(planned)
}

/// Whether the source keeps the file in Git itself, as far as its digest tells.
pub(super) fn is_outside(planned: &PlannedFile) -> bool {
    matches!(planned.file.digest, Digest::GitSha1(_))
}

#[cfg(test)]
mod tests {
    use hf2ms_hub::{File, GitSha1, Listed, Sha256};

    use super::super::tests::order;
    use super::*;
    use crate::plan::DigestCache;

    fn listing(outside: u64, size: u64, inside: u64) -> Listing {
        let file = |path: String, digest, size| File {
            path: path.parse().unwrap(),
            size,
            digest,
        };
        let small = |n: u64| Listed {
            file: file(
                format!("{n}.txt"),
                Digest::GitSha1(GitSha1::of(&n.to_be_bytes())),
                size,
            ),
            lfs: false,
        };
        let large = |n: u64| Listed {
            file: file(
                format!("{n}.bin"),
                Digest::Sha256(Sha256::of(&n.to_be_bytes())),
                1 << 30,
            ),
            lfs: true,
        };
        Listing {
            files: (0..outside)
                .map(small)
                .chain((0..inside).map(large))
                .collect(),
            ..Listing::default()
        }
    }

    fn prefers(source: &Listing, only: u64) -> bool {
        let outside = GitFiles::of(source);
        let mut wanted = source.clone();
        wanted.files.truncate(usize::try_from(only).unwrap());
        Plan::make(
            order(None),
            wanted,
            &Listing::default(),
            |_, _| hf2ms_hub::Placement::Inline,
            &DigestCache::new(),
        )
        .prefers_git(outside)
    }

    #[test]
    fn many_small_files_prefer_git_and_few_do_not() {
        assert!(prefers(&listing(5_000, 2_000, 0), u64::MAX));
        assert!(!prefers(&listing(MANY - 1, 2_000, 0), u64::MAX));
        assert!(
            !prefers(&listing(10, 2_000, 5_000), u64::MAX),
            "blobs in storage are no reason"
        );
    }

    #[test]
    fn a_pack_that_is_too_large_or_mostly_in_vain_is_not_fetched_unasked() {
        assert!(!prefers(&listing(5_000, 60_000, 0), u64::MAX), "300 MB");
        assert!(
            !prefers(&listing(40_000, 5_000, 0), 300),
            "300 of 40,000 files"
        );
        assert!(
            prefers(&listing(2_000, 2_000, 0), 300),
            "little is fetched anyway"
        );
        assert!(
            prefers(&listing(10_000, 2_000, 0), 4_000),
            "less than four times what is needed"
        );
    }

    #[test]
    fn the_room_is_bounded_by_what_the_commit_holds() {
        let source = listing(1_000, 2_000, 10);
        let mut plan = Plan::make(
            order(None),
            source.clone(),
            &Listing::default(),
            |_, _| hf2ms_hub::Placement::Inline,
            &DigestCache::new(),
        );
        plan.read_by_git(GitFiles::of(&source));
        assert_eq!(plan.options.transport, Transport::Git);
        assert_eq!(
            plan.options.scratch,
            Some(Memory(2_000_000 + 1_010 * ENTRY + LITTLE))
        );
    }
}
