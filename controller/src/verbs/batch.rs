//! `hf2ms batch`: copies many repos.

use std::path::PathBuf;
use std::time::Instant;

use clap::ArgGroup;
use hf2ms_worker::protocol::Exit;

use crate::args::prune::PruneArgs;
use crate::args::revisions::BatchRevisionArgs;
use crate::args::route::RouteArgs;
use crate::args::visibility::VisibilityArgs;
use crate::batch::Batch;
use crate::batch::list::{self, BatchEntry, SourceLine};
use crate::batch::row::BatchRow;
use crate::batch::summary::BatchSummary;
use crate::cleanup::follow_up::FollowUpArgs;
use crate::cleanup::row::CleanupEntry;
use crate::copy::decide::EXISTS;
use crate::copy::options::{CopyArgs, CopyOptions, IfExists};
use crate::engine::remote::DetachMode;
use crate::runs::Runs;
use crate::settings::{self, Settings, writable_state_dir};
use crate::stop::Stop;
use crate::ui::errors::{CliError, CliResult};
use crate::ui::nouns::counted;
use crate::ui::screen::Screen;

/// Copy many repos: those that are named, listed in a file, or all of an owner
///
/// Each repo is a run of its own, as `migrate` makes it; their chunks share the workers, the heaviest first, so that none rests
/// between repos. One that fails costs only itself; a token that is refused ends all. What exists at the destination is skipped,
/// unless a run here made it and did not get to its end. The same command goes on where it was.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES, group = ArgGroup::new("repos").args(["sources", "file", "owner"]).required(true))]
pub struct Args {
    /// The repos to copy: org/name, hf:org/name, or their web addresses; a list (--file) may name a destination for each
    sources: Vec<String>,
    /// Read them from a file (- for stdin): a line a repo, its source and, if it is to be another, its destination; # begins a
    /// comment
    #[arg(long, value_name = "LIST")]
    file: Option<PathBuf>,
    /// All models and datasets of an account or organisation, and with --spaces-as its Spaces; with --repo-type one kind only
    #[arg(long, value_name = "NAME")]
    owner: Option<String>,
    /// Copy to this owner, under the same names [default: the source's owner]
    #[arg(long, value_name = "NAME")]
    to_owner: Option<String>,
    /// Compare what exists at the destination, too, and send what differs
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    revisions: BatchRevisionArgs,
    #[command(flatten)]
    route: RouteArgs,
    #[command(flatten)]
    visibility: VisibilityArgs,
    #[command(flatten)]
    pruning: PruneArgs,
    /// Print NDJSON and nothing else: events with their repo, a report each, and a `batch` event last
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub(crate) copy: CopyArgs,
    #[command(flatten)]
    follow_up: FollowUpArgs,
}

const EXAMPLES: &str = "\
Examples:
  hf2ms batch org/one org/two datasets/org/three --containers 4
  hf2ms batch --file repos.txt --to-owner me --private
  hf2ms batch --owner org --repo-type dataset --dry-run
  hf2ms batch --file repos.txt --all-revisions             every branch and tag of each
  hf2ms batch --owner org --revisions-of 'org/tool-*'      those of some, and one revision of the others
  hf2ms batch --owner org --on modal --max-cost 50 --detach

A list:
  # source                                  destination, if it is to be another
  org/one
  https://huggingface.co/datasets/org/two   me/two
  hf:org/three                              ms:me/";

/// Copies them all.
///
/// # Errors
/// The command line, the list or the owner is wrong; what fails for one repo is in its row.
pub async fn run(args: Args, screen: &Screen, stop: &Stop) -> CliResult<Exit> {
    let began = Instant::now();
    let watch = args.fit()?;
    let (settings, runs) = (settings::load()?, Runs::new(&writable_state_dir()?));
    let (entries, mut rows) = stop.unless(args.entries(&settings, screen)).await?;
    let (entries, gone) = stop.unless(args.split(entries, &settings, &runs)).await?;
    rows.extend(gone.iter().map(BatchRow::gone));
    let folder = match args.copy.dry_run {
        true => None,
        false => Some(runs.begin_batch(entries.len())?),
    };
    let runs = folder
        .as_ref()
        .map_or(runs.clone(), |batch| runs.of_batch(batch));
    let id = folder.as_ref().map(|batch| batch.id().to_owned());
    let named = id
        .as_ref()
        .map_or(String::new(), |id| format!("batch {id}: "));
    screen.status(format!(
        "{named}{} to copy",
        counted(entries.len() as u64, "repo")
    ));
    let options = args.options(&settings, &runs, stop, watch)?;
    let copied = Batch::new(&options, screen).run(&entries).await;
    let is_copied: Vec<bool> = copied.iter().map(BatchRow::is_verified).collect();
    let skipped: Vec<BatchRow> = copied
        .iter()
        .filter(|row| row.is_skipped())
        .cloned()
        .collect();
    rows.extend(copied);
    let summary = BatchSummary {
        rows,
        seconds: began.elapsed().as_secs_f64(),
        on: options.worker_args.on,
        id,
    };
    if let Some(folder) = folder {
        folder.end(summary.state(watch), &summary.event())?;
    }
    summary.print(screen);
    if watch == DetachMode::Detached {
        screen.print("the cloud goes on by itself: hf2ms runs lists the runs, hf2ms attach RUN waits for one, hf2ms stop RUN ends it");
    }
    if !args.follow_up.removes() {
        return Ok(summary.exit());
    }
    let exit = summary.exit().worse(not_compared(&skipped, screen));
    let copied = entries.into_iter().zip(is_copied);
    let copied = copied.filter_map(|(entry, is_copied)| is_copied.then_some(entry));
    let removable = gone.into_iter().chain(copied);
    let removable: Vec<CleanupEntry> = removable.map(CleanupEntry::of_own).collect();
    if removable.is_empty() && summary.exit() != Exit::Done {
        return Ok(exit);
    }
    let removed = args
        .follow_up
        .follow(&removable, (&settings, &runs), stop, screen);
    Ok(exit.worse(removed.await?))
}

