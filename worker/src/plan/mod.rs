//! The plan of one migration: the manifest less what the destination has, cut into chunks. Pure: who lists, who
//! creates and who runs is elsewhere. [`diff`] compares the sides, [`jobs`] makes what workers are given, [`shared`] is for several
//! plans at once.

mod by_git;
pub mod card;
mod changeset;
pub mod chunks;
pub mod diff;
mod folder_limit;
pub mod jobs;
mod moved;
mod path_collisions;
mod prune;
pub mod shared;

use std::collections::HashMap;

use hf2ms_hub::{
    File, GitSha1, Listing, Placement, Refused, RepoAt, RepoPath, Revision, Sha256, Visibility,
};
use serde::{Deserialize, Serialize};

use crate::plan::chunks::{FILE_COST, cut};
use crate::protocol::{
    Chunking, Creation, Edit, ExistingFile, PlanSummary, Transport, WorkerOptions,
};

pub use by_git::GitFiles;
pub use card::CardPolicy;
pub use changeset::{Changeset, CommitFile};
pub use prune::{DeletedFile, MaxDelete, WithheldDeletions};

/// The version of a plan's JSON.
pub const VERSION: u32 = 1;

/// SHA-256 digests of contents that a hub knows only by Git's id, learned by earlier runs.
pub type DigestCache = HashMap<GitSha1, Sha256>;

/// Everything one migration will do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// [`VERSION`].
    pub version: u32,
    /// Where from, at a pinned commit; by the name that was asked for where the hub tells no commit.
    pub source: RepoAt,
    /// The revision that was asked for.
    pub asked: Revision,
    /// Where to.
    pub destination: RepoAt,
    /// Whether the destination has to be created, and how.
    pub creation: Creation,
    /// Where its branch stood when it was compared; absent where its hub tells no commits.
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
    /// What the source has and can't be moved.
    #[serde(default)]
    pub refused: Vec<Refused>,
    /// What a person should know before it runs.
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
    /// How workers work.
    #[serde(default)]
    pub options: WorkerOptions,
}

/// One file of a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedFile {
    /// The source's file.
    #[serde(flatten)]
    pub file: File,
    /// What is done with it.
    pub step: Step,
    /// What the destination has at the path, when it has something.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub current: Option<ExistingFile>,
    /// What is changed about its content on the way ([`crate::pipeline::card`]).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub edit: Option<Edit>,
}

/// What is done with a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
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

/// What a plan is made for.
#[derive(Debug, Clone)]
pub struct PlanRequest {
    /// Where from, at a pinned commit.
    pub source: RepoAt,
    /// The revision that was asked for.
    pub asked: Revision,
    /// Where to.
    pub destination: RepoAt,
    /// Whether the destination has to be created, and how.
    pub creation: Creation,
    /// How the work is cut.
    pub chunking: Chunking,
    /// How many of the files that only the destination has are deleted at most; they stay without it.
    pub prune: Option<MaxDelete>,
    /// How workers work.
    pub options: WorkerOptions,
}

