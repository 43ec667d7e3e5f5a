//! `hf2ms verify`: compares repos with their copies, or one side with a file of checksums.

use std::io::Write;
use std::path::{Path, PathBuf};

use clap::ArgGroup;
use hf2ms_hub::{Refused, RepoAt, Revision};
use hf2ms_worker::plan::Plan;
use hf2ms_worker::protocol::{Exit, SampleChoice, SampleSize, Verification, VerifyLevel};
use hf2ms_worker::repo_ref::DestinationRef;
use schemars::JsonSchema;
use serde::Serialize;

use crate::args::revisions::{RevisionArgs, RevisionScope};
use crate::args::route::{DestinationArg, Route, RouteArgs};
use crate::args::workers::ReaderArgs;
use crate::batch::list;
use crate::batch::verify::VerifyBatch;
use crate::copy::verify::against::{self, CheckedSide};
use crate::copy::verify::options::{ChecksumUse, ReadSides, VerifyOptions};
use crate::copy::verify::{VerifiedCopy, checksums, combined, verify};
use crate::revisions::verify::verify_all;
use crate::runs::failures::{NEVER_COPIED, by_cause};
use crate::runs::report::{table, table_of};
use crate::runs::{Runs, write_aside};
use crate::settings::{self, Settings, writable_state_dir};
use crate::stop::Stop;
use crate::ui::errors::{CliError, CliResult};
use crate::ui::nouns::{counted, grouped};
use crate::ui::screen::{Mode, Screen};

/// Compare a repo with its copy, every file by its content
///
/// Large files are compared by the SHA-256 that both hubs give; small ones are read from the source and hashed. Nothing
/// is written to either side. --deep reads every byte of the copy, by workers of any engine.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES, group = ArgGroup::new("repos").args(["source", "file", "owner"]).required(true))]
pub struct Args {
    /// The repo: org/name, hf:org/name, ms:org/name, or its web address
    pub source: Option<String>,
    #[command(flatten)]
    destination: DestinationArg,
    #[command(flatten)]
    many: ManyArgs,
    #[command(flatten)]
    route: RouteArgs,
    #[command(flatten)]
    revisions: RevisionArgs,
    #[command(flatten)]
    reading: ReadingArgs,
    #[command(flatten)]
    files: FileArgs,
    /// Print NDJSON and nothing else
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    workers: ReaderArgs,
}

const EXAMPLES: &str = "\
Examples:
  hf2ms verify org/name                                   the listings of both sides
  hf2ms verify hf:org/name ms:me/name --sample 5%         and both ends of one file in twenty
  hf2ms verify org/name --sample 500 --seed 1234567       the files of an earlier sample again
  hf2ms verify org/name --deep --both                     every byte, on both sides
  hf2ms verify org/big --deep --on docker --containers 4  read by four containers
  hf2ms verify org/name --all-revisions                   every branch and tag with the copy's
  hf2ms verify org/name --checksums SHA256SUMS            then sha256sum -c, where it was downloaded
  hf2ms verify ms:me/name --against SHA256SUMS            one side alone
  hf2ms verify --owner org --to-owner me --deep           all repos of an owner, a row each
  hf2ms verify --file repos.txt --all-revisions           every branch and tag of each";

/// Many repos in one command.
#[derive(Debug, clap::Args)]
struct ManyArgs {
    /// Verify the repos of a list (- for stdin): a line a repo, its source and, if it is another, its destination
    #[arg(long, value_name = "LIST", conflicts_with_all = FOR_ONE)]
    file: Option<PathBuf>,
    /// Verify all models and datasets of an account or organisation; with --repo-type one kind only
    #[arg(long, value_name = "NAME", conflicts_with_all = FOR_ONE)]
    owner: Option<String>,
    /// The owner of the copies, which have the same names [default: the source's owner]
    #[arg(long, value_name = "NAME", conflicts_with_all = ["source", "destination"])]
    to_owner: Option<String>,
}

