//! The pager: at a terminal long help is shown by `less`, or by the program that a variable names.

use std::io::{self, IsTerminal, Write};
use std::process::{Command, Stdio};

use hf2ms_worker::signals::{StopSignal, StopSignals};

use crate::platform::moves_cursor;
use crate::ui::stdout;

/// The variables that name a pager, the first that is set counting.
const NAMED_BY: [&str; 2] = ["HF2MS_PAGER", "PAGER"];
/// A shell's exit codes for a command that it can't run or find (POSIX, 2.8.2).
const NOT_RUN: [i32; 2] = [126, 127];

/// The program that shows a text.
#[derive(Debug, PartialEq, Eq)]
enum Pager {
    /// `less`, which ends by itself where all fits on the screen, and leaves the text there.
    Less,
    /// A command of the user, for the shell.
    Named(String),
}

/// Shows a text by the pager, or prints it where there is none: in a pipe, at a terminal that can't move its cursor, or if the user
/// wants none.
pub fn show(text: &str) {
    let is_terminal = io::stdout().is_terminal();
    let pager = Pager::chosen(&|name| std::env::var(name).ok(), is_terminal);
    if !pager.is_some_and(|pager| pager.shows(text)) {
        stdout::line(text.trim_end());
    }
}

impl Pager {
    fn chosen(get: &dyn Fn(&str) -> Option<String>, is_terminal: bool) -> Option<Self> {
        if !is_terminal || !moves_cursor(get("TERM").as_deref()) {
            return None;
        }
        let Some(named) = NAMED_BY.iter().find_map(|name| get(name)) else {
            return Some(Self::Less);
        };
        match named.trim() {
            // As Git takes it: these two want no pager.
            "" | "cat" => None,
            command => Some(Self::Named(command.to_owned())),
        }
    }

    /// Whether it could be started; it has ended then.
    fn shows(&self, text: &str) -> bool {
        // Ctrl-C at a pager is the pager's; this process ends with it.
        let _ctrl_c = StopSignals::listen(&[StopSignal::Interrupt]);
        let Ok(mut child) = self.command().stdin(Stdio::piped()).spawn() else {
            return false;
        };
        if let Some(mut stdin) = child.stdin.take() {
            // Who has read enough closes the pager before the end.
            let _ = writeln!(stdin, "{}", text.trim_end());
        }
        let ended = child.wait().ok().and_then(|status| status.code());
        !ended.is_some_and(|code| NOT_RUN.contains(&code))
    }

    fn command(&self) -> Command {
        match self {
            Self::Less => {
                let mut less = Command::new("less");
                less.arg("-FRX");
                less
            }
            Self::Named(named) => {
                let mut shell = Command::new("sh");
                shell.args(["-c", named]);
                shell
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(variables: &[(&str, &str)], is_terminal: bool) -> Option<Pager> {
        let get = |name: &str| {
            let set = variables.iter().find(|(set, _)| *set == name)?;
            Some(set.1.to_owned())
        };
        Pager::chosen(&get, is_terminal)
    }

    #[test]
    fn a_terminal_gets_the_pager_of_the_user_or_less() {
        const XTERM: (&str, &str) = ("TERM", "xterm");
        let named = |name: &str| Some(Pager::Named(name.to_owned()));
        assert_eq!(chosen(&[XTERM], true), Some(Pager::Less));
        assert_eq!(chosen(&[XTERM, ("PAGER", "more")], true), named("more"));
        let both = [XTERM, ("PAGER", "more"), ("HF2MS_PAGER", "most -s")];
        assert_eq!(chosen(&both, true), named("most -s"));
        for none in ["", " ", "cat"] {
            let both = [XTERM, ("PAGER", "more"), ("HF2MS_PAGER", none)];
            assert_eq!(chosen(&both, true), None, "{none:?}");
        }
    }

    #[test]
    fn a_pipe_and_a_terminal_without_a_cursor_get_no_pager() {
        let more = ("PAGER", "more");
        assert_eq!(chosen(&[("TERM", "xterm"), more], false), None);
        assert_eq!(chosen(&[("TERM", "dumb"), more], true), None);
        assert_eq!(chosen(&[more], true), None);
    }

    #[tokio::test]
    async fn a_pager_that_cant_be_run_shows_nothing() {
        assert!(!Pager::Named("exit 127".to_owned()).shows("text"));
        assert!(Pager::Named("true".to_owned()).shows("text"));
    }
}
