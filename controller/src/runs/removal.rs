//! The removal of a source whose copy is whole: what is kept of it before its hub is asked, and what the copy does not have.

use hf2ms_hub::{Digest, File, GitSha1, RepoAt, RepoId, RepoPath, Revision, Sha256};
use hf2ms_worker::protocol::VerifyLevel;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::ui::nouns::{counted, grouped};

/// The file of a run that has all that is known of a source before its hub is asked to remove it.
pub const RECORD: &str = "removal.json";

/// What is done with a source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "action", rename_all = "snake_case")]
pub enum Removal {
    /// It is deleted for good.
    Delete,
    /// It is moved to another id of its hub.
    Move {
        /// That id.
        to: RepoId,
    },
    /// Only its owner sees it from now on.
    MakePrivate,
}

impl Removal {
    /// The word before what is done: `delete`.
    pub fn verb(&self) -> &'static str {
        match self {
            Self::Delete => "delete",
            Self::Move { .. } => "move",
            Self::MakePrivate => "make private",
        }
    }

    /// What was done with each of several: `moved`.
    pub fn did(&self) -> &'static str {
        match self {
            Self::Delete => "deleted",
            Self::Move { .. } => "moved",
            Self::MakePrivate => "made private",
        }
    }

    /// What was done: `deleted`, `moved to org/archive-name`.
    pub fn done(&self) -> String {
        match self {
            Self::Move { to } => format!("moved to {to}"),
            other => other.did().to_owned(),
        }
    }
}

/// The history that a deletion takes with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum HistoryLoss {
    /// None: every branch has one commit, which the copy holds.
    None,
    /// None: the copy has the same commits, and gave Git's objects and each large file that they name.
    Held,
    /// Earlier commits, which no copy is known to hold.
    Commits {
        /// Their number at the branch or tag that has most: so many at least.
        earlier: u64,
    },
    /// The hub does not tell how many commits there are: earlier ones may be lost.
    NotTold,
}

/// What a source has that its copy lacks. What its hub does not tell is `None`, and never taken for nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Losses {
    /// Earlier commits.
    pub history: HistoryLoss,
    /// Why a copy that stands at the same commits is not known to hold what the earlier ones name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub history_doubt: Option<String>,
    /// Annotated tags whose messages and authors the copy is not known to have.
    #[serde(default)]
    pub tag_messages: u64,
    /// Symbolic links and file modes that the copy lacks: 0 where it stands at the same commits, else not told.
    #[serde(default)]
    pub file_modes: Option<u64>,
    /// Discussions, without pull requests.
    pub discussions: Option<u64>,
    /// Pull requests.
    pub pull_requests: Option<u64>,
    /// Accounts that like it.
    pub likes: Option<u64>,
    /// Refs that the hub itself has made: conversions.
    #[serde(default)]
    pub conversions: u64,
    /// What its owner and its readers lose, in words: access that its gate granted, a copy that fewer may see, another owner.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub access: Vec<String>,
}

impl Default for HistoryLoss {
    /// Nothing is known.
    fn default() -> Self {
        Self::NotTold
    }
}

impl Losses {
    /// What is lost and has to be agreed to: commits that no copy holds, and what the hub does not tell.
    pub fn unheld(&self) -> Option<String> {
        let commits = match self.history {
            HistoryLoss::None | HistoryLoss::Held => None,
            HistoryLoss::Commits { earlier } => {
                Some(format!("at least {}", counted(earlier, "earlier commit")))
            }
            HistoryLoss::NotTold => Some("earlier commits, whose number is not told".to_owned()),
        };
        let commits = commits.map(|words| match &self.history_doubt {
            None => words,
            Some(why) => format!("{words} (the copy has the same ones, but {why})"),
        });
        let requests = match self.pull_requests {
            Some(0) => None,
            Some(count) => Some(format!("the commits of {}", counted(count, "pull request"))),
            None => Some("pull requests, whose number is not told".to_owned()),
        };
        let untold = "discussions, whose number is not told".to_owned();
        let discussions = self.discussions.is_none().then_some(untold);
        let all = commits.into_iter().chain(requests).chain(discussions);
        let all: Vec<String> = all.collect();
        (!all.is_empty()).then(|| all.join(", "))
    }

    /// Whether more is lost than `before` has named, or something of it is not told any more.
    pub fn exceeds(&self, before: &Self) -> bool {
        let grows = |now: Option<u64>, then: Option<u64>| match (now, then) {
            (Some(now), Some(then)) => now > then,
            (None, then) => then.is_some(),
            (Some(_), None) => false,
        };
        self.history != before.history
            || self.access != before.access
            || self.conversions > before.conversions
            || self.tag_messages > before.tag_messages
            || grows(self.file_modes, before.file_modes)
            || grows(self.discussions, before.discussions)
            || grows(self.pull_requests, before.pull_requests)
    }

    /// What is lost where the repo itself stays, with all that is in it: access alone.
    pub fn of_access(&self) -> Self {
        Self {
            history: HistoryLoss::None,
            file_modes: Some(0),
            discussions: Some(0),
            pull_requests: Some(0),
            likes: Some(0),
            access: self.access.clone(),
            ..Self::default()
        }
    }

    /// The losses in one line.
    pub fn readable(&self) -> String {
        match self.words() {
            words if words.is_empty() => "nothing that is known".to_owned(),
            words => words.join("; "),
        }
    }

