//! A network that misbehaves, and what `hf2ms` makes of it: bytes that are cut, held up, repeated or misdeclared.

mod mirror_sites;
mod names;
mod ranges;
mod reach;
mod resets;
mod round_trips;
mod stalls;
mod streams;

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use crate::common::faults::{IMPATIENT, STALL};
use crate::common::{ELSEWHERE, World};
use serde_json::{Value, json};

const MB: u64 = 1_000_000;

/// Where a Range starts.
fn start(range: &str) -> u64 {
    let first = range
        .strip_prefix("bytes=")
        .and_then(|range| Some(range.split_once('-')?.0));
    first
        .unwrap_or_else(|| panic!("'{range}' is no Range"))
        .parse()
        .unwrap()
}

/// The run succeeded; every try but the first went on behind the one before, on the same pinned file. The upload that they fed
/// stayed open all the time.
fn resumed(world: &World, ran: &crate::common::Ran, downloads: usize) {
    assert_eq!(
        ran.done()["retries"],
        downloads as u64 - 1,
        "{}",
        ran.stdout
    );
    let ranges = world.ranges();
    let starts: Vec<u64> = ranges[1..].iter().map(|range| start(range)).collect();
    assert_eq!(
        (
            ranges.len(),
            ranges[0].as_str(),
            world.requests("ms_storage.put")
        ),
        (downloads, "", 1),
        "{ranges:?}"
    );
    assert!(
        starts[0] > 0
            && starts.is_sorted_by(|a, b| a < b)
            && ranges[1..].iter().all(|range| range.ends_with("-2999999")),
        "{ranges:?}"
    );
    let path = |request: &Value| {
        request["path"]
            .as_str()
            .unwrap()
            .split('?')
            .next()
            .unwrap()
            .to_owned()
    };
    let paths: Vec<_> = world.asked("hf_storage", "GET").iter().map(path).collect();
    assert!(paths.iter().all(|path| *path == paths[0]), "{paths:?}");
    assert!(world.is_whole());
}
