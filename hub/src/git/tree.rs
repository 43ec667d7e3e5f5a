//! A commit's files as a listing. Each entry is checked by itself; a pointer is listed as the blob that it names.

use std::collections::HashMap;

use git2::{ObjectType, Oid, Repository};

use super::bare::look;
use super::failure::error_of;
use super::limits::GitLimits;
use crate::path::escape;
use crate::{Digest, Error, File, GitSha1, Kind, Listed, Listing, Refused, RepoPath, Result};

const SYMLINK: i32 = 0o120_000;
/// The longest path in bytes; a folder that makes a longer one is refused.
const LONGEST_PATH: usize = 4096;

/// Every file of a commit that was fetched.
///
/// # Errors
/// [`Kind::NotFound`] when it was not fetched, [`Kind::Refused`] beyond the limits, [`Kind::Corrupt`] for broken objects.
pub(super) fn list(repository: &Repository, commit: Oid, limits: GitLimits) -> Result<Listing> {
    let odb = repository.odb().map_err(|error| error_of(&error))?;
    let mut manifest = Manifest {
        odb,
        limits,
        pointers: 0,
        listing: Listing::default(),
    };
    walk(repository, commit, limits, &mut |entry| {
        manifest.take(entry)
    })?;
    manifest.listing.drop_repeats();
    manifest.listing.commit = commit.to_string().parse().ok();
    Ok(manifest.listing)
}

/// The id of each file's content, or of its pointer, by path.
///
/// # Errors
/// As [`list`].
pub(super) fn ids(
    repository: &Repository,
    commit: Oid,
    limits: GitLimits,
) -> Result<HashMap<String, Oid>> {
    let mut ids = HashMap::new();
    walk(repository, commit, limits, &mut |entry| {
        if entry.kind == Some(ObjectType::Blob) && entry.mode != SYMLINK {
            ids.extend(
                String::from_utf8(entry.path)
                    .ok()
                    .map(|path| (path, entry.id)),
            );
        }
        Ok(())
    })?;
    Ok(ids)
}

/// An entry that is not walked into.
struct Entry {
    path: Vec<u8>,
    id: Oid,
    kind: Option<ObjectType>,
    mode: i32,
}

struct Folder {
    /// The folder's path with a slash at its end; empty for the top.
    path: Vec<u8>,
    tree: Oid,
    depth: usize,
}

/// Gives each entry of a commit to `take`, except the folders, whose entries are given instead.
fn walk(
    repository: &Repository,
    commit: Oid,
    limits: GitLimits,
    take: &mut dyn FnMut(Entry) -> Result<()>,
) -> Result<()> {
    let tree = repository
        .find_commit(commit)
        .map_err(|error| error_of(&error))?
        .tree_id();
    let (mut folders, mut entries) = (
        vec![Folder {
            path: Vec::new(),
            tree,
            depth: 0,
        }],
        0,
    );
    while let Some(folder) = folders.pop() {
        let tree = repository
            .find_tree(folder.tree)
            .map_err(|error| error_of(&error))?;
        for entry in &tree {
            entries += 1;
            bounded(entries, limits.entries, "entries")?;
            let (path, kind) = ([&folder.path, entry.name_bytes()].concat(), entry.kind());
            if kind == Some(ObjectType::Tree)
                && path.len() < LONGEST_PATH
                && is_inner(entry.name_bytes())
            {
                let depth = folder.depth + 1;
                bounded(depth, limits.depth, "folders inside each other")?;
                folders.push(Folder {
                    path: [&path[..], b"/"].concat(),
                    tree: entry.id(),
                    depth,
                });
            } else {
                take(Entry {
                    path,
                    id: entry.id(),
                    kind,
                    mode: entry.filemode_raw(),
                })?;
            }
        }
    }
    Ok(())
}

fn bounded(count: usize, most: usize, what: &str) -> Result<()> {
    match count > most {
        true => Err(Error::new(
            Kind::Refused,
            format!("the commit has more than {most} {what}"),
        )),
        false => Ok(()),
    }
}

