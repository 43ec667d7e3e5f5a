//! `hf2ms`: reads the command line, does the verb, ends with its exit code.

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

use clap::{CommandFactory, Parser};
use hf2ms::cli::{Cli, Command, unparsed};
use hf2ms::runs::first_id;
use hf2ms::settings::config::{self, LayeredArgs};
use hf2ms::settings::logins::Logins;
use hf2ms::settings::nearest::Hints;
use hf2ms::settings::{
    self, EnvFile, FileChoice, PlainHttp, plain_http_warning, short_secret_warning,
};
use hf2ms::stop::Stop;
use hf2ms::ui::colours;
use hf2ms::ui::errors::CliResult;
use hf2ms::ui::json::StartEvent;
use hf2ms::ui::screen::Screen;
use hf2ms::ui::stdout;
use hf2ms::verbs;
use hf2ms_worker::protocol::Exit;

fn main() -> std::io::Result<ExitCode> {
    if let Some(answered) = verbs::completions::answer(Cli::command) {
        return answered.map(|()| Exit::Done.into());
    }
    let exit = command_line()?;
    // A result that is cut is no success.
    let cut = stdout::failure();
    cut.iter().for_each(|cut| eprintln!("error: {cut}"));
    let cut = cut.map_or(Exit::Done, |cut| cut.exit());
    Ok(exit.worse(cut).into())
}

#[tokio::main]
async fn command_line() -> std::io::Result<Exit> {
    let words = match layered() {
        Ok(words) if words.is_shown() => {
            words.print(&Screen::new(words.is_json()));
            return Ok(Exit::Done);
        }
        Ok(words) => words,
        Err(failure) => {
            let json = std::env::args_os().any(|word| word == "--json");
            Screen::new(json).fail(&failure);
            return Ok(failure.exit());
        }
    };
    let cli = match Cli::try_parse_from(words.words()) {
        Ok(cli) => cli,
        Err(error) => return Ok(unparsed::answer(&error, words.verb(), words.is_json())),
    };
    perform(cli, &words).await
}

async fn perform(cli: Cli, words: &LayeredArgs) -> std::io::Result<Exit> {
    let globals = cli.globals();
    let Cli {
        command,
        env_file,
        allow_http,
        output,
        ..
    } = cli;
    if allow_http {
        settings::use_plain_http(PlainHttp::Allowed);
    }
    let screen = match output.screen(command.wants_json()) {
        Ok(screen) => screen,
        Err(failure) => {
            Screen::new(command.wants_json()).fail(&failure);
            return Ok(failure.exit());
        }
    };
    let id = command.starts_run().then(|| first_id().to_owned());
    screen.json(&StartEvent::new(command.name(), id));
    for set in words.consents() {
        let (option, origin) = (&set.option, &set.origin);
        screen.warn(format!(
            "--{option} counts, though it was not typed: {origin} sets it"
        ));
    }
    words.warnings().for_each(|warning| screen.warn(warning));
    let choice = FileChoice::of(env_file.as_deref(), words.is_default("env-file"));
    let read = read_file(&command, (env_file.as_deref(), choice), &screen);
    log_to_stderr();
    let of_signals = screen.clone();
    settings::show_retries(&screen);
    let stop = Stop::on_signals(move || of_signals.bars().clear())?;
    let done = match read {
        Ok(()) => run(command, globals, &screen, &stop).await,
        Err(failure) => Err(failure),
    };
    let exit = match done {
        Ok(exit) => exit,
        Err(failure) => {
            let failure = Hints::default().beside(failure).await;
            screen.fail(&failure);
            failure.exit()
        }
    };
    screen.bars().clear();
    hf2ms_hub::git::leave_nothing();
    Ok(exit)
}

/// The words of the command line, and those that the user's defaults add.
fn layered() -> CliResult<LayeredArgs> {
    let variables: Vec<String> = std::env::vars_os()
        .map(|(name, _)| name.to_string_lossy().into_owned())
        .collect();
    let words = std::env::args_os().collect();
    config::layered(Cli::command(), words, &settings::environment, &variables)
}

