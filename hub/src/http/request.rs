//! One request and its answer, as the hubs' modules write and read them.

use std::borrow::Cow;
use std::ops::Range;
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt;
use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, RANGE};
use reqwest::{Method, StatusCode, Url};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::body::ByteStream;
use super::encoding::Encoding;
use super::origin::show;
use super::text::text;
use crate::error::{Error, Kind, Result};

/// The longest JSON answer that is read: a page of 1,000 entries has about 1 MiB.
const LONGEST_JSON: u64 = 256 << 20;

/// What a request carries.
#[derive(Clone)]
pub enum Body {
    /// Nothing.
    Empty,
    /// These bytes; may be sent again.
    Bytes(Bytes),
}

/// A request, retried and redirected as its parts allow.
#[derive(Clone)]
pub struct Request {
    pub(crate) method: Method,
    pub(crate) url: Url,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Body,
    pub(crate) retried: bool,
    pub(crate) signed: bool,
    pub(crate) of_file: bool,
    pub(crate) patience: Option<Duration>,
}

impl Request {
    /// A GET.
    pub fn get(url: Url) -> Self {
        Self::new(Method::GET, url)
    }

    /// A POST. Retried like a GET: every POST of the hubs here either asks or is safe to repeat, and
    /// those that are not say [`Request::once`].
    pub fn post(url: Url) -> Self {
        Self::new(Method::POST, url)
    }

    /// A DELETE.
    pub fn delete(url: Url) -> Self {
        Self::new(Method::DELETE, url)
    }

    /// A PUT.
    pub fn put(url: Url) -> Self {
        Self::new(Method::PUT, url)
    }

    pub(super) fn new(method: Method, url: Url) -> Self {
        Self {
            method,
            url,
            headers: HeaderMap::new(),
            body: Body::Empty,
            retried: true,
            signed: false,
            of_file: false,
            patience: None,
        }
    }

    /// With this header.
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.insert(name, value);
        self
    }

    /// With these headers. They go to the address asked, not to another origin it redirects to.
    pub fn headers(mut self, headers: HeaderMap) -> Self {
        self.headers.extend(headers);
        self
    }

    /// With this body, of this media type.
    pub fn body(self, media_type: &'static str, bytes: impl Into<Bytes>) -> Self {
        let mut request = self.header(CONTENT_TYPE, HeaderValue::from_static(media_type));
        request.body = Body::Bytes(bytes.into());
        request
    }

    /// With `value` as JSON.
    ///
    /// # Errors
    /// [`Kind::Invalid`] when it can't be written as JSON.
    pub fn json(self, value: &impl Serialize) -> Result<Self> {
        let bytes = serde_json::to_vec(value)
            .map_err(|error| Error::new(Kind::Invalid, error.to_string()))?;
        Ok(self.body("application/json", bytes))
    }

    /// Asking for this media type.
    pub fn accept(self, media_type: &'static str) -> Self {
        self.header(ACCEPT, HeaderValue::from_static(media_type))
    }

    /// Asking for these bytes only.
    pub fn range(self, range: &Range<u64>) -> Self {
        let value = HeaderValue::try_from(format!(
            "bytes={}-{}",
            range.start,
            range.end.saturating_sub(1)
        ));
        match value {
            Ok(value) => self.header(RANGE, value),
            Err(_) => self,
        }
    }

    /// Tried once: the caller knows how to find out what happened.
    pub fn once(mut self) -> Self {
        self.retried = false;
        self
    }

    /// To an address that carries its own permission: no credentials go with it, even to the hub's own
    /// origin, and what it answers says nothing about them.
    pub fn signed(mut self) -> Self {
        self.signed = true;
        self
    }

    /// For a file's bytes: a redirect that leaves the origin leads to storage, even below the hub's own domain. What
    /// permits the request there is in the address, so no credentials go along, and what it refuses is the address.
    pub fn of_file(mut self) -> Self {
        self.of_file = true;
        self
    }

    /// Waiting this long for the answer's first byte (else as long as a stall may last).
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = Some(patience);
        self
    }

    pub(crate) fn name(&self) -> String {
        format!("{} {}", self.method, show(&self.url))
    }
}

/// A successful answer, its body still to come.
pub struct Response {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) url: Url,
    pub(crate) request: String,
    pub(crate) encoding: Encoding,
    pub(crate) body: ByteStream,
}

impl Response {
    /// Its status.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// A header's text.
    pub fn header(&self, name: &str) -> Option<Cow<'_, str>> {
        self.headers.get(name).map(text)
    }

    /// Every header.
    pub fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// The address that answered, after redirects.
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// The length the server declared, of the body as it is sent.
    pub fn length(&self) -> Option<u64> {
        self.header("content-length")?.parse().ok()
    }

    /// The content as it arrives, watched for stalls. Its end is not checked against any size.
    pub fn into_stream(self) -> ByteStream {
        self.encoding.unpacked(self.body)
    }

    /// The whole content, at most `cap` bytes.
    ///
    /// # Errors
    /// [`Kind::Refused`] when it is longer; what the stream fails with.
    pub async fn bytes(self, cap: u64) -> Result<Bytes> {
        let mut all = Vec::new();
        let request = self.request.clone();
        let mut body = self.into_stream();
        while let Some(piece) = body.next().await {
            let piece = piece.map_err(|error| error.of_request(&request))?;
            if (all.len() + piece.len()) as u64 > cap {
                let message = format!("the answer is longer than {cap} bytes");
                return Err(Error::new(Kind::Refused, message).of_request(request));
            }
            all.extend_from_slice(&piece);
        }
        Ok(all.into())
    }

    /// The body read as JSON.
    ///
    /// # Errors
    /// [`Kind::Refused`] when it is no such JSON (a proxy's HTML page).
    pub async fn json<T: DeserializeOwned>(self) -> Result<T> {
        self.json_within(LONGEST_JSON).await
    }

    /// The body read as JSON of at most `cap` bytes.
    ///
    /// # Errors
    /// [`Kind::Refused`] when it is longer, or no such JSON.
    pub async fn json_within<T: DeserializeOwned>(self, cap: u64) -> Result<T> {
        let request = self.request.clone();
        let bytes = self.bytes(cap).await?;
        serde_json::from_slice(&bytes).map_err(|error| {
            let what = if bytes.trim_ascii_start().starts_with(b"<") {
                "HTML"
            } else {
                "something else"
            };
            Error::new(
                Kind::Refused,
                format!("the hub answered {what} where JSON was expected: {error}"),
            )
            .of_request(request)
        })
    }
}
