//! The client against servers that redirect, pack and sign, and behind proxies.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt;
use reqwest::header::{AUTHORIZATION, HeaderMap};

use super::encoding::tests::gzipped;
use super::proxy::Proxies;
use super::testing::{Reply, Server, quick};
use super::{Credentials, Http, PlainErrorDecoder, Request, Response};
use crate::clock::tests::ManualClock;
use crate::{Error, Kind, Result, Token};

const LOGIN: &str = "Bearer hf_canary";

fn credentials() -> Credentials {
    let token = Token::parse("hf_canary").unwrap();
    Credentials::of(Some(&token), |token| {
        [(AUTHORIZATION, token.header("Bearer "))]
    })
}

fn client(hub: &Server) -> Http {
    Http::new(
        hub.url(),
        credentials(),
        PlainErrorDecoder,
        quick(&ManualClock::new()),
    )
    .unwrap()
}

/// A client for the hub at `endpoint`, with these proxy variables.
fn behind(variables: &[(&str, String)], endpoint: &str) -> Http {
    let variable = |name: &str| {
        variables
            .iter()
            .find(|(key, _)| *key == name)
            .map(|(_, value)| value.into())
    };
    let proxies = Proxies::of(variable).unwrap();
    Http::through(
        proxies,
        &endpoint.parse().unwrap(),
        credentials(),
        PlainErrorDecoder,
        quick(&ManualClock::new()),
    )
    .unwrap()
}

async fn get(http: &Http, url: &str) -> Result<Response> {
    http.send(Request::get(url.parse().unwrap())).await
}

async fn put(http: &Http, url: &str) -> Result<Response> {
    let body = futures_util::stream::iter([Ok(Bytes::from_static(b"bytes"))]).boxed();
    http.upload(url.parse().unwrap(), HeaderMap::new(), body, 5)
        .await
}

fn ok() -> Reply {
    Reply::new(200, &[], "")
}

fn to(status: u16, location: &str) -> Reply {
    Reply::new(status, &[("Location", location)], "")
}

#[tokio::test]
async fn a_proxy_by_a_private_name_is_the_users_choice() {
    let proxy = Server::answering(|_| Reply::new(200, &[], "through")).await;
    let named = format!(
        "http://me:s%65cret@localhost:{}",
        proxy.url().port().unwrap()
    );
    let http = behind(&[("ALL_PROXY", named)], "http://hub.example");
    assert_eq!(
        get(&http, "http://hub.example/x")
            .await
            .unwrap()
            .bytes(99)
            .await
            .unwrap(),
        "through"
    );
    let seen = &proxy.seen()[0];
    assert_eq!(
        (seen.line().as_str(), seen.header("authorization")),
        ("GET http://hub.example/x", Some(LOGIN))
    );
    assert_eq!(
        seen.header("proxy-authorization"),
        Some("Basic bWU6c2VjcmV0"),
        "me:secret"
    );
}

#[tokio::test]
async fn a_hub_with_encryption_is_asked_through_a_tunnel_and_a_proxy_that_fails_is_named() {
    for (status, kind, asked, words) in [
        (502, Kind::Transient, 4, "https_proxy names the proxy"),
        (407, Kind::Usage, 1, "refuses the login in https_proxy"),
    ] {
        let proxy = Server::answering(move |_| Reply::new(status, &[], "")).await;
        let port = proxy.url().port().unwrap();
        let http = behind(
            &[("https_proxy", format!("me:secret@localhost:{port}"))],
            "https://hub.example",
        );
        let error = get(&http, "https://hub.example/x").await.err().unwrap();
        let said = error.to_string();
        assert!(
            error.kind() == kind
                && said.contains(words)
                && said.contains(&format!("localhost:{port}")),
            "{said}"
        );
        assert!(!said.contains("secret"), "{said}");
        let connect = vec!["CONNECT hub.example:443".to_owned(); asked];
        assert_eq!(proxy.lines(), connect);
        assert_eq!(
            proxy.seen()[0].header("authorization"),
            None,
            "the hub's token is for the hub"
        );
    }
}

