//! docs/reference.md says every option and every variable, as the code has them. `HF2MS_WRITE_REFERENCE=1` writes it anew.

mod variables;

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command as Process;

use clap::{Arg, Command, CommandFactory};
use hf2ms::cli::Cli;

const HEAD: &str = "\
# Reference

Every option and every environment variable of `hf2ms` and `hf2ms-worker`. This file is generated from the code: change the code,
then run `HF2MS_WRITE_REFERENCE=1 cargo test --workspace --features hf2ms-sandbox/xet --test e2e reference::`.
";

const EXIT_CODES: &str = "\
## Exit codes

| code | of `hf2ms` and `hf2ms-worker` |
|---|---|
| 0 | done and verified |
| 1 | some files failed or were left alone: the report says whether the same command helps |
| 2 | usage: an option, a variable or a file is wrong, or nobody agreed to deletions |
| 3 | refused: token, permission, not found, cost |
| 4 | content is not what it should be |
| 130 | interrupted, or not confirmed |
";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("..")
        .canonicalize()
        .unwrap()
}

#[test]
fn the_reference_is_that_of_the_code() {
    let path = root().join("docs/reference.md");
    let text = reference();
    if std::env::var_os("HF2MS_WRITE_REFERENCE").is_some() {
        fs::write(&path, &text).unwrap();
    }
    let written = fs::read_to_string(&path).unwrap_or_default();
    let differs = text
        .lines()
        .zip(written.lines().chain(std::iter::repeat("")))
        .find(|(code, file)| code != file);
    assert!(
        text == written,
        "docs/reference.md is stale; run HF2MS_WRITE_REFERENCE=1 cargo test --workspace --features hf2ms-sandbox/xet --test e2e reference::. It first differs at {differs:?}"
    );
}

#[test]
fn every_variable_that_the_code_names_is_in_the_reference() {
    variables::each_is_listed(&root());
}

fn reference() -> String {
    let mut cli = Cli::command();
    cli.build();
    let mut text = format!("{HEAD}\n## Verbs of hf2ms\n\n| verb | does |\n|---|---|\n");
    for verb in verbs(&cli) {
        let about = verb.get_about().map(ToString::to_string);
        let name = verb.get_name();
        writeln!(
            text,
            "| [`{name}`](#hf2ms-{name}) | {} |",
            cell(&about.unwrap_or_default())
        )
        .unwrap();
    }
    for verb in verbs(&cli) {
        text += &chapter(verb);
    }
    text += "\n## hf2ms-worker\n\nEngines start it; a person seldom does.\n";
    text += &worker_help(&[]);
    for verb in [
        "run",
        "verify",
        "finalize",
        "revisions",
        "scan",
        "push",
        "migrate",
        "check",
    ] {
        text += &worker_help(&[verb]);
    }
    text + "\n" + &variables::table() + "\n" + EXIT_CODES
}

fn verbs(cli: &Command) -> impl Iterator<Item = &Command> {
    cli.get_subcommands()
        .filter(|verb| !verb.is_hide_set() && verb.get_name() != "help")
}

/// One verb: its description, its arguments and its options by heading.
fn chapter(verb: &Command) -> String {
    let about = verb.get_long_about().or(verb.get_about());
    let mut text = format!(
        "\n## hf2ms {}\n\n{}\n",
        verb.get_name(),
        about.map(ToString::to_string).unwrap_or_default()
    );
    let mut headings: Vec<Option<&str>> = Vec::new();
    let shown: Vec<&Arg> = verb
        .get_arguments()
        .filter(|arg| !arg.is_hide_set() && arg.get_id() != "help")
        .collect();
    for arg in &shown {
        if !headings.contains(&arg.get_help_heading()) {
            headings.push(arg.get_help_heading());
        }
    }
    for heading in headings {
        writeln!(
            text,
            "\n| {} | meaning |\n|---|---|",
            heading.unwrap_or("option").to_lowercase()
        )
        .unwrap();
        for arg in shown.iter().filter(|arg| arg.get_help_heading() == heading) {
            writeln!(text, "| `{}` | {} |", spelling(arg), meaning(arg)).unwrap();
        }
    }
    text
}

/// An option as it is typed: `-s, --source URL`, `--include GLOB..`, `SOURCE`.
fn spelling(arg: &Arg) -> String {
    let names = [
        arg.get_short().map(|short| format!("-{short}")),
        arg.get_long().map(|long| format!("--{long}")),
    ];
    let mut text = names.into_iter().flatten().collect::<Vec<_>>().join(", ");
    if arg.get_action().takes_values() {
        let value = arg.get_value_names().map_or_else(
            || arg.get_id().to_string().to_uppercase(),
            |names| names.join(" "),
        );
        text = match arg.is_require_equals_set() {
            true => format!("{text}[={value}]"),
            false => format!("{text} {value}").trim_start().to_owned(),
        };
        if matches!(arg.get_action(), clap::ArgAction::Append) {
            text += "..";
        }
    }
    text.replace('|', "\\|")
}

/// The help of an option, its values and its default.
fn meaning(arg: &Arg) -> String {
    let help = arg.get_long_help().or(arg.get_help());
    let mut text = help.map(ToString::to_string).unwrap_or_default();
    let values: Vec<String> = arg
        .get_possible_values()
        .iter()
        .filter(|value| !value.is_hide_set())
        .map(|value| format!("`{}`", value.get_name()))
        .collect();
    if !values.is_empty() && arg.get_action().takes_values() {
        text += &format!(" (one of {})", values.join(", "));
    }
    let defaults = arg.get_default_values();
    if !defaults.is_empty() && arg.get_action().takes_values() {
        let shown: Vec<_> = defaults
            .iter()
            .map(|value| value.to_string_lossy())
            .collect();
        text += &format!(" [default: {}]", shown.join(", "));
    }
    cell(&text)
}

/// A text in a cell of a table: one line, each paragraph with its full stop, without what ends a cell.
fn cell(text: &str) -> String {
    let paragraphs: Vec<String> = text
        .split("\n\n")
        .map(|paragraph| paragraph.split_whitespace().collect::<Vec<_>>().join(" "))
        .filter(|paragraph| !paragraph.is_empty())
        .collect();
    let joined = paragraphs
        .join(". ")
        .replace(".. ", ". ")
        .replace(":. ", ": ");
    joined.replace('|', "\\|")
}

/// What `hf2ms-worker` says of a verb, as a terminal shows it.
fn worker_help(verb: &[&str]) -> String {
    let worker = Path::new(env!("CARGO_BIN_EXE_hf2ms")).with_file_name("hf2ms-worker");
    let ran = Process::new(worker).args(verb).arg("--help").output();
    let help = String::from_utf8(ran.expect("hf2ms-worker is built").stdout).unwrap();
    let lines: Vec<&str> = help.lines().map(str::trim_end).collect();
    let name = [&["hf2ms-worker"], verb].concat().join(" ");
    format!(
        "\n### {name}{}\n\n```text\n{}\n```\n",
        if verb.is_empty() { " --help" } else { "" },
        lines.join("\n").trim_end()
    )
}
