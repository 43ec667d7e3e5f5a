//! A bare repository in a temporary folder: Git objects without a working tree.

use std::sync::{Arc, Mutex, PoisonError};

use super::failure::{error_of, is_full, no_space};
use super::limits::GitLimits;
use super::pointer;
use super::temp_folder::TempFolder;
use crate::{Blob, Error, GitSha1, Kind, Result};
use bytes::Bytes;

/// Bytes that packing may hold besides the object that is packed.
const PACKING_BYTES: i64 = 16 << 20;

/// A bare repository below `TMPDIR`. Its folder is removed when it is dropped, even while libgit2 still works in it.
pub struct Bare {
    repository: Arc<Mutex<git2::Repository>>,
    /// The limits of what is fetched and read.
    pub(super) limits: GitLimits,
    folder: TempFolder,
}

impl Bare {
    /// An empty repository.
    ///
    /// # Errors
    /// [`Kind::Transient`] when the folder can't be made.
    pub fn new(limits: GitLimits) -> Result<Self> {
        Self::below(limits, None)
    }

    /// An empty repository below this folder.
    ///
    /// # Errors
    /// As [`Bare::new`].
    pub fn below(limits: GitLimits, folder: Option<&std::path::Path>) -> Result<Self> {
        let no_room = |error: &dyn std::fmt::Display| {
            let said = error.to_string();
            if is_full(&said) {
                return no_space(&said);
            }
            Error::new(
                Kind::Transient,
                format!(
                    "no temporary folder for Git's objects could be made: {error}; TMPDIR names another place"
                ),
            )
        };
        let folder = TempFolder::below(folder).map_err(|error| no_room(&error))?;
        let mut options = git2::RepositoryInitOptions::new();
        options
            .bare(true)
            .external_template(false)
            .initial_head("hf2ms");
        let repository = git2::Repository::init_opts(folder.path(), &options)
            .map_err(|error| no_room(&error.message().to_owned()))?;
        bound_packing(&repository).map_err(|error| error_of(&error))?;
        Ok(Self {
            repository: Arc::new(Mutex::new(repository)),
            limits,
            folder,
        })
    }

    /// Leaves the repository on the disk and returns its path.
    pub fn keep(self) -> std::path::PathBuf {
        self.folder.keep()
    }

    /// The repository's path.
    pub fn path(&self) -> &std::path::Path {
        self.folder.path()
    }

    /// Runs `work` with the repository on a thread that may block.
    ///
    /// # Errors
    /// The work's own.
    pub async fn work<T: Send + 'static>(
        &self,
        work: impl FnOnce(&git2::Repository) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let repository = self.repository.clone();
        let done = tokio::task::spawn_blocking(move || {
            work(&repository.lock().unwrap_or_else(PoisonError::into_inner))
        });
        done.await
            .map_err(|_| Error::new(Kind::Transient, "the work on Git's objects was given up"))?
    }

    /// The content of a blob.
    ///
    /// # Errors
    /// [`Kind::NotFound`] when it was not fetched, [`Kind::Refused`] when it is larger than the limits allow.
    pub async fn blob(&self, id: GitSha1) -> Result<Bytes> {
        let most = self.limits.blob_bytes;
        self.work(move |repository| read(repository, oid(id)?, most))
            .await
    }
}

/// Bounds the memory in which libgit2 looks for deltas when it packs: unbounded, ten objects of any size are held by each thread.
/// From `pack.deltaCacheSize` libgit2 takes the size, too, from which on objects are packed as they are (libgit2 1.9, `pack-objects.c`).
fn bound_packing(repository: &git2::Repository) -> std::result::Result<(), git2::Error> {
    let mut config = repository.config()?;
    config.set_i64("pack.windowMemory", PACKING_BYTES)?;
    config.set_i64("pack.deltaCacheSize", PACKING_BYTES)
}

/// The blob's content, if it has at most `most` bytes.
pub(super) fn read(repository: &git2::Repository, oid: git2::Oid, most: u64) -> Result<Bytes> {
    let odb = repository.odb().map_err(|error| error_of(&error))?;
    let (size, kind) = odb.read_header(oid).map_err(|error| error_of(&error))?;
    if kind != git2::ObjectType::Blob {
        return Err(Error::new(
            Kind::Corrupt,
            format!("Git's object {oid} is no file"),
        ));
    }
    if size as u64 > most {
        return Err(Error::new(
            Kind::Refused,
            format!("Git's object {oid} has {size} bytes, more than the {most} that are read"),
        ));
    }
    let object = odb.read(oid).map_err(|error| error_of(&error))?;
    Ok(Bytes::copy_from_slice(object.data()))
}

/// The size of a Git blob, and the LFS blob that it points at if it is a pointer.
pub(super) fn look(odb: &git2::Odb<'_>, oid: git2::Oid) -> Result<(u64, Option<Blob>)> {
    let (size, kind) = odb.read_header(oid).map_err(|error| error_of(&error))?;
    if kind != git2::ObjectType::Blob || size > pointer::LONGEST {
        return Ok((size as u64, None));
    }
    let object = odb.read(oid).map_err(|error| error_of(&error))?;
    Ok((size as u64, pointer::parse(object.data())))
}

/// The id in libgit2's type.
pub(super) fn oid(id: GitSha1) -> Result<git2::Oid> {
    git2::Oid::from_str(&id.to_string()).map_err(|error| error_of(&error))
}
