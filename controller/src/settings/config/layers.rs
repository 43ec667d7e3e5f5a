//! Which defaults count beside the words of a command line: those of options that were not typed, as far as they go with what was. A
//! default that contradicts a typed option, or lacks one that it needs, is left out.

use std::collections::BTreeSet;
use std::ffi::OsString;

use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Command};
use schemars::JsonSchema;
use serde::Serialize;

use super::faults::{Fault, fault};
use super::file::{ConfigFile, is_flag, option, options, values_of};
use super::{DefaultOption, GetVariable, OptionOrigin};
use crate::ui::alike::nearest;
use crate::ui::errors::{CliError, CliResult};
use crate::ui::json::StartEvent;
use crate::ui::screen::Screen;

/// Options that agree to what is not done unasked: to delete, to write over, to show, to send in the clear.
pub(super) const CONSENTS: [&str; 9] = [
    "allow-empty-source",
    "allow-http",
    "allow-unrelated",
    "force",
    "max-delete",
    "overwrite",
    "prune",
    "public",
    "yes",
];

/// The option of every verb that prints JSON.
const JSON: &str = "--json";

/// A default that may count.
pub struct Candidate {
    /// What is set, and where.
    pub set: DefaultOption,
    /// The words that set it.
    words: Vec<OsString>,
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
}

/// What was typed.
pub struct TypedWords {
    typed: Vec<OsString>,
    /// Flags that are switched off, as `--prune=false` does.
    off: BTreeSet<String>,
}

impl TypedWords {
    /// Takes the words apart: a flag with `=true` is the flag, one with `=false` is none.
    pub fn of(words: Vec<OsString>, program: &Command) -> Self {
        let is_verb = |word: &OsString| program.find_subcommand(word).is_some();
        let at = words.iter().skip(1).position(is_verb).map(|at| at + 1);
        let verb = at.and_then(|at| program.find_subcommand(&words[at]));
        let words = match at {
            Some(at) => json_behind(at, words),
            None => words,
        };
        let switched = |word: &OsString| {
            let (long, value) = word.to_str()?.strip_prefix("--")?.split_once('=')?;
            option(verb?, long).filter(|arg| is_flag(arg))?;
            Some((long.to_owned(), value.parse::<bool>().ok()?))
        };
        let end = end_of_options(&words);
        let (mut typed, mut off) = (Vec::new(), BTreeSet::new());
        for (index, word) in words.into_iter().enumerate() {
            match switched(&word).filter(|_| index < end) {
                Some((long, true)) => typed.push(format!("--{long}").into()),
                Some((long, false)) => {
                    off.insert(long);
                }
                None => typed.push(word),
            }
        }
        Self { typed, off }
    }

    /// Refuses a word behind an option whose value may be left out: clap takes it for a repo, and it may be meant as the value.
    ///
    /// # Errors
    /// The option, and how its value is written.
    pub fn check_values(&self, program: &Command) -> CliResult<()> {
        let verb = self
            .typed
            .iter()
            .find_map(|word| program.find_subcommand(word));
        let is_meant = |word: &OsString| {
            let long = word.to_str().and_then(|word| word.strip_prefix("--"));
            let arg = verb.zip(long).and_then(|(verb, long)| option(verb, long));
            arg.is_some_and(Arg::is_require_equals_set)
        };
        let pairs = self.typed[..end_of_options(&self.typed)].windows(2);
        for pair in pairs.filter(|pair| is_meant(&pair[0])) {
            let [name, value] = [&pair[0], &pair[1]].map(|word| word.to_string_lossy());
            if !value.starts_with('-') {
                return Err(CliError::usage(format!(
                    "{name} {value}: write {name}={value} if that is its value, and else {name} behind it"
                )));
            }
        }
        Ok(())
    }

    /// The words for clap.
    pub fn typed(&self) -> &[OsString] {
        &self.typed
    }

    /// The words without any default.
    pub fn alone(self) -> LayeredArgs {
        LayeredArgs {
            words: self.typed,
            verb: String::new(),
            set: Vec::new(),
            left_out: Vec::new(),
            without_effect: Vec::new(),
            is_asked: false,
        }
    }

