//! The comparison of the destination's listing with what it must hold, file by file, by digest. Where the sides list different
//! digests of a file, its content is read and hashed: no file is believed by its size.

use std::collections::{HashMap, HashSet};

use futures_util::{StreamExt, stream};
use hf2ms_hub::{Digest, Error, File, GitSha1, Kind, Listing, Refused, RepoPath, Result, Sha256};

use super::contents::{self, Pair, SampledFiles, Sampling};
use crate::context::Context;
use crate::protocol::{Verification, VerifyFile, VerifyLevel};
use crate::transfer::budget::held_by_source;

/// Files read at a time.
const READERS: usize = 32;
/// A destination that looks wrong is listed again this often: a listing may lag behind the commit.
const RELISTINGS: usize = 2;

/// Compares `files` with what the destination lists, and reads contents there as the options say.
///
/// # Errors
/// What listing the destination fails with.
pub async fn compare(
    context: &Context,
    files: &[VerifyFile],
    sampling: Sampling,
) -> Result<Verification> {
    let mut expected: Vec<Expected> = files.iter().map(Expected::new).collect();
    let mut attempts = context.http.attempts().at_most(RELISTINGS);
    let (mut found, listing) = loop {
        let compared = list_and_compare(context, &mut expected).await;
        let Some(doubt) = doubt(compared.as_ref().map(|(found, _)| found)) else {
            break compared?;
        };
        if attempts.wait_after_if(true, doubt).await.is_err() {
            break compared?;
        }
    };
    let level = context.options.verify;
    let is_read = |file: &VerifyFile| {
        let is_meant = sampling.of == SampledFiles::All || file.sent;
        let is_chosen = level == VerifyLevel::Deep || is_meant;
        is_chosen && file.file.size > 0
    };
    let by_path = by_path(&listing);
    let mut pairs = Vec::new();
    for (one, file) in expected.iter().zip(files).filter(|(_, file)| is_read(file)) {
        if let Some(there) = by_path.get(&one.file.path).filter(|there| one.is(there)) {
            let wanted = &file.file;
            pairs.push(Pair { wanted, there });
        }
    }
    contents::check(context, pairs, (level, sampling.choice), &mut found).await;
    Ok(found)
}

async fn list_and_compare(
    context: &Context,
    expected: &mut [Expected<'_>],
) -> Result<(Verification, Listing)> {
    // Without the head a later run can't prove that nothing has changed, and lists again.
    let head = context.destination.head().await.ok().flatten();
    let listing = context.destination.list_branch_at(head.as_ref()).await?;
    hash_unknown(context, expected, &listing).await;
    let found = Verification {
        head,
        ..compare_listings(expected, &listing)
    };
    Ok((found, listing))
}

/// Why another listing may differ: a listing lags behind the commit, and ModelScope now and then answers 403 to a token that may
/// read.
fn doubt(found: std::result::Result<&Verification, &Error>) -> Option<Error> {
    match found {
        Ok(found) => {
            let wrong = found.missing.len() + found.different.len();
            let doubt = || {
                Error::new(
                    Kind::Transient,
                    format!("the destination does not list {wrong} files as expected yet"),
                )
            };
            (wrong > 0).then(doubt)
        }
        Err(error) if error.kind() == Kind::Denied => {
            Some(Error::new(Kind::Transient, error.to_string()))
        }
        Err(_) => None,
    }
}

/// A file and its digests, as far as they are known or could be learned.
struct Expected<'a> {
    file: &'a File,
    also: Option<Digest>,
    /// Why it could not be read.
    unread: Option<Error>,
}

impl<'a> Expected<'a> {
    fn new(file: &'a VerifyFile) -> Self {
        let of_nothing = (file.file.size == 0).then(|| other_kind(file.file.digest, b""));
        Self {
            file: &file.file,
            also: file.also.or(of_nothing),
            unread: None,
        }
    }

    fn digests(&self) -> impl Iterator<Item = Digest> + use<> {
        std::iter::once(self.file.digest).chain(self.also)
    }

    /// Whether the listed file can only be compared by reading the content.
    fn is_unknown(&self, there: &File) -> bool {
        let same_kind =
            |digest: Digest| digest.sha256().is_some() == there.digest.sha256().is_some();
        self.file.size == there.size && !self.digests().any(same_kind)
    }

