//! At home in a shell: completions, manual pages, `--json` before any verb, colours, homes that are odd, and the repo that was meant.

mod completions;
mod meant;

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::common::World;

#[test]
fn json_may_stand_before_the_verb_and_a_verb_without_it_is_named() {
    let world = World::with_model();
    let before = world.run(&["--json", "runs"]);
    assert_eq!(before.all_events()[0]["verb"], "runs", "{}", before.stdout);
    let twice = world.run(&["--json", "runs", "--json"]);
    assert_eq!(twice.all_events()[0]["verb"], "runs", "{}", twice.stdout);
    // It is the verb's own: what contradicts it there is refused here, too.
    let form = world.run(&["--json", "inventory", "alice", "--format", "csv"]);
    assert_eq!(form.code, 2);
    let message = form.event("error")["message"].clone();
    assert!(message.as_str().unwrap().contains("--format"), "{message}");
    for verb in [
        "login",
        "logout",
        "demo",
        "mcp",
        "skill",
        "completions",
        "man",
        "help",
    ] {
        for args in [[verb, "--json"], ["--json", verb]] {
            let ran = world.run(&args);
            let error = ran.event("error");
            assert_eq!((ran.code, ran.stderr.as_str()), (2, ""), "{args:?}");
            assert_eq!(
                error["message"],
                format!("hf2ms {verb} prints no JSON: leave --json out")
            );
        }
    }
}

#[test]
fn what_is_set_is_told_to_programs_too() {
    let world = World::new();
    let args = ["migrate", "--show-config", "--json"];
    let variable = [("HF2MS_MIGRATE_VERIFY", "deep")];
    let option = world.run_with(&args, &variable).event("option");
    assert_eq!(
        (&option["option"], &option["value"], &option["origin"]),
        (
            &"verify".into(),
            &"deep".into(),
            &"HF2MS_MIGRATE_VERIFY".into()
        )
    );
}

#[test]
fn help_in_a_pipe_has_no_pager_and_colours_only_if_forced() {
    let world = World::new();
    let pager = ("HF2MS_PAGER", "echo paged; cat");
    for args in [
        &["--help"][..],
        &["migrate", "--help"],
        &["help", "migrate"],
    ] {
        let plain = world.run_with(args, &[pager, ("TERM", "xterm")]).stdout;
        assert!(
            plain.contains("Usage: hf2ms") && !plain.contains("paged") && !plain.contains('\u{1b}'),
            "{plain}"
        );
        let forced = world.run_with(args, &[("CLICOLOR_FORCE", "1")]).stdout;
        assert!(forced.contains('\u{1b}'), "{args:?}");
        let both = [("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")];
        assert_eq!(world.run_with(args, &both).stdout, plain, "{args:?}");
    }
}

#[test]
fn the_options_of_every_verb_stand_apart_from_a_verbs_own() {
    let help = World::new().run(&["migrate", "--help"]).stdout;
    let (own, of_all) = help.split_once("\nOptions of every verb:\n").unwrap();
    let of_all = of_all.split("\n\n").next().unwrap_or_default();
    for option in ["--env-file", "--profile", "--quiet"] {
        assert!(!own.contains(&format!("\n      {option}")), "{option}");
    }
    assert!(
        own.contains("--repo-type <") && !of_all.contains("--repo-type"),
        "{help}"
    );
}

#[test]
fn each_verb_has_a_page_for_man() {
    let world = World::new();
    let folder = world.path("share/man1");
    let built = ("SOURCE_DATE_EPOCH", "1709210096");
    let ran = world.run_with(&["man", "--dir", &folder.display().to_string()], &[built]);
    assert_eq!((ran.code, ran.stdout.as_str()), (0, ""), "{}", ran.stderr);
    let page = fs::read_to_string(folder.join("hf2ms-migrate.1")).unwrap();
    assert!(page.contains("\n.SH EXAMPLES\n.nf\n"), "{page}");
    assert!(
        page.contains(".TH HF2MS-MIGRATE 1 2024-02-29 \"hf2ms "),
        "{page}"
    );
    assert_eq!(world.run_with(&["man", "migrate"], &[built]).stdout, page);
    let main = world.run(&["man"]).stdout;
    for section in ["NAME", "ENVIRONMENT", "\"EXIT STATUS\""] {
        assert!(main.contains(&format!("\n.SH {section}\n")), "{section}");
    }
    world
        .run(&["man", "migrat"])
        .refused_with(2, "the nearest is migrate");
}

#[test]
fn a_home_that_is_odd_ends_in_one_line_or_in_a_copy() {
    let world = World::with_model();
    let locked = world.path("locked");
    fs::create_dir(&locked).unwrap();
    fs::set_permissions(&locked, fs::Permissions::from_mode(0o555)).unwrap();
    let (locked, file) = (locked.display().to_string(), world.path("a file"));
    fs::write(&file, "").unwrap();
    let file = file.display().to_string();
    let copy = |variables: &[(&str, &str)]| {
        let mut command = world.command(&["migrate", "alice/model", "--yes"]);
        command.env_remove("HF2MS_STATE");
        command.envs(variables.iter().copied());
        crate::common::Ran::of(command.output().unwrap())
    };
    copy(&[]).refused_with(2, "set HF2MS_STATE to a folder");
    copy(&[("HOME", "")]).refused_with(2, "set HF2MS_STATE to a folder");
    copy(&[("HOME", &file)]).refused_with(2, "set HF2MS_STATE to a folder that can be written");
    // Nothing is locked for the account that may write everywhere.
    if fs::write(world.path("locked/probe"), "").is_err() {
        copy(&[("HOME", &locked)]).refused_with(2, "set HF2MS_STATE");
    }
    assert_eq!(world.requests("hf.info"), 0, "nothing was asked before");
    let mut doctor = world.command(&["doctor"]);
    doctor.env_remove("HF2MS_STATE").env("HOME", &file);
    let checked = crate::common::Ran::of(doctor.output().unwrap());
    assert!(
        checked.code == 3 && checked.stdout.contains("set HF2MS_STATE to a folder"),
        "{}",
        checked.stdout
    );
    let home = world.path("").display().to_string();
    let odd = [
        ("HOME", home.as_str()),
        ("XDG_STATE_HOME", "relative"),
        ("XDG_CONFIG_HOME", "relative"),
    ];
    let ran = copy(&odd);
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    assert!(world.path(".local/state/hf2ms/runs").is_dir());
    assert!(!world.path("relative").exists());
}
