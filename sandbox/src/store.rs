//! The blobs of one hub: what is stored under which digest, and uploads on their way there.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, RwLock};

use bytes::Bytes;
use sha2::{Digest as _, Sha256};

use crate::content::{Content, StoredFile, each_block};
use crate::digest::Digest;
use crate::settings::Uploads;
use crate::sync::{Guarded, Shared};

/// Contents up to this size stay in memory.
const SMALL: u64 = 64 << 10;

/// The folder the blobs' files are in, one for all hubs.
pub struct BlobDir {
    dir: PathBuf,
    next: AtomicU64,
    seeded: Mutex<HashMap<(u64, u64), (Digest, Content)>>,
}

impl BlobDir {
    /// Uses `dir`, which is made if it is not there.
    pub fn new(dir: &Path) -> io::Result<Self> {
        let dir = dir.join("blobs");
        std::fs::create_dir_all(&dir)?;
        Ok(Self {
            dir,
            next: AtomicU64::new(0),
            seeded: Mutex::default(),
        })
    }

    /// A name no other file has.
    fn fresh(&self, group: &str) -> io::Result<PathBuf> {
        let folder = self.dir.join(group);
        std::fs::create_dir_all(&folder)?;
        Ok(folder.join(format!(
            "{}-{}",
            std::process::id(),
            self.next.fetch_add(1, Ordering::Relaxed)
        )))
    }

    /// The content that `seed` gives, made and hashed once.
    pub fn seeded(&self, seed: u64, size: u64) -> io::Result<(Digest, Content)> {
        if let Some(known) = self.seeded.guarded().get(&(seed, size)) {
            return Ok(known.clone());
        }
        let made = if size <= SMALL {
            let content = Content::Seeded { seed, size };
            (content.digest()?, content)
        } else {
            self.write_seeded(seed, size)?
        };
        // Small ones are quick to make again, and there may be a million of them.
        if size > SMALL {
            self.seeded.guarded().insert((seed, size), made.clone());
        }
        Ok(made)
    }

    fn write_seeded(&self, seed: u64, size: u64) -> io::Result<(Digest, Content)> {
        let path = self.fresh("seeded")?;
        let mut file = File::create(&path)?;
        let stored = StoredFile::adopt(path, size);
        let digest = each_block(seed, size, |block| file.write_all(block))?;
        Ok((digest, Content::Stored(Arc::new(stored))))
    }
}

/// What one hub has stored. Cheap to clone; clones are the same store.
#[derive(Clone)]
pub struct Store {
    dir: Arc<BlobDir>,
    blobs: Arc<RwLock<HashMap<Digest, Blob>>>,
}

#[derive(Clone)]
struct Blob {
    content: Content,
    verified: bool,
}

impl Store {
    /// An empty store whose files go to `dir`.
    pub fn new(dir: Arc<BlobDir>) -> Self {
        Self {
            dir,
            blobs: Arc::default(),
        }
    }

    /// What is stored under `digest`, whether or not it is what the digest says.
    pub fn get(&self, digest: &Digest) -> Option<Content> {
        self.blobs
            .shared()
            .get(digest)
            .map(|blob| blob.content.clone())
    }

    /// Stores `content` under `digest` without looking at it.
    pub fn put(&self, digest: Digest, content: Content) {
        self.blobs.exclusive().insert(
            digest,
            Blob {
                content,
                verified: false,
            },
        );
    }

    /// Stores `bytes` under their own digest.
    pub fn put_bytes(&self, bytes: Bytes) -> io::Result<Digest> {
        let digest = Digest::of(&bytes);
        let content = self.keep(bytes)?;
        self.blobs.exclusive().insert(
            digest,
            Blob {
                content,
                verified: true,
            },
        );
        Ok(digest)
    }

    fn keep(&self, bytes: Bytes) -> io::Result<Content> {
        if bytes.len() as u64 <= SMALL {
            return Ok(Content::Memory(bytes));
        }
        let mut upload = self.upload(bytes.len() as u64, Uploads::Keep)?;
        upload.write(&bytes)?;
        upload.finish()
    }

    /// Stores what `seed` gives under its own digest.
    pub fn put_seeded(&self, seed: u64, size: u64) -> io::Result<Digest> {
        let (digest, content) = self.dir.seeded(seed, size)?;
        self.blobs.exclusive().insert(
            digest,
            Blob {
                content,
                verified: true,
            },
        );
        Ok(digest)
    }

    /// Stores what `seed` gives, made anew whenever it is read, under `digest` or, if that is not known, its own.
    pub fn put_virtual(&self, seed: u64, size: u64, digest: Option<Digest>) -> io::Result<Digest> {
        let content = Content::Seeded { seed, size };
        let digest = digest.map_or_else(|| content.digest(), Ok)?;
        self.blobs.exclusive().insert(
            digest,
            Blob {
                content,
                verified: true,
            },
        );
        Ok(digest)
    }

    /// Drops what is stored under `digest`.
    pub fn remove(&self, digest: &Digest) {
        self.blobs.exclusive().remove(digest);
    }

