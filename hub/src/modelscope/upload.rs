//! The blob check and the PUT, as ModelScope has them: what [`crate::lfs`] asks, and how it reads the answers.
//!
//! The hub names the blobs it wants; one that it does not mention is stored already, anywhere on the hub
//! (modelscope-hub 0.5.1, `_upload.py`, `_validate_blobs_batch`). So silence means "stored" inside a good
//! answer only, one with a list of objects (recorded at the real hub: an empty one): nothing in its place is no answer.

use std::collections::HashMap;

use async_trait::async_trait;
use reqwest::header::{
    CONNECTION, CONTENT_LENGTH, HOST, HeaderMap, HeaderName, HeaderValue, TRANSFER_ENCODING,
};
use reqwest::{StatusCode, Url};
use serde_json::Value;

use super::api::{REQUEST_ID, request_id};
use super::commit::read_denial;
use super::wire::{Check, Checked, Object, ObjectError, Upload};
use super::{errors, put};
use crate::http::{Http, Origin, Request, Response};
use crate::lfs::{Lfs, UploadAddress, UploadAnswer, UploadProtocol, WholeUpload, wanted};
use crate::path::escape;
use crate::{Blob, Error, Kind, Redactor, Result, Sha256, Token};

/// Blobs in one check (`UPLOAD_BLOB_VALIDATION_BATCH_MAX_OBJECTS`).
pub(super) const BLOBS_A_CHECK: usize = 64;

/// ModelScope's protocol: LFS's batch in an envelope, one PUT a blob.
pub(super) struct ModelScopeLfs {
    /// What relative addresses are below.
    pub(super) base: Url,
    pub(super) token: Option<Token>,
}

#[async_trait]
impl UploadProtocol for ModelScopeLfs {
    fn blobs_a_check(&self) -> usize {
        BLOBS_A_CHECK
    }

    fn request(&self, lfs: &Lfs, blobs: &[Blob]) -> Result<Request> {
        let request = Request::post(lfs.batch.clone()).json(&Check {
            operation: "upload",
            objects: wanted(blobs),
        })?;
        Ok(request.once().header(REQUEST_ID, request_id()))
    }

    async fn answers(
        &self,
        lfs: &Lfs,
        response: Response,
        asked: &[Blob],
    ) -> Result<Option<Vec<(Blob, UploadAnswer)>>> {
        let data = errors::data_of(response, lfs.http.redactor()).await?;
        let Some(objects) = checked(data)? else {
            return Ok(None);
        };
        let sizes: HashMap<_, _> = asked.iter().map(|blob| (blob.sha256, blob.size)).collect();
        let mut answers = HashMap::new();
        for object in objects {
            answers.insert(asked_for(&object, &sizes)?, self.answer(&lfs.http, object));
        }
        let answer = |blob: &Blob| (*blob, answers.remove(&blob.sha256).unwrap_or(Ok(None)));
        Ok(Some(asked.iter().map(answer).collect()))
    }

    fn read_error(&self, error: Error) -> Error {
        read_denial(error)
    }

    async fn put(&self, lfs: &Lfs, upload: WholeUpload) -> Result<()> {
        put::send(&lfs.http, upload).await
    }
}

impl ModelScopeLfs {
    fn answer(&self, http: &Http, object: Object) -> UploadAnswer {
        let upload = object.actions.and_then(|actions| actions.upload);
        match (object.error, upload) {
            (Some(error), _) => Err(error_of(&error, http.redactor())),
            (None, None) => Ok(None),
            (None, Some(upload)) => {
                let (url, headers) = self.address(http, &upload)?;
                Ok(Some(UploadAddress::of_put(url, headers)))
            }
        }
    }

    fn address(&self, http: &Http, upload: &Upload) -> Result<(Url, HeaderMap)> {
        let href = upload
            .href
            .as_deref()
            .ok_or_else(|| refused("the hub wants it but names no address"))?;
        let url = http.own(
            self.base
                .join(href)
                .map_err(|_| refused("the hub names something that is no address"))?,
        );
        let there = Origin::of(&url)?;
        if http.origin().is_downgraded_by(&there) {
            return Err(refused("the hub names an address without encryption"));
        }
        let told = upload.header.iter().flatten();
        let headers = told
            .filter_map(|(name, value)| self.header(http, name, value, &there))
            .collect();
        Ok((url, headers))
    }

