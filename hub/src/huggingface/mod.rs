//! Hugging Face as a source and as a destination: this file is its table of contents. Facts: huggingface_hub 2.4.0.
//!
//! [`account`] asks whose token it is, [`list_repos`] lists an owner's repos, [`repo`] describes and creates a repo, [`tree`] lists
//! its files, [`read`] opens them. [`paths`] asks about some of them. [`placement`] says where a file goes, [`commit`] writes, [`duplicate`] has
//! the hub copy blobs between its repos, [`refs`] has branches and tags, [`admin`] what an owner does with a whole repo, [`space`] the SDK and the variables of a Space. [`api`] has the addresses, [`wire`] the JSON, [`errors`] decodes error answers and [`quota`]
//! reads how long to wait. Blobs go by [`crate::lfs`], or by [`xet`], which is the only way for blobs that storage serves no other
//! way. Other servers with the same API are taken as they are (docs/self-hosted.md).

mod account;
mod admin;
mod api;
mod commit;
mod duplicate;
mod entries;
mod errors;
mod list_repos;
mod paths;
mod placement;
pub(crate) mod profile;
mod quota;
mod read;
mod refs;
mod repo;
mod siblings;
mod space;
mod tree;
mod wire;
#[cfg(feature = "xet")]
mod xet;
#[cfg(not(feature = "xet"))]
#[path = "without_xet.rs"]
mod xet;

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use self::api::{address, api_url, escaped, page_of};
pub(crate) use self::duplicate::BlobDuplication;
use crate::http::{Http, HttpOptions};
use crate::lfs::Lfs;
use crate::{
    Account, Blob, BlobSource, BlobStore, BlobTransport, Body, ByteStream, Cards, Commit,
    CommitLimits, Committer, Error, File, FileCount, FileTimes, GateMode, Gates, Kind, Listing,
    Missing, OwnerRepos, Placement, RefStore, Repo, RepoAdmin, RepoAt, RepoInfo, RepoKind,
    RepoPath, Result, Revision, SeveralTransports, Sha256, Side, Spaces, Visibility,
};

/// A repo on Hugging Face, at a revision. Cheap to share; it keeps the addresses of blobs, where they are and where they go.
pub struct HuggingFaceRepo {
    http: Http,
    base: String,
    at: RepoAt,
    /// Whose token it is; `None` without one.
    account: Option<account::Known>,
    pub(crate) lfs: Lfs,
    xet: xet::Xet,
}

impl HuggingFaceRepo {
    /// Opens it; sends nothing yet.
    ///
    /// # Errors
    /// [`Kind::Usage`] for an endpoint that is no address; what [`Http::new`] fails with.
    pub fn open(side: &Side, options: HttpOptions) -> Result<Self> {
        let base = side.at.endpoint.trim_end_matches('/').to_owned();
        let endpoint = address(&base)?;
        if endpoint.query().is_some() || endpoint.fragment().is_some() {
            return Err(Error::new(
                Kind::Usage,
                "the Hugging Face endpoint must not hold '?' or '#'",
            ));
        }
        let account = side
            .token
            .as_ref()
            .map(|token| account::known(&base, token));
        let http = Http::new(
            &endpoint,
            profile::credentials(side.token.as_ref()),
            errors::HuggingFaceErrors::of(&side.at, account.is_some()),
            options,
        )?;
        let batch = address(&format!(
            "{base}/{}.git/info/lfs/objects/batch",
            page_of(&side.at)
        ))?;
        let lfs = Lfs::new(http.clone(), batch)
            .in_parts()
            .of_ref(side.at.revision.to_string());
        let rest = |direction: &str| {
            format!(
                "/xet-{direction}-token/{}",
                escaped(side.at.revision.as_str())
            )
        };
        let grants = [
            api_url(&base, &side.at, &rest("read"))?,
            api_url(&base, &side.at, &rest("write"))?,
        ];
        let xet = xet::Xet::new(&http, grants);
        Ok(Self {
            http,
            base,
            at: side.at.clone(),
            account,
            lfs,
            xet,
        })
    }

