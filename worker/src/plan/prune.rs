//! Which files of the destination are deleted with `--prune`, and when none of them is. A doubt about the source keeps
//! everything: a file that was deleted can't be had again.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::str::FromStr;

use hf2ms_hub::{Listed, Listing, RepoAt, RepoPath, path};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::protocol::ExistingFile;

/// More names than this are counted.
const FEW: usize = 3;

/// The request to delete what only the destination has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PruneRequest {
    /// How many files may go.
    pub max: MaxDelete,
    /// Whether the command line itself agrees, so that nobody has to be asked.
    pub agreed: bool,
}

/// The largest part of a destination's files that one run deletes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MaxDelete {
    /// This many files.
    Files(u64),
    /// This share of the files that the destination has.
    Percent(u8),
}

/// A file that is deleted, and what the destination had there when that was decided.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(from = "DeletedFileForms")]
pub struct DeletedFile {
    /// Where it stands.
    pub path: RepoPath,
    /// Its content then; absent in plans of version 0.1, which did not keep it.
    #[serde(flatten)]
    pub current: Option<ExistingFile>,
}

/// Deletions that were asked for and are not made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WithheldDeletions {
    /// One line that says why, and what to do.
    pub reason: String,
    /// The files that stay, in order.
    pub paths: Vec<RepoPath>,
}

/// How a deleted file stands in JSON: plans of version 0.1 have only its path.
#[derive(Deserialize, JsonSchema)]
#[serde(untagged)]
enum DeletedFileForms {
    Path(RepoPath),
    File {
        path: RepoPath,
        #[serde(flatten)]
        current: Option<ExistingFile>,
    },
}

impl From<DeletedFileForms> for DeletedFile {
    fn from(form: DeletedFileForms) -> Self {
        match form {
            DeletedFileForms::Path(path) => Self {
                path,
                current: None,
            },
            DeletedFileForms::File { path, current } => Self { path, current },
        }
    }
}

impl DeletedFile {
    /// A file as the destination lists it.
    pub fn of(listed: &Listed) -> Self {
        Self {
            path: listed.file.path.clone(),
            current: Some(ExistingFile::of(&listed.file)),
        }
    }
}

impl WithheldDeletions {
    /// Files that another writer changed after the plan was made; `None` where there are none.
    pub(super) fn rewritten(paths: Vec<RepoPath>) -> Option<Self> {
        let reason =
            "rewritten since the plan was made; make a new plan to see what stands there now"
                .to_owned();
        (!paths.is_empty()).then_some(Self { reason, paths })
    }
}

impl Default for MaxDelete {
    fn default() -> Self {
        Self::Percent(50)
    }
}

impl MaxDelete {
    fn of(self, files: usize) -> u64 {
        match self {
            Self::Files(count) => count,
            Self::Percent(percent) => files as u64 * u64::from(percent) / 100,
        }
    }
}

impl FromStr for MaxDelete {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let expected =
            || format!("'{text}' is neither a number of files nor a percentage from 0% to 100%");
        match text.strip_suffix('%') {
            Some(percent) => percent
                .parse()
                .ok()
                .filter(|percent| *percent <= 100)
                .map(Self::Percent),
            None => text.parse().ok().map(Self::Files),
        }
        .ok_or_else(expected)
    }
}

impl fmt::Display for MaxDelete {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Files(count) => write!(f, "{count}"),
            Self::Percent(percent) => write!(f, "{percent}%"),
        }
    }
}

/// The files that only `destination` has, in order: those that are deleted, or all of them withheld.
pub(super) fn deletions(
    source: &Listing,
    destination: &Listing,
    max: MaxDelete,
    own_files: &[&str],
) -> (Vec<DeletedFile>, Option<WithheldDeletions>) {
    let is_own = |path: &RepoPath| own_files.contains(&path.as_str());
    let extra = only_at(destination, source, is_own);
    let withhold = |reason: String| {
        let paths = extra.iter().map(|file| file.path.clone()).collect();
        (Vec::new(), Some(WithheldDeletions { reason, paths }))
    };
    let (count, files) = (
        extra.len(),
        destination
            .files
            .iter()
            .filter(|listed| !is_own(&listed.file.path))
            .count(),
    );
    if count == 0 {
        return (extra, None);
    }
    if let Some(first) = source.refused.first() {
        let entries = source.refused.len();
        return withhold(format!(
            "the source has entries that can't be copied ({entries}, {} first): nothing is deleted beside them",
            first.path
        ));
    }
    if count as u64 > max.of(files) {
        let rest = format!(
            "{count} of the destination's {files} files would go, and --max-delete is {max}"
        );
        return withhold(format!(
            "{rest}: look at them, and give --max-delete {count} to delete them"
        ));
    }
    (extra, None)
}

