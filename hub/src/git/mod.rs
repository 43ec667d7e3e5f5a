//! Repos as Git sees them: refs, packs, and the pointers that stand for blobs. Any Git server that speaks smart HTTP.
//!
//! [`remote`] is a server's repo, [`refs`] what it advertises. [`Bare`] is a repository in a temporary [`folder`] that objects are
//! fetched into and pushed from ([`bare`], [`transfer`]); libgit2 does that, its bytes travelling by the project's own HTTP client
//! ([`session`]). [`history`] looks through all that was fetched, [`store`] has the blobs of a repo's LFS server ([`lfsconfig`] says where). [`tree`] lists a commit's files, [`pointer`] reads pointers, [`limits`] says what is too much.
//! [`source`] makes all that a [`crate::Source`].

mod bare;
mod dialect;
mod failure;
mod folder;
mod history;
mod lfsconfig;
mod limits;
pub mod pointer;
pub(crate) mod profile;
mod refs;
mod remote;
mod session;
mod source;
mod store;
mod transfer;
mod tree;

use crate::{Hub, RepoAt, RepoId, RepoKind, Revision};

pub use bare::Bare;
pub use folder::leave_nothing;
pub use lfsconfig::LfsAddress;
pub use limits::Limits;
pub use refs::{Ref, Refs, is_exact};
pub use remote::GitRepo;
pub use source::GitSource;
pub use store::{Store, lfs_address};
pub use transfer::{Depth, Pushed, Rejection};

/// The repo of a Git host at `endpoint`, its whole address; the id is for people.
pub fn repo_at(endpoint: String, id: RepoId) -> RepoAt {
    RepoAt {
        hub: Hub::Git,
        endpoint,
        kind: RepoKind::Model,
        id,
        revision: Revision::main_of(Hub::Git),
    }
}
