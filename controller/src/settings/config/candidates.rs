//! The defaults that may count for a verb: those of variables, of the profile and of the file.

use std::ffi::OsString;

use clap::{Arg, Command};

use super::faults::Fault;
use super::file::{ConfigFile, is_flag, option, options, values_of};
use super::{DefaultOption, GetVariable, OptionOrigin};
use crate::ui::alike::nearest;
use crate::ui::errors::{CliError, CliResult};

/// A default that may count.
pub struct Candidate {
    /// What is set, and where.
    pub set: DefaultOption,
    /// The words that set it.
    pub words: Vec<OsString>,
}

/// Every default for a verb, the first of an option counting: variables, the profile, the file.
///
/// # Errors
/// A variable of the verb is no option or has no value for one; there is no such profile.
pub fn candidates(
    program: &Command,
    verb: &str,
    file: &ConfigFile,
    profile: Option<&str>,
    get: GetVariable<'_>,
    variables: &[String],
) -> CliResult<Vec<Candidate>> {
    let Some(command) = program.find_subcommand(verb) else {
        return Ok(Vec::new());
    };
    let mut found = of_variables(command, get, variables)?;
    for section in file.sections(profile, verb)? {
        // What stands above the verbs is for all of them.
        let verb = if section.is_of_verb { verb } else { "" };
        for (key, value) in section.options {
            let values = option(command, key).and_then(|arg| Some((arg, values_of(arg, value)?)));
            found.extend(values.map(|(arg, values)| {
                let origin = OptionOrigin::File(file.path().to_owned(), section.name.clone());
                Candidate::new(verb, arg, &values, origin)
            }));
        }
    }
    Ok(found)
}

/// The variables `HF2MS_VERB_OPTION` that are set.
fn of_variables(
    command: &Command,
    get: GetVariable<'_>,
    variables: &[String],
) -> CliResult<Vec<Candidate>> {
    let start = variable(command, "");
    let verb = command.get_name();
    let unknown = variables.iter().find(|name| {
        let long = name.strip_prefix(&start);
        long.is_some_and(|long| !options(command).any(|arg| variable_of(arg) == long))
    });
    if let Some(name) = unknown {
        let longs = options(command).filter_map(Arg::get_long);
        let near = nearest(name.trim_start_matches(&start), longs);
        let near = near.and_then(|long| option(command, long));
        let near = near.map_or(String::new(), |arg| {
            let near = variable(command, &variable_of(arg));
            format!("; the nearest is {near}")
        });
        return Err(CliError::usage(format!(
            "{name} stands for no option of hf2ms {verb}{near}; correct or unset it"
        )));
    }
    let mut found = Vec::new();
    for arg in options(command) {
        let name = variable(command, &variable_of(arg));
        let Some(text) = get(&name).filter(|text| !text.is_empty()) else {
            continue;
        };
        let value = match (is_flag(arg), text.as_str()) {
            (false, _) => text,
            (true, "1" | "true") => "true".to_owned(),
            (true, "0" | "false") => "false".to_owned(),
            (true, _) => return Err(CliError::usage(format!("{name}: expected true or false"))),
        };
        found.push(Candidate::new(
            verb,
            arg,
            &[value],
            OptionOrigin::Variable(name),
        ));
    }
    Ok(found)
}

fn variable(command: &Command, option: &str) -> String {
    let verb = command.get_name().to_uppercase().replace('-', "_");
    format!("HF2MS_{verb}_{option}")
}

fn variable_of(arg: &Arg) -> String {
    arg.get_long()
        .unwrap_or_default()
        .to_uppercase()
        .replace('-', "_")
}

impl Candidate {
    fn new(verb: &str, arg: &Arg, values: &[String], origin: OptionOrigin) -> Self {
        let long = arg.get_long().unwrap_or_default();
        let words = match (is_flag(arg), values) {
            (true, [value]) if value == "true" => vec![format!("--{long}").into()],
            (true, _) => Vec::new(),
            (false, values) => values
                .iter()
                .map(|value| format!("--{long}={value}").into())
                .collect(),
        };
        let set = DefaultOption {
            verb: verb.to_owned(),
            option: long.to_owned(),
            value: values.join(", "),
            origin,
        };
        Self { set, words }
    }

    /// The error of a default with a value that its option does not take.
    pub fn refused(&self, fault: &Fault) -> CliError {
        CliError::usage(format!("{}: {}", self.set.origin, fault.line))
    }
}
