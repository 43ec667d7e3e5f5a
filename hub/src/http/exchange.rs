//! One exchange: redirects followed by hand, the share of the hub's quota, the host's rate limit, and the stall timeout. Credentials
//! go to the hub's own origin only. A response that means an error becomes one.

use std::sync::atomic::Ordering;

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt};
use reqwest::header::{
    ACCEPT, ACCEPT_ENCODING, HeaderMap, HeaderName, HeaderValue, RANGE, USER_AGENT,
};
use reqwest::{Method, StatusCode, Url};

use super::body::ByteStream;
use super::client::Http;
use super::encoding::Encoding;
use super::error_response::{ErrorDecoder, ErrorResponse};
use super::network_error::{is_refused_login, network_error};
use super::origin::{Origin, is_signed};
use super::quota_share::UnderWay;
use super::rate_limit::host;
use super::request::{Request, RequestBody};
use super::response::Response;
use super::storage_error::{PlainErrorDecoder, expired_address};
use super::{redirect, resolve, stall};
use crate::error::{Error, Kind, Result};

const LONGEST_ERROR_BODY: usize = 64 << 10;

impl Http {
    /// One try of a request, its redirects included.
    pub(super) async fn attempt(&self, request: &Request) -> Result<Response> {
        self.follow(request)
            .await
            .map_err(|error| error.without(self.redactor()))
    }

    async fn follow(&self, request: &Request) -> Result<Response> {
        let name = request.name();
        let mut url = request.url.clone();
        let mut under_way = self.begin(request).await;
        for _ in 0..=redirect::MOST_HOPS {
            let in_storage = request.of_file && !is_at_home(request, &url)?;
            let apart = request.signed || in_storage || is_signed(&url);
            let answer = self.exchange(request, &url, &name, apart).await?;
            // The hub counts what it was asked, and not where that led.
            if let Some(under_way) = under_way.take() {
                under_way.answered(answer.headers());
            }
            let next = self.redirect_of(&request.method, &url, &answer);
            match next.map_err(|error| error.of_request(&name))? {
                Some(next) => url = next,
                None => {
                    let judged = self
                        .response_of(answer, &url, name, !apart && self.is_hub(&url))
                        .await;
                    return if in_storage || is_signed(&url) {
                        judged.map_err(expired_address)
                    } else {
                        judged
                    };
                }
            }
        }
        Err(Error::new(
            Kind::Refused,
            format!("more than {} redirects", redirect::MOST_HOPS),
        )
        .of_request(name))
    }

