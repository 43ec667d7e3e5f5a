//! Faults as they look on the wire: seen by plain sockets, since a client would hide some of them.

// Clippy lets tests unwrap, but not what they share.
#![allow(clippy::unwrap_used)]

use std::io::ErrorKind;

use hf2ms_sandbox::{Running, Sandbox};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const ALICE: &str = "Authorization: Bearer ms-sandbox-alice-write\r\n";

/// What ModelScope's storage below the hub's own domain wants.
const LOGIN: &str = "Authorization: Bearer ms-sandbox-alice-write\r\nCookie: m_session_id=ms-sandbox-alice-write\r\n";

struct Hubs {
    running: Running,
    _dir: tempfile::TempDir,
}

/// An answer: the head, the body, and whether the connection was reset.
struct Received {
    head: String,
    body: Vec<u8>,
    reset: bool,
}

impl Received {
    fn status(&self) -> &str {
        self.head.split(' ').nth(1).unwrap_or("none")
    }

    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then_some(value.trim())
        })
    }
}

/// Sends `body` to `url` and reads until the connection ends.
async fn ask(method: &str, url: &str, headers: &str, body: &[u8]) -> Received {
    let rest = url.strip_prefix("http://").unwrap();
    let (host, path) = rest.split_at(rest.find('/').unwrap());
    let mut stream = TcpStream::connect(host).await.unwrap();
    let length = if headers.contains("Transfer-Encoding") {
        String::new()
    } else {
        format!("Content-Length: {}\r\n", body.len())
    };
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{length}{headers}\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(body).await.ok();
    let mut received = Vec::new();
    let reset = loop {
        match stream.read_buf(&mut received).await {
            Ok(0) => break false,
            Ok(_) => {}
            Err(error) => break error.kind() == ErrorKind::ConnectionReset,
        }
    };
    let end = received
        .windows(4)
        .position(|four| four == b"\r\n\r\n")
        .map_or(received.len(), |at| at + 4);
    Received {
        head: String::from_utf8_lossy(&received[..end]).into(),
        body: received[end..].to_vec(),
        reset,
    }
}

impl Hubs {
    async fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        Self {
            running: Sandbox::start(dir.path()).await.unwrap(),
            _dir: dir,
        }
    }

    async fn admin(&self, method: &str, path: &str, body: Value) -> Value {
        let received = ask(
            method,
            &format!("{}{path}", self.running.admin),
            "",
            body.to_string().as_bytes(),
        )
        .await;
        assert_eq!(
            received.status(),
            "200",
            "{}",
            String::from_utf8_lossy(&received.body)
        );
        received.json()
    }

    async fn fault(&self, route: &str, kind: Value) {
        self.admin("DELETE", "/faults", json!({})).await;
        self.admin("POST", "/faults", json!({"route": route, "kind": kind}))
            .await;
    }

    /// A Hugging Face repo with a blob of 100,000 bytes, and the URL that blob is at.
    async fn seeded(&self) -> String {
        let seed = json!({"hub": "hf", "kind": "model", "id": "alice/x", "files": [{"path": "a.bin", "size": 100_000, "seed": 7}, {"path": "b.txt", "text": "hello"}]});
        self.admin("POST", "/seed", seed).await;
        self.resolved().await
    }

    async fn resolved(&self) -> String {
        let received = ask(
            "GET",
            &format!("{}/alice/x/resolve/main/a.bin", self.running.hf),
            "",
            b"",
        )
        .await;
        assert_eq!(received.status(), "302");
        received.header("location").unwrap().to_owned()
    }

    /// Where ModelScope wants a blob with the digest of `n`s put.
    async fn wanted(&self, n: char, size: u64) -> Option<String> {
        let url = format!(
            "{}/api/v1/repos/models/alice/x/info/lfs/objects/batch",
            self.running.ms
        );
        let asked = json!({"operation": "upload", "objects": [{"oid": n.to_string().repeat(64), "size": size}]});
        let received = ask("POST", &url, ALICE, asked.to_string().as_bytes()).await;
        received.json()["Data"]["objects"][0]["actions"]["upload"]["href"]
            .as_str()
            .map(str::to_owned)
    }
}

#[tokio::test]
async fn bodies_end_as_told() {
    let hubs = Hubs::start().await;
    let url = hubs.seeded().await;
    let whole = ask("GET", &url, "", b"").await.body;
    assert_eq!(whole.len(), 100_000);

    hubs.fault("hf_storage.get", json!({"do": "reset", "after": 0}))
        .await;
    let received = ask("GET", &url, "", b"").await;
    assert!(received.reset && received.head.is_empty());

    hubs.fault("hf_storage.get", json!({"do": "reset", "after": 70_000}))
        .await;
    let received = ask("GET", &url, "", b"").await;
    assert!(received.reset && received.body == whole[..70_000]);

    hubs.fault("hf_storage.get", json!({"do": "truncate", "after": 70_000}))
        .await;
    let received = ask("GET", &url, "", b"").await;
    assert!(!received.reset && received.body == whole[..70_000]);
    assert_eq!(received.header("content-length"), Some("100000"));

    hubs.fault(
        "hf_storage.get",
        json!({"do": "undeclared", "after": 70_000}),
    )
    .await;
    let received = ask("GET", &url, "", b"").await;
    assert!(!received.reset && received.body == whole[..70_000]);
    assert_eq!(
        (
            received.header("content-length"),
            received.header("transfer-encoding")
        ),
        (None, None)
    );

    hubs.fault("hf_storage.get", json!({"do": "stall", "after": 10}))
        .await;
    let stalled = tokio::time::timeout(
        std::time::Duration::from_millis(300),
        ask("GET", &url, "", b""),
    )
    .await;
    assert!(stalled.is_err());
}

