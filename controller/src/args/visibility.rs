//! `--private`, `--public` and `--gated`.

use hf2ms_hub::Visibility;
use hf2ms_worker::pipeline::creation::{GatePolicy, VisibilityRequest};

/// Who may see a repo that has to be created.
#[derive(Debug, Clone, Copy, clap::Args)]
pub struct VisibilityArgs {
    /// Create the repo private [default: as the source is; private if that is gated]
    #[arg(long, conflicts_with = "public")]
    private: bool,
    /// Create the repo public, or write to a public one, though the source is private or gated
    #[arg(long)]
    public: bool,
    /// What becomes of the gate of a gated source: private (the copy is private) or keep (the gate is set at the copy before its first
    /// file; on ModelScope such a repo is private and gives its files to those who are let in)
    #[arg(long, value_name = "HOW", default_value = "private", value_parser = GatePolicy::asked)]
    gated: GatePolicy,
}

impl VisibilityArgs {
    /// Who may read the copy, as the command line asks.
    pub fn request(self) -> VisibilityRequest {
        let visibility = match self.private {
            true => Some(Visibility::Private),
            false => self.public.then_some(Visibility::Public),
        };
        let gate = self.gated;
        VisibilityRequest { visibility, gate }
    }
}
