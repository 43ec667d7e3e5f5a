//! The forms of Git's objects, as `git cat-file` shows them.

use crate::clock;
use crate::repo::Commit;
use crate::tree::{Dir, Mode, Node};

/// A tree: each entry's mode, name and id, in Git's order, in which a folder's name ends in a slash.
pub fn tree(dir: &Dir) -> Vec<u8> {
    let mut entries: Vec<(Vec<u8>, &str, &str, [u8; 20])> =
        dir.nodes().map(|(name, node)| entry(name, node)).collect();
    entries.sort();
    let mut text = Vec::new();
    for (_, mode, name, id) in entries {
        text.extend_from_slice(format!("{mode} {name}\0").as_bytes());
        text.extend_from_slice(&id);
    }
    text
}

fn entry<'a>(name: &'a str, node: &Node) -> (Vec<u8>, &'static str, &'a str, [u8; 20]) {
    match node {
        Node::Dir(dir) => (format!("{name}/").into(), "40000", name, dir.oid().0),
        Node::File(file) => {
            let mode = match file.mode {
                Mode::File => "100644",
                Mode::Symlink => "120000",
                Mode::Submodule => "160000",
            };
            (name.into(), mode, name, file.oid.0)
        }
    }
}

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
