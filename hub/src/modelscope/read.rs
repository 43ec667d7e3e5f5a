//! Opening a file's bytes: the hub gives a small one itself and points at storage for the others. Facts: modelscope-hub
//! 0.5.1, `_legacy_api.py` (`get_file_download_url`), `_download.py`.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use reqwest::{StatusCode, Url};

use super::ModelScopeRepo;
use super::api::{REQUEST_ID, request_id};
use super::errors::complaint;
use crate::http::{Origin, Request, Response};
use crate::stream::range::{checked, is_worth_asking, nothing, part, restarted};
use crate::{ByteStream, Error, File, Kind, RepoPath, Result};

/// How long an address in storage is used again: no hub tells its life, and the shortest known is 15 minutes.
const FRESH: Duration = Duration::from_secs(300);
/// Addresses kept at once, of files that are being read.
const MOST_KEPT: usize = 1_000;
/// An envelope in place of a file's content has some 145 bytes.
const LONGEST_COMPLAINT: u64 = 64 << 10;

/// Where files were found in storage: the ranges of one file ask the hub once.
#[derive(Default)]
pub(super) struct StorageAddresses(Mutex<HashMap<RepoPath, (Url, Instant)>>);

impl StorageAddresses {
    fn all(&self) -> std::sync::MutexGuard<'_, HashMap<RepoPath, (Url, Instant)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn fresh(&self, path: &RepoPath, now: Instant) -> Option<Url> {
        self.all()
            .get(path)
            .filter(|(_, since)| now.duration_since(*since) < FRESH)
            .map(|(url, _)| url.clone())
    }

    fn keep(&self, path: &RepoPath, url: Url, now: Instant) {
        let mut all = self.all();
        if all.len() >= MOST_KEPT {
            all.retain(|_, (_, since)| now.duration_since(*since) < FRESH / 2);
        }
        if all.len() < MOST_KEPT {
            all.insert(path.clone(), (url, now));
        }
    }

    fn forget(&self, path: &RepoPath) {
        self.all().remove(path);
    }
}

impl ModelScopeRepo {
    /// Opens `range` of `file`; an empty range asks nothing.
    pub(super) async fn open_file(&self, file: &File, range: Range<u64>) -> Result<ByteStream> {
        if !is_worth_asking(file, &range)? {
            return Ok(nothing());
        }
        let answer = self
            .answer(file, &range)
            .await
            .map_err(|error| restarted(error, &range));
        let opened = answer.and_then(|answer| checked(answer, file, &range));
        opened.map_err(|error| error.about(&file.path))
    }

    async fn answer(&self, file: &File, range: &Range<u64>) -> Result<Response> {
        let now = self.http.options().clock.now();
        if let Some(url) = self.found.fresh(&file.path, now) {
            let answer = self
                .http
                .send(part(Request::get(url).signed(), file, range))
                .await;
            return answer.map_err(|error| self.understood(error, file));
        }
        let error = match self
            .by_either_route(|segment| self.asked(segment, file, range))
            .await
        {
            Ok(answer) => {
                if Origin::of(answer.url())? != *self.http.origin() {
                    self.found.keep(&file.path, answer.url().clone(), now);
                }
                return Ok(answer);
            }
            Err(error) => error,
        };
        let is_absent = matches!(error.kind(), Kind::NotFound | Kind::Invalid);
        let beside = if is_absent {
            self.oss_address(file).await?
        } else {
            None
        };
        let Some(url) = beside else { return Err(error) };
        self.found.keep(&file.path, url.clone(), now);
        self.http
            .send(part(Request::get(url).signed(), file, range))
            .await
            .map_err(|error| self.understood(error, file))
    }

    async fn asked(&self, segment: &str, file: &File, range: &Range<u64>) -> Result<Response> {
        let request = Request::get(self.file_url(segment, file))
            .of_file()
            .header(REQUEST_ID, request_id());
        let answer = self.http.send(part(request, file, range)).await?;
        let is_own = Origin::of(answer.url())? == *self.http.origin();
        if is_own && is_other_than(&answer, file, range) {
            self.complained(answer).await
        } else {
            Ok(answer)
        }
    }