/// Reads the file of settings, if the verb has a use for it, and says so once.
fn read_file(
    command: &Command,
    (named, choice): (Option<&Path>, FileChoice),
    screen: &Screen,
) -> CliResult<()> {
    if !command.reads_settings() && named.is_none() {
        return Ok(());
    }
    let file = EnvFile::read(named)?.chosen(choice);
    if let Some(line) = file.left_alone() {
        screen.warn(line);
    }
    if let Some(line) = file.said() {
        screen.note(line);
    }
    settings::use_file(file);
    if command.reads_logins() {
        settings::use_logins(Logins::read()?);
    }
    // Settings that can't be read are the verb's to complain of.
    if let Ok(settings) = settings::load() {
        screen.hide(&settings.redactor());
        let short = settings.short_secrets();
        short.for_each(|name| screen.warn(short_secret_warning(name)));
        if command.asks_hubs() {
            let open = settings.in_the_open();
            open.filter_map(|(address, token)| plain_http_warning(address, token))
                .for_each(|line| screen.warn(line));
        }
    }
    Ok(())
}

async fn run(
    command: Command,
    globals: Vec<OsString>,
    screen: &Screen,
    stop: &Stop,
) -> CliResult<Exit> {
    match command {
        Command::Migrate(args) => verbs::migrate::run(*args, screen, stop).await,
        Command::Batch(args) => verbs::batch::run(*args, screen, stop).await,
        Command::Mirror(args) => verbs::mirror::run(*args, screen, stop).await,
        Command::Plan(args) => verbs::plan::run(*args, screen, stop).await,
        Command::Verify(args) => verbs::verify::run(*args, screen, stop).await,
        Command::Inventory(args) => verbs::inventory::run(*args, screen, stop).await,
        Command::Cleanup(args) => verbs::cleanup::run(*args, screen, stop).await,
        Command::Runs(args) => verbs::runs::run(&args, screen),
        Command::Status(args) => verbs::status::run(&args, screen, stop).await,
        Command::Attach(args) => verbs::attach::run(&args, screen, stop).await,
        Command::Logs(args) => verbs::logs::run(&args, screen, stop).await,
        Command::Stop(args) => verbs::stop::run(&args, screen, stop).await,
        Command::Login(args) => verbs::login::run(&args, screen, stop).await,
        Command::Logout(args) => verbs::login::run_logout(&args, screen),
        Command::Doctor(args) => verbs::doctor::run(&args, screen, stop).await,
        Command::Probe(args) => verbs::probe::run(&args, screen, stop).await,
        Command::Demo(args) => verbs::demo::run(&args, screen, stop).await,
        Command::Mcp(_) => verbs::mcp::run(globals, stop).await,
        Command::Skill(_) => Ok(verbs::skill::run(screen)),
        Command::Help(args) => verbs::help::run(&args, Cli::command()),
        Command::Completions(args) => verbs::completions::run(&args, screen),
        Command::Man(args) => verbs::man::run(&args, Cli::command()),
    }
}

/// Logs nothing unless `HF2MS_LOG` (or `RUST_LOG`) is set, since the screen prints what people need. No token gets into it.
fn log_to_stderr() {
    let level = std::env::var("HF2MS_LOG")
        .or_else(|_| std::env::var("RUST_LOG"))
        .unwrap_or_else(|_| "off".to_owned());
    // Settings that can't be read are the verb's to complain of.
    let redactor = settings::load()
        .map(|settings| settings.redactor())
        .unwrap_or_default();
    let writer = move || redactor.writer(std::io::stderr());
    tracing_subscriber::fmt()
        .with_env_filter(level)
        .with_ansi(colours::are_for(&std::io::stderr()))
        .with_writer(writer)
        .init();
}
