//! The jobs that a plan leads to: chunks, a changeset, a verification.

use std::collections::HashMap;

use hf2ms_hub::{Digest, File, Kind, RepoPath, Sha256};

use super::diff::{self, ContentKey};
use super::{Changeset, CommitFile, Plan, PlannedFile, Step};
use crate::protocol::{
    self, Chunk, Deletion, FailedFile, How, Receipt, SampleChoice, Stored, VerifyFile, VerifyJob,
};

impl Plan {
    /// The chunk with this number, from 0; `None` past the last.
    pub fn chunk(&self, run: &str, number: u32) -> Option<Chunk> {
        let indices = self.chunks.get(number as usize)?;
        Some(Chunk {
            version: protocol::VERSION,
            run: run.to_owned(),
            chunk: number,
            chunks: u32::try_from(self.chunks.len()).unwrap_or(u32::MAX),
            source: self.source.clone(),
            destination: self.destination.clone(),
            files: indices
                .iter()
                .filter_map(|index| self.files.get(*index as usize))
                .map(|planned| planned.file.clone())
                .collect(),
            purpose: self.purpose,
            options: self.options.clone(),
        })
    }

    /// The changeset, once the chunks have ended. Left out are the files whose blob is in no receipt, which are in
    /// [`Plan::unsent`]. So are those that the destination lists as they are to be.
    pub fn change(&self, receipts: &[Receipt]) -> Changeset {
        let sent = Sent::of(self, receipts);
        Changeset {
            files: self
                .changing()
                .filter(|planned| !planned.stands() && !planned.left)
                .filter_map(|planned| commit_file(planned, &sent))
                .collect(),
            delete: self.delete.clone(),
            deletion: Deletion::default(),
            parent: self.parent.clone(),
            hold_back: false,
            overwrite: self.overwrite,
            message: format!(
                "Copy {} from {} at {}",
                self.source.id, self.source.hub, self.source.revision
            ),
        }
    }

    /// The files whose blob was not stored, each with the reason. The duplicates of a failed file are among them.
    pub fn unsent(&self, receipts: &[Receipt]) -> Vec<FailedFile> {
        let sent = Sent::of(self, receipts);
        let failures = failures(self, receipts);
        let lost = self.changing().filter(|planned| {
            planned.left || planned.step != Step::Inline && sent.blob(planned).is_none()
        });
        lost.map(|planned| {
            failed(
                planned,
                failures.get(&diff::content(&planned.file)).copied(),
            )
        })
        .collect()
    }

    /// The verification of all files but those in `except`, which have failed. Each file has every digest that a receipt names.
    pub fn verify_job(&self, run: &str, receipts: &[Receipt], except: &[FailedFile]) -> VerifyJob {
        let stored = stored_by_path(receipts);
        let except: std::collections::HashSet<&str> =
            except.iter().map(|failed| failed.path.as_str()).collect();
        let standing = self.files.iter().filter(|planned| {
            except.is_empty() || !except.contains(planned.file.path.to_string().as_str())
        });
        VerifyJob {
            version: protocol::VERSION,
            run: run.to_owned(),
            source: self.source.clone(),
            destination: self.destination.clone(),
            files: standing.map(|planned| expected(planned, &stored)).collect(),
            sample: SampleChoice::default(),
            options: self.options.clone(),
        }
    }

    /// The files that the destination had when it was compared, and that nothing of this plan writes.
    pub fn equal_when_compared(&self) -> impl Iterator<Item = &RepoPath> {
        let equal = self
            .files
            .iter()
            .filter(|planned| planned.stands() && planned.current.is_some());
        equal.map(|planned| &planned.file.path)
    }

    pub(super) fn changing(&self) -> impl Iterator<Item = &PlannedFile> {
        self.files
            .iter()
            .filter(|planned| planned.step != Step::Unchanged)
    }
}

impl PlannedFile {
    /// Whether a chunk of this plan moves the content.
    pub fn moves_here(&self) -> bool {
        self.step == Step::Stream && !self.left
    }

    /// Whether a chunk of this plan or of another moves the content, so that a receipt names the blob.
    fn moves(&self) -> bool {
        matches!(self.step, Step::Stream | Step::Shared)
    }
}

/// The contents that move, and the blob of each that was stored.
struct Sent(HashMap<ContentKey, Option<Sha256>>);

impl Sent {
    fn of(plan: &Plan, receipts: &[Receipt]) -> Self {
        let stored = stored_by_path(receipts);
        let sha256 =
            |planned: &PlannedFile| stored.get(&planned.file.path).map(|stored| stored.sha256);
        let moving = plan.files.iter().filter(|planned| planned.moves());
        Self(
            moving
                .map(|planned| (diff::content(&planned.file), sha256(planned)))
                .collect(),
        )
    }

