//! Opening a repo as a source or as a destination: the one place that knows all hubs.

use std::sync::Arc;

use reqwest::Url;

use crate::blobs::{BlobSource, BlobStore, ServerSideCopy};
use crate::error::{Error, Kind, Result};
use crate::git;
use crate::git::{GitLimits, GitRepo, GitSource};
use crate::http::{Credentials, Http, HttpOptions, PlainErrorDecoder};
use crate::hub::Hub;
use crate::huggingface::{BlobDuplication, HuggingFaceRepo};
use crate::list_repos::OwnerRepos;
use crate::modelscope::ModelScopeRepo;
use crate::refs::Refs;
use crate::repo::{RepoAt, Side};
use crate::repos::{Destination, HubRepo, RefStore, RepoAdmin, Source, Spaces};
use crate::transport::BlobTransport;

/// Opens a repo of a hub with an API, its blobs travelling as `transport` says. The only place that chooses a hub's type.
fn open(side: &Side, http: HttpOptions, transport: BlobTransport) -> Result<Arc<dyn HubRepo>> {
    let http = of_hub(side, http);
    Ok(match side.at.hub {
        Hub::HuggingFace => Arc::new(HuggingFaceRepo::open(side, http)?.by(transport)?),
        Hub::ModelScope => Arc::new(ModelScopeRepo::open(side, http)?),
        Hub::Git => return Err(only_mirrored()),
        #[cfg(feature = "toy-hub")]
        Hub::Toy => Arc::new(crate::toy::ToyRepo::open(side, http)?),
    })
}

/// `http` with what is known of the storage of this side's hub.
fn of_hub(side: &Side, http: HttpOptions) -> HttpOptions {
    HttpOptions {
        storage: side.at.hub.profile().storage,
        ..http
    }
}

/// Opens a repo for reading.
///
/// # Errors
/// [`crate::Kind::Usage`] or [`crate::Kind::Refused`] for an endpoint that is no address; what [`crate::http::Http::new`] fails with.
pub fn open_source(side: &Side, http: HttpOptions) -> Result<Arc<dyn Source>> {
    open_source_over(side, http, BlobTransport::Auto)
}

/// Opens a repo for reading, its blobs travelling as `transport` says. A hub that knows one way only takes that.
///
/// # Errors
/// As [`open_source`]; [`crate::Kind::Usage`] for a way that this was built without.
pub fn open_source_over(
    side: &Side,
    http: HttpOptions,
    transport: BlobTransport,
) -> Result<Arc<dyn Source>> {
    Ok(open(side, http, transport)?)
}

/// Opens a repo whose files outside LFS are read by Git, within `limits`. Blobs in storage are read by the hub's API.
///
/// # Errors
/// As [`open_source`].
pub fn open_source_by_git(
    side: &Side,
    http: HttpOptions,
    limits: GitLimits,
) -> Result<Arc<dyn Source>> {
    let (url, user) = git_address(side)?;
    let repo = GitRepo::open(&url, user, side.token.as_ref(), http.clone())?;
    Ok(Arc::new(GitSource::new(
        side.at.clone(),
        repo,
        open_source(side, http)?,
        limits,
    )))
}

/// Opens what a chunk's blobs are read from: a repo, or a Git host's LFS server.
///
/// # Errors
/// As [`open_source_over`].
pub fn open_blob_source(
    side: &Side,
    http: HttpOptions,
    transport: BlobTransport,
) -> Result<Arc<dyn BlobSource>> {
    if side.at.hub == Hub::Git {
        return Ok(Arc::new(git::LfsStore::open(side, of_hub(side, http))?));
    }
    Ok(open(side, http, transport)?)
}

/// Opens what a chunk's blobs are stored in: a repo, or a Git host's LFS server.
///
/// # Errors
/// As [`open_destination_over`].
pub fn open_blob_store(
    side: &Side,
    http: HttpOptions,
    transport: BlobTransport,
) -> Result<Arc<dyn BlobStore>> {
    if side.at.hub == Hub::Git {
        return Ok(Arc::new(git::LfsStore::open(side, of_hub(side, http))?));
    }
    Ok(open(side, http, transport)?)
}

/// Opens the way by which a hub itself copies blobs from one of its repos to another, asked with the token of the other. `None` where
/// there is no such way: between two hubs or sites, and at hubs that copy nothing.
///
/// # Errors
/// As [`open_source`].
pub fn open_server_side_copy(
    from: &RepoAt,
    to: &Side,
    http: HttpOptions,
) -> Result<Option<Arc<dyn ServerSideCopy>>> {
    if to.token.is_none() || !from.may_copy_blobs_to(&to.at) {
        return Ok(None);
    }
    Ok(match to.at.hub {
        Hub::HuggingFace => Some(Arc::new(BlobDuplication::open(from, to, of_hub(to, http))?)),
        _ => None,
    })
}

