//! Completions in a real bash: what is offered, and the file that is installed.

use std::fs;
use std::process::Command;

use crate::common::{Ran, World};

/// What bash offers behind these words, by the script that `hf2ms completions bash` prints.
fn offered(world: &World, words: &str, current: &str) -> Vec<String> {
    let program = env!("CARGO_BIN_EXE_hf2ms");
    let folder = std::path::Path::new(program).parent().unwrap();
    let count = words.split(' ').count();
    let ask = format!(
        "eval \"$(hf2ms completions bash)\"; COMP_WORDS=({words} '{current}'); COMP_CWORD={count}; \
         _clap_complete_hf2ms hf2ms '{current}' ''; printf '%s\\n' \"${{COMPREPLY[@]}}\""
    );
    let path = std::env::var("PATH").unwrap_or_default();
    let mut bash = Command::new("bash");
    bash.args(["--norc", "-c", &ask])
        .env_clear()
        .env("PATH", format!("{}:{path}", folder.display()))
        .env("HF2MS_STATE", world.path("state"))
        .env("XDG_CONFIG_HOME", world.path("config"));
    let ran = Ran::of(bash.output().unwrap());
    assert_eq!(ran.stderr, "", "{words}");
    ran.stdout.lines().map(str::to_owned).collect()
}

#[test]
fn a_shell_is_offered_runs_repos_hubs_and_profiles() {
    let world = World::with_model();
    assert_eq!(world.run(&["migrate", "alice/model", "--yes"]).code, 0);
    let id = world.run(&["runs", "--ids"]).stdout.trim().to_owned();
    let config = world.path("config/hf2ms");
    fs::create_dir_all(&config).unwrap();
    fs::write(config.join("config.toml"), "[profile.night.migrate]\n").unwrap();
    for verb in ["status", "attach", "logs", "stop"] {
        let runs = offered(&world, &format!("hf2ms {verb}"), "");
        assert_eq!(runs[..2], ["last".to_owned(), id.clone()], "{verb}");
    }
    for (words, current, expected) in [
        (
            "hf2ms migrate org/name --on",
            "",
            &["local", "docker", "modal"][..],
        ),
        ("hf2ms migrate org/name --to", "", &["hf", "ms"]),
        ("hf2ms login", "m", &["ms"]),
        ("hf2ms inventory org --from", "", &["hf", "ms"]),
        ("hf2ms inventory org --against", "", &["hf:", "ms:"]),
        (
            "hf2ms cleanup org/name --repo-type",
            "",
            &["model", "dataset", "space"],
        ),
        ("hf2ms migrate x --gated", "", &["private", "keep"]),
        ("hf2ms migrate x --transport", "", &["auto", "http", "xet"]),
        (
            "hf2ms migrate x --verify",
            "",
            &["listing", "sample", "deep"],
        ),
        ("hf2ms man", "mig", &["migrate"]),
        ("hf2ms migrate", "hf", &["hf:alice/model", "hf:"]),
        ("hf2ms migrate x", "ms", &["ms:alice/model", "ms:"]),
        ("hf2ms migrate x --profile", "", &["night"]),
        ("hf2ms help", "pr", &["private", "prune", "probe"]),
        ("hf2ms", "mig", &["migrate"]),
        ("hf2ms migrate x", "--dry", &["--dry-run"]),
    ] {
        let mut seen = offered(&world, words, current);
        let mut expected: Vec<String> = expected.iter().map(|word| (*word).to_owned()).collect();
        seen.sort();
        expected.sort();
        assert_eq!(seen, expected, "{words} {current}");
    }
}

#[test]
fn completions_are_installed_where_the_shell_looks_and_over_no_other_file() {
    let world = World::new();
    let home = world.path("home").display().to_string();
    let shell = ("SHELL", "/usr/bin/bash");
    let install = ["completions", "--install"];
    let ran = world.run_with(&install, &[("HOME", &home), shell]);
    let file = world.path("home/.local/share/bash-completion/completions/hf2ms");
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(
        ran.stdout.contains(&file.display().to_string()),
        "{}",
        ran.stdout
    );
    assert!(
        fs::read_to_string(&file)
            .unwrap()
            .contains("hf2ms completions bash")
    );
    fs::write(&file, "mine\n").unwrap();
    world
        .run_with(&install, &[("HOME", &home), shell])
        .refused_with(2, "was not written by hf2ms: move it away");
    assert_eq!(fs::read_to_string(&file).unwrap(), "mine\n");
    world.run(&install).refused_with(2, "give one");
    world
        .run(&["completions", "--install", "fish"])
        .refused_with(2, "set HOME to a folder");
}
