//! The client itself: layers in their order, one function each.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt};
use reqwest::header::{
    ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, CONTENT_LENGTH, HeaderMap, HeaderName, HeaderValue,
    RANGE, USER_AGENT,
};
use reqwest::{Method, StatusCode, Url};

use super::address::{Resolver, system_lookup};
use super::agent;
use super::answer::{Answer, Dialect};
use super::body::ByteStream;
use super::clock::{Clock, SystemClock};
use super::credentials::Credentials;
use super::encoding::Encoding;
use super::endpoint::Endpoint;
use super::gate::Gate;
use super::moved::Moved;
use super::network::network_error;
use super::origin::{Origin, is_signed, show};
use super::proxy::Proxies;
use super::redirect;
use super::request::{Body, Request, Response};
use super::retry::{OnRetry, RetryPolicy, retrying};
use super::tls;
use super::watch::{self, Watch};
use crate::error::{Error, Kind, Result};
use crate::redact::Redactor;

const LONGEST_ERROR_BODY: usize = 64 << 10;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);
/// Bytes that a watched POST hands over at a time.
const PIECE: usize = 64 << 10;
/// How long object storage may work on a blob it has taken whole.
const UPLOAD_PATIENCE: Duration = Duration::from_secs(900);

/// Settings of a client.
#[derive(Clone)]
pub struct HttpOptions {
    /// What is tried again, and how.
    pub retry: RetryPolicy,
    /// No byte for this long is a stall.
    pub stall: Duration,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Told of each retry.
    pub on_retry: OnRetry,
}

impl Default for HttpOptions {
    fn default() -> Self {
        Self {
            retry: RetryPolicy::default(),
            stall: Duration::from_secs(60),
            clock: Arc::new(SystemClock),
            on_retry: Arc::new(|_, _| ()),
        }
    }
}

/// A client for one hub and whatever that hub points at. Cheap to clone.
#[derive(Clone)]
pub struct Http(Arc<Inner>);

/// A request whose body is made while it is sent.
struct Streamed {
    method: Method,
    url: Url,
    headers: HeaderMap,
    body: ByteStream,
    length: Option<u64>,
    /// Something else than the hub's credentials permits it.
    permitted: bool,
}

