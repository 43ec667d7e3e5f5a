//! What a hub is, and how each one is spoken to. No planning, no processes, no words for people.
//!
//! Read in this order: the nouns ([`digest`], [`path`], [`hub`], [`profile`], [`repo`], [`token`], [`file`]), the two
//! traits ([`source`], [`destination`]; [`references`] and [`space`] beside them), then [`http`], [`git`] and one folder a hub.

pub mod body;
pub mod destination;
pub mod digest;
pub mod error;
pub mod file;
pub mod git;
pub mod gitlab;
mod held_back;
pub mod http;
pub mod hub;
pub mod huggingface;
mod lfs;
pub mod modelscope;
pub mod open;
pub mod owned;
pub mod path;
pub mod profile;
mod ranged;
pub mod redact;
pub mod references;
pub mod repo;
pub mod source;
pub mod space;
pub mod token;
pub mod transport;
#[cfg(feature = "xet")]
mod unnamed;

pub use body::Body;
pub use destination::{Account, Action, Commit, Content, Destination, Limits, Missing, Placement};
pub use digest::{Digest, GitSha1, Sha256};
pub use error::{Error, Kind, Result};
pub use file::{Blob, File, Listed, Listing, Refused};

pub use hub::Hub;
pub use open::{
    RawHub, Side, open_destination, open_destination_over, open_raw, open_references, open_source,
    open_source_by_git, open_source_over, open_spaces, refs_by_git,
};
pub use owned::{Owned, list_owned};
pub use path::RepoPath;
pub use profile::Profile;
pub use redact::Redactor;
pub use references::{Ref, RefKind, References, Refs};
pub use repo::{Gate, RepoAt, RepoId, RepoInfo, RepoKind, Revision, Visibility};
/// An address, as the HTTP client reads it.
pub use reqwest::Url;
pub use source::{ByteStream, Source};
pub use space::{Sdk, Spaces, Surroundings};
pub use token::Token;
pub use transport::Transport;