#[tokio::test]
async fn bodies_are_not_what_they_were() {
    let hubs = Hubs::start().await;
    let url = hubs.seeded().await;
    let whole = ask("GET", &url, "", b"").await.body;

    hubs.fault("hf_storage.get", json!({"do": "corrupt", "at": 5}))
        .await;
    let received = ask("GET", &url, "", b"").await;
    assert!(
        received.body[5] == !whole[5]
            && received.body[6..] == whole[6..]
            && received.body[..5] == whole[..5]
    );

    hubs.fault("hf_storage.get", json!({"do": "longer", "extra": 3}))
        .await;
    let received = ask("GET", &url, "", b"").await;
    assert!(received.header("content-length") == Some("100003") && received.body.len() == 100_003);

    hubs.fault("hf_storage.get", json!({"do": "ignore_range"}))
        .await;
    let received = ask("GET", &url, "Range: bytes=10-19\r\n", b"").await;
    assert!(received.status() == "200" && received.body == whole);

    hubs.fault("hf_storage.get", json!({"do": "wrong_range"}))
        .await;
    let received = ask("GET", &url, "Range: bytes=10-19\r\n", b"").await;
    assert_eq!(
        (received.status(), received.header("content-range")),
        ("206", Some("bytes 11-20/100000"))
    );

    hubs.admin("DELETE", "/faults", json!({})).await;
    let received = ask("GET", &url, "Range: bytes=10-19\r\n", b"").await;
    assert_eq!(
        (received.header("content-range"), &received.body[..]),
        (Some("bytes 10-19/100000"), &whole[10..20])
    );
    let received = ask("GET", &url, "Range: bytes=100000-\r\n", b"").await;
    assert_eq!(
        (received.status(), received.header("content-range")),
        ("416", Some("bytes */100000"))
    );
}

#[tokio::test]
async fn urls_are_good_for_one_thing_and_a_while() {
    let hubs = Hubs::start().await;
    let url = hubs.seeded().await;
    assert_eq!(
        ask("GET", &url.replace("Signature=", "Signature=0"), "", b"")
            .await
            .status(),
        "403"
    );
    assert_eq!(ask("PUT", &url, "", b"x").await.status(), "403");
    hubs.fault("hf.resolve", json!({"do": "expired"})).await;
    let received = ask("GET", &hubs.resolved().await, "", b"").await;
    assert!(
        received.status() == "403" && String::from_utf8_lossy(&received.body).contains("expired")
    );
}

#[tokio::test]
async fn uploads_are_stored_whole_or_not_at_all() {
    let hubs = Hubs::start().await;
    hubs.admin(
        "POST",
        "/seed",
        json!({"hub": "ms", "kind": "model", "id": "alice/x"}),
    )
    .await;

    let url = hubs.wanted('a', 90_000).await.unwrap();
    assert_eq!(
        ask("PUT", &url, "", &[1; 9]).await.status(),
        "400",
        "no login"
    );
    let chunked = ask(
        "PUT",
        &url,
        &format!("{LOGIN}Transfer-Encoding: chunked\r\n"),
        b"3\r\nabc\r\n0\r\n\r\n",
    )
    .await;
    assert_eq!(chunked.status(), "501");
    hubs.fault("ms_storage.put", json!({"do": "reset", "after": 50_000}))
        .await;
    assert!(ask("PUT", &url, LOGIN, &[1; 90_000]).await.reset);
    assert!(
        hubs.wanted('a', 90_000).await.is_some(),
        "half a blob is none"
    );

    hubs.fault("ms_storage.put", json!({"do": "status", "status": 503}))
        .await;
    assert_eq!(ask("PUT", &url, LOGIN, &[1; 90_000]).await.status(), "503");
    assert!(hubs.wanted('a', 90_000).await.is_some());

    hubs.fault("ms_storage.put", json!({"do": "lose_answer"}))
        .await;
    assert!(ask("PUT", &url, LOGIN, &[1; 90_000]).await.head.is_empty());
    assert!(
        hubs.wanted('a', 90_000).await.is_none(),
        "the work was done"
    );
}

