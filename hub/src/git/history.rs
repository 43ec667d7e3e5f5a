//! The whole fetched history: every pointer in it, and which refs reach one.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::bare::{Bare, look};
use super::failure::error_of;
use super::limits::GitLimits;
use crate::{Blob, Digest, Error, File, Kind, RepoPath, Result, Sha256};

impl Bare {
    /// Every blob that a pointer in these objects names, each once, the largest first. A blob's path is one that a branch or tag has
    /// today. Where two blobs share a path, the smaller one's ends with its digest. A blob of older commits has its digest as
    /// path.
    ///
    /// # Errors
    /// [`Kind::Refused`] beyond the limits, [`Kind::Corrupt`] for objects that can't be read.
    pub async fn pointers(&self) -> Result<Vec<File>> {
        let limits = self.limits;
        self.work(move |repository| {
            let pointers = pointers(repository, limits)?;
            let paths = paths(repository, &pointers, limits)?;
            let mut blobs: Vec<Blob> = pointers
                .into_values()
                .collect::<HashSet<_>>()
                .into_iter()
                .collect();
            blobs.sort_by_key(|blob| (std::cmp::Reverse(blob.size), blob.sha256));
            let mut taken = HashSet::new();
            blobs
                .into_iter()
                .map(|blob| file(blob, paths.get(&blob.sha256), &mut taken))
                .collect()
        })
        .await
    }

    /// The number of objects, and the bytes of their packs.
    ///
    /// # Errors
    /// [`Kind::Corrupt`] for objects that can't be counted.
    pub async fn extent(&self) -> Result<(u64, u64)> {
        let packs = self.path().join("objects/pack");
        self.work(move |repository| {
            let mut objects = 0;
            odb(repository)?
                .foreach(|_| (objects += 1, true).1)
                .map_err(|error| error_of(&error))?;
            let sizes = std::fs::read_dir(packs)
                .into_iter()
                .flatten()
                .flatten()
                .filter_map(|entry| entry.metadata().ok());
            Ok((objects, sizes.map(|about| about.len()).sum()))
        })
        .await
    }

    /// The objects among these (40 hex digits) that were fetched.
    ///
    /// # Errors
    /// None today.
    pub async fn known(&self, oids: Vec<String>) -> Result<HashSet<String>> {
        self.work(move |repository| {
            let odb = odb(repository)?;
            let is_known = |oid: &String| git2::Oid::from_str(oid).is_ok_and(|oid| odb.exists(oid));
            Ok(oids.into_iter().filter(is_known).collect())
        })
        .await
    }

    /// Whether `new` descends from `old`: a branch that goes from one to the other loses no commit.
    ///
    /// # Errors
    /// None today: an unknown commit has no descendants.
    pub async fn continues(&self, new: &str, old: &str) -> Result<bool> {
        let (new, old) = (new.to_owned(), old.to_owned());
        self.work(move |repository| {
            let commit = |text: &str| {
                repository
                    .revparse_single(text)
                    .and_then(|object| object.peel_to_commit())
                    .map(|commit| commit.id())
            };
            let (Ok(new), Ok(old)) = (commit(&new), commit(&old)) else {
                return Ok(false);
            };
            Ok(new == old || repository.graph_descendant_of(new, old).unwrap_or(false))
        })
        .await
    }

    /// The objects among these (commits, or tags of commits) that reach a pointer to one of `blobs`.
    ///
    /// # Errors
    /// [`Kind::Corrupt`] for objects that can't be read.
    pub async fn reaching(
        &self,
        oids: Vec<String>,
        blobs: HashSet<Sha256>,
    ) -> Result<HashSet<String>> {
        let limits = self.limits;
        self.work(move |repository| {
            let pointers = pointers(repository, limits)?.into_iter();
            let tainted: HashSet<git2::Oid> = pointers
                .filter(|(_, blob)| blobs.contains(&blob.sha256))
                .map(|(oid, _)| oid)
                .collect();
            reaching(repository, oids, &tainted)
        })
        .await
    }
}

/// Pointers by the id of the Git object that holds them.
fn pointers(repository: &git2::Repository, limits: GitLimits) -> Result<HashMap<git2::Oid, Blob>> {
    let odb = odb(repository)?;
    let (mut found, mut failed) = (HashMap::new(), None);
    odb.foreach(|oid| {
        match look(&odb, *oid) {
            Ok((_, Some(blob))) => drop(found.insert(*oid, blob)),
            Ok((_, None)) => {}
            Err(error) => failed = Some(error),
        }
        failed.is_none() && found.len() <= limits.pointers
    })
    .or_else(|error| {
        if error.code() == git2::ErrorCode::User {
            Ok(())
        } else {
            Err(error_of(&error))
        }
    })?;
    match failed {
        Some(error) => Err(error),
        None if found.len() > limits.pointers => Err(Error::new(
            Kind::Refused,
            format!("the repo has more than {} LFS pointers", limits.pointers),
        )),
        None => Ok(found),
    }
}

