//! The arguments of each tool, whose doc comments are what an assistant reads of them, and the command line that they become.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::DeserializeOwned;

/// Runs that `runs` lists.
const RUNS: usize = 20;
/// `status` waits for so many seconds at most.
const LONGEST_WAIT: u64 = 300;

/// What a tool does with the program.
#[derive(Debug, PartialEq, Eq)]
pub enum ToolCall {
    /// Runs it to its end.
    Read { words: Vec<String> },
    /// Runs it to its end; the answer holds so many of its first lines.
    First { words: Vec<String>, most: usize },
    /// Asks it about a run, or has it end one. The run comes behind the words.
    OfRun {
        words: Vec<String>,
        run: String,
        part: RunPart,
    },
    /// Starts it and leaves it to itself.
    Start { words: Vec<String> },
}

/// What is asked about a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunPart {
    /// How it stands.
    Status,
    /// How it stands when it ends, or after so long.
    StatusFor(Duration),
    /// Its report.
    Report,
    /// That it ends.
    Stop,
}

/// Arguments of a tool.
pub trait Arguments: DeserializeOwned + JsonSchema {
    /// What they ask for.
    ///
    /// # Errors
    /// They do not fit together.
    fn call(self) -> Result<ToolCall, String>;
}

/// The words of a command line. Values never stand where an option could.
struct CommandLine(Vec<String>);

impl CommandLine {
    fn of(verb: &str) -> Self {
        Self(vec![verb.to_owned(), "--json".to_owned()])
    }

    fn flag(mut self, name: &str, is_set: bool) -> Self {
        self.0.extend(is_set.then(|| format!("--{name}")));
        self
    }

    fn option<T: std::fmt::Display>(self, name: &str, value: Option<T>) -> Self {
        self.options(name, value)
    }

    fn options<T: std::fmt::Display>(
        mut self,
        name: &str,
        values: impl IntoIterator<Item = T>,
    ) -> Self {
        let values = values.into_iter();
        self.0
            .extend(values.map(|value| format!("--{name}={value}")));
        self
    }

    fn positional(mut self, values: impl IntoIterator<Item = String>) -> Vec<String> {
        self.0.push("--".to_owned());
        self.0.extend(values);
        self.0
    }
}

/// No arguments.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct DoctorArgs {}

impl Arguments for DoctorArgs {
    fn call(self) -> Result<ToolCall, String> {
        Ok(ToolCall::Read {
            words: CommandLine::of("doctor").0,
        })
    }
}

/// Whose repos, and against whose.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct InventoryArgs {
    /// Owners of the sources: `org`, `hf:org`, `ms:org`. A bare name is on Hugging Face.
    owners: Vec<String>,
    /// The owner of the copies: `ms:OWNER`, `hf:OWNER`. By default the same name at the other hub.
    against: Option<String>,
    /// Repos of these states only: none, partial, different, newer, conflict, equal-by-size, equal, vanished, disabled, unreadable;
    /// or exposed, for copies that show more than their sources.
    #[serde(default)]
    only: Vec<String>,
    /// The totals only, and what it would take to finish.
    #[serde(default)]
    summary: bool,
    /// Read the files that listings can't compare, so that every file is compared by a digest.
    #[serde(default)]
    deep: bool,
}

impl Arguments for InventoryArgs {
    fn call(self) -> Result<ToolCall, String> {
        Ok(ToolCall::Read {
            words: CommandLine::of("inventory")
                .option("against", self.against)
                .options("only", self.only)
                .flag("summary", self.summary)
                .flag("deep", self.deep)
                .positional(self.owners),
        })
    }
}

/// What a repo is.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Model,
    Dataset,
    Space,
}

impl std::fmt::Display for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Model => "model",
            Self::Dataset => "dataset",
            Self::Space => "space",
        })
    }
}

/// Which repo goes where.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct PlanArgs {
    /// The repo: org/name, hf:org/name, ms:org/name, or its web address. A bare org/name is on Hugging Face.
    source: String,
    /// Where to: ms:org/name, hf:org/name, ms:OWNER/ for the same name at another owner. By default the other hub, with the same id.
    destination: Option<String>,
    /// What the repo is; found out where it is left out.
    repo_type: Option<Kind>,
    /// The branch, tag or commit to copy; the main branch by default.
    revision: Option<String>,
    /// Only files that match one of these globs; `*` matches `/` too.
    #[serde(default)]
    include: Vec<String>,
    /// No files that match one of these globs.
    #[serde(default)]
    exclude: Vec<String>,
}

impl PlanArgs {
    fn words(self, line: CommandLine) -> Vec<String> {
        line.option("repo-type", self.repo_type)
            .option("revision", self.revision)
            .options("include", self.include)
            .options("exclude", self.exclude)
            .positional([self.source].into_iter().chain(self.destination))
    }
}

impl Arguments for PlanArgs {
    fn call(self) -> Result<ToolCall, String> {
        Ok(ToolCall::Read {
            words: self.words(CommandLine::of("migrate").flag("dry-run", true)),
        })
    }
}

/// Where workers run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Engine {
    /// Processes on this machine.
    #[default]
    Local,
    /// Containers on this machine.
    Docker,
    /// Containers in Modal's cloud, which cost money.
    Modal,
}

