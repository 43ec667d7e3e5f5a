//! Which blobs the hub lacks, and where each of them goes: the LFS batch, asked for uploads. Facts:
//! huggingface_hub 2.4.0, `_commit_api.py` and `lfs.py`.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use futures_util::TryFutureExt;
use reqwest::Url;
use reqwest::header::HeaderMap;

use super::Lfs;
use super::batch::{Objects, When, actions, headers_of, safe, unanswered, url_of};
use super::multipart::Parts;
use super::wire::{Action, Actions};
use crate::{Blob, Error, Kind, Missing, Result, Sha256};

/// Parts that the answer to one check may list, as far as can be foreseen: each is an address of some hundred bytes.
const PARTS_A_CHECK: u64 = 4_000;
/// The smallest part that is foreseen.
const PART: u64 = 8 << 20;
/// Addresses remembered at once; the others are asked for again when their turn comes.
const MOST_KEPT: usize = 4_096;
/// A check that is answered by nothing is asked so often.
const ASKED: usize = 2;
/// Parts of an upload whose addresses are worth keeping until its turn.
const MOST_PARTS_KEPT: usize = 16;

/// Where a blob goes, and who is told then.
#[derive(Clone)]
pub(crate) struct UploadAddress {
    pub(super) way: UploadShape,
    /// The server says that the addresses carry their own permission.
    pub(super) authenticated: bool,
    /// Where the hub wants to hear that all is there.
    pub(super) verify: Option<(Url, HeaderMap)>,
    /// `None` where the server tells no end.
    fresh_until: Option<Instant>,
}

impl UploadAddress {
    /// An address for one PUT that names no end and wants nothing else.
    pub(crate) fn of_put(url: Url, headers: HeaderMap) -> Self {
        Self {
            way: UploadShape::Whole(url, headers),
            authenticated: false,
            verify: None,
            fresh_until: None,
        }
    }
}

/// How a blob goes there.
#[derive(Clone)]
pub(super) enum UploadShape {
    /// In one PUT.
    Whole(Url, HeaderMap),
    /// In several.
    Parts(Parts),
}

impl UploadShape {
    fn is_worth_keeping(&self) -> bool {
        match self {
            Self::Whole(..) => true,
            Self::Parts(parts) => parts.count() <= MOST_PARTS_KEPT,
        }
    }
}

/// The targets that checks have given.
#[derive(Default)]
pub(super) struct UploadAddresses(Mutex<HashMap<Sha256, UploadAddress>>);

impl UploadAddresses {
    fn all(&self) -> std::sync::MutexGuard<'_, HashMap<Sha256, UploadAddress>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn keep(&self, sha256: Sha256, target: UploadAddress) {
        let mut all = self.all();
        if target.way.is_worth_keeping() && (all.len() < MOST_KEPT || all.contains_key(&sha256)) {
            all.insert(sha256, target);
        }
    }

    /// Taken out: an address serves once, whatever comes of it.
    fn take(&self, sha256: Sha256, now: Instant) -> Option<UploadAddress> {
        self.all()
            .remove(&sha256)
            .filter(|target| target.fresh_until.is_none_or(|end| end > now))
    }
}

/// Asks in as few requests as their answers allow. A blob given twice is answered once.
///
/// # Errors
/// What the hub complains of; [`Kind::Refused`] for an answer about something nobody asked for.
pub(super) async fn missing(lfs: &Lfs, blobs: &[Blob]) -> Result<Missing> {
    let mut missing = Missing::default();
    for blobs in calls(blobs, lfs.protocol.blobs_a_check(), lfs.in_parts) {
        for (blob, answer) in ask(lfs, &blobs).await? {
            match answer {
                Ok(None) => {}
                Ok(Some(target)) => {
                    lfs.targets.keep(blob.sha256, target);
                    missing.wanted.push(blob);
                }
                Err(error) => missing.refused.push((blob.sha256, error)),
            }
        }
    }
    Ok(missing)
}

/// Where one blob goes; `None` when the hub has it by now.
///
/// # Errors
/// What the hub says of this blob, or complains of.
pub(super) async fn target(lfs: &Lfs, blob: Blob) -> Result<Option<UploadAddress>> {
    if let Some(target) = lfs.targets.take(blob.sha256, lfs.now()) {
        return Ok(Some(target));
    }
    address(lfs, blob).await
}

/// Where one blob goes by the hub's answer of now; `None` when the hub has it.
///
/// # Errors
/// As [`target`].
pub(super) async fn address(lfs: &Lfs, blob: Blob) -> UploadAnswer {
    ask(lfs, &[blob])
        .await?
        .pop()
        .map_or_else(|| Err(unanswered()), |(_, answer)| answer)
}

