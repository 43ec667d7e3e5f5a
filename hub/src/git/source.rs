//! A hub's repo read by Git. Files outside LFS come in one pack; blobs in storage come by the hub's API, whose downloads go on
//! when the rest of the API is locked.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{FutureExt, StreamExt};
use tokio::sync::{Mutex, OnceCell};

use super::advertisement::Advertisement;
use super::bare::{self, Bare};
use super::failure::error_of;
use super::limits::GitLimits;
use super::remote::{GitRepo, Service};
use super::transfer::Depth;
use super::{pointer, tree};
use crate::stream::range::{is_worth_asking, nothing};
use crate::{
    Account, Blob, BlobSource, ByteStream, Digest, Error, File, FileCount, Gate, GitSha1, Kind,
    Listing, Repo, RepoAt, RepoInfo, Result, Revision, Sha256, Source, Visibility,
};

/// The ref of the pinned commit in the temporary repository.
const PINNED: &str = "refs/heads/pinned";
/// A hub that tells the SHA-256 of every file keeps larger files in storage only, so that no pack is fetched for them.
const LARGEST_OUTSIDE: u64 = 5 << 20;
/// Files above this size are read in parts.
const LARGE: u64 = 4 << 20;

/// A source whose listing and whose files outside storage come by Git.
pub struct GitSource {
    at: RepoAt,
    repo: GitRepo,
    /// The repo by the hub's API.
    hub: Arc<dyn Source>,
    limits: GitLimits,
    /// The last large file that was read, whose parts are read side by side.
    large: Mutex<Option<(GitSha1, Bytes)>>,
    fetched: OnceCell<std::result::Result<Fetched, Failed>>,
}

struct Fetched {
    bare: Bare,
    /// The ids of the files' content by path, once that was asked for.
    ids: OnceCell<Arc<HashMap<String, git2::Oid>>>,
}

/// The kind and message of an error, which each later call returns again.
type Failed = (Kind, String);

impl GitSource {
    /// The repo at `at`; `hub` is the same repo by the hub's API.
    pub(crate) fn new(at: RepoAt, repo: GitRepo, hub: Arc<dyn Source>, limits: GitLimits) -> Self {
        Self {
            at,
            repo,
            hub,
            limits,
            large: Mutex::default(),
            fetched: OnceCell::new(),
        }
    }

    /// The pinned commit's objects, fetched once.
    async fn fetched(&self) -> Result<&Fetched> {
        let fetched = self.fetched.get_or_init(|| async {
            let fetched = self.fetch().await;
            fetched.map_err(|error| (error.kind(), error.about("by Git").to_string()))
        });
        fetched
            .await
            .as_ref()
            .map_err(|(kind, message)| Error::new(*kind, message.clone()).after_retries())
    }

    async fn fetch(&self) -> Result<Fetched> {
        let commit = self.at.revision.as_str();
        let told = self.repo.advertisement(Service::UploadPack).await?;
        let from =
            wanted(&Advertisement::parse(&told.bytes)?, commit).ok_or_else(|| self.moved_on())?;
        let bare = Bare::new(self.limits)?;
        bare.fetch_told(
            &self.repo,
            Some(told),
            &[&format!("+{from}:{PINNED}")],
            Depth::One,
        )
        .await?;
        let oid = self.oid()?;
        let is_there = bare.work(move |repository| Ok(repository.find_commit(oid).is_ok()));
        if is_there.await? {
            Ok(Fetched {
                bare,
                ids: OnceCell::new(),
            })
        } else {
            Err(self.moved_on())
        }
    }

    fn oid(&self) -> Result<git2::Oid> {
        git2::Oid::from_str(self.at.revision.as_str()).map_err(|error| error_of(&error))
    }

    fn moved_on(&self) -> Error {
        let (commit, hub) = (&self.at.revision, self.at.hub);
        Error::new(
            Kind::Conflict,
            format!(
                "no branch stands at {commit} any more, and {hub}'s Git gives no commit by its id"
            ),
        )
    }

    /// The description of the repo as far as Git tells it.
    async fn described(&self) -> Result<RepoInfo> {
        let refs = self.repo.advertised().await?;
        let asked = &self.at.revision;
        let commit = refs
            .commit(asked.as_str())
            .cloned()
            .or_else(|| asked.is_commit().then(|| asked.clone()));
        let commit = commit
            .ok_or_else(|| Error::new(Kind::NotFound, format!("there is no revision {asked}")))?;
        // Git tells neither who may see the repo nor whether it is gated.
        Ok(RepoInfo {
            commit: Some(commit),
            visibility: Visibility::Private,
            gate: Gate::Untold,
            renamed: None,
            files: FileCount::Untold,
        })
    }

    /// The content of a file in Git; `None` for a file in storage.
    async fn held(&self, file: &File) -> Result<Option<Bytes>> {
        match file.digest {
            Digest::GitSha1(id) if file.size > LARGE => self.large(id).await.map(Some),
            Digest::GitSha1(id) => self.fetched().await?.bare.blob(id).await.map(Some),
            Digest::Sha256(sha256) if self.may_hold(file) => self.by_path(file, sha256).await,
            Digest::Sha256(_) => Ok(None),
        }
    }

    /// Whether Git may have a file that is listed by its SHA-256.
    fn may_hold(&self, file: &File) -> bool {
        !self.at.hub.profile().abilities.lists_git_ids && file.size <= LARGEST_OUTSIDE
    }

