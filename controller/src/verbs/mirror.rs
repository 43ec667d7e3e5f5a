//! `hf2ms mirror`: its options, given to [`crate::mirror`].

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use hf2ms_hub::Token;
use hf2ms_worker::protocol::{
    Exit, Force, LfsPolicy, Memory, RefScope, Safeguard, Safeguards, ScratchFolder, VerifyLevel,
};

use crate::args::workers::{ContainerArgs, EngineKind, WorkerArgs};
use crate::batch::list;
use crate::binaries::find_worker;
use crate::copy::cloud::show_verbs_of_run;
use crate::engine::docker::{ContainerOwner, Docker, DockerOptions};
use crate::engine::local::Local;
use crate::engine::modal::AppSize;
use crate::engine::open::Runner;
use crate::engine::remote::DetachMode;
use crate::engine::remote::app::DeployedApp;
use crate::mirror::check::{CheckedMirror, MirrorPair, check_all};
use crate::mirror::endpoints::{GitEndpoint, parse_source, parse_target, settings_of};
use crate::mirror::options::MirrorOptions;
use crate::mirror::remote::{PullMirror, PullMirrorArgs};
use crate::mirror::run::{MirrorResult, MirrorRun};
use crate::mirror::watch::{interval, repeat};
use crate::runs::{RunDir, Runs};
use crate::settings::{
    Environment, Settings, plain_http_warning, short_secret_warning, writable_state_dir,
};
use crate::stop::Stop;
use crate::ui::errors::{CliError, CliResult};
use crate::ui::screen::Screen;

/// Room in a container for Git's objects.
const SCRATCH: Memory = Memory(1 << 30);
/// Memory in a container for an object of Git and what it is made of (`GitLimits::object_bytes`).
const GIT_MEMORY: u64 = 256 << 20;

/// Mirror a Git repo with its whole history and all its LFS objects to another Git host
///
/// Git's objects go through a temporary folder, LFS objects are streamed from host to host without touching the disk: only
/// those that the target lacks, checked on their way, and before the refs that name them. Run again, only what is new moves.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    #[command(flatten)]
    sides: SidesArgs,
    /// All refs instead of branches and tags, and what the source does not have is deleted at the target
    #[arg(long)]
    mirror: bool,
    /// Leave refs alone that would lose something
    #[arg(long)]
    no_force: bool,
    /// Write refs although someone has moved them at the target during the run
    #[arg(long, conflicts_with = "no_force")]
    overwrite: bool,
    /// Go on although the source has no branch or tag and the target has refs: with --mirror they are deleted
    #[arg(long)]
    allow_empty_source: bool,
    /// Go on although the target has refs and nothing in common with the source: they are replaced
    #[arg(long)]
    allow_unrelated: bool,
    /// Show which refs and objects would move, and change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Verify a mirror: compare every ref, ask the target for each LFS object of all history, and change nothing
    #[arg(long, conflicts_with_all = ["dry_run", "watch", "pull_by", "use_remote_mirror"])]
    pub(crate) check: bool,
    /// Check the mirrors of a list (- for stdin): a line a mirror, its source and its target
    #[arg(long, value_name = "LIST", requires = "check", conflicts_with_all = ["source_place", "target_place", "source", "target"])]
    file: Option<PathBuf>,
    /// With GIT_LFS_SKIP_SMUDGE=1: push although the target lacks LFS objects
    #[arg(long)]
    allow_missing: bool,
    /// Where Git's objects go meanwhile [default: TMPDIR]
    #[arg(long, value_name = "DIR")]
    temp_dir: Option<PathBuf>,
    /// Leave Git's objects there
    #[arg(long)]
    no_cleanup: bool,
    /// Mirror again and again with this pause, as 15m or 2h, until stopped
    #[arg(long, value_name = "TIME", value_parser = interval, conflicts_with = "dry_run")]
    watch: Option<Duration>,
    /// Return as soon as it is submitted; only on modal, where the work goes on by itself
    #[arg(long)]
    detach: bool,
    /// Print NDJSON and nothing else: one line an event, the report last
    #[arg(long)]
    pub json: bool,
    /// Of the Python tool: no longer needed
    #[arg(long, hide = true)]
    use_xget: bool,
    #[command(flatten)]
    remote: PullMirrorArgs,
    #[command(flatten)]
    worker_args: WorkerArgs,
    #[command(flatten)]
    containers: ContainerArgs,
}

