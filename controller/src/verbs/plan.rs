//! `hf2ms plan`: prints a plan, as JSON or for a cluster, or simulates it.

use std::io::{BufWriter, Write};
use std::path::PathBuf;
use std::time::Instant;

use clap::ValueEnum;
use hf2ms_worker::pipeline::planning::Trust;
use hf2ms_worker::plan::Plan;
use hf2ms_worker::protocol::Exit;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::args::prune::PruneArgs;
use crate::args::revisions::{RevisionArgs, RevisionScope};
use crate::args::route::{DestinationArg, Route, RouteArgs};
use crate::args::terms::TermArgs;
use crate::args::visibility::VisibilityArgs;
use crate::args::workers::{ContainerArgs, EngineKind, WorkerArgs};
use crate::copy::deletions;
use crate::copy::inspect::DestinationRepo;
use crate::copy::options::CopyOptions;
use crate::copy::permission::check_folders;
use crate::copy::plan::{PlanOptions, Purpose, find_and_list, not_skipped};
use crate::copy::preview;
use crate::copy::stored::StoredBlobs;
use crate::copy::transfer_limit::TransferLimit;
use crate::emit::kubernetes::{self, Cluster, IMAGE, SECRET};
use crate::engine::network_settings::{Location, NetworkSettings};
use crate::estimate::budget::CostBudget;
use crate::estimate::containers::chunking;
use crate::estimate::rates::Rates;
use crate::estimate::simulate::args::SimulateArgs;
use crate::estimate::simulate::simulation::Simulation;
use crate::estimate::{CostArgs, Estimate, chunk_sizes};
use crate::revisions::plan::{PrintedPlan, RevisionPlan};
use crate::revisions::survey::SurveyResult;
use crate::revisions::{RevisionsCopy, RevisionsPlan};
use crate::runs::digests;
use crate::runs::{Runs, write_aside};
use crate::settings::{self, Settings, environment, state_dir};
use crate::stop::Stop;
use crate::ui::errors::{CliError, CliResult};
use crate::ui::screen::Screen;
use crate::ui::stdout;

/// Print what a migration would do, as JSON that `migrate --plan` takes
///
/// Nothing is created. The source's commit is in the plan: what is migrated by it later is what was seen now. With
/// --all-revisions there is a plan a line, each with the branches and tags that it is for; they are carried out together, by `migrate
/// --all-revisions`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The repo: org/name, hf:org/name, ms:org/name, or its web address
    pub source: String,
    #[command(flatten)]
    destination: DestinationArg,
    #[command(flatten)]
    revisions: RevisionArgs,
    #[command(flatten)]
    route: RouteArgs,
    #[command(flatten)]
    visibility: VisibilityArgs,
    #[command(flatten)]
    pruning: PruneArgs,
    /// Write the plan to this file
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Print NDJSON and nothing else: what it will take, then the simulation, or the plan if it is written to no file
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    emission: EmitArgs,
    #[command(flatten)]
    worker_args: WorkerArgs,
    #[command(flatten)]
    terms: TermArgs,
    #[command(flatten)]
    cost: CostArgs,
    #[command(flatten)]
    simulation: SimulateArgs,
}

