//! A job: what one worker is given, what it prints and how it ends. Jobs that are no chunk ([`SingleJob`]) are repeated here;
//! chunks are repeated by [`super::queue`].

use hf2ms_hub::Kind;
use hf2ms_worker::protocol::{
    BackupResult, Event, Exit, PushReport, Receipt, Scan, Stored, Verification, VerifyJob,
};
use serde::Serialize;

use super::lifeline::WorkersAtWork;
use super::{Engine, Network};
use crate::runs::RunDir;
use crate::settings::remedies::{Remedies, remedy};
use crate::ui::errors::{CliError, CliResult};
use crate::ui::progress::{Amount, Progress};
use crate::ui::screen::Screen;

/// Workers that may crash on one job.
pub const ATTEMPTS: u32 = 3;

/// The work of one worker.
#[derive(Debug, Clone)]
pub struct WorkerJob {
    /// The worker's command.
    pub verb: WorkerCommand,
    /// The chunk's number; 0 for other verbs.
    pub number: u32,
    /// The protocol's JSON, on one line.
    pub json: String,
    /// How many workers share a limit with it, if there is one.
    pub at_work: Option<WorkersAtWork>,
}

/// The command of a worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WorkerCommand {
    /// Moves a chunk's blobs.
    Run,
    /// Writes the commits, and compares both sides.
    Finalize,
    /// Compares both sides.
    Verify,
    /// Compares the refs and LFS objects of both sides of a mirror.
    Scan,
    /// Pushes a mirror's refs.
    Push,
}

impl WorkerCommand {
    /// The worker's name for the command.
    pub fn name(self) -> &'static str {
        match self {
            Self::Run => "run",
            Self::Finalize => "finalize",
            Self::Verify => "verify",
            Self::Scan => "scan",
            Self::Push => "push",
        }
    }
}

impl WorkerJob {
    /// The name of the worker's log, without `.log`.
    pub fn label(&self) -> String {
        match self.verb {
            WorkerCommand::Run => format!("run-{:04}", self.number),
            verb => verb.name().to_owned(),
        }
    }
}

/// Everything that one worker printed.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct WorkerOutput {
    /// Files that it reported before its receipt.
    pub files: Vec<Stored>,
    /// Its receipt.
    pub receipt: Option<Receipt>,
    /// The result of its verification.
    pub verification: Option<Verification>,
    /// The result of its scan.
    pub scan: Option<Scan>,
    /// The result of its push.
    pub landed: Option<PushReport>,
    /// The tag of what stood at the destination.
    pub backup: Option<BackupResult>,
    /// Commits that it wrote.
    pub commits: Vec<Option<String>>,
    /// The error that ended its whole command.
    pub failure: Option<(Kind, String)>,
    /// Whether it gave up on an outage.
    pub gave_up: bool,
}

impl WorkerOutput {
    /// The first error of one of these kinds.
    fn failure_of(&self, kinds: &[Kind]) -> Option<&str> {
        let whole = self.failure.iter().map(|(kind, error)| (*kind, error));
        let files = self
            .receipt
            .iter()
            .flat_map(|receipt| &receipt.failed)
            .map(|failed| (failed.kind, &failed.error));
        whole
            .chain(files)
            .find(|(kind, _)| kinds.contains(kind))
            .map(|(_, error)| error.as_str())
    }

    /// Adds an event.
    pub fn note(&mut self, event: Event) {
        match event {
            Event::File {
                path,
                bytes,
                sha256,
                git_sha1,
                how,
            } => self.files.push(Stored {
                path,
                sha256,
                git_sha1,
                size: bytes,
                how,
            }),
            Event::Failed {
                path: None,
                error,
                kind,
            } => self.failure = Some((kind, error)),
            Event::PauseEnded { answers } => self.gave_up = !answers,
            Event::BackupTag(result) => self.backup = Some(result),
            Event::Committed { commit, .. } => self.commits.push(commit),
            Event::Verified(found) => self.verification = Some(found),
            Event::Scanned(found) => self.scan = Some(*found),
            Event::Pushed(landed) => self.landed = Some(landed),
            Event::Receipt(receipt) => self.receipt = Some(receipt),
            _ => (),
        }
    }
}

/// How a worker ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Ended {
    /// With its receipt.
    Finished(Exit, WorkerOutput),
    /// It reported an error that any other worker would report too.
    Refused(Kind, String),
    /// It ended without a receipt: how, and its output until then.
    Crashed(String, WorkerOutput),
    /// It was asked to stop; its output until then.
    Stopped(WorkerOutput),
}

