//! `hf2ms migrate`: looks at both sides, plans, decides whether it may, and has the plan carried out.

use std::path::{Path, PathBuf};
use std::time::Instant;

use hf2ms_hub::{Kind, Visibility};
use hf2ms_worker::plan::{Extra, Plan};
use hf2ms_worker::protocol::Exit;
use serde_json::json;

use super::attach;
use super::plan::in_words;
use crate::cloud::Watch;
use crate::crew::{Crew, Opening};
use crate::cutting::{ContainerArgs, CuttingArgs, On};
use crate::estimate::consent::consent;
use crate::estimate::rates::Rates;
use crate::estimate::{CostArgs, Estimate};
use crate::explain::{Doing, Failure, Outcome};
use crate::filter::Filter;
use crate::known;
use crate::migration::{Migration, asked_about, stays_hidden};
use crate::planning::{Purpose, Sides, Wishes, find as find_sides};
use crate::proof::{self, Proof};
use crate::report::Report;
use crate::route::{Route, RouteArgs};
use crate::run_dir::{NewRun, RunDir, RunRecord, RunVerb, Runs, State};
use crate::screen::Screen;
use crate::settings::{self, Settings, environment, state_dir};
use crate::stop::Stop;
use crate::survey::{Here, There, said};

/// Copy a repo: plan, stream, commit, verify
///
/// Both sides are listed, what differs is streamed from hub to hub without touching the disk, committed once, and every
/// file is compared at the end. Stopped or killed anywhere, the same command goes on where it was.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The repo: org/name, hf:org/name, or its web address
    #[arg(required_unless_present = "plan")]
    pub source: Option<String>,
    #[command(flatten)]
    route: RouteArgs,
    #[command(flatten)]
    visibility: VisibilityArgs,
    /// Show what would be done, and create nothing
    #[arg(long)]
    dry_run: bool,
    /// Delete what only the destination has
    #[arg(long)]
    prune: bool,
    /// Carry out a plan that `hf2ms plan --out FILE` wrote
    #[arg(long, value_name = "FILE", conflicts_with_all = [
        "source", "to", "dest", "repo_type", "revision", "include", "exclude", "chunk_size", "prune", "private",
    ])]
    plan: Option<PathBuf>,
    /// Return as soon as all is submitted; only on modal, where the work goes on by itself
    #[arg(long)]
    detach: bool,
    /// Print NDJSON and nothing else: one line an event, the report last
    #[arg(long)]
    pub json: bool,
    /// Do not ask: at a terminal, more than 100 GB are moved only after a yes
    #[arg(long, short)]
    yes: bool,
    #[command(flatten)]
    cutting: CuttingArgs,
    #[command(flatten)]
    cost: CostArgs,
    #[command(flatten)]
    containers: ContainerArgs,
}

const EXAMPLES: &str = "\
Examples:
  hf2ms migrate org/name                                   whatever it is: model, dataset
  hf2ms migrate hf:org/name --dest me/name --private
  hf2ms migrate https://huggingface.co/datasets/org/name --include '*.parquet'
  hf2ms migrate org/name --revision v1.0 --dry-run
  hf2ms migrate org/big --containers 8 --chunk-size 100    8 workers, about 100 GB a chunk
  hf2ms migrate org/name --on docker --containers 4        locked-in containers on this machine
  hf2ms migrate org/big --on modal --max-cost 20 --detach  the cloud does it; see hf2ms attach
  hf2ms plan org/name --out plan.json && hf2ms migrate --plan plan.json";

/// Who may see a repo that has to be created.
#[derive(Debug, Clone, Copy, clap::Args)]
pub struct VisibilityArgs {
    /// Create the repo private [default: as the source is]
    #[arg(long, conflicts_with = "public")]
    private: bool,
    /// Create the repo public, or write to a public one, though the source is private
    #[arg(long)]
    public: bool,
}

impl VisibilityArgs {
    /// What was chosen, if anything was.
    pub fn chosen(self) -> Option<Visibility> {
        let choices = [(self.private, Visibility::Private), (self.public, Visibility::Public)];
        choices.into_iter().find(|(is, _)| *is).map(|(_, visibility)| visibility)
    }
}

