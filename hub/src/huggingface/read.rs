//! Opening a file's bytes: a blob at its located address in storage, a small file at the hub itself.
//! Facts: huggingface_hub 2.4.0, `file_download.py`.

use std::ops::Range;

use futures_util::StreamExt;
use reqwest::Url;

use super::lfs::{self, Address};
use super::{Repo, escaped};
use crate::http::{Request, Response};
use crate::{Blob, ByteStream, Digest, Error, File, Kind, Result};

/// Above this the plain bridge answers 400 (huggingface_hub 2.4.0, `constants.py`).
const LARGEST_WITHOUT_XET: u64 = 50_000_000_000;

/// Opens `range` of `file`; an empty range asks nothing.
pub(super) async fn read(repo: &Repo, file: &File, range: Range<u64>) -> Result<ByteStream> {
    if range.start > range.end || range.end > file.size {
        let message = format!("the bytes {}..{} were asked of {}, which has {}", range.start, range.end, file.path, file.size);
        return Err(Error::new(Kind::Invalid, message));
    }
    if range.is_empty() {
        return Ok(futures_util::stream::empty().boxed());
    }
    let response = match file.digest {
        Digest::Sha256(sha256) => from_storage(repo, file, Blob { sha256, size: file.size }, &range).await,
        Digest::GitSha1(_) => {
            let answer = repo.http.send(part(Request::get(resolve(repo, file)?), file, &range)).await;
            answer.map_err(|error| restarted(error, &range))
        }
    };
    let opened = response.and_then(|response| checked(response, file, &range));
    opened.map_err(|error| error.about(&file.path))
}

/// `GET /{prefix}{id}/resolve/{commit}/{path}`.
fn resolve(repo: &Repo, file: &File) -> Result<Url> {
    let path: Vec<String> = file.path.as_str().split('/').map(escaped).collect();
    repo.page(&format!("/resolve/{}/{}", repo.revision(), path.join("/")))
}

fn part(request: Request, file: &File, range: &Range<u64>) -> Request {
    if is_whole(file, range) { request } else { request.range(range) }
}

fn is_whole(file: &File, range: &Range<u64>) -> bool {
    *range == (0..file.size)
}

async fn from_storage(repo: &Repo, file: &File, blob: Blob, range: &Range<u64>) -> Result<Response> {
    let address = lfs::address(repo, blob).await?;
    let answer = repo.http.send(part(address.request(), file, range)).await;
    answer.map_err(|error| understood(restarted(error, range), repo, blob, &address))
}

/// 416 to a range inside the file: the server is confused, not the range.
fn restarted(error: Error, range: &Range<u64>) -> Error {
    match error.status() {
        Some(416) => {
            Error::new(Kind::Transient, format!("the server says that the bytes from {} do not exist", range.start)).with_status(416)
        }
        _ => error,
    }
}

/// What a refusal of storage means: mostly that the address was too old.
fn understood(error: Error, repo: &Repo, blob: Blob, address: &Address) -> Error {
    if error.status() == Some(400) && blob.size > LARGEST_WITHOUT_XET {
        let message = format!("it has {} bytes: above 50 GB Hugging Face serves a file by Xet only, which is not supported yet", blob.size);
        return Error::new(Kind::Invalid, message).with_status(400);
    }
    let is_refusal = error.kind() == Kind::Expired || matches!(error.status(), Some(401 | 403 | 410));
    if !is_refusal || !address.is_apart_from(repo.http.origin()) {
        return error;
    }
    repo.addresses.forget(blob.sha256, address);
    error.with_kind(Kind::Expired)
}

/// The body, once the answer is the one to the question.
fn checked(response: Response, file: &File, range: &Range<u64>) -> Result<ByteStream> {
    match (response.status().as_u16(), is_whole(file, range)) {
        (200, true) => response.exactly(range.end - range.start),
        (200, false) => Err(Error::new(Kind::RangeIgnored, "the server sent the whole file instead of a part")),
        (206, false) => {
            expect_range(response.header("content-range"), range, file.size)?;
            response.exactly(range.end - range.start)
        }
        (status, _) => Err(Error::new(Kind::Refused, format!("the server answered {status} instead of the bytes asked for"))),
    }
}

/// `bytes first-last/total`, each as asked and as listed.
fn expect_range(header: Option<&str>, range: &Range<u64>, size: u64) -> Result<()> {
    let expected = format!("bytes {}-{}/{size}", range.start, range.end - 1);
    match header {
        Some(told) if told.trim().eq_ignore_ascii_case(&expected) => Ok(()),
        told => {
            let told = crate::path::escape(told.unwrap_or("nothing"));
            Err(Error::new(Kind::Refused, format!("the server answered the range '{told}' to '{expected}'")))
        }
    }
}
