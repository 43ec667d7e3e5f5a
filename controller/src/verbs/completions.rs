//! `hf2ms completions`: completions for a shell.

use clap::Command;
use clap_complete::Shell;
use hf2ms_worker::protocol::Exit;

use crate::ui::errors::CliResult;
use crate::ui::screen::Screen;

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
    screen.print(String::from_utf8_lossy(&text).trim_end());
    Ok(Exit::Done)
}
