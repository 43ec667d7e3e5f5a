//! A plan and a later listing of its destination. What the plan saw there stays what it saw: the commit compares it with what it wants
//! and with what it finds. Only what a hub itself puts into a new repo counts as seen.

use std::collections::HashMap;

use hf2ms_hub::{Listed, Listing, RepoPath};

use super::{Plan, PlannedFile, Step, WithheldDeletions, diff, prune};
use crate::protocol::ExistingFile;

/// Files that hubs put into a new repo, in any folder's root and in any case: those that a mirror's target may hold and still counts
/// as empty.
const OF_A_NEW_REPO: [&str; 4] = [
    "readme.md",
    "license",
    ".gitattributes",
    "configuration.json",
];

impl Plan {
    /// The destination was created for the plan, and this is what its hub put there.
    pub fn adopt_new(&mut self, destination: &Listing) {
        self.see(destination, |_| true);
        self.parent = destination.commit.clone();
        self.creation.exists = true;
    }

    /// Compares the plan with a later listing of the destination. Deletions of files that were rewritten since the plan was made are
    /// withheld. A repo that was created since then may hold what its hub put there, which counts as seen unless others wrote
    /// there, too. Where something else stands than the plan saw, the plan has no parent: the commit lists the branch and compares.
    pub fn rebase_on(&mut self, destination: &Listing) {
        let there = diff::by_path(destination);
        let (delete, rewritten) = prune::still_as_planned(std::mem::take(&mut self.delete), &there);
        self.delete = delete;
        self.withheld
            .extend(WithheldDeletions::rewritten(rewritten));
        if !self.creation.exists && self.is_untouched(&there) {
            self.see(destination, is_of_a_new_repo);
        }
        let is_as_seen = |planned: &PlannedFile| {
            let now = there.get(&planned.file.path);
            planned.current == now.map(|listed| ExistingFile::of(&listed.file))
        };
        let is_as_seen = self.changing().all(is_as_seen);
        self.parent = destination.commit.clone().filter(|_| is_as_seen);
    }

    /// Counts what stands at such paths as seen by the plan.
    fn see(&mut self, destination: &Listing, is_such: impl Fn(&RepoPath) -> bool) {
        let there = diff::by_path(destination);
        let files = self.files.iter_mut();
        for planned in
            files.filter(|planned| planned.step != Step::Unchanged && is_such(&planned.file.path))
        {
            planned.current = there
                .get(&planned.file.path)
                .map(|listed| ExistingFile::of(&listed.file));
        }
    }

    /// Whether a repo holds nothing but what its hub puts into a new one, and what may be from this plan: an earlier worker of it.
    fn is_untouched(&self, there: &HashMap<&RepoPath, &Listed>) -> bool {
        let wanted: HashMap<_, _> = self
            .files
            .iter()
            .map(|planned| (&planned.file.path, &planned.file))
            .collect();
        there.iter().all(|(path, listed)| {
            let may_be_ours = wanted.get(path).is_some_and(|file| {
                let of_one_kind =
                    file.digest.sha256().is_some() == listed.file.digest.sha256().is_some();
                file.size == listed.file.size && (file.digest == listed.file.digest || !of_one_kind)
            });
            is_of_a_new_repo(path) || may_be_ours
        })
    }
}

fn is_of_a_new_repo(path: &RepoPath) -> bool {
    OF_A_NEW_REPO.contains(&path.as_str().to_ascii_lowercase().as_str())
}

#[cfg(test)]
mod tests {
    use super::super::tests::{listed, listing, plan, there};
    use super::*;

    fn fresh() -> Plan {
        let mut fresh = plan(
            vec![
                listed("README.md", b"mine", false),
                listed("a.txt", b"a", false),
            ],
            vec![],
            None,
        );
        fresh.creation.exists = false;
        fresh
    }

    fn seen(plan: &Plan) -> Vec<bool> {
        let seen = |planned: &PlannedFile| planned.current.is_some();
        plan.files.iter().map(seen).collect()
    }

    #[test]
    fn what_a_hub_puts_into_a_new_repo_counts_as_seen() {
        let hub_made = || {
            listing(vec![
                there("README.md", b"theirs", false),
                there("configuration.json", b"{}", false),
            ])
        };
        let mut created = fresh();
        created.adopt_new(&hub_made());
        assert!(created.files[0].current.unwrap().is(b"theirs"));
        assert!(created.delete.is_empty() && created.creation.exists);
        let mut found = fresh();
        found.rebase_on(&hub_made());
        assert_eq!(seen(&found), [true, false]);
    }

    #[test]
    fn what_others_wrote_into_a_new_repo_does_not() {
        let mut adopted = fresh();
        adopted.rebase_on(&listing(vec![
            there("README.md", b"theirs", false),
            there("theirs.txt", b"x", false),
        ]));
        assert_eq!(seen(&adopted), [false, false]);
        let mut ours = fresh();
        ours.rebase_on(&listing(vec![
            there("README.md", b"the hub's", false),
            there("a.txt", b"a", false),
        ]));
        assert_eq!(
            seen(&ours),
            [true, false],
            "an earlier worker of ours may have written a.txt"
        );
    }

    #[test]
    fn a_file_of_another_size_or_of_another_digest_of_its_kind_is_not_ours() {
        for (standing, is_ours) in [
            (there("a.txt", b"a", false), true),
            (there("a.txt", b"longer", false), false),
            (listed("a.txt", b"a", false), true),
            (listed("a.txt", b"b", false), false),
        ] {
            let mut found = fresh();
            let hub_made = there("README.md", b"the hub's", false);
            found.rebase_on(&listing(vec![hub_made, standing]));
            assert_eq!(seen(&found), [is_ours, false]);
        }
    }

    #[test]
    fn a_branch_that_holds_something_else_than_was_seen_has_to_be_listed_before_a_commit() {
        for (now, known) in [(&b"old"[..], true), (b"new", false)] {
            let mut plan = plan(
                vec![listed("a.txt", b"a", false)],
                vec![there("a.txt", b"old", false)],
                None,
            );
            let commit = "c".repeat(40).parse().ok();
            let later = Listing {
                commit,
                ..listing(vec![there("a.txt", now, false)])
            };
            plan.rebase_on(&later);
            assert_eq!(plan.parent.is_some(), known);
            assert!(plan.files[0].current.unwrap().is(b"old"));
        }
    }
}