/// Arguments that are about one repo.
const FOR_ONE: [&str; 5] = ["destination", "dest", "checksums", "against", "combined"];

/// How much is read.
#[derive(Debug, clap::Args)]
struct ReadingArgs {
    /// Compare the first and last bytes of files, too: of so many (500) or of a part of them (5%), chosen at random [default: 1000]
    #[arg(long, value_name = "N|N%", num_args = 0..=1, default_missing_value = "1000", value_parser = sample_size, conflicts_with = "deep")]
    sample: Option<SampleSize>,
    /// Choose the files of the sample by this seed, which an earlier verification told: the same files are read again
    #[arg(long, value_name = "SEED", requires = "sample")]
    seed: Option<u32>,
    /// Read every byte of every file at the copy, and hash it
    #[arg(long)]
    deep: bool,
    /// Read every byte at the source, too
    #[arg(long, requires = "deep", conflicts_with = "against")]
    both: bool,
}

/// Files that are written and read on this machine.
#[derive(Debug, clap::Args)]
struct FileArgs {
    /// Write the SHA-256 of each file that is equal, as sha256sum -c reads it (- for stdout)
    #[arg(long, value_name = "FILE", conflicts_with_all = ["against", "all_revisions"])]
    checksums: Option<PathBuf>,
    /// Check SOURCE alone by the checksums of this file (- for stdin): what is missing, what differs, what is not named
    #[arg(long, value_name = "FILE", conflicts_with_all = ["destination", "to", "dest", "sample", "spaces_as", "keep_readme", "all_revisions", "min_size", "max_size", "changed_since"])]
    against: Option<PathBuf>,
    /// Write a mark for each path, as rclone check does (- for stdout): = equal, + only at the source, - only at the copy, * different,
    /// ! not read
    #[arg(long, value_name = "FILE", conflicts_with = "all_revisions")]
    combined: Option<PathBuf>,
}

/// Reads what `--sample` says. A word that is no size may be a repo that follows the option.
fn sample_size(text: &str) -> Result<SampleSize, String> {
    // A default of a flag, as it was.
    if text == "true" {
        return Ok(SampleSize::default());
    }
    text.parse().map_err(|bad| {
        format!("{bad}; where a repo follows, write --sample=1000, or --sample behind it")
    })
}

impl Args {
    fn level(&self) -> VerifyLevel {
        match (self.reading.deep, self.reading.sample) {
            (true, _) => VerifyLevel::Deep,
            (_, Some(_)) => VerifyLevel::Sample,
            _ => VerifyLevel::Listing,
        }
    }

    /// Refuses what does not go together.
    fn fit(&self) -> CliResult<()> {
        self.workers.container_args.fit(self.workers.on)?;
        let to_stdout = [&self.files.checksums, &self.files.combined];
        let to_stdout = to_stdout.into_iter().flatten();
        match to_stdout.filter(|path| is_stdout(path)).count() + usize::from(self.json) {
            0 | 1 => Ok(()),
            _ => Err(CliError::usage(
                "only one of --json, --checksums - and --combined - can have stdout: give a file for the others",
            )),
        }
    }

    fn options<'a>(
        &self,
        settings: &'a Settings,
        runs: &'a Runs,
        stop: &'a Stop,
    ) -> VerifyOptions<'a> {
        VerifyOptions {
            sample: SampleChoice {
                size: self.reading.sample.unwrap_or_default(),
                seed: self.reading.seed,
            },
            sides: match self.reading.both {
                true => ReadSides::Both,
                false => ReadSides::Destination,
            },
            checksums: match &self.files.checksums {
                Some(_) => ChecksumUse::Needed,
                None => ChecksumUse::NotNeeded,
            },
            worker_args: self.workers.worker_args(),
            containers: self.workers.container_args.clone(),
            ..VerifyOptions::new(settings, runs, stop, self.level())
        }
    }
}

