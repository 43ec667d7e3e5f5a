//! A Modal on loopback for tests: the unmodified SDK talks to it, and it really runs what is deployed.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

use super::docker::static_worker;
use super::processes::until;
use super::{Ran, World, ask};

/// The loopback Modal of one test. Ends with the test, and everything that it started.
pub struct Cloud {
    plane: Child,
    told: Value,
}

/// A Python that has Modal's SDK: `HF2MS_PYTHON`, or that of the project's virtual environment.
pub fn python() -> PathBuf {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.venv/bin/python");
    let python = std::env::var_os("HF2MS_PYTHON").map_or(own, PathBuf::from);
    assert!(
        python.is_file(),
        "run scripts/test.sh, which installs it: {} is not there",
        python.display()
    );
    python
}

impl Cloud {
    pub fn new() -> Self {
        let serve = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/servers/modal/serve.py");
        let mut command = Command::new(python());
        command
            .arg(serve)
            .args(["--hurry", "50"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut plane = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(plane.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        Self {
            plane,
            told: serde_json::from_str(&line).unwrap(),
        }
    }

    fn told(&self, name: &str) -> &str {
        self.told[name].as_str().unwrap()
    }

    /// `hf2ms` of a user whose Modal this is.
    pub fn command(&self, world: &World, args: &[&str]) -> Command {
        let mut command = world.command(args);
        command
            .env("HF2MS_PYTHON", python())
            .env("HF2MS_STATIC_WORKER", static_worker())
            .env("MODAL_SERVER_URL", self.told("url"))
            .env("HF2MS_RETRY_BASE", "0.01")
            .env("HF2MS_STALL", "5");
        command
            .env("MODAL_TOKEN_ID", self.told("token_id"))
            .env("MODAL_TOKEN_SECRET", self.told("token_secret"));
        command
    }

    pub fn run(&self, world: &World, args: &[&str]) -> Ran {
        Ran::of(self.command(world, args).output().unwrap())
    }

    /// Puts a fault in force.
    pub fn fault(&self, rule: Value) {
        ask(self.told("admin"), "POST", "/faults", &rule.to_string()).unwrap();
    }

    /// Ends all faults.
    pub fn mend(&self) {
        ask(self.told("admin"), "DELETE", "/faults", "");
    }

    /// Does something to all calls now; returns to how many it was done.
    pub fn act(&self, what: &str) -> u64 {
        ask(
            self.told("admin"),
            "POST",
            "/act",
            &json!({"do": what}).to_string(),
        )
        .unwrap()["struck"]
            .as_u64()
            .unwrap()
    }

    pub fn state(&self) -> Value {
        ask(self.told("admin"), "GET", "/state", "").unwrap()
    }

    /// The calls of a function, in the order in which they were made.
    pub fn calls(&self, function: &str) -> Vec<Value> {
        let calls = self.state()["calls"].as_array().unwrap().clone();
        calls
            .into_iter()
            .filter(|call| call["function"] == function)
            .collect()
    }

    /// How many calls of a function stand so: queued, running, done, failed, cancelled, lost.
    pub fn count(&self, function: &str, state: &str) -> usize {
        self.calls(function)
            .iter()
            .filter(|call| call["state"] == state)
            .count()
    }

    /// Waits until no call works or waits any more.
    pub fn until_quiet(&self) {
        until("the end of all calls", || {
            let state = self.state();
            let all =
                |of: &str, is: fn(&Value) -> bool| state[of].as_array().unwrap().iter().all(is);
            all("calls", |call| {
                call["state"] != "queued" && call["state"] != "running"
            }) && all("containers", |one| one["idle"] == true)
        });
    }

    /// Everything that was asked of Modal, but for what holds secrets by its nature.
    pub fn requests(&self) -> String {
        ask(self.told("admin"), "GET", "/requests", "")
            .unwrap()
            .to_string()
    }
}

impl Drop for Cloud {
    fn drop(&mut self) {
        drop(self.plane.stdin.take());
        let _ = self.plane.wait();
    }
}
