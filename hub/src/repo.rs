//! Repos: the kind, the id, the revision, and what a hub says of one.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::hub::Hub;
use crate::profile::Folders;
use crate::token::Token;

/// What a repo holds.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum RepoKind {
    /// Weights, tokenizers, configurations.
    Model,
    /// Data.
    Dataset,
    /// An app (ModelScope: studio).
    Space,
}

impl RepoKind {
    /// Every kind, in the order in which a repo of unknown kind is looked for.
    pub const ALL: [Self; 3] = [Self::Model, Self::Dataset, Self::Space];

    /// The folder of this kind among a hub's `folders`.
    pub fn folder(self, folders: &Folders) -> &'static str {
        match self {
            Self::Model => folders.model,
            Self::Dataset => folders.dataset,
            Self::Space => folders.space,
        }
    }
}

impl fmt::Display for RepoKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Model => "model",
            Self::Dataset => "dataset",
            Self::Space => "space",
        })
    }
}

/// `owner/name`. Letters, digits, `-`, `_` and `.`; neither part starts or ends with `-` or `.`.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
pub struct RepoId {
    text: String,
    slash: usize,
}

/// A text that is no repo id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{}' is not a repo id: expected owner/name, of letters, digits, '-', '_' and '.'", crate::path::escape(.0))]
pub struct BadRepoId(String);

impl RepoId {
    /// The account or organisation.
    pub fn owner(&self) -> &str {
        &self.text[..self.slash]
    }

    /// The repo's name without its owner.
    pub fn name(&self) -> &str {
        &self.text[self.slash + 1..]
    }

    /// `owner/name`.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl FromStr for RepoId {
    type Err = BadRepoId;

    fn from_str(text: &str) -> Result<Self, BadRepoId> {
        let bad = || BadRepoId(text.chars().take(200).collect());
        let (owner, name) = text.split_once('/').ok_or_else(bad)?;
        if !is_id_part(owner) || !is_id_part(name) {
            return Err(bad());
        }
        Ok(Self {
            text: text.to_owned(),
            slash: owner.len(),
        })
    }
}

/// The rules of huggingface_hub 2.4.0 (`validate_repo_id`): 96 characters at most, no `--` and no `..`.
fn is_id_part(part: &str) -> bool {
    let edge = |c: char| c == '-' || c == '.';
    !part.is_empty()
        && part.len() <= 96
        && part
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
        && !part.starts_with(edge)
        && !part.ends_with(edge)
        && !part.contains("..")
        && !part.contains("--")
}

impl TryFrom<String> for RepoId {
    type Error = BadRepoId;

    fn try_from(text: String) -> Result<Self, BadRepoId> {
        text.parse()
    }
}

impl From<RepoId> for String {
    fn from(id: RepoId) -> String {
        id.text
    }
}

impl fmt::Display for RepoId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for RepoId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// A branch, tag or commit as a hub names it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
pub struct Revision(String);

/// A text that names no revision.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{}' is not a revision: expected a branch, tag or commit", crate::path::escape(.0))]
pub struct BadRevision(String);

impl Revision {
    /// The branch that a hub's new repos have.
    pub fn main_of(hub: Hub) -> Self {
        Self(hub.profile().main_branch.to_owned())
    }

    /// The revision's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is a commit's id: 40 hex digits, or 64 where Git has SHA-256 or the hub counts its commits by itself (KohakuHub).
    pub fn is_commit(&self) -> bool {
        matches!(self.0.len(), 40 | 64) && self.0.bytes().all(|digit| digit.is_ascii_hexdigit())
    }
}

impl FromStr for Revision {
    type Err = BadRevision;

    fn from_str(text: &str) -> Result<Self, BadRevision> {
        let odd = |c: char| c.is_control() || c.is_whitespace() || "\\~^:?*[".contains(c);
        if text.is_empty() || text.len() > 255 || text.contains(odd) || text.contains("..") {
            return Err(BadRevision(text.chars().take(200).collect()));
        }
        Ok(Self(text.to_owned()))
    }
}

impl TryFrom<String> for Revision {
    type Error = BadRevision;

    fn try_from(text: String) -> Result<Self, BadRevision> {
        text.parse()
    }
}

