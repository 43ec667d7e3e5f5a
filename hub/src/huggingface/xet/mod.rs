//! Xet, Hugging Face's own way of storage: this file is its table of contents, and decides which blobs go that way.
//!
//! [`tokens`] gets the permission to speak to the storage, [`cas`] speaks to it, [`wire`] holds its JSON. [`download`] reads a file
//! ([`repeats`] keeps what it has several times), [`upload`] writes one: cut by [`chunker`], packed by [`xorb`], named by [`hash`] and told by [`shard`]. All of it goes through the one
//! HTTP client, with its rules; nothing touches the disk.

mod cas;
mod chunker;
mod download;
mod hash;
mod repeats;
mod shard;
mod tokens;
mod upload;
mod wire;
mod xorb;

#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::StreamExt;
use tokio::sync::Semaphore;

use self::hash::Hash;
use self::tokens::TokenCache;
use super::{HuggingFaceRepo, paths};
use crate::http::Http;
use crate::{Blob, BlobTransport, ByteStream, Error, File, Kind, Result, Sha256};

/// Above this the bridge to plain HTTP answers 400 (huggingface_hub 2.4.0, `constants.py`).
const LARGEST_WITHOUT_XET: u64 = 50_000_000_000;
/// Xorbs in memory at a time, in all uploads together.
const XORBS: usize = 3;
/// Uploads at a time: as many keep the xorbs filled, and each holds the buffers of a connection to the source.
const UPLOADS: usize = 4;
/// KiB of repeated chunks that are kept, in all downloads together.
const REPEATS: usize = 8 << 10;
/// What a refusal of the plain way means.
const ONLY: &str = "Hugging Face refuses the plain download, as it does above 50 GB: the file is served by Xet only";

/// A repo's way by Xet, and which of its blobs take it.
pub(super) struct Xet {
    transport: BlobTransport,
    read: TokenCache,
    write: TokenCache,
    ways: Arc<Mutex<Routes>>,
    /// Held while asking for a hash: the streams of one file ask once.
    asking: tokio::sync::Mutex<()>,
    /// For xorbs on their way out.
    room: Arc<Semaphore>,
    /// For uploads under way.
    uploads: Semaphore,
    /// For chunks that come again, in KiB.
    repeats: Arc<Semaphore>,
}

/// What was learned about blobs.
#[derive(Default)]
struct Routes {
    hashes: HashMap<Sha256, Hash>,
    /// By Xet, and not otherwise.
    only: HashSet<Sha256>,
    /// Otherwise, although Xet was asked for.
    without: HashSet<Sha256>,
}

impl Xet {
    /// The way of a repo whose hub gives permissions at these addresses.
    pub(super) fn new(http: &Http, [read, write]: [reqwest::Url; 2]) -> Self {
        let grants = |from| TokenCache::new(http.clone(), from);
        Self {
            transport: BlobTransport::Auto,
            read: grants(read),
            write: grants(write),
            ways: Arc::default(),
            asking: tokio::sync::Mutex::default(),
            room: Arc::new(Semaphore::new(XORBS)),
            uploads: Semaphore::new(UPLOADS),
            repeats: Arc::new(Semaphore::new(REPEATS)),
        }
    }

    /// Chooses as `transport` says from here on.
    ///
    /// # Errors
    /// None: this is built with Xet.
    pub(super) fn set(&mut self, transport: BlobTransport) -> Result<()> {
        self.transport = transport;
        Ok(())
    }

