//! `--all-revisions`: one revision of a repo, or every branch and tag of it.

/// Which revisions of each repo are copied.
#[derive(Debug, Clone, Copy, clap::Args)]
pub struct RevisionArgs {
    /// Every branch and tag, each to the one of its name; the default branch to the default branch. Equal blobs move once
    #[arg(long, conflicts_with = "revision")]
    all_revisions: bool,
}

/// Which revisions of a repo are copied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RevisionScope {
    /// One branch, tag or commit.
    One,
    /// Every branch and tag.
    All,
}

impl RevisionArgs {
    /// The scope that the command line asks for.
    pub fn scope(self) -> RevisionScope {
        if self.all_revisions {
            RevisionScope::All
        } else {
            RevisionScope::One
        }
    }
}
