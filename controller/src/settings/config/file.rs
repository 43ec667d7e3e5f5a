//! `config.toml` of the config folder: defaults of options by verb, and profiles. What it may hold is what the command line takes, so
//! a key is held against the options of its verb.

use std::path::{Path, PathBuf};

use clap::{Arg, ArgAction, Command};
use hf2ms_hub::path::escape;
use toml::{Table, Value};

use super::super::owned_file::OwnedFile;
use crate::ui::alike::nearest;
use crate::ui::errors::{CliError, CliResult};

/// The table of profiles.
const PROFILE: &str = "profile";
/// Options that choose the file's part, or are about it.
const NO_DEFAULTS: [&str; 4] = ["profile", "show-config", "help", "version"];
/// Words in a key that stands for a secret.
const SECRETS: [&str; 4] = ["token", "secret", "password", "api-key"];

/// The file, each of whose keys is an option.
#[derive(Debug, Default)]
pub struct ConfigFile {
    path: PathBuf,
    root: Table,
}

/// One table of options, and what it is called: `[profile.night.migrate]`.
pub struct Section<'a> {
    /// The table's name.
    pub name: String,
    /// Whether it is for one verb, and not for all.
    pub is_of_verb: bool,
    /// The table.
    pub options: &'a Table,
}

impl ConfigFile {
    /// Reads the file at `path`, which need not be there, and holds it against the options of `program`.
    ///
    /// # Errors
    /// It can't be read, others may write it, or a key is no option or has no value for one. No error shows the value of a secret.
    pub fn read(path: &Path, program: &Command) -> CliResult<Self> {
        let shown = path.display();
        let unreadable = |error| {
            CliError::usage(format!(
                "{shown} can't be read: {error}; check the path and its permissions"
            ))
        };
        let text = match OwnedFile::read(path).map_err(unreadable)? {
            OwnedFile::Absent => return Ok(Self::at(path, Table::new())),
            OwnedFile::Foreign => {
                return Err(CliError::usage(format!(
                    "{shown} belongs to another user and is not read: it could have repos written elsewhere; make it your own, or move it away"
                )));
            }
            OwnedFile::Content(_, mode) if mode & 0o022 != 0 => {
                return Err(CliError::usage(format!(
                    "{shown} can be written by others and is not read: chmod go-w {shown}"
                )));
            }
            OwnedFile::Unusable => {
                return Err(CliError::usage(format!(
                    "{shown} is no file of options: move it away"
                )));
            }
            OwnedFile::Content(text, _) => text,
        };
        let root = text.parse::<Table>().map_err(|bad| {
            let line = bad
                .span()
                .map(|span| text[..span.start].matches('\n').count() + 1);
            let line = line.map_or(String::new(), |line| format!(":{line}"));
            CliError::usage(format!(
                "{shown}{line}: {}; correct that line",
                escape(bad.message())
            ))
        })?;
        let file = Self::at(path, root);
        file.check(&file.root, "", program)?;
        Ok(file)
    }

    fn at(path: &Path, root: Table) -> Self {
        let path = path.to_owned();
        Self { path, root }
    }