    /// Whether what is stored under `digest` has that digest and `size`. Hashes it the first time.
    pub fn verify(&self, digest: &Digest, size: u64) -> bool {
        let Some(blob) = self.blobs.shared().get(digest).cloned() else {
            return false;
        };
        if blob.content.len() != size {
            return false;
        }
        // What was only counted is believed: a benchmark asked for that.
        let counted = matches!(blob.content, Content::Dropped { digest: None, .. });
        let right =
            blob.verified || counted || blob.content.digest().is_ok_and(|actual| actual == *digest);
        if right && let Some(stored) = self.blobs.exclusive().get_mut(digest) {
            stored.verified = true;
        }
        right
    }

    /// Whether `digest` is stored and known to be right, without hashing anything.
    pub fn is_verified(&self, digest: &Digest) -> bool {
        self.blobs
            .shared()
            .get(digest)
            .is_some_and(|blob| blob.verified)
    }

    /// Begins an upload of `len` bytes; `uploads` says how a large one is kept.
    pub fn upload(&self, len: u64, uploads: Uploads) -> io::Result<Upload> {
        if len <= SMALL {
            return Ok(Upload {
                len,
                written: 0,
                to: Target::Memory(Vec::with_capacity(len as usize)),
            });
        }
        let nowhere = |hash| {
            Ok(Upload {
                len,
                written: 0,
                to: Target::Nowhere(hash),
            })
        };
        match uploads {
            Uploads::Keep => {}
            Uploads::Hash => return nowhere(Some(Box::default())),
            Uploads::Count => return nowhere(None),
        }
        let path = self.dir.fresh("uploads")?;
        let file = File::create(&path)?;
        Ok(Upload {
            len,
            written: 0,
            to: Target::File(file, StoredFile::adopt(path, len)),
        })
    }

    /// A name for a folder that no other has.
    pub fn fresh_folder(&self, group: &str) -> io::Result<PathBuf> {
        self.dir.fresh(group)
    }

    /// A file of `len` bytes that parts are written into at their offsets.
    pub fn blank(&self, len: u64) -> io::Result<StoredFile> {
        let path = self.dir.fresh("uploads")?;
        File::create(&path)?.set_len(len)?;
        Ok(StoredFile::adopt(path, len))
    }
}

/// Bytes on their way into a store. Dropped before `finish`, it leaves nothing.
pub struct Upload {
    len: u64,
    written: u64,
    to: Target,
}

enum Target {
    Memory(Vec<u8>),
    File(File, StoredFile),
    Nowhere(Option<Box<Sha256>>),
}

impl Upload {
    /// Adds bytes; an error when there are more than announced.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.written += bytes.len() as u64;
        if self.written > self.len {
            return Err(io::Error::other("more bytes than announced"));
        }
        match &mut self.to {
            Target::Memory(buffer) => buffer.extend_from_slice(bytes),
            Target::File(file, _) => file.write_all(bytes)?,
            Target::Nowhere(hash) => hash.iter_mut().for_each(|hash| hash.update(bytes)),
        }
        Ok(())
    }

    /// The content, if every byte has come.
    pub fn finish(self) -> io::Result<Content> {
        if self.written != self.len {
            return Err(io::Error::other("fewer bytes than announced"));
        }
        Ok(match self.to {
            Target::Memory(buffer) => Content::Memory(buffer.into()),
            Target::File(_, stored) => Content::Stored(Arc::new(stored)),
            Target::Nowhere(hash) => Content::Dropped {
                digest: hash.map(|hash| Digest(hash.finalize().into())),
                size: self.len,
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn store() -> (tempfile::TempDir, Store) {
        let dir = tempfile::tempdir().unwrap();
        let blobs = Arc::new(BlobDir::new(dir.path()).unwrap());
        (dir, Store::new(blobs))
    }

    #[test]
    fn a_seed_makes_the_same_blob_each_time() {
        let (_dir, store) = store();
        for size in [0, 100, 300_000] {
            let digest = store.put_seeded(7, size).unwrap();
            assert_eq!(store.put_seeded(7, size).unwrap(), digest);
            assert_eq!(store.get(&digest).unwrap().digest().unwrap(), digest);
        }
    }

    #[test]
    fn an_unfinished_upload_leaves_no_file() {
        let (dir, store) = store();
        let mut upload = store.upload(200_000, Uploads::Keep).unwrap();
        upload.write(&[1; 1000]).unwrap();
        assert!(upload.finish().is_err());
        assert_eq!(
            std::fs::read_dir(dir.path().join("blobs/uploads"))
                .unwrap()
                .count(),
            0
        );
    }

    #[test]
    fn an_upload_that_is_not_kept_is_still_known() {
        let (dir, store) = store();
        let mut upload = store.upload(100_000, Uploads::Hash).unwrap();
        upload.write(&[1; 100_000]).unwrap();
        let digest = Digest::of(&[1; 100_000]);
        store.put(digest, upload.finish().unwrap());
        assert!(store.verify(&digest, 100_000) && !dir.path().join("blobs/uploads").exists());
        assert!(store.get(&digest).unwrap().body(0, 1).is_err());
    }

    #[test]
    fn wrong_bytes_do_not_verify() {
        let (_dir, store) = store();
        let digest = Digest::of(b"right");
        store.put(digest, Content::Memory(Bytes::from_static(b"wrong")));
        assert!(!store.verify(&digest, 5));
        store.put(digest, Content::Memory(Bytes::from_static(b"right")));
        assert!(store.verify(&digest, 5) && store.is_verified(&digest));
    }
}
