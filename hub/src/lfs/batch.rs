//! Where blobs are: one LFS batch request for a hundred, the answer checked object by object.
//! Facts: Git LFS batch API; huggingface_hub 2.4.0, `lfs.py`.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::{Instant, SystemTime};

use reqwest::Url;
use reqwest::header::{DATE, HeaderMap, HeaderName, HeaderValue};

use super::Lfs;
use super::addresses::Address;
use super::expiry::lifetime;
use super::wire::{Action, Actions, BatchAnswer, BatchQuestion, Object, ObjectError, Wanted};
use crate::http::{Http, JsonResponse, Origin, Request, user_agent};
use crate::{Blob, Error, Kind, Redactor, Result, Sha256};

/// What git-lfs asks at once.
pub(super) const A_CALL: usize = 100;
const LONGEST_ANSWER: u64 = 16 << 20;
const MOST_HEADERS: usize = 32;
pub(super) const MEDIA_TYPE: &str = "application/vnd.git-lfs+json";

/// Locates what is not known yet; what the hub does not have is returned with the reason.
pub(super) async fn locate(lfs: &Lfs, blobs: &[Blob]) -> Result<Vec<(Sha256, Error)>> {
    let _alone = lfs.addresses.alone().await;
    let mut refused = Vec::new();
    for blobs in lfs.addresses.unknown(blobs, lfs.now()).chunks(A_CALL) {
        for (sha256, answer) in ask(lfs, blobs).await? {
            match answer {
                Ok(address) => lfs.addresses.keep(sha256, address),
                Err(error) => refused.push((sha256, error)),
            }
        }
    }
    Ok(refused)
}

/// The address of one blob, asked for when none is known.
pub(super) async fn address(lfs: &Lfs, blob: Blob) -> Result<Address> {
    if let Some(address) = lfs.addresses.fresh(blob.sha256, lfs.now()) {
        return Ok(address);
    }
    let _alone = lfs.addresses.alone().await;
    if let Some(address) = lfs.addresses.fresh(blob.sha256, lfs.now()) {
        return Ok(address);
    }
    let answer = ask(lfs, &[blob]).await?.into_iter().next();
    let address = answer.map_or_else(|| Err(unanswered()), |(_, answer)| answer)?;
    lfs.addresses.keep(blob.sha256, address.clone());
    Ok(address)
}

/// One call. Every blob asked for has its own outcome; an answer about anything else is refused whole.
async fn ask(lfs: &Lfs, blobs: &[Blob]) -> Result<Vec<(Sha256, Result<Address>)>> {
    let question = BatchQuestion {
        operation: "download",
        transfers: &["basic"],
        hash_algo: "sha256",
        objects: wanted(blobs),
        r#ref: lfs.full_reference(),
    };
    let (mut objects, when) = batch(lfs, &question, blobs, LONGEST_ANSWER).await?;
    let outcome = |blob: &Blob| {
        objects.remove(&blob.sha256).map_or_else(
            || Err(unanswered()),
            |object| judge(object, blob, lfs, when),
        )
    };
    Ok(blobs
        .iter()
        .map(|blob| blob.sha256)
        .zip(blobs.iter().map(outcome).collect::<Vec<_>>())
        .collect())
}

pub(super) fn wanted(blobs: &[Blob]) -> Vec<Wanted> {
    blobs
        .iter()
        .map(|blob| Wanted {
            oid: blob.sha256.to_string(),
            size: blob.size,
        })
        .collect()
}

/// Asks the batch API about these blobs.
pub(super) async fn batch(
    lfs: &Lfs,
    question: &BatchQuestion<'_>,
    asked: &[Blob],
    cap: u64,
) -> Result<(Objects, When)> {
    let body = serde_json::to_vec(question)
        .map_err(|error| Error::new(Kind::Invalid, error.to_string()))?;
    let request = || {
        Request::post(lfs.batch.clone())
            .headers(user_agent::git_lfs())
            .accept(MEDIA_TYPE)
            .body(MEDIA_TYPE, body.clone())
    };
    let told: JsonResponse<BatchAnswer> = lfs.http.ask(cap, request).await?;
    let when = When {
        now: lfs.now(),
        answered: date_of(&told.headers).unwrap_or_else(|| lfs.http.options().clock.date()),
    };
    Ok((by_digest(told.value, question.transfers, asked)?, when))
}

