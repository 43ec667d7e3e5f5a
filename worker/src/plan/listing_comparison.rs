//! How much of a repo its copy has, in numbers, by the listings of both alone. Nothing is planned, and no content is read.

use hf2ms_hub::{Digest, Listing};

use super::DigestCache;
use super::diff::{by_path, is_comparable, is_equal};
use crate::protocol::ExistingFile;

/// Names of different files that are kept.
const NAMES: usize = 20;

/// The files of a source, and what its destination has in their places.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ListingComparison {
    /// Files of the source.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Those that the source's hub keeps in object storage (LFS).
    pub large_files: u64,
    /// Their bytes.
    pub large_bytes: u64,
    /// Entries of the source that can't be copied.
    pub refused: u64,
    /// Files of the same digest at the destination.
    pub equal: u64,
    /// Files of the same size, whose digests can't be compared: each hub lists another kind of digest.
    pub by_size: u64,
    /// Files that the destination lacks.
    pub missing: u64,
    /// Files that differ.
    pub different: u64,
    /// The bytes of files that are missing or differ.
    pub bytes_to_copy: u64,
    /// The size of the largest of them.
    pub largest_to_copy: u64,
    /// The paths of the first files that differ, escaped.
    pub different_paths: Vec<String>,
    /// Files that only the destination has.
    pub extra: u64,
}

impl ListingComparison {
    /// Compares both listings; `known` are digests that earlier runs learned.
    pub fn of(source: &Listing, destination: &Listing, known: &DigestCache) -> Self {
        let there = by_path(destination);
        let mut found = Self {
            refused: source.refused.len() as u64,
            ..Self::default()
        };
        let mut at_same_path = 0;
        for listed in &source.files {
            let file = &listed.file;
            found.files += 1;
            found.bytes += file.size;
            if listed.lfs {
                found.large_files += 1;
                found.large_bytes += file.size;
            }
            let current = there.get(&file.path).map(|there| &there.file);
            at_same_path += u64::from(current.is_some());
            match current.map(ExistingFile::of) {
                None => found.missing += 1,
                Some(current) if is_equal(file, current, known) => {
                    found.equal += 1;
                    continue;
                }
                Some(current) if is_alike(file.digest, file.size, current, known) => {
                    found.by_size += 1;
                    continue;
                }
                Some(_) => {
                    found.different += 1;
                    if found.different_paths.len() < NAMES {
                        found.different_paths.push(file.path.to_string());
                    }
                }
            }
            found.bytes_to_copy += file.size;
            found.largest_to_copy = found.largest_to_copy.max(file.size);
        }
        found.extra = there.len() as u64 - at_same_path;
        found
    }

    /// Whether the destination has every file, as far as the listings tell.
    pub fn is_whole(&self) -> bool {
        self.missing + self.different + self.refused == 0
    }
}

fn is_alike(digest: Digest, size: u64, current: ExistingFile, known: &DigestCache) -> bool {
    size == current.size && !is_comparable(digest, current.digest, known)
}

#[cfg(test)]
mod tests {
    use hf2ms_hub::{GitSha1, Refused, Sha256};

    use super::super::tests::{listed, listing, there};
    use super::*;

    fn found(
        source: Vec<hf2ms_hub::Listed>,
        destination: Vec<hf2ms_hub::Listed>,
    ) -> ListingComparison {
        let (source, destination) = (listing(source), listing(destination));
        ListingComparison::of(&source, &destination, &DigestCache::new())
    }

    #[test]
    fn files_are_equal_missing_or_different_and_their_bytes_are_counted() {
        let found = found(
            vec![
                listed("a.bin", b"1", true),
                listed("b.bin", b"22", true),
                listed("c.bin", b"333", true),
            ],
            vec![
                there("a.bin", b"1", true),
                there("c.bin", b"x", true),
                there("own.txt", b"", false),
            ],
        );
        let expected = ListingComparison {
            files: 3,
            bytes: 6,
            large_files: 3,
            large_bytes: 6,
            equal: 1,
            missing: 1,
            different: 1,
            bytes_to_copy: 5,
            largest_to_copy: 3,
            different_paths: vec!["c.bin".to_owned()],
            extra: 1,
            ..ListingComparison::default()
        };
        assert_eq!(found, expected);
        assert!(!found.is_whole());
    }

    #[test]
    fn a_file_whose_digests_are_of_two_kinds_is_equal_by_size_until_a_run_knows_both() {
        let (source, destination) = (
            listing(vec![listed("a", b"1", false), listed("b", b"1", false)]),
            listing(vec![there("a", b"1", false), there("b", b"22", false)]),
        );
        let compared = |known: &DigestCache| ListingComparison::of(&source, &destination, known);
        let unknown = compared(&DigestCache::new());
        assert_eq!((unknown.equal, unknown.by_size), (0, 1));
        assert_eq!(unknown.different, 1, "another size is another content");
        let known = |sha256| DigestCache::from([(GitSha1::of(b"1"), sha256)]);
        assert_eq!(compared(&known(Sha256::of(b"1"))).equal, 1);
        assert_eq!(compared(&known(Sha256::of(b"2"))).different, 2);
    }

    #[test]
    fn an_entry_that_cant_be_copied_leaves_the_copy_unfinished() {
        let mut source = listing(vec![listed("a", b"1", true)]);
        source.refused.push(Refused {
            path: "../b".to_owned(),
            reason: "it leaves the repo".to_owned(),
        });
        let destination = listing(vec![there("a", b"1", true)]);
        let found = ListingComparison::of(&source, &destination, &DigestCache::new());
        assert_eq!((found.equal, found.is_whole()), (1, false));
    }
}
