//! Which defaults count beside the words of a command line: those of options that were not typed, as far as they go with what was. A
//! default that contradicts a typed option, or lacks one that it needs, is left out.

use std::collections::BTreeSet;
use std::ffi::OsString;

use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Command};

use super::candidates::Candidate;
use super::faults::fault;
use super::file::{is_flag, option, options};
use super::layered::{JSON, LayeredArgs};
use super::{DefaultOption, OptionOrigin};
use crate::ui::errors::{CliError, CliResult};

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
