//! Settings from the environment and from `.env`, which never overrides what is set; and where runs are kept.

use std::collections::HashMap;
use std::path::PathBuf;

pub use hf2ms_worker::settings::{Access, Lookup, Settings, environment};

use crate::explain::{Failure, Outcome};

/// Variables of this process that a worker elsewhere gets besides its tokens: how patient to be, and how much to log.
pub const PASSED_ON: [&str; 4] = ["HF2MS_STALL", "HF2MS_RETRY_BASE", "HF2MS_LONGEST_WAIT", "HF2MS_LOG"];

/// Reads the environment, then `.env` here or in a folder above. Patience comes from the environment alone, which workers inherit.
///
/// # Errors
/// A token that can't be sent, an endpoint that is no address, a `.env` that can't be read; none shows a value.
pub fn load() -> Outcome<Settings> {
    let file = dotenv()?;
    let from_file = |name: &str| file.get(name).filter(|_| !name.starts_with("HF2MS_")).cloned();
    Settings::read(&|name| environment(name).or_else(|| from_file(name))).map_err(|bad| Failure::usage(bad.to_string()))
}

/// What is set by `.env` alone, of the variables whose names begin so.
///
/// # Errors
/// A `.env` that can't be read.
pub fn variables(prefix: &str) -> Outcome<Vec<(String, String)>> {
    Ok(dotenv()?.into_iter().filter(|(name, _)| name.starts_with(prefix) && environment(name).is_none()).collect())
}

/// What `.env` sets. An error shows no line of it: lines hold tokens.
fn dotenv() -> Outcome<HashMap<String, String>> {
    let lines = match dotenvy::dotenv_iter() {
        Ok(lines) => lines,
        Err(error) if error.not_found() => return Ok(HashMap::new()),
        Err(_) => return Err(Failure::usage(".env can't be read: check its permissions")),
    };
    let line = |(number, line): (usize, dotenvy::Result<_>)| {
        line.map_err(|_| Failure::usage(format!(".env: setting {} is not NAME=value: quote values with spaces or signs", number + 1)))
    };
    lines.enumerate().map(line).collect()
}

/// Where runs are kept: `$HF2MS_STATE`, `$XDG_STATE_HOME/hf2ms`, or `~/.local/state/hf2ms`.
///
/// # Errors
/// When none of the three is known.
pub fn state_dir(get: Lookup<'_>) -> Outcome<PathBuf> {
    let set = |name: &str| get(name).map(|value| value.trim_matches(' ').to_owned()).filter(|value| !value.is_empty());
    let under = |name: &str, rest: &str| set(name).map(|root| PathBuf::from(root).join(rest));
    let home = || under("HOME", ".local/state/hf2ms");
    set("HF2MS_STATE")
        .map(PathBuf::from)
        .or_else(|| under("XDG_STATE_HOME", "hf2ms"))
        .or_else(home)
        .ok_or_else(|| Failure::usage("there is no place for the state of runs: set HF2MS_STATE to a folder"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_state_has_three_places() {
        let place = |pairs: &[(&str, &str)]| {
            let pairs: HashMap<_, _> = pairs.iter().copied().collect();
            state_dir(&|name| pairs.get(name).map(|value| (*value).to_owned())).map(|path| path.display().to_string())
        };
        assert_eq!(place(&[("HF2MS_STATE", "/s"), ("HOME", "/h")]).unwrap(), "/s");
        assert_eq!(place(&[("XDG_STATE_HOME", "/x"), ("HOME", "/h")]).unwrap(), "/x/hf2ms");
        assert_eq!(place(&[("HOME", "/h")]).unwrap(), "/h/.local/state/hf2ms");
        assert!(place(&[]).is_err());
    }
}
