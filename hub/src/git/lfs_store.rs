//! The blobs of a Git host: its LFS server. Files, commits and refs are Git's own and go by [`super::Bare`].
//! Facts: Git LFS specification, `batch.md`, `server-discovery.md`.

use std::ops::Range;

use async_trait::async_trait;
use reqwest::Url;

use crate::http::{Credentials, ErrorDecoder, ErrorResponse, Http, HttpOptions};
use crate::lfs::Lfs;
use crate::stream::range::{checked, is_worth_asking, nothing};
use crate::{
    Blob, BlobSource, BlobStore, Body, ByteStream, Digest, Error, File, Kind, Missing, Result,
    Sha256, Side,
};

/// The LFS server of one repo. Cheap to share; sends nothing by itself.
pub struct LfsStore {
    lfs: Lfs,
}

impl LfsStore {
    /// The LFS server at the side's endpoint ([`lfs_address`]), its login sent to that origin only. The side's revision is the branch
    /// in whose name it is asked.
    ///
    /// # Errors
    /// [`Kind::Invalid`] for an endpoint that is no address; what [`Http::new`] fails with.
    pub fn open(side: &Side, options: HttpOptions) -> Result<Self> {
        let address = format!("{}/objects/batch", side.at.endpoint.trim_end_matches('/'));
        let batch: Url = address.parse().map_err(|error| {
            Error::new(
                Kind::Invalid,
                format!("the LFS server's address is none: {error}"),
            )
        })?;
        let credentials = Credentials::basic(
            side.token
                .as_ref()
                .and_then(crate::Token::user)
                .unwrap_or_default(),
            side.token.as_ref(),
        );
        let http = Http::new(
            &batch,
            credentials,
            LfsErrors {
                has_login: side.token.is_some(),
            },
            options,
        )?;
        Ok(Self {
            lfs: Lfs::new(http, batch)
                .in_parts()
                .of_ref(format!("refs/heads/{}", side.at.revision)),
        })
    }
}

/// Where a repo's LFS server is, unless its `.lfsconfig` says otherwise.
pub fn lfs_address(repo: &Url) -> String {
    let repo = repo.as_str().trim_end_matches('/');
    let git = if repo.ends_with(".git") { "" } else { ".git" };
    format!("{repo}{git}/info/lfs")
}

/// Reads the errors of LFS servers: an HTTP status and a message.
struct LfsErrors {
    has_login: bool,
}

impl ErrorDecoder for LfsErrors {
    fn decode(&self, answer: &ErrorResponse<'_>) -> Option<(Kind, String)> {
        #[derive(serde::Deserialize)]
        struct Message {
            message: String,
        }
        let told = serde_json::from_slice(&answer.body)
            .map(|told: Message| format!(": {}", told.message))
            .unwrap_or_default();
        let (kind, said) = match (answer.status.as_u16(), self.has_login) {
            (401, false) => (
                Kind::Unauthorized,
                "the LFS server wants a user name and a password",
            ),
            (401, true) => (
                Kind::Unauthorized,
                "the LFS server does not take the user name and password",
            ),
            (403, _) => (Kind::Denied, "the LFS server does not allow this"),
            (404 | 410, _) => (Kind::NotFound, "the LFS server has nothing there"),
            (405 | 501, _) => (
                Kind::Disabled,
                "Git LFS is off there: switch it on for the project",
            ),
            (406, _) => (Kind::Denied, "the LFS server takes no more into this repo"),
            (413, _) => (Kind::Invalid, "it is larger than the LFS server takes"),
            (507, _) => (
                Kind::Denied,
                "the LFS server has no room left: its quota is used up",
            ),
            (509, _) => (Kind::Denied, "the LFS server's bandwidth is used up"),
            _ if told.is_empty() => return None,
            _ => (answer.kind(), "the LFS server refuses"),
        };
        Some((kind, format!("{said}{told}")))
    }
}

#[async_trait]
impl BlobSource for LfsStore {
    async fn locate(&self, blobs: &[Blob]) -> Result<Vec<(Sha256, Error)>> {
        self.lfs.locate(blobs).await
    }