    fn is(&self, there: &File) -> bool {
        self.file.size == there.size && self.digests().any(|digest| digest == there.digest)
    }
}

fn other_kind(digest: Digest, content: &[u8]) -> Digest {
    match digest {
        Digest::Sha256(_) => Digest::GitSha1(GitSha1::of(content)),
        Digest::GitSha1(_) => Digest::Sha256(Sha256::of(content)),
    }
}

/// Reads and hashes the files whose listed digest is of the other kind: no file is believed by its size.
async fn hash_unknown(context: &Context, expected: &mut [Expected<'_>], listing: &Listing) {
    let there = by_path(listing);
    let unknown = |expected: &Expected<'_>| {
        there
            .get(&expected.file.path)
            .is_some_and(|there| expected.is_unknown(there))
    };
    let share = context.share(context.options.readers());
    let read = stream::iter(expected.iter_mut().filter(|expected| unknown(expected)));
    read.for_each_concurrent(READERS, |expected| async move {
        let file = expected.file;
        let read = share.min(file.size) + held_by_source(file, &context.options);
        let memory = context.budget.reserve(read).await;
        match context.reader().digests(file, &memory).await {
            Ok(digests) => {
                (expected.also, expected.unread) = (Some(digests.beside(file.digest)), None)
            }
            Err(error) => expected.unread = Some(error),
        }
    })
    .await;
}

fn by_path(listing: &Listing) -> HashMap<&RepoPath, &File> {
    listing
        .files
        .iter()
        .map(|listed| (&listed.file.path, &listed.file))
        .collect()
}

