//! `--include` and `--exclude`: which paths a run is about, on both sides.

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use hf2ms_hub::{Listing, RepoPath};
use serde::{Deserialize, Serialize};

use crate::ui::errors::{CliError, CliResult};

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
        self.include
            .as_ref()
            .is_none_or(|include| include.is_match(path.as_str()))
            && !self.exclude.is_match(path.as_str())
    }

    /// The listing without what the run is not about. What can't be moved stays named.
    pub fn apply(&self, listing: &mut Listing) {
        listing
            .files
            .retain(|listed| self.passes(&listed.file.path));
    }
}

fn set(patterns: &[String]) -> CliResult<GlobSet> {
    let mut set = GlobSetBuilder::new();
    let bad = |error: globset::Error| CliError::usage(format!("not a pattern: {error}"));
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
