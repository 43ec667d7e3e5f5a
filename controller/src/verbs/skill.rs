//! `hf2ms skill`: the skill for coding assistants, as this version has it.

use hf2ms_worker::protocol::Exit;

use crate::ui::screen::Screen;

const SKILL: &str = include_str!("../../embedded/SKILL.md");

/// Print the skill for coding assistants: when and how to use this program
///
/// The plugin for Claude Code holds it already. Another assistant takes it as a file of instructions.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {}

const EXAMPLES: &str = "\
Examples:
  hf2ms skill > SKILL.md";

/// Prints the skill.
pub fn run(screen: &Screen) -> Exit {
    screen.print(SKILL.trim_end());
    Exit::Done
}
