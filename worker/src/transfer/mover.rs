//! Moves blobs from source to destination. Each is checked, streamed, and verified on its way; a file that fails
//! costs only itself.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use hf2ms_hub::{Blob, Body, Digest, Error, File, GitSha1, Kind, Result, Sha256};

use crate::context::TransferContext;
use crate::protocol::How;
use crate::transfer::reader::Window;

/// Blobs a group: one check at the destination and at most one look-up at the source.
const GROUP: usize = 64;
/// A blob whose bytes came out wrong is read again this often: the fault may lie on the way.
const CORRUPT_RETRIES: u32 = 1;

/// Moves the blobs of `files`, `streams` at a time within one memory budget.
pub async fn move_blobs(context: &TransferContext, files: &[File]) {
    let streams = context.options.streams.clamp(1, files.len().max(1));
    let mover = &Mover {
        context,
        share: context.share(streams),
        halted: Mutex::default(),
    };
    stream::iter(mover.groups(files))
        .then(|group| mover.check(group))
        .flat_map(stream::iter)
        .map(|task| mover.transfer(task))
        .buffer_unordered(streams)
        .collect::<()>()
        .await;
}

/// Stores one blob; an upload that fails starts again as the retry policy says.
///
/// # Errors
/// What either hub fails with.
pub async fn store(context: &TransferContext, file: &File, blob: Blob) -> Result<()> {
    Mover {
        context,
        share: context.share(context.options.streams),
        halted: Mutex::default(),
    }
    .put(file, blob)
    .await
}

struct Mover<'a> {
    context: &'a TransferContext,
    share: u64,
    /// The error that ended one of the hubs: nothing more is tried.
    halted: Mutex<Option<(Kind, String)>>,
}

