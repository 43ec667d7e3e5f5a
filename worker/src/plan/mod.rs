//! The plan of one migration: the manifest less what the destination has, cut into chunks. Pure: who lists, who
//! creates and who runs is elsewhere. [`diff`] compares the sides, [`jobs`] makes what workers are given, [`shared`] is for several
//! plans at once.

mod backup;
mod by_git;
pub mod card;
mod changeset;
mod check;
pub mod chunks;
pub mod diff;
mod folder_limit;
pub mod jobs;
mod learned;
mod limits;
mod listing_comparison;
mod lost;
mod moved;
mod path_collisions;
mod prune;
mod rebase;
pub mod shared;
mod stage;

use std::collections::HashMap;

use hf2ms_hub::{
    File, GitSha1, Listing, Placement, Refused, RepoAt, RepoPath, Revision, Sha256, Visibility,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::protocol::{
    ChunkPurpose, Chunking, Creation, Edit, ExistingFile, PlanSummary, RunLimits, VerifyLevel,
    WorkerOptions,
};

pub use backup::{BACKUP_PREFIX, BackupReason, BackupRequest, BackupTag};
pub use by_git::GitFiles;
pub use card::CardPolicy;
pub use changeset::{Changeset, CommitFile, changed_meanwhile};
pub use check::BadPlan;
pub use learned::learn;
pub use limits::TransferShare;
pub use listing_comparison::ListingComparison;
pub use prune::{
    AGREE, DeletedFile, MaxDelete, PruneRequest, WithheldDeletions, named, not_agreed,
};
pub use stage::Stage;

/// The version of a plan's JSON.
pub const VERSION: u32 = 1;

/// SHA-256 digests of contents that a hub knows only by Git's id, learned by earlier runs.
pub type DigestCache = HashMap<GitSha1, Sha256>;

/// Everything one migration will do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Plan {
    /// The version of this form, [`VERSION`].
    pub version: u32,
    /// The version of the program that made it; absent in plans of version 0.1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub written_by: Option<String>,
    /// The source, at a pinned commit, or at the name that was asked for where the hub tells no commit.
    pub source: RepoAt,
    /// The revision that was asked for.
    pub asked: Revision,
    /// The destination.
    pub destination: RepoAt,
    /// Whether the destination has to be created, and how.
    pub creation: Creation,
    /// Where its branch stood when it was compared; absent where its hub tells no commits, or it is not known to hold what was seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<Revision>,
    /// Every file that is to stand at the destination, by path.
    pub files: Vec<PlannedFile>,
    /// What is deleted there; empty unless pruning was asked for.
    #[serde(default)]
    pub delete: Vec<DeletedFile>,
    /// What was to be deleted there and is not.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub withheld: Vec<WithheldDeletions>,
    /// Entries of the source that can't be copied.
    #[serde(default)]
    pub refused: Vec<Refused>,
    /// Warnings for the user, before anything is copied.
    #[serde(default)]
    pub warnings: Vec<String>,
    /// The work: indices into `files`, the heaviest chunk first.
    pub chunks: Vec<Vec<u32>>,
    /// What is done about a card that the destination refuses.
    #[serde(default)]
    pub card: CardPolicy,
    /// Whether filters may have left files of the source out.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub part: bool,
    /// Whether files are written that someone else has changed at the destination since they were compared.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub overwrite: bool,
    /// What the chunks are for.
    #[serde(default, skip_serializing_if = "ChunkPurpose::is_copy")]
    pub purpose: ChunkPurpose,
    /// The tag that keeps what is replaced or deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backup: Option<BackupTag>,
    /// The limits of the run, which leave files to the next one.
    #[serde(default, skip_serializing_if = "RunLimits::is_none")]
    pub limits: RunLimits,
    /// The source's files in LFS; absent where they were not counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub large: Option<LargeFiles>,
    /// Streams, memory and transport of workers.
    #[serde(default)]
    pub options: WorkerOptions,
}

