//! One exchange as it is on the wire: the status, the headers and the bytes. It is sent once, and no redirect is followed. For
//! probes that compare a hub's responses with what the project expects. Credentials go to the hub's own origin only.

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{Method, Url};

use super::client::Http;
use super::network_error::network_error;
use super::request::{Request, RequestBody};
use super::stall;
use crate::error::{Error, Kind, Result};

/// A request as it is sent.
#[derive(Debug, Clone)]
pub struct RawRequest {
    /// The method: `GET`.
    pub method: &'static str,
    /// The whole address.
    pub url: String,
    /// Headers besides the client's own, which they replace.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
    /// Whether the hub's credentials go along, if the address is the hub's own.
    pub with_token: bool,
}

/// A response as it came.
#[derive(Debug, Clone)]
pub struct RawResponse {
    /// The status, an error's too.
    pub status: u16,
    /// The headers, their names in lower case; those that are no text are left out.
    pub headers: Vec<(String, String)>,
    /// The body, up to the cap.
    pub body: Vec<u8>,
}

impl RawResponse {
    /// A header's text, by its name in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(told, _)| told == name)
            .map(|(_, value)| value.as_str())
    }
}

impl RawRequest {
    fn url(&self) -> Result<Url> {
        self.url
            .parse()
            .map_err(|error| Error::new(Kind::Refused, format!("that is no address: {error}")))
    }

    fn headers(&self) -> Result<HeaderMap> {
        let header = |(name, value): &(String, String)| {
            Some((
                HeaderName::try_from(name).ok()?,
                HeaderValue::try_from(value).ok()?,
            ))
        };
        let all: Option<HeaderMap> = self.headers.iter().map(header).collect();
        all.ok_or_else(|| Error::new(Kind::Invalid, "a header that can't be sent"))
    }

    fn request(&self) -> Result<Request> {
        let method = Method::from_bytes(self.method.as_bytes())
            .map_err(|_| Error::new(Kind::Invalid, "no method"))?;
        let mut request = Request::new(method, self.url()?)
            .headers(self.headers()?)
            .once();
        if !self.body.is_empty() {
            request.body = RequestBody::Bytes(self.body.clone().into());
        }
        Ok(if self.with_token {
            request
        } else {
            request.signed()
        })
    }
}

impl Http {
    /// Sends `request` once and returns what is answered, with at most `cap` bytes of its body. No redirect is followed.
    ///
    /// # Errors
    /// The network's, or [`Kind::Refused`] for an address that this client sends nothing to.
    pub async fn exchange_raw(&self, request: &RawRequest, cap: usize) -> Result<RawResponse> {
        let answered = async {
            let request = request.request()?;
            let name = request.name();
            let answer = self
                .exchange(&request, &request.url, &name, request.signed)
                .await?;
            let (status, headers) = (answer.status().as_u16(), texts(answer.headers()));
            let body = answer
                .bytes_stream()
                .map_err(move |error| network_error(error, &name, ""));
            let body = up_to(cap, stall::incoming(body, self.options().stall)).await?;
            Ok(RawResponse {
                status,
                headers,
                body,
            })
        };
        answered
            .await
            .map_err(|error: Error| error.without(self.redactor()))
    }

    /// Begins to PUT `length` bytes at the address of `request`, and breaks the connection off after its body.
    ///
    /// # Errors
    /// [`Kind::Refused`] for an address that this client sends nothing to. How the server takes the break is no error.
    pub async fn put_broken_off(&self, request: &RawRequest, length: u64) -> Result<()> {
        let pieces = [
            Ok(Bytes::from(request.body.clone())),
            Err(Error::new(Kind::Transient, "broken off")),
        ];
        match self
            .upload(
                request.url()?,
                request.headers()?,
                stream::iter(pieces).boxed(),
                length,
            )
            .await
        {
            Err(error) if error.kind() == Kind::Refused => Err(error),
            _ => Ok(()),
        }
    }
}

fn texts(headers: &HeaderMap) -> Vec<(String, String)> {
    headers
        .iter()
        .filter_map(|(name, value)| {
            Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned()))
        })
        .collect()
}

async fn up_to(cap: usize, mut body: crate::ByteStream) -> Result<Vec<u8>> {
    let mut all = Vec::new();
    while let Some(piece) = body.next().await {
        let piece = piece?;
        all.extend_from_slice(&piece[..piece.len().min(cap - all.len())]);
        if all.len() == cap {
            break;
        }
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use reqwest::header::AUTHORIZATION;

    use super::*;
    use crate::Token;
    use crate::clock::tests::ManualClock;
    use crate::http::testing::{Reply, Server, quick};
    use crate::http::{Credentials, PlainErrorDecoder};

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

    fn get(url: &str, with_token: bool) -> RawRequest {
        RawRequest {
            method: "GET",
            url: url.to_owned(),
            headers: Vec::new(),
            body: Vec::new(),
            with_token,
        }
    }

    #[tokio::test]
    async fn any_status_comes_as_it_is_and_is_asked_for_once() {
        let reply = Reply::new(
            503,
            &[("X-Error-Code", "Busy"), ("Location", "/elsewhere")],
            "0123456789",
        );
        let server =
            Server::scripted([reply.clone(), Reply::new(302, &[("Location", "/x")], "")]).await;
        let http = client(&server.endpoint());
        let answer = http
            .exchange_raw(&get(server.url().as_str(), true), 4)
            .await
            .unwrap();
        assert_eq!(
            (
                answer.status,
                answer.header("x-error-code"),
                answer.body.as_slice()
            ),
            (503, Some("Busy"), &b"0123"[..])
        );
        assert_eq!(
            http.exchange_raw(&get(server.url().as_str(), false), 4)
                .await
                .unwrap()
                .status,
            302
        );
        let seen = server.seen();
        assert_eq!(seen.len(), 2);
        assert!(
            seen[0].header("authorization").is_some() && seen[1].header("authorization").is_none()
        );
    }

    #[tokio::test]
    async fn the_token_goes_to_no_other_origin_and_a_public_hub_reaches_no_private_one() {
        let other = Server::answering(|_| Reply::new(200, &[], "")).await;
        let http = client("http://127.0.0.1:1");
        http.exchange_raw(&get(other.url().as_str(), true), 9)
            .await
            .unwrap();
        assert!(other.seen()[0].header("authorization").is_none());
        let mut leak = get(other.url().as_str(), false);
        leak.headers.push(("X-Echo".to_owned(), TOKEN.to_owned()));
        assert_eq!(
            http.exchange_raw(&leak, 9).await.unwrap_err().kind(),
            Kind::Refused
        );
        let public = client("https://huggingface.co")
            .exchange_raw(&get(other.url().as_str(), true), 9)
            .await;
        assert_eq!(
            (public.unwrap_err().kind(), other.seen().len()),
            (Kind::Refused, 1)
        );
    }
}
