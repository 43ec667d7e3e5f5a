//! Where blobs are: one LFS batch request for a hundred, the answer checked object by object, the addresses
//! kept until they expire. Facts: Git LFS batch API; huggingface_hub 2.4.0, `lfs.py`.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Mutex, PoisonError};
use std::time::{Instant, SystemTime};

use reqwest::Url;
use reqwest::header::{AUTHORIZATION, DATE, HeaderMap, HeaderName, HeaderValue};

use super::expiry::lifetime;
use super::wire::{Action, BatchAnswer, BatchQuestion, Object, ObjectError, Wanted};
use super::{Repo, Told};
use crate::http::{Origin, Request};
use crate::{Blob, Error, Kind, Result, Sha256};

/// What git-lfs asks at once.
const A_CALL: usize = 100;
const LONGEST_ANSWER: u64 = 16 << 20;
/// An address has 1 to 2 KiB: 10 MiB at most are kept. Evicted ones are asked for again.
const MOST_KEPT: usize = 5000;
const MOST_HEADERS: usize = 32;
const MEDIA_TYPE: &str = "application/vnd.git-lfs+json";

/// Where a blob can be read.
#[derive(Clone)]
pub(super) struct Address {
    url: Url,
    headers: HeaderMap,
    fresh_until: Instant,
}

impl Address {
    /// A GET of the whole blob. An address that carries its permission is sent no other.
    pub(super) fn request(&self) -> Request {
        let request = Request::get(self.url.clone()).headers(self.headers.clone());
        if self.is_signed() { request.signed() } else { request }
    }

    /// Whether it permits by itself, rather than by the hub's token.
    fn is_signed(&self) -> bool {
        self.url.query().is_some() || self.headers.contains_key(AUTHORIZATION)
    }

    /// Whether a refusal speaks of this address, and not of the hub's token.
    pub(super) fn is_apart_from(&self, hub: &Origin) -> bool {
        self.is_signed() || Origin::of(&self.url).is_ok_and(|origin| !hub.trusts(&origin))
    }
}

/// The addresses that were located.
#[derive(Default)]
pub(super) struct Addresses {
    known: Mutex<HashMap<Sha256, Address>>,
    /// Held while asking: eight streams of one file ask once.
    asking: tokio::sync::Mutex<()>,
}

impl Addresses {
    fn known(&self) -> std::sync::MutexGuard<'_, HashMap<Sha256, Address>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn fresh(&self, sha256: Sha256, now: Instant) -> Option<Address> {
        self.known().get(&sha256).filter(|address| address.fresh_until > now).cloned()
    }

    /// Those without a fresh address, each once.
    fn unknown(&self, blobs: &[Blob], now: Instant) -> Vec<Blob> {
        let known = self.known();
        let mut seen = HashSet::new();
        let is_unknown = |blob: &Blob| known.get(&blob.sha256).is_none_or(|address| address.fresh_until <= now);
        blobs.iter().filter(|blob| is_unknown(blob) && seen.insert(blob.sha256)).copied().collect()
    }

    fn keep(&self, sha256: Sha256, address: Address) {
        let mut known = self.known();
        if known.len() >= MOST_KEPT {
            let mut ends: Vec<Instant> = known.values().map(|address| address.fresh_until).collect();
            let (_, middle, _) = ends.select_nth_unstable(MOST_KEPT / 2);
            let middle = *middle;
            let mut surplus = MOST_KEPT / 2;
            known.retain(|_, address| {
                let goes = address.fresh_until <= middle && surplus > 0;
                surplus -= usize::from(goes);
                !goes
            });
        }
        known.insert(sha256, address);
    }

    /// Forgets an address that was refused, unless it was renewed meanwhile.
    pub(super) fn forget(&self, sha256: Sha256, refused: &Address) {
        let mut known = self.known();
        if known.get(&sha256).is_some_and(|address| address.url == refused.url) {
            known.remove(&sha256);
        }
    }
}

/// Locates what is not known yet; what the hub does not have is returned with the reason.
pub(super) async fn locate(repo: &Repo, blobs: &[Blob]) -> Result<Vec<(Sha256, Error)>> {
    let _alone = repo.addresses.asking.lock().await;
    let mut refused = Vec::new();
    for blobs in repo.addresses.unknown(blobs, repo.now()).chunks(A_CALL) {
        for (sha256, answer) in ask(repo, blobs).await? {
            match answer {
                Ok(address) => repo.addresses.keep(sha256, address),
                Err(error) => refused.push((sha256, error)),
            }
        }
    }
    Ok(refused)
}

/// The address of one blob, asked for when none is known.
pub(super) async fn address(repo: &Repo, blob: Blob) -> Result<Address> {
    if let Some(address) = repo.addresses.fresh(blob.sha256, repo.now()) {
        return Ok(address);
    }
    let _alone = repo.addresses.asking.lock().await;
    if let Some(address) = repo.addresses.fresh(blob.sha256, repo.now()) {
        return Ok(address);
    }
    let answer = ask(repo, &[blob]).await?.into_iter().next();
    let address = answer.map_or_else(|| Err(unanswered()), |(_, answer)| answer)?;
    repo.addresses.keep(blob.sha256, address.clone());
    Ok(address)
}

