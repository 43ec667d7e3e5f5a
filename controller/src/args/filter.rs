//! The filter of a run: which files it is about, on both sides. By a pattern or a list a path is chosen, which holds for either side. A
//! size and a time are the source's: what they leave out there is left alone at the destination.

use std::collections::{BTreeSet, HashSet};

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use hf2ms_hub::path::escape;
use hf2ms_hub::{FileTimes, Listing, RepoPath, Sha256};
use hf2ms_worker::amounts::ByteCount;
use serde::{Deserialize, Serialize};

use crate::args::file_list::FileList;
use crate::args::since::ChangedSince;
use crate::ui::errors::{CliError, CliResult};
use crate::ui::nouns::{counted, few};
use crate::ui::screen::size;

/// Paths that are compared with a pattern in search of the nearest.
const COMPARED: usize = 100_000;
/// From this similarity on, of 0 to 1, a path may be what a pattern meant.
const ALIKE: f64 = 0.7;

/// Which files of a repo are meant.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct FilterArgs {
    /// Only files that match; may be given several times. `*` matches `/` too
    #[arg(long, value_name = "GLOB")]
    pub include: Vec<String>,
    /// No files that match; may be given several times
    #[arg(long, value_name = "GLOB")]
    pub exclude: Vec<String>,
    /// Only the files of this list (- for stdin): a line a path; a line that begins with # or ; is a comment
    #[arg(long, value_name = "LIST", value_parser = FileList::read)]
    pub files_from: Option<FileList>,
    /// Only files of this size or more, as 64KB or 10GiB
    #[arg(long, value_name = "BYTES")]
    pub min_size: Option<ByteCount>,
    /// Only files of this size or less
    #[arg(long, value_name = "BYTES")]
    pub max_size: Option<ByteCount>,
    /// Only files that a commit of the source has changed since: a date, a time, or a span before now, as 7d. On Hugging Face this takes a
    /// request for every 50 files
    #[arg(long, value_name = "WHEN", value_parser = ChangedSince::parse)]
    pub changed_since: Option<ChangedSince>,
}

/// Which files a run is about.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    key: FilterKey,
    include: Option<GlobSet>,
    exclude: GlobSet,
    list: Option<FileList>,
}

/// A filter as runs keep it, to be compared with another.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FilterKey {
    include: Vec<String>,
    exclude: Vec<String>,
    /// The digest of a list's paths.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    files_from: Option<Sha256>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    min_size: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    max_size: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    changed_since: Option<ChangedSince>,
}

/// The paths of the source that a size or a time leaves out: nothing is written or deleted there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LeftOut(HashSet<RepoPath>);

impl LeftOut {
    /// Whether nothing is left out.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FilterKey {
    /// The same as a request has it: a span before now is the same span later.
    pub fn as_asked(&self) -> Self {
        Self {
            changed_since: self.changed_since.as_ref().map(ChangedSince::as_asked),
            ..self.clone()
        }
    }
}

impl Filter {
    /// A path passes if it matches an `include` (or there is none), no `exclude`, and is in the list, if there is one. As in
    /// huggingface_hub, `*` crosses `/`, and a pattern that ends with `/` means all below.
    ///
    /// # Errors
    /// A pattern that is none, or sizes between which there is none.
    pub fn new(args: &FilterArgs) -> CliResult<Self> {
        if let (Some(min), Some(max)) = (args.min_size, args.max_size)
            && min > max
        {
            return Err(CliError::usage(format!(
                "--min-size {} is above --max-size {}: no file has such a size; change one of them",
                size(min.0),
                size(max.0)
            )));
        }
        let include = (!args.include.is_empty()).then(|| glob_set(&args.include));
        Ok(Self {
            include: include.transpose()?,
            exclude: glob_set(&args.exclude)?,
            list: args.files_from.clone(),
            key: FilterKey {
                include: args.include.clone(),
                exclude: args.exclude.clone(),
                files_from: args.files_from.as_ref().map(FileList::digest),
                min_size: args.min_size.map(|bytes| bytes.0),
                max_size: args.max_size.map(|bytes| bytes.0),
                changed_since: args.changed_since.clone(),
            },
        })
    }

    /// What tells it from other filters.
    pub fn key(&self) -> &FilterKey {
        &self.key
    }

    /// Whether it leaves out nothing.
    pub fn is_none(&self) -> bool {
        self.key == FilterKey::default()
    }

    /// Whether the times of the source's files have to be known.
    pub fn needs_times(&self) -> bool {
        self.key.changed_since.is_some()
    }

    /// The words of `--changed-since`.
    pub fn changed_since(&self) -> Option<&str> {
        self.key.changed_since.as_ref().map(ChangedSince::words)
    }

    /// Whether the run is about this path.
    pub fn passes(&self, path: &RepoPath) -> bool {
        self.includes(path)
            && !self.exclude.is_match(path.as_str())
            && self.list.as_ref().is_none_or(|list| list.names(path))
    }

