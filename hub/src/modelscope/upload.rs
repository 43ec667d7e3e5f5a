//! The blob check: which blobs the hub lacks, and where each of them is to be put.
//!
//! The hub names the blobs it wants; one that it does not mention is stored already, anywhere on the hub
//! (modelscope-hub 0.5.1, `_upload.py`, `_validate_blobs_batch`). So silence means "stored" inside a good
//! answer only: whatever is no good answer is an error here.

use std::collections::HashMap;
use std::sync::PoisonError;

use reqwest::header::{
    CONNECTION, CONTENT_LENGTH, HOST, HeaderMap, HeaderName, HeaderValue, TRANSFER_ENCODING,
};
use reqwest::{StatusCode, Url};
use serde_json::Value;

use super::commit::read_denial;
use super::wire::{Check, Checked, Named, Object, ObjectError, Upload};
use super::{ModelScopeRepo, errors};
use crate::http::{Origin, Request};
use crate::path::escape;
use crate::{Blob, Error, Kind, Missing, Redactor, Result, Sha256};

/// Blobs in one check (`UPLOAD_BLOB_VALIDATION_BATCH_MAX_OBJECTS`).
pub(super) const BLOBS_A_CHECK: usize = 64;
/// Addresses remembered at once, some KiB each; the others are asked for again when their turn comes.
const MOST_TARGETS: usize = 4_096;

/// Where a blob is to be put.
#[derive(Debug, Clone)]
pub(super) struct PutAddress {
    pub url: Url,
    /// What the hub wants said there.
    pub headers: HeaderMap,
}

/// What the hub says of one blob that it mentions.
enum Verdict {
    Stored,
    Wanted(PutAddress),
    Refused(Error),
}

impl ModelScopeRepo {
    /// Asks in as many requests as the hub's limit takes. A blob given twice is answered once.
    ///
    /// # Errors
    /// [`Kind::Refused`] for an answer about something nobody asked for; what the hub complains of.
    pub(super) async fn check_blobs(&self, blobs: &[Blob]) -> Result<Missing> {
        let mut missing = Missing::default();
        for part in once_each(blobs).chunks(BLOBS_A_CHECK) {
            self.check_some(part, &mut missing).await?;
        }
        Ok(missing)
    }

    async fn check_some(&self, blobs: &[Blob], missing: &mut Missing) -> Result<()> {
        let objects = blobs
            .iter()
            .map(|blob| Named {
                oid: blob.sha256.to_string(),
                size: blob.size,
            })
            .collect();
        let request = Request::post(self.git_api(&["info", "lfs", "objects", "batch"]));
        let answer = self
            .ask_doubting(
                request.json(&Check {
                    operation: "upload",
                    objects,
                })?,
                read_denial,
            )
            .await?;
        let mut verdicts = self.verdicts(answer, blobs)?;
        for blob in blobs {
            match verdicts.remove(&blob.sha256) {
                None | Some(Verdict::Stored) => {}
                Some(Verdict::Refused(error)) => missing.refused.push((blob.sha256, error)),
                Some(Verdict::Wanted(target)) => {
                    self.remember(blob.sha256, target);
                    missing.wanted.push(*blob);
                }
            }
        }
        Ok(())
    }

    fn verdicts(&self, answer: Value, asked: &[Blob]) -> Result<HashMap<Sha256, Verdict>> {
        // A good envelope whose `Data` is null mentions nothing, which is how the official client reads it too.
        if answer.is_null() {
            return Ok(HashMap::new());
        }
        if !answer.is_object() {
            return Err(refused("the hub answered nothing about the blobs"));
        }
        let answer: Checked = serde_json::from_value(answer)
            .map_err(|error| refused(format!("not a blob check's answer: {error}")))?;
        only(answer.transfer.as_deref(), "basic", "transfer")?;
        only(answer.hash_algo.as_deref(), "sha256", "hash")?;
        let sizes: HashMap<_, _> = asked.iter().map(|blob| (blob.sha256, blob.size)).collect();
        let objects = answer.objects.unwrap_or_default().into_iter();
        objects
            .map(|object| Ok((asked_for(&object, &sizes)?, self.verdict(object))))
            .collect()
    }