/// One call. Every blob asked for has its own outcome; an answer about anything else is refused whole.
async fn ask(repo: &Repo, blobs: &[Blob]) -> Result<Vec<(Sha256, Result<Address>)>> {
    let objects = blobs.iter().map(|blob| Wanted { oid: blob.sha256.to_string(), size: blob.size }).collect();
    let question = BatchQuestion { operation: "download", transfers: ["basic"], hash_algo: "sha256", objects };
    let question = serde_json::to_vec(&question).map_err(|error| Error::new(Kind::Invalid, error.to_string()))?;
    let url = repo.page(".git/info/lfs/objects/batch")?;
    let request = || Request::post(url.clone()).accept(MEDIA_TYPE).body(MEDIA_TYPE, question.clone());
    let told: Told<BatchAnswer> = repo.ask(LONGEST_ANSWER, request).await?;
    let when = When { now: repo.now(), answered: date_of(&told.headers).unwrap_or_else(|| repo.http.options().clock.date()) };
    let mut objects = by_digest(told.value, blobs)?;
    let outcome = |blob: &Blob| objects.remove(&blob.sha256).map_or_else(|| Err(unanswered()), |object| judge(object, blob, repo, when));
    Ok(blobs.iter().map(|blob| blob.sha256).zip(blobs.iter().map(outcome).collect::<Vec<_>>()).collect())
}

/// The moment of an answer: by this machine's count, and by the hub's clock.
#[derive(Clone, Copy)]
struct When {
    now: Instant,
    answered: SystemTime,
}

fn date_of(headers: &HeaderMap) -> Option<SystemTime> {
    httpdate::parse_http_date(headers.get(DATE)?.to_str().ok()?).ok()
}

fn unanswered() -> Error {
    Error::new(Kind::Refused, "the hub did not answer for this blob")
}

/// The answered objects, every one of them asked for, once, by SHA-256 and for a plain GET.
fn by_digest(answer: BatchAnswer, asked: &[Blob]) -> Result<HashMap<Sha256, Object>> {
    let refused = |why: &str| Error::new(Kind::Refused, format!("the hub's LFS answer {why}"));
    if answer.hash_algo.is_some_and(|algorithm| algorithm != "sha256") {
        return Err(refused("uses another hash than SHA-256"));
    }
    if answer.transfer.is_some_and(|transfer| transfer != "basic") {
        return Err(refused("wants a transfer other than basic"));
    }
    let asked: HashSet<Sha256> = asked.iter().map(|blob| blob.sha256).collect();
    let mut objects = HashMap::new();
    for object in answer.objects {
        let sha256 = object.oid.parse().ok().filter(|sha256| asked.contains(sha256));
        let sha256 = sha256.ok_or_else(|| refused("holds an object that was not asked for"))?;
        if objects.insert(sha256, object).is_some() {
            return Err(refused("holds an object twice"));
        }
    }
    Ok(objects)
}

fn judge(object: Object, blob: &Blob, repo: &Repo, when: When) -> Result<Address> {
    if let Some(error) = object.error {
        return Err(refusal(error));
    }
    if object.size.is_some_and(|size| u64::try_from(size) != Ok(blob.size)) {
        return Err(Error::new(Kind::Refused, format!("the hub's LFS answer has another size than the {} bytes listed", blob.size)));
    }
    let action = object.actions.and_then(|actions| actions.download);
    let action = action.ok_or_else(|| Error::new(Kind::NotFound, "the hub has no content for this blob"))?;
    let fresh_until = when.now + lifetime(&action, when.answered);
    Ok(Address { url: url_of(&action, repo.http.origin())?, headers: headers_of(action.header.unwrap_or_default())?, fresh_until })
}

fn url_of(action: &Action, hub: &Origin) -> Result<Url> {
    let url: Url = action.href.parse().map_err(|_| Error::new(Kind::Refused, "the hub's LFS answer holds something that is no address"))?;
    match hub.is_downgraded_by(&Origin::of(&url)?) {
        true => Err(Error::new(Kind::Refused, "the hub's LFS answer leads from https to http")),
        false => Ok(url),
    }
}

/// The headers that storage wants with the GET; none that would change what the request is.
fn headers_of(headers: BTreeMap<String, String>) -> Result<HeaderMap> {
    const OURS: [&str; 10] =
        ["host", "connection", "content-length", "transfer-encoding", "te", "upgrade", "expect", "range", "accept-encoding", "cookie"];
    let refused = |name: &str| Error::new(Kind::Refused, format!("the hub's LFS answer wants the header '{}'", crate::path::escape(name)));
    if headers.len() > MOST_HEADERS {
        return Err(Error::new(Kind::Refused, format!("the hub's LFS answer wants more than {MOST_HEADERS} headers")));
    }
    let pairs = headers.into_iter().map(|(name, value)| {
        let header = HeaderName::try_from(name.as_str()).ok().filter(|name| !OURS.contains(&name.as_str()) && !is_proxys(name));
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
fn refusal(error: ObjectError) -> Error {
    let kind = match error.code {
        Some(404 | 410) => Kind::NotFound,
        Some(401 | 403) => Kind::Denied,
        Some(408 | 429 | 500..=599) => Kind::Transient,
        _ => Kind::Invalid,
    };
    let said: String = crate::path::escape(&error.message.unwrap_or_default()).chars().take(300).collect();
    let code = error.code.map(|code| format!(" ({code})")).unwrap_or_default();
    Error::new(kind, format!("the hub does not hand out this blob: {said}{code}"))
}

impl Repo {
    fn now(&self) -> Instant {
        self.http.options().clock.now()
    }
}
