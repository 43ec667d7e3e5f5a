//! `--include` and `--exclude`: which paths a run is about, on both sides.

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use hf2ms_hub::path::escape;
use hf2ms_hub::{Listing, RepoPath};
use serde::{Deserialize, Serialize};

use crate::ui::errors::{CliError, CliResult};

/// Paths that are compared with a pattern in search of the nearest.
const COMPARED: usize = 100_000;
/// From this similarity on, of 0 to 1, a path may be what a pattern meant.
const ALIKE: f64 = 0.7;

/// Which paths a run is about.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(try_from = "Patterns", into = "Patterns")]
pub struct Filter {
    patterns: Patterns,
    include: Option<GlobSet>,
    exclude: GlobSet,
}

/// The filter of the command line.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Patterns {
    include: Vec<String>,
    exclude: Vec<String>,
}

impl PartialEq for Filter {
    fn eq(&self, other: &Self) -> bool {
        self.patterns == other.patterns
    }
}

impl Eq for Filter {}

impl From<Filter> for Patterns {
    fn from(filter: Filter) -> Self {
        filter.patterns
    }
}

impl TryFrom<Patterns> for Filter {
    type Error = CliError;

    fn try_from(patterns: Patterns) -> CliResult<Self> {
        Self::new(&patterns.include, &patterns.exclude)
    }
}

impl Filter {
    /// A path passes if it matches an `include` (or there is none) and no `exclude`. As in huggingface_hub, `*` crosses
    /// `/`, and a pattern that ends with `/` means all below.
    ///
    /// # Errors
    /// A pattern that is none.
    pub fn new(include: &[String], exclude: &[String]) -> CliResult<Self> {
        let patterns = Patterns {
            include: include.to_vec(),
            exclude: exclude.to_vec(),
        };
        let include = if include.is_empty() {
            None
        } else {
            Some(set(include)?)
        };
        Ok(Self {
            patterns,
            include,
            exclude: set(exclude)?,
        })
    }

    /// Whether the run is about this path.
    pub fn passes(&self, path: &RepoPath) -> bool {
        self.includes(path) && !self.exclude.is_match(path.as_str())
    }

    /// Why no file of a listing passes, with the nearest path; `None` where one does, or where there is no file.
    pub fn leaves_nothing(&self, listing: &Listing) -> Option<String> {
        let paths = || listing.files.iter().map(|listed| &listed.file.path);
        if listing.files.is_empty() || paths().any(|path| self.passes(path)) {
            return None;
        }
        let count = files(listing.files.len());
        let included = paths().filter(|path| self.includes(path)).count();
        let Patterns { include, exclude } = &self.patterns;
        Some(if included > 0 {
            format!("--exclude {} leaves none of {count}", quoted(exclude))
        } else {
            let nearest = include.iter().find_map(|pattern| nearest(pattern, paths()));
            let nearest = nearest.map_or(String::new(), |path| {
                format!(" (the nearest is {path}; a pattern holds for the whole path)")
            });
            format!(
                "--include {} matches none of {count}{nearest}",
                quoted(include)
            )
        })
    }

    /// A line for each `--include` of several that matches no file, with the nearest path.
    pub fn unused(&self, listing: &Listing) -> Vec<String> {
        let include = &self.patterns.include;
        let (count, paths) = (files(listing.files.len()), || listing.files.iter());
        let is_unused = |pattern: &&String| {
            // A pattern of this filter was compiled before.
            let one = set(std::slice::from_ref(pattern)).unwrap_or_default();
            !paths().any(|listed| one.is_match(listed.file.path.as_str()))
        };
        let line = |pattern: &String| {
            let near = nearest(pattern, paths().map(|listed| &listed.file.path));
            let near = near.map_or(String::new(), |path| format!(": the nearest is {path}"));
            let pattern = quoted(std::slice::from_ref(pattern));
            format!("--include {pattern} matches none of {count}{near}")
        };
        match include.len() {
            0 | 1 => Vec::new(),
            _ => include.iter().filter(is_unused).map(line).collect(),
        }
    }

    fn includes(&self, path: &RepoPath) -> bool {
        self.include
            .as_ref()
            .is_none_or(|include| include.is_match(path.as_str()))
    }

    /// The listing without what the run is not about. What can't be moved stays named.
    pub fn apply(&self, listing: &mut Listing) {
        listing
            .files
            .retain(|listed| self.passes(&listed.file.path));
    }
}

/// `1 file`, `the 6 files`.
fn files(count: usize) -> String {
    match count {
        1 => "the only file".to_owned(),
        count => format!("the {count} files"),
    }
}