impl Ended {
    /// Why another worker has to repeat the job, if one has to: this one crashed or, on a network of its own, did not reach
    /// the hubs. A chunk's files that failed with a transient error there are tried from elsewhere; a finalizer retries its
    /// own files itself.
    pub fn to_be_repeated(&self, verb: WorkerCommand, network: Network) -> Option<&str> {
        let cut_off: &[Kind] = if verb == WorkerCommand::Run {
            &[Kind::Unreachable, Kind::Transient]
        } else {
            &[Kind::Unreachable]
        };
        match (self, network) {
            (Self::Crashed(why, _), _) => Some(why),
            (Self::Refused(Kind::Unreachable, why), Network::OfEachWorker) => Some(why),
            (Self::Finished(_, output), Network::OfEachWorker) => output.failure_of(cut_off),
            _ => None,
        }
    }

    /// The error of a job that gave no result; `worker` is the name of its worker for the user, `remedy` what helps in its command.
    pub fn into_error(self, worker: &str, remedy: Remedies) -> CliError {
        match self {
            Self::Refused(kind, error) => {
                CliError::new(Exit::of(kind), format!("{error}; {}", remedy(kind)))
            }
            Self::Crashed(why, _) => CliError::new(
                Exit::Incomplete,
                format!(
                    "the {worker} died {ATTEMPTS} times: {why}; see hf2ms logs last, then run the same command again"
                ),
            ),
            Self::Finished(exit, output) => {
                let why = output.failure.map_or_else(
                    || "it gave no result; run the same command again".to_owned(),
                    |(kind, error)| format!("{error}; {}", remedy(kind)),
                );
                CliError::new(
                    if exit == Exit::Done {
                        Exit::Incomplete
                    } else {
                        exit
                    },
                    format!("the {worker}: {why}"),
                )
            }
            Self::Stopped(_) => CliError::interrupted(),
        }
    }
}

/// A job for one worker at a time, with its progress.
pub struct SingleJob<'a> {
    /// Where the worker runs.
    pub engine: &'a dyn Engine,
    /// The worker's command.
    pub verb: WorkerCommand,
    /// The title of the progress.
    pub title: &'static str,
    /// The end of the progress.
    pub of: Amount,
    /// Where the progress goes.
    pub screen: &'a Screen,
}

impl SingleJob<'_> {
    /// Has a worker do the job, and another one if that crashed, at most [`ATTEMPTS`] times. `job` makes the job of an
    /// attempt, counted from 1; output that `is_complete` needs no further attempt; `crashed` records a crash.
    ///
    /// # Errors
    /// A stop was asked for, or `crashed` failed.
    pub async fn run<J: Serialize>(
        &self,
        job: impl Fn(u32) -> J,
        is_complete: impl Fn(&WorkerOutput) -> bool,
        mut crashed: impl FnMut(u32, &str) -> CliResult<()>,
    ) -> CliResult<Ended> {
        let mut attempt = 1;
        loop {
            let ended = self.attempt(&job(attempt)).await?;
            if matches!(&ended, Ended::Finished(_, output) if is_complete(output)) {
                return Ok(ended);
            }
            match ended.to_be_repeated(self.verb, self.engine.network()) {
                Some(why) if attempt < ATTEMPTS => crashed(attempt, why)?,
                _ => return Ok(ended),
            }
            attempt += 1;
        }
    }

    async fn attempt(&self, job: &impl Serialize) -> CliResult<Ended> {
        let json = serde_json::to_string(job).map_err(|error| {
            CliError::usage(format!(
                "the job can't be written: {error}; run the same command again"
            ))
        })?;
        let (verb, number) = (self.verb, 0);
        let progress = Progress::of_job(self.screen, self.title, self.of);
        progress.begin(number);
        let job = WorkerJob {
            verb,
            number,
            json,
            at_work: None,
        };
        let ended = self
            .engine
            .work(&job, &|event| progress.hear(number, event))
            .await;
        progress.finish();
        match ended {
            Ended::Stopped(_) => Err(CliError::interrupted()),
            ended => Ok(ended),
        }
    }
}

/// Compares both sides in one worker.
///
/// # Errors
/// No worker gave a result.
pub async fn verify(
    engine: &dyn Engine,
    job: &VerifyJob,
    screen: &Screen,
    run: &RunDir,
) -> CliResult<Verification> {
    let of = Amount {
        files: job.files.len() as u64,
        bytes: job.files.iter().map(|file| file.file.size).sum(),
    };
    let single = SingleJob {
        engine,
        verb: WorkerCommand::Verify,
        title: "verifying",
        of,
        screen,
    };
    let is_complete = |output: &WorkerOutput| output.verification.is_some();
    let crashed = |attempt, why: &str| run.note_crash(attempt, why);
    match single.run(|_| job, is_complete, crashed).await? {
        Ended::Finished(
            _,
            WorkerOutput {
                verification: Some(found),
                ..
            },
        ) => Ok(found),
        ended => Err(ended.into_error("verifier", remedy)),
    }
}
