//! What whole contents show of files whose listings are equal. Pure: the digests come from workers, they are compared here.

use std::collections::{BTreeMap, HashSet};

use hf2ms_hub::{Digest, File, Refused, RepoPath, Sha256};
use hf2ms_worker::plan::PlannedFile;
use hf2ms_worker::protocol::{
    ChunkPurpose, ContentsRead, SourceRead, Stored, Verification, VerifyFile, VerifyLevel,
};

use super::hashing::{HashedFiles, has};

/// Takes files whose sides list digests of different kinds as equal, since all of the copy is read anyway: its content shows both
/// digests, and the source's is compared then. Returns which files these are.
pub(super) fn leave_to_reading(files: &mut [VerifyFile], planned: &[PlannedFile]) -> Vec<bool> {
    let leave = |(file, planned): (&mut VerifyFile, &PlannedFile)| {
        let Some(current) = planned.current else {
            return false;
        };
        let is_left = file.also.is_none()
            && (1..=ChunkPurpose::BOTH_KINDS).contains(&file.file.size)
            && file.file.size == current.size
            && is_sha256(file.file.digest) != is_sha256(current.digest);
        if is_left {
            file.also = Some(current.digest);
        }
        is_left
    };
    files.iter_mut().zip(planned).map(leave).collect()
}

fn is_sha256(digest: Digest) -> bool {
    digest.sha256().is_some()
}

/// A file that was compared.
struct Compared<'a> {
    wanted: &'a VerifyFile,
    planned: &'a PlannedFile,
    /// Whether the source's digest is still to be compared, with that of the copy's content.
    is_left: bool,
    /// The digest of the copy's content.
    sha256: Option<Sha256>,
}

impl Compared<'_> {
    fn path(&self) -> &RepoPath {
        &self.planned.file.path
    }

    /// The file as the destination lists it: by the digest that was compared, or by that of the other kind where the content was.
    fn at_destination(&self) -> File {
        let wanted = &self.wanted.file;
        let current = self.planned.current.map(|current| current.digest);
        let other_kind = current.filter(|digest| is_sha256(*digest) != is_sha256(wanted.digest));
        File {
            digest: other_kind.unwrap_or(wanted.digest),
            ..wanted.clone()
        }
    }

    /// The SHA-256 that a listing tells or a worker has found.
    fn known_sha256(&self) -> Option<Sha256> {
        let wanted = &self.wanted.file;
        let of_nothing = (wanted.size == 0).then(|| Sha256::of(b""));
        let listed = [Some(wanted.digest), self.wanted.also];
        let current = self.planned.current.map(|current| current.digest);
        let mut told = listed.into_iter().chain([current]).flatten();
        self.sha256
            .or(of_nothing)
            .or_else(|| told.find_map(Digest::sha256))
    }
}

/// The files of a verification, and what was found of them so far.
pub(super) struct Contents<'a> {
    files: Vec<Compared<'a>>,
    /// The escaped paths of files that are not equal.
    bad: HashSet<String>,
    found: Verification,
}

impl<'a> Contents<'a> {
    /// The files of a job whose listings were compared. `left` says which of them are still to be compared with the source's digest.
    pub(super) fn new(
        wanted: &'a [VerifyFile],
        planned: &'a [PlannedFile],
        left: &[bool],
        found: Verification,
    ) -> Self {
        let left = left.iter().copied().chain(std::iter::repeat(false));
        let files = wanted.iter().zip(planned).zip(left);
        let files = files.map(|((wanted, planned), is_left)| Compared {
            wanted,
            planned,
            is_left,
            sha256: None,
        });
        let paths = found.missing.iter().chain(&found.different);
        let bad = paths.map(ToString::to_string);
        let bad = bad.chain(found.unread.iter().map(|unread| unread.path.clone()));
        Self {
            files: files.collect(),
            bad: bad.collect(),
            found,
        }
    }

