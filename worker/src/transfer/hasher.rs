//! Every byte of a chunk's files is read and hashed, several files at a time within one memory budget; nothing is written. As many are
//! read at a time as make it faster, as for a copy. The receipt holds the digests, and whoever has it decides what they should be.

use std::sync::{Mutex, PoisonError};

use futures_util::{StreamExt, future, stream};
use hf2ms_hub::{Blob, Error, File, Kind, Result};
use tokio::sync::mpsc;

use super::budget::held_by_source;
use super::gate::{SlotShare, StreamGate};
use super::mover::{SMALL, TICK};
use super::reader::{ReadDigests, read_digests};
use super::streams::StreamLimit;
use crate::context::ReadContext;
use crate::protocol::WorkerOptions;

/// Small files that are read in the place of a large one where the worker decides how many are: their time is that of one request, where a
/// copy has several for each.
const SMALL_A_STREAM: usize = 4;
/// Files whose addresses are asked for together.
const GROUP: usize = 64;

/// Reads and hashes these files, and reports the digests of each.
pub async fn hash_files(context: &ReadContext, files: &[File]) {
    let (most, may_change) = context.streams_for(files.len());
    let limit = may_change.then(|| StreamLimit::new(WorkerOptions::FIRST_STREAMS, most));
    let (first, small_a_stream) = match may_change {
        true => (most.min(WorkerOptions::FIRST_STREAMS), SMALL_A_STREAM),
        false => (most, 1),
    };
    context.events.streams_are(first);
    let hasher = Hasher {
        context,
        share: context.budget.share(most),
        gate: StreamGate::new(first, small_a_stream),
        halted: Mutex::default(),
    };
    let hashed = hasher.hash_all(files, most * small_a_stream);
    match limit {
        None => hashed.await,
        Some(limit) => tokio::select! {
            () = hashed => (),
            () = hasher.follow(limit) => (),
        },
    }
}

struct Hasher<'a> {
    context: &'a ReadContext,
    /// The memory in which a large file is read.
    share: u64,
    /// Where files wait until fewer are read.
    gate: StreamGate,
    /// The error that ended the hub: nothing more is tried.
    halted: Mutex<Option<(Kind, String)>>,
}

impl Hasher<'_> {
    async fn hash_all(&self, files: &[File], most: usize) {
        let (located, mut ready) = mpsc::channel(GROUP);
        let locating = async move {
            for group in files.chunks(GROUP) {
                for file in self.locate(group).await {
                    // The receiver lives as long as this.
                    located.send(file).await.ok();
                }
            }
        };
        let hashing = stream::poll_fn(|context| ready.poll_recv(context))
            .map(|file| self.hash(file))
            .buffer_unordered(most)
            .collect::<()>();
        // Both go on by themselves: a question that waited for a free stream would not notice its answer.
        future::join(locating, hashing).await;
    }

    /// Reads as many files at a time as `limit` decides, for ever.
    async fn follow(&self, mut limit: StreamLimit) {
        let clock = &self.context.http.clock;
        let begun = clock.now();
        loop {
            clock.sleep(TICK).await;
            let events = &self.context.events;
            self.gate.adjust(&mut limit, clock.now() - begun, events);
        }
    }

    /// Asks where the contents of a group are. A file whose content is lost has failed.
    async fn locate<'b>(&self, group: &'b [File]) -> Vec<&'b File> {
        let blob = |file: &File| {
            let (sha256, size) = (file.digest.sha256()?, file.size);
            Some(Blob { sha256, size })
        };
        let blobs: Vec<Blob> = group.iter().filter_map(blob).collect();
        let asked = match self.halted() {
            Ok(()) => self.context.source.locate(&blobs).await,
            Err(error) => Err(error),
        };
        let lost = match asked {
            Ok(lost) => lost,
            Err(error) => {
                for file in group {
                    self.fail(file, &error);
                }
                return Vec::new();
            }
        };
        let is_there = |file: &&File| {
            let of_file = |lost: &&(_, _)| file.digest.sha256() == Some(lost.0);
            let lost = lost.iter().find(of_file);
            lost.inspect(|(_, error)| self.fail(file, error)).is_none()
        };
        group.iter().filter(is_there).collect()
    }

    async fn hash(&self, file: &File) {
        let (share, bytes) = match file.size <= SMALL {
            true => (SlotShare::Part, self.share.min(file.size)),
            false => {
                let held = held_by_source(file, &self.context.options);
                (SlotShare::Whole, self.share.max(held))
            }
        };
        let memory = self.context.budget.reserve(bytes).await;
        let _slot = self.gate.enter(share).await;
        let read = || async {
            self.halted()?;
            let attempt = self.context.events.upload_attempt(file.size);
            let frames = self.context.reader().stream(file, &memory);
            read_digests(file, attempt.count(frames)).await
        };
        match twice(file, read).await {
            Ok(ReadDigests { sha256, git_sha1 }) => {
                let events = &self.context.events;
                events.hashed(&file.path, file.size, sha256, git_sha1);
            }
            Err(error) => self.fail(file, &error),
        }
    }

    fn fail(&self, file: &File, error: &Error) {
        if error.ends_the_hub() {
            let mut halted = self.halted.lock().unwrap_or_else(PoisonError::into_inner);
            halted.get_or_insert_with(|| (error.kind(), error.to_string()));
        }
        self.context.events.failed(&file.path, error);
    }

    fn halted(&self) -> Result<()> {
        match &*self.halted.lock().unwrap_or_else(PoisonError::into_inner) {
            Some((kind, reason)) => Err(Error::new(*kind, reason.clone())),
            None => Ok(()),
        }
    }
}

