//! `hf2ms demo`: copies a small model between two loopback hubs.

use std::path::Path;
use std::process::{ExitStatus, Stdio};

use hf2ms_worker::protocol::Exit;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

use crate::binaries::{SANDBOX, WORKER, find};
use crate::platform::{System, create_private_folder, places};
use crate::settings::{OF_MACHINE, PASSED_ON};
use crate::stop::Stop;
use crate::ui::errors::{CliError, CliResult};
use crate::ui::screen::{Screen, Verbosity, size};

const REPO: &str = "alice/tiny-model";

/// Copy a small model between two hubs on this machine, to see it work
///
/// The demo starts the sandbox: loopback hubs that behave like Hugging Face and ModelScope. It puts a model of about 65 MB on the
/// one, copies it to the other with this program, and copies it again. It needs no account and no network, and keeps nothing.
#[derive(Debug, clap::Args)]
pub struct Args {}

/// The sandbox while it runs: it stops when its stdin closes.
struct Sandbox {
    _process: Child,
    addresses: Value,
}

/// Runs the demo.
///
/// # Errors
/// The sandbox or the worker is missing, or a step fails.
pub async fn run(_args: &Args, screen: &Screen, stop: &Stop) -> CliResult<Exit> {
    let worker = find(WORKER)?;
    let folder = Folder::new()?;
    stop.unless(show(screen, &worker, &folder.0)).await
}

async fn show(screen: &Screen, worker: &Path, folder: &Path) -> CliResult<Exit> {
    screen.status("1. Two hubs start on this machine.");
    let sandbox = Sandbox::start(folder).await?;
    screen.status(format!(
        "   Hugging Face is {}, ModelScope is {}",
        sandbox.address("hf"),
        sandbox.address("ms")
    ));
    screen.status(format!("2. A model, {REPO}, is put on Hugging Face."));
    sandbox.post("/seed", &model()).await?;
    for (number, why) in [
        (3, "It is copied to ModelScope."),
        (4, "It is copied again: nothing has to move."),
    ] {
        screen.status(format!("{number}. {why}\n   $ hf2ms migrate {REPO}"));
        let status = migrate(&sandbox, worker, folder, screen.verbosity()).await?;
        if !status.success() {
            return Err(CliError::new(
                Exit::Incomplete,
                format!(
                    "the migration ended with {status}: see its last line, then run hf2ms demo again"
                ),
            ));
        }
    }
    screen.status("5. What ModelScope holds now:");
    let stored = sandbox
        .get(&format!("/repo?hub=ms&kind=model&id={REPO}"))
        .await?;
    stored["files"]
        .as_array()
        .into_iter()
        .flatten()
        .for_each(|file| screen.print(row(file)));
    Ok(Exit::Done)
}

fn row(file: &Value) -> String {
    let sha256 = file["sha256"].as_str().unwrap_or("lost");
    format!(
        "   {:<26} {:>10}  sha256 {}",
        file["path"].as_str().unwrap_or("?"),
        size(file["size"].as_u64().unwrap_or(0)),
        sha256
    )
}

fn model() -> Value {
    json!({"hub": "hf", "kind": "model", "id": REPO, "private": false, "message": "Add a tiny model", "files": [
        {"path": "README.md", "text": "# A tiny model\n\nIt lives for as long as the demo does.\n"},
        {"path": "config.json", "text": "{\"hidden_size\": 64, \"num_layers\": 2}\n"},
        {"path": "model.safetensors", "size": 64_000_000, "seed": 1},
        {"path": "backup/model.safetensors", "size": 64_000_000, "seed": 1},
        {"path": "tokenizer.json", "size": 700_000, "seed": 2},
    ]})
}

