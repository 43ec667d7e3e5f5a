//! `hf2ms help`: the topics, and that every command line in them is one.

use std::ffi::OsString;

use clap::Parser;

use hf2ms::cli::Cli;
use hf2ms::verbs::help::TOPICS;

use crate::common::World;

/// The command lines of a text, each split as a shell does: what follows two spaces is a comment.
fn commands(text: &str) -> Vec<Vec<String>> {
    let lines = text.lines().filter(|line| line.starts_with("  hf2ms "));
    let command = |line: &str| line.trim_start().split("  ").next().unwrap().to_owned();
    let unquoted = |word: &str| word.trim_matches('\'').to_owned();
    lines
        .map(|line| command(line).split(' ').map(unquoted).collect())
        .collect()
}

/// All command lines of all topics.
fn all() -> Vec<Vec<String>> {
    TOPICS
        .iter()
        .flat_map(|topic| commands(topic.text))
        .collect()
}

#[test]
fn help_lists_the_verbs_and_the_topics_and_shows_each() {
    let world = World::new();
    let list = world.run(&["help"]);
    assert_eq!(list.code, 0, "{}", list.stderr);
    let general = world.run(&["--help"]).stdout;
    for topic in TOPICS {
        assert!(
            list.stdout
                .contains(&format!("\n  {:<13} {}", topic.name, topic.about)),
            "{}",
            list.stdout
        );
        assert_eq!(
            world.run(&["help", topic.name]).stdout.trim_end(),
            topic.text.trim_end()
        );
        assert!(general.contains(topic.name), "{} in --help", topic.name);
    }
    assert!(list.stdout.contains("\n  migrate       Copy a repo"));
    let verb = world.run(&["help", "migrate"]).stdout;
    assert!(
        verb.contains("--include") && verb.contains("Usage:"),
        "{verb}"
    );
}

#[test]
fn an_unknown_topic_names_the_nearest() {
    let world = World::new();
    world
        .run(&["help", "privat"])
        .refused_with(2, "no topic privat (the nearest is private)");
    world
        .run(&["help", "migrat"])
        .refused_with(2, "(the nearest is migrate)");
    world
        .run(&["help", "xyzzy"])
        .refused_with(2, "xyzzy: run hf2ms help");
}

#[test]
fn every_command_line_of_a_topic_is_one() {
    let all = all();
    assert!(all.len() > 40, "{all:?}");
    for line in all {
        let words = line.iter().map(OsString::from);
        if let Err(error) = Cli::try_parse_from(words) {
            panic!("{line:?}: {error}");
        }
    }
}

#[test]
fn the_command_lines_that_need_no_cloud_work_on_two_hubs() {
    let world = World::with_model();
    let put = |file: &str, text: &str| std::fs::write(world.path(file), text).unwrap();
    put("repos.txt", "alice/model\n");
    put("my.env", "");
    world
        .admin(
            "POST",
            "/seed",
            r#"{"hub":"hf","kind":"model","id":"alice/model","message":"more","tags":["v1.0"],
            "files":[{"path":"data/a.json","text":"{}"},{"path":"pytorch.bin","size":1000,"seed":9}]}"#,
        )
        .unwrap();
    // The run that `last` means.
    assert_eq!(world.run(&["migrate", "alice/model"]).code, 0);
    let of_sandbox = |word: &String| {
        word.replace("org/name", "alice/model")
            .replace("me/name", "alice/copy")
    };
    let is_elsewhere = |line: &[String]| {
        let words = [
            "modal",
            "docker",
            "mirror",
            "attach",
            "probe",
            "kubernetes",
            "login",
            "org",
        ];
        line.iter().any(|word| words.contains(&word.as_str()))
    };
    let mut ran = 0;
    for line in all().iter().filter(|line| !is_elsewhere(line)) {
        let mut words: Vec<String> = line.iter().skip(1).map(of_sandbox).collect();
        // What exists already is public.
        if words
            .iter()
            .any(|word| ["--private", "--public", "--gated"].contains(&word.as_str()))
        {
            words.extend(["--dest".to_owned(), format!("alice/copy-{ran}")]);
        }
        if let Some(owner) = words.iter().position(|word| word == "--to-owner") {
            words[owner + 1] = "alice".to_owned();
        }
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let ended = world.run(&words);
        assert_eq!(ended.code, 0, "{words:?}: {}{}", ended.stdout, ended.stderr);
        ran += 1;
    }
    assert!(ran > 20, "{ran} command lines were run");
}
