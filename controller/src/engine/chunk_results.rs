//! The results of chunks: a receipt for each, however its worker ended.

use std::collections::HashSet;

use hf2ms_hub::Kind;
use hf2ms_worker::plan::Plan;
use hf2ms_worker::protocol::{FailedFile, Receipt};

use super::job::{ATTEMPTS, Ended, WorkerOutput};

/// The results of the chunks of one repo.
#[derive(Debug, Default)]
pub struct ChunkResults {
    /// A receipt for each chunk that was begun.
    pub receipts: Vec<Receipt>,
    /// The error that ended the transfer before all chunks were begun.
    pub ended_by: Option<(Kind, String)>,
    /// Whether a worker gave up on an outage, before all chunks were begun.
    pub gave_up: bool,
    /// Workers that crashed.
    pub lost: u64,
    /// Seconds from the start of the first chunk to the end of the last one.
    pub seconds: f64,
}

impl ChunkResults {
    /// The receipt of a chunk, however its worker ended. An error that other chunks would meet too becomes `ended_by`.
    pub fn take(&mut self, plan: &Plan, number: u32, ended: Ended) -> Receipt {
        match ended {
            Ended::Finished(_, output) => self.finished(plan, number, output),
            Ended::Refused(kind, error) => {
                self.ended_by.get_or_insert_with(|| (kind, error.clone()));
                rest_failed(plan, number, WorkerOutput::default(), kind, &error)
            }
            Ended::Crashed(why, output) => rest_failed(
                plan,
                number,
                output,
                Kind::Transient,
                &format!("its worker died {ATTEMPTS} times: {why}"),
            ),
            Ended::Stopped(output) => {
                self.ended_by
                    .get_or_insert_with(|| (Kind::Transient, "it was stopped".to_owned()));
                rest_failed(plan, number, output, Kind::Transient, "it was stopped")
            }
        }
    }

    /// Leaves chunks to the next run, since this one's time is over.
    pub fn leave(&mut self, plan: &Plan, numbers: impl Iterator<Item = u32>) {
        let why = FailedFile::LEFT_BY_DURATION;
        let receipt = |number| {
            let nothing = WorkerOutput::default();
            rest_failed(plan, number, nothing, Kind::Transient, why)
        };
        self.receipts.extend(numbers.map(receipt));
    }

    fn finished(&mut self, plan: &Plan, number: u32, output: WorkerOutput) -> Receipt {
        let gave_up = output.gave_up;
        let receipt = match output.failure.clone() {
            Some((kind, error)) => rest_failed(plan, number, output, kind, &error),
            None => output.receipt.unwrap_or_default(),
        };
        self.gave_up |= gave_up;
        let fatal = FailedFile::fatal(&receipt.failed);
        self.ended_by = self
            .ended_by
            .take()
            .or_else(|| fatal.map(|failed| (failed.kind, failed.error.clone())));
        receipt
    }
}

/// The worker's receipt, or one made of its output; every file that it does not name has failed.
fn rest_failed(plan: &Plan, number: u32, output: WorkerOutput, kind: Kind, why: &str) -> Receipt {
    let mut receipt = output.receipt.unwrap_or_else(|| Receipt {
        chunk: number,
        files: output.files,
        ..Receipt::default()
    });
    let stored: HashSet<&str> = receipt
        .files
        .iter()
        .map(|stored| stored.path.as_str())
        .collect();
    let named: HashSet<&str> = receipt
        .failed
        .iter()
        .map(|failed| failed.path.as_str())
        .collect();
    let chunk = plan.chunks.get(number as usize).into_iter().flatten();
    let paths = chunk
        .filter_map(|index| plan.files.get(*index as usize))
        .map(|planned| &planned.file.path);
    let rest = paths.filter(|path| {
        !stored.contains(path.as_str()) && !named.contains(path.to_string().as_str())
    });
    let rest: Vec<FailedFile> = rest
        .map(|path| FailedFile::new(path.to_string(), why, kind))
        .collect();
    receipt.failed.extend(rest);
    receipt
}
