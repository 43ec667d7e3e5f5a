//! Command lines that start no verb: they ask for help or the version, or are wrong.

use std::io::Write;

use clap::error::{ContextKind, ErrorKind};
use hf2ms_hub::redact::hide_logins;
use hf2ms_worker::protocol::Exit;

use crate::settings::config::line_of;
use crate::ui::errors::CliError;
use crate::ui::screen::Screen;
use crate::ui::{colours, pager};

/// Prints what clap has to say, and returns the exit code. Help goes through the pager; with `--json` an error is an event.
pub fn answer(error: &clap::Error, verb: Option<&str>, json: bool) -> Exit {
    match error.kind() {
        ErrorKind::DisplayHelp => {
            pager::show(&colours::written(&error.render()));
            Exit::Done
        }
        _ if json && error.use_stderr() => {
            Screen::new(true).fail(&CliError::usage(refusal(error, verb)));
            Exit::Usage
        }
        _ if error.use_stderr() => {
            // What was typed is quoted. Whoever has closed the stream needs no words.
            let words = error.render().ansi().to_string();
            let _ = write!(anstream::stderr(), "{}", hide_logins(&words));
            Exit::Usage
        }
        _ => {
            let _ = error.print();
            Exit::Done
        }
    }
}

fn refusal(error: &clap::Error, verb: Option<&str>) -> String {
    let about = error.get(ContextKind::InvalidArg).map(ToString::to_string);
    match (error.kind(), about.as_deref(), verb) {
        (ErrorKind::UnknownArgument, Some("--json"), Some(verb)) => {
            format!("hf2ms {verb} prints no JSON: leave --json out")
        }
        _ => line_of(error),
    }
}

#[cfg(test)]
mod tests {
    use clap::{Arg, ArgAction, Command};

    use super::*;

    #[test]
    fn a_verb_without_json_is_named_and_other_faults_are_one_line() {
        let number = Arg::new("n").long("n").value_parser(["1", "2"]);
        let verb = Command::new("show").arg(number);
        let json =
            Command::new("tell").arg(Arg::new("json").long("json").action(ArgAction::SetTrue));
        let program = Command::new("hf2ms").subcommand(verb).subcommand(json);
        let said = |words: &str| {
            let words = words.split(' ');
            let verb = words.clone().nth(1);
            let error = program.clone().try_get_matches_from(words).unwrap_err();
            refusal(&error, verb)
        };
        assert_eq!(
            said("hf2ms show --json"),
            "hf2ms show prints no JSON: leave --json out"
        );
        let line = said("hf2ms show --n 3");
        assert!(line.contains("'3'") && !line.contains('\n'), "{line}");
        assert!(said("hf2ms tell --jsn").contains("--jsn"));
    }
}
