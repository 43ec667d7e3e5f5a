//! `hf2ms-worker`: the command line. One verb a module of the library; a signal or a cut lifeline stops it at once.

use std::io;
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Args, Parser, Subcommand};
use hf2ms_hub::{Hub, Redactor, RepoAt, RepoKind, Revision, Visibility, open_destination};
use hf2ms_worker::context::{Context, TransferContext};
use hf2ms_worker::events::Events;
use hf2ms_worker::job::{Input, Lifeline, VariableMap, variables};
use hf2ms_worker::plan::CardPolicy;
use hf2ms_worker::protocol::{
    Chunk, Event, Exit, PushJob, ScanJob, Transport, VerifyJob, WorkerOptions,
};
use hf2ms_worker::settings::{NETWORK, Settings, environment};
use hf2ms_worker::verbs::finalize::{FinalizeJob, finalize};
use hf2ms_worker::verbs::migrate::{MigrateRequest, RepoArg};
use hf2ms_worker::verbs::{check, migrate, mirror, run, verify};

/// Frames of a few hundred KiB come and go all the time: the system's allocator would map and unmap each.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Streams one chunk of a repo from source to destination.
///
/// Tokens come from HF_TOKEN and MODELSCOPE_TOKEN, logins of Git hosts (user:password) from HF2MS_SOURCE_LOGIN and HF2MS_TARGET_LOGIN (and HF_DESTINATION_TOKEN and MODELSCOPE_DESTINATION_TOKEN, where a destination
/// has its own) only, or by --settings-on-stdin. Events go to stdout as NDJSON, the last line being the receipt;
/// the log goes to stderr. Exit codes: 0 done, 1 some files failed, 2 usage, 3 refused, 4 integrity, 130 interrupted.
#[derive(Parser)]
#[command(version, name = "hf2ms-worker")]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Move the blobs of one chunk.
    Run(Run),
    /// Compare the destination with a manifest, file by file.
    Verify(Job),
    /// Commit and verify when all chunks have ended: what a run's last worker does
    Finalize(Job),
    /// Find what a mirror of a Git repo has to move: its refs, and the LFS objects of all its history
    Scan(Job),
    /// Push the refs of a mirror, once its LFS objects are there
    Push(Job),
    /// Move a whole repo alone: plan, run, commit, verify
    #[command(after_help = "Example: hf2ms-worker migrate hf:org/name ms:org/name --private")]
    Migrate(Migrate),
    /// Say the version and whether the endpoints answer.
    Check {
        /// Addresses to reach [default: those of Hugging Face and ModelScope]
        endpoints: Vec<String>,
        /// Take the first line of standard input as a JSON object of variables, which count as if the environment had them
        #[arg(long)]
        settings_on_stdin: bool,
    },
}

impl Verb {
    /// Whether the first line of standard input holds variables.
    fn has_settings_on_stdin(&self) -> bool {
        match self {
            Self::Run(Run { job, .. })
            | Self::Verify(job)
            | Self::Finalize(job)
            | Self::Scan(job)
            | Self::Push(job) => job.settings_on_stdin,
            Self::Check {
                settings_on_stdin, ..
            } => *settings_on_stdin,
            Self::Migrate(_) => false,
        }
    }
}

#[derive(Args)]
struct Job {
    /// Where the job is read from: a file or an http(s) address [default: standard input]
    #[arg(long, value_name = "FILE|URL")]
    chunk: Option<String>,
    /// Take the first line of standard input as the job and stop when standard input closes
    #[arg(long)]
    attached: bool,
    /// Take the line before the job as a JSON object of variables, which count as if the environment had them
    #[arg(long, requires = "attached", conflicts_with = "chunk")]
    settings_on_stdin: bool,
}

#[derive(Args)]
struct Run {
    #[command(flatten)]
    job: Job,
    /// Create the destination like this if it is absent: public, internal or private [default: it has to be there]
    #[arg(long, value_name = "VISIBILITY", value_parser = visibility)]
    create: Option<Visibility>,
}

