//! ModelScope as a source and as a destination: a table of contents. Facts: modelscope-hub 0.5.1.
//!
//! [`api`] sends requests and opens the envelopes of their answers, [`errors`] decodes them, [`wire`] has the JSON. [`list_repos`] lists
//! an owner's repos, [`repo`] describes and creates a repo, [`resolve`] finds commits, [`tree`] and [`entries`] list files;
//! [`unhashed`] learns digests that are not listed, [`oss`] has the files beside a dataset's repo, [`read`] opens files. [`placement`]
//! says where a file goes, [`upload`] is the protocol by which [`crate::lfs`] stores blobs, [`put`] its PUT, [`commit`] writes. [`refs`] has branches and tags, which
//! [`push`] makes by Git; [`space`] is the studio.

mod api;
mod commit;
mod entries;
mod errors;
mod list_repos;
mod oss;
mod placement;
pub(crate) mod profile;
mod push;
mod put;
mod read;
mod refs;
mod repo;
mod resolve;
mod space;
mod tree;
mod unhashed;
mod upload;
mod wire;

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use async_trait::async_trait;
use reqwest::Url;

use crate::http::{Http, HttpOptions};
use crate::lfs::Lfs;
use crate::{
    Account, Blob, BlobSource, BlobStore, Body, ByteStream, Commit, CommitLimits, Committer, Error,
    File, FileCount, FileTimes, GateMode, Gates, Kind, Listing, Missing, OwnerRepos, Placement,
    RefStore, Repo, RepoAt, RepoInfo, RepoKind, RepoPath, Result, Revision, Sha256, Side, Spaces,
    Token, Visibility,
};

/// A repo on ModelScope at a revision. Only the token, addresses in storage and whether the repo could be listed are
/// remembered; nothing of its content is.
pub struct ModelScopeRepo {
    at: RepoAt,
    base: Url,
    token: Option<Token>,
    http: Http,
    /// The store of its blobs.
    lfs: Lfs,
    /// Where files were found in storage.
    found: read::StorageAddresses,
    /// A listing has succeeded: a later 403 on one is not about permission.
    readable: AtomicBool,
    /// The studio's files are found by the official client's route ([`ModelScopeRepo::by_either_route`]).
    plural: AtomicBool,
}

impl ModelScopeRepo {
    /// Opens it; sends nothing yet.
    ///
    /// # Errors
    /// [`Kind::Refused`] for an endpoint that is no http(s) address; what [`Http::new`] fails with.
    pub fn open(side: &Side, http: HttpOptions) -> Result<Self> {
        let (at, token) = (side.at.clone(), side.token.clone());
        let refused = |error| {
            Error::new(
                Kind::Refused,
                format!(
                    "'{}' is no address: {error}",
                    crate::path::escape(&at.endpoint)
                ),
            )
        };
        let base: Url = at.endpoint.parse().map_err(refused)?;
        let http = Http::new(
            &base,
            profile::credentials(token.as_ref()),
            errors::ModelScope,
            http,
        )?;
        let batch = api::git_api(&base, &at, &["info", "lfs", "objects", "batch"]);
        let lfs = Lfs::new(http.clone(), batch).storing_by(upload::ModelScopeLfs {
            base: base.clone(),
            token: token.clone(),
        });
        Ok(Self {
            at,
            base,
            token,
            http,
            lfs,
            found: read::StorageAddresses::default(),
            readable: AtomicBool::new(false),
            plural: AtomicBool::new(false),
        })
    }
}

#[async_trait]
impl Repo for ModelScopeRepo {
    async fn owner_repos(&self) -> Result<Option<OwnerRepos>> {
        self.list_repos().await.map(Some)
    }

    async fn first_owner_repos(&self) -> Result<Option<OwnerRepos>> {
        self.first_repos().await.map(Some)
    }

    async fn account(&self) -> Result<Account> {
        self.who_asks().await
    }

    async fn describe(&self) -> Result<RepoInfo> {
        self.look_up_pinned().await
    }

    async fn list(&self) -> Result<Listing> {
        let mut listing = self.list_all().await?;
        self.add_oss_files(&mut listing).await?;
        Ok(listing)
    }

    async fn file_count(&self) -> Result<FileCount> {
        self.listed_again().await
    }

    async fn file_times(&self) -> Result<Option<FileTimes>> {
        self.list_times().await.map(Some)
    }

    async fn head(&self) -> Result<Option<Revision>> {
        self.branch_head().await
    }

    fn ref_store(self: Arc<Self>) -> Option<Arc<dyn RefStore>> {
        Some(self)
    }

    fn spaces(self: Arc<Self>) -> Option<Arc<dyn Spaces>> {
        Some(self)
    }
}

#[async_trait]
impl BlobSource for ModelScopeRepo {
    /// Nothing can be asked of many at once: each file's address comes with its first range.
    async fn locate(&self, _: &[Blob]) -> Result<Vec<(Sha256, Error)>> {
        Ok(Vec::new())
    }

    async fn read(&self, file: &File, range: Range<u64>) -> Result<ByteStream> {
        self.open_file(file, range).await
    }
}

#[async_trait]
impl BlobStore for ModelScopeRepo {
    fn sends_in_parts(&self) -> bool {
        false
    }

    fn blobs_a_check(&self) -> usize {
        upload::BLOBS_A_CHECK
    }

    async fn missing(&self, blobs: &[Blob]) -> Result<Missing> {
        self.lfs.missing(blobs).await
    }

    async fn put(&self, blob: Blob, body: Body) -> Result<()> {
        self.lfs.put(blob, body).await
    }
}

#[async_trait]
impl Gates for ModelScopeRepo {
    async fn create_gated(&self, _: Visibility, mode: GateMode) -> Result<()> {
        self.create_gated_repo(mode).await
    }
}

#[async_trait]
impl Committer for ModelScopeRepo {
    async fn find(&self) -> Result<Option<RepoInfo>> {
        self.look_up().await
    }

    async fn create(&self, visibility: Visibility) -> Result<()> {
        self.create_repo(visibility).await
    }

    async fn list_branch(&self) -> Result<Listing> {
        match self.list_all().await {
            Err(error) if error.kind() == Kind::NotFound && error.status().is_none() => {
                Ok(Listing::default())
            }
            listed => listed,
        }
    }

    fn placement(&self, path: &RepoPath, size: u64) -> Placement {
        placement::placement(self.at.kind, path, size)
    }

    fn gates(&self) -> Option<&dyn Gates> {
        (self.at.kind != RepoKind::Space).then_some(self)
    }

    /// modelscope-hub 0.5.1, `constants.py`: `COMMIT_MAX_ACTIONS_PER_REQUEST` (the server's own limit; the official client sends
    /// `UPLOAD_COMMIT_BATCH_MAX_OPERATIONS`, 256), `UPLOAD_COMMIT_MAX_INLINE_BYTES`. A commit with blobs that the hub does not have
    /// is taken (recorded at the real hub), and no commit names its parent.
    fn limits(&self) -> CommitLimits {
        CommitLimits {
            max_actions: 2_000,
            batch_actions: 2_000,
            body_bytes: 8 << 20,
            commit_time: None,
            folder_entries: tree::widest(self.at.kind),
            checks_blobs: false,
            checks_parent: false,
        }
    }

    async fn commit(&self, commit: &Commit) -> Result<Option<String>> {
        self.write_commit(commit).await
    }
}
