//! The command line: which verbs there are. Each verb's arguments live with the verb.

pub mod unparsed;

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use clap::{Parser, Subcommand};

use crate::ui::errors::{CliError, CliResult};
use crate::ui::log::Log;
use crate::ui::screen::{Screen, Verbosity};
use crate::verbs;

/// The heading of the options that each verb has, which stand apart from its own.
const OF_ALL: &str = "Options of every verb";

/// Copies model and dataset repositories between Hugging Face and ModelScope, and mirrors Git repos with LFS: streamed, verified.
#[derive(Debug, Parser)]
#[command(name = "hf2ms", version, disable_help_subcommand = true, max_term_width = 110, after_help = EXAMPLES)]
pub struct Cli {
    /// Read settings from this file instead of .env of this folder
    #[arg(long, global = true, help_heading = OF_ALL, value_name = "FILE")]
    pub env_file: Option<PathBuf>,
    /// Send tokens over plain http to other machines without a warning
    #[arg(long, global = true, help_heading = OF_ALL)]
    pub allow_http: bool,
    /// Take defaults of options from this profile of config.toml, too [default: HF2MS_PROFILE]
    #[arg(long, global = true, help_heading = OF_ALL, value_name = "NAME")]
    pub profile: Option<String>,
    /// Print each option that is set and where, and do nothing else
    #[arg(long, global = true, help_heading = OF_ALL)]
    pub show_config: bool,
    /// Print NDJSON and nothing else; a verb that prints none refuses it
    ///
    /// It stands before the verb or behind it.
    #[arg(long)]
    pub json: bool,
    /// What is said, and where it is kept.
    #[command(flatten)]
    pub output: OutputArgs,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

impl Cli {
    /// The options that hold for every verb, as they are typed.
    pub fn globals(&self) -> Vec<OsString> {
        let env_file = self
            .env_file
            .as_ref()
            .map(|file| option("env-file", file.as_os_str()));
        let profile = self
            .profile
            .as_ref()
            .map(|name| option("profile", name.as_ref()));
        let allow_http = self.allow_http.then(|| "--allow-http".into());
        env_file
            .into_iter()
            .chain(profile)
            .chain(allow_http)
            .collect()
    }
}

fn option(name: &str, value: &OsStr) -> OsString {
    let mut word = OsString::from(format!("--{name}="));
    word.push(value);
    word
}

const EXAMPLES: &str = "\
Examples:
  hf2ms login                                     keep the tokens of both hubs, once they are checked
  hf2ms doctor                                    are the tokens and the hubs in order?
  hf2ms migrate org/name                          copy a repo from Hugging Face to ModelScope
  hf2ms migrate hf:org/name ms:me/name            the same, to another id; ms:me/ keeps the name
  hf2ms migrate https://huggingface.co/datasets/org/name --include '*.parquet'
  hf2ms migrate ms:org/name                       copy a repo from ModelScope to Hugging Face
  hf2ms migrate org/name --dry-run                what would be done, and what it would take
  hf2ms migrate org/big --on modal --detach       in the cloud; then hf2ms attach, status, logs, stop
  hf2ms batch --file repos.txt --to-owner me      copy many, with the workers always busy
  hf2ms mirror hf:org/name https://gitlab.example/group/name.git
                                                  with branches, tags, history and every LFS object
  hf2ms verify hf:org/name ms:me/name             compare both sides, file by file
  hf2ms inventory org --against ms:me             all that org has, and how each copy stands
  hf2ms cleanup org/name                          may the source go? what would be lost with it?
  hf2ms probe                                     hold the live hubs against what is believed of them
  hf2ms demo                                      see it work, without any account
  hf2ms mcp                                       tools for a coding assistant

Environment, also from ./.env or --env-file; a token that neither sets is that of hf2ms login:
  HF_TOKEN, HF_ENDPOINT                           needed for private and gated repos, and to write
  MODELSCOPE_TOKEN (or MODELSCOPE_API_TOKEN)      from https://modelscope.cn/my/myaccesstoken
  MODELSCOPE_ENDPOINT, MODELSCOPE_DOMAIN          modelscope.ai is the international site
  HF_DESTINATION_TOKEN, MODELSCOPE_DESTINATION_TOKEN, HF_DESTINATION_ENDPOINT, MODELSCOPE_DESTINATION_ENDPOINT
                                                  for a destination of another account or site
  SOURCE_USERNAME, SOURCE_TOKEN, TARGET_USERNAME, TARGET_TOKEN
                                                  for the Git hosts of hf2ms mirror
  MODAL_TOKEN_ID, MODAL_TOKEN_SECRET              for --on modal, from https://modal.com/settings/tokens
  HF2MS_PYTHON, HF2MS_STATIC_WORKER               a Python with Modal's SDK; the worker that containers run
  DOCKER_HOST                                     for --on docker, when the daemon is elsewhere
  HF2MS_STATE                                     where runs are kept [Linux: ~/.local/state/hf2ms]

Defaults of options stand in ~/.config/hf2ms/config.toml (on Linux), by verb and by profile:
  [migrate]
  on = \"docker\"
--show-config says what is set where; --FLAG=false takes a flag of the file back.

Topics: hf2ms help TOPIC, which is one of private, tokens, filters, prune, resume, engines, costs, mirrors,
  exit-codes, words

Exit codes: 0 done and verified; 1 some files failed, run again; 2 usage;
3 refused (token, permission, not found, cost); 4 content is not what it should be;
130 interrupted, or not confirmed.";

/// How much is said, and where it is kept.
#[derive(Debug, Default, clap::Args)]
pub struct OutputArgs {
    /// Say each file, retry and worker too
    #[arg(long, short, global = true, help_heading = OF_ALL)]
    pub verbose: bool,
    /// Say results, warnings and errors only
    #[arg(long, short, global = true, help_heading = OF_ALL, conflicts_with = "verbose")]
    pub quiet: bool,
    /// Append all that is said, with the time, to this file too
    #[arg(long, global = true, help_heading = OF_ALL, value_name = "FILE")]
    pub log_file: Option<PathBuf>,
}

impl OutputArgs {
    /// The screen that they ask for.
    ///
    /// # Errors
    /// The log file can't be written.
    pub fn screen(&self, json: bool) -> CliResult<Screen> {
        let verbosity = match (self.quiet, self.verbose) {
            (true, _) => Verbosity::Quiet,
            (false, true) => Verbosity::Verbose,
            (false, false) => Verbosity::Usual,
        };
        let screen = Screen::new(json).with_verbosity(verbosity);
        let Some(path) = &self.log_file else {
            return Ok(screen);
        };
        let log = Log::default();
        log.open(path).map_err(|error| {
            CliError::usage(format!(
                "--log-file {}: {error}: give a file that can be written",
                path.display()
            ))
        })?;
        Ok(screen.with_log_file(log))
    }
}

/// What to do. The help of a verb is the comment of its arguments.
#[derive(Debug, Subcommand)]
#[allow(missing_docs)]
pub enum Command {
    Migrate(Box<verbs::migrate::Args>),
    #[command(mut_arg("dest", |arg| arg.hide(true)))]
    Batch(Box<verbs::batch::Args>),
    // LFS objects of Git hosts have one transport, and `mirror` has no `--use-git` to conflict with.
    #[command(mut_arg("transport", |arg| arg.hide(true).conflicts_with(clap::builder::Resettable::Reset)))]
    Mirror(Box<verbs::mirror::Args>),
    Plan(Box<verbs::plan::Args>),
    Verify(Box<verbs::verify::Args>),
    Inventory(Box<verbs::inventory::Args>),
    Cleanup(Box<verbs::cleanup::Args>),
    Runs(verbs::runs::Args),
    Status(verbs::status::Args),
    Attach(verbs::attach::Args),
    Logs(verbs::logs::Args),
    Stop(verbs::stop::Args),
    Login(verbs::login::LoginArgs),
    Logout(verbs::login::LogoutArgs),
    Doctor(verbs::doctor::Args),
    Probe(verbs::probe::Args),
    Demo(verbs::demo::Args),
    Mcp(verbs::mcp::Args),
    Skill(verbs::skill::Args),
    Completions(verbs::completions::Args),
    Man(verbs::man::Args),
    Help(verbs::help::Args),
}

impl Command {
    /// Whether settings are read, and a file of them with them.
    pub fn reads_settings(&self) -> bool {
        !matches!(
            self,
            Self::Runs(_)
                | Self::Logout(_)
                | Self::Demo(_)
                | Self::Mcp(_)
                | Self::Skill(_)
                | Self::Completions(_)
                | Self::Man(_)
                | Self::Help(_)
        )
    }

