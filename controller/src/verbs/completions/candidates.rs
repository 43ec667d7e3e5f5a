//! What may be typed where a shell asks: runs, repos, hubs, profiles, topics. Nothing here asks a hub, and what can't be read is left out.

use std::collections::BTreeSet;

use clap::{Arg, Command};
use clap_complete::{ArgValueCandidates, CompletionCandidate};
use hf2ms_hub::{Hub, RepoAt, RepoKind};

use crate::batch::list;
use crate::runs::{RunRecord, RunVerb, Runs};
use crate::settings::{config, environment, state_dir};
use crate::verbs::help::TOPICS;

/// Older runs than so many are not offered: a list that nobody reads helps nobody.
const MOST_RUNS: usize = 50;

/// The program with candidates for the values of its arguments, found by their names.
pub(super) fn added(program: Command) -> Command {
    let verbs: Vec<(String, String)> = program
        .get_subcommands()
        .filter(|verb| !verb.is_hide_set())
        .map(|verb| {
            let about = verb.get_about().map(ToString::to_string);
            (verb.get_name().to_owned(), about.unwrap_or_default())
        })
        .collect();
    let with = move |arg: Arg| match arg.get_id().as_str() {
        "run" => arg.add(ArgValueCandidates::new(runs)),
        "source" | "sources" => arg.add(ArgValueCandidates::new(|| repos(Side::Source))),
        "destination" => arg.add(ArgValueCandidates::new(|| repos(Side::Destination))),
        "to" | "from" | "hub" if arg.get_possible_values().is_empty() => {
            arg.add(ArgValueCandidates::new(|| hubs("")))
        }
        "against" => arg.add(ArgValueCandidates::new(|| hubs(":"))),
        "repo_type" if arg.get_possible_values().is_empty() => arg.add(words(&[
            ("model", "weights and what belongs to them"),
            ("dataset", "data"),
            ("space", "an app of Hugging Face"),
        ])),
        "gated" => arg.add(words(&[
            ("private", "the copy is private"),
            ("keep", "the copy gets the same gate"),
        ])),
        "transport" => arg.add(words(&[
            ("auto", "the faster one, where both can be had"),
            ("http", "plain HTTP"),
            ("xet", "Hugging Face's own protocol"),
        ])),
        "verify" => arg.add(words(&[
            ("listing", "by what the destination lists"),
            ("sample", "both ends of files are read, too"),
            ("deep", "every byte is read"),
        ])),
        "verb" => {
            let verbs = verbs.clone();
            arg.add(ArgValueCandidates::new(move || named(&verbs)))
        }
        "profile" => arg.add(ArgValueCandidates::new(profiles)),
        "what" => {
            let verbs = verbs.clone();
            arg.add(ArgValueCandidates::new(move || verbs_and_topics(&verbs)))
        }
        _ => arg,
    };
    program
        .mut_args(with.clone())
        .mut_subcommands(move |verb| verb.mut_args(with.clone()))
}

fn candidate(word: impl Into<String>, about: impl Into<String>) -> CompletionCandidate {
    let (word, about): (String, String) = (word.into(), about.into());
    CompletionCandidate::new(word).help(Some(about.into()))
}

/// An option that takes one of these words.
fn words(words: &'static [(&'static str, &'static str)]) -> ArgValueCandidates {
    ArgValueCandidates::new(|| named(words))
}

fn named<T: AsRef<str>>(words: &[(T, T)]) -> Vec<CompletionCandidate> {
    let each = words.iter();
    each.map(|(word, about)| candidate(word.as_ref(), about.as_ref()))
        .collect()
}

/// The newest runs of this machine, in their order.
fn newest() -> Vec<RunRecord> {
    let state = state_dir(&environment);
    state.map_or_else(|_| Vec::new(), |state| Runs::new(&state).newest(MOST_RUNS))
}

fn runs() -> Vec<CompletionCandidate> {
    let runs = newest();
    let batches: BTreeSet<&String> = runs.iter().filter_map(|run| run.batch.as_ref()).collect();
    let last = candidate("last", "the newest");
    let batches = batches.into_iter().map(|id| candidate(id, "a batch"));
    let each = runs.iter().map(|run| candidate(&run.id, about(run)));
    // The shell keeps this order.
    let all = [last].into_iter().chain(each).chain(batches);
    all.enumerate()
        .map(|(at, one)| one.display_order(Some(at)))
        .collect()
}

/// `done: org/name to ModelScope`.
fn about(run: &RunRecord) -> String {
    let does = match run.verb {
        RunVerb::Migrate | RunVerb::Mirror => "to",
        RunVerb::Verify => "compared with",
        RunVerb::Cleanup => "removed, with its copy on",
    };
    let (state, from, to) = (run.state.name(), &run.source.id, run.destination.hub);
    format!("{state}: {from} {does} {to}")
}

#[derive(Clone, Copy)]
enum Side {
    Source,
    Destination,
}

/// The prefixes of hubs, and the repos of earlier runs on this side.
fn repos(side: Side) -> Vec<CompletionCandidate> {
    let at = |run: RunRecord| match side {
        Side::Source => run.source,
        Side::Destination => run.destination,
    };
    let of_copies = newest()
        .into_iter()
        .filter(|run| run.verb != RunVerb::Mirror);
    let names: BTreeSet<String> = of_copies.map(|run| typed(&at(run))).collect();
    let names = names
        .into_iter()
        .map(|name| candidate(name, "of an earlier run"));
    names.chain(hubs(":")).collect()
}

/// A repo as it is typed: `ms:org/name`, and with its kind where that is not looked for first.
fn typed(at: &RepoAt) -> String {
    match at.kind {
        RepoKind::Model => format!("{}:{}", at.hub.profile().prefix, at.id),
        kind => list::source(at.hub, kind, &at.id),
    }
}

fn hubs(end: &str) -> Vec<CompletionCandidate> {
    Hub::with_api()
        .map(|hub| candidate(format!("{}{end}", hub.profile().prefix), hub.to_string()))
        .collect()
}

fn profiles() -> Vec<CompletionCandidate> {
    let names = config::profiles(&environment).into_iter();
    names
        .map(|name| candidate(name, "a profile of config.toml"))
        .collect()
}

fn verbs_and_topics(verbs: &[(String, String)]) -> Vec<CompletionCandidate> {
    let topics = TOPICS
        .iter()
        .map(|topic| candidate(topic.name, topic.about));
    named(verbs).into_iter().chain(topics).collect()
}
