//! The words of a command line with the defaults that count, and what is said of them.

use std::ffi::OsString;

use schemars::JsonSchema;
use serde::Serialize;

use super::candidates::Candidate;
use super::{DefaultOption, OptionOrigin};
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
pub(super) const JSON: &str = "--json";

/// The words of the command line and of the defaults that count.
pub struct LayeredArgs {
    pub(super) words: Vec<OsString>,
    pub(super) verb: String,
    pub(super) set: Vec<DefaultOption>,
    pub(super) left_out: Vec<DefaultOption>,
    pub(super) without_effect: Vec<DefaultOption>,
    pub(super) is_asked: bool,
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

    /// Whether a default sets this option.
    pub fn is_default(&self, option: &str) -> bool {
        let is_one =
            |set: &DefaultOption| set.option == option && set.origin != OptionOrigin::CommandLine;
        self.set.iter().any(is_one)
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