struct Manifest<'a> {
    odb: git2::Odb<'a>,
    limits: GitLimits,
    pointers: usize,
    listing: Listing,
}

impl Manifest<'_> {
    fn take(&mut self, entry: Entry) -> Result<()> {
        match path_of(&entry) {
            Ok(path) => self.file(path, entry.id),
            Err(reason) => {
                let path = escape(&String::from_utf8_lossy(&entry.path))
                    .chars()
                    .take(1000)
                    .collect();
                self.listing.refused.push(Refused { path, reason });
                Ok(())
            }
        }
    }

    fn file(&mut self, path: RepoPath, id: Oid) -> Result<()> {
        let (size, blob) = look(&self.odb, id).map_err(|error| error.about(&path))?;
        let file = match blob {
            Some(blob) => {
                self.pointers += 1;
                bounded(self.pointers, self.limits.pointers, "pointers")?;
                File {
                    path,
                    size: blob.size,
                    digest: Digest::Sha256(blob.sha256),
                }
            }
            None => File {
                path,
                size,
                digest: Digest::GitSha1(sha1(id)?),
            },
        };
        self.listing.files.push(Listed {
            file,
            lfs: blob.is_some(),
        });
        Ok(())
    }
}

/// The path of a file, or why the entry can't be copied.
fn path_of(entry: &Entry) -> std::result::Result<RepoPath, String> {
    let path = std::str::from_utf8(&entry.path).map_err(|_| "its name is not UTF-8".to_owned())?;
    match entry.kind {
        Some(ObjectType::Tree) => {
            Err("it is a folder that leads out of the repo, or lies too deep".to_owned())
        }
        Some(ObjectType::Commit) => Err("it is a submodule, and is not fetched".to_owned()),
        Some(ObjectType::Blob) if entry.mode == SYMLINK => {
            Err("it is a symbolic link, which the hubs do not take".to_owned())
        }
        Some(ObjectType::Blob) => path.parse::<RepoPath>().map_err(|bad| bad.to_string()),
        _ => Err("it is neither a file nor a folder".to_owned()),
    }
}

/// Whether a folder's name is lawful. A folder with another name is reported once, not file by file.
fn is_inner(name: &[u8]) -> bool {
    std::str::from_utf8(name)
        .is_ok_and(|name| name.parse::<RepoPath>().is_ok() && !name.contains('/'))
}

