//! The contents of files at the destination: a sample of their bytes is compared with the source's, or all are hashed. A hub may
//! list a file of which it has no byte.

use std::collections::HashSet;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use hf2ms_hub::{Blob, BlobSource, Error, File, Kind, Refused, RepoPath, Result, Sha256};

use crate::context::{Context, TransferContext};
use crate::protocol::{ContentsRead, SampleChoice, Verification, VerifyLevel};
use crate::transfer::reader::{ReadDigests, Reader, read_digests};

/// A sample reads a file of this size whole.
const SMALL: u64 = 64 << 10;
/// Of a larger one it reads so many bytes at either end.
const END: u64 = 4 << 10;
/// Files whose addresses are asked for together.
const GROUP: usize = 64;
/// Files that a sample reads at a time.
const READERS: usize = 16;
/// A range that can't be read is asked for again so often: content may lag behind the commit.
const RETRIES: usize = 3;

/// The files of which a sample is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SampledFiles {
    /// Those that the run has stored as blobs.
    Sent,
    /// All.
    All,
}

/// The sample that is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sampling {
    /// Of which files.
    pub of: SampledFiles,
    /// How many, and by which seed.
    pub choice: SampleChoice,
}

impl Sampling {
    /// The sample of a run, by the listing of what it has sent.
    pub const OF_RUN: Self = Self {
        of: SampledFiles::Sent,
        choice: SampleChoice::USUAL,
    };

    /// A sample of all files.
    pub fn of_all(choice: SampleChoice) -> Self {
        Self {
            of: SampledFiles::All,
            choice,
        }
    }
}

/// A file that the destination lists as it is to be.
#[derive(Clone, Copy)]
pub struct Pair<'a> {
    /// As it is to be: the source's file.
    pub wanted: &'a File,
    /// As the destination lists it.
    pub there: &'a File,
}

/// What reading a file has shown.
enum Finding {
    /// So many bytes were read, and are right.
    Right(u64),
    Different,
    Unread(Error),
    /// The source could not be read, or one side gives no ranges.
    NotCompared,
}

/// Reads contents at the destination as far as `level` says, and adds what was found to `found`. A sample reads equal files once.
pub async fn check(
    context: &Context,
    pairs: Vec<Pair<'_>>,
    choice: (VerifyLevel, SampleChoice),
    found: &mut Verification,
) {
    let source: Arc<dyn BlobSource> = context.source.clone();
    let destination: Arc<dyn BlobSource> = context.destination.clone();
    let sides = (source, destination);
    check_between(&context.transfer, sides, pairs, choice, found).await;
}

/// The same of contents that are read at these places, the source's and the destination's.
pub async fn check_between(
    context: &TransferContext,
    (source, destination): (Arc<dyn BlobSource>, Arc<dyn BlobSource>),
    mut pairs: Vec<Pair<'_>>,
    (level, choice): (VerifyLevel, SampleChoice),
    found: &mut Verification,
) {
    if level == VerifyLevel::Listing || (level == VerifyLevel::Sample && pairs.is_empty()) {
        return;
    }
    if level == VerifyLevel::Sample {
        let mut seen = HashSet::new();
        pairs.retain(|pair| seen.insert(pair.there.digest));
    }
    let mut read = ContentsRead {
        of: pairs.len() as u64,
        ..ContentsRead::default()
    };
    let count = choice.size.of(pairs.len());
    if level == VerifyLevel::Sample && count < pairs.len() {
        let seed = choice.seed.unwrap_or_else(|| fastrand::u32(..));
        pairs = chosen(pairs, count, seed);
        read.seed = Some(seed);
    }
    let checker = Checker {
        context,
        level,
        destination,
        source,
    };
    for (path, finding) in checker.check_all(&pairs).await {
        match finding {
            Finding::Right(bytes) => {
                read.files += 1;
                read.bytes += bytes;
            }
            Finding::Different => read.wrong.push(path.clone()),
            Finding::Unread(error) => found.unread.push(unread(path, &error)),
            Finding::NotCompared => {}
        }
    }
    found.different.extend(read.wrong.iter().cloned());
    found.different.sort_unstable();
    found.unread.sort_unstable_by(|a, b| a.path.cmp(&b.path));
    let wrong = found.missing.len() + found.different.len() + found.unread.len();
    found.equal = found.checked - wrong as u64;
    if level == VerifyLevel::Deep || read.files > 0 {
        found.level = level;
    }
    found.contents = Some(read);
}