    /// The words with those of the candidates that count.
    ///
    /// # Errors
    /// A default has a value that its option does not take.
    pub fn with(
        self,
        candidates: Vec<Candidate>,
        program: &Command,
        (verb, of_verb): (&str, &ArgMatches),
    ) -> CliResult<LayeredArgs> {
        let typed = self.typed_options(program, verb, of_verb);
        let mut seen: BTreeSet<String> = typed.iter().map(|set| set.option.clone()).collect();
        let first_of_each = candidates
            .into_iter()
            .filter(|one| seen.insert(one.set.option.clone()));
        let mut rest: Vec<Candidate> = first_of_each.collect();
        let (mut layered, mut before) = (self.alone(), usize::MAX);
        let mut found = fault(program, &layered.words);
        // What needs another default may come before it.
        while rest.len() < before {
            before = rest.len();
            for one in std::mem::take(&mut rest) {
                let words = inserted(&layered.words, &one.words);
                match (fault(program, &words), &found) {
                    (None, _) => found = None,
                    (Some(now), Some(then)) if now.is_same(then) => (),
                    (Some(now), _) if now.is_about_others() => {
                        rest.push(one);
                        continue;
                    }
                    (Some(now), _) => return Err(one.refused(&now)),
                }
                layered.words = words;
                layered.set.push(one.set);
            }
        }
        layered.left_out = rest.into_iter().map(|one| one.set).collect();
        layered.set.splice(0..0, typed);
        layered.verb = verb.to_owned();
        layered.is_asked = of_verb.try_get_one::<bool>("show_config").ok().flatten() == Some(&true);
        Ok(layered)
    }

    /// The options that were typed.
    fn typed_options(
        &self,
        program: &Command,
        verb: &str,
        of_verb: &ArgMatches,
    ) -> Vec<DefaultOption> {
        let Some(command) = program.find_subcommand(verb) else {
            return Vec::new();
        };
        let value = |arg: &Arg| {
            let (id, long) = (arg.get_id().as_str(), arg.get_long()?);
            if self.off.contains(long) {
                return Some("false".to_owned());
            }
            let source = of_verb
                .try_contains_id(id)
                .ok()?
                .then(|| of_verb.value_source(id));
            if source.flatten() != Some(ValueSource::CommandLine) {
                return None;
            }
            let raw = of_verb.try_get_raw(id).ok().flatten().into_iter().flatten();
            let values: Vec<_> = raw.map(|value| value.to_string_lossy()).collect();
            Some(if values.is_empty() {
                "true".to_owned()
            } else {
                values.join(", ")
            })
        };
        let set = |arg: &Arg| {
            Some(DefaultOption {
                verb: verb.to_owned(),
                option: arg.get_long()?.to_owned(),
                value: value(arg)?,
                origin: OptionOrigin::CommandLine,
            })
        };
        options(command).filter_map(set).collect()
    }
}

/// The words, in which a `--json` that stands before the verb stands behind it, once: each verb has its own.
fn json_behind(verb: usize, mut words: Vec<OsString>) -> Vec<OsString> {
    let is_behind = words[verb..end_of_options(&words)]
        .iter()
        .any(|word| word == JSON);
    if let Some(at) = words[..verb].iter().position(|word| word == JSON) {
        let json = words.remove(at);
        if !is_behind {
            words.insert(verb, json);
        }
    }
    words
}

/// Where the options end: at `--`, or behind the last word.
fn end_of_options(words: &[OsString]) -> usize {
    words
        .iter()
        .position(|word| word == "--")
        .unwrap_or(words.len())
}

/// The words, and more options behind those that are there.
fn inserted(words: &[OsString], more: &[OsString]) -> Vec<OsString> {
    let (before, after) = words.split_at(end_of_options(words));
    [before, more, after].concat()
}

impl Candidate {
    fn refused(&self, fault: &Fault) -> CliError {
        CliError::usage(format!("{}: {}", self.set.origin, fault.line))
    }
}

/// The words of the command line and of the defaults that count.
pub struct LayeredArgs {
    words: Vec<OsString>,
    verb: String,
    set: Vec<DefaultOption>,
    left_out: Vec<DefaultOption>,
    without_effect: Vec<DefaultOption>,
    is_asked: bool,
}