/// A path for each blob that the tree of a ref points at.
fn paths(
    repository: &git2::Repository,
    pointers: &HashMap<git2::Oid, Blob>,
    limits: GitLimits,
) -> Result<BTreeMap<Sha256, String>> {
    let (mut paths, mut seen) = (BTreeMap::new(), HashSet::new());
    for reference in repository
        .references()
        .map_err(|error| error_of(&error))?
        .flatten()
    {
        let Ok(tree) = reference.peel_to_tree() else {
            continue;
        };
        if !seen.insert(tree.id()) || seen.len() > limits.depth {
            continue;
        }
        let mut entries = 0;
        let walked = tree.walk(git2::TreeWalkMode::PreOrder, |folder, entry| {
            entries += 1;
            if let (Some(blob), Ok(name)) = (pointers.get(&entry.id()), entry.name()) {
                paths
                    .entry(blob.sha256)
                    .or_insert_with(|| format!("{folder}{name}"));
            }
            if entries > limits.entries {
                git2::TreeWalkResult::Abort
            } else {
                git2::TreeWalkResult::Ok
            }
        });
        walked.or_else(|error| {
            if error.code() == git2::ErrorCode::User {
                Ok(())
            } else {
                Err(error_of(&error))
            }
        })?;
    }
    Ok(paths)
}

fn file(blob: Blob, path: Option<&String>, taken: &mut HashSet<RepoPath>) -> Result<File> {
    let digest = blob.sha256.to_string();
    let plain = path.and_then(|path| path.parse::<RepoPath>().ok());
    let told = plain
        .as_ref()
        .and_then(|path| format!("{}@{}", path.as_str(), &digest[..12]).parse().ok());
    let by_digest = || format!("lfs/{digest}").parse().ok();
    let path = plain
        .into_iter()
        .chain(told)
        .chain(by_digest())
        .find(|path| !taken.contains(path));
    let path = path.ok_or_else(|| {
        Error::new(
            Kind::Invalid,
            format!("there is no name for LFS object {digest}"),
        )
    })?;
    taken.insert(path.clone());
    Ok(File {
        path,
        size: blob.size,
        digest: Digest::Sha256(blob.sha256),
    })
}

/// Commits, parents before children.
fn reaching(
    repository: &git2::Repository,
    oids: Vec<String>,
    tainted: &HashSet<git2::Oid>,
) -> Result<HashSet<String>> {
    let failed = |error: git2::Error| error_of(&error);
    let commit = |oid: &String| {
        repository
            .revparse_single(oid)
            .and_then(|object| object.peel_to_commit())
            .map(|commit| commit.id())
    };
    let tips: HashMap<String, git2::Oid> = oids
        .iter()
        .filter_map(|oid| Some((oid.clone(), commit(oid).ok()?)))
        .collect();
    let mut walk = repository.revwalk().map_err(failed)?;
    walk.set_sorting(git2::Sort::TOPOLOGICAL | git2::Sort::REVERSE)
        .map_err(failed)?;
    tips.values()
        .try_for_each(|tip| walk.push(*tip))
        .map_err(failed)?;
    let (mut trees, mut commits) = (HashMap::new(), HashSet::new());
    for oid in walk {
        let commit = repository
            .find_commit(oid.map_err(failed)?)
            .map_err(failed)?;
        if commit.parent_ids().any(|parent| commits.contains(&parent))
            || holds(repository, commit.tree_id(), tainted, &mut trees)?
        {
            commits.insert(commit.id());
        }
    }
    Ok(tips
        .into_iter()
        .filter(|(_, tip)| commits.contains(tip))
        .map(|(oid, _)| oid)
        .collect())
}

/// Whether a tree, or one below it, holds one of these; each tree is read once.
fn holds(
    repository: &git2::Repository,
    tree: git2::Oid,
    of: &HashSet<git2::Oid>,
    known: &mut HashMap<git2::Oid, bool>,
) -> Result<bool> {
    if let Some(known) = known.get(&tree) {
        return Ok(*known);
    }
    let found = repository
        .find_tree(tree)
        .map_err(|error| error_of(&error))?;
    let mut holding = false;
    for entry in &found {
        holding = of.contains(&entry.id())
            || (entry.kind() == Some(git2::ObjectType::Tree)
                && holds(repository, entry.id(), of, known)?)
            || holding;
        if holding {
            break;
        }
    }
    known.insert(tree, holding);
    Ok(holding)
}