    /// A header the hub wants sent: none that describes the body or the connection, and never our token to
    /// another origin.
    fn header(
        &self,
        http: &Http,
        name: &str,
        value: &str,
        there: &Origin,
    ) -> Option<(HeaderName, HeaderValue)> {
        let leaks = self
            .token
            .as_ref()
            .is_some_and(|token| !token.is_short() && token.redact(value) != value);
        if leaks && !http.origin().trusts(there) {
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
}

/// The objects that a check's answer mentions; `None` where it has no list of them. The official client reads that as "all stored".
fn checked(data: Value) -> Result<Option<Vec<Object>>> {
    if data.is_null() {
        return Ok(None);
    }
    if !data.is_object() {
        return Err(refused("the hub answered nothing about the blobs"));
    }
    let answer: Checked = serde_json::from_value(data)
        .map_err(|error| refused(format!("not a blob check's answer: {error}")))?;
    only(answer.transfer.as_deref(), "basic", "transfer")?;
    only(answer.hash_algo.as_deref(), "sha256", "hash")?;
    Ok(answer.objects)
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

    use super::super::ModelScopeRepo;
    use super::super::api::tests::{TOKEN, bad, good, repo};
    use super::*;
    use crate::http::testing::{Reply, Server};
    use crate::{BlobStore, Missing, RepoKind};

    fn blob(n: u64) -> Blob {
        Blob {
            sha256: Sha256::of(&n.to_be_bytes()),
            size: n,
        }
    }

    fn wanted(n: u64, href: &str) -> Value {
        json!({"oid": blob(n).sha256, "size": n, "actions": {"upload": {"href": href}}})
    }

    fn protocol_of(repo: &ModelScopeRepo) -> ModelScopeLfs {
        ModelScopeLfs {
            base: repo.base.clone(),
            token: repo.token.clone(),
        }
    }

    async fn check(answer: Reply, blobs: &[Blob]) -> (Result<Missing>, Server) {
        let server = Server::answering(move |_| answer.clone()).await;
        let missing = repo(&server, RepoKind::Model).missing(blobs).await;
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
        let server = Server::answering(|_| good(json!({"objects": []}))).await;
        let blobs: Vec<_> = (0..130).map(blob).collect();
        assert!(
            repo(&server, RepoKind::Dataset)
                .missing(&blobs)
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
    async fn a_check_that_is_answered_by_nothing_is_asked_twice_and_then_an_error() {
        for nothing in [Value::Null, json!({}), json!({"objects": null})] {
            let all = || good(json!({"objects": [], "reused-objects": []}));
            let server = Server::scripted([good(nothing.clone()), all()]).await;
            let missing = repo(&server, RepoKind::Model).missing(&[blob(1)]).await;
            assert!(missing.unwrap().wanted.is_empty());
            let (missing, server) = check(good(nothing), &[blob(1)]).await;
            assert_eq!(missing.unwrap_err().kind(), Kind::Refused);
            assert_eq!(server.seen().len(), 2);
        }
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
            (Reply::new(200, &[], ""), Kind::Transient),
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
            let upload = Upload {
                href: Some(href.to_owned()),
                header: None,
            };
            protocol_of(&repo).address(&repo.http, &upload)
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
            target("/x?s").unwrap().0.as_str(),
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
        let headers_for = |href: &str| {
            let address = protocol_of(&repo).address(&repo.http, &upload(href));
            address.unwrap().1
        };
        let elsewhere = headers_for("http://127.0.0.2:1/x");
        assert_eq!(
            elsewhere.keys().map(HeaderName::as_str).collect::<Vec<_>>(),
            ["x-oss-meta"]
        );
        assert_eq!(headers_for("/x").len(), 2);
    }
}
