//! Storing one blob: whole or in parts, and then the hub is told. Facts: huggingface_hub 2.4.0, `lfs.py` (`lfs_upload`).

use std::time::Duration;

use reqwest::Url;
use reqwest::header::{AUTHORIZATION, HeaderMap};

use super::Lfs;
use super::batch::MEDIA_TYPE;
use super::missing::{UploadShape, address, target};
use super::multipart::Complete;
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
    let (sent, complete) = match target.way {
        UploadShape::Whole(url, headers) => {
            let upload = WholeUpload {
                url,
                headers,
                authenticated: target.authenticated,
                body: body.verified(blob),
                size: blob.size,
            };
            (lfs.protocol.put(lfs, upload).await, None)
        }
        UploadShape::Parts(parts) => {
            let complete = parts.send(lfs, blob, body).await?;
            (complete.tell(lfs).await, Some(complete))
        }
    };
    match (sent, hub) {
        (Err(error), hub) => {
            LostAnswer {
                hub,
                complete,
                blob,
            }
            .found(lfs, error)
            .await
        }
        (Ok(()), Some(hub)) => verify(lfs, &hub, blob).await,
        (Ok(()), None) => Ok(()),
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

/// How long a blob is looked for whose upload may be done: storage joins the parts of a large one, or a gateway loses patience.
const LOOKED_FOR: Duration = Duration::from_secs(15 * 60);
/// A small blob is soon sent again.
const SHORTEST_LOOK: Duration = Duration::from_secs(10);
/// Bytes a second of a slow upload: what takes longer to look for than to send is sent.
const SLOW: u64 = 1_000_000;

/// An upload whose answer did not come. Nothing of the blob is sent again until the hub was asked for it.
struct LostAnswer {
    /// Who knows whether the blob is there; without one, the check of blobs does.
    hub: Option<Verify>,
    /// The parts, which are all there: to be joined once more.
    complete: Option<Complete>,
    blob: Blob,
}

impl LostAnswer {
    /// Ends well when the blob is there all the same.
    ///
    /// # Errors
    /// `error` itself where nothing can have been stored, or nothing was within the time.
    async fn found(&self, lfs: &Lfs, error: Error) -> Result<()> {
        let retry = &lfs.http.options().retry;
        let by_size = Duration::from_secs(self.blob.size / SLOW);
        let (may_be_there, patience) = match self.complete {
            Some(_) => (retry.covers(&error), LOOKED_FOR),
            None => (
                error.kind() == Kind::Transient && error.is_unanswered(),
                by_size.clamp(SHORTEST_LOOK, LOOKED_FOR),
            ),
        };
        if !may_be_there {
            return Err(error);
        }
        let patience = patience.min(retry.longest_wait);
        let attempts = lfs.http.options().attempts();
        attempts
            .found_within(patience, error, |look| self.is_there(lfs, look))
            .await
    }

    /// Looks; from the second time on the parts are joined again, if that was not done.
    async fn is_there(&self, lfs: &Lfs, look: u32) -> Result<bool> {
        if settled(self.is_stored(lfs).await)? {
            return Ok(true);
        }
        let Some(complete) = self.complete.as_ref().filter(|_| look > 0) else {
            return Ok(false);
        };
        let is_joined = settled(complete.tell(lfs).await.map(|()| true))?;
        Ok(is_joined && settled(self.is_stored(lfs).await)?)
    }

    async fn is_stored(&self, lfs: &Lfs) -> Result<bool> {
        match &self.hub {
            Some(hub) => verify(lfs, hub, self.blob).await.map(|()| true),
            None => Ok(address(lfs, self.blob).await?.is_none()),
        }
    }
}

/// What a look found. A hub that does not find the blob, or fails in passing, may do better next time.
fn settled(look: Result<bool>) -> Result<bool> {
    match look {
        Err(error)
            if matches!(
                error.kind(),
                Kind::Corrupt | Kind::Expired | Kind::Transient | Kind::RateLimited
            ) =>
        {
            Ok(false)
        }
        look => look,
    }
}

/// Tells the hub that the blob is there; it looks.
async fn verify(lfs: &Lfs, hub: &Verify, blob: Blob) -> Result<()> {
    let told = Wanted {
        oid: blob.sha256.to_string(),
        size: blob.size,
    };
    let told =
        serde_json::to_vec(&told).map_err(|error| Error::new(Kind::Invalid, error.to_string()))?;
    let permitted = hub.authenticated || hub.headers.contains_key(AUTHORIZATION);
    let request = Request::post(hub.url.clone())
        .headers(user_agent::git_lfs())
        .accept(MEDIA_TYPE)
        .headers(hub.headers.clone())
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
    use std::sync::atomic::{AtomicUsize, Ordering};

    use bytes::Bytes;
    use futures_util::{StreamExt, stream};
    use serde_json::json;

    use super::*;
    use crate::clock::tests::ManualClock;
    use crate::http::testing::{Reply, Seen, Server, quick};
    use crate::huggingface::HuggingFaceRepo;
    use crate::huggingface::testing::{COMMIT, TOKEN, repo, side};
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

    /// A hub that finds the blob at the look of this number, and whose check says whether it has it then. Storage answers so.
    async fn put_and_looked_for(
        answer: Reply,
        found_at: usize,
        with_verify: bool,
    ) -> (Result<()>, Vec<String>, usize, Duration) {
        let storage = Server::answering(move |_| answer.clone()).await;
        let (href, looks) = (storage.endpoint(), AtomicUsize::new(0));
        let hub = Server::answering(move |seen: &Seen| {
            let is_verify = seen.path() == "/verify";
            let is_look = is_verify == with_verify;
            let is_there = is_look && looks.fetch_add(1, Ordering::Relaxed) >= found_at;
            if is_verify {
                return if is_there {
                    Reply::json(&json!({}))
                } else {
                    Reply::new(404, &[], "")
                };
            }
            let verify = json!({"href": format!("http://{}/verify", seen.header("host").unwrap())});
            let mut actions = json!({"upload": {"href": format!("{href}/put?sig=1")}});
            if with_verify {
                actions["verify"] = verify;
            }
            let actions = if is_there { json!(null) } else { actions };
            Reply::json(
                &json!({"objects": [{"oid": blob().sha256, "size": 7, "actions": actions}]}),
            )
        })
        .await;
        let clock = ManualClock::new();
        let repo = HuggingFaceRepo::open(&side(&hub.endpoint(), COMMIT), quick(&clock)).unwrap();
        let put = repo.put(blob(), body()).await;
        (put, hub.lines(), storage.seen().len(), clock.total())
    }

    #[tokio::test]
    async fn a_blob_whose_answer_came_from_a_gateway_is_looked_for_and_not_sent_again() {
        // The check that says where the blob goes is the first look.
        for (with_verify, found_at) in [(true, 2), (false, 3)] {
            let timeout = Reply::new(504, &[], "");
            let (put, asked, puts, waited) =
                put_and_looked_for(timeout, found_at, with_verify).await;
            put.unwrap();
            assert_eq!((asked.len(), puts), (4, 1), "{asked:?}");
            assert_eq!(waited, Duration::from_secs(2 + 4));
        }
    }

    #[tokio::test]
    async fn a_blob_that_is_not_found_in_time_is_to_be_sent_again() {
        let timeout = Reply::new(504, &[], "");
        let (put, _, puts, waited) = put_and_looked_for(timeout, usize::MAX, true).await;
        let error = put.unwrap_err();
        assert!(
            error.is_transient() && error.status() == Some(504),
            "{error}"
        );
        assert_eq!((puts, waited), (1, SHORTEST_LOOK));
    }

    #[tokio::test]
    async fn what_storage_refused_itself_is_not_looked_for() {
        for status in [500, 503, 403] {
            let refused = Reply::new(status, &[], "");
            let (put, asked, puts, waited) = put_and_looked_for(refused, 0, true).await;
            assert!(put.is_err());
            assert_eq!(
                (asked.len(), puts, waited),
                (1, 1, Duration::ZERO),
                "{status}"
            );
        }
    }

    #[tokio::test]
    async fn storage_that_knows_no_such_place_says_nothing_of_the_source() {
        let refused = Reply::new(404, &[], "");
        let (put, ..) = put_and_looked_for(refused, 0, true).await;
        let error = put.unwrap_err();
        assert_eq!(
            (error.kind(), error.status()),
            (Kind::BlobMissing, Some(404))
        );
        let storage = Server::answering(|_| Reply::new(200, &[], "")).await;
        let hub = hub(&storage, Reply::json(&json!({}))).await;
        let lost = Error::new(Kind::NotFound, "the source lost it").with_status(404);
        let body = Body::from(stream::iter([Err(lost)]).boxed());
        let error = repo(&hub).put(blob(), body).await.unwrap_err();
        assert_eq!(error.kind(), Kind::NotFound, "{error}");
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
