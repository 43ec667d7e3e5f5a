//! A blob in parts: cut from one body in its order, each repeated alone. The body passes from sender to sender: the next part
//! begins while storage still has to take the end of the last and to answer. Only when all are there and the body has come to its
//! verified end is the upload completed. Facts: huggingface_hub 2.4.0, `lfs.py` (`_upload_multi_part`).

use std::borrow::Cow;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use reqwest::Url;
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use super::Lfs;
use super::batch::MEDIA_TYPE;
use super::wire::{Completion, Part};
use crate::http::expired_address;
use crate::http::{Http, Request, user_agent};
use crate::stream::body::Reopen;
use crate::stream::verify::{PartCheck, VerifyStream};
use crate::{Blob, Body, ByteStream, Error, Kind, Result};

/// Parts of one blob on their way at a time.
const AT_ONCE: usize = 3;
/// Storage joins the parts before it answers.
const PATIENCE: Duration = Duration::from_secs(300);

/// Where the parts of one blob go.
#[derive(Clone)]
pub(super) struct Parts {
    size: u64,
    urls: Vec<Url>,
    complete: Url,
}

impl Parts {
    /// Parts of `size` bytes (the last may be smaller), an address each, and the one that is told when all are there.
    pub(super) fn new(size: u64, urls: Vec<Url>, complete: Url) -> Self {
        Self {
            size,
            urls,
            complete,
        }
    }

    pub(super) fn count(&self) -> usize {
        self.urls.len()
    }

    /// Sends the parts; the upload can be completed then.
    ///
    /// # Errors
    /// The body's own, and what storage says of a part that was repeated in vain: nothing is to be completed.
    pub(super) async fn send(self, lfs: &Lfs, blob: Blob, body: Body) -> Result<Complete> {
        let (mut body, reopen) = body.in_parts(blob, self.size);
        let mut sending = Sending {
            tasks: JoinSet::new(),
            etags: vec![String::new(); self.urls.len()],
        };
        let mut start = 0;
        for (index, url) in self.urls.iter().enumerate() {
            let range = start..(start + self.size).min(blob.size);
            start = range.end;
            let part = Sent {
                http: lfs.http.clone(),
                url: url.clone(),
                range,
                reopen: reopen.clone(),
            };
            body = sending.cut(index, part, body).await?;
        }
        expect_end(&mut body).await?;
        Ok(Complete {
            url: self.complete,
            blob,
            etags: sending.all().await?,
        })
    }
}

/// Nothing follows the last byte: what has been held back so far is right.
async fn expect_end(body: &mut VerifyStream) -> Result<()> {
    match body.next().await {
        None => Ok(()),
        Some(Err(error)) => Err(error),
        _ => Err(Error::new(
            Kind::Corrupt,
            "the body is longer than the blob",
        )),
    }
}

/// The parts on their way. Dropped, all of them end.
struct Sending {
    tasks: JoinSet<Result<(usize, String)>>,
    etags: Vec<String>,
}

impl Sending {
    /// Lends the body to the sender of its next part, and has it back at the part's end. When the sender gives up before, the rest
    /// of the part is read all the same: only then is it known what it must be when it is sent again.
    async fn cut(&mut self, index: usize, part: Sent, body: VerifyStream) -> Result<VerifyStream> {
        while self.tasks.len() >= AT_ONCE {
            self.one().await?;
        }
        let (back, returned) = oneshot::channel();
        let (tell, check) = oneshot::channel();
        let lent = Lent::new(Loan {
            body,
            left: part.size(),
            back,
        });
        self.tasks
            .spawn(async move { Ok((index, part.send(lent, check).await?)) });
        let (mut body, mut left) = self.back(returned).await?;
        while left > 0 {
            left -= next_piece(&mut body).await?.len() as u64;
        }
        if let Some(check) = body.part(index) {
            let _ = tell.send(check);
        }
        Ok(body)
    }

