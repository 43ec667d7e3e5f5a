//! The jobs and results of a mirror's two verbs: `scan` reads a repo's history, `push` writes its refs.

use hf2ms_hub::git::Advertisement;
use hf2ms_hub::{File, RepoAt, Revision, Sha256};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Chunking, FailedFile, Receipt, Verification, VerifyLevel, WorkerOptions};

/// The job of one `scan`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScanJob {
    /// [`super::VERSION`].
    pub version: u32,
    /// The run's id.
    pub run: String,
    /// The source, a repo at a Git host.
    pub source: RepoAt,
    /// The destination, a repo at a Git host.
    pub destination: RepoAt,
    /// The refs that are mirrored.
    pub scope: RefScope,
    /// What follows the scan.
    pub policy: MirrorPolicy,
    /// The events that report it.
    #[serde(default)]
    pub tell: ScanOutput,
    /// Where Git's objects go.
    #[serde(default)]
    pub folder: ScratchFolder,
    /// Streams, memory and transport.
    #[serde(default)]
    pub options: WorkerOptions,
    /// How much is read of each LFS object at the destination. Where anything is, Git's objects are fetched from there, too.
    #[serde(default)]
    pub contents: VerifyLevel,
}

/// What follows a scan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct MirrorPolicy {
    /// Whether a ref may lose what it has.
    pub force: Force,
    /// What happens to LFS objects.
    pub lfs: LfsPolicy,
    /// How those that move are cut into chunks.
    pub chunking: Chunking,
    /// What is refused unless the user says so.
    #[serde(default)]
    pub safeguards: Safeguards,
}

/// What a mirror refuses unless the user says so.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Safeguards {
    /// A source without branches and tags, whose target has refs.
    pub empty_source: Safeguard,
    /// A target that has refs and shares no commit with the source.
    pub unrelated_target: Safeguard,
    /// Refs of the target that have moved since the scan.
    pub moved_refs: Safeguard,
}

/// Whether one of [`Safeguards`] holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Safeguard {
    /// It holds.
    #[default]
    Kept,
    /// The user waived it.
    Waived,
}

impl Safeguard {
    /// Waived, if the user said so.
    pub fn waived_if(said: bool) -> Self {
        if said { Self::Waived } else { Self::Kept }
    }
}

/// The events that report a scan.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ScanOutput {
    /// The result.
    #[default]
    Found,
    /// The result and the jobs that follow, for a caller that hands them on.
    Steps,
}

/// The job of one `push`: every ref that is to change. The LFS objects are stored before.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PushJob {
    /// [`super::VERSION`].
    pub version: u32,
    /// The run's id.
    pub run: String,
    /// The source, a repo at a Git host.
    pub source: RepoAt,
    /// The destination, a repo at a Git host.
    pub destination: RepoAt,
    /// The refs that are mirrored.
    pub scope: RefScope,
    /// The changes of refs.
    pub updates: Vec<RefUpdate>,
    /// Whether a ref may lose what it has.
    pub force: Force,
    /// What happens to LFS objects.
    pub lfs: LfsPolicy,
    /// What is refused unless the user says so.
    #[serde(default)]
    pub safeguards: Safeguards,
    /// LFS objects that the destination does not take. A ref that leads to one of them is not pushed.
    #[serde(default)]
    pub lost: Vec<Sha256>,
    /// LFS objects that chunks were to store. An object that no receipt names is lost, too.
    #[serde(default)]
    pub awaited: Vec<Sha256>,
    /// The receipts of the chunks.
    #[serde(default)]
    pub receipts: Vec<Receipt>,
    /// Where Git's objects go.
    #[serde(default)]
    pub folder: ScratchFolder,
    /// Streams, memory and transport.
    #[serde(default)]
    pub options: WorkerOptions,
}

/// Which refs of a repo are mirrored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum RefScope {
    /// Branches and tags.
    Branches,
    /// All that there are.
    All,
}

impl RefScope {
    /// Whether a ref of this full name is mirrored. The object that an annotated tag names (`^{}`) is no ref of its own.
    pub fn has(self, name: &str) -> bool {
        let is_ref = name.starts_with("refs/") && !name.ends_with("^{}");
        is_ref && (self == Self::All || is_plain(name))
    }

    /// The refs of this scope among those that a server advertises, in its order.
    pub fn of(self, refs: &Advertisement) -> Vec<RefAt> {
        let of_scope = refs.all.iter().filter(|found| self.has(&found.name));
        of_scope
            .map(|found| RefAt {
                name: found.name.clone(),
                oid: found.oid.to_string(),
            })
            .collect()
    }