/// What the batch API answered, by digest.
pub(super) type Objects = HashMap<Sha256, Object>;

/// The moment of an answer: by this machine's count, and by the hub's clock.
#[derive(Clone, Copy)]
pub(super) struct When {
    now: Instant,
    answered: SystemTime,
}

impl When {
    /// Until when an address that came with this answer may be used.
    pub(super) fn until(self, action: &Action) -> Instant {
        self.now + lifetime(action, self.answered)
    }
}

pub(crate) fn date_of(headers: &HeaderMap) -> Option<SystemTime> {
    httpdate::parse_http_date(headers.get(DATE)?.to_str().ok()?).ok()
}

pub(super) fn unanswered() -> Error {
    Error::new(Kind::Refused, "the hub did not answer for this blob")
}

/// The answered objects, every one of them asked for, once, by SHA-256 and for a transfer that was offered.
fn by_digest(answer: BatchAnswer, transfers: &[&str], asked: &[Blob]) -> Result<Objects> {
    let refused = |why: &str| Error::new(Kind::Refused, format!("the hub's LFS answer {why}"));
    let named = |told: Option<String>| told.filter(|told| !told.is_empty());
    if named(answer.hash_algo).is_some_and(|algorithm| algorithm != "sha256") {
        return Err(refused("uses another hash than SHA-256"));
    }
    if named(answer.transfer).is_some_and(|transfer| !transfers.contains(&transfer.as_str())) {
        return Err(refused("wants a transfer that was not offered"));
    }
    let asked: HashSet<Sha256> = asked.iter().map(|blob| blob.sha256).collect();
    let mut objects = HashMap::new();
    for object in answer.objects {
        let sha256 = object
            .oid
            .parse()
            .ok()
            .filter(|sha256| asked.contains(sha256));
        let sha256 = sha256.ok_or_else(|| refused("holds an object that was not asked for"))?;
        if objects.insert(sha256, object).is_some() {
            return Err(refused("holds an object twice"));
        }
    }
    Ok(objects)
}

fn judge(object: Object, blob: &Blob, lfs: &Lfs, when: When) -> Result<Address> {
    let authenticated = object.authenticated == Some(true);
    let action = actions(object, blob, lfs)?.and_then(|actions| actions.download);
    let action =
        action.ok_or_else(|| Error::new(Kind::NotFound, "the hub has no content for this blob"))?;
    let fresh_until = when.until(&action);
    let (url, headers) = (
        url_of(&action, &lfs.http)?,
        headers_of(action.header.unwrap_or_default())?,
    );
    Ok(Address {
        url,
        headers,
        authenticated,
        fresh_until,
    })
}

/// What may be done with an object, unless the hub refuses it.
pub(super) fn actions(object: Object, blob: &Blob, lfs: &Lfs) -> Result<Option<Actions>> {
    if let Some(error) = object.error {
        return Err(refusal(error, lfs.http.redactor()));
    }
    if object
        .size
        .is_some_and(|size| u64::try_from(size) != Ok(blob.size))
    {
        return Err(Error::new(
            Kind::Refused,
            format!(
                "the hub's LFS answer has another size than the {} bytes listed",
                blob.size
            ),
        ));
    }
    Ok(object.actions)
}

pub(super) fn url_of(action: &Action, hub: &Http) -> Result<Url> {
    safe(&action.href, hub)
}

