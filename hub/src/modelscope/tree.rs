//! The whole file tree, where one answer may hold only part of it: models and spaces are silently cut at
//! 3,000 entries and then walked folder by folder; datasets come in pages.
//!
//! A folder that alone holds as many entries as an answer can, ends the listing with an error. With a listing
//! known to be short, verification would call present files lost, and a plan would write them again at each
//! run. So whoever asks must know rather than find a note beside it.

use std::sync::atomic::Ordering;

use futures_util::{StreamExt, TryStreamExt, stream};
use serde_json::Value;

use super::ModelScopeRepo;
use super::entries::RepoEntries;
use crate::http::Request;
use crate::path::escape;
use crate::{Error, FileCount, FileTimes, Kind, Listing, RepoKind, Result};

/// `repo/files` is cut at this many entries, without a word (modelscope-hub 0.5.1, `REPO_FILES_TRUNCATION_LIMIT`).
const CUT_AT: usize = 3_000;
/// Folders asked at once (`REPO_TREE_WALK_WORKERS`).
const FOLDERS_AT_ONCE: usize = 8;
/// Requests that one listing may take (`REPO_TREE_MAX_REQUESTS`): a tree that needs more is one made to explode.
const MOST_REQUESTS: usize = 5_000;
/// Entries a page of `repo/tree`: the most that the real hub was recorded to give. The official client asks for 200.
const PAGE: usize = 3_000;
const PAGES_AT_ONCE: usize = 4;
/// Two million entries where a page holds 200: a million files, each in a folder of its own.
const MOST_PAGES: usize = 10_000;

/// Direct entries with which a folder can be told from one that was cut.
pub(super) fn widest(kind: RepoKind) -> Option<usize> {
    (kind != RepoKind::Dataset).then_some(CUT_AT - 1)
}

/// How deep one request looks.
#[derive(Clone, Copy, PartialEq)]
enum Depth {
    Whole,
    OneLevel,
}

impl ModelScopeRepo {
    /// Every file on the branch. A new repo holds what the platform put there itself: README.md,
    /// .gitattributes, configuration.json.
    ///
    /// # Errors
    /// [`Kind::Refused`] when the hub can't list the tree in full; [`Kind::NotFound`] without a status when a list is answered that
    /// is none, as the hub does for a revision that it does not know; what the hub complains of.
    pub(super) async fn list_all(&self) -> Result<Listing> {
        let tree = self.gather(RepoEntries::default()).await?;
        let (mut listing, unhashed) = tree.into_parts();
        self.hash_all(unhashed, &mut listing).await;
        Ok(listing)
    }

    /// When each file was changed last, by another listing: `CommittedDate` of its entries.
    ///
    /// # Errors
    /// As [`Self::list_all`].
    pub(super) async fn list_times(&self) -> Result<FileTimes> {
        let tree = self.gather(RepoEntries::with_times()).await?;
        Ok(tree.into_times())
    }

    /// How many files another listing shows, for models and studios: nothing else counts them. The pages of a dataset name their total.
    ///
    /// # Errors
    /// As [`Self::list_all`].
    pub(super) async fn listed_again(&self) -> Result<FileCount> {
        if self.at.kind == RepoKind::Dataset {
            return Ok(FileCount::Untold);
        }
        let tree = self.gather(RepoEntries::default()).await?;
        Ok(FileCount::AtLeast(tree.file_count()))
    }

    async fn gather(&self, tree: RepoEntries) -> Result<RepoEntries> {
        match self.at.kind {
            RepoKind::Dataset => self.read_pages(tree).await,
            RepoKind::Model | RepoKind::Space => self.walk(tree).await,
        }
    }

    /// One level of folders at a time: each is asked whole; those that come back cut are asked for their
    /// direct entries, and their child folders make the next level. What a cut answer holds is kept.
    async fn walk(&self, mut tree: RepoEntries) -> Result<RepoEntries> {
        let mut requests = 0;
        let mut level = vec![String::new()];
        while !level.is_empty() {
            requests += level.len();
            within_budget(requests)?;
            let cut = self.read_level(level, &mut tree).await?;
            requests += cut.len();
            within_budget(requests)?;
            level = self.split(cut, &mut tree).await?;
        }
        Ok(tree)
    }

