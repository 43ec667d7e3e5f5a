//! Settings from the environment and from `.env`, which never overrides what is set; and where runs are kept.

mod dotenv;
pub mod hub_errors;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::{fs, io};

use hf2ms_hub::Hub;

pub use hf2ms_worker::settings::{Access, GetVariable, Settings, environment};

use self::dotenv::Dotenv;
use crate::ui::errors::{CliError, CliResult};

/// Variables that a `.env` file is read for, beside those of the hubs. A line of any other name may be whatever it likes.
const READ: [&str; 11] = [
    "SOURCE_USERNAME",
    "SOURCE_TOKEN",
    "TARGET_USERNAME",
    "TARGET_TOKEN",
    "GIT_LFS_SKIP_SMUDGE",
    "GITLAB_API_BASE",
    "GITLAB_API_TOKEN",
    "GITLAB_PROJECT_PATH",
    "MIRROR_PLATFORM",
    "MODAL_TOKEN_ID",
    "MODAL_TOKEN_SECRET",
];
/// Variables of this process that a worker elsewhere gets besides its tokens: how patient to be, and how much to log.
pub const PASSED_ON: [&str; 4] = [
    "HF2MS_STALL",
    "HF2MS_RETRY_BASE",
    "HF2MS_LONGEST_WAIT",
    "HF2MS_LOG",
];

/// Reads the environment, then `.env` here or in a folder above. Patience comes from the environment alone, which workers inherit.
///
/// # Errors
/// A token that can't be sent, an endpoint that is no address, a `.env` that can't be read; none shows a value.
pub fn load() -> CliResult<Settings> {
    Environment::load(None)?.settings(&[])
}

/// Variables of this process, and below them those of a file.
#[derive(Debug, Default)]
pub struct Environment {
    file: HashMap<String, String>,
    ours: bool,
}

impl Environment {
    /// The process's variables, and those of `file`; of `.env` here or in a folder above, where none is named.
    ///
    /// # Errors
    /// A file that can't be read; a named one that is not there.
    pub fn load(file: Option<&Path>) -> CliResult<Self> {
        let file = match file {
            Some(path) => named_file(path)?,
            None => dotenv()?,
        };
        Ok(Self { file, ours: true })
    }

    /// These variables and no others.
    #[cfg(test)]
    pub fn of(file: HashMap<String, String>) -> Self {
        Self { file, ours: false }
    }

    /// A variable's value. Patience comes from the process alone, which workers inherit.
    pub fn get(&self, name: &str) -> Option<String> {
        let from_file = || {
            self.file
                .get(name)
                .filter(|_| !name.starts_with("HF2MS_"))
                .cloned()
        };
        let process = if self.ours { environment(name) } else { None };
        process.or_else(from_file)
    }

    /// The settings that they make, `more` variables winning over them.
    ///
    /// # Errors
    /// As [`load`].
    pub fn settings(&self, more: &[(&str, String)]) -> CliResult<Settings> {
        let told = |name: &str| {
            more.iter()
                .find(|(told, _)| *told == name)
                .map(|(_, value)| value.clone())
        };
        Settings::read(&|name| told(name).or_else(|| self.get(name)))
            .map_err(|bad| CliError::usage(bad.to_string()))
    }
}

/// The variables that `.env` alone sets, with names of this prefix.
///
/// # Errors
/// A `.env` that can't be read.
pub fn variables(prefix: &str) -> CliResult<Vec<(String, String)>> {
    Ok(dotenv()?
        .into_iter()
        .filter(|(name, _)| name.starts_with(prefix) && environment(name).is_none())
        .collect())
}

/// The variables of `.env` here or in a folder above.
fn dotenv() -> CliResult<HashMap<String, String>> {
    let unreadable = |_| CliError::usage(".env can't be read: check its permissions");
    let Some(path) = nearest(".env").map_err(unreadable)? else {
        return Ok(HashMap::new());
    };
    ours(&fs::read(path).map_err(unreadable)?, ".env")
}

