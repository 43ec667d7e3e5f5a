//! The entries of listings, gathered: each path once, byte for byte, in the order of arrival. An entry
//! that can't be used costs only itself.

use std::collections::HashSet;

use serde_json::Value;

use super::wire::Entry;
use crate::path::escape;
use crate::{
    Digest, Error, File, FileTimes, Kind, Listed, Listing, Refused, RepoPath, Result, Sha256,
};

/// What the listings of a repo have told so far.
#[derive(Default)]
pub(super) struct RepoEntries {
    seen: HashSet<String>,
    listing: Listing,
    /// Files whose digest is not told: theirs stands for none yet.
    unhashed: Vec<Listed>,
    /// The first digits of the commit, once an answer has come; none where answers differ or do not tell them.
    commit_prefix: Option<Option<String>>,
    /// When the files were changed last, where that is gathered.
    times: Option<FileTimes>,
}

impl RepoEntries {
    /// Takes the first digits of the commit that an answer lists. Answers that differ are of different commits.
    pub(super) fn take_prefix(&mut self, prefix: Option<String>) {
        let same = self
            .commit_prefix
            .take()
            .is_none_or(|known| known == prefix);
        self.commit_prefix = Some(prefix.filter(|_| same));
    }

    /// Entries of which the times are gathered, too.
    pub(super) fn with_times() -> Self {
        Self {
            times: Some(FileTimes::new()),
            ..Self::default()
        }
    }

    /// When the files were changed last, where that was gathered and told.
    pub(super) fn into_times(self) -> FileTimes {
        self.times.unwrap_or_default()
    }

    /// Takes the entries that were listed below `root` (empty: the top); returns the folders among them.
    ///
    /// # Errors
    /// [`Kind::Refused`] when an entry does not stand below `root`: then paths are not what they seem.
    pub(super) fn add(&mut self, root: &str, entries: Vec<Value>) -> Result<Vec<String>> {
        let mut folders = Vec::new();
        for entry in entries {
            match read(entry) {
                Ok(entry) if !stands_below(root, &entry.path) => {
                    return Err(astray(root, &entry.path));
                }
                Ok(entry) => folders.extend(self.take(entry).filter(|folder| folder != root)),
                Err(refused) => self.refuse(refused),
            }
        }
        Ok(folders)
    }

    /// Takes a page; returns whether it was full, so that another follows.
    ///
    /// # Errors
    /// [`Kind::Refused`] for a full page that holds nothing new: it would never end.
    pub(super) fn add_page(&mut self, entries: Vec<Value>, full: usize) -> Result<bool> {
        let (is_full, before) = (entries.len() >= full, self.seen.len());
        self.add("", entries)?;
        if is_full && self.seen.len() == before {
            return Err(Error::new(
                Kind::Refused,
                "the pages of the file tree repeat themselves",
            ));
        }
        Ok(is_full)
    }

    /// Whether there are fewer entries than the hub counts.
    pub(super) fn lacks(&self, total: Option<u64>) -> bool {
        total.is_some_and(|total| (self.seen.len() as u64) < total)
    }

    /// Checks that there are as many entries as the hub counts.
    ///
    /// # Errors
    /// [`Kind::Refused`] when there are fewer.
    pub(super) fn holds(&self, total: Option<u64>) -> Result<()> {
        match total.filter(|_| self.lacks(total)) {
            Some(total) => {
                let listed = self.seen.len();
                let message = format!(
                    "the hub counts {total} entries and lists {listed}: the listing is not whole, and nothing is copied or deleted by it"
                );
                Err(Error::new(Kind::Refused, message))
            }
            None => Ok(()),
        }
    }

    /// How many files there are, with those that can't be copied.
    pub(super) fn file_count(&self) -> u64 {
        self.listing.entries() + self.unhashed.len() as u64
    }

    /// What was gathered, and the files that are still to be hashed.
    pub(super) fn into_parts(self) -> (Listing, Vec<Listed>) {
        let listing = Listing {
            commit_prefix: self.commit_prefix.flatten(),
            ..self.listing
        };
        (listing, self.unhashed)
    }