#[derive(Args)]
struct Migrate {
    /// Where from, as hf:owner/name or ms:owner/name
    source: RepoArg,
    /// Where to, as ms:owner/name or hf:owner/name
    destination: RepoArg,
    /// What the repo holds [default: what is found]
    #[arg(long, value_name = "KIND", value_parser = repo_kind)]
    repo_type: Option<RepoKind>,
    /// Branch, tag or commit of the source [default: its main branch]
    #[arg(long)]
    revision: Option<Revision>,
    /// Create the destination private [default: as the source is]
    #[arg(long, conflicts_with = "public")]
    private: bool,
    /// Create the destination public, or write into one that is
    #[arg(long)]
    public: bool,
    /// Send README.md as it is, though the destination refuses its license
    #[arg(long)]
    keep_readme: bool,
    /// How blobs travel from and to Hugging Face: auto (by Xet what it serves no other way), http or xet
    #[arg(long, value_name = "WAY", default_value = "auto", value_parser = Transport::asked)]
    transport: Transport,
}

fn visibility(text: &str) -> Result<Visibility, String> {
    let known = [
        Visibility::Public,
        Visibility::Internal,
        Visibility::Protected,
        Visibility::Private,
    ]
    .into_iter()
    .find(|known| known.to_string() == text);
    known.ok_or_else(|| "expected public, internal or private".to_owned())
}

fn repo_kind(text: &str) -> Result<RepoKind, String> {
    let known = [RepoKind::Model, RepoKind::Dataset]
        .into_iter()
        .find(|kind| kind.to_string() == text);
    known.ok_or_else(|| "expected model or dataset".to_owned())
}

impl Migrate {
    fn request(self) -> MigrateRequest {
        let visibility = match (self.private, self.public) {
            (true, _) => Some(Visibility::Private),
            (_, true) => Some(Visibility::Public),
            _ => None,
        };
        let revision = self
            .revision
            .unwrap_or_else(|| Revision::main_of(self.source.hub));
        let card = if self.keep_readme {
            CardPolicy::Kept
        } else {
            CardPolicy::Mended
        };
        MigrateRequest {
            source: self.source,
            destination: self.destination,
            kind: self.repo_type,
            revision,
            visibility,
            card,
            transport: self.transport,
        }
    }
}

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let _ = error.print();
            return if error.use_stderr() {
                Exit::Usage.into()
            } else {
                Exit::Done.into()
            };
        }
    };
    let given = match cli
        .verb
        .has_settings_on_stdin()
        .then(|| variables(&mut io::stdin().lock()))
        .transpose()
    {
        Ok(given) => given.unwrap_or_default(),
        Err(error) => return stopped(&usage(error)),
    };
    inherit(&given);
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("hf2ms-worker: {error}");
            return Exit::Incomplete.into();
        }
    };
    let ended = runtime.block_on(perform(cli.verb, &given));
    hf2ms_hub::git::leave_nothing();
    // A thread may still be reading standard input: nothing waits for it.
    runtime.shutdown_background();
    match ended {
        Ok(exit) => exit.into(),
        Err(stop) => stopped(&stop),
    }
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

/// Why nothing was begun.
struct Stop {
    exit: Exit,
    message: String,
}

fn stopped(Stop { exit, message }: &Stop) -> ExitCode {
    eprintln!("hf2ms-worker: {message}");
    (*exit).into()
}

fn usage(error: impl ToString) -> Stop {
    Stop {
        exit: Exit::Usage,
        message: error.to_string(),
    }
}

