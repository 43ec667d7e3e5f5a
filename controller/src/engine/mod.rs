//! Where workers run. An engine does one [`WorkerJob`] in one worker and passes on its events. The queue that distributes the
//! chunks ([`queue`]) and the slots that all repos of a command share ([`slots`]) are the same for all engines.

pub mod chunk_results;
pub mod docker;
pub mod job;
mod lifeline;
pub mod local;
pub mod modal;
pub mod network_settings;
pub mod open;
pub mod output;
pub mod queue;
pub mod remote;
pub mod slots;
pub mod worker_limit;

use futures_util::future::BoxFuture;
use hf2ms_worker::protocol::Event;

use self::job::{Ended, WorkerJob};

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
    fn work<'a>(&'a self, job: &'a WorkerJob, listener: Listener<'a>) -> BoxFuture<'a, Ended>;
}
