//! Tests of `read.rs`.

mod addresses;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::StreamExt;
use serde_json::json;

use super::super::testing::{COMMIT, TOKEN, repo, side};
use super::*;
use crate::clock::tests::ManualClock;
use crate::http::HttpOptions;
use crate::http::encoding::tests::gzipped;
use crate::http::testing::{Reply, Seen, Server, impatient, quick};
use crate::{BlobSource, Error, GitSha1, Repo, Sha256};

const CONTENT: &[u8] = b"0123456789";

fn blob() -> File {
    File {
        path: "data/large.bin".parse().unwrap(),
        size: 10,
        digest: Digest::Sha256(Sha256::of(CONTENT)),
    }
}

fn small(path: &str) -> File {
    File {
        path: path.parse().unwrap(),
        size: 10,
        digest: Digest::GitSha1(GitSha1::of(CONTENT)),
    }
}

/// A hub that points at `storage`, each time with another signature, and wants a header sent along.
async fn hub(storage: &Server) -> Server {
    let (storage, calls) = (storage.endpoint(), AtomicUsize::new(0));
    Server::answering(move |seen: &Seen| {
        let call = calls.fetch_add(1, Ordering::Relaxed);
        let download = json!({"href": format!("{storage}/blob?sig={call}"), "header": {"X-Store": "yes"}, "expires_in": 3600});
        let asked = &seen.json()["objects"][0];
        Reply::json(&json!({"objects": [{"oid": asked["oid"], "size": asked["size"], "actions": {"download": download}}]}))
    })
    .await
}

async fn collect(mut body: ByteStream) -> (Vec<u8>, Option<Kind>) {
    let mut bytes = Vec::new();
    while let Some(piece) = body.next().await {
        match piece {
            Ok(piece) => bytes.extend_from_slice(&piece),
            Err(error) => return (bytes, Some(error.kind())),
        }
    }
    (bytes, None)
}

async fn error_of(repo: &HuggingFaceRepo, file: &File, range: Range<u64>) -> Error {
    repo.read(file, range).await.err().unwrap()
}

/// Reads a range of the blob from a storage that answers like this.
async fn try_read(replies: Vec<Reply>, range: Range<u64>) -> (Vec<u8>, Option<Kind>) {
    read_with(quick(&ManualClock::new()), replies, range).await
}

async fn read_with(
    options: HttpOptions,
    replies: Vec<Reply>,
    range: Range<u64>,
) -> (Vec<u8>, Option<Kind>) {
    let storage = Server::scripted(replies).await;
    let hub = hub(&storage).await;
    let repo = HuggingFaceRepo::open(&side(&hub.endpoint(), COMMIT), options).unwrap();
    match repo.read(&blob(), range).await {
        Ok(body) => collect(body).await,
        Err(error) => (Vec::new(), Some(error.kind())),
    }
}

fn partial(range: &str, body: &[u8]) -> Reply {
    Reply::new(206, &[("Content-Range", range)], body)
}

#[tokio::test]
async fn a_whole_file_and_a_part_arrive_exactly() {
    assert_eq!(
        try_read(vec![Reply::new(200, &[], CONTENT)], 0..10).await,
        (CONTENT.to_vec(), None)
    );
    assert_eq!(
        try_read(vec![partial("bytes 2-4/10", b"234")], 2..5).await,
        (b"234".to_vec(), None)
    );
    let after_a_fault = vec![Reply::new(503, &[], ""), Reply::headed(200, &[], CONTENT)];
    assert_eq!(
        try_read(after_a_fault, 0..10).await,
        (CONTENT.to_vec(), None)
    );
}

#[tokio::test]
async fn only_a_part_is_asked_for_with_a_range() {
    let storage =
        Server::scripted([Reply::new(200, &[], CONTENT), partial("bytes 9-9/10", b"9")]).await;
    let hub = hub(&storage).await;
    let repo = repo(&hub);
    drop(repo.read(&blob(), 0..10).await.unwrap());
    drop(repo.read(&blob(), 9..10).await.unwrap());
    let seen = storage.seen();
    assert_eq!(
        (seen[0].header("range"), seen[1].header("range")),
        (None, Some("bytes=9-9"))
    );
    assert_eq!(hub.seen().len(), 1, "located once");
}

#[tokio::test]
async fn an_empty_range_asks_nothing_and_one_beyond_the_end_is_invalid() {
    let server = Server::scripted([]).await;
    let repo = repo(&server);
    assert_eq!(
        collect(repo.read(&blob(), 10..10).await.unwrap()).await,
        (Vec::new(), None)
    );
    let empty = File {
        size: 0,
        ..small("empty")
    };
    assert_eq!(
        collect(repo.read(&empty, 0..0).await.unwrap()).await,
        (Vec::new(), None)
    );
    assert_eq!(error_of(&repo, &blob(), 5..11).await.kind(), Kind::Invalid);
    assert!(server.seen().is_empty());
}