    /// The losses in words, the history first. What is not told is said so.
    fn words(&self) -> Vec<String> {
        let history = match self.history {
            HistoryLoss::None | HistoryLoss::Held => None,
            HistoryLoss::Commits { earlier } => Some(format!(
                "history (at least {})",
                counted(earlier, "earlier commit")
            )),
            HistoryLoss::NotTold => Some("history (commits: not told)".to_owned()),
        };
        let counts = [
            (Some(self.tag_messages), "tag message"),
            (Some(self.conversions), "conversion"),
            (self.discussions, "discussion"),
            (self.pull_requests, "pull request"),
            (self.likes, "like"),
        ];
        let counts = counts.into_iter().filter_map(|(count, noun)| match count {
            Some(0) => None,
            Some(count) => Some(counted(count, noun)),
            None => Some(format!("{noun}s: not told")),
        });
        let modes = self.file_modes.is_none();
        history
            .into_iter()
            .chain(counts)
            .chain(modes.then(|| "symbolic links and file modes: not told".to_owned()))
            .chain(self.access.iter().cloned())
            .collect()
    }
}

/// A file of a source, and what the copy of it is known by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RemovedFile {
    /// Its path.
    pub path: RepoPath,
    /// Its size in bytes.
    pub size: u64,
    /// Its SHA-256, which the source's hub lists, or which was found by reading it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<Sha256>,
    /// Its id in Git, where the source's hub lists that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub git_sha1: Option<GitSha1>,
}

impl RemovedFile {
    /// A file as the source's hub lists it, and its SHA-256 where that is known.
    pub fn of(file: &File, known: Option<Sha256>) -> Self {
        let git_sha1 = match file.digest {
            Digest::GitSha1(git_sha1) => Some(git_sha1),
            Digest::Sha256(_) => None,
        };
        Self {
            path: file.path.clone(),
            size: file.size,
            sha256: file.digest.sha256().or(known),
            git_sha1,
        }
    }

    /// The digest that the source's hub lists.
    pub fn listed(&self) -> Option<Digest> {
        let of_git = self.git_sha1.map(Digest::GitSha1);
        of_git.or(self.sha256.map(Digest::Sha256))
    }

    /// Whether this is a digest of its content.
    pub fn has(&self, digest: Digest) -> bool {
        let of_nothing = |digest| match digest {
            Digest::Sha256(sha256) => sha256 == Sha256::of(b""),
            Digest::GitSha1(git_sha1) => git_sha1 == GitSha1::of(b""),
        };
        let known = match digest {
            Digest::Sha256(sha256) => self.sha256 == Some(sha256),
            Digest::GitSha1(git_sha1) => self.git_sha1 == Some(git_sha1),
        };
        known || (self.size == 0 && of_nothing(digest))
    }
}

/// A branch or tag of a source, which was compared with that of its copy file by file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RemovedRevision {
    /// `branch` or `tag`.
    pub kind: String,
    /// Its name at the source.
    pub name: Revision,
    /// Its commit.
    pub commit: Revision,
    /// Its name at the copy.
    pub copy_name: Revision,
    /// Where it stands at the copy, if that hub tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub copy_head: Option<Revision>,
    /// Its files.
    pub files: Vec<RemovedFile>,
}

/// All that is known of a source and its copy before the source is removed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RemovalRecord {
    /// What is done with the source.
    pub removal: Removal,
    /// The account whose token asks for it, if its hub tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// How the copy was compared: every file by its digest, and so much of its content.
    pub level: VerifyLevel,
    /// The source, at the commit of its main branch.
    pub source: RepoAt,
    /// Its copy, at its main branch.
    pub copy: RepoAt,
    /// Where that branch stands, if its hub tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub copy_head: Option<Revision>,
    /// What the copy lacks.
    pub losses: Losses,
    /// Its branches and tags, each with its files.
    pub revisions: Vec<RemovedRevision>,
}

/// How files were compared, in words.
fn compared_by(level: VerifyLevel) -> &'static str {
    match level {
        VerifyLevel::Deep => "by digest, and every byte of the copy read",
        VerifyLevel::Sample => "by digest, and both ends of each content read",
        VerifyLevel::Listing => "by the digests that are listed",
    }
}

impl RemovalRecord {
    /// What is lost by it, in one line.
    pub fn lost(&self) -> String {
        let access = &self.losses.access;
        match self.removal {
            Removal::Delete => self.losses.readable(),
            _ if access.is_empty() => "nothing: it stays its owner's".to_owned(),
            _ => access.join("; "),
        }
    }

    /// What was compared, and how.
    pub fn compared(&self) -> String {
        let refs = match self.revisions.len() as u64 {
            1 => "1 branch or tag".to_owned(),
            refs => format!("{} branches and tags", grouped(refs)),
        };
        format!("{refs}: {}", compared_by(self.level))
    }

    /// Files and bytes of the main branch.
    pub fn extent(&self) -> (u64, u64) {
        let main = self
            .revisions
            .iter()
            .find(|revision| revision.commit == self.source.revision);
        let files = main.map_or(&[][..], |main| &main.files);
        (files.len() as u64, files.iter().map(|file| file.size).sum())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_told_is_never_taken_for_nothing() {
        let untold = Losses::default().words();
        let expected = [
            "history (commits: not told)",
            "discussions: not told",
            "pull requests: not told",
            "likes: not told",
            "symbolic links and file modes: not told",
        ];
        assert_eq!(untold, expected);
        let told = Losses {
            history: HistoryLoss::Commits { earlier: 1 },
            history_doubt: None,
            tag_messages: 1,
            file_modes: Some(0),
            discussions: Some(0),
            pull_requests: Some(2),
            likes: Some(0),
            conversions: 0,
            access: vec!["access that its gate granted".into()],
        };
        let expected = [
            "history (at least 1 earlier commit)",
            "1 tag message",
            "2 pull requests",
            "access that its gate granted",
        ];
        assert_eq!(told.words(), expected);
    }
}
