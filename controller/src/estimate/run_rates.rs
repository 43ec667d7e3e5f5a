//! What one finished run says of the rates of its workers, and several of them of the rate that all together get at most.

use hf2ms_worker::protocol::{How, WorkerOptions};

use crate::runs::report::Report;
use crate::runs::{JournalEntry, Runs};

/// The rate of a run that moved less is one of latency.
const ENOUGH: u64 = 64 << 20;
/// A run has more workers than another with so many times as many; the next to it may have the same line by chance.
const MORE_WORKERS: f64 = 1.5;
/// A run tells of a ceiling if each of its workers moved so much: a shorter one is about how workers start.
const OF_A_WORKER: u64 = 256 << 20;
/// A worker that moves so many files at a time uses its streams.
pub(super) const FULL: f64 = WorkerOptions::FIRST_STREAMS as f64;
/// More workers were worth it where the sum of their rates is so many times that of fewer.
const WORTH: f64 = 1.1;

/// What one run says. The rate of a worker is that of its receipts: it may have had several chunks, or none at the end.
pub(super) struct RunRates {
    /// Bytes a second of a worker while it worked.
    pub(super) container: f64,
    /// The files that a worker moved at a time.
    pub(super) streams: f64,
    /// Bytes a second of all over the time that they took.
    pub(super) total: f64,
    /// Workers at a time.
    workers: f64,
    /// Bytes that all have moved.
    sent: u64,
}

impl RunRates {
    /// Bytes a second of one file.
    pub(super) fn stream(&self) -> f64 {
        self.container / self.streams
    }

    /// Of a run that moved enough.
    pub(super) fn of(runs: &Runs, id: &str) -> Option<Self> {
        let report: Report = runs
            .read(id, "report.json")
            .filter(|report: &Report| report.tally.sent >= ENOUGH)?;
        let entries = runs.journal(id).into_iter();
        let receipts = entries.filter_map(|entry| match entry {
            JournalEntry::Chunk(receipt) if receipt.sent > 0 => Some(receipt),
            _ => None,
        });
        let (mut sent, mut seconds, mut of_streams) = (0.0, 0.0, 0.0);
        for receipt in receipts {
            sent += receipt.sent as f64;
            seconds += receipt.seconds;
            let sending = receipt
                .files
                .iter()
                .filter(|file| file.how == How::Streamed);
            of_streams += receipt.seconds * at_a_time(receipt.streams, sending.count());
        }
        let run = Self {
            container: sent / seconds,
            streams: of_streams / seconds,
            total: report.bytes_per_second,
            workers: report.tally.workers as f64,
            sent: report.tally.sent,
        };
        (run.stream().is_finite() && run.stream() > 0.0 && run.total > 0.0).then_some(run)
    }
}

/// Files that a worker moved at a time: its streams, or all that it sent if those are fewer. A receipt of an earlier version tells no
/// streams.
fn at_a_time(streams: u64, sent: usize) -> f64 {
    let streams = match streams {
        0 => WorkerOptions::FIRST_STREAMS,
        streams => streams as usize,
    };
    streams.min(sent.max(1)) as f64
}

/// Bytes a second that all workers get at most: the best sum of runs between which many more workers brought no more. Runs count whose
/// workers had enough to do.
pub(super) fn ceiling(runs: &[RunRates]) -> Option<f64> {
    let is_long = |run: &&RunRates| {
        run.streams >= FULL && run.sent as f64 >= OF_A_WORKER as f64 * run.workers
    };
    let runs: Vec<&RunRates> = runs.iter().filter(is_long).collect();
    let in_vain = |few: &RunRates, many: &RunRates| {
        many.workers >= few.workers * MORE_WORKERS && many.total < few.total * WORTH
    };
    let met = runs
        .iter()
        .any(|few| runs.iter().any(|many| in_vain(few, many)));
    let best = runs.iter().map(|run| run.total).reduce(f64::max);
    best.filter(|_| met)
}