/// The source and the target, by their places or by options.
#[derive(Debug, clap::Args)]
struct SidesArgs {
    /// Where from: the address of a Git repo, hf:org/name, ms:org/name or org/name
    #[arg(value_name = "SOURCE", id = "source_place")]
    source: Option<String>,
    /// Where to: the address of a Git repo that exists, hf:org/name or ms:org/name; hf:OWNER/ and hf: take the rest from SOURCE
    #[arg(value_name = "TARGET", id = "target_place")]
    target: Option<String>,
    /// SOURCE as an option
    #[arg(long = "source", short = 's', value_name = "URL", id = "source")]
    source_option: Option<String>,
    /// TARGET as an option
    #[arg(long = "target", short = 't', value_name = "URL", id = "target")]
    target_option: Option<String>,
}

impl SidesArgs {
    /// The source and the target.
    ///
    /// # Errors
    /// One is missing, or given twice and not alike.
    fn given(&self) -> CliResult<(&str, &str)> {
        let source = given_once("SOURCE", &self.source, &self.source_option)?;
        let target = given_once("TARGET", &self.target, &self.target_option)?;
        Ok((source, target))
    }
}

/// The text at a place of the command line, or that of the option of the same name.
fn given_once<'a>(
    place: &str,
    named: &'a Option<String>,
    option: &'a Option<String>,
) -> CliResult<&'a str> {
    let flag = place.to_lowercase();
    match (named, option) {
        (Some(named), Some(option)) if named != option => Err(CliError::usage(format!(
            "{place} and --{flag} are both given and differ: leave one of them out"
        ))),
        (named, option) => named.as_deref().or(option.as_deref()).ok_or_else(|| {
            CliError::usage(format!("{place} is missing: hf2ms mirror SOURCE TARGET"))
        }),
    }
}

const EXAMPLES: &str = "\
Examples:
  hf2ms mirror https://huggingface.co/org/name https://gitlab.example/group/name.git
  hf2ms mirror hf:org/name https://gitlab.example/group/name.git --dry-run
  hf2ms mirror hf:org/name ms:me/                          to an empty repo of ModelScope
  hf2ms mirror SOURCE TARGET --mirror                      all refs, deletions included
  hf2ms mirror SOURCE TARGET --check                       is it whole? nothing is changed
  hf2ms mirror --check --file mirrors.txt                  all of a list, a row each
  hf2ms mirror SOURCE TARGET --watch 15m                   keep it up to date
  hf2ms mirror SOURCE TARGET --on modal --detach           the cloud does it; see hf2ms attach
  hf2ms mirror SOURCE TARGET --pull-by gitlab --wait       GitLab pulls it by itself

Environment, also from ./.env or --env-file:
  HF_USERNAME, HF_TOKEN                           a source on Hugging Face
  SOURCE_USERNAME, SOURCE_TOKEN                   a source elsewhere
  TARGET_USERNAME, TARGET_TOKEN                   the target; the user name is oauth2 unless set
  GIT_LFS_SKIP_SMUDGE=1                           move no LFS object: the target has to have them
  GITLAB_API_BASE, GITLAB_PROJECT_PATH, GITLAB_API_TOKEN
                                                  for --pull-by gitlab, where the target's address does not tell";

/// Mirrors the repo.
///
/// # Errors
/// What ended the run; failures of single refs and objects are in the report.
pub async fn run(args: Args, screen: &Screen, stop: &Stop) -> CliResult<Exit> {
    let environment = Environment::of_process();
    if let Some(file) = &args.file {
        return args.check_all(file, &environment, screen, stop).await;
    }
    let (source, target) = args.sides.given()?;
    let source = parse_source(source, &environment)?;
    let mut target = parse_target(target, &source, &environment)?;
    let remote = PullMirror::of(&args.remote, &source, &target, &environment)?;
    if let (Some(remote), None) = (&remote, &target.login) {
        target.login = Some(remote.login()?);
    }
    let settings = settings_of(&source, &target, &environment)?;
    screen.hide(&settings.redactor());
    warn_of_logins([&source, &target], screen);
    if args.use_xget {
        screen.warn(
            "--use-xget does nothing here: LFS objects are streamed from host to host as they are",
        );
    }
    args.containers.fit(args.worker_args.on)?;
    let watch = args.watched()?;
    let options = args.options(source.clone(), target, &environment)?;
    let runs = Runs::new(&writable_state_dir()?);
    let command = Command {
        args: &args,
        options,
        watch,
        settings: &settings,
        runs: &runs,
        screen,
        stop,
    };
    screen.looking("looking at the branches and tags of both sides");
    match remote {
        Some(remote) => command.pull(&remote).await,
        None if args.dry_run => {
            let engine = command.local(None)?;
            command.mirror_run().dry_run(&engine).await
        }
        None if args.check => Ok(command.check().await?.exit()),
        None => command.mirror().await,
    }
}

