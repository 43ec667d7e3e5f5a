//! Opening a file's bytes: a blob at its located address in storage, a small file at the hub itself.
//! Facts: huggingface_hub 2.4.0, `file_download.py`.

use std::ops::Range;

use reqwest::Url;

use super::HuggingFaceRepo;
use super::api::escaped;
use crate::http::Request;
use crate::stream::range::{checked, is_worth_asking, nothing, part, restarted};
use crate::{Blob, ByteStream, Digest, File, Kind, Result};

/// Opens `range` of `file`; an empty range asks nothing.
pub(super) async fn read(
    repo: &HuggingFaceRepo,
    file: &File,
    range: Range<u64>,
) -> Result<ByteStream> {
    if !is_worth_asking(file, &range)? {
        return Ok(nothing());
    }
    let opened = match file.digest {
        Digest::Sha256(sha256) => {
            of_blob(
                repo,
                file,
                Blob {
                    sha256,
                    size: file.size,
                },
                range,
            )
            .await
        }
        Digest::GitSha1(_) => by_resolve(repo, file, range).await,
    };
    opened.map_err(|error| error.about(&file.path))
}

/// By Xet where it is chosen, or where the bridge to it refuses: it answers 400 above its limit. By the hub's own resolver where
/// there is no LFS: mirrors (olah) serve files only.
async fn of_blob(
    repo: &HuggingFaceRepo,
    file: &File,
    blob: Blob,
    range: Range<u64>,
) -> Result<ByteStream> {
    if repo.xet.reads(blob)
        && let Some(body) = repo.xet.read(repo, file, blob, range.clone()).await?
    {
        return Ok(body);
    }
    if repo.lfs.is_absent() {
        return by_resolve(repo, file, range).await;
    }
    match repo.lfs.open(file, blob, &range).await {
        Err(_) if repo.lfs.is_absent() => by_resolve(repo, file, range).await,
        Ok(response) => checked(response, file, &range),
        Err(refusal) if refusal.status() == Some(400) && refusal.kind() == Kind::Invalid => {
            repo.xet.take_over(repo, file, blob, range, refusal).await
        }
        Err(error) => Err(error),
    }
}

/// At the hub itself, which may point at storage.
async fn by_resolve(repo: &HuggingFaceRepo, file: &File, range: Range<u64>) -> Result<ByteStream> {
    let answer = repo
        .http
        .send(part(
            Request::get(resolve(repo, file)?).of_file(),
            file,
            &range,
        ))
        .await;
    answer
        .map_err(|error| restarted(error, &range))
        .and_then(|response| checked(response, file, &range))
}

/// `GET /{prefix}{id}/resolve/{commit}/{path}`.
fn resolve(repo: &HuggingFaceRepo, file: &File) -> Result<Url> {
    let path: Vec<String> = file.path.as_str().split('/').map(escaped).collect();
    repo.page(&format!("/resolve/{}/{}", repo.revision(), path.join("/")))
}

#[cfg(test)]
mod tests;
