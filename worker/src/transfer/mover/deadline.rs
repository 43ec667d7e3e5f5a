//! The end of a run's time: no further file is begun after it, and what is under way is cut off when its grace is over.

use std::collections::HashSet;
use std::time::Duration;

use hf2ms_hub::{Error, File, Kind};

use super::Mover;
use crate::context::TransferContext;
use crate::protocol::FailedFile;

impl<'a> Mover<'a> {
    /// Whether no further file is to be begun.
    pub(super) fn is_over(&self) -> bool {
        let now = self.context.http.clock.date();
        let deadline = self.context.options.deadline;
        deadline.is_some_and(|deadline| deadline.is_over(now))
    }

    /// The part of a span in which files may be begun.
    pub(super) fn within_time(&self, span: Duration) -> Duration {
        let now = self.context.http.clock.date();
        let deadline = self.context.options.deadline;
        deadline.map_or(span, |deadline| deadline.left(now).min(span))
    }

    /// Leaves files to the next run.
    pub(super) fn leave(&self, files: impl IntoIterator<Item = &'a File>) {
        leave(self.context, files);
    }
}

fn leave<'f>(context: &TransferContext, files: impl IntoIterator<Item = &'f File>) {
    let error = Error::new(Kind::Transient, FailedFile::LEFT_BY_DURATION);
    for file in files {
        context.events.failed(&file.path, &error);
    }
}

/// Returns when what is under way is to be cut off: never, where there is no deadline.
pub(super) async fn cut_off(context: &TransferContext) {
    let clock = &context.http.clock;
    match context.options.deadline {
        Some(deadline) => clock.sleep(deadline.until_cut(clock.date())).await,
        None => std::future::pending().await,
    }
}

/// Leaves the files of a chunk to the next run that have neither ended nor failed.
pub(super) fn leave_rest(context: &TransferContext, files: &[File]) {
    let receipt = context.events.receipt_so_far();
    let stored = receipt.files.iter().map(|stored| stored.path.to_string());
    let failed = receipt.failed.iter().map(|failed| failed.path.clone());
    let ended: HashSet<String> = stored.chain(failed).collect();
    let rest = files
        .iter()
        .filter(|file| !ended.contains(&file.path.to_string()));
    leave(context, rest);
}

#[cfg(test)]
mod tests {
    use super::super::move_blobs;
    use crate::context::Context;
    use crate::protocol::{Deadline, FailedFile};
    use crate::testing::{FakeDestination, FakeSource, content, observed};

    /// A worker of three files, whose time is over after so many seconds.
    fn worker(at: u64, grace: u64) -> (Context, Vec<hf2ms_hub::File>) {
        let mut source = FakeSource::default();
        let files = (0..3u8)
            .map(|n| source.lfs(&format!("{n}.bin"), content(5_000, n)))
            .collect();
        let (mut context, ..) = observed(source, FakeDestination::default());
        context.transfer.options.deadline = Some(Deadline { at, grace });
        (context, files)
    }

    /// How many files are stored, and how many were left.
    fn ended(context: &Context) -> (usize, usize) {
        let receipt = context.events.receipt_so_far();
        let is_left = |failed: &&FailedFile| failed.error == FailedFile::LEFT_BY_DURATION;
        let left = receipt.failed.iter().filter(is_left).count();
        assert_eq!(left, receipt.failed.len());
        (receipt.files.len(), left)
    }

    #[tokio::test]
    async fn after_the_deadline_no_file_is_begun_and_each_is_named() {
        // The clock begins in 1970.
        let (context, files) = worker(0, 60);
        move_blobs(&context.transfer, &files).await;
        assert_eq!(ended(&context), (0, 3));
    }

    #[tokio::test]
    async fn what_is_under_way_is_cut_off_after_the_grace_and_nothing_is_forgotten() {
        let (context, files) = worker(1_000, 60);
        // The files never get their memory; the clock goes on by the sleep until the cut.
        let _all = context.budget.reserve(1 << 30).await;
        move_blobs(&context.transfer, &files).await;
        assert_eq!(ended(&context), (0, 3));
    }
}
