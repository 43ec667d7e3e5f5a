//! Bodies that are streamed out: one try each, since the body is gone then. Both directions are watched for stalls.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures_util::{Stream, StreamExt, TryStreamExt};
use reqwest::header::{AUTHORIZATION, CONTENT_LENGTH, HeaderMap};
use reqwest::{Method, StatusCode, Url};

use super::body::ByteStream;
use super::client::Http;
use super::options::HttpOptions;
use super::origin::{is_signed, show};
use super::rate_limit::host;
use super::response::Response;
use super::stall::StallTimeout;
use crate::error::{Error, Kind, Result};

/// Bytes that a watched POST hands over at a time.
const PIECE: usize = 64 << 10;
/// How long object storage may work on a blob after its last byte, if no shorter wait is set.
const UPLOAD_PATIENCE: Duration = Duration::from_secs(900);

/// How long an answer may take once everything is sent: no longer than any wait that a server may ask for, and no shorter than a stall.
fn patience(options: &HttpOptions) -> Duration {
    UPLOAD_PATIENCE
        .min(options.retry.longest_wait)
        .max(options.stall)
}

/// Storage that answers 404 to a PUT did not take the content: it says nothing of the source, which has it.
fn not_taken(error: Error) -> Error {
    match error.kind() {
        Kind::NotFound => error
            .with_kind(Kind::BlobMissing)
            .about("the destination's storage did not take it"),
        _ => error,
    }
}

/// A request whose body is made while it is sent.
struct Upload {
    method: Method,
    url: Url,
    headers: HeaderMap,
    body: ByteStream,
    length: Option<u64>,
    /// Whether something else than the hub's credentials permits the request.
    permitted: bool,
}

impl Upload {
    /// One whose address or headers tell whether they permit it: a signature, or a login that the hub named.
    fn new(method: Method, url: Url, headers: HeaderMap, body: ByteStream) -> Self {
        Self {
            permitted: headers.contains_key(AUTHORIZATION) || is_signed(&url),
            method,
            url,
            headers,
            body,
            length: None,
        }
    }

    fn of_length(self, length: u64) -> Self {
        Self {
            length: Some(length),
            ..self
        }
    }

    fn permitted(self) -> Self {
        Self {
            permitted: true,
            ..self
        }
    }
}

impl Http {
    /// PUTs `length` bytes in one streamed request with that exact length. Tried once: the body is gone.
    ///
    /// # Errors
    /// The body's own error when it failed; else what the server or the network says. A redirect is [`Kind::Transient`]: a fresh body
    /// goes where it led. An error is unanswered where the server has had the whole body and may have stored it.
    pub async fn upload(
        &self,
        url: Url,
        headers: HeaderMap,
        body: ByteStream,
        length: u64,
    ) -> Result<Response> {
        self.stream(Upload::new(Method::PUT, url, headers, body).of_length(length))
            .await
    }

    /// PUTs as [`Http::upload`] does, to an address that carries its own permission.
    ///
    /// # Errors
    /// As [`Http::upload`].
    pub async fn upload_permitted(
        &self,
        url: Url,
        headers: HeaderMap,
        body: ByteStream,
        length: u64,
    ) -> Result<Response> {
        let upload = Upload::new(Method::PUT, url, headers, body).of_length(length);
        self.stream(upload.permitted()).await
    }

    /// POSTs a body that ends when it ends, to a server that takes bodies without a length (Git's do). Tried once.
    ///
    /// # Errors
    /// As [`Http::upload`].
    pub async fn post_stream(
        &self,
        url: Url,
        headers: HeaderMap,
        body: ByteStream,
    ) -> Result<Response> {
        self.stream(Upload::new(Method::POST, url, headers, body))
            .await
    }

    /// POSTs `content`, watched like an upload: it may take as long as it likes, as long as something moves. Tried once.
    ///
    /// # Errors
    /// What the server or the network says.
    pub async fn post_bytes(
        &self,
        url: Url,
        headers: HeaderMap,
        content: Bytes,
    ) -> Result<Response> {
        let length = content.len();
        let pieces = (0..length)
            .step_by(PIECE)
            .map(move |at| Ok(content.slice(at..length.min(at + PIECE))));
        let body = futures_util::stream::iter(pieces).boxed();
        self.stream(Upload::new(Method::POST, url, headers, body).of_length(length as u64))
            .await
    }

