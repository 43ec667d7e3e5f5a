//! Settings from the environment and from a file, which never overrides what is set; and where runs are kept.

pub mod account;
pub mod config;
mod dotenv;
mod env_file;
pub mod hub_errors;
pub mod logins;
pub mod nearest;
mod owned_file;
pub mod refused_write;
pub mod remedies;
mod sources;
pub mod token_rights;

use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use hf2ms_hub::Error;
use hf2ms_hub::http::OnHostWait;
use hf2ms_hub::http::retry::OnRetry;

use hf2ms_worker::protocol::Exit;
use hf2ms_worker::settings::is_in_the_open;
pub use hf2ms_worker::settings::{Access, GetVariable, Settings, environment};

pub use self::env_file::{EnvFile, FileChoice};
use self::logins::Logins;
pub use self::sources::{Environment, ValueOrigin};
use crate::platform::{System, places};
use crate::ui::errors::{CliError, CliResult};
use crate::ui::log::Level;
use crate::ui::screen::{Screen, duration};
use crate::ui::worker_events::{RateLimitedEvent, RetryEvent};

/// Variables of this process that a worker elsewhere gets besides its tokens: how patient to be, and how much to log.
pub const PASSED_ON: [&str; 4] = [
    "HF2MS_STALL",
    "HF2MS_RETRY_BASE",
    "HF2MS_LONGEST_WAIT",
    "HF2MS_LOG",
];

/// Variables of this process that say nothing about hubs: what a program on this machine needs to run.
pub const OF_MACHINE: [&str; 13] = [
    "PATH",
    "HOME",
    "TMPDIR",
    "LANG",
    "LC_ALL",
    "TERM",
    "COLORTERM",
    "NO_COLOR",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "RUST_LOG",
    "RUST_BACKTRACE",
    "HF2MS_STATE",
];

/// The file of this process, read once when it starts.
static FILE: OnceLock<EnvFile> = OnceLock::new();
/// The logins of this process's user, read once when it starts.
static LOGINS: OnceLock<Logins> = OnceLock::new();
/// What the command line says of tokens over plain http.
static PLAIN_HTTP: OnceLock<PlainHttp> = OnceLock::new();

/// Who is told of the tries of this process's own requests.
static ON_RETRY: OnceLock<OnRetry> = OnceLock::new();
/// Who is told of the waits that hosts ask this process for.
static ON_WAIT: OnceLock<OnHostWait> = OnceLock::new();
/// A hub that takes no connection is tried for so long by this process; a worker is more patient, since a hub may start anew.
const UNREACHED: Duration = Duration::from_secs(8);

/// What is said of a token that goes to another machine over plain http.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum PlainHttp {
    /// A warning names the address.
    #[default]
    Warned,
    /// Nothing: the user knows.
    Allowed,
}

/// Makes `file` the one that settings are read from, below the environment. Only the first call counts.
pub fn use_file(file: EnvFile) {
    let _ = FILE.set(file);
}

/// Makes `logins` those that count below the environment and the file. Only the first call counts.
pub fn use_logins(logins: Logins) {
    let _ = LOGINS.set(logins);
}

/// Makes the tries of this process's own requests known on the screen: what failed, and how long is waited; and the waits that hosts
/// ask it for. Only the first call counts.
pub fn show_retries(screen: &Screen) {
    show_waits(screen);
    let screen = screen.clone();
    let _ = ON_RETRY.set(Arc::new(move |error: &Error, wait: Duration| {
        let (error, kind, wait) = (error.to_string(), error.kind(), wait.as_secs_f64());
        screen.tell(
            Level::Info,
            format!("trying again in {}: {error}", duration(wait)),
        );
        screen.log().failed(&screen.shown(&error));
        let error = screen.shown(&error);
        screen.json(&RetryEvent::own(error, kind, wait));
    }));
}

fn show_waits(screen: &Screen) {
    let screen = screen.clone();
    let _ = ON_WAIT.set(Arc::new(move |host: &str, wait: Duration| {
        screen.say_wait(host, wait);
        screen.json(&RateLimitedEvent {
            host: host.to_owned(),
            seconds: wait.as_secs_f64(),
            worker: None,
        });
    }));
}

/// Says once for the process what plain http is worth. Only the first call counts.
pub fn use_plain_http(plain: PlainHttp) {
    let _ = PLAIN_HTTP.set(plain);
}

/// The warning about a token whose text may stand in other words.
pub fn short_secret_warning(name: &str) -> String {
    format!(
        "{name} is shorter than 8 characters: wherever its text stands in a message, *** is shown"
    )
}

/// The warning about an address that gets a token over plain http; `None` for one that may have it.
pub fn plain_http_warning(address: &str, token: &str) -> Option<String> {
    let plain = PLAIN_HTTP.get().copied().unwrap_or_default();
    (plain == PlainHttp::Warned && is_in_the_open(address)).then(|| {
        format!(
            "{address} is not encrypted: whoever carries the requests can read {token}; --allow-http leaves this warning out"
        )
    })
}