#[tokio::test]
async fn modelscope_keeps_wrong_bytes_and_the_judge_says_so() {
    let hubs = Hubs::start().await;
    hubs.admin(
        "POST",
        "/seed",
        json!({"hub": "ms", "kind": "model", "id": "alice/x"}),
    )
    .await;
    let url = hubs.wanted('b', 9).await.unwrap();
    assert_eq!(ask("PUT", &url, LOGIN, b"something").await.status(), "200");
    let action = json!({"action": "create", "path": "b.bin", "type": "lfs", "size": 9, "sha256": "b".repeat(64), "content": "", "encoding": ""});
    let commit = format!(
        "{}/api/v1/repos/models/alice/x/commit/master",
        hubs.running.ms
    );
    let received = ask(
        "POST",
        &commit,
        ALICE,
        json!({"commit_message": "m", "actions": [action]})
            .to_string()
            .as_bytes(),
    )
    .await;
    assert_eq!(received.json()["Success"], true);
    let repo = hubs
        .admin("GET", "/repo?hub=ms&kind=model&id=alice/x", json!({}))
        .await;
    let file = &repo["files"][0];
    assert_eq!(file["listed"]["sha256"], "b".repeat(64));
    assert_eq!(
        file["sha256"],
        "3fc9b689459d738f8c88a3a48aa9e33542016b7a4052e001aaa536fca74813cb"
    );
}

#[tokio::test]
async fn listings_lie_as_told() {
    let hubs = Hubs::start().await;
    let files = json!([
        {"path": "../up.txt", "text": "x"},
        {"path": "lost.bin", "size": 10, "seed": 1, "missing": true},
        {"path": "big.bin", "size": 10, "declare": {"size": 20}},
        {"path": "link", "text": "target", "mode": "symlink"},
    ]);
    hubs.admin(
        "POST",
        "/seed",
        json!({"hub": "hf", "kind": "model", "id": "alice/x", "files": files}),
    )
    .await;
    let received = ask(
        "GET",
        &format!(
            "{}/api/models/alice/x/tree/main?recursive=true",
            hubs.running.hf
        ),
        "",
        b"",
    )
    .await;
    let listed: Vec<Value> = received
        .json()
        .as_array()
        .unwrap()
        .iter()
        .map(|e| json!([e["type"], e["path"], e["size"]]))
        .collect();
    let expected = json!([
        ["directory", "..", 0],
        ["file", "../up.txt", 1],
        ["file", "big.bin", 20],
        ["file", "link", 6],
        ["file", "lost.bin", 10]
    ]);
    assert_eq!(Value::from(listed), expected);
    let received = ask(
        "HEAD",
        &format!("{}/alice/x/resolve/main/lost.bin", hubs.running.hf),
        "",
        b"",
    )
    .await;
    let received = ask("GET", received.header("location").unwrap(), "", b"").await;
    assert_eq!(received.status(), "404");
}

#[tokio::test]
async fn a_repo_moves_under_a_commit() {
    let hubs = Hubs::start().await;
    hubs.seeded().await;
    let head = hubs
        .admin("GET", "/repo?hub=hf&kind=model&id=alice/x", json!({}))
        .await["head"]
        .clone();
    hubs.fault(
        "hf.commit",
        json!({"do": "moved", "files": [{"path": "theirs.txt", "text": "x"}]}),
    )
    .await;
    let lines =
        json!({"key": "header", "value": {"summary": "mine", "parentCommit": head}}).to_string();
    let url = format!("{}/api/models/alice/x/commit/main", hubs.running.hf);
    let received = ask(
        "POST",
        &url,
        "Authorization: Bearer hf_sandboxAliceWrite\r\n",
        lines.as_bytes(),
    )
    .await;
    assert_eq!(received.status(), "412");
    let repo = hubs
        .admin("GET", "/repo?hub=hf&kind=model&id=alice/x", json!({}))
        .await;
    assert_eq!(
        repo["commits"].as_array().unwrap().last().unwrap()["message"],
        "someone else's"
    );
}

#[tokio::test]
async fn requests_are_remembered_and_tokens_revoked() {
    let hubs = Hubs::start().await;
    let whoami = format!("{}/api/whoami-v2", hubs.running.hf);
    let alice = "Authorization: Bearer hf_sandboxAliceWrite\r\n";
    assert_eq!(ask("GET", &whoami, alice, b"").await.status(), "200");
    hubs.admin(
        "POST",
        "/token/revoke",
        json!({"token": "hf_sandboxAliceWrite"}),
    )
    .await;
    assert_eq!(ask("GET", &whoami, alice, b"").await.status(), "401");
    let requests = hubs.admin("GET", "/requests", json!({})).await;
    assert_eq!(requests[1]["status"], 401);
    assert_eq!(
        requests[0]["headers"]["authorization"],
        "Bearer hf_sandboxAliceWrite"
    );
    assert_eq!(
        hubs.admin("GET", "/counters", json!({})).await["hf.whoami"]["statuses"],
        json!({"200": 1, "401": 1})
    );
}
