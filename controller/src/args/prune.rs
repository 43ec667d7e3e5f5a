//! `--prune` and its limit.

use hf2ms_worker::plan::{MaxDelete, PruneRequest};

/// Whether files that only the destination has are deleted, and how many at most.
#[derive(Debug, Clone, Copy, clap::Args)]
pub struct PruneArgs {
    /// Delete what only the destination has
    ///
    /// The files are listed, and a person at a terminal is asked; without a terminal --yes or --max-delete has to be given. Nothing is
    /// deleted while an entry of the source can't be copied, nor when more files would go than --max-delete allows: they stay, the
    /// report lists them, and the exit code is 1. What the hub itself puts into each repo stays. Before that the destination's head gets a
    /// tag (see --backup-tag), by which all that went can be had again: see `hf2ms help prune`.
    #[arg(long, conflicts_with = "changed_since")]
    prune: bool,
    /// Delete this many files at most, or this share of those that the destination has, and ask nobody [default: 50%]
    #[arg(long, value_name = "N|N%", requires = "prune")]
    max_delete: Option<MaxDelete>,
}

impl PruneArgs {
    /// What `--prune` asks for, of a command that is given `--yes` or not; `None` without it.
    pub fn request(self, yes: bool) -> Option<PruneRequest> {
        self.prune.then(|| PruneRequest {
            max: self.max_delete.unwrap_or_default(),
            agreed: yes || self.max_delete.is_some(),
        })
    }
}