/// Reads the environment, and below it the file of this process. Patience comes from the environment alone, which workers inherit.
///
/// # Errors
/// A token that can't be sent, an endpoint that is no address or that may not have its token; none shows a value.
pub fn load() -> CliResult<Settings> {
    Environment::of_process().settings(&[])
}

/// What the file sets of these variables, where the process does not.
pub fn variables(names: &[&str]) -> Vec<(String, String)> {
    let file = FILE.get();
    names
        .iter()
        .filter(|name| environment(name).is_none())
        .filter_map(|name| Some(((*name).to_owned(), file?.get(name)?.to_owned())))
        .collect()
}

/// A variable's name for people, with the place of its value if that is not the environment: `HF_TOKEN of .env`.
pub fn named(name: &str) -> String {
    match Environment::of_process().origin(name) {
        None | Some(ValueOrigin::Environment) => name.to_owned(),
        Some(elsewhere) => format!("{name} of {elsewhere}"),
    }
}

/// The folder of what the user keeps for this program: `$XDG_CONFIG_HOME/hf2ms`, or what this system has for that; `None`
/// where neither is known.
pub fn config_dir(get: GetVariable<'_>) -> Option<PathBuf> {
    let own = absolute(get, "XDG_CONFIG_HOME").map(|root| root.join("hf2ms"));
    own.or_else(|| places::config_dir(System::THIS, get).filter(|path| path.is_absolute()))
}

/// A folder of the XDG Base Directory Specification 0.8: the one that this variable names, or the usual one of the home; `None` where
/// neither is known.
pub fn xdg_dir(get: GetVariable<'_>, variable: &str, usual: &str) -> Option<PathBuf> {
    let home = || places::home(System::THIS, get).filter(|path| path.is_absolute());
    absolute(get, variable).or_else(|| Some(home()?.join(usual)))
}

/// The folder that a variable of that specification names. A relative path does not count, as the specification says.
fn absolute(get: GetVariable<'_>, variable: &str) -> Option<PathBuf> {
    let path = PathBuf::from(get(variable)?);
    path.is_absolute().then_some(path)
}

/// Where runs are kept, once it is sure that they can be: nothing is begun whose journal can't be written.
///
/// # Errors
/// As [`state_dir`]; the place is a file, is full or can't be written.
pub fn writable_state_dir() -> CliResult<PathBuf> {
    let path = state_dir(&environment)?;
    let probe = || -> std::io::Result<()> {
        // A folder that is not there yet is made by the first run.
        let there = path.ancestors().find(|above| above.exists());
        let mut probe = tempfile::tempfile_in(there.unwrap_or(Path::new(".")))?;
        probe.write_all(&[0; 4096])?;
        probe.sync_all()
    };
    probe().map_err(|error| {
        let why = match error.kind() {
            ErrorKind::NotADirectory => "a file is where a folder has to be".to_owned(),
            _ => error.to_string(),
        };
        let line = format!(
            "the state of runs can't be kept in {}: {why}; set HF2MS_STATE to a folder that can be written",
            path.display()
        );
        match error.kind() {
            // The command is right, and may succeed once there is room.
            ErrorKind::StorageFull | ErrorKind::FileTooLarge | ErrorKind::QuotaExceeded => {
                CliError::new(Exit::Incomplete, line)
            }
            _ => CliError::usage(line),
        }
    })?;
    Ok(path)
}

/// Where runs are kept: `$HF2MS_STATE`, `$XDG_STATE_HOME/hf2ms`, or what this system has for that.
///
/// # Errors
/// When none of the three is known.
pub fn state_dir(get: GetVariable<'_>) -> CliResult<PathBuf> {
    let named = get("HF2MS_STATE").map(|value| value.trim_matches(' ').to_owned());
    named
        .filter(|value| !value.is_empty())
        .map(PathBuf::from)
        .or_else(|| absolute(get, "XDG_STATE_HOME").map(|root| root.join("hf2ms")))
        .or_else(|| places::state_dir(System::THIS, get).filter(|path| path.is_absolute()))
        .ok_or_else(|| {
            CliError::usage("there is no place for the state of runs: set HF2MS_STATE to a folder")
        })
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

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
        let relative = ("XDG_STATE_HOME", "x");
        assert_eq!(
            place(&[relative, ("HOME", "/h")]).unwrap(),
            "/h/.local/state/hf2ms"
        );
        assert!(place(&[relative, ("HOME", "h")]).is_err());
        assert!(place(&[]).is_err());
    }

    #[test]
    fn the_config_folder_has_two_places_and_no_relative_one() {
        let place = |pairs: &[(&str, &str)]| {
            let pairs: HashMap<_, _> = pairs.iter().copied().collect();
            config_dir(&|name| pairs.get(name).map(|value| (*value).to_owned()))
                .map(|path| path.display().to_string())
        };
        let home = ("HOME", "/h");
        assert_eq!(
            place(&[("XDG_CONFIG_HOME", "/x"), home]).as_deref(),
            Some("/x/hf2ms")
        );
        assert_eq!(
            place(&[("XDG_CONFIG_HOME", "x"), home]).as_deref(),
            Some("/h/.config/hf2ms")
        );
        assert_eq!(place(&[("XDG_CONFIG_HOME", ""), ("HOME", "")]), None);
    }
}