#[tokio::test]
async fn no_credentials_go_to_storage_but_its_own_headers_do() {
    let storage = Server::scripted([Reply::new(200, &[], CONTENT)]).await;
    let hub = hub(&storage).await;
    drop(repo(&hub).read(&blob(), 0..10).await.unwrap());
    let seen = &storage.seen()[0];
    assert_eq!(seen.header("x-store"), Some("yes"));
    assert!(!format!("{seen:?}").contains(TOKEN), "{seen:?}");
    assert!(
        hub.seen()[0]
            .header("authorization")
            .is_some_and(|value| value.contains(TOKEN))
    );
}

#[tokio::test]
async fn storage_that_redirects_elsewhere_shares_no_header_there() {
    let other = Server::scripted([partial("bytes 2-4/10", b"234")]).await;
    let storage =
        Server::scripted([Reply::new(302, &[("Location", other.url().as_str())], "")]).await;
    let hub = hub(&storage).await;
    drop(repo(&hub).read(&blob(), 2..5).await.unwrap());
    let seen = &other.seen()[0];
    assert_eq!(
        (
            seen.header("x-store"),
            seen.header("authorization"),
            seen.header("range")
        ),
        (None, None, Some("bytes=2-4"))
    );
}

#[tokio::test]
async fn a_signed_address_at_the_hub_itself_gets_no_token_and_cannot_revoke_it() {
    let server = Server::answering(|seen| {
        let asked = &seen.json()["objects"][0];
        let href = format!("http://{}/blob?sig=1", seen.header("host").unwrap());
        match seen.method.as_str() {
            "POST" => Reply::json(&json!({"objects": [{"oid": asked["oid"], "size": 10, "actions": {"download": {"href": href}}}]})),
            _ if seen.path() == "/blob" => Reply::new(401, &[], ""),
            _ => Reply::json(&json!([])),
        }
    })
    .await;
    let repo = repo(&server);
    assert_eq!(error_of(&repo, &blob(), 0..10).await.kind(), Kind::Expired);
    assert!(
        server.seen()[1].path() == "/blob" && server.seen()[1].header("authorization").is_none()
    );
    assert!(repo.list().await.is_ok());
}

#[tokio::test]
async fn a_reset_or_a_short_body_may_be_continued() {
    let whole = [("Content-Length", "10")];
    let reset = Reply::headed(200, &whole, b"0123").reset();
    let (read, kind) = try_read(vec![reset], 0..10).await;
    // A reset may overtake what came before it.
    assert!(
        b"0123".starts_with(&read) && kind == Some(Kind::Transient),
        "{read:?} {kind:?}"
    );
    let short = Reply::headed(200, &whole, b"01234");
    assert_eq!(
        try_read(vec![short], 0..10).await,
        (b"01234".to_vec(), Some(Kind::Transient))
    );
    let undeclared = Reply::headed(200, &[], b"012345");
    assert_eq!(
        try_read(vec![undeclared], 0..10).await,
        (b"012345".to_vec(), Some(Kind::Transient))
    );
    assert_eq!(
        try_read(vec![Reply::new(200, &[], b"0123")], 0..10).await,
        (Vec::new(), Some(Kind::Transient))
    );
}

#[tokio::test]
async fn a_stalled_body_is_given_up_and_a_slow_one_is_not() {
    let length = [("Content-Length", "10")];
    let stalled = Reply::headed(200, &length, b"01").hold();
    assert_eq!(
        read_with(impatient(), vec![stalled], 0..10).await,
        (b"01".to_vec(), Some(Kind::Transient))
    );
    let slow = (0..10).fold(Reply::headed(200, &length, b""), |reply, at| {
        reply.then(Duration::from_millis(250), &CONTENT[at..=at])
    });
    assert_eq!(
        read_with(impatient(), vec![slow], 0..10).await,
        (CONTENT.to_vec(), None),
        "2.5 s in all, under a stall of 2 s"
    );
}

#[tokio::test]
async fn a_longer_body_than_declared_is_corrupt() {
    let longer = b"0123456789ab";
    assert_eq!(
        try_read(vec![Reply::new(200, &[], longer)], 0..10).await,
        (Vec::new(), Some(Kind::Corrupt))
    );
    assert_eq!(
        try_read(vec![Reply::headed(200, &[], longer)], 0..10)
            .await
            .1,
        Some(Kind::Corrupt)
    );
    assert_eq!(
        try_read(vec![partial("bytes 2-4/10", b"2345")], 2..5)
            .await
            .1,
        Some(Kind::Corrupt)
    );
}

#[tokio::test]
async fn a_whole_answer_to_a_range_is_never_taken_for_the_part() {
    assert_eq!(
        try_read(vec![Reply::new(200, &[], CONTENT)], 2..5).await,
        (Vec::new(), Some(Kind::RangeIgnored))
    );
    assert_eq!(
        try_read(vec![Reply::new(200, &[], b"234")], 2..5).await,
        (Vec::new(), Some(Kind::RangeIgnored))
    );
}

