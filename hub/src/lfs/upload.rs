//! Storing one blob: whole or in parts, and then the hub is told. Facts: huggingface_hub 2.4.0, `lfs.py` (`lfs_upload`).

use reqwest::Url;
use reqwest::header::{AUTHORIZATION, HeaderMap};

use super::Lfs;
use super::batch::MEDIA_TYPE;
use super::missing::{UploadShape, target};
use super::wire::Wanted;
use crate::http::{Request, user_agent};
use crate::{Blob, Body, ByteStream, Error, Kind, Result};

/// Puts a blob where the last check said, or a new one; sends nothing if the hub has it by then.
///
/// # Errors
/// The body's own; [`Kind::Expired`] when an address was too old (try again: it is renewed);
/// [`Kind::Corrupt`] when the hub says that what it stored is not the blob; what the hub complains of.
pub(super) async fn put(lfs: &Lfs, blob: Blob, body: Body) -> Result<()> {
    let Some(target) = target(lfs, blob).await? else {
        return Ok(());
    };
    // Hugging Face says it of its storage's addresses, and is told with the token all the same (huggingface_hub 2.4.0, `lfs.py`).
    let authenticated = target.authenticated && !lfs.in_parts;
    let hub = target.verify.map(|(url, headers)| Verify {
        url,
        headers,
        authenticated,
    });
    match target.way {
        UploadShape::Whole(url, headers) => {
            let upload = WholeUpload {
                url,
                headers,
                authenticated: target.authenticated,
                body: body.verified(blob),
                size: blob.size,
            };
            lfs.protocol.put(lfs, upload).await?;
        }
        UploadShape::Parts(parts) => {
            let completed = parts.send(lfs, blob, body).await?.tell(lfs).await;
            if let Err(lost) = completed {
                return looked_for(lfs, hub, blob, lost).await;
            }
        }
    }
    match hub {
        Some(hub) => verify(lfs, hub, blob).await,
        None => Ok(()),
    }
}

/// A blob that goes in one PUT.
pub(crate) struct WholeUpload {
    pub(crate) url: Url,
    /// What the server wants said there.
    pub(crate) headers: HeaderMap,
    /// The server says that the address carries its own permission.
    pub(crate) authenticated: bool,
    /// The verified body.
    pub(crate) body: ByteStream,
    pub(crate) size: u64,
}

/// Who wants to be told that a blob is there.
struct Verify {
    url: Url,
    headers: HeaderMap,
    authenticated: bool,
}

/// Storage may have joined the parts though its answer was `lost`, as after a gateway's patience: the hub knows, where it can be
/// asked, and a blob of many gigabytes is not sent again for an answer.
async fn looked_for(lfs: &Lfs, hub: Option<Verify>, blob: Blob, lost: Error) -> Result<()> {
    match hub {
        Some(hub) if lost.kind() == Kind::Transient => {
            verify(lfs, hub, blob).await.map_err(|_| lost)
        }
        _ => Err(lost),
    }
}

