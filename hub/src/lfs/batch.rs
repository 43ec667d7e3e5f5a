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
use crate::http::{Http, Origin, Request, Response, user_agent};
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
    let (mut objects, when) = batch(lfs, &question, blobs).await?;
    let outcome = |blob: &Blob| {
        objects.remove(&blob.sha256).map_or_else(
            || Err(unanswered()),
            |object| download_address(object, blob, lfs, when),
        )
    };
    Ok(blobs
        .iter()
        .map(|blob| blob.sha256)
        .zip(blobs.iter().map(outcome).collect::<Vec<_>>())
        .collect())
}

pub(crate) fn wanted(blobs: &[Blob]) -> Vec<Wanted> {
    blobs
        .iter()
        .map(|blob| Wanted {
            oid: blob.sha256.to_string(),
            size: blob.size,
        })
        .collect()
}

/// Asks the batch API about these blobs.
async fn batch(lfs: &Lfs, question: &BatchQuestion<'_>, asked: &[Blob]) -> Result<(Objects, When)> {
    let attempt = || async {
        let response = lfs.http.send(request(lfs, question)?).await?;
        objects(lfs, response, question.transfers, asked, LONGEST_ANSWER).await
    };
    lfs.http.options().retrying(attempt).await
}

/// The request that asks the batch API.
pub(super) fn request(lfs: &Lfs, question: &BatchQuestion<'_>) -> Result<Request> {
    let body = serde_json::to_vec(question)
        .map_err(|error| Error::new(Kind::Invalid, error.to_string()))?;
    Ok(Request::post(lfs.batch.clone())
        .headers(user_agent::git_lfs())
        .accept(MEDIA_TYPE)
        .body(MEDIA_TYPE, body))
}

/// The objects of an answer of at most `cap` bytes, and its moment.
///
/// # Errors
/// [`Kind::Refused`] for an answer that is longer, or does not fit the question.
pub(super) async fn objects(
    lfs: &Lfs,
    response: Response,
    transfers: &[&str],
    asked: &[Blob],
    cap: u64,
) -> Result<(Objects, When)> {
    let date = date_of(response.headers());
    let answer: BatchAnswer = response.json_within(cap).await?;
    let when = When {
        now: lfs.now(),
        answered: date.unwrap_or_else(|| lfs.http.options().clock.date()),
    };
    Ok((by_digest(answer, transfers, asked)?, when))
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

fn download_address(object: Object, blob: &Blob, lfs: &Lfs, when: When) -> Result<Address> {
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
mod tests;
