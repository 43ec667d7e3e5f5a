//! What is to be done about one repo, by both sides as they stand and by the runs of this machine.

use std::path::Path;

use hf2ms_hub::Visibility;
use hf2ms_worker::pipeline::creation::{GatePolicy, Readers, VisibilityRequest, readers_of_copy};
use hf2ms_worker::pipeline::source::describe;
use hf2ms_worker::plan::{BackupRequest, MaxDelete, Plan};
use hf2ms_worker::protocol::{Creation, Deadline, VerifyLevel};
use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::args::filter::Filter;
use crate::args::route::Route;
use crate::copy::inspect::{DestinationRepo, SourceRepo};
use crate::copy::options::{CopyOptions, IfExists};
use crate::copy::plan::{FoundSides, PlanOptions, Purpose, RepoPair, find as find_sides};
use crate::copy::request::CopyRequest;
use crate::copy::sync_state::{SyncState, trust_in};
use crate::engine::remote::DetachMode;
use crate::estimate::containers::chunking;
use crate::runs::digests;
use crate::runs::report::Report;
use crate::runs::{JournalEntry, REVISIONS_JOB, RunRecord, RunVerb, Runs, State};
use crate::settings::Settings;
use crate::settings::hub_errors::{AccessMode, hub_error};
use crate::ui::errors::{CliError, CliResult};

/// What is to be done.
pub enum Decision {
    /// Carry out this plan.
    Copy(Box<Plan>, Box<DestinationRepo>),
    /// Wait for this run, which goes on in the cloud.
    Attach(Box<RunRecord>),
    /// Nothing: an earlier run verified both sides as they stand.
    UpToDate(Box<SyncState>, Box<Report>),
    /// Skip the repo for this reason.
    Skip(String),
}

/// Why a destination that exists is skipped.
pub const EXISTS: &str = "exists there already: --force compares it and sends what differs";

/// Inspects both sides, compares them with the runs of this machine, and plans.
///
/// # Errors
/// One of them can't be read, or the destination must not be written.
pub async fn decide(route: &Route, options: &CopyOptions<'_>) -> CliResult<Decision> {
    let CopyOptions { settings, runs, .. } = options;
    let (source, destination) = match find_sides(route, Purpose::Write, settings).await? {
        FoundSides::Both(both) => *both,
        FoundSides::Skip(reason) => return Ok(Decision::Skip(reason)),
    };
    let request = CopyRequest::new(&source.repo.asked, route.filter());
    let attends = !options.dry_run && options.watch == DetachMode::Attached;
    if let Some(record) = runs
        .detached(&destination.at)
        .filter(|run| attends && !runs.has(&run.id, REVISIONS_JOB))
        .filter(|run| request.is_of(run, &source, runs))
    {
        return Ok(Decision::Attach(Box::new(record)));
    }
    // What an earlier run verified says nothing of the bytes as they are now.
    let is_deep = options.worker_args.verify == VerifyLevel::Deep;
    let verified =
        verified(&source, &destination, route, options.max_delete(), runs).filter(|_| !is_deep);
    if options.if_exists == IfExists::Skip
        && verified.is_none()
        && destination.info.is_some()
        && !is_unfinished(runs, &destination)
    {
        return Ok(Decision::Skip(EXISTS.to_owned()));
    }
    options.check_free(&destination.at)?;
    let wanted = readers_of_copy(&source.repo.info, options.visibility);
    destination.check_not_exposed(wanted)?;
    if let Some((state, mut earlier)) = verified {
        let readers = destination.info.as_ref().map(Readers::from);
        earlier.visibility = readers.map(|readers| readers.visibility);
        earlier.gate = readers.and_then(|readers| readers.gate);
        return Ok(Decision::UpToDate(Box::new(state), Box::new(earlier)));
    }
    let trust = trust_in(runs, &destination, route.filter());
    let sides = RepoPair::list(source, destination, settings).await?;
    let known = digests::load(runs, &sides.source.repo.at, &sides.destination.at);
    let options = PlanOptions {
        worker_args: options.worker_args.clone(),
        rates: options.rates(&sides.source.repo.at, &sides.destination.at),
        visibility: options.visibility,
        prune: options.max_delete(),
        card: route.card(),
        overwrite: options.overwrite,
        trust,
        terms: options.terms.clone(),
    };
    let (plan, destination) = sides.plan(&options, &known, settings).await?;
    Ok(Decision::Copy(Box::new(plan), Box::new(destination)))
}

/// The sync state of both sides as they stand, and the report of the run that verified it.
fn verified(
    source: &SourceRepo,
    destination: &DestinationRepo,
    route: &Route,
    prune: Option<MaxDelete>,
    runs: &Runs,
) -> Option<(SyncState, Report)> {
    let state = SyncState::new(
        &source.repo.at,
        &destination.at,
        destination.head.clone()?,
        route.filter(),
        prune,
    )
    .with_card(route.card());
    let report = state.find(runs)?;
    Some((state, report))
}

/// Whether a run of this machine created the destination, and none has finished since.
fn is_unfinished(runs: &Runs, destination: &DestinationRepo) -> bool {
    let ours = runs
        .list()
        .into_iter()
        .filter(|run| run.verb == RunVerb::Migrate && run.destination == destination.at);
    ours.take_while(|run| run.state != State::Done)
        .any(|run| created_destination(runs, &run))
}

