//! The writes of an owner on a scripted server: each is sent once, and a lost answer is looked for.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::super::testing::{repo, timed};
use super::*;
use crate::clock::tests::ManualClock;
use crate::http::testing::{Reply, Seen, Server};

const DELETION: &str = "DELETE /api/repos/delete";
const MOVE: &str = "POST /api/repos/move";

fn about(more: &Value) -> Reply {
    let mut answer = json!({"id": "org/name", "private": false, "gated": false});
    let more = more.as_object().unwrap().clone();
    answer.as_object_mut().unwrap().extend(more);
    Reply::json(&answer)
}

fn there() -> Reply {
    about(&json!({}))
}

fn absent() -> Reply {
    Reply::new(404, &[("X-Error-Code", "RepoNotFound")], "")
}

fn lost() -> Reply {
    Reply::raw("").reset()
}

fn id(text: &str) -> RepoId {
    text.parse().unwrap()
}

/// How often a line was sent.
fn times(server: &Server, line: &str) -> usize {
    server.lines().iter().filter(|sent| *sent == line).count()
}

#[tokio::test]
async fn a_repo_is_deleted_as_the_official_client_does() {
    let server = Server::scripted([Reply::new(200, &[], "")]).await;
    repo(&server).delete().await.unwrap();
    assert_eq!(server.lines(), [DELETION]);
    let wanted = json!({"name": "name", "organization": "org", "type": "dataset"});
    assert_eq!(server.seen()[0].json(), wanted);
}