/// So many of them, in order. The seed and a file's path alone decide its rank: with the same seed the same files are chosen, and a file
/// that came meanwhile takes the place of one at most.
fn chosen(mut pairs: Vec<Pair<'_>>, count: usize, seed: u32) -> Vec<Pair<'_>> {
    pairs.sort_by_cached_key(|pair| rank(seed, &pair.there.path));
    pairs.truncate(count);
    pairs.sort_unstable_by(|a, b| a.there.path.cmp(&b.there.path));
    pairs
}

fn rank(seed: u32, path: &RepoPath) -> Sha256 {
    Sha256::of(&[&seed.to_le_bytes(), path.as_str().as_bytes()].concat())
}

/// A content that is listed and can't be read. The next copy asks for it and sends what is lacking, so that is told.
fn unread(path: &RepoPath, error: &Error) -> Refused {
    let way_out = match error.kind() {
        Kind::NotFound | Kind::Expired | Kind::Refused | Kind::Corrupt | Kind::Invalid => {
            "; the next copy sends what the hub lacks"
        }
        _ => "",
    };
    Refused {
        path: path.to_string(),
        reason: format!("it is listed, but its content can't be read there: {error}{way_out}"),
    }
}

struct Checker<'a> {
    context: &'a TransferContext,
    level: VerifyLevel,
    destination: Arc<dyn BlobSource>,
    source: Arc<dyn BlobSource>,
}

impl Checker<'_> {
    /// What each of these files shows, several at a time.
    async fn check_all<'b>(&self, pairs: &'b [Pair<'b>]) -> Vec<(&'b RepoPath, Finding)> {
        let at_once = match self.level {
            VerifyLevel::Deep => self.context.options.readers(),
            _ => READERS,
        };
        stream::iter(pairs.chunks(GROUP))
            .then(|group| self.locate(group))
            .flat_map(stream::iter)
            .map(|(pair, lost)| async move {
                let finding = match lost {
                    Some(error) => Finding::Unread(error),
                    None => self.check(pair).await,
                };
                (&pair.there.path, finding)
            })
            .buffer_unordered(at_once)
            .collect()
            .await
    }

    /// Asks where the contents of a group are; beside each file why the destination has none.
    async fn locate<'b>(&self, group: &'b [Pair<'b>]) -> Vec<(&'b Pair<'b>, Option<Error>)> {
        let wanted = blobs(group.iter().map(|pair| pair.wanted));
        let there = blobs(group.iter().map(|pair| pair.there));
        // What the source can't say shows when it is read.
        let (there, _) = tokio::join!(self.destination.locate(&there), self.source.locate(&wanted));
        let why = |pair: &Pair<'_>| match &there {
            Ok(lost) => {
                let lost = lost
                    .iter()
                    .find(|(sha256, _)| pair.there.digest.sha256() == Some(*sha256));
                lost.map(|(_, error)| Error::new(error.kind(), error.to_string()))
            }
            Err(error) => Some(Error::new(error.kind(), error.to_string())),
        };
        group.iter().map(|pair| (pair, why(pair))).collect()
    }

    async fn check(&self, pair: &Pair<'_>) -> Finding {
        match self.level {
            VerifyLevel::Deep => self.hash(pair.there).await,
            _ if pair.there.size <= SMALL => self.whole(pair.there).await,
            _ => self.ends(pair).await,
        }
    }

    /// A small file, read in one request.
    async fn whole(&self, there: &File) -> Finding {
        let _memory = self.context.budget.reserve(there.size).await;
        match self.range(&self.destination, there, 0..there.size).await {
            Ok(content) if there.digest.matches(&content) => Finding::Right(there.size),
            Ok(_) => self.hash(there).await,
            Err(error) => Finding::Unread(error),
        }
    }

    /// The first and last bytes of a file on both sides. Where they differ, all of it is read at the destination: the card of a copy
    /// may have been changed on the way.
    async fn ends(&self, pair: &Pair<'_>) -> Finding {
        let size = pair.there.size;
        let memory = self.context.budget.reserve(4 * END).await;
        for range in [0..END, size - END..size] {
            let (there, wanted) = tokio::join!(
                self.range(&self.destination, pair.there, range.clone()),
                self.range(&self.source, pair.wanted, range)
            );
            match (there, wanted) {
                (Err(error), _) if error.kind() != Kind::RangeIgnored => {
                    return Finding::Unread(error);
                }
                (Err(_), _) | (_, Err(_)) => return Finding::NotCompared,
                (Ok(there), Ok(wanted)) if there != wanted => {
                    drop(memory);
                    return self.hash(pair.there).await;
                }
                _ => {}
            }
        }
        Finding::Right(2 * END)
    }

    /// Every byte of a file at the destination. A digest that is wrong is asked for once more: the fault may lie on the way.
    async fn hash(&self, there: &File) -> Finding {
        for _ in 0..2 {
            match self.digests(there).await {
                Ok(found) if found.contains(there.digest) => return Finding::Right(there.size),
                Ok(_) => {}
                Err(error) => return Finding::Unread(error),
            }
        }
        Finding::Different
    }

    async fn digests(&self, there: &File) -> Result<ReadDigests> {
        let share = self.context.budget.share(self.context.options.readers());
        let memory = self.context.budget.reserve(share).await;
        let reader = Reader::new(self.destination.clone(), self.context.http.clone());
        read_digests(there, reader.stream(there, &memory)).await
    }

    /// A range of a file, asked for again where that may help.
    async fn range(
        &self,
        side: &Arc<dyn BlobSource>,
        file: &File,
        range: Range<u64>,
    ) -> Result<Bytes> {
        let mut attempts = self.context.http.attempts().at_most(RETRIES);
        loop {
            let error = match collect(side.as_ref(), file, range.clone()).await {
                Ok(bytes) => return Ok(bytes),
                Err(error) => error,
            };
            let may_lag = matches!(error.kind(), Kind::NotFound | Kind::Refused);
            let is_covered = attempts.covers(&error) || may_lag;
            attempts.wait_after_if(is_covered, error).await?;
        }
    }
}

