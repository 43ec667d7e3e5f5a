//! The part of a plan that a limit of bytes allows. Files are taken whole: what does not fit is left to the next run, which finds the
//! rest done.

use std::collections::HashSet;

use hf2ms_hub::Sha256;

use super::{Plan, PlannedFile, Stage, Step, diff};
use crate::protocol::{Chunking, RunLimits};

/// What a plan takes of a limit of bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TransferShare {
    /// The bytes that it may move.
    pub taken: u64,
    /// Those of files that do not wait for the rest, as README.md does.
    pub ordinary: u64,
    /// The smallest of the files that it leaves; `None` where it leaves none.
    pub smallest_left: Option<u64>,
}

impl Plan {
    /// Leaves the files that do not fit into `bytes` to the next run, in the plan's order. Those of `stored` contents move no bytes. The
    /// chunks have to be cut again afterwards.
    pub fn leave_above(&mut self, bytes: u64, stored: &HashSet<Sha256>) -> TransferShare {
        let (mut taken, mut ordinary, mut smallest_left) = (0, 0, None);
        let mut left = HashSet::new();
        for planned in &mut self.files {
            let size = planned.bytes_to_move(stored);
            if size == 0 || size <= bytes.saturating_sub(taken) {
                taken += size;
                if Stage::of(&planned.file.path) == Stage::Ordinary {
                    ordinary += size;
                }
                continue;
            }
            planned.left = true;
            left.insert(diff::content(&planned.file));
            smallest_left = Some(smallest_left.map_or(size, |least: u64| least.min(size)));
        }
        for planned in &mut self.files {
            let waits = matches!(planned.step, Step::Duplicate | Step::Shared);
            planned.left |= waits && left.contains(&diff::content(&planned.file));
        }
        TransferShare {
            taken,
            ordinary,
            smallest_left,
        }
    }

    /// Takes the files that were left to a next run, which is this one. Whether there were any; the chunks have to be cut again then.
    pub fn take_what_was_left(&mut self) -> bool {
        let mut left = self.files.iter_mut().filter(|planned| planned.left);
        left.by_ref().map(|planned| planned.left = false).count() > 0
    }

    /// Cuts the files that are not left to the next run into chunks, where any are left.
    pub fn rechunk_if_cut(&mut self, chunking: impl FnOnce(&[u64]) -> Chunking) {
        if self.files.iter().any(|planned| planned.left) {
            self.rechunk(chunking(&self.blob_sizes()));
        }
    }

    /// The same with these limits, for the words of its report.
    pub fn with_limits(self, limits: RunLimits) -> Self {
        Self { limits, ..self }
    }
}

impl TransferShare {
    /// The smallest of the files that it leaves, where it takes none but those that wait for them: nothing would be there for it.
    pub fn in_vain(&self) -> Option<u64> {
        self.smallest_left.filter(|_| self.ordinary == 0)
    }
}

impl PlannedFile {
    /// The bytes of its content that this plan sends.
    fn bytes_to_move(&self, stored: &HashSet<Sha256>) -> u64 {
        let is_stored = || {
            let sha256 = self.file.digest.sha256();
            sha256.is_some_and(|sha256| stored.contains(&sha256))
        };
        match self.step {
            Step::Stream if is_stored() => 0,
            Step::Stream | Step::Inline => self.file.size,
            Step::Unchanged | Step::Duplicate | Step::Shared => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{listed, plan};
    use super::*;
    use crate::protocol::FailedFile;

    const CHUNKING: Chunking = Chunking::Even { containers: 1 };

    fn five() -> Plan {
        let source = vec![
            listed("a.bin", &[1; 600], true),
            listed("b.bin", &[2; 500], true),
            listed("copy/b.bin", &[2; 500], true),
            listed("d.bin", &[4; 300], true),
            listed("note.txt", &[5; 100], false),
        ];
        plan(source, Vec::new(), None)
    }

    fn left(plan: &Plan) -> Vec<&str> {
        let left = plan.files.iter().filter(|planned| planned.left);
        left.map(|planned| planned.file.path.as_str()).collect()
    }

    #[test]
    fn whole_files_are_taken_as_long_as_they_fit_and_duplicates_stay_with_their_content() {
        for (bytes, taken, smallest, names) in [
            (10_000, 1_500, None, &[][..]),
            (1_000, 1_000, Some(500), &["b.bin", "copy/b.bin"]),
            (
                99,
                0,
                Some(100),
                &["a.bin", "b.bin", "copy/b.bin", "d.bin", "note.txt"],
            ),
        ] {
            let mut plan = five();
            let share = plan.leave_above(bytes, &HashSet::new());
            let expected = TransferShare {
                taken,
                ordinary: taken,
                smallest_left: smallest,
            };
            assert_eq!((share, left(&plan)), (expected, names.to_vec()));
        }
    }

    #[test]
    fn what_is_stored_already_costs_nothing() {
        let mut plan = five();
        let stored = HashSet::from([Sha256::of(&[1; 600])]);
        let share = plan.leave_above(400, &stored);
        assert_eq!(share.taken, 400);
        assert_eq!(left(&plan), ["b.bin", "copy/b.bin"]);
    }

    #[test]
    fn files_that_are_left_are_in_no_chunk_and_in_no_commit_and_fail_for_now() {
        let mut plan = five();
        plan.leave_above(600, &HashSet::new());
        plan.rechunk_if_cut(|_| CHUNKING);
        assert_eq!(plan.chunk("r", 0).unwrap().files.len(), 1);
        assert_eq!(plan.summary().blobs, 1);
        let sent = plan.change(&[]);
        assert!(sent.files.is_empty(), "{:?}", sent.files);
        let unsent = plan.unsent(&[]);
        let left: Vec<&str> = unsent
            .iter()
            .filter(|failed| failed.error == FailedFile::LEFT_BY_TRANSFER)
            .map(|failed| failed.path.as_str())
            .collect();
        assert_eq!(left, ["b.bin", "copy/b.bin", "d.bin", "note.txt"]);
        assert!(unsent.iter().all(FailedFile::fails_for_now));
    }

    #[test]
    fn a_plan_that_is_not_cut_keeps_its_chunks() {
        let (mut plan, whole) = (five(), five());
        plan.leave_above(10_000, &HashSet::new());
        plan.rechunk_if_cut(|_| unreachable!("nothing is left"));
        assert_eq!(plan, whole);
    }
}