    /// The file's path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The sections for a verb, the first counting most: those of the profile, then those of all.
    ///
    /// # Errors
    /// There is no profile of this name.
    pub fn sections(&self, profile: Option<&str>, verb: &str) -> CliResult<Vec<Section<'_>>> {
        let mut sections = Vec::new();
        if let Some(name) = profile {
            let table = self.profile(name).ok_or_else(|| self.no_profile(name))?;
            sections.extend(sections_of(table, &format!("{PROFILE}.{name}"), verb));
        }
        sections.extend(sections_of(&self.root, "", verb));
        Ok(sections)
    }

    fn profile(&self, name: &str) -> Option<&Table> {
        self.root.get(PROFILE)?.as_table()?.get(name)?.as_table()
    }

    fn no_profile(&self, name: &str) -> CliError {
        let known = self.root.get(PROFILE).and_then(Value::as_table);
        let known: Vec<&str> = known
            .into_iter()
            .flat_map(Table::keys)
            .map(String::as_str)
            .collect();
        let near = match (nearest(name, known.iter().copied()), known.is_empty()) {
            (Some(near), _) => format!("the nearest is {near}"),
            (None, true) => format!("write [{PROFILE}.{}] there", escape(name)),
            (None, false) => format!("there are {}", known.join(", ")),
        };
        CliError::usage(format!(
            "{} has no profile {}: {near}",
            self.path.display(),
            escape(name)
        ))
    }

    /// Holds a table of options, verbs and, at the top, profiles against the program.
    fn check(&self, table: &Table, place: &str, program: &Command) -> CliResult<()> {
        for (key, value) in table {
            match value {
                Value::Table(profiles) if place.is_empty() && key == PROFILE => {
                    for (name, profile) in profiles {
                        let place = format!("{PROFILE}.{name}");
                        let profile = profile.as_table().ok_or_else(|| {
                            self.bad(&place, "", "expected a table of options and verbs")
                        })?;
                        self.check(profile, &place, program)?;
                    }
                }
                Value::Table(options) => {
                    let verb = program.find_subcommand(key);
                    let verb = verb.ok_or_else(|| self.no_verb(place, key, program))?;
                    let place = joined(place, key);
                    for (key, value) in options {
                        self.check_option(&place, key, value, verb)?;
                    }
                }
                value => self.check_option(place, key, value, program)?,
            }
        }
        Ok(())
    }

    fn check_option(
        &self,
        place: &str,
        key: &str,
        value: &Value,
        command: &Command,
    ) -> CliResult<()> {
        let Some(option) = option(command, key) else {
            return Err(self.no_option(place, key, command));
        };
        match values_of(option, value) {
            Some(_) => Ok(()),
            None => Err(self.bad(place, key, &format!("expected {}", expected(option)))),
        }
    }

    fn no_verb(&self, place: &str, key: &str, program: &Command) -> CliError {
        let names = program.get_subcommands().map(Command::get_name);
        let near =
            nearest(key, names).map_or(String::new(), |near| format!("; the nearest is {near}"));
        self.bad(place, key, &format!("no verb of hf2ms has this name{near}"))
    }

    fn no_option(&self, place: &str, key: &str, command: &Command) -> CliError {
        if is_secret(key) {
            return self.bad(place, key, "no tokens here: hf2ms login keeps them");
        }
        let near = nearest(key, options(command).filter_map(Arg::get_long));
        let near = near.map_or(String::new(), |near| format!("; the nearest is {near}"));
        let why = match command.get_name() {
            "hf2ms" => "every verb would need this option: write it below its verb, as [migrate]"
                .to_owned(),
            verb => format!("no option of hf2ms {verb} has this name"),
        };
        self.bad(place, key, &format!("{why}{near}"))
    }

    fn bad(&self, place: &str, key: &str, why: &str) -> CliError {
        let place = match place.is_empty() {
            true => String::new(),
            false => format!("[{}] ", escape(place)),
        };
        let named = format!("{place}{}", escape(key));
        CliError::usage(format!(
            "{}: {}: {why}",
            self.path.display(),
            named.trim_end()
        ))
    }
}

/// The part of a table for a verb, then its own options.
fn sections_of<'a>(table: &'a Table, place: &str, verb: &str) -> Vec<Section<'a>> {
    let own = table
        .get(verb)
        .and_then(Value::as_table)
        .map(|options| Section {
            name: joined(place, verb),
            is_of_verb: true,
            options,
        });
    let all = Section {
        name: place.to_owned(),
        is_of_verb: false,
        options: table,
    };
    own.into_iter().chain([all]).collect()
}

fn joined(place: &str, key: &str) -> String {
    match place.is_empty() {
        true => key.to_owned(),
        false => format!("{place}.{key}"),
    }
}

/// The options of a command that may have a default.
pub fn options(command: &Command) -> impl Iterator<Item = &Arg> {
    command.get_arguments().filter(|arg| {
        arg.get_long()
            .is_some_and(|long| !NO_DEFAULTS.contains(&long))
    })
}

/// The names of the profiles in a file, unless it can't be read or is not the user's.
pub fn profiles(path: &Path) -> Vec<String> {
    let Ok(OwnedFile::Content(text, _)) = OwnedFile::read(path) else {
        return Vec::new();
    };
    let root = text.parse::<Table>().unwrap_or_default();
    let profiles = root.get(PROFILE).and_then(Value::as_table);
    profiles
        .into_iter()
        .flat_map(Table::keys)
        .cloned()
        .collect()
}

/// The option of this name.
pub fn option<'a>(command: &'a Command, name: &str) -> Option<&'a Arg> {
    options(command).find(|arg| arg.get_long() == Some(name))
}

/// Whether an option is given without a value.
pub fn is_flag(option: &Arg) -> bool {
    matches!(option.get_action(), ArgAction::SetTrue)
}

/// The values for an option, as they would be typed; `None` for what it can't take. A flag has `true` or `false`.
pub fn values_of(option: &Arg, value: &Value) -> Option<Vec<String>> {
    match (value, option.get_action()) {
        (Value::Boolean(is_set), ArgAction::SetTrue) => Some(vec![is_set.to_string()]),
        (_, ArgAction::SetTrue) => None,
        (Value::Array(all), ArgAction::Append) => all.iter().map(text).collect(),
        (value, ArgAction::Set | ArgAction::Append) => Some(vec![text(value)?]),
        _ => None,
    }
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Integer(number) => Some(number.to_string()),
        Value::Float(number) => Some(number.to_string()),
        _ => None,
    }
}

fn expected(option: &Arg) -> &'static str {
    match option.get_action() {
        ArgAction::SetTrue => "true or false",
        ArgAction::Append => "a text in quotes, or a list of such",
        _ => "a text in quotes, or a number",
    }
}

fn is_secret(key: &str) -> bool {
    let key = key.to_lowercase().replace('_', "-");
    SECRETS.iter().any(|word| key.contains(word))
}
