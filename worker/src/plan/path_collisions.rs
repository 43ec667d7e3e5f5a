//! Paths that differ only in case or in Unicode form. They are valid and copied byte for byte, but a checkout on a system that
//! folds such names loses files.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};

use hf2ms_hub::RepoPath;
use unicode_normalization::UnicodeNormalization;

use super::PlannedFile;

/// More pairs than this are counted, not named.
const NAMED: usize = 10;

/// One warning a pair of paths that some systems take for the same.
pub(super) fn warnings(files: &[PlannedFile]) -> Vec<String> {
    let pairs = pairs(files);
    let named = pairs.iter().take(NAMED).map(|(first, second)| {
        format!("{first} and {second} differ only in case or Unicode form: both are copied byte for byte, but some systems can't hold both")
    });
    let rest = pairs.len().saturating_sub(NAMED);
    let more = (rest > 0)
        .then(|| format!("{rest} more paths differ from another only in case or Unicode form"));
    named.chain(more).collect()
}

/// Hashes stand in for the folded paths: a million of those would take much memory for nothing.
fn pairs(files: &[PlannedFile]) -> Vec<(&RepoPath, &RepoPath)> {
    let state = RandomState::new();
    let mut seen: HashMap<u64, &RepoPath> = HashMap::with_capacity(files.len());
    let mut pairs = Vec::new();
    for path in files.iter().map(|planned| &planned.file.path) {
        let folded = fold(path);
        let first = *seen.entry(state.hash_one(&folded)).or_insert(path);
        if first != path && fold(first) == folded {
            pairs.push((first, path));
        }
    }
    pairs
}

fn fold(path: &RepoPath) -> String {
    let text = path.as_str();
    if text.is_ascii() {
        text.to_ascii_lowercase()
    } else {
        text.nfc().flat_map(char::to_lowercase).nfc().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::Plan;
    use super::super::tests::{listed, plan};

    fn planned(paths: &[&str]) -> Plan {
        plan(
            paths.iter().map(|path| listed(path, b"x", false)).collect(),
            vec![],
            None,
        )
    }

    #[test]
    fn paths_that_fold_together_are_named_and_kept() {
        let plan = planned(&["a/Readme", "a/readme", "caf\u{e9}", "cafe\u{301}", "other"]);
        assert_eq!((plan.files.len(), plan.warnings.len()), (5, 2));
        assert!(plan.warnings[0].starts_with("a/Readme and a/readme differ only in case"));
    }

    #[test]
    fn many_are_counted() {
        let paths: Vec<String> = (0..50)
            .flat_map(|i| [format!("f{i}"), format!("F{i}")])
            .collect();
        let plan = planned(&paths.iter().map(String::as_str).collect::<Vec<_>>());
        assert_eq!(plan.warnings.len(), 11);
        assert!(plan.warnings[10].starts_with("40 more"));
    }

    #[test]
    fn different_paths_are_not_warned_about() {
        assert!(planned(&["a", "b", "a.b", "a/b"][..3]).warnings.is_empty());
    }
}