    /// Waits until this worker's share of the hub's quota lets a request through. Where the quota is used up, all requests wait for
    /// the next window, as after a refusal.
    async fn begin(&self, request: &Request) -> Option<UnderWay<'_>> {
        if request.signed || !self.is_hub(&request.url) {
            return None;
        }
        let share = self.0.quotas.of(request);
        let under_way = share.begin().await;
        if let Some(wait) = share.used_up_for() {
            self.0.rate_limit.limit(&host(&request.url), wait);
        }
        Some(under_way)
    }

    /// The address that a response redirects to: the endpoint, where the response names the hub's public address.
    pub(super) fn redirect_of(
        &self,
        method: &Method,
        from: &Url,
        answer: &reqwest::Response,
    ) -> Result<Option<Url>> {
        redirect::target(
            method,
            from,
            answer.status(),
            &self.0.endpoint.own_location(from, answer.headers()),
        )
    }

    /// One hop, after the host's rate limit. Credentials go to the hub's origin, and none to an address that is `apart`.
    pub(super) async fn exchange(
        &self,
        request: &Request,
        url: &Url,
        name: &str,
        apart: bool,
    ) -> Result<reqwest::Response> {
        let headers = headers_for(request, url)?;
        let mut builder = self.prepare(request.method.clone(), url, headers).await?;
        if !apart {
            builder = builder.headers(self.credentials_for(url)?);
        }
        if let RequestBody::Bytes(bytes) = &request.body {
            builder = builder.body(bytes.clone());
        }
        self.heed_wait(request, url, name).await?;
        let patience = request.patience.unwrap_or(self.0.options.stall);
        let sent = tokio::time::timeout(patience, builder.send()).await;
        let stalled = || stall::stalled(patience).unanswered_if(true);
        let answer = sent
            .map_err(|_| stalled().of_request(name))?
            .map_err(|error| self.unsent(error, url, name))?;
        self.0.reached.store(true, Ordering::Relaxed);
        Ok(answer)
    }

    /// Waits as long as the host asks, if the request may.
    async fn heed_wait(&self, request: &Request, url: &Url, name: &str) -> Result<()> {
        let host = host(url);
        match self.0.rate_limit.left(&host).filter(|_| !request.waits) {
            Some(wait) => {
                let message = format!(
                    "{host} asks to wait {} s, and nothing was sent",
                    wait.as_secs_f64().ceil()
                );
                let error = Error::new(Kind::RateLimited, message).of_request(name);
                Err(error.with_retry_after(Some(wait)))
            }
            None => {
                self.0.rate_limit.wait(&host).await;
                Ok(())
            }
        }
    }

    pub(super) fn unsent(&self, error: reqwest::Error, url: &Url, name: &str) -> Error {
        match is_refused_login(&error) {
            true => {
                let refused = self.0.proxies.login_refused(url.scheme());
                refused.of_request(name).unconnected_if(true)
            }
            false => network_error(error, name, &self.0.proxies.hint(url.scheme())),
        }
    }

    /// A request with its own headers, if it may be sent there at all.
    pub(super) async fn prepare(
        &self,
        method: Method,
        url: &Url,
        headers: HeaderMap,
    ) -> Result<reqwest::RequestBuilder> {
        let origin = Origin::of(url)?;
        if origin.ip().is_some_and(resolve::is_private)
            && !self.origin().is_plainly_private()
            && origin != *self.origin()
        {
            return Err(Error::new(
                Kind::Refused,
                format!("the hub points at the private address {origin}"),
            ));
        }
        // Its name may resolve to a private address, for the sake of the user's own requests alone.
        if self.0.proxies.is_at(origin.host())
            && !self.origin().is_plainly_private()
            && origin.host() != self.origin().host()
        {
            return Err(Error::new(
                Kind::Refused,
                format!("the hub points at the proxy {origin}"),
            ));
        }
        if origin.ip().is_none() && self.0.proxies.may_carry(url) {
            let admitted = self.0.resolver.admit(origin.host()).await;
            admitted.map_err(|error| Error::new(error.kind(), error.to_string()))?;
        }
        if !self.is_hub(url) {
            self.0.credentials.stay_out_of(url, &headers)?;
        }
        let builder = self.0.client.request(method, url.clone()).headers(headers);
        Ok(builder.header(ACCEPT_ENCODING, HeaderValue::from_static("identity")))
    }

    /// The credentials where they belong, none elsewhere.
    pub(super) fn credentials_for(&self, url: &Url) -> Result<HeaderMap> {
        if !self.is_hub(url) {
            return Ok(HeaderMap::new());
        }
        if self.is_revoked() {
            return Err(Error::new(
                Kind::Unauthorized,
                "the hub has refused the token; nothing more was sent with it",
            ));
        }
        Ok(self.0.credentials.headers().clone())
    }

    pub(super) fn is_hub(&self, url: &Url) -> bool {
        Origin::of(url).is_ok_and(|origin| self.origin().trusts(&origin))
    }

    /// The response, or the error that it means; `ours` where the hub itself answers, rather than storage.
    pub(super) async fn response_of(
        &self,
        answer: reqwest::Response,
        url: &Url,
        request: String,
        ours: bool,
    ) -> Result<Response> {
        let (status, headers) = (answer.status(), answer.headers().clone());
        let body = answer.bytes_stream().map_err({
            let request = request.clone();
            move |error| network_error(error, &request, "")
        });
        let body = stall::incoming(body, self.0.options.stall);
        let encoding = Encoding::of(&headers);
        // Where nothing is encrypted the proxy answers in the place of the server.
        if status == StatusCode::PROXY_AUTHENTICATION_REQUIRED {
            return Err(self
                .0
                .proxies
                .login_refused(url.scheme())
                .of_request(request));
        }
        if status.is_success() {
            return Ok(Response {
                status,
                headers,
                url: url.clone(),
                request,
                encoding,
                body,
            });
        }
        let answer = ErrorResponse {
            status,
            headers: &headers,
            body: first_bytes(encoding.unpacked(body)).await,
        };
        Err(self.error_of(answer, url, ours).of_request(request))
    }

    fn error_of(&self, answer: ErrorResponse<'_>, url: &Url, ours: bool) -> Error {
        let decoder: &dyn ErrorDecoder = if ours {
            &*self.0.decoder
        } else {
            &PlainErrorDecoder
        };
        let is_gateways = answer.status == StatusCode::GATEWAY_TIMEOUT;
        let is_of_host = answer.is_of_host();
        let error = answer
            .into_error(decoder, self.0.options.clock.date(), self.redactor())
            .unanswered_if(is_gateways);
        let error = self.0.options.retry.bounded(error);
        if ours && error.kind() == Kind::Unauthorized && !self.0.credentials.headers().is_empty() {
            self.0.revoked.store(true, Ordering::Relaxed);
        }
        if let (Kind::RateLimited, Some(wait)) = (error.kind(), error.retry_after())
            && is_of_host
        {
            self.0.rate_limit.limit(&host(url), wait);
        }
        error
    }
}

/// Whether an address is at the origin that was asked, or at its upgrade to https.
fn is_at_home(request: &Request, url: &Url) -> Result<bool> {
    let (asked, now) = (Origin::of(&request.url)?, Origin::of(url)?);
    Ok(asked == now || asked.is_upgraded_by(&now))
}

/// A request's own headers; on an origin that the one asked does not trust (a redirect), or in storage, only those that hold no secret.
fn headers_for(request: &Request, url: &Url) -> Result<HeaderMap> {
    let mut headers = request.headers.clone();
    let is_trusted = !request.of_file && Origin::of(&request.url)?.trusts(&Origin::of(url)?);
    if !is_trusted && !is_at_home(request, url)? {
        let told = std::mem::take(&mut headers);
        let harmless = |name: &HeaderName| [RANGE, ACCEPT, USER_AGENT].contains(name);
        headers.extend(
            told.into_iter()
                .filter(|(name, _)| name.as_ref().is_some_and(harmless)),
        );
    }
    Ok(headers)
}

async fn first_bytes(mut body: ByteStream) -> Bytes {
    let mut first = Vec::new();
    while let Some(Ok(piece)) = body.next().await {
        let room = LONGEST_ERROR_BODY - first.len();
        first.extend_from_slice(&piece[..piece.len().min(room)]);
        if first.len() == LONGEST_ERROR_BODY {
            break;
        }
    }
    first.into()
}