    /// What stands in place of the content: of a file that is absent or lost the hub answers 200 and an envelope (recorded at the real
    /// hub). What is none is refused by its length.
    async fn complained(&self, answer: Response) -> Result<Response> {
        let (status, request) = (answer.status(), answer.request.clone());
        let body = answer.bytes(LONGEST_COMPLAINT).await?;
        let complaint = serde_json::from_slice(&body)
            .ok()
            .and_then(|body| complaint(status, &body, self.http.redactor()));
        let unlike = || {
            Error::new(
                Kind::Refused,
                format!(
                    "the hub answered {} bytes that are not those asked for",
                    body.len()
                ),
            )
        };
        Err(complaint.unwrap_or_else(unlike).of_request(request))
    }

    /// `GET /api/v1/S/{id}/repo?Revision=&FilePath=`.
    fn file_url(&self, segment: &str, file: &File) -> Url {
        let mut url = self.api_of(segment, &["repo"]);
        url.query_pairs_mut()
            .append_pair("Revision", self.at.revision.as_str())
            .append_pair("FilePath", file.path.as_str());
        url
    }

    /// What a refusal of an address means that served before: mostly that it is too old.
    fn understood(&self, error: Error, file: &File) -> Error {
        let is_refusal =
            error.kind() == Kind::Expired || matches!(error.status(), Some(401 | 403 | 404 | 410));
        if !is_refusal {
            return error;
        }
        self.found.forget(&file.path);
        error.with_kind(Kind::Expired)
    }
}

/// Whether it is a small answer of a length that neither the file has nor its range.
fn is_other_than(answer: &Response, file: &File, range: &Range<u64>) -> bool {
    let expected = [file.size, range.end - range.start];
    answer.status() == StatusCode::OK
        && answer
            .length()
            .is_some_and(|length| length <= LONGEST_COMPLAINT && !expected.contains(&length))
}

#[cfg(test)]
mod tests {
    use futures_util::StreamExt;

    use super::super::api::tests::repo;
    use super::*;
    use crate::http::testing::{Reply, Server};
    use crate::{BlobSource, Digest, RepoKind, Sha256};

    const CONTENT: &[u8] = b"0123456789";

    fn file(path: &str) -> File {
        File {
            path: path.parse().unwrap(),
            size: 10,
            digest: Digest::Sha256(Sha256::of(CONTENT)),
        }
    }

    async fn all(body: Result<ByteStream>) -> Result<Vec<u8>> {
        let mut body = body?;
        let mut bytes = Vec::new();
        while let Some(piece) = body.next().await {
            bytes.extend_from_slice(&piece?);
        }
        Ok(bytes)
    }

    fn piece(range: Range<usize>) -> Reply {
        let told = format!("bytes {}-{}/10", range.start, range.end - 1);
        Reply::new(206, &[("Content-Range", &told)], &CONTENT[range])
    }

    fn pointing_at(storage: &Server) -> Reply {
        Reply::new(
            302,
            &[("Location", &format!("{}/x?sig=1", storage.endpoint()))],
            "",
        )
    }

    #[tokio::test]
    async fn ranges_of_one_file_ask_the_hub_once_and_storage_sees_no_token() {
        let storage = Server::scripted([piece(0..4), piece(4..10)]).await;
        let hub = Server::scripted([pointing_at(&storage)]).await;
        let repo = repo(&hub, RepoKind::Model);
        assert_eq!(
            all(repo.read(&file("a b/ü?.bin"), 0..4).await)
                .await
                .unwrap(),
            &CONTENT[..4]
        );
        assert_eq!(
            all(repo.read(&file("a b/ü?.bin"), 4..10).await)
                .await
                .unwrap(),
            &CONTENT[4..]
        );
        assert_eq!(
            hub.lines(),
            ["GET /api/v1/models/org/name/repo?Revision=master&FilePath=a+b%2F%C3%BC%3F.bin"]
        );
        assert_eq!(
            hub.seen()[0].header("cookie"),
            Some("m_session_id=ms-canary")
        );
        for seen in storage.seen() {
            assert_eq!(
                (
                    seen.header("authorization"),
                    seen.header("cookie"),
                    seen.header("x-request-id")
                ),
                (None, None, None)
            );
        }
        assert_eq!(storage.seen()[1].header("range"), Some("bytes=4-9"));
    }

