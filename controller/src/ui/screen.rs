//! The output of a command: a terminal gets a bar and lines, a pipe gets lines, `--json` gets NDJSON on stdout and nothing else.
//! A closed stdout ends nothing: the work goes on.

use std::borrow::Cow;
use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hf2ms_hub::Redactor;
use hf2ms_hub::path::escape;
use serde::Serialize;
use serde_json::Map;

use crate::platform::moves_cursor;
use crate::ui::bars::Bars;
use crate::ui::errors::CliError;
use crate::ui::json::{ErrorEvent, JsonLine, WarningEvent};
use crate::ui::log::{Level, Log};
pub use crate::ui::numbers::{dollars, duration, rate, size, when};
use crate::ui::said_waits::SaidWaits;
use crate::ui::stdout;

/// The log of a run, in its folder.
const LOG_FILE: &str = "logs/hf2ms.log";

/// The reader of the output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// A person at a terminal.
    Bars,
    /// A pipe or a file.
    Lines,
    /// A program.
    Json,
    /// A reader of a result that is no event, as a plan.
    Results,
}

/// How much a person wants to read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verbosity {
    /// Results, warnings and errors.
    Quiet,
    /// What happens, too.
    #[default]
    Usual,
    /// Also each file and each retry.
    Verbose,
}

/// The output of a command. A clone writes to the same output.
#[derive(Debug, Clone)]
pub struct Screen {
    mode: Mode,
    verbosity: Verbosity,
    bars: Arc<Bars>,
    waits: SaidWaits,
    /// The file of `--log-file`.
    log_file: Option<Log>,
    /// The log of the run that all is about.
    log: Log,
    /// That run's folder, once it has one.
    folder: Arc<Mutex<Option<PathBuf>>>,
    /// What no text may show.
    redactor: Arc<Mutex<Redactor>>,
    /// The subject of all messages, if it is one of several: a `repo`, a `revision`, or both.
    part: Vec<(&'static str, Arc<str>)>,
}

impl Screen {
    /// The screen that stderr is, or NDJSON. A terminal that can't move its cursor (`TERM=dumb`) gets lines as a pipe does.
    pub fn new(json: bool) -> Self {
        let is_terminal =
            std::io::stderr().is_terminal() && moves_cursor(std::env::var("TERM").ok().as_deref());
        Self::of(match (json, is_terminal) {
            (true, _) => Mode::Json,
            (false, true) => Mode::Bars,
            (false, false) => Mode::Lines,
        })
    }

    /// The same screen for someone who wants to read this much.
    pub fn with_verbosity(self, verbosity: Verbosity) -> Self {
        Self { verbosity, ..self }
    }

    /// The same screen, all of whose lines go to a file too.
    pub fn with_log_file(self, log: Log) -> Self {
        let log_file = Some(log);
        Self { log_file, ..self }
    }

    /// A screen for a result that is no message: it shows warnings only.
    pub fn of_results() -> Self {
        Self::of(Mode::Results)
    }

    /// A screen of this mode.
    pub fn of(mode: Mode) -> Self {
        Self {
            mode,
            verbosity: Verbosity::default(),
            bars: Arc::default(),
            waits: SaidWaits::default(),
            log_file: None,
            log: Log::default(),
            folder: Arc::default(),
            redactor: Arc::default(),
            part: Vec::new(),
        }
    }

    /// From now on no text shows these tokens.
    pub fn hide(&self, more: &Redactor) {
        let mut redactor = self.redactor.lock().unwrap_or_else(PoisonError::into_inner);
        *redactor = redactor.with(more);
    }

    /// A text as it may be shown: without tokens, and without characters that steer a terminal. All that hubs, servers and files say
    /// passes here on its way to a person.
    pub fn shown(&self, text: &str) -> String {
        let redactor = self.redactor.lock().unwrap_or_else(PoisonError::into_inner);
        let clean = redactor.clean(text);
        let escaped = |line: &str| line.split('\t').map(escape).collect::<Vec<_>>().join("\t");
        let lines: Vec<String> = clean.split('\n').map(escaped).collect();
        lines.join("\n")
    }