impl std::fmt::Display for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Local => "local",
            Self::Docker => "docker",
            Self::Modal => "modal",
        })
    }
}

/// Who may see a repo that is created.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum VisibilityField {
    Private,
    Public,
}

/// A copy, and what it may do.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct StartArgs {
    #[serde(flatten)]
    route: PlanArgs,
    /// Where the workers run; on this machine by default.
    #[serde(default)]
    on: Engine,
    /// Workers at a time, 100 at most; by default as many as pay.
    containers: Option<u16>,
    /// Dollars that the run may cost at most. It has to be given for Modal.
    max_cost: Option<f64>,
    /// Who may see a repo that is created; by default as the source is. `public` also allows a public copy of a private source.
    visibility: Option<VisibilityField>,
    /// Also every branch and tag.
    #[serde(default)]
    all_revisions: bool,
    /// Delete what only the destination has. max_delete has to be given too.
    #[serde(default)]
    prune: bool,
    /// With prune: this many files at most, or this share of those that the destination has: `10`, `5%`.
    max_delete: Option<String>,
    /// Write files although someone else has changed them at the destination during the run.
    #[serde(default)]
    overwrite: bool,
}

impl Arguments for StartArgs {
    fn call(self) -> Result<ToolCall, String> {
        let in_cloud = self.on == Engine::Modal;
        if in_cloud && self.max_cost.is_none() {
            return Err(
                "max_cost is missing: Modal costs money, so say how many dollars at most"
                    .to_owned(),
            );
        }
        if self.prune && self.max_delete.is_none() {
            return Err(
                "max_delete is missing: prune deletes files, so say how many at most".to_owned(),
            );
        }
        let may_be = |visibility| self.visibility == Some(visibility);
        let words = CommandLine::of("migrate")
            .option("on", Some(self.on))
            .option("containers", self.containers)
            .option("max-cost", self.max_cost)
            .option("max-delete", self.max_delete.as_ref())
            .flag("detach", in_cloud)
            .flag("private", may_be(VisibilityField::Private))
            .flag("public", may_be(VisibilityField::Public))
            .flag("all-revisions", self.all_revisions)
            .flag("prune", self.prune)
            .flag("overwrite", self.overwrite);
        Ok(ToolCall::Start {
            words: self.route.words(words),
        })
    }
}

/// A run.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct RunArgs {
    /// The id of the run, the end of it, or `last`: the one that was begun here last, else the last of this machine.
    run: String,
}

impl Arguments for RunArgs {
    fn call(self) -> Result<ToolCall, String> {
        Ok(ToolCall::OfRun {
            words: CommandLine::of("status").positional([]),
            run: self.run,
            part: RunPart::Report,
        })
    }
}

/// A run, and how long it is followed.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct StatusArgs {
    /// The id of the run, the end of it, or `last`: the one that was begun here last, else the last of this machine.
    run: String,
    /// Seconds to wait for its end, 300 at most; 0 answers at once.
    #[serde(default)]
    wait_seconds: u64,
}

impl Arguments for StatusArgs {
    fn call(self) -> Result<ToolCall, String> {
        let seconds = self.wait_seconds.min(LONGEST_WAIT);
        let words = CommandLine::of("status")
            .flag("watch", seconds > 0)
            .positional([]);
        let part = match seconds {
            0 => RunPart::Status,
            seconds => RunPart::StatusFor(Duration::from_secs(seconds)),
        };
        let run = self.run;
        Ok(ToolCall::OfRun { words, run, part })
    }
}

/// How much is read to compare.
#[derive(Debug, Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Level {
    /// What both hubs list: sizes and digests.
    #[default]
    Listing,
    /// Also the first and last bytes of a sample of the files.
    Sample,
    /// Every byte at the copy.
    Deep,
}

/// Two sides.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct VerifyArgs {
    #[serde(flatten)]
    route: PlanArgs,
    /// How much is read to compare.
    #[serde(default)]
    level: Level,
}

impl Arguments for VerifyArgs {
    fn call(self) -> Result<ToolCall, String> {
        let words = CommandLine::of("verify")
            .flag("sample", matches!(self.level, Level::Sample))
            .flag("deep", matches!(self.level, Level::Deep));
        Ok(ToolCall::Read {
            words: self.route.words(words),
        })
    }
}

/// A run to stop.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct StopArgs {
    /// The id of the run, the end of it, or `last`: the one that was begun here last, else the last of this machine.
    run: String,
    /// Has to be true: the run's workers end at once.
    confirm: bool,
}

impl Arguments for StopArgs {
    fn call(self) -> Result<ToolCall, String> {
        if !self.confirm {
            return Err("confirm is false: nothing was stopped".to_owned());
        }
        Ok(ToolCall::OfRun {
            words: CommandLine::of("stop").positional([]),
            run: self.run,
            part: RunPart::Stop,
        })
    }
}

/// How many runs.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct RunsArgs {
    /// Runs to list, the newest first; 20 by default.
    limit: Option<usize>,
}

impl Arguments for RunsArgs {
    fn call(self) -> Result<ToolCall, String> {
        Ok(ToolCall::First {
            words: CommandLine::of("runs").0,
            most: self.limit.unwrap_or(RUNS),
        })
    }
}