    fn equal(&self) -> impl Iterator<Item = &Compared<'a>> {
        let is_equal = |file: &&Compared<'_>| !self.bad.contains(&file.path().to_string());
        self.files.iter().filter(is_equal)
    }

    fn with_content(&self) -> impl Iterator<Item = &Compared<'a>> {
        self.equal().filter(|file| file.wanted.file.size > 0)
    }

    /// The files to be read at the destination, as it lists them.
    pub(super) fn of_destination(&self) -> Vec<File> {
        self.with_content().map(Compared::at_destination).collect()
    }

    /// The files to be read at the source.
    pub(super) fn of_source(&self) -> Vec<File> {
        let files = self.equal().map(|file| &file.planned.file);
        files.filter(|file| file.size > 0).cloned().collect()
    }

    /// The files to be read at the source because no listing tells their SHA-256.
    pub(super) fn of_unknown_sha256(&self) -> Vec<File> {
        let unknown = self.equal().filter(|file| file.known_sha256().is_none());
        unknown.map(|file| file.planned.file.clone()).collect()
    }

    /// Takes the digests of what was read at the destination.
    pub(super) fn check_destination(&mut self, hashed: &HashedFiles) {
        let mut read = ContentsRead {
            of: self.with_content().count() as u64,
            ..ContentsRead::default()
        };
        self.check_each(hashed, "there", |file, stored, different| {
            file.sha256 = Some(stored.sha256);
            if !has(stored, file.at_destination().digest) {
                read.wrong.push(file.path().clone());
                different.push(file.path().clone());
            } else if file.is_left && !has(stored, file.planned.file.digest) {
                different.push(file.path().clone());
            } else {
                read.files += 1;
                read.bytes += stored.size;
            }
        });
        self.found.level = VerifyLevel::Deep;
        self.found.contents = Some(read);
    }

    /// Takes the digests of what was read at the source.
    pub(super) fn check_source(&mut self, hashed: &HashedFiles) {
        let mut read = SourceRead::default();
        self.check_each(hashed, "at the source", |file, stored, different| {
            if has(stored, file.planned.file.digest) {
                read.files += 1;
                read.bytes += stored.size;
            } else {
                read.wrong.push(file.path().clone());
                different.push(file.path().clone());
            }
        });
        if let Some(contents) = &mut self.found.contents {
            contents.source = Some(read);
        }
    }

    /// Takes the digests of files whose SHA-256 no listing tells.
    pub(super) fn check_unknown(&mut self, hashed: &HashedFiles) {
        self.check_each(
            hashed,
            "at the source",
            |file, stored, different| match has(stored, file.planned.file.digest) {
                true => file.sha256 = Some(stored.sha256),
                false => different.push(file.path().clone()),
            },
        );
    }

    /// Hands each equal file that was to be hashed to `check`, which names those that differ. Files without a digest are unread.
    fn check_each(
        &mut self,
        hashed: &HashedFiles,
        place: &str,
        mut check: impl FnMut(&mut Compared<'a>, &Stored, &mut Vec<RepoPath>),
    ) {
        let (mut different, mut unread) = (Vec::new(), Vec::new());
        for file in &mut self.files {
            let path = file.path().to_string();
            if self.bad.contains(&path) || !hashed.was_asked(file.path()) {
                continue;
            }
            match hashed.get(file.path()) {
                Ok(stored) => check(file, stored, &mut different),
                Err(why) => unread.push(Refused {
                    path,
                    reason: format!("it is listed, but its content can't be read {place}: {why}"),
                }),
            }
        }
        let bad = different.iter().map(ToString::to_string);
        self.bad
            .extend(bad.chain(unread.iter().map(|unread| unread.path.clone())));
        self.found.different.extend(different);
        self.found.unread.extend(unread);
    }

    /// The verification, and the SHA-256 of every equal file of which it is known.
    pub(super) fn conclude(mut self) -> (Verification, BTreeMap<RepoPath, Sha256>) {
        let known = self
            .equal()
            .filter_map(|file| Some((file.path().clone(), file.known_sha256()?)));
        let known = known.collect();
        self.found.different.sort_unstable();
        self.found
            .unread
            .sort_unstable_by(|a, b| a.path.cmp(&b.path));
        let found = &self.found;
        let bad = found.missing.len() + found.different.len() + found.unread.len();
        self.found.equal = found.checked.saturating_sub(bad as u64);
        (self.found, known)
    }
}

#[cfg(test)]
mod tests {
    use hf2ms_hub::{GitSha1, Kind};
    use hf2ms_worker::plan::Step;
    use hf2ms_worker::protocol::{ExistingFile, FailedFile, How, Receipt};

    use super::*;

    /// A file that the source lists with one content, and the destination with another, each by its own kind of digest.
    fn file(path: &str, source: Digest, there: Digest, size: u64) -> (VerifyFile, PlannedFile) {
        let path: RepoPath = path.parse().unwrap();
        let file = File {
            path,
            size,
            digest: source,
        };
        let current = ExistingFile {
            size,
            digest: there,
        };
        let planned = PlannedFile {
            file: file.clone(),
            step: Step::Unchanged,
            current: Some(current),
            edit: None,
            left: false,
        };
        let wanted = VerifyFile {
            file,
            also: None,
            sent: false,
        };
        (wanted, planned)
    }

    fn sha256(content: &[u8]) -> Digest {
        Digest::Sha256(Sha256::of(content))
    }

    fn git(content: &[u8]) -> Digest {
        Digest::GitSha1(GitSha1::of(content))
    }

    /// What workers found of these files: their content, or no content at all.
    fn hashed(contents: &[(&str, Option<&[u8]>)]) -> HashedFiles {
        let mut receipt = Receipt::default();
        for (path, content) in contents {
            match content {
                Some(content) => receipt.files.push(Stored {
                    path: path.parse().unwrap(),
                    sha256: Sha256::of(content),
                    git_sha1: Some(GitSha1::of(content)),
                    size: content.len() as u64,
                    how: How::Hashed,
                }),
                None => receipt
                    .failed
                    .push(FailedFile::new(*path, "no such key", Kind::NotFound)),
            }
        }
        let asked = contents.iter().map(|(path, _)| path.parse().unwrap());
        HashedFiles::of(asked.collect(), vec![receipt])
    }

