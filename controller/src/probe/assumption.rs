//! The types of an assumption and of a hub's probe. The assumptions themselves stand beside the functions that test them.

use futures_util::future::BoxFuture;

use super::finding::{Removed, Tried};
use super::scratch::Scratch;

/// One assumption about a hub.
pub struct Assumption {
    /// Its name, as `--only` takes it: `ms-git-agent`.
    pub id: &'static str,
    /// The assumption in one sentence.
    pub says: &'static str,
    /// The function that tests it.
    pub look: fn(&Scratch) -> BoxFuture<'_, Tried>,
}

impl Assumption {
    /// The prefix of its hub.
    pub fn prefix(&self) -> &'static str {
        self.id.split('-').next().unwrap_or_default()
    }
}

/// How one hub is probed. Each hub's folder defines its own.
pub struct HubProbe {
    /// The hub's prefix, with which the names of its assumptions begin.
    pub prefix: &'static str,
    /// The assumptions about the hub, in the order in which they are tested.
    pub assumptions: fn() -> Vec<&'static Assumption>,
    /// Makes the scratch repo and fills it.
    pub prepare: for<'a> fn(&'a mut Scratch) -> BoxFuture<'a, ()>,
    /// Deletes the scratch repo, where the hub lets a token do that.
    pub remove: for<'a> fn(&'a Scratch) -> BoxFuture<'a, Removed>,
    /// Whether the hub refuses commits that follow each other too soon.
    pub spaces_commits: bool,
}