    /// Whether the tokens of logins are read: `login` itself is about them, and a file of them that is wrong keeps nobody from a `stop`.
    pub fn reads_logins(&self) -> bool {
        self.asks_hubs() && !matches!(self, Self::Login(_))
    }

    /// Whether hubs are asked, and tokens sent to them.
    pub fn asks_hubs(&self) -> bool {
        self.reads_settings() && !matches!(self, Self::Status(_) | Self::Logs(_) | Self::Stop(_))
    }

    /// The verb, as it is typed.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Migrate(_) => "migrate",
            Self::Batch(_) => "batch",
            Self::Mirror(_) => "mirror",
            Self::Plan(_) => "plan",
            Self::Verify(_) => "verify",
            Self::Inventory(_) => "inventory",
            Self::Cleanup(_) => "cleanup",
            Self::Runs(_) => "runs",
            Self::Status(_) => "status",
            Self::Attach(_) => "attach",
            Self::Logs(_) => "logs",
            Self::Stop(_) => "stop",
            Self::Login(_) => "login",
            Self::Logout(_) => "logout",
            Self::Doctor(_) => "doctor",
            Self::Probe(_) => "probe",
            Self::Demo(_) => "demo",
            Self::Mcp(_) => "mcp",
            Self::Skill(_) => "skill",
            Self::Completions(_) => "completions",
            Self::Man(_) => "man",
            Self::Help(_) => "help",
        }
    }

    /// Whether it starts a run of its own.
    pub fn starts_run(&self) -> bool {
        match self {
            Self::Migrate(args) => !args.copy.dry_run,
            Self::Batch(args) => !args.copy.dry_run,
            Self::Mirror(args) => !args.dry_run && !args.check,
            Self::Verify(_) => true,
            Self::Cleanup(args) => args.removes(),
            _ => false,
        }
    }

    /// Whether a program reads stdout.
    pub fn wants_json(&self) -> bool {
        match self {
            Self::Migrate(args) => args.json,
            Self::Batch(args) => args.json,
            Self::Mirror(args) => args.json,
            Self::Verify(args) => args.json,
            Self::Inventory(args) => args.json,
            Self::Cleanup(args) => args.json,
            Self::Runs(args) => args.json,
            Self::Status(args) => args.json,
            Self::Attach(args) => args.json,
            Self::Logs(args) => args.json,
            Self::Stop(args) => args.json,
            Self::Doctor(args) => args.json,
            Self::Probe(args) => args.json,
            Self::Plan(args) => args.json,
            Self::Login(_)
            | Self::Logout(_)
            | Self::Demo(_)
            | Self::Mcp(_)
            | Self::Skill(_)
            | Self::Completions(_)
            | Self::Man(_)
            | Self::Help(_) => false,
        }
    }
}
