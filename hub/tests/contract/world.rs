//! A sandbox, and one repo on one of its hubs as the suites see it.

use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use super::toy;
use futures_util::StreamExt;
use hf2ms_hub::git::GitLimits;
use hf2ms_hub::http::HttpOptions;
use hf2ms_hub::http::retry::RetryPolicy;
use hf2ms_hub::{
    BlobTransport, ByteStream, Destination, Hub, RefStore, RepoAdmin, RepoAt, RepoKind, Result,
    Source, Spaces, Token, open_admin, open_destination, open_destination_over, open_ref_store,
    open_source, open_source_by_git, open_source_over, open_space,
};
use hf2ms_sandbox::{HAS_XET, Running, Sandbox};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Which hub, which kind of repo, and by which protocol it is read.
#[derive(Clone, Copy)]
pub struct Side(pub Hub, pub RepoKind, pub Protocol);

/// How a repo is read.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// The hub's API.
    Api,
    /// Git, as far as it goes.
    Git,
    /// The API, and blobs by Xet.
    Xet,
}

impl Side {
    /// The sandbox's word for the hub.
    pub fn hub(self) -> &'static str {
        self.0.profile().prefix
    }

    pub fn alice(self) -> &'static str {
        match self.hub() {
            "hf" => "hf_sandboxAliceWrite",
            "ms" => "ms-sandbox-alice-write",
            _ => toy::ALICE,
        }
    }

    pub fn bob(self) -> &'static str {
        match self.hub() {
            "hf" => "hf_sandboxBobWrite",
            "ms" => "ms-sandbox-bob-write",
            _ => toy::BOB,
        }
    }

    /// Where the sandbox gives a blob's bytes out: the origin, and the route.
    pub fn storage(self) -> (String, String) {
        match self.2 {
            Protocol::Xet => ("hf_cas".to_owned(), "hf_cas.term".to_owned()),
            Protocol::Api | Protocol::Git => (
                format!("{}_storage", self.hub()),
                format!("{}_storage.get", self.hub()),
            ),
        }
    }

    /// The sandbox's route for what the two hubs do by different ones.
    pub fn route(self, of_hugging_face: &str, of_modelscope: &str) -> String {
        format!(
            "{}.{}",
            self.hub(),
            if self.0 == Hub::HuggingFace {
                of_hugging_face
            } else {
                of_modelscope
            }
        )
    }
}

/// Whether the sandbox has Xet's storage; else the test is counted as skipped, in the file that `HF2MS_SKIPPED` names.
pub fn has_xet(test: &str) -> bool {
    if !HAS_XET && let Some(file) = std::env::var_os("HF2MS_SKIPPED") {
        let mut file = std::fs::OpenOptions::new()
            .append(true)
            .create(true)
            .open(file)
            .unwrap();
        writeln!(
            file,
            "skipped: {test} by Xet: the sandbox was built without --features xet"
        )
        .unwrap();
    }
    HAS_XET
}

/// A sandbox of one test, or the toy hub's server.
pub struct World {
    pub side: Side,
    endpoint: String,
    admin: String,
    _sandbox: Option<(Running, TempDir)>,
}

impl World {
    pub async fn new(side: Side) -> Self {
        if side.hub() == "toy" {
            let toy::ToyServer { endpoint } = toy::ToyServer::start();
            return Self {
                side,
                admin: endpoint.clone(),
                endpoint,
                _sandbox: None,
            };
        }
        let folder = tempfile::tempdir().unwrap();
        let sandbox = Sandbox::start(folder.path()).await.unwrap();
        let endpoint = if side.hub() == "hf" {
            &sandbox.hf
        } else {
            &sandbox.ms
        };
        let world = Self {
            side,
            endpoint: endpoint.clone(),
            admin: sandbox.admin.clone(),
            _sandbox: Some((sandbox, folder)),
        };
        if side.2 == Protocol::Xet {
            world
                .ask("POST", "/settings", json!({"hf_xet": true}))
                .await;
        }
        world
    }

    /// A world whose `alice/repo` has these files.
    pub async fn with(side: Side, files: Value) -> Self {
        let world = Self::new(side).await;
        world.seed(files).await;
        world
    }

    /// One more commit on `alice/repo`; its id.
    pub async fn seed(&self, files: Value) -> String {
        let seed = json!({"hub": self.side.hub(), "kind": self.side.1, "id": "alice/repo", "files": files});
        self.ask("POST", "/seed", seed).await["commit"]
            .as_str()
            .unwrap()
            .to_owned()
    }