    /// The patterns of the refs' names.
    pub fn patterns(self) -> &'static [&'static str] {
        match self {
            Self::Branches => &["refs/heads/*", "refs/tags/*"],
            Self::All => &["refs/*"],
        }
    }

    /// The refspecs of a fetch.
    pub fn refspecs(self) -> &'static [&'static str] {
        match self {
            Self::Branches => &["+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*"],
            Self::All => &["+refs/*:refs/*"],
        }
    }
}

/// Whether the name is that of a branch or a tag, which every host takes.
pub fn is_plain(name: &str) -> bool {
    name.starts_with("refs/heads/") || name.starts_with("refs/tags/")
}

/// Whether a ref may lose what it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Force {
    /// It may.
    Always,
    /// It may not: what is not a continuation is refused.
    Never,
}

/// What happens to LFS objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LfsPolicy {
    /// Those that the destination lacks move.
    Moved,
    /// None moves; if the destination lacks some, nothing is pushed (`GIT_LFS_SKIP_SMUDGE=1`).
    Expected,
    /// None moves, whatever the destination lacks (`--allow-missing`).
    Missing,
}

/// Where Git's objects go on the worker's disk.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ScratchFolder {
    /// Below this folder; below TMPDIR without one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub below: Option<String>,
    /// They stay there (`--no-cleanup`).
    pub kept: bool,
}

/// A ref and what it names, in 40 hex digits.
#[derive(
    Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
pub struct RefAt {
    /// Its name in full.
    pub name: String,
    /// The object.
    pub oid: String,
}

/// One ref that is to change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RefUpdate {
    /// Its name in full.
    pub name: String,
    /// Where it stands at the destination.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub old: Option<String>,
    /// Where it is to stand; absent if it is to go.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub new: Option<String>,
}

/// The result of a push for one ref.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RefOutcome {
    /// Its name in full.
    pub name: String,
    /// Where the ref stands now.
    pub state: RefState,
    /// Why it was refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// The first word about a ref that someone else moved during the run.
pub const CONFLICT: &str = "conflict";

impl RefOutcome {
    /// Whether the ref was left alone because someone else moved it during the run.
    pub fn is_conflict(&self) -> bool {
        self.state == RefState::Refused
            && self
                .why
                .as_ref()
                .is_some_and(|why| why.starts_with(CONFLICT))
    }
}

/// Where a ref stands after a push.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum RefState {
    /// At the source's commit; the destination was asked after the push.
    Pushed,
    /// At the source's commit, since before the push.
    Unchanged,
    /// Deleted, as at the source.
    Deleted,
    /// Not at the source's commit.
    Refused,
}

/// The result of a `push`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PushReport {
    /// The refs that were to change.
    pub refs: Vec<RefOutcome>,
    /// The destination's refs after the push.
    pub there: Vec<RefAt>,
}

/// The result of a `scan`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Scan {
    /// The source's refs.
    pub refs: Vec<RefAt>,
    /// The source's main branch, in whose name LFS servers are asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub branch: Option<Revision>,
    /// The destination's refs.
    pub there: Vec<RefAt>,
    /// Whether the destination is empty but for its host's own first commit, or has something of the source's history.
    pub related: bool,
    /// Git objects of the source.
    pub objects: u64,
    /// The bytes of their pack.
    pub git_bytes: u64,
    /// LFS objects that all history names.
    pub pointers: u64,
    /// Their bytes.
    pub pointer_bytes: u64,
    /// Those that the destination lacks and takes.
    pub missing: Vec<File>,
    /// Their bytes.
    pub missing_bytes: u64,
    /// Those that the destination does not take.
    #[serde(default)]
    pub refused: Vec<FailedFile>,
    /// The digests of those.
    #[serde(default)]
    pub lost: Vec<Sha256>,
    /// The source's LFS server.
    pub lfs: String,
    /// The destination's.
    pub lfs_there: String,
    /// What a person should know.
    #[serde(default)]
    pub warnings: Vec<String>,
    /// What was found of the LFS objects at the destination, where they were to be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contents: Option<Verification>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_has_refs_and_not_what_only_looks_like_one() {
        for name in ["refs/heads/main", "refs/tags/v1"] {
            assert!(
                RefScope::Branches.has(name) && RefScope::All.has(name),
                "{name}"
            );
        }
        assert!(RefScope::All.has("refs/pr/1") && !RefScope::Branches.has("refs/pr/1"));
        for name in ["HEAD", "refs/tags/v1^{}"] {
            assert!(!RefScope::All.has(name), "{name}");
        }
    }
}
