//! The rates that `hf2ms probe --speed` measured, kept in `speed.json` of the state folder by the hub's address.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::runs::{create_private, write_aside};
use crate::ui::errors::{CliError, CliResult};

/// Files that are measured first.
pub const OF_A_WORKER: usize = 8;
/// As many as are measured at once.
pub const OF_ALL: usize = 32;

/// A hub's rates in bytes a second, by how many went at a time.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    put: BTreeMap<usize, f64>,
    get: BTreeMap<usize, f64>,
}

fn path(state: &Path) -> PathBuf {
    state.join("speed.json")
}

fn read(state: &Path) -> BTreeMap<String, Measured> {
    fs::read(path(state))
        .ok()
        .and_then(|text| serde_json::from_slice(&text).ok())
        .unwrap_or_default()
}

/// One rate that was measured.
#[derive(Debug, Clone, PartialEq)]
pub struct Rate {
    /// The hub's address.
    pub endpoint: String,
    /// Whether files were stored there, or read from there.
    pub way: Direction,
    /// How many at a time.
    pub at_a_time: usize,
    /// Of all together.
    pub bytes_per_second: f64,
}

/// Which way bytes went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// To the hub.
    Put,
    /// From it.
    Get,
}

/// Keeps these rates; what was not measured keeps its earlier ones.
///
/// # Errors
/// The disk's.
pub fn keep(state: &Path, rates: &[Rate]) -> CliResult<()> {
    if rates.is_empty() {
        return Ok(());
    }
    let mut all = read(state);
    for rate in rates {
        let of_hub = all.entry(rate.endpoint.clone()).or_default();
        let of_way = if rate.way == Direction::Put {
            &mut of_hub.put
        } else {
            &mut of_hub.get
        };
        of_way.insert(rate.at_a_time, rate.bytes_per_second);
    }
    let path = path(state);
    create_private(state)?;
    write_aside(&path, |file| {
        file.write_all(serde_json::to_string_pretty(&all)?.as_bytes())
    })
    .map_err(|error| CliError::state_file(&path, &error))
}

/// The rate of one worker and of all, from one hub to another, where both were measured from this machine.
pub fn between(state: &Path, source: &str, destination: &str) -> Option<(f64, f64)> {
    let all = read(state);
    let (from, to) = (all.get(source)?, all.get(destination)?);
    let slower = |at_a_time: usize| Some(from.get.get(&at_a_time)?.min(*to.put.get(&at_a_time)?));
    Some((slower(OF_A_WORKER)?, slower(OF_ALL)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_slower_side_tells_and_a_hub_that_was_not_measured_tells_nothing() {
        let state = tempfile::tempdir().unwrap();
        let rate = |endpoint: &str, way, at_a_time, rate| Rate {
            endpoint: endpoint.to_owned(),
            way,
            at_a_time,
            bytes_per_second: rate,
        };
        keep(
            state.path(),
            &[
                rate("hf", Direction::Get, 8, 50e6),
                rate("hf", Direction::Get, 32, 90e6),
            ],
        )
        .unwrap();
        assert_eq!(between(state.path(), "hf", "ms"), None);
        keep(
            state.path(),
            &[
                rate("ms", Direction::Put, 8, 20e6),
                rate("ms", Direction::Put, 32, 100e6),
            ],
        )
        .unwrap();
        assert_eq!(between(state.path(), "hf", "ms"), Some((20e6, 90e6)));
        assert_eq!(
            between(state.path(), "ms", "hf"),
            None,
            "the other way was not measured"
        );
    }
}
