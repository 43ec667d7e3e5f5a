//! The client: what it is made of, and the retries of a request. One exchange is in [`super::exchange`], a body that is streamed
//! out in [`super::upload`].

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use reqwest::Url;

use super::credentials::Credentials;
use super::endpoint::Endpoint;
use super::error_response::ErrorDecoder;
use super::options::HttpOptions;
use super::origin::Origin;
use super::proxy::Proxies;
use super::quota_share::QuotaShares;
use super::rate_limit::RateLimit;
use super::redirect::RedirectCache;
use super::request::Request;
use super::resolve::{Resolver, system_lookup};
use super::response::Response;
use super::storage_error::PlainErrorDecoder;
use super::{tls, user_agent};
use crate::error::{Error, Kind, Result};
use crate::platform::unacknowledged_for;
use crate::redact::Redactor;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);

/// A client for one hub and whatever that hub points at. Cheap to clone.
#[derive(Clone)]
pub struct Http(pub(super) Arc<Inner>);

pub(super) struct Inner {
    pub(super) client: reqwest::Client,
    pub(super) endpoint: Endpoint,
    pub(super) proxies: Proxies,
    pub(super) resolver: Arc<Resolver>,
    pub(super) credentials: Credentials,
    /// The hub has refused these credentials: they are not sent again.
    pub(super) revoked: AtomicBool,
    /// Something has answered: the address is right, and what fails from now on may pass.
    pub(super) reached: AtomicBool,
    pub(super) decoder: Box<dyn ErrorDecoder>,
    pub(super) rate_limit: RateLimit,
    pub(super) quotas: QuotaShares,
    pub(super) redirects: RedirectCache,
    pub(super) options: HttpOptions,
}

impl Http {
    /// A client for the hub at `endpoint`, whose `credentials` go to that origin only.
    ///
    /// # Errors
    /// [`Kind::Refused`] for an endpoint that is no http(s) address; [`Kind::Usage`] for a proxy variable that names no proxy;
    /// [`Kind::Unreachable`] when TLS can't be set up.
    pub fn new(
        endpoint: &Url,
        credentials: Credentials,
        decoder: impl ErrorDecoder + 'static,
        options: HttpOptions,
    ) -> Result<Self> {
        Self::through(
            Proxies::from_env()?,
            endpoint,
            credentials,
            decoder,
            options,
        )
    }

    /// The same, by these proxies.
    pub(super) fn through(
        proxies: Proxies,
        endpoint: &Url,
        credentials: Credentials,
        decoder: impl ErrorDecoder + 'static,
        options: HttpOptions,
    ) -> Result<Self> {
        let endpoint = Endpoint::new(endpoint, decoder.public_origins())?;
        let hub = endpoint.origin();
        let resolver = Arc::new(Resolver::new(
            hub.host(),
            hub.is_plainly_private(),
            proxies.clone(),
            options.storage,
            system_lookup(),
        ));
        let client = proxies
            .apply(unacknowledged_for(
                options.stall,
                reqwest::Client::builder(),
            ))?
            .user_agent(user_agent::API)
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .referer(false)
            .connect_timeout(CONNECT_TIMEOUT)
            .dns_resolver(resolver.clone())
            .tls_backend_preconfigured(tls::config()?)
            .build()
            .map_err(|error| {
                Error::new(
                    Kind::Unreachable,
                    format!("the HTTP client can't be set up: {error}"),
                )
            })?;
        let rate_limit = RateLimit::new(&options);
        let quotas = QuotaShares::new(&options.clock, options.retry.workers);
        let inner = Inner {
            client,
            endpoint,
            proxies,
            resolver,
            credentials,
            revoked: AtomicBool::new(false),
            reached: AtomicBool::new(false),
            decoder: Box::new(decoder),
            rate_limit,
            quotas,
            redirects: RedirectCache::default(),
            options,
        };
        Ok(Self(Arc::new(inner)))
    }

    /// The client's settings.
    pub fn options(&self) -> &HttpOptions {
        &self.0.options
    }

    /// The hub's own origin.
    pub fn origin(&self) -> &Origin {
        self.0.endpoint.origin()
    }

    /// An address that the hub named, as it is asked: see [`Endpoint::own`].
    pub(crate) fn own(&self, url: Url) -> Url {
        self.0.endpoint.own(url)
    }

    /// Takes this hub's token out of what is said.
    pub fn redactor(&self) -> &Redactor {
        self.0.credentials.redactor()
    }

    /// Whether the hub has refused this client's credentials.
    pub fn is_revoked(&self) -> bool {
        self.0.revoked.load(Ordering::Relaxed)
    }

    /// Sends a request and returns the response, whose status is a success.
    ///
    /// # Errors
    /// Every kind; see [`Kind`].
    pub async fn send(&self, request: Request) -> Result<Response> {
        if !request.retried {
            return self.attempt(&request).await;
        }
        let options = &self.0.options;
        let is_new = !self.0.reached.load(Ordering::Relaxed);
        let attempts = options
            .attempts()
            .connected_within(options.unreached.filter(|_| is_new));
        attempts.run(|| self.attempt(&request)).await
    }
}