/// The file of this name here or in the nearest folder above.
fn nearest(name: &str) -> io::Result<Option<PathBuf>> {
    for path in std::env::current_dir()?
        .ancestors()
        .map(|folder| folder.join(name))
    {
        match fs::metadata(&path) {
            Ok(found) if found.is_file() => return Ok(Some(path)),
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => (),
        }
    }
    Ok(None)
}

fn named_file(path: &Path) -> CliResult<HashMap<String, String>> {
    let name = path.display().to_string();
    let content = fs::read(path).map_err(|_| {
        CliError::usage(format!(
            "{name} can't be read: check the path and its permissions"
        ))
    })?;
    ours(&content, &name)
}

/// The variables of the file `name` with this content. An error shows no value: values are tokens.
fn ours(content: &[u8], name: &str) -> CliResult<HashMap<String, String>> {
    let Dotenv { values, unreadable } = Dotenv::parse(content);
    let is_missed =
        |variable: &&str| unreadable.contains_key(*variable) && !values.contains_key(*variable);
    match names().find(|variable| is_missed(variable) && environment(variable).is_none()) {
        Some(missed) => Err(CliError::usage(format!(
            "{name}: the value of {missed} in line {} can't be read: write {missed}=value on one line, quotes only in pairs",
            unreadable[missed]
        ))),
        None => Ok(values),
    }
}

/// Every variable that a `.env` file is read for.
fn names() -> impl Iterator<Item = &'static str> {
    let of_hubs = Hub::with_api().flat_map(|hub| hub.profile().variables.all());
    of_hubs.chain(READ)
}

/// Where runs are kept: `$HF2MS_STATE`, `$XDG_STATE_HOME/hf2ms`, or `~/.local/state/hf2ms`.
///
/// # Errors
/// When none of the three is known.
pub fn state_dir(get: GetVariable<'_>) -> CliResult<PathBuf> {
    let set = |name: &str| {
        get(name)
            .map(|value| value.trim_matches(' ').to_owned())
            .filter(|value| !value.is_empty())
    };
    let under = |name: &str, rest: &str| set(name).map(|root| PathBuf::from(root).join(rest));
    let home = || under("HOME", ".local/state/hf2ms");
    set("HF2MS_STATE")
        .map(PathBuf::from)
        .or_else(|| under("XDG_STATE_HOME", "hf2ms"))
        .or_else(home)
        .ok_or_else(|| {
            CliError::usage("there is no place for the state of runs: set HF2MS_STATE to a folder")
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_cant_be_read_is_named_if_it_is_for_us() {
        let set = ours(
            b"- yaml: x\nHF_HOME: /x\nHF_USERNAME=me\nTARGET_TOKEN: x\nTARGET_TOKEN=y\n",
            "f",
        )
        .unwrap();
        assert_eq!(
            (set["HF_USERNAME"].as_str(), set["TARGET_TOKEN"].as_str()),
            ("me", "y")
        );
        let line = ours(b"A=1\nTARGET_TOKEN=\"canary\n", "f")
            .unwrap_err()
            .to_string();
        assert!(
            line.starts_with("f: the value of TARGET_TOKEN in line 2 can't be read")
                && !line.contains("canary"),
            "{line}"
        );
    }

    #[test]
    fn the_state_has_three_places() {
        let place = |pairs: &[(&str, &str)]| {
            let pairs: HashMap<_, _> = pairs.iter().copied().collect();
            state_dir(&|name| pairs.get(name).map(|value| (*value).to_owned()))
                .map(|path| path.display().to_string())
        };
        assert_eq!(
            place(&[("HF2MS_STATE", "/s"), ("HOME", "/h")]).unwrap(),
            "/s"
        );
        assert_eq!(
            place(&[("XDG_STATE_HOME", "/x"), ("HOME", "/h")]).unwrap(),
            "/x/hf2ms"
        );
        assert_eq!(place(&[("HOME", "/h")]).unwrap(), "/h/.local/state/hf2ms");
        assert!(place(&[]).is_err());
    }
}