    async fn read(&self, file: &File, range: Range<u64>) -> Result<ByteStream> {
        if !is_worth_asking(file, &range)? {
            return Ok(nothing());
        }
        let Digest::Sha256(sha256) = file.digest else {
            return Err(Error::new(
                Kind::Invalid,
                "an LFS server has no files outside LFS: Git's packs have them",
            ));
        };
        let blob = Blob {
            sha256,
            size: file.size,
        };
        let opened = self.lfs.open(file, blob, &range).await;
        opened
            .and_then(|response| checked(response, file, &range))
            .map_err(|error| error.about(&file.path))
    }
}

#[async_trait]
impl BlobStore for LfsStore {
    fn sends_in_parts(&self) -> bool {
        true
    }

    /// 404 to an upload means that there is no LFS, rather than no object.
    async fn missing(&self, blobs: &[Blob]) -> Result<Missing> {
        self.lfs
            .missing(blobs)
            .await
            .map_err(|error| match error.kind() {
                Kind::NotFound => error
                    .with_kind(Kind::Disabled)
                    .about("Git LFS is off there, or the repo is gone"),
                _ => error,
            })
    }

    async fn put(&self, blob: Blob, body: Body) -> Result<()> {
        self.lfs.put(blob, body).await
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use futures_util::{StreamExt, stream};
    use serde_json::{Value, json};

    use super::*;
    use crate::clock::tests::ManualClock;
    use crate::http::testing::{Reply, Seen, Server, quick};
    use crate::{Hub, RepoAt, RepoKind, Token};

    const CONTENT: &[u8] = b"weights";

    fn blob() -> Blob {
        Blob {
            sha256: Sha256::of(CONTENT),
            size: CONTENT.len() as u64,
        }
    }

    fn body() -> Body {
        Body::from(
            stream::iter(CONTENT.chunks(3).map(|piece| Ok(Bytes::from_static(piece)))).boxed(),
        )
    }

    fn store(server: &Server) -> LfsStore {
        let at = RepoAt {
            hub: Hub::Git,
            endpoint: format!("{}/a/b.git/info/lfs", server.endpoint()),
            kind: RepoKind::Model,
            id: "a/b".parse().unwrap(),
            revision: "main".parse().unwrap(),
        };
        LfsStore::open(
            &Side {
                at,
                token: Some(Token::login("me", "pass word").unwrap()),
            },
            quick(&ManualClock::new()),
        )
        .unwrap()
    }

    /// A server whose batch names these actions, and that takes whatever else comes.
    async fn naming(actions: Value) -> Server {
        Server::answering(move |seen: &Seen| match seen.path().ends_with("/objects/batch") {
            true => {
                let text = actions.to_string().replace("HOST", seen.header("host").unwrap());
                let actions: Value = serde_json::from_str(&text).unwrap();
                Reply::json(&json!({"objects": [{"oid": blob().sha256, "size": 7, "actions": actions}]}))
            }
            false => Reply::new(200, &[], if seen.method == "GET" { CONTENT } else { b"" }),
        })
        .await
    }

    #[test]
    fn the_lfs_server_is_below_the_repos_address() {
        let of = |url: &str| lfs_address(&url.parse().unwrap());
        assert_eq!(of("https://h/a/b.git"), "https://h/a/b.git/info/lfs");
        assert_eq!(of("https://h/a/b/"), "https://h/a/b.git/info/lfs");
    }

    #[tokio::test]
    async fn headers_are_sent_as_they_were_told_and_no_other_login_with_them() {
        let chunked = json!({"Transfer-Encoding": "chunked", "content-length": "1", "Expect": "100-continue"});
        let mut headed = json!({"Authorization": "RemoteAuth xyz", "X-Store": "yes", "Accept": "application/vnd.git-lfs+json; charset=utf-8"});
        headed
            .as_object_mut()
            .unwrap()
            .extend(chunked.as_object().unwrap().clone());
        let upload = json!({"href": "http://HOST/put", "header": headed});
        let server = naming(
            json!({"upload": upload, "verify": {"href": "http://HOST/verify", "header": headed}}),
        )
        .await;
        store(&server).put(blob(), body()).await.unwrap();
        let seen = server.seen();
        assert_eq!(seen[0].line(), "POST /a/b.git/info/lfs/objects/batch");
        assert_eq!(
            seen[0].header("authorization"),
            Some("Basic bWU6cGFzcyB3b3Jk")
        );
        let asked = seen[0].json();
        assert_eq!(
            (&asked["transfers"], &asked["ref"]),
            (
                &json!(["basic", "multipart"]),
                &json!({"name": "refs/heads/main"})
            )
        );
        for (seen, line) in seen[1..].iter().zip(["PUT /put", "POST /verify"]) {
            assert_eq!(
                (seen.line().as_str(), seen.header("authorization")),
                (line, Some("RemoteAuth xyz"))
            );
            assert_eq!(seen.header("x-store"), Some("yes"));
            assert_eq!(
                (seen.header("transfer-encoding"), seen.header("expect")),
                (None, None),
                "they are of GitLab's own framing"
            );
            assert_eq!(
                seen.header("accept"),
                Some("application/vnd.git-lfs+json; charset=utf-8"),
                "Gitea wants what it names"
            );
        }
        assert!(
            seen.iter()
                .all(|seen| seen.header("user-agent").unwrap().starts_with("git-lfs/"))
        );
        assert_eq!(
            (&seen[1].body[..], seen[1].header("content-length")),
            (CONTENT, Some("7"))
        );
        assert_eq!(seen[2].json(), json!({"oid": blob().sha256, "size": 7}));
    }

    #[tokio::test]
    async fn the_login_goes_to_actions_without_headers_at_the_same_origin_only() {
        let other = naming(json!({})).await;
        let elsewhere = format!("{}/get", other.endpoint());
        let server =
            naming(json!({"download": {"href": elsewhere}, "upload": {"href": "http://HOST/put"}}))
                .await;
        let store = store(&server);
        store.put(blob(), body()).await.unwrap();
        assert!(server.seen()[1].header("authorization").is_some());
        let file = File {
            path: "w".parse().unwrap(),
            size: 7,
            digest: Digest::Sha256(blob().sha256),
        };
        let read: Vec<_> = store.read(&file, 0..7).await.unwrap().collect().await;
        assert_eq!(
            read.into_iter()
                .map(Result::unwrap)
                .collect::<Vec<_>>()
                .concat(),
            CONTENT
        );
        assert!(other.seen()[0].header("authorization").is_none());
        assert!(
            other.seen()[0]
                .header("user-agent")
                .unwrap()
                .starts_with("git-lfs/")
        );
    }

    #[tokio::test]
    async fn every_refusal_of_an_object_is_its_own_and_says_why() {
        for (code, kind) in [
            (404, Kind::NotFound),
            (410, Kind::NotFound),
            (413, Kind::Invalid),
            (422, Kind::Invalid),
            (507, Kind::Invalid),
            (509, Kind::Invalid),
        ] {
            let objects = json!({"objects": [{"oid": blob().sha256, "size": 7, "error": {"code": code, "message": "the reason"}}]});
            let server = Server::answering(move |_| Reply::json(&objects)).await;
            let refused = store(&server)
                .missing(&[blob()])
                .await
                .unwrap()
                .refused
                .remove(0)
                .1;
            assert!(
                refused.kind() == kind && refused.message().contains("the reason"),
                "{code}: {refused}"
            );
        }
    }

    #[tokio::test]
    async fn a_host_without_lfs_says_so() {
        for status in [404, 501] {
            let server =
                Server::answering(move |_| Reply::new(status, &[], r#"{"message":"not enabled"}"#))
                    .await;
            let error = store(&server).missing(&[blob()]).await.unwrap_err();
            assert!(
                error.kind() == Kind::Disabled && error.message().contains("Git LFS is off"),
                "{error}"
            );
        }
    }

    #[tokio::test]
    async fn a_full_host_is_asked_once_and_a_closed_one_too() {
        for (status, kind) in [
            (406, Kind::Denied),
            (507, Kind::Denied),
            (509, Kind::Denied),
            (413, Kind::Invalid),
            (403, Kind::Denied),
            (401, Kind::Unauthorized),
        ] {
            let server =
                Server::answering(move |_| Reply::new(status, &[], r#"{"message":"my words"}"#))
                    .await;
            let error = store(&server).missing(&[blob()]).await.unwrap_err();
            assert!(
                error.kind() == kind && error.message().contains("my words"),
                "{status}: {error}"
            );
            assert_eq!(server.seen().len(), 1, "{status}");
        }
    }
}
