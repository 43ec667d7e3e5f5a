//! The form of a commit, as `git cat-file` shows it. That of a tree is in `tree.rs`.

use crate::clock;
use crate::repo::Commit;

/// A commit of the repo with this id.
pub fn commit(commit: &Commit, repo: &str) -> Vec<u8> {
    let owner = repo.split('/').next().unwrap_or_default();
    let seconds = clock::seconds(commit.date);
    let parent = commit
        .parent
        .map(|parent| format!("parent {parent}\n"))
        .unwrap_or_default();
    let message = commit.message.replace('\0', "");
    let by = format!("{owner} <{repo}@example.com> {seconds} +0000");
    format!(
        "tree {}\n{parent}author {by}\ncommitter {by}\n\n{message}\n",
        commit.tree.oid()
    )
    .into()
}
