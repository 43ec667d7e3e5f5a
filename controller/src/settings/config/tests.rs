//! Which default counts, and what is refused.

use std::cell::RefCell;
use std::collections::HashMap;
use std::os::unix::fs::PermissionsExt;

use clap::{Arg, ArgAction, ArgGroup};

use super::*;
use crate::ui::errors::CliError;

/// A verb with one option of each kind, and options that go with each other or don't.
fn program() -> Command {
    let value = |name: &'static str| Arg::new(name).long(name);
    let flag = |name| value(name).action(ArgAction::SetTrue);
    let copy = Command::new("copy")
        .arg(Arg::new("source").required_unless_present("plan"))
        .arg(value("on").value_parser(["local", "docker"]))
        .arg(value("many").value_parser(clap::value_parser!(u16)))
        .arg(value("plan").conflicts_with("many"))
        .arg(value("limit").requires("prune"))
        .arg(value("include").action(ArgAction::Append))
        .arg(value("left"))
        .arg(value("right"))
        .group(ArgGroup::new("side").args(["left", "right"]))
        .arg(flag("prune"))
        .arg(flag("private").conflicts_with("public"))
        .arg(flag("public"));
    Command::new("hf2ms")
        .arg(value("profile").global(true))
        .arg(flag("show_config").long("show-config").global(true))
        .arg(flag("quiet").global(true))
        .subcommand(copy)
        .subcommand(Command::new("help-me"))
}

struct Home {
    folder: tempfile::TempDir,
    variables: RefCell<HashMap<String, String>>,
}

impl Home {
    fn with(config: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let inside = folder.path().join("hf2ms");
        std::fs::create_dir(&inside).unwrap();
        std::fs::write(inside.join(FILE), config).unwrap();
        let root = folder.path().display().to_string();
        let variables = HashMap::from([("XDG_CONFIG_HOME".to_owned(), root)]);
        let variables = RefCell::new(variables);
        Self { folder, variables }
    }

    fn set(&self, name: &str, value: &str) {
        self.variables
            .borrow_mut()
            .insert(name.to_owned(), value.to_owned());
    }

    fn layered(&self, words: &str) -> CliResult<LayeredArgs> {
        let words = ["hf2ms"].into_iter().chain(words.split_whitespace());
        let variables = self.variables.borrow();
        let names: Vec<String> = variables.keys().cloned().collect();
        let get = |name: &str| variables.get(name).cloned();
        super::layered(program(), words.map(OsString::from).collect(), &get, &names)
    }

    /// The words for clap, without the program's name.
    fn words(&self, words: &str) -> String {
        let layered = self.layered(words).unwrap();
        let all: Vec<_> = layered
            .words()
            .iter()
            .skip(1)
            .map(|word| word.to_string_lossy())
            .collect();
        all.join(" ")
    }

    fn refusal(&self, words: &str) -> CliError {
        self.layered(words).err().unwrap()
    }
}

#[test]
fn the_command_line_wins_over_a_variable_that_over_a_profile_and_that_over_the_file() {
    let home = Home::with(
        "quiet = true\n[copy]\non = 'docker'\nmany = 2\ninclude = ['a', 'b']\n[profile.night]\nquiet = false\n[profile.night.copy]\nmany = 3\nprune = true\n",
    );
    assert_eq!(
        home.words("copy x"),
        "copy x --include=a --include=b --many=2 --on=docker --quiet"
    );
    assert_eq!(
        home.words("copy x --on local --include c"),
        "copy x --on local --include c --many=2 --quiet"
    );
    let night = "--many=3 --prune --include=a --include=b --on=docker";
    assert_eq!(
        home.words("--profile night copy x"),
        format!("--profile night copy x {night}")
    );
    home.set(PROFILE, "night");
    assert_eq!(home.words("copy x"), format!("copy x {night}"));
    home.set("HF2MS_COPY_MANY", "4");
    home.set("HF2MS_COPY_PRUNE", "0");
    assert_eq!(
        home.words("copy x --quiet"),
        "copy x --quiet --many=4 --include=a --include=b --on=docker"
    );
    assert_eq!(
        home.words("copy -- x"),
        "copy --many=4 --include=a --include=b --on=docker -- x"
    );
}

#[test]
fn a_flag_is_switched_off_by_the_command_line() {
    let home = Home::with("[copy]\nprune = true\nlimit = 5\n");
    assert_eq!(home.words("copy x"), "copy x --prune --limit=5");
    assert_eq!(home.words("copy x --prune=false"), "copy x");
    assert_eq!(
        home.words("copy x --prune=true"),
        "copy x --prune --limit=5"
    );
    assert_eq!(
        home.words("copy -- --prune=false"),
        "copy --prune --limit=5 -- --prune=false"
    );
}