    /// Reads these folders whole; returns those that were cut.
    async fn read_level(&self, roots: Vec<String>, tree: &mut RepoEntries) -> Result<Vec<String>> {
        let mut cut = Vec::new();
        let mut answers = self.each(roots, Depth::Whole);
        while let Some((root, answer)) = answers.try_next().await? {
            let is_cut = answer.entries.len() >= CUT_AT;
            tree.take_prefix(answer.commit_prefix);
            tree.add(&root, answer.entries)?;
            if is_cut {
                cut.push(root);
            }
        }
        Ok(cut)
    }

    /// Reads the direct entries of these folders; returns their child folders.
    async fn split(&self, cut: Vec<String>, tree: &mut RepoEntries) -> Result<Vec<String>> {
        let mut children = Vec::new();
        let mut answers = self.each(cut, Depth::OneLevel);
        while let Some((root, answer)) = answers.try_next().await? {
            if answer.entries.len() >= CUT_AT {
                return Err(too_many_in(&root));
            }
            tree.take_prefix(answer.commit_prefix);
            children.extend(tree.add(&root, answer.entries)?);
        }
        Ok(children)
    }

    /// The entries of each folder, several at once, in order.
    fn each(
        &self,
        roots: Vec<String>,
        depth: Depth,
    ) -> stream::BoxStream<'_, Result<(String, Entries)>> {
        let ask = move |root: String| async move {
            let recursive = if depth == Depth::Whole {
                "True"
            } else {
                "False"
            };
            let mut query = vec![("Recursive", recursive.to_owned())];
            if !root.is_empty() {
                query.push(("Root", root.clone()));
            }
            Ok((root, self.entries("files", &query).await?))
        };
        stream::iter(roots)
            .map(ask)
            .buffered(FOLDERS_AT_ONCE)
            .boxed()
    }

    /// Pages until one is short and as many entries are listed as the hub counts; where it counts nothing, until one is empty. A server
    /// may give fewer a page than it is asked for: the first page is the measure. As many pages as the count makes are asked ahead. One
    /// beyond the end may be answered with an error.
    async fn read_pages(&self, mut tree: RepoEntries) -> Result<RepoEntries> {
        let Entries {
            entries,
            total,
            commit_prefix,
        } = self.page(1).await?;
        tree.take_prefix(commit_prefix);
        let full = entries.len();
        let mut is_full = tree.add_page(entries, PAGE)?;
        let mut whole = !is_full && is_all(&tree, total, full);
        let counted = total.map_or(1, |total| pages_of(total, full));
        let mut pages = stream::iter(2..=counted)
            .map(|number| self.page(number))
            .buffered(PAGES_AT_ONCE)
            .chain(stream::iter(counted + 1..=MOST_PAGES).then(|number| self.page(number)))
            .boxed();
        while !whole {
            let page = match pages.try_next().await {
                Err(error)
                    if error.kind() == Kind::Invalid
                        && !tree.lacks(total)
                        && (total.is_some() || !is_full) =>
                {
                    break;
                }
                page => page?,
            };
            let page = page.ok_or_else(too_many_pages)?;
            let count = page.entries.len();
            // A page beyond the end may be an answer without a list.
            if count > 0 {
                tree.take_prefix(page.commit_prefix);
            }
            is_full = tree.add_page(page.entries, full)?;
            whole = !is_full && is_all(&tree, total, count);
        }
        tree.holds(total)?;
        Ok(tree)
    }

    /// A page; beyond the end it may be no list at all.
    async fn page(&self, number: usize) -> Result<Entries> {
        let query = [
            ("Recursive", "True".to_owned()),
            ("PageNumber", number.to_string()),
            ("PageSize", PAGE.to_string()),
        ];
        match self.entries("tree", &query).await {
            Err(error)
                if number > 1 && error.kind() == Kind::NotFound && error.status().is_none() =>
            {
                Ok(Entries::default())
            }
            page => page,
        }
    }

    /// One listing request. Once one has succeeded, a 403 is known not to be about permission: the hub
    /// answers one now and then in the middle of a long listing (`constants.py`, `REPO_TREE_PAGE_MAX_ATTEMPTS`).
    async fn entries(&self, route: &str, query: &[(&str, String)]) -> Result<Entries> {
        self.entries_at(self.at.revision.as_str(), route, query)
            .await
    }

    /// The same at another revision.
    pub(super) async fn entries_at(
        &self,
        revision: &str,
        route: &str,
        query: &[(&str, String)],
    ) -> Result<Entries> {
        let doubt = |error: Error| {
            let spurious = error.kind() == Kind::Denied && self.readable.load(Ordering::Relaxed);
            if spurious {
                error.with_kind(Kind::Transient)
            } else {
                error
            }
        };
        let ask = |segment| {
            let mut url = self.api_of(segment, &["repo", route]);
            url.query_pairs_mut()
                .append_pair("Revision", revision)
                .extend_pairs(query);
            self.ask_doubting(Request::get(url), doubt)
        };
        let entries = entries_of(self.by_either_route(ask).await?, revision)?;
        self.readable.store(true, Ordering::Relaxed);
        Ok(entries)
    }
}

