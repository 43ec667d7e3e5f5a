//! The real binaries between loopback hubs: a sandbox a test, and `hf2ms` started as a user would.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs, dead_code)]

pub mod docker;
pub mod faults;
pub mod fleet;
pub mod history;
pub mod json;
pub mod modal;
pub mod processes;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

/// Who writes on ModelScope.
pub const ALICE: &str = "ms-sandbox-alice-write";
/// Someone else there.
pub const BOB: &str = "ms-sandbox-bob-write";

/// A seed of `alice/model`: two equal blobs, one other, and three small files.
pub const SMALL_MODEL: &str = r##"{"hub":"hf","kind":"model","id":"alice/model","message":"m","files":[
    {"path":"README.md","text":"# Hello\n"},{"path":"config.json","text":"{}"},{"path":"empty.txt","text":""},
    {"path":"a.safetensors","size":3000000,"seed":1},{"path":"copy/a.safetensors","size":3000000,"seed":1},
    {"path":"b.safetensors","size":2000000,"seed":2}]}"##;

/// Two hubs and a place for runs. Stops with the test.
pub struct World {
    sandbox: Child,
    addresses: Value,
    folder: TempDir,
    /// Where the sandbox is a container.
    network: Option<docker::Network>,
}

/// How `hf2ms` ended.
pub struct Ran {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

/// A host that no resolver knows: a sandbox that hands out this name is reached through a proxy only.
pub const ELSEWHERE: &str = "hubs.invalid";

/// What a server answers; `None` for anything but 200.
pub fn ask(base: &str, method: &str, path: &str, body: &str) -> Option<Value> {
    let host = base.trim_start_matches("http://");
    let mut stream = TcpStream::connect(host.replace(ELSEWHERE, "127.0.0.1")).unwrap();
    let length = body.len();
    write!(stream, "{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, json) = answer.split_once("\r\n\r\n").unwrap();
    head.starts_with("HTTP/1.1 200")
        .then(|| serde_json::from_str(json).unwrap_or(Value::Null))
}

/// A program of this workspace, beside `hf2ms`.
pub fn binary(name: &str) -> PathBuf {
    let path = PathBuf::from(env!("CARGO_BIN_EXE_hf2ms")).with_file_name(name);
    assert!(
        path.is_file(),
        "build the whole workspace first: {} is not there",
        path.display()
    );
    path
}

impl World {
    pub fn new() -> Self {
        Self::serving(&[])
    }

    /// A world whose sandbox has these flags.
    pub fn serving(flags: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut command = Command::new(binary("hf2ms-sandbox"));
        command
            .args(["serve", "--parent-stdin", "--dir"])
            .arg(folder.path().join("blobs"))
            .args(flags);
        Self::started(&mut command, folder)
    }

    /// Starts a sandbox and waits until it says where it is.
    fn started(command: &mut Command, folder: TempDir) -> Self {
        let mut sandbox = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(sandbox.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        let addresses = serde_json::from_str(&line)
            .unwrap_or_else(|_| panic!("the sandbox did not start: {line:?}"));
        Self {
            sandbox,
            addresses,
            folder,
            network: None,
        }
    }

    /// A world whose Hugging Face has [`SMALL_MODEL`].
    pub fn with_model() -> Self {
        let world = Self::new();
        world.seed_small_model();
        world
    }

    /// Puts [`SMALL_MODEL`] on Hugging Face.
    pub fn seed_small_model(&self) {
        self.seed(SMALL_MODEL);
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn address(&self, name: &str) -> &str {
        self.addresses[name].as_str().unwrap()
    }

    pub fn seed(&self, body: &str) -> Value {
        self.admin("POST", "/seed", body).unwrap()
    }

    /// What the admin answers; `None` for anything but 200.
    pub fn admin(&self, method: &str, path: &str, body: &str) -> Option<Value> {
        ask(self.address("admin"), method, path, body)
    }

    /// What a repo really holds; `None` if it does not exist.
    pub fn stored(&self, hub: &str, kind: &str, id: &str) -> Option<Value> {
        self.admin("GET", &format!("/repo?hub={hub}&kind={kind}&id={id}"), "")
    }

    /// Whether the copy has every file of the original, byte for byte.
    pub fn is_copied(&self, kind: &str, from: &str, to: &str) -> bool {
        let files = |repo: Option<Value>| -> Vec<(Value, Value)> {
            let repo = repo.unwrap_or_default();
            repo["files"]
                .as_array()
                .into_iter()
                .flatten()
                .map(|file| (file["path"].clone(), file["sha256"].clone()))
                .collect()
        };
        let there = files(self.stored("ms", kind, to));
        let here = files(self.stored("hf", kind, from));
        !here.is_empty() && here.iter().all(|file| there.contains(file))
    }

    /// How often a route was asked since the start.
    pub fn requests(&self, route: &str) -> u64 {
        self.admin("GET", "/counters", "").unwrap()[route]["requests"]
            .as_u64()
            .unwrap_or(0)
    }

    /// How many requests there were of any kind.
    pub fn all_requests(&self) -> u64 {
        let counters = self.admin("GET", "/counters", "").unwrap();
        counters
            .as_object()
            .unwrap()
            .values()
            .filter_map(|route| route["requests"].as_u64())
            .sum()
    }

    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hf2ms"));
        command
            .args(args)
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .env_clear();
        command
            .env("PATH", std::env::var("PATH").unwrap_or_default())
            .env("HF2MS_STATE", self.path("state"));
        command
            .env("HF_ENDPOINT", self.address("hf"))
            .env("MODELSCOPE_ENDPOINT", self.address("ms"));
        command
            .env("MODELSCOPE_TOKEN", ALICE)
            .env("HF2MS_WORKER", binary("hf2ms-worker"));
        command
    }

    pub fn run(&self, args: &[&str]) -> Ran {
        Ran::of(self.command(args).output().unwrap())
    }

    pub fn run_with(&self, args: &[&str], environment: &[(&str, &str)]) -> Ran {
        Ran::of(
            self.command(args)
                .envs(environment.iter().copied())
                .output()
                .unwrap(),
        )
    }
}

impl Drop for World {
    fn drop(&mut self) {
        let _ = self.sandbox.kill();
        let _ = self.sandbox.wait();
    }
}

impl Ran {
    pub fn of(output: Output) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        let ran = Self {
            code: output.status.code().unwrap_or(-1),
            stdout: text(output.stdout),
            stderr: text(output.stderr),
        };
        json::check(&ran.stdout);
        ran
    }

    /// It ended with `code` and one line on stderr that has these words.
    pub fn refused_with(&self, code: i32, words: &str) {
        let lines: Vec<_> = self
            .stderr
            .lines()
            .filter(|line| line.starts_with("error: "))
            .collect();
        assert_eq!(self.code, code, "{}{}", self.stdout, self.stderr);
        assert!(
            lines.len() == 1 && lines[0].contains(words),
            "{words:?} in {:?}",
            self.stderr
        );
    }

    /// Stdout as lines of JSON, without the line that each command starts with.
    pub fn events(&self) -> Vec<Value> {
        let mut all = self.all_events();
        all.retain(|event| event["event"] != "start");
        all
    }

    /// Stdout as lines of JSON.
    pub fn all_events(&self) -> Vec<Value> {
        self.stdout
            .lines()
            .map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("not JSON: {line}")))
            .collect()
    }

    pub fn event(&self, name: &str) -> Value {
        self.events()
            .into_iter()
            .rfind(|event| event["event"] == name)
            .unwrap_or_else(|| panic!("no {name} in {}", self.stdout))
    }

    /// The failures of its report, but for files that were held back because of them.
    pub fn failures(&self) -> Vec<Value> {
        let report = self.event("report");
        let failed = report["failed"].as_array().unwrap().iter();
        let held_back =
            |failed: &&Value| failed["error"].as_str().unwrap().starts_with("held back");
        failed
            .filter(|failed| !held_back(failed))
            .cloned()
            .collect()
    }
}
