//! What a hub is, and how each one is spoken to. No planning, no processes, no words for people.
//!
//! Read in this order: the nouns ([`digest`], [`path`], [`hub`], [`profile`], [`repo`], [`token`], [`file`], [`refs`], [`space`],
//! [`commit`]); the traits that a hub implements ([`blobs`], [`repos`]); [`open`], which has the hubs; [`stream`], a blob's way
//! and its check; [`http`], one client for all; [`git`] and [`gitlab`], Git hosts; then one folder a hub.

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
pub use blobs::{BlobSource, BlobStore, Missing};
pub use commit::{Action, Commit, CommitLimits, Content, Placement};
pub use digest::{Digest, GitSha1, Sha256};
pub use error::{Error, Kind, Result};
pub use file::{Blob, File, Listed, Listing, Refused};
pub use http::ByteStream;

pub use hub::Hub;
pub use list_repos::OwnerRepos;
pub use open::{
    RawHub, list_repos, open_blob_source, open_blob_store, open_destination, open_destination_over,
    open_raw, open_ref_store, open_source, open_source_by_git, open_source_over, open_space,
    refs_by_git,
};
pub use path::RepoPath;
pub use profile::Profile;
pub use redact::Redactor;
pub use refs::{Ref, RefKind, Refs};
pub use repo::{Gate, RepoAt, RepoId, RepoInfo, RepoKind, Revision, Side, Visibility};
pub use repos::{Account, Cards, Committer, Destination, RefStore, Repo, Source, Spaces};
/// An address, as the HTTP client reads it.
pub use reqwest::Url;
pub use space::{Sdk, SpaceVariables};
pub use stream::body::Body;
pub use token::Token;
pub use transport::BlobTransport;