fn sha1(id: Oid) -> Result<GitSha1> {
    let bytes = <[u8; 20]>::try_from(id.as_bytes());
    bytes
        .map(GitSha1::from_bytes)
        .map_err(|_| Error::new(Kind::Refused, "Git's object ids are not SHA-1"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Sha256;
    use crate::git::Bare;

    const SUBMODULE: i32 = 0o160_000;
    const FILE: i32 = 0o100_644;
    const FOLDER: i32 = 0o040_000;

    /// A commit whose tree is these very entries, lawful or not.
    fn commit(repository: &Repository, entries: &[(i32, &[u8], Oid)]) -> Oid {
        let tree = tree(repository, entries);
        let text = format!(
            "tree {tree}\nauthor a <a@example.com> 0 +0000\ncommitter a <a@example.com> 0 +0000\n\nx\n"
        );
        repository
            .odb()
            .unwrap()
            .write(ObjectType::Commit, text.as_bytes())
            .unwrap()
    }

    fn tree(repository: &Repository, entries: &[(i32, &[u8], Oid)]) -> Oid {
        let mut content = Vec::new();
        for (mode, name, id) in entries {
            content.extend_from_slice(format!("{mode:o} ").as_bytes());
            content.extend_from_slice(name);
            content.push(0);
            content.extend_from_slice(id.as_bytes());
        }
        repository
            .odb()
            .unwrap()
            .write(ObjectType::Tree, &content)
            .unwrap()
    }

    async fn listed(
        limits: GitLimits,
        entries: impl FnOnce(&Repository) -> Oid + Send + 'static,
    ) -> Result<Listing> {
        Bare::new(limits)
            .unwrap()
            .work(move |repository| list(repository, entries(repository), limits))
            .await
    }

    #[tokio::test]
    async fn files_pointers_and_folders_are_listed_with_sizes_and_digests() {
        let pointer = format!(
            "version https://git-lfs.github.com/spec/v1\noid sha256:{}\nsize 5000000000\n",
            Sha256::of(b"large")
        );
        let listing = listed(GitLimits::default(), move |repository| {
            let [plain, large] = [b"abc".as_slice(), pointer.as_bytes()]
                .map(|content| repository.blob(content).unwrap());
            let inner = tree(
                repository,
                &[(FILE, b"b", large), (0o100_755, b"run", plain)],
            );
            commit(repository, &[(FILE, b"a", plain), (FOLDER, b"d", inner)])
        });
        let listing = listing.await.unwrap();
        let rows: Vec<_> = listing
            .files
            .iter()
            .map(|l| (l.file.path.as_str(), l.file.size, l.file.digest, l.lfs))
            .collect();
        let plain = Digest::GitSha1(GitSha1::of(b"abc"));
        let large = Digest::Sha256(Sha256::of(b"large"));
        assert_eq!(
            rows,
            [
                ("a", 3, plain, false),
                ("d/b", 5_000_000_000, large, true),
                ("d/run", 3, plain, false)
            ]
        );
        assert!(listing.refused.is_empty() && listing.commit.is_some());
    }

    #[tokio::test]
    async fn links_submodules_and_unlawful_paths_are_refused_and_the_others_go_on() {
        let listing = listed(GitLimits::default(), |repository| {
            let plain = repository.blob(b"abc").unwrap();
            let inner = tree(repository, &[(FILE, b"config", plain)]);
            let entries: [(i32, &[u8], Oid); 8] = [
                (FOLDER, b"..", inner),
                (FOLDER, b".git", inner),
                (FILE, b"a\\b", plain),
                (FILE, b"C:x", plain),
                (FILE, b"\xff\xfe", plain),
                (SYMLINK, b"link", plain),
                (SUBMODULE, b"sub", plain),
                (FILE, b"good", plain),
            ];
            commit(repository, &entries)
        });
        let listing = listing.await.unwrap();
        assert_eq!(
            listing
                .files
                .iter()
                .map(|l| l.file.path.as_str())
                .collect::<Vec<_>>(),
            ["good"]
        );
        let reasons: Vec<_> = listing
            .refused
            .iter()
            .map(|refused| refused.reason.as_str())
            .collect();
        assert_eq!(reasons.len(), 7, "{reasons:?}");
        for words in [
            "leads out",
            "backslash",
            "drive of Windows",
            "not UTF-8",
            "symbolic link",
            "submodule",
        ] {
            assert!(
                reasons.iter().any(|reason| reason.contains(words)),
                "{words}: {reasons:?}"
            );
        }
    }

    #[tokio::test]
    async fn trees_made_to_explode_are_refused() {
        let nested = |levels: usize| {
            move |repository: &Repository| {
                let plain = repository.blob(b"abc").unwrap();
                let bottom = tree(repository, &[(FILE, b"x", plain)]);
                let grown = (0..levels).fold(bottom, |inner, _| {
                    tree(repository, &[(FOLDER, b"a", inner), (FOLDER, b"b", inner)])
                });
                commit(repository, &[(FOLDER, b"top", grown)])
            }
        };
        let limits = GitLimits {
            entries: 10_000,
            depth: 100,
            ..GitLimits::default()
        };
        let wide = listed(limits, nested(60)).await.unwrap_err();
        assert!(
            wide.kind() == Kind::Refused && wide.message().contains("more than 10000 entries"),
            "{wide}"
        );
        let deep = listed(
            GitLimits {
                depth: 20,
                ..limits
            },
            nested(60),
        )
        .await
        .unwrap_err();
        assert!(
            deep.message()
                .contains("more than 20 folders inside each other"),
            "{deep}"
        );
    }
}
