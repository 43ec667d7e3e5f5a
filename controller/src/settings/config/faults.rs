//! What clap finds wrong with the words of a command line.

use std::ffi::OsString;

use clap::Command;
use clap::error::{ContextKind, ErrorKind};

/// What clap finds wrong with words.
pub struct Fault {
    kind: ErrorKind,
    about: Vec<String>,
    /// In one line without the usage.
    pub line: String,
}

/// What is wrong with these words, if anything is.
pub fn fault(program: &Command, words: &[OsString]) -> Option<Fault> {
    let error = program.clone().try_get_matches_from(words).err()?;
    let about = [
        ContextKind::InvalidArg,
        ContextKind::PriorArg,
        ContextKind::InvalidSubcommand,
    ];
    let about = about
        .into_iter()
        .filter_map(|kind| Some(error.get(kind)?.to_string()));
    let (kind, about, line) = (error.kind(), about.collect(), line_of(&error));
    Some(Fault { kind, about, line })
}

/// What clap finds wrong, in one line without the usage.
pub fn line_of(error: &clap::Error) -> String {
    let text = error.to_string();
    let lines = text
        .lines()
        .take_while(|line| !line.starts_with("Usage:") && !line.starts_with("For more"));
    let line = lines
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect::<Vec<_>>()
        .join(" ");
    line.trim_start_matches("error: ").to_owned()
}

impl Fault {
    /// Whether the other is the same about the same words.
    pub fn is_same(&self, other: &Self) -> bool {
        (self.kind, &self.about) == (other.kind, &other.about)
    }

    /// Whether an option contradicts or lacks another, and is right by itself.
    pub fn is_about_others(&self) -> bool {
        matches!(
            self.kind,
            ErrorKind::ArgumentConflict | ErrorKind::MissingRequiredArgument
        )
    }
}
