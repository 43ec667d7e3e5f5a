//! What two repos have in common: the commits of one beside those of another that was fetched whole.

use std::collections::HashSet;

use git2::{Oid, Repository};

use super::bare::Bare;
use super::failure::{error_of, is_full};
use super::limits::GitLimits;
use super::remote::GitRepo;
use crate::{Kind, Result};

/// Where the other repo's refs go: no source has refs of this name.
const ASIDE: &str = "refs/hf2ms-aside/";
/// Bytes of the other repo's pack, without the objects that are here already. A repo with more of its own counts as unrelated.
const PACK: u64 = 64 << 20;
/// Objects in that pack.
const OBJECTS: usize = 1_000_000;
/// Commits that hosts make by themselves in a new repo.
const FIRST_COMMITS: usize = 4;
/// What hosts put into a new repo, in lower case and without a suffix of text files.
const FIRST_FILES: [&str; 6] = [
    "readme",
    "license",
    "licence",
    ".gitattributes",
    ".gitignore",
    "configuration.json",
];

/// What a repo has in common with the one that was fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Relation {
    /// At least one commit.
    Shared,
    /// Nothing, and the repo holds no more than a host puts into a new one: a README, a licence, Git's own files.
    FirstCommit,
    /// Nothing.
    Unrelated,
}

impl Bare {
    /// What `other` has in common with all that was fetched. Its refs of these patterns (`refs/heads/*`) are fetched too, so this is
    /// asked last.
    ///
    /// # Errors
    /// The server's and the network's; [`Kind::Corrupt`] for objects that can't be read.
    pub async fn relation(&self, other: &GitRepo, patterns: &[&str]) -> Result<Relation> {
        let aside = |pattern: &&str| {
            let below = pattern.strip_prefix("refs/").unwrap_or(pattern);
            format!("+{pattern}:{ASIDE}{below}")
        };
        let limits = GitLimits {
            pack_bytes: PACK.min(self.limits.pack_bytes),
            objects: OBJECTS.min(self.limits.objects),
            ..self.limits
        };
        match self
            .fetch_within(other, patterns.iter().map(aside).collect(), limits)
            .await
        {
            Err(error) if error.kind() == Kind::Refused && !is_full(error.message()) => {
                return Ok(Relation::Unrelated);
            }
            fetched => fetched?,
        }
        self.work(|repository| relation(repository).map_err(|error| error_of(&error)))
            .await
    }
}

fn relation(repository: &Repository) -> std::result::Result<Relation, git2::Error> {
    let (mut here, mut aside, mut names) = (Vec::new(), Vec::new(), Vec::new());
    for reference in repository.references()?.flatten() {
        let name = reference.name_bytes().to_owned();
        let is_aside = name.starts_with(ASIDE.as_bytes());
        if let Ok(commit) = reference.peel_to_commit() {
            if is_aside { &mut aside } else { &mut here }.push(commit.id());
        }
        names.extend(is_aside.then_some(name));
    }
    let known = ancestors(repository, &here)?;
    let alone = ancestors(repository, &aside)?;
    if alone.iter().any(|oid| known.contains(oid)) {
        return Ok(Relation::Shared);
    }
    let heads = format!("{ASIDE}heads/");
    let is_one_branch = names.len() == 1 && names[0].starts_with(heads.as_bytes());
    let is_new = is_one_branch
        && (1..=FIRST_COMMITS).contains(&alone.len())
        && alone
            .iter()
            .all(|oid| has_first_files_only(repository, *oid).unwrap_or(false));
    Ok(if is_new {
        Relation::FirstCommit
    } else {
        Relation::Unrelated
    })
}

/// The commits that these lead to, themselves among them.
fn ancestors(
    repository: &Repository,
    tips: &[Oid],
) -> std::result::Result<HashSet<Oid>, git2::Error> {
    let mut walk = repository.revwalk()?;
    tips.iter().try_for_each(|tip| walk.push(*tip))?;
    walk.collect()
}

fn has_first_files_only(
    repository: &Repository,
    commit: Oid,
) -> std::result::Result<bool, git2::Error> {
    let tree = repository.find_commit(commit)?.tree()?;
    Ok(tree.iter().all(|entry| {
        entry.kind() == Some(git2::ObjectType::Blob) && entry.name().is_ok_and(is_first_file)
    }))
}

fn is_first_file(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let stem = [".md", ".txt", ".rst"]
        .iter()
        .find_map(|suffix| name.strip_suffix(suffix))
        .unwrap_or(&name);
    FIRST_FILES.contains(&stem)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn commit(repository: &Repository, reference: &str, files: &[&str], parents: &[Oid]) -> Oid {
        let mut tree = repository.treebuilder(None).unwrap();
        for name in files {
            tree.insert(name, repository.blob(name.as_bytes()).unwrap(), 0o100_644)
                .unwrap();
        }
        let tree = repository.find_tree(tree.write().unwrap()).unwrap();
        let who =
            git2::Signature::new("A", "a@example.org", &git2::Time::new(1_700_000_000, 0)).unwrap();
        let parents: Vec<_> = parents
            .iter()
            .map(|oid| repository.find_commit(*oid).unwrap())
            .collect();
        let parents: Vec<_> = parents.iter().collect();
        let oid = repository
            .commit(None, &who, &who, reference, &tree, &parents)
            .unwrap();
        repository.reference(reference, oid, true, "").unwrap();
        oid
    }

    /// The relation of a target with this history, a commit a row of files, to a source of two commits.
    async fn of(target: &'static [&'static [&'static str]], builds_on_source: bool) -> Relation {
        let bare = Bare::new(GitLimits::default()).unwrap();
        bare.work(move |repository| {
            let first = commit(repository, "refs/heads/main", &["a.bin"], &[]);
            commit(repository, "refs/heads/main", &["b.bin"], &[first]);
            let mut parents: Vec<Oid> = builds_on_source.then_some(first).into_iter().collect();
            for files in target {
                parents = vec![commit(
                    repository,
                    "refs/hf2ms-aside/heads/main",
                    files,
                    &parents,
                )];
            }
            relation(repository).map_err(|error| error_of(&error))
        })
        .await
        .unwrap()
    }

    #[tokio::test]
    async fn one_common_commit_is_enough_and_a_hosts_own_files_are_none_of_anybody() {
        assert_eq!(of(&[&["other.bin"]], true).await, Relation::Shared);
        assert_eq!(of(&[&["other.bin"]], false).await, Relation::Unrelated);
        let made: &[&[&str]] = &[
            &["README.md", "LICENSE"],
            &[".gitattributes", ".gitignore", "configuration.json"],
        ];
        assert_eq!(of(made, false).await, Relation::FirstCommit);
        assert_eq!(
            of(&[&["README.md", "x.bin"], &["README.md"]], false).await,
            Relation::Unrelated,
            "its history holds more"
        );
        assert_eq!(
            of(&[&["README.md"] as &[&str]; 5], false).await,
            Relation::Unrelated,
            "someone works there"
        );
    }
}