/// Patterns as a shell takes them, without what steers a terminal.
fn quoted(patterns: &[String]) -> String {
    let quote = |pattern: &String| format!("'{}'", escape(pattern));
    patterns.iter().map(quote).collect::<Vec<_>>().join(" ")
}

/// The path that is most like a pattern, if one is like it.
fn nearest<'a>(pattern: &str, paths: impl Iterator<Item = &'a RepoPath>) -> Option<&'a RepoPath> {
    let literal = pattern.replace(['*', '?'], "").to_lowercase();
    let similarity = |path: &RepoPath| {
        let path = path.as_str().to_lowercase();
        let name = path.rsplit('/').next().unwrap_or_default();
        strsim::jaro_winkler(&literal, &path).max(strsim::jaro_winkler(&literal, name))
    };
    paths
        .take(COMPARED)
        .map(|path| (similarity(path), path))
        .filter(|(similarity, _)| *similarity >= ALIKE)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, path)| path)
}

fn set(patterns: &[String]) -> CliResult<GlobSet> {
    let mut set = GlobSetBuilder::new();
    let bad = |error: globset::Error| {
        CliError::usage(format!(
            "not a pattern: {error}; write it as '*.json' or 'folder/*'"
        ))
    };
    for pattern in patterns {
        let below = if pattern.ends_with('/') {
            format!("{pattern}*")
        } else {
            pattern.clone()
        };
        set.add(
            GlobBuilder::new(&below)
                .literal_separator(false)
                .build()
                .map_err(bad)?,
        );
    }
    set.build().map_err(bad)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passes(include: &[&str], exclude: &[&str], path: &str) -> bool {
        let owned = |patterns: &[&str]| {
            patterns
                .iter()
                .map(|pattern| (*pattern).to_owned())
                .collect::<Vec<_>>()
        };
        Filter::new(&owned(include), &owned(exclude))
            .unwrap()
            .passes(&path.parse().unwrap())
    }

    #[test]
    fn patterns_work_as_in_huggingface_hub() {
        assert!(passes(&[], &[], "a/b.txt"));
        assert!(passes(&["*.txt"], &[], "a/b.txt"), "* crosses /");
        assert!(!passes(&["*.txt"], &["a/*"], "a/b.txt"));
        assert!(passes(&["a/"], &[], "a/deep/b.txt") && !passes(&["a/"], &[], "b"));
        assert!(!passes(&[], &["*.bin"], "x.bin"));
    }

    #[test]
    fn a_filter_that_leaves_nothing_says_what_it_was_held_against() {
        let file = |path: &str| hf2ms_hub::Listed {
            file: hf2ms_hub::File {
                path: path.parse().unwrap(),
                size: 1,
                digest: hf2ms_hub::Digest::Sha256(hf2ms_hub::Sha256::of(b"x")),
            },
            lfs: false,
        };
        let listing = Listing {
            files: vec![file("config.json"), file("README.md")],
            ..Listing::default()
        };
        let why = |include: &[&str], exclude: &[&str]| {
            let owned = |all: &[&str]| all.iter().map(|one| (*one).to_owned()).collect::<Vec<_>>();
            let filter = Filter::new(&owned(include), &owned(exclude)).unwrap();
            (filter.leaves_nothing(&listing), filter.unused(&listing))
        };
        let none = (None, Vec::new());
        assert_eq!(why(&[], &[]), none);
        assert_eq!(why(&["README*"], &[]), none);
        let line = why(&["readme"], &[]).0.unwrap();
        assert!(
            line.starts_with(
                "--include 'readme' matches none of the 2 files (the nearest is README.md"
            ),
            "{line}"
        );
        assert_eq!(
            why(&[], &["*"]).0.as_deref(),
            Some("--exclude '*' leaves none of the 2 files")
        );
        assert_eq!(
            why(&["zzz"], &[]).0.as_deref(),
            Some("--include 'zzz' matches none of the 2 files")
        );
        let (all, unused) = why(&["README.md", "confg.json"], &[]);
        assert_eq!(
            (all, unused),
            (None, vec!["--include 'confg.json' matches none of the 2 files: the nearest is config.json".to_owned()])
        );
    }

    #[test]
    fn a_bad_pattern_is_named() {
        let line = Filter::new(&["a[".to_owned()], &[])
            .unwrap_err()
            .to_string();
        assert!(
            line.starts_with("not a pattern") && line.contains("a["),
            "{line}"
        );
    }
}