/// The remedy on a command line with `--prune`.
pub const AGREE: &str = "Give --yes to delete them, or --max-delete N for N files at most";

/// The refusal of deletions to which nobody has agreed. `paths`: the files that would go; `remedy`: how to agree.
pub fn not_agreed<P: fmt::Display>(paths: &[P], destination: &RepoAt, remedy: &str) -> String {
    let (id, hub) = (&destination.id, destination.hub);
    format!(
        "--prune would delete {} of {id} on {hub}, and without a terminal nobody can be asked: nothing was written. {remedy}",
        named(paths)
    )
}

/// `2 files (a and b)`, or the first of many.
pub fn named<P: fmt::Display>(paths: &[P]) -> String {
    let first: Vec<String> = paths.iter().take(FEW).map(P::to_string).collect();
    let names = match (first.split_last(), paths.len().saturating_sub(FEW)) {
        (Some((last, rest)), 0) if !rest.is_empty() => format!("{} and {last}", rest.join(", ")),
        (_, 0) => first.concat(),
        (_, more) => format!("{} and {more} more", first.join(", ")),
    };
    let ending = if paths.len() == 1 { "" } else { "s" };
    format!("{} file{ending} ({names})", paths.len())
}

/// What `destination` has and `source` lists in no form: neither as a file nor as an entry that can't be copied. What the hub itself
/// puts into each repo stays.
fn only_at(
    destination: &Listing,
    source: &Listing,
    is_own: impl Fn(&RepoPath) -> bool,
) -> Vec<DeletedFile> {
    let files: HashSet<&RepoPath> = source
        .files
        .iter()
        .map(|listed| &listed.file.path)
        .collect();
    let refused: HashSet<&str> = source
        .refused
        .iter()
        .map(|refused| refused.path.as_str())
        .collect();
    let stays = |path: &RepoPath| {
        is_own(path)
            || files.contains(path)
            || refused.contains(path::escape(path.as_str()).as_str())
    };
    let mut extra: Vec<_> = destination
        .files
        .iter()
        .filter(|listed| !stays(&listed.file.path))
        .map(DeletedFile::of)
        .collect();
    extra.sort_unstable_by(|a, b| a.path.cmp(&b.path));
    extra
}

/// Splits deletions by what stands there now: those that still hold, and those whose file was rewritten since. A file that is gone
/// is in neither.
pub(super) fn still_as_planned(
    delete: Vec<DeletedFile>,
    now: &HashMap<&RepoPath, &Listed>,
) -> (Vec<DeletedFile>, Vec<RepoPath>) {
    let mut rewritten = Vec::new();
    let mut holds = |file: &DeletedFile| match now.get(&file.path) {
        None => false,
        Some(listed) if file.current == Some(ExistingFile::of(&listed.file)) => true,
        Some(_) => {
            rewritten.push(file.path.clone());
            false
        }
    };
    let delete = delete.into_iter().filter(|file| holds(file)).collect();
    (delete, rewritten)
}

#[cfg(test)]
mod tests {
    use hf2ms_hub::Refused;

    use super::super::tests::{listed, listing, there};
    use super::*;

    fn of(paths: &[&str]) -> Listing {
        listing(
            paths
                .iter()
                .map(|path| listed(path, path.as_bytes(), false))
                .collect(),
        )
    }

    const OWN: [&str; 2] = [".gitattributes", "README.md"];

    fn paths(files: &[DeletedFile]) -> Vec<&str> {
        files.iter().map(|file| file.path.as_str()).collect()
    }

    fn asked(
        source: &Listing,
        destination: &Listing,
        max: MaxDelete,
    ) -> (Vec<String>, Option<WithheldDeletions>) {
        let (delete, withheld) = deletions(source, destination, max, &OWN);
        (
            paths(&delete).into_iter().map(str::to_owned).collect(),
            withheld,
        )
    }

    #[test]
    fn what_the_source_does_not_list_goes_in_order() {
        let (delete, withheld) = asked(
            &of(&["a", "b"]),
            &of(&["z", "a", "y", "b"]),
            MaxDelete::default(),
        );
        assert_eq!(
            (delete, withheld),
            (vec!["y".to_owned(), "z".to_owned()], None)
        );
    }

