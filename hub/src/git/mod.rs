//! Repos as Git sees them: refs, packs, and the pointers that stand for blobs. Any Git server that speaks smart HTTP.
//!
//! [`remote`] is a server's repo, [`advertisement`] the refs that the server tells. [`Bare`] is a repository in a
//! [`temp_folder`] that objects are fetched into and pushed from ([`bare`], [`transfer`]). libgit2 does the packing; its bytes
//! travel by the project's own HTTP client ([`session`]). [`tree`] lists a commit's files, [`history`] every pointer in all
//! commits, [`pointer`] reads one. [`relation`] says what two repos have in common. [`limits`] says what is too much,
//! and [`pack_check`] holds a pack to that. [`source`] reads a hub's repo by Git, as a
//! [`crate::Source`]. [`lfs_store`] has the blobs of a repo's LFS server, whose address [`lfsconfig`] may give.

mod advertisement;
mod bare;
mod errors;
mod failure;
mod history;
mod lfs_store;
mod lfsconfig;
mod limits;
mod pack_check;
pub mod pointer;
pub(crate) mod profile;
mod relation;
mod remote;
mod session;
mod source;
mod temp_folder;
mod transfer;
mod tree;

use crate::{Hub, RepoAt, RepoId, RepoKind, Revision};

pub use advertisement::{Advertisement, RemoteRef, is_exact};
pub use bare::Bare;
pub use lfs_store::{LfsStore, lfs_address};
pub use lfsconfig::LfsAddress;
pub use limits::GitLimits;
pub use relation::Relation;
pub use remote::GitRepo;
pub use source::GitSource;
pub use temp_folder::leave_nothing;
pub use transfer::{Depth, PushResponse, Pushed, Rejection};

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
