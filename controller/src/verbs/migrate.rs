//! `hf2ms migrate`: looks at both sides, plans, decides whether it may, and has the plan carried out.

use std::path::PathBuf;
use std::time::Instant;

use hf2ms_worker::protocol::Exit;

use crate::args::prune::PruneArgs;
use crate::args::revisions::{RevisionArgs, RevisionScope};
use crate::args::route::{Route, RouteArgs};
use crate::args::visibility::VisibilityArgs;
use crate::copy::decide::{IfExists, read_plan};
use crate::copy::{CopyArgs, CopyOptions, CopyResult, RepoCopy};
use crate::engine::open::RunnerCache;
use crate::engine::slots::WorkerSlots;
use crate::runs::Runs;
use crate::settings::{self, environment, state_dir};
use crate::stop::Stop;
use crate::ui::errors::{CliError, CliResult};
use crate::ui::screen::Screen;

/// Copy a repo: plan, stream, commit, verify
///
/// Both sides are listed, what differs is streamed from hub to hub without touching the disk, committed once, and every
/// file is compared at the end. Stopped or killed anywhere, the same command goes on where it was.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The repo: org/name, hf:org/name, ms:org/name, or its web address
    #[arg(required_unless_present = "plan")]
    pub source: Option<String>,
    #[command(flatten)]
    route: RouteArgs,
    #[command(flatten)]
    visibility: VisibilityArgs,
    #[command(flatten)]
    pruning: PruneArgs,
    #[command(flatten)]
    revisions: RevisionArgs,
    /// Carry out a plan that `hf2ms plan --out FILE` wrote
    #[arg(long, value_name = "FILE", conflicts_with_all = [
        "source", "to", "dest", "repo_type", "spaces_as", "revision", "all_revisions", "include", "exclude", "keep_readme", "use_git", "chunk_size", "transport",
        "prune", "max_delete", "private",
    ])]
    plan: Option<PathBuf>,
    /// Print NDJSON and nothing else: one line an event, the report last
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    work: CopyArgs,
}

const EXAMPLES: &str = "\
Examples:
  hf2ms migrate org/name                                   whatever it is: model, dataset
  hf2ms migrate hf:org/name --dest me/name --private
  hf2ms migrate https://huggingface.co/datasets/org/name --include '*.parquet'
  hf2ms migrate ms:org/name --dest me/name                 from ModelScope to Hugging Face
  hf2ms migrate hf:org/name --to hf --dest me/name         within Hugging Face
  hf2ms migrate org/name --revision v1.0 --dry-run
  hf2ms migrate org/name --all-revisions                   every branch and tag; also of plan and batch
  hf2ms migrate spaces/org/app --spaces-as studio          a Space becomes a studio
  hf2ms migrate org/big --containers 8 --chunk-size 100    8 workers, about 100 GB a chunk
  hf2ms migrate org/name --on docker --containers 4        locked-in containers on this machine
  hf2ms migrate org/big --on modal --max-cost 20 --detach  the cloud does it; see hf2ms attach
  hf2ms plan org/name --out plan.json && hf2ms migrate --plan plan.json";

/// Migrates.
///
/// # Errors
/// Whatever stops it; what fails for single files is in the report.
pub async fn run(args: Args, screen: &Screen, stop: &Stop) -> CliResult<Exit> {
    let began = Instant::now();
    let watch = args.work.watch()?;
    let (settings, runs) = (settings::load()?, Runs::new(&state_dir(&environment)?));
    let all = args.revisions.scope() == RevisionScope::All;
    let options = CopyOptions {
        settings: &settings,
        runs: &runs,
        stop,
        worker_args: if all {
            args.work.worker_args.clone().among_others()
        } else {
            args.work.worker_args.clone()
        },
        containers: &args.work.containers,
        visibility: args.visibility.visibility(),
        prune: args.pruning.max_delete(),
        existing: IfExists::Met,
        watch,
        trial: args.work.trial(),
        revisions: args.revisions.scope(),
        budget: args.work.budget(),
        slots: WorkerSlots::new(1),
        shared: RunnerCache::default(),
    };
    let copy = RepoCopy {
        options: &options,
        screen,
        began,
    };
    let end = match (&args.plan, &args.source) {
        (Some(file), _) => {
            copy.carry_out(stop.unless(read_plan(file, &options)).await?, None)
                .await?
        }
        (None, Some(source)) => {
            copy.go(&Route::resolve(source, &args.route, &settings)?, None)
                .await?
        }
        (None, None) => return Err(CliError::usage("SOURCE is missing: give the repo to copy")),
    };
    if let CopyResult::Detached(run, _) = &end {
        how_to_look_after(run, screen);
    }
    Ok(end.exit())
}

/// Says what can be done about a run that goes on in the cloud.
pub(super) fn how_to_look_after(run: &str, screen: &Screen) {
    let verbs = [
        ("status", "how far it is"),
        ("attach", "wait for it, and its report"),
        ("logs", "what its containers say"),
        ("stop", "end it"),
    ];
    screen.print("the cloud goes on by itself; from here, or another terminal, at any time:");
    verbs
        .iter()
        .for_each(|(verb, does)| screen.print(format!("  hf2ms {verb:<6} {run}   {does}")));
}
