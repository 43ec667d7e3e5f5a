//! Tests of `multipart.rs`.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use serde_json::json;

use super::*;
use crate::clock::tests::ManualClock;
use crate::http::HttpOptions;
use crate::http::testing::{Reply, Seen, Server, quick};
use crate::huggingface::testing::{COMMIT, repo, side};
use crate::{BlobStore, Sha256};

const CONTENT: &[u8] = b"abcdefghij";

fn blob() -> Blob {
    Blob {
        sha256: Sha256::of(CONTENT),
        size: CONTENT.len() as u64,
    }
}

fn frames(content: &'static [u8]) -> ByteStream {
    stream::iter(content.chunks(3).map(|piece| Ok(Bytes::from_static(piece)))).boxed()
}

/// What a hub answers that wants parts of four bytes at `storage`, and to be told of them.
fn offer(seen: &Seen, storage: &str, with_verify: bool) -> Reply {
    let parts =
        (1..=3).map(|number| (format!("{number:05}"), json!(format!("{storage}/{number}"))));
    let mut header: serde_json::Map<_, _> = parts.collect();
    header.insert("chunk_size".to_owned(), json!("4"));
    let href = |path: &str| format!("http://{}/{path}", seen.header("host").unwrap());
    let mut actions = json!({"upload": {"href": href("complete"), "header": header}});
    if with_verify {
        actions["verify"] = json!({"href": href("verify")});
    }
    Reply::json(
        &json!({"transfer": "multipart", "objects": [{"oid": blob().sha256, "size": 10, "actions": actions}]}),
    )
}

/// A hub that wants parts of four bytes in `storage`.
async fn hub(storage: &Server) -> Server {
    let storage = storage.endpoint();
    Server::answering(move |seen: &Seen| match seen.path() {
        "/complete" => Reply::json(&json!({})),
        _ => offer(seen, &storage, false),
    })
    .await
}

fn taken() -> Reply {
    Reply::new(200, &[("ETag", "\"x\"")], "")
}

#[tokio::test]
async fn the_next_part_is_sent_while_the_answer_to_the_last_is_awaited() {
    let storage = Server::answering_together(3, |_| taken()).await;
    let hub = hub(&storage).await;
    let repo = repo(&hub);
    let put = repo.put(blob(), Body::from(frames(CONTENT)));
    tokio::time::timeout(Duration::from_secs(60), put)
        .await
        .expect("each part waited for the one before")
        .unwrap();
    let mut parts: Vec<_> = storage
        .seen()
        .iter()
        .map(|seen| (seen.line(), seen.body.clone()))
        .collect();
    parts.sort();
    let expected = [("PUT /1", "abcd"), ("PUT /2", "efgh"), ("PUT /3", "ij")];
    assert_eq!(
        parts,
        expected.map(|(line, body)| (line.to_owned(), Bytes::from(body)))
    );
    assert_eq!(hub.lines().last().unwrap(), "POST /complete");
}

#[tokio::test]
async fn a_part_that_is_refused_before_it_was_read_is_sent_again_and_the_others_go_on() {
    let storage = Server::interrupting(Reply::new(500, &[], ""), |_| taken()).await;
    let hub = hub(&storage).await;
    let refused = Arc::new(tokio::sync::Notify::new());
    let tell = refused.clone();
    let options = HttpOptions {
        on_retry: Arc::new(move |_, _| tell.notify_one()),
        ..quick(&ManualClock::new())
    };
    // What the first request lacks comes only after it was given up.
    let rest = stream::once(async move {
        refused.notified().await;
        Ok(Bytes::from_static(&CONTENT[2..]))
    });
    let first = stream::iter([
        Ok(Bytes::from_static(&CONTENT[..1])),
        Ok(Bytes::from_static(&CONTENT[1..2])),
    ]);
    let again = |range: Range<u64>| {
        stream::iter([Ok(Bytes::from_static(
            &CONTENT[range.start as usize..range.end as usize],
        ))])
        .boxed()
    };
    let repo =
        crate::huggingface::HuggingFaceRepo::open(&side(&hub.endpoint(), COMMIT), options).unwrap();
    let put = repo.put(
        blob(),
        Body::from(first.chain(rest).boxed()).reopened_by(again),
    );
    tokio::time::timeout(Duration::from_secs(60), put)
        .await
        .expect("nobody read the rest of the part")
        .unwrap();
    let mut sent: Vec<_> = storage
        .seen()
        .iter()
        .map(|seen| (seen.line(), seen.body.clone()))
        .collect();
    sent.sort();
    let expected = [
        ("PUT /1", ""),
        ("PUT /1", "abcd"),
        ("PUT /2", "efgh"),
        ("PUT /3", "ij"),
    ];
    assert_eq!(
        sent,
        expected.map(|(line, body)| (line.to_owned(), Bytes::from(body)))
    );
}