    fn verdict(&self, object: Object) -> Verdict {
        let upload = object.actions.and_then(|actions| actions.upload);
        match (object.error, upload) {
            (Some(error), _) => Verdict::Refused(error_of(&error, self.http.redactor())),
            (None, None) => Verdict::Stored,
            (None, Some(upload)) => self
                .target(&upload)
                .map_or_else(Verdict::Refused, Verdict::Wanted),
        }
    }

    fn target(&self, upload: &Upload) -> Result<PutAddress> {
        let href = upload
            .href
            .as_deref()
            .ok_or_else(|| refused("the hub wants it but names no address"))?;
        let url = self.http.own(
            self.base
                .join(href)
                .map_err(|_| refused("the hub names something that is no address"))?,
        );
        let there = Origin::of(&url)?;
        if self.http.origin().is_downgraded_by(&there) {
            return Err(refused("the hub names an address without encryption"));
        }
        let told = upload.header.iter().flatten();
        let headers = told
            .filter_map(|(name, value)| self.header(name, value, &there))
            .collect();
        Ok(PutAddress { url, headers })
    }

    /// A header the hub wants sent: none that describes the body or the connection, and never our token to
    /// another origin.
    fn header(&self, name: &str, value: &str, there: &Origin) -> Option<(HeaderName, HeaderValue)> {
        let leaks = self
            .token
            .as_ref()
            .is_some_and(|token| !token.is_short() && token.redact(value) != value);
        if leaks && !self.http.origin().trusts(there) {
            return None;
        }
        let (name, mut value) = (
            HeaderName::try_from(name).ok()?,
            HeaderValue::try_from(value).ok()?,
        );
        value.set_sensitive(true);
        let ours = [HOST, CONTENT_LENGTH, TRANSFER_ENCODING, CONNECTION].contains(&name);
        (!ours).then_some((name, value))
    }

    fn remember(&self, sha256: Sha256, target: PutAddress) {
        let mut targets = self.targets.lock().unwrap_or_else(PoisonError::into_inner);
        if targets.len() < MOST_TARGETS || targets.contains_key(&sha256) {
            targets.insert(sha256, target);
        }
    }

    /// The address that the last check gave, taken out.
    pub(super) fn recall(&self, sha256: Sha256) -> Option<PutAddress> {
        self.targets
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&sha256)
    }
}

fn once_each(blobs: &[Blob]) -> Vec<Blob> {
    let mut seen = std::collections::HashSet::new();
    blobs
        .iter()
        .copied()
        .filter(|blob| seen.insert(blob.sha256))
        .collect()
}

fn refused(message: impl Into<String>) -> Error {
    Error::new(Kind::Refused, message)
}

/// Fails when the hub chose another way than the one there is.
fn only(chosen: Option<&str>, known: &str, what: &str) -> Result<()> {
    match chosen {
        Some(other) if other != known => Err(refused(format!(
            "the hub chose the {what} '{}' that nobody offered",
            escape(other)
        ))),
        _ => Ok(()),
    }
}

/// The digest of an object, if it is one of those asked for.
fn asked_for(object: &Object, sizes: &HashMap<Sha256, u64>) -> Result<Sha256> {
    let oid = object
        .oid
        .parse::<Sha256>()
        .ok()
        .filter(|oid| sizes.contains_key(oid));
    let oid = oid.ok_or_else(|| {
        refused(format!(
            "the hub answered about the object '{}' that nobody asked for",
            escape(&object.oid)
        ))
    })?;
    match (object.size, sizes.get(&oid)) {
        (Some(told), Some(asked)) if told != *asked => Err(refused(format!(
            "the hub says {told} bytes of {oid}, which has {asked}"
        ))),
        _ => Ok(oid),
    }
}