/// Files that are checked together.
enum Group<'a> {
    /// Blobs of known SHA-256.
    Known(Vec<&'a File>),
    /// Small files of which only Git's digest is known, together within one share of memory.
    Small(Vec<&'a File>),
    /// A file of which only Git's digest is known, too large for memory: read twice.
    Unknown(&'a File),
}

/// One stream's worth of work.
enum Task<'a> {
    Put(&'a File, Blob),
    Small(Vec<&'a File>),
    Unknown(&'a File),
}

impl<'a> Mover<'a> {
    fn groups(&self, files: &'a [File]) -> Vec<Group<'a>> {
        let (known, git): (Vec<_>, Vec<_>) = files
            .iter()
            .partition(|file| file.digest.sha256().is_some());
        let mut groups: Vec<_> = known
            .chunks(GROUP)
            .map(|files| Group::Known(files.to_vec()))
            .collect();
        let (small, large): (Vec<_>, Vec<_>) =
            git.into_iter().partition(|file| file.size <= self.share);
        groups.extend(large.into_iter().map(Group::Unknown));
        groups.extend(packed(&small, self.share).into_iter().map(Group::Small));
        groups
    }

    /// Asks both hubs about a group: what is stored already is done, what is refused has failed.
    async fn check(&self, group: Group<'a>) -> Vec<Task<'a>> {
        match group {
            Group::Known(files) => self.check_known(files).await,
            Group::Small(files) => vec![Task::Small(files)],
            Group::Unknown(file) => vec![Task::Unknown(file)],
        }
    }

    async fn check_known(&self, files: Vec<&'a File>) -> Vec<Task<'a>> {
        let by_blob: Vec<_> = files
            .iter()
            .filter_map(|file| Some((*file, blob_of(file)?)))
            .collect();
        let wanted = match self.missing_blobs(&by_blob).await {
            Ok(wanted) => wanted,
            Err(error) => {
                by_blob.iter().for_each(|(file, _)| self.fail(file, &error));
                return Vec::new();
            }
        };
        by_blob
            .into_iter()
            .filter_map(|(file, blob)| self.task_of(file, blob, &wanted))
            .collect()
    }

    fn task_of(&self, file: &'a File, blob: Blob, wanted: &Wanted) -> Option<Task<'a>> {
        match wanted.get(&blob.sha256) {
            Some(Ok(())) => Some(Task::Put(file, blob)),
            Some(Err((kind, reason))) => {
                self.fail(file, &Error::new(*kind, reason));
                None
            }
            None => {
                self.context
                    .events
                    .file(&file.path, file.size, blob.sha256, How::Reused);
                None
            }
        }
    }

    /// What the destination wants of these, and what one of the hubs refuses; the rest is stored.
    async fn missing_blobs(&self, files: &[(&File, Blob)]) -> Result<Wanted> {
        self.halted()?;
        let blobs: Vec<_> = files.iter().map(|(_, blob)| *blob).collect();
        let missing = self.context.store.missing(&blobs).await?;
        let lost = self.context.source.locate(&missing.wanted).await?;
        let mut wanted: Wanted = missing
            .wanted
            .iter()
            .map(|blob| (blob.sha256, Ok(())))
            .collect();
        wanted.extend(
            missing
                .refused
                .into_iter()
                .chain(lost)
                .map(|(sha256, error)| (sha256, self.verdict(&error))),
        );
        Ok(wanted)
    }

    /// What is refused only for now is wanted: it is asked about again when its turn comes.
    fn verdict(&self, error: &Error) -> Verdict {
        if self.context.http.retry.covers(error) {
            Ok(())
        } else {
            Err((error.kind(), error.to_string()))
        }
    }

    async fn transfer(&self, task: Task<'a>) {
        match task {
            Task::Put(file, blob) => {
                let result = self.put(file, blob).await;
                self.record(file, result.map(|()| (blob.sha256, How::Streamed)));
            }
            Task::Small(files) => self.transfer_small(&files).await,
            Task::Unknown(file) => {
                let result = self.put_unknown(file).await;
                self.record(file, result);
            }
        }
    }

    fn record(&self, file: &File, result: Result<(Sha256, How)>) {
        match result {
            Ok((sha256, how)) => self.context.events.file(&file.path, file.size, sha256, how),
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

    /// Streams one blob from source to destination; a failed upload starts that blob again.
    async fn put(&self, file: &File, blob: Blob) -> Result<()> {
        self.retry_upload(|| {
            let body = self
                .context
                .reader()
                .stream(file, Window::within(self.share));
            let (reader, again, events) = (
                self.context.reader(),
                file.clone(),
                self.context.events.clone(),
            );
            let body = Body::from(self.context.events.count_sent(body));
            self.upload(
                blob,
                body.reopened_by(move |range| events.count_sent(reader.part(&again, range))),
            )
        })
        .await
    }

    async fn upload(&self, blob: Blob, body: Body) -> Result<()> {
        self.halted()?;
        self.context.store.put(blob, body).await
    }

    /// Tries an upload again as the retry policy says: the body is made anew each time.
    async fn retry_upload<F: Future<Output = Result<()>>>(
        &self,
        mut upload: impl FnMut() -> F,
    ) -> Result<()> {
        let mut attempts = self.context.http.retry.attempts();
        let mut corrupt = 0;
        loop {
            let Err(error) = upload().await else {
                return Ok(());
            };
            corrupt += u32::from(error.kind() == Kind::Corrupt);
            let pause = match error.kind() {
                Kind::Corrupt => attempts.next().filter(|_| corrupt <= CORRUPT_RETRIES),
                // An address of the source, which its reader has renewed already.
                Kind::Expired if error.was_retried() => None,
                _ => attempts.after(&error),
            };
            match pause {
                Some(pause) => self.context.pause(&error, pause).await,
                None => return Err(error),
            }
        }
    }

    /// Reads small files into memory, learns their SHA-256, and puts those that the destination lacks.
    async fn transfer_small(&self, files: &[&File]) {
        let read = stream::iter(files).map(|file| async { (*file, self.read_small(file).await) });
        let mut contents = Vec::new();
        for (file, content) in read.buffer_unordered(8).collect::<Vec<_>>().await {
            match content {
                Ok(content) => contents.push((
                    file,
                    Blob {
                        sha256: Sha256::of(&content),
                        size: file.size,
                    },
                    content,
                )),
                Err(error) => self.fail(file, &error),
            }
        }
        let blobs: Vec<_> = contents
            .iter()
            .map(|(file, blob, _)| (*file, *blob))
            .collect();
        match self.missing_small(&blobs).await {
            Ok(wanted) => self.put_small(contents, &wanted).await,
            Err(error) => blobs.iter().for_each(|(file, _)| self.fail(file, &error)),
        }
    }

    async fn read_small(&self, file: &File) -> Result<Bytes> {
        self.halted()?;
        self.context.reader().whole(file).await
    }

    async fn missing_small(&self, files: &[(&File, Blob)]) -> Result<Wanted> {
        self.halted()?;
        let blobs: Vec<_> = files.iter().map(|(_, blob)| *blob).collect();
        let missing = self.context.store.missing(&blobs).await?;
        let refused = missing
            .refused
            .into_iter()
            .map(|(sha256, error)| (sha256, self.verdict(&error)));
        Ok(missing
            .wanted
            .iter()
            .map(|blob| (blob.sha256, Ok(())))
            .chain(refused)
            .collect())
    }

    async fn put_small(&self, contents: Vec<(&File, Blob, Bytes)>, wanted: &Wanted) {
        for (file, blob, content) in contents {
            let result = match wanted.get(&blob.sha256) {
                None => Ok((blob.sha256, How::Reused)),
                Some(Err((kind, reason))) => Err(Error::new(*kind, reason)),
                Some(Ok(())) => {
                    let body = || stream::once(std::future::ready(Ok(content.clone()))).boxed();
                    let put = self.retry_upload(|| {
                        self.upload(blob, self.context.events.count_sent(body()).into())
                    });
                    put.await.map(|()| (blob.sha256, How::Streamed))
                }
            };
            self.record(file, result);
        }
    }

    /// A large file without a known SHA-256: read once to learn it, and again to send it.
    async fn put_unknown(&self, file: &File) -> Result<(Sha256, How)> {
        let sha256 = self.learn(file).await?;
        let blob = Blob {
            sha256,
            size: file.size,
        };
        let missing = self.context.store.missing(&[blob]).await?;
        match missing.refused.into_iter().next() {
            Some((_, error)) if self.verdict(&error).is_err() => return Err(error),
            None if missing.wanted.is_empty() => return Ok((sha256, How::Reused)),
            _ => {}
        }
        self.put(file, blob).await?;
        Ok((sha256, How::Streamed))
    }

    async fn learn(&self, file: &File) -> Result<Sha256> {
        use sha2::Digest as _;
        self.halted()?;
        let mut git = GitSha1::hasher(file.size);
        let mut sha256 = sha2::Sha256::new();
        let mut body = self
            .context
            .reader()
            .stream(file, Window::within(self.share));
        while let Some(frame) = body.next().await {
            let frame = frame?;
            git.update(&frame);
            sha256.update(&frame);
        }
        if Digest::GitSha1(git.into()) != file.digest {
            return Err(Error::new(
                Kind::Corrupt,
                format!(
                    "{}: its content is not what the source's listing says",
                    file.path
                ),
            ));
        }
        Ok(sha256.into())
    }
}

/// By digest: wanted, or refused and why. What is not here is stored already.
type Wanted = HashMap<Sha256, Verdict>;

type Verdict = std::result::Result<(), (Kind, String)>;

fn blob_of(file: &File) -> Option<Blob> {
    Some(Blob {
        sha256: file.digest.sha256()?,
        size: file.size,
    })
}

/// Files in groups of at most [`GROUP`] and `share` bytes.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{Exit, Receipt};
    use crate::testing::{FakeDestination, FakeSource, ReadFault, content, context};

    async fn moved(
        source: FakeSource,
        destination: FakeDestination,
        files: &[File],
    ) -> (Receipt, std::sync::Arc<FakeDestination>, Exit) {
        let (context, _, destination) = context(source, destination, 1 << 20);
        move_blobs(&context.transfer(), files).await;
        (
            context.events.receipt_so_far(),
            destination,
            context.events.exit(),
        )
    }

    #[tokio::test]
    async fn blobs_known_small_and_large_arrive_whole() {
        let mut source = FakeSource::default();
        let files = [
            source.lfs("a.bin", content(400_000, 1)),
            source.git("small.bin", content(5_000, 2)),
            source.git("large.bin", content(600_000, 3)),
            source.lfs("b.bin", content(1, 4)),
        ];
        let (receipt, destination, exit) = moved(source, FakeDestination::default(), &files).await;
        assert_eq!(
            (receipt.files.len(), receipt.failed.len(), exit),
            (4, 0, Exit::Done)
        );
        let blobs = destination.blobs.lock().unwrap();
        for (size, seed) in [(400_000, 1), (5_000, 2), (600_000, 3), (1, 4)] {
            assert_eq!(
                blobs[&Sha256::of(&content(size, seed))],
                content(size, seed)
            );
        }
        assert_eq!(receipt.sent, 1_005_001);
    }

    #[tokio::test]
    async fn what_is_stored_already_is_not_sent() {
        let mut source = FakeSource::default();
        let files = [
            source.lfs("a.bin", content(9_000, 1)),
            source.git("b.bin", content(9_000, 1)),
        ];
        let destination = FakeDestination::default();
        destination
            .blobs
            .lock()
            .unwrap()
            .insert(Sha256::of(&content(9_000, 1)), content(9_000, 1));
        let (receipt, _, _) = moved(source, destination, &files).await;
        assert_eq!(receipt.sent, 0);
        assert!(
            receipt.files.iter().all(|file| file.how == How::Reused) && receipt.files.len() == 2
        );
    }

    #[tokio::test]
    async fn a_corrupted_byte_on_the_way_is_caught_and_the_blob_sent_again() {
        let mut source = FakeSource::default();
        let file = source.lfs("a.bin", content(50_000, 1));
        source.faults.lock().unwrap().push_back(ReadFault::Corrupt);
        let (receipt, destination, exit) = moved(source, FakeDestination::default(), &[file]).await;
        assert_eq!((exit, receipt.retries), (Exit::Done, 1));
        assert_eq!(
            destination.blobs.lock().unwrap()[&Sha256::of(&content(50_000, 1))],
            content(50_000, 1)
        );
    }

    #[tokio::test]
    async fn a_source_that_keeps_sending_other_bytes_stores_nothing() {
        let mut source = FakeSource::default();
        let bad = source.lfs("a.bin", content(50_000, 1));
        source
            .faults
            .lock()
            .unwrap()
            .extend([ReadFault::Corrupt; 9]);
        let (receipt, destination, exit) = moved(source, FakeDestination::default(), &[bad]).await;
        assert_eq!(
            (receipt.failed[0].kind, exit),
            (Kind::Corrupt, Exit::Integrity)
        );
        assert!(destination.blobs.lock().unwrap().is_empty());
    }

    #[tokio::test]
    async fn a_failed_upload_starts_its_blob_again() {
        let mut source = FakeSource::default();
        let file = source.lfs("a.bin", content(300_000, 1));
        let destination = FakeDestination::default();
        destination
            .put_faults
            .lock()
            .unwrap()
            .extend([Kind::Transient, Kind::Expired]);
        let (receipt, _, exit) = moved(source, destination, &[file]).await;
        assert_eq!((exit, receipt.retries), (Exit::Done, 2));
    }

    #[tokio::test]
    async fn an_upload_whose_new_addresses_are_refused_ends() {
        let mut source = FakeSource::default();
        let file = source.lfs("a.bin", content(300_000, 1));
        let destination = FakeDestination::default();
        destination
            .put_faults
            .lock()
            .unwrap()
            .extend([Kind::Expired; 9]);
        let (receipt, destination, exit) = moved(source, destination, &[file]).await;
        assert_eq!(
            (exit, receipt.retries, receipt.failed[0].kind),
            (Exit::Incomplete, 2, Kind::Expired)
        );
        assert_eq!(destination.put_faults.lock().unwrap().len(), 6, "3 uploads");
    }

    #[tokio::test]
    async fn a_file_that_the_source_lost_costs_only_itself() {
        let mut source = FakeSource::default();
        let good = source.lfs("a.bin", content(9_000, 1));
        let lost = File {
            path: "lost.bin".parse().unwrap(),
            size: 5,
            digest: Digest::Sha256(Sha256::of(b"12345")),
        };
        let (receipt, _, exit) = moved(source, FakeDestination::default(), &[lost, good]).await;
        assert_eq!(
            (receipt.files.len(), receipt.failed.len(), exit),
            (1, 1, Exit::Incomplete)
        );
    }

    #[tokio::test]
    async fn a_revoked_token_stops_the_rest_without_asking() {
        let mut source = FakeSource::default();
        let files: Vec<_> = (0..40)
            .map(|n| source.git(&format!("{n}.bin"), content(700_000, n)))
            .collect();
        source
            .faults
            .lock()
            .unwrap()
            .extend([ReadFault::Fail(Kind::Unauthorized); 40]);
        let (context, source, _) = context(source, FakeDestination::default(), 1 << 20);
        move_blobs(&context.transfer(), &files).await;
        assert_eq!(
            (
                context.events.receipt_so_far().failed.len(),
                context.events.exit()
            ),
            (40, Exit::Refused)
        );
        assert!(
            source.reads.lock().unwrap().len() <= 12,
            "one window at most was under way"
        );
    }

    #[tokio::test]
    async fn checks_are_made_in_groups() {
        let mut source = FakeSource::default();
        let files: Vec<_> = (0..130)
            .map(|n| source.lfs(&format!("{n}.bin"), content(100 + usize::from(n), n)))
            .collect();
        let (_, destination, _) = moved(source, FakeDestination::default(), &files).await;
        assert_eq!(*destination.checks.lock().unwrap(), [64, 64, 2]);
    }
}
