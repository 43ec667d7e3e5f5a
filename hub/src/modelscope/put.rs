//! Storing one blob: one PUT to the address that the check gave. Object storage may be another origin,
//! which sees no credentials and whose refusals say nothing about the token.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::{StreamExt, TryStreamExt};
use serde_json::Value;

use super::api::{REQUEST_ID, request_id};
use super::errors::complaint;
use crate::http::{Http, Origin, Response, is_signed};
use crate::lfs::WholeUpload;
use crate::{Error, Kind, Redactor, Result};

/// An answer to a PUT is empty or a short envelope.
const LONGEST_ANSWER: u64 = 64 << 10;

/// Puts a blob where the check said.
///
/// # Errors
/// The body's own; [`Kind::Expired`] when the address was too old (try again: it is renewed);
/// [`Kind::Transient`] when the network or the server failed; what the hub complains of.
pub(super) async fn send(http: &Http, upload: WholeUpload) -> Result<()> {
    let (url, mut headers) = (upload.url, upload.headers);
    let of_hub = http.origin().trusts(&Origin::of(&url)?) && !is_signed(&url);
    let source_failed = Arc::new(AtomicBool::new(false));
    let note = source_failed.clone();
    let body = upload
        .body
        .inspect_err(move |_| note.store(true, Ordering::Relaxed))
        .boxed();
    headers.insert(REQUEST_ID, request_id());
    let sent = http.upload(url, headers, body, upload.size).await;
    let of_storage = !of_hub && !source_failed.load(Ordering::Relaxed);
    let response = sent.map_err(|error| match of_storage {
        true => read_storage(error),
        false => error,
    })?;
    accepted(response, http.redactor()).await
}

/// Another origin saw no token: what it refuses is the address.
fn read_storage(error: Error) -> Error {
    match error.kind() {
        Kind::Unauthorized | Kind::Denied => error.with_kind(Kind::Expired),
        _ => error,
    }
}

