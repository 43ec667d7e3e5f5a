//! The toy hub: a third hub that exists in tests only (feature `toy-hub`) and proves what docs/adding-a-hub.md says. Its API is the
//! smallest one that a copy needs; `hub/tests/contract/toy.rs` is its server.
//!
//! [`profile`] has the facts, [`wire`] the JSON.

pub(crate) mod profile;
mod wire;

use std::ops::Range;

use async_trait::async_trait;
use base64::prelude::{BASE64_STANDARD, Engine as _};
use reqwest::Url;
use reqwest::header::HeaderMap;
use serde::de::DeserializeOwned;

use self::wire::{
    Change, CommitAnswer, CommitQuestion, Creation, Digests, Entry, RepoAnswer, User,
};
use crate::http::{Http, HttpOptions, PlainErrorDecoder, Request};
use crate::stream::range::{checked, is_worth_asking, nothing, part};
use crate::{
    Account, Action, Blob, BlobSource, BlobStore, Body, ByteStream, Commit, CommitLimits,
    Committer, Content, Digest, Error, File, FileCount, Gate, Kind, Listed, Listing, Missing,
    Placement, Repo, RepoInfo, RepoPath, Result, Revision, Sha256, Side, Visibility,
};

/// Bytes of the longest answer that is read.
const LONGEST: u64 = 16 << 20;
/// Bytes of the largest file that goes inline.
const INLINE: u64 = 4 << 10;

/// A repo on the toy hub, at a revision.
pub struct ToyRepo {
    http: Http,
    side: Side,
    base: Url,
}

impl ToyRepo {
    /// Opens the repo; sends nothing yet.
    ///
    /// # Errors
    /// [`Kind::Usage`] for an endpoint that is no address; what [`Http::new`] fails with.
    pub fn open(side: &Side, options: HttpOptions) -> Result<Self> {
        let base: Url = side.at.endpoint.parse().map_err(|error| {
            Error::new(Kind::Usage, format!("the endpoint is no address: {error}"))
        })?;
        let credentials = profile::credentials(side.token.as_ref());
        Ok(Self {
            http: Http::new(&base, credentials, PlainErrorDecoder, options)?,
            side: side.clone(),
            base,
        })
    }

    /// `{endpoint}/api/{kind}s/{owner}/{name}/{rest}`.
    fn api(&self, rest: &str) -> Result<Url> {
        let at = &self.side.at;
        self.url(&format!("/api/{}s/{}{rest}", at.kind, at.id))
    }

    fn url(&self, path: &str) -> Result<Url> {
        let joined = self.base.join(path);
        joined.map_err(|error| Error::new(Kind::Invalid, format!("no address: {error}")))
    }

    async fn ask<T: DeserializeOwned>(&self, request: Request) -> Result<T> {
        Ok(self.http.ask(LONGEST, || request.clone()).await?.value)
    }

    async fn look_up(&self) -> Result<RepoAnswer> {
        let mut url = self.api("")?;
        url.query_pairs_mut()
            .append_pair("revision", self.side.at.revision.as_str());
        self.ask(Request::get(url)).await
    }
}

impl RepoAnswer {
    fn info(&self) -> Result<RepoInfo> {
        let visibility = match self.private {
            true => Visibility::Private,
            false => Visibility::Public,
        };
        Ok(RepoInfo {
            commit: Some(self.revision()?),
            visibility,
            gate: Gate::Open,
            renamed: None,
            files: FileCount::Untold,
        })
    }

    fn revision(&self) -> Result<Revision> {
        let commit = self.commit.parse().ok().filter(Revision::is_commit);
        commit.ok_or_else(|| Error::new(Kind::Refused, "the toy hub names no commit"))
    }
}

fn listed(entry: Entry) -> Result<Listed> {
    let sha256: Sha256 = entry
        .sha256
        .parse()
        .map_err(|_| Error::new(Kind::Refused, "the toy hub lists no SHA-256"))?;
    Ok(Listed {
        file: File {
            path: entry.path,
            size: entry.size,
            digest: Digest::Sha256(sha256),
        },
        lfs: entry.lfs,
    })
}

#[async_trait]
impl Repo for ToyRepo {
    async fn account(&self) -> Result<Account> {
        if self.side.token.is_none() {
            return Err(Error::new(Kind::Unauthorized, "no token was given"));
        }
        let user: User = self.ask(Request::get(self.url("/api/account")?)).await?;
        Ok(Account {
            can_write: Some(true),
            ..Account::named(user.name)
        })
    }

