//! Tests of `batch.rs`.

use std::sync::LazyLock;
use std::time::Duration;

use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
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
    let download =
        json!({"href": format!("https://cdn.example/{}?sig=1", blob.sha256), "expires_in": 3600});
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
    let longer = json!({"oid": all[2].sha256, "size": 999, "actions": object(&all[2])["actions"]});
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
            refused(|object| object["actions"]["download"]["header"] = json!({name: value})).await;
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

static HUB: LazyLock<Http> = LazyLock::new(|| {
    let hub = "https://hub.example".parse().unwrap();
    let options = HttpOptions::default();
    Http::new(&hub, Credentials::default(), PlainErrorDecoder, options).unwrap()
});

/// An object of an answer that is nearly one; those named are asked for.
fn any_object() -> impl Strategy<Value = Value> {
    let text = prop_oneof![
        any::<String>(),
        (0..4_usize).prop_map(|number| blobs(4)[number].sha256.to_string()),
        "https?://[a-z0-9.]{1,12}(/[a-z?=&%]{0,12})?",
        "[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}Z",
    ];
    let value = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        text.prop_map(Value::from),
    ];
    let inner = value.prop_recursive(3, 24, 6, |value| {
        let keys = "(download|upload|verify|href|header|expires_in|expires_at|code|message|chunk_size|0000[12]|te)";
        btree_map(keys, value, 0..6).prop_map(|map| json!(map))
    });
    btree_map("(oid|size|authenticated|actions|error)", inner, 0..5).prop_map(|map| json!(map))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn any_answer_is_about_what_was_asked_or_is_refused(objects in vec(any_object(), 0..5), bytes in any::<String>()) {
        let asked = blobs(4);
        let _ = serde_json::from_str::<BatchAnswer>(&bytes);
        let answer = serde_json::from_value::<BatchAnswer>(json!({"objects": objects}));
        let read = answer.ok().and_then(|answer| by_digest(answer, &["basic"], &asked).ok());
        for object in read.unwrap_or_default().into_values() {
            for action in object.actions.into_iter().flat_map(|all| [all.download, all.upload, all.verify]).flatten() {
                lifetime(&action, SystemTime::UNIX_EPOCH);
                if let Ok(url) = url_of(&action, &HUB) {
                    prop_assert_eq!(url.scheme(), "https");
                }
                let headers = headers_of(action.header.unwrap_or_default());
                prop_assert!(headers.is_err() || headers.unwrap().len() <= MOST_HEADERS);
            }
        }
    }

    #[test]
    fn a_whole_answer_is_read_object_by_object(count in 0..20_usize, shift in 0..20_usize) {
        let asked = blobs(count);
        let mut objects: Vec<_> = asked.iter().map(object).collect();
        objects.rotate_left(shift % count.max(1));
        let text = json!({"transfer": "basic", "hash_algo": "sha256", "objects": objects}).to_string();
        let read = by_digest(serde_json::from_str(&text).unwrap(), &["basic"], &asked).unwrap();
        prop_assert_eq!(read.len(), count);
        prop_assert!(asked.iter().all(|blob| read[&blob.sha256].size == i64::try_from(blob.size).ok()));
    }
}
