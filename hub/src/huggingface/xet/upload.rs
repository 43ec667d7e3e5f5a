//! A blob into xorbs, in one pass over its bytes: cut into chunks, packed, and sent xorb by xorb while the next one fills. Nothing
//! that was sent is a file before the last step, a shard that names it; and that comes after the body's verified end.

use std::collections::HashSet;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::StreamExt;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;

use super::cas;
use super::chunker::{self, Chunker};
use super::hash::{Hash, MerkleTree};
use super::shard::{self, ShardFile, Term, Xorbs};
use super::tokens::TokenCache;
use super::xorb::append;
use crate::{ByteStream, Error, Kind, Result, Sha256};

/// Bytes of a file in one xorb. The protocol allows 64 MiB: this is what memory allows.
pub(super) const XORB: usize = 4 << 20;
/// What stands before its chunks, together.
const HEADERS: usize = 16 << 10;
/// Chunks of a xorb.
const MOST_CHUNKS: usize = 8 << 10;
/// A shard is sent when it tells of this much: a few GB of the file.
const LARGEST_SHARD: usize = 4 << 20;

/// Sends the body. It becomes a file, under its `sha256`, only when the body has come to its verified end.
///
/// # Errors
/// The body's own; what the storage complains of.
pub(super) async fn send(
    grants: &TokenCache,
    room: &Arc<Semaphore>,
    mut body: ByteStream,
    sha256: Sha256,
) -> Result<()> {
    let mut upload = Upload::new(grants.clone(), room.clone());
    while let Some(frame) = body.next().await {
        upload.take(frame?).await?;
    }
    upload.finish(sha256).await
}

/// A xorb that fills.
struct Filling {
    content: Vec<u8>,
    chunks: Vec<(Hash, u32)>,
    bytes: u32,
    /// Taken for as long as the content is in memory.
    room: OwnedSemaphorePermit,
}

struct Upload {
    grants: TokenCache,
    room: Arc<Semaphore>,
    chunker: Chunker,
    /// The chunk that is not whole yet.
    chunk: Vec<u8>,
    filling: Option<Filling>,
    /// The one that is on its way; ends with this value.
    sending: JoinSet<Result<()>>,
    tree: MerkleTree,
    terms: Vec<Term>,
    /// Told with the next shard.
    untold: Xorbs,
    told: HashSet<Hash>,
}

impl Upload {
    fn new(grants: TokenCache, room: Arc<Semaphore>) -> Self {
        Self {
            grants,
            room,
            chunker: Chunker::new(),
            chunk: Vec::with_capacity(chunker::MOST),
            filling: None,
            sending: JoinSet::new(),
            tree: MerkleTree::default(),
            terms: Vec::new(),
            untold: Xorbs::default(),
            told: HashSet::new(),
        }
    }

    async fn take(&mut self, frame: Bytes) -> Result<()> {
        let mut rest = &frame[..];
        while let Some(at) = self.chunker.boundary(rest) {
            self.chunk.extend_from_slice(&rest[..at]);
            self.end_chunk().await?;
            rest = &rest[at..];
        }
        self.chunk.extend_from_slice(rest);
        Ok(())
    }

    async fn end_chunk(&mut self) -> Result<()> {
        let is_full = |filling: &Filling| {
            filling.bytes as usize + self.chunk.len() > XORB || filling.chunks.len() == MOST_CHUNKS
        };
        if self.filling.as_ref().is_some_and(is_full) {
            self.end_xorb().await?;
        }
        let mut filling = match self.filling.take() {
            Some(filling) => filling,
            None => Filling::within(&self.room).await?,
        };
        filling.add(&self.chunk, &mut self.tree)?;
        self.filling = Some(filling);
        self.chunk.clear();
        Ok(())
    }

    /// Sends the xorb, once the one before it has arrived. One that was sent already is not sent again.
    async fn end_xorb(&mut self) -> Result<()> {
        let Some(filling) = self.filling.take() else {
            return Ok(());
        };
        let hash = filling.hash();
        self.terms.push(filling.term(hash));
        if !self.told.insert(hash) {
            return Ok(());
        }
        self.untold
            .add(hash, &filling.chunks, filling.content.len() as u32);
        self.arrived().await?;
        let grants = self.grants.clone();
        self.sending.spawn(async move {
            let Filling {
                content,
                room: _room,
                ..
            } = filling;
            cas::post(grants, format!("/v1/xorbs/default/{hash}"), content.into()).await
        });
        if self.untold.len() < LARGEST_SHARD {
            Ok(())
        } else {
            self.tell(None).await
        }
    }

    async fn arrived(&mut self) -> Result<()> {
        match self.sending.join_next().await {
            Some(sent) => sent.map_err(|_| Error::new(Kind::Transient, "a sending task died"))?,
            None => Ok(()),
        }
    }

    /// Sends a shard of the xorbs that are there, and of the file if it is whole.
    async fn tell(&mut self, file: Option<(Hash, Sha256)>) -> Result<()> {
        self.arrived().await?;
        let untold = std::mem::take(&mut self.untold);
        let file = file.map(|(hash, sha256)| ShardFile {
            hash,
            terms: &self.terms,
            sha256,
        });
        cas::post(
            self.grants.clone(),
            "/v1/shards".to_owned(),
            shard::build(file, &untold).into(),
        )
        .await
    }

    async fn finish(mut self, sha256: Sha256) -> Result<()> {
        if !self.chunk.is_empty() {
            self.end_chunk().await?;
        }
        self.end_xorb().await?;
        let hash = Hash::of_file(std::mem::take(&mut self.tree).root());
        self.tell(Some((hash, sha256))).await
    }
}

impl Filling {
    async fn within(room: &Arc<Semaphore>) -> Result<Self> {
        let room = room
            .clone()
            .acquire_owned()
            .await
            .map_err(|_| Error::new(Kind::Transient, "the uploads have ended"))?;
        Ok(Self {
            content: Vec::with_capacity(XORB + HEADERS),
            chunks: Vec::new(),
            bytes: 0,
            room,
        })
    }

    fn add(&mut self, chunk: &[u8], tree: &mut MerkleTree) -> Result<()> {
        let hash = Hash::of_chunk(chunk);
        append(&mut self.content, chunk)?;
        self.chunks.push((hash, chunk.len() as u32));
        self.bytes += chunk.len() as u32;
        tree.add(hash, chunk.len() as u64);
        Ok(())
    }

    fn hash(&self) -> Hash {
        let mut tree = MerkleTree::default();
        self.chunks
            .iter()
            .for_each(|(hash, bytes)| tree.add(*hash, u64::from(*bytes)));
        tree.root()
    }

    fn term(&self, xorb: Hash) -> Term {
        let row: Vec<Hash> = self.chunks.iter().map(|(hash, _)| *hash).collect();
        Term {
            xorb,
            bytes: self.bytes,
            chunks: self.chunks.len() as u32,
            proof: Hash::of_row(&row),
        }
    }
}
