//! `hf2ms completions`: completions for a shell.

use clap::Command;
use clap_complete::Shell;
use hf2ms_worker::protocol::Exit;

use crate::ui::errors::CliResult;
use crate::ui::screen::Screen;

/// What lists the runs for a shell.
const RUNS: &str = "hf2ms runs --ids 2>/dev/null";

/// The verbs that take a run.
const OF_RUNS: [&str; 4] = ["status", "attach", "logs", "stop"];

/// Print completions for a shell
///
/// For bash: hf2ms completions bash > ~/.local/share/bash-completion/completions/hf2ms
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The shell
    pub shell: Shell,
}

/// Prints completions for `command`, the whole command line.
///
/// # Errors
/// None.
pub fn run(args: &Args, mut command: Command, screen: &Screen) -> CliResult<Exit> {
    let mut text = Vec::new();
    clap_complete::generate(args.shell, &mut command, "hf2ms", &mut text);
    let text = with_runs(args.shell, &String::from_utf8_lossy(&text));
    screen.print(text.trim_end());
    Ok(Exit::Done)
}

/// The script, in which the runs of this machine are words, too. A script that is generated once knows none of them: it asks.
fn with_runs(shell: Shell, script: &str) -> String {
    match shell {
        Shell::Bash => OF_RUNS.iter().fold(script.to_owned(), |script, verb| {
            let (case, words) = (
                format!("hf2ms__subcmd__{verb})\n            opts=\""),
                format!("last $({RUNS}) "),
            );
            script.replace(&case, &(case.clone() + &words))
        }),
        Shell::Zsh => {
            let of_run = |line: &str| {
                let is_run = line.starts_with("'::run -- ") && line.contains(":_default'");
                let words = format!(":{{ compadd -- last $({RUNS}) }}'");
                is_run.then(|| line.replace(":_default'", &words))
            };
            let lines = script
                .lines()
                .map(|line| of_run(line).unwrap_or_else(|| line.to_owned()));
            lines.collect::<Vec<_>>().join("\n")
        }
        Shell::Fish => {
            let verbs = OF_RUNS.join(" ");
            format!(
                "{script}complete -c hf2ms -n '__fish_seen_subcommand_from {verbs}' -f -a \"last ({RUNS})\"\n"
            )
        }
        _ => script.to_owned(),
    }
}
