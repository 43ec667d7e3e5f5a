//! What hubs differ in when a blob is stored by the LFS batch API, and how Git LFS has it. ModelScope's is beside its repo.

use async_trait::async_trait;

use super::Lfs;
use super::batch::{self, wanted};
use super::missing::{UploadAnswer, upload_address};
use super::upload::WholeUpload;
use super::wire::BatchQuestion;
use crate::http::{Request, Response, expired_address, user_agent};
use crate::{Blob, Error, Result};

/// Blobs in one check (huggingface_hub 2.4.0, `UPLOAD_BATCH_MAX_NUM_FILES`).
pub(super) const BLOBS_A_CHECK: usize = 256;
/// The answer for a file of 500 GB in parts of 8 MiB.
const LONGEST_ANSWER: u64 = 96 << 20;

/// How a server is asked which blobs it lacks, and how a blob is put there.
#[async_trait]
pub(crate) trait UploadProtocol: Send + Sync {
    /// Blobs in one check.
    fn blobs_a_check(&self) -> usize;

    /// The request that asks about these blobs.
    ///
    /// # Errors
    /// [`crate::Kind::Invalid`] when it can't be written as JSON.
    fn request(&self, lfs: &Lfs, blobs: &[Blob]) -> Result<Request>;

    /// What an answer says of each of the blobs asked for; `None` where it is well-formed and says nothing about any.
    ///
    /// # Errors
    /// [`crate::Kind::Refused`] for an answer about something nobody asked for; what the server complains of.
    async fn answers(
        &self,
        lfs: &Lfs,
        response: Response,
        asked: &[Blob],
    ) -> Result<Option<Vec<(Blob, UploadAnswer)>>>;

    /// What an error of the check means.
    fn read_error(&self, error: Error) -> Error {
        error
    }

    /// Sends a blob in one PUT.
    ///
    /// # Errors
    /// The body's own; [`crate::Kind::Expired`] when the address was too old; what the server complains of.
    async fn put(&self, lfs: &Lfs, upload: WholeUpload) -> Result<()>;
}

/// The protocol of Git LFS servers and of Hugging Face.
pub(super) struct GitLfs;

#[async_trait]
impl UploadProtocol for GitLfs {
    fn blobs_a_check(&self) -> usize {
        BLOBS_A_CHECK
    }

    fn request(&self, lfs: &Lfs, blobs: &[Blob]) -> Result<Request> {
        let question = BatchQuestion {
            operation: "upload",
            transfers: lfs.transfers(),
            hash_algo: "sha256",
            objects: wanted(blobs),
            r#ref: lfs.reference(),
        };
        batch::request(lfs, &question)
    }

    async fn answers(
        &self,
        lfs: &Lfs,
        response: Response,
        asked: &[Blob],
    ) -> Result<Option<Vec<(Blob, UploadAnswer)>>> {
        let (mut objects, when) =
            batch::objects(lfs, response, lfs.transfers(), asked, LONGEST_ANSWER).await?;
        let answer = |blob: &Blob| (*blob, upload_address(&mut objects, blob, lfs, when));
        Ok(Some(asked.iter().map(answer).collect()))
    }

    async fn put(&self, lfs: &Lfs, upload: WholeUpload) -> Result<()> {
        let (url, body, size) = (upload.url, upload.body, upload.size);
        let mut headers = user_agent::git_lfs();
        headers.extend(upload.headers);
        let sent = match upload.authenticated {
            true => lfs.http.upload_permitted(url, headers, body, size).await,
            false => lfs.http.upload(url, headers, body, size).await,
        };
        sent.map(drop).map_err(expired_address)
    }
}