    /// Takes one entry; returns its path if it is a folder that may be looked into.
    fn take(&mut self, entry: Entry) -> Option<String> {
        if entry.is_folder() && entry.path.parse::<RepoPath>().is_ok() {
            self.seen.insert(entry.path.clone());
            return Some(entry.path);
        }
        if self.seen.contains(&entry.path) {
            return None;
        }
        match file(&entry) {
            Ok((listed, told)) => {
                if let (Some(times), Some(time)) = (&mut self.times, entry.committed_date) {
                    times.insert(listed.file.path.clone(), time);
                }
                self.seen.insert(entry.path);
                if told {
                    &mut self.listing.files
                } else {
                    &mut self.unhashed
                }
                .push(listed);
            }
            Err(reason) => self.refuse(Refused {
                path: entry.path,
                reason,
            }),
        }
        None
    }

    fn refuse(&mut self, refused: Refused) {
        if self.seen.insert(refused.path.clone()) {
            self.listing.refused.push(Refused {
                path: escape(&refused.path),
                reason: refused.reason,
            });
        }
    }
}

fn read(entry: Value) -> std::result::Result<Entry, Refused> {
    let path = ["Path", "path", "Name"]
        .iter()
        .find_map(|key| entry.get(*key)?.as_str())
        .unwrap_or("(an entry without a path)")
        .to_owned();
    serde_json::from_value(entry).map_err(|error| Refused {
        path,
        reason: format!("the hub lists it in an unknown form: {error}"),
    })
}

/// A file and whether its digest is told, or why it can't be taken.
fn file(entry: &Entry) -> std::result::Result<(Listed, bool), String> {
    match entry.r#type.as_deref() {
        None | Some("blob") => {}
        Some("tree") => return Err("it is a folder that can't be looked into".to_owned()),
        Some(other) => {
            return Err(format!(
                "it is neither file nor folder but '{}'",
                escape(other)
            ));
        }
    }
    let path: RepoPath = entry
        .path
        .parse()
        .map_err(|error: crate::path::BadPath| error.to_string())?;
    let size = entry
        .size
        .and_then(|size| u64::try_from(size).ok())
        .ok_or("the hub lists no size for it")?;
    let told = entry.sha256.as_deref().filter(|digest| !digest.is_empty());
    let sha256 = match told {
        Some(told) => told
            .parse()
            .map_err(|_| "the hub lists no proper SHA-256 for it")?,
        None => Sha256::of(b""),
    };
    let file = File {
        path,
        size,
        digest: Digest::Sha256(sha256),
    };
    Ok((
        Listed {
            file,
            lfs: entry.is_lfs.unwrap_or(false),
        },
        told.is_some() || size == 0,
    ))
}