    fn ways(&self) -> MutexGuard<'_, Routes> {
        locked(&self.ways)
    }

    /// Whether a blob is read this way without trying another.
    pub(super) fn reads(&self, blob: Blob) -> bool {
        let ways = self.ways();
        let is_chosen = match self.transport {
            BlobTransport::Auto => {
                blob.size > LARGEST_WITHOUT_XET || ways.only.contains(&blob.sha256)
            }
            BlobTransport::Http => false,
            BlobTransport::Xet => true,
        };
        is_chosen && !ways.without.contains(&blob.sha256)
    }

    /// Whether nobody asked for one way, so that blobs may be sent either way.
    pub(super) fn is_open(&self) -> bool {
        self.transport == BlobTransport::Auto
    }

    /// Whether the hub gives a permission to send.
    pub(super) async fn is_offered(&self) -> bool {
        self.write.get().await.is_ok()
    }

    /// Whether a blob is sent this way.
    pub(super) fn sends(&self, blob: Blob) -> bool {
        self.transport == BlobTransport::Xet && !self.ways().without.contains(&blob.sha256)
    }

    /// Opens a part of a blob; `None` for one that is not stored there.
    ///
    /// # Errors
    /// What the hub and the storage complain of. After a stall the other way is taken next time, if there is one.
    pub(super) async fn read(
        &self,
        repo: &HuggingFaceRepo,
        file: &File,
        blob: Blob,
        range: Range<u64>,
    ) -> Result<Option<ByteStream>> {
        let Some(hash) = self.hash(repo, file, blob).await? else {
            self.ways().without.insert(blob.sha256);
            return Ok(None);
        };
        let fallback = self.fallback(blob);
        let body = download::open(&self.read, hash, range, self.repeats.clone())
            .await
            .map_err(|error| fallback.classify(error))?;
        Ok(Some(
            body.map(move |frame| frame.map_err(|error| fallback.classify(error)))
                .boxed(),
        ))
    }

    /// The blob can't be read otherwise: the hub said so.
    ///
    /// # Errors
    /// As [`Xet::read`]; `refusal` where Xet is not to be used.
    pub(super) async fn take_over(
        &self,
        repo: &HuggingFaceRepo,
        file: &File,
        blob: Blob,
        range: Range<u64>,
        refusal: Error,
    ) -> Result<ByteStream> {
        if self.transport == BlobTransport::Http {
            return Err(refusal.about(format!("{ONLY}, and plain HTTP was asked for")));
        }
        self.ways().only.insert(blob.sha256);
        let body = self.read(repo, file, blob, range).await?;
        body.ok_or_else(|| {
            refusal.about(format!(
                "{ONLY}, and the hub does not say where it is there"
            ))
        })
    }

    /// Stores a blob.
    ///
    /// # Errors
    /// The body's own, before anything is a file; what the storage complains of. After a stall it is sent the other way next time.
    pub(super) async fn put(&self, blob: Blob, body: ByteStream) -> Result<()> {
        // The semaphore is never closed. A body that waits is not read yet.
        let _turn = self.uploads.acquire().await.ok();
        let sent = upload::send(&self.write, &self.room, body, blob.sha256).await;
        sent.map_err(|error| self.fallback(blob).classify(error))
    }

    fn is_only(&self, blob: Blob) -> bool {
        blob.size > LARGEST_WITHOUT_XET || self.ways().only.contains(&blob.sha256)
    }

    fn fallback(&self, blob: Blob) -> Fallback {
        Fallback {
            ways: self.ways.clone(),
            blob: blob.sha256,
            has_other: !self.is_only(blob) && self.transport == BlobTransport::Xet,
        }
    }

    /// The hash by which the storage knows a file; `None` where it is not stored there.
    async fn hash(&self, repo: &HuggingFaceRepo, file: &File, blob: Blob) -> Result<Option<Hash>> {
        let known = || self.ways().hashes.get(&blob.sha256).copied();
        if let Some(hash) = known() {
            return Ok(Some(hash));
        }
        let _alone = self.asking.lock().await;
        if let Some(hash) = known() {
            return Ok(Some(hash));
        }
        let hash = ask_hash(repo, file).await?;
        if let Some(hash) = hash {
            self.ways().hashes.insert(blob.sha256, hash);
        }
        Ok(hash)
    }
}

async fn ask_hash(repo: &HuggingFaceRepo, file: &File) -> Result<Option<Hash>> {
    let told = paths::info(repo, &[file.path.as_str()]).await?;
    let told = told
        .into_iter()
        .find(|told| told.path == file.path.as_str())
        .and_then(|told| told.xet_hash);
    let hash = told.map(|hash| hash.parse()).transpose();
    hash.map_err(|bad| {
        Error::new(
            Kind::Refused,
            format!("{bad}, and what the hub names has not"),
        )
    })
}

/// What becomes of a blob whose way by Xet fails.
struct Fallback {
    ways: Arc<Mutex<Routes>>,
    blob: Sha256,
    has_other: bool,
}

impl Fallback {
    /// After a stall the blob goes the other way, if there is one: whoever tries again takes it.
    fn classify(&self, error: Error) -> Error {
        if !self.has_other || !error.is_stall() {
            return error;
        }
        locked(&self.ways).without.insert(self.blob);
        error.about("Xet stalled, going on without it")
    }
}

fn locked(ways: &Mutex<Routes>) -> MutexGuard<'_, Routes> {
    ways.lock().unwrap_or_else(PoisonError::into_inner)
}
