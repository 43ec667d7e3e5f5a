//! `hf2ms migrate`: copies one repo, or carries out a plan from a file.

use std::path::PathBuf;
use std::time::Instant;

use hf2ms_hub::RepoKind;
use hf2ms_worker::protocol::Exit;

use crate::args::prune::PruneArgs;
use crate::args::revisions::{RevisionArgs, RevisionScope};
use crate::args::route::{self, DestinationArg, Route, RouteArgs};
use crate::args::visibility::VisibilityArgs;
use crate::cleanup::follow_up::FollowUpArgs;
use crate::cleanup::row::CleanupEntry;
use crate::copy::cloud::show_verbs_of_run;
use crate::copy::decide::read_plan;
use crate::copy::options::{CopyArgs, CopyOptions};
use crate::copy::plan::not_skipped;
use crate::copy::{CopyResult, RepoCopy};
use crate::revisions::{RepoResult, RevisionsCopy};
use crate::runs::Runs;
use crate::settings::{self, Settings, writable_state_dir};
use crate::stop::Stop;
use crate::ui::errors::{CliError, CliResult};
use crate::ui::screen::Screen;

/// Copy a repo: plan, stream, commit, verify
///
/// Both sides are listed, and what differs is streamed from hub to hub without touching the disk. It is committed once, and every
/// file is compared at the end. Stopped or killed anywhere, the same command goes on where it was.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The repo: org/name, hf:org/name, ms:org/name, or its web address
    #[arg(required_unless_present = "plan")]
    pub source: Option<String>,
    #[command(flatten)]
    destination: DestinationArg,
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
        "source", "destination", "to", "dest", "repo_type", "spaces_as", "revision", "all_revisions", "include", "exclude", "files_from", "min_size", "max_size", "changed_since", "keep_readme", "use_git", "chunk_size", "transport", "verify",
        "prune", "max_delete", "private", "gated", "then",
    ])]
    plan: Option<PathBuf>,
    /// Print NDJSON and nothing else: one line an event, the report last
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub(crate) copy: CopyArgs,
    #[command(flatten)]
    follow_up: FollowUpArgs,
}

const EXAMPLES: &str = "\
Examples:
  hf2ms migrate org/name                                   whatever it is: model, dataset
  hf2ms migrate hf:org/name ms:me/name --private
  hf2ms migrate hf:org/name ms:me/                         the same name, at another owner
  hf2ms migrate https://huggingface.co/datasets/org/name --include '*.parquet'
  hf2ms migrate ms:org/name hf:me/name                     from ModelScope to Hugging Face
  hf2ms migrate hf:org/name hf:me/name                     within Hugging Face
  hf2ms migrate org/name --revision v1.0 --dry-run
  hf2ms migrate org/name --all-revisions                   every branch and tag; also of plan and batch
  hf2ms migrate spaces/org/app --spaces-as studio          a Space becomes a studio
  hf2ms migrate org/big --containers 8 --chunk-size 100    8 workers, about 100 GB a chunk
  hf2ms migrate org/name --on docker --containers 4        locked-in containers on this machine
  hf2ms migrate org/big --on modal --max-cost 20 --detach  the cloud does it; see hf2ms attach
  hf2ms migrate org/name --all-revisions --then cleanup    then deletes the source, by the rules of hf2ms cleanup
  hf2ms plan org/name --out plan.json && hf2ms migrate --plan plan.json";

/// Copies the repo.
///
/// # Errors
/// What ended the copy of the whole repo; failures of single files are in the report.
pub async fn run(args: Args, screen: &Screen, stop: &Stop) -> CliResult<Exit> {
    let began = Instant::now();
    let watch = args.copy.watch()?;
    args.follow_up.fit()?;
    let (settings, runs) = (settings::load()?, Runs::new(&writable_state_dir()?));
    let revisions = args.revisions.scope();
    let shared = revisions == RevisionScope::All;
    let options = CopyOptions {
        visibility: args.visibility.request(),
        prune: args.pruning.request(args.copy.yes),
        watch,
        ..args
            .copy
            .options(&settings, &runs, stop, shared, revisions)?
    };
    let copy = RepoCopy {
        options: &options,
        screen,
        began,
        files_memory: None,
    };
    let result = match (&args.plan, &args.source) {
        (Some(file), _) => {
            let decision = stop.unless(read_plan(file, &options)).await?;
            RepoResult::One(copy.execute(decision, None).await?)
        }
        (None, Some(source)) => {
            let destination = args.destination.parse(&settings)?;
            let route = Route::resolve(source, &destination, &args.route, &settings)?;
            args.follow_up.check(&route, &settings)?;
            if args.follow_up.removes() {
                route::check_sites(source, args.destination.typed(), &settings)?;
            }
            let is_done = args.follow_up.is_done(&route, &settings, &runs);
            if stop.unless(is_done).await? {
                return args.follow((&settings, &runs), stop, screen).await;
            }
            match revisions {
                RevisionScope::One => RepoResult::One(copy.run(&route, None).await?),
                RevisionScope::All => RevisionsCopy::of(copy).run(&route, None).await?,
            }
        }
        (None, None) => return Err(CliError::usage("SOURCE is missing: give the repo to copy")),
    };
    match &result {
        RepoResult::One(CopyResult::Detached(run, _)) => show_verbs_of_run(run, screen),
        RepoResult::One(CopyResult::Skipped(reason)) => {
            let source = args.source.as_deref().unwrap_or_default();
            return Err(not_skipped(hf2ms_hub::path::escape(source), reason));
        }
        _ => (),
    }
    match result.exit() {
        Exit::Done => args.follow((&settings, &runs), stop, screen).await,
        exit => Ok(exit),
    }
}

impl Args {
    /// Removes the source where `--then cleanup` asks for it; its copy was just verified.
    async fn follow(
        &self,
        (settings, runs): (&Settings, &Runs),
        stop: &Stop,
        screen: &Screen,
    ) -> CliResult<Exit> {
        let Some(source) = self.source.as_ref().filter(|_| self.follow_up.removes()) else {
            return Ok(Exit::Done);
        };
        let destination = self.destination.parse(settings)?;
        let route = Route::resolve(source, &destination, &self.route, settings)?;
        let at = route.destination_at(settings, RepoKind::Model);
        let entry = CleanupEntry {
            name: source.clone(),
            route,
            owner: Some(at.id.owner().to_owned()),
        };
        let entries = [entry];
        let follow_up = self
            .follow_up
            .follow(&entries, (settings, runs), stop, screen);
        follow_up.await
    }
}