    /// The body, and what is over of the part. What another part fails with for good ends the wait; an error of the body comes first.
    async fn back(
        &mut self,
        mut returned: oneshot::Receiver<Returned>,
    ) -> Result<(VerifyStream, u64)> {
        loop {
            tokio::select! {
                biased;
                returned = &mut returned => return returned.unwrap_or_else(|_| Err(task_died())),
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

fn note(
    etags: &mut [String],
    ended: std::result::Result<Result<(usize, String)>, tokio::task::JoinError>,
) -> Result<()> {
    let (index, etag) = ended.map_err(|_| task_died())??;
    etags[index] = etag;
    Ok(())
}

fn task_died() -> Error {
    Error::new(Kind::Transient, "an uploading task died")
}

/// The next bytes of the body, of one part only.
async fn next_piece(body: &mut VerifyStream) -> Result<Bytes> {
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
    /// Sends the part from the body, or else from the source again, by the retry policy.
    async fn send(self, lent: Lent, check: oneshot::Receiver<PartCheck>) -> Result<String> {
        let mut sent = self.put(lent.bytes()).await;
        lent.give_back();
        let mut check = Check::Coming(check);
        let mut attempts = self.http.options().attempts();
        loop {
            let error = match sent {
                Ok(etag) => return Ok(etag),
                Err(error) => error,
            };
            let Some(reopen) = &self.reopen else {
                return Err(error);
            };
            let may_pass = self.http.options().retry.covers(&error);
            attempts.wait_after_if(may_pass, error).await?;
            let again = check.known().await?.verified(reopen(self.range.clone()));
            sent = self.put(again).await;
        }
    }

    fn size(&self) -> u64 {
        self.range.end - self.range.start
    }

    /// One PUT; answers what storage calls the part.
    async fn put(&self, body: ByteStream) -> Result<String> {
        let answer = self
            .http
            .upload_permitted(self.url.clone(), user_agent::git_lfs(), body, self.size())
            .await
            .map_err(expired_address)?;
        let etag = answer
            .header("etag")
            .filter(|etag| !etag.is_empty())
            .map(Cow::into_owned);
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

/// The body, or what it failed with, and how many bytes of the part have not been read.
type Returned = Result<(VerifyStream, u64)>;

/// A body of which the next `left` bytes are taken, and who waits for it.
struct Loan {
    body: VerifyStream,
    left: u64,
    back: oneshot::Sender<Returned>,
}

/// The body while one part is taken from it, until someone ends that: the part's last byte, an error, or the sender that gives up.
#[derive(Clone)]
struct Lent(Arc<Mutex<Option<Loan>>>);

impl Lent {
    fn new(loan: Loan) -> Self {
        Self(Arc::new(Mutex::new(Some(loan))))
    }

    /// The part's bytes, each hashed by whoever sends it.
    fn bytes(&self) -> ByteStream {
        let lent = self.clone();
        stream::poll_fn(move |context| lent.poll(context)).boxed()
    }

    fn poll(&self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes>>> {
        let mut lent = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(loan) = lent.as_mut() else {
            return Poll::Ready(None);
        };
        let next = ready!(loan.body.poll_next_unpin(context));
        match next.unwrap_or_else(|| Err(ended_early())) {
            Ok(piece) => {
                loan.left -= piece.len() as u64;
                if loan.left == 0 {
                    end(lent.take(), Ok(()));
                }
                Poll::Ready(Some(Ok(piece)))
            }
            // Whoever waits for the body ends the upload, and this request with it: nothing is to be tried again here.
            Err(error) => {
                end(lent.take(), Err(error));
                Poll::Pending
            }
        }
    }

    /// Ends the loan, if nobody did before.
    fn give_back(&self) {
        end(
            self.0.lock().unwrap_or_else(PoisonError::into_inner).take(),
            Ok(()),
        );
    }
}

fn end(loan: Option<Loan>, outcome: Result<()>) {
    if let Some(Loan { body, left, back }) = loan {
        let _ = back.send(outcome.map(|()| (body, left)));
    }
}

/// An upload whose parts are all there, after a body that came to its verified end.
pub(super) struct Complete {
    url: Url,
    blob: Blob,
    etags: Vec<String>,
}

impl Complete {
    /// Has storage join the parts. Asked once: should the answer be lost, a look tells whether the upload was completed. It may be
    /// asked again, since the parts stay where they are until they are joined.
    pub(super) async fn tell(&self, lfs: &Lfs) -> Result<()> {
        let etags = self.etags.iter().zip(1..);
        let parts = etags
            .map(|(etag, part_number)| Part { part_number, etag })
            .collect();
        let told = serde_json::to_vec(&Completion {
            oid: self.blob.sha256.to_string(),
            parts,
        });
        let told = told.map_err(|error| Error::new(Kind::Invalid, error.to_string()))?;
        let request = Request::post(self.url.clone())
            .headers(user_agent::git_lfs())
            .accept(MEDIA_TYPE)
            .body(MEDIA_TYPE, told)
            .signed()
            .once()
            .patience(PATIENCE);
        let answer = lfs.http.send(request).await;
        answer.map(drop).map_err(|error| match error.status() {
            // The upload is over, or was completed by an answer that was lost: the next check tells which.
            Some(401 | 403 | 404 | 410) => error.with_kind(Kind::Expired),
            _ => error,
        })
    }
}

#[cfg(test)]
mod tests;
