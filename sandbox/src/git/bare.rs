//! The bare repository that `git` serves a repo from: made when the first client asks, grown by what has come since.

use std::collections::HashSet;
use std::io::{self, BufWriter};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use super::cgi;
use super::folder::Bare;
use super::objects;
use super::pack::{Pack, Type};
use crate::hub::Hub;
use crate::repo::{Commit, Repo};
use crate::store::Store;
use crate::tree::{Dir, File, Mode, Node, git_object};

const CONFIG: &str = "[core]\n\trepositoryformatversion = 0\n\tbare = true\n[uploadpack]\n\tallowAnySHA1InWant = true\n";

/// The folder of `repo`, with every commit that there is now.
pub async fn up_to_date(hub: &Hub, repo: &Repo) -> io::Result<PathBuf> {
    let mut bare = repo.bare.lock().await;
    let (commits, refs) = {
        let state = repo.state();
        (state.log.clone(), super::refs::packed(&state))
    };
    let mut there = match bare.take() {
        Some(there) => there,
        None => Bare::make(hub.store.fresh_folder("git")?, hub.branch)?,
    };
    let store = hub.store.clone();
    let id = repo.first_id.clone();
    let grown = tokio::task::spawn_blocking(move || {
        there.grow(&store, &commits, &id)?;
        std::fs::write(there.folder.join("packed-refs"), refs)?;
        Ok::<_, io::Error>(there)
    });
    let grown = grown.await.map_err(io::Error::other)??;
    let folder = grown.folder.clone();
    *bare = Some(grown);
    Ok(folder)
}

impl Bare {
    fn make(folder: PathBuf, branch: &str) -> io::Result<Self> {
        for part in ["objects/pack", "objects/info", "refs/heads"] {
            std::fs::create_dir_all(folder.join(part))?;
        }
        std::fs::write(folder.join("HEAD"), format!("ref: refs/heads/{branch}\n"))?;
        std::fs::write(folder.join("config"), CONFIG)?;
        Ok(Self {
            folder,
            written: HashSet::new(),
            commits: 0,
        })
    }

    /// Adds the objects of commits that it does not have.
    fn grow(&mut self, store: &Store, commits: &[Arc<Commit>], repo: &str) -> io::Result<()> {
        let mut new = Vec::new();
        for commit in &commits[self.commits..] {
            self.gather(store, &commit.tree, &mut new)?;
            new.push((Type::Commit, objects::commit(commit, repo)));
        }
        self.commits = commits.len();
        if new.is_empty() {
            Ok(())
        } else {
            index(&self.folder, &new)
        }
    }

    fn gather(
        &mut self,
        store: &Store,
        dir: &Dir,
        new: &mut Vec<(Type, Vec<u8>)>,
    ) -> io::Result<()> {
        if !self.written.insert(dir.oid()) {
            return Ok(());
        }
        new.push((Type::Tree, git_object(dir)));
        for (_, node) in dir.nodes() {
            match node {
                Node::Dir(dir) => self.gather(store, dir, new)?,
                Node::File(file)
                    if file.mode != Mode::Submodule && self.written.insert(file.oid) =>
                {
                    new.extend(content(store, file)?.map(|content| (Type::Blob, content)));
                }
                Node::File(_) => (),
            }
        }
        Ok(())
    }
}

/// What Git has of a file; nothing of one whose content is lost.
fn content(store: &Store, file: &File) -> io::Result<Option<Vec<u8>>> {
    if file.lfs {
        return Ok(Some(file.digest.pointer(file.size).into()));
    }
    store
        .get(&file.digest)
        .map(|content| content.read().map(|bytes| bytes.to_vec()))
        .transpose()
}

/// Has `git` take the objects in.
fn index(folder: &Path, new: &[(Type, Vec<u8>)]) -> io::Result<()> {
    let mut git = Command::new("git");
    cgi::alone(&mut git, folder);
    let mut git = git
        .args(["index-pack", "--stdin"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    let stdin = git
        .stdin
        .take()
        .ok_or_else(|| io::Error::other("no standard input"))?;
    let mut pack = Pack::begin(BufWriter::new(stdin), new.len())?;
    new.iter()
        .try_for_each(|(kind, content)| pack.add(*kind, content))?;
    pack.end()?;
    if git.wait()?.success() {
        Ok(())
    } else {
        Err(io::Error::other("git index-pack failed"))
    }
}
