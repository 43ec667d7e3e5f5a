//! `hf2ms-worker`: reads the command line ([`cli::args`]) and the settings, performs one verb ([`cli::perform`]), and ends with
//! its exit code. The verbs are modules of the library.

mod cli;

use std::io;
use std::process::ExitCode;

use clap::Parser;
use cli::args::WorkerCli;
use cli::perform::{NotBegun, perform, usage};
use hf2ms_hub::Redactor;
use hf2ms_worker::job::{VariableMap, variables};
use hf2ms_worker::protocol::Exit;
use hf2ms_worker::settings::{NETWORK, Settings, environment};

/// Frames of a few hundred KiB come and go all the time: the system's allocator would map and unmap each.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = match WorkerCli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let _ = error.print();
            return match error.use_stderr() {
                true => Exit::Usage.into(),
                false => Exit::Done.into(),
            };
        }
    };
    match start(cli) {
        Ok(exit) => exit.into(),
        Err(NotBegun { exit, message }) => {
            eprintln!("hf2ms-worker: {message}");
            exit.into()
        }
    }
}

fn start(cli: WorkerCli) -> Result<Exit, NotBegun> {
    let given = match cli.verb.has_settings_on_stdin() {
        true => variables(&mut io::stdin().lock()).map_err(usage)?,
        false => VariableMap::default(),
    };
    inherit(&given);
    let runtime = tokio::runtime::Runtime::new().map_err(|error| NotBegun {
        exit: Exit::Incomplete,
        message: error.to_string(),
    })?;
    let ended = runtime.block_on(async {
        let variable = |name: &str| given.get(name).cloned().or_else(|| environment(name));
        let settings = Settings::read(&variable).map_err(usage)?;
        log_to_stderr(settings.redactor(), variable("HF2MS_LOG"));
        perform(cli.verb, &settings).await
    });
    hf2ms_hub::git::leave_nothing();
    // A thread may still be reading standard input: nothing waits for it.
    runtime.shutdown_background();
    ended
}

/// Puts what the settings say of the network into this process's environment, where HTTP clients and TLS look for it.
#[allow(unsafe_code)]
fn inherit(given: &VariableMap) {
    for (name, value) in NETWORK
        .iter()
        .filter_map(|name| Some((name, given.get(*name)?)))
    {
        // SAFETY: this is the only thread yet.
        unsafe { std::env::set_var(name, value) };
    }
}

/// The log, on stderr, at the level that `HF2MS_LOG` says (warn by default).
fn log_to_stderr(redactor: Redactor, level: Option<String>) {
    let filter = level
        .and_then(|level| tracing_subscriber::EnvFilter::try_new(level).ok())
        .unwrap_or_else(|| "warn".into());
    let writer = move || redactor.writer(io::stderr());
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(false)
        .with_writer(writer)
        .try_init();
}