    /// The blob of a file that is not inline. A duplicate of no moving content is at the destination already.
    fn blob(&self, planned: &PlannedFile) -> Option<Sha256> {
        self.0
            .get(&diff::content(&planned.file))
            .copied()
            .unwrap_or_else(|| planned.file.digest.sha256())
    }
}

fn stored_by_path(receipts: &[Receipt]) -> HashMap<&RepoPath, &Stored> {
    receipts
        .iter()
        .flat_map(|receipt| &receipt.files)
        .map(|stored| (&stored.path, stored))
        .collect()
}

fn commit_file(planned: &PlannedFile, sent: &Sent) -> Option<CommitFile> {
    let stored = match planned.step {
        Step::Inline => None,
        _ => Some(sent.blob(planned)?),
    };
    Some(CommitFile {
        file: planned.file.clone(),
        stored,
        current: planned.current,
        edit: planned.edit.clone(),
    })
}

fn failures<'a>(plan: &Plan, receipts: &'a [Receipt]) -> HashMap<ContentKey, &'a FailedFile> {
    let by_path: HashMap<&str, &FailedFile> = receipts
        .iter()
        .flat_map(|receipt| &receipt.failed)
        .map(|failed| (failed.path.as_str(), failed))
        .collect();
    if by_path.is_empty() {
        return HashMap::new();
    }
    let moving = plan.files.iter().filter(|planned| planned.moves());
    let failure =
        |planned: &PlannedFile| by_path.get(planned.file.path.to_string().as_str()).copied();
    moving
        .filter_map(|planned| Some((diff::content(&planned.file), failure(planned)?)))
        .collect()
}

fn failed(planned: &PlannedFile, cause: Option<&FailedFile>) -> FailedFile {
    let path = planned.file.path.to_string();
    match cause {
        _ if planned.left => FailedFile::new(path, FailedFile::LEFT_BY_TRANSFER, Kind::Transient),
        Some(cause) if cause.path == path => cause.clone(),
        Some(cause) => FailedFile {
            path,
            error: format!("same content as {}: {}", cause.path, cause.error),
            ..*cause
        },
        None => FailedFile::new(path, "it was not reached", Kind::Transient),
    }
}

