//! Xet against a scripted hub and storage: what they may not do to us, and what we may not do to each other.

use std::ops::Range;

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use serde_json::{Value, json};

use super::super::testing::{TOKEN, repo, side, timed};
use super::xorb::append;
use crate::clock::Clock;
use crate::clock::tests::ManualClock;
use crate::http::testing::{Reply, Seen, Server};
use crate::huggingface::HuggingFaceRepo;
use crate::{
    Blob, BlobSource, BlobStore, BlobTransport, Body, Digest, Error, File, Kind, Result, Sha256,
};

const HASH: &str = "07060504030201000f0e0d0c0b0a090817161514131211101f1e1d1c1b1a1918";
const CONTENT: &[u8] = b"0123456789";
/// What opens the storage.
const XET_TOKEN: &str = "xet_canary";

fn file(size: u64) -> File {
    File {
        path: "w.bin".parse().unwrap(),
        size,
        digest: Digest::Sha256(Sha256::of(CONTENT)),
    }
}

/// The content as two chunks, and where the second begins.
fn xorb() -> (Vec<u8>, usize) {
    let mut xorb = Vec::new();
    append(&mut xorb, &CONTENT[..4]).unwrap();
    let second = xorb.len();
    append(&mut xorb, &CONTENT[4..]).unwrap();
    (xorb, second)
}

/// What the storage answers about the whole file: both chunks, at this address.
fn made_of(url: &str) -> Value {
    let part = json!({"range": {"start": 0, "end": 2}, "url": url, "url_range": {"start": 0, "end": xorb().0.len() - 1}});
    let term =
        json!({"hash": HASH, "unpacked_length": CONTENT.len(), "range": {"start": 0, "end": 2}});
    json!({"offset_into_first_range": 0, "terms": [term], "fetch_info": {HASH: [part]}})
}

/// A storage that holds [`CONTENT`], its answer about it changed like this.
async fn storage(change: impl Fn(&mut Value) + Send + Sync + 'static) -> Server {
    Server::answering(move |seen: &Seen| match seen.path() {
        "/part" => Reply::new(200, &[], xorb().0),
        _ => {
            let mut answer = made_of(&format!(
                "http://{}/part?sig=1",
                seen.header("host").unwrap()
            ));
            change(&mut answer);
            Reply::json(&answer)
        }
    })
    .await
}

/// A hub that gives a token for the storage at `cas`, which lasts until the year 5138.
async fn hub(cas: &str) -> Server {
    let cas = cas.to_owned();
    Server::answering(move |seen: &Seen| match seen.path() {
        path if path.contains("/paths-info/") => {
            Reply::json(&json!([{"type": "file", "path": "w.bin", "size": 10, "xetHash": HASH}]))
        }
        path if path.contains("-token/") => Reply::json(
            &json!({"casUrl": cas, "accessToken": XET_TOKEN, "exp": 100_000_000_000u64}),
        ),
        _ => Reply::new(500, &[], "nobody should ask this"),
    })
    .await
}

fn by_xet(hub: &Server) -> HuggingFaceRepo {
    repo(hub).by(BlobTransport::Xet).unwrap()
}

async fn read(repo: &HuggingFaceRepo, range: Range<u64>) -> Result<Vec<u8>> {
    let mut body = repo.read(&file(10), range).await?;
    let mut bytes = Vec::new();
    while let Some(piece) = body.next().await {
        bytes.extend_from_slice(&piece?);
    }
    Ok(bytes)
}

/// What reading fails with when the storage's answer is changed like this.
async fn refused(change: impl Fn(&mut Value) + Send + Sync + 'static) -> Error {
    let storage = storage(change).await;
    let hub = hub(&storage.endpoint()).await;
    read(&by_xet(&hub), 0..10).await.unwrap_err()
}