    #[test]
    fn nothing_goes_while_an_entry_of_the_source_is_refused() {
        let mut source = of(&["a", "b"]);
        source.refused.push(Refused {
            path: "link".into(),
            reason: "a symbolic link".into(),
        });
        let (delete, withheld) = asked(
            &source,
            &of(&["a", "b", "old", "link"]),
            MaxDelete::Percent(100),
        );
        let withheld = withheld.unwrap();
        assert!(
            delete.is_empty() && withheld.reason.contains("link"),
            "{withheld:?}"
        );
        assert_eq!(
            withheld.paths,
            ["old".parse().unwrap()],
            "what the source lists in any form is not even asked about"
        );
    }

    #[test]
    fn more_than_half_goes_only_when_said() {
        let (source, destination) = (of(&["a"]), of(&["a", "b", "c"]));
        for (max, goes) in [
            ("50%", false),
            ("66%", false),
            ("67%", true),
            ("1", false),
            ("2", true),
            ("0", false),
            ("100%", true),
        ] {
            let (delete, withheld) = asked(&source, &destination, max.parse().unwrap());
            assert_eq!(
                (delete.len() == 2, withheld.is_none()),
                (goes, goes),
                "{max}"
            );
        }
        let half = asked(&source, &of(&["a", "b"]), MaxDelete::default());
        assert_eq!(
            half,
            (vec!["b".to_owned()], None),
            "half is not more than half"
        );
    }

    #[test]
    fn an_empty_source_deletes_nothing_unless_said() {
        let (delete, withheld) = asked(&of(&[]), &of(&["a"]), MaxDelete::default());
        assert!(delete.is_empty());
        assert_eq!(
            withheld.unwrap().reason,
            "1 of the destination's 1 files would go, and --max-delete is 50%: look at them, and give --max-delete 1 to delete them"
        );
        assert_eq!(
            asked(&of(&[]), &of(&["a"]), MaxDelete::Percent(100)).0,
            ["a"]
        );
    }

    #[test]
    fn what_the_platform_put_there_stays_and_does_not_count() {
        let destination = of(&["a", "old", ".gitattributes", "README.md"]);
        assert_eq!(
            asked(&of(&["a"]), &destination, MaxDelete::default()).0,
            ["old"]
        );
        let in_a_folder = of(&["a", "docs/README.md"]);
        assert_eq!(
            asked(&of(&["a"]), &in_a_folder, MaxDelete::default()).0,
            ["docs/README.md"]
        );
        assert!(
            asked(&of(&[]), &destination, MaxDelete::Percent(99))
                .1
                .is_some()
        );
    }

    #[test]
    fn few_deletions_are_named_and_many_are_counted() {
        let written = |count: usize| named(&["a", "b", "c", "d", "e"][..count]);
        assert_eq!(
            [1, 2, 3, 5].map(written),
            [
                "1 file (a)",
                "2 files (a and b)",
                "3 files (a, b and c)",
                "5 files (a, b, c and 2 more)"
            ]
        );
    }

    #[test]
    fn a_file_that_was_rewritten_since_stays() {
        let then = listing(vec![
            there("same", b"1", false),
            there("gone", b"1", false),
            there("new", b"1", false),
        ]);
        let now = listing(vec![there("same", b"1", false), there("new", b"2", false)]);
        let planned: Vec<_> = then.files.iter().map(DeletedFile::of).collect();
        let (delete, rewritten) = still_as_planned(planned, &super::super::diff::by_path(&now));
        assert_eq!(
            (paths(&delete), rewritten),
            (vec!["same"], vec!["new".parse().unwrap()])
        );
    }

    #[test]
    fn a_plan_that_does_not_say_what_stood_there_deletes_nothing() {
        let old: DeletedFile = serde_json::from_str("\"same\"").unwrap();
        let now = listing(vec![there("same", b"1", false)]);
        let (delete, rewritten) = still_as_planned(vec![old], &super::super::diff::by_path(&now));
        assert_eq!((delete, rewritten), (vec![], vec!["same".parse().unwrap()]));
    }

    #[test]
    fn a_limit_is_a_number_or_a_percentage() {
        for (text, max) in [
            ("0", MaxDelete::Files(0)),
            ("12", MaxDelete::Files(12)),
            ("50%", MaxDelete::Percent(50)),
        ] {
            assert_eq!((text.parse(), max.to_string()), (Ok(max), text.to_owned()));
        }
        for bad in ["", "%", "101%", "-1", "half", "1.5%"] {
            assert!(bad.parse::<MaxDelete>().is_err(), "{bad}");
        }
    }
}