impl LayeredArgs {
    /// All words, for clap.
    pub fn words(&self) -> &[OsString] {
        &self.words
    }

    /// The verb, if it is one.
    pub fn verb(&self) -> Option<&str> {
        Some(self.verb.as_str()).filter(|verb| !verb.is_empty())
    }

    /// Whether a program is to read what is printed.
    pub fn is_json(&self) -> bool {
        self.words.iter().any(|word| word == JSON)
    }

    /// Whether `--show-config` was typed.
    pub fn is_shown(&self) -> bool {
        self.is_asked
    }

    /// The same words, where these defaults have no effect: only the command line may set such options.
    pub(super) fn without_effect(self, typed_only: Vec<Candidate>) -> Self {
        let without_effect = typed_only.into_iter().map(|one| one.set).collect();
        Self {
            without_effect,
            ..self
        }
    }

    /// What is said of defaults that have no effect, since only the command line may set such options.
    pub fn warnings(&self) -> impl Iterator<Item = String> {
        let verb = &self.verb;
        let all = self.without_effect.iter();
        all.map(move |DefaultOption { option, origin, .. }| {
            format!("--{option} of hf2ms {verb} is not set by {origin}: only the command line may set it")
        })
    }

    /// The defaults that count and agree to what a run does not do unasked.
    pub fn consents(&self) -> impl Iterator<Item = &DefaultOption> {
        let is_one = |set: &&DefaultOption| {
            set.origin != OptionOrigin::CommandLine
                && set.value != "false"
                && CONSENTS.contains(&set.option.as_str())
        };
        self.set.iter().filter(is_one)
    }

    /// Prints each option that is set, its value and where that comes from.
    pub fn print(&self, screen: &Screen) {
        screen.json(&StartEvent::new(&self.verb, None));
        let counting = self.set.iter().map(|set| OptionEvent::new(set, true));
        let left_out = self.left_out.iter().map(|set| OptionEvent::new(set, false));
        counting.chain(left_out).for_each(|one| screen.json(&one));
        if self.set.is_empty() {
            screen.print(format!("no option of hf2ms {} is set", self.verb));
        } else {
            screen.print(format!("options of hf2ms {} that are set:", self.verb));
        }
        for set in &self.set {
            screen.print(set.line());
        }
        for set in &self.left_out {
            let DefaultOption { option, origin, .. } = set;
            screen.print(format!(
                "  left out: {option} of {origin}, since it contradicts or lacks another option"
            ));
        }
        for set in &self.without_effect {
            let DefaultOption { option, origin, .. } = set;
            screen.print(format!(
                "  left out: {option} of {origin}, since only the command line may set it"
            ));
        }
    }
}

/// An option that is set: what `--show-config` tells.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(tag = "event", rename = "option")]
pub struct OptionEvent {
    /// The option's long name.
    option: String,
    /// Its value, without the password of an address; `true` or `false` for a flag.
    value: String,
    /// Where it is set: the command line, a variable, or a part of a file.
    origin: String,
    /// Whether it counts; a default does not where it contradicts or lacks another option.
    counts: bool,
}

impl OptionEvent {
    fn new(set: &DefaultOption, counts: bool) -> Self {
        Self {
            option: set.option.clone(),
            value: without_password(&set.value),
            origin: set.origin.to_string(),
            counts,
        }
    }
}

impl DefaultOption {
    /// The option, its value without a password, and where it is set.
    pub fn line(&self) -> String {
        format!(
            "  {:<18} {:<24} {}",
            self.option,
            without_password(&self.value),
            self.origin
        )
    }
}

/// A value without the password of an address.
pub fn without_password(value: &str) -> String {
    let (scheme, rest) = match value.split_once("://") {
        Some((scheme, rest)) => (format!("{scheme}://"), rest),
        None => (String::new(), value),
    };
    match rest.rsplit_once('@') {
        Some((login, host)) if login.contains(':') || !scheme.is_empty() => {
            format!("{scheme}***@{host}")
        }
        _ => value.to_owned(),
    }
}