    /// The same screen for one of several repos: every line names it, and it has a bar and a log of its own.
    pub fn of_repo(&self, name: &str) -> Self {
        self.of_part("repo", name)
    }

    /// The same screen for one of a repo's revisions.
    pub fn of_revision(&self, name: &str) -> Self {
        self.of_part("revision", name)
    }

    fn of_part(&self, what: &'static str, name: &str) -> Self {
        let part = self
            .part
            .iter()
            .cloned()
            .chain([(what, name.into())])
            .collect();
        Self {
            log: Log::default(),
            folder: Arc::default(),
            part,
            ..self.clone()
        }
    }

    /// The repo or revision that all is about, if it is one of several.
    pub fn part(&self) -> Option<String> {
        let names: Vec<&str> = self.part.iter().map(|(_, name)| name.as_ref()).collect();
        (!names.is_empty()).then(|| names.join(": "))
    }

    /// The reader of the output.
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// How much its reader wants to read.
    pub fn verbosity(&self) -> Verbosity {
        self.verbosity
    }

    /// Prints a line about what happens; nothing for programs.
    pub fn status(&self, text: impl AsRef<str>) {
        self.tell(Level::Info, text);
    }

    /// The same, of this weight in the log.
    pub fn tell(&self, level: Level, text: impl AsRef<str>) {
        self.note_in_log(level, text.as_ref());
        self.say_if(Verbosity::Usual, text.as_ref());
    }

    /// The first line of a command, before any hub is asked. A person gets it on stderr, since a result may follow on stdout.
    pub fn looking(&self, text: impl AsRef<str>) {
        let text = text.as_ref();
        self.note_in_log(Level::Info, text);
        if self.mode != Mode::Json && self.verbosity > Verbosity::Quiet {
            self.note(self.named(text));
        }
    }

    /// A line about what happens that is printed with `-v` only, and kept in the log.
    pub fn detail(&self, level: Level, text: impl AsRef<str>) {
        self.note_in_log(level, text.as_ref());
        self.say_if(Verbosity::Verbose, text.as_ref());
    }

    fn say_if(&self, wanted: Verbosity, text: &str) {
        if self.verbosity < wanted {
            return;
        }
        match self.mode {
            Mode::Bars => self.between(|| to_stderr(&self.shown(&self.named(text)))),
            Mode::Lines => stdout::line(&self.shown(&self.named(text))),
            Mode::Json | Mode::Results => (),
        }
    }

    /// Keeps a line in the run's log and in the file of `--log-file`; nothing is printed.
    pub fn note_in_log(&self, level: Level, text: &str) {
        let line = |text: &str| self.shown(text).replace('\n', "\\n");
        if level >= Level::Info || self.verbosity == Verbosity::Verbose {
            self.log.line(level, &line(text));
            self.log_file
                .iter()
                .for_each(|log| log.line(level, &line(&self.named(text))));
        }
    }

    /// From now on all is about the run with this folder: it keeps the log and the progress. A log that can't be kept is done
    /// without.
    pub fn enter_run(&self, folder: &Path) {
        let mut entered = self.folder.lock().unwrap_or_else(PoisonError::into_inner);
        if entered.replace(folder.to_owned()).is_some() {
            self.log.close();
        }
        drop(entered);
        if let Err(error) = self.log.open(&folder.join(LOG_FILE)) {
            self.detail(Level::Warning, format!("the log can't be kept: {error}"));
        }
    }

    /// The folder of the run that all is about.
    pub fn run_folder(&self) -> Option<PathBuf> {
        let folder = self.folder.lock().unwrap_or_else(PoisonError::into_inner);
        folder.clone()
    }

    /// The log of the run that all is about.
    pub fn log(&self) -> &Log {
        &self.log
    }

    /// The bars of the terminal.
    pub fn bars(&self) -> &Bars {
        &self.bars
    }

    /// Says that a host asks for a wait, if it is a long one that was not said yet.
    pub fn say_wait(&self, host: &str, wait: Duration) {
        let line = wait_of_host(host, wait);
        if self.waits.is_new_of_host(host, wait) {
            self.status(line);
        } else {
            self.detail(Level::Info, line);
        }
    }

