//! `hf2ms man`: manual pages, made of the command line as `--help` is.

use std::fs;
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};

use clap::Command;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};
use hf2ms_worker::protocol::Exit;

use crate::runs::now;
use crate::settings::environment;
use crate::ui::alike::nearest;
use crate::ui::errors::{CliError, CliResult};
use crate::ui::screen::when;
use crate::ui::stdout;

/// The sections that paragraphs of a help's end become, by how they begin; any other is a note.
const SECTIONS: [(&str, &str); 3] = [
    ("Examples:", "EXAMPLES"),
    ("Environment", "ENVIRONMENT"),
    ("Exit codes:", "EXIT STATUS"),
];

/// Print a manual page, or write all of them into a folder
///
/// Pages are in the form that man reads. Packages call it with --dir, and install what it writes into man1.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The verb [default: the page of hf2ms itself]
    #[arg(conflicts_with = "dir")]
    verb: Option<String>,
    /// Write a page of hf2ms and one of each verb into this folder, which is made if it is not there
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

const EXAMPLES: &str = "\
Examples:
  hf2ms man migrate | man -l -
  hf2ms man --dir ~/.local/share/man/man1";

/// Prints a page of `program`, the whole command line, or writes all pages.
///
/// # Errors
/// There is no such verb; the folder can't be written.
pub fn run(args: &Args, mut program: Command) -> CliResult<Exit> {
    program.build();
    if let Some(folder) = &args.dir {
        fs::create_dir_all(folder).map_err(|error| CliError::file(folder, &error))?;
        let verbs = program.get_subcommands().filter(|verb| !verb.is_hide_set());
        for page in std::iter::once(&program).chain(verbs) {
            write(page, &program, folder)?;
        }
        return Ok(Exit::Done);
    }
    let page = match args.verb.as_deref() {
        None => &program,
        Some(verb) => program
            .find_subcommand(verb)
            .ok_or_else(|| no_verb(verb, &program))?,
    };
    if io::stdout().is_terminal() {
        let verb = args.verb.as_deref().unwrap_or_default();
        eprintln!("this is the source of a page, which man shows: hf2ms man {verb} | man -l -");
    }
    stdout::write(|out| render(page, &program, out));
    Ok(Exit::Done)
}

fn no_verb(word: &str, program: &Command) -> CliError {
    let near = nearest(word, program.get_subcommands().map(Command::get_name));
    let near = near.map_or(String::new(), |name| format!(" (the nearest is {name})"));
    CliError::usage(format!(
        "there is no verb {}{near}: give one that hf2ms help lists",
        hf2ms_hub::path::escape(word)
    ))
}

fn write(page: &Command, program: &Command, folder: &Path) -> CliResult<()> {
    let path = folder.join(Man::new(page.clone()).get_filename());
    // Others read it too, so it has the mode of any new file.
    let written = fs::File::create(&path).and_then(|mut file| render(page, program, &mut file));
    written.map_err(|error| CliError::file(&path, &error))
}

/// Writes the page of a verb, or of the program.
fn render(page: &Command, program: &Command, out: &mut dyn Write) -> io::Result<()> {
    let version = program.get_version().unwrap_or_default();
    let man = Man::new(page.clone())
        .title(
            page.get_display_name()
                .unwrap_or(page.get_name())
                .to_uppercase(),
        )
        .date(date())
        .source(format!("hf2ms {version}"))
        .manual("hf2ms Manual");
    let mut text = Vec::new();
    man.render_title(&mut text)?;
    man.render_name_section(&mut text)?;
    man.render_synopsis_section(&mut text)?;
    man.render_description_section(&mut text)?;
    man.render_options_section(&mut text)?;
    if page.has_subcommands() {
        man.render_subcommands_section(&mut text)?;
    }
    // An empty line between two breaks is a space: mandoc passes over the breaks and warns.
    let text = String::from_utf8_lossy(&text).replace("\n.br\n\n.br\n", "\n.sp\n");
    out.write_all(text.as_bytes())?;
    let end = page.get_after_long_help().or(page.get_after_help());
    let end = end.map(ToString::to_string).unwrap_or_default();
    let mut roff = Roff::default();
    paragraphs(&end, &mut roff);
    if page.get_name() != program.get_name() {
        roff.control("SH", ["SEE ALSO"]);
        roff.text([bold("hf2ms"), roman("(1)")]);
    }
    roff.to_writer(out)
}

/// The day that a page names: that of `SOURCE_DATE_EPOCH` (reproducible-builds.org), with which packages are made, or today.
fn date() -> String {
    let built = environment("SOURCE_DATE_EPOCH").and_then(|seconds| seconds.parse().ok());
    let moment = when(built.unwrap_or_else(now));
    moment.split(' ').next().unwrap_or_default().to_owned()
}

/// The end of a help, whose lines stay as they are: tables and commands are aligned there.
fn paragraphs(end: &str, roff: &mut Roff) {
    let mut section = "";
    for paragraph in end.split("\n\n").filter(|text| !text.trim().is_empty()) {
        let known = SECTIONS
            .iter()
            .find(|(begin, _)| paragraph.starts_with(begin));
        let title = known.map_or("NOTES", |(_, title)| title);
        match title == section {
            true => roff.control("PP", []),
            false => roff.control("SH", [title]),
        };
        section = title;
        roff.control("nf", []);
        let lines = paragraph.lines().filter(|line| *line != "Examples:");
        for line in lines {
            roff.text([roman(line)]);
        }
        roff.control("fi", []);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(verb: &str) -> String {
        let copy = Command::new("copy")
            .about("Copies.")
            .after_help("Examples:\n  x copy a  # one\n\nExit codes: 0 done\n\nMore: 1\n");
        let mut program = Command::new("x").version("1.2").subcommand(copy);
        program.build();
        let mut out = Vec::new();
        let of = program.find_subcommand(verb).unwrap_or(&program);
        render(of, &program, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn the_end_of_a_help_becomes_sections_whose_lines_stay() {
        let page = page("copy");
        for words in [
            "\n.SH EXAMPLES\n.nf\n  x copy a  # one\n.fi\n",
            "\n.SH \"EXIT STATUS\"\n.nf\nExit codes: 0 done\n.fi\n",
            "\n.SH NOTES\n.nf\nMore: 1\n.fi\n.SH \"SEE ALSO\"\n\\fBhf2ms\\fR(1)",
        ] {
            assert!(page.contains(words), "{words:?} in {page}");
        }
    }

    #[test]
    fn the_page_of_the_program_lists_its_verbs() {
        let page = page("");
        assert!(
            page.contains("x\\-copy(1)") && !page.contains("SEE ALSO"),
            "{page}"
        );
    }
}