#[tokio::test]
async fn a_deletion_that_is_refused_is_not_tried_again() {
    for (reply, kind) in [
        (absent(), Kind::NotFound),
        (Reply::new(403, &[], r#"{"error":"no"}"#), Kind::Denied),
        (Reply::new(429, &[], ""), Kind::RateLimited),
    ] {
        let server = Server::scripted([reply]).await;
        let error = repo(&server).delete().await.unwrap_err();
        assert_eq!((error.kind(), server.lines().len()), (kind, 1));
        assert!(!error.is_unanswered());
    }
}

#[tokio::test]
async fn a_deletion_whose_answer_is_lost_is_looked_for_and_sent_once() {
    for failure in [lost(), Reply::new(500, &[], ""), Reply::new(504, &[], "")] {
        let server = Server::scripted([failure, absent()]).await;
        repo(&server).delete().await.unwrap();
        assert_eq!(server.lines(), [DELETION, "GET /api/datasets/org/name"]);
    }
    let server = Server::scripted([lost(), there()]).await;
    let error = repo(&server).delete().await.unwrap_err();
    assert_eq!(
        (error.kind(), error.is_transient()),
        (Kind::Transient, false)
    );
    assert!(error.is_unanswered() && error.message().contains("org/name is still there"));
    assert_eq!(times(&server, DELETION), 1);
}

#[tokio::test]
async fn a_repo_that_answers_by_another_name_is_not_a_deleted_one() {
    let server = Server::scripted([lost(), about(&json!({"id": "org/other"}))]).await;
    let error = repo(&server).delete().await.unwrap_err();
    assert!(
        error.message().contains("is called org/other now"),
        "{error}"
    );
}

#[tokio::test]
async fn nothing_is_sent_while_the_hub_asks_to_wait() {
    let wait = Reply::new(429, &[("Retry-After", "90")], "");
    let server = Server::scripted([wait, Reply::new(200, &[], "")]).await;
    let clock: Arc<ManualClock> = ManualClock::new();
    let repo = timed(&server, &clock);
    for _ in 0..2 {
        let error = repo.delete().await.unwrap_err();
        assert_eq!(error.kind(), Kind::RateLimited);
        assert!(
            error
                .retry_after()
                .is_some_and(|wait| wait > Duration::from_secs(80))
        );
    }
    assert_eq!((server.lines().len(), clock.total()), (1, Duration::ZERO));
}

#[tokio::test]
async fn a_repo_is_moved_where_nothing_is() {
    let server = Server::scripted([absent(), Reply::new(200, &[], "")]).await;
    repo(&server).rename(&id("org/new")).await.unwrap();
    assert_eq!(server.lines(), ["GET /api/datasets/org/new", MOVE]);
    let wanted = json!({"fromRepo": "org/name", "toRepo": "org/new", "type": "dataset"});
    assert_eq!(server.seen()[1].json(), wanted);
}

#[tokio::test]
async fn a_repo_is_not_moved_onto_another() {
    let server = Server::scripted([about(&json!({"id": "org/new"}))]).await;
    let error = repo(&server).rename(&id("org/new")).await.unwrap_err();
    assert_eq!((error.kind(), times(&server, MOVE)), (Kind::Conflict, 0));
    let words = r#"{"error":"A dataset repository called `org/new` already exists"}"#;
    for status in [400, 409] {
        let server = Server::scripted([absent(), Reply::new(status, &[], words)]).await;
        let error = repo(&server).rename(&id("org/new")).await.unwrap_err();
        assert_eq!(error.kind(), Kind::Conflict, "hidden from this token");
    }
}

#[tokio::test]
async fn a_move_whose_answer_is_lost_is_looked_for() {
    let new = || about(&json!({"id": "org/new"}));
    for (old_id, new_id) in [(new(), new()), (absent(), new())] {
        let server = Server::scripted([absent(), lost(), old_id, new_id]).await;
        repo(&server).rename(&id("org/new")).await.unwrap();
        assert_eq!(times(&server, MOVE), 1);
    }
    for (old_id, new_id) in [(there(), absent()), (there(), new()), (absent(), absent())] {
        let server = Server::scripted([absent(), lost(), old_id, new_id]).await;
        let error = repo(&server).rename(&id("org/new")).await.unwrap_err();
        assert!(
            error.is_unanswered() && times(&server, MOVE) == 1,
            "{error}"
        );
    }
}

#[tokio::test]
async fn a_repo_is_private_when_the_hub_says_so() {
    let hidden = || about(&json!({"private": true}));
    for answer in [Reply::json(&json!({"private": true})), lost()] {
        let server = Server::scripted([answer, hidden()]).await;
        repo(&server).make_private().await.unwrap();
        assert_eq!(server.lines()[0], "PUT /api/datasets/org/name/settings");
        assert_eq!(server.seen()[0].json(), json!({"visibility": "private"}));
    }
    for (answer, said) in [
        (there(), "is still public"),
        (about(&json!({"private": null})), "does not say"),
        (absent(), "does not say"),
    ] {
        let server = Server::scripted([Reply::json(&json!({})), answer]).await;
        let error = repo(&server).make_private().await.unwrap_err();
        assert!(
            error.kind() == Kind::Refused && error.message().contains(said),
            "{error}"
        );
    }
    let server = Server::scripted([lost(), there()]).await;
    assert!(
        repo(&server)
            .make_private()
            .await
            .unwrap_err()
            .is_unanswered()
    );
}

/// A server whose listing of discussions answers `threads` by the type that is asked for, and whose repo has these likes.
async fn community_of(
    threads: impl Fn(&str) -> Reply + Send + Sync + 'static,
    likes: Value,
) -> Community {
    let server =
        Server::answering(
            move |seen: &Seen| match seen.target.split_once("/discussions?") {
                Some((_, "type=discussion&p=0")) => threads("discussion"),
                Some((_, "type=pull_request&p=0")) => threads("pull_request"),
                Some((_, other)) => panic!("{other}"),
                None => about(&likes),
            },
        )
        .await;
    repo(&server).community().await.unwrap()
}

#[tokio::test]
async fn discussions_and_pull_requests_are_counted_apart() {
    let page = |kind: &str| {
        let is_pull_request = kind == "pull_request";
        let entries = [json!({"num": 1, "isPullRequest": is_pull_request})];
        let count = if is_pull_request { 61 } else { 3 };
        Reply::json(&json!({"discussions": entries, "count": count, "start": 0}))
    };
    let told = community_of(page, json!({"likes": 69})).await;
    let expected = Community {
        discussions: Some(3),
        pull_requests: Some(61),
        likes: Some(69),
    };
    assert_eq!(told, expected);
}

#[tokio::test]
async fn what_the_hub_does_not_tell_is_not_zero() {
    let mixed =
        json!({"discussions": [{"isPullRequest": true}, {"isPullRequest": false}], "count": 2});
    for answer in [
        json!({"discussions": []}),
        json!({"discussions": [], "count": null}),
        json!({"discussions": [{}, {}], "count": 1}),
        mixed,
    ] {
        let told = community_of(move |_| Reply::json(&answer), json!({})).await;
        assert_eq!(told, Community::default());
    }
    for status in [403, 404] {
        let told = community_of(move |_| Reply::new(status, &[], ""), json!({"likes": null})).await;
        assert_eq!(told, Community::default());
    }
}

#[tokio::test]
async fn a_hub_that_fails_counts_nothing() {
    let server = Server::answering(|_| Reply::new(503, &[], "")).await;
    let error = repo(&server).community().await.unwrap_err();
    assert_eq!(error.kind(), Kind::Transient);
}
