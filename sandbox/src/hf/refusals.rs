//! Why a commit is refused though its lines make sense, in the recorded words: files that offend, and limits of the repo and
//! its owner.

use super::access;
use crate::accounts::{Caller, Site};
use crate::answer::Refusal;
use crate::hub::Change;
use crate::repo::{Commit, Repo};
use crate::settings::Settings;
use crate::tree::Dir;
use crate::world::World;

/// The paths of what can't be committed as it came.
#[derive(Default)]
pub struct Offending {
    absent: Vec<String>,
    binary: Vec<String>,
    secret: Vec<String>,
}

impl Offending {
    /// Notes an LFS file whose blob is not stored.
    pub fn has_no_content(&mut self, path: String) {
        self.absent.push(path);
    }

    /// Notes what is wrong with a file outside LFS.
    pub fn look_into(&mut self, world: &World, path: &str, content: &[u8]) {
        if content.contains(&0) {
            self.binary.push(path.to_owned());
        }
        let words = content.split(|byte| !byte.is_ascii_alphanumeric() && *byte != b'_');
        let mut words = words
            .filter_map(|word| std::str::from_utf8(word).ok())
            .filter(|word| word.starts_with("hf_"));
        if words.any(|word| {
            matches!(
                world.accounts.caller(Site::HuggingFace, Some(word)),
                Caller::Known(_)
            )
        }) {
            self.secret.push(path.to_owned());
        }
    }

    /// Refuses the commit for the first kind of offence that there is.
    pub fn refuse(&self, settings: &Settings) -> Result<(), Refusal> {
        if !self.absent.is_empty() {
            let files = self.absent.join(" - ");
            return Err(access::bad_request(&format!(
                "Your push was rejected because an LFS pointer pointed to a file that does not exist. For instance, this can happen if you used git push --no-verify to push your changes. Offending file: - {files}"
            )));
        }
        if settings.hf_refuses_binary && !self.binary.is_empty() {
            let files: String = self
                .binary
                .iter()
                .map(|path| format!("\n  - {path}"))
                .collect();
            return Err(access::bad_request(&format!(
                "Your push was rejected because it contains binary files.\nPlease use https://huggingface.co/docs/hub/xet to store binary files.\nOffending files:{files}"
            )));
        }
        if settings.hf_finds_secrets && !self.secret.is_empty() {
            let files: String = self
                .secret
                .iter()
                .map(|path| format!(" - {path} (ref: refs/heads/main, token: '[REDACTED]')"))
                .collect();
            return Err(access::bad_request(&format!(
                "It appears that one or more of your files contain valid Hugging Face secrets, such as tokens or API keys. It is important to keep your secrets private and not expose them in code that is publicly accessible. Offending files:{files}"
            )));
        }
        Ok(())
    }
}

/// Refuses a commit after which the repo, a folder of it or its owner's private storage would hold too much.
pub fn within_limits(
    world: &World,
    repo: &Repo,
    head: &Commit,
    changes: &[Change],
) -> Result<(), Refusal> {
    let settings = world.settings();
    let mut tree = head.tree.clone();
    for change in changes {
        match change {
            Change::Put(path, file) => tree.insert(path, file.clone()),
            Change::Remove(path) => drop(tree.remove(path)),
        }
    }
    let files = if tree.count() > settings.hf_files_a_repo {
        tree.files().len()
    } else {
        0
    };
    if files > settings.hf_files_a_repo {
        return Err(access::bad_request(&format!(
            "Your push was rejected because it contains too many files. Your git repo would contain {files} files after this push, over the limit of {} files. Offending reference: refs/heads/main",
            settings.hf_files_a_repo
        )));
    }
    if let Some(folder) = wide_folder(&tree, changes, settings.hf_files_a_folder) {
        return Err(access::bad_request(&format!(
            "Your push was rejected because it contains too many files per directory. Each directory in your git repo can only contain up to {} files. Offending reference: refs/heads/main Offending directories: /{folder}/",
            settings.hf_files_a_folder
        )));
    }
    let is_private = !repo.state().is_public();
    let held = || held_by_others(world, repo) + bytes(&tree);
    if settings
        .hf_private_storage
        .is_some_and(|limit| is_private && held() > limit)
    {
        return Err(access::bad_request(&format!(
            "Private storage limit reached for user {}, please upgrade your plan to increase your private storage limit",
            repo.owner()
        )));
    }
    Ok(())
}

/// A folder that was written to and has more entries than `most`.
fn wide_folder<'a>(tree: &Dir, changes: &'a [Change], most: usize) -> Option<&'a str> {
    let folders = changes.iter().filter_map(|change| match change {
        Change::Put(path, _) => Some(path.rsplit_once('/').map_or("", |(folder, _)| folder)),
        Change::Remove(_) => None,
    });
    let is_wide = |folder: &&str| tree.dir(folder).is_some_and(|dir| dir.width() > most);
    folders.into_iter().find(is_wide)
}

/// Bytes of the owner's other private repos.
fn held_by_others(world: &World, repo: &Repo) -> u64 {
    let others = world.hf.repos().into_iter().filter(|other| {
        other.owner() == repo.owner() && (other.kind, &other.id) != (repo.kind, &repo.id)
    });
    let private = others.filter(|other| !other.state().is_public());
    private
        .filter_map(|other| {
            other
                .state()
                .head(world.hf.branch)
                .map(|head| bytes(&head.tree))
        })
        .sum()
}

fn bytes(tree: &Dir) -> u64 {
    tree.files().iter().map(|(_, file)| file.size).sum()
}
