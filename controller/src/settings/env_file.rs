//! The one file that settings are read from besides the environment: `.env` of the working folder, or the file that `--env-file`
//! names. Only a file of this user or of root counts: the file says where tokens go.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use hf2ms_hub::Hub;
use hf2ms_worker::settings::environment;

use super::dotenv::Dotenv;
use super::owned_file::{OwnedFile, Pipes};
use crate::ui::errors::{CliError, CliResult};

/// The file that is read when none is named.
pub const USUAL: &str = ".env";
/// Variables that the file is read for, beside those of the hubs. A line of any other name may be whatever it likes.
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

/// How the file was chosen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum FileChoice {
    /// It lies in the working folder, whoever made that, and nobody typed its name.
    #[default]
    OfFolder,
    /// The user named it.
    Named,
}

impl FileChoice {
    /// The choice of a file that the command line names, or that a default does: one without a folder is of the working folder.
    pub fn of(named: Option<&Path>, by_default: bool) -> Self {
        match named {
            Some(path) if !by_default || path.is_absolute() => Self::Named,
            _ => Self::OfFolder,
        }
    }
}

/// What the file sets.
#[derive(Debug, Clone, Default)]
pub struct EnvFile {
    path: PathBuf,
    choice: FileChoice,
    values: HashMap<String, String>,
    /// Why a file that is there was left alone.
    left_alone: Option<String>,
}

impl EnvFile {
    /// Reads `named`, or `.env` of the working folder where none is named.
    ///
    /// # Errors
    /// A file that can't be read, or that has no readable value for a variable of ours; a named one that is not there or is another
    /// user's. No error shows a value: values are tokens.
    pub fn read(named: Option<&Path>) -> CliResult<Self> {
        let path = named.unwrap_or(Path::new(USUAL));
        let pipes = match named {
            Some(_) => Pipes::Read,
            None => Pipes::Refused,
        };
        let unreadable = || {
            CliError::usage(format!(
                "{} can't be read: check the path and its permissions",
                path.display()
            ))
        };
        match OwnedFile::read_bytes(path, pipes).map_err(|_| unreadable())? {
            OwnedFile::Content(content, _) => Self::parse(path, &content),
            OwnedFile::Foreign => Self::of_a_stranger(path, named),
            OwnedFile::Absent | OwnedFile::Unusable if named.is_none() => Ok(Self::default()),
            OwnedFile::Absent | OwnedFile::Unusable => Err(unreadable()),
        }
    }

    fn of_a_stranger(path: &Path, named: Option<&Path>) -> CliResult<Self> {
        let line = format!(
            "{} belongs to another user and is not read, since it could send tokens elsewhere: copy it to a file of your own, or set the variables",
            path.display()
        );
        match named {
            Some(_) => Err(CliError::usage(line)),
            None => Ok(Self {
                left_alone: Some(line),
                ..Self::default()
            }),
        }
    }

    fn parse(path: &Path, content: &[u8]) -> CliResult<Self> {
        let Dotenv { values, unreadable } = Dotenv::parse(content);
        let is_missed =
            |variable: &&str| unreadable.contains_key(*variable) && !values.contains_key(*variable);
        match names().find(|variable| is_missed(variable) && environment(variable).is_none()) {
            Some(missed) => Err(CliError::usage(format!(
                "{}: the value of {missed} in line {} can't be read: write {missed}=value on one line, quotes only in pairs",
                path.display(),
                unreadable[missed]
            ))),
            None => Ok(Self {
                path: path.to_owned(),
                choice: FileChoice::default(),
                values,
                left_alone: None,
            }),
        }
    }

    /// A file with these values.
    #[cfg(test)]
    pub fn of(values: HashMap<String, String>) -> Self {
        Self {
            path: USUAL.into(),
            choice: FileChoice::default(),
            values,
            left_alone: None,
        }
    }

    /// The same file, chosen in this way.
    pub fn chosen(self, choice: FileChoice) -> Self {
        Self { choice, ..self }
    }

    /// How it was chosen.
    pub fn choice(&self) -> FileChoice {
        self.choice
    }

    /// The file's name for people.
    pub fn name(&self) -> String {
        self.path.display().to_string()
    }

