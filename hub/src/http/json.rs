//! Requests whose response is JSON.

use reqwest::Url;
use reqwest::header::HeaderMap;
use serde::de::DeserializeOwned;

use super::client::Http;
use super::request::Request;
use crate::Result;

/// A response whose body is JSON.
pub(crate) struct JsonResponse<T> {
    /// The address that answered, after redirects.
    pub(crate) url: Url,
    pub(crate) headers: HeaderMap,
    pub(crate) value: T,
}

impl Http {
    /// Asks for JSON of at most `cap` bytes. An answer whose body breaks is asked for again.
    ///
    /// # Errors
    /// What [`Http::send`] and [`crate::http::Response::json_within`] fail with.
    pub(crate) async fn ask<T: DeserializeOwned>(
        &self,
        cap: u64,
        request: impl Fn() -> Request,
    ) -> Result<JsonResponse<T>> {
        let attempt = || async {
            let response = self.send(request()).await?;
            let (url, headers) = (response.url().clone(), response.headers().clone());
            Ok(JsonResponse {
                url,
                headers,
                value: response.json_within(cap).await?,
            })
        };
        self.options().retrying(attempt).await
    }
}