/// Warns of passwords that are short, or go over plain HTTP.
fn warn_of_logins(sides: [&GitEndpoint; 2], screen: &Screen) {
    sides
        .into_iter()
        .filter(|endpoint| endpoint.login.as_ref().is_some_and(Token::is_short))
        .for_each(|endpoint| screen.warn(short_secret_warning(endpoint.token_name)));
    sides
        .into_iter()
        .filter(|endpoint| endpoint.login.is_some())
        .filter_map(|endpoint| plain_http_warning(&endpoint.at.endpoint, "the password"))
        .for_each(|line| screen.warn(line));
}

impl Args {
    /// Checks each mirror of a list.
    async fn check_all(
        &self,
        file: &Path,
        environment: &Environment,
        screen: &Screen,
        stop: &Stop,
    ) -> CliResult<Exit> {
        self.containers.fit(self.worker_args.on)?;
        let watch = self.watched()?;
        let pairs = list::parsed(list::read_file(file)?, |source, target| {
            let target = target.ok_or_else(|| {
                CliError::usage("a mirror has a source and a target: write both on the line")
            })?;
            let source = parse_source(source, environment)?;
            let target = parse_target(target, &source, environment)?;
            Ok(MirrorPair { source, target })
        })?;
        let runs = &Runs::new(&writable_state_dir()?);
        let check = async |pair: &MirrorPair, screen: &Screen| {
            if stop.is_asked() {
                return Err(CliError::interrupted());
            }
            let MirrorPair { source, target } = pair;
            let settings = settings_of(source, target, environment)?;
            screen.hide(&settings.redactor());
            warn_of_logins([source, target], screen);
            let command = Command {
                args: self,
                options: self.options(source.clone(), target.clone(), environment)?,
                watch,
                settings: &settings,
                runs,
                screen,
                stop,
            };
            command.check().await
        };
        Ok(check_all(&pairs, check, screen).await)
    }

    /// Whether someone waits for the cloud.
    fn watched(&self) -> CliResult<DetachMode> {
        let other = [
            ("--watch", self.watch.is_some()),
            ("--dry-run", self.dry_run),
            ("--check", self.check),
        ]
        .into_iter()
        .find(|(_, given)| *given);
        match other {
            Some((name, _)) if self.detach => Err(CliError::usage(format!(
                "{name} needs this process to the end: leave --detach out"
            ))),
            _ => DetachMode::of(self.detach, self.worker_args.on),
        }
    }

    /// `--temp-dir` names a folder of this machine.
    fn folder(&self) -> CliResult<ScratchFolder> {
        match &self.temp_dir {
            Some(_) if self.worker_args.on != EngineKind::Local => Err(CliError::usage(
                "--temp-dir is for workers on this machine: leave --on out",
            )),
            Some(folder) => {
                std::fs::create_dir_all(folder).map_err(|error| CliError::file(folder, &error))?;
                Ok(ScratchFolder {
                    below: Some(folder.to_string_lossy().into_owned()),
                    kept: self.no_cleanup,
                })
            }
            None => Ok(ScratchFolder {
                below: None,
                kept: self.no_cleanup && self.worker_args.on == EngineKind::Local,
            }),
        }
    }

    fn safeguards(&self) -> Safeguards {
        Safeguards {
            empty_source: Safeguard::waived_if(self.allow_empty_source),
            unrelated_target: Safeguard::waived_if(self.allow_unrelated),
            moved_refs: Safeguard::waived_if(self.overwrite),
        }
    }

