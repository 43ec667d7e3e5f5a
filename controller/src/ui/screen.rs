//! The output of a command: a terminal gets a bar and lines, a pipe gets lines, `--json` gets NDJSON on stdout and nothing else.
//! A closed stdout ends nothing: the work goes on.

use std::borrow::Cow;
use std::io::{IsTerminal, Write};
use std::sync::{Arc, Mutex, PoisonError};

use hf2ms_hub::Redactor;
use hf2ms_hub::path::escape;
use humansize::{DECIMAL, format_size};
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Serialize;
use serde_json::Map;

use crate::ui::errors::CliError;
use crate::ui::json::{ErrorEvent, JsonLine, WarningEvent};

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

/// The output of a command. A clone writes to the same output.
#[derive(Debug, Clone)]
pub struct Screen {
    mode: Mode,
    bars: MultiProgress,
    bar: Arc<ProgressBar>,
    /// What no text may show.
    redactor: Arc<Mutex<Redactor>>,
    /// The subject of all messages, if it is one of several: a `repo`, a `revision`, or both.
    part: Vec<(&'static str, Arc<str>)>,
}

impl Screen {
    /// The screen that stderr is, or NDJSON.
    pub fn new(json: bool) -> Self {
        Self::of(match (json, std::io::stderr().is_terminal()) {
            (true, _) => Mode::Json,
            (false, true) => Mode::Bars,
            (false, false) => Mode::Lines,
        })
    }

    /// A screen for a result that is no message: it shows warnings only.
    pub fn of_results() -> Self {
        Self::of(Mode::Results)
    }

    /// A screen of this mode.
    pub fn of(mode: Mode) -> Self {
        let bars = MultiProgress::with_draw_target(ProgressDrawTarget::stderr());
        Self {
            mode,
            bars,
            bar: hidden_bar(),
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

    /// The same screen for one of several repos: every line names it, and it has a bar of its own.
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
            mode: self.mode,
            bars: self.bars.clone(),
            bar: hidden_bar(),
            redactor: self.redactor.clone(),
            part,
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

    /// Prints a line about what happens; nothing for programs.
    pub fn status(&self, text: impl AsRef<str>) {
        match self.mode {
            Mode::Bars => self.between(|| to_stderr(&self.shown(&self.named(text.as_ref())))),
            Mode::Lines => to_stdout(&self.shown(&self.named(text.as_ref()))),
            Mode::Json | Mode::Results => (),
        }
    }

    /// Prints a result for a person; nothing for programs.
    pub fn print(&self, text: impl AsRef<str>) {
        if !matches!(self.mode, Mode::Json | Mode::Results) {
            self.between(|| to_stdout(&self.shown(text.as_ref())));
        }
    }

    /// Prints a warning, for persons and programs.
    pub fn warn(&self, text: impl AsRef<str>) {
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
        match self.mode {
            Mode::Json => self.json(&ErrorEvent {
                message: self.shown(&failure.to_string()),
                exit: failure.exit() as u8,
            }),
            _ => self.complain("error", &failure.to_string()),
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
            to_stdout(&line);
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
        self.bars.suspend(print);
    }

    /// No bar is drawn until [`Self::show_bars`]: a question stands there.
    pub fn hide_bars(&self) {
        self.bars.set_draw_target(ProgressDrawTarget::hidden());
    }

    /// Bars are drawn again.
    pub fn show_bars(&self) {
        self.bars.set_draw_target(ProgressDrawTarget::stderr());
    }

    /// Starts a bar of this length; nothing but at a terminal.
    pub fn start_bar(&self, bytes: u64) {
        if self.mode != Mode::Bars {
            return;
        }
        let template = "{prefix:>10} [{bar:30}] {decimal_bytes}/{decimal_total_bytes}  {decimal_bytes_per_sec}  {eta} left  {msg}";
        let style =
            ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
        self.bars.add((*self.bar).clone());
        self.bar.set_style(style.progress_chars("=> "));
        self.bar.reset();
        self.bar.set_length(bytes);
    }

    /// The bar itself.
    pub fn bar(&self) -> &ProgressBar {
        &self.bar
    }

    /// Takes the bar away.
    pub fn end_bar(&self) {
        self.bar.finish_and_clear();
        self.bars.remove(&self.bar);
    }
}

fn hidden_bar() -> Arc<ProgressBar> {
    Arc::new(ProgressBar::with_draw_target(
        None,
        ProgressDrawTarget::hidden(),
    ))
}

fn to_stdout(text: &str) {
    // The reader of a closed pipe needs no error.
    let _ = writeln!(std::io::stdout().lock(), "{text}");
}

fn to_stderr(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

/// `4.3 GB`.
pub fn size(bytes: u64) -> String {
    format_size(bytes, DECIMAL)
}

/// `4.3 GB/s`; nothing for no time.
pub fn rate(bytes: u64, seconds: f64) -> String {
    let rate = bytes as f64 / seconds.max(0.001);
    format!("{}/s", size(rate as u64))
}

/// `1 h 02 min`, `2 min 05 s`, `4.2 s`.
pub fn duration(seconds: f64) -> String {
    let whole = seconds.round() as u64;
    match whole {
        0..60 => format!("{seconds:.1} s"),
        60..3600 => format!("{} min {:02} s", whole / 60, whole % 60),
        _ => format!("{} h {:02} min", whole / 3600, whole % 3600 / 60),
    }
}

/// `12`, `6.2`, `0.0031`: two digits that count, for amounts that are estimated; nothing finer than a millionth.
pub fn dollars(amount: f64) -> String {
    let decimals = if amount > 0.0 {
        (1.0 - amount.log10().floor()).clamp(0.0, 6.0) as usize
    } else {
        0
    };
    format!("{amount:.decimals$}")
}

/// `2026-11-20 09:40`, in UTC, of seconds since 1970.
pub fn when(seconds: u64) -> String {
    let moment = i64::try_from(seconds)
        .ok()
        .and_then(|seconds| jiff::Timestamp::from_second(seconds).ok())
        .unwrap_or_default();
    moment.strftime("%Y-%m-%d %H:%M").to_string()
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

    #[test]
    fn times_are_those_of_the_calendar() {
        assert_eq!(when(0), "1970-01-01 00:00");
        assert_eq!(when(1_709_210_096), "2024-02-29 12:34");
        assert_eq!(when(1_795_167_600), "2026-11-20 09:40");
    }

    #[test]
    fn dollars_have_two_digits_that_count() {
        let written = [0.0, 0.000_000_1, 0.003_14, 0.62, 6.17, 12.4, 1234.5].map(dollars);
        assert_eq!(
            written,
            ["0", "0.000000", "0.0031", "0.62", "6.2", "12", "1234"]
        );
    }

    #[test]
    fn numbers_are_written_as_people_read_them() {
        assert_eq!(size(4_300_000_000), "4.30 GB");
        assert_eq!(rate(2_000_000, 2.0), "1 MB/s");
        assert_eq!(
            (duration(4.25), duration(125.0), duration(3720.0)),
            ("4.2 s".into(), "2 min 05 s".into(), "1 h 02 min".into())
        );
    }
}