fn error_of(error: &ObjectError, redactor: &Redactor) -> Error {
    let status = error.code.and_then(|code| StatusCode::from_u16(code).ok());
    let kind = match status.map_or(Kind::Invalid, errors::kind_of) {
        // About one object: the token was good enough for the check.
        Kind::Unauthorized => Kind::Denied,
        kind => kind,
    };
    let words = redactor.quote(error.message.as_deref().unwrap_or("the hub refuses it"));
    Error::new(kind, words).with_status(error.code.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::api::tests::{TOKEN, bad, good, repo};
    use super::*;
    use crate::RepoKind;
    use crate::http::testing::{Reply, Server};

    fn blob(n: u64) -> Blob {
        Blob {
            sha256: Sha256::of(&n.to_be_bytes()),
            size: n,
        }
    }

    fn wanted(n: u64, href: &str) -> Value {
        json!({"oid": blob(n).sha256, "size": n, "actions": {"upload": {"href": href}}})
    }

    async fn check(answer: Reply, blobs: &[Blob]) -> (Result<Missing>, Server) {
        let server = Server::answering(move |_| answer.clone()).await;
        let missing = repo(&server, RepoKind::Model).check_blobs(blobs).await;
        (missing, server)
    }

    async fn kind_of(answer: Reply) -> Kind {
        check(answer, &[blob(1)]).await.0.unwrap_err().kind()
    }

    #[tokio::test]
    async fn what_has_an_address_is_wanted_and_everything_else_is_stored() {
        let answer = good(
            json!({"objects": [wanted(1, "/put/1"), {"oid": blob(2).sha256, "size": 2}, {"oid": blob(3).sha256, "actions": {}}]}),
        );
        let (missing, server) = check(answer, &[blob(4), blob(1), blob(2), blob(3), blob(1)]).await;
        let missing = missing.unwrap();
        assert_eq!((missing.wanted, missing.refused.len()), (vec![blob(1)], 0));
        let seen = &server.seen()[0];
        assert_eq!(
            seen.line(),
            "POST /api/v1/repos/models/org/name/info/lfs/objects/batch"
        );
        assert_eq!(
            (
                &seen.json()["operation"],
                seen.json()["objects"].as_array().unwrap().len()
            ),
            (&json!("upload"), 4)
        );
        assert_eq!(
            seen.json()["objects"][1],
            json!({"oid": blob(1).sha256, "size": 1})
        );
    }

    #[tokio::test]
    async fn more_blobs_than_a_check_takes_are_asked_in_parts() {
        let server = Server::answering(|seen| {
            good(if seen.json()["objects"][2].is_null() {
                Value::Null
            } else {
                json!({"objects": null})
            })
        })
        .await;
        let blobs: Vec<_> = (0..130).map(blob).collect();
        assert!(
            repo(&server, RepoKind::Dataset)
                .check_blobs(&blobs)
                .await
                .unwrap()
                .wanted
                .is_empty()
        );
        let counts: Vec<_> = server
            .seen()
            .iter()
            .map(|seen| seen.json()["objects"].as_array().unwrap().len())
            .collect();
        assert_eq!(counts, [64, 64, 2]);
    }

    #[tokio::test]
    async fn a_failed_check_is_never_read_as_stored() {
        for (answer, kind) in [
            (bad(200, 500, "busy"), Kind::Transient),
            (bad(200, 10_000_000_001, "no"), Kind::Invalid),
            (bad(404, 404, "no repo"), Kind::NotFound),
            (
                bad(
                    404,
                    404,
                    "could not be found or you don't have permission to view it",
                ),
                Kind::Denied,
            ),
            (good(json!([])), Kind::Refused),
            (good(json!({"objects": "none"})), Kind::Refused),
            (Reply::new(200, &[], "<html>"), Kind::Refused),
            (Reply::new(200, &[], ""), Kind::Refused),
        ] {
            assert_eq!(kind_of(answer).await, kind);
        }
    }

    #[tokio::test]
    async fn a_batch_that_fails_in_part_costs_only_those_objects() {
        let answer = good(json!({"objects": [
            wanted(1, "/put/1"),
            {"oid": blob(2).sha256, "size": 2, "error": {"code": 422, "message": "too\u{1b} large"}},
            wanted(3, "ftp://elsewhere/x"),
            {"oid": blob(4).sha256, "actions": {"upload": {}}},
            {"oid": blob(5).sha256, "error": {"code": 401}},
        ]}));
        let missing = check(answer, &[1, 2, 3, 4, 5].map(blob)).await.0.unwrap();
        assert_eq!(missing.wanted, [blob(1)]);
        let kinds: Vec<_> = missing
            .refused
            .iter()
            .map(|(sha256, error)| (*sha256, error.kind()))
            .collect();
        let expected = [
            (2, Kind::Invalid),
            (3, Kind::Refused),
            (4, Kind::Refused),
            (5, Kind::Denied),
        ];
        assert_eq!(kinds, expected.map(|(n, kind)| (blob(n).sha256, kind)));
        assert_eq!(missing.refused[0].1.message(), "too\\u{1b} large");
    }

    #[tokio::test]
    async fn an_object_size_hash_or_transfer_nobody_asked_for_is_refused() {
        for data in [
            json!({"objects": [wanted(9, "/x")]}),
            json!({"objects": [{"oid": "abc"}]}),
            json!({"objects": [{"oid": blob(1).sha256, "size": 2, "actions": {"upload": {"href": "/x"}}}]}),
            json!({"objects": [], "hash_algo": "sha1"}),
            json!({"objects": [], "transfer": "multipart-basic"}),
        ] {
            assert_eq!(kind_of(good(data.clone())).await, Kind::Refused, "{data}");
        }
        let (missing, _) = check(
            good(json!({"objects": [], "hash_algo": "sha256", "transfer": "basic"})),
            &[blob(1)],
        )
        .await;
        assert!(missing.unwrap().wanted.is_empty());
    }

    #[tokio::test]
    async fn an_address_without_encryption_is_refused_by_an_https_hub() {
        let server = Server::scripted([]).await;
        let mut at = repo(&server, RepoKind::Model).at;
        at.endpoint = "https://modelscope.cn".to_owned();
        let repo =
            ModelScopeRepo::open(&crate::Side { at, token: None }, Default::default()).unwrap();
        let target = |href: &str| {
            repo.target(&Upload {
                href: Some(href.to_owned()),
                header: None,
            })
        };
        assert_eq!(
            target("http://oss.example/x").unwrap_err().kind(),
            Kind::Refused
        );
        assert_eq!(
            target("https://u:p@oss.example/x").unwrap_err().kind(),
            Kind::Refused
        );
        assert_eq!(
            target("/x?s").unwrap().url.as_str(),
            "https://modelscope.cn/x?s"
        );
    }

    #[tokio::test]
    async fn headers_come_along_but_not_those_of_the_body_nor_our_token_elsewhere() {
        let server = Server::scripted([]).await;
        let repo = repo(&server, RepoKind::Model);
        let header = json!({"X-Oss-Meta": "1", "Content-Length": "9", "Host": "h", "bad name": "x", "Authorization": format!("Bearer {TOKEN}")});
        let upload = |href: &str| Upload {
            href: Some(href.to_owned()),
            header: serde_json::from_value(header.clone()).unwrap(),
        };
        let elsewhere = repo
            .target(&upload("http://127.0.0.2:1/x"))
            .unwrap()
            .headers;
        assert_eq!(
            elsewhere.keys().map(HeaderName::as_str).collect::<Vec<_>>(),
            ["x-oss-meta"]
        );
        assert_eq!(repo.target(&upload("/x")).unwrap().headers.len(), 2);
    }

    #[tokio::test]
    async fn no_more_addresses_are_remembered_than_fit() {
        let server = Server::scripted([]).await;
        let repo = repo(&server, RepoKind::Model);
        let target = PutAddress {
            url: server.url().clone(),
            headers: HeaderMap::new(),
        };
        (0..=MOST_TARGETS as u64).for_each(|n| repo.remember(blob(n).sha256, target.clone()));
        assert_eq!(repo.targets.lock().unwrap().len(), MOST_TARGETS);
        assert!(repo.recall(blob(0).sha256).is_some() && repo.recall(blob(0).sha256).is_none());
    }
}
