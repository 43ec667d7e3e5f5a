//! The cutting of a changeset into commits. One commit, when the hub takes it; else batches. The files by which a repo looks complete
//! come last, and deletions after them, also in a single commit: the hub may refuse it, and then it is cut where it stands. Pure.

use std::iter::Peekable;

use hf2ms_hub::{CommitLimits, RepoPath};

use crate::plan::Stage;

/// What an action adds to a commit's body besides its content: JSON keys, quotes, a digest
/// (modelscope-hub 0.5.1, `_estimate_commit_operation_bytes`: 192 and 128 for a blob's pointer).
const ACTION_OVERHEAD: usize = 320;

/// What the cutter needs to know of an action.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WeighedAction<T> {
    /// The action.
    pub action: T,
    /// Bytes it adds to the body.
    pub weight: usize,
    /// When it may happen.
    pub stage: Stage,
}

/// The bytes that a file inline in a commit adds to its body: its content in base64, its path, the rest.
pub fn inline_weight(path: &RepoPath, size: u64) -> usize {
    blob_weight(path)
        .saturating_add(usize::try_from(size.div_ceil(3).saturating_mul(4)).unwrap_or(usize::MAX))
}

/// The bytes that a stored blob or a deletion adds to a commit's body.
pub fn blob_weight(path: &RepoPath) -> usize {
    ACTION_OVERHEAD + path.as_str().len()
}

/// Actions in commits, each cut when it is asked for: how large it may be can depend on those before.
pub struct Batches<T> {
    rest: Peekable<std::vec::IntoIter<WeighedAction<T>>>,
    in_one: bool,
    body_bytes: usize,
}

impl<T> Batches<T> {
    /// Puts `actions` in order; one commit when the hub takes them in one.
    pub fn new(mut actions: Vec<WeighedAction<T>>, limits: &CommitLimits) -> Self {
        let weight: usize = actions
            .iter()
            .fold(0, |sum, action| sum.saturating_add(action.weight));
        let in_one = actions.len() <= limits.max_actions && weight <= limits.body_bytes;
        actions.sort_by_key(|action| action.stage);
        Self {
            rest: actions.into_iter().peekable(),
            in_one,
            body_bytes: limits.body_bytes,
        }
    }

    /// Whether all fit one commit.
    pub fn is_one(&self) -> bool {
        self.in_one
    }

    /// The next commit, of `most` actions unless all fit one; nothing after the last.
    pub fn next(&mut self, most: usize) -> Vec<T> {
        if self.in_one {
            return self.rest.by_ref().map(|action| action.action).collect();
        }
        let (mut batch, mut room) = (Vec::new(), self.body_bytes);
        let mut stage = self
            .rest
            .peek()
            .map_or(Stage::Ordinary, |action| action.stage);
        let fits = |action: &WeighedAction<T>, count: usize, room: usize, stage: Stage| {
            let same_commit = action.stage == stage || action.stage != Stage::Deletion;
            count == 0 || (same_commit && count < most && action.weight <= room)
        };
        while let Some(action) = self
            .rest
            .next_if(|action| fits(action, batch.len(), room, stage))
        {
            room = room.saturating_sub(action.weight);
            stage = action.stage;
            batch.push(action.action);
        }
        batch
    }
}

#[cfg(test)]
mod tests {
    use hf2ms_hub::Kind;

    use super::*;
    use crate::protocol::FailedFile;

    const LIMITS: CommitLimits = CommitLimits {
        max_actions: 20,
        batch_actions: 5,
        body_bytes: 1000,
        commit_time: None,
        folder_entries: None,
        checks_blobs: true,
        checks_parent: true,
    };

    fn cut<T>(actions: Vec<WeighedAction<T>>, limits: &CommitLimits) -> Vec<Vec<T>> {
        let mut batches = Batches::new(actions, limits);
        std::iter::from_fn(|| {
            Some(batches.next(limits.batch_actions)).filter(|batch| !batch.is_empty())
        })
        .collect()
    }

    fn actions(count: usize, weight: usize) -> Vec<WeighedAction<usize>> {
        (0..count)
            .map(|action| WeighedAction {
                action,
                weight,
                stage: Stage::Ordinary,
            })
            .collect()
    }

    #[test]
    fn what_fits_one_commit_is_one_commit() {
        assert_eq!(cut(actions(20, 1), &LIMITS).len(), 1);
        assert!(cut(actions(0, 1), &LIMITS).is_empty());
    }

    #[test]
    fn more_is_cut_by_count_and_by_bytes() {
        let sizes = |batches: Vec<Vec<usize>>| batches.iter().map(Vec::len).collect::<Vec<_>>();
        assert_eq!(sizes(cut(actions(21, 1), &LIMITS)), [5, 5, 5, 5, 1]);
        assert_eq!(sizes(cut(actions(4, 400), &LIMITS)), [2, 2]);
        assert_eq!(
            sizes(cut(actions(3, 5000), &LIMITS)),
            [1, 1, 1],
            "a file larger than the limit goes alone"
        );
    }

