//! Tests of lists of repos.

use clap::Parser;

use super::*;
use crate::ui::screen::Mode;

#[derive(Parser)]
struct Command {
    #[command(flatten)]
    route: RouteArgs,
}

fn made(text: &str, to_owner: Option<&str>) -> CliResult<Vec<String>> {
    let settings = Settings::read(&|_| None).unwrap();
    let args = Command::parse_from(["x"]).route;
    let entries = entries(
        parse(text, "l.txt"),
        &args,
        to_owner,
        &settings,
        &Screen::of(Mode::Lines),
    )?;
    Ok(entries
        .iter()
        .map(|entry| format!("{} -> {}", entry.name, entry.destination))
        .collect())
}

#[test]
fn a_list_has_sources_destinations_comments_and_blank_lines() {
    let text = "\u{feff}# all of them\r\norg/a\r\n\n  datasets/org/b  me/c # renamed\nhttps://huggingface.co/org/d#files\n";
    assert_eq!(
        made(text, None).unwrap(),
        ["org/a -> org/a", "datasets/org/b -> me/c", "org/d -> org/d"]
    );
}

#[test]
fn an_owner_is_mapped_where_no_destination_is_named() {
    assert_eq!(
        made("org/a\norg/b other/c", Some("me")).unwrap(),
        ["org/a -> me/a", "org/b -> other/c"]
    );
    let line = made("org/a", Some("m/e")).unwrap_err().to_string();
    assert!(
        line.starts_with("l.txt:1: --to-owner: 'm/e' is not an owner"),
        "{line}"
    );
}

#[test]
fn a_destination_of_a_list_is_named_as_elsewhere() {
    let text = "org/a ms:me/\nms:org/b hf:me/c\norg/d hf:\norg/e ms:\n";
    assert_eq!(
        made(text, Some("you")).unwrap(),
        [
            "org/a -> me/a",
            "org/b -> me/c",
            "org/d -> you/d",
            "org/e -> you/e"
        ]
    );
}

#[test]
fn a_bad_line_is_named_by_file_and_number_and_others_are_counted() {
    for (text, words) in [
        ("org/a\n\norg", "l.txt:3: 'org' is not a repo id"),
        ("org/a b", "l.txt:1: the destination: 'b' is not a repo id"),
        ("org/a org/b org/c", "l.txt:1: more than a source"),
        ("https://x.example/a/b", "l.txt:1: x.example is no hub"),
    ] {
        let failure = made(text, None).unwrap_err();
        assert_eq!(failure.exit(), hf2ms_worker::protocol::Exit::Usage);
        assert!(failure.to_string().starts_with(words), "{failure}");
    }
    assert!(
        made("a\nb\norg/c\nd", None)
            .unwrap_err()
            .to_string()
            .ends_with("(and 2 more are wrong)")
    );
}

#[test]
fn a_repo_named_twice_is_copied_once() {
    assert_eq!(
        made("org/a\nhf:org/a\norg/a me/a", None).unwrap(),
        ["org/a -> org/a", "org/a -> me/a"]
    );
}

#[test]
fn two_repos_never_become_one() {
    for text in [
        "org/a\nother/a org/a",
        "org/a\ndatasets/org/a",
        "models/a/x me/x\nmodels/b/x me/x",
    ] {
        let line = made(text, None).unwrap_err().to_string();
        assert!(
            line.starts_with("l.txt:2: ") && line.contains("l.txt:1"),
            "{line}"
        );
    }
    assert_eq!(made("models/org/a\ndatasets/org/a", None).unwrap().len(), 2);
}
