//! The error of a command: one line that says what happened and what to do, and the exit code. The lines for a hub's
//! errors are written in [`crate::settings::hub_errors`].

use std::fmt;
use std::io::{self, ErrorKind};
use std::path::Path;

use hf2ms_hub::RepoAt;
use hf2ms_worker::protocol::Exit;
use hf2ms_worker::repo_ref::BadRepoRef;

use crate::stop::Interrupted;

/// The error that ends a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CliError {
    exit: Exit,
    line: String,
    reach: Reach,
    /// What a hub does not have, or does not show.
    absent: Option<Box<Absent>>,
    /// What may have been meant instead.
    nearest: Option<String>,
}

/// What a hub does not have, or does not show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Absent {
    /// The repo.
    Repo(RepoAt),
    /// The owner of this repo, whose name does not matter.
    Owner(RepoAt),
}

/// Whether an error ends the other repos of a command too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reach {
    One,
    All,
}

/// The result of a step of a command.
pub type CliResult<T> = Result<T, CliError>;

impl CliError {
    /// An error with its exit code and its line.
    pub fn new(exit: Exit, line: impl Into<String>) -> Self {
        Self {
            exit,
            line: line.into(),
            reach: Reach::One,
            absent: None,
            nearest: None,
        }
    }

    /// The same error, which is about a source that was not found.
    pub fn about_absent(self, absent: Absent) -> Self {
        let absent = Some(Box::new(absent));
        Self { absent, ..self }
    }

    /// The source that was not found, if the error is about that.
    pub fn absent(&self) -> Option<&Absent> {
        self.absent.as_deref()
    }

    /// The same error, beside which this repo or owner is named.
    pub fn with_nearest(self, nearest: Option<String>) -> Self {
        Self { nearest, ..self }
    }

    /// What may have been meant. It is no part of the error's words: logs and records do without it.
    pub fn nearest(&self) -> Option<&str> {
        self.nearest.as_deref()
    }

    /// The error for a person, with what may have been meant.
    pub fn with_hint(&self) -> String {
        let meant = self.nearest.as_deref().map(did_you_mean);
        format!("{self}{}", meant.unwrap_or_default())
    }

    /// The same error, for the other repos of the command too.
    pub fn for_all(self) -> Self {
        Self {
            reach: Reach::All,
            ..self
        }
    }

    /// Whether every other repo would fail too: a hub refuses the token, or can't be reached.
    pub fn ends_all(&self) -> bool {
        self.reach == Reach::All
    }

    /// The command line or an input file is wrong.
    pub fn usage(line: impl Into<String>) -> Self {
        Self::new(Exit::Usage, line)
    }

    /// A token, a permission or a name is refused.
    pub fn refused(line: impl Into<String>) -> Self {
        Self::new(Exit::Refused, line)
    }

    /// A signal asked to stop.
    pub fn interrupted() -> Self {
        Self::new(
            Exit::Interrupted,
            "stopped: run the same command again to go on",
        )
    }

    /// A file that the user named, or that has its place elsewhere than the state of runs, can't be read or written.
    pub fn file(path: &Path, error: &io::Error) -> Self {
        let elsewhere = match error.kind() {
            ErrorKind::PermissionDenied => {
                Some("give this account the right to it, or name another place")
            }
            ErrorKind::ReadOnlyFilesystem => {
                Some("nothing can be written there: name another place")
            }
            ErrorKind::NotADirectory | ErrorKind::AlreadyExists => {
                Some("a file is where a folder has to be: move it away, or name another place")
            }
            _ => None,
        };
        Self::of_file(path, error, elsewhere)
    }

    /// A file below the folder of the state of runs can't be read or written.
    pub fn state_file(path: &Path, error: &io::Error) -> Self {
        let elsewhere = match error.kind() {
            ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => {
                Some("set HF2MS_STATE to a folder that this account may write")
            }
            ErrorKind::NotADirectory | ErrorKind::AlreadyExists => Some(
                "a file is where a folder has to be: move it away, or set HF2MS_STATE to another folder",
            ),
            _ => None,
        };
        Self::of_file(path, error, elsewhere)
    }

    /// The error of a file, with what to do: `elsewhere` where another place helps.
    fn of_file(path: &Path, error: &io::Error, elsewhere: Option<&str>) -> Self {
        let remedy = elsewhere.unwrap_or(match error.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
                "make room on that disk, then run the same command again"
            }
            ErrorKind::NotFound => "check the path",
            _ => "check that disk, then run the same command again",
        });
        Self::new(
            Exit::Incomplete,
            format!("{}: {error}; {remedy}", path.display()),
        )
    }

    /// The exit code.
    pub fn exit(&self) -> Exit {
        self.exit
    }
}

impl fmt::Display for CliError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.line)
    }
}

impl From<Interrupted> for CliError {
    fn from(_: Interrupted) -> Self {
        Self::interrupted()
    }
}

impl From<BadRepoRef> for CliError {
    fn from(bad: BadRepoRef) -> Self {
        Self::usage(bad.to_string())
    }
}

/// What follows a line about something that was not found.
pub fn did_you_mean(nearest: &str) -> String {
    format!("; did you mean {nearest}?")
}

/// Whether a line says what to do: tests of every table of messages ask it.
#[cfg(test)]
pub(crate) fn says_what_to_do(line: &str) -> bool {
    const REMEDIES: [&str; 22] = [
        "run the same command again",
        "run it again",
        "set ",
        "add ",
        "check ",
        "use ",
        "give ",
        "ask ",
        "get ",
        "leave ",
        "make room",
        "move it",
        "correct ",
        "rename ",
        "delete ",
        "start it",
        "join ",
        "raise ",
        "support can help",
        "read by",
        "pip install",
        "name another place",
    ];
    let words = line.split_once([':', ';']).map_or("", |(_, rest)| rest);
    REMEDIES.iter().any(|remedy| words.contains(remedy))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_error_of_a_file_names_it_and_says_what_to_do() {
        let kinds = [
            ErrorKind::NotFound,
            ErrorKind::PermissionDenied,
            ErrorKind::ReadOnlyFilesystem,
            ErrorKind::StorageFull,
            ErrorKind::QuotaExceeded,
            ErrorKind::NotADirectory,
            ErrorKind::AlreadyExists,
            ErrorKind::Interrupted,
            ErrorKind::Other,
        ];
        for kind in kinds {
            let path = Path::new("/state/runs");
            let error = kind.into();
            for failure in [
                CliError::file(path, &error),
                CliError::state_file(path, &error),
            ] {
                let line = failure.to_string();
                assert!(
                    line.starts_with("/state/runs: ") && says_what_to_do(&line),
                    "{kind:?}: {line}"
                );
            }
            let elsewhere = CliError::file(path, &error).to_string();
            assert!(!elsewhere.contains("HF2MS_STATE"), "{elsewhere}");
        }
    }
}