#[tokio::test]
async fn a_proxy_that_wants_a_login_is_named_for_hubs_without_encryption_too() {
    let proxy = Server::answering(|_| Reply::new(407, &[], "")).await;
    let port = proxy.url().port().unwrap();
    let named = format!("http://localhost:{port}");
    let http = behind(&[("HTTP_PROXY", named)], "http://hub.example");
    for sent in [
        get(&http, "http://hub.example/x").await,
        put(&http, "http://hub.example/x").await,
    ] {
        let error = sent.err().unwrap();
        let words = format!("localhost:{port} in HTTP_PROXY wants a login: put USER:PASSWORD@");
        assert!(
            error.kind() == Kind::Usage && error.message().contains(&words),
            "{error}"
        );
    }
    assert_eq!(proxy.seen().len(), 2, "none is asked again");
}

#[tokio::test]
async fn the_proxys_name_is_no_door_for_a_hub() {
    let inside = Server::answering(|_| ok()).await;
    let port = inside.url().port().unwrap();
    let variables = [
        ("HTTPS_PROXY", "http://localhost:1".to_owned()),
        ("NO_PROXY", "localhost".to_owned()),
    ];
    let http = behind(&variables, "https://hub.example");
    for sent in [
        get(&http, &format!("http://localhost:{port}/x")).await,
        put(&http, &format!("http://localhost:{port}/x")).await,
    ] {
        let error = sent.err().unwrap();
        assert!(
            error.kind() == Kind::Refused && error.message().contains("points at the proxy"),
            "{error}"
        );
    }
    assert!(inside.seen().is_empty());
}

#[tokio::test]
async fn what_changes_something_is_repeated_where_the_hub_leads() {
    for status in [301, 302, 307, 308] {
        let hub = Server::scripted([to(status, "/new"), ok()]).await;
        let request = Request::post(hub.url().join("/old").unwrap()).body("application/json", "{}");
        client(&hub).send(request).await.unwrap();
        let seen = &hub.seen()[1];
        assert_eq!(
            (
                seen.line().as_str(),
                &seen.body[..],
                seen.header("authorization")
            ),
            ("POST /new", &b"{}"[..], Some(LOGIN))
        );
        assert_eq!(seen.header("content-type"), Some("application/json"));
    }
}

#[tokio::test]
async fn a_streamed_body_goes_to_the_new_address_at_the_next_try() {
    let hub = Server::answering(|seen| {
        if seen.path() == "/new" {
            ok()
        } else {
            to(307, "/new")
        }
    })
    .await;
    let (http, old) = (client(&hub), hub.url().join("/old").unwrap());
    let error = put(&http, old.as_str()).await.err().unwrap();
    assert!(
        error.is_transient() && error.message().contains("/new"),
        "{error}"
    );
    put(&http, old.as_str()).await.unwrap();
    assert_eq!(hub.lines(), ["PUT /old", "PUT /new"]);
    assert_eq!(
        (
            &hub.seen()[1].body[..],
            hub.seen()[1].header("authorization")
        ),
        (&b"bytes"[..], Some(LOGIN))
    );
}

#[tokio::test]
async fn a_streamed_body_does_not_follow_to_another_origin() {
    let other = Server::answering(|_| ok()).await;
    let away = other.url().to_string();
    let hub = Server::answering(move |_| to(307, &away)).await;
    for _ in 0..2 {
        assert_eq!(
            put(&client(&hub), hub.url().as_str())
                .await
                .err()
                .unwrap()
                .kind(),
            Kind::Refused
        );
    }
    assert!(other.seen().is_empty());
}

#[tokio::test]
async fn an_address_that_carries_its_permission_gets_no_login_beside_it() {
    let hub = Server::answering(|_| ok()).await;
    let (http, signed) = (
        client(&hub),
        hub.url().join("/x?X-Amz-Signature=1").unwrap(),
    );
    get(&http, signed.as_str()).await.unwrap();
    put(&http, signed.as_str()).await.unwrap();
    let body = futures_util::stream::empty().boxed();
    http.upload_permitted(hub.url().join("/x").unwrap(), HeaderMap::new(), body, 0)
        .await
        .unwrap();
    put(&http, hub.url().join("/x?part=1").unwrap().as_str())
        .await
        .unwrap();
    let logins: Vec<_> = hub
        .seen()
        .iter()
        .map(|seen| seen.header("authorization").map(str::to_owned))
        .collect();
    assert_eq!(logins, [None, None, None, Some(LOGIN.to_owned())]);
}

#[tokio::test]
async fn a_signed_address_that_is_refused_does_not_revoke_the_token() {
    let hub = Server::scripted([Reply::new(401, &[], ""), ok()]).await;
    let http = client(&hub);
    let refused = get(&http, hub.url().join("/x?sig=1").unwrap().as_str())
        .await
        .err()
        .unwrap();
    assert_eq!(
        (refused.status(), refused.kind()),
        (Some(401), Kind::Expired)
    );
    get(&http, hub.url().as_str()).await.unwrap();
}