    fn options(
        &self,
        source: GitEndpoint,
        target: GitEndpoint,
        environment: &Environment,
    ) -> CliResult<MirrorOptions> {
        let skips = environment.get("GIT_LFS_SKIP_SMUDGE").is_some_and(|value| {
            !matches!(value.to_lowercase().as_str(), "" | "0" | "false" | "no")
        });
        let lfs = match (skips, self.allow_missing) {
            (false, false) => LfsPolicy::Moved,
            (true, false) => LfsPolicy::Expected,
            (true, true) => LfsPolicy::Missing,
            (false, true) => {
                return Err(CliError::usage(
                    "--allow-missing goes with GIT_LFS_SKIP_SMUDGE=1: set that too, or leave --allow-missing out, and missing LFS objects are moved",
                ));
            }
        };
        Ok(MirrorOptions {
            source,
            target,
            scope: if self.mirror {
                RefScope::All
            } else {
                RefScope::Branches
            },
            force: if self.no_force {
                Force::Never
            } else {
                Force::Always
            },
            lfs,
            safeguards: self.safeguards(),
            folder: self.folder()?,
            worker_args: self.worker_args.clone(),
        })
    }
}

/// The command with its parsed options.
struct Command<'a> {
    args: &'a Args,
    options: MirrorOptions,
    watch: DetachMode,
    settings: &'a Settings,
    runs: &'a Runs,
    screen: &'a Screen,
    stop: &'a Stop,
}

impl Command<'_> {
    fn mirror_run(&self) -> MirrorRun<'_> {
        MirrorRun {
            options: &self.options,
            settings: self.settings,
            runs: self.runs,
            screen: self.screen,
            stop: self.stop,
            watch: self.watch,
            began: Instant::now(),
        }
    }

    async fn check(&self) -> CliResult<CheckedMirror> {
        let engine = self.local(None)?;
        self.mirror_run().check(&engine).await
    }

    /// Has the target's host pull, and then scans what the target lacks.
    async fn pull(&self, remote: &PullMirror<'_>) -> CliResult<Exit> {
        let Some(state) = remote.set_up(self.settings, self.screen, self.stop).await? else {
            return Ok(Exit::Done);
        };
        let scan = self
            .mirror_run()
            .scanned(&self.local(None)?, VerifyLevel::Listing)
            .await?;
        Ok(remote.conclude(&state, &scan, self.screen))
    }

    /// Mirrors once, or again and again with `--watch`.
    async fn mirror(&self) -> CliResult<Exit> {
        let once = async || {
            let run = self.mirror_run();
            run.run(async |run: &RunDir| self.open(run).await).await
        };
        if let Some(every) = self.args.watch {
            let report = async || once().await?.report();
            return repeat(every, self.screen, self.stop, report).await;
        }
        match once().await? {
            MirrorResult::Unchanged(report) => {
                self.screen
                    .status(format!("nothing has changed since run {}", report.run));
                report.print(self.screen);
                Ok(report.exit())
            }
            MirrorResult::Reported(report) => {
                report.print(self.screen);
                Ok(report.exit())
            }
            MirrorResult::Detached(run) => {
                show_verbs_of_run(&run, self.screen);
                Ok(Exit::Done)
            }
        }
    }

    fn workers(&self) -> usize {
        self.args.worker_args.workers(0)
    }

    fn local(&self, logs: Option<PathBuf>) -> CliResult<Local> {
        Ok(Local {
            binary: find_worker()?,
            workers: self.workers(),
            logs,
            settings: self.settings.clone(),
            stop: self.stop.clone(),
        })
    }

    async fn open(&self, run: &RunDir) -> CliResult<Runner> {
        match self.args.worker_args.on {
            EngineKind::Local => {
                return Ok(Runner::Engine(Box::new(
                    self.local(Some(run.path().join("logs")))?,
                )));
            }
            EngineKind::Modal => {
                // How much there is shows only there.
                let most = self.args.worker_args.workers(u64::MAX);
                let deploy =
                    DeployedApp::deploy(AppSize::of(most), run, self.settings, self.screen);
                return Ok(Runner::Remote(self.stop.unless(deploy).await?, self.watch));
            }
            EngineKind::Docker => (),
        }
        let terms = DockerOptions {
            workers: self.workers(),
            memory: Memory(128 << 20),
            files_memory: GIT_MEMORY,
            scratch: Some(SCRATCH),
            settings: self.settings.clone(),
            stop: self.stop.clone(),
        };
        let docker = Docker::open(
            &self.args.containers,
            terms,
            ContainerOwner {
                runs: self.runs,
                run: Some(run),
            },
            self.screen,
        );
        Ok(Runner::Engine(Box::new(self.stop.unless(docker).await?)))
    }
}
