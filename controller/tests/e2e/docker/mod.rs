//! Workers in real containers: locked in, telling no secret, replaced when they die, and gone when their run is.

mod confinement;
mod copies;
mod daemons;
mod ends;

use std::collections::HashSet;
use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::sync::{Arc, Mutex};

use crate::common::docker::{
    AARCH64, LoadedImage, NOBODYS, Podman, docker, docker_or_skip, program_for, try_docker,
};
use crate::common::fleet::{Fleet, Relay, scripted_daemon};
use crate::common::processes::{Running, until};
use crate::common::{ALICE, Ran, World, binary};
use serde_json::{Value, json};

const READER: &str = "hf_sandboxAliceRead";

/// How a migration under way is ended.
type Ending<'a> = &'a dyn Fn(&Fleet, &Running);
/// Arguments and an environment, and the exit code and the words that they end in.
type Case<'a> = (&'a [&'a str], &'a [(&'a str, &'a str)], i32, &'a str);

fn inspected(container: &str) -> Value {
    let all: Value = serde_json::from_str(&docker(&["inspect", container])).unwrap();
    all[0].clone()
}

/// Everything under a folder, as text.
fn all_text(folder: &Path) -> String {
    let entries = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    entries
        .map(|path| {
            if path.is_dir() {
                all_text(&path)
            } else {
                String::from_utf8_lossy(&fs::read(path).unwrap()).into_owned()
            }
        })
        .collect()
}
