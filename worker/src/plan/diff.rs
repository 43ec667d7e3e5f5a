//! The comparison of both listings: the files that are equal, and how each of the others is copied.

use std::collections::{HashMap, HashSet};

use hf2ms_hub::{Digest, File, Listed, Listing, Placement, RepoPath};

use super::{DigestCache, PlannedFile, Step};
use crate::protocol::ExistingFile;

/// A content by the digest that its hub lists, and its size. Files of one content move once.
pub(super) type ContentKey = (Digest, u64);

/// Every file of `source`, by path, with what is to be done and what `destination` has in its place. A content that
/// can't be compared, because the sides know different digests of it, counts as different.
pub fn diff(
    source: Listing,
    destination: &Listing,
    placement: impl Fn(&RepoPath, u64) -> Placement,
    known: &DigestCache,
) -> Vec<PlannedFile> {
    let there = by_path(destination);
    let mut files: Vec<File> = source.files.into_iter().map(|listed| listed.file).collect();
    files.sort_unstable_by(|a, b| a.path.cmp(&b.path));
    let mut stored: HashSet<ContentKey> = destination
        .files
        .iter()
        .filter(|listed| listed.lfs)
        .map(|listed| content(&listed.file))
        .collect();
    let mut step = |file: &File| match placement(&file.path, file.size) {
        Placement::Inline => Step::Inline,
        Placement::Blob if stored.insert(content(file)) => Step::Stream,
        Placement::Blob => Step::Duplicate,
    };
    let mut planned = |file: File| {
        let current = there
            .get(&file.path)
            .map(|listed| ExistingFile::of(&listed.file));
        let step = if current.is_some_and(|current| is_equal(&file, current, known)) {
            Step::Unchanged
        } else {
            step(&file)
        };
        PlannedFile {
            file,
            step,
            current,
            edit: None,
            left: false,
        }
    };
    files.into_iter().map(&mut planned).collect()
}

pub(super) fn by_path(listing: &Listing) -> HashMap<&RepoPath, &Listed> {
    listing
        .files
        .iter()
        .map(|listed| (&listed.file.path, listed))
        .collect()
}

pub(super) fn content(file: &File) -> ContentKey {
    (file.digest, file.size)
}

pub(super) fn is_equal(file: &File, current: ExistingFile, known: &DigestCache) -> bool {
    let same = match (file.digest, current.digest) {
        (Digest::Sha256(sha256), Digest::GitSha1(git))
        | (Digest::GitSha1(git), Digest::Sha256(sha256)) => known.get(&git) == Some(&sha256),
        (here, there) => here == there,
    };
    file.size == current.size && (same || file.size == 0)
}

/// Whether both digests are of one kind, or an earlier run has learned the other one.
pub(super) fn is_comparable(here: Digest, there: Digest, known: &DigestCache) -> bool {
    match (here, there) {
        (Digest::Sha256(_), Digest::GitSha1(git)) | (Digest::GitSha1(git), Digest::Sha256(_)) => {
            known.contains_key(&git)
        }
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use hf2ms_hub::{GitSha1, Sha256};

    use super::super::tests::{by_suffix, listed, listing, there};
    use super::*;

    fn steps(
        source: Vec<Listed>,
        destination: Vec<Listed>,
        known: &DigestCache,
    ) -> Vec<(String, Step)> {
        let planned = diff(listing(source), &listing(destination), by_suffix, known);
        planned
            .iter()
            .map(|planned| (planned.file.path.to_string(), planned.step))
            .collect()
    }

    fn step_of(source: Listed, destination: Listed, known: &DigestCache) -> Step {
        steps(vec![source], vec![destination], known)[0].1
    }

    #[test]
    fn what_is_there_stays_and_what_differs_moves() {
        let none = DigestCache::new();
        assert_eq!(
            step_of(
                listed("a.bin", b"1", true),
                there("a.bin", b"1", true),
                &none
            ),
            Step::Unchanged
        );
        assert_eq!(
            step_of(
                listed("a.bin", b"1", true),
                there("a.bin", b"2", true),
                &none
            ),
            Step::Stream
        );
        assert_eq!(
            step_of(
                listed("a.bin", b"1", true),
                there("b.bin", b"2", true),
                &none
            ),
            Step::Stream
        );
        assert_eq!(
            step_of(
                listed("a.txt", b"1", true),
                there("a.txt", b"2", false),
                &none
            ),
            Step::Inline
        );
    }

    #[test]
    fn a_git_id_is_compared_once_an_earlier_run_knows_its_sha256() {
        let known = DigestCache::from([(GitSha1::of(b"1"), Sha256::of(b"1"))]);
        let (here, same, other) = (
            listed("a", b"1", false),
            there("a", b"1", false),
            there("a", b"2", false),
        );
        assert_eq!(
            step_of(here.clone(), same.clone(), &DigestCache::new()),
            Step::Inline
        );
        assert_eq!(step_of(here.clone(), same, &known), Step::Unchanged);
        assert_eq!(step_of(here, other, &known), Step::Inline);
    }

    #[test]
    fn a_destination_that_lists_git_ids_is_compared_too() {
        let known = DigestCache::from([(GitSha1::of(b"1"), Sha256::of(b"1"))]);
        let (small, sha256) = (listed("a", b"1", false), listed("a", b"1", true));
        assert_eq!(
            step_of(small.clone(), small.clone(), &DigestCache::new()),
            Step::Unchanged
        );
        assert_eq!(
            step_of(sha256.clone(), small.clone(), &DigestCache::new()),
            Step::Inline
        );
        assert_eq!(step_of(sha256, small, &known), Step::Unchanged);
        assert_eq!(
            step_of(listed("a", b"2", true), listed("a", b"1", false), &known),
            Step::Inline
        );
    }

    #[test]
    fn empty_files_are_equal_by_size() {
        assert_eq!(
            step_of(
                listed("a", b"", false),
                there("a", b"", false),
                &DigestCache::new()
            ),
            Step::Unchanged
        );
        assert_eq!(
            step_of(
                listed("a", b"", false),
                there("a", b"x", false),
                &DigestCache::new()
            ),
            Step::Inline
        );
    }

    #[test]
    fn equal_contents_move_once() {
        let source = || {
            (0..10_000)
                .map(|i| listed(&format!("{i}.bin"), b"same", true))
                .collect::<Vec<_>>()
        };
        let moved = |destination| {
            steps(source(), destination, &DigestCache::new())
                .iter()
                .filter(|(_, step)| *step == Step::Stream)
                .count()
        };
        assert_eq!(moved(vec![]), 1);
        assert_eq!(moved(vec![there("elsewhere.bin", b"same", true)]), 0);
        assert_eq!(
            moved(vec![there("inline.txt", b"same", false)]),
            1,
            "inline bytes are no blob"
        );
        let git = vec![listed("1.bin", b"t", false), listed("2.bin", b"t", false)];
        assert_eq!(
            steps(git, vec![], &DigestCache::new())[1].1,
            Step::Duplicate
        );
    }

    #[test]
    fn what_stands_at_the_path_is_told() {
        let planned = diff(
            listing(vec![listed("a", b"1", false)]),
            &listing(vec![there("a", b"22", false)]),
            by_suffix,
            &DigestCache::new(),
        );
        assert!(planned[0].current.unwrap().is(b"22"));
    }
}