    #[test]
    fn finishing_files_come_last_and_deletions_after_them() {
        let stage_of = |name: &str| Stage::of(&name.parse().unwrap());
        assert_eq!(stage_of("sub/README.md"), Stage::Finishing);
        assert_eq!(stage_of("model.safetensors.index.json"), Stage::Finishing);
        assert_eq!(stage_of("data.json"), Stage::Ordinary);
        let mut all = actions(22, 1);
        all[0].stage = Stage::Deletion;
        all[1].stage = Stage::Finishing;
        let batches = cut(all, &LIMITS);
        let flat: Vec<_> = batches.iter().flatten().copied().collect();
        assert_eq!(&flat[20..], [1, 0]);
        assert_eq!(
            batches.last(),
            Some(&vec![0]),
            "nothing is deleted in a commit that also writes"
        );
    }

    #[test]
    fn a_single_commit_is_in_order_too() {
        let mut all = actions(3, 1);
        (all[0].stage, all[1].stage) = (Stage::Deletion, Stage::Finishing);
        assert_eq!(cut(all, &LIMITS), [vec![2, 1, 0]]);
    }

    #[test]
    fn a_file_that_failed_for_now_holds_back_unless_it_would_be_held_back_itself() {
        for (path, kind, holds) in [
            ("a/w.bin", Kind::Transient, true),
            ("w.bin", Kind::BlobMissing, true),
            ("w.bin", Kind::NotFound, false),
            ("w.bin", Kind::Conflict, false),
            ("a/README.md", Kind::Transient, false),
        ] {
            let failed = FailedFile::new(path, "no", kind);
            assert_eq!(Stage::holds_back(&failed), holds, "{path} {kind:?}");
        }
        let not_deleted = FailedFile::new("old.txt", FailedFile::NOT_DELETED, Kind::Transient);
        assert!(!Stage::holds_back(&not_deleted), "it is there");
    }

    #[test]
    fn each_batch_is_as_large_as_asked_for_then() {
        let mut batches = Batches::new(actions(30, 1), &LIMITS);
        assert_eq!(
            [2, 7, 100, 5].map(|most| batches.next(most).len()),
            [2, 7, 21, 0]
        );
    }

    #[test]
    fn a_change_at_a_limit_is_one_commit_and_beyond_it_is_not() {
        let is_one = |actions| Batches::new(actions, &LIMITS).is_one();
        assert!(is_one(actions(20, 50)) && is_one(actions(1, 1000)));
        assert!(!is_one(actions(21, 1)) && !is_one(actions(1, 1001)));
    }

    #[test]
    fn a_batch_is_filled_up_to_the_body_limit() {
        let sizes = |weight| {
            let batches = cut(actions(6, weight), &LIMITS);
            batches.iter().map(Vec::len).collect::<Vec<_>>()
        };
        assert_eq!(sizes(500), [2, 2, 2]);
        assert_eq!(sizes(501), [1; 6]);
    }

    #[test]
    fn deletions_share_commits_with_each_other_alone() {
        let mut all = actions(24, 1);
        for action in &mut all[..3] {
            action.stage = Stage::Deletion;
        }
        assert_eq!(cut(all, &LIMITS)[5..], [vec![0, 1, 2]]);
    }

    #[test]
    fn a_repo_looks_complete_by_these_files() {
        for name in [
            "ReadMe.md",
            "config.json",
            "sub/configuration.json",
            "model_index.json",
            "dataset_infos.json",
            "a.INDEX.json",
        ] {
            assert_eq!(
                Stage::of(&name.parse().unwrap()),
                Stage::Finishing,
                "{name}"
            );
        }
        for name in ["index.json", "my_config.json", "README.md/a", "README"] {
            assert_eq!(Stage::of(&name.parse().unwrap()), Stage::Ordinary, "{name}");
        }
    }

    #[test]
    fn an_inline_file_weighs_its_base64_beside_what_each_action_does() {
        let path = "a/b".parse().unwrap();
        let weights = [0, 1, 3, 4, u64::MAX].map(|size| inline_weight(&path, size));
        assert_eq!(weights, [323, 327, 327, 331, usize::MAX]);
        assert_eq!(blob_weight(&path), 323);
    }

    #[test]
    fn nothing_is_lost_or_doubled() {
        let mut flat: Vec<_> = cut(actions(1234, 7), &LIMITS).concat();
        flat.sort_unstable();
        assert_eq!(flat, (0..1234).collect::<Vec<_>>());
    }
}
