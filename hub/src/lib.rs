//! What a hub is, and the requests that each hub takes. No planning, no processes, no texts for people.
//!
//! Rooms, in the order to read. No module imports one that imports it.
//!
//! 1. The nouns: [`digest`], [`path`], [`repo`], [`file`], [`refs`], [`space`], [`commit`], [`token`], [`transport`]; their
//!    [`error`]s, the [`redact`]or and the [`clock`]. [`platform`] knows the operating systems.
//! 2. The hubs: [`hub`] names them, and a [`profile`] has the facts of each.
//! 3. The traits that a hub implements: [`blobs`] for reading and storing blobs, [`repos`] for repos and commits.
//! 4. [`open`] returns a hub's repo as these traits. It is the one place that chooses a hub's type.
//! 5. [`stream`] is a blob's way from source to destination, with the digest check. [`http`] is the one client, with the retries.
//! 6. [`git`] is any Git server, [`gitlab`] GitLab's API. Then one folder for each hub: [`huggingface`], [`modelscope`].

mod account;
pub mod blobs;
pub mod clock;
pub mod commit;
pub mod digest;
pub mod error;
pub mod file;
pub mod git;
pub mod gitlab;
pub mod http;
pub mod hub;
pub mod huggingface;
mod lfs;
mod list_repos;
pub mod modelscope;
pub mod open;
pub mod path;
pub mod platform;
pub mod profile;
pub mod redact;
pub mod refs;
pub mod repo;
pub mod repos;
pub mod space;
pub mod stream;
pub mod token;
#[cfg(feature = "toy-hub")]
pub mod toy;
pub mod transport;
pub use account::{
    Account, Organisation, OrganisationRole, PermissionGrant, PermissionTarget, TokenScopes,
    WriteRefusal,
};
pub use blobs::{BlobSource, BlobStore, CopiedBlobs, Missing, ServerSideCopy, SeveralTransports};
pub use commit::{Action, Commit, CommitLimits, Content, Placement};
pub use digest::{Digest, GitSha1, Sha256};
pub use error::{Error, Kind, Result};
pub use file::{Blob, File, FileTimes, Listed, Listing, Refused};
pub use http::ByteStream;

pub use hub::Hub;
pub use list_repos::{OwnedRepo, OwnerRepos};
pub use open::{
    RawHub, list_first_repos, list_repos, open_admin, open_blob_source, open_blob_store,
    open_destination, open_destination_over, open_raw, open_ref_store, open_server_side_copy,
    open_source, open_source_by_git, open_source_over, open_space, refs_by_git,
};
pub use path::RepoPath;
pub use profile::Profile;
pub use redact::Redactor;
pub use refs::{Ref, RefKind, Refs};
pub use repo::{
    Community, FileCount, Gate, GateMode, RepoAt, RepoId, RepoInfo, RepoKind, Revision, Side,
    Visibility,
};
pub use repos::{Cards, Committer, Destination, Gates, RefStore, Repo, RepoAdmin, Source, Spaces};
/// An address, as the HTTP client reads it.
pub use reqwest::Url;
pub use space::{Sdk, SpaceVariables};
pub use stream::body::Body;
pub use token::Token;
pub use transport::BlobTransport;
