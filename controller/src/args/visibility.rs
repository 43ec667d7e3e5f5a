//! `--private` and `--public`.

use hf2ms_hub::Visibility;

/// Who may see a repo that has to be created.
#[derive(Debug, Clone, Copy, clap::Args)]
pub struct VisibilityArgs {
    /// Create the repo private [default: as the source is; private if that is gated]
    #[arg(long, conflicts_with = "public")]
    private: bool,
    /// Create the repo public, or write to a public one, though the source is private or gated
    #[arg(long)]
    public: bool,
}

impl VisibilityArgs {
    /// The visibility that the command line asks for; `None` means that of the source.
    pub fn visibility(self) -> Option<Visibility> {
        if self.private {
            Some(Visibility::Private)
        } else {
            self.public.then_some(Visibility::Public)
        }
    }
}