#[tokio::test]
async fn each_side_sees_its_own_token_only_and_an_address_with_a_signature_none() {
    let storage = storage(|_| ()).await;
    let hub = hub(&storage.endpoint()).await;
    assert_eq!(read(&by_xet(&hub), 0..10).await.unwrap(), CONTENT);
    let tokens = |server: &Server| {
        server
            .seen()
            .iter()
            .map(|seen| seen.header("authorization").map(str::to_owned))
            .collect::<Vec<_>>()
    };
    assert_eq!(tokens(&hub), vec![Some(format!("Bearer {TOKEN}")); 2]);
    assert_eq!(
        tokens(&storage),
        [Some(format!("Bearer {XET_TOKEN}")), None]
    );
    assert_eq!(
        storage.lines(),
        [
            format!("GET /v1/reconstructions/{HASH}"),
            "GET /part?sig=1".to_owned()
        ]
    );
    assert_eq!(storage.seen()[0].header("range"), Some("bytes=0-9"));
}

#[tokio::test]
async fn a_range_is_trimmed_at_both_ends() {
    for (offset, range, expected) in [(0, 0..7, "0123456"), (3, 3..9, "345678"), (5, 5..6, "5")] {
        let storage =
            storage(move |answer| answer["offset_into_first_range"] = json!(offset)).await;
        let hub = hub(&storage.endpoint()).await;
        assert_eq!(
            read(&by_xet(&hub), range).await.unwrap(),
            expected.as_bytes()
        );
    }
}

#[tokio::test]
async fn chunks_that_come_again_are_asked_for_once() {
    let again = |answer: &mut Value| {
        let term = |start: u32, length: u32| json!({"hash": HASH, "unpacked_length": length, "range": {"start": start, "end": start + 1}});
        answer["terms"] = json!([term(1, 6), term(0, 4), term(1, 6), term(0, 4), term(1, 6)]);
    };
    let storage = storage(again).await;
    let hub = hub(&storage.endpoint()).await;
    let body: Vec<_> = by_xet(&hub)
        .read(&file(26), 0..26)
        .await
        .unwrap()
        .collect()
        .await;
    assert_eq!(
        body.into_iter()
            .map(|piece| piece.unwrap())
            .collect::<Vec<_>>()
            .concat(),
        b"45678901234567890123456789"
    );
    assert_eq!(
        storage
            .seen()
            .iter()
            .filter(|seen| seen.path() == "/part")
            .count(),
        2,
        "once to the second chunk, once to the first"
    );
}

#[tokio::test]
async fn answers_that_do_not_fit_are_refused() {
    assert_eq!(
        refused(|answer| answer["terms"] = json!([])).await.kind(),
        Kind::Refused
    );
    assert_eq!(
        refused(|answer| answer["fetch_info"] = json!({}))
            .await
            .kind(),
        Kind::Refused
    );
    assert_eq!(
        refused(|answer| answer["offset_into_first_range"] = json!(1))
            .await
            .kind(),
        Kind::Refused,
        "shorter than asked"
    );
    assert_eq!(
        refused(|answer| answer["terms"][0]["range"]["end"] = json!(0))
            .await
            .kind(),
        Kind::Refused
    );
    assert_eq!(
        refused(|answer| answer["fetch_info"][HASH][0]["range"]["end"] = json!(1))
            .await
            .kind(),
        Kind::Refused,
        "not in the part"
    );
    assert_eq!(
        refused(|answer| answer["fetch_info"][HASH][0]["url"] = json!("file:///etc/passwd"))
            .await
            .kind(),
        Kind::Refused
    );
    assert_eq!(
        refused(|answer| answer["fetch_info"][HASH][0]["url_range"]["end"] = json!(5))
            .await
            .kind(),
        Kind::Corrupt,
        "more than asked"
    );
}

