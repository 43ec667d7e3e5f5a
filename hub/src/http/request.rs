//! One request, as the hubs' modules write it: what it carries, whether it is tried again, and who may see its headers.

use std::ops::Range;
use std::time::Duration;

use bytes::Bytes;
use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, RANGE};
use reqwest::{Method, Url};
use serde::Serialize;

use super::origin::show;
use crate::error::{Error, Kind, Result};

/// What a request carries.
#[derive(Clone)]
pub enum RequestBody {
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
    pub(crate) body: RequestBody,
    pub(crate) retried: bool,
    pub(crate) waits: bool,
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
            body: RequestBody::Empty,
            retried: true,
            waits: true,
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
        request.body = RequestBody::Bytes(bytes.into());
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

    /// Sent now or not at all: while the host asks to wait it fails with [`Kind::RateLimited`], and nothing is sent.
    pub fn without_waiting(mut self) -> Self {
        self.waits = false;
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
