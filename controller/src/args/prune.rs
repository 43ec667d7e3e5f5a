//! `--prune` and its limit.

use hf2ms_worker::plan::MaxDelete;

/// Whether files that only the destination has are deleted, and how many at most.
#[derive(Debug, Clone, Copy, clap::Args)]
pub struct PruneArgs {
    /// Delete what only the destination has
    ///
    /// Nothing is deleted while an entry of the source can't be copied, nor when more files would go than --max-delete allows: they stay, the
    /// report lists them, and the exit code is 1.
    #[arg(long)]
    prune: bool,
    /// Delete this many files at most, or this share of those that the destination has
    #[arg(long, value_name = "N|N%", requires = "prune", default_value_t)]
    max_delete: MaxDelete,
}

impl PruneArgs {
    /// How many files may be deleted; none without `--prune`.
    pub fn max_delete(self) -> Option<MaxDelete> {
        self.prune.then_some(self.max_delete)
    }
}