    async fn describe(&self) -> Result<RepoInfo> {
        self.look_up().await?.info()
    }

    async fn list(&self) -> Result<Listing> {
        let found = self.look_up().await?;
        let commit = Some(found.revision()?);
        let files = found.files.into_iter().map(listed);
        Ok(Listing {
            files: files.collect::<Result<_>>()?,
            commit,
            ..Listing::default()
        })
    }

    async fn head(&self) -> Result<Option<Revision>> {
        Ok(Some(self.look_up().await?.revision()?))
    }
}

#[async_trait]
impl BlobSource for ToyRepo {
    async fn locate(&self, _: &[Blob]) -> Result<Vec<(Sha256, Error)>> {
        Ok(Vec::new())
    }

    async fn read(&self, file: &File, range: Range<u64>) -> Result<ByteStream> {
        if !is_worth_asking(file, &range)? {
            return Ok(nothing());
        }
        let Digest::Sha256(sha256) = file.digest else {
            return Err(Error::new(Kind::NotFound, "there is no such file"));
        };
        let request = Request::get(self.url(&format!("/blobs/{sha256}"))?);
        let answer = self.http.send(part(request, file, &range)).await?;
        checked(answer, file, &range)
    }
}

#[async_trait]
impl BlobStore for ToyRepo {
    fn sends_in_parts(&self) -> bool {
        false
    }

    async fn missing(&self, blobs: &[Blob]) -> Result<Missing> {
        let sha256 = blobs.iter().map(|blob| blob.sha256.to_string()).collect();
        let question = Request::post(self.api("/missing")?).json(&Digests { sha256 })?;
        let answer: Digests = self.ask(question).await?;
        let mut missing = Missing::default();
        for blob in blobs {
            let is_wanted = answer.sha256.contains(&blob.sha256.to_string());
            if is_wanted && !missing.wanted.contains(blob) {
                missing.wanted.push(*blob);
            }
        }
        Ok(missing)
    }

    async fn put(&self, blob: Blob, body: Body) -> Result<()> {
        if self.missing(&[blob]).await?.wanted.is_empty() {
            return Ok(());
        }
        let url = self.url(&format!("/blobs/{}", blob.sha256))?;
        let body = body.verified(blob);
        let sent = self.http.upload(url, HeaderMap::new(), body, blob.size);
        sent.await.map(drop)
    }
}

#[async_trait]
impl Committer for ToyRepo {
    async fn find(&self) -> Result<Option<RepoInfo>> {
        match self.look_up().await {
            Err(error) if error.kind() == Kind::NotFound => Ok(None),
            found => found?.info().map(Some),
        }
    }

    async fn create(&self, visibility: Visibility) -> Result<()> {
        let private = visibility != Visibility::Public;
        let request = Request::post(self.api("")?).json(&Creation { private })?;
        self.http.send(request).await.map(drop)
    }

    async fn list_branch(&self) -> Result<Listing> {
        self.list().await
    }

    fn placement(&self, _: &RepoPath, size: u64) -> Placement {
        if size <= INLINE {
            Placement::Inline
        } else {
            Placement::Blob
        }
    }

    fn limits(&self) -> CommitLimits {
        CommitLimits {
            max_actions: 1_000,
            batch_actions: 100,
            body_bytes: 4 << 20,
            commit_time: None,
            folder_entries: None,
            checks_blobs: true,
            checks_parent: true,
        }
    }

    async fn commit(&self, commit: &Commit) -> Result<Option<String>> {
        let actions = commit.actions.iter().map(|action| match action {
            Action::Put { path, content, .. } => match content {
                Content::Stored(blob) => Change::Stored {
                    path: path.as_str(),
                    sha256: blob.sha256.to_string(),
                },
                Content::Inline(bytes) => Change::Inline {
                    path: path.as_str(),
                    content: BASE64_STANDARD.encode(bytes),
                },
            },
            Action::Delete { path } => Change::Delete {
                path: path.as_str(),
            },
        });
        let question = CommitQuestion {
            message: &commit.message,
            parent: commit.parent.as_ref().map(Revision::as_str),
            actions: actions.collect(),
        };
        let request = Request::post(self.api("/commit")?).json(&question)?;
        let answer = self.http.send(request.once()).await?;
        let answer: CommitAnswer = answer.json_within(LONGEST).await?;
        Ok(Some(answer.commit))
    }
}