/// An address that a hub names: not one without encryption where the hub has it; one of its own at the endpoint.
pub(crate) fn safe(href: &str, hub: &Http) -> Result<Url> {
    let url: Url = href.parse().map_err(|_| {
        Error::new(
            Kind::Refused,
            "the hub's answer holds something that is no address",
        )
    })?;
    let url = hub.own(url);
    match hub.origin().is_downgraded_by(&Origin::of(&url)?) {
        true => Err(Error::new(
            Kind::Refused,
            "the hub's answer leads from https to http",
        )),
        false => Ok(url),
    }
}

/// Headers of framing and of the connection. GitLab and Gitea name `Transfer-Encoding: chunked`, as recorded; what carries the body is
/// this client's matter.
const FRAMING: [&str; 10] = [
    "accept-encoding",
    "connection",
    "content-length",
    "expect",
    "host",
    "keep-alive",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// The headers that storage wants with a request, but for those of framing; none that would change what the request is.
pub(super) fn headers_of(headers: BTreeMap<String, String>) -> Result<HeaderMap> {
    const OURS: [&str; 2] = ["range", "cookie"];
    let refused = |name: &str| {
        Error::new(
            Kind::Refused,
            format!(
                "the hub's LFS answer wants the header '{}'",
                crate::path::escape(name)
            ),
        )
    };
    if headers.len() > MOST_HEADERS {
        return Err(Error::new(
            Kind::Refused,
            format!("the hub's LFS answer wants more than {MOST_HEADERS} headers"),
        ));
    }
    let is_kept = |name: &str| !FRAMING.contains(&name.to_ascii_lowercase().as_str());
    let pairs = headers
        .into_iter()
        .filter(|(name, _)| is_kept(name))
        .map(|(name, value)| {
            let header = HeaderName::try_from(name.as_str())
                .ok()
                .filter(|name| !OURS.contains(&name.as_str()) && !is_proxys(name));
            let mut value = HeaderValue::try_from(value).map_err(|_| refused(&name))?;
            value.set_sensitive(true);
            Ok((header.ok_or_else(|| refused(&name))?, value))
        });
    pairs.collect()
}

fn is_proxys(name: &HeaderName) -> bool {
    name.as_str().starts_with("proxy-")
}

/// What the hub says of one object; its code is that of HTTP.
fn refusal(error: ObjectError, redactor: &Redactor) -> Error {
    let kind = match error.code {
        Some(404 | 410) => Kind::NotFound,
        Some(401 | 403) => Kind::Denied,
        // No room, no bandwidth left, or nothing that it can do: it will not pass while we wait.
        Some(501 | 507 | 509) => Kind::Invalid,
        Some(408 | 429 | 500..=599) => Kind::Transient,
        _ => Kind::Invalid,
    };
    let said = redactor.quote(&error.message.unwrap_or_default());
    let code = error
        .code
        .map(|code| format!(" ({code})"))
        .unwrap_or_default();
    Error::new(kind, format!("the hub refuses this blob: {said}{code}"))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::{Value, json};

    use super::*;
    use crate::BlobSource;
    use crate::clock::Clock;
    use crate::clock::tests::ManualClock;
    use crate::http::testing::{Reply, Server};
    use crate::http::{Credentials, HttpOptions, PlainErrorDecoder};
    use crate::huggingface::testing::{TOKEN, repo, timed};

    fn blobs(count: usize) -> Vec<Blob> {
        (0..count)
            .map(|number| Blob {
                sha256: Sha256::of(&number.to_le_bytes()),
                size: number as u64,
            })
            .collect()
    }

    fn object(blob: &Blob) -> Value {
        let download = json!({"href": format!("https://cdn.example/{}?sig=1", blob.sha256), "expires_in": 3600});
        json!({"oid": blob.sha256, "size": blob.size, "actions": {"download": download}})
    }

    fn answer(objects: Vec<Value>) -> Reply {
        Reply::json(&json!({"transfer": "basic", "hash_algo": "sha256", "objects": objects}))
    }

    /// What locating one blob fails with when its object is changed like this.
    async fn refused(change: impl Fn(&mut Value)) -> Error {
        let blob = blobs(1);
        let mut object = object(&blob[0]);
        change(&mut object);
        let server = Server::scripted([answer(vec![object])]).await;
        repo(&server).locate(&blob).await.unwrap().pop().unwrap().1
    }

    #[tokio::test]
    async fn a_hundred_blobs_are_one_question_and_known_ones_none() {
        let all = blobs(150);
        let server = Server::answering({
            let all = all.clone();
            move |seen| {
                let asked = seen.json()["objects"].as_array().unwrap().clone();
                answer(
                    all.iter()
                        .filter(|blob| {
                            asked
                                .iter()
                                .any(|object| object["oid"] == json!(blob.sha256))
                        })
                        .map(object)
                        .collect(),
                )
            }
        })
        .await;
        let repo = repo(&server);
        assert!(repo.locate(&all).await.unwrap().is_empty());
        assert!(repo.locate(&all[20..90]).await.unwrap().is_empty());
        let seen = server.seen();
        assert_eq!(seen.len(), 2);
        assert_eq!(
            seen[0].line(),
            "POST /datasets/org/name.git/info/lfs/objects/batch"
        );
        assert_eq!(
            (seen[0].header("accept"), seen[0].header("content-type")),
            (Some(MEDIA_TYPE), Some(MEDIA_TYPE))
        );
        assert_eq!(
            seen[0].header("authorization"),
            Some(format!("Bearer {TOKEN}").as_str())
        );
        let question = seen[1].json();
        assert_eq!(
            (&question["operation"], &question["transfers"]),
            (&json!("download"), &json!(["basic"]))
        );
        assert_eq!(question["objects"].as_array().unwrap().len(), 50);
    }

    #[tokio::test]
    async fn an_address_about_to_expire_is_asked_for_again() {
        let (blob, clock) = (blobs(1), ManualClock::new());
        let server = Server::answering(move |_| answer(vec![object(&blobs(1)[0])])).await;
        let repo = timed(&server, &clock);
        repo.locate(&blob).await.unwrap();
        clock.sleep(Duration::from_secs(3530)).await;
        repo.locate(&blob).await.unwrap();
        clock.sleep(Duration::from_secs(20)).await;
        repo.locate(&blob).await.unwrap();
        assert_eq!(server.seen().len(), 2);
    }

    #[tokio::test]
    async fn a_batch_that_fails_in_part_costs_only_those_objects() {
        let all = blobs(4);
        let gone = json!({"oid": all[1].sha256, "size": 1, "error": {"code": 404, "message": "Object does not exist"}});
        let longer =
            json!({"oid": all[2].sha256, "size": 999, "actions": object(&all[2])["actions"]});
        let server = Server::scripted([answer(vec![object(&all[0]), gone, longer])]).await;
        let refused = repo(&server).locate(&all).await.unwrap();
        let kinds: Vec<_> = refused
            .iter()
            .map(|(sha256, error)| (*sha256, error.kind()))
            .collect();
        assert_eq!(
            kinds,
            [
                (all[1].sha256, Kind::NotFound),
                (all[2].sha256, Kind::Refused),
                (all[3].sha256, Kind::Refused)
            ]
        );
        assert!(
            refused[0]
                .1
                .message()
                .ends_with("Object does not exist (404)"),
            "{}",
            refused[0].1
        );
    }

    #[tokio::test]
    async fn answers_about_anything_else_are_refused_whole() {
        let asked = blobs(1);
        let stranger = Blob {
            sha256: Sha256::of(b"stranger"),
            size: 1,
        };
        let good = || vec![object(&asked[0])];
        for answer in [
            answer(vec![object(&asked[0]), object(&stranger)]),
            answer(vec![object(&asked[0]), object(&asked[0])]),
            Reply::json(&json!({"hash_algo": "md5", "objects": good()})),
            Reply::json(&json!({"hash_algo": " ", "objects": good()})),
            Reply::json(&json!({"transfer": "multipart", "objects": good()})),
            Reply::json(&json!({"message": "odd"})),
            Reply::new(200, &[], "<html>"),
        ] {
            let server = Server::scripted([answer]).await;
            assert_eq!(
                repo(&server).locate(&asked).await.unwrap_err().kind(),
                Kind::Refused
            );
        }
    }

    #[tokio::test]
    async fn addresses_and_headers_that_are_not_sane_are_refused() {
        for href in [
            "ftp://x/y",
            "file:///etc/passwd",
            "no address",
            "https://user:secret@host/x",
        ] {
            let error = refused(|object| object["actions"]["download"]["href"] = json!(href)).await;
            assert!(
                error.kind() == Kind::Refused && !error.to_string().contains("secret"),
                "{error}"
            );
        }
        for (name, value) in [
            ("Range", "bytes=0-1"),
            ("Cookie", "x"),
            ("X-A", "a\r\nEvil: 1"),
            ("a b", "x"),
            ("Proxy-Authorization", "x"),
        ] {
            let error =
                refused(|object| object["actions"]["download"]["header"] = json!({name: value}))
                    .await;
            assert_eq!(error.kind(), Kind::Refused, "{name}");
        }
        let many: BTreeMap<String, String> = (0..100)
            .map(|number| (format!("x-{number}"), String::new()))
            .collect();
        assert_eq!(
            refused(|object| object["actions"]["download"]["header"] = json!(many))
                .await
                .kind(),
            Kind::Refused
        );
        assert_eq!(
            refused(|object| object["actions"] = Value::Null)
                .await
                .kind(),
            Kind::NotFound
        );
    }

    #[test]
    fn headers_of_framing_and_the_connection_are_left_out_in_any_case() {
        let named = [
            "Transfer-Encoding",
            "CONTENT-LENGTH",
            "host",
            "Expect",
            "Connection",
            "Accept-Encoding",
            "Keep-Alive",
        ];
        let told = named.map(|name| (name.to_owned(), "chunked".to_owned()));
        let kept = [(
            "Content-Type".to_owned(),
            "application/octet-stream".to_owned(),
        )];
        let headers = headers_of(told.into_iter().chain(kept).collect()).unwrap();
        assert_eq!(
            headers.keys().map(HeaderName::as_str).collect::<Vec<_>>(),
            ["content-type"]
        );
    }

    #[tokio::test]
    async fn an_empty_transfer_and_hash_are_left_out_ones() {
        let asked = blobs(1);
        let server = Server::scripted([Reply::json(
            &json!({"transfer": "", "hash_algo": "", "objects": [object(&asked[0])]}),
        )])
        .await;
        assert!(repo(&server).locate(&asked).await.unwrap().is_empty());
    }

    #[test]
    fn an_address_may_not_give_up_encryption() {
        let action = Action {
            href: "http://cdn/x".to_owned(),
            header: None,
            expires_in: None,
            expires_at: None,
        };
        let hub = |url: &str| {
            Http::new(
                &url.parse().unwrap(),
                Credentials::default(),
                PlainErrorDecoder,
                HttpOptions::default(),
            )
            .unwrap()
        };
        assert_eq!(
            url_of(&action, &hub("https://hub")).unwrap_err().kind(),
            Kind::Refused
        );
        assert!(url_of(&action, &hub("http://hub")).is_ok());
    }

    #[tokio::test]
    async fn many_readers_of_one_blob_ask_once() {
        let server = Server::answering(move |_| answer(vec![object(&blobs(1)[0])])).await;
        let (repo, blob) = (repo(&server), blobs(1)[0]);
        let asked = futures_util::future::join_all((0..8).map(|_| address(&repo.lfs, blob))).await;
        assert!(asked.iter().all(Result::is_ok));
        assert_eq!(server.seen().len(), 1);
    }
}