    #[tokio::test]
    async fn an_address_that_grew_old_is_asked_for_again() {
        let storage =
            Server::scripted([piece(0..4), Reply::new(403, &[], "<Error/>"), piece(4..10)]).await;
        let hub = Server::scripted([pointing_at(&storage), pointing_at(&storage)]).await;
        let repo = repo(&hub, RepoKind::Dataset);
        all(repo.read(&file("a"), 0..4).await).await.unwrap();
        assert_eq!(
            all(repo.read(&file("a"), 4..10).await)
                .await
                .unwrap_err()
                .kind(),
            Kind::Expired
        );
        assert_eq!(
            all(repo.read(&file("a"), 4..10).await).await.unwrap(),
            &CONTENT[4..]
        );
        assert_eq!(hub.seen().len(), 2);
    }

    #[tokio::test]
    async fn a_refusal_of_storage_says_nothing_about_the_token() {
        let storage = Server::answering(|_| Reply::new(401, &[], "")).await;
        let hub = Server::scripted([pointing_at(&storage), Reply::new(200, &[], CONTENT)]).await;
        let repo = repo(&hub, RepoKind::Model);
        assert_eq!(
            all(repo.read(&file("a"), 0..10).await)
                .await
                .unwrap_err()
                .kind(),
            Kind::Expired
        );
        assert_eq!(
            all(repo.read(&file("a"), 0..10).await).await.unwrap(),
            CONTENT,
            "the token is still good"
        );
    }

    #[tokio::test]
    async fn a_hub_that_gives_the_whole_file_says_so_and_other_answers_are_refused() {
        let kinds = [
            (Reply::new(200, &[], CONTENT), Kind::RangeIgnored),
            (
                Reply::new(206, &[("Content-Range", "bytes 1-4/10")], &CONTENT[..4]),
                Kind::Refused,
            ),
            (Reply::new(416, &[], ""), Kind::Transient),
            (
                Reply::new(
                    404,
                    &[],
                    r#"{"Code":10010205011,"Message":"file not found","Success":false}"#,
                ),
                Kind::NotFound,
            ),
        ];
        for (reply, kind) in kinds {
            let hub = Server::answering(move |_| reply.clone()).await;
            assert_eq!(
                all(repo(&hub, RepoKind::Model).read(&file("a"), 0..4).await)
                    .await
                    .unwrap_err()
                    .kind(),
                kind
            );
        }
    }

    #[tokio::test]
    async fn an_envelope_in_place_of_the_content_is_no_content() {
        let lost = r#"{"Code":10990101007,"Message":"获取模型文件失败，文件内容为空","RequestId":"r","Success":false}"#;
        for (body, words) in [
            (lost, "文件内容为空"),
            ("short", "5 bytes that are not those asked for"),
        ] {
            let hub = Server::answering(move |_| Reply::new(200, &[], body)).await;
            for range in [0..10, 0..4] {
                let error = all(repo(&hub, RepoKind::Model).read(&file("a"), range).await)
                    .await
                    .unwrap_err();
                assert!(
                    error.to_string().contains(words) && !error.is_transient(),
                    "{error}"
                );
            }
        }
    }

    #[tokio::test]
    async fn an_empty_file_asks_nothing() {
        let hub = Server::scripted([]).await;
        let empty = File {
            size: 0,
            ..file("a")
        };
        assert!(
            all(repo(&hub, RepoKind::Model).read(&empty, 0..0).await)
                .await
                .unwrap()
                .is_empty()
        );
        assert!(hub.seen().is_empty());
    }
}
