//! A successful response, its body still to come.

use std::borrow::Cow;

use bytes::Bytes;
use futures_util::StreamExt;
use reqwest::header::HeaderMap;
use reqwest::{StatusCode, Url};
use serde::de::DeserializeOwned;

use super::body::{self, ByteStream};
use super::encoding::Encoding;
use super::header_text::text;
use crate::error::{Error, Kind, Result};

/// The longest JSON answer that is read: a page of 1,000 entries has about 1 MiB.
const LONGEST_JSON: u64 = 256 << 20;

/// A successful response, its body still to come.
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
    /// As [`Response::json_within`].
    pub async fn json<T: DeserializeOwned>(self) -> Result<T> {
        self.json_within(LONGEST_JSON).await
    }

    /// The body read as JSON of at most `cap` bytes.
    ///
    /// # Errors
    /// [`Kind::Refused`] when it is longer, a page of HTML, or JSON of another form. [`Kind::Transient`] when it is no JSON: a body that was
    /// cut. The server may have done what it was asked: the error says so.
    pub async fn json_within<T: DeserializeOwned>(self, cap: u64) -> Result<T> {
        let request = self.request.clone();
        let bytes = self.bytes(cap).await?;
        serde_json::from_slice(&bytes).map_err(|error| {
            // A page may come from a site that has no such route; what was cut comes from the right one.
            let (what, kind) = match bytes.trim_ascii_start().starts_with(b"<") {
                true => ("HTML", Kind::Refused),
                false if error.is_data() => ("something else", Kind::Refused),
                false => ("something else", Kind::Transient),
            };
            Error::new(
                kind,
                format!("the hub answered {what} where JSON was expected: {error}"),
            )
            .unanswered_if(true)
            .of_request(request)
        })
    }

    /// The content as a stream of exactly `length` bytes; see [`body::exactly`]. A body that has that length as it is sent, or is a part, is
    /// not unpacked, whatever the server says of its encoding: storage keeps such a word beside a file that was packed before it came.
    ///
    /// # Errors
    /// [`Kind::Corrupt`] when the server declares more, [`Kind::Transient`] when it declares less.
    pub fn exactly(self, length: u64) -> Result<ByteStream> {
        let request = self.request.clone();
        let is_as_stored =
            self.status == StatusCode::PARTIAL_CONTENT || self.length() == Some(length);
        if self.encoding != Encoding::Stored && !is_as_stored {
            return Ok(body::exactly(self.into_stream(), length));
        }
        match self.length() {
            Some(declared) if declared > length => Err(body::longer(length).of_request(request)),
            Some(declared) if declared < length => {
                Err(body::shorter(declared, length).of_request(request))
            }
            _ => Ok(body::exactly(self.body, length)),
        }
    }
}
