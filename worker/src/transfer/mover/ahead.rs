//! Checks ahead of need: both hubs are asked about the next files while others move, so that no stream waits for an answer. What is
//! asked ahead is bounded, since the addresses in an answer expire.

use futures_util::{StreamExt, future, stream};
use hf2ms_hub::File;
use tokio::sync::{Semaphore, mpsc};

use super::groups::Group;
use super::{Mover, Task};

/// Groups that are asked about, or wait to be begun after the answer.
const AHEAD: usize = 2;

impl<'a> Mover<'a> {
    /// Tries each of these files until an outage begins; `most` of them wait at the gate or have passed it.
    pub(super) async fn pass(&self, files: &[&'a File], most: usize) {
        let (checked, mut tasks) = mpsc::unbounded_channel();
        let room = &Semaphore::new(AHEAD * self.group_size());
        let checks = self.check_ahead(self.groups(files), room, checked);
        let transfers = stream::poll_fn(|context| tasks.poll_recv(context))
            .map(|task| {
                room.add_permits(1);
                self.transfer(task)
            })
            .buffer_unordered(most)
            .collect::<()>();
        // Both go on by themselves: a check that waited for a free stream would not notice its answer.
        future::join(checks, transfers).await;
    }

    /// Checks group after group as there is room for their tasks, which give it back when they begin.
    async fn check_ahead(
        &self,
        groups: Vec<Group<'a>>,
        room: &Semaphore,
        checked: mpsc::UnboundedSender<Task<'a>>,
    ) {
        let check = |group: Group<'a>| {
            let checked = &checked;
            async move {
                let most = group.tasks();
                // The semaphore is never closed.
                let taken = room.acquire_many(u32::try_from(most).unwrap_or(u32::MAX));
                taken.await.into_iter().for_each(|taken| taken.forget());
                let tasks = self.check(group).await;
                room.add_permits(most.saturating_sub(tasks.len()));
                for task in tasks {
                    // The receiver lives as long as this.
                    checked.send(task).ok();
                }
            }
        };
        stream::iter(groups).for_each_concurrent(AHEAD, check).await;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use async_trait::async_trait;
    use futures_util::FutureExt;
    use hf2ms_hub::{Blob, BlobStore, Body, Missing, Result};
    use tokio::sync::Barrier;

    use super::super::move_blobs;
    use crate::context::Context;
    use crate::testing::{FakeDestination, FakeSource, content, context};

    /// So many small blobs of known digest, and the worker that is to move them.
    fn worker(blobs: u8) -> (Context, Arc<FakeDestination>, Vec<hf2ms_hub::File>) {
        let mut source = FakeSource::default();
        let files = (0..blobs)
            .map(|n| source.lfs(&format!("{n}.bin"), content(100 + usize::from(n), n)))
            .collect();
        let (context, _, destination) = context(source, FakeDestination::default(), 32 << 20);
        (context, destination, files)
    }

    #[tokio::test]
    async fn the_next_files_are_checked_while_others_move_and_no_more_than_those() {
        let (context, destination, files) = worker(250);
        // Nothing begins: there is no memory for it.
        let all = context.budget.reserve(1 << 30).await;
        let mut moving = Box::pin(move_blobs(&context.transfer, &files));
        assert!((&mut moving).now_or_never().is_none());
        assert_eq!(*destination.checks.lock().unwrap(), [100, 100]);
        drop(all);
        moving.await;
        assert_eq!(*destination.checks.lock().unwrap(), [100, 100, 50]);
        assert_eq!(destination.blobs.lock().unwrap().len(), 250);
    }

    /// A store whose uploads wait until `together` of them are open, and count how many there are.
    struct WaitingStore {
        stored: Arc<FakeDestination>,
        together: Barrier,
        open: AtomicUsize,
        most: AtomicUsize,
    }

    #[async_trait]
    impl BlobStore for WaitingStore {
        fn sends_in_parts(&self) -> bool {
            false
        }

        async fn missing(&self, blobs: &[Blob]) -> Result<Missing> {
            self.stored.missing(blobs).await
        }

        async fn put(&self, blob: Blob, body: Body) -> Result<()> {
            let open = 1 + self.open.fetch_add(1, Ordering::Relaxed);
            self.most.fetch_max(open, Ordering::Relaxed);
            self.together.wait().await;
            self.open.fetch_sub(1, Ordering::Relaxed);
            self.stored.put(blob, body).await
        }
    }

    #[tokio::test]
    async fn two_small_blobs_move_in_the_place_of_one_unless_their_number_is_fixed() {
        for (streams, together) in [(None, 16), (Some(8), 8)] {
            let (mut context, stored, files) = worker(64);
            let store = Arc::new(WaitingStore {
                stored: stored.clone(),
                together: Barrier::new(together),
                open: AtomicUsize::new(0),
                most: AtomicUsize::new(0),
            });
            context.transfer.store = store.clone();
            context.transfer.options.streams = streams;
            let moved = move_blobs(&context.transfer, &files);
            let limit = Duration::from_secs(60);
            tokio::time::timeout(limit, moved).await.unwrap();
            assert_eq!(stored.blobs.lock().unwrap().len(), 64);
            assert_eq!(store.most.load(Ordering::Relaxed), together);
        }
    }
}