/// Whether a run created its destination, or may have: by its journal, in which a creation without an answer counts, or, if it was killed before
/// any entry, by its plan.
pub fn created_destination(runs: &Runs, run: &RunRecord) -> bool {
    #[derive(Deserialize)]
    struct Planned {
        creation: Creation,
    }
    let journal = runs.journal(&run.id);
    let was_to = || {
        runs.read::<Planned>(&run.id, "plan.json")
            .is_some_and(|plan| !plan.creation.exists)
    };
    let was_cut_off = !journal
        .iter()
        .any(|entry| matches!(entry, JournalEntry::Ended { .. }));
    let creation = journal.iter().rev().find_map(|entry| match entry {
        JournalEntry::Created(_) | JournalEntry::Creating => Some(true),
        JournalEntry::NotCreated => Some(false),
        _ => None,
    });
    creation.unwrap_or_else(|| was_cut_off && was_to())
}

/// Whether the file holds plans of `--all-revisions`, each of which relies on blobs that another one moves.
fn is_of_revisions(content: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct Marked {
        revisions: Option<IgnoredAny>,
    }
    let first = serde_json::Deserializer::from_slice(content)
        .into_iter::<Marked>()
        .next();
    matches!(first, Some(Ok(Marked { revisions: Some(_) })))
}

/// Gives a plan from a file the terms of the command that carries it out. Where that says nothing, those of the plan hold.
fn apply_terms(plan: &mut Plan, options: &CopyOptions<'_>) {
    let terms = &options.terms;
    let by_default = plan.backup.is_some() || options.overwrite;
    let backup = match (&terms.backup, plan.backup.take()) {
        (BackupRequest::Usual, Some(planned)) => Some(planned),
        (request, _) => request.tag(by_default),
    };
    plan.backup = backup.filter(|_| plan.creation.exists);
    plan.limits.max_transfer = terms.limits.max_transfer.or(plan.limits.max_transfer);
    plan.limits.max_duration = terms.limits.max_duration.or(plan.limits.max_duration);
    let planned = plan.limits.max_duration.map(Deadline::after);
    plan.options.deadline = terms.deadline.or(planned);
    plan.options.bandwidth = terms.bandwidth.clone().or(plan.options.bandwidth.take());
}

/// Takes what a plan from a file left when it was made: that may be next now. What its limit leaves this time is settled before it begins.
fn take_what_was_left(plan: &mut Plan, options: &CopyOptions<'_>) {
    if plan.take_what_was_left() {
        let rates = options.rates(&plan.source, &plan.destination);
        plan.rechunk(chunking(&options.worker_args, &plan.blob_sizes(), &rates));
    }
}

/// Reads a plan from a file, checks it, and brings it up to date with the destination.
///
/// # Errors
/// The file is no plan, or its hubs or its destination are not those of now.
pub async fn read_plan(file: &Path, options: &CopyOptions<'_>) -> CliResult<Decision> {
    let settings = options.settings;
    let bad = |error: &dyn std::fmt::Display| {
        CliError::usage(format!(
            "{}: {}",
            file.display(),
            hf2ms_hub::path::escape(&error.to_string())
        ))
    };
    let content = std::fs::read(file)
        .map_err(|error| bad(&format!("{error}; check the path of the plan")))?;
    if is_of_revisions(&content) {
        return Err(bad(
            &"its plans are for all revisions of a repo: hf2ms migrate SOURCE --all-revisions carries them out together",
        ));
    }
    let no_plan = |error: &dyn std::fmt::Display| {
        bad(&format!(
            "{error}; give a plan that hf2ms plan SOURCE --out FILE wrote"
        ))
    };
    let mut plan = Plan::read(&content).map_err(|error| no_plan(&error))?;
    for (at, access) in [
        (&plan.source, settings.access(plan.source.hub)),
        (&plan.destination, settings.access_to(plan.destination.hub)),
    ] {
        let endpoint = &access.endpoint;
        if at.endpoint != *endpoint {
            return Err(bad(&format!(
                "it is for {} at {}, but the environment names {endpoint}: set {} to that address, or make the plan again",
                at.hub, at.endpoint, access.endpoint_name
            )));
        }
    }
    options.check_free(&plan.destination)?;
    match options.visibility.visibility {
        Some(asked) => plan.creation.visibility = asked,
        None => check_source_is_as_open(&plan, settings).await?,
    }
    let mut destination =
        DestinationRepo::to_write(plan.destination.clone(), Filter::default(), settings).await?;
    destination.listing = destination.current(settings).await?;
    let exists = destination.info.is_some();
    if plan.creation.exists && !exists {
        return Err(bad(&format!(
            "{} does not exist any more: make the plan anew",
            plan.destination.id
        )));
    }
    plan.overwrite |= options.overwrite;
    apply_terms(&mut plan, options);
    plan.rebase_on(&destination.listing);
    plan.creation.exists = exists;
    take_what_was_left(&mut plan, options);
    Ok(Decision::Copy(Box::new(plan), Box::new(destination)))
}

/// Refuses a plan whose copy more people would see than its source today: that may have become private since, or the file was changed.
async fn check_source_is_as_open(plan: &Plan, settings: &Settings) -> CliResult<()> {
    let source = describe(&plan.source, plan.options.transport, settings).await;
    let source =
        source.map_err(|error| hub_error(&error, &plan.source, settings, AccessMode::Read))?;
    let gate = match plan.creation.gate {
        Some(_) => GatePolicy::Keep,
        None => GatePolicy::Private,
    };
    let visibility = None;
    let today = readers_of_copy(&source, VisibilityRequest { visibility, gate });
    if !today.are_exceeded_by(plan.creation.into()) {
        return Ok(());
    }
    let (id, planned) = (&plan.source.id, plan.creation.visibility);
    let now = match source.visibility {
        Visibility::Public => "behind a gate".to_owned(),
        hidden => hidden.to_string(),
    };
    Err(CliError::refused(format!(
        "{id} is {now}, and the plan makes a {planned} copy: make the plan again, or give --public to show the files to all"
    )))
}