impl Plan {
    /// Compares both sides and cuts what differs. The same listings in any order give the same plan.
    pub fn make(
        order: PlanRequest,
        source: Listing,
        destination: &Listing,
        placement: impl Fn(&RepoPath, u64) -> Placement,
        known: &DigestCache,
    ) -> Self {
        let (delete, withheld) = order
            .prune
            .map(|max| prune::deletions(&source, destination, max))
            .unwrap_or_default();
        let refused = source.refused.clone();
        let files = diff::diff(source, destination, placement, known);
        let chunks = chunks_of(&files, order.chunking, order.options.transport);
        Self {
            version: VERSION,
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
            chunks,
            card: CardPolicy::default(),
            part: false,
            options: order.options,
        }
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
        };
        let files: Vec<_> = files.into_iter().map(moved).collect();
        let options = WorkerOptions::default();
        Self {
            version: VERSION,
            asked: source.revision.clone(),
            source,
            destination,
            creation: Creation {
                visibility: Visibility::Private,
                exists: true,
                sdk: None,
            },
            parent: None,
            delete: Vec::new(),
            withheld: Vec::new(),
            refused: Vec::new(),
            warnings: Vec::new(),
            chunks: chunks_of(&files, chunking, options.transport),
            files,
            card: CardPolicy::default(),
            part: false,
            options,
        }
    }

    /// Cuts the same work anew.
    pub fn rechunk(&mut self, chunking: Chunking) {
        self.chunks = chunks_of(&self.files, chunking, self.options.transport);
    }

    /// Takes note of what stands at the destination now, after it was created: a hub puts files of its own into
    /// a new repo. [`PlannedFile::current`] and the parent change; the commit finds out what is equal. Deletions of files that
    /// were rewritten since the plan was made are withheld.
    pub fn rebase_on(&mut self, destination: &Listing) {
        let there = diff::by_path(destination);
        let (delete, rewritten) = prune::still_as_planned(std::mem::take(&mut self.delete), &there);
        self.delete = delete;
        self.withheld
            .extend(WithheldDeletions::rewritten(rewritten));
        self.parent = destination.commit.clone();
        for planned in self
            .files
            .iter_mut()
            .filter(|planned| planned.step != Step::Unchanged)
        {
            planned.current = there
                .get(&planned.file.path)
                .map(|listed| ExistingFile::of(&listed.file));
        }
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
        for PlannedFile { file, step, .. } in &self.files {
            summary.bytes += file.size;
            match step {
                Step::Unchanged => summary.unchanged += 1,
                Step::Duplicate | Step::Shared => summary.duplicates += 1,
                Step::Inline => summary.inline += 1,
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

    /// Checks a plan that came from a file: its version, and that its chunks hold each blob that moves exactly once.
    ///
    /// # Errors
    /// One line that says what is wrong.
    pub fn check(&self) -> Result<(), BadPlan> {
        if self.version != VERSION {
            return Err(BadPlan(format!(
                "version {} is not supported: expected {VERSION}",
                self.version
            )));
        }
        let by_name = !self.source.hub.profile().abilities.tells_commits
            && self.source.revision == self.asked;
        if !self.is_pinned() && !by_name {
            return Err(BadPlan(format!(
                "the source's revision '{}' is not a pinned commit",
                self.source.revision
            )));
        }
        if let Some(pair) = self
            .files
            .windows(2)
            .find(|pair| pair[0].file.path >= pair[1].file.path)
        {
            return Err(BadPlan(format!(
                "{} is listed twice or out of order",
                pair[1].file.path
            )));
        }
        self.check_chunks()
    }

    fn check_chunks(&self) -> Result<(), BadPlan> {
        let mut waiting: Vec<bool> = self
            .files
            .iter()
            .map(|planned| planned.step == Step::Stream)
            .collect();
        for index in self.chunks.iter().flatten() {
            match waiting.get_mut(*index as usize) {
                Some(waits) if *waits => *waits = false,
                Some(_) => {
                    return Err(BadPlan(format!(
                        "file {index} is in a chunk but does not move, or is in two"
                    )));
                }
                None => {
                    return Err(BadPlan(format!(
                        "a chunk names file {index}, but there are {}",
                        self.files.len()
                    )));
                }
            }
        }
        match waiting.iter().position(|waits| *waits) {
            Some(left) => Err(BadPlan(format!(
                "{} is in no chunk",
                self.files[left].file.path
            ))),
            None => Ok(()),
        }
    }
}

/// A plan that contradicts itself.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BadPlan(String);

/// Chunks of what moves. By Git each chunk with a file outside LFS fetches the pack, so that those files share one.
fn chunks_of(files: &[PlannedFile], chunking: Chunking, transport: Transport) -> Vec<Vec<u32>> {
    let moving = |index: &u32| files[*index as usize].step == Step::Stream;
    let indices = (0..).take(files.len()).filter(moving);
    let apart =
        |index: &u32| transport == Transport::Git && by_git::is_outside(&files[*index as usize]);
    let (packed, others): (Vec<u32>, Vec<u32>) = indices.partition(apart);
    let mut chunks = cut_of(files, &others, chunking);
    if chunks.len() == 1 && matches!(chunking, Chunking::Even { containers: 1 }) {
        chunks[0].extend(&packed);
    } else if !packed.is_empty() {
        let weight = |chunk: &Vec<u32>| {
            chunk
                .iter()
                .map(|index| files[*index as usize].file.size.saturating_add(FILE_COST))
                .sum::<u64>()
        };
        let place = chunks
            .iter()
            .position(|chunk| weight(chunk) < weight(&packed))
            .unwrap_or(chunks.len());
        chunks.insert(place, packed);
    }
    chunks
}

fn cut_of(files: &[PlannedFile], moving: &[u32], chunking: Chunking) -> Vec<Vec<u32>> {
    let sizes: Vec<u64> = moving
        .iter()
        .map(|index| files[*index as usize].file.size)
        .collect();
    let mut chunks = cut(&sizes, chunking);
    for index in chunks.iter_mut().flatten() {
        *index = moving[*index as usize];
    }
    chunks
}

#[cfg(test)]
pub(crate) mod tests {
    use hf2ms_hub::{Digest, Listed, Visibility};
    use proptest::prelude::*;

    use super::*;

    pub(crate) fn listed(path: &str, content: &[u8], lfs: bool) -> Listed {
        let digest = if lfs {
            Digest::Sha256(Sha256::of(content))
        } else {
            Digest::GitSha1(GitSha1::of(content))
        };
        Listed {
            file: File {
                path: path.parse().unwrap(),
                size: content.len() as u64,
                digest,
            },
            lfs,
        }
    }

    /// As ModelScope lists: a SHA-256 for every file.
    pub(crate) fn there(path: &str, content: &[u8], lfs: bool) -> Listed {
        Listed {
            lfs,
            ..listed(path, content, true)
        }
    }

    pub(crate) fn listing(files: Vec<Listed>) -> Listing {
        Listing {
            files,
            ..Listing::default()
        }
    }

    pub(crate) fn order(prune: Option<MaxDelete>) -> PlanRequest {
        let at = |hub: &str, revision: &str| {
            serde_json::from_str(&format!(
                r#"{{"hub":"{hub}","endpoint":"http://h","kind":"model","id":"org/name","revision":"{revision}"}}"#
            ))
            .unwrap()
        };
        PlanRequest {
            source: at("huggingface", &"a".repeat(40)),
            asked: "main".parse().unwrap(),
            destination: at("modelscope", "master"),
            creation: Creation {
                visibility: Visibility::Public,
                exists: true,
                sdk: None,
            },
            chunking: Chunking::Even { containers: 2 },
            prune,
            options: WorkerOptions::default(),
        }
    }

    pub(crate) fn by_suffix(path: &RepoPath, size: u64) -> Placement {
        if path.suffix() == ".bin" && size > 0 {
            Placement::Blob
        } else {
            Placement::Inline
        }
    }

    pub(crate) fn plan(
        source: Vec<Listed>,
        destination: Vec<Listed>,
        prune: Option<MaxDelete>,
    ) -> Plan {
        Plan::make(
            order(prune),
            listing(source),
            &listing(destination),
            by_suffix,
            &DigestCache::new(),
        )
    }

    #[test]
    fn a_plan_survives_json_and_its_own_check() {
        let made = plan(
            vec![listed("b.bin", b"1", true), listed("a.txt", b"x", false)],
            vec![there("b.bin", b"old", true), there("extra", b"e", false)],
            Some(MaxDelete::default()),
        );
        let json = serde_json::to_string(&made).unwrap();
        let read: Plan = serde_json::from_str(&json).unwrap();
        assert_eq!(read, made);
        assert_eq!(read.check(), Ok(()));
        assert_eq!(made.delete[0].path.as_str(), "extra");
    }

    #[test]
    fn nothing_is_deleted_unless_asked() {
        assert!(
            plan(vec![], vec![there("x", b"1", false)], None)
                .delete
                .is_empty()
        );
    }

    #[test]
    fn a_plan_that_contradicts_itself_is_refused() {
        let good = plan(
            vec![listed("a.bin", b"1", true), listed("b.bin", b"2", true)],
            vec![],
            None,
        );
        let broken = |change: fn(&mut Plan)| {
            let mut bad = good.clone();
            change(&mut bad);
            bad.check().unwrap_err().to_string()
        };
        assert!(broken(|plan| plan.version = 9).contains("version 9"));
        assert!(broken(|plan| plan.source.revision = "main".parse().unwrap()).contains("pinned"));
        assert!(broken(|plan| plan.chunks[0] = vec![7]).contains("file 7"));
        assert!(broken(|plan| plan.chunks.truncate(1)).contains("no chunk"));
        assert!(broken(|plan| plan.chunks.push(vec![0])).contains("in two"));
        assert!(broken(|plan| plan.files.swap(0, 1)).contains("out of order"));
    }

    #[test]
    fn by_git_files_outside_lfs_share_one_chunk() {
        let source = || {
            let small = (0..9_u8).map(|n| listed(&format!("s{n}.bin"), &[n; 3], false));
            small
                .chain((0..9_u8).map(|n| listed(&format!("l{n}.bin"), &[n; 900], true)))
                .collect::<Vec<_>>()
        };
        let with_small = |transport| {
            let options = WorkerOptions {
                transport,
                ..WorkerOptions::default()
            };
            let made = Plan::make(
                PlanRequest {
                    options,
                    ..order(None)
                },
                listing(source()),
                &listing(vec![]),
                by_suffix,
                &DigestCache::new(),
            );
            assert_eq!(made.check(), Ok(()));
            let holds = |chunk: &&Vec<u32>| {
                chunk
                    .iter()
                    .any(|index| by_git::is_outside(&made.files[*index as usize]))
            };
            (made.chunks.iter().filter(holds).count(), made.chunks.len())
        };
        assert_eq!(with_small(Transport::Auto), (2, 2));
        assert_eq!(with_small(Transport::Git), (1, 3));
    }

    #[test]
    fn what_a_new_repo_holds_is_noted() {
        let mut fresh = plan(vec![listed("README.md", b"mine", false)], vec![], None);
        fresh.rebase_on(&listing(vec![
            there("README.md", b"theirs", false),
            there("configuration.json", b"{}", false),
        ]));
        assert!(fresh.files[0].current.unwrap().is(b"theirs"));
        assert!(fresh.delete.is_empty());
    }

    fn any_file() -> impl Strategy<Value = (String, u8, bool)> {
        ("[a-c]{1,2}(\\.bin)?", 0..6_u8, any::<bool>())
    }

    proptest! {
        #[test]
        fn listings_in_any_order_give_one_plan(files in proptest::collection::btree_map("[a-c]{1,3}(\\.bin)?", (0..6_u8, any::<bool>()), 0..40),
                                               has in proptest::collection::vec(any_file(), 0..20)) {
            let content = |n: u8| vec![n; usize::from(n) * 10];
            let mut source: Vec<_> = files.iter().map(|(path, (n, lfs))| listed(path, &content(*n), *lfs)).collect();
            let mut there_: Vec<_> = has.iter().map(|(path, n, lfs)| there(path, &content(*n), *lfs)).collect();
            there_.sort_by(|a, b| a.file.path.cmp(&b.file.path));
            there_.dedup_by(|a, b| a.file.path == b.file.path);
            let forth = plan(source.clone(), there_.clone(), Some(MaxDelete::default()));
            source.reverse();
            there_.reverse();
            let back = plan(source, there_, Some(MaxDelete::default()));
            prop_assert_eq!(forth.check(), Ok(()));
            prop_assert_eq!(forth.files.len(), files.len());
            prop_assert_eq!(forth, back);
        }
    }
}