#[tokio::test]
async fn a_storage_without_encryption_or_with_credentials_in_its_address_is_refused() {
    for cas in ["ftp://x", "no address", "https://user:secret@cas.example"] {
        let hub = hub(cas).await;
        let error = read(&by_xet(&hub), 0..10).await.unwrap_err();
        assert!(
            error.kind() == Kind::Refused && !error.to_string().contains("secret"),
            "{cas}: {error}"
        );
    }
    let hub = HuggingFaceRepo::open(
        &side("https://huggingface.co", "main"),
        crate::http::HttpOptions::default(),
    )
    .unwrap();
    assert_eq!(
        crate::lfs::safe("http://cas.example", &hub.http)
            .unwrap_err()
            .kind(),
        Kind::Refused
    );
}

#[tokio::test]
async fn the_storages_token_is_in_nothing_that_is_said() {
    let echo = Server::answering(|seen: &Seen| {
        Reply::new(
            400,
            &[],
            format!("odd: {}", seen.header("authorization").unwrap_or("none")),
        )
    })
    .await;
    let hub = hub(&echo.endpoint()).await;
    let repo = by_xet(&hub);
    let error = read(&repo, 0..10).await.unwrap_err().to_string();
    assert!(
        error.contains("odd: Bearer ***") && !error.contains("canary"),
        "{error}"
    );
    let error = put(&repo).await.unwrap_err().to_string();
    assert!(
        error.contains("odd: Bearer ***") && !error.contains("canary"),
        "{error}"
    );
}

async fn put(repo: &HuggingFaceRepo) -> Result<()> {
    let body = Body::from(stream::iter([Ok(Bytes::from_static(CONTENT))]).boxed());
    repo.put(
        Blob {
            sha256: Sha256::of(CONTENT),
            size: 10,
        },
        body,
    )
    .await
}

#[tokio::test]
async fn a_token_is_used_until_shortly_before_its_end() {
    let storage = storage(|_| ()).await;
    let (cas, clock) = (storage.endpoint(), ManualClock::new());
    let end = clock
        .date()
        .duration_since(std::time::SystemTime::UNIX_EPOCH)
        .unwrap()
        .as_secs()
        + 900;
    let hub = Server::answering(move |seen: &Seen| match seen.path().contains("-token/") {
        true => Reply::json(&json!({"casUrl": cas, "accessToken": XET_TOKEN, "exp": end})),
        false => Reply::json(&json!([{"type": "file", "path": "w.bin", "xetHash": HASH}])),
    })
    .await;
    let repo = timed(&hub, &clock).by(BlobTransport::Xet).unwrap();
    let tokens = || {
        hub.lines()
            .iter()
            .filter(|line| line.contains("-token/"))
            .count()
    };
    for (pause, expected) in [(0, 1), (800, 1), (60, 2)] {
        clock.sleep(std::time::Duration::from_secs(pause)).await;
        assert_eq!(read(&repo, 0..10).await.unwrap(), CONTENT);
        assert_eq!(tokens(), expected, "{pause}");
    }
}

#[tokio::test]
async fn a_file_above_50_gb_goes_by_xet_at_once_and_without_xet_says_why_not() {
    let storage =
        storage(|answer| answer["terms"][0]["unpacked_length"] = json!(60_000_000_000u64)).await;
    let large = file(60_000_000_000);
    let hub = hub(&storage.endpoint()).await;
    drop(repo(&hub).read(&large, 0..1000).await.unwrap());
    let bridge = Server::answering(|_| Reply::new(400, &[], "")).await;
    let hub = Server::answering(move |seen: &Seen| {
        let download = json!({"href": format!("{}blob?sig=1", bridge.url())});
        Reply::json(&json!({"objects": [{"oid": seen.json()["objects"][0]["oid"], "actions": {"download": download}}]}))
    })
    .await;
    let plain = HuggingFaceRepo::open(&side(&hub.endpoint(), "main"), Default::default())
        .unwrap()
        .by(BlobTransport::Http)
        .unwrap();
    let error = plain.read(&large, 0..1000).await.err().unwrap();
    assert!(
        error.kind() == Kind::Invalid
            && error
                .message()
                .contains("is served by Xet only, and plain HTTP was asked for"),
        "{error}"
    );
}