/// The file that the destination must hold, by every known digest: the source's, a receipt's, that of the equal existing file, or
/// those after the edit.
fn expected(planned: &PlannedFile, stored: &HashMap<&RepoPath, &Stored>) -> VerifyFile {
    let file = &planned.file;
    if let Some(edit) = &planned.edit {
        let file = File {
            size: edit.size,
            digest: Digest::Sha256(edit.sha256),
            ..file.clone()
        };
        return VerifyFile {
            file,
            also: Some(Digest::GitSha1(edit.git_sha1)),
            sent: false,
        };
    }
    let standing = planned
        .current
        .filter(|_| planned.step == Step::Unchanged)
        .map(|current| current.digest);
    let receipt = stored.get(&file.path);
    let is_stored = |stored: &&&Stored| !matches!(stored.how, How::Inline | How::Unchanged);
    let sent = receipt.filter(is_stored).is_some()
        || matches!(planned.step, Step::Stream | Step::Duplicate | Step::Shared);
    let told = receipt
        .map(|stored| Digest::Sha256(stored.sha256))
        .into_iter();
    let told = told
        .chain(
            receipt
                .and_then(|stored| stored.git_sha1)
                .map(Digest::GitSha1),
        )
        .chain(standing);
    let sha256 = |digest: &Digest| digest.sha256().is_some();
    let also = told
        .into_iter()
        .find(|digest| sha256(digest) != sha256(&file.digest));
    VerifyFile {
        file: file.clone(),
        also,
        sent,
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{listed, plan, there};
    use super::*;

    fn three() -> Plan {
        let source = vec![
            listed("a.bin", b"one", true),
            listed("copy.bin", b"one", true),
            listed("note.txt", b"hi", false),
            listed("small.bin", b"git", false),
            listed("there.bin", b"moved", true),
        ];
        plan(source, vec![there("old.bin", b"moved", true)], None)
    }

    fn receipt(paths: &[(&str, &[u8])]) -> Receipt {
        let stored = |(path, content): &(&str, &[u8])| Stored {
            path: path.parse().unwrap(),
            sha256: Sha256::of(content),
            git_sha1: None,
            size: content.len() as u64,
            how: How::Streamed,
        };
        Receipt {
            files: paths.iter().map(stored).collect(),
            ..Receipt::default()
        }
    }

    #[test]
    fn chunks_hold_one_file_a_distinct_blob() {
        let plan = three();
        let paths: Vec<String> = (0..2)
            .filter_map(|number| plan.chunk("r", number))
            .flat_map(|chunk| chunk.files)
            .map(|file| file.path.to_string())
            .collect();
        assert_eq!(paths.len(), 2);
        assert!(paths.contains(&"a.bin".to_owned()) && paths.contains(&"small.bin".to_owned()));
        assert!(plan.chunk("r", 99).is_none());
    }

    #[test]
    fn the_commit_names_blobs_by_receipt_and_leaves_inline_files_to_be_read() {
        let job = three().change(&[receipt(&[("a.bin", b"one"), ("small.bin", b"git")])]);
        let stored: Vec<_> = job
            .files
            .iter()
            .map(|file| (file.file.path.as_str(), file.stored))
            .collect();
        assert_eq!(
            stored,
            [
                ("a.bin", Some(Sha256::of(b"one"))),
                ("copy.bin", Some(Sha256::of(b"one"))),
                ("note.txt", None),
                ("small.bin", Some(Sha256::of(b"git"))),
                ("there.bin", Some(Sha256::of(b"moved"))),
            ]
        );
    }

    #[test]
    fn a_blob_that_did_not_arrive_costs_its_files_only() {
        let plan = three();
        let mut receipt = receipt(&[("small.bin", b"git")]);
        receipt
            .failed
            .push(FailedFile::new("a.bin", "gone", Kind::NotFound));
        let receipts = [receipt];
        let committed: Vec<_> = plan
            .change(&receipts)
            .files
            .iter()
            .map(|file| file.file.path.to_string())
            .collect();
        assert_eq!(committed, ["note.txt", "small.bin", "there.bin"]);
        let unsent = plan.unsent(&receipts);
        assert_eq!(
            unsent
                .iter()
                .map(|failed| failed.error.as_str())
                .collect::<Vec<_>>(),
            ["gone", "same content as a.bin: gone"]
        );
        assert_eq!(plan.verify_job("r", &receipts, &unsent).files.len(), 3);
    }

    #[test]
    fn a_verification_knows_the_digest_of_an_equal_file_that_stands_there() {
        let mut plan = plan(
            vec![listed("a", b"1", false), listed("b", b"1", false)],
            vec![there("a", b"1", false), there("b", b"2", false)],
            None,
        );
        plan.files[0].step = Step::Unchanged;
        let also: Vec<_> = plan.verify_job("r", &[], &[]).files;
        let also: Vec<_> = also.iter().map(|file| file.also).collect();
        assert_eq!(also, [Some(Digest::Sha256(Sha256::of(b"1"))), None]);
    }

    #[test]
    fn a_verification_knows_what_receipts_tell() {
        let job = three().verify_job("r", &[receipt(&[("small.bin", b"git")])], &[]);
        let small = job
            .files
            .iter()
            .find(|file| file.file.path.as_str() == "small.bin")
            .unwrap();
        assert_eq!(small.also, Some(Digest::Sha256(Sha256::of(b"git"))));
        let note = job
            .files
            .iter()
            .find(|file| file.file.path.as_str() == "note.txt")
            .unwrap();
        assert!(
            note.file.digest.sha256().is_none() && note.also.is_none(),
            "the worker reads and hashes it"
        );
    }

    #[test]
    fn a_file_that_is_written_was_not_equal_when_compared() {
        let source = vec![listed("new", b"2", true), listed("same", b"1", true)];
        let before = vec![there("new", b"1", true), there("same", b"1", true)];
        let plan = plan(source, before, None);
        let equal: Vec<_> = plan.equal_when_compared().collect();
        assert_eq!(equal, [&"same".parse().unwrap()]);
    }

    #[test]
    fn what_moves_or_was_stored_as_a_blob_counts_as_sent() {
        let files = vec![listed("a.txt", b"a", false), listed("w.bin", b"1", true)];
        let plan = plan(files, vec![], None);
        for (how, is_sent) in [
            (How::Inline, false),
            (How::Unchanged, false),
            (How::Streamed, true),
        ] {
            let mut receipt = receipt(&[("a.txt", b"a")]);
            receipt.files[0].how = how;
            let files = plan.verify_job("r", &[receipt], &[]).files;
            let sent: Vec<bool> = files.iter().map(|file| file.sent).collect();
            assert_eq!(sent, [is_sent, true], "{how:?}");
        }
    }
}