    pub async fn ask(&self, method: &str, path: &str, body: Value) -> Value {
        let host = self.admin.trim_start_matches("http://");
        let mut stream = TcpStream::connect(host).await.unwrap();
        let body = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        let length = body.len();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}"
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        let (head, json) = answer.split_once("\r\n\r\n").unwrap();
        assert!(
            head.starts_with("HTTP/1.1 200"),
            "{method} {path} {body}: {answer}"
        );
        serde_json::from_str(json).unwrap_or_default()
    }

    /// Puts a fault in force for so many requests.
    pub async fn fault(&self, route: &str, kind: Value, count: u32) {
        self.ask(
            "POST",
            "/faults",
            json!({"route": route, "kind": kind, "count": count}),
        )
        .await;
    }

    pub async fn requests(&self, route: &str) -> u64 {
        self.ask("GET", "/counters", Value::Null).await[route]["requests"]
            .as_u64()
            .unwrap_or(0)
    }

    /// What `alice/repo` really holds.
    pub async fn stored(&self) -> Value {
        let (hub, kind) = (self.side.hub(), self.side.1);
        self.ask(
            "GET",
            &format!("/repo?hub={hub}&kind={kind}&id=alice/repo"),
            Value::Null,
        )
        .await
    }

    fn opened(&self, id: &str, revision: &str, token: Option<&str>) -> hf2ms_hub::Side {
        let Side(hub, kind, _) = self.side;
        let at = RepoAt {
            hub,
            endpoint: self.endpoint().to_owned(),
            kind,
            id: id.parse().unwrap(),
            revision: revision.parse().unwrap(),
        };
        hf2ms_hub::Side {
            at,
            token: token.map(|token| Token::parse(token).unwrap()),
        }
    }

    /// The hub's address.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    pub fn main(&self) -> &'static str {
        self.side.0.profile().main_branch
    }

    pub fn source_of(&self, id: &str, revision: &str, token: Option<&str>) -> Arc<dyn Source> {
        let side = self.opened(id, revision, token);
        match self.side.2 {
            Protocol::Api => open_source(&side, quick()).unwrap(),
            Protocol::Git => open_source_by_git(&side, quick(), GitLimits::default()).unwrap(),
            Protocol::Xet => open_source_over(&side, quick(), BlobTransport::Xet).unwrap(),
        }
    }

    /// `alice/repo` at its branch, read by alice.
    pub fn source(&self) -> Arc<dyn Source> {
        self.source_of("alice/repo", self.main(), Some(self.side.alice()))
    }

    /// `alice/repo` at the commit where it stands.
    pub async fn pinned(&self) -> Arc<dyn Source> {
        let commit = self.source().describe().await.unwrap().commit.unwrap();
        self.source_of("alice/repo", commit.as_str(), Some(self.side.alice()))
    }

    pub fn destination_of(&self, token: &str) -> Arc<dyn Destination> {
        self.written_at(self.main(), token)
    }

    /// `alice/repo` at another branch, written by alice.
    pub fn destination_at(&self, branch: &str) -> Arc<dyn Destination> {
        self.written_at(branch, self.side.alice())
    }

    fn written_at(&self, branch: &str, token: &str) -> Arc<dyn Destination> {
        let side = self.opened("alice/repo", branch, Some(token));
        let opened = match self.side.2 {
            Protocol::Api | Protocol::Git => open_destination(&side, quick()),
            Protocol::Xet => open_destination_over(&side, quick(), BlobTransport::Xet),
        };
        opened.unwrap()
    }

    /// `alice/repo` as an app, by this token.
    pub fn spaces_of(&self, token: &str) -> Arc<dyn Spaces> {
        open_space(
            &self.opened("alice/repo", self.main(), Some(token)),
            quick(),
        )
        .unwrap()
    }

    /// The same, by alice.
    pub fn spaces(&self) -> Arc<dyn Spaces> {
        self.spaces_of(self.side.alice())
    }

    /// `alice/repo` as its owner sees the whole of it, by this token.
    pub fn admin_of(&self, token: &str) -> Arc<dyn RepoAdmin> {
        let side = self.opened("alice/repo", self.main(), Some(token));
        open_admin(&side, quick()).unwrap().unwrap()
    }

    /// The branches and tags of `alice/repo`.
    pub fn references(&self, token: &str) -> Arc<dyn RefStore> {
        open_ref_store(
            &self.opened("alice/repo", self.main(), Some(token)),
            quick(),
        )
        .unwrap()
    }

    /// `alice/repo` at its branch, written by alice.
    pub fn destination(&self) -> Arc<dyn Destination> {
        self.destination_of(self.side.alice())
    }

    /// The same, just created.
    pub async fn created(&self) -> Arc<dyn Destination> {
        let destination = self.destination();
        destination
            .create(hf2ms_hub::Visibility::Public)
            .await
            .unwrap();
        destination
    }
}

fn quick() -> HttpOptions {
    let retry = RetryPolicy {
        retries: 2,
        base: Duration::from_millis(2),
        ..RetryPolicy::default()
    };
    HttpOptions {
        retry,
        stall: Duration::from_secs(10),
        ..HttpOptions::default()
    }
}

/// All of a body, or the error that ended it.
pub async fn all(body: Result<ByteStream>) -> Result<Vec<u8>> {
    let mut body = body?;
    let mut bytes = Vec::new();
    while let Some(piece) = body.next().await {
        bytes.extend_from_slice(&piece?);
    }
    Ok(bytes)
}
