//! Asking for JSON.

use reqwest::Url;
use reqwest::header::HeaderMap;
use serde::de::DeserializeOwned;

use super::client::Http;
use super::request::Request;
use super::retry::retrying;
use crate::Result;

/// JSON that was answered, from where, and under which headers.
pub(crate) struct Told<T> {
    pub(crate) url: Url,
    pub(crate) headers: HeaderMap,
    pub(crate) value: T,
}

impl Http {
    /// Asks for JSON of at most `cap` bytes. An answer whose body breaks is asked for again.
    ///
    /// # Errors
    /// What [`Http::send`] fails with; [`crate::Kind::Refused`] for an answer that is longer, or no such JSON.
    pub(crate) async fn ask<T: DeserializeOwned>(
        &self,
        cap: u64,
        request: impl Fn() -> Request,
    ) -> Result<Told<T>> {
        let options = self.options();
        retrying(
            &options.retry,
            &options.clock,
            &options.on_retry,
            || async {
                let response = self.send(request()).await?;
                let (url, headers) = (response.url().clone(), response.headers().clone());
                Ok(Told {
                    url,
                    headers,
                    value: response.json_within(cap).await?,
                })
            },
        )
        .await
    }
}