    /// Why no path of a listing passes, with the nearest one; `None` where one does, or where there is no file.
    pub fn leaves_nothing(&self, listing: &Listing) -> Option<String> {
        let paths = || listing.files.iter().map(|listed| &listed.file.path);
        if listing.files.is_empty() || paths().any(|path| self.passes(path)) {
            return None;
        }
        let count = files(listing.files.len());
        let included = paths().filter(|path| self.includes(path));
        let FilterKey {
            include, exclude, ..
        } = &self.key;
        Some(match included.clone().next() {
            Some(_) if included.clone().all(|path| self.is_excluded(path)) => {
                format!("--exclude {} leaves none of {count}", quoted(exclude))
            }
            Some(_) => format!("--files-from and the patterns leave none of {count}"),
            None => {
                let nearest = include.iter().find_map(|pattern| nearest(pattern, paths()));
                let nearest = nearest.map_or(String::new(), |path| {
                    format!(" (the nearest is {path}; a pattern holds for the whole path)")
                });
                let include = quoted(include);
                format!("--include {include} matches none of {count}{nearest}")
            }
        })
    }

    /// A line for each `--include` of several that matches no file, with the nearest path; and one that names what a list names and the
    /// source lacks.
    pub fn unused(&self, listing: &Listing) -> Vec<String> {
        let include = &self.key.include;
        let (count, paths) = (files(listing.files.len()), || listing.files.iter());
        let is_unused = |pattern: &&String| {
            // A pattern of this filter was compiled before.
            let one = glob_set(std::slice::from_ref(pattern)).unwrap_or_default();
            !paths().any(|listed| one.is_match(listed.file.path.as_str()))
        };
        let line = |pattern: &String| {
            let near = nearest(pattern, paths().map(|listed| &listed.file.path));
            let near = near.map_or(String::new(), |path| format!(": the nearest is {path}"));
            let pattern = quoted(std::slice::from_ref(pattern));
            format!("--include {pattern} matches none of {count}{near}")
        };
        let several = if include.len() > 1 {
            include
        } else {
            &Vec::new()
        };
        let unused = several.iter().filter(is_unused).map(line);
        unused.chain(self.lacking(listing)).collect()
    }

    fn lacking(&self, listing: &Listing) -> Option<String> {
        let list = self.list.as_ref()?;
        let paths: BTreeSet<&RepoPath> = listing
            .files
            .iter()
            .map(|listed| &listed.file.path)
            .collect();
        let lacking = list.lacking(&paths).into_iter();
        let lacking: Vec<String> = lacking.map(ToString::to_string).collect();
        (!lacking.is_empty()).then(|| {
            let count = counted(lacking.len() as u64, "file");
            let names = few(&lacking);
            format!("--files-from names {count} that the source lacks: {names}")
        })
    }

    fn includes(&self, path: &RepoPath) -> bool {
        self.include
            .as_ref()
            .is_none_or(|include| include.is_match(path.as_str()))
    }

    fn is_excluded(&self, path: &RepoPath) -> bool {
        self.exclude.is_match(path.as_str())
    }

    /// The listing of either side without the paths that the run is not about. What can't be moved stays named.
    pub fn apply(&self, listing: &mut Listing) {
        listing
            .files
            .retain(|listed| self.passes(&listed.file.path));
    }

    /// The source's listing without the files of another size or an older time. Returns their paths.
    pub fn apply_contents(&self, source: &mut Listing, times: &FileTimes) -> LeftOut {
        let since = self.key.changed_since.as_ref();
        let is_meant = |path: &RepoPath, bytes: u64| {
            let time = times.get(path).copied();
            self.has_size(bytes) && since.is_none_or(|since| since.has_changed(time))
        };
        let left_out = source
            .files
            .extract_if(.., |listed| !is_meant(&listed.file.path, listed.file.size))
            .map(|listed| listed.file.path);
        LeftOut(left_out.collect())
    }

    fn has_size(&self, bytes: u64) -> bool {
        let FilterKey {
            min_size, max_size, ..
        } = self.key;
        min_size.is_none_or(|min| bytes >= min) && max_size.is_none_or(|max| bytes <= max)
    }

    /// Why no file is left of so many, where sizes leave none.
    pub fn sizes_leave_nothing(&self, before: usize, left: &Listing) -> Option<String> {
        if before == 0 || !left.files.is_empty() || self.needs_times() {
            return None;
        }
        let said =
            |name: &str, bytes: Option<u64>| bytes.map(|bytes| format!("{name} {}", size(bytes)));
        let (min, max) = (self.key.min_size, self.key.max_size);
        let options = said("--min-size", min).into_iter();
        let options: Vec<String> = options.chain(said("--max-size", max)).collect();
        let options = options.join(" and ");
        Some(format!("{options} leaves none of {}", files(before)))
    }

    /// The destination's listing without what the run is not about: the paths that are left out of the source, and files of another size
    /// that the source does not have. A path of the source stays, whatever stands there.
    pub fn apply_to_destination(
        &self,
        left_out: &LeftOut,
        source: &Listing,
        destination: &mut Listing,
    ) {
        let has_sizes = self.key.min_size.is_some() || self.key.max_size.is_some();
        if left_out.0.is_empty() && !has_sizes {
            return;
        }
        let sources: HashSet<&RepoPath> = source
            .files
            .iter()
            .map(|listed| &listed.file.path)
            .collect();
        destination.files.retain(|listed| {
            let path = &listed.file.path;
            sources.contains(path) || !left_out.0.contains(path) && self.has_size(listed.file.size)
        });
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

/// The set of these patterns. `*` matches `/` too.
///
/// # Errors
/// One is no pattern.
pub fn glob_set(patterns: &[String]) -> CliResult<GlobSet> {
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
mod tests;
