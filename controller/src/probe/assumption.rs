//! What an assumption is, and how a hub is probed. The assumptions of a group stand beside what tries them.

use futures_util::future::BoxFuture;

use super::finding::{Removed, Tried};
use super::scratch::Scratch;

/// Something that is believed of a hub.
pub struct Assumption {
    /// Its name, as `--only` takes it: `ms-git-agent`.
    pub id: &'static str,
    /// What is believed, in one sentence.
    pub says: &'static str,
    /// What tries it.
    pub look: fn(&Scratch) -> BoxFuture<'_, Tried>,
}

impl Assumption {
    /// The prefix of the hub that it is about.
    pub fn prefix(&self) -> &'static str {
        self.id.split('-').next().unwrap_or_default()
    }
}

/// How one hub is probed. Each hub's folder defines its own.
pub struct HubProbe {
    /// The hub's prefix, with which the names of its assumptions begin.
    pub prefix: &'static str,
    /// The assumptions about the hub, in the order in which they are tried.
    pub assumptions: fn() -> Vec<&'static Assumption>,
    /// Makes the scratch repo and fills it.
    pub prepare: for<'a> fn(&'a mut Scratch) -> BoxFuture<'a, ()>,
    /// Deletes the scratch repo, where the hub lets a token do that.
    pub remove: for<'a> fn(&'a Scratch) -> BoxFuture<'a, Removed>,
    /// Whether the hub refuses commits that follow each other too soon.
    pub spaces_commits: bool,
}