/// Each blob once, in calls whose answers stay small.
fn calls(blobs: &[Blob], most: usize, in_parts: bool) -> Vec<Vec<Blob>> {
    let mut seen = HashSet::new();
    let mut calls: Vec<Vec<Blob>> = Vec::new();
    let mut room = 0;
    for blob in blobs.iter().filter(|blob| seen.insert(blob.sha256)) {
        let parts = if in_parts {
            blob.size.div_ceil(PART)
        } else {
            0
        };
        match calls.last_mut() {
            Some(call) if call.len() < most && parts <= room => call.push(*blob),
            _ => {
                calls.push(vec![*blob]);
                room = PARTS_A_CHECK;
            }
        }
        room = room.saturating_sub(parts);
    }
    calls
}

/// What a server says of one blob: where it goes, `None` when it is stored, or why it is refused.
pub(crate) type UploadAnswer = Result<Option<UploadAddress>>;

/// One call. Every blob asked for has its own outcome. Nothing is no answer: it does not mean that a blob is stored.
async fn ask(lfs: &Lfs, blobs: &[Blob]) -> Result<Vec<(Blob, UploadAnswer)>> {
    let attempt = || async {
        let response = lfs.http.send(lfs.protocol.request(lfs, blobs)?).await?;
        lfs.protocol.answers(lfs, response, blobs).await
    };
    let doubted = || attempt().map_err(|error| lfs.protocol.read_error(error));
    for _ in 0..ASKED {
        if let Some(answers) = lfs.http.options().retrying(doubted).await? {
            return Ok(answers);
        }
    }
    Err(Error::new(
        Kind::Refused,
        "the hub's blob check was answered by nothing, twice: whether the blobs are stored is not known",
    ))
}

/// What Git LFS says of one of the blobs asked for.
pub(super) fn upload_address(
    objects: &mut Objects,
    blob: &Blob,
    lfs: &Lfs,
    when: When,
) -> UploadAnswer {
    let object = objects.remove(&blob.sha256).ok_or_else(unanswered)?;
    let authenticated = object.authenticated == Some(true);
    match actions(object, blob, lfs)? {
        Some(Actions {
            upload: Some(upload),
            verify,
            ..
        }) => {
            let hub = &lfs.http;
            let told = |verify: Action| {
                Ok::<_, Error>((
                    url_of(&verify, hub)?,
                    headers_of(verify.header.unwrap_or_default())?,
                ))
            };
            let verify = verify.map(told).transpose()?;
            let (fresh_until, url) = (when.until(&upload), url_of(&upload, hub)?);
            let way = way(url, upload.header.unwrap_or_default(), blob, lfs)?;
            Ok(Some(UploadAddress {
                way,
                authenticated,
                verify,
                fresh_until: Some(fresh_until),
            }))
        }
        // No upload is asked for: it is stored already.
        _ => Ok(None),
    }
}

/// A `chunk_size` among the headers means parts; the numbered ones are their addresses.
fn way(url: Url, header: BTreeMap<String, String>, blob: &Blob, lfs: &Lfs) -> Result<UploadShape> {
    let refused = |why: &str| Error::new(Kind::Refused, format!("the hub's LFS answer {why}"));
    let Some(size) = header.get("chunk_size") else {
        return Ok(UploadShape::Whole(url, headers_of(header)?));
    };
    let size: u64 = size
        .parse()
        .ok()
        .filter(|size| *size > 0)
        .ok_or_else(|| refused("has parts of no size"))?;
    let numbered = header
        .iter()
        .filter_map(|(name, href)| Some((number(name)?, href)));
    let hrefs: BTreeMap<u64, &String> = numbered.collect();
    let count = blob.size.div_ceil(size);
    if hrefs.len() as u64 != count || !hrefs.keys().copied().eq(1..=count) {
        return Err(refused("does not have an address a part"));
    }
    let urls = hrefs
        .values()
        .map(|href| safe(href, &lfs.http))
        .collect::<Result<Vec<_>>>()?;
    Ok(UploadShape::Parts(Parts::new(size, urls, url)))
}

