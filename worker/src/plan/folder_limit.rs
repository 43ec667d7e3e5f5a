//! Folders with more entries than a hub lists: a copy that can't be listed can't be verified, and is refused before it begins.

use std::collections::{HashMap, HashSet};

use hf2ms_hub::path::escape;
use hf2ms_hub::{Error, Kind, Result};

use super::Plan;

impl Plan {
    /// Refuses a plan after which the destination could not be listed.
    ///
    /// # Errors
    /// [`Kind::Denied`], naming the folder.
    pub fn check_folder_limit(&self, folder_entries: Option<usize>) -> Result<()> {
        let Some((folder, count)) = folder_entries.and_then(|most| self.folder_wider_than(most))
        else {
            return Ok(());
        };
        let folder = if folder.is_empty() {
            "the top folder".to_owned()
        } else {
            format!("the folder {}", escape(folder))
        };
        let (hub, kind) = (self.destination.hub, self.destination.kind);
        Err(Error::new(
            Kind::Denied,
            format!(
                "{folder} has {count} entries, more than {hub} can list in a {kind}, so the copy could not be verified: copy it as a dataset"
            ),
        ))
    }

    /// The first folder with more than `most` direct entries, and how many it has.
    fn folder_wider_than(&self, most: usize) -> Option<(&str, usize)> {
        let mut entries: HashMap<&str, usize> = HashMap::new();
        let mut seen: HashSet<&str> = HashSet::new();
        for planned in &self.files {
            let mut path = planned.file.path.as_str();
            loop {
                let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
                *entries.entry(folder).or_default() += 1;
                if folder.is_empty() || !seen.insert(folder) {
                    break;
                }
                path = folder;
            }
        }
        entries.into_iter().filter(|(_, count)| *count > most).min()
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{listed, plan};
    use super::{Kind, Plan};

    fn plan_of(paths: &[&str]) -> Plan {
        plan(
            paths.iter().map(|path| listed(path, b"x", false)).collect(),
            Vec::new(),
            None,
        )
    }

    #[test]
    fn files_and_folders_are_counted_where_they_stand() {
        let plan = plan_of(&["a/x", "a/y", "a/b/z", "a/b/w", "c/d/e", "top"]);
        assert_eq!(plan.folder_wider_than(2), Some(("", 3)));
        assert_eq!(plan.folder_wider_than(3), None);
        let plan = plan_of(&["a/x", "a/y", "a/b/z", "a/b/w"]);
        assert_eq!(plan.folder_wider_than(2), Some(("a", 3)));
        assert_eq!(plan_of(&["a/b/c"]).folder_wider_than(0), Some(("", 1)));
    }

    #[test]
    fn a_folder_that_the_hub_could_not_list_is_named() {
        let said = |paths: &[&str], most| {
            let error = plan_of(paths).check_folder_limit(most).unwrap_err();
            assert_eq!(error.kind(), Kind::Denied);
            error.to_string()
        };
        assert!(said(&["x", "y", "z"], Some(2)).starts_with("the top folder has 3 entries, more"));
        let inside = ["a/x", "a/y", "a/z"];
        assert!(said(&inside, Some(2)).starts_with("the folder a has 3 entries, more"));
        for most in [None, Some(3)] {
            assert!(plan_of(&inside).check_folder_limit(most).is_ok());
        }
    }
}