/// Compares both sides and prints the result.
///
/// # Errors
/// One of the sides can't be read.
pub async fn run(args: Args, screen: &Screen, stop: &Stop) -> CliResult<Exit> {
    args.fit()?;
    let settings = settings::load()?;
    let runs = Runs::new(&writable_state_dir()?);
    let options = args.options(&settings, &runs, stop);
    let results = Screen::of_results();
    results.hide(&settings.redactor());
    let screen = match args.files.take_stdout() {
        true => &results,
        false => screen,
    };
    match (&args.source, &args.files.against) {
        (Some(source), Some(file)) => run_against(&args, source, file, &options, screen).await,
        (Some(source), None) => {
            let destination = args.destination.parse(&settings)?;
            let route = Route::resolve(source, &destination, &args.route, &settings)?;
            if args.revisions.scope() == RevisionScope::All {
                return run_all_revisions(&route, &options, screen).await;
            }
            let verified = verify(&route, &options, screen).await?;
            args.files.write(&verified)?;
            Ok(show(&verified, source, screen))
        }
        (None, _) => run_many(&args, options, screen).await,
    }
}

/// Shows what was found of one copy; its exit code.
fn show(verified: &VerifiedCopy, source: &str, screen: &Screen) -> Exit {
    let VerifiedCopy { plan, found, .. } = verified;
    say(
        screen,
        format!(
            "{} and {}\n{}",
            plan.source.web_url(),
            plan.destination.web_url(),
            table(found).trim_end()
        ),
    );
    for cause in by_cause(&[], &plan.refused) {
        screen.warn(format!("{}; {NEVER_COPIED}", cause.line()));
    }
    say(screen, verdict(found, plan, source));
    tell(verified, screen);
    verified.exit()
}

/// Tells a program of a copy that was verified.
fn tell(verified: &VerifiedCopy, screen: &Screen) {
    screen.json(&VerifiedEvent::of(verified));
}

async fn run_against(
    args: &Args,
    source: &str,
    file: &Path,
    options: &VerifyOptions<'_>,
    screen: &Screen,
) -> CliResult<Exit> {
    let same = DestinationRef::default();
    let route = Route::resolve(source, &same, &args.route, options.settings)?;
    let sums = checksums::read(file)?;
    let checked = against::check(&route, &sums, options, screen).await?;
    if let Some(path) = &args.files.combined {
        let text = combined::text(&checked.paths, &checked.found, &checked.refused);
        write(path, &text)?;
    }
    let CheckedSide { at, found, .. } = &checked;
    let name = file.display().to_string();
    say(
        screen,
        format!(
            "{} against {name}\n{}",
            at.web_url(),
            table_of(found, &checked.scope()).trim_end()
        ),
    );
    say(
        screen,
        match bad_words(found, 0) {
            bad if bad.is_empty() => format!("equal: {}", counted(found.checked, "file")),
            bad => format!("NOT EQUAL: of {} {bad}", counted(found.checked, "file")),
        },
    );
    let exit = checked.exit();
    screen.json(&CheckedSideEvent {
        source: at,
        against: &name,
        verification: found,
        exit: exit as u8,
    });
    Ok(exit)
}

async fn run_all_revisions(
    route: &Route,
    options: &VerifyOptions<'_>,
    screen: &Screen,
) -> CliResult<Exit> {
    let summary = verify_all(route, options, screen, tell).await?;
    summary.print(screen);
    Ok(summary.exit())
}

async fn run_many(args: &Args, options: VerifyOptions<'_>, screen: &Screen) -> CliResult<Exit> {
    let settings = options.settings;
    let read = async {
        let (named, refused) = match (&args.many.file, &args.many.owner) {
            (Some(file), _) => (list::read_file(file)?, Vec::new()),
            (None, Some(owner)) => list::of_owner(owner, &args.route, settings).await?,
            (None, None) => (Vec::new(), Vec::new()),
        };
        let to_owner = args.many.to_owner.as_deref();
        let mut entries = list::entries(named, &args.route, to_owner, settings, screen)?;
        let mut all = entries.iter_mut();
        all.try_for_each(|entry| entry.set_revisions(args.revisions.scope()))?;
        CliResult::Ok((entries, refused))
    };
    let (entries, refused) = options.stop.unless(read).await?;
    VerifyBatch::begin(options, entries, refused)?
        .run(screen, tell)
        .await
}