async fn collect(side: &dyn BlobSource, file: &File, range: Range<u64>) -> Result<Bytes> {
    let length = range.end - range.start;
    let mut frames = side.read(file, range).await?;
    let mut content = Vec::with_capacity(usize::try_from(length).unwrap_or(0));
    while let Some(frame) = frames.try_next().await? {
        content.extend_from_slice(&frame);
    }
    if content.len() as u64 == length {
        return Ok(content.into());
    }
    let message = format!("{}: the body ended early", file.path);
    Err(Error::new(Kind::Transient, message))
}

fn blobs<'a>(files: impl Iterator<Item = &'a File>) -> Vec<Blob> {
    let blob = |file: &File| {
        let sha256 = file.digest.sha256()?;
        Some(Blob {
            sha256,
            size: file.size,
        })
    };
    files.filter_map(blob).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::Exit;
    use crate::testing::{FakeDestination, FakeSource, content, context};

    /// A source and a destination that lists and holds the same files of these sizes; then `spoil` changes the destination.
    async fn checked(
        sizes: &[usize],
        level: VerifyLevel,
        spoil: impl FnOnce(&FakeDestination, &[File]),
    ) -> (Verification, Vec<(String, Range<u64>)>) {
        checked_by(SampleChoice::USUAL, sizes, level, spoil).await
    }

    /// The same, where a sample is chosen so.
    async fn checked_by(
        choice: SampleChoice,
        sizes: &[usize],
        level: VerifyLevel,
        spoil: impl FnOnce(&FakeDestination, &[File]),
    ) -> (Verification, Vec<(String, Range<u64>)>) {
        let (mut source, destination) = (FakeSource::default(), FakeDestination::default());
        let mut files = Vec::new();
        for (number, size) in sizes.iter().enumerate() {
            let bytes = content(*size, u8::try_from(number % 250).unwrap());
            files.push(source.lfs(&format!("{number:04}.bin"), bytes.clone()));
            let sha256 = Sha256::of(&bytes);
            destination.blobs.lock().unwrap().insert(sha256, bytes);
        }
        spoil(&destination, &files);
        let (context, _, destination) = context(source, destination, 8 << 20);
        let mut found = Verification {
            checked: sizes.len() as u64,
            equal: sizes.len() as u64,
            ..Verification::default()
        };
        let pair = |file| Pair {
            wanted: file,
            there: file,
        };
        check(
            &context,
            files.iter().map(pair).collect(),
            (level, choice),
            &mut found,
        )
        .await;
        let reads = destination.reads.lock().unwrap().clone();
        (found, reads)
    }

    fn serve(destination: &FakeDestination, file: &File, change: impl FnOnce(&mut Vec<u8>)) {
        let sha256 = file.digest.sha256().unwrap();
        let mut bytes = destination.blobs.lock().unwrap()[&sha256].to_vec();
        change(&mut bytes);
        let bytes = bytes.into();
        destination.served.lock().unwrap().insert(sha256, bytes);
    }

    #[tokio::test]
    async fn a_sample_reads_both_ends_of_a_file_and_a_small_one_whole() {
        let (found, mut reads) = checked(&[300_000, 900], VerifyLevel::Sample, |_, _| ()).await;
        reads.sort_by_key(|(path, range)| (path.clone(), range.start));
        let expected = [
            ("0000.bin".to_owned(), 0..END),
            ("0000.bin".to_owned(), 300_000 - END..300_000),
            ("0001.bin".to_owned(), 0..900),
        ];
        assert_eq!(reads, expected);
        let contents = found.contents.clone().unwrap();
        assert_eq!(
            (contents.files, contents.of, contents.bytes, contents.seed),
            (2, 2, 2 * END + 900, None)
        );
        assert_eq!(
            (found.level, found.exit()),
            (VerifyLevel::Sample, Exit::Done)
        );
    }

    #[tokio::test]
    async fn of_more_files_than_a_sample_reads_some_are_chosen_and_the_seed_is_told() {
        let sizes: Vec<usize> = (1..=1_009).collect();
        let (found, reads) = checked(&sizes, VerifyLevel::Sample, |_, _| ()).await;
        let contents = found.contents.unwrap();
        assert_eq!((contents.files, contents.of), (1_000, 1_009));
        assert!(contents.seed.is_some() && reads.len() == 1_000);
        let (_, reads) = checked(&[7; 251], VerifyLevel::Sample, |_, _| ()).await;
        assert!(reads.len() < 251, "equal files are read once");
    }

    /// The files that a sample of this size reads of so many, by this seed.
    async fn sampled(size: &str, seed: Option<u32>, files: usize) -> (Vec<String>, Option<u32>) {
        let size = size.parse().unwrap();
        let choice = SampleChoice { size, seed };
        let sizes: Vec<usize> = (1..=files).collect();
        let (found, reads) = checked_by(choice, &sizes, VerifyLevel::Sample, |_, _| ()).await;
        let mut paths: Vec<String> = reads.into_iter().map(|(path, _)| path).collect();
        paths.sort();
        (paths, found.contents.unwrap().seed)
    }

    #[tokio::test]
    async fn the_same_seed_chooses_the_same_files_and_the_seed_is_told() {
        let (first, seed) = sampled("10%", Some(7), 200).await;
        assert_eq!((first.len(), seed), (20, Some(7)));
        assert_eq!(sampled("20", Some(7), 200).await.0, first);
        assert_ne!(sampled("20", Some(8), 200).await.0, first);
        let (of_random, seed) = sampled("20", None, 200).await;
        assert_eq!(sampled("20", seed, 200).await.0, of_random);
        let (later, _) = sampled("20", Some(7), 201).await;
        let gone = first.iter().filter(|path| !later.contains(path));
        assert!(gone.count() <= 1, "one more file changes one place at most");
        assert_eq!(
            sampled("100%", Some(7), 5).await.1,
            None,
            "nothing was chosen"
        );
    }

    #[tokio::test]
    async fn only_every_byte_finds_a_wrong_one_in_the_middle() {
        let spoil = |destination: &FakeDestination, files: &[File]| {
            serve(destination, &files[0], |bytes| bytes[150_000] ^= 1);
        };
        let (found, _) = checked(&[300_000, 5], VerifyLevel::Sample, spoil).await;
        assert!(found.is_good());
        let (found, _) = checked(&[300_000, 5], VerifyLevel::Deep, spoil).await;
        assert_eq!(
            (found.exit(), found.equal, found.different.len()),
            (Exit::Integrity, 1, 1)
        );
        assert_eq!(found.level, VerifyLevel::Deep);
    }

    #[tokio::test]
    async fn a_sample_finds_a_wrong_end_and_a_content_that_is_not_there() {
        let (found, _) = checked(&[300_000], VerifyLevel::Sample, |destination, files| {
            serve(destination, &files[0], |bytes| bytes[299_999] ^= 1);
        })
        .await;
        assert_eq!(found.exit(), Exit::Integrity);
        let (found, _) = checked(&[300_000, 5], VerifyLevel::Sample, |destination, _| {
            destination.blobs.lock().unwrap().clear();
        })
        .await;
        assert_eq!((found.exit(), found.equal), (Exit::Incomplete, 0));
        assert!(found.unread[1].reason.contains("no such key"), "{found:?}");
        assert_eq!(found.level, VerifyLevel::Listing, "nothing was read");
    }

    #[tokio::test]
    async fn the_listing_alone_reads_nothing() {
        let (found, reads) = checked(&[5], VerifyLevel::Listing, |_, _| ()).await;
        assert!(found.contents.is_none() && reads.is_empty());
    }
}
