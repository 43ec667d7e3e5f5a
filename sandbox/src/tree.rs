//! A commit's files: a tree of directories that commits share, so that each new one costs only what it changes.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use crate::digest::{Digest, Oid};

/// What a tree says about one file.
#[derive(Clone, Debug)]
pub struct File {
    /// Size in bytes as listed; the stored content may differ when a test wants it to.
    pub size: u64,
    /// The digest as listed, under which the content is stored.
    pub digest: Digest,
    /// Git's id of the content, or of the pointer if the file is in LFS.
    pub oid: Oid,
    /// Whether the file is in LFS.
    pub lfs: bool,
    /// What git calls the file's mode.
    pub mode: Mode,
    /// The commit that wrote it.
    pub commit: Writer,
}

/// The commit that wrote a file, known once its tree is whole: the commit's id is made of that.
#[derive(Clone, Debug, Default)]
pub struct Writer(Arc<OnceLock<Oid>>);

impl Writer {
    /// The commit's id; zeros before there is one.
    pub fn id(&self) -> Oid {
        self.0.get().copied().unwrap_or(Oid([0; 20]))
    }

    /// Says which commit it is.
    pub fn signs(&self, commit: Oid) {
        self.0.set(commit).ok();
    }
}

/// What kind of entry a file is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// A file like any other.
    #[default]
    File,
    /// A symbolic link, whose content is its target.
    Symlink,
    /// A commit of another repo.
    Submodule,
}

/// A directory: entries by name, in byte order.
#[derive(Clone, Debug, Default)]
pub struct Dir {
    nodes: BTreeMap<Arc<str>, Node>,
    count: usize,
    /// Git's id of it, once someone asked.
    oid: OnceLock<Oid>,
}

/// One entry of a directory.
#[derive(Clone, Debug)]
pub enum Node {
    /// A file.
    File(Arc<File>),
    /// A directory.
    Dir(Arc<Dir>),
}

impl Node {
    /// How many entries a recursive listing has for this one.
    fn weight(&self) -> usize {
        match self {
            Self::File(_) => 1,
            Self::Dir(dir) => 1 + dir.count,
        }
    }
}

impl Dir {
    /// How many entries a recursive listing has.
    pub fn count(&self) -> usize {
        self.count
    }

    /// What lies directly in here.
    pub fn nodes(&self) -> impl Iterator<Item = (&str, &Node)> {
        self.nodes.iter().map(|(name, node)| (&**name, node))
    }

    /// Git's id of it.
    pub fn oid(&self) -> Oid {
        *self.oid.get_or_init(|| Oid::of("tree", &git_object(self)))
    }

    /// How many entries lie directly in here.
    pub fn width(&self) -> usize {
        self.nodes.len()
    }

    /// What is at `path`, taken verbatim.
    pub fn get(&self, path: &str) -> Option<&Node> {
        let (first, rest) = split(path);
        match (self.nodes.get(first)?, rest) {
            (node, None) => Some(node),
            (Node::Dir(dir), Some(rest)) => dir.get(rest),
            (Node::File(_), Some(_)) => None,
        }
    }

    /// The file at `path`.
    pub fn file(&self, path: &str) -> Option<&Arc<File>> {
        match self.get(path)? {
            Node::File(file) => Some(file),
            Node::Dir(_) => None,
        }
    }

    /// The directory at `path`; the whole tree for an empty one.
    pub fn dir(&self, path: &str) -> Option<&Self> {
        if path.is_empty() {
            return Some(self);
        }
        match self.get(path)? {
            Node::Dir(dir) => Some(dir),
            Node::File(_) => None,
        }
    }

    /// Puts a file at `path`, whatever was there.
    pub fn insert(&mut self, path: &str, file: File) {
        self.oid = OnceLock::new();
        let (first, rest) = split(path);
        let Some(rest) = rest else {
            let old = self.nodes.insert(first.into(), Node::File(Arc::new(file)));
            self.count = self.count + 1 - old.map_or(0, |node| node.weight());
            return;
        };
        let mut dir = match self.nodes.get_mut(first) {
            Some(Node::Dir(dir)) => {
                self.count -= 1 + dir.count;
                Arc::make_mut(dir).insert(rest, file);
                self.count += 1 + dir.count;
                return;
            }
            Some(Node::File(_)) => {
                self.count -= 1;
                Self::default()
            }
            None => Self::default(),
        };
        dir.insert(rest, file);
        self.count += 1 + dir.count;
        self.nodes.insert(first.into(), Node::Dir(Arc::new(dir)));
    }