/// How many files are in LFS.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LargeFiles {
    /// The files.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
}

impl LargeFiles {
    fn of(listing: &Listing) -> Self {
        let large = listing.files.iter().filter(|listed| listed.lfs);
        large.fold(Self::default(), |sum, listed| Self {
            files: sum.files + 1,
            bytes: sum.bytes + listed.file.size,
        })
    }
}

/// One file of a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PlannedFile {
    /// The source's file.
    #[serde(flatten)]
    pub file: File,
    /// What is done with it.
    pub step: Step,
    /// What the destination had at the path when it was compared, when it had something. What stands there later and is neither
    /// that nor what is wanted is someone else's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub current: Option<ExistingFile>,
    /// What is changed about its content on the way ([`crate::pipeline::card`]).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub edit: Option<Edit>,
    /// Whether a limit of the run leaves it to the next one ([`limits`]).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub left: bool,
}

/// What is done with a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Step {
    /// The destination has it: same path, same digest.
    Unchanged,
    /// Its blob moves in a chunk.
    Stream,
    /// Its blob moves under another path, or stands at the destination under one.
    Duplicate,
    /// Its blob moves in a chunk of another plan for the same destination ([`shared`]).
    Shared,
    /// The commit reads its bytes and carries them.
    Inline,
}

/// The request for a plan.
#[derive(Debug, Clone)]
pub struct PlanRequest {
    /// The source, at a pinned commit.
    pub source: RepoAt,
    /// The revision that was asked for.
    pub asked: Revision,
    /// The destination.
    pub destination: RepoAt,
    /// Whether the destination has to be created, and how.
    pub creation: Creation,
    /// How the work is cut into chunks.
    pub chunking: Chunking,
    /// How many of the files that only the destination has are deleted at most; they stay without it.
    pub prune: Option<MaxDelete>,
    /// Streams, memory and transport of workers.
    pub options: WorkerOptions,
}

/// Bytes of memory that a finalizer has for each file: it knows the plan, the receipts and the listings of both sides. Measured:
/// 1.3 KiB for a worker alone, 2 KB with its container's Python.
const BYTES_A_FILE: u64 = 2 << 10;

impl Plan {
    /// Bytes of memory that whoever knows all files needs for that, besides its budget.
    pub fn files_memory(&self) -> u64 {
        (self.files.len() as u64).saturating_mul(BYTES_A_FILE)
    }

    /// Compares both sides and cuts what differs. The same listings in any order give the same plan.
    pub fn make(
        order: PlanRequest,
        source: Listing,
        destination: &Listing,
        placement: impl Fn(&RepoPath, u64) -> Placement,
        known: &DigestCache,
    ) -> Self {
        let own_files = order.destination.hub.profile().own_files;
        let (delete, withheld) = order
            .prune
            .map(|max| prune::deletions(&source, destination, max, own_files))
            .unwrap_or_default();
        let refused = source.refused.clone();
        let large = Some(LargeFiles::of(&source));
        let files = diff::diff(source, destination, placement, known);
        let mut plan = Self {
            version: VERSION,
            written_by: Some(env!("CARGO_PKG_VERSION").to_owned()),
            source: order.source,
            asked: order.asked,
            destination: order.destination,
            creation: order.creation,
            parent: destination.commit.clone(),
            warnings: path_collisions::warnings(&files),
            files,
            delete,
            withheld: withheld.into_iter().collect(),
            refused,
            chunks: Vec::new(),
            card: CardPolicy::default(),
            part: false,
            overwrite: false,
            purpose: ChunkPurpose::Copy,
            backup: None,
            limits: RunLimits::default(),
            large,
            options: order.options,
        };
        plan.rechunk(order.chunking);
        plan
    }

    /// Whether contents are to be read at the destination though nothing is to be done.
    pub fn reads_contents(&self) -> bool {
        self.options.verify == VerifyLevel::Deep
    }