/// What one answer lists.
#[derive(Default)]
pub(super) struct Entries {
    entries: Vec<Value>,
    /// How many entries all pages have together, where that is told.
    total: Option<u64>,
    /// The first digits of the commit that was listed: `LatestCommitter.ShortId` has eight, and `Id` none (recorded at the real hub).
    commit_prefix: Option<String>,
}

/// `Data.Files[]`, or `Data` itself as the list. Null in its place is what an unknown revision is answered with (recorded at the real hub).
fn entries_of(data: Value, revision: &str) -> Result<Entries> {
    let total = data.get("TotalCount").and_then(Value::as_u64);
    let commit_prefix = prefix_of(&data["LatestCommitter"]);
    let files = match data {
        Value::Object(mut data) => data.remove("Files").or_else(|| data.remove("files")),
        list => Some(list).filter(Value::is_array),
    };
    match files {
        Some(Value::Array(entries)) => Ok(Entries {
            entries,
            total,
            commit_prefix,
        }),
        Some(Value::Null) => Err(Error::new(
            Kind::NotFound,
            format!("the hub lists nothing at the revision {}", escape(revision)),
        )),
        _ => Err(Error::new(
            Kind::Refused,
            "the hub answered no list of files",
        )),
    }
}

fn prefix_of(committer: &Value) -> Option<String> {
    let digits = committer["ShortId"].as_str()?;
    let is_prefix = digits.len() >= 8 && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    is_prefix.then(|| digits.to_owned())
}

/// Whether a page of `count` entries, which was not full, is the last. Where nothing is counted it may be as large as the server makes
/// any.
fn is_all(tree: &RepoEntries, total: Option<u64>, count: usize) -> bool {
    count == 0 || (total.is_some() && !tree.lacks(total))
}

/// The pages that hold `total` entries, `each` on a page: at least the first.
fn pages_of(total: u64, each: usize) -> usize {
    let pages = total.div_ceil(each.max(1) as u64).max(1);
    usize::try_from(pages).map_or(MOST_PAGES, |pages| pages.min(MOST_PAGES))
}

fn within_budget(requests: usize) -> Result<()> {
    if requests <= MOST_REQUESTS {
        return Ok(());
    }
    Err(Error::new(
        Kind::Refused,
        format!("the file tree takes more than {MOST_REQUESTS} requests to list"),
    ))
}

fn too_many_in(root: &str) -> Error {
    let folder = if root.is_empty() {
        "the top folder".to_owned()
    } else {
        format!("the folder {}", escape(root))
    };
    let message = format!(
        "{folder} holds {CUT_AT} or more entries, which ModelScope can't list: spread them over subfolders"
    );
    Error::new(Kind::Refused, message)
}

fn too_many_pages() -> Error {
    Error::new(
        Kind::Refused,
        format!("the file tree has more than {} entries", MOST_PAGES * PAGE),
    )
}

#[cfg(test)]
mod tests;
