//! Contents that the destination lists and has lost: they move again, and the commit has nothing to change for them.

use std::collections::HashSet;

use hf2ms_hub::{Blob, Listing, RepoPath, Sha256};

use super::{Plan, PlannedFile, Step, diff};

impl PlannedFile {
    /// The file as a blob, if its hub tells its SHA-256.
    pub fn blob(&self) -> Option<Blob> {
        Some(Blob {
            sha256: self.file.digest.sha256()?,
            size: self.file.size,
        })
    }

    /// Whether the destination lists the file as it is to be, so that no commit has to change it.
    pub(super) fn stands(&self) -> bool {
        let is_same = || Some(self.current?.is_blob(self.blob()?));
        match self.step {
            Step::Unchanged => true,
            Step::Stream | Step::Shared => self.edit.is_none() && is_same() == Some(true),
            Step::Duplicate | Step::Inline => false,
        }
    }
}

impl Plan {
    /// The files that the destination lists as they are to be and has stored as blobs.
    pub fn standing_blobs(&self, destination: &Listing) -> Vec<(&RepoPath, Blob)> {
        let there = diff::by_path(destination);
        let is_stored = |planned: &&PlannedFile| {
            let listed = there.get(&planned.file.path);
            planned.step == Step::Unchanged && listed.is_some_and(|listed| listed.lfs)
        };
        let standing = self.files.iter().filter(is_stored);
        let blob = |planned: &PlannedFile| {
            let blob = planned.blob()?;
            planned.current.filter(|current| current.is_blob(blob))?;
            Some(blob)
        };
        standing
            .filter_map(|planned| Some((&planned.file.path, blob(planned)?)))
            .collect()
    }

    /// Moves these contents again, each once, though the destination lists them.
    pub fn move_again(&mut self, lost: &HashSet<Sha256>) {
        let mut left = lost.clone();
        let mut files = 0_u64;
        for planned in &mut self.files {
            let Some(blob) = planned.blob().filter(|blob| lost.contains(&blob.sha256)) else {
                continue;
            };
            if planned.step != Step::Unchanged {
                continue;
            }
            files += 1;
            if left.remove(&blob.sha256) {
                planned.step = Step::Stream;
            }
        }
        if files > 0 {
            self.warnings.push(format!(
                "contents that the destination lists are missing there (files: {files}): what it lacks of them is sent again"
            ));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{listed, listing, plan, there};
    use super::*;

    /// Two files of one content, another, and one that is no blob, all of which the destination has.
    fn standing() -> (Plan, Listing) {
        let files = || {
            vec![
                listed("a.bin", b"1", true),
                listed("b.bin", b"1", true),
                listed("c.bin", b"2", true),
            ]
        };
        let current: Vec<_> = ["a.bin", "b.bin", "c.bin"]
            .into_iter()
            .zip([b"1", b"1", b"2"])
            .map(|(path, content)| there(path, content, true))
            .chain([there("d.txt", b"3", false)])
            .collect();
        let mut source = files();
        source.push(there("d.txt", b"3", false));
        (plan(source, current.clone(), None), listing(current))
    }

    #[test]
    fn a_lost_content_moves_once_and_no_commit_changes_its_files() {
        let (mut plan, current) = standing();
        let blobs = plan.standing_blobs(&current);
        let paths: Vec<_> = blobs.iter().map(|(path, _)| path.as_str()).collect();
        assert_eq!(paths, ["a.bin", "b.bin", "c.bin"], "d.txt is in a commit");
        assert!(plan.is_done());
        plan.move_again(&HashSet::from([Sha256::of(b"1"), Sha256::of(b"other")]));
        let steps: Vec<_> = plan.files.iter().map(|planned| planned.step).collect();
        let unchanged = Step::Unchanged;
        assert_eq!(steps, [Step::Stream, unchanged, unchanged, unchanged]);
        assert!(!plan.is_done() && plan.warnings.len() == 1);
        assert_eq!(plan.unsent(&[]).len(), 1, "nothing of it was stored");
        assert!(plan.change(&[]).is_empty());
        assert_eq!(plan.equal_when_compared().count(), 4);
    }

    #[test]
    fn what_nobody_lists_is_not_moved_again() {
        let (mut plan, _) = standing();
        plan.move_again(&HashSet::from([Sha256::of(b"other")]));
        assert!(plan.is_done() && plan.warnings.is_empty());
    }
}