fn odb(repository: &git2::Repository) -> Result<git2::Odb<'_>> {
    repository.odb().map_err(|error| error_of(&error))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pointer(content: &[u8]) -> (Blob, Vec<u8>) {
        let blob = Blob {
            sha256: Sha256::of(content),
            size: content.len() as u64,
        };
        (
            blob,
            format!(
                "version https://git-lfs.github.com/spec/v1\noid sha256:{}\nsize {}\n",
                blob.sha256, blob.size
            )
            .into_bytes(),
        )
    }

    /// A commit with these files in `folder/`, on `parents`.
    fn commit(
        repository: &git2::Repository,
        name: &str,
        files: &[(&str, &[u8])],
        parents: &[git2::Oid],
    ) -> git2::Oid {
        let mut inner = repository.treebuilder(None).unwrap();
        for (name, content) in files {
            inner
                .insert(name, repository.blob(content).unwrap(), 0o100_644)
                .unwrap();
        }
        let mut outer = repository.treebuilder(None).unwrap();
        outer
            .insert("folder", inner.write().unwrap(), 0o040_000)
            .unwrap();
        let tree = repository.find_tree(outer.write().unwrap()).unwrap();
        let who =
            git2::Signature::new("A", "a@example.org", &git2::Time::new(1_700_000_000, 0)).unwrap();
        let parents: Vec<_> = parents
            .iter()
            .map(|oid| repository.find_commit(*oid).unwrap())
            .collect();
        let oid = repository
            .commit(
                None,
                &who,
                &who,
                name,
                &tree,
                &parents.iter().collect::<Vec<_>>(),
            )
            .unwrap();
        repository
            .reference(&format!("refs/heads/{name}"), oid, true, "")
            .unwrap();
        oid
    }

    #[tokio::test]
    async fn every_pointer_of_all_history_is_found_once_and_forgeries_are_plain_files() {
        let bare = Bare::new(GitLimits::default()).unwrap();
        let (old, old_text) = pointer(b"old and longer");
        let (new, new_text) = pointer(b"new");
        let forged = [&new_text[..], b"more text\n"].concat();
        bare.work(move |repository| {
            let first = commit(
                repository,
                "main",
                &[("w.bin", &old_text), ("copy.bin", &old_text)],
                &[],
            );
            commit(
                repository,
                "main",
                &[("w.bin", &new_text), ("x.txt", &forged)],
                &[first],
            );
            Ok(())
        })
        .await
        .unwrap();
        let found = bare.pointers().await.unwrap();
        let told: Vec<_> = found
            .iter()
            .map(|file| {
                (
                    file.path.to_string(),
                    file.size,
                    file.digest.sha256().unwrap(),
                )
            })
            .collect();
        assert_eq!(
            told,
            [
                (format!("lfs/{}", old.sha256), 14, old.sha256),
                ("folder/w.bin".to_owned(), 3, new.sha256)
            ]
        );
    }

    #[tokio::test]
    async fn blobs_at_one_path_of_several_branches_have_names_of_their_own() {
        let bare = Bare::new(GitLimits::default()).unwrap();
        let ((one, one_text), (other, other_text)) =
            (pointer(b"of one branch"), pointer(b"of other"));
        bare.work(move |repository| {
            commit(repository, "one", &[("w.bin", &one_text)], &[]);
            commit(repository, "other", &[("w.bin", &other_text)], &[]);
            Ok(())
        })
        .await
        .unwrap();
        let told: Vec<_> = bare
            .pointers()
            .await
            .unwrap()
            .iter()
            .map(|file| (file.path.to_string(), file.digest.sha256().unwrap()))
            .collect();
        let behind = format!("folder/w.bin@{}", &other.sha256.to_string()[..12]);
        assert_eq!(
            told,
            [
                ("folder/w.bin".to_owned(), one.sha256),
                (behind, other.sha256)
            ]
        );
    }

    #[tokio::test]
    async fn more_pointers_than_the_limit_are_refused() {
        let bare = Bare::new(GitLimits {
            pointers: 1,
            ..GitLimits::default()
        })
        .unwrap();
        bare.work(|repository| {
            commit(
                repository,
                "main",
                &[("a", &pointer(b"a").1), ("b", &pointer(b"b").1)],
                &[],
            );
            Ok(())
        })
        .await
        .unwrap();
        assert_eq!(bare.pointers().await.unwrap_err().kind(), Kind::Refused);
    }

    #[tokio::test]
    async fn a_lost_blob_taints_what_leads_to_it_and_nothing_else() {
        let bare = Bare::new(GitLimits::default()).unwrap();
        let (lost, text) = pointer(b"lost");
        let [clean, bad, after] = bare
            .work(move |repository| {
                let clean = commit(repository, "clean", &[("a.txt", b"a")], &[]);
                let bad = commit(repository, "bad", &[("w.bin", &text)], &[clean]);
                let after = commit(repository, "after", &[("a.txt", b"b")], &[bad]);
                Ok([clean, bad, after].map(|oid| oid.to_string()))
            })
            .await
            .unwrap();
        let asked = vec![clean.clone(), bad.clone(), after.clone()];
        let tainted = bare
            .reaching(asked, HashSet::from([lost.sha256]))
            .await
            .unwrap();
        assert_eq!(tainted, HashSet::from([bad.clone(), after.clone()]));
        assert!(
            bare.continues(&after, &clean).await.unwrap()
                && !bare.continues(&clean, &after).await.unwrap()
        );
        assert_eq!(
            bare.known(vec![clean.clone(), "1".repeat(40)])
                .await
                .unwrap(),
            HashSet::from([clean])
        );
    }
}