impl From<Revision> for String {
    fn from(revision: Revision) -> String {
        revision.0
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A repo on a hub at a revision: what a chunk says of its source and its destination.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RepoAt {
    /// Which hub's protocol.
    pub hub: Hub,
    /// Where that hub is, without a trailing slash. Of a Git host: where the repo is, and for those who move blobs, its LFS server.
    pub endpoint: String,
    /// What the repo holds.
    pub kind: RepoKind,
    /// `owner/name`.
    pub id: RepoId,
    /// Source: a pinned commit, or a branch where the hub tells none. Destination: the branch that is committed to.
    pub revision: Revision,
}

impl RepoAt {
    /// Whether both are one repo, at whatever revisions.
    pub fn is_same_repo(&self, other: &Self) -> bool {
        (self.hub, &self.endpoint, self.kind, &self.id)
            == (other.hub, &other.endpoint, other.kind, &other.id)
    }

    /// Whether the hub of both may copy blobs from this repo to the other by itself.
    pub fn may_copy_blobs_to(&self, other: &Self) -> bool {
        (self.hub, &self.endpoint) == (other.hub, &other.endpoint)
            && self.hub.profile().abilities.copies_blobs
    }

    /// The address a person opens in a browser.
    pub fn web_url(&self) -> String {
        match &self.hub.profile().folders {
            None => self.endpoint.trim_end_matches(".git").to_owned(),
            Some(folders) => format!("{}/{}", self.endpoint, self.path_among(folders)),
        }
    }

    /// The repo's path below the endpoint.
    fn path_among(&self, folders: &Folders) -> String {
        match self.kind.folder(folders) {
            "" => self.id.to_string(),
            folder => format!("{folder}/{}", self.id),
        }
    }

    /// The web page on which the repo's owner changes or deletes it by hand; `None` where it is not known.
    pub fn settings_url(&self) -> Option<String> {
        let page = self.hub.profile().settings_page?;
        Some(format!("{}{page}", self.web_url()))
    }

    /// The address that `git clone` takes (modelscope-hub 0.5.1, `_repository.py`; Hugging Face takes it with and without `.git`).
    pub fn git_url(&self) -> String {
        format!("{}.git", self.web_url())
    }
}

/// One side of a migration.
#[derive(Debug, Clone)]
pub struct Side {
    /// Which repo.
    pub at: RepoAt,
    /// The hub's token, or the login of a Git host, if there is one.
    pub token: Option<Token>,
}

/// Who may see a repo.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Visibility {
    /// Anyone.
    Public,
    /// Members of the owner's organisation (ModelScope's level 3).
    Internal,
    /// The owner; of a Space or studio everyone sees the app, and the owner the files.
    Protected,
    /// The owner.
    Private,
}

impl Visibility {
    /// Whether what is meant for `self` would be seen by all in a repo of visibility `there`.
    pub fn is_betrayed_by(self, there: Self) -> bool {
        self != Self::Public && there == Self::Public
    }

    /// Whether a repo of this visibility has more readers than one of visibility `other`.
    pub fn shows_more_than(self, other: Self) -> bool {
        let readers = |visibility| match visibility {
            Self::Private => 0,
            Self::Protected => 1,
            Self::Internal => 2,
            Self::Public => 3,
        };
        readers(self) > readers(other)
    }
}

impl fmt::Display for Visibility {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Public => "public",
            Self::Internal => "internal",
            Self::Protected => "protected",
            Self::Private => "private",
        })
    }
}

/// How access to a gated repo is granted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum GateMode {
    /// To everyone who asks.
    Auto,
    /// By the owner, or it is not known how.
    Manual,
}

/// Whether readers must ask for access first (Hugging Face's `gated`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gate {
    /// No gate.
    Open,
    /// Access is granted on request.
    Gated(GateMode),
    /// It is not known: Git does not tell.
    Untold,
}

/// How many files a hub counts at a commit, apart from its listing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum FileCount {
    /// So many.
    Exactly(u64),
    /// So many or more: the hub stops counting there.
    AtLeast(u64),
    /// The hub does not tell. A short listing is then not noticed.
    #[default]
    Untold,
}

impl FileCount {
    /// Whether a listing that passed [`crate::Listing::check_count`] is known to be whole.
    pub fn is_exact(self) -> bool {
        matches!(self, Self::Exactly(_))
    }
}

/// What a hub says of a repo.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RepoInfo {
    /// The commit the asked revision stands at; `None` where the hub does not tell it.
    pub commit: Option<Revision>,
    /// Who may see it.
    pub visibility: Visibility,
    /// Whether it is gated.
    pub gate: Gate,
    /// Its id, where the hub says another than was asked for: the repo was renamed.
    pub renamed: Option<RepoId>,
    /// How many files the revision has, where the hub tells it apart from the listing: a listing with fewer is short.
    pub files: FileCount,
}

/// What people other than the owner have added to a repo, and its deletion takes with it. `None` is what the hub does not tell this
/// token; it is never zero.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Community {
    /// Discussions, open and closed, without pull requests.
    pub discussions: Option<u64>,
    /// Pull requests, open and closed.
    pub pull_requests: Option<u64>,
    /// Likes.
    pub likes: Option<u64>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_have_an_owner_and_a_name() {
        let id: RepoId = "org/na.me-1".parse().unwrap();
        assert_eq!((id.owner(), id.name()), ("org", "na.me-1"));
        for bad in [
            "", "org", "/x", "org/", "a/b/c", "a b/c", "org/../x", "-a/b", "a/b.", "a/b--c", "ü/b",
        ] {
            assert!(bad.parse::<RepoId>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn each_visibility_has_more_readers_than_those_before() {
        use Visibility::{Internal, Private, Protected, Public};
        let all = [Private, Protected, Internal, Public];
        for (place, one) in all.iter().enumerate() {
            for (other_place, other) in all.iter().enumerate() {
                let expected = place > other_place;
                assert_eq!(one.shows_more_than(*other), expected, "{one}, {other}");
            }
        }
    }

    #[test]
    fn revisions_are_git_names() {
        for good in ["main", "refs/pr/1", "v1.0", "feature/x_y"] {
            assert!(good.parse::<Revision>().is_ok(), "{good:?}");
        }
        for bad in ["", "a b", "a..b", "a\nb", "x^1"] {
            assert!(bad.parse::<Revision>().is_err(), "{bad:?}");
        }
    }
}