    /// A plan of blobs alone, each of which moves: what a mirror does between its scan and its push.
    pub fn of_blobs(
        source: RepoAt,
        destination: RepoAt,
        files: Vec<File>,
        chunking: Chunking,
    ) -> Self {
        let moved = |file| PlannedFile {
            file,
            step: Step::Stream,
            current: None,
            edit: None,
            left: false,
        };
        let files: Vec<_> = files.into_iter().map(moved).collect();
        let mut plan = Self {
            version: VERSION,
            written_by: Some(env!("CARGO_PKG_VERSION").to_owned()),
            asked: source.revision.clone(),
            source,
            destination,
            creation: Creation {
                visibility: Visibility::Private,
                gate: None,
                exists: true,
                sdk: None,
            },
            parent: None,
            delete: Vec::new(),
            withheld: Vec::new(),
            refused: Vec::new(),
            warnings: Vec::new(),
            chunks: Vec::new(),
            files,
            card: CardPolicy::default(),
            part: false,
            overwrite: false,
            purpose: ChunkPurpose::Copy,
            backup: None,
            limits: RunLimits::default(),
            large: None,
            options: WorkerOptions::default(),
        };
        plan.rechunk(chunking);
        plan
    }

    /// A plan whose files are only read and hashed: the source's, or those of the destination, as `purpose` says.
    pub fn of_reads(
        purpose: ChunkPurpose,
        (source, destination): (RepoAt, RepoAt),
        files: Vec<File>,
        chunking: Chunking,
        options: WorkerOptions,
    ) -> Self {
        let plan = Self::of_blobs(source, destination, files, chunking);
        let workers = plan.options.workers;
        Self {
            purpose,
            options: WorkerOptions { workers, ..options },
            ..plan
        }
    }

    /// Cuts the same work into other chunks.
    pub fn rechunk(&mut self, chunking: Chunking) {
        self.chunks = chunks::of_files(&self.files, chunking, self.options.transport);
        let moving = self.chunks.iter().flatten();
        let bytes = moving.map(|index| self.files[*index as usize].file.size);
        let bytes = bytes.fold(0, u64::saturating_add);
        self.options.workers = chunks::workers_of(chunking, self.chunks.len(), bytes);
    }

    /// The sizes in bytes of the blobs to move.
    pub fn blob_sizes(&self) -> Vec<u64> {
        let moving = self.files.iter().filter(|file| file.moves_here());
        moving.map(|planned| planned.file.size).collect()
    }

    /// Whether something of the source or of the request is left undone on purpose: entries refused, deletions withheld.
    pub fn leaves_out(&self) -> bool {
        !self.refused.is_empty() || !self.withheld.is_empty()
    }

    /// The plan in numbers.
    pub fn summary(&self) -> PlanSummary {
        let mut summary = PlanSummary {
            files: self.files.len() as u64,
            deletes: self.delete.len() as u64,
            refused: self.refused.len() as u64,
            chunks: self.chunks.len() as u64,
            ..PlanSummary::default()
        };
        for PlannedFile {
            file, step, left, ..
        } in &self.files
        {
            summary.bytes += file.size;
            match step {
                Step::Unchanged => summary.unchanged += 1,
                Step::Duplicate | Step::Shared => summary.duplicates += 1,
                Step::Inline => summary.inline += 1,
                Step::Stream if *left => {}
                Step::Stream => {
                    summary.blobs += 1;
                    summary.blob_bytes += file.size;
                }
            }
        }
        summary
    }

    /// Whether the destination lacks nothing and has nothing to lose.
    pub fn is_done(&self) -> bool {
        self.creation.exists
            && self.delete.is_empty()
            && self
                .files
                .iter()
                .all(|planned| planned.step == Step::Unchanged)
    }
}

#[cfg(test)]
pub(crate) mod tests;
