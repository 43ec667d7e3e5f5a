//! Addresses of the API and of a repo's pages, and questions that are answered with JSON.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::Url;
use serde::de::DeserializeOwned;

use super::HuggingFaceRepo;
use crate::http::{JsonResponse, Request};
use crate::{Error, Kind, RepoAt, RepoKind, Result};

/// Everything but what RFC 3986 calls unreserved.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');

impl HuggingFaceRepo {
    /// `{endpoint}/api/T/{id}{rest}`.
    pub(super) fn api(&self, rest: &str) -> Result<Url> {
        api_url(&self.base, &self.at, rest)
    }

    /// The kind as the API names it.
    pub(super) fn kinds(&self) -> &'static str {
        kinds(self.at.kind)
    }

    /// `{endpoint}/{prefix}{id}{rest}`: outside the API a model has no prefix.
    pub(super) fn page(&self, rest: &str) -> Result<Url> {
        address(&format!("{}/{}{rest}", self.base, page_of(&self.at)))
    }

    /// The revision as one part of an address.
    pub(super) fn revision(&self) -> String {
        escaped(self.at.revision.as_str())
    }

    /// Asks for JSON of at most `cap` bytes. An answer whose body breaks is asked for again.
    pub(super) async fn ask<T: DeserializeOwned>(
        &self,
        cap: u64,
        request: impl Fn() -> Request,
    ) -> Result<JsonResponse<T>> {
        self.http.ask(cap, request).await
    }
}

/// A repo's page, below the endpoint.
pub(super) fn page_of(at: &RepoAt) -> String {
    let prefix = match at.kind {
        RepoKind::Model => "",
        RepoKind::Dataset => "datasets/",
        RepoKind::Space => "spaces/",
    };
    format!("{prefix}{}", at.id)
}

pub(super) fn api_url(base: &str, at: &RepoAt, rest: &str) -> Result<Url> {
    address(&format!("{base}/api/{}/{}{rest}", kinds(at.kind), at.id))
}

pub(super) fn kinds(kind: RepoKind) -> &'static str {
    match kind {
        RepoKind::Model => "models",
        RepoKind::Dataset => "datasets",
        RepoKind::Space => "spaces",
    }
}

pub(super) fn address(text: &str) -> Result<Url> {
    text.parse().map_err(|error| {
        Error::new(
            Kind::Usage,
            format!("the Hugging Face endpoint is no address: {error}"),
        )
    })
}

pub(super) fn escaped(part: &str) -> String {
    utf8_percent_encode(part, ESCAPED).to_string()
}