    /// Takes away what is at `path`, and the directories it leaves empty. Whether there was anything.
    pub fn remove(&mut self, path: &str) -> bool {
        self.oid = OnceLock::new();
        let (first, rest) = split(path);
        let Some(rest) = rest else {
            let old = self.nodes.remove(first);
            self.count -= old.as_ref().map_or(0, Node::weight);
            return old.is_some();
        };
        let Some(Node::Dir(dir)) = self.nodes.get_mut(first) else {
            return false;
        };
        let before = dir.count;
        let removed = Arc::make_mut(dir).remove(rest);
        self.count = self.count + dir.count - before;
        if dir.count == 0 && self.nodes.remove(first).is_some() {
            self.count -= 1;
        }
        removed
    }

    /// Up to `take` entries of the listing after the first `skip`, each with its whole path.
    pub fn page(
        &self,
        root: &str,
        recursive: bool,
        skip: usize,
        take: usize,
    ) -> Vec<(String, Node)> {
        let mut page = Page {
            skip,
            take,
            recursive,
            entries: Vec::new(),
        };
        let prefix = if root.is_empty() {
            String::new()
        } else {
            format!("{root}/")
        };
        self.walk(&prefix, &mut page);
        page.entries
    }

    fn walk(&self, prefix: &str, page: &mut Page) {
        for (name, node) in &self.nodes {
            if page.take == page.entries.len() {
                return;
            }
            let weight = if page.recursive { node.weight() } else { 1 };
            if page.skip >= weight {
                page.skip -= weight;
                continue;
            }
            let path = format!("{prefix}{name}");
            if page.skip > 0 {
                page.skip -= 1;
            } else {
                page.entries.push((path.clone(), node.clone()));
            }
            if let (Node::Dir(dir), true) = (node, page.recursive) {
                dir.walk(&format!("{path}/"), page);
            }
        }
    }

    /// Every file with its path.
    pub fn files(&self) -> Vec<(String, Arc<File>)> {
        let file = |(path, node)| match node {
            Node::File(file) => Some((path, file)),
            Node::Dir(_) => None,
        };
        self.page("", true, 0, usize::MAX)
            .into_iter()
            .filter_map(file)
            .collect()
    }
}

struct Page {
    skip: usize,
    take: usize,
    recursive: bool,
    entries: Vec<(String, Node)>,
}

fn split(path: &str) -> (&str, Option<&str>) {
    match path.split_once('/') {
        Some((first, rest)) => (first, Some(rest)),
        None => (path, None),
    }
}

/// A folder as a tree of Git: each entry's mode, name and id, in Git's order, in which a folder's name ends in a slash.
pub fn git_object(dir: &Dir) -> Vec<u8> {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn file(size: u64) -> File {
        File {
            size,
            digest: Digest([0; 32]),
            oid: Oid([0; 20]),
            lfs: false,
            mode: Mode::File,
            commit: Writer::default(),
        }
    }

    fn tree(paths: &[&str]) -> Dir {
        let mut dir = Dir::default();
        paths.iter().for_each(|path| dir.insert(path, file(1)));
        dir
    }

    fn paths(entries: &[(String, Node)]) -> Vec<&str> {
        entries.iter().map(|(path, _)| path.as_str()).collect()
    }

    #[test]
    fn pages_join_to_the_whole_listing() {
        let dir = tree(&["a", "b/c", "b/d/e", "b/d/f", "g", "h/i"]);
        let whole = dir.page("", true, 0, usize::MAX);
        assert_eq!(
            paths(&whole),
            ["a", "b", "b/c", "b/d", "b/d/e", "b/d/f", "g", "h", "h/i"]
        );
        assert_eq!(dir.count(), whole.len());
        for size in 1..=whole.len() {
            let pages: Vec<_> = (0..)
                .map(|n| dir.page("", true, n * size, size))
                .take_while(|p| !p.is_empty())
                .collect();
            assert_eq!(paths(&pages.concat()), paths(&whole), "pages of {size}");
        }
        assert_eq!(paths(&dir.page("", false, 1, 2)), ["b", "g"]);
        let inner = dir.dir("b").unwrap().page("b", true, 0, 9);
        assert_eq!(paths(&inner), ["b/c", "b/d", "b/d/e", "b/d/f"]);
    }

    #[test]
    fn keeps_paths_verbatim() {
        let evil = ["../x", "/abs", "a//b", "a\\b", ".git/config", "C:x"];
        let dir = tree(&evil);
        for path in evil {
            assert!(dir.file(path).is_some(), "{path}");
        }
        assert_eq!(dir.files().len(), evil.len());
    }

    #[test]
    fn counts_stay_right_as_things_come_and_go() {
        let mut dir = tree(&["a/b", "a/c", "d"]);
        let before = dir.clone();
        dir.insert("a/b", file(2));
        dir.insert("d/e", file(2));
        assert!(dir.remove("a/c") && !dir.remove("a/x") && dir.remove("a/b"));
        assert_eq!(paths(&dir.page("", true, 0, 9)), ["d", "d/e"]);
        assert_eq!((dir.count(), before.count()), (2, 4));
        assert_eq!(before.file("a/b").unwrap().size, 1);
    }
}