/// The plan itself, where no file takes it.
#[derive(Serialize, JsonSchema)]
#[serde(tag = "event", rename = "plan")]
pub struct PlanEvent<'a> {
    /// As `migrate --plan` takes it; with `--all-revisions` also the branches and tags that it is for.
    #[schemars(with = "Map<String, Value>")]
    plan: PlanForm<'a>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum PlanForm<'a> {
    One(&'a Plan),
    OfRevisions(Box<PrintedPlan<'a>>),
}

/// Writing the plan for someone else to carry out.
#[derive(Debug, Clone, clap::Args)]
struct EmitArgs {
    /// Write the plan for someone else to carry out. `kubernetes`: YAML of an Indexed Job with a pod a chunk, and of a Job
    /// that commits and verifies the whole repo
    #[arg(long, value_name = "FORM", conflicts_with_all = ["prune", "include", "exclude", "files_from", "min_size", "max_size", "changed_since", "max_transfer", "max_duration", "simulate", "json", "all_revisions"])]
    emit: Option<Emit>,
    /// With --emit: the worker's image, as the cluster finds it
    #[arg(long, value_name = "NAME", requires = "emit", default_value = IMAGE)]
    image: String,
    /// With --emit: the Secret that holds HF_TOKEN and MODELSCOPE_TOKEN
    #[arg(long, value_name = "NAME", requires = "emit", default_value = SECRET, value_parser = kubernetes::object_name)]
    secret: String,
}

/// Who carries the plan out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Emit {
    /// A cluster.
    Kubernetes,
}

/// Plans the copy and prints the plan.
///
/// # Errors
/// One of the sides can't be read.
pub async fn run(args: Args, screen: &Screen, stop: &Stop) -> CliResult<Exit> {
    let settings = settings::load()?;
    let destination = args.destination.parse(&settings)?;
    let route = Route::resolve(&args.source, &destination, &args.route, &settings)?;
    if args.revisions.scope() == RevisionScope::All {
        return of_all(&args, &route, &settings, screen, stop).await;
    }
    route.announce(screen);
    let sides = stop
        .unless(find_and_list(&route, Purpose::Read, &settings))
        .await?;
    let runs = Runs::new(&state_dir(&environment)?);
    let (source, to) = (&sides.source.repo.at, &sides.destination.at);
    let worker_args = args.worker_args.clone();
    // Each container of a cluster has a line of its own, as in the cloud.
    let (worker_args, rates) = match args.emission.emit {
        Some(_) => (worker_args.in_cluster(), Rates::assumed(EngineKind::Modal)),
        None => (
            worker_args,
            Rates::of(&runs, args.worker_args.on, source, to),
        ),
    };
    let options = PlanOptions {
        worker_args,
        rates: rates.clone(),
        visibility: args.visibility.request(),
        prune: args.pruning.request(true).map(|prune| prune.max),
        card: route.card(),
        overwrite: false,
        trust: Trust::Listing,
        terms: args.terms.terms(RevisionScope::One)?.of_a_plan(),
    };
    let known = digests::load(&runs, &sides.source.repo.at, &sides.destination.at);
    let planned = stop.unless(sides.plan(&options, &known, &settings));
    let (mut plan, destination) = planned.await?;
    let not_asked = StoredBlobs::not_asked(&[&plan]);
    let cut = |sizes: &[u64]| chunking(&options.worker_args, sizes, &rates);
    TransferLimit::new(plan.limits.max_transfer).cut(&mut plan, &not_asked, cut)?;
    plan.warnings
        .iter()
        .for_each(|warning| screen.warn(warning));
    deletions::list(&plan, screen);
    let estimate = not_asked.estimate_of_rest(&plan, &options.worker_args, rates);
    screen.json(&estimate.event());
    estimate.allowed_by(&args.cost)?;
    let yaml = match args.emission.emit {
        Some(Emit::Kubernetes) => {
            Some(for_cluster(&plan, &destination, &args, estimate.workers, screen).await?)
        }
        None => None,
    };
    print_one(&args, &plan, yaml.as_deref(), &estimate, screen)?;
    Ok(Exit::Done)
}

/// Writes the plan to the file of `--out` or to stdout, or simulates it.
fn print_one(
    args: &Args,
    plan: &Plan,
    yaml: Option<&str>,
    estimate: &Estimate,
    screen: &Screen,
) -> CliResult<()> {
    if let Some(path) = &args.out {
        write_aside(path, |file| write(plan, yaml, file))
            .map_err(|error| CliError::file(path, &error))?;
        screen.print(format!(
            "{}\nwritten to {}",
            preview::table(plan, estimate),
            path.display()
        ));
    }
    match (args.simulation.simulate, &args.out) {
        (true, _) => simulate(&chunk_sizes(plan), estimate, &args.simulation, screen)?,
        (false, Some(_)) => (),
        (false, None) if args.json => screen.json(&PlanEvent {
            plan: PlanForm::One(plan),
        }),
        (false, None) => stdout::write(|out| write(plan, yaml, &mut BufWriter::new(out))),
    }
    Ok(())
}

/// Plans the copy of all revisions, as `migrate --all-revisions` would carry it out, and prints the plans.
async fn of_all(
    args: &Args,
    route: &Route,
    settings: &Settings,
    screen: &Screen,
    stop: &Stop,
) -> CliResult<Exit> {
    let (began, runs, containers) = (
        Instant::now(),
        Runs::new(&state_dir(&environment)?),
        ContainerArgs::default(),
    );
    let workers = (args.worker_args.clone().among_others(), &containers);
    let budget = CostBudget::new(args.cost.clone(), true);
    let terms = args.terms.terms(RevisionScope::All)?.of_a_plan();
    let options = CopyOptions {
        visibility: args.visibility.request(),
        prune: args.pruning.request(true),
        dry_run: true,
        transfer: TransferLimit::new(terms.limits.max_transfer),
        terms,
        ..CopyOptions::new(settings, &runs, stop, workers, budget)
    };
    let results = Screen::of_results();
    let is_shown = args.json || args.out.is_some() || args.simulation.simulate;
    let words = if is_shown { screen } else { &results };
    let planned = match (RevisionsCopy {
        options: &options,
        screen: words,
        began,
    })
    .plan(route, Purpose::Read)
    .await?
    {
        SurveyResult::Found(planned) => *planned,
        SurveyResult::Skip(reason) => return Err(not_skipped(route.source_id(), &reason)),
    };
    planned
        .estimate
        .iter()
        .try_for_each(|estimate| estimate.allowed_by(&args.cost))?;
    print_all(args, &planned, words)?;
    if planned.survey.plans.iter().all(|one| one.plan().is_none()) {
        screen.note("every branch and tag is at the destination already: there is nothing to plan");
    }
    let summary = planned.survey.summary(began);
    summary.print(words);
    Ok(summary.exit())
}

/// Writes all plans to the file of `--out` or to stdout, or simulates them.
fn print_all(args: &Args, planned: &RevisionsPlan, screen: &Screen) -> CliResult<()> {
    let plans = &planned.survey.plans;
    if let Some(path) = &args.out {
        write_aside(path, |file| write_all(plans, file))
            .map_err(|error| CliError::file(path, &error))?;
        screen.print(format!("written to {}", path.display()));
    }
    match (&planned.estimate, &args.out) {
        (Some(estimate), _) if args.simulation.simulate => {
            let chunks: Vec<Vec<u64>> = plans
                .iter()
                .filter_map(RevisionPlan::plan)
                .flat_map(chunk_sizes)
                .collect();
            simulate(&chunks, estimate, &args.simulation, screen)
        }
        (_, Some(_)) => Ok(()),
        (_, None) if args.json => {
            let all = plans.iter().filter_map(PrintedPlan::new);
            all.map(|plan| PlanForm::OfRevisions(Box::new(plan)))
                .for_each(|plan| screen.json(&PlanEvent { plan }));
            Ok(())
        }
        (_, None) => {
            stdout::write(|out| write_all(plans, &mut BufWriter::new(out)));
            Ok(())
        }
    }
}

/// Writes one line for each plan; a revision that is up to date has none.
fn write_all(plans: &[RevisionPlan], out: &mut impl Write) -> std::io::Result<()> {
    for planned in plans.iter().filter_map(PrintedPlan::new) {
        serde_json::to_writer(&mut *out, &planned)?;
        writeln!(out)?;
    }
    out.flush()
}

fn simulate(
    chunks: &[Vec<u64>],
    estimate: &Estimate,
    args: &SimulateArgs,
    screen: &Screen,
) -> CliResult<()> {
    let model = args.model(&estimate.rates, estimate.on, estimate.workers);
    let simulation = Simulation::play(chunks, model, estimate.on)
        .map_err(|endless| CliError::usage(format!("--lifetime: {endless}")))?;
    screen.json(&simulation.event());
    screen.print(simulation.readable());
    Ok(())
}

/// Writes the plan as YAML if there is one, else as JSON.
fn write(plan: &Plan, form: Option<&str>, out: &mut impl Write) -> std::io::Result<()> {
    match form {
        Some(text) => out.write_all(text.as_bytes())?,
        None => {
            serde_json::to_writer(&mut *out, plan)?;
            writeln!(out)?;
        }
    }
    out.flush()
}

/// The plan as YAML. Errors that the cluster would meet only after the transfer are reported now.
async fn for_cluster(
    plan: &Plan,
    destination: &DestinationRepo,
    args: &Args,
    parallelism: usize,
    screen: &Screen,
) -> CliResult<String> {
    check_folders(plan, destination)?;
    destination.check_not_exposed(plan.creation)?;
    let network = NetworkSettings::of(&environment, Location::Container).await;
    network.left_out.iter().for_each(|line| screen.warn(line));
    let cluster = Cluster {
        image: args.emission.image.clone(),
        parallelism,
        secret: args.emission.secret.clone(),
        visibility: args.visibility.request().visibility,
        network,
    };
    kubernetes::emit(plan, &cluster)
}