/// Migrates.
///
/// # Errors
/// Whatever stops it; what fails for single files is in the report.
pub async fn run(args: Args, screen: &Screen, stop: &Stop) -> Outcome<Exit> {
    let began = Instant::now();
    if args.detach && args.cutting.on != On::Modal {
        return Err(Failure::usage("--detach needs --on modal: elsewhere the work ends with this process"));
    }
    args.containers.fit(args.cutting.on)?;
    let settings = settings::load()?;
    let runs = Runs::new(&state_dir(&environment)?);
    let (plan, there) = match stop.unless(decide(&args, &settings, &runs, screen)).await? {
        Decision::CarryOut(plan, there) => (*plan, *there),
        Decision::Attach(record) => return go_on(&record, args, &settings, &runs, screen, stop).await,
        Decision::Proven(proof, earlier) => return has_everything(&proof, *earlier, &args, &runs, began, screen),
        Decision::Skip => return Ok(Exit::Done),
    };
    stop.unless(may_go_on(&plan, &there, &settings)).await?;
    announce(&plan, screen);
    let estimate = Estimate::of(&plan, &args.cutting, Rates::of(&runs, args.cutting.on, &plan.source, &plan.destination));
    if args.dry_run {
        screen.tell(&estimate.json());
        screen.show(in_words(&plan, &estimate));
        return estimate.allowed_by(&args.cost).map(|()| Exit::Done);
    }
    estimate.say(screen);
    estimate.allowed_by(&args.cost)?;
    stop.unless(consent(&estimate, args.yes, screen)).await?;
    let (on, summary) = (args.cutting.on, plan.summary());
    let mut run =
        runs.begin(NewRun { verb: RunVerb::Migrate, on, source: &plan.source, destination: &plan.destination, plan: &summary })?;
    let crew = match crew(&args, &plan, &run, &settings, screen, stop).await {
        Ok(crew) => crew,
        Err(failure) => return run.end(State::Failed).and(Err(failure)),
    };
    let extra = args.extra();
    let id = run.id().to_owned();
    let migration = Migration { plan, there: &there, extra, run, crew, settings: &settings, screen, stop, began };
    match migration.carry_out().await? {
        Some(report) => {
            report.show(screen);
            Ok(report.exit())
        }
        None => {
            how_to_look_after(&id, screen);
            Ok(Exit::Done)
        }
    }
}

/// Opens the engine; nobody is needed when nothing differs.
async fn crew(args: &Args, plan: &Plan, run: &RunDir, settings: &Settings, screen: &Screen, stop: &Stop) -> Outcome<Option<Crew>> {
    if plan.is_done() {
        return Ok(None);
    }
    let opening = Opening { cutting: &args.cutting, containers: &args.containers, plan, run, settings, screen, stop };
    let watch = if args.detach { Watch::Detached } else { Watch::Attached };
    Crew::open(opening, watch).await.map(Some)
}

fn how_to_look_after(run: &str, screen: &Screen) {
    let verbs =
        [("status", "how far it is"), ("attach", "wait for it, and its report"), ("logs", "what its containers say"), ("stop", "end it")];
    screen.show("the cloud goes on by itself; from here, or another terminal, at any time:");
    verbs.iter().for_each(|(verb, does)| screen.show(format!("  hf2ms {verb:<6} {run}   {does}")));
}

/// An earlier run of these repos works in the cloud: it is seen through first, then both sides are looked at again.
async fn go_on(record: &RunRecord, args: Args, settings: &Settings, runs: &Runs, screen: &Screen, stop: &Stop) -> Outcome<Exit> {
    screen.say(format!("run {} of these repos is in the cloud already: waiting for it first", record.id));
    match attach::see_through(record, runs, settings, screen, stop).await? {
        Exit::Done => Box::pin(run(args, screen, stop)).await,
        exit => Ok(exit),
    }
}

/// What is to be done.
enum Decision {
    /// Carry out this plan.
    CarryOut(Box<Plan>, Box<There>),
    /// Wait for this run, which the cloud still does.
    Attach(Box<RunRecord>),
    /// Nothing: both sides stand where an earlier run verified them.
    Proven(Box<Proof>, Box<Report>),
    /// Nothing, and why has been said.
    Skip,
}

impl Args {
    fn extra(&self) -> Extra {
        if self.prune { Extra::Delete } else { Extra::Keep }
    }
}

async fn decide(args: &Args, settings: &Settings, runs: &Runs, screen: &Screen) -> Outcome<Decision> {
    match (&args.plan, &args.source) {
        (Some(file), _) => read_plan(file, args, settings).await,
        (None, Some(source)) => compare(source, args, settings, runs, screen).await,
        (None, None) => Err(Failure::usage("SOURCE is missing: give the repo to copy")),
    }
}

