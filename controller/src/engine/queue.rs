//! The queue: chunks in their order, the heaviest first, each to the next free worker. A chunk whose worker died is
//! given to another, three times in all.

use std::collections::{HashSet, VecDeque};

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use hf2ms_hub::Kind;
use hf2ms_worker::plan::Plan;
use hf2ms_worker::protocol::{Event, FailedFile, Receipt};

use super::{Ended, Engine, Heard, Job, Verb};
use crate::explain::Outcome;
use crate::progress::{Done, Progress};
use crate::run_dir::{Entry, RunDir};

/// Workers that may die of one chunk.
const ATTEMPTS: u32 = 3;

/// What came of all chunks.
#[derive(Debug, Default)]
pub struct Carried {
    /// A receipt a chunk that was begun.
    pub receipts: Vec<Receipt>,
    /// Why no more chunks were given out before all were.
    pub ended_by: Option<(Kind, String)>,
    /// Workers that died.
    pub lost: u64,
}

/// Has every chunk of a plan carried.
///
/// # Errors
/// The journal can't be written. What failed on the way is in the receipts.
pub async fn carry(engine: &dyn Engine, plan: &Plan, run: &RunDir, progress: &Progress) -> Outcome<Carried> {
    let mut waiting: VecDeque<(u32, u32)> = (0..plan.chunks.len()).filter_map(|number| Some((u32::try_from(number).ok()?, 1))).collect();
    let mut working = FuturesUnordered::new();
    let mut carried = Carried::default();
    loop {
        while carried.ended_by.is_none() && working.len() < engine.workers().max(1) {
            let Some((number, attempt)) = waiting.pop_front() else { break };
            working.push(attempt_chunk(engine, plan, run.id(), number, attempt, progress));
        }
        let Some((number, attempt, ended)) = working.next().await else { return Ok(carried) };
        if let Ended::Lost(why, _) = &ended {
            carried.lost += 1;
            run.note(&Entry::Lost { chunk: number, attempt, why: why.clone() })?;
            if attempt < ATTEMPTS {
                waiting.push_front((number, attempt + 1));
                continue;
            }
        }
        let receipt = carried.take(plan, number, ended);
        run.note(&Entry::Chunk(receipt.clone()))?;
        carried.receipts.push(receipt);
    }
}

async fn attempt_chunk(engine: &dyn Engine, plan: &Plan, run: &str, number: u32, attempt: u32, progress: &Progress) -> (u32, u32, Ended) {
    let json = plan.chunk(run, number).map(|chunk| serde_json::to_string(&chunk).unwrap_or_default()).unwrap_or_default();
    let job = Job { verb: Verb::Run, number, json };
    progress.begin(number);
    let ended = engine.work(&job, &|event: &Event| progress.hear(number, event)).await;
    progress.end(number, done(plan, number, &ended));
    (number, attempt, ended)
}

/// What a worker's end adds to the progress for good.
fn done(plan: &Plan, number: u32, ended: &Ended) -> Done {
    match ended {
        Ended::Finished(..) => {
            let chunk = plan.chunks.get(number as usize).map(Vec::as_slice).unwrap_or_default();
            let sizes = chunk.iter().filter_map(|index| plan.files.get(*index as usize)).map(|planned| planned.file.size);
            Done { files: chunk.len() as u64, bytes: sizes.sum() }
        }
        _ => Done::default(),
    }
}

impl Carried {
    /// The receipt of a chunk, however its worker ended; and whether that ends it for the others too.
    fn take(&mut self, plan: &Plan, number: u32, ended: Ended) -> Receipt {
        match ended {
            Ended::Finished(_, heard) => self.finished(plan, number, heard),
            Ended::Refused(kind, error) => {
                self.ended_by.get_or_insert_with(|| (kind, error.clone()));
                rest_failed(plan, number, Heard::default(), kind, &error)
            }
            Ended::Lost(why, heard) => {
                rest_failed(plan, number, heard, Kind::Transient, &format!("its worker died {ATTEMPTS} times: {why}"))
            }
            Ended::Stopped(heard) => {
                self.ended_by.get_or_insert_with(|| (Kind::Transient, "it was stopped".to_owned()));
                rest_failed(plan, number, heard, Kind::Transient, "it was stopped")
            }
        }
    }
}

impl Carried {
    fn finished(&mut self, plan: &Plan, number: u32, heard: Heard) -> Receipt {
        let receipt = match heard.failure.clone() {
            Some((kind, error)) => rest_failed(plan, number, heard, kind, &error),
            None => heard.receipt.unwrap_or_default(),
        };
        let fatal = receipt.failed.iter().find(|failed| ends_all(failed.kind));
        self.ended_by = self.ended_by.take().or_else(|| fatal.map(|failed| (failed.kind, failed.error.clone())));
        receipt
    }
}

/// Whether the hub will answer every other request the same way: going on would be a storm.
fn ends_all(kind: Kind) -> bool {
    matches!(kind, Kind::Unauthorized | Kind::Unreachable | Kind::Disabled | Kind::Gated | Kind::Locked)
}

/// The worker's receipt, or one made of what it said; all that it does not name has failed.
fn rest_failed(plan: &Plan, number: u32, heard: Heard, kind: Kind, why: &str) -> Receipt {
    let mut receipt = heard.receipt.unwrap_or_else(|| Receipt { chunk: number, files: heard.files, ..Receipt::default() });
    let stored: HashSet<&str> = receipt.files.iter().map(|stored| stored.path.as_str()).collect();
    let named: HashSet<&str> = receipt.failed.iter().map(|failed| failed.path.as_str()).collect();
    let chunk = plan.chunks.get(number as usize).into_iter().flatten();
    let paths = chunk.filter_map(|index| plan.files.get(*index as usize)).map(|planned| &planned.file.path);
    let rest = paths.filter(|path| !stored.contains(path.as_str()) && !named.contains(path.to_string().as_str()));
    let rest: Vec<FailedFile> = rest.map(|path| FailedFile { path: path.to_string(), error: why.to_owned(), kind }).collect();
    receipt.failed.extend(rest);
    receipt
}
