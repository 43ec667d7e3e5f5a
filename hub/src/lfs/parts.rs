//! A blob in parts: cut from one body in its order, sent side by side, each repeated alone. Only when all are there and
//! the body has come to its verified end is the upload completed. Facts: huggingface_hub 2.4.0, `lfs.py`
//! (`_upload_multi_part`).

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use reqwest::Url;
use reqwest::header::HeaderMap;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio::task::JoinSet;

use super::Lfs;
use super::batch::MEDIA_TYPE;
use super::put::read_storage;
use super::wire::{Completion, Part};
use crate::body::Reopen;
use crate::held_back::{HeldBack, PartCheck};
use crate::http::{Http, Request, exactly};
use crate::{Blob, Body, ByteStream, Error, Kind, Result};

/// Parts of one blob on their way at a time.
const AT_ONCE: usize = 3;
/// KiB of one blob that may wait to be sent: parts take turns within it.
const ROOM: usize = 1 << 10;
/// Storage joins the parts before it answers.
const PATIENCE: Duration = Duration::from_secs(300);

/// Where the parts of one blob go.
#[derive(Clone)]
pub(super) struct Parts {
    size: u64,
    urls: Vec<Url>,
    complete: Url,
}

/// A piece of a part, and the room that it takes until it is sent.
type Piece = (Bytes, OwnedSemaphorePermit);

impl Parts {
    /// Parts of `size` bytes (the last may be smaller), an address each, and the one that is told when all are there.
    pub(super) fn new(size: u64, urls: Vec<Url>, complete: Url) -> Self {
        Self { size, urls, complete }
    }

    pub(super) fn count(&self) -> usize {
        self.urls.len()
    }

    /// Sends the parts and completes the upload.
    ///
    /// # Errors
    /// The body's own, after which nothing is completed; what storage says of a part that was repeated in vain.
    pub(super) async fn send(self, lfs: &Lfs, blob: Blob, body: Body) -> Result<()> {
        let (mut body, reopen) = body.in_parts(blob, self.size);
        let mut sending =
            Sending { tasks: JoinSet::new(), etags: vec![String::new(); self.urls.len()], room: Arc::new(Semaphore::new(ROOM)) };
        let mut start = 0;
        for (index, url) in self.urls.iter().enumerate() {
            let range = start..(start + self.size).min(blob.size);
            start = range.end;
            let part = Sent { http: lfs.http.clone(), url: url.clone(), range, reopen: reopen.clone() };
            sending.cut(index, part, &mut body).await?;
        }
        expect_end(&mut body).await?;
        let etags = sending.all().await?;
        complete(lfs, self.complete, blob, etags).await
    }
}

/// Nothing follows the last byte: what has been held back so far is right.
async fn expect_end(body: &mut HeldBack) -> Result<()> {
    match body.next().await {
        None => Ok(()),
        Some(Err(error)) => Err(error),
        _ => Err(Error::new(Kind::Corrupt, "the body is longer than the blob")),
    }
}

/// The parts on their way. Dropped, all of them end.
struct Sending {
    tasks: JoinSet<Result<(usize, String)>>,
    etags: Vec<String>,
    room: Arc<Semaphore>,
}

impl Sending {
    /// Cuts one part from the body and hands it to its sender as it comes. When that gives up meanwhile, the rest of the part is
    /// read all the same: only then is it known what it must be when it is sent again.
    async fn cut(&mut self, index: usize, part: Sent, body: &mut HeldBack) -> Result<()> {
        while self.tasks.len() >= AT_ONCE {
            self.one().await?;
        }
        let (pieces, receiver) = mpsc::unbounded_channel();
        let (tell, check) = oneshot::channel();
        let mut left = part.range.end - part.range.start;
        self.tasks.spawn(async move { Ok((index, part.send(receiver, check).await?)) });
        while left > 0 {
            let piece = next_piece(body).await?;
            left -= piece.len() as u64;
            let permit = self.permit(piece.len()).await?;
            let _ = pieces.send((piece, permit));
        }
        if let Some(check) = body.part(index) {
            let _ = tell.send(check);
        }
        Ok(())
    }

    /// Room for so many bytes, once those before are on their way. What a part fails with for good ends the wait.
    async fn permit(&mut self, bytes: usize) -> Result<OwnedSemaphorePermit> {
        let kib = u32::try_from(bytes.div_ceil(1 << 10).clamp(1, ROOM)).unwrap_or(1);
        let room = self.room.clone().acquire_many_owned(kib);
        tokio::pin!(room);
        loop {
            tokio::select! {
                permit = &mut room => return permit.map_err(|_| Error::new(Kind::Transient, "the upload ended")),
                Some(ended) = self.tasks.join_next() => note(&mut self.etags, ended)?,
            }
        }
    }