    async fn stream(&self, upload: Upload) -> Result<Response> {
        let stall = StallTimeout::new();
        self.try_stream(upload, &stall).await.map_err(|error| {
            let may_be_done = error.is_unanswered() && stall.is_finished();
            error.unanswered_if(may_be_done).without(self.redactor())
        })
    }

    async fn try_stream(
        &self,
        Upload {
            method,
            url,
            headers,
            body,
            length,
            permitted,
        }: Upload,
        stall: &StallTimeout,
    ) -> Result<Response> {
        let url = self.0.redirects.follow(url)?;
        let name = format!("{method} {}", show(&url));
        let body_error = BodyError::default();
        let outgoing = body_error.note(stall.outgoing(body, length.unwrap_or(u64::MAX)));
        let mut builder = self.prepare(method.clone(), &url, headers).await?;
        if !permitted {
            builder = builder.headers(self.credentials_for(&url)?);
        }
        if let Some(length) = length {
            builder = builder.header(CONTENT_LENGTH, length);
        }
        builder = builder.body(reqwest::Body::wrap_stream(outgoing));
        self.0.rate_limit.wait(&host(&url)).await;
        let sent = async {
            builder
                .send()
                .await
                .map_err(|error| self.unsent(error, &url, &name))
        };
        let patience = patience(&self.0.options);
        let answered = stall.over(sent, self.0.options.stall, patience).await;
        let answer =
            answered.map_err(|error| body_error.take().unwrap_or(error.of_request(&name)))?;
        let next = self.redirect_of(&method, &url, &answer);
        match next.map_err(|error| error.of_request(&name))? {
            Some(next) => Err(self
                .redirected(&url, &next, answer.status())
                .of_request(name)),
            None => {
                let is_hub = !permitted && self.is_hub(&url);
                let answered = self.response_of(answer, &url, name, is_hub).await;
                match method {
                    Method::PUT => answered.map_err(not_taken),
                    _ => answered,
                }
            }
        }
    }

    /// The error of a redirect that a streamed body can't follow. The next try goes to the new address at once.
    fn redirected(&self, from: &Url, to: &Url, status: StatusCode) -> Error {
        self.0.redirects.keep(from, to);
        let message = format!(
            "the server wants this sent to {}, where the next try goes",
            show(to)
        );
        Error::new(Kind::Transient, message).with_status(status.as_u16())
    }
}

/// Keeps the error of a body: the HTTP library only says that the body failed.
#[derive(Default)]
struct BodyError(Arc<Mutex<Option<Error>>>);

impl BodyError {
    fn note(
        &self,
        body: impl Stream<Item = Result<Bytes>> + Send + 'static,
    ) -> impl Stream<Item = std::io::Result<Bytes>> + Send + 'static {
        let slot = self.0.clone();
        body.map_err(move |error| {
            // Whether the source has answered says nothing of this request.
            let error = error.unanswered_if(false);
            *slot.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
            std::io::Error::other("the body failed")
        })
    }

    fn take(&self) -> Option<Error> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::http::retry::RetryPolicy;

    #[test]
    fn silence_after_the_last_byte_is_waited_for_no_longer_than_any_server_may_ask_and_no_shorter_than_a_stall()
     {
        for (stall, longest_wait, expected) in [
            (60, 1800, 900),
            (60, 300, 300),
            (60, 2, 60),
            (1, 2, 2),
            (1200, 1800, 1200),
        ] {
            let options = HttpOptions {
                stall: Duration::from_secs(stall),
                retry: RetryPolicy {
                    longest_wait: Duration::from_secs(longest_wait),
                    ..RetryPolicy::default()
                },
                ..HttpOptions::default()
            };
            let waited = patience(&options).as_secs();
            assert_eq!(waited, expected, "{stall} {longest_wait}");
        }
    }
}