    /// The content of a large file, kept in memory for its next parts.
    async fn large(&self, id: GitSha1) -> Result<Bytes> {
        let mut last = self.large.lock().await;
        if let Some((_, content)) = last.as_ref().filter(|(of, _)| *of == id) {
            return Ok(content.clone());
        }
        *last = None;
        let content = self.fetched().await?.bare.blob(id).await?;
        *last = Some((id, content.clone()));
        Ok(content)
    }

    /// The content of the file at this path, for a hub that tells a SHA-256 and no Git id.
    async fn by_path(&self, file: &File, sha256: Sha256) -> Result<Option<Bytes>> {
        let fetched = self.fetched().await?;
        let (commit, limits) = (self.oid()?, self.limits);
        let ids = fetched.ids.get_or_try_init(|| {
            fetched
                .bare
                .work(move |repository| tree::ids(repository, commit, limits).map(Arc::new))
        });
        let Some(id) = ids.await?.get(file.path.as_str()).copied() else {
            return Ok(None);
        };
        let content = fetched
            .bare
            .work(move |repository| bare::read(repository, id, limits.blob_bytes))
            .await?;
        let is_it = pointer::parse(&content).is_none_or(|blob| blob.sha256 != sha256);
        Ok(is_it.then_some(content))
    }
}

/// The ref or id by which a server gives this commit: a ref that points at it, or its id where the server allows that.
fn wanted(refs: &Advertisement, commit: &str) -> Option<String> {
    let named = refs
        .all
        .iter()
        .find(|r| r.name.starts_with("refs/") && r.oid.as_str() == commit);
    let by_id = || refs.can("allow-tip-sha1-in-want") || refs.can("allow-reachable-sha1-in-want");
    named
        .map(|r| r.name.trim_end_matches("^{}").to_owned())
        .or_else(|| by_id().then(|| commit.to_owned()))
}

#[async_trait]
impl Repo for GitSource {
    async fn account(&self) -> Result<Account> {
        self.hub.account().await
    }

    /// Asks the hub's API, and Git where the API is locked.
    async fn describe(&self) -> Result<RepoInfo> {
        match self.hub.describe().await {
            Err(error) if error.kind() == Kind::Locked => self.described().await,
            described => described,
        }
    }

    async fn file_count(&self) -> Result<FileCount> {
        match self.hub.file_count().await {
            Err(error) if error.kind() == Kind::Locked => Ok(FileCount::Untold),
            counted => counted,
        }
    }

    async fn list(&self) -> Result<Listing> {
        let (commit, limits) = (self.oid()?, self.limits);
        self.fetched()
            .await?
            .bare
            .work(move |repository| tree::list(repository, commit, limits))
            .await
    }

    async fn head(&self) -> Result<Option<Revision>> {
        self.hub.head().await
    }
}

#[async_trait]
impl BlobSource for GitSource {
    async fn locate(&self, blobs: &[Blob]) -> Result<Vec<(Sha256, Error)>> {
        self.hub.locate(blobs).await
    }

    /// Reads the pack where Git has the file, and the hub's API otherwise. Where both fail and the API is locked, Git's error is
    /// returned.
    async fn read(&self, file: &File, range: Range<u64>) -> Result<ByteStream> {
        if !is_worth_asking(file, &range)? {
            return Ok(nothing());
        }
        let closed = match self.held(file).await {
            Ok(Some(content)) => return cut(&content, file, &range),
            Ok(None) => return self.hub.read(file, range).await,
            Err(error) => error,
        };
        let read = self.hub.read(file, range).await;
        read.map_err(|error| {
            if error.kind() == Kind::Locked {
                closed.about(&file.path)
            } else {
                error
            }
        })
    }
}

/// The range of the content, whose size must be the listed one.
fn cut(content: &Bytes, file: &File, range: &Range<u64>) -> Result<ByteStream> {
    if content.len() as u64 != file.size {
        let message = format!(
            "{}: Git has {} bytes of it, {} are listed",
            file.path,
            content.len(),
            file.size
        );
        return Err(Error::new(Kind::Corrupt, message));
    }
    let bounds = usize::try_from(range.start)
        .ok()
        .zip(usize::try_from(range.end).ok());
    let (start, end) = bounds
        .ok_or_else(|| Error::new(Kind::Invalid, "the range is beyond this machine's memory"))?;
    let part = content.slice(start..end);
    Ok(async move { Ok(part) }.into_stream().boxed())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_commit_is_asked_for_by_a_ref_that_stands_there_else_by_its_id_where_allowed() {
        let [one, two] = ["1", "2"].map(|digit| digit.repeat(40));
        let refs = |capabilities: &str| {
            let lines = [
                format!("{one} HEAD\0{capabilities}\n"),
                format!("{one} refs/heads/main\n"),
                format!("{two} refs/tags/v1^{{}}\n"),
            ];
            let packets: String = lines
                .iter()
                .map(|line| format!("{:04x}{line}", line.len() + 4))
                .collect();
            Advertisement::parse(packets.as_bytes()).unwrap()
        };
        assert_eq!(wanted(&refs(""), &one).as_deref(), Some("refs/heads/main"));
        assert_eq!(wanted(&refs(""), &two).as_deref(), Some("refs/tags/v1"));
        let other = "3".repeat(40);
        assert_eq!(wanted(&refs("shallow"), &other), None);
        assert_eq!(
            wanted(&refs("allow-reachable-sha1-in-want"), &other),
            Some(other)
        );
    }
}
