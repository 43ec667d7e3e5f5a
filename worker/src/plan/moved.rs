//! Changes of a source during the copy. A source whose hub tells no commit is read by the name of a branch. So its listing at the
//! end is compared with the plan.

use std::collections::HashMap;

use hf2ms_hub::{File, Listing, RepoPath};

use super::Plan;

impl Plan {
    /// Whether the source is read at a commit, so that later changes of its branch do not matter.
    pub fn is_pinned(&self) -> bool {
        let commit = self.source.revision.as_str();
        commit.len() >= 40 && commit.bytes().all(|byte| byte.is_ascii_hexdigit())
    }

    /// Files that the source has changed, removed or added since it was planned, each with the word for it. Where filters
    /// may have left files out, none counts as added.
    pub fn source_changes(&self, now: &Listing) -> Vec<(RepoPath, &'static str)> {
        let mut there: HashMap<&RepoPath, &File> = now
            .files
            .iter()
            .map(|listed| (&listed.file.path, &listed.file))
            .collect();
        let mut moved = Vec::new();
        for file in self.files.iter().map(|planned| &planned.file) {
            match there.remove(&file.path) {
                None => moved.push((file.path.clone(), "removed")),
                Some(found) if found != file => moved.push((file.path.clone(), "changed")),
                Some(_) => (),
            }
        }
        if !self.part {
            let mut added: Vec<_> = there.into_keys().cloned().collect();
            added.sort_unstable();
            moved.extend(added.into_iter().map(|path| (path, "added")));
        }
        moved
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{listing, plan, there};

    #[test]
    fn a_second_listing_shows_what_the_source_did() {
        let before = || {
            vec![
                there("a", b"1", false),
                there("b", b"2", true),
                there("c", b"3", false),
            ]
        };
        let mut plan = plan(before(), vec![there("b", b"2", true)], None);
        assert!(plan.source_changes(&listing(before())).is_empty());
        let now = listing(vec![
            there("c", b"3", false),
            there("b", b"other", true),
            there("z", b"4", false),
            there("y", b"4", false),
        ]);
        let moved = |plan: &crate::plan::Plan| -> Vec<String> {
            plan.source_changes(&now)
                .iter()
                .map(|(path, word)| format!("{path} {word}"))
                .collect()
        };
        assert_eq!(
            moved(&plan),
            ["a removed", "b changed", "y added", "z added"]
        );
        plan.part = true;
        assert_eq!(
            moved(&plan),
            ["a removed", "b changed"],
            "what a filter left out may have been there"
        );
    }

    #[test]
    fn a_plan_by_name_is_only_for_hubs_that_tell_no_commit() {
        let mut plan = plan(vec![there("a", b"1", false)], vec![], None);
        assert!(plan.is_pinned());
        plan.source.revision = plan.asked.clone();
        assert!(!plan.is_pinned() && plan.check().is_err());
        for name in ["abc", &"g".repeat(40)] {
            plan.source.revision = name.parse().unwrap();
            assert!(!plan.is_pinned(), "{name}");
        }
        plan.source.revision = plan.asked.clone();
        plan.source.hub = hf2ms_hub::Hub::ModelScope;
        assert_eq!(plan.check(), Ok(()));
    }
}
