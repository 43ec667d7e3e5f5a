//! One commit. It is sent once: when its answer is lost, whoever asked looks whether it was made.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::{ModelScopeRepo, wire};
use crate::http::Request;
use crate::{Action, Commit, Content, Error, GitSha1, Kind, Result};

/// The hub works on a large commit before it says a word.
const PATIENCE: Duration = Duration::from_secs(300);

/// More words for "another commit came first", too common to mean that anywhere else
/// (modelscope-hub 0.5.1, `_upload.py`, `_RETRYABLE_COMMIT_MESSAGE_MARKERS`).
const BUSY_WORDS: [&str; 2] = ["please retry", "try again"];

impl ModelScopeRepo {
    /// Writes the commit; returns its id where the answer has one (the official client reads none).
    ///
    /// # Errors
    /// [`Kind::Conflict`] when the branch changed; [`Kind::RateLimited`] with the wait that the hub asks for, or while it works on
    /// another commit; [`Kind::Policy`] for a commit that comes too soon or has a path that the hub does not like;
    /// [`Kind::Denied`] without the right to write.
    pub(super) async fn write_commit(&self, commit: &Commit) -> Result<Option<String>> {
        let url = self.git_api(&["commit", self.at.revision.as_str()]);
        let body = wire::Commit {
            commit_message: &commit.message,
            actions: commit.actions.iter().map(written).collect(),
        };
        let answer = self
            .ask_once(Request::post(url).json(&body)?.patience(PATIENCE))
            .await;
        answer
            .map(|data| id_of(&data))
            .map_err(read_busy)
            .map_err(read_denial)
    }
}

/// Whether the path exists makes no difference: the official client says "create" for every file.
fn written(action: &Action) -> wire::Action<'_> {
    let blank = |action, path| wire::Action {
        action,
        path,
        r#type: "normal",
        size: 0,
        sha256: String::new(),
        content: String::new(),
        encoding: "",
    };
    match action {
        Action::Put {
            path,
            content: Content::Stored(blob),
            ..
        } => wire::Action {
            r#type: "lfs",
            size: blob.size,
            sha256: blob.sha256.to_string(),
            ..blank("create", path.as_str())
        },
        Action::Put {
            path,
            content: Content::Inline(bytes),
            ..
        } => {
            let content = STANDARD.encode(bytes);
            wire::Action {
                size: bytes.len() as u64,
                content,
                encoding: "base64",
                ..blank("create", path.as_str())
            }
        }
        Action::Delete { path } => blank("delete", path.as_str()),
    }
}

fn id_of(data: &Value) -> Option<String> {
    let named = ["CommitId", "commit_id", "Sha", "sha", "Id", "id"]
        .iter()
        .find_map(|key| data.get(*key)?.as_str());
    named
        .or(data.as_str())
        .filter(|id| id.parse::<GitSha1>().is_ok())
        .map(str::to_owned)
}

fn read_busy(error: Error) -> Error {
    let words = error.message().to_lowercase();
    let busy = error.kind() == Kind::Invalid
        && error.status() == Some(400)
        && BUSY_WORDS.iter().any(|busy| words.contains(busy));
    if busy {
        error.with_kind(Kind::Conflict)
    } else {
        error
    }
}

