//! `hf2ms help`: the help of a verb, and topics that belong to no verb.

use clap::Command;
use hf2ms_worker::protocol::Exit;

use crate::ui::alike::nearest;
use crate::ui::errors::{CliError, CliResult};
use crate::ui::{colours, pager};

/// Explain a verb or a task, as `hf2ms help migrate` or `hf2ms help private`; alone, list both
#[derive(Debug, clap::Args)]
pub struct Args {
    /// A verb or a topic
    #[arg(value_name = "VERB|TOPIC")]
    what: Option<String>,
}

/// A task, or a matter that belongs to no verb.
#[derive(Debug, Clone, Copy)]
pub struct Topic {
    /// Its name on the command line.
    pub name: &'static str,
    /// What it is about, in one line.
    pub about: &'static str,
    /// The text.
    pub text: &'static str,
}

/// All topics, in the order in which they are listed.
pub const TOPICS: [Topic; 10] = [
    Topic {
        name: "private",
        about: "Private and gated repos: who may see the copy",
        text: include_str!("topics/private.txt"),
    },
    Topic {
        name: "tokens",
        about: "Which token is for what, and where it is read from",
        text: include_str!("topics/tokens.txt"),
    },
    Topic {
        name: "filters",
        about: "Copying a part of a repo",
        text: include_str!("topics/filters.txt"),
    },
    Topic {
        name: "prune",
        about: "What is deleted at the destination, and when",
        text: include_str!("topics/prune.txt"),
    },
    Topic {
        name: "resume",
        about: "Going on after a stop, a crash or a failure",
        text: include_str!("topics/resume.txt"),
    },
    Topic {
        name: "engines",
        about: "Workers on this machine, in containers, in the cloud",
        text: include_str!("topics/engines.txt"),
    },
    Topic {
        name: "costs",
        about: "What a run will take, and limits on it",
        text: include_str!("topics/costs.txt"),
    },
    Topic {
        name: "mirrors",
        about: "Git repos with their whole history, kept up to date",
        text: include_str!("topics/mirrors.txt"),
    },
    Topic {
        name: "exit-codes",
        about: "How a command ends, for scripts",
        text: include_str!("topics/exit-codes.txt"),
    },
    Topic {
        name: "words",
        about: "The words of plans, reports and tables",
        text: include_str!("topics/words.txt"),
    },
];

/// Prints what is asked for.
///
/// # Errors
/// There is neither a verb nor a topic of this name.
pub fn run(args: &Args, mut program: Command) -> CliResult<Exit> {
    program.build();
    let help = match args.what.as_deref() {
        None => overview(&program),
        Some(what) => of_topic(what)
            .map(str::to_owned)
            .or_else(|| of_verb(what, &mut program))
            .ok_or_else(|| unknown(what, &program))?,
    };
    pager::show(&help);
    Ok(Exit::Done)
}

/// The verbs and the topics, a line each.
fn overview(program: &Command) -> String {
    let verbs = verbs(program).map(|verb| {
        let about = verb.get_about().map(ToString::to_string);
        row(verb.get_name(), &about.unwrap_or_default())
    });
    let topics = TOPICS.iter().map(|topic| row(topic.name, topic.about));
    let lines = ["Verbs: hf2ms help VERB shows the options of one".to_owned()]
        .into_iter()
        .chain(verbs)
        .chain([String::new(), "Topics: hf2ms help TOPIC".to_owned()])
        .chain(topics)
        .chain([
            String::new(),
            "Examples and variables: hf2ms --help".to_owned(),
        ]);
    lines.collect::<Vec<_>>().join("\n")
}

fn row(name: &str, about: &str) -> String {
    format!("  {name:<13} {about}")
}

fn verbs(program: &Command) -> impl Iterator<Item = &Command> {
    program.get_subcommands().filter(|verb| !verb.is_hide_set())
}

fn of_topic(name: &str) -> Option<&'static str> {
    let topic = TOPICS.iter().find(|topic| topic.name == name)?;
    Some(topic.text)
}

fn of_verb(name: &str, program: &mut Command) -> Option<String> {
    let verb = program.find_subcommand_mut(name)?;
    Some(colours::written(&verb.render_long_help()))
}

fn unknown(what: &str, program: &Command) -> CliError {
    let names = verbs(program).map(Command::get_name);
    let names = names.chain(TOPICS.iter().map(|topic| topic.name));
    let nearest = nearest(what, names).map(|name| format!(" (the nearest is {name})"));
    CliError::usage(format!(
        "there is no verb and no topic {}{}: run hf2ms help, which lists both",
        hf2ms_hub::path::escape(what),
        nearest.unwrap_or_default()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_topic_fits_a_terminal_and_two_screens() {
        for topic in TOPICS {
            let lines: Vec<&str> = topic.text.lines().collect();
            let widest = lines.iter().map(|line| line.chars().count()).max();
            assert!(
                lines.len() <= 46 && widest <= Some(110),
                "{}: {} lines, {widest:?} wide",
                topic.name,
                lines.len()
            );
        }
    }

    #[test]
    fn each_word_has_one_line() {
        let words = of_topic("words").unwrap();
        for word in [
            "inline",
            "duplicate",
            "chunk",
            "extra",
            "unread",
            "refused",
            "held back",
        ] {
            assert_eq!(words.matches(&format!("\n  {word} ")).count(), 1, "{word}");
        }
    }

    #[test]
    fn the_topic_of_exit_codes_has_every_code_and_no_other() {
        let is_code = |word: &str| word.chars().all(|c| c.is_ascii_digit());
        let told: Vec<i32> = of_topic("exit-codes")
            .unwrap()
            .lines()
            .filter(|line| line.starts_with("  "))
            .filter_map(|line| line.split_whitespace().next())
            .filter(|word| is_code(word))
            .map(|word| word.parse().unwrap())
            .collect();
        let known = (0..256).filter(|code| Exit::from_code(*code).is_some());
        assert_eq!(told, known.collect::<Vec<_>>());
    }
}
