//! `config.toml`, profiles and variables of options, through the program.

use std::os::unix::fs::PermissionsExt;

use crate::common::{Ran, World};

/// Runs `hf2ms` for someone whose home has this `config.toml`.
fn run(world: &World, config: &str, args: &[&str], variables: &[(&str, &str)]) -> Ran {
    let folder = world.path("home/.config/hf2ms");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("config.toml"), config).unwrap();
    let mut command = world.command(args);
    command
        .env("HOME", world.path("home"))
        .envs(variables.iter().copied());
    Ran::of(command.output().unwrap())
}

const DRY: &str =
    "[migrate]\ndry-run = true\n[profile.real.migrate]\ndry-run = false\ncontainers = 2\n";

#[test]
fn a_default_of_the_file_counts_until_a_profile_or_the_command_line_says_otherwise() {
    let world = World::with_model();
    let is_there = |id| world.stored("ms", "model", id).is_some();
    let ran = run(&world, DRY, &["migrate", "alice/model"], &[]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(!is_there("alice/model"));
    let profile = [("HF2MS_PROFILE", "real")];
    let ran = run(&world, DRY, &["migrate", "alice/model", "--json"], &profile);
    assert_eq!(ran.event("report")["workers"], 2, "{}", ran.stdout);
    assert!(is_there("alice/model"));
    let typed = [
        "migrate",
        "alice/model",
        "ms:alice/other",
        "--dry-run=false",
    ];
    assert_eq!(run(&world, DRY, &typed, &[]).code, 0);
    assert!(is_there("alice/other"));
    let variable = [("HF2MS_MIGRATE_DRY_RUN", "false")];
    let args = ["migrate", "alice/model", "ms:alice/third"];
    assert_eq!(run(&world, DRY, &args, &variable).code, 0);
    assert!(is_there("alice/third"));
}

#[test]
fn what_is_set_and_where_is_shown() {
    let world = World::new();
    let variables = [("HF2MS_MIGRATE_VERIFY", "deep")];
    let args = ["migrate", "--private", "--profile", "real", "--show-config"];
    let ran = run(&world, DRY, &args, &variables);
    let config = world.path("home/.config/hf2ms/config.toml");
    let file = format!("{} [profile.real.migrate]", config.display());
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    for (option, value, origin) in [
        ("private", "true", "the command line"),
        ("verify", "deep", "HF2MS_MIGRATE_VERIFY"),
        ("containers", "2", &file),
        ("dry-run", "false", &file),
    ] {
        let line = |line: &&str| line.split_whitespace().take(2).eq([option, value]);
        let found = ran.stdout.lines().find(line);
        assert!(
            found.is_some_and(|line| line.ends_with(origin)),
            "{option}: {}",
            ran.stdout
        );
    }
    assert_eq!(world.all_requests(), 0);
    let doctor = run(&world, DRY, &["doctor"], &variables);
    let words = format!(
        "migrate: dry-run = true, from {} [migrate]",
        config.display()
    );
    assert!(doctor.stdout.contains(&words), "{}", doctor.stdout);
    assert!(
        doctor
            .stdout
            .contains("migrate: verify = deep, from HF2MS_MIGRATE_VERIFY")
    );
}

#[test]
fn a_file_that_is_wrong_is_refused_before_any_request() {
    let world = World::new();
    for (config, words) in [
        ("[migrate\n", "config.toml:1: "),
        (
            "[migrate]\ncontaners = 4\n",
            "[migrate] contaners: no option of hf2ms migrate has this name; the nearest is containers",
        ),
        (
            "[migrate]\ncontainers = true\n",
            "[migrate] containers: expected a text in quotes, or a number",
        ),
        (
            "[migrate]\ncontainers = 1000\n",
            "config.toml [migrate]: invalid value '1000' for '--containers <N>'",
        ),
        (
            "[migrate]\non = \"dokcer\"\n",
            "invalid value 'dokcer' for '--on <ENGINE>' [possible values: local, docker, modal]",
        ),
        (
            "HF_TOKEN = \"hf_canary\"\n",
            "HF_TOKEN: no tokens here: hf2ms login keeps them",
        ),
    ] {
        let ran = run(&world, config, &["migrate", "alice/model"], &[]);
        ran.refused_with(2, words);
        assert!(!ran.stderr.contains("canary"));
        assert_eq!(run(&world, config, &["help"], &[]).code, 0);
    }
    let path = world.path("home/.config/hf2ms/config.toml");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o666)).unwrap();
    run(&world, "", &["migrate", "alice/model"], &[])
        .refused_with(2, "can be written by others and is not read: chmod go-w");
    assert_eq!(world.all_requests(), 0);
}

#[test]
fn every_flag_of_every_verb_may_have_a_default() {
    use clap::CommandFactory;
    let mut program = hf2ms::cli::Cli::command();
    program.build();
    let flag = |arg: &&clap::Arg| matches!(arg.get_action(), clap::ArgAction::SetTrue);
    let world = World::new();
    let without = [
        "help",
        "completions",
        "man",
        "login",
        "logout",
        "runs",
        "status",
        "logs",
        "stop",
    ];
    let verbs = program
        .get_subcommands()
        .filter(|verb| !without.contains(&verb.get_name()));
    for verb in verbs {
        let name = verb.get_name();
        let flags = verb.get_arguments().filter(flag);
        let longs = flags.filter_map(clap::Arg::get_long);
        for long in longs.filter(|long| *long != "show-config") {
            let config = format!("[{name}]\n{long} = true\n");
            let ran = run(&world, &config, &[name, "--show-config"], &[]);
            assert_eq!(ran.code, 0, "{config}{}", ran.stderr);
            // With json itself they are events.
            let told = [
                format!("  {long} "),
                format!("left out: {long} of "),
                format!(r#""option":"{long}""#),
            ];
            let is_told = told.iter().any(|words| ran.stdout.contains(words));
            assert!(is_told, "{config}{}", ran.stdout);
        }
    }
}

#[test]
fn a_default_that_agrees_to_deletions_is_named_in_each_run_and_one_that_cant_be_read_stops_no_stop()
{
    let world = World::with_model();
    let config = "[migrate]\nprune = true\nyes = true\n";
    let ran = run(&world, config, &["migrate", "alice/model"], &[]);
    for option in ["prune", "yes"] {
        let line = format!("--{option} counts, though it was not typed: ");
        assert!(ran.stderr.contains(&line), "{}", ran.stderr);
    }
    let ran = run(
        &world,
        config,
        &["migrate", "alice/model", "--prune=false"],
        &[],
    );
    assert!(!ran.stderr.contains("--prune counts"), "{}", ran.stderr);
    let ran = run(&world, "[plan]\nprun = true\n", &["runs"], &[]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
}