/// Prints for a person; on stderr where a file has stdout for itself.
fn say(screen: &Screen, text: impl AsRef<str>) {
    match screen.mode() {
        Mode::Results => screen.note(text),
        _ => screen.print(text),
    }
}

impl FileArgs {
    /// Writes the files that are asked for.
    fn write(&self, verified: &VerifiedCopy) -> CliResult<()> {
        let VerifiedCopy {
            plan,
            found,
            sha256,
            ..
        } = verified;
        if let Some(path) = &self.checksums {
            write(path, &checksums::text(sha256))?;
        }
        if let Some(path) = &self.combined {
            let paths = plan.files.iter().map(|planned| &planned.file.path);
            write(path, &combined::text(paths, found, &plan.refused))?;
        }
        Ok(())
    }

    /// Whether one of the files is stdout.
    fn take_stdout(&self) -> bool {
        let mut files = [&self.checksums, &self.combined].into_iter().flatten();
        files.any(|path| is_stdout(path))
    }
}

fn is_stdout(path: &Path) -> bool {
    path.as_os_str() == "-"
}

fn write(path: &Path, text: &str) -> CliResult<()> {
    let written = match is_stdout(path) {
        true => {
            let mut out = std::io::stdout().lock();
            out.write_all(text.as_bytes()).and_then(|()| out.flush())
        }
        false => write_aside(path, |file| file.write_all(text.as_bytes())),
    };
    written.map_err(|error| CliError::file(path, &error))
}

/// `2 missing, 1 different`: how many files are not equal, and why.
fn bad_words(found: &Verification, refused: usize) -> String {
    let bad = [
        (found.missing.len(), "missing"),
        (found.different.len(), "different"),
        (found.unread.len(), "unread"),
        (refused, "refused"),
    ];
    let bad: Vec<String> = bad
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, word)| format!("{} {word}", grouped(*count as u64)))
        .collect();
    bad.join(", ")
}

/// The last line for a person.
fn verdict(found: &Verification, plan: &Plan, source: &str) -> String {
    let bad_words = bad_words(found, plan.refused.len());
    let files = counted(found.checked, "file");
    let is_unequal = found.missing.len() + found.different.len() > 0;
    match (is_unequal, bad_words.is_empty()) {
        (_, true) => format!("equal: {files} on both sides"),
        (false, false) => format!(
            "NOT ALL COMPARED: of {files} {bad_words}, and {} equal",
            grouped(found.equal)
        ),
        (true, false) => format!(
            "NOT EQUAL: of {files} {bad_words}; {} copies what differs",
            next_command(plan, source)
        ),
    }
}

/// The command that copies what differs. One of a part or of another revision is not spelt out, since it has the words of this one.
fn next_command(plan: &Plan, source: &str) -> String {
    if plan.part || plan.asked != Revision::main_of(plan.source.hub) {
        return "hf2ms migrate with the source, the copy, the revision and the filters of this command"
            .to_owned();
    }
    format!(
        "hf2ms migrate {} {}:{}",
        hf2ms_hub::path::escape(source),
        plan.destination.hub.profile().prefix,
        plan.destination.id
    )
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

impl<'a> VerifiedEvent<'a> {
    fn of(verified: &'a VerifiedCopy) -> Self {
        Self {
            source: &verified.plan.source,
            destination: &verified.plan.destination,
            verification: &verified.found,
            refused: &verified.plan.refused,
            exit: verified.exit() as u8,
        }
    }
}

/// One side is compared with a file of checksums.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(tag = "event", rename = "verified_against")]
pub struct CheckedSideEvent<'a> {
    source: &'a RepoAt,
    /// The file of checksums.
    against: &'a str,
    /// The result: `extra` are files that the checksums don't name.
    verification: &'a Verification,
    /// The exit code.
    exit: u8,
}
