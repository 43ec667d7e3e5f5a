//! Workers in containers, for tests: a sandbox on a Docker network, `hf2ms --on docker` beside it, and what is left of them.

#![allow(clippy::unwrap_used, dead_code)]

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::ops::Deref;
use std::os::unix::net::UnixStream;
use std::process::Command;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use super::docker::{docker, static_worker, try_docker};
use super::processes::{Running, until};
use super::{Ran, World};

/// A world whose workers are containers. None of them outlives it.
pub struct Fleet(World);

impl Deref for Fleet {
    type Target = World;

    fn deref(&self) -> &World {
        &self.0
    }
}

impl Fleet {
    /// With `alice/model` as [`World::with_model`] has it.
    pub fn with_model() -> Self {
        let fleet = Self(World::in_docker());
        fleet.seed_small_model();
        fleet
    }

    /// The same, the sandbox being a process of this machine, which has a `git`: containers reach it by `--network host`.
    pub fn beside_this_machine() -> Self {
        Self(World::with_model())
    }

    /// With these files in `alice/model`.
    pub fn with(files: &Value) -> Self {
        let fleet = Self(World::in_docker());
        fleet.seed(&json!({"hub": "hf", "kind": "model", "id": "alice/model", "message": "m", "files": files}).to_string());
        fleet
    }

    /// `hf2ms` with these arguments, the static worker at hand.
    pub fn hf2ms(&self, args: &[&str]) -> Command {
        let mut command = self.command(args);
        command.env("HF2MS_STATIC_WORKER", static_worker());
        command
    }

    /// Copies `alice/model` by containers on the sandbox's network.
    pub fn migrate(&self) -> Command {
        self.hf2ms(&[
            "migrate",
            "alice/model",
            "--json",
            "--on",
            "docker",
            "--network",
            &self.network().name,
        ])
    }

    /// The same, to its end.
    pub fn migrated(&self) -> Ran {
        Ran::of(self.migrate().output().unwrap())
    }

    /// All containers of this world's runs, ended ones too.
    pub fn containers(&self) -> Vec<String> {
        self.listed(&["--all"])
    }

    /// Those that work on chunks.
    pub fn working(&self) -> Vec<String> {
        self.listed(&["--filter", "label=hf2ms.verb=run"])
    }

    fn listed(&self, filters: &[&str]) -> Vec<String> {
        let Ok(identity) = std::fs::read_to_string(self.path("state").join("id")) else {
            return Vec::new();
        };
        let label = format!("label=hf2ms.controller={identity}");
        let listed = docker(
            &[
                &[
                    "ps",
                    "--no-trunc",
                    "--format",
                    "{{.ID}}",
                    "--filter",
                    &label,
                ],
                filters,
            ]
            .concat(),
        );
        listed.lines().map(str::to_owned).collect()
    }

    /// Those that work, each with its chunk, the newest first.
    pub fn chunks(&self) -> Vec<(String, String)> {
        let listed = self.listed(&[
            "--filter",
            "label=hf2ms.verb=run",
            "--format",
            r#"{{.ID}} {{.Label "hf2ms.chunk"}}"#,
        ]);
        listed
            .iter()
            .filter_map(|line| line.split_once(' '))
            .map(|(id, chunk)| (id.to_owned(), chunk.to_owned()))
            .collect()
    }

    /// A migration whose one worker waits this long for its first answer.
    pub fn held_for(&self, ms: u64, migrate: &mut Command) -> (Running, String) {
        let held = self.fault(
            &json!({"route": "ms.batch", "kind": {"do": "delay", "ms": ms}, "count": 1})
                .to_string(),
        );
        let running = self.start(migrate);
        self.until_struck(held);
        (running, self.the_worker())
    }

    /// A migration that stands still in the middle of sending the second blob, the first being stored.
    pub fn in_mid_upload(&self) -> Running {
        self.in_mid_upload_of(&mut self.migrate())
    }

