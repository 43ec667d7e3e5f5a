//! Where workers run. An engine does one job in one worker and tells what it hears; the queue that shares the chunks
//! out ([`queue`]), in turns with those of other repos ([`slots`]), is the same for all engines.

pub mod docker;
pub mod local;
pub mod modal;
pub mod network_settings;
pub mod open;
pub mod output;
pub mod queue;
pub mod remote;
pub mod slots;

use futures_util::future::BoxFuture;
use hf2ms_hub::Kind;
use hf2ms_worker::protocol::{Event, Exit, PushReport, Receipt, Scan, Stored, Verification};

/// One worker's work.
#[derive(Debug, Clone)]
pub struct Job {
    /// What it does.
    pub verb: Verb,
    /// The chunk's number; 0 for other verbs.
    pub number: u32,
    /// The protocol's JSON, on one line.
    pub json: String,
}

/// What a worker does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// Moves a chunk's blobs.
    Run,
    /// Writes the commits, and compares both sides.
    Finalize,
    /// Compares both sides.
    Verify,
    /// Finds what a mirror has to move.
    Scan,
    /// Pushes a mirror's refs.
    Push,
}

impl Verb {
    /// The worker's word for it.
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

impl Job {
    /// The name of its worker's log.
    pub fn label(&self) -> String {
        match self.verb {
            Verb::Run => format!("run-{:04}", self.number),
            verb => verb.name().to_owned(),
        }
    }
}

/// Everything that one worker said.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct WorkerOutput {
    /// Files it reported before its receipt.
    pub files: Vec<Stored>,
    /// Its receipt.
    pub receipt: Option<Receipt>,
    /// What its verification found.
    pub verification: Option<Verification>,
    /// What a scan found.
    pub scan: Option<Scan>,
    /// What came of a push.
    pub landed: Option<PushReport>,
    /// Commits it wrote.
    pub commits: Vec<Option<String>>,
    /// Why the whole verb failed, and what that means.
    pub failure: Option<(Kind, String)>,
}

impl WorkerOutput {
    /// The first failure of one of these meanings.
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

    /// Takes note of an event.
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
    /// It said that it can't do this; another worker could not either.
    Refused(Kind, String),
    /// It died without a receipt: what was seen of it.
    Crashed(String, WorkerOutput),
    /// It was asked to stop; what it said until then.
    Stopped(WorkerOutput),
}

impl Ended {
    /// Why the job is to be given to another worker, if it is: this one died or, on a network of its own, did not reach the
    /// hubs. A chunk's files that failed in passing there are tried from elsewhere; a finalizer tries its own again itself.
    pub fn to_be_repeated(&self, verb: Verb, network: Network) -> Option<&str> {
        let cut_off: &[Kind] = if verb == Verb::Run {
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
}

/// Whether all workers see the hubs the same way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Network {
    /// They do: what one can't reach, none can.
    OfThisMachine,
    /// One may be cut off while the others work.
    OfEachWorker,
}

/// Told of each event as it comes.
pub type Listener<'a> = &'a (dyn Fn(&Event) + Send + Sync);

/// Where workers run.
pub trait Engine: Send + Sync {
    /// How many work at a time.
    fn workers(&self) -> usize;

    /// Whose network they work on.
    fn network(&self) -> Network;

    /// Does one job in one worker. Ends when the worker has ended, and leaves nothing running.
    fn work<'a>(&'a self, job: &'a Job, listener: Listener<'a>) -> BoxFuture<'a, Ended>;
}