    async fn one(&mut self) -> Result<()> {
        match self.tasks.join_next().await {
            Some(ended) => note(&mut self.etags, ended),
            None => Ok(()),
        }
    }

    /// Waits for the last of them; what storage calls each part.
    async fn all(mut self) -> Result<Vec<String>> {
        while !self.tasks.is_empty() {
            self.one().await?;
        }
        Ok(self.etags)
    }
}

fn note(etags: &mut [String], ended: std::result::Result<Result<(usize, String)>, tokio::task::JoinError>) -> Result<()> {
    let (index, etag) = ended.map_err(|_| Error::new(Kind::Transient, "an uploading task died"))??;
    etags[index] = etag;
    Ok(())
}

/// The next bytes of the body, of one part only.
async fn next_piece(body: &mut HeldBack) -> Result<Bytes> {
    body.next().await.unwrap_or_else(|| Err(ended_early()))
}

fn ended_early() -> Error {
    Error::new(Kind::Transient, "the body ended early")
}

/// One part and where it goes.
struct Sent {
    http: Http,
    url: Url,
    range: Range<u64>,
    reopen: Option<Reopen>,
}

impl Sent {
    /// Sends the part from its pieces, or else from the source again, by the retry policy.
    async fn send(self, pieces: mpsc::UnboundedReceiver<Piece>, check: oneshot::Receiver<PartCheck>) -> Result<String> {
        let mut sent = self.put(first(pieces, self.size())).await;
        let mut check = Check::Coming(check);
        let options = self.http.options();
        for pause in options.retry.pauses() {
            let Err(error) = &sent else { break };
            let Some(reopen) = self.reopen.as_ref().filter(|_| options.retry.covers(error)) else { return sent };
            let pause = error.retry_after().unwrap_or(pause);
            (options.on_retry)(error, pause);
            options.clock.sleep(pause).await;
            sent = self.put(check.known().await?.until_verified(reopen(self.range.clone()))).await;
        }
        sent.map_err(Error::after_retries)
    }

    fn size(&self) -> u64 {
        self.range.end - self.range.start
    }

    /// One PUT; answers what storage calls the part.
    async fn put(&self, body: ByteStream) -> Result<String> {
        let answer = self.http.upload(self.url.clone(), HeaderMap::new(), body, self.size()).await.map_err(read_storage)?;
        let etag = answer.header("etag").filter(|etag| !etag.is_empty()).map(str::to_owned);
        etag.ok_or_else(|| Error::new(Kind::Refused, "storage took a part and gave it no ETag"))
    }
}

/// What a part must be, which is known once all of it was read.
enum Check {
    Coming(oneshot::Receiver<PartCheck>),
    Known(PartCheck),
}

impl Check {
    async fn known(&mut self) -> Result<&PartCheck> {
        if let Self::Coming(check) = self {
            *self = Self::Known(check.await.map_err(|_| ended_early())?);
        }
        match self {
            Self::Known(check) => Ok(check),
            Self::Coming(_) => Err(ended_early()),
        }
    }
}

/// The pieces as they come; room is made for the next when one is taken.
fn first(pieces: mpsc::UnboundedReceiver<Piece>, size: u64) -> ByteStream {
    let body = stream::unfold(pieces, |mut pieces| async move {
        let (piece, _room) = pieces.recv().await?;
        Some((Ok(piece), pieces))
    });
    exactly(body.boxed(), size)
}

/// All parts are there. Asked once: should the answer be lost, the next check tells whether the blob is stored.
async fn complete(lfs: &Lfs, url: Url, blob: Blob, etags: Vec<String>) -> Result<()> {
    let parts = etags.into_iter().zip(1..).map(|(etag, part_number)| Part { part_number, etag }).collect();
    let told = serde_json::to_vec(&Completion { oid: blob.sha256.to_string(), parts });
    let told = told.map_err(|error| Error::new(Kind::Invalid, error.to_string()))?;
    let request = Request::post(url).accept(MEDIA_TYPE).body(MEDIA_TYPE, told).signed().once().patience(PATIENCE);
    let answer = lfs.http.send(request).await;
    answer.map(drop).map_err(|error| match error.status() {
        // The upload is over, or was completed by an answer that was lost: the next check tells which.
        Some(401 | 403 | 404 | 410) => error.with_kind(Kind::Expired),
        _ => error,
    })
}