    pub fn in_mid_upload_of(&self, migrate: &mut Command) -> Running {
        let stall = json!({"do": "stall", "after": 500_000});
        let rule = json!({"route": "ms_storage.put", "kind": stall, "count": 1, "path": self.sha256("b.safetensors")});
        let held = self.fault(&rule.to_string());
        let running = self.start(migrate);
        self.until_struck(held);
        until("the first blob", || self.uploads().len() == 1);
        running
    }

    /// The one container that works.
    pub fn the_worker(&self) -> String {
        let working = self.working();
        assert_eq!(working.len(), 1, "{working:?}");
        working.into_iter().next().unwrap()
    }

    /// All was copied, and no container is left.
    pub fn done(&self, ran: &Ran) {
        assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
        assert!(self.is_copied("model", "alice/model", "alice/model"));
        assert_eq!(self.containers(), [""; 0]);
    }

    /// The same command finishes, and each of the two blobs has been stored by one upload in all.
    pub fn finishes(&self) {
        self.admin("DELETE", "/faults", "");
        self.done(&self.migrated());
        let mut uploads = self.uploads();
        uploads.sort();
        uploads.dedup();
        assert_eq!((uploads.len(), self.uploads().len()), (2, 2));
    }

    /// Why workers were lost, of the newest run.
    pub fn losses(&self) -> Vec<String> {
        let journal = std::fs::read_to_string(self.run_file("journal.ndjson")).unwrap();
        let lost = journal
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap())
            .filter(|entry| entry["entry"] == "lost");
        lost.map(|entry| entry["why"].as_str().unwrap().to_owned())
            .collect()
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        for container in self.containers() {
            let _ = try_docker(&["rm", "--force", &container]);
        }
    }
}

/// Docker's socket by TCP, until it is cut.
pub struct Relay {
    pub address: String,
    cut: Arc<Mutex<Option<Vec<TcpStream>>>>,
}

impl Relay {
    pub fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("tcp://{}", listener.local_addr().unwrap());
        let cut = Arc::new(Mutex::new(Some(Vec::new())));
        let lines = cut.clone();
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                // Once it is cut, whoever comes is hung up on.
                let Some(open) = &mut *lines.lock().unwrap() else {
                    continue;
                };
                open.push(client.try_clone().unwrap());
                relay(client);
            }
        });
        Self { address, cut }
    }

    /// From now on nobody answers.
    pub fn cut(&self) {
        let lines = self.cut.lock().unwrap().take().unwrap();
        lines
            .iter()
            .for_each(|line| drop(line.shutdown(Shutdown::Both)));
    }
}

fn relay(client: TcpStream) {
    let daemon = UnixStream::connect("/var/run/docker.sock").unwrap();
    let (mut there, mut back) = (daemon.try_clone().unwrap(), daemon);
    let (mut from, mut to) = (client.try_clone().unwrap(), client);
    std::thread::spawn(move || {
        let _ = std::io::copy(&mut from, &mut there);
        let _ = there.shutdown(Shutdown::Write);
    });
    std::thread::spawn(move || {
        let _ = std::io::copy(&mut back, &mut to);
        let _ = to.shutdown(Shutdown::Both);
    });
}

/// A daemon that answers by this table: the end of a path, then a status and a body. Anything else is 404.
pub fn scripted_daemon(answers: &'static [(&str, u16, &str)]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("tcp://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for mut client in listener.incoming().map_while(Result::ok) {
            let mut request = [0; 8192];
            let read = client.read(&mut request).unwrap_or(0);
            let text = String::from_utf8_lossy(&request[..read]).into_owned();
            let path = text
                .split(' ')
                .nth(1)
                .and_then(|path| path.split('?').next())
                .unwrap_or_default()
                .to_owned();
            let found = answers.iter().find(|(end, ..)| path.ends_with(end));
            let (status, body) = found.map_or(
                (404, r#"{"message":"no such thing"}"#),
                |(_, status, body)| (*status, *body),
            );
            let length = body.len();
            let head = format!(
                "HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nConnection: close\r\n"
            );
            let _ = write!(client, "{head}Content-Length: {length}\r\n\r\n{body}");
        }
    });
    address
}
