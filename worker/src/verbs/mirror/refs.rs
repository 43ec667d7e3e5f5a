//! The refs that change, by comparison of both sides. Pure.

use std::collections::HashMap;

use hf2ms_hub::Revision;
use hf2ms_hub::git::Advertisement;

use crate::protocol::{RefAt, RefScope, RefUpdate};

/// The branch that stands for the repo where only one can be named: `HEAD`'s, else the first.
pub(super) fn main_branch(refs: &Advertisement) -> Option<Revision> {
    let first = || {
        refs.all
            .iter()
            .find_map(|found| found.name.strip_prefix("refs/heads/"))
    };
    refs.head().or_else(first)?.parse().ok()
}

/// The refs that are to change, the source's first, then those that only the destination has and that go: a mirror of all refs
/// has none but the source's.
pub fn updates(here: &[RefAt], there: &[RefAt], scope: RefScope) -> Vec<RefUpdate> {
    let standing: HashMap<&str, &str> = there
        .iter()
        .map(|found| (found.name.as_str(), found.oid.as_str()))
        .collect();
    let wanted: HashMap<&str, &str> = here
        .iter()
        .map(|found| (found.name.as_str(), found.oid.as_str()))
        .collect();
    let changing = here
        .iter()
        .filter(|found| standing.get(found.name.as_str()) != Some(&found.oid.as_str()));
    let written = changing.map(|found| RefUpdate {
        name: found.name.clone(),
        old: standing
            .get(found.name.as_str())
            .map(|oid| (*oid).to_owned()),
        new: Some(found.oid.clone()),
    });
    let gone = there
        .iter()
        .filter(|found| scope == RefScope::All && !wanted.contains_key(found.name.as_str()));
    written
        .chain(gone.map(|found| RefUpdate {
            name: found.name.clone(),
            old: Some(found.oid.clone()),
            new: None,
        }))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refs(pairs: &[(&str, &str)]) -> Vec<RefAt> {
        pairs
            .iter()
            .map(|(name, oid)| RefAt {
                name: (*name).to_owned(),
                oid: (*oid).to_owned(),
            })
            .collect()
    }

    #[test]
    fn only_what_differs_changes_and_only_a_mirror_deletes() {
        let here = refs(&[
            ("refs/heads/a", "1"),
            ("refs/heads/b", "2"),
            ("refs/tags/t", "3"),
        ]);
        let there = refs(&[
            ("refs/heads/a", "1"),
            ("refs/heads/b", "9"),
            ("refs/heads/x", "8"),
        ]);
        let changes = |scope| -> Vec<(String, Option<String>, Option<String>)> {
            updates(&here, &there, scope)
                .into_iter()
                .map(|update| (update.name, update.old, update.new))
                .collect()
        };
        let some = |oid: &str| Some(oid.to_owned());
        let written = vec![
            ("refs/heads/b".to_owned(), some("9"), some("2")),
            ("refs/tags/t".to_owned(), None, some("3")),
        ];
        assert_eq!(changes(RefScope::Branches), written);
        assert_eq!(
            changes(RefScope::All),
            [written, vec![("refs/heads/x".to_owned(), some("8"), None)]].concat()
        );
        assert!(updates(&here, &here, RefScope::All).is_empty());
    }
}
