//! Several plans for one destination, as the revisions of a repo are. A blob that more than one plan has is moved by the first, and
//! the receipts of the others are made from its result.

use std::collections::{HashMap, HashSet};

use hf2ms_hub::{Listing, RepoPath};

use super::diff::{self, ContentKey};
use super::{DeletedFile, DigestCache, Plan, PlannedFile, Step};
use crate::protocol::{ExistingFile, FailedFile, How, Receipt, Stored};

/// The rules of what is kept in LFS: hubs want the file, whether or not the source has one.
const ATTRIBUTES: &str = ".gitattributes";

/// Contents that a plan moves already.
#[derive(Debug, Default)]
pub struct ClaimedBlobs(HashSet<ContentKey>);

/// The blobs of contents that more than one plan has, or why there is none.
#[derive(Debug, Default)]
pub struct BlobResults(HashMap<ContentKey, Result<Stored, FailedFile>>);

impl Plan {
    /// Leaves the contents that earlier plans move to those plans. The chunks have to be cut again afterwards.
    pub fn claim_blobs(&mut self, spoken: &mut ClaimedBlobs) {
        for planned in self
            .files
            .iter_mut()
            .filter(|planned| planned.step == Step::Stream)
        {
            if !spoken.0.insert(diff::content(&planned.file)) {
                planned.step = Step::Shared;
            }
        }
    }

    /// The same files, to be compared and not changed.
    pub fn compare_only(&self) -> Self {
        let left = |planned: &PlannedFile| PlannedFile {
            step: Step::Unchanged,
            current: None,
            ..planned.clone()
        };
        Self {
            files: self.files.iter().map(left).collect(),
            delete: Vec::new(),
            chunks: Vec::new(),
            ..self.clone()
        }
    }

    /// Compares the plan with a branch that has to hold its files and no others: equal files stay, unplanned files are deleted.
    pub fn rebase_exactly_on(&mut self, destination: &Listing, known: &DigestCache) {
        let there = diff::by_path(destination);
        for planned in &mut self.files {
            planned.current = there
                .get(&planned.file.path)
                .map(|listed| ExistingFile::of(&listed.file));
            let equal = planned
                .current
                .is_some_and(|current| diff::is_equal(&planned.file, current, known));
            if planned.edit.is_none() && equal {
                planned.step = Step::Unchanged;
            }
        }
        let planned: HashSet<&RepoPath> = self
            .files
            .iter()
            .map(|planned| &planned.file.path)
            .collect();
        let stays = |path: &RepoPath| planned.contains(path) || path.as_str() == ATTRIBUTES;
        self.delete = destination
            .files
            .iter()
            .filter(|listed| !stays(&listed.file.path))
            .map(DeletedFile::of)
            .collect();
        self.delete.sort_unstable_by(|a, b| a.path.cmp(&b.path));
        self.parent = destination.commit.clone();
    }
}

impl BlobResults {
    /// Adds the receipts of a plan's chunks.
    pub fn add(&mut self, plan: &Plan, receipts: &[Receipt]) {
        let stored: HashMap<&RepoPath, &Stored> = receipts
            .iter()
            .flat_map(|receipt| &receipt.files)
            .map(|stored| (&stored.path, stored))
            .collect();
        let unsent = plan.unsent(receipts);
        let failed: HashMap<&str, &FailedFile> = unsent
            .iter()
            .map(|failed| (failed.path.as_str(), failed))
            .collect();
        for planned in plan
            .files
            .iter()
            .filter(|planned| planned.step == Step::Stream)
        {
            let path = &planned.file.path;
            let came = stored.get(path).map(|stored| Ok((*stored).clone()));
            let came = came.or_else(|| {
                failed
                    .get(path.to_string().as_str())
                    .map(|failed| Err((*failed).clone()))
            });
            self.0
                .extend(came.map(|came| (diff::content(&planned.file), came)));
        }
    }

    /// The receipt of the contents that another plan has moved for this one.
    pub fn receipt(&self, plan: &Plan) -> Receipt {
        let mut receipt = Receipt::default();
        for planned in plan
            .files
            .iter()
            .filter(|planned| planned.step == Step::Shared)
        {
            match self.0.get(&diff::content(&planned.file)) {
                Some(Ok(stored)) => receipt.files.push(told(planned, stored)),
                Some(Err(failed)) => receipt.failed.push(told_failed(planned, failed)),
                None => (),
            }
        }
        receipt
    }
}

fn told(planned: &PlannedFile, stored: &Stored) -> Stored {
    Stored {
        path: planned.file.path.clone(),
        how: How::Duplicate,
        ..stored.clone()
    }
}

fn told_failed(planned: &PlannedFile, failed: &FailedFile) -> FailedFile {
    let path = planned.file.path.to_string();
    let error = if path == failed.path {
        failed.error.clone()
    } else {
        format!("same content as {}: {}", failed.path, failed.error)
    };
    FailedFile {
        path,
        error,
        ..*failed
    }
}

#[cfg(test)]
mod tests {
    use hf2ms_hub::{GitSha1, Kind, Sha256};

    use super::super::MaxDelete;
    use super::super::tests::{listed, listing, plan, there};
    use super::*;
    use crate::protocol::Chunking;