#[tokio::test]
async fn a_range_that_storage_denies_is_worth_another_try() {
    let storage = Server::scripted([Reply::new(416, &[("Content-Range", "bytes */10")], "")]).await;
    let hub = hub(&storage).await;
    assert!(error_of(&repo(&hub), &blob(), 2..5).await.is_transient());
}

#[tokio::test]
async fn a_wrong_content_range_is_refused() {
    for range in [
        "bytes 3-5/10",
        "bytes 2-5/10",
        "bytes 2-4/11",
        "bytes */10",
        "2-4/10",
        "",
    ] {
        for status in [200, 206] {
            let reply = Reply::new(status, &[("Content-Range", range)], b"234");
            assert_eq!(
                try_read(vec![reply], 2..5).await.1,
                Some(Kind::Refused),
                "{status} {range}"
            );
        }
    }
    assert_eq!(
        try_read(vec![Reply::new(206, &[], b"234")], 2..5).await.1,
        Some(Kind::Refused)
    );
    assert_eq!(
        try_read(vec![partial("bytes 0-4/10", b"01234")], 0..10)
            .await
            .1,
        Some(Kind::Refused),
        "nobody asked for a part"
    );
    assert_eq!(
        try_read(vec![Reply::headed(204, &[], b"")], 0..10).await.1,
        Some(Kind::Refused)
    );
}

#[tokio::test]
async fn an_answer_is_what_its_content_range_says_whatever_its_status() {
    for (status, range) in [
        (200, "bytes 2-4/10"),
        (206, "bytes 2-4/*"),
        (206, "Bytes 2-4/10 "),
    ] {
        let reply = Reply::new(status, &[("Content-Range", range)], b"234");
        assert_eq!(
            try_read(vec![reply], 2..5).await,
            (b"234".to_vec(), None),
            "{status} {range}"
        );
    }
    for whole in [
        Reply::new(206, &[], CONTENT),
        partial("bytes 0-9/10", CONTENT),
        partial("bytes 0-9/*", CONTENT),
    ] {
        assert_eq!(try_read(vec![whole], 0..10).await, (CONTENT.to_vec(), None));
    }
    let whole = Reply::new(200, &[("Content-Range", "bytes 0-9/10")], CONTENT);
    assert_eq!(
        try_read(vec![whole], 2..5).await,
        (Vec::new(), Some(Kind::RangeIgnored))
    );
    let longer = Reply::new(200, &[("Content-Range", "bytes 2-4/10")], CONTENT);
    assert_eq!(
        try_read(vec![longer], 2..5).await,
        (Vec::new(), Some(Kind::Corrupt)),
        "a part that is none"
    );
}

#[tokio::test]
async fn an_encoding_nobody_asked_for_changes_no_byte_or_is_undone_or_refused() {
    let encoded = |encoding: &str, body: &[u8]| {
        vec![Reply::new(200, &[("Content-Encoding", encoding)], body)]
    };
    for word in ["aws-chunked", "utf-8", "gzip", "br"] {
        assert_eq!(
            try_read(encoded(word, CONTENT), 0..10).await,
            (CONTENT.to_vec(), None),
            "{word}: as long as it is stored"
        );
    }
    let part = Reply::new(
        206,
        &[
            ("Content-Range", "bytes 2-4/10"),
            ("Content-Encoding", "gzip"),
        ],
        b"234",
    );
    assert_eq!(try_read(vec![part], 2..5).await, (b"234".to_vec(), None));
    assert_eq!(
        try_read(encoded("gzip", &gzipped(CONTENT)), 0..10).await,
        (CONTENT.to_vec(), None)
    );
    assert_eq!(
        try_read(encoded("gzip", &gzipped(&[0; 5_000_000])), 0..10)
            .await
            .1,
        Some(Kind::Corrupt),
        "more than was listed"
    );
    assert_eq!(
        try_read(encoded("gzip", &gzipped(b"012")), 0..10).await.1,
        Some(Kind::Transient),
        "less than was listed"
    );
    assert_eq!(
        try_read(encoded("br", b"packed"), 0..10).await.1,
        Some(Kind::Refused)
    );
}

#[tokio::test]
async fn small_files_come_from_the_hub_at_the_commit_with_their_path_encoded() {
    let server = Server::scripted([Reply::new(200, &[], CONTENT)]).await;
    let body = repo(&server)
        .read(&small("a b/\u{e9}?#%/..x\u{1b}.txt"), 0..10)
        .await
        .unwrap();
    assert_eq!(collect(body).await.0, CONTENT);
    let expected =
        format!("GET /datasets/org/name/resolve/{COMMIT}/a%20b/%C3%A9%3F%23%25/..x%1B.txt");
    assert_eq!(server.lines(), [expected]);
    assert!(server.seen()[0].header("authorization").is_some());
}
