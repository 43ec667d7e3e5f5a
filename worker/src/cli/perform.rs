//! One verb, from its job to its exit code: the job is taken, the repos are opened, and the library's function is called.

use std::io;
use std::sync::Arc;

use hf2ms_hub::{Hub, RepoAt, open_destination};
use hf2ms_worker::context::{Context, ReadContext, TransferContext, shared_http};
use hf2ms_worker::events::Events;
use hf2ms_worker::job::{Input, Lifeline};
use hf2ms_worker::protocol::{
    Chunk, ChunkPurpose, Exit, PushJob, ScanJob, VerifyJob, WorkerOptions,
};
use hf2ms_worker::settings::Settings;
use hf2ms_worker::verbs::finalize::{FinalizeJob, finalize};
use hf2ms_worker::verbs::hash::hash;
use hf2ms_worker::verbs::migrate::{self, MigrateRequest};
use hf2ms_worker::verbs::revisions::{RevisionsJob, revisions};
use hf2ms_worker::verbs::{check, mirror, run, verify};
use serde::de::DeserializeOwned;

use super::args::{JobArgs, Run, WorkerVerb};
use super::stop::{signalled, until_stopped, until_stopped_sharing};

/// Why a verb did not begin.
pub(crate) struct NotBegun {
    /// The exit code.
    pub(crate) exit: Exit,
    /// One line for stderr.
    pub(crate) message: String,
}

/// The command line, the job or a variable is wrong.
pub(crate) fn usage(error: impl ToString) -> NotBegun {
    NotBegun {
        exit: Exit::Usage,
        message: error.to_string(),
    }
}

fn refused(error: hf2ms_hub::Error) -> NotBegun {
    NotBegun {
        exit: Exit::of(error.kind()),
        message: error.to_string(),
    }
}

/// Does what the command line asks for.
///
/// # Errors
/// [`NotBegun`], before any event.
pub(crate) async fn perform(verb: WorkerVerb, settings: &Settings) -> Result<Exit, NotBegun> {
    match verb {
        WorkerVerb::Run(args) => run_chunk(args, settings).await,
        WorkerVerb::Verify(job) => {
            let (job, lifeline) = take::<VerifyJob>(&job).await?;
            let events = events_of(settings);
            let sides = (&job.source, &job.destination);
            let context = open(sides, settings, &job.options, &events)?;
            Ok(until_stopped(&events, settings, lifeline, verify::verify(&context, &job)).await)
        }
        WorkerVerb::Finalize(job) => {
            let (job, lifeline) = take::<FinalizeJob>(&job).await?;
            let events = events_of(settings);
            let sides = (&job.plan.source, &job.plan.destination);
            let context = open(sides, settings, &job.plan.options, &events)?;
            Ok(until_stopped(&events, settings, lifeline, finalize(&context, job)).await)
        }
        WorkerVerb::Revisions(args) => {
            let verb = async |job: RevisionsJob, events: &Arc<Events>| {
                revisions(job, settings, events).await
            };
            attended(&args, settings, verb).await
        }
        WorkerVerb::Scan(args) => {
            let verb = async |job: ScanJob, events: &Arc<Events>| {
                mirror::scan(&job, settings, events).await
            };
            attended(&args, settings, verb).await
        }
        WorkerVerb::Push(args) => {
            let verb = async |job: PushJob, events: &Arc<Events>| {
                mirror::push(&job, settings, events).await
            };
            attended(&args, settings, verb).await
        }
        WorkerVerb::Migrate(args) => {
            let request = args.request(settings).map_err(usage)?;
            copy_alone(&request, settings).await
        }
        WorkerVerb::Check { endpoints, .. } => {
            let hubs = Hub::with_api().map(|hub| settings.access(hub).endpoint.clone());
            let endpoints = match endpoints.is_empty() {
                true => hubs.collect(),
                false => endpoints,
            };
            Ok(check::check(&events_of(settings), &endpoints, &settings.http()).await)
        }
    }
}

/// Does a job that opens its repos itself.
async fn attended<T: DeserializeOwned>(
    args: &JobArgs,
    settings: &Settings,
    verb: impl AsyncFnOnce(T, &Arc<Events>) -> Exit,
) -> Result<Exit, NotBegun> {
    let (job, lifeline) = take::<T>(args).await?;
    let events = events_of(settings);
    let work = verb(job, &events);
    Ok(until_stopped(&events, settings, lifeline, work).await)
}

/// Events on stdout, whose receipt counts the seconds from now on.
fn events_of(settings: &Settings) -> Arc<Events> {
    Events::new(io::stdout(), settings.redactor())
}

/// The job, from where the command line says, and the lifeline of a worker that is attached.
async fn take<T: DeserializeOwned>(job: &JobArgs) -> Result<(T, Lifeline), NotBegun> {
    let taken = Input::standard().take(job.chunk.as_deref(), job.attached);
    taken.await.map_err(usage)
}

fn open(
    (source, destination): (&RepoAt, &RepoAt),
    settings: &Settings,
    options: &WorkerOptions,
    events: &Arc<Events>,
) -> Result<Context, NotBegun> {
    Context::open(source, destination, settings, options, events.clone()).map_err(refused)
}

async fn run_chunk(Run { job, create }: Run, settings: &Settings) -> Result<Exit, NotBegun> {
    let (chunk, lifeline) = take::<Chunk>(&job).await?;
    let events = events_of(settings);
    if !chunk.purpose.is_copy() {
        let context = open_to_read(&chunk, settings, &events).map_err(refused)?;
        return Ok(until_stopped(&events, settings, lifeline, hash(&context, &chunk)).await);
    }
    let create = match create {
        Some(visibility) => {
            let http = shared_http(settings, &chunk.options, &events);
            let to = settings.destination(&chunk.destination).map_err(refused)?;
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
    let moved = run::run(&context, &chunk, create);
    Ok(until_stopped_sharing(&events, settings, lifeline, &context.bandwidth, moved).await)
}

/// The side of a chunk that is only read.
fn open_to_read(
    chunk: &Chunk,
    settings: &Settings,
    events: &Arc<Events>,
) -> hf2ms_hub::Result<ReadContext> {
    let side = match chunk.purpose {
        ChunkPurpose::HashDestination => settings.destination(&chunk.destination)?,
        ChunkPurpose::HashSource | ChunkPurpose::Copy => settings.source(&chunk.source)?,
    };
    ReadContext::open(&side, settings, &chunk.options, events.clone())
}

/// A whole repo, attached to nothing. The first process of a container gets no signal by default, so both are waited for.
async fn copy_alone(request: &MigrateRequest, settings: &Settings) -> Result<Exit, NotBegun> {
    let found = tokio::select! {
        found = request.resolve(settings) => found.map_err(refused)?,
        () = signalled() => return Ok(Exit::Interrupted),
    };
    let events = events_of(settings);
    let copy = migrate::migrate(request, found, settings, &events);
    Ok(until_stopped(&events, settings, Lifeline::none(), copy).await)
}
