//! One request, taken apart once.

use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, header};
use base64::prelude::{BASE64_STANDARD, Engine as _};
use percent_encoding::percent_decode_str;
use serde::de::DeserializeOwned;

/// The origins the sandbox listens as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// huggingface.co.
    Hf,
    /// The object storage behind it.
    HfStorage,
    /// modelscope.cn.
    Ms,
    /// The object storage behind it.
    MsStorage,
    /// What tests steer the sandbox with.
    Admin,
    /// The Xet storage behind Hugging Face.
    HfCas,
}

impl Origin {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Hf,
        Self::HfStorage,
        Self::Ms,
        Self::MsStorage,
        Self::Admin,
        Self::HfCas,
    ];

    /// The name used in routes and in the ready line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Hf => "hf",
            Self::HfStorage => "hf_storage",
            Self::Ms => "ms",
            Self::MsStorage => "ms_storage",
            Self::Admin => "admin",
            Self::HfCas => "hf_cas",
        }
    }
}

/// A request.
pub struct Call {
    /// Who was asked.
    pub origin: Origin,
    /// What for.
    pub method: Method,
    /// The path as sent.
    pub path: String,
    /// The path's segments, each percent-decoded.
    pub segments: Vec<String>,
    /// The query's pairs, decoded.
    pub query: Vec<(String, String)>,
    /// The path with the query, as sent.
    pub target: String,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Body,
    /// How long URLs handed out in the answer are good for.
    pub ttl: Duration,
}

impl Call {
    /// Takes a request apart.
    pub fn new(origin: Origin, parts: Parts, body: Body, ttl: Duration) -> Self {
        let path = parts.uri.path().to_owned();
        let segments = path
            .trim_start_matches('/')
            .split('/')
            .map(decode)
            .collect();
        let query = parts.uri.query().map(pairs).unwrap_or_default();
        let target = parts
            .uri
            .path_and_query()
            .map_or_else(|| path.clone(), |target| target.as_str().to_owned());
        Self {
            origin,
            method: parts.method,
            path,
            segments,
            query,
            target,
            headers: parts.headers,
            body,
            ttl,
        }
    }

    /// The first value of a query parameter.
    pub fn param(&self, name: &str) -> Option<&str> {
        self.query
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }

    /// Whether a query parameter says yes.
    pub fn flag(&self, name: &str) -> bool {
        self.param(name)
            .is_some_and(|value| value.eq_ignore_ascii_case("true") || value == "1")
    }

    /// A query parameter that is a number.
    pub fn number(&self, name: &str) -> Option<usize> {
        self.param(name)?.parse().ok()
    }

    /// A header's text.
    pub fn header(&self, name: impl header::AsHeaderName) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The token in the Authorization header.
    pub fn bearer(&self) -> Option<&str> {
        self.header(header::AUTHORIZATION)?
            .strip_prefix("Bearer ")
            .map(str::trim)
    }

    /// The password in the Authorization header.
    pub fn password(&self) -> Option<String> {
        let encoded = self.header(header::AUTHORIZATION)?.strip_prefix("Basic ")?;
        let pair = String::from_utf8(BASE64_STANDARD.decode(encoded.trim()).ok()?).ok()?;
        pair.split_once(':')
            .map(|(_, password)| password.to_owned())
    }

    /// The value of a cookie.
    pub fn cookie(&self, name: &str) -> Option<&str> {
        let cookies = self.headers.get_all(header::COOKIE).into_iter();
        cookies
            .filter_map(|value| value.to_str().ok())
            .flat_map(|text| text.split(';'))
            .find_map(|pair| {
                let (key, value) = pair.trim().split_once('=')?;
                (key == name).then_some(value)
            })
    }

    /// The body's bytes, all of them.
    pub async fn bytes(&mut self) -> Result<Bytes, String> {
        let body = std::mem::take(&mut self.body);
        axum::body::to_bytes(body, 2 << 30)
            .await
            .map_err(|error| error.to_string())
    }

    /// Reads the body and forgets it.
    pub async fn bytes_dropped(&mut self) {
        let mut body = crate::shape::frames(std::mem::take(&mut self.body));
        while let Some(Ok(_)) = futures_util::StreamExt::next(&mut body).await {}
    }

    /// The body read as JSON.
    pub async fn json<T: DeserializeOwned>(&mut self) -> Result<T, String> {
        serde_json::from_slice(&self.bytes().await?).map_err(|error| error.to_string())
    }
}

fn decode(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

/// The pairs of a query or a form.
pub fn pairs(text: &str) -> Vec<(String, String)> {
    let decode_plus = |text: &str| decode(&text.replace('+', " "));
    text.split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(key, value)| (decode_plus(key), decode_plus(value)))
        .collect()
}