    /// The same, its blobs going as `transport` says.
    ///
    /// # Errors
    /// [`Kind::Usage`] for Xet where this was built without it.
    pub fn by(mut self, transport: BlobTransport) -> Result<Self> {
        self.xet.set(transport)?;
        Ok(self)
    }
}

#[async_trait]
impl Repo for HuggingFaceRepo {
    async fn owner_repos(&self) -> Result<Option<OwnerRepos>> {
        list_repos::list(self).await.map(Some)
    }

    async fn first_owner_repos(&self) -> Result<Option<OwnerRepos>> {
        list_repos::first(self).await.map(Some)
    }

    async fn account(&self) -> Result<Account> {
        account::account(self).await
    }

    /// The question has a limit of its own, which is not waited for.
    async fn account_if_told(&self) -> Result<Option<Account>> {
        match account::account(self).await {
            Err(error) if error.kind() == Kind::RateLimited => Ok(None),
            account => account.map(Some),
        }
    }

    async fn describe(&self) -> Result<RepoInfo> {
        repo::describe(self).await
    }

    async fn list(&self) -> Result<Listing> {
        tree::list(self).await
    }

    async fn file_count(&self) -> Result<FileCount> {
        repo::count_of(self, &self.at.revision).await
    }

    async fn file_times(&self) -> Result<Option<FileTimes>> {
        tree::times(self).await.map(Some)
    }

    async fn head(&self) -> Result<Option<Revision>> {
        repo::head(self).await
    }

    fn ref_store(self: Arc<Self>) -> Option<Arc<dyn RefStore>> {
        Some(self)
    }

    fn admin(self: Arc<Self>) -> Option<Arc<dyn RepoAdmin>> {
        Some(self)
    }

    fn spaces(self: Arc<Self>) -> Option<Arc<dyn Spaces>> {
        Some(self)
    }
}

#[async_trait]
impl BlobSource for HuggingFaceRepo {
    async fn locate(&self, blobs: &[Blob]) -> Result<Vec<(Sha256, Error)>> {
        if self.lfs.is_absent() {
            return Ok(Vec::new());
        }
        match self.lfs.locate(blobs).await {
            Err(_) if self.lfs.is_absent() => Ok(Vec::new()),
            located => located,
        }
    }

    async fn read(&self, file: &File, range: Range<u64>) -> Result<ByteStream> {
        read::read(self, file, range).await
    }
}

#[async_trait]
impl BlobStore for HuggingFaceRepo {
    fn sends_in_parts(&self) -> bool {
        true
    }

    async fn missing(&self, blobs: &[Blob]) -> Result<Missing> {
        self.lfs.missing(blobs).await
    }

    fn several_transports(&self) -> Option<&dyn SeveralTransports> {
        self.xet.is_open().then_some(self)
    }

    async fn put(&self, blob: Blob, body: Body) -> Result<()> {
        let transport = match self.xet.sends(blob) {
            true => BlobTransport::Xet,
            false => BlobTransport::Http,
        };
        self.put_by(transport, blob, body).await
    }
}

#[async_trait]
impl SeveralTransports for HuggingFaceRepo {
    async fn offers_xet(&self) -> bool {
        self.xet.is_offered().await
    }

    async fn put_by(&self, transport: BlobTransport, blob: Blob, body: Body) -> Result<()> {
        match transport {
            BlobTransport::Xet => self.xet.put(blob, body.verified(blob)).await,
            BlobTransport::Auto | BlobTransport::Http => self.lfs.put(blob, body).await,
        }
    }
}

#[async_trait]
impl Committer for HuggingFaceRepo {
    async fn find(&self) -> Result<Option<RepoInfo>> {
        repo::look_up(self).await
    }

    async fn create(&self, visibility: Visibility) -> Result<()> {
        repo::create(self, visibility).await
    }

    async fn list_branch(&self) -> Result<Listing> {
        repo::list(self).await
    }

    async fn list_branch_at(&self, head: Option<&Revision>) -> Result<Listing> {
        match head {
            Some(head) => repo::list_at(self, head).await,
            None => repo::list(self).await,
        }
    }

    fn placement(&self, path: &RepoPath, size: u64) -> Placement {
        placement::placement(path, size)
    }