    /// The waits that were said.
    pub fn waits(&self) -> &SaidWaits {
        &self.waits
    }

    /// Whether bars are drawn.
    pub fn has_bars(&self) -> bool {
        self.mode == Mode::Bars && self.verbosity > Verbosity::Quiet
    }

    /// Prints a result for a person; nothing for programs.
    pub fn print(&self, text: impl AsRef<str>) {
        if !matches!(self.mode, Mode::Json | Mode::Results) {
            self.between(|| stdout::line(&self.shown(text.as_ref())));
        }
    }

    /// Prints a warning, for persons and programs.
    pub fn warn(&self, text: impl AsRef<str>) {
        self.note_in_log(Level::Warning, text.as_ref());
        match self.mode {
            Mode::Json => self.json(&WarningEvent {
                message: self.shown(text.as_ref()),
            }),
            _ => self.complain("warning", text.as_ref()),
        }
    }

    /// One line on stderr, whoever reads: what is asked for is on stdout.
    pub fn note(&self, text: impl AsRef<str>) {
        self.between(|| to_stderr(&self.shown(text.as_ref())));
    }

    /// A question to a person, whose answer follows on the same line.
    pub fn ask(&self, question: impl AsRef<str>) {
        let mut stderr = std::io::stderr().lock();
        // Whoever read it is gone, and then no answer comes.
        let _ = write!(stderr, "{}", self.shown(question.as_ref())).and_then(|()| stderr.flush());
    }

    /// Prints the error that ends the command.
    pub fn fail(&self, failure: &CliError) {
        self.note_in_log(Level::Error, &failure.to_string());
        match self.mode {
            Mode::Json => self.json(&ErrorEvent {
                message: self.shown(&failure.to_string()),
                exit: failure.exit() as u8,
                nearest: failure.nearest().map(str::to_owned),
            }),
            _ => self.complain("error", &failure.with_hint()),
        }
    }

    fn complain(&self, what: &str, text: &str) {
        let line = format!("{what}: {}", self.named(text));
        self.between(|| to_stderr(&self.shown(&line)));
    }

    /// Prints an event of `--json` for programs, with its time; nothing for people.
    pub fn json(&self, line: &impl Serialize) {
        if self.mode == Mode::Json
            && let Ok(line) = self.written(line)
        {
            stdout::line(&line);
        }
    }

    fn written(&self, line: &impl Serialize) -> serde_json::Result<String> {
        let parts = self.part.iter();
        let part: Map<_, _> = parts
            .map(|(what, name)| ((*what).to_owned(), name.as_ref().into()))
            .collect();
        serde_json::to_string(&JsonLine::now(line, part))
    }

    /// The text, and what it is about.
    fn named<'a>(&self, text: &'a str) -> Cow<'a, str> {
        self.part().map_or(Cow::Borrowed(text), |part| {
            Cow::Owned(format!("{part}: {text}"))
        })
    }

    /// Prints while no bar is in the way.
    fn between(&self, print: impl FnOnce()) {
        self.bars.between(print);
    }
}

/// What is said of a wait that a host asks for.
pub fn wait_of_host(host: &str, wait: Duration) -> String {
    let wait = duration(wait.as_secs_f64());
    format!("{host} asks to wait {wait}: its quota of requests is used up")
}

fn to_stderr(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_has_no_token_and_steers_no_terminal() {
        let screen = Screen::of(Mode::Lines);
        let part = screen.of_repo("a");
        let token = |text| Redactor::new([hf2ms_hub::Token::parse(text).unwrap()]);
        screen.hide(&token("hf_canary"));
        part.hide(&token("ms-canary"));
        assert_eq!(
            screen.shown("in hf_canary\u{1b}]0;x\u{7}, ms-canary\n\u{9b}2J\u{202e}"),
            "in ***\\u{1b}]0;x\\u{7}, ***\n\\u{9b}2J\\u{202e}"
        );
    }
}
