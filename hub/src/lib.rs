//! What a hub is, and how each one is spoken to. No planning, no processes, no words for people.
//!
//! Read in this order: the nouns ([`digest`], [`path`], [`repo`], [`token`], [`file`]), the two
//! traits ([`source`], [`destination`]), then [`http`] and one folder a hub.

pub mod body;
pub mod destination;
pub mod digest;
pub mod error;
pub mod file;
pub mod held_back;
pub mod http;
pub mod huggingface;
pub mod modelscope;
pub mod open;
pub mod owned;
pub mod path;
mod ranged;
pub mod redact;
pub mod repo;
pub mod source;
pub mod token;

pub use body::Body;
pub use destination::{Account, Action, Commit, Content, Destination, Limits, Missing, Placement};
pub use digest::{Digest, GitSha1, Sha256};
pub use error::{Error, Kind, Result};
pub use file::{Blob, File, Listed, Listing, Refused};
pub use held_back::until_verified;

pub use open::{Side, open_destination, open_source};
pub use owned::{Owned, list_owned};
pub use path::RepoPath;
pub use redact::Redactor;
pub use repo::{Gate, Hub, RepoAt, RepoId, RepoInfo, RepoKind, Revision, Visibility};
pub use source::{ByteStream, Source};
pub use token::Token;