async fn compare(source: &str, args: &Args, settings: &Settings, runs: &Runs, screen: &Screen) -> Outcome<Decision> {
    let route = Route::resolve(source, &args.route, settings)?;
    let Some((here, there)) = find_sides(&route, Purpose::Write, settings, screen).await? else { return Ok(Decision::Skip) };
    if let Some(record) = runs.detached(&there.at).filter(|run| run.source.id == here.at.id && !args.dry_run && !args.detach) {
        return Ok(Decision::Attach(Box::new(record)));
    }
    let wanted = args.visibility.chosen().unwrap_or(here.info.visibility);
    there.info.iter().try_for_each(|info| stays_hidden(wanted, info.visibility, &there.at.id.to_string()))?;
    if let Some((proof, earlier)) = proven(&here, &there, &route, args.extra(), runs) {
        return Ok(Decision::Proven(Box::new(proof), Box::new(earlier)));
    }
    let sides = Sides::list(here, there, settings).await?;
    let known = known::load(runs, &sides.here.at, &sides.there.at);
    let wishes = Wishes { cutting: args.cutting.clone(), visibility: args.visibility.chosen(), extra: args.extra() };
    let (plan, there) = sides.plan(&wishes, &known);
    Ok(Decision::CarryOut(Box::new(plan), Box::new(there)))
}

/// What an earlier run proves of these sides as they stand.
fn proven(here: &Here, there: &There, route: &Route, extra: Extra, runs: &Runs) -> Option<(Proof, Report)> {
    let proof = Proof::new(&here.at, &there.at, there.head.clone()?, route.filter(), extra);
    let report = proof.find(runs)?;
    Some((proof, report))
}

/// Says so, and leaves a run that says so too.
fn has_everything(proof: &Proof, earlier: Report, args: &Args, runs: &Runs, began: Instant, screen: &Screen) -> Outcome<Exit> {
    let (id, hub) = (&earlier.destination.id, earlier.destination.hub);
    screen.say(format!("{id} on {hub} has everything already: both sides stand where run {} verified them", earlier.run));
    if args.dry_run {
        return Ok(Exit::Done);
    }
    let report = proof::repeat(proof, earlier, runs, began)?;
    report.show(screen);
    Ok(report.exit())
}

/// A plan from a file, checked as any input is, and held against the destination as it is now.
async fn read_plan(file: &Path, args: &Args, settings: &Settings) -> Outcome<Decision> {
    let bad =
        |error: &dyn std::fmt::Display| Failure::usage(format!("{}: {}", file.display(), hf2ms_hub::path::escape(&error.to_string())));
    let content = std::fs::read(file).map_err(|error| bad(&error))?;
    let mut plan: Plan = serde_json::from_slice(&content).map_err(|error| bad(&error))?;
    plan.check().map_err(|error| bad(&error))?;
    for at in [&plan.source, &plan.destination] {
        let endpoint = &settings.access(at.hub).endpoint;
        if at.endpoint != *endpoint {
            return Err(bad(&format!("it is for {} at {}, but the environment names {endpoint}", at.hub, at.endpoint)));
        }
    }
    plan.creation.visibility = args.visibility.chosen().unwrap_or(plan.creation.visibility);
    let mut there = There::to_write(plan.destination.clone(), Filter::default(), settings).await?;
    there.listing = there.current(settings).await?;
    match (plan.creation.exists, there.info.is_some()) {
        (true, false) => return Err(bad(&format!("{} does not exist any more: make the plan anew", plan.destination.id))),
        (_, exists) => plan.creation.exists = exists,
    }
    plan.meet(&there.listing);
    Ok(Decision::CarryOut(Box::new(plan), Box::new(there)))
}

/// Refuses what must not be: showing what was hidden, and moving bytes to where we may not write.
async fn may_go_on(plan: &Plan, there: &There, settings: &Settings) -> Outcome<()> {
    plan.can_be_listed(there.hub.limits().folder_entries).map_err(|error| Failure::refused(error.message()))?;
    let Some(info) = &there.info else { return Ok(()) };
    stays_hidden(plan.creation.visibility, info.visibility, &there.at.id.to_string())?;
    if plan.is_done() || there.is_ours() {
        return Ok(());
    }
    match there.hub.missing(&[asked_about(plan)]).await {
        Err(error) if matches!(error.kind(), Kind::Denied | Kind::Unauthorized | Kind::NotFound) => {
            Err(said(&error.with_kind(Kind::Denied), &there.at, settings, Doing::Writing))
        }
        // Anything else is the workers' to meet: they ask again, with patience.
        _ => Ok(()),
    }
}

fn announce(plan: &Plan, screen: &Screen) {
    plan.warnings.iter().for_each(|warning| screen.warn(warning));
    let summary = plan.summary();
    let (id, hub) = (&plan.destination.id, plan.destination.hub);
    let differ = summary.files - summary.unchanged;
    match (plan.creation.exists, plan.is_done()) {
        (true, true) => screen.say(format!("{id} on {hub} has everything already")),
        (true, false) => screen.warn(format!("{id} exists on {hub}: only what differs is sent, {differ} of {} files", summary.files)),
        (false, _) => (),
    }
    screen.tell(&json!({
        "event": "planned", "source": plan.source, "destination": plan.destination, "creation": plan.creation, "summary": summary,
    }));
}