fn compare_listings(expected: &[Expected<'_>], listing: &Listing) -> Verification {
    let there = by_path(listing);
    let mut found = Verification {
        checked: expected.len() as u64,
        ..Verification::default()
    };
    for one in expected {
        let path = &one.file.path;
        match (there.get(path), &one.unread) {
            (None, _) => found.missing.push(path.clone()),
            (Some(there), _) if one.is(there) => found.equal += 1,
            (Some(there), Some(error)) if one.is_unknown(there) => {
                found.unread.push(Refused {
                    path: path.to_string(),
                    reason: error.to_string(),
                });
            }
            (Some(_), _) => found.different.push(path.clone()),
        }
    }
    let wanted: HashSet<_> = expected.iter().map(|one| &one.file.path).collect();
    found.extra = there
        .into_keys()
        .filter(|path| !wanted.contains(path))
        .cloned()
        .collect();
    found.extra.sort_unstable();
    found
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use hf2ms_hub::{Blob, Listed};

    use super::*;
    use crate::protocol::{Exit, SampleChoice, Transport};
    use crate::testing::{FakeDestination, FakeSource, content, context};

    fn file(path: &str, content: &str) -> File {
        File {
            path: path.parse().unwrap(),
            size: content.len() as u64,
            digest: Digest::Sha256(Sha256::of(content.as_bytes())),
        }
    }

    fn compared(wanted: &[File], there: &[File]) -> Verification {
        let expected: Vec<Expected<'_>> = wanted
            .iter()
            .map(|file| Expected {
                file,
                also: None,
                unread: None,
            })
            .collect();
        let files = there
            .iter()
            .map(|file| Listed {
                file: file.clone(),
                lfs: false,
            })
            .collect();
        compare_listings(
            &expected,
            &Listing {
                files,
                ..Listing::default()
            },
        )
    }

    #[test]
    fn equal_files_are_good_and_extra_ones_do_no_harm() {
        let found = compared(
            &[file("a", "1"), file("b", "2")],
            &[file("b", "2"), file("a", "1"), file(".gitattributes", "x")],
        );
        assert!(found.is_good() && found.equal == 2 && found.extra.len() == 1);
        assert_eq!(found.exit(), Exit::Done);
    }

    #[test]
    fn a_missing_file_is_incomplete_and_a_different_one_is_an_integrity_error() {
        let missing = compared(&[file("a", "1"), file("b", "2")], &[file("a", "1")]);
        assert_eq!(
            (missing.missing.len(), missing.exit()),
            (1, Exit::Incomplete)
        );
        let different = compared(&[file("a", "1")], &[file("a", "X")]);
        assert_eq!(
            (different.different.len(), different.exit()),
            (1, Exit::Integrity)
        );
        assert!(!different.is_good());
    }

    fn unsent(file: File, also: Option<Digest>) -> VerifyFile {
        VerifyFile {
            file,
            also,
            sent: false,
        }
    }

    /// A comparison while so many bytes of the budget of 256 KiB are taken. The source names the file by Git's id, the destination by
    /// its SHA-256.
    async fn compared_within(taken: u64, wrong: bool) -> Option<(Verification, usize)> {
        let mut source = FakeSource::default();
        let file = source.git("README.md", content(600_000, 1));
        let destination = FakeDestination::default();
        let there = Blob {
            sha256: Sha256::of(&content(600_000, 1 + u8::from(wrong))),
            size: file.size,
        };
        destination
            .files
            .lock()
            .unwrap()
            .insert(file.path.clone(), there);
        let (context, source, _) = context(source, destination, 1 << 20);
        let _taken = context.budget.reserve(taken).await;
        let files = [unsent(file, None)];
        let comparing = compare(&context, &files, Sampling::OF_RUN);
        let found = tokio::time::timeout(Duration::from_millis(200), comparing).await;
        let reads = source.reads.lock().unwrap().len();
        found.ok().map(|found| (found.unwrap(), reads))
    }

    #[tokio::test]
    async fn a_file_larger_than_the_budget_is_hashed_within_its_share() {
        let (found, reads) = compared_within(0, false).await.unwrap();
        assert_eq!((found.equal, found.is_good(), reads), (1, true, 1));
        let (found, _) = compared_within(0, true).await.unwrap();
        assert_eq!(found.different.len(), 1);
        let share = 256 * 1024 / 3;
        assert!(
            compared_within(256 * 1024 - share - 1024, false)
                .await
                .is_some()
        );
        assert!(
            compared_within(256 * 1024, false).await.is_none(),
            "the budget is asked"
        );
    }

    #[tokio::test]
    async fn a_file_that_the_source_unpacks_whole_is_hashed_within_the_whole_budget() {
        let unpacked = vec![0_u8; (4 << 20) + 1];
        for taken in [0, 1] {
            let mut source = FakeSource::default();
            let file = source.git("vocab.json", unpacked.clone());
            let (sha256, size) = (Sha256::of(&unpacked), file.size);
            let destination = FakeDestination::default();
            let blob = Blob { sha256, size };
            let there = HashMap::from([(file.path.clone(), blob)]);
            *destination.files.lock().unwrap() = there;
            let (mut context, ..) = context(source, destination, 1 << 20);
            context.transfer.options.transport = Transport::Git;
            let _taken = context.budget.reserve(taken).await;
            let files = [unsent(file, None)];
            let comparing = compare(&context, &files, Sampling::OF_RUN);
            match taken {
                0 => assert_eq!(comparing.await.unwrap().equal, 1),
                _ => assert!(
                    tokio::time::timeout(Duration::from_millis(50), comparing)
                        .await
                        .is_err(),
                    "the budget is asked"
                ),
            }
        }
    }

    /// What is found of a file that the run has sent, one that it has not, and an empty one.
    async fn read_there(level: VerifyLevel, of: SampledFiles) -> Verification {
        let mut source = FakeSource::default();
        let destination = FakeDestination {
            tip: Some(7).into(),
            ..FakeDestination::default()
        };
        let contents = [
            ("sent.bin", "one"),
            ("unsent.bin", "two"),
            ("empty.bin", ""),
        ];
        let files = contents.map(|(path, content)| {
            let file = source.lfs(path, content);
            let sha256 = Sha256::of(content.as_bytes());
            let (mut blobs, mut there) = (
                destination.blobs.lock().unwrap(),
                destination.files.lock().unwrap(),
            );
            let size = file.size;
            blobs.insert(sha256, content.into());
            there.insert(file.path.clone(), Blob { sha256, size });
            VerifyFile {
                sent: path == "sent.bin",
                ..unsent(file, None)
            }
        });
        let (mut context, ..) = context(source, destination, 1 << 20);
        context.transfer.options.verify = level;
        let choice = SampleChoice::USUAL;
        let sampling = Sampling { of, choice };
        compare(&context, &files, sampling).await.unwrap()
    }

    #[tokio::test]
    async fn a_sample_of_a_run_reads_what_it_sent_and_anything_more_reads_every_file_with_content()
    {
        for (level, sampling, of) in [
            (VerifyLevel::Sample, SampledFiles::Sent, 1),
            (VerifyLevel::Sample, SampledFiles::All, 2),
            (VerifyLevel::Deep, SampledFiles::Sent, 2),
        ] {
            let found = read_there(level, sampling).await;
            let read = found.contents.unwrap();
            assert_eq!((read.of, read.files, found.equal), (of, of, 3), "{level:?}");
            let head = format!("{:040}", 7).parse().ok();
            assert_eq!(found.head, head);
        }
    }

    #[test]
    fn a_listing_that_lags_or_is_denied_is_doubted() {
        let (one, two) = (file("a", "1"), file("b", "2"));
        let doubted = |found: Result<Verification>| doubt(found.as_ref()).map(|doubt| doubt.kind());
        let wanted = [one.clone(), two.clone()];
        let missing = compared(&wanted, std::slice::from_ref(&one));
        let different = compared(&wanted, &[one, file("b", "3")]);
        for found in [missing, different] {
            assert_eq!(doubted(Ok(found)), Some(Kind::Transient));
        }
        assert_eq!(doubted(Ok(compared(&wanted, &wanted))), None);
        let denied = Error::new(Kind::Denied, "403");
        assert_eq!(doubted(Err(denied)), Some(Kind::Transient));
        assert_eq!(doubted(Err(Error::new(Kind::NotFound, "404"))), None);
    }

    #[test]
    fn a_file_is_unknown_while_no_digest_of_the_listed_kind_is_known() {
        let by = |digest, size| File {
            digest,
            size,
            ..file("a", "1")
        };
        let (sha256, git) = (Sha256::of(b"1"), GitSha1::of(b"1"));
        let (sha256, git) = (Digest::Sha256(sha256), Digest::GitSha1(git));
        let also = |also| {
            let file = by(git, 1);
            Expected::new(&unsent(file, also)).also
        };
        assert_eq!((also(None), also(Some(sha256))), (None, Some(sha256)));
        let wanted = unsent(by(git, 1), None);
        let of_git = Expected::new(&wanted);
        assert!(of_git.is_unknown(&by(sha256, 1)) && !of_git.is(&by(sha256, 1)));
        assert!(!of_git.is_unknown(&by(sha256, 2)) && !of_git.is_unknown(&by(git, 1)));
        assert!(of_git.is(&by(git, 1)) && !of_git.is(&by(git, 2)));
        let wanted = VerifyFile {
            also: Some(sha256),
            ..wanted
        };
        let of_both = Expected::new(&wanted);
        assert!(of_both.is(&by(sha256, 1)) && !of_both.is_unknown(&by(sha256, 1)));
        let empty = File {
            digest: Digest::GitSha1(GitSha1::of(b"")),
            ..file("a", "")
        };
        let empty = unsent(empty, None);
        assert!(
            Expected::new(&empty).is(&file("a", "")),
            "nothing has both digests"
        );
    }

    #[test]
    fn a_file_that_could_not_be_read_is_neither_equal_nor_different() {
        let wanted = File {
            digest: Digest::GitSha1(GitSha1::of(b"1")),
            ..file("a", "1")
        };
        let found = |there: File| {
            let expected = Expected {
                file: &wanted,
                also: None,
                unread: Some(Error::new(Kind::Transient, "reset")),
            };
            let listed = Listed {
                file: there,
                lfs: false,
            };
            let files = vec![listed];
            compare_listings(
                &[expected],
                &Listing {
                    files,
                    ..Listing::default()
                },
            )
        };
        let unread = found(file("a", "1"));
        assert_eq!((unread.unread.len(), unread.different.len()), (1, 0));
        assert_eq!(unread.exit(), Exit::Incomplete);
        assert_eq!(found(wanted.clone()).equal, 1);
        assert_eq!(found(file("a", "22")).different.len(), 1);
    }
}