/// GETs one document (a chunk, say) from a place that is no hub: no credentials, 64 MiB at most.
///
/// # Errors
/// What [`Http::new`] and [`Http::send`] fail with.
pub async fn fetch_once(address: &str) -> Result<Bytes> {
    let url: Url = address
        .parse()
        .map_err(|_| Error::new(Kind::Invalid, "it is no address"))?;
    let http = Http::new(
        &url,
        Credentials::default(),
        PlainErrorDecoder,
        HttpOptions::default(),
    )?;
    http.send(Request::get(url)).await?.bytes(64 << 20).await
}

/// Sends one request to a server. Any response counts, whatever its status.
///
/// # Errors
/// Why nothing answered.
pub async fn reach(address: &str, options: HttpOptions) -> Result<()> {
    let url: Url = address
        .parse()
        .map_err(|_| Error::new(Kind::Invalid, "it is no address"))?;
    let http = Http::new(&url, Credentials::default(), PlainErrorDecoder, options)?;
    match http.send(Request::get(url).once()).await {
        Err(error) if error.status().is_none() => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Token;
    use crate::clock::tests::ManualClock;
    use crate::http::testing::{Reply, Server, quick};
    use futures_util::StreamExt;
    use reqwest::header::{AUTHORIZATION, HeaderMap};

    const TOKEN: &str = "hf_canary";

    fn client(hub: &str) -> Http {
        let token = Token::parse(TOKEN).unwrap();
        let credentials = Credentials::of(Some(&token), |token| {
            [(AUTHORIZATION, token.header("Bearer "))]
        });
        Http::new(
            &hub.parse().unwrap(),
            credentials,
            PlainErrorDecoder,
            quick(&ManualClock::new()),
        )
        .unwrap()
    }

    async fn get(http: &Http, url: &str) -> Error {
        http.send(Request::get(url.parse().unwrap()))
            .await
            .err()
            .unwrap()
    }

    async fn put(http: &Http, url: &str) -> Error {
        let body = futures_util::stream::iter([Ok(Bytes::from_static(b"secret"))]).boxed();
        http.upload(url.parse().unwrap(), HeaderMap::new(), body, 6)
            .await
            .err()
            .unwrap()
    }

    #[tokio::test]
    async fn a_public_hub_reaches_no_private_address_however_it_is_written() {
        let server = Server::answering(|_| Reply::new(200, &[], "inside")).await;
        let port = server.url().port().unwrap();
        for hub in ["https://huggingface.co", "https://93.184.216.34"] {
            let http = client(hub);
            for host in [
                "127.0.0.1",
                "2130706433",
                "0x7f.1",
                "0177.0.0.1",
                "127.1",
                "0.0.0.0",
                "[::1]",
                "[::]",
                "[::ffff:127.0.0.1]",
                "localhost",
            ] {
                let url = format!("http://{host}:{port}/latest/meta-data");
                for error in [get(&http, &url).await, put(&http, &url).await] {
                    assert_eq!(error.kind(), Kind::Refused, "{hub} {url}: {error}");
                    assert!(error.to_string().contains("private address"), "{error}");
                }
            }
        }
        assert!(server.seen().is_empty(), "{:?}", server.seen());
    }

    #[tokio::test]
    async fn metadata_and_private_networks_are_refused_without_a_connection() {
        let http = client("https://modelscope.cn");
        for host in [
            "169.254.169.254",
            "100.100.100.200",
            "10.0.0.1",
            "172.16.0.1",
            "192.168.0.1",
            "[fd00:ec2::254]",
            "[64:ff9b::a9fe:a9fe]",
        ] {
            assert_eq!(
                get(&http, &format!("http://{host}/latest")).await.kind(),
                Kind::Refused,
                "{host}"
            );
        }
    }

    #[tokio::test]
    async fn a_hub_on_this_machine_may_point_at_this_machine() {
        let storage = Server::scripted([Reply::new(200, &[], "")]).await;
        let http = client("http://127.0.0.1:1");
        http.send(Request::get(storage.url().clone()))
            .await
            .unwrap();
        assert!(storage.seen()[0].header("authorization").is_none());
    }

    #[tokio::test]
    async fn an_address_that_holds_the_token_is_asked_of_nobody_else() {
        let other = Server::answering(|_| Reply::new(200, &[], "")).await;
        let away = format!("{}x?token={TOKEN}", other.url());
        let hub = Server::scripted([Reply::new(302, &[("Location", &away)], "")]).await;
        let http = client(hub.url().as_str());
        for error in [
            get(&http, hub.url().as_str()).await,
            get(&http, &away).await,
            put(&http, &away).await,
        ] {
            assert_eq!(error.kind(), Kind::Refused);
            assert!(
                error.message().contains("wants its token sent")
                    && !error.to_string().contains(TOKEN),
                "{error}"
            );
        }
        assert!(other.seen().is_empty());
    }

    #[tokio::test]
    async fn what_the_server_echoes_is_said_without_the_token() {
        let echo = |_: &_| Reply::new(400, &[], format!("{}Bearer {TOKEN}", "x".repeat(288)));
        let hub = Server::answering(echo).await;
        let error = get(
            &client(hub.url().as_str()),
            hub.url().join(TOKEN).unwrap().as_str(),
        )
        .await
        .to_string();
        assert!(
            error.contains("Bearer ***") && !error.contains("hf_c"),
            "{error}"
        );
    }
}