    /// The value of a variable that the file is read for.
    pub fn get(&self, name: &str) -> Option<&str> {
        let value = self.values.get(name)?;
        names()
            .any(|known| known == name)
            .then_some(value.as_str())
            .filter(|value| !value.is_empty())
    }

    /// One line about which variables come from which file; `None` where none does.
    pub fn said(&self) -> Option<String> {
        let counts = |name: &&str| self.get(name).is_some() && environment(name).is_none();
        let names: Vec<&str> = names().filter(counts).collect();
        (!names.is_empty()).then(|| format!("settings from {}: {}", self.name(), names.join(", ")))
    }

    /// Why a file that is there was left alone.
    pub fn left_alone(&self) -> Option<&str> {
        self.left_alone.as_deref()
    }
}

/// Every variable that the file is read for.
fn names() -> impl Iterator<Item = &'static str> {
    let of_hubs = Hub::with_api().flat_map(|hub| hub.profile().variables.all());
    of_hubs.chain(READ)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_cant_be_read_is_named_if_it_is_for_us() {
        let file = Path::new("f");
        let set = EnvFile::parse(
            file,
            b"- yaml: x\nHF_HOME: /x\nHF_USERNAME=me\nTARGET_TOKEN: x\nTARGET_TOKEN=y\n",
        )
        .unwrap();
        assert_eq!(
            (set.get("HF_USERNAME"), set.get("TARGET_TOKEN")),
            (Some("me"), Some("y"))
        );
        let line = EnvFile::parse(file, b"A=1\nTARGET_TOKEN=\"canary\n")
            .unwrap_err()
            .to_string();
        assert!(
            line.starts_with("f: the value of TARGET_TOKEN in line 2 can't be read")
                && !line.contains("canary"),
            "{line}"
        );
    }

    #[test]
    fn only_variables_that_the_file_is_read_for_count() {
        let set = EnvFile::parse(
            Path::new("f"),
            b"MODAL_SERVER_URL=http://x\nHTTPS_PROXY=x:1\nHF2MS_STALL=1\nMODAL_TOKEN_ID=ak\nHF_TOKEN=\n",
        )
        .unwrap();
        for name in ["MODAL_SERVER_URL", "HTTPS_PROXY", "HF2MS_STALL", "HF_TOKEN"] {
            assert_eq!(set.get(name), None, "{name}");
        }
        assert_eq!(set.said().unwrap(), "settings from f: MODAL_TOKEN_ID");
    }

    #[test]
    fn what_is_no_file_is_nothing_unless_it_was_named() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::write(at("file"), b"\xff: x\nMODAL_TOKEN_ID=ak\n").unwrap();
        let read = |name: &str| EnvFile::read(Some(&at(name)));
        let set = read("file").unwrap();
        assert_eq!(set.get("MODAL_TOKEN_ID"), Some("ak"));
        std::os::unix::fs::symlink(at("file"), at("link")).unwrap();
        assert_eq!(read("link").unwrap().get("MODAL_TOKEN_ID"), Some("ak"));
        for name in ["", "nowhere", "file/below"] {
            let error = read(name).unwrap_err().to_string();
            assert!(error.contains("can't be read"), "{name}: {error}");
        }
    }

    #[test]
    fn a_file_is_named_by_the_command_line_or_by_a_default_with_its_whole_path() {
        let of = |path: &str, by_default| FileChoice::of(Some(Path::new(path)), by_default);
        assert_eq!(FileChoice::of(None, false), FileChoice::OfFolder);
        assert_eq!(of(".env", false), FileChoice::Named);
        assert_eq!(of(".env", true), FileChoice::OfFolder);
        assert_eq!(of("/home/me/.env", true), FileChoice::Named);
    }

    #[test]
    fn a_strangers_file_is_left_alone_and_refused_where_it_was_named() {
        let stranger = |named| EnvFile::of_a_stranger(Path::new(".env"), named);
        let usual = stranger(None).unwrap();
        assert!(usual.said().is_none() && usual.left_alone().unwrap().contains("another user"));
        assert!(stranger(Some(Path::new("f"))).is_err());
    }
}