fn stands_below(root: &str, path: &str) -> bool {
    root.is_empty()
        || path
            .strip_prefix(root)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn astray(root: &str, path: &str) -> Error {
    Error::new(
        Kind::Refused,
        format!(
            "the hub lists {} inside the folder {}",
            escape(path),
            escape(root)
        ),
    )
}

#[cfg(test)]
mod tests {
    use proptest::collection::{btree_map, btree_set, vec};
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn blob(path: &str) -> Value {
        json!({"Path": path, "Type": "blob", "Size": 1, "Sha256": "ab".repeat(32), "IsLFS": true})
    }

    fn listing(entries: Vec<Value>) -> Listing {
        let mut tree = RepoEntries::default();
        tree.add("", entries).unwrap();
        tree.into_parts().0
    }

    #[test]
    fn files_are_read_with_size_digest_and_place() {
        let listing = listing(vec![
            blob("a b/ü.bin"),
            json!({"Path": "a b", "Type": "tree", "Size": -1, "Sha256": null}),
        ]);
        let [listed] = &listing.files[..] else {
            panic!("{listing:?}")
        };
        assert!(listed.lfs && listed.file.size == 1 && listed.file.path.as_str() == "a b/ü.bin");
        assert!(listing.refused.is_empty(), "folders are no files");
    }

    #[test]
    fn paths_that_differ_in_case_or_unicode_form_are_all_kept() {
        let paths = ["A.txt", "a.txt", "é", "e\u{301}"];
        let listing = listing(paths.iter().map(|path| blob(path)).collect());
        assert_eq!(
            listing
                .files
                .iter()
                .map(|listed| listed.file.path.as_str())
                .collect::<Vec<_>>(),
            paths
        );
    }

    #[test]
    fn an_entry_that_cannot_be_used_costs_only_itself() {
        let odd = vec![
            blob("../evil"),
            blob("x/\u{1b}[2J/../y"),
            json!({"Path": "bad-digest", "Size": 1, "Sha256": "xyz"}),
            json!({"Path": "no-size", "Sha256": "ab".repeat(32)}),
            json!({"Path": "negative", "Size": -1, "Sha256": "ab".repeat(32)}),
            json!({"Path": "sub", "Type": "commit"}),
            json!({"Path": "..", "Type": "tree"}),
            json!({"Path": "list", "Size": []}),
            json!({}),
            blob("good"),
        ];
        let count = odd.len() - 1;
        let listing = listing(odd);
        assert_eq!(
            (listing.files.len(), listing.refused.len()),
            (1, count),
            "{:?}",
            listing.refused
        );
        assert_eq!(listing.refused[1].path, "x/\\u{1b}[2J/../y");
        assert!(
            listing
                .refused
                .iter()
                .all(|refused| !refused.reason.is_empty())
        );
    }

    #[test]
    fn an_empty_file_needs_no_digest() {
        let listing = listing(vec![
            json!({"Path": "empty", "Type": "blob", "Size": 0, "Sha256": ""}),
        ]);
        assert_eq!(
            listing.files[0].file.digest,
            Digest::Sha256(Sha256::of(b""))
        );
    }

    #[test]
    fn what_is_listed_twice_counts_once() {
        let mut tree = RepoEntries::default();
        for root in ["", "a"] {
            tree.add(
                root,
                vec![blob("a/x"), json!({"Path": "a/sub", "Type": "commit"})],
            )
            .unwrap();
        }
        let listing = tree.into_parts().0;
        assert_eq!((listing.files.len(), listing.refused.len()), (1, 1));
    }

    #[test]
    fn folders_are_returned_to_be_walked_but_not_the_root_itself() {
        let folder = |path: &str| json!({"Path": path, "Type": "tree"});
        assert_eq!(
            RepoEntries::default()
                .add("a", vec![folder("a"), folder("a/b"), blob("a/c")])
                .unwrap(),
            ["a/b"]
        );
    }

    #[test]
    fn entries_outside_the_folder_asked_for_are_refused() {
        for path in ["x", "ab/c", "b"] {
            assert_eq!(
                RepoEntries::default()
                    .add("a", vec![blob(path)])
                    .unwrap_err()
                    .kind(),
                Kind::Refused,
                "{path}"
            );
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]

        #[test]
        fn any_page_costs_only_its_odd_entries(odd in vec(any_entry(), 0..12), names in btree_set("[a-z]{1,8}(/[a-zé ]{1,8})?", 0..12)) {
            let mut tree = RepoEntries::default();
            let named: HashSet<_> = odd.iter().flat_map(Value::as_object).flat_map(|entry| entry.values()).filter_map(Value::as_str).collect();
            tree.add("", odd.clone()).unwrap();
            tree.add("", names.iter().map(|name| blob(name)).collect()).unwrap();
            let (listing, unhashed) = tree.into_parts();
            let paths: HashSet<_> = listing.files.iter().map(|listed| listed.file.path.as_str().to_owned()).collect();
            prop_assert!(names.iter().filter(|name| !named.contains(name.as_str())).all(|name| paths.contains(name)));
            prop_assert!(listing.files.len() + listing.refused.len() + unhashed.len() <= odd.len() + names.len());
            let mut below = RepoEntries::default();
            let _ = below.add("a/b", odd);
        }
    }

    /// An entry that is nearly one.
    fn any_entry() -> impl Strategy<Value = Value> {
        let text = prop_oneof![
            any::<String>(),
            "(blob|tree|commit|[0-9a-f]{64}|\\.\\./x|a/b|a)"
        ];
        let value = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            text.prop_map(Value::from),
            Just(json!([[]])),
        ];
        btree_map(
            "(Path|path|Type|type|Size|size|Sha256|IsLFS|Name)",
            value,
            0..6,
        )
        .prop_map(|map| json!(map))
    }
}