    fn names(paths: &[RepoPath]) -> Vec<&str> {
        paths.iter().map(RepoPath::as_str).collect()
    }

    #[test]
    fn small_files_whose_digests_differ_in_kind_are_left_to_the_reading() {
        let files = [
            file("left", git(b"1"), sha256(b"1"), 1),
            file("same kind", sha256(b"1"), sha256(b"1"), 1),
            file(
                "large",
                git(b"1"),
                sha256(b"1"),
                ChunkPurpose::BOTH_KINDS + 1,
            ),
            file("empty", git(b""), sha256(b""), 0),
        ];
        let (mut wanted, planned): (Vec<_>, Vec<_>) = files.into_iter().unzip();
        let left = leave_to_reading(&mut wanted, &planned);
        assert_eq!(left, [true, false, false, false]);
        assert_eq!(wanted[0].also, Some(sha256(b"1")));
        assert!(wanted[2].also.is_none(), "a worker reads it at the source");
    }

    #[test]
    fn a_content_is_held_to_its_own_listing_and_to_the_other_side() {
        let files = [
            file("good", git(b"1"), sha256(b"1"), 1),
            file("left", git(b"1"), sha256(b"2"), 1),
            file("rotten", sha256(b"1"), sha256(b"1"), 1),
            file("lost", sha256(b"1"), sha256(b"1"), 1),
            file("changed", sha256(b"3"), sha256(b"3"), 1),
            file("empty", git(b""), sha256(b""), 0),
            file("missing", sha256(b"4"), sha256(b"4"), 1),
            // Someone has brought it since the destination was listed first.
            file("renewed", sha256(b"5"), sha256(b"old"), 1),
        ];
        let (mut wanted, planned): (Vec<_>, Vec<_>) = files.into_iter().unzip();
        let left = leave_to_reading(&mut wanted, &planned);
        let found = Verification {
            checked: 8,
            missing: vec!["missing".parse().unwrap()],
            ..Verification::default()
        };
        let mut contents = Contents::new(&wanted, &planned, &left, found);
        let asked = contents.of_destination();
        let asked: Vec<_> = asked.iter().map(|file| file.path.as_str()).collect();
        let expected = ["good", "left", "rotten", "lost", "changed", "renewed"];
        assert_eq!(asked, expected);
        contents.check_destination(&hashed(&[
            ("good", Some(b"1")),
            ("left", Some(b"2")),
            ("rotten", Some(b"x")),
            ("lost", None),
            ("changed", Some(b"3")),
            ("renewed", Some(b"5")),
        ]));
        assert_eq!(contents.of_source().len(), 3);
        contents.check_source(&hashed(&[
            ("good", Some(b"1")),
            ("changed", Some(b"y")),
            ("renewed", Some(b"5")),
        ]));
        assert_eq!(contents.of_unknown_sha256(), []);
        let (found, known) = contents.conclude();
        let read = found.contents.as_ref().unwrap();
        assert_eq!(names(&found.different), ["changed", "left", "rotten"]);
        assert_eq!(names(&read.wrong), ["rotten"]);
        assert_eq!((read.files, read.of, read.bytes), (3, 6, 3));
        let source = read.source.as_ref().unwrap();
        assert_eq!((source.files, names(&source.wrong)), (2, vec!["changed"]));
        assert_eq!((found.unread[0].path.as_str(), found.equal), ("lost", 3));
        let known: Vec<&str> = known.keys().map(RepoPath::as_str).collect();
        assert_eq!(known, ["empty", "good", "renewed"]);
    }

    #[test]
    fn the_sha256_that_no_listing_tells_is_read_and_held_to_the_listed_digest() {
        let files = [
            file("small", git(b"1"), git(b"1"), 1),
            file("changed", git(b"2"), git(b"2"), 1),
            file("large", sha256(b"3"), sha256(b"3"), 1),
        ];
        let (wanted, planned): (Vec<_>, Vec<_>) = files.into_iter().unzip();
        let found = Verification {
            checked: 3,
            equal: 3,
            ..Verification::default()
        };
        let mut contents = Contents::new(&wanted, &planned, &[], found);
        let unknown = contents.of_unknown_sha256();
        assert_eq!(unknown.len(), 2);
        contents.check_unknown(&hashed(&[("small", Some(b"1")), ("changed", Some(b"x"))]));
        let (found, known) = contents.conclude();
        assert_eq!((names(&found.different), found.equal), (vec!["changed"], 2));
        assert_eq!(known[&"small".parse().unwrap()], Sha256::of(b"1"));
    }
}
