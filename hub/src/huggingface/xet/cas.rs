//! Requests to Xet's storage: each with a fresh permission, and once more with a new one when it is refused; what fails in passing
//! is tried again as everywhere.

use std::ops::Range;
use std::time::Duration;

use bytes::Bytes;
use reqwest::header::{AUTHORIZATION, HeaderMap};
use serde::de::DeserializeOwned;

use super::tokens::{Grant, TokenCache};
use crate::http::{Http, Request};
use crate::{Error, Kind, Result};

/// The answer about [`super::download::SEGMENT`] bytes has some hundred KiB; in the worst of cases, a term a chunk, some MiB.
const LONGEST_ANSWER: u64 = 32 << 20;
/// The storage looks a range up before it answers.
const PATIENCE: Duration = Duration::from_secs(60);

/// Asks about `range` of a file.
///
/// # Errors
/// [`Kind::Denied`] when a new permission was refused, too; what the storage complains of.
pub(super) async fn ask<T: DeserializeOwned>(
    grants: &TokenCache,
    rest: &str,
    range: &Range<u64>,
) -> Result<T> {
    patiently(grants.http(), || ask_once(grants, rest, range)).await
}

async fn ask_once<T: DeserializeOwned>(
    grants: &TokenCache,
    rest: &str,
    range: &Range<u64>,
) -> Result<T> {
    permitted(grants, |grant| async move {
        let request = Request::get(grant.url(rest)?)
            .header(AUTHORIZATION, grant.header())
            .signed()
            .once();
        let patience = PATIENCE.min(grants.http().options().stall);
        grants
            .http()
            .send(request.range(range).patience(patience))
            .await?
            .json_within(LONGEST_ANSWER)
            .await
    })
    .await
}

/// Posts bytes.
///
/// # Errors
/// As [`ask`].
pub(super) async fn post(grants: TokenCache, rest: String, content: Bytes) -> Result<()> {
    patiently(grants.http(), || post_once(&grants, &rest, &content)).await
}

async fn post_once(grants: &TokenCache, rest: &str, content: &Bytes) -> Result<()> {
    permitted(grants, |grant| async move {
        let headers = HeaderMap::from_iter([(AUTHORIZATION, grant.header())]);
        grants
            .http()
            .post_bytes(grant.url(rest)?, headers, content.clone())
            .await
            .map(drop)
    })
    .await
}

/// Tries again what fails in passing, unless nothing moved: that is for whoever knows another way.
///
/// # Errors
/// The last attempt's.
pub(super) async fn patiently<T, A: Future<Output = Result<T>>>(
    http: &Http,
    attempt: impl Fn() -> A,
) -> Result<T> {
    let attempt = || async {
        match attempt().await {
            Err(error) if error.is_stall() => Ok(Err(error)),
            other => other.map(Ok),
        }
    };
    http.options().retrying(attempt).await?
}

/// Does something with a permission. One that is refused has expired, or was taken back: the second is the last.
async fn permitted<T, A: Future<Output = Result<T>>>(
    grants: &TokenCache,
    attempt: impl Fn(Grant) -> A,
) -> Result<T> {
    let grant = grants.get().await?;
    match attempt(grant.clone()).await {
        Err(error) if is_refusal(&error) => grants.forget(&grant),
        other => return other.map_err(|error| error.without(&grant.redactor())),
    }
    let grant = grants.get().await?;
    let again = attempt(grant.clone())
        .await
        .map_err(|error| error.without(&grant.redactor()));
    again.map_err(|error| {
        if is_refusal(&error) {
            error.with_kind(Kind::Denied)
        } else {
            error
        }
    })
}

/// The storage knows only its own token.
fn is_refusal(error: &Error) -> bool {
    matches!(error.status(), Some(401 | 403))
}