/// A 200 may carry an error's envelope (modelscope-hub 0.5.1, `_legacy_api.py`, `upload_blob`) or come from
/// a proxy; storage itself answers with nothing.
async fn accepted(response: Response, redactor: &Redactor) -> Result<()> {
    let (status, request) = (response.status(), response.request.clone());
    let body = response.bytes(LONGEST_ANSWER).await?;
    let text = body.trim_ascii();
    if text.starts_with(b"<") {
        return Err(Error::new(
            Kind::Transient,
            "the upload was answered with a page of markup",
        )
        .of_request(request));
    }
    match serde_json::from_slice(text) {
        Ok(Value::Object(said)) => complaint(status, &said, redactor)
            .map_or(Ok(()), |error| Err(error.of_request(request))),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use futures_util::stream;
    use serde_json::json;

    use super::super::api::tests::{TOKEN, bad, good, repo};
    use super::*;
    use crate::http::testing::{Reply, Server};
    use crate::{Blob, BlobStore, Body, RepoKind, Sha256};

    const CONTENT: &[u8] = b"weights";

    fn blob() -> Blob {
        Blob {
            sha256: Sha256::of(CONTENT),
            size: CONTENT.len() as u64,
        }
    }

    fn body() -> Body {
        Body::from(
            stream::iter(CONTENT.chunks(3).map(|piece| Ok(Bytes::from_static(piece)))).boxed(),
        )
    }

    fn wanted(href: &str) -> Reply {
        good(
            json!({"objects": [{"oid": blob().sha256, "size": blob().size, "actions": {"upload": {"href": href}}}]}),
        )
    }

    /// Checks and puts on a hub whose storage, at its own origin, answers like this.
    async fn put_at_hub(answer: Reply) -> (Result<()>, Server) {
        let server =
            Server::scripted([wanted("/api/v1/repos/models/org/name/blobs/x/7"), answer]).await;
        let repo = repo(&server, RepoKind::Model);
        assert_eq!(repo.missing(&[blob()]).await.unwrap().wanted, [blob()]);
        (repo.put(blob(), body()).await, server)
    }

    #[tokio::test]
    async fn a_blob_goes_in_one_request_with_its_exact_length() {
        let (put, server) = put_at_hub(Reply::new(200, &[], "")).await;
        put.unwrap();
        let seen = &server.seen()[1];
        assert_eq!(
            (seen.line().as_str(), &seen.body[..]),
            ("PUT /api/v1/repos/models/org/name/blobs/x/7", CONTENT)
        );
        assert_eq!(
            (
                seen.header("content-length"),
                seen.header("transfer-encoding")
            ),
            (Some("7"), None)
        );
        assert!(
            seen.header("authorization").is_some() && seen.header("cookie").is_some(),
            "the hub's own origin gets the token"
        );
    }

    #[tokio::test]
    async fn another_origin_gets_no_credentials() {
        let storage = Server::scripted([Reply::new(200, &[], "")]).await;
        let hub =
            Server::scripted([wanted(storage.url().join("/bucket/x").unwrap().as_str())]).await;
        repo(&hub, RepoKind::Model)
            .put(blob(), body())
            .await
            .unwrap();
        let seen = &storage.seen()[0];
        assert_eq!(
            (
                seen.header("authorization"),
                seen.header("cookie"),
                &seen.body[..]
            ),
            (None, None, CONTENT)
        );
        assert!(!format!("{seen:?}").contains(TOKEN));
    }

    #[tokio::test]
    async fn a_refusal_by_another_origin_is_an_old_address_and_not_a_bad_token() {
        for status in [401, 403] {
            let storage = Server::scripted([
                Reply::new(status, &[], "<Error/>"),
                Reply::new(200, &[], ""),
            ])
            .await;
            let href = storage.url().join("/x").unwrap();
            let hub = Server::answering(move |_| wanted(href.as_str())).await;
            let repo = repo(&hub, RepoKind::Model);
            assert_eq!(
                repo.put(blob(), body()).await.unwrap_err().kind(),
                Kind::Expired
            );
            repo.put(blob(), body()).await.unwrap();
            assert_eq!(hub.seen().len(), 2, "the second address was asked for anew");
        }
    }

    #[tokio::test]
    async fn storage_at_the_hubs_origin_says_expired_in_xml() {
        let xml = "<?xml version=\"1.0\"?><Error><Code>AccessDenied</Code><Message>Request has expired.</Message></Error>";
        assert_eq!(
            put_at_hub(Reply::new(403, &[], xml))
                .await
                .0
                .unwrap_err()
                .kind(),
            Kind::Expired
        );
        assert_eq!(
            put_at_hub(bad(403, 403, "no write permission to repository"))
                .await
                .0
                .unwrap_err()
                .kind(),
            Kind::Denied
        );
        assert_eq!(
            put_at_hub(bad(400, 10_030_000_001, "user not logged in"))
                .await
                .0
                .unwrap_err()
                .kind(),
            Kind::Unauthorized
        );
    }

    #[tokio::test]
    async fn a_200_with_an_error_envelope_or_a_page_is_no_success() {
        for (answer, kind) in [
            (bad(200, 500, "storage failed"), Kind::Transient),
            (bad(200, 10_010_000_001, "no"), Kind::Invalid),
            (
                Reply::json(&json!({"Code": 10_010_103_009_u64})),
                Kind::Unauthorized,
            ),
            (Reply::new(200, &[], " <!doctype html>"), Kind::Transient),
            (Reply::new(503, &[], ""), Kind::Transient),
        ] {
            assert_eq!(put_at_hub(answer).await.0.unwrap_err().kind(), kind);
        }
        for fine in [
            good(json!({})),
            Reply::json(&json!({"Code": "200"})),
            Reply::new(201, &[], "OK"),
            Reply::json(&json!({})),
        ] {
            put_at_hub(fine).await.0.unwrap();
        }
    }

    #[tokio::test]
    async fn a_blob_of_which_no_address_is_remembered_is_sent() {
        let server = Server::answering(|seen| {
            if seen.line().starts_with("PUT") {
                return Reply::new(200, &[], "");
            }
            let wanted = |object: &Value| json!({"oid": object["oid"], "actions": {"upload": {"href": "/x"}}});
            let asked = seen.json()["objects"].as_array().unwrap().clone();
            good(json!({"objects": asked.iter().map(wanted).collect::<Vec<_>>()}))
        })
        .await;
        let other = |n: u64| Blob {
            sha256: Sha256::of(&n.to_be_bytes()),
            size: n,
        };
        let repo = repo(&server, RepoKind::Model);
        let others: Vec<_> = (0..4_096).map(other).collect();
        assert_eq!(repo.missing(&others).await.unwrap().wanted.len(), 4_096);
        repo.put(blob(), body()).await.unwrap();
        assert_eq!(server.lines().last().unwrap(), "PUT /x");
    }

    #[tokio::test]
    async fn a_blob_that_is_stored_meanwhile_is_not_sent() {
        let server = Server::scripted([good(json!({"objects": []}))]).await;
        repo(&server, RepoKind::Model)
            .put(blob(), body())
            .await
            .unwrap();
        assert_eq!(server.seen().len(), 1);
    }

    #[tokio::test]
    async fn a_blob_that_the_hub_refuses_is_not_sent() {
        let refusal = json!({"objects": [{"oid": blob().sha256, "error": {"code": 422, "message": "too large"}}]});
        let server = Server::scripted([good(refusal)]).await;
        let error = repo(&server, RepoKind::Model)
            .put(blob(), body())
            .await
            .unwrap_err();
        assert_eq!(
            (error.kind(), error.message(), server.seen().len()),
            (Kind::Invalid, "too large", 1)
        );
    }

    #[tokio::test]
    async fn a_source_that_fails_is_named_and_not_taken_for_the_storages_refusal() {
        let storage = Server::scripted([]).await;
        let hub = Server::scripted([wanted(storage.url().join("/x").unwrap().as_str())]).await;
        let broken = stream::iter([
            Ok(Bytes::from("we")),
            Err(Error::new(Kind::Denied, "the source said no")),
        ])
        .boxed();
        let error = repo(&hub, RepoKind::Model)
            .put(blob(), Body::from(broken))
            .await
            .unwrap_err();
        assert_eq!(
            (error.kind(), error.message()),
            (Kind::Denied, "the source said no")
        );
        assert_eq!(storage.seen().len(), 0, "no whole request arrived");
    }
}
