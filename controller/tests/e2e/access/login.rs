//! `hf2ms login` and `logout`: what is kept, who can read it, and where it goes.

use super::*;

const WRITER: &str = "hf_sandboxAliceWrite";

/// A command of someone with a home, and without tokens in the environment.
fn of_user(world: &World, args: &[&str]) -> std::process::Command {
    let mut command = world.command(args);
    command
        .env("HOME", world.path("home"))
        .env_remove("MODELSCOPE_TOKEN");
    command
}

fn run(world: &World, args: &[&str]) -> Ran {
    Ran::of(of_user(world, args).output().unwrap())
}

/// `hf2ms login HUB --with-token`, and the token on its standard input.
fn log_in(world: &World, hub: &str, token: &str) -> Ran {
    let mut child = of_user(world, &["login", hub, "--with-token"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    writeln!(child.stdin.take().unwrap(), "{token}").unwrap();
    Ran::of(child.wait_with_output().unwrap())
}

fn kept(world: &World) -> PathBuf {
    world.path("home/.config/hf2ms/credentials.toml")
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn set_mode(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn a_login_is_checked_kept_for_its_user_and_used_until_the_logout() {
    let world = World::with_model();
    for (hub, token) in [("hf", WRITER), ("ms", ALICE)] {
        let ran = log_in(&world, hub, token);
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        assert!(
            ran.stdout.contains("logged in as alice on"),
            "{}",
            ran.stdout
        );
        assert!(!format!("{}{}", ran.stdout, ran.stderr).contains(token));
    }
    let file = kept(&world);
    assert_eq!((mode(&file), mode(file.parent().unwrap())), (0o600, 0o700));
    let doctor = run(&world, &["doctor"]);
    let from = format!("; from {}", file.display());
    assert_eq!((doctor.code, doctor.stdout.matches(&from).count()), (0, 2));
    let ran = run(&world, &["migrate", "alice/model"]);
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    assert!(world.is_copied("model", "alice/model", "alice/model"));
    for origin in ["hf", "ms"] {
        let all = requests(&world);
        let other = if origin == "hf" { ALICE } else { WRITER };
        assert!(!json!(at(&all, origin)).to_string().contains(other));
    }
    let ran = run(&world, &["logout"]);
    assert!(ran.code == 0 && ran.stdout.matches("logged out of").count() == 2);
    assert!(!file.exists());
    run(&world, &["migrate", "alice/model"]).refused_with(3, "MODELSCOPE_TOKEN is not set");
    let ran = run(&world, &["logout", "hf"]);
    assert!(ran.code == 0 && ran.stdout.contains("no login is kept for Hugging Face"));
}

#[test]
fn a_token_that_is_refused_or_no_token_is_not_kept() {
    let world = World::new();
    log_in(&world, "hf", "hf_wrong").refused_with(3, "nothing is kept");
    log_in(&world, "ms", "").refused_with(2, "no token was given");
    log_in(&world, "ms", "two words").refused_with(2, "can't be used");
    run(&world, &["login"]).refused_with(2, "there is no terminal to ask at");
    assert!(!kept(&world).exists());
    assert_eq!(log_in(&world, "ms", ALICE).code, 0);
    let before = std::fs::read(kept(&world)).unwrap();
    log_in(&world, "ms", "ms-wrong").refused_with(3, "nothing is kept");
    assert_eq!(std::fs::read(kept(&world)).unwrap(), before);
}

#[test]
fn a_login_counts_at_its_endpoint_only_and_below_the_environment() {
    let (world, elsewhere) = (World::with_model(), World::new());
    assert_eq!(log_in(&world, "ms", ALICE).code, 0);
    let mut command = of_user(&world, &["doctor"]);
    command.env("MODELSCOPE_ENDPOINT", elsewhere.address("ms"));
    let ran = Ran::of(command.output().unwrap());
    let words = format!("there is a login for {}", world.address("ms"));
    assert!(
        ran.code == 3 && ran.stdout.contains(&words),
        "{}",
        ran.stdout
    );
    let seen = json!(requests(&elsewhere)).to_string();
    assert!(!seen.contains(ALICE), "{seen}");
    let mut command = of_user(&world, &["doctor"]);
    command.env("MODELSCOPE_TOKEN", BOB);
    let ran = Ran::of(command.output().unwrap());
    assert!(
        ran.stdout.contains("is bob on ModelScope"),
        "{}",
        ran.stdout
    );
    assert!(ran.stdout.contains("; from the environment"));
    std::fs::write(
        world.path(".env"),
        format!("MODELSCOPE_ENDPOINT={}\n", world.address("ms")),
    )
    .unwrap();
    let mut command = of_user(&world, &["doctor"]);
    command.env_remove("MODELSCOPE_ENDPOINT");
    let ran = Ran::of(command.output().unwrap());
    ran.refused_with(2, ".env sets MODELSCOPE_ENDPOINT without its token");
}

#[test]
fn a_file_of_logins_that_others_may_read_or_that_is_none_is_refused_without_its_tokens() {
    let world = World::with_model();
    assert_eq!(log_in(&world, "ms", ALICE).code, 0);
    set_mode(&kept(&world), 0o644);
    run(&world, &["doctor"]).refused_with(2, "can be read by others: chmod 600");
    assert_eq!(log_in(&world, "ms", ALICE).code, 0);
    assert_eq!(mode(&kept(&world)), 0o600);
    std::fs::write(kept(&world), format!("token = \"{ALICE}\"\n")).unwrap();
    let ran = run(&world, &["doctor"]);
    ran.refused_with(2, "is not as hf2ms login writes it: remove it");
    assert!(!ran.stderr.contains(ALICE));
}

#[test]
fn a_login_needs_a_place() {
    let world = World::new();
    let mut command = of_user(&world, &["login", "ms", "--with-token"]);
    let ran = Ran::of(command.env_remove("HOME").output().unwrap());
    ran.refused_with(2, "there is no place for logins: set XDG_CONFIG_HOME");
    // A file where the folder has to be is as good as a home that can't be written, and holds for root too.
    std::fs::create_dir(world.path("home")).unwrap();
    std::fs::write(world.path("home/.config"), "").unwrap();
    log_in(&world, "ms", ALICE).refused_with(2, "can't be written");
}

#[test]
fn the_login_of_the_hubs_own_client_counts_at_its_public_address() {
    let world = World::new();
    let token = world.path("home/.cache/huggingface/token");
    std::fs::create_dir_all(token.parent().unwrap()).unwrap();
    std::fs::write(&token, WRITER).unwrap();
    let ran = run(&world, &["doctor"]);
    let words = "there is a login for https://huggingface.co, and none for http://";
    assert!(ran.stdout.contains(words), "{}", ran.stdout);
    assert!(!json!(requests(&world)).to_string().contains(WRITER));
}

#[test]
fn no_token_is_sent_to_an_address_that_a_file_of_the_folder_names() {
    let (world, other) = (World::new(), World::new());
    let hub = other.address("hf");
    std::fs::write(
        world.path(".env"),
        format!("HF_ENDPOINT={hub}\nHF_TOKEN=hf_theirs\n"),
    )
    .unwrap();
    let mut command = of_user(&world, &["login", "hf", "--with-token"]);
    command
        .env_remove("HF_ENDPOINT")
        .env_remove("HF_TOKEN")
        .stdin(Stdio::null());
    Ran::of(command.output().unwrap())
        .refused_with(2, "HF_ENDPOINT of .env would have the token sent");
    assert_eq!(other.all_requests(), 0);
    assert!(!kept(&world).exists());
}