    /// Two plans that share `w`, which Git's id alone names; the second one's chunks are cut anew.
    fn two() -> (Plan, Plan) {
        let mut first = plan(vec![listed("w.bin", b"shared", false)], vec![], None);
        let of_second = vec![
            listed("a.bin", b"own", true),
            listed("b.bin", b"shared", false),
            listed("c.bin", b"shared", false),
        ];
        let mut second = plan(of_second, vec![], None);
        let mut spoken = ClaimedBlobs::default();
        [&mut first, &mut second]
            .into_iter()
            .for_each(|plan| plan.claim_blobs(&mut spoken));
        second.rechunk(Chunking::Even { containers: 1 });
        (first, second)
    }

    fn stored(path: &str, content: &[u8]) -> Stored {
        let (sha256, git_sha1) = (Sha256::of(content), Some(GitSha1::of(content)));
        Stored {
            path: path.parse().unwrap(),
            sha256,
            git_sha1,
            size: content.len() as u64,
            how: How::Streamed,
        }
    }

    #[test]
    fn a_blob_is_moved_by_the_first_plan_that_has_it() {
        let (first, second) = two();
        assert_eq!(first.chunks, [[0]]);
        assert_eq!((second.chunks.concat(), second.check()), (vec![0], Ok(())));
        assert_eq!(
            second
                .files
                .iter()
                .map(|planned| planned.step)
                .collect::<Vec<_>>(),
            [Step::Stream, Step::Shared, Step::Duplicate]
        );
    }

    #[test]
    fn the_others_commit_it_by_what_the_first_ones_receipt_says() {
        let (first, second) = two();
        let mut arrived = BlobResults::default();
        arrived.add(
            &first,
            &[Receipt {
                files: vec![stored("w.bin", b"shared")],
                ..Receipt::default()
            }],
        );
        let own = Receipt {
            files: vec![stored("a.bin", b"own")],
            ..Receipt::default()
        };
        let receipts = [own, arrived.receipt(&second)];
        assert_eq!(receipts[1].files[0].how, How::Duplicate);
        assert_eq!(second.unsent(&receipts), []);
        let sent: Vec<_> = second
            .change(&receipts)
            .files
            .iter()
            .map(|file| file.stored.unwrap())
            .collect();
        assert_eq!(
            sent,
            [
                Sha256::of(b"own"),
                Sha256::of(b"shared"),
                Sha256::of(b"shared")
            ]
        );
    }

    #[test]
    fn a_plan_that_only_compares_deletes_nothing() {
        let wanted = vec![listed("a.bin", b"own", true)];
        let extra = vec![there("old.bin", b"old", true)];
        let made = plan(wanted, extra, Some(MaxDelete::Percent(100)));
        assert_eq!(made.delete.len(), 1);
        assert!(made.compare_only().delete.is_empty());
    }

    #[test]
    fn what_failed_for_the_first_has_failed_for_all_and_the_rest_goes_on() {
        let (first, second) = two();
        let mut arrived = BlobResults::default();
        let lost = FailedFile::new("w.bin", "it is lost", Kind::NotFound);
        arrived.add(
            &first,
            &[Receipt {
                failed: vec![lost],
                ..Receipt::default()
            }],
        );
        let receipts = [
            Receipt {
                files: vec![stored("a.bin", b"own")],
                ..Receipt::default()
            },
            arrived.receipt(&second),
        ];
        let unsent = second.unsent(&receipts);
        assert_eq!(
            unsent
                .iter()
                .map(|failed| failed.path.as_str())
                .collect::<Vec<_>>(),
            ["b.bin", "c.bin"]
        );
        assert!(
            unsent[0].error == "same content as w.bin: it is lost"
                && unsent[0].kind == Kind::NotFound,
            "{unsent:?}"
        );
        assert_eq!(second.change(&receipts).files.len(), 1);
    }

    #[test]
    fn what_is_only_compared_changes_nothing_and_believes_nothing_that_stands_there() {
        let source = vec![
            listed("a.txt", b"mine", false),
            listed("b.bin", b"blob", true),
        ];
        let compared = plan(
            source,
            vec![there("a.txt", b"else", false)],
            Some(MaxDelete::default()),
        )
        .compare_only();
        assert!(
            compared.change(&[]).files.is_empty()
                && compared.unsent(&[]).is_empty()
                && compared.chunks.is_empty()
        );
        let also: Vec<_> = compared
            .verify_job("r", &[], &[])
            .files
            .iter()
            .map(|file| file.also)
            .collect();
        assert_eq!(also, [None, None]);
    }

    #[test]
    fn a_branch_that_began_as_a_copy_of_another_loses_what_it_must_not_hold() {
        let mut made = plan(
            vec![
                listed("a.txt", b"same", false),
                listed("b.txt", b"new", false),
            ],
            vec![],
            None,
        );
        let known = DigestCache::from([(GitSha1::of(b"same"), Sha256::of(b"same"))]);
        let base = vec![
            there("a.txt", b"same", false),
            there("b.txt", b"old", false),
            there("z", b"z", false),
            there(".gitattributes", b"x", false),
        ];
        made.rebase_exactly_on(&listing(base), &known);
        assert_eq!(
            made.files
                .iter()
                .map(|planned| planned.step)
                .collect::<Vec<_>>(),
            [Step::Unchanged, Step::Inline]
        );
        assert_eq!(
            made.delete
                .iter()
                .map(|file| file.path.as_str())
                .collect::<Vec<_>>(),
            ["z"]
        );
    }
}
