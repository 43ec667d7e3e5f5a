//! When a change may happen relative to others: the files by which a repo looks complete come last, and deletions after them.

use hf2ms_hub::RepoPath;

use crate::protocol::FailedFile;

/// When an action may happen relative to others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// A file among others.
    Ordinary,
    /// A file by which a repo looks complete.
    Finishing,
    /// A deletion.
    Deletion,
}

impl Stage {
    /// The stage at which `path` is written.
    pub fn of(path: &RepoPath) -> Self {
        Self::of_name(path.name())
    }

    /// The stage at which a file of this name is written.
    fn of_name(name: &str) -> Self {
        let name = name.to_ascii_lowercase();
        let finishing = matches!(
            name.as_str(),
            "readme.md"
                | "config.json"
                | "configuration.json"
                | "model_index.json"
                | "dataset_infos.json"
        ) || name.ends_with(".index.json");
        if finishing {
            Self::Finishing
        } else {
            Self::Ordinary
        }
    }

    /// Whether a file among others has failed for now: a repo that looks complete without it would mislead. A file that stays because
    /// others failed is none.
    pub fn holds_back(failed: &FailedFile) -> bool {
        let name = failed.path.rsplit('/').next().unwrap_or_default();
        failed.fails_for_now()
            && !failed.waits_for_others()
            && Self::of_name(name) == Self::Ordinary
    }
}
