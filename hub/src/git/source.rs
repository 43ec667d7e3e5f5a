//! A hub's repo read by Git: its files come in one pack, its blobs in storage by the hub's own way, which goes on when its API is
//! locked.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{FutureExt, StreamExt};
use tokio::sync::{Mutex, OnceCell};

use super::advertisement::Advertisement;
use super::bare::{self, Bare};
use super::failure::meaning;
use super::limits::GitLimits;
use super::remote::{GitRepo, Service};
use super::transfer::Depth;
use super::{pointer, tree};
use crate::stream::range::{is_worth_asking, nothing};
use crate::{
    Account, Blob, BlobSource, ByteStream, Digest, Error, File, Gate, GitSha1, Hub, Kind, Listing,
    Repo, RepoAt, RepoInfo, Result, Revision, Sha256, Source, Visibility,
};

/// What the pinned commit is called in the repository that it is fetched into.
const PINNED: &str = "refs/heads/pinned";
/// A hub that tells the SHA-256 of every file keeps none of this size outside storage: no pack is fetched for it.
const LARGEST_OUTSIDE: u64 = 5 << 20;
/// From here on a file is read in parts.
const LARGE: u64 = 4 << 20;

/// A source whose listing and whose files outside storage come by Git.
pub struct GitSource {
    at: RepoAt,
    repo: GitRepo,
    /// The same without credentials: whoever it lets in makes the repo a public one.
    stranger: GitRepo,
    /// The hub's own way.
    hub: Arc<dyn Source>,
    limits: GitLimits,
    /// The last large file that was read: its parts are asked for side by side.
    large: Mutex<Option<(GitSha1, Bytes)>>,
    fetched: OnceCell<std::result::Result<Fetched, Failed>>,
}

struct Fetched {
    bare: Bare,
    /// The ids of the files' content by path, once that was asked for.
    ids: OnceCell<Arc<HashMap<String, git2::Oid>>>,
}

/// An error that is told again to whoever asks again.
type Failed = (Kind, String);

impl GitSource {
    /// The repo at `at`, `hub` being its hub's own way to it.
    pub(crate) fn new(
        at: RepoAt,
        [repo, stranger]: [GitRepo; 2],
        hub: Arc<dyn Source>,
        limits: GitLimits,
    ) -> Self {
        Self {
            at,
            repo,
            stranger,
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
        git2::Oid::from_str(self.at.revision.as_str()).map_err(|error| meaning(&error))
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

    /// What Git alone tells of the repo, where the hub's API tells nothing.
    async fn described(&self) -> Result<RepoInfo> {
        let refs = self.repo.advertised().await?;
        let asked = &self.at.revision;
        let commit = refs
            .commit(asked.as_str())
            .cloned()
            .or_else(|| asked.is_commit().then(|| asked.clone()));
        let commit = commit
            .ok_or_else(|| Error::new(Kind::NotFound, format!("there is no revision {asked}")))?;
        // What is not seen to be public must not become so.
        let visibility = if self.stranger.advertised().await.is_ok() {
            Visibility::Public
        } else {
            Visibility::Private
        };
        Ok(RepoInfo {
            commit: Some(commit),
            visibility,
            gate: Gate::Open,
            renamed: None,
        })
    }

    /// The content of a file that Git holds itself; `None` of one that is in storage, or by a way that is closed.
    async fn held(&self, file: &File) -> Result<Option<Bytes>> {
        match file.digest {
            Digest::GitSha1(id) if file.size > LARGE => self.large(id).await.map(Some),
            Digest::GitSha1(id) => self.fetched().await?.bare.blob(id).await.map(Some),
            Digest::Sha256(_) if self.at.hub == Hub::HuggingFace || file.size > LARGEST_OUTSIDE => {
                Ok(None)
            }
            Digest::Sha256(sha256) => self.by_path(file, sha256).await,
        }
    }

    /// The content of a large file, once in memory for all its parts.
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

    /// Where the hub tells a SHA-256 of every file, only its path says which of Git's objects it is.
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

/// What a server is asked for to get this commit: a ref that stands at it, else itself where that is allowed.
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

    /// As the hub tells it; by Git where its API is locked.
    async fn describe(&self) -> Result<RepoInfo> {
        match self.hub.describe().await {
            Err(error) if error.kind() == Kind::Locked => self.described().await,
            described => described,
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

    /// From the pack, if Git holds the file; where Git's way is closed, by the hub's own, and if that is closed too, Git's reason.
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

/// The bytes asked for, if the content has the size that was listed.
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
