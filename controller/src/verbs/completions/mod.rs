//! `hf2ms completions`: completions for a shell, and the answers to what a shell asks while someone types. [`places`] says where each
//! shell looks for them, [`candidates`] what may be typed.

mod candidates;
mod places;

use std::ffi::OsString;
use std::fs;
use std::io::{self, Write};
use std::path::Path;

use clap::Command;
use clap_complete::Shell;
use clap_complete::env::{EnvCompleter, Shells};
use hf2ms_worker::protocol::Exit;

use self::places::CompletionFile;
use crate::runs::write_aside;
use crate::settings::environment;
use crate::ui::errors::{CliError, CliResult};
use crate::ui::screen::Screen;

/// The program's name, as shells find it in PATH.
const NAME: &str = "hf2ms";
/// The variable by which a shell's script asks what may follow; its value is the shell.
const ASKED_BY: &str = "HF2MS_COMPLETE";
/// What a file of ours says in its first lines.
const MARK: &str =
    "# hf2ms completions: written by `hf2ms completions --install`, which may write it anew";
/// How scripts begin that earlier versions printed, for the same file.
const EARLIER: [&str; 2] = ["_hf2ms() {", "#compdef hf2ms\n\nautoload -U is-at-least"];

/// Print completions for a shell, or install them
///
/// The shell asks hf2ms itself what may follow: verbs, options and their values, hubs, runs, repos of earlier runs, profiles. So an
/// installed file stays right when hf2ms is upgraded.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The shell [default with --install: the one that SHELL names]
    #[arg(required_unless_present = "install")]
    shell: Option<Shell>,
    /// Write a file to where the shell looks for completions, and say where. A file that is not ours is left alone
    #[arg(long)]
    install: bool,
}

const EXAMPLES: &str = "\
Examples:
  hf2ms completions --install              for the shell that SHELL names
  hf2ms completions --install fish
  source <(hf2ms completions bash)         for this shell alone";

/// Prints the script for a shell, or installs it.
///
/// # Errors
/// The shell is not known, its folder neither; a file that is not ours stands there.
pub fn run(args: &Args, screen: &Screen) -> CliResult<Exit> {
    let shell = match args.shell {
        Some(shell) => shell,
        None => of_user()?,
    };
    if !args.install {
        screen.print(script(shell)?.trim());
        return Ok(Exit::Done);
    }
    let place = CompletionFile::of(shell, &environment).ok_or_else(|| {
        CliError::usage(format!(
            "there is no place for the completions of {shell}: set HOME to a folder"
        ))
    })?;
    install(&place)?;
    let (file, then) = (place.file.display(), &place.then);
    screen.print(format!("written to {file}: {then}"));
    Ok(Exit::Done)
}

fn of_user() -> CliResult<Shell> {
    let named = environment("SHELL").unwrap_or_default();
    Shell::from_shell_path(&named).ok_or_else(|| {
        CliError::usage(format!(
            "SHELL names no shell that completions are made for ({named:?}): give one, as hf2ms completions --install bash"
        ))
    })
}

/// What a shell runs to have its completions registered.
fn script(shell: Shell) -> CliResult<String> {
    let mut script = Vec::new();
    let written = match Shells::builtins().completer(&shell.to_string()) {
        Some(completer) => completer.write_registration(ASKED_BY, NAME, NAME, NAME, &mut script),
        None => Err(io::ErrorKind::Unsupported.into()),
    };
    written.map_err(|error| {
        CliError::usage(format!(
            "completions of {shell}: {error}; give another shell"
        ))
    })?;
    Ok(String::from_utf8_lossy(&script).into_owned())
}

fn install(place: &CompletionFile) -> CliResult<()> {
    let path = &place.file;
    let failed = |error: &io::Error| CliError::file(path, error);
    match fs::read(path) {
        Ok(there) if !is_ours(&String::from_utf8_lossy(&there)) => {
            return Err(CliError::usage(format!(
                "{} is there and was not written by hf2ms: move it away, then run the same command again",
                path.display()
            )));
        }
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(&error)),
        _ => (),
    }
    let folder = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder).map_err(|error| failed(&error))?;
    write_aside(path, |file| file.write_all(place.content(MARK).as_bytes()))
        .map_err(|error| failed(&error))
}

fn is_ours(content: &str) -> bool {
    content.lines().take(2).any(|line| line == MARK)
        || EARLIER.iter().any(|begin| content.starts_with(begin))
}

/// Answers the shell that started this process to ask what may follow; `None` where none did.
pub fn answer(program: impl FnOnce() -> Command) -> Option<io::Result<()>> {
    let shell = std::env::var(ASKED_BY).ok()?;
    let shells = Shells::builtins();
    let shell = shells.completer(&shell)?;
    let mut words: Vec<OsString> = std::env::args_os().collect();
    // Behind `--` stands the line that is being typed; without it a person has set the variable.
    let begin = words.iter().position(|word| word == "--")? + 1;
    words.drain(..begin);
    Some(write_answer(shell, program(), words))
}

fn write_answer(
    shell: &dyn EnvCompleter,
    program: Command,
    words: Vec<OsString>,
) -> io::Result<()> {
    let mut program = candidates::added(program);
    let (folder, mut answer) = (std::env::current_dir().ok(), Vec::new());
    shell.write_complete(&mut program, words, folder.as_deref(), &mut answer)?;
    io::stdout().write_all(&answer)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(folder: &Path, shell: Shell) -> CompletionFile {
        let home = folder.display().to_string();
        CompletionFile::of(shell, &|name| (name == "HOME").then(|| home.clone())).unwrap()
    }

    #[test]
    fn a_file_of_ours_is_written_anew_and_any_other_is_left_alone() {
        let home = tempfile::tempdir().unwrap();
        for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
            let place = place(home.path(), shell);
            install(&place).unwrap();
            install(&place).unwrap();
            for earlier in EARLIER {
                fs::write(&place.file, format!("{earlier}\n")).unwrap();
                install(&place).unwrap();
            }
            fs::write(&place.file, "complete -c hf2ms -a mine\n").unwrap();
            let line = install(&place).unwrap_err().to_string();
            assert!(line.contains("was not written by hf2ms: move it"), "{line}");
            let left = fs::read_to_string(&place.file).unwrap();
            assert_eq!(left, "complete -c hf2ms -a mine\n");
        }
    }

    #[test]
    fn each_shell_has_a_script_that_asks_this_program() {
        for shell in <Shell as clap::ValueEnum>::value_variants() {
            let script = script(*shell).unwrap();
            assert!(script.contains(ASKED_BY), "{shell}: {script}");
        }
    }
}