/// The digests of a file. Those that are not the listed one are asked for once more: the fault may lie on the way.
async fn twice<F: Future<Output = Result<ReadDigests>>>(
    file: &File,
    read: impl Fn() -> F,
) -> Result<ReadDigests> {
    let found = read().await?;
    match found.contains(file.digest) {
        true => Ok(found),
        false => read().await,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use hf2ms_hub::{GitSha1, Sha256};

    use super::*;
    use crate::protocol::{How, Receipt};
    use crate::testing::{FakeDestination, FakeSource, ReadFault, content, context};

    async fn hashed(source: FakeSource, files: &[File]) -> (Receipt, Arc<FakeSource>) {
        let (context, source, destination) = context(source, FakeDestination::default(), 1 << 20);
        let (events, http) = (context.events.clone(), context.http.clone());
        let read = ReadContext::new(source.clone(), events, &context.options, http);
        hash_files(&read, files).await;
        assert!(destination.blobs.lock().unwrap().is_empty());
        (context.events.receipt_so_far(), source)
    }

    #[tokio::test]
    async fn the_receipt_has_the_digests_of_what_was_read() {
        let mut source = FakeSource::default();
        let mut files = vec![
            source.lfs("a.bin", content(700_000, 1)),
            source.git("b.txt", content(900, 2)),
            source.lfs("empty", ""),
        ];
        files.extend((0..200).map(|n| source.lfs(&format!("{n}.bin"), content(50 + n, 3))));
        let (receipt, _) = hashed(source, &files).await;
        assert_eq!((receipt.files.len(), receipt.failed.len()), (203, 0));
        for (path, size, seed) in [("a.bin", 700_000, 1), ("b.txt", 900, 2), ("7.bin", 57, 3)] {
            let bytes = content(size, seed);
            let mut files = receipt.files.iter();
            let stored = files.find(|stored| stored.path.as_str() == path).unwrap();
            assert_eq!(stored.sha256, Sha256::of(&bytes));
            assert_eq!(stored.git_sha1, Some(GitSha1::of(&bytes)));
            assert_eq!(stored.how, How::Hashed);
        }
        assert_eq!(
            receipt.sent,
            files.iter().map(|file| file.size).sum::<u64>()
        );
    }

    #[tokio::test]
    async fn a_byte_that_is_wrong_once_is_read_again_and_one_that_stays_wrong_is_told_as_it_is() {
        for (times, is_right) in [(1, true), (2, false)] {
            let mut source = FakeSource::default();
            let file = source.lfs("a.bin", content(9_000, 1));
            let faults = (0..times).map(|_| ReadFault::Corrupt);
            source.faults.lock().unwrap().extend(faults);
            let (receipt, _) = hashed(source, std::slice::from_ref(&file)).await;
            let stored = &receipt.files[0];
            assert_eq!(file.digest.sha256() == Some(stored.sha256), is_right);
        }
    }

    #[tokio::test]
    async fn a_lost_content_costs_only_itself_and_a_refused_token_is_asked_no_more() {
        let mut source = FakeSource::default();
        let (kept, lost) = (
            source.lfs("a", "kept"),
            FakeSource::default().lfs("b", "lost"),
        );
        let (receipt, _) = hashed(source, &[kept, lost]).await;
        assert_eq!((receipt.files.len(), receipt.failed.len()), (1, 1));
        let mut source = FakeSource::default();
        let files: Vec<File> = (0..200)
            .map(|n| source.git(&format!("{n}"), content(50 + n, 3)))
            .collect();
        let refused = ReadFault::Fail(Kind::Unauthorized);
        source.faults.lock().unwrap().extend(vec![refused; 200]);
        let (receipt, source) = hashed(source, &files).await;
        assert_eq!(receipt.failed.len(), 200);
        let reads = source.reads.lock().unwrap().len();
        assert!(reads <= 32, "{reads}");
    }
}
