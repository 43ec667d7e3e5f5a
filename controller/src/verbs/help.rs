//! `hf2ms help`: the help of a verb, and topics that belong to no verb.

use clap::Command;
use hf2ms_worker::protocol::Exit;

use crate::ui::errors::{CliError, CliResult};
use crate::ui::screen::Screen;

/// Explain a verb, or the words of reports: `hf2ms help words`
#[derive(Debug, clap::Args)]
pub struct Args {
    /// A verb, or `words`
    #[arg(value_name = "VERB|TOPIC")]
    what: Option<String>,
}

/// The topics, each with its text.
const TOPICS: [(&str, &str); 1] = [("words", WORDS)];

const WORDS: &str = "\
Words of plans, reports and tables, in the order in which a copy meets them:

  blob          the content of a file, named by its SHA-256; several files may share one
  chunk         the files that one worker is given at a time; safe to carry out twice
  worker        a process or container that carries blobs from the source to the destination
  to move       blobs whose content has to go from the source to the destination
  moved         blobs whose content was sent
  reused        blobs that the destination's hub had already, of whatever repo; nothing was sent
  duplicate     a file of the same content as another file of the repo; its content is sent once
  inline        a file that goes into a commit itself, because the hub keeps it in Git and not as a blob
  unchanged     a file that stood at the destination already, with the same content
  held back     the last bytes of a blob, until its digest is right; also README.md, config.json and indexes,
                while another file has failed for now: no repo looks complete before it is
  conflict      a file that someone else changed at the destination meanwhile: it is left alone
  retry         a request or an upload that was tried again after a failure
  replaced      a worker that died; its chunk was given to another
  refused       an entry of the source that no destination takes: an unlawful path, a submodule
  failed        a file that is not at the destination, with the reason and what to do
  not deleted   files that --prune was to delete and that stay, with the reason
  equal         a file with the same size and content on both sides
  missing       a file of the source that the destination does not have
  different     a file whose content differs between both sides
  unread        a file that could not be compared, with the reason
  extra         a file that only the destination has; no error
  skipped       a repo that was left as it is, with the reason
  there already a repo whose files all stood at the destination

Exit codes: hf2ms --help. What each verb does: hf2ms help VERB.";

/// Prints what is asked for.
///
/// # Errors
/// There is neither a verb nor a topic of this name.
pub fn run(args: &Args, mut program: Command, screen: &Screen) -> CliResult<Exit> {
    let help = match args.what.as_deref() {
        None => program.render_long_help().to_string(),
        Some(what) => of_topic(what)
            .map(str::to_owned)
            .or_else(|| of_verb(what, &mut program))
            .ok_or_else(|| unknown(what))?,
    };
    screen.print(help.trim_end());
    Ok(Exit::Done)
}

fn of_topic(name: &str) -> Option<&'static str> {
    TOPICS
        .iter()
        .find(|(topic, _)| *topic == name)
        .map(|(_, text)| *text)
}

fn of_verb(name: &str, program: &mut Command) -> Option<String> {
    program.build();
    let verb = program.find_subcommand_mut(name)?;
    Some(verb.render_long_help().to_string())
}

fn unknown(what: &str) -> CliError {
    let topics: Vec<&str> = TOPICS.iter().map(|(topic, _)| *topic).collect();
    CliError::usage(format!(
        "there is no verb and no topic {}: hf2ms --help lists the verbs, and the topics are {}",
        hf2ms_hub::path::escape(what),
        topics.join(", ")
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_word_has_one_line_that_fits_a_terminal() {
        for word in [
            "inline",
            "duplicate",
            "chunk",
            "extra",
            "unread",
            "refused",
            "held back",
        ] {
            assert_eq!(WORDS.matches(&format!("\n  {word} ")).count(), 1, "{word}");
        }
        assert!(WORDS.lines().all(|line| line.chars().count() <= 110));
    }
}