async fn answered(reply: Reply) -> Result<serde_json::Value> {
    let hub = Server::answering(move |_| reply.clone()).await;
    get(&client(&hub), hub.url().as_str())
        .await?
        .json_within(1_000)
        .await
}

#[tokio::test]
async fn an_answer_that_was_packed_unasked_is_read_within_the_same_bounds() {
    let gzip = [("Content-Encoding", "gzip")];
    assert_eq!(
        answered(Reply::new(200, &gzip, gzipped(br#"{"a":1}"#)))
            .await
            .unwrap()["a"],
        1
    );
    assert_eq!(
        answered(Reply::new(
            200,
            &[("Content-Encoding", "utf-8")],
            r#"{"a":1}"#
        ))
        .await
        .unwrap()["a"],
        1
    );
    let bomb = gzipped(format!("\"{}\"", "a".repeat(100_000)).as_bytes());
    assert!(bomb.len() < 1_000);
    let error = answered(Reply::new(200, &gzip, bomb)).await.unwrap_err();
    assert!(
        error.kind() == Kind::Refused && error.message().contains("longer than 1000"),
        "{error}"
    );
    let error = answered(Reply::new(200, &[("Content-Encoding", "br")], "x"))
        .await
        .unwrap_err();
    assert!(
        error.kind() == Kind::Refused && error.message().contains("encoding br"),
        "{error}"
    );
    let error: Error = answered(Reply::new(400, &gzip, gzipped(b"no such thing")))
        .await
        .unwrap_err();
    assert_eq!(error.message(), "no such thing (400)");
}

#[tokio::test]
async fn no_header_value_makes_an_answer_unreadable() {
    let mut raw = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n".to_vec();
    for name in [
        "Content-Disposition",
        "Content-Encoding",
        "Content-Type",
        "Date",
        "ETag",
        "Link",
        "RateLimit",
        "Retry-After",
        "X-Name",
    ] {
        raw.extend_from_slice(name.as_bytes());
        raw.extend_from_slice(b": \xff\xe9\r\n");
    }
    raw.extend_from_slice(b"X-Utf8: \xc3\xa9\r\nConnection: close\r\n\r\n{}");
    let hub = Server::answering(move |_| Reply::raw(raw.clone())).await;
    let answer = get(&client(&hub), hub.url().as_str()).await.unwrap();
    assert_eq!(
        (
            answer.header("etag").unwrap(),
            answer.header("x-utf8").unwrap()
        ),
        ("\u{ff}\u{e9}".into(), "\u{e9}".into())
    );
    assert_eq!(
        answer.json::<serde_json::Value>().await.unwrap(),
        serde_json::json!({})
    );
}

/// A client for the hub whose pauses `clock` counts.
fn paced(hub: &Server, clock: &Arc<ManualClock>) -> Http {
    Http::new(hub.url(), credentials(), PlainErrorDecoder, quick(clock)).unwrap()
}

fn limited(status: u16, left: u64) -> Reply {
    let told = format!("\"api\";r={left};t=29");
    Reply::new(status, &[("RateLimit", &told), ("Retry-After", "30")], "{}")
}

#[tokio::test]
async fn a_refusal_holds_back_the_whole_host_unless_the_quota_has_requests_left() {
    for (left, waited) in [(0, 30..=31), (5, 0..=0)] {
        let hub = Server::scripted([limited(429, left), ok()]).await;
        let clock = ManualClock::new();
        let http = paced(&hub, &clock);
        let refused = Request::get(hub.url().clone()).once();
        let error = http.send(refused).await.err().unwrap();
        assert_eq!(error.retry_after(), Some(Duration::from_secs(30)));
        get(&http, hub.url().as_str()).await.unwrap();
        assert!(waited.contains(&clock.total().as_secs()), "{left} left");
    }
}

#[tokio::test]
async fn the_next_window_is_waited_for_before_a_request_is_refused() {
    let hub = Server::scripted([limited(200, 1), limited(200, 0), ok()]).await;
    let clock = ManualClock::new();
    let http = paced(&hub, &clock);
    // A common wait is a random part longer, up to a twentieth.
    for waited in [0..=0, 0..=0, 30..=31] {
        get(&http, hub.url().as_str()).await.unwrap();
        assert!(waited.contains(&clock.total().as_secs()), "{waited:?}");
    }
}
