//! Blobs that the hub copies by itself from the source's repo to the destination's. What it refuses is streamed as any other blob. No
//! success is said by its word alone: the commit names the blob, and the verification reads it.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};

use hf2ms_hub::{Blob, File, Missing, Result, ServerSideCopy, Sha256};

use super::Mover;
use crate::context::TransferContext;
use crate::protocol::How;

/// The hub's own way, until it refuses it as a whole.
pub(super) struct ServerSide<'a> {
    way: Option<&'a dyn ServerSideCopy>,
    /// It has refused a request as a whole: no more is asked.
    is_closed: AtomicBool,
}

impl<'a> ServerSide<'a> {
    /// The way between both sides, if there is one.
    pub(super) fn of(context: &'a TransferContext) -> Self {
        Self {
            way: context.server_side.as_deref(),
            is_closed: AtomicBool::new(false),
        }
    }

    fn open(&self) -> Option<&'a dyn ServerSideCopy> {
        self.way.filter(|_| !self.is_closed.load(Ordering::Relaxed))
    }

    /// How many files go in a request; `None` where none do any more.
    pub(super) fn files_a_call(&self) -> Option<usize> {
        self.open().map(ServerSideCopy::files_a_call)
    }

    /// Has the hub copy the `wanted` blobs of these files, and returns those that it says it has copied.
    async fn copy(&self, files: &[(&File, Blob)], wanted: &[Blob]) -> HashSet<Sha256> {
        let Some(way) = self.open().filter(|_| !wanted.is_empty()) else {
            return HashSet::new();
        };
        let wanted: HashSet<_> = wanted.iter().map(|blob| blob.sha256).collect();
        let asked = files
            .iter()
            .filter(|(_, blob)| wanted.contains(&blob.sha256));
        let asked: Vec<_> = asked.map(|(file, _)| *file).collect();
        copied(way, &asked).await.unwrap_or_else(|error| {
            tracing::info!("the hub copies nothing by itself: {error}");
            self.is_closed.store(true, Ordering::Relaxed);
            HashSet::new()
        })
    }
}

async fn copied(way: &dyn ServerSideCopy, files: &[&File]) -> Result<HashSet<Sha256>> {
    let answer = way.copy(files).await?;
    if let Some(reason) = answer.refused.first() {
        let refused = answer.refused.len();
        tracing::info!("the hub does not copy {refused} blobs by itself, the first: {reason}");
    }
    Ok(answer.copied)
}

impl<'a> Mover<'a> {
    /// Has the hub copy by itself what it will of the `missing` blobs. Their files are done, and taken out.
    pub(super) async fn copy_server_side(
        &self,
        files: &mut Vec<(&'a File, Blob)>,
        missing: &mut Missing,
    ) {
        let copied = self.server_side.copy(files, &missing.wanted).await;
        missing.wanted.retain(|blob| !copied.contains(&blob.sha256));
        let events = &self.context.events;
        files.retain(|(file, blob)| {
            let is_there = copied.contains(&blob.sha256);
            if is_there {
                events.file(&file.path, file.size, blob.sha256, How::CopiedByHub);
            }
            !is_there
        });
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::super::move_blobs;
    use crate::context::Context;
    use crate::protocol::{Exit, How};
    use crate::testing::{FakeDestination, FakeServerSideCopy, FakeSource, content, context};
    use hf2ms_hub::{File, Kind};

    /// A chunk of so many files, between two repos of a hub that copies.
    fn chunk(
        files: u8,
        refuses: Option<&'static str>,
        is_closed: bool,
    ) -> (Context, Vec<File>, Arc<FakeServerSideCopy>, Arc<FakeSource>) {
        let mut source = FakeSource::default();
        let files = (0..files)
            .map(|n| source.lfs(&format!("{n}.bin"), content(100 + usize::from(n), n)))
            .collect();
        let (mut context, source, destination) =
            context(source, FakeDestination::default(), 1 << 20);
        let way = Arc::new(FakeServerSideCopy {
            source: source.clone(),
            destination,
            calls: Mutex::default(),
            refuses,
            is_closed,
        });
        context.transfer.server_side = Some(way.clone());
        (context, files, way, source)
    }

    fn count(context: &Context, how: How) -> usize {
        let receipt = context.events.receipt_so_far();
        receipt.files.iter().filter(|file| file.how == how).count()
    }

    #[tokio::test]
    async fn what_the_hub_copies_is_not_read() {
        let (context, files, way, source) = chunk(130, None, false);
        move_blobs(&context.transfer, &files).await;
        assert_eq!(
            (context.events.exit(), count(&context, How::CopiedByHub)),
            (Exit::Done, 130)
        );
        assert_eq!(context.events.receipt_so_far().sent, 0);
        assert!(source.reads.lock().unwrap().is_empty());
        let calls = way.calls.lock().unwrap();
        assert_eq!(calls.iter().map(Vec::len).collect::<Vec<_>>(), [100, 30]);
        assert_eq!(*way.destination.checks.lock().unwrap(), [100, 30]);
    }

    #[tokio::test]
    async fn what_the_hub_refuses_is_streamed_and_what_stands_there_is_not_asked_for() {
        let (context, files, way, _) = chunk(3, Some("1.bin"), false);
        let there = files[2].digest.sha256().unwrap();
        let stored = content(102, 2);
        way.destination.blobs.lock().unwrap().insert(there, stored);
        move_blobs(&context.transfer, &files).await;
        let counts = [How::CopiedByHub, How::Streamed, How::Reused].map(|how| count(&context, how));
        assert_eq!((context.events.exit(), counts), (Exit::Done, [1, 1, 1]));
        assert_eq!(*way.calls.lock().unwrap(), [["0.bin", "1.bin"]]);
        assert_eq!(way.destination.blobs.lock().unwrap().len(), 3);
    }

    #[tokio::test]
    async fn a_hub_that_copies_nothing_is_asked_once_and_all_is_streamed() {
        let (context, files, way, _) = chunk(130, None, true);
        move_blobs(&context.transfer, &files).await;
        assert_eq!(
            (context.events.exit(), count(&context, How::Streamed)),
            (Exit::Done, 130)
        );
        assert_eq!(way.calls.lock().unwrap().len(), 1);
    }

    #[tokio::test]
    async fn a_file_that_was_copied_does_not_fail_with_the_others() {
        let (context, files, way, source) = chunk(2, Some("1.bin"), false);
        *source.location_fault.lock().unwrap() = Some(Kind::Denied);
        move_blobs(&context.transfer, &files).await;
        let receipt = context.events.receipt_so_far();
        assert_eq!((receipt.files.len(), receipt.failed.len()), (1, 1));
        assert_eq!(receipt.failed[0].path, "1.bin");
        assert_eq!(way.calls.lock().unwrap().len(), 1);
    }
}
