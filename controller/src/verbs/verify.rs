//! `hf2ms verify`: compares a repo with its copy.

use hf2ms_hub::{Refused, RepoAt};
use hf2ms_worker::pipeline::creation::VisibilityRequest;
use hf2ms_worker::pipeline::planning::Trust;
use hf2ms_worker::plan::{DigestCache, Plan};
use hf2ms_worker::protocol::{Exit, Verification, VerifyLevel};
use schemars::JsonSchema;
use serde::Serialize;

use crate::args::route::{DestinationArg, Route, RouteArgs};
use crate::args::terms::RunTerms;
use crate::args::workers::{EngineKind, WorkerArgs};
use crate::binaries::{WORKER, find};
use crate::copy::plan::{PlanOptions, Purpose, find_and_list};
use crate::engine::job;
use crate::engine::local::Local;
use crate::estimate::rates::Rates;
use crate::runs::failures::{NEVER_COPIED, by_cause};
use crate::runs::report::table;
use crate::runs::{JournalEntry, NewRun, RunVerb, Runs, State};
use crate::settings::{self, Settings, writable_state_dir};
use crate::stop::Stop;
use crate::ui::errors::{CliError, CliResult};
use crate::ui::nouns::{counted, grouped};
use crate::ui::screen::Screen;

/// Compare a repo with its copy, every file by its content
///
/// Large files are compared by the SHA-256 that both hubs give; small ones are read from the source and hashed. Nothing
/// is written to either side.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The repo: org/name, hf:org/name, ms:org/name, or its web address
    pub source: String,
    #[command(flatten)]
    destination: DestinationArg,
    #[command(flatten)]
    route: RouteArgs,
    /// Compare the first and last bytes of files, too: of all, or of 1,000 that are chosen at random
    #[arg(long, conflicts_with = "deep")]
    sample: bool,
    /// Read every byte of every file at the copy, and hash it
    #[arg(long)]
    deep: bool,
    /// Print NDJSON and nothing else
    #[arg(long)]
    pub json: bool,
}

impl Args {
    fn level(&self) -> VerifyLevel {
        match (self.deep, self.sample) {
            (true, _) => VerifyLevel::Deep,
            (_, true) => VerifyLevel::Sample,
            _ => VerifyLevel::Listing,
        }
    }
}

/// Compares both sides and prints the result.
///
/// # Errors
/// One of the sides can't be read.
pub async fn run(args: Args, screen: &Screen, stop: &Stop) -> CliResult<Exit> {
    let settings = settings::load()?;
    let runs = Runs::new(&writable_state_dir()?);
    let destination = args.destination.parse(&settings)?;
    let route = Route::resolve(&args.source, &destination, &args.route, &settings)?;
    route.announce(screen);
    let sides = stop
        .unless(find_and_list(&route, Purpose::Read, &settings))
        .await?;
    let options = PlanOptions {
        worker_args: WorkerArgs::default().verifying(args.level()),
        rates: Rates::assumed(EngineKind::Local),
        visibility: VisibilityRequest::default(),
        prune: None,
        card: route.card(),
        overwrite: false,
        trust: Trust::Listing,
        terms: RunTerms::default(),
    };
    let (plan, destination) = stop
        .unless(sides.plan(&options, &DigestCache::new(), &settings))
        .await?;
    plan.warnings
        .iter()
        .for_each(|warning| screen.warn(warning));
    if destination.info.is_none() {
        let (kind, id, hub) = (destination.at.kind, &destination.at.id, destination.at.hub);
        return Err(CliError::refused(format!(
            "{kind} {id} was not found on {hub}: copy it first, with hf2ms migrate"
        )));
    }
    let found = verify_as_run(&plan, &runs, &settings, screen, stop).await?;
    let exit = if plan.refused.is_empty() {
        found.exit()
    } else {
        found.exit().worse(Exit::Incomplete)
    };
    screen.print(format!(
        "{} and {}\n{}",
        plan.source.web_url(),
        plan.destination.web_url(),
        table(&found).trim_end()
    ));
    for cause in by_cause(&[], &plan.refused) {
        screen.warn(format!("{}; {NEVER_COPIED}", cause.line()));
    }
    screen.print(verdict(&found, &plan, &args.source));
    screen.json(&VerifiedEvent {
        source: &plan.source,
        destination: &plan.destination,
        verification: &found,
        refused: &plan.refused,
        exit: exit as u8,
    });
    Ok(exit)
}

/// The last line for a person.
fn verdict(found: &Verification, plan: &Plan, source: &str) -> String {
    let bad = [
        (found.missing.len(), "missing"),
        (found.different.len(), "different"),
        (found.unread.len(), "unread"),
        (plan.refused.len(), "refused"),
    ];
    let bad: Vec<String> = bad
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, word)| format!("{} {word}", grouped(*count as u64)))
        .collect();
    let (files, bad_words) = (counted(found.checked, "file"), bad.join(", "));
    match (found.missing.len() + found.different.len(), bad.is_empty()) {
        (_, true) => format!("equal: {files} on both sides"),
        (0, false) => format!(
            "NOT ALL COMPARED: of {files} {bad_words}, and {} equal",
            grouped(found.equal)
        ),
        (_, false) => format!(
            "NOT EQUAL: of {files} {bad_words}; hf2ms migrate {} {}:{} copies what differs",
            hf2ms_hub::path::escape(source),
            plan.destination.hub.profile().prefix,
            plan.destination.id
        ),
    }
}

/// Both sides are compared.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(tag = "event", rename = "verified")]
pub struct VerifiedEvent<'a> {
    source: &'a RepoAt,
    destination: &'a RepoAt,
    /// The result of the comparison.
    verification: &'a Verification,
    /// Entries of the source that can't be compared, and why.
    refused: &'a [Refused],
    /// The exit code.
    exit: u8,
}

/// Compares all files of both sides in a local worker, as a run with a journal.
async fn verify_as_run(
    plan: &Plan,
    runs: &Runs,
    settings: &Settings,
    screen: &Screen,
    stop: &Stop,
) -> CliResult<Verification> {
    let mut run = runs.begin(NewRun {
        verb: RunVerb::Verify,
        on: EngineKind::Local,
        source: &plan.source,
        destination: &plan.destination,
        plan: &plan.summary(),
    })?;
    screen.enter_run(run.path());
    let engine = Local {
        binary: find(WORKER)?,
        workers: 1,
        logs: Some(run.path().join("logs")),
        settings: settings.of_job(plan.source.hub, plan.destination.hub),
        stop: stop.clone(),
    };
    let found = job::verify(&engine, &plan.verify_job(run.id(), &[], &[]), screen, &run).await;
    let found = match found {
        Ok(found) => found,
        Err(failure) => return run.fail(&failure, screen).and(Err(failure)),
    };
    run.end(if found.is_good() {
        State::Done
    } else {
        State::Incomplete
    })?;
    run.note(&JournalEntry::Verified(found.clone()))?;
    Ok(found)
}