/// Tells the hub that the blob is there; it looks.
async fn verify(lfs: &Lfs, hub: Verify, blob: Blob) -> Result<()> {
    let Verify {
        url,
        headers,
        authenticated,
    } = hub;
    let told = Wanted {
        oid: blob.sha256.to_string(),
        size: blob.size,
    };
    let told =
        serde_json::to_vec(&told).map_err(|error| Error::new(Kind::Invalid, error.to_string()))?;
    let permitted = authenticated || headers.contains_key(AUTHORIZATION);
    let request = Request::post(url)
        .headers(user_agent::git_lfs())
        .accept(MEDIA_TYPE)
        .headers(headers)
        .body(MEDIA_TYPE, told);
    let request = if permitted { request.signed() } else { request };
    match lfs.http.send(request).await {
        Err(error) if matches!(error.status(), Some(400 | 404 | 409 | 422)) => Err(error
            .with_kind(Kind::Corrupt)
            .about("the hub does not find the blob in what was uploaded")),
        told => told.map(drop),
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use futures_util::{StreamExt, stream};
    use serde_json::json;

    use super::*;
    use crate::http::testing::{Reply, Seen, Server};
    use crate::huggingface::testing::{TOKEN, repo};
    use crate::{BlobStore, Sha256};

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

    /// A hub that points at `storage` and, when told of the upload, answers so.
    async fn hub(storage: &Server, verdict: Reply) -> Server {
        let storage = storage.endpoint();
        Server::answering(move |seen: &Seen| match seen.path() {
            "/verify" => verdict.clone(),
            _ => {
                let verify = json!({"href": format!("http://{}/verify", seen.header("host").unwrap())});
                let upload = json!({"href": format!("{storage}/put?sig=1"), "header": {"X-Store": "yes"}});
                Reply::json(&json!({"objects": [{"oid": blob().sha256, "size": 7, "actions": {"upload": upload, "verify": verify}}]}))
            }
        })
        .await
    }

    #[tokio::test]
    async fn storage_sees_the_bytes_and_no_token_and_the_hub_is_told() {
        let storage = Server::scripted([Reply::new(200, &[], "")]).await;
        let hub = hub(&storage, Reply::json(&json!({}))).await;
        repo(&hub).put(blob(), body()).await.unwrap();
        let put = &storage.seen()[0];
        assert_eq!(
            (
                put.line().as_str(),
                &put.body[..],
                put.header("content-length")
            ),
            ("PUT /put?sig=1", CONTENT, Some("7"))
        );
        assert_eq!(
            (put.header("authorization"), put.header("x-store")),
            (None, Some("yes"))
        );
        let told = &hub.seen()[1];
        assert_eq!(told.json(), json!({"oid": blob().sha256, "size": 7}));
        assert_eq!(
            told.header("authorization"),
            Some(format!("Bearer {TOKEN}").as_str())
        );
    }

    #[tokio::test]
    async fn storage_that_is_called_authenticated_gets_no_login_and_hugging_face_is_told_with_its_own()
     {
        for authenticated in [false, true] {
            let server = Server::answering(move |seen: &Seen| {
                let href = |path: &str| json!({"href": format!("http://{}/{path}", seen.header("host").unwrap())});
                let actions = json!({"upload": href("put"), "verify": href("verify")});
                Reply::json(&json!({"objects": [{"oid": blob().sha256, "size": 7, "authenticated": authenticated, "actions": actions}]}))
            })
            .await;
            repo(&server).put(blob(), body()).await.unwrap();
            let logins: Vec<_> = server
                .seen()
                .iter()
                .map(|seen| (seen.line(), seen.header("authorization").is_some()))
                .collect();
            let expected = [
                ("PUT /put".to_owned(), !authenticated),
                ("POST /verify".to_owned(), true),
            ];
            assert_eq!(logins[1..], expected);
        }
    }

    #[tokio::test]
    async fn a_hub_that_does_not_find_the_blob_says_corrupt() {
        let storage = Server::answering(|_| Reply::new(200, &[], "")).await;
        let hub = hub(
            &storage,
            Reply::new(422, &[], r#"{"message":"does not match"}"#),
        )
        .await;
        assert_eq!(
            repo(&hub).put(blob(), body()).await.unwrap_err().kind(),
            Kind::Corrupt
        );
    }

    #[tokio::test]
    async fn storage_that_lost_patience_is_sent_the_blob_again() {
        let stalled = "<Error><Code>RequestTimeout</Code><Message>Idle connections will be closed.</Message></Error>";
        let storage = Server::scripted([Reply::new(400, &[], stalled)]).await;
        let hub = hub(&storage, Reply::json(&json!({}))).await;
        assert!(
            repo(&hub)
                .put(blob(), body())
                .await
                .unwrap_err()
                .is_transient()
        );
    }

    #[tokio::test]
    async fn the_hubs_public_address_is_told_at_the_endpoint() {
        let storage = Server::answering(|_| Reply::new(200, &[], "")).await;
        let upload = format!("{}/put?sig=1", storage.endpoint());
        let hub = Server::answering(move |seen: &Seen| match seen.path() {
            "/verify" => Reply::json(&json!({})),
            _ => Reply::json(&json!({"objects": [{"oid": blob().sha256, "size": 7, "authenticated": true,
                "actions": {"upload": {"href": upload}, "verify": {"href": "https://huggingface.co/verify"}}}]})),
        })
        .await;
        repo(&hub).put(blob(), body()).await.unwrap();
        assert_eq!(
            (
                hub.lines()[1].as_str(),
                hub.seen()[1].header("authorization").is_some()
            ),
            ("POST /verify", true)
        );
    }

    #[tokio::test]
    async fn an_address_that_is_refused_is_asked_for_again() {
        let denied = "<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>";
        let storage =
            Server::scripted([Reply::new(403, &[], denied), Reply::new(200, &[], "")]).await;
        let hub = hub(&storage, Reply::json(&json!({}))).await;
        let repo = repo(&hub);
        let error = repo.put(blob(), body()).await.unwrap_err();
        assert_eq!(
            (error.kind(), error.message()),
            (Kind::Expired, "AccessDenied: Access Denied (403)")
        );
        repo.put(blob(), body()).await.unwrap();
        assert_eq!(
            hub.lines()
                .iter()
                .filter(|line| line.ends_with("/objects/batch"))
                .count(),
            2
        );
    }
}