    /// huggingface_hub 2.4.0, `_upload_pipeline.py`: at most 1,000 files a commit, from 250 on, towards 40 s.
    fn limits(&self) -> CommitLimits {
        CommitLimits {
            max_actions: 1_000,
            batch_actions: 250,
            body_bytes: 8 << 20,
            commit_time: Some(Duration::from_secs(40)),
            folder_entries: None,
            checks_blobs: true,
            checks_parent: true,
        }
    }

    fn cards(&self) -> Option<&dyn Cards> {
        Some(self)
    }

    fn gates(&self) -> Option<&dyn Gates> {
        (self.at.kind != RepoKind::Space).then_some(self)
    }

    async fn commit(&self, commit: &Commit) -> Result<Option<String>> {
        commit::write(self, commit).await
    }
}

#[async_trait]
impl Cards for HuggingFaceRepo {
    async fn refusal_of(&self, card: &str) -> Result<Option<String>> {
        repo::refuses_card(self, card).await
    }
}

#[async_trait]
impl Gates for HuggingFaceRepo {
    async fn create_gated(&self, visibility: Visibility, mode: GateMode) -> Result<()> {
        repo::create_gated(self, visibility, mode).await
    }
}

#[cfg(test)]
pub(crate) mod testing {
    //! A repo on a scripted server.

    use super::*;
    use crate::clock::tests::ManualClock;
    use crate::http::testing::{Server, quick};
    use crate::{Hub, Token};

    pub(crate) const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";
    pub(crate) const TOKEN: &str = "hf_canary";

    pub(crate) fn side(endpoint: &str, revision: &str) -> Side {
        let at = RepoAt {
            hub: Hub::HuggingFace,
            endpoint: endpoint.to_owned(),
            kind: RepoKind::Dataset,
            id: "org/name".parse().unwrap(),
            revision: revision.parse().unwrap(),
        };
        Side {
            at,
            token: Some(Token::parse(TOKEN).unwrap()),
        }
    }

    pub(crate) fn timed(server: &Server, clock: &Arc<ManualClock>) -> HuggingFaceRepo {
        HuggingFaceRepo::open(&side(&server.endpoint(), COMMIT), quick(clock)).unwrap()
    }

    pub(crate) fn repo(server: &Server) -> HuggingFaceRepo {
        timed(server, &ManualClock::new())
    }

    pub(crate) fn anonymous(server: &Server) -> HuggingFaceRepo {
        let side = Side {
            token: None,
            ..side(&server.endpoint(), COMMIT)
        };
        HuggingFaceRepo::open(&side, quick(&ManualClock::new())).unwrap()
    }
}

#[cfg(test)]
mod tests {
    use super::testing::side;
    use super::*;

    #[test]
    fn each_kind_of_repo_has_its_own_addresses() {
        let urls = |kind: RepoKind| {
            let mut side = side("https://mirror.example/hf/", "refs/pr/1");
            side.at.kind = kind;
            let repo = HuggingFaceRepo::open(&side, HttpOptions::default()).unwrap();
            let api = repo.api(&format!("/revision/{}", repo.revision())).unwrap();
            [
                api.to_string(),
                repo.page(".git/info/lfs/objects/batch")
                    .unwrap()
                    .to_string(),
            ]
        };
        let model = urls(RepoKind::Model);
        assert_eq!(
            model[0],
            "https://mirror.example/hf/api/models/org/name/revision/refs%2Fpr%2F1"
        );
        assert_eq!(
            model[1],
            "https://mirror.example/hf/org/name.git/info/lfs/objects/batch"
        );
        assert_eq!(
            urls(RepoKind::Dataset)[1],
            "https://mirror.example/hf/datasets/org/name.git/info/lfs/objects/batch"
        );
        assert_eq!(
            urls(RepoKind::Space)[0],
            "https://mirror.example/hf/api/spaces/org/name/revision/refs%2Fpr%2F1"
        );
    }

    #[test]
    fn endpoints_that_are_no_address_are_refused() {
        for endpoint in [
            "huggingface.co",
            "https://h/?a",
            "https://h/#a",
            "https://user:pass@h",
            "ftp://h",
        ] {
            assert!(
                HuggingFaceRepo::open(&side(endpoint, "main"), HttpOptions::default()).is_err(),
                "{endpoint}"
            );
        }
    }
}
