//! Defaults of options: from variables, from a profile, and from `config.toml`. They are put behind the words of the command line, as
//! if they had been typed. So clap checks them as it checks those.

mod candidates;
mod faults;
mod file;
mod layered;
mod layers;
#[cfg(test)]
mod tests;

use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;
use std::sync::OnceLock;

use clap::{ArgMatches, Command};

use self::candidates::{Candidate, candidates};
pub use self::faults::line_of;
use self::file::ConfigFile;
use self::layered::CONSENTS;
pub use self::layered::{LayeredArgs, OptionEvent, without_password};
use super::{GetVariable, config_dir};
use crate::ui::errors::{CliError, CliResult};

/// The file's name in the config folder.
const FILE: &str = "config.toml";
/// The variable that names a profile.
const PROFILE: &str = "HF2MS_PROFILE";
/// Verbs that have to work whatever the file says: they read no settings of a run, or end one.
const WITHOUT_DEFAULTS: [&str; 9] = [
    "help",
    "completions",
    "man",
    "login",
    "logout",
    "runs",
    "status",
    "logs",
    "stop",
];

/// A verb whose options only the command line may set: it removes repos.
const TYPED_VERB: &str = "cleanup";
/// Options of other verbs that only the command line may set: they remove repos, or agree to that.
const TYPED_OPTIONS: [&str; 4] = ["history-may-go", "readers-may-go", "then", "yes-delete"];

/// Set by `hf2ms mcp` for what it runs: an assistant says by its arguments what a copy may do unasked, and no file adds to that.
pub const FOR_ASSISTANT: &str = "HF2MS_FOR_ASSISTANT";
/// The option that may show files of a gated source to those who are let in.
const GATED: &str = "gated";

/// Whether only the command line may set this option.
fn is_typed_only(set: &DefaultOption, verb: &str, is_for_assistant: bool) -> bool {
    let option = set.option.as_str();
    verb == TYPED_VERB
        || TYPED_OPTIONS.contains(&option)
        || (is_for_assistant && (option == GATED || CONSENTS.contains(&option)))
}

/// The defaults of all verbs, as they were when the process began; `doctor` alone needs them.
static DEFAULTS: OnceLock<Vec<DefaultOption>> = OnceLock::new();

/// An option that is set, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DefaultOption {
    /// The verb.
    pub verb: String,
    /// The option's long name.
    pub option: String,
    /// Its value; `true` or `false` for a flag.
    pub value: String,
    /// Where it is set.
    pub origin: OptionOrigin,
}

/// Where an option is set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OptionOrigin {
    /// On the command line.
    CommandLine,
    /// By this variable.
    Variable(String),
    /// In this part of the file.
    File(PathBuf, String),
}

impl fmt::Display for OptionOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CommandLine => f.write_str("the command line"),
            Self::Variable(name) => f.write_str(name),
            Self::File(path, section) if section.is_empty() => write!(f, "{}", path.display()),
            Self::File(path, section) => write!(f, "{} [{section}]", path.display()),
        }
    }
}

/// The names of the file's profiles, for a shell's completions; none where the file can't be read.
pub fn profiles(get: GetVariable<'_>) -> Vec<String> {
    let path = config_dir(get).map(|folder| folder.join(FILE));
    path.map_or_else(Vec::new, |path| file::profiles(&path))
}

/// The defaults of all verbs: what `doctor` says of them.
pub fn defaults() -> &'static [DefaultOption] {
    DEFAULTS.get().map_or(&[], Vec::as_slice)
}

/// The words of the command line with the defaults that count behind them.
///
/// # Errors
/// The file or a variable has something that is no option or no value of one; there is no such profile.
pub fn layered(
    mut program: Command,
    words: Vec<OsString>,
    get: GetVariable<'_>,
    variables: &[String],
) -> CliResult<LayeredArgs> {
    program.build();
    let words = layers::TypedWords::of(words, &program);
    words.check_values(&program)?;
    // Clap reports words that it can't read; `--help` is no error, and ends here too.
    let lenient = program.clone().ignore_errors(true);
    let Ok(matches) = lenient.try_get_matches_from(words.typed()) else {
        return Ok(words.alone());
    };
    let Some((verb, of_verb)) = matches.subcommand() else {
        return Ok(words.alone());
    };
    if WITHOUT_DEFAULTS.contains(&verb) {
        return words.with(Vec::new(), &program, (verb, of_verb));
    }
    let file = match config_dir(get) {
        Some(folder) => ConfigFile::read(&folder.join(FILE), &program)?,
        None => ConfigFile::default(),
    };
    let profile = profile(&matches, of_verb, get);
    if profile.is_some() && file.path().as_os_str().is_empty() {
        return Err(CliError::usage(
            "there is no place for config.toml and its profiles: set XDG_CONFIG_HOME to a folder",
        ));
    }
    let all = |verb: &str| candidates(&program, verb, &file, profile.as_deref(), get, variables);
    let is_for_assistant = get(FOR_ASSISTANT).is_some();
    if verb == "doctor" {
        note_defaults(&program, &all, is_for_assistant)?;
    }
    let (typed_only, counting): (Vec<_>, Vec<_>) = all(verb)?
        .into_iter()
        .partition(|candidate| is_typed_only(&candidate.set, verb, is_for_assistant));
    let layered = words.with(counting, &program, (verb, of_verb))?;
    Ok(layered.without_effect(typed_only))
}

/// The profile of the command line, or else of the variable.
fn profile(matches: &ArgMatches, of_verb: &ArgMatches, get: GetVariable<'_>) -> Option<String> {
    let named = |matches: &ArgMatches| {
        let named = matches.try_get_one::<String>("profile").ok().flatten();
        named.cloned()
    };
    let variable = || get(PROFILE).filter(|name| !name.is_empty());
    named(of_verb).or_else(|| named(matches)).or_else(variable)
}

/// Keeps what is set for any verb; what is set for all of them is kept once.
fn note_defaults(
    program: &Command,
    all: &dyn Fn(&str) -> CliResult<Vec<Candidate>>,
    is_for_assistant: bool,
) -> CliResult<()> {
    let mut found: Vec<DefaultOption> = Vec::new();
    for verb in program.get_subcommands().map(Command::get_name) {
        let more = all(verb)?.into_iter().map(|candidate| candidate.set);
        let counts = |set: &DefaultOption| {
            !found.contains(set) && !is_typed_only(set, verb, is_for_assistant)
        };
        let more: Vec<_> = more.filter(counts).collect();
        found.extend(more);
    }
    let _ = DEFAULTS.set(found);
    Ok(())
}