#[tokio::test]
async fn a_part_that_stalled_is_sent_again_and_one_whose_address_is_refused_is_not() {
    let said = |status: u16, code: &str| {
        Reply::new(
            status,
            &[],
            format!("<Error><Code>{code}</Code><Message>m</Message></Error>"),
        )
    };
    for (reply, outcome, puts) in [
        (said(400, "RequestTimeout"), None, 4),
        (
            said(403, "AccessDenied"),
            Some((Kind::Expired, "AccessDenied: m (403)")),
            3,
        ),
    ] {
        let first = AtomicBool::new(true);
        let refuses =
            move |seen: &Seen| seen.path() == "/2" && first.swap(false, Ordering::Relaxed);
        let storage = Server::answering(move |seen: &Seen| {
            if refuses(seen) {
                reply.clone()
            } else {
                taken()
            }
        })
        .await;
        let hub = hub(&storage).await;
        let again = |range: Range<u64>| frames(&CONTENT[range.start as usize..range.end as usize]);
        let put = repo(&hub)
            .put(blob(), Body::from(frames(CONTENT)).reopened_by(again))
            .await;
        let failed = put
            .as_ref()
            .err()
            .map(|error| (error.kind(), error.message()));
        assert_eq!(failed, outcome);
        assert!(
            storage.seen().len() <= puts && (outcome.is_some() || storage.seen().len() == puts)
        );
    }
}

#[tokio::test]
async fn a_body_that_fails_ends_the_upload_with_its_own_error_and_no_part_is_tried_again() {
    let storage = Server::answering(|_| taken()).await;
    let hub = hub(&storage).await;
    let broken = stream::once(std::future::ready(Err(Error::new(
        Kind::Gated,
        "the source's own words",
    ))));
    let body =
        Body::from(frames(&CONTENT[..6]).chain(broken).boxed()).reopened_by(|_| frames(CONTENT));
    let error = repo(&hub).put(blob(), body).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.message()),
        (Kind::Gated, "the source's own words")
    );
    assert!(
        storage.seen().len() <= 1 && !hub.lines().iter().any(|line| line.contains("complete")),
        "{:?}",
        hub.lines()
    );
}

#[tokio::test]
async fn parts_that_are_there_are_joined_later_and_not_sent_again() {
    let storage = Server::answering(|_| taken()).await;
    let (href, tries) = (storage.endpoint(), AtomicUsize::new(0));
    let hub = Server::answering(move |seen: &Seen| match seen.path() {
        "/complete" if tries.fetch_add(1, Ordering::Relaxed) < 5 => Reply::new(504, &[], ""),
        "/complete" => Reply::json(&json!({})),
        "/verify" if tries.load(Ordering::Relaxed) < 6 => Reply::new(404, &[], ""),
        "/verify" => Reply::json(&json!({})),
        _ => offer(seen, &href, true),
    })
    .await;
    let clock = ManualClock::new();
    let repo =
        crate::huggingface::HuggingFaceRepo::open(&side(&hub.endpoint(), COMMIT), quick(&clock));
    let repo = repo.unwrap();
    repo.put(blob(), Body::from(frames(CONTENT))).await.unwrap();
    assert_eq!(storage.seen().len(), 3, "each part once");
    let asked = hub.lines();
    let completions = asked.iter().filter(|line| line.ends_with("/complete"));
    assert_eq!(completions.count(), 6, "{asked:?}");
    assert_eq!(clock.total(), Duration::from_secs(2 + 4 + 8 + 16 + 32));
}

#[tokio::test]
async fn parts_that_are_never_joined_are_looked_for_a_quarter_of_an_hour() {
    let storage = Server::answering(|_| taken()).await;
    let href = storage.endpoint();
    let hub = Server::answering(move |seen: &Seen| match seen.path() {
        "/complete" => Reply::new(504, &[], ""),
        "/verify" => Reply::new(404, &[], ""),
        _ => offer(seen, &href, true),
    })
    .await;
    let clock = ManualClock::new();
    let repo =
        crate::huggingface::HuggingFaceRepo::open(&side(&hub.endpoint(), COMMIT), quick(&clock));
    let put = repo.unwrap().put(blob(), Body::from(frames(CONTENT))).await;
    assert_eq!(put.unwrap_err().status(), Some(504));
    assert_eq!(
        (storage.seen().len(), clock.total()),
        (3, Duration::from_secs(900))
    );
}