#[test]
fn a_default_that_does_not_go_with_what_was_typed_is_left_out() {
    let home = Home::with("[copy]\nprivate = true\nmany = 2\nlimit = 5\nleft = 'l'\n");
    for (typed, more) in [
        ("copy x", " --left=l --many=2 --private"),
        ("copy x --public", " --left=l --many=2"),
        ("copy --plan f", " --left=l --private"),
        ("copy x --right r", " --many=2 --private"),
        ("copy x --prune", " --left=l --limit=5 --many=2 --private"),
        ("copy", " --left=l --many=2 --private"),
        (
            "copy x --on nowhere",
            " --left=l --limit=5 --many=2 --private",
        ),
    ] {
        assert_eq!(home.words(typed), format!("{typed}{more}"), "{typed}");
    }
    let left_out = home.layered("copy x --public").unwrap();
    assert!(left_out.words().iter().all(|word| word != "--private"));
}

#[test]
fn words_that_are_for_no_verb_are_left_as_they_are() {
    let home = Home::with("nonsense");
    assert_eq!(home.words("--help"), "--help");
    assert_eq!(home.words(""), "");
    let nowhere = Home::with("");
    nowhere.variables.borrow_mut().clear();
    assert_eq!(nowhere.words("copy x"), "copy x");
    assert!(
        nowhere
            .refusal("copy x --profile a")
            .to_string()
            .contains("no place for config.toml")
    );
}

/// A file, and what is said of it.
const WRONG: [(&str, &str); 16] = [
    ("[copy", "config.toml:1: "),
    ("[copy]\nmany = 1\n many = 2\n", "config.toml:3: "),
    (
        "[coppy]\n",
        "config.toml: coppy: no verb of hf2ms has this name; the nearest is copy",
    ),
    (
        "[copy]\nincludes = 'a'\n",
        "config.toml: [copy] includes: no option of hf2ms copy has this name; the nearest is include",
    ),
    (
        "on = 'local'\n",
        "config.toml: on: every verb would need this option: write it below its verb",
    ),
    (
        "[copy]\nprune = 'yes'\n",
        "config.toml: [copy] prune: expected true or false",
    ),
    (
        "[copy]\nmany = [1]\n",
        "config.toml: [copy] many: expected a text in quotes, or a number",
    ),
    (
        "[copy]\non = { a = 1 }\n",
        "config.toml: [copy] on: expected a text",
    ),
    (
        "[copy]\nHF_TOKEN = 'hf_canary'\n",
        "config.toml: [copy] HF_TOKEN: no tokens here: hf2ms login keeps them",
    ),
    (
        "token = 'hf_canary'\n",
        "config.toml: token: no tokens here",
    ),
    (
        "[copy]\nsource = 'x'\n",
        "config.toml: [copy] source: no option",
    ),
    (
        "[copy]\nprofile = 'x'\n",
        "config.toml: [copy] profile: no option",
    ),
    (
        "[profile.a]\nb = 1\n",
        "config.toml: [profile.a] b: every verb would need this option",
    ),
    (
        "profile.a = 1\n",
        "config.toml: [profile.a]: expected a table",
    ),
    (
        "[copy]\nmany = 70000\n",
        "config.toml [copy]: invalid value '70000' for '--many",
    ),
    (
        "[copy]\non = 'dokcer'\n",
        "config.toml [copy]: invalid value 'dokcer' for '--on <on>' [possible values: local, docker]",
    ),
];

#[test]
fn what_is_wrong_is_named_with_the_file_and_the_nearest_name() {
    for (config, line) in WRONG {
        let failure = Home::with(config).refusal("copy x");
        assert_eq!(failure.exit(), hf2ms_worker::protocol::Exit::Usage);
        let shown = failure.to_string();
        assert!(
            shown.contains(line) && !shown.contains("canary") && !shown.contains('\n'),
            "{shown}"
        );
    }
    let home = Home::with("[profile.night]\n");
    let shown = home.refusal("copy x --profile nigth").to_string();
    assert!(
        shown.ends_with("config.toml has no profile nigth: the nearest is night"),
        "{shown}"
    );
    home.set("HF2MS_COPY_PRUNES", "1");
    let shown = home.refusal("copy x").to_string();
    assert_eq!(
        shown,
        "HF2MS_COPY_PRUNES stands for no option of hf2ms copy; the nearest is HF2MS_COPY_PRUNE; correct or unset it"
    );
}

#[test]
fn a_file_that_others_may_write_is_refused() {
    let home = Home::with("quiet = true\n");
    let path = home.folder.path().join("hf2ms").join(FILE);
    for (mode, is_read) in [(0o644, true), (0o664, false), (0o602, false)] {
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        let refused = home.layered("copy x").err().map(|line| line.to_string());
        assert_eq!(refused.is_none(), is_read, "{mode:o}");
        assert!(refused.is_none_or(|line| {
            line.contains("can be written by others and is not read: chmod go-w")
        }));
    }
}

#[test]
fn the_password_of_an_address_is_not_shown() {
    for (value, shown) in [
        ("docker", "docker"),
        ("https://me:canary@host/a/b", "https://***@host/a/b"),
        ("https://host/a", "https://host/a"),
        ("me:canary@host/a.git", "***@host/a.git"),
        ("docs/a@1.json", "docs/a@1.json"),
    ] {
        assert_eq!(without_password(value), shown);
    }
}