/// Says of each repo that was skipped that its source stays.
fn not_compared(skipped: &[BatchRow], screen: &Screen) -> Exit {
    for BatchRow { source, reason, .. } in skipped {
        let remedy = match reason.as_deref() == Some(EXISTS) {
            true => "; --force compares what exists",
            false => "",
        };
        screen.warn(format!(
            "{source} was skipped: its source stays, since its copy was not compared{remedy}"
        ));
    }
    match skipped.is_empty() {
        true => Exit::Done,
        false => Exit::Incomplete,
    }
}

impl Args {
    /// Whether this process waits for the cloud.
    fn fit(&self) -> CliResult<DetachMode> {
        if self.route.dest.is_some() {
            return Err(CliError::usage(
                "--dest is for one repo: name destinations in a list (--file), or give --to-owner",
            ));
        }
        if self.pruning.request(false).is_some() && !self.force {
            return Err(CliError::usage(
                "--prune compares what exists at the destination, and without --force that is skipped: give both",
            ));
        }
        self.follow_up.fit()?;
        self.copy.watch()
    }

    /// The repos that are left to copy, and those that an earlier command has removed after its copies.
    async fn split(
        &self,
        entries: Vec<BatchEntry>,
        settings: &Settings,
        runs: &Runs,
    ) -> CliResult<(Vec<BatchEntry>, Vec<BatchEntry>)> {
        let (mut left, mut gone) = (Vec::with_capacity(entries.len()), Vec::new());
        for entry in entries {
            match self.follow_up.is_done(&entry.route, settings, runs).await? {
                true => gone.push(entry),
                false => left.push(entry),
            }
        }
        Ok((left, gone))
    }

    /// The repos to copy, and the rows of those that were listed and can't be copied.
    async fn entries(
        &self,
        settings: &Settings,
        screen: &Screen,
    ) -> CliResult<(Vec<BatchEntry>, Vec<BatchRow>)> {
        let (named, refused) = match (&self.file, &self.owner) {
            (Some(file), _) => (list::read_file(file)?, Vec::new()),
            (None, Some(owner)) => {
                if self.route.repo_type.is_none() && self.route.spaces_as.is_none() {
                    screen.warn("Spaces are left out: --spaces-as copies them, too");
                }
                list::of_owner(owner, &self.route, settings).await?
            }
            (None, None) => (
                self.sources
                    .iter()
                    .map(|source| Ok(SourceLine::plain(source)))
                    .collect(),
                Vec::new(),
            ),
        };
        if self.follow_up.removes() {
            list::check_sites(&named, settings)?;
        }
        let mut entries = list::entries(
            named,
            &self.route,
            self.to_owner.as_deref(),
            settings,
            screen,
        )?;
        let routes = entries.iter().map(|entry| &entry.route);
        for route in routes {
            self.follow_up.check(route, settings)?;
        }
        let ids: Vec<String> = entries
            .iter()
            .map(|entry| entry.route.source_id().to_string())
            .collect();
        for (entry, scope) in entries.iter_mut().zip(self.revisions.scopes(&ids)?) {
            entry.set_revisions(scope)?;
        }
        Ok((entries, refused.iter().map(BatchRow::refused).collect()))
    }

    fn options<'a>(
        &'a self,
        settings: &'a Settings,
        runs: &'a Runs,
        stop: &'a Stop,
        watch: DetachMode,
    ) -> CliResult<CopyOptions<'a>> {
        let revisions = self.revisions.scope();
        Ok(CopyOptions {
            visibility: self.visibility.request(),
            prune: self.pruning.request(self.copy.yes),
            if_exists: if self.force {
                IfExists::Update
            } else {
                IfExists::Skip
            },
            watch,
            ..self.copy.options(settings, runs, stop, true, revisions)?
        })
    }
}