/// This program, started as a user would. Whoever wants results only has what is stored in the end as the result of the demo.
async fn migrate(
    sandbox: &Sandbox,
    worker: &Path,
    folder: &Path,
    verbosity: Verbosity,
) -> CliResult<ExitStatus> {
    let program = std::env::current_exe().map_err(|error| {
        CliError::usage(format!(
            "this program can't be found: {error}; start it by its whole path"
        ))
    })?;
    let mut command = without_hubs(&program);
    command
        .args(["migrate", REPO])
        .current_dir(folder)
        .stdin(Stdio::null())
        .kill_on_drop(true);
    match verbosity {
        Verbosity::Quiet => command.arg("--quiet").stdout(Stdio::null()),
        Verbosity::Usual => &mut command,
        Verbosity::Verbose => command.arg("--verbose"),
    };
    command
        .env("HF_ENDPOINT", sandbox.address("hf"))
        .env("MODELSCOPE_ENDPOINT", sandbox.address("ms"));
    command
        .env("HF_TOKEN", sandbox.token("hf"))
        .env("MODELSCOPE_TOKEN", sandbox.token("ms"));
    command
        // No default of the user's options counts.
        .env("XDG_CONFIG_HOME", folder.join("config"))
        .env("HF2MS_STATE", folder.join("state"))
        .env("HF2MS_WORKER", worker);
    command.status().await.map_err(|error| {
        CliError::usage(format!(
            "hf2ms can't be started: {error}; start it by its whole path"
        ))
    })
}

/// A program that knows no token, no endpoint and no proxy of the user.
fn without_hubs(program: &Path) -> Command {
    let mut command = Command::new(program);
    command.env_clear();
    let kept = OF_MACHINE
        .iter()
        .chain(places::variables(System::THIS))
        .chain(&PASSED_ON);
    command.envs(kept.filter_map(|name| Some((name, std::env::var_os(name)?))));
    command
}

impl Sandbox {
    async fn start(folder: &Path) -> CliResult<Self> {
        let binary = find(SANDBOX)?;
        let failed = |why: String| {
            CliError::usage(format!(
                "{} can't be started: {why}; build it again with cargo build --bins",
                binary.display()
            ))
        };
        let mut command = without_hubs(&binary);
        command
            .args(["serve", "--parent-stdin", "--dir"])
            .arg(folder.join("blobs"));
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true);
        let mut process = command.spawn().map_err(|error| failed(error.to_string()))?;
        let stdout = process
            .stdout
            .take()
            .ok_or_else(|| failed("it has no stdout".to_owned()))?;
        let mut line = String::new();
        BufReader::new(stdout)
            .read_line(&mut line)
            .await
            .map_err(|error| failed(error.to_string()))?;
        let addresses = serde_json::from_str(&line)
            .map_err(|_| failed("it does not say where it is".to_owned()))?;
        Ok(Self {
            _process: process,
            addresses,
        })
    }

    fn address(&self, name: &str) -> &str {
        self.addresses[name].as_str().unwrap_or_default()
    }

    /// The first token of a hub: alice's, who may write.
    fn token(&self, hub: &str) -> &str {
        self.addresses["accounts"][hub][0]["token"]
            .as_str()
            .unwrap_or_default()
    }

    async fn post(&self, path: &str, body: &Value) -> CliResult<Value> {
        self.ask("POST", path, &body.to_string()).await
    }

    async fn get(&self, path: &str) -> CliResult<Value> {
        self.ask("GET", path, "").await
    }

    async fn ask(&self, method: &str, path: &str, body: &str) -> CliResult<Value> {
        let host = self.address("admin").trim_start_matches("http://");
        let answer = ask(host, method, path, body).await.map_err(|error| {
            CliError::usage(format!(
                "the sandbox does not answer: {error}; run hf2ms demo again"
            ))
        })?;
        let (head, json) = answer.split_once("\r\n\r\n").unwrap_or_default();
        if !head.starts_with("HTTP/1.1 200") {
            return Err(CliError::usage(format!(
                "the sandbox refuses {path}: {json}; build both programs anew with cargo build --bins"
            )));
        }
        serde_json::from_str(json).map_err(|error| {
            CliError::usage(format!(
                "the sandbox's answer to {path} can't be read: {error}; build both programs anew with cargo build --bins"
            ))
        })
    }
}

/// One request on the loopback: this crate has no other use for an HTTP client.
async fn ask(host: &str, method: &str, path: &str, body: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(host).await?;
    let length = body.len();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(body.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer)
}

/// A temporary folder, removed at the end.
struct Folder(std::path::PathBuf);

impl Folder {
    fn new() -> CliResult<Self> {
        let path = std::env::temp_dir().join(format!("hf2ms-demo-{}", ulid::Ulid::new()));
        create_private_folder(&path).map_err(|error| CliError::file(&path, &error))?;
        Ok(Self(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // The operating system empties its temporary folder later.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
