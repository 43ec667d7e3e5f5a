//! The limit of `--max-transfer`, which all repos of a command share. A plan takes what fits before it begins, so that every engine keeps
//! to it in the same way.

use std::sync::{Mutex, PoisonError};

use hf2ms_worker::plan::{Plan, TransferShare};
use hf2ms_worker::protocol::{Chunking, Exit};

use crate::copy::stored::StoredBlobs;
use crate::ui::errors::{CliError, CliResult};
use crate::ui::screen::size;

/// The bytes that a command may still move.
#[derive(Debug, Default)]
pub struct TransferLimit {
    limit: Option<u64>,
    left: Mutex<u64>,
}

impl TransferLimit {
    /// A limit of so many bytes; none moves anything.
    pub fn new(limit: Option<u64>) -> Self {
        Self {
            limit,
            left: Mutex::new(limit.unwrap_or(0)),
        }
    }

    /// Takes the plan's bytes from the limit, and leaves the files that do not fit to the next run.
    ///
    /// # Errors
    /// Nothing fits, so that the plan would be begun in vain.
    pub fn cut(
        &self,
        plan: &mut Plan,
        stored: &StoredBlobs,
        chunking: impl FnOnce(&[u64]) -> Chunking,
    ) -> CliResult<()> {
        let before = self.left();
        let share = self.take(plan, stored, chunking);
        let (Some(limit), Some(least)) = (self.limit, share.in_vain()) else {
            return Ok(());
        };
        let (is_first, limit) = (before == limit, size(limit));
        let least = size(least);
        Err(CliError::new(
            Exit::Incomplete,
            match is_first {
                true => format!(
                    "no file fits into --max-transfer {limit}: the smallest of those that are left has {least}; give more"
                ),
                false => format!(
                    "not begun: --max-transfer {limit} is used up by the repos before it; run the same command again"
                ),
            },
        ))
    }

    /// The same of one of several plans that are carried out together, though nothing of it may fit.
    pub fn take(
        &self,
        plan: &mut Plan,
        stored: &StoredBlobs,
        chunking: impl FnOnce(&[u64]) -> Chunking,
    ) -> TransferShare {
        if self.limit.is_none() {
            return TransferShare::default();
        }
        let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        let share = plan.leave_above(*left, stored.sha256());
        *left -= share.taken;
        plan.rechunk_if_cut(chunking);
        share
    }

    fn left(&self) -> u64 {
        *self.left.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::copy::stored::tests::plan;

    const CHUNKING: Chunking = Chunking::Even { containers: 1 };

    /// What becomes of plans of blobs of these sizes, one after the other.
    fn cut(limit: Option<u64>, repos: &[&[u64]]) -> Vec<Result<u64, String>> {
        let limit = TransferLimit::new(limit);
        let cut = |sizes: &&[u64]| {
            let mut plan = plan(sizes);
            let cut = limit.cut(&mut plan, &StoredBlobs::default(), |_| CHUNKING);
            cut.map(|()| plan.summary().blob_bytes)
                .map_err(|failure| failure.to_string())
        };
        repos.iter().map(cut).collect()
    }

    #[test]
    fn repos_share_one_limit_and_none_is_begun_in_vain() {
        assert_eq!(cut(None, &[&[500]]), [Ok(500)]);
        let both = cut(Some(1_000), &[&[600, 500], &[400], &[1]]);
        assert_eq!(both[..2], [Ok(600), Ok(400)]);
        let last = both[2].clone().unwrap_err();
        assert!(last.starts_with("not begun: --max-transfer 1 kB"), "{last}");
        let none = cut(Some(10), &[&[600, 500]]);
        let none = none[0].clone().unwrap_err();
        assert!(none.contains("has 500 B; give more"), "{none}");
    }
}