/// A write without the right is answered as if there were no repo; whoever writes has seen it.
pub(super) fn read_denial(error: Error) -> Error {
    let denies =
        error.kind() == Kind::NotFound && error.message().contains("permission to view it");
    if denies {
        error.with_kind(Kind::Denied)
    } else {
        error
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use serde_json::json;

    use super::super::api::tests::{bad, good, repo, repo_with};
    use super::*;
    use crate::clock::tests::ManualClock;
    use crate::http::testing::{Reply, Server};
    use crate::{Blob, RepoKind, Sha256};

    fn change() -> Commit {
        let put = |path: &str, exists, content| Action::Put {
            path: path.parse().unwrap(),
            exists,
            content,
        };
        let blob = Blob {
            sha256: Sha256::of(b"x"),
            size: 9_000_000_000,
        };
        let actions = vec![
            put("a b/é.bin", true, Content::Stored(blob)),
            put("README.md", true, Content::Inline(Bytes::from("# hi\n"))),
            put("empty", false, Content::Inline(Bytes::new())),
            Action::Delete {
                path: "old".parse().unwrap(),
            },
        ];
        Commit {
            message: "Copy\n\nfrom elsewhere".to_owned(),
            actions,
            parent: None,
        }
    }

    async fn commit(reply: Reply) -> (Result<Option<String>>, Server) {
        let server = Server::scripted([reply]).await;
        let answer = repo(&server, RepoKind::Model).write_commit(&change()).await;
        (answer, server)
    }

    #[tokio::test]
    async fn a_commit_says_what_the_official_client_says() {
        let (id, server) = commit(good(json!({"CommitId": "ab".repeat(20)}))).await;
        assert_eq!(id.unwrap(), Some("ab".repeat(20)));
        let seen = &server.seen()[0];
        assert_eq!(
            seen.line(),
            "POST /api/v1/repos/models/org/name/commit/master"
        );
        let sha256 = Sha256::of(b"x").to_string();
        assert_eq!(
            seen.json(),
            json!({"commit_message": "Copy\n\nfrom elsewhere", "actions": [
                {"action": "create", "path": "a b/é.bin", "type": "lfs", "size": 9_000_000_000_u64, "sha256": sha256, "content": "", "encoding": ""},
                {"action": "create", "path": "README.md", "type": "normal", "size": 5, "sha256": "", "content": "IyBoaQo=", "encoding": "base64"},
                {"action": "create", "path": "empty", "type": "normal", "size": 0, "sha256": "", "content": "", "encoding": "base64"},
                {"action": "delete", "path": "old", "type": "normal", "size": 0, "sha256": "", "content": "", "encoding": ""},
            ]})
        );
    }

    #[tokio::test]
    async fn a_commit_without_a_known_id_is_still_one() {
        for data in [
            json!(null),
            json!({}),
            json!({"Id": 7}),
            json!({"Id": "not a commit"}),
            json!("done"),
        ] {
            assert_eq!(commit(good(data)).await.0.unwrap(), None);
        }
    }

    #[tokio::test]
    async fn a_branch_that_moved_is_a_conflict_in_every_form() {
        for reply in [
            bad(409, 409, "conflict"),
            bad(400, 10_030_000_001, "branch changed"),
            bad(200, 10_030_000_001, "branch changed"),
            bad(400, 400, "Branch changed since it was read"),
            bad(400, 400, "busy, please retry"),
            bad(200, 400, "could not update refs"),
        ] {
            let (answer, server) = commit(reply).await;
            assert_eq!(
                (answer.unwrap_err().kind(), server.seen().len()),
                (Kind::Conflict, 1)
            );
        }
    }

    #[tokio::test]
    async fn a_refusal_is_told_by_its_words() {
        let unseen = "The project you were looking for could not be found or you don't have permission to view it: models/org/name";
        for (reply, kind) in [
            (bad(404, 404, unseen), Kind::Denied),
            (bad(404, 10_010_205_001, "record not found"), Kind::NotFound),
            (
                bad(429, 10_030_000_001, "commit lock busy, please try again"),
                Kind::RateLimited,
            ),
            (
                bad(400, 10_030_000_001, "commit rejected by repository policy"),
                Kind::Policy,
            ),
            (
                bad(400, 10_030_000_001, "User not logged in"),
                Kind::Unauthorized,
            ),
        ] {
            let (answer, server) = commit(reply).await;
            assert_eq!((answer.unwrap_err().kind(), server.seen().len()), (kind, 1));
        }
    }

    #[tokio::test]
    async fn a_failure_inside_a_200_is_a_failure() {
        let (answer, _) = commit(bad(200, 10_010_000_001, "bad path")).await;
        let error = answer.unwrap_err();
        assert!(
            error.kind() == Kind::Invalid
                && error.to_string().starts_with("bad path (code 10010000001)"),
            "{error}"
        );
        assert_eq!(
            commit(bad(422, 422, "commit request exceeds actions limit"))
                .await
                .0
                .unwrap_err()
                .kind(),
            Kind::Invalid
        );
    }

    #[tokio::test]
    async fn a_lost_answer_is_not_sent_again() {
        for lost in [
            Reply::new(503, &[], ""),
            Reply::raw(""),
            Reply::headed(200, &[("Content-Length", "9")], "{"),
        ] {
            let (answer, server) = commit(lost).await;
            assert_eq!(
                (answer.unwrap_err().kind(), server.seen().len()),
                (Kind::Transient, 1)
            );
        }
    }

    #[tokio::test]
    async fn the_hourly_limit_is_passed_on_with_its_wait() {
        let limited = Reply::new(
            429,
            &[("Retry-After", "1800")],
            r#"{"Code":429,"Message":"slow down"}"#,
        );
        let server = Server::scripted([limited]).await;
        let clock = ManualClock::new();
        let error = repo_with(&server, RepoKind::Model, &clock)
            .write_commit(&change())
            .await
            .unwrap_err();
        assert_eq!(
            (error.kind(), error.retry_after()),
            (Kind::RateLimited, Some(Duration::from_secs(1800)))
        );
        assert_eq!((clock.total(), server.seen().len()), (Duration::ZERO, 1));
    }

    #[tokio::test]
    async fn a_huge_error_body_is_capped() {
        let (answer, _) = commit(Reply::new(400, &[], "x".repeat(10 << 20))).await;
        assert!(answer.unwrap_err().to_string().len() < 500);
    }
}
