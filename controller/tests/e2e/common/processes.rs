//! What a test does to processes: a migration left running, its workers, signals, and faults that hold them still.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{Ran, World};

/// `hf2ms` under way. Killed if the test ends before it.
pub struct Running(Option<Child>);

impl Running {
    pub fn id(&self) -> u32 {
        self.0.as_ref().unwrap().id()
    }

    pub fn signal(&self, name: &str) {
        signal(name, self.id());
    }

    pub fn wait(mut self) -> Ran {
        Ran::of(self.0.take().unwrap().wait_with_output().unwrap())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(child) = &mut self.0 {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

pub fn signal(name: &str, id: u32) {
    assert!(
        Command::new("kill")
            .args([name, &id.to_string()])
            .status()
            .unwrap()
            .success(),
        "{id} is gone"
    );
}

pub fn until(what: &str, mut done: impl FnMut() -> bool) {
    let began = Instant::now();
    while !done() {
        assert!(
            began.elapsed() < Duration::from_secs(120),
            "{what} never came"
        );
        std::thread::sleep(Duration::from_millis(10));
    }
}

impl World {
    /// Starts a command and leaves it running.
    pub fn start(&self, command: &mut Command) -> Running {
        Running(Some(
            command
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .unwrap(),
        ))
    }

    /// The workers of this test that run: they have its folder for state in their environment.
    pub fn workers(&self) -> Vec<u32> {
        let state = format!("HF2MS_STATE={}\0", self.path("state").display());
        let entries = fs::read_dir("/proc").unwrap().flatten();
        let ids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
        ids.filter(|id| is_worker(*id) && has_in_environment(*id, &state))
            .collect()
    }

    /// How many bridges to Modal run for this test.
    pub fn bridges(&self) -> usize {
        let state = format!("HF2MS_STATE={}\0", self.path("state").display());
        let entries = fs::read_dir("/proc").unwrap().flatten();
        let ids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
        let is_bridge = |id: &u32| {
            fs::read(format!("/proc/{id}/cmdline"))
                .is_ok_and(|line| line.windows(9).any(|part| part == b"bridge.py"))
        };
        ids.filter(|id| is_bridge(id) && has_in_environment(*id, &state))
            .count()
    }

    /// A worker that is this shell script, in which `"$worker"` is the real one.
    pub fn scripted_worker(&self, script: &str) -> PathBuf {
        let path = self.path("worker.sh");
        let real = super::binary("hf2ms-worker");
        fs::write(
            &path,
            format!("#!/bin/sh\nworker='{}'\n{script}\n", real.display()),
        )
        .unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        path
    }

    /// Arms a fault and returns its id.
    pub fn fault(&self, rule: &str) -> u64 {
        self.admin("POST", "/faults", rule).unwrap()["id"]
            .as_u64()
            .unwrap()
    }

    /// Waits until a fault has struck.
    pub fn until_struck(&self, fault: u64) {
        until("the fault", || {
            let faults = self.admin("GET", "/faults", "").unwrap();
            faults
                .as_array()
                .unwrap()
                .iter()
                .any(|armed| armed["id"] == fault && armed["fired"].as_u64() > Some(0))
        });
    }

    /// The blobs that were stored by an upload, one entry an upload.
    pub fn uploads(&self) -> Vec<String> {
        let requests = self.admin("GET", "/requests", "").unwrap();
        let puts = requests
            .as_array()
            .unwrap()
            .iter()
            .filter(|request| request["method"] == "PUT" && request["status"] == 200);
        puts.map(|put| {
            put["path"]
                .as_str()
                .unwrap()
                .split('?')
                .next()
                .unwrap()
                .to_owned()
        })
        .collect()
    }

    /// The SHA-256 of a file of `alice/model` at its source.
    pub fn sha256(&self, path: &str) -> String {
        let files = self.stored("hf", "model", "alice/model").unwrap()["files"].clone();
        let file = files
            .as_array()
            .unwrap()
            .iter()
            .find(|file| file["path"] == path)
            .unwrap();
        file["sha256"].as_str().unwrap().to_owned()
    }

    /// A worker's chunk with both blobs of `alice/model`.
    pub fn chunk_of_both_blobs(&self) -> String {
        let commit = self.stored("hf", "model", "alice/model").unwrap()["head"].clone();
        let at = |hub: &str, address: &str, revision: Value| json!({"hub": hub, "endpoint": self.address(address), "kind": "model", "id": "alice/model", "revision": revision});
        json!({
            "version": 1, "run": "by hand", "chunk": 0, "chunks": 1,
            "source": at("huggingface", "hf", commit), "destination": at("modelscope", "ms", json!("master")),
            "files": [
                {"path": "a.safetensors", "size": 3_000_000, "sha256": self.sha256("a.safetensors")},
                {"path": "b.safetensors", "size": 2_000_000, "sha256": self.sha256("b.safetensors")},
            ],
            "options": {"streams": 8, "memory": "128MiB", "transport": "auto"},
        })
        .to_string()
    }

    /// The commits of the copy that this program wrote, the oldest first.
    pub fn our_commits(&self) -> Vec<Value> {
        let commits = self
            .stored("ms", "model", "alice/model")
            .unwrap_or_default()["commits"]
            .clone();
        let ours = |commit: &&Value| {
            commit["message"]
                .as_str()
                .unwrap()
                .starts_with("Copy alice/model")
        };
        commits
            .as_array()
            .into_iter()
            .flatten()
            .filter(ours)
            .cloned()
            .collect()
    }

    /// Where this file of the newest run is.
    pub fn run_file(&self, name: &str) -> PathBuf {
        let runs = fs::read_dir(self.path("state").join("runs"))
            .unwrap()
            .flatten();
        runs.map(|entry| entry.path()).max().unwrap().join(name)
    }
}

fn is_worker(id: u32) -> bool {
    fs::read_link(format!("/proc/{id}/exe"))
        .is_ok_and(|exe| exe.file_name() == Path::new("hf2ms-worker").file_name())
}

fn has_in_environment(id: u32, entry: &str) -> bool {
    fs::read(format!("/proc/{id}/environ"))
        .is_ok_and(|all| String::from_utf8_lossy(&all).contains(entry))
}