async fn perform(verb: Verb, given: &VariableMap) -> Result<Exit, Stop> {
    let input = Input::standard();
    let variable = |name: &str| given.get(name).cloned().or_else(|| environment(name));
    let settings = &Settings::read(&variable).map_err(usage)?;
    log_to_stderr(settings.redactor(), variable("HF2MS_LOG"));
    match verb {
        Verb::Run(Run { job, create }) => {
            let (chunk, lifeline) = input
                .take::<Chunk>(job.chunk.as_deref(), job.attached)
                .await
                .map_err(usage)?;
            let events = Events::new(io::stdout(), settings.redactor());
            let create = match create {
                Some(visibility) => {
                    let http = events.with_retry_events(settings.http());
                    let to = settings.destination(&chunk.destination);
                    Some((open_destination(&to, http).map_err(refused)?, visibility))
                }
                None => None,
            };
            let context = TransferContext::open(
                &chunk.source,
                &chunk.destination,
                settings,
                &chunk.options,
                events.clone(),
            )
            .map_err(refused)?;
            Ok(until_stopped(&events, lifeline, run::run(&context, &chunk, create)).await)
        }
        Verb::Verify(job) => {
            let (job, lifeline) = input
                .take::<VerifyJob>(job.chunk.as_deref(), job.attached)
                .await
                .map_err(usage)?;
            let context = open(&job.source, &job.destination, settings, &job.options)?;
            Ok(until_stopped(
                &context.events.clone(),
                lifeline,
                verify::verify(&context, &job),
            )
            .await)
        }
        Verb::Finalize(job) => {
            let (job, lifeline) = input
                .take::<FinalizeJob>(job.chunk.as_deref(), job.attached)
                .await
                .map_err(usage)?;
            let context = open(
                &job.plan.source,
                &job.plan.destination,
                settings,
                &job.plan.options,
            )?;
            Ok(until_stopped(&context.events.clone(), lifeline, finalize(&context, job)).await)
        }
        Verb::Scan(job) => {
            let (job, lifeline) = input
                .take::<ScanJob>(job.chunk.as_deref(), job.attached)
                .await
                .map_err(usage)?;
            let events = Events::new(io::stdout(), settings.redactor());
            Ok(until_stopped(&events, lifeline, mirror::scan(&job, settings, &events)).await)
        }
        Verb::Push(job) => {
            let (job, lifeline) = input
                .take::<PushJob>(job.chunk.as_deref(), job.attached)
                .await
                .map_err(usage)?;
            let events = Events::new(io::stdout(), settings.redactor());
            Ok(until_stopped(&events, lifeline, mirror::push(&job, settings, &events)).await)
        }
        Verb::Migrate(args) => alone(&args.request(), settings).await,
        Verb::Check { endpoints, .. } => {
            let hubs = || {
                Hub::with_api()
                    .map(|hub| settings.access(hub).endpoint.clone())
                    .collect()
            };
            let endpoints = if endpoints.is_empty() {
                hubs()
            } else {
                endpoints
            };
            let events = Events::new(io::stdout(), settings.redactor());
            Ok(check::check(&events, &endpoints, &settings.http()).await)
        }
    }
}

/// A whole repo, attached to nothing. As the first process of a container it is stopped by no signal that it does not hear.
async fn alone(request: &MigrateRequest, settings: &Settings) -> Result<Exit, Stop> {
    let found = tokio::select! {
        found = request.resolve(settings) => found.map_err(refused)?,
        () = signalled() => return Ok(Exit::Interrupted),
    };
    let events = Events::new(io::stdout(), settings.redactor());
    let copy = migrate::migrate(request, found, settings, &events);
    Ok(until_stopped(&events, Lifeline::none(), copy).await)
}

fn refused(error: hf2ms_hub::Error) -> Stop {
    Stop {
        exit: Exit::of(error.kind()),
        message: error.to_string(),
    }
}

fn open(
    source: &RepoAt,
    destination: &RepoAt,
    settings: &Settings,
    options: &WorkerOptions,
) -> Result<Context, Stop> {
    let events = Events::new(io::stdout(), settings.redactor());
    Context::open(source, destination, settings, options, events).map_err(refused)
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

/// Runs a verb until it ends, a signal comes, or the lifeline is cut; the receipt is said in any case.
async fn until_stopped(
    events: &Arc<Events>,
    lifeline: Lifeline,
    verb: impl Future<Output = Exit>,
) -> Exit {
    let exit = tokio::select! {
        exit = verb => exit,
        () = events.clone().tick() => Exit::Interrupted,
        () = signalled() => Exit::Interrupted,
        () = lifeline.cut() => Exit::Interrupted,
    };
    events.say(&Event::Receipt(events.receipt_so_far()));
    exit
}

/// Returns at SIGTERM or SIGINT.
async fn signalled() {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut terminate), Ok(mut interrupt)) = (
        signal(SignalKind::terminate()),
        signal(SignalKind::interrupt()),
    ) else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = terminate.recv() => (),
        _ = interrupt.recv() => (),
    }
}