struct Inner {
    client: reqwest::Client,
    endpoint: Endpoint,
    proxies: Proxies,
    credentials: Credentials,
    /// The hub has refused these credentials: they are not sent again.
    revoked: AtomicBool,
    dialect: Box<dyn Dialect>,
    gate: Gate,
    moved: Moved,
    options: HttpOptions,
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
        dialect: impl Dialect + 'static,
        options: HttpOptions,
    ) -> Result<Self> {
        Self::through(
            Proxies::from_env()?,
            endpoint,
            credentials,
            dialect,
            options,
        )
    }

    /// The same, by these proxies.
    pub(super) fn through(
        proxies: Proxies,
        endpoint: &Url,
        credentials: Credentials,
        dialect: impl Dialect + 'static,
        options: HttpOptions,
    ) -> Result<Self> {
        let endpoint = Endpoint::new(endpoint, dialect.public_origins())?;
        let hub = endpoint.origin();
        let client = proxies
            .apply(unacknowledged_for(
                options.stall,
                reqwest::Client::builder(),
            ))?
            .user_agent(agent::API)
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .referer(false)
            .connect_timeout(CONNECT_TIMEOUT)
            .dns_resolver(Resolver::new(
                hub.host(),
                hub.is_plainly_private(),
                proxies.clone(),
                system_lookup(),
            ))
            .tls_backend_preconfigured(tls::config()?)
            .build()
            .map_err(|error| {
                Error::new(
                    Kind::Unreachable,
                    format!("the HTTP client can't be set up: {error}"),
                )
            })?;
        let gate = Gate::new(options.clock.clone());
        let (revoked, dialect, moved) = (false.into(), Box::new(dialect), Moved::default());
        let inner = Inner {
            client,
            endpoint,
            proxies,
            credentials,
            revoked,
            dialect,
            gate,
            moved,
            options,
        };
        Ok(Self(Arc::new(inner)))
    }

    /// The settings it works with.
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

    /// Sends a request and returns a successful answer.
    ///
    /// # Errors
    /// Every kind; see [`Kind`].
    pub async fn send(&self, request: Request) -> Result<Response> {
        if !request.retried {
            return self.attempt(&request).await;
        }
        let options = &self.0.options;
        retrying(&options.retry, &options.clock, &options.on_retry, || {
            self.attempt(&request)
        })
        .await
    }

    /// PUTs `length` bytes in one streamed request with that exact length. Tried once: the body is gone.
    ///
    /// # Errors
    /// The body's own error when it failed; else what the server or the network says. A redirect is [`Kind::Transient`]: a fresh body
    /// goes where it led.
    pub async fn upload(
        &self,
        url: Url,
        headers: HeaderMap,
        body: ByteStream,
        length: u64,
    ) -> Result<Response> {
        let permitted = is_permitted(&url, &headers);
        self.stream(Streamed {
            method: Method::PUT,
            url,
            headers,
            body,
            length: Some(length),
            permitted,
        })
        .await
    }

    /// The same, to an address that carries its own permission.
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
        self.stream(Streamed {
            method: Method::PUT,
            url,
            headers,
            body,
            length: Some(length),
            permitted: true,
        })
        .await
    }

    /// POSTs a body that ends when it ends, to a server that takes bodies without a length (Git's do). Tried once.
    ///
    /// # Errors
    /// As [`Http::upload`].
    pub async fn pour(&self, url: Url, headers: HeaderMap, body: ByteStream) -> Result<Response> {
        let permitted = is_permitted(&url, &headers);
        self.stream(Streamed {
            method: Method::POST,
            url,
            headers,
            body,
            length: None,
            permitted,
        })
        .await
    }

    /// POSTs `content`, watched like an upload: it may take as long as it likes, as long as something moves. Tried once.
    ///
    /// # Errors
    /// What the server or the network says.
    pub async fn post_watched(
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
        let permitted = is_permitted(&url, &headers);
        self.stream(Streamed {
            method: Method::POST,
            url,
            headers,
            body,
            length: Some(length as u64),
            permitted,
        })
        .await
    }

    async fn stream(&self, streamed: Streamed) -> Result<Response> {
        self.stream_on(streamed)
            .await
            .map_err(|error| error.without(self.redactor()))
    }

    async fn stream_on(
        &self,
        Streamed {
            method,
            url,
            headers,
            body,
            length,
            permitted,
        }: Streamed,
    ) -> Result<Response> {
        let url = self.0.moved.follow(url)?;
        let name = format!("{method} {}", show(&url));
        let watch = Watch::new();
        let failure = Failure::default();
        let outgoing = failure.note(watch.outgoing(body, length.unwrap_or(u64::MAX)));
        let mut builder = self.prepare(method.clone(), &url, headers)?;
        if !permitted {
            builder = builder.headers(self.credentials_for(&url)?);
        }
        if let Some(length) = length {
            builder = builder.header(CONTENT_LENGTH, length);
        }
        builder = builder.body(reqwest::Body::wrap_stream(outgoing));
        self.0.gate.pass(self.host(&url)).await;
        let sent = async {
            builder
                .send()
                .await
                .map_err(|error| self.unsent(error, &url, &name))
        };
        let answered = watch
            .over(
                sent,
                self.0.options.stall,
                UPLOAD_PATIENCE.max(self.0.options.stall),
            )
            .await;
        let answer = answered.map_err(|error| failure.take().unwrap_or(error.of_request(&name)))?;
        match self
            .led_to(&method, &url, &answer)
            .map_err(|error| error.of_request(&name))?
        {
            Some(next) => Err(self.led_on(&url, &next, answer.status()).of_request(name)),
            None => {
                self.judge(answer, &url, name, !permitted && self.is_hub(&url))
                    .await
            }
        }
    }

    /// A body that was streamed can't follow a redirect: the next one goes there at once.
    fn led_on(&self, from: &Url, to: &Url, status: StatusCode) -> Error {
        self.0.moved.keep(from, to);
        let message = format!(
            "the server wants this sent to {}, where the next try goes",
            show(to)
        );
        Error::new(Kind::Transient, message).with_status(status.as_u16())
    }

    async fn attempt(&self, request: &Request) -> Result<Response> {
        self.follow(request)
            .await
            .map_err(|error| error.without(self.redactor()))
    }

    async fn follow(&self, request: &Request) -> Result<Response> {
        let name = request.name();
        let mut url = request.url.clone();
        for _ in 0..=redirect::MOST_HOPS {
            let in_storage = request.of_file && !is_at_home(request, &url)?;
            let apart = request.signed || in_storage || is_signed(&url);
            let answer = self.exchange(request, &url, &name, apart).await?;
            let next = self.led_to(&request.method, &url, &answer);
            match next.map_err(|error| error.of_request(&name))? {
                Some(next) => url = next,
                None => {
                    let judged = self
                        .judge(answer, &url, name, !apart && self.is_hub(&url))
                        .await;
                    return if in_storage || is_signed(&url) {
                        judged.map_err(refused_address)
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

    /// Where an answer sends us: to the endpoint, where it names the hub itself.
    fn led_to(
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

    /// One hop: through the host's gate, with credentials where they belong; none to an address that is `apart` from them.
    pub(super) async fn exchange(
        &self,
        request: &Request,
        url: &Url,
        name: &str,
        apart: bool,
    ) -> Result<reqwest::Response> {
        let mut builder = self.prepare(request.method.clone(), url, headers_for(request, url)?)?;
        if !apart {
            builder = builder.headers(self.credentials_for(url)?);
        }
        if let Body::Bytes(bytes) = &request.body {
            builder = builder.body(bytes.clone());
        }
        self.0.gate.pass(self.host(url)).await;
        let patience = request.patience.unwrap_or(self.0.options.stall);
        let sent = tokio::time::timeout(patience, builder.send()).await;
        sent.map_err(|_| watch::stalled(patience).of_request(name))?
            .map_err(|error| self.unsent(error, url, name))
    }

    fn unsent(&self, error: reqwest::Error, url: &Url, name: &str) -> Error {
        network_error(error, name, &self.0.proxies.hint(url.scheme()))
    }

    /// A request with its own headers, if it may be sent there at all.
    fn prepare(
        &self,
        method: Method,
        url: &Url,
        headers: HeaderMap,
    ) -> Result<reqwest::RequestBuilder> {
        let origin = Origin::of(url)?;
        if origin.ip().is_some_and(super::address::is_private)
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
        if !self.is_hub(url) {
            self.0.credentials.stay_out_of(url, &headers)?;
        }
        let builder = self.0.client.request(method, url.clone()).headers(headers);
        Ok(builder.header(ACCEPT_ENCODING, HeaderValue::from_static("identity")))
    }

    /// The credentials where they belong, none elsewhere.
    fn credentials_for(&self, url: &Url) -> Result<HeaderMap> {
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

    fn is_hub(&self, url: &Url) -> bool {
        Origin::of(url).is_ok_and(|origin| self.origin().trusts(&origin))
    }

    /// Turns an answer that means an error into one; `ours` when it is the hub that speaks.
    async fn judge(
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
        let body = watch::incoming(body, self.0.options.stall);
        let encoding = Encoding::of(&headers);
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
        let answer = Answer {
            status,
            headers: &headers,
            body: first_bytes(encoding.unpacked(body)).await,
        };
        Err(self.error_of(answer, url, ours).of_request(request))
    }

    fn error_of(&self, answer: Answer<'_>, url: &Url, ours: bool) -> Error {
        let dialect: &dyn Dialect = if ours {
            &*self.0.dialect
        } else {
            &super::PlainDialect
        };
        let error = answer.into_error(dialect, self.0.options.clock.date(), self.redactor());
        let error = self.0.options.retry.bounded(error);
        if ours && error.kind() == Kind::Unauthorized && !self.0.credentials.headers().is_empty() {
            self.0.revoked.store(true, Ordering::Relaxed);
        }
        if let (Kind::RateLimited, Some(wait)) = (error.kind(), error.retry_after())
            && wait <= self.0.options.retry.longest_wait
        {
            self.0.gate.close(self.host(url), wait);
        }
        error
    }

    fn host<'a>(&self, url: &'a Url) -> &'a str {
        url.host_str().unwrap_or_default()
    }
}

/// A connection ends when the other side acknowledges nothing for `stall`: bytes that wait in the kernel are out of the
/// watchdog's sight.
#[cfg_attr(not(target_os = "linux"), expect(unused_variables))]
fn unacknowledged_for(stall: Duration, builder: reqwest::ClientBuilder) -> reqwest::ClientBuilder {
    #[cfg(target_os = "linux")]
    let builder = builder.tcp_user_timeout(stall);
    builder
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
        super::PlainDialect,
        HttpOptions::default(),
    )?;
    http.send(Request::get(url)).await?.bytes(64 << 20).await
}

/// Reaches for a server: any answer will do.
///
/// # Errors
/// Why nothing answered.
pub async fn reach(address: &str, options: HttpOptions) -> Result<()> {
    let url: Url = address
        .parse()
        .map_err(|_| Error::new(Kind::Invalid, "it is no address"))?;
    let http = Http::new(&url, Credentials::default(), super::PlainDialect, options)?;
    match http.send(Request::get(url).once()).await {
        Err(error) if error.status().is_none() => Err(error),
        _ => Ok(()),
    }
}

/// Storage saw no token: what it refuses is the address.
fn refused_address(error: Error) -> Error {
    match error.status() {
        Some(401 | 403) => error.with_kind(Kind::Expired),
        _ => error,
    }
}

/// Remembers why a body failed: the client only says that it did.
#[derive(Default)]
struct Failure(Arc<std::sync::Mutex<Option<Error>>>);

impl Failure {
    fn note(
        &self,
        body: impl futures_util::Stream<Item = Result<Bytes>> + Send + 'static,
    ) -> impl futures_util::Stream<Item = std::io::Result<Bytes>> + Send + 'static {
        let slot = self.0.clone();
        body.map_err(move |error| {
            *slot
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner) = Some(error);
            std::io::Error::other("the body failed")
        })
    }

    fn take(&self) -> Option<Error> {
        self.0
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .take()
    }
}

/// Whether something else than the hub's credentials permits a request: a signature, or headers that are sent as they were told.
fn is_permitted(url: &Url, headers: &HeaderMap) -> bool {
    headers.contains_key(AUTHORIZATION) || is_signed(url)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Token;
    use crate::http::PlainDialect;
    use crate::http::clock::tests::ManualClock;
    use crate::http::testing::{Reply, Server, quick};
    use reqwest::header::AUTHORIZATION;

    const TOKEN: &str = "hf_canary";

    fn client(hub: &str) -> Http {
        let token = Token::parse(TOKEN).unwrap();
        let credentials = Credentials::of(Some(&token), |token| {
            [(AUTHORIZATION, token.header("Bearer "))]
        });
        Http::new(
            &hub.parse().unwrap(),
            credentials,
            PlainDialect,
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