fn number(name: &str) -> Option<u64> {
    name.bytes()
        .all(|byte| byte.is_ascii_digit())
        .then(|| name.parse().ok())
        .flatten()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::http::testing::{Reply, Server};
    use crate::huggingface::testing::repo;

    fn blob(n: u64) -> Blob {
        Blob {
            sha256: Sha256::of(&n.to_be_bytes()),
            size: n,
        }
    }

    async fn check(objects: Value, blobs: &[Blob]) -> (Result<Missing>, Server) {
        let server = Server::answering(move |_| Reply::json(&json!({"objects": objects}))).await;
        let missing = missing(&repo(&server).lfs, blobs).await;
        (missing, server)
    }

    fn wanted(n: u64) -> Value {
        json!({"oid": blob(n).sha256, "size": n, "actions": {"upload": {"href": "http://127.0.0.1:1/x?sig=1"}}})
    }

    #[tokio::test]
    async fn what_has_no_upload_is_stored_and_each_refusal_is_its_own() {
        let stored = json!({"oid": blob(2).sha256, "size": 2});
        let refused =
            json!({"oid": blob(3).sha256, "size": 3, "error": {"code": 422, "message": "no"}});
        let (missing, server) = check(
            json!([wanted(1), stored, refused]),
            &[blob(1), blob(2), blob(3), blob(4), blob(1)],
        )
        .await;
        let missing = missing.unwrap();
        assert_eq!(missing.wanted, [blob(1)]);
        let kinds: Vec<_> = missing
            .refused
            .iter()
            .map(|(sha256, error)| (*sha256, error.kind()))
            .collect();
        assert_eq!(
            kinds,
            [
                (blob(3).sha256, Kind::Invalid),
                (blob(4).sha256, Kind::Refused)
            ],
            "silence is no answer"
        );
        let asked = server.seen()[0].json();
        assert_eq!(
            (
                asked["operation"].as_str(),
                asked["objects"].as_array().unwrap().len()
            ),
            (Some("upload"), 4)
        );
        assert_eq!(asked["transfers"], json!(["basic", "multipart"]));
    }

    #[tokio::test]
    async fn answers_about_anything_else_are_refused() {
        for odd in [
            wanted(9),
            json!({"oid": blob(1).sha256, "size": 77, "actions": {"upload": {"href": "http://h/x"}}}),
        ] {
            let missing = check(json!([odd]), &[blob(1)]).await.0;
            let kind = missing
                .map(|missing| missing.refused[0].1.kind())
                .unwrap_or_else(|error| error.kind());
            assert_eq!(kind, Kind::Refused);
        }
    }

    #[tokio::test]
    async fn parts_need_an_address_each() {
        let answer = |header: Value| json!([{"oid": blob(10).sha256, "size": 10, "actions": {"upload": {"href": "http://127.0.0.1:1/done", "header": header}}}]);
        let part = "http://127.0.0.1:1/part";
        let good = check(
            answer(json!({"chunk_size": "4", "00001": part, "00002": part, "00003": part})),
            &[blob(10)],
        )
        .await
        .0
        .unwrap();
        assert_eq!(good.wanted, [blob(10)]);
        for bad in [
            json!({"chunk_size": "0", "1": part}),
            json!({"chunk_size": "x", "1": part}),
            json!({"chunk_size": "4", "1": part, "2": part}),
            json!({"chunk_size": "4", "1": part, "2": part, "4": part}),
            json!({"chunk_size": "4", "1": part, "2": part, "3": "nowhere"}),
        ] {
            let missing = check(answer(bad.clone()), &[blob(10)]).await.0.unwrap();
            assert_eq!(missing.refused[0].1.kind(), Kind::Refused, "{bad}");
        }
    }

    #[test]
    fn files_of_many_parts_share_no_call() {
        let large = |n: u64| Blob {
            size: 20 << 30,
            ..blob(n)
        };
        let calls_of = |blobs: &[Blob]| {
            calls(blobs, super::super::protocol::BLOBS_A_CHECK, true)
                .iter()
                .map(Vec::len)
                .collect::<Vec<_>>()
        };
        assert_eq!(calls_of(&[large(1), large(2), large(3)]), [1, 1, 1]);
        assert_eq!(calls_of(&(0..300).map(blob).collect::<Vec<_>>()), [256, 44]);
    }

    #[test]
    fn no_more_addresses_are_remembered_than_fit() {
        let (targets, now) = (UploadAddresses::default(), Instant::now());
        let url: Url = "https://s/x".parse().unwrap();
        let target = UploadAddress::of_put(url, HeaderMap::new());
        (0..=MOST_KEPT as u64).for_each(|n| targets.keep(blob(n).sha256, target.clone()));
        assert_eq!(targets.all().len(), MOST_KEPT);
        assert!(targets.take(blob(0).sha256, now).is_some());
        assert!(targets.take(blob(0).sha256, now).is_none());
    }
}
