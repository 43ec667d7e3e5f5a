//! The entries of a listing, each read by itself: a file, a folder, or what can't be copied.

use std::collections::HashSet;

use reqwest::Url;
use serde_json::Value;

use super::wire::{Entry, LastCommit};
use crate::path::escape;
use crate::{Digest, Error, File, FileTimes, Kind, Listed, Listing, Refused, RepoPath, Result};

const MOST_PAGES: usize = 20_000;
const MOST_ENTRIES: usize = 5_000_000;
/// No hub stores a file of a pebibyte (Hugging Face: 500 GB).
const LARGEST: u64 = 1 << 50;

/// The pages of a listing that were read so far, and their files.
#[derive(Default)]
pub(super) struct Walk {
    visited: HashSet<Url>,
    listing: Listing,
    /// Empty unless the entries tell commits.
    times: FileTimes,
}

impl Walk {
    /// Whether this page is another one than those before.
    pub(super) fn enter(&mut self, url: &Url) -> Result<bool> {
        if self.visited.len() >= MOST_PAGES {
            return Err(Error::new(
                Kind::Refused,
                format!("the listing has more than {MOST_PAGES} pages"),
            ));
        }
        Ok(self.visited.insert(url.clone()))
    }

    /// Whether a page was answered before this one.
    pub(super) fn is_beyond_the_first(&self) -> bool {
        self.visited.len() > 1
    }

    /// When the files were changed last, where their entries told it.
    pub(super) fn into_times(self) -> FileTimes {
        self.times
    }

    /// What was listed, each path once.
    pub(super) fn ended(mut self) -> Listing {
        self.listing.drop_repeats();
        self.listing
    }

    pub(super) fn take(&mut self, entries: Vec<Value>) -> Result<()> {
        let before = self.listing.files.len() + self.listing.refused.len();
        if before + entries.len() > MOST_ENTRIES {
            return Err(Error::new(
                Kind::Refused,
                format!("the listing has more than {MOST_ENTRIES} entries"),
            ));
        }
        for entry in entries {
            match check_entry(entry) {
                Ok(Some((file, time))) => {
                    self.times
                        .extend(time.map(|time| (file.file.path.clone(), time)));
                    self.listing.files.push(file);
                }
                Ok(None) => (),
                Err(refused) => self.listing.refused.push(refused),
            }
        }
        Ok(())
    }
}

/// A file, and when it was changed last, if that is told.
type TimedFile = (Listed, Option<i64>);

/// What an entry is: a file, a folder (nothing), or something that is not moved.
fn check_entry(entry: Value) -> std::result::Result<Option<TimedFile>, Refused> {
    let path = entry
        .get("path")
        .and_then(Value::as_str)
        .unwrap_or("(no path)")
        .to_owned();
    let refused = |reason: String| refused(&path, reason);
    if is_blank(&entry) {
        return Ok(None);
    }
    let entry: Entry = serde_json::from_value(entry)
        .map_err(|error| refused(format!("the hub describes it oddly: {error}")))?;
    match entry.kind.as_str() {
        "directory" => Ok(None),
        "file" => {
            let time = entry.last_commit.as_ref().and_then(time_of);
            let file = file_of(entry).map_err(refused)?;
            Ok(Some((file, time)))
        }
        "unknown" => Err(refused(
            "it is neither a file nor a folder (a submodule, most likely), and is not fetched"
                .to_owned(),
        )),
        kind => Err(refused(format!(
            "it is of the unknown type '{}'",
            escape(kind)
        ))),
    }
}

/// MatrixHub leaves the entries of folders blank.
fn is_blank(entry: &Value) -> bool {
    ["path", "type", "oid"].iter().all(|key| entry[key] == "")
}

/// The seconds since 1970 of a commit's date, as `2026-11-20T09:16:00.000Z`.
fn time_of(commit: &LastCommit) -> Option<i64> {
    let date: jiff::Timestamp = commit.date.as_deref()?.parse().ok()?;
    Some(date.as_second())
}

fn refused(path: &str, reason: String) -> Refused {
    Refused {
        path: escape(path).chars().take(1000).collect(),
        reason,
    }
}

fn file_of(entry: Entry) -> std::result::Result<Listed, String> {
    let path: RepoPath = entry.path.parse().map_err(|error| format!("{error}"))?;
    let (size, digest) = match &entry.lfs {
        Some(lfs) => (Some(lfs.size), lfs.oid.parse().map(Digest::Sha256)),
        None => (
            entry.size,
            entry
                .oid
                .as_deref()
                .unwrap_or_default()
                .parse()
                .map(Digest::GitSha1),
        ),
    };
    let size = size.ok_or("the hub does not tell its size")?;
    let size = u64::try_from(size)
        .ok()
        .filter(|size| *size <= LARGEST)
        .ok_or_else(|| format!("its size of {size} bytes can't be"))?;
    let digest = digest.map_err(|error| format!("its digest can't be: {error}"))?;
    Ok(Listed {
        file: File { path, size, digest },
        lfs: entry.lfs.is_some(),
    })
}