/// A hub's API and its Git server, for raw exchanges ([`Http::exchange_raw`]).
pub struct RawHub {
    /// With the hub's own credentials.
    pub api: Http,
    /// With the token as the password of Git's user.
    pub git: Http,
}

/// Opens the hub of `side` for raw exchanges. Whatever one of them answers, the other's credentials stay good.
///
/// # Errors
/// As [`open_source`].
pub fn open_raw(side: &Side, http: HttpOptions) -> Result<RawHub> {
    let (url, user) = git_address(side)?;
    let credentials = (side.at.hub.profile().credentials)(side.token.as_ref());
    let http = of_hub(side, http);
    let git = Http::new(
        &url,
        Credentials::basic(user, side.token.as_ref()),
        PlainErrorDecoder,
        http.clone(),
    )?;
    Ok(RawHub {
        api: Http::new(&url, credentials, PlainErrorDecoder, http)?,
        git,
    })
}

fn git_address(side: &Side) -> Result<(Url, &'static str)> {
    let profile = side.at.hub.profile();
    if profile.folders.is_none() {
        return Err(only_mirrored());
    }
    let url = side.at.git_url();
    let url = url
        .parse()
        .map_err(|error| Error::new(Kind::Usage, format!("'{url}' is no address: {error}")))?;
    Ok((url, profile.git_user))
}

/// The branches and tags of a repo as Git tells them, where its hub's API does not.
///
/// # Errors
/// The Git server's.
pub async fn refs_by_git(side: &Side, http: HttpOptions) -> Result<Refs> {
    let (url, user) = git_address(side)?;
    GitRepo::open(&url, user, side.token.as_ref(), http)?
        .advertised()
        .await?
        .branches_and_tags()
}

/// Opens a repo for writing.
///
/// # Errors
/// As [`open_source`].
pub fn open_destination(side: &Side, http: HttpOptions) -> Result<Arc<dyn Destination>> {
    open_destination_over(side, http, BlobTransport::Auto)
}

/// Opens a repo for writing, its blobs travelling as `transport` says. A hub that knows one way only takes that.
///
/// # Errors
/// As [`open_source_over`].
pub fn open_destination_over(
    side: &Side,
    http: HttpOptions,
    transport: BlobTransport,
) -> Result<Arc<dyn Destination>> {
    Ok(open(side, http, transport)?)
}

/// Opens a repo for its branches and tags, at whichever revision.
///
/// # Errors
/// As [`open_destination`]; [`Kind::Usage`] for a hub whose API has no branches.
pub fn open_ref_store(side: &Side, http: HttpOptions) -> Result<Arc<dyn RefStore>> {
    let opened = open(side, http, BlobTransport::Auto)?.ref_store();
    opened.ok_or_else(only_mirrored)
}

/// Opens a repo for what its owner does with the whole of it; `None` for a hub at which no token may.
///
/// # Errors
/// As [`open_destination`].
pub fn open_admin(side: &Side, http: HttpOptions) -> Result<Option<Arc<dyn RepoAdmin>>> {
    if side.at.hub == Hub::Git {
        return Ok(None);
    }
    Ok(open(side, http, BlobTransport::Auto)?.admin())
}

/// Opens a Space or studio for its SDK and its variables.
///
/// # Errors
/// As [`open_destination`]; [`Kind::Usage`] for a hub without apps.
pub fn open_space(side: &Side, http: HttpOptions) -> Result<Arc<dyn Spaces>> {
    let opened = open(side, http, BlobTransport::Auto)?.spaces();
    opened.ok_or_else(only_mirrored)
}

/// Lists what the owner of `side`'s repo has of that repo's kind. The repo itself need not exist.
///
/// # Errors
/// [`crate::Kind::Usage`] for a hub that lists no owner's repos; the hub's own errors.
pub async fn list_repos(side: &Side, http: HttpOptions) -> Result<OwnerRepos> {
    let listed = open(side, http, BlobTransport::Auto)?.owner_repos().await?;
    listed.ok_or_else(|| not_listed(side))
}

/// Lists as many of them as one request tells.
///
/// # Errors
/// As [`list_repos`].
pub async fn list_first_repos(side: &Side, http: HttpOptions) -> Result<OwnerRepos> {
    let opened = open(side, http, BlobTransport::Auto)?;
    let listed = opened.first_owner_repos().await?;
    listed.ok_or_else(|| not_listed(side))
}

fn not_listed(side: &Side) -> Error {
    Error::new(
        Kind::Usage,
        format!("{} does not list what an owner has", side.at.hub),
    )
}

fn only_mirrored() -> Error {
    Error::new(
        Kind::Usage,
        "a repo of another Git host can be mirrored only",
    )
}
